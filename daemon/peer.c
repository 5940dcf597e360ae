/* Who is at the other end of a TCP connection. */

#include "peer.h"

#include <arpa/inet.h>
#include <string.h>

/* An address as IPv6; IPv4 in its mapped form. */
static bool as_ipv6(const struct sockaddr_storage *from, struct in6_addr *to)
{
    if (from->ss_family == AF_INET6) {
        *to = ((const struct sockaddr_in6 *)from)->sin6_addr;
        return true;
    }
    if (from->ss_family != AF_INET)
        return false;
    *to = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&to->s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
    return true;
}

static bool is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

bool peer_identify(struct peer *peer, const struct sockaddr_storage *remote,
                   const struct sockaddr_storage *here)
{
    struct in6_addr from, to;
    if (!as_ipv6(remote, &from) || (here && !as_ipv6(here, &to)))
        return false;
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&from);
    const void *shown = ipv4 ? (const void *)&from.s6_addr[12] : (const void *)&from;
    inet_ntop(ipv4 ? AF_INET : AF_INET6, shown, peer->host, sizeof peer->host);
    peer->local = is_loopback(&from) || (here && IN6_ARE_ADDR_EQUAL(&from, &to));
    return true;
}
