#ifndef LISTENER_H
#define LISTENER_H

/*
 * The sockets that clients connect to: one for IPv4, one for IPv6, on the same
 * port.
 */

#include <stddef.h>

enum { LISTENER_SOCKETS = 2 };

struct listener {
    int fd[LISTENER_SOCKETS];
    size_t count;
    int port; /* bound to it */
};

/*
 * Binds the sockets; they do not listen yet. `address` is IPv4 or IPv6 text, or
 * NULL for all addresses of both families (of IPv4 alone where the kernel has no
 * IPv6). `port` 0 takes any that is free on both. `keepalive_s` is how long a
 * peer may be silently gone before its connection ends.
 *
 * 0 with descriptors that are the caller's, or a negative errno.
 */
int listener_open(struct listener *listener, const char *address, int port,
                  unsigned keepalive_s);

#endif
