#ifndef PEER_H
#define PEER_H

/*
 * Where a client is, as far as its address tells.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct peer {
    char host[INET6_ADDRSTRLEN]; /* the address as text; IPv4 in its own form */
    bool local;                  /* on this host */
};

/*
 * Tells a peer from its address and the address it connected to. It is local
 * when it comes from a loopback address, or from the very address it connected
 * to; `here` may be NULL when that is not known. False when an address is
 * neither IPv4 nor IPv6.
 */
bool peer_identify(struct peer *peer, const struct sockaddr_storage *remote,
                   const struct sockaddr_storage *here);

/* A peer over AF_UNIX: it is on this host, and has no address. */
void peer_identify_unix(struct peer *peer);

#endif
