/*
 * A process that was named by its number.
 *
 * The descriptor comes first. What /proc tells afterwards is about the same
 * process if that still lives when all was read.
 */

#include "lifetime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FIELD_STATE = 3, /* proc(5), /proc/PID/stat: the first behind the name */
    FIELD_START = 22,
    FILE_BYTES = 4096, /* both files have far fewer up to what is read here */
};

bool lifetime_read_start(const char *text, uint64_t *started)
{
    /* The name may have blanks and parentheses of its own. */
    const char *at = strrchr(text, ')');
    for (int field = FIELD_STATE; at && field <= FIELD_START; ++field)
        at = strchr(at + 1, ' ');
    if (!at || at[1] < '0' || at[1] > '9')
        return false;
    *started = strtoull(at + 1, NULL, 10);
    return true;
}

/* Reads a file of /proc/PID into text, as far as there is room. 0 or a negative errno. */
static int read_file(pid_t pid, const char *name, char text[FILE_BYTES])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t size = read(fd, text, FILE_BYTES - 1);
    int r = size < 0 ? -errno : 0;
    close(fd);
    text[size < 0 ? 0 : size] = '\0';
    return r;
}

static int read_start(struct lifetime *lifetime)
{
    char text[FILE_BYTES];
    int r = read_file(lifetime->pid, "stat", text);
    if (r < 0)
        return r;
    return lifetime_read_start(text, &lifetime->started) ? 0 : -EBADMSG;
}

/* The line `Uid: REAL EFFECTIVE SAVED FILESYSTEM`; a process cannot put a newline in its name
 * there, proc(5). */
static int read_user(struct lifetime *lifetime)
{
    char text[FILE_BYTES];
    unsigned long real;
    unsigned long effective;
    int r = read_file(lifetime->pid, "status", text);
    if (r < 0)
        return r;
    const char *line = strstr(text, "\nUid:");
    if (!line ||
        sscanf(line, "\nUid: %lu %lu", &real, &effective) != 2) /* NOLINT(cert-err34-c) */
        return -EBADMSG;
    lifetime->uid = (uid_t)effective;
    return 0;
}

int lifetime_open(struct lifetime *lifetime, pid_t pid)
{
    *lifetime = (struct lifetime)LIFETIME_NULL;
    lifetime->pid = pid;
    lifetime->fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    if (lifetime->fd < 0)
        return -errno;
    int r = read_start(lifetime);
    if (r == 0)
        r = read_user(lifetime);
    if (r == 0 && !lifetime_lasts(lifetime))
        r = -ESRCH;
    if (r < 0)
        lifetime_close(lifetime);
    return r;
}

bool lifetime_lasts(const struct lifetime *lifetime)
{
    struct pollfd end = {.fd = lifetime->fd, .events = POLLIN};
    return poll(&end, 1, 0) == 0;
}

bool lifetime_is_same(const struct lifetime *a, const struct lifetime *b)
{
    return a->pid == b->pid && a->started == b->started;
}

void lifetime_close(struct lifetime *lifetime)
{
    if (lifetime->fd >= 0)
        close(lifetime->fd);
    *lifetime = (struct lifetime)LIFETIME_NULL;
}
