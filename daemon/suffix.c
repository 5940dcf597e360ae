/* Which of the suffixes _1, _2, ... of one name are taken. */

#include "suffix.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64 };

void suffix_deinit(struct suffix_set *set)
{
    free(set->words);
    *set = (struct suffix_set)SUFFIX_SET_NULL;
}

static size_t word_of(uint32_t suffix)
{
    return (suffix - 1) / WORD_BITS;
}

static uint64_t bit_of(uint32_t suffix)
{
    return UINT64_C(1) << ((suffix - 1) % WORD_BITS);
}

static uint32_t lowest_clear_bit(uint64_t word)
{
    uint32_t bit = 0;
    while (word >> bit & 1)
        ++bit;
    return bit;
}

uint32_t suffix_lowest_above(const struct suffix_set *set, uint32_t above)
{
    size_t w = above / WORD_BITS;
    /* What lies at or below `above` counts as taken. */
    uint64_t below = (UINT64_C(1) << above % WORD_BITS) - 1;
    if (set->first_gap > w) {
        w = set->first_gap;
        below = 0;
    }
    for (; w < set->capacity; ++w, below = 0)
        if ((set->words[w] | below) != UINT64_MAX)
            return (uint32_t)(w * WORD_BITS) + lowest_clear_bit(set->words[w] | below) + 1;
    return (uint32_t)(w * WORD_BITS) + lowest_clear_bit(below) + 1;
}

bool suffix_is_taken(const struct suffix_set *set, uint32_t suffix)
{
    size_t w = word_of(suffix);
    return w < set->capacity && (set->words[w] & bit_of(suffix));
}

int suffix_reserve(struct suffix_set *set, uint32_t suffix)
{
    size_t needed = word_of(suffix) + 1;
    if (needed <= set->capacity)
        return 0;
    size_t capacity = set->capacity ? set->capacity : 1;
    while (capacity < needed)
        capacity *= 2;
    uint64_t *words = realloc(set->words, capacity * sizeof *words);
    if (!words)
        return -ENOMEM;
    memset(words + set->capacity, 0, (capacity - set->capacity) * sizeof *words);
    set->words = words;
    set->capacity = capacity;
    return 0;
}

void suffix_take(struct suffix_set *set, uint32_t suffix)
{
    size_t w = word_of(suffix);
    assert(w < set->capacity && !(set->words[w] & bit_of(suffix)));
    set->words[w] |= bit_of(suffix);
    while (set->first_gap < set->capacity && set->words[set->first_gap] == UINT64_MAX)
        ++set->first_gap;
}

void suffix_give(struct suffix_set *set, uint32_t suffix)
{
    size_t w = word_of(suffix);
    assert(w < set->capacity && (set->words[w] & bit_of(suffix)));
    set->words[w] &= ~bit_of(suffix);
    if (w < set->first_gap)
        set->first_gap = w;
}
