/*
 * hold.h - holding a port in the kernel, so that nobody gets it by accident.
 *
 * A hold is a bound socket that does not listen. One IPv6 socket that takes IPv4
 * too (V6ONLY off) holds the port for both.
 */
#ifndef HOLD_H
#define HOLD_H

#include "transport.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * strict  nobody else can bind the port.
 * soft    (SO_REUSEADDR) who sets SO_REUSEADDR too can bind it and listen, and
 *         nobody else can; the kernel itself never chooses it.
 */
enum hold_kind {
    HOLD_STRICT,
    HOLD_SOFT,
};

struct hold {
    int fd; /* -1: nothing is held */
    enum transport transport;
    enum hold_kind kind;
    bool ipv6; /* and IPv4; otherwise IPv4 alone */
};

#define HOLD_NULL                                                                              \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/*
 * A socket for a port on all addresses: IPv6 and IPv4, or IPv4 alone (*ipv6 is
 * false) where the kernel knows no other; non-blocking, close-on-exec. It is
 * the caller's. Returns the descriptor or a negative errno.
 */
int hold_socket(enum transport transport, bool *ipv6);

/* Binds what hold_socket() gave. 0 or a negative errno. */
int hold_bind(int fd, bool ipv6, uint16_t port);

/*
 * Takes `port`; *hold must be HOLD_NULL, and is so again after a failure.
 *
 * A strict hold that meets nothing but connections in TIME_WAIT becomes a soft
 * one, which passes them by. What is sent to a held UDP port is dropped.
 *
 * Returns 0, -EADDRINUSE, -EACCES (a port below 1024 without the right to it) or
 * another negative errno.
 */
int hold_take(struct hold *hold, enum transport transport, enum hold_kind kind, uint16_t port);

/* Gives the port back; *hold is HOLD_NULL then. Nothing held: nothing happens. */
void hold_drop(struct hold *hold);

/* Which socket it is, as /proc and NETLINK_SOCK_DIAG number them; 0: nothing is held. */
uint64_t hold_inode(const struct hold *hold);

/*
 * Makes a socket for a service on the held port, which stays held meanwhile and
 * after the service has closed its socket. A TCP socket listens already, on IPv4
 * too; UDP goes to the newest socket of a port, and so to it. Somebody may not
 * have the port besides the hold: of UDP the caller must know, TCP tells.
 *
 * A strict hold lets other sockets with SO_REUSEADDR in while this call lasts.
 *
 * Returns the descriptor, which is the caller's and close-on-exec; -EADDRINUSE
 * or another negative errno.
 */
int hold_serve(const struct hold *hold, uint16_t port);

/*
 * A TCP socket on a softly held port that listens, with SO_REUSEADDR: on one
 * address (IPv4 or IPv6 text), or on all of both families when that is NULL.
 * Close-on-exec and non-blocking. Returns the descriptor, which is the caller's;
 * -EINVAL for a text that is no address, -EADDRNOTAVAIL for an address that this
 * host does not have, -EADDRINUSE or another negative errno.
 */
int hold_listen(const char *address, uint16_t port, int backlog);

#endif
