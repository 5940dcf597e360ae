#ifndef LIFETIME_H
#define LIFETIME_H

/*
 * A process that was named by its number: whose it is, and until when it lives.
 *
 * Numbers are used again. So a process is its number and the time of its start,
 * and the descriptor (pidfd_open(2)) stays with the one that had the number when
 * it was opened.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lifetime {
    int fd;           /* readable when the process has ended; -1: none */
    pid_t pid;        /* as this process sees it */
    uint64_t started; /* proc(5), /proc/PID/stat (22): ticks since the boot */
    uid_t uid;        /* the effective user */
};

#define LIFETIME_NULL                                                                          \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/*
 * Opens the life of a process. 0; -ESRCH when there is no process of that
 * number, or it has ended and only waits for its parent; -EINVAL for the number
 * of a thread; or another negative errno: -EMFILE, -ENOSYS before Linux 5.3.
 * *lifetime is LIFETIME_NULL after a failure.
 */
int lifetime_open(struct lifetime *lifetime, pid_t pid);

/* Whether it goes on. */
bool lifetime_lasts(const struct lifetime *lifetime);

/* Whether two are of the same process. */
bool lifetime_is_same(const struct lifetime *a, const struct lifetime *b);

/* Closes the descriptor, if there is one. */
void lifetime_close(struct lifetime *lifetime);

/* Takes the start time from the text of /proc/PID/stat. False: it is no such text. */
bool lifetime_read_start(const char *text, uint64_t *started);

#endif
