/* Who is at the other end of a TCP connection. */

#include "peer.h"

#include "pa_text.h"

#include <arpa/inet.h>
#include <stdint.h>
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

/* As inet_ntop() would, without its sprintf(): the greater part of accepting a client. */
static void show_ipv4(char *text, const uint8_t bytes[4])
{
    for (int i = 0; i < 4; ++i) {
        char digits[PA_TEXT_DECIMAL_BYTES];
        size_t size = pa_text_decimal(digits, bytes[i]);
        memcpy(text, digits, size);
        text += size;
        *text++ = i < 3 ? '.' : '\0';
    }
}

bool peer_identify(struct peer *peer, const struct sockaddr_storage *remote,
                   const struct sockaddr_storage *here)
{
    struct in6_addr from, to;
    if (!as_ipv6(remote, &from) || (here && !as_ipv6(here, &to)))
        return false;
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&from);
    if (ipv4)
        show_ipv4(peer->host, &from.s6_addr[12]);
    else
        inet_ntop(AF_INET6, &from, peer->host, sizeof peer->host);
    peer->local = is_loopback(&from) || (here && IN6_ARE_ADDR_EQUAL(&from, &to));
    return true;
}

void peer_identify_unix(struct peer *peer)
{
    *peer = (struct peer){.host = "localhost", .local = true};
}
