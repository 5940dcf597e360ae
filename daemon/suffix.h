#ifndef SUFFIX_H
#define SUFFIX_H

/*
 * Which of the suffixes _1, _2, ... of one name are taken.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suffix_set {
    uint64_t *words;  /* bit i of word w: suffix 64 * w + i + 1 is taken */
    size_t capacity;  /* words */
    size_t first_gap; /* no word before this one has a free bit */
};

#define SUFFIX_SET_NULL                                                                        \
    {                                                                                          \
        NULL, 0, 0                                                                             \
    }

/* Frees the set's memory and leaves it empty. */
void suffix_deinit(struct suffix_set *set);

/* The lowest suffix above `above` that is not taken. */
uint32_t suffix_lowest_above(const struct suffix_set *set, uint32_t above);

/* Whether a suffix is taken. */
bool suffix_is_taken(const struct suffix_set *set, uint32_t suffix);

/* Makes room, so that suffix_take() of this suffix succeeds. 0 or -ENOMEM. */
int suffix_reserve(struct suffix_set *set, uint32_t suffix);

/* Takes a free suffix for which suffix_reserve() made room. */
void suffix_take(struct suffix_set *set, uint32_t suffix);

/* Gives a taken suffix back. */
void suffix_give(struct suffix_set *set, uint32_t suffix);

#endif
