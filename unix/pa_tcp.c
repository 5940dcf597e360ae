/* TCP sockets as a server has them. */

#include "pa_tcp.h"

#include "pa_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(PA_TCP_HOST_BYTES == NI_MAXHOST, "what getnameinfo(3) may need");
static_assert(PA_TCP_HOST_BYTES >= PA_TCP_ADDRESS_BYTES, "an address may stand for a host");

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

/* ---------------------------------------------------------------- names -- */

enum { MAPPED_PREFIX_BYTES = 12 }; /* ::ffff: before the four bytes of IPv4 */

/* Turns an IPv4 address that is written as one of IPv6 into what it is. */
static void unmap(union address *address)
{
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr))
        return;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = address->ipv6.sin6_port};
    memcpy(&ipv4.sin_addr, address->ipv6.sin6_addr.s6_addr + MAPPED_PREFIX_BYTES,
           sizeof ipv4.sin_addr);
    *address = (union address){.ipv4 = ipv4};
}

/* All addresses have no name, and asking for it can take long. */
static bool is_any(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->ipv4.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&address->ipv6.sin6_addr);
}

static socklen_t size_of(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->ipv4 : sizeof address->ipv6;
}

/* 0, or -EINVAL: no address of TCP. */
static int name_address(union address *address, bool look_up, struct pa_tcp_name *name)
{
    unmap(address);
    bool ipv4 = address->any.sa_family == AF_INET;
    if ((!ipv4 && address->any.sa_family != AF_INET6) ||
        getnameinfo(&address->any, size_of(address), name->address, sizeof name->address, NULL,
                    0, NI_NUMERICHOST) != 0)
        return -EINVAL;
    name->port = ntohs(ipv4 ? address->ipv4.sin_port : address->ipv6.sin6_port);
    if (!look_up || is_any(address) ||
        getnameinfo(&address->any, size_of(address), name->host, sizeof name->host, NULL, 0,
                    0) != 0)
        memcpy(name->host, name->address, sizeof name->address);
    return 0;
}

/* Whether the socket serves all addresses of both families. */
static bool serves_both(int fd, const union address *address)
{
    int only = 1;
    socklen_t size = sizeof only;
    return address->any.sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&address->ipv6.sin6_addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && !only;
}

int pa_tcp_names(int fd, enum pa_tcp_end end, bool look_up,
                 struct pa_tcp_name names[PA_TCP_NAMES])
{
    union address address = {.storage = {0}};
    socklen_t size = sizeof address;
    int r = end == PA_TCP_OWN ? getsockname(fd, &address.any, &size)
                              : getpeername(fd, &address.any, &size);
    if (r < 0)
        return -errno;
    int count = 0;
    if (serves_both(fd, &address)) {
        union address ipv4 = {
            .ipv4 = {.sin_family = AF_INET, .sin_port = address.ipv6.sin6_port}};
        r = name_address(&ipv4, look_up, &names[count++]);
    }
    if (r == 0)
        r = name_address(&address, look_up, &names[count++]);
    return r < 0 ? r : count;
}

int pa_tcp_resolve(const char *host, char *text, size_t size, struct pa_failure *why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int r = getaddrinfo(host, NULL, &hints, &found);
    if (r == 0 && found) {
        const struct addrinfo *best = found;
        for (const struct addrinfo *one = found; one; one = one->ai_next)
            if (one->ai_family == AF_INET && best->ai_family != AF_INET)
                best = one;
        r = getnameinfo(best->ai_addr, best->ai_addrlen, text, (socklen_t)size, NULL, 0,
                        NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    return r == 0 ? 0 : pa_failure_set(why, PA_E_RESOLVE, host, gai_strerror(r));
}

int pa_tcp_choose(const struct pa_addresses *addresses, char *text, size_t size,
                  struct pa_failure *why)
{
    const struct pa_address *best = addresses->list;
    for (size_t i = 0; i < addresses->count; ++i)
        if (addresses->list[i].socket.any.sa_family == AF_INET &&
            best->socket.any.sa_family != AF_INET)
            best = &addresses->list[i];
    int r = getnameinfo(&best->socket.any, best->size, text, (socklen_t)size, NULL, 0,
                        NI_NUMERICHOST);
    return r == 0 ? 0 : pa_failure_set(why, PA_E_RESOLVE, "", gai_strerror(r));
}

/* ------------------------------------------------------------- accepting -- */

int pa_tcp_accept(int fd, int *accepted, struct pa_tcp_name *peer)
{
    union address address = {.storage = {0}};
    socklen_t size;
    int made;
    do {
        size = sizeof address;
        made = accept4(fd, &address.any, &size, SOCK_CLOEXEC);
    } while (made < 0 && errno == EINTR);
    if (made < 0)
        return -errno;
    made = pa_socket_keep_off_standard_streams(made);
    if (made < 0)
        return made;
    int r = name_address(&address, false, peer);
    if (r == 0)
        *accepted = made;
    else
        close(made);
    return r;
}

bool pa_tcp_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* ----------------------------------------------------------- connections -- */

ssize_t pa_tcp_read(int fd, char *bytes, size_t size)
{
    ssize_t received;
    do
        received = recv(fd, bytes, size, 0);
    while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

ssize_t pa_tcp_write(int fd, const char *bytes, size_t size)
{
    ssize_t sent;
    do
        sent = send(fd, bytes, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int pa_tcp_set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 ||
        fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

int pa_tcp_swap_user_timeout(int fd, int timeout_ms)
{
    int before_ms;
    socklen_t size = sizeof before_ms;
    if (getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &before_ms, &size) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms) < 0)
        return -errno;
    return before_ms;
}

int pa_tcp_take_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

int pa_tcp_shut(int fd, bool reading)
{
    return shutdown(fd, reading ? SHUT_RD : SHUT_WR) < 0 ? -errno : 0;
}

int pa_tcp_close(int fd)
{
    return close(fd) < 0 ? -errno : 0;
}
