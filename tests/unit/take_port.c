/* Sockets of a test that take a port. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "take_port.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set(int fd, int level, int option, int value)
{
    assert_int_equal(setsockopt(fd, level, option, &value, sizeof value), 0);
}

socklen_t fill_address(struct sockaddr_storage *storage, const char *host, uint16_t port)
{
    memset(storage, 0, sizeof *storage);
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;
    if (!strchr(host, ':')) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        assert_int_equal(inet_pton(AF_INET, host, &ipv4->sin_addr), 1);
        return sizeof *ipv4;
    }
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    assert_int_equal(inet_pton(AF_INET6, host, &ipv6->sin6_addr), 1);
    return sizeof *ipv6;
}

int take_port(const char *host, uint16_t port, int how)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    int type = how & DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (address.ss_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !!(how & V6ONLY));
    if (how & REUSE)
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (how & SHARE)
        set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind(fd, (const struct sockaddr *)&address, size) == 0 &&
        (!(how & LISTEN) || listen(fd, 5) == 0))
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.ss_family == AF_INET
                     ? ((const struct sockaddr_in *)&address)->sin_port
                     : ((const struct sockaddr_in6 *)&address)->sin6_port);
}

uint64_t inode_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return status.st_ino;
}

/* Where the host has no IPv6, by IPv4. */
static bool is_free(uint16_t port, int how)
{
    int fd = take_port("::", port, how);
    if (fd < 0)
        fd = take_port("0.0.0.0", port, how);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

uint16_t quiet_port(void)
{
    static uint16_t next;
    if (next == 0)
        next = (uint16_t)(21000 + getpid() % 7000);
    for (unsigned tries = 0; tries < 1000; ++tries) {
        ++next;
        if (is_free(next, 0) && is_free(next, DATAGRAM))
            return next;
    }
    fail_msg("no port is free");
    return 0;
}

size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        ++count;
    closedir(directory);
    return count;
}
