#ifndef PA_SOCKET_H
#define PA_SOCKET_H

/*
 * TCP sockets of a client: connect, send and receive, each with a deadline.
 *
 * Sockets are non-blocking and close-on-exec; every wait is a poll(2) up to
 * the deadline. SIGPIPE is never raised, EINTR never returned.
 */

#include "pa_failure.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PA_SOCKET_TIMEOUT = 1 }; /* the deadline has passed */

enum { PA_SOCKET_VANISHED_S = 30 };

struct pa_deadline {
    int64_t at_ns;  /* CLOCK_MONOTONIC */
    int timeout_ms; /* what it was made from, for error texts */
};

/* The deadline `timeout_ms` from now; 0 or less: what does not succeed at once times out. */
struct pa_deadline pa_deadline_in(int timeout_ms);

/* What poll(2) may wait for, 0 when it has passed; rounded up, so that it never ends early. */
int pa_deadline_left_ms(const struct pa_deadline *deadline);

/* CLOCK_MONOTONIC. */
int64_t pa_socket_now_ns(void);

/* Waits for one of the events of poll(2). 0, PA_SOCKET_TIMEOUT or -errno. */
int pa_socket_wait(int fd, short events, const struct pa_deadline *deadline);

/*
 * What something that never blocks waits for. When that has come, or the time,
 * it goes on by its step, which looks itself which of them it is; a step that
 * comes too early does no harm.
 */
struct pa_wait {
    int fd;                   /* -1: for the time alone */
    short events;             /* of poll(2) */
    struct pa_deadline until; /* whichever comes first */
};

/* Waits for that, in blocking. 0, or -errno. */
int pa_socket_await(const struct pa_wait *wait);

/*
 * Connects to TCP port `port` of `host`: IPv4 or IPv6 text, a name, or
 * localhost ("" too), which is 127.0.0.1 and ::1 and needs no resolver. The
 * addresses of a name are tried one after the other, each with its share of
 * the time that is left.
 *
 * 0 with the descriptor in *fd, which is the caller's; PA_E_RESOLVE,
 * PA_E_CONNECT, PA_E_TIMEOUT or PA_E_CLIENT_MEMORY with *why filled in.
 */
int pa_socket_connect(const char *host, int port, const struct pa_deadline *deadline, int *fd,
                      struct pa_failure *why);

/*
 * Moves a descriptor that would be taken for a standard stream, when one of
 * those is closed. The new one, close-on-exec, or -errno with the old one closed.
 */
int pa_socket_keep_off_standard_streams(int fd);

/* Sends what goes without waiting. How many bytes that were, or -errno, -EAGAIN for none. */
ssize_t pa_socket_send_some(int fd, const char *bytes, size_t size);

/* Sends all bytes. 0, PA_SOCKET_TIMEOUT or -errno. */
int pa_socket_send(int fd, const char *bytes, size_t size, const struct pa_deadline *deadline);

/*
 * Receives what is there, or the first bytes that come. 0 with the number of
 * bytes in *received, 0 of them at the end of the stream; PA_SOCKET_TIMEOUT or
 * -errno.
 */
int pa_socket_receive(int fd, char *bytes, size_t size, const struct pa_deadline *deadline,
                      size_t *received);

enum pa_socket_state {
    PA_SOCKET_QUIET,    /* connected, nothing to read */
    PA_SOCKET_READABLE, /* bytes are waiting */
    PA_SOCKET_DEAD,     /* the peer has closed, or the connection has failed */
};

/* Looks at a connection that nothing is expected from; reads nothing and does not wait. */
enum pa_socket_state pa_socket_look(int fd);

/*
 * Has the kernel find out within PA_SOCKET_VANISHED_S that the host of the peer has vanished,
 * though nothing is sent; then the connection fails. For sockets that are not TCP
 * it does nothing.
 */
void pa_socket_keep_alive(int fd);

/* The text of an errno value as Tcl words it: in lower case. Valid until the thread's next
 * call. */
const char *pa_socket_reason(int error);

#endif
