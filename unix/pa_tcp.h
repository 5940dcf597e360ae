#ifndef PA_TCP_H
#define PA_TCP_H

/*
 * TCP sockets as a server has them, beneath a channel of Tcl: accepting, reading,
 * writing, and the names of both ends.
 *
 * An IPv4 client of a socket that serves both families has an IPv4 address here,
 * never ::ffff:a.b.c.d. EINTR is never returned, SIGPIPE never raised.
 */

#include "pa_failure.h"
#include "pa_lookup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    PA_TCP_HOST_BYTES = 1025,  /* NI_MAXHOST, its NUL counted */
    PA_TCP_ADDRESS_BYTES = 64, /* an IPv6 address with a zone, its NUL counted */
    PA_TCP_NAMES = 2,          /* a socket that serves all addresses of both families */
};

/* An end of a socket. */
struct pa_tcp_name {
    char address[PA_TCP_ADDRESS_BYTES];
    char host[PA_TCP_HOST_BYTES]; /* its name; the address again where it has none */
    int port;
};

enum pa_tcp_end {
    PA_TCP_OWN,
    PA_TCP_PEER,
};

/*
 * Accepts a connection. 0 with the descriptor, blocking and close-on-exec, in
 * *accepted, which is the caller's, and the peer's address in *peer, its host
 * not looked up. -errno: -EAGAIN when none waits.
 */
int pa_tcp_accept(int fd, int *accepted, struct pa_tcp_name *peer);

/* Whether accept(2) fails so for want of what another time may bring: descriptors, memory. */
bool pa_tcp_is_shortage(int error);

/*
 * The names of one end. `look_up`: asks the resolver for the host, which may
 * take its time. Returns how many there are, or -errno. A socket that listens
 * for both families has two, that of IPv4 first.
 */
int pa_tcp_names(int fd, enum pa_tcp_end end, bool look_up,
                 struct pa_tcp_name names[PA_TCP_NAMES]);

/*
 * Sets `text`, of `size` bytes, to the address that `host` is or has: the first
 * of IPv4, else of IPv6. 0, or PA_E_RESOLVE with *why filled in.
 */
int pa_tcp_resolve(const char *host, char *text, size_t size, struct pa_failure *why);

/* The same of addresses that have been looked up, at least one. */
int pa_tcp_choose(const struct pa_addresses *addresses, char *text, size_t size,
                  struct pa_failure *why);

/* Receives what is there, at most `size` bytes. Their number; 0: the end; -errno. */
ssize_t pa_tcp_read(int fd, char *bytes, size_t size);

/* Sends what there is room for. The number of bytes, or -errno. */
ssize_t pa_tcp_write(int fd, const char *bytes, size_t size);

/* Whether reading and writing wait. 0 or -errno. */
int pa_tcp_set_blocking(int fd, bool blocking);

/*
 * How long sent bytes may remain without acknowledgement, or wait for a reader, before the
 * kernel ends the connection (TCP_USER_TIMEOUT of tcp(7)); 0: as it is by default, for as long
 * as the other host answers. Returns what it was before, or -errno.
 */
int pa_tcp_swap_user_timeout(int fd, int timeout_ms);

/* The error that waits on the socket, an errno, and forgets it; 0: none. */
int pa_tcp_take_error(int fd);

/* Ends one direction. 0 or -errno. */
int pa_tcp_shut(int fd, bool reading);

/* 0 or -errno; closed it is either way. */
int pa_tcp_close(int fd);

#endif
