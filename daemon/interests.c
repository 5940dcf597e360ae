/* What watchers are interested in. */

#include "interests.h"

#include "pa_match.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BUCKETS = 16,
    FIRST_MATCHES = 8,
    KEPT_MATCHES = 64, /* when there is nothing to tell */
};

void interests_init(struct interests *interests)
{
    *interests = (struct interests){.buckets = NULL};
    for (size_t i = 0; i < INTERESTS_LISTS; ++i)
        TAILQ_INIT(&interests->broad[i]);
}

/* ---------------------------------------------------------------- buckets -- */

static struct interest **bucket_of(const struct interests *interests, uint64_t hash)
{
    return &interests->buckets[hash & (interests->bucket_count - 1)];
}

static void add_to_bucket(struct interests *interests, struct interest *interest)
{
    struct interest **bucket = bucket_of(interests, interest->hash);
    interest->bucket_next = *bucket;
    *bucket = interest;
}

/* Doubles the buckets. Without memory for more, those there are have to do. */
static int grow(struct interests *interests)
{
    struct interests old = *interests;
    size_t count = old.bucket_count ? 2 * old.bucket_count : FIRST_BUCKETS;
    struct interest **buckets = calloc(count, sizeof(struct interest *));
    if (!buckets)
        return old.bucket_count ? 0 : -ENOMEM;
    interests->buckets = buckets;
    interests->bucket_count = count;
    for (size_t i = 0; i < old.bucket_count; ++i)
        for (struct interest *next, *at = old.buckets[i]; at; at = next) {
            next = at->bucket_next;
            add_to_bucket(interests, at);
        }
    free(old.buckets);
    return 0;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* ----------------------------------------------------------- come and go -- */

static const char *lay(char **end, const char *string, size_t *size)
{
    if (!string)
        return NULL;
    char *begin = *end;
    *size = strlen(string);
    memcpy(begin, string, *size + 1);
    *end = begin + *size + 1;
    return begin;
}

static struct interest *interest_new(uint64_t hash, const char *name, const char *user)
{
    size_t size = (name ? strlen(name) + 1 : 0) + (user ? strlen(user) + 1 : 0);
    struct interest *interest = calloc(1, sizeof *interest + size);
    if (!interest)
        return NULL;
    char *end = interest->strings;
    TAILQ_INIT(&interest->watchers);
    interest->hash = hash;
    interest->name = lay(&end, name, &interest->name_size);
    interest->user = lay(&end, user, &interest->user_size);
    interest->broad = !name || pa_match_has_wildcard(name);
    if (interest->broad && name && !strchr("*?[\\", *name))
        interest->first = (unsigned char)*name;
    return interest;
}

struct interest *interests_get(struct interests *interests, uint64_t hash, const char *name,
                               const char *user)
{
    if (interests->count >= interests->bucket_count && grow(interests) < 0)
        return NULL;
    struct interest *interest = *bucket_of(interests, hash);
    for (; interest; interest = interest->bucket_next)
        if (is_same(interest->name, name) && is_same(interest->user, user))
            return interest;
    interest = interest_new(hash, name, user);
    if (interest) {
        add_to_bucket(interests, interest);
        if (interest->broad)
            TAILQ_INSERT_HEAD(&interests->broad[interest->first], interest, broad_link);
        interests->count += 1;
    } else if (interests->count == 0) {
        free(interests->buckets);
        interests_init(interests);
    }
    return interest;
}

void interests_drop(struct interests *interests, struct interest *interest)
{
    assert(TAILQ_EMPTY(&interest->watchers) && !interest->due);
    struct interest **at = bucket_of(interests, interest->hash);
    while (*at != interest)
        at = &(*at)->bucket_next;
    *at = interest->bucket_next;
    if (interest->broad)
        TAILQ_REMOVE(&interests->broad[interest->first], interest, broad_link);
    free(interest->matches);
    free(interest);
    interests->count -= 1;
    if (interests->count == 0) {
        free(interests->buckets);
        interests_init(interests);
    }
}

/* --------------------------------------------------------------- matching -- */

struct interest *interests_named(const struct interests *interests, uint64_t hash)
{
    return interests->count > 0 ? *bucket_of(interests, hash) : NULL;
}

struct interest *interests_broad(const struct interests *interests, const char *name)
{
    struct interest *interest = TAILQ_FIRST(&interests->broad[(unsigned char)*name]);
    return interest ? interest : TAILQ_FIRST(&interests->broad[0]);
}

struct interest *interests_next_broad(const struct interests *interests,
                                      const struct interest *interest)
{
    struct interest *next = TAILQ_NEXT(interest, broad_link);
    return next || interest->first == 0 ? next : TAILQ_FIRST(&interests->broad[0]);
}

bool interest_fits(const struct interest *interest, const char *name, const char *user)
{
    return (!interest->user || pa_match(interest->user, user)) &&
           (!interest->name || pa_match(interest->name, name));
}

int interest_note(struct interest *interest, uint32_t index)
{
    if (interest->match_count == interest->match_capacity) {
        size_t capacity =
            interest->match_capacity ? 2 * interest->match_capacity : FIRST_MATCHES;
        uint32_t *matches = realloc(interest->matches, capacity * sizeof *matches);
        if (!matches)
            return -ENOMEM;
        interest->matches = matches;
        interest->match_capacity = capacity;
    }
    interest->matches[interest->match_count++] = index;
    return 0;
}

void interest_clear(struct interest *interest)
{
    interest->match_count = 0;
    if (interest->match_capacity <= KEPT_MATCHES)
        return;
    free(interest->matches);
    interest->matches = NULL;
    interest->match_capacity = 0;
}
