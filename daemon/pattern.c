/* A pattern made ready to be compared with many texts. */

#include "pattern.h"

#include "pa_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Elements above all characters. */
enum {
    ANY = 0x110000,
    STAR,
    SETS, /* the first set, and so on */
};

enum { ASCII = 128 };

/* ----------------------------------------------------------- making ready -- */

static void add_range(struct pattern *pattern, struct pattern_set *set, uint32_t low,
                      uint32_t high)
{
    for (; low <= high && low < ASCII; ++low)
        set->ascii[low / 64] |= UINT64_C(1) << low % 64;
    if (low > high)
        return;
    pattern->ranges[pattern->ranges_count++] = (struct pattern_range){low, high};
    set->count += 1;
}

static int by_low(const void *left, const void *right)
{
    const struct pattern_range *one = left;
    const struct pattern_range *other = right;
    return (one->low > other->low) - (one->low < other->low);
}

/* Sorts the ranges of the set that came last, and joins those that touch. */
static void join_ranges(struct pattern *pattern, struct pattern_set *set)
{
    struct pattern_range *ranges = pattern->ranges + set->first;
    size_t joined = 0;
    if (set->count == 0)
        return;
    qsort(ranges, set->count, sizeof *ranges, by_low);
    for (size_t i = 1; i < set->count; ++i) {
        struct pattern_range *last = &ranges[joined];
        if (ranges[i].low > last->high + 1)
            ranges[++joined] = ranges[i];
        else if (ranges[i].high > last->high)
            last->high = ranges[i].high;
    }
    set->count = joined + 1;
    pattern->ranges_count = set->first + set->count;
}

/* Takes a set behind its `[` up to behind its `]`, as pa_match() has it. */
static void take_set(struct pattern *pattern, struct pattern_set *set, const char **at)
{
    while (**at && **at != ']') {
        uint32_t low = pa_text_take(at);
        uint32_t high = low;
        if (**at == '-') {
            ++*at;
            if (!**at)
                return;
            high = pa_text_take(at);
        }
        add_range(pattern, set, low < high ? low : high, low < high ? high : low);
    }
    if (**at)
        ++*at;
}

/* A new set; without anything in it, it stands for no character. */
static uint32_t add_set(struct pattern *pattern, const char **at)
{
    struct pattern_set *set = &pattern->sets[pattern->sets_count];
    *set = (struct pattern_set){.first = pattern->ranges_count};
    if (at)
        take_set(pattern, set, at);
    join_ranges(pattern, set);
    return SETS + (uint32_t)pattern->sets_count++;
}

static uint32_t take_element(struct pattern *pattern, const char **at)
{
    uint32_t character = pa_text_take(at);
    switch (character) {
    case '*':
        *at += strspn(*at, "*");
        return STAR;
    case '?':
        return ANY;
    case '[':
        return add_set(pattern, at);
    case '\\':
        return **at ? pa_text_take(at) : add_set(pattern, NULL);
    default:
        return character;
    }
}

/* How many sets there are at most. */
static size_t count_sets(const char *text)
{
    size_t count = 0;
    for (; *text; ++text)
        count += *text == '[' || *text == '\\';
    return count;
}

int pattern_init(struct pattern *pattern, const char *text)
{
    size_t size = strlen(text);
    size_t sets = count_sets(text);
    *pattern = (struct pattern){
        .elements = malloc((size + 1) * sizeof *pattern->elements),
        .sets = malloc((sets + 1) * sizeof *pattern->sets),
        .ranges = malloc((sets > 0 ? size + 1 : 1) * sizeof *pattern->ranges),
    };
    if (!pattern->elements || !pattern->sets || !pattern->ranges) {
        pattern_deinit(pattern);
        return -ENOMEM;
    }
    while (*text)
        pattern->elements[pattern->count++] = take_element(pattern, &text);
    return 0;
}

void pattern_deinit(struct pattern *pattern)
{
    free(pattern->elements);
    free(pattern->sets);
    free(pattern->ranges);
    *pattern = (struct pattern){.elements = NULL};
}

/* --------------------------------------------------------------- matching -- */

static bool has(const struct pattern *pattern, const struct pattern_set *set,
                uint32_t character)
{
    if (character < ASCII)
        return set->ascii[character / 64] >> character % 64 & 1;
    const struct pattern_range *ranges = pattern->ranges + set->first;
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].high < character)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && ranges[low].low <= character;
}

static bool fits(const struct pattern *pattern, uint32_t element, uint32_t character)
{
    if (element >= SETS)
        return has(pattern, &pattern->sets[element - SETS], character);
    return element == ANY || element == character;
}

bool pattern_matches(const struct pattern *pattern, const char *text)
{
    const uint32_t *at = pattern->elements;
    const uint32_t *end = at + pattern->count;
    const uint32_t *behind_star = NULL; /* the pattern behind the last star */
    const char *retry = NULL;           /* where the text goes on if that star takes one more */
    while (*text) {
        if (at < end && *at == STAR) {
            behind_star = ++at;
            retry = text;
        } else if (at == end || !fits(pattern, *at++, pa_text_take(&text))) {
            if (!behind_star)
                return false;
            pa_text_take(&retry);
            at = behind_star;
            text = retry;
        }
    }
    return at == end || (*at == STAR && at + 1 == end);
}
