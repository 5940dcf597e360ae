#ifndef PA_SOCKDIAG_H
#define PA_SOCKDIAG_H

/*
 * Which sockets have a local port, as the kernel tells (sock_diag(7)).
 *
 * The answer is about the network namespace that the descriptor was opened in,
 * and needs no privilege. Sockets that come or go while the kernel answers may
 * be in the answer or not.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Masks of TCP states to ask for; bit N stands for the kernel's state N. */
#define PA_SOCKDIAG_LISTENERS (1U << 10)
/* Bound, neither listening nor connected. Kernels before 6.8 do not show such sockets. */
#define PA_SOCKDIAG_BOUND     (1U << 13)
/* All but TIME_WAIT (6) and connections that nobody has accepted yet (3, 12). */
#define PA_SOCKDIAG_ALIVE     (~(1U << 3 | 1U << 6 | 1U << 12))

/* States in answers; those of TCP have more, numbered as in the kernel. */
enum {
    PA_SOCKDIAG_STATE_CONNECTED = 1,
    PA_SOCKDIAG_STATE_SHUT = 4,          /* for writing; nothing of it acknowledged */
    PA_SOCKDIAG_STATE_SHUT_AND_SEEN = 5, /* for writing, as the other end knows */
    PA_SOCKDIAG_STATE_OPEN = 7,          /* not connected; of TCP: PA_SOCKDIAG_BOUND */
    PA_SOCKDIAG_STATE_LISTENING = 10,
};

struct pa_sockdiag_socket {
    bool tcp;       /* or UDP */
    bool wildcard;  /* bound to no particular address; an IPv6 one may take IPv4 too */
    int family;     /* AF_INET or AF_INET6 */
    int state;      /* see above */
    uint16_t port;  /* local */
    uint32_t uid;   /* whose process made it; not to be believed when inode is 0 */
    uint64_t inode; /* as in /proc/PID/fd; 0: no process has the socket any more */
};

/* A descriptor to ask with. Belongs to one thread of one process. */
struct pa_sockdiag {
    int fd;
    uint32_t sequence; /* of the last request */
};

#define PA_SOCKDIAG_NULL                                                                       \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/* Is told of one socket; must not ask with the same descriptor. */
typedef void pa_sockdiag_visit(void *context, const struct pa_sockdiag_socket *socket);

/*
 * Opens the descriptor, close-on-exec, unless it is open. The calls below do so
 * by themselves; they close it when they fail, since the rest of an answer may
 * be in it, and open another the next time. 0 or -errno.
 */
int pa_sockdiag_open(struct pa_sockdiag *diag);

void pa_sockdiag_close(struct pa_sockdiag *diag);

/*
 * The sockets on local port `port` (1 to 65535), IPv4 and IPv6: the TCP sockets
 * whose state is in the mask `states`, or all UDP sockets (`states` is not
 * looked at). With PA_SOCKDIAG_LISTENERS alone, and for UDP, the kernel takes
 * some 30 us; with any other state it goes through the table of all
 * connections, which takes ten times as long on an idle host.
 *
 * Returns how many there are, of which the first `capacity` are in found[]
 * (NULL for a capacity of 0); or a negative errno: -EINVAL for port 0,
 * -ETIMEDOUT when the kernel has not answered within a second, -EBADMSG for an
 * answer that is none, -ENOENT when the kernel cannot tell (no inet_diag,
 * tcp_diag or udp_diag).
 */
int pa_sockdiag_on_port(struct pa_sockdiag *diag, bool tcp, uint16_t port, uint32_t states,
                        struct pa_sockdiag_socket *found, size_t capacity);

/*
 * Visits all TCP sockets that listen and all UDP sockets that have a port, IPv4
 * and IPv6, in no order. Returns how many, or a negative errno as above, after
 * which some may have been visited.
 */
int pa_sockdiag_services(struct pa_sockdiag *diag, pa_sockdiag_visit *visit, void *context);

/* One end of a TCP connection. */
struct pa_sockdiag_end {
    const struct sockaddr_storage *own;   /* its address and port */
    const struct sockaddr_storage *other; /* those it is connected to */
};

/*
 * The TCP socket that has one end of a connection within this host: the very
 * addresses and ports, IPv4 or IPv6; IPv4 and its mapped form are the same. The
 * state may be any but that of a listener. Takes some 7 us and does not wait.
 *
 * 1 with *found filled in, of which wildcard means nothing; 0: there is none;
 * or a negative errno as above, after which the descriptor is closed;
 * -EAFNOSUPPORT when the addresses are not two of one kind.
 */
int pa_sockdiag_of_connection(struct pa_sockdiag *diag, const struct pa_sockdiag_end *end,
                              struct pa_sockdiag_socket *found);

#endif
