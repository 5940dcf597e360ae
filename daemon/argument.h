#ifndef ARGUMENT_H
#define ARGUMENT_H

/*
 * The values of switches, from text. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    ARGUMENT_PORT_MAX = 65535,
};

/* A decimal number at *text, which then stands behind it; false: none, or above max. */
bool argument_take_number(const char **text, uint64_t max, uint64_t *number);

/*
 * LOW-HIGH or PORT at *text, 1 to 65535, blanks around each number allowed;
 * *text then stands on the comma or the NUL behind it. The ends are exchanged
 * if they are in the wrong order. False: none.
 */
bool argument_take_range(const char **text, uint16_t *low, uint16_t *high);

/* A size in bytes, K or M may follow; false: none, or not from min to max. */
bool argument_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes);

/*
 * Seconds with decimals, at most max_s; what is finer than a millisecond is
 * rounded up, so only 0 is 0. False: none, or more.
 */
bool argument_milliseconds(const char *text, uint64_t max_s, uint64_t *ms);

#endif
