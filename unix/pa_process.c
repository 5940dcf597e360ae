/*
 * The processes that have given sockets.
 *
 * The happy path: for each PID in /proc, the links of PID/fd are read; those of
 * sockets are called socket:[INODE]. The inodes looked for are sorted once, so
 * that a link costs a search of some steps, whatever their number.
 *
 * A process may end at any time: what is then missing is passed over. All of it
 * is opened below one descriptor, which stays with the process that it was
 * opened for, even if the number is given to another.
 */

#include "pa_process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The caller's sockets in the order of their inodes. */
struct wanted {
    struct pa_process_socket **sockets;
    size_t count;
};

/* The process that is looked into. */
struct process {
    int folder; /* /proc/PID */
    pid_t pid;
    char name[PA_PROCESS_NAME_BYTES]; /* "": not read yet */
};

/* --------------------------------------------------------------- inodes -- */

static int compare_inodes(const void *one, const void *other)
{
    uint64_t a = (*(struct pa_process_socket *const *)one)->inode;
    uint64_t b = (*(struct pa_process_socket *const *)other)->inode;
    return (a > b) - (a < b);
}

/* 0, with an array of its own in *wanted, or -ENOMEM. */
static int sort(struct wanted *wanted, struct pa_process_socket *sockets, size_t count)
{
    wanted->count = count;
    wanted->sockets = calloc(count, sizeof(struct pa_process_socket *));
    if (!wanted->sockets)
        return -ENOMEM;
    for (size_t i = 0; i < count; ++i)
        wanted->sockets[i] = &sockets[i];
    qsort(wanted->sockets, count, sizeof(struct pa_process_socket *), compare_inodes);
    return 0;
}

/* The place of the first socket whose inode is not less. */
static size_t lower_bound(const struct wanted *wanted, uint64_t inode)
{
    size_t first = 0;
    size_t end = wanted->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (wanted->sockets[middle]->inode < inode)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* The number in digits up to `end`: false if it is none. */
static bool parse_number(const char *text, char end, uint64_t *number)
{
    char *rest;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *number = strtoull(text, &rest, 10);
    return errno == 0 && *rest == end;
}

/* The inode of a link's target, or 0 if that is no socket. */
static uint64_t socket_inode(const char *target)
{
    static const char prefix[] = "socket:[";
    uint64_t inode;
    if (strncmp(target, prefix, sizeof prefix - 1) != 0)
        return 0;
    return parse_number(target + sizeof prefix - 1, ']', &inode) ? inode : 0;
}

/* ------------------------------------------------------------ a process -- */

/* Whether it ended, or is not the caller's to look into. */
static bool is_passed_over(int error)
{
    return error == ENOENT || error == ESRCH || error == EACCES || error == EPERM;
}

static int open_in(int folder, const char *name, int flags)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | flags);
    return fd < 0 ? -errno : fd;
}

/* Reads PID/comm once. 0 or -errno. */
static int read_name(struct process *process)
{
    if (*process->name)
        return 0;
    int fd = open_in(process->folder, "comm", 0);
    if (fd < 0)
        return fd;
    ssize_t size = read(fd, process->name, sizeof process->name - 1);
    int r = size < 0 ? -errno : 0;
    close(fd);
    if (size > 0 && process->name[size - 1] == '\n')
        --size;
    process->name[size > 0 ? size : 0] = '\0';
    return r;
}

static bool is_better(pid_t pid, pid_t than)
{
    pid_t self = getpid();
    if (than == 0 || than == self)
        return true;
    return pid != self && pid < than;
}

/* Gives a socket to a process. 0 or -errno; nothing has changed then. */
static int give(struct pa_process_socket *socket, struct process *process)
{
    if (!is_better(process->pid, socket->pid))
        return 0;
    int r = read_name(process);
    if (r < 0)
        return r;
    socket->pid = process->pid;
    memcpy(socket->name, process->name, sizeof socket->name);
    return 0;
}

static int look_at_link(const struct wanted *wanted, struct process *process, int links,
                        const char *name)
{
    char target[64]; /* more than socket:[ and a number of 64 bits */
    ssize_t size = readlinkat(links, name, target, sizeof target - 1);
    if (size < 0)
        return 0; /* closed meanwhile */
    target[size] = '\0';
    uint64_t inode = socket_inode(target);
    int r = 0;
    if (inode == 0)
        return 0;
    for (size_t i = lower_bound(wanted, inode);
         r == 0 && i < wanted->count && wanted->sockets[i]->inode == inode; ++i)
        r = give(wanted->sockets[i], process);
    return r;
}

/* ------------------------------------------------------------- the scan -- */

/* A stream of its own descriptor, or NULL with errno; the descriptor is closed then. */
static DIR *open_stream(int fd)
{
    if (fd < 0) {
        errno = -fd;
        return NULL;
    }
    DIR *stream = fdopendir(fd);
    int error = errno;
    if (!stream)
        close(fd);
    errno = error;
    return stream;
}

/* The next entry with 0, NULL with 0 at the end, or NULL with -errno. */
static int next_entry(DIR *stream, const struct dirent **entry)
{
    errno = 0;
    *entry = readdir(stream);
    return *entry ? 0 : -errno;
}

static int look_at_links(const struct wanted *wanted, struct process *process)
{
    DIR *links = open_stream(open_in(process->folder, "fd", O_DIRECTORY));
    if (!links)
        return -errno;
    const struct dirent *entry;
    int r = next_entry(links, &entry);
    while (r == 0 && entry) {
        r = look_at_link(wanted, process, dirfd(links), entry->d_name);
        if (r == 0)
            r = next_entry(links, &entry);
    }
    closedir(links);
    return r;
}

/* An entry of /proc: 0 or -errno. */
static int look_into(const struct wanted *wanted, int proc, const char *name)
{
    uint64_t pid;
    if (!parse_number(name, '\0', &pid) || pid > INT_MAX)
        return 0;
    struct process process = {.folder = open_in(proc, name, O_DIRECTORY), .pid = (pid_t)pid};
    int r = process.folder;
    if (r >= 0) {
        r = look_at_links(wanted, &process);
        close(process.folder);
    }
    return is_passed_over(-r) ? 0 : r;
}

static int scan(const struct wanted *wanted)
{
    DIR *proc = open_stream(open_in(AT_FDCWD, "/proc", O_DIRECTORY));
    if (!proc)
        return -errno;
    const struct dirent *entry;
    int r = next_entry(proc, &entry);
    while (r == 0 && entry) {
        r = look_into(wanted, dirfd(proc), entry->d_name);
        if (r == 0)
            r = next_entry(proc, &entry);
    }
    closedir(proc);
    return r;
}

int pa_process_find(struct pa_process_socket *sockets, size_t count)
{
    struct wanted wanted;
    for (size_t i = 0; i < count; ++i) {
        sockets[i].pid = 0;
        sockets[i].name[0] = '\0';
    }
    if (count == 0)
        return 0;
    int r = sort(&wanted, sockets, count);
    if (r < 0)
        return r;
    r = scan(&wanted);
    free(wanted.sockets);
    return r;
}
