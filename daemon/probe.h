#ifndef PROBE_H
#define PROBE_H

/*
 * Probing a port in the kernel: can a service bind it, on IPv4 and IPv6?
 */

#include <stdbool.h>
#include <stdint.h>

/* The socket for the next attempt. */
struct probe {
    int fd; /* -1: not made yet */
    bool ipv6;
};

#define PROBE_NULL                                                                             \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/*
 * Tries to bind `port` on all addresses, and lets go of it again.
 *
 * Returns an enum table_port_state: free, lingering (only connections in
 * TIME_WAIT are in the way: a service that sets SO_REUSEADDR can have it), in use
 * (held for another service, too); or a negative errno when the kernel gave no
 * socket to try with.
 */
int probe_port(struct probe *probe, uint16_t port);

/*
 * Likewise with UDP, without SO_REUSEADDR: TABLE_PORT_FREE, TABLE_PORT_IN_USE or a
 * negative errno.
 */
int probe_udp(uint16_t port);

/*
 * As probe_port(), and unless the port is in use the socket stays: bound, with
 * SO_REUSEADDR, not listening. That is a soft hold (hold.h), and *fd, which is
 * the caller's. There is no moment between look and hold.
 */
int probe_hold(struct probe *probe, uint16_t port, int *fd);

/*
 * Makes the socket for the next probe_port() while nobody waits for it. When
 * that fails, probe_port() tries again and tells.
 */
void probe_prepare(struct probe *probe);

/* Closes the socket. */
void probe_deinit(struct probe *probe);

#endif
