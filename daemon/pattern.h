#ifndef PATTERN_H
#define PATTERN_H

/*
 * A pattern made ready to be compared with many texts.
 *
 * pa_match() looks through a set for each character of a text, so a long set
 * makes every comparison long. Here a set is made once what tells at a glance:
 * the time for a text does not depend on how long the pattern is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The characters of a set. */
struct pattern_set {
    uint64_t ascii[2]; /* a bit for each of them below 128 */
    size_t first;      /* the ranges of the others, by their lower ends, not touching */
    size_t count;
};

struct pattern_range {
    uint32_t low;
    uint32_t high;
};

struct pattern {
    uint32_t *elements; /* characters, and what stands for others */
    size_t count;
    struct pattern_set *sets;
    size_t sets_count;
    struct pattern_range *ranges;
    size_t ranges_count;
};

/*
 * Makes the pattern ready, which means what it means to pa_match(); `text` is not
 * needed afterwards. 0; -ENOMEM, with nothing to deinit.
 */
int pattern_init(struct pattern *pattern, const char *text);

/* Frees what the pattern holds. */
void pattern_deinit(struct pattern *pattern);

/* Whether the pattern matches all of `text`. The time is at most the square of its length. */
bool pattern_matches(const struct pattern *pattern, const char *text);

#endif
