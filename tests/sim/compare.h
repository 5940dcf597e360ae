#ifndef COMPARE_H
#define COMPARE_H

/*
 * Comparisons of what the table tells with what the model has. Each ends the
 * simulation when something differs.
 */

#include "table.h"

/* A reply to LIST; mostly not line by line when it is long. */
void compare_list(const struct snapshot *snapshot);

/* The list as it is now, and the usage text. */
void compare_listing(struct table *table);
void compare_usage(const struct table *table);

/* Who bears a name of anyone's choice, who has a port. */
void compare_find(const struct table *table);

/* How many ports are allocated, and how many held. */
void compare_counts(const struct table *table);

#endif
