#ifndef INTERESTS_H
#define INTERESTS_H

/*
 * What watchers are interested in: the distinct pairs of a pattern of names and
 * one of users, each shared by all watchers that have it.
 *
 * A name without wildcards is found by its hash, so that a change need not be
 * compared with those of other names. Interests with wildcards stand in lists, one for
 * each byte that a pattern begins with and one for those that begin with a
 * wildcard or are in any name; those of two lists are to be compared one by one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct interest;
struct watcher;
TAILQ_HEAD(interest_line, interest);
TAILQ_HEAD(watcher_line, watcher);

struct interest {
    struct interest *bucket_next;
    TAILQ_ENTRY(interest) broad_link; /* when its names are not one name */
    TAILQ_ENTRY(interest) due_link;   /* when there is something to tell its watchers */
    struct watcher_line watchers;
    uint32_t *matches; /* changes to tell of, as indices; owned */
    size_t match_count;
    size_t match_capacity;
    uint64_t hash;    /* of the pattern of names */
    const char *name; /* a pattern; NULL: any */
    const char *user; /* likewise */
    size_t name_size; /* bytes of the patterns */
    size_t user_size;
    unsigned char first; /* the byte with which all its names begin; 0: there is none */
    bool broad;          /* its names are not one name */
    bool due;
    char strings[]; /* where the patterns lie */
};

enum { INTERESTS_LISTS = 256 };

struct interests {
    struct interest **buckets; /* by the pattern of names */
    size_t bucket_count;       /* a power of two; 0: nobody is interested in anything */
    size_t count;
    struct interest_line
        broad[INTERESTS_LISTS]; /* by first byte, 0: any; the latest in front */
};

/* No interests. */
void interests_init(struct interests *interests);

/*
 * The interest in what both patterns match, an old one or a new one without
 * watchers; `hash` is that of the pattern of names, 0 without one. NULL: no
 * memory.
 */
struct interest *interests_get(struct interests *interests, uint64_t hash, const char *name,
                               const char *user);

/* Forgets and frees an interest that nobody has any more. */
void interests_drop(struct interests *interests, struct interest *interest);

/* The first of those, linked by bucket_next, among which all are that are interested in one
 * name of that hash; NULL: there are none. */
struct interest *interests_named(const struct interests *interests, uint64_t hash);

/* The first of those with wildcards that may be interested in the name, and the next of them.
 */
struct interest *interests_broad(const struct interests *interests, const char *name);
struct interest *interests_next_broad(const struct interests *interests,
                                      const struct interest *interest);

/* Whether the interest is one in that name and user. */
bool interest_fits(const struct interest *interest, const char *name, const char *user);

/* Notes that its watchers are to be told of the change with that index. 0 or -ENOMEM. */
int interest_note(struct interest *interest, uint32_t index);

/* There is nothing to tell any more. */
void interest_clear(struct interest *interest);

#endif
