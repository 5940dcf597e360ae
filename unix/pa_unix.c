/* Sockets in the file system, as a client has them. */

#include "pa_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    MS_PER_S = 1000,
    US_PER_MS = 1000,
    MESSAGE_FDS = 253, /* SCM_MAX_FD of the kernel */
};

/* ----------------------------------------------------------- connecting -- */

/* SO_SNDTIMEO, since poll(2) does not tell when the queue has room. */
int pa_unix_connect_within(int fd, const struct sockaddr_un *address,
                           const struct pa_deadline *deadline)
{
    for (;;) {
        int left_ms = pa_deadline_left_ms(deadline);
        int wait_ms = left_ms > 0 ? left_ms : 1; /* 0 would be for ever */
        struct timeval wait = {.tv_sec = wait_ms / MS_PER_S,
                               .tv_usec = (suseconds_t)(wait_ms % MS_PER_S) * US_PER_MS};
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0)
            return -errno;
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
            return 0;
        if (errno == EAGAIN || (errno == EINTR && left_ms == 0))
            return PA_SOCKET_TIMEOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* 0, or -EPERM unless root or the caller listens at the other end. */
static int check_listener(int fd)
{
    struct ucred listener;
    socklen_t size = sizeof listener;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) < 0)
        return -errno;
    return listener.uid == 0 || listener.uid == geteuid() ? 0 : -EPERM;
}

/* A socket for that address. Its descriptor, or -errno. */
static int make_socket(const char *path, int flags, struct sockaddr_un *address)
{
    size_t size = strlen(path) + 1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size > sizeof address->sun_path)
        return -ENAMETOOLONG;
    memcpy(address->sun_path, path, size);
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    return made < 0 ? -errno : pa_socket_keep_off_standard_streams(made);
}

/* The end of connecting: r, or what is wrong with the listener. */
static int finish_connect(int made, int r, int *fd)
{
    if (r == 0)
        r = check_listener(made);
    if (r == 0 && fcntl(made, F_SETFL, O_NONBLOCK) < 0)
        r = -errno;
    if (r != 0)
        close(made);
    else
        *fd = made;
    return r;
}

int pa_unix_connect(const char *path, const struct pa_deadline *deadline, int *fd)
{
    struct sockaddr_un address;
    int made = make_socket(path, 0, &address);
    if (made < 0)
        return made;
    return finish_connect(made, pa_unix_connect_within(made, &address, deadline), fd);
}

int pa_unix_try(const char *path, int *fd)
{
    struct sockaddr_un address;
    int made = make_socket(path, SOCK_NONBLOCK, &address);
    if (made < 0)
        return made;
    int r = connect(made, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    return finish_connect(made, r, fd);
}

/* -------------------------------------------------------------- receiving -- */

void pa_unix_passed_deinit(struct pa_unix_passed *passed)
{
    if (passed->fd >= 0)
        close(passed->fd);
    *passed = (struct pa_unix_passed)PA_UNIX_PASSED_NONE;
}

static void take_fd(struct pa_unix_passed *passed, int fd)
{
    if (passed->fd >= 0) {
        close(fd);
        return;
    }
    int moved = pa_socket_keep_off_standard_streams(fd);
    if (moved < 0)
        passed->error = -moved;
    else
        passed->fd = moved;
}

static void take_fds(struct pa_unix_passed *passed, const struct cmsghdr *control)
{
    int fds[MESSAGE_FDS];
    size_t size = control->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(control), size);
    for (size_t i = 0; i < size / sizeof *fds; ++i)
        take_fd(passed, fds[i]);
}

static void take_control(struct pa_unix_passed *passed, struct msghdr *message)
{
    /* The kernel does not say why; with room for all of them, it is the limit of open files. */
    if (message->msg_flags & MSG_CTRUNC)
        passed->error = EMFILE;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
         control = CMSG_NXTHDR(message, control))
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
            take_fds(passed, control);
}

int pa_unix_receive_some(int fd, char *bytes, size_t size, size_t *received,
                         struct pa_unix_passed *passed)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
    } control;
    for (;;) {
        struct iovec part = {bytes, size};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n >= 0) {
            take_control(passed, &message);
            *received = (size_t)n;
            return 0;
        }
        if (errno != EINTR)
            return -errno;
    }
}

int pa_unix_receive(int fd, char *bytes, size_t size, const struct pa_deadline *deadline,
                    size_t *received, struct pa_unix_passed *passed)
{
    int r;
    while ((r = pa_unix_receive_some(fd, bytes, size, received, passed)) == -EAGAIN) {
        r = pa_socket_wait(fd, POLLIN, deadline);
        if (r != 0)
            return r;
    }
    return r;
}
