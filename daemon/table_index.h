#ifndef TABLE_INDEX_H
#define TABLE_INDEX_H

/*
 * The table's allocations and groups, to be found by their names. The index
 * links what the table owns, and owns its buckets alone.
 */

#include "siphash.h"
#include "suffix.h"
#include "table.h"

#include <stddef.h>
#include <stdint.h>

/* All allocations of one application and user, which share what is told by the two. */
struct table_group {
    struct table_group *bucket_next;
    uint64_t hash; /* of name and user */
    size_t members;
    struct suffix_set suffixes;
    const char *name; /* plain */
    const char *user;
    const char *key; /* the list {user name}: the order in LIST */
    char strings[];  /* where the three lie */
};

struct table_index {
    struct siphash_key key;
    struct table_entry **entries; /* buckets by name as listed and user */
    struct table_entry **named;   /* buckets by name as listed */
    struct table_group **groups;  /* buckets by plain name and user */
    size_t bucket_mask;           /* buckets - 1, a power of two less one */
};

/* An empty index, fit for `capacity` allocations. 0, or -ENOMEM; deinit is due all the same. */
int table_index_init(struct table_index *index, size_t capacity, const struct siphash_key *key);

void table_index_deinit(struct table_index *index);

/* The hash of a name alone, and of a name and its user. */
uint64_t table_index_hash_name(const struct table_index *index, const char *name,
                               size_t name_size);
uint64_t table_index_hash(const struct table_index *index, const char *name, size_t name_size,
                          const char *user);

/* The allocation that bears the name, and the group; or NULL. */
struct table_entry *table_index_entry(const struct table_index *index, uint64_t hash,
                                      const char *name, const char *user);
struct table_group *table_index_group(const struct table_index *index, uint64_t hash,
                                      const char *name, size_t name_size, const char *user);

/* The next allocation that bears the name, whoever's it is; the first one for NULL. */
const struct table_entry *table_index_named(const struct table_index *index, uint64_t name_hash,
                                            const char *name, const struct table_entry *last);

void table_index_add(struct table_index *index, struct table_entry *entry);
void table_index_remove(struct table_index *index, struct table_entry *entry);
void table_index_add_group(struct table_index *index, struct table_group *group);
void table_index_remove_group(struct table_index *index, struct table_group *group);

#endif
