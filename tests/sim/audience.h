#ifndef AUDIENCE_H
#define AUDIENCE_H

/*
 * Clients who watch, as they see it: each keeps what it was told, reads as fast
 * as it likes, and must know what the model has whenever it has read everything.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The client watches from now on what fits the patterns, which stay valid; NULL: any. The text
 * is the answer to WATCH, whole.
 */
void audience_join(unsigned client, const char *name_pattern, const char *user_pattern,
                   const char *answer, size_t size);

/* It watches no more, if it did. What it has not read is lost. */
void audience_leave(unsigned client);

bool audience_watches(unsigned client);

/* How many watch. */
size_t audience_count(void);

/* The manager has sent something to it; how much waits for it, as the manager would count. */
void audience_send(unsigned client, const char *text, size_t size);
size_t audience_unsent(unsigned client);

/* It reads as much as it does at a time. Whether it has read everything by that. */
bool audience_read(unsigned client);

/* Everything was told: who has read everything knows what the model has. */
void audience_compare(unsigned client);

/* Prints what all of them were told, and how often it was compared. */
void audience_print(void);

#endif
