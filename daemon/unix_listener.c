/*
 * The socket in the file system that clients of this host connect to.
 *
 * The happy path: the folder is there or made, nothing has the name or a dead
 * manager's socket, which goes; bind, mode, listen.
 *
 * What can go wrong: two managers start at once. Between another's bind(2) and
 * its listen(2) its socket looks dead; so all of it happens under a lock. The
 * lock is on a file that only root and the own user can open, since whoever can
 * open a file can lock it for good; it is there for as long as it is held. What
 * has the lock file's name and is another user's is not opened.
 */

#include "unix_listener.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SOCKET_MODE = 0666,
    LOCK_NAME_BYTES = UNIX_LISTENER_PATH_BYTES + sizeof ".lock",
};

/* What is at hand while a socket is made. */
struct task {
    const char *path;
    const char *name; /* its last component */
    int folder;
    char *error;
    size_t error_size;
};

/* Returns `result`. */
static int say(const struct task *task, int result, const char *text)
{
    snprintf(task->error, task->error_size, "%s: %s", task->path, text);
    return result;
}

static int say_errno(const struct task *task, int error)
{
    return say(task, -error, strerror(error));
}

static bool is_trusted(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

/* ------------------------------------------------------------------ lock -- */

/* Waits for the lock on an open file. 0; 1 when the file has lost its name meanwhile; -errno.
 */
static int lock_file(int folder, const char *name, int fd)
{
    struct stat opened;
    struct stat named;
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    if (fstat(fd, &opened) < 0)
        return -errno;
    return fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) < 0 || !is_same(&opened, &named);
}

/* Returns the locked descriptor, or as unix_listener_open(). */
static int take_lock(const struct task *task, const char *name, int *result)
{
    for (;;) {
        struct stat status;
        int fd =
            openat(task->folder, name,
                   O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
        if (fd < 0)
            return say_errno(task, errno);
        int r = fstat(fd, &status) < 0 ? -errno : 0;
        if (r == 0 && !is_trusted(&status)) {
            close(fd);
            return say(task, UNIX_LISTENER_E_REFUSED, "its lock file is another user's");
        }
        if (r == 0)
            r = lock_file(task->folder, name, fd);
        if (r == 0) {
            *result = fd;
            return 0;
        }
        close(fd);
        if (r < 0)
            return say_errno(task, -r);
    }
}

/* ---------------------------------------------------------------- socket -- */

/* Whether somebody listens on a socket. 1, 0 or -errno. */
static int is_live(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 1;
    close(fd);
    if (r == -EAGAIN || r == -EPROTOTYPE) /* a full backlog; another type of socket */
        return 1;
    return r == -ECONNREFUSED ? 0 : r;
}

/* Sees to it that nothing has the name. 0, or as unix_listener_open(). */
static int make_room(const struct task *task)
{
    struct stat status;
    if (fstatat(task->folder, task->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : say_errno(task, errno);
    if (!S_ISSOCK(status.st_mode))
        return say(task, UNIX_LISTENER_E_REFUSED, "this is there, and no socket");
    if (!is_trusted(&status))
        return say(task, UNIX_LISTENER_E_REFUSED, "the socket there is another user's");
    int live = is_live(task->path);
    if (live > 0)
        return say(task, UNIX_LISTENER_E_LIVE, "another process listens there");
    if (live < 0)
        return say_errno(task, -live);
    return unlinkat(task->folder, task->name, 0) < 0 ? say_errno(task, errno) : 0;
}

/* Binds and listens; the name is free. 0, or as unix_listener_open(). */
static int take_name(const struct task *task, struct unix_listener *listener)
{
    struct sockaddr_un address = address_of(task->path);
    struct stat status;
    if (bind(listener->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return say_errno(task, errno);
    if (fstatat(task->folder, task->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return say_errno(task, errno);
    if (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid())
        return say(task, UNIX_LISTENER_E_REFUSED, "its directory was exchanged meanwhile");
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    if (fchmodat(task->folder, task->name, SOCKET_MODE, 0) < 0 ||
        listen(listener->fd, SOMAXCONN) < 0) {
        int error = errno;
        unlinkat(task->folder, task->name, 0);
        return say_errno(task, error);
    }
    return 0;
}

static int open_locked(const struct task *task, struct unix_listener *listener)
{
    int r = make_room(task);
    if (r != 0)
        return r;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return say_errno(task, errno);
    r = take_name(task, listener);
    if (r != 0) {
        close(listener->fd);
        listener->fd = -1;
    }
    return r;
}

static int open_in_folder(const struct task *task, struct unix_listener *listener)
{
    char lock_name[LOCK_NAME_BYTES];
    int lock = -1;
    snprintf(lock_name, sizeof lock_name, "%s.lock", task->name);
    int r = take_lock(task, lock_name, &lock);
    if (r != 0)
        return r;
    r = open_locked(task, listener);
    unlinkat(task->folder, lock_name, 0);
    close(lock);
    return r;
}

int unix_listener_open(struct unix_listener *listener, const char *path, char *error,
                       size_t error_size)
{
    struct task task = {.path = path, .error = error, .error_size = error_size};
    *listener = (struct unix_listener)UNIX_LISTENER_NULL;
    if (strlen(path) >= sizeof listener->path)
        return say_errno(&task, ENAMETOOLONG);
    int r = files_make_parent(path, error, error_size);
    if (r == 0)
        r = files_open_parent(path, &task.folder, &task.name, error, error_size);
    if (r != 0)
        return r < 0 ? r : UNIX_LISTENER_E_REFUSED;
    r = open_in_folder(&task, listener);
    close(task.folder);
    if (r == 0)
        memcpy(listener->path, path, strlen(path) + 1);
    return r;
}

/* Binds and listens. 0 or a negative errno. */
static int listen_abstract(int fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    memcpy(address.sun_path + 1, name, size); /* behind a NUL, and without one at its end */
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    if (bind(fd, (const struct sockaddr *)&address, length) < 0)
        return -errno;
    return listen(fd, SOMAXCONN) < 0 ? -errno : 0;
}

int unix_listener_open_abstract(struct unix_listener *listener, const char *name, char *error,
                                size_t error_size)
{
    struct task task = {.path = name, .error = error, .error_size = error_size};
    *listener = (struct unix_listener)UNIX_LISTENER_NULL;
    if (strlen(name) >= sizeof listener->path)
        return say_errno(&task, ENAMETOOLONG);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return say_errno(&task, errno);
    int r = listen_abstract(fd, name);
    if (r == 0) {
        listener->fd = fd;
        return 0;
    }
    close(fd);
    return r == -EADDRINUSE ? say(&task, UNIX_LISTENER_E_LIVE, "another process has this name")
                            : say_errno(&task, -r);
}

int unix_listener_dup(const struct unix_listener *listener)
{
    int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static void remove_name(const struct unix_listener *listener)
{
    char error[1];
    const char *name;
    struct stat status;
    int folder;
    if (files_open_parent(listener->path, &folder, &name, error, sizeof error) != 0)
        return;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode)
        unlinkat(folder, name, 0);
    close(folder);
}

void unix_listener_close(struct unix_listener *listener)
{
    if (listener->fd < 0)
        return;
    if (*listener->path)
        remove_name(listener);
    close(listener->fd);
    *listener = (struct unix_listener)UNIX_LISTENER_NULL;
}
