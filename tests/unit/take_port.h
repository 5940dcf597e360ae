#ifndef TAKE_PORT_H
#define TAKE_PORT_H

/* Sockets of a test that take a port, in all the ways there are. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Ways to take a port. */
enum {
    REUSE = 1,  /* SO_REUSEADDR */
    SHARE = 2,  /* SO_REUSEPORT */
    V6ONLY = 4, /* IPV6_V6ONLY on; off without it */
    LISTEN = 8,
    DATAGRAM = 16, /* UDP; TCP without it */
};

/* The address `host`, IPv4 or IPv6, with a port. Returns its size. */
socklen_t fill_address(struct sockaddr_storage *storage, const char *host, uint16_t port);

/* A socket with port `port`, 0 for one of the kernel's choice; -errno of socket(), bind() or
 * listen(). */
int take_port(const char *host, uint16_t port, int how);

/* The local port of a socket. */
uint16_t port_of(int fd);

/* The inode of a socket, as others see it. */
uint64_t inode_of(int fd);

/* A free port, of TCP and UDP, below the ephemeral ones, which the kernel gives to nobody by
 * itself. */
uint16_t quiet_port(void);

/* How many descriptors this process has; the same too much at each call. */
size_t open_descriptors(void);

#endif
