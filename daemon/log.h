/* log.h - a daemon's log: whole lines, collected and written in one piece. */
#ifndef LOG_H
#define LOG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    LOG_E_KIND = 1, /* the path is a link, or no regular file, FIFO or character device */
};

#define LOG_BUFFER_BYTES    (64 * 1024) /* lines that wait for log_flush() */
#define LOG_LINE_BYTES      1024        /* longest line with its newline */
#define LOG_LIMIT_COUNT     10          /* messages of one kind ... */
#define LOG_LIMIT_WINDOW_MS 10000       /* ... in that time */

enum log_level {
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_DEBUG,
};

/*
 * The process must ignore SIGPIPE and SIGXFSZ where a FIFO or a file size limit
 * may be at work. A struct of 64 KiB: better static than on the stack.
 */
struct log {
    int fd;                       /* -1: every line is dropped */
    const char *path;             /* borrowed; "-" is stderr, NULL is no log */
    const char *program;          /* borrowed; lines begin with it; NULL: with level and time */
    bool to_syslog;               /* lines go to syslog(3) and standard error, not to fd */
    char host[HOST_NAME_MAX + 1]; /* this machine's name */
    time_t stamp_s;               /* the second that stamp shows */
    char stamp[96];
    uint64_t lost_count; /* lines that could not be written and were not yet told about */
    int lost_errno;
    bool torn; /* the last byte that reached the file was not a newline */
    size_t used_bytes;
    char buffer[LOG_BUFFER_BYTES];
};

#define LOG_NULL                                                                               \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/* One kind of message that a client could provoke at will. */
struct log_limit {
    uint64_t window_start_ms;
    unsigned count; /* messages in this window; 0: no window is open */
    uint64_t suppressed;
    enum log_level level;
};

#define LOG_LIMIT_NULL                                                                         \
    {                                                                                          \
        0                                                                                      \
    }

/*
 * Opens the log; *l may be uninitialised. The path is borrowed for the log's
 * life: "-" is the standard error output (which stays open, and blocking),
 * NULL a log that drops every line. A file is made with mode 0644 and always
 * appended to; a symbolic link is not followed. A FIFO is written without
 * ever blocking and needs its reader first (-ENXIO).
 *
 * Returns 0, LOG_E_KIND or a negative errno. After a failure lines are dropped
 * until log_reopen() succeeds.
 */
int log_open(struct log *l, const char *path);

/*
 * Opens a log of lines "PROGRAM: TEXT" on the standard error output. With
 * to_syslog they are written at once, and go to the system's log (syslog(3),
 * facility daemon) as well: who starts a daemon sees what it says until it
 * detaches itself. The name of the program is borrowed for the log's life.
 */
void log_open_plain(struct log *l, const char *program, bool to_syslog);

/*
 * Opens the same path anew, for SIGHUP after a rotation. Waiting lines go to
 * the old file first. Returns as log_open(); after a failure the old file stays
 * in use and is told why.
 */
int log_reopen(struct log *l);

/* Flushes and closes. */
void log_deinit(struct log *l);

/* The text for a code that log_open() or log_reopen() returned. */
const char *log_error_text(int code);

/*
 * Appends the line "LEVEL     Month DD, YYYY HH:MM:SS HOST TEXT". A host of NULL
 * is this machine. Control characters and what is not UTF-8 appear as \xNN, so
 * that one message is one line whoever chose its words; a line beyond
 * LOG_LINE_BYTES ends in "...". Written at the next log_flush(), or before when
 * the buffer is full.
 */
void log_write(struct log *l, enum log_level level, const char *host, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * log_write() of some texts one behind the other, without printf: for the lines
 * that every client causes.
 */
void log_join(struct log *l, enum log_level level, const char *const *parts, size_t count);

/*
 * Writes what is waiting, in one write(2) where the kernel takes it whole. Lines
 * that cannot be written are dropped and counted, and the count is told in a line
 * of its own at the first flush that works again.
 */
void log_flush(struct log *l);

/* Whether no line waits for log_flush(). */
bool log_is_flushed(const struct log *l);

/*
 * log_write() for at most LOG_LIMIT_COUNT messages in LOG_LIMIT_WINDOW_MS; how
 * many more there were is told once the window is over. now_ms is any
 * monotonic clock, the same for all calls with one limit.
 */
void log_limited(struct log *l, struct log_limit *limit, uint64_t now_ms, enum log_level level,
                 const char *host, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Closes a window that is over and tells how many messages it suppressed, if any. */
void log_limit_flush(struct log *l, struct log_limit *limit, uint64_t now_ms);

#endif
