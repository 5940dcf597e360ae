/*
 * Probing a port in the kernel.
 *
 * One IPv6 socket that takes IPv4 too (V6ONLY off) conflicts with every socket
 * on either family, so one bind answers for both. Where the kernel has no IPv6
 * an IPv4 socket does the same.
 *
 * A bind without SO_REUSEADDR fails on TIME_WAIT as well, so a refusal is
 * looked at again with the option, and with listen(), which only a port that
 * nobody listens on lets through. So does a port that portreserve holds
 * for its service. That hold is on all addresses, as no connection is: an
 * address of this machine that nobody uses tells the two apart.
 *
 * What the kernel says is asked for at each probe, when the client waits. Only
 * the socket is made before: that takes as long as all the rest, and what it is
 * about to be bound to does not depend on its age.
 */

#include "probe.h"

#include "hold.h"
#include "table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Any of 127.0.0.0/8 is this machine (RFC 1122, 3.2.1.3); services are on 127.0.0.1. */
#define UNUSED_ADDRESS 0x7f706172 /* 127.112.97.114 */

/* A socket for one attempt, unless there is one: 0 or a negative errno. */
static int make_ready(struct probe *probe)
{
    if (probe->fd >= 0)
        return 0;
    int fd = hold_socket(TRANSPORT_TCP, &probe->ipv6);
    if (fd < 0)
        return fd;
    probe->fd = fd;
    return 0;
}

static int set_reuse(int fd)
{
    static const int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ? -errno : 0;
}

/* One attempt: 0, -EADDRINUSE or another negative errno. `shared`: with SO_REUSEADDR and
 * listen(). */
static int attempt(struct probe *probe, uint16_t port, bool shared)
{
    int r = make_ready(probe);
    if (r == 0 && shared)
        r = set_reuse(probe->fd);
    if (r == 0)
        r = hold_bind(probe->fd, probe->ipv6, port);
    if (r == 0 && shared && listen(probe->fd, 1) < 0)
        r = -errno;
    probe_deinit(probe);
    return r;
}

/* Is a socket that does not listen bound to all addresses? */
static bool is_held(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(UNUSED_ADDRESS)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return !free;
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

/* What an attempt without SO_REUSEADDR that failed means. */
static int judge(struct probe *probe, uint16_t port, int r)
{
    if (r == -EADDRINUSE)
        r = attempt(probe, port, true);
    if (r == 0)
        return is_held(port) ? TABLE_PORT_IN_USE : TABLE_PORT_LINGERING;
    /* EACCES: a privileged port is none that this manager can judge or its clients bind. */
    return r == -EADDRINUSE || r == -EACCES ? TABLE_PORT_IN_USE : r;
}

int probe_port(struct probe *probe, uint16_t port)
{
    int r = attempt(probe, port, false);
    return r == 0 ? TABLE_PORT_FREE : judge(probe, port, r);
}

int probe_udp(uint16_t port)
{
    bool ipv6;
    int fd = hold_socket(TRANSPORT_UDP, &ipv6);
    if (fd < 0)
        return fd;
    int r = hold_bind(fd, ipv6, port);
    close(fd);
    if (r == -EADDRINUSE || r == -EACCES)
        return TABLE_PORT_IN_USE;
    return r < 0 ? r : TABLE_PORT_FREE;
}

/* Connections in TIME_WAIT are passed by, so this may meet somebody who came meanwhile. */
static int hold_lingering(uint16_t port, int *fd)
{
    struct hold hold = HOLD_NULL;
    int r = hold_take(&hold, TRANSPORT_TCP, HOLD_SOFT, port);
    if (r < 0)
        return r == -EADDRINUSE ? TABLE_PORT_IN_USE : r;
    *fd = hold.fd;
    return TABLE_PORT_LINGERING;
}

int probe_hold(struct probe *probe, uint16_t port, int *fd)
{
    int r = make_ready(probe);
    if (r == 0)
        r = hold_bind(probe->fd, probe->ipv6, port);
    /* The kernel looks at the option when others want the port, not when it was set. */
    if (r == 0)
        r = set_reuse(probe->fd);
    if (r == 0) {
        *fd = probe->fd;
        probe->fd = -1;
        return TABLE_PORT_FREE;
    }
    probe_deinit(probe);
    int state = judge(probe, port, r);
    return state == TABLE_PORT_LINGERING ? hold_lingering(port, fd) : state;
}
