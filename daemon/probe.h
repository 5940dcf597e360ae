#ifndef PROBE_H
#define PROBE_H

/*
 * Probing a TCP port in the kernel: can a service bind it, on IPv4 and IPv6?
 */

#include <stdint.h>

/*
 * Tries to bind `port` on all addresses, and lets go of it again.
 *
 * Returns an enum table_port_state: free, lingering (only connections in
 * TIME_WAIT are in the way, or sockets that let others share the port: a
 * service that sets SO_REUSEADDR can have it), in use; or a negative errno when the
 * kernel gave no socket to try with.
 */
int probe_port(uint16_t port);

#endif
