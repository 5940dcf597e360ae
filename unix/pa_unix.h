#ifndef PA_UNIX_H
#define PA_UNIX_H

/*
 * Sockets in the file system, as a client has them: connect, and receive bytes
 * with the descriptors that come along. Sending and looking are pa_socket's.
 *
 * Descriptors are close-on-exec and no standard streams, sockets non-blocking. SIGPIPE is never
 * raised, EINTR never returned.
 */

#include "pa_socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

/*
 * Connects to the stream socket `path` (at most 107 bytes), on which root or
 * the caller must listen. 0 with the descriptor in *fd, which is the caller's;
 * PA_SOCKET_TIMEOUT; -errno, -EPERM when somebody else listens there.
 */
int pa_unix_connect(const char *path, const struct pa_deadline *deadline, int *fd);

/* The same without waiting: -EAGAIN while the queue of the listener is full. */
int pa_unix_try(const char *path, int *fd);

/*
 * connect(2) on a blocking socket of any type, that waits until the deadline
 * while the queue of the listener is full. 0, PA_SOCKET_TIMEOUT or -errno.
 */
int pa_unix_connect_within(int fd, const struct sockaddr_un *address,
                           const struct pa_deadline *deadline);

/* What came along with bytes. */
struct pa_unix_passed {
    int fd;    /* the first descriptor, the caller's; -1: none */
    int error; /* errno of why a descriptor did not arrive; 0: none is missing */
};

#define PA_UNIX_PASSED_NONE                                                                    \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/*
 * pa_socket_receive() for any stream socket, with descriptors: one is put into
 * passed->fd unless that is taken, all others are closed.
 */
int pa_unix_receive(int fd, char *bytes, size_t size, const struct pa_deadline *deadline,
                    size_t *received, struct pa_unix_passed *passed);

/* The same without waiting. 0 or -errno, -EAGAIN for nothing. */
int pa_unix_receive_some(int fd, char *bytes, size_t size, size_t *received,
                         struct pa_unix_passed *passed);

/* Closes the descriptor, if there is one, and leaves it PA_UNIX_PASSED_NONE. */
void pa_unix_passed_deinit(struct pa_unix_passed *passed);

#endif
