/*
 * Probing a TCP port in the kernel.
 *
 * One IPv6 socket that takes IPv4 too (V6ONLY off) conflicts with every socket
 * on either family, so one bind answers for both. Where the kernel has no IPv6
 * an IPv4 socket does the same.
 *
 * A bind without SO_REUSEADDR fails on TIME_WAIT as well, so a refusal is
 * looked at again with the option, and with listen(), which only a port that
 * nobody listens on lets through.
 */

#include "probe.h"

#include "table.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int bind_ipv6(int fd, uint16_t port)
{
    static const int off = 0;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return -errno;
    return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int bind_ipv4(int fd, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

/* One attempt: 0, -EADDRINUSE or another negative errno. `shared`: with SO_REUSEADDR and
 * listen(). */
static int attempt(uint16_t port, bool shared)
{
    static const int on = 1;
    bool ipv6 = true;
    int fd = open_socket(AF_INET6);
    if (fd < 0 && errno == EAFNOSUPPORT) {
        ipv6 = false;
        fd = open_socket(AF_INET);
    }
    if (fd < 0)
        return -errno;
    int r = 0;
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        r = -errno;
    if (r == 0)
        r = ipv6 ? bind_ipv6(fd, port) : bind_ipv4(fd, port);
    if (r == 0 && shared && listen(fd, 1) < 0)
        r = -errno;
    close(fd);
    return r;
}

int probe_port(uint16_t port)
{
    int r = attempt(port, false);
    if (r == 0)
        return TABLE_PORT_FREE;
    if (r == -EADDRINUSE)
        r = attempt(port, true);
    if (r == 0)
        return TABLE_PORT_LINGERING;
    /* EACCES: a privileged port is none that this manager can judge or its clients bind. */
    return r == -EADDRINUSE || r == -EACCES ? TABLE_PORT_IN_USE : r;
}
