/* hold.c - holds in the kernel; what it lets through and what not is in the comment of each. */
#include "hold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int hold_socket(enum transport transport, bool *ipv6)
{
    static const int off = 0;
    int type =
        (transport == TRANSPORT_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(AF_INET6, type, 0);
    *ipv6 = fd >= 0;
    if (fd < 0 && errno == EAFNOSUPPORT)
        fd = socket(AF_INET, type, 0);
    if (fd < 0)
        return -errno;
    if (*ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int hold_bind(int fd, bool ipv6, uint16_t port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int r = ipv6 ? bind(fd, (const struct sockaddr *)&any6, sizeof any6)
                 : bind(fd, (const struct sockaddr *)&any4, sizeof any4);
    return r < 0 ? -errno : 0;
}

static int set_reuse(int fd, int on)
{
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ? -errno : 0;
}

/* What arrives is dropped: nobody reads it, and the buffer is to stay empty. */
static int drop_input(int fd)
{
    static struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    static const struct sock_fprog program = {.len = 1, .filter = nothing};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno
                                                                                      : 0;
}

/* One attempt; a descriptor or a negative errno. */
static int attempt(enum transport transport, enum hold_kind kind, uint16_t port, bool *ipv6)
{
    int fd = hold_socket(transport, ipv6);
    if (fd < 0)
        return fd;
    int r = kind == HOLD_SOFT ? set_reuse(fd, 1) : 0;
    if (r == 0 && transport == TRANSPORT_UDP)
        r = drop_input(fd);
    if (r == 0)
        r = hold_bind(fd, *ipv6, port);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

int hold_take(struct hold *hold, enum transport transport, enum hold_kind kind, uint16_t port)
{
    bool ipv6;
    int fd = attempt(transport, kind, port, &ipv6);
    /* UDP knows no TIME_WAIT: a soft hold would only push in beside who is there. */
    if (fd == -EADDRINUSE && kind == HOLD_STRICT && transport == TRANSPORT_TCP) {
        kind = HOLD_SOFT;
        fd = attempt(transport, kind, port, &ipv6);
    }
    if (fd < 0)
        return fd;
    *hold = (struct hold){.fd = fd, .transport = transport, .kind = kind, .ipv6 = ipv6};
    return 0;
}

void hold_drop(struct hold *hold)
{
    if (hold->fd >= 0)
        close(hold->fd);
    *hold = (struct hold)HOLD_NULL;
}

uint64_t hold_inode(const struct hold *hold)
{
    struct stat st;
    return hold->fd >= 0 && fstat(hold->fd, &st) == 0 ? st.st_ino : 0;
}

/* A bound socket with SO_REUSEADDR that listens if it can. */
static int open_service(enum transport transport, uint16_t port, int backlog)
{
    bool ipv6;
    int fd = hold_socket(transport, &ipv6);
    if (fd < 0)
        return fd;
    int r = set_reuse(fd, 1);
    if (r == 0)
        r = hold_bind(fd, ipv6, port);
    if (r == 0 && transport == TRANSPORT_TCP && listen(fd, backlog) < 0)
        r = -errno;
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

int hold_serve(const struct hold *hold, uint16_t port)
{
    if (hold->fd < 0)
        return -EBADF;
    if (hold->kind == HOLD_SOFT)
        return open_service(hold->transport, port, SOMAXCONN);
    /* The kernel looks at the option of a bound socket each time another one wants its port. */
    int r = set_reuse(hold->fd, 1);
    if (r < 0)
        return r;
    int fd = open_service(hold->transport, port, SOMAXCONN);
    r = set_reuse(hold->fd, 0);
    if (r < 0 && fd >= 0) {
        close(fd);
        return r;
    }
    return fd;
}

/* The address as the kernel wants it. Returns its size, 0: the text is none. */
static socklen_t read_address(const char *text, uint16_t port, struct sockaddr_storage *address)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        return sizeof *ipv4;
    }
    if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(port);
        return sizeof *ipv6;
    }
    return 0;
}

/* An address of IPv6 is that alone: `::` leaves IPv4's clients to others. */
static int set_ipv6_only(int fd)
{
    const int on = 1;
    return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0 ? -errno : 0;
}

int hold_listen(const char *address, uint16_t port, int backlog)
{
    struct sockaddr_storage storage;
    if (!address)
        return open_service(TRANSPORT_TCP, port, backlog);
    socklen_t size = read_address(address, port, &storage);
    if (size == 0)
        return -EINVAL;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = set_reuse(fd, 1);
    if (r == 0 && storage.ss_family == AF_INET6)
        r = set_ipv6_only(fd);
    if (r == 0 &&
        (bind(fd, (const struct sockaddr *)&storage, size) < 0 || listen(fd, backlog) < 0))
        r = -errno;
    if (r == 0)
        return fd;
    close(fd);
    return r;
}
