#ifndef SEARCH_H
#define SEARCH_H

/*
 * The allocations that fit what a client looks for, as lines of the answer to
 * FIND.
 */

#include "table.h"

#include "pa_buf.h"

#include <stddef.h>
#include <stdint.h>

/* What is looked for. */
struct search {
    const char *name; /* a pattern, as pa_match() has them; NULL: any name */
    const char *user; /* likewise */
    uint16_t port;    /* 0: any */
};

/*
 * Appends a line for each allocation that fits, in the order of LIST, and tells
 * in *count how many they are. The time does not depend on how many ports are
 * allocated when the name is given without wildcards, or the port. 0, or -ENOMEM
 * with some of the lines appended.
 */
int search_table(const struct search *search, struct table *table, struct pa_buf *lines,
                 size_t *count);

#endif
