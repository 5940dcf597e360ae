/* The sockets that clients connect to. */

#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ATTEMPTS = 64,        /* to find a port that is free for both families */
    KEEPALIVE_PROBES = 4, /* this many unanswered, a quarter of the time apart */
};

/*
 * What a connection inherits from its listener on Linux: small answers leave at
 * once, and a peer that is gone without a word is found out in keepalive_s
 * instead of the kernel's two hours.
 */
static int set_options(int fd, int family, unsigned keepalive_s)
{
    int on = 1;
    int idle_s = (int)keepalive_s;
    int interval_s = idle_s / KEEPALIVE_PROBES > 0 ? idle_s / KEEPALIVE_PROBES : 1;
    int probes = KEEPALIVE_PROBES;
    int timeout_ms = idle_s * 1000;
    const struct {
        int level;
        int name;
        const int *value;
    } options[] = {
        {SOL_SOCKET, SO_REUSEADDR, &on},
        {SOL_SOCKET, SO_KEEPALIVE, &on},
        {IPPROTO_TCP, TCP_NODELAY, &on},
        {IPPROTO_TCP, TCP_KEEPIDLE, &idle_s},
        {IPPROTO_TCP, TCP_KEEPINTVL, &interval_s},
        {IPPROTO_TCP, TCP_KEEPCNT, &probes},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms},
        {IPPROTO_IPV6, IPV6_V6ONLY, &on}, /* last: for IPv6 alone */
    };
    size_t count = sizeof options / sizeof options[0] - (family == AF_INET6 ? 0 : 1);
    for (size_t i = 0; i < count; ++i)
        if (setsockopt(fd, options[i].level, options[i].name, options[i].value, sizeof(int)) <
            0)
            return -errno;
    return 0;
}

static int bind_to(int fd, int family, const char *address, int port)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    void *place = family == AF_INET ? (void *)&ipv4.sin_addr : (void *)&ipv6.sin6_addr;
    if (inet_pton(family, address, place) != 1)
        return -EINVAL;
    int r = family == AF_INET ? bind(fd, (struct sockaddr *)&ipv4, sizeof ipv4)
                              : bind(fd, (struct sockaddr *)&ipv6, sizeof ipv6);
    return r < 0 ? -errno : 0;
}

static int bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } name = {.ipv6 = {0}};
    socklen_t size = sizeof name;
    if (getsockname(fd, &name.any, &size) < 0)
        return -errno;
    return ntohs(name.any.sa_family == AF_INET6 ? name.ipv6.sin6_port : name.ipv4.sin_port);
}

/* Adds one bound socket to the listener. */
static int add(struct listener *listener, int family, const char *address, int port,
               unsigned keepalive_s)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = set_options(fd, family, keepalive_s);
    if (r == 0)
        r = bind_to(fd, family, address, port);
    if (r == 0)
        r = bound_port(fd);
    if (r < 0) {
        close(fd);
        return r;
    }
    listener->fd[listener->count++] = fd;
    listener->port = r;
    return 0;
}

static void close_all(struct listener *listener)
{
    while (listener->count > 0)
        close(listener->fd[--listener->count]);
}

/* Both families on one port; IPv4 alone is enough where there is no IPv6. */
static int add_both(struct listener *listener, int port, unsigned keepalive_s)
{
    int r = add(listener, AF_INET, "0.0.0.0", port, keepalive_s);
    if (r < 0)
        return r;
    r = add(listener, AF_INET6, "::", listener->port, keepalive_s);
    if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
        return 0;
    if (r < 0)
        close_all(listener);
    return r;
}

int listener_open(struct listener *listener, const char *address, int port,
                  unsigned keepalive_s)
{
    *listener = (struct listener){.count = 0};
    if (address)
        return add(listener, strchr(address, ':') ? AF_INET6 : AF_INET, address, port,
                   keepalive_s);
    int r = -EADDRINUSE;
    for (int i = 0; i < ATTEMPTS && r == -EADDRINUSE; ++i) {
        r = add_both(listener, port, keepalive_s);
        if (port != 0)
            break;
    }
    return r;
}
