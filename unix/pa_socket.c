/*
 * TCP sockets of a client: the deadlines, sending, receiving, looking.
 * Connecting is a pa_dial, waited for.
 *
 * What can fail: a descriptor of 0 to 2 would make the socket somebody's
 * standard output: it is moved out of the way.
 */

#include "pa_socket.h"

#include "pa_dial.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_FREE_FD = STDERR_FILENO + 1 };

static const int64_t ns_per_s = 1000000000;
static const int64_t ns_per_ms = 1000000;

/* -------------------------------------------------------------- waiting -- */

int64_t pa_socket_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * ns_per_s + now.tv_nsec;
}

struct pa_deadline pa_deadline_in(int timeout_ms)
{
    int wait_ms = timeout_ms > 0 ? timeout_ms : 0;
    return (struct pa_deadline){pa_socket_now_ns() + wait_ms * ns_per_ms, wait_ms};
}

int pa_deadline_left_ms(const struct pa_deadline *deadline)
{
    int64_t left = deadline->at_ns - pa_socket_now_ns();
    if (left <= 0)
        return 0;
    left = (left + ns_per_ms - 1) / ns_per_ms;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int pa_socket_wait(int fd, short events, const struct pa_deadline *deadline)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int r = poll(&poll_fd, 1, pa_deadline_left_ms(deadline));
        if (r > 0)
            return 0;
        if (r == 0)
            return PA_SOCKET_TIMEOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int pa_socket_await(const struct pa_wait *wait)
{
    int r = pa_socket_wait(wait->fd, wait->events, &wait->until);
    return r == PA_SOCKET_TIMEOUT ? 0 : r;
}

/* --------------------------------------------------------------- errors -- */

static const struct {
    int error;
    const char *text;
} reasons[] = {
    /* Where Tcl's wording is not the C library's. */
    {EPERM, "not owner"},
    {EIO, "I/O error"},
    {EBADF, "bad file number"},
    {ENOMEM, "not enough memory"},
    {ENFILE, "file table overflow"},
    {EHOSTUNREACH, "host is unreachable"},
};

const char *pa_socket_reason(int error)
{
    static _Thread_local char text[128];
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; ++i)
        if (reasons[i].error == error)
            return reasons[i].text;
    const char *library = strerror(error);
    size_t size = strnlen(library, sizeof text - 1);
    memcpy(text, library, size);
    text[size] = '\0';
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

/* -------------------------------------------------------------- connect -- */

int pa_socket_keep_off_standard_streams(int fd)
{
    if (fd >= FIRST_FREE_FD)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int error = errno;
    close(fd);
    return moved < 0 ? -error : moved;
}

int pa_socket_connect(const char *host, int port, const struct pa_deadline *deadline, int *fd,
                      struct pa_failure *why)
{
    struct pa_dial dial;
    int r = pa_dial_begin(&dial, host, port, "", deadline, why);
    while (r == 0 && (r = pa_dial_step(&dial, why)) == PA_DIAL_WAIT) {
        r = pa_socket_await(&dial.wait);
        if (r < 0)
            r = pa_failure_set(why, PA_E_CONNECT, pa_socket_reason(-r));
    }
    if (r == 0)
        *fd = pa_dial_take(&dial);
    pa_dial_deinit(&dial);
    return r;
}

/* ------------------------------------------------------------- transfer -- */

ssize_t pa_socket_send_some(int fd, const char *bytes, size_t size)
{
    for (;;) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0 || errno != EINTR)
            return n >= 0 ? n : -errno;
    }
}

int pa_socket_send(int fd, const char *bytes, size_t size, const struct pa_deadline *deadline)
{
    while (size > 0) {
        ssize_t n = pa_socket_send_some(fd, bytes, size);
        int r = n == -EAGAIN ? pa_socket_wait(fd, POLLOUT, deadline) : 0;
        if (r != 0)
            return r;
        if (n < 0 && n != -EAGAIN)
            return (int)n;
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int pa_socket_receive(int fd, char *bytes, size_t size, const struct pa_deadline *deadline,
                      size_t *received)
{
    for (;;) {
        ssize_t n = recv(fd, bytes, size, MSG_DONTWAIT);
        if (n >= 0) {
            *received = (size_t)n;
            return 0;
        }
        if (errno == EAGAIN) {
            int r = pa_socket_wait(fd, POLLIN, deadline);
            if (r != 0)
                return r;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

void pa_socket_keep_alive(int fd)
{
    static const int on = 1;
    static const int idle_s = PA_SOCKET_VANISHED_S / 2;
    static const int probes = 3;
    static const int interval_s = PA_SOCKET_VANISHED_S / 2 / 3;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
}

enum pa_socket_state pa_socket_look(int fd)
{
    for (;;) {
        char byte;
        ssize_t n = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0)
            return PA_SOCKET_READABLE;
        if (n < 0 && errno == EAGAIN)
            return PA_SOCKET_QUIET;
        if (n == 0 || errno != EINTR)
            return PA_SOCKET_DEAD;
    }
}
