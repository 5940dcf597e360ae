/*
 * Connecting to a port manager without ever blocking.
 *
 * The happy path: the host is a numeric address or localhost, a socket is made,
 * connect(2) says EINPROGRESS, and the socket becomes writable.
 *
 * What can fail: a name must be looked up first, by pa_lookup. An address may
 * not answer: the next one still gets its share of the time. The line in front
 * of a socket in the file system may be full, and nothing tells when it is not:
 * it is tried again until the deadline.
 */

#include "pa_dial.h"

#include "pa_unix.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

enum { FULL_LINE_MS = 10 }; /* between two tries */

static int fail_timeout(const struct pa_dial *dial, const char *what, struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_TIMEOUT, dial->deadline.timeout_ms, what, dial->host,
                          dial->port);
}

static bool is_over(const struct pa_deadline *deadline)
{
    return pa_deadline_left_ms(deadline) == 0;
}

static int wait_for(struct pa_dial *dial, int fd, short events, const struct pa_deadline *until)
{
    dial->wait = (struct pa_wait){fd, events, *until};
    return PA_DIAL_WAIT;
}

/* The earlier of that and the deadline. */
static struct pa_deadline within(const struct pa_dial *dial, int ms)
{
    struct pa_deadline soon = pa_deadline_in(ms);
    return soon.at_ns < dial->deadline.at_ns ? soon : dial->deadline;
}

/* ------------------------------------------------------------------- TCP -- */

static void set_port(struct pa_address *address, int port)
{
    if (address->socket.any.sa_family == AF_INET6)
        address->socket.v6.sin6_port = htons((uint16_t)port);
    else
        address->socket.v4.sin_port = htons((uint16_t)port);
}

/*
 * Whether the socket is connected to itself, as TCP does when nobody listens
 * on a port that the kernel just picked for the caller's own end.
 */
static bool is_own_peer(int fd, const struct pa_address *address)
{
    struct pa_address own = {.size = sizeof own.socket};
    if (getsockname(fd, &own.socket.any, &own.size) < 0 ||
        own.socket.any.sa_family != address->socket.any.sa_family)
        return false;
    if (own.socket.any.sa_family == AF_INET6)
        return own.socket.v6.sin6_port == address->socket.v6.sin6_port &&
               IN6_ARE_ADDR_EQUAL(&own.socket.v6.sin6_addr, &address->socket.v6.sin6_addr);
    return own.socket.v4.sin_port == address->socket.v4.sin_port &&
           own.socket.v4.sin_addr.s_addr == address->socket.v4.sin_addr.s_addr;
}

/* A socket that connects, or has. 0, -EINPROGRESS, or -errno without one. */
static int connect_address(struct pa_dial *dial, const struct pa_address *address)
{
    int made = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                      IPPROTO_TCP);
    if (made < 0)
        return -errno;
    made = pa_socket_keep_off_standard_streams(made);
    if (made < 0)
        return made;
    const int on = 1;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    dial->fd = made;
    int r = connect(made, &address->socket.any, address->size) < 0 ? -errno : 0;
    return r == -EINTR ? -EINPROGRESS : r; /* either way it goes on by itself */
}

/* This address' share of the time: equal parts for it and those behind it. */
static struct pa_deadline share(const struct pa_dial *dial, size_t left)
{
    int64_t now = pa_socket_now_ns();
    int64_t left_ns = dial->deadline.at_ns > now ? dial->deadline.at_ns - now : 0;
    return (struct pa_deadline){now + left_ns / (int64_t)left, dial->deadline.timeout_ms};
}

/* Whether an error only says that this machine has no such addresses. */
static bool is_about_family(int r)
{
    return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL || r == -ENETUNREACH;
}

/* Notes what became of the address tried last, and closes its socket if that failed. */
static void take_result(struct pa_dial *dial, int r)
{
    if (r == 0 && is_own_peer(dial->fd, &dial->addresses.list[dial->next]))
        r = -ECONNREFUSED;
    dial->is_connected = r == 0;
    if (r == 0)
        return;
    if (dial->next == 0 || !is_about_family(r))
        dial->last = r;
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    ++dial->next;
}

/* Whether the socket has connected. 0, -errno, PA_SOCKET_TIMEOUT or -EINPROGRESS. */
static int look_at_socket(const struct pa_dial *dial)
{
    static const struct pa_deadline at_once = {0, 0};
    int r = pa_socket_wait(dial->fd, POLLOUT, &at_once);
    if (r == PA_SOCKET_TIMEOUT)
        return is_over(&dial->wait.until) ? PA_SOCKET_TIMEOUT : -EINPROGRESS;
    if (r < 0)
        return r;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

static int fail_connect(const struct pa_dial *dial, struct pa_failure *why)
{
    if (dial->last == PA_SOCKET_TIMEOUT)
        return fail_timeout(dial, "a connection to", why);
    return pa_failure_set(why, PA_E_CONNECT, pa_socket_reason(-dial->last));
}

/* On this host it has mostly connected by now. */
static int begin_address(struct pa_dial *dial)
{
    struct pa_address *address = &dial->addresses.list[dial->next];
    struct pa_deadline until = share(dial, dial->addresses.count - dial->next);
    set_port(address, dial->port);
    int r = connect_address(dial, address);
    if (r != -EINPROGRESS)
        return r;
    wait_for(dial, dial->fd, POLLOUT, &until);
    return look_at_socket(dial);
}

static int step_tcp(struct pa_dial *dial, struct pa_failure *why)
{
    int r = dial->fd >= 0 ? look_at_socket(dial) : begin_address(dial);
    while (r != -EINPROGRESS) {
        take_result(dial, r);
        if (dial->is_connected)
            return 0;
        if (dial->next == dial->addresses.count)
            return fail_connect(dial, why);
        r = begin_address(dial);
    }
    return PA_DIAL_WAIT;
}

/* 0 when there are addresses. */
static int step_lookup(struct pa_dial *dial, struct pa_failure *why)
{
    if (dial->addresses.count > 0)
        return 0;
    int r = dial->lookup ? pa_lookup_take(dial->lookup, &dial->addresses, why)
                         : pa_lookup_begin(&dial->lookup, dial->host, &dial->addresses, why);
    if (r == PA_LOOKUP_RUNNING)
        return is_over(&dial->deadline) ? fail_timeout(dial, "the address of", why)
                                        : wait_for(dial, pa_lookup_descriptor(dial->lookup),
                                                   POLLIN, &dial->deadline);
    dial->lookup = pa_lookup_free(dial->lookup);
    return r;
}

/* ----------------------------------------------------------------- steps -- */

/* 0 when it is decided: connected, or not to be had. */
static int step_unix(struct pa_dial *dial, struct pa_failure *why)
{
    int r = pa_unix_try(dial->path, &dial->fd);
    if (r == -EAGAIN) {
        struct pa_deadline soon = within(dial, FULL_LINE_MS);
        return is_over(&dial->deadline) ? fail_timeout(dial, "a connection to", why)
                                        : wait_for(dial, -1, 0, &soon);
    }
    dial->path = "";
    dial->is_unix = r == 0;
    dial->is_connected = r == 0;
    return 0;
}

int pa_dial_begin(struct pa_dial *dial, const char *host, int port, const char *path,
                  const struct pa_deadline *deadline, struct pa_failure *why)
{
    *dial = (struct pa_dial){.host = host,
                             .port = port,
                             .path = path,
                             .deadline = *deadline,
                             .last = -EHOSTUNREACH,
                             .fd = -1};
    if (port < 1)
        return pa_failure_set(why, PA_E_CONNECT, "port number too low");
    if (port > UINT16_MAX)
        return pa_failure_set(why, PA_E_CONNECT, "port number too high");
    return 0;
}

int pa_dial_step(struct pa_dial *dial, struct pa_failure *why)
{
    int r = *dial->path ? step_unix(dial, why) : 0;
    if (r != 0 || dial->is_connected)
        return r;
    r = step_lookup(dial, why);
    return r != 0 ? r : step_tcp(dial, why);
}

int pa_dial_take(struct pa_dial *dial)
{
    int fd = dial->fd;
    dial->fd = -1;
    return fd;
}

void pa_dial_deinit(struct pa_dial *dial)
{
    dial->lookup = pa_lookup_free(dial->lookup);
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
}
