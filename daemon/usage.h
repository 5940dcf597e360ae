#ifndef USAGE_H
#define USAGE_H

/*
 * When the usage file is written.
 *
 * Changes are collected: the file is written USAGE_DELAY_MS after the first of
 * them. A table that always changes is written less often the longer it takes,
 * so that it costs 2 % of the time at most: a thousand ports ten times a
 * second, fifty thousand about every half second. The writing itself is done
 * by a thread; only rendering the text is the loop's.
 */

#include "table.h"

#include "pa_buf.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    USAGE_DELAY_MS = 100,      /* what one change in a quiet time waits */
    USAGE_PAUSE_MAX_MS = 1000, /* whatever a disk did */
    USAGE_BUSY_SHARE = 50,     /* pause after a write, in multiples of its duration */
};

struct usage {
    const char *path; /* NULL: no usage file */
    const struct table *table;
    struct pa_buf text; /* being written; the thread's while `writing` */
    bool dirty;         /* the table has changed since `text` was rendered */
    bool arranged;      /* usage_begin() will be called */
    bool writing;
    bool failed; /* the last write, as the log was told */
    uint64_t started_ms;
    uint64_t not_before_ms;
    int result; /* of the write */
    char error[PATH_MAX + 256];
};

/* `path` and `table` outlive it. */
void usage_init(struct usage *usage, const char *path, const struct table *table);
void usage_deinit(struct usage *usage);

/*
 * The table has changed. Returns in how many milliseconds to call
 * usage_begin(), or -1 when that is arranged for already or not wanted.
 */
int64_t usage_changed(struct usage *usage, uint64_t now_ms);

/*
 * As usage_changed(), without a change: for what usage_begin() could not do for
 * lack of memory.
 */
int64_t usage_arrange(struct usage *usage, uint64_t now_ms);

/* Renders the text to be written. False: no memory, or nothing to do now. */
bool usage_begin(struct usage *usage, uint64_t now_ms);

/* Writes it; for any thread, between usage_begin() and usage_end(). */
void usage_write(struct usage *usage);

/*
 * The write is over. Returns as usage_changed() does. *news is the line for the log
 * when writing began to fail or works again, else NULL.
 */
int64_t usage_end(struct usage *usage, uint64_t now_ms, const char **news);

#endif
