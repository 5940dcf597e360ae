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
 *
 * What the kernel says is asked for at each probe, when the client waits. Only
 * the socket is made before: that takes as long as all the rest, and what it is
 * about to be bound to does not depend on its age.
 */

#include "probe.h"

#include "table.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A socket for one attempt, unless there is one: 0 or a negative errno. */
static int make_ready(struct probe *probe)
{
    static const int off = 0;
    if (probe->fd >= 0)
        return 0;
    probe->ipv6 = true;
    probe->fd = open_socket(AF_INET6);
    if (probe->fd < 0 && errno == EAFNOSUPPORT) {
        probe->ipv6 = false;
        probe->fd = open_socket(AF_INET);
    }
    if (probe->fd < 0)
        return -errno;
    int r = 0;
    if (probe->ipv6 && setsockopt(probe->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) {
        r = -errno;
        probe_deinit(probe);
    }
    return r;
}

static int bind_to(const struct probe *probe, uint16_t port)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int r = probe->ipv6 ? bind(probe->fd, (const struct sockaddr *)&ipv6, sizeof ipv6)
                        : bind(probe->fd, (const struct sockaddr *)&ipv4, sizeof ipv4);
    return r < 0 ? -errno : 0;
}

/* One attempt: 0, -EADDRINUSE or another negative errno. `shared`: with SO_REUSEADDR and
 * listen(). */
static int attempt(struct probe *probe, uint16_t port, bool shared)
{
    static const int on = 1;
    int r = make_ready(probe);
    if (r == 0 && shared && setsockopt(probe->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        r = -errno;
    if (r == 0)
        r = bind_to(probe, port);
    if (r == 0 && shared && listen(probe->fd, 1) < 0)
        r = -errno;
    probe_deinit(probe);
    return r;
}

void probe_prepare(struct probe *probe)
{
    (void)make_ready(probe);
}

void probe_deinit(struct probe *probe)
{
    if (probe->fd >= 0)
        close(probe->fd);
    probe->fd = -1;
}

int probe_port(struct probe *probe, uint16_t port)
{
    int r = attempt(probe, port, false);
    if (r == 0)
        return TABLE_PORT_FREE;
    if (r == -EADDRINUSE)
        r = attempt(probe, port, true);
    if (r == 0)
        return TABLE_PORT_LINGERING;
    /* EACCES: a privileged port is none that this manager can judge or its clients bind. */
    return r == -EADDRINUSE || r == -EACCES ? TABLE_PORT_IN_USE : r;
}
