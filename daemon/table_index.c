/* The table's allocations and groups by their names. */

#include "table_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST_BUCKETS = 16 };

int table_index_init(struct table_index *index, size_t capacity, const struct siphash_key *key)
{
    size_t buckets = FEWEST_BUCKETS;
    while (buckets < capacity)
        buckets *= 2;
    *index = (struct table_index){
        .key = *key,
        .entries = calloc(buckets, sizeof(struct table_entry *)),
        .named = calloc(buckets, sizeof(struct table_entry *)),
        .groups = calloc(buckets, sizeof(struct table_group *)),
        .bucket_mask = buckets - 1,
    };
    return index->entries && index->named && index->groups ? 0 : -ENOMEM;
}

void table_index_deinit(struct table_index *index)
{
    free(index->entries);
    free(index->named);
    free(index->groups);
}

uint64_t table_index_hash_name(const struct table_index *index, const char *name,
                               size_t name_size)
{
    return siphash(&index->key, name, name_size);
}

/* Unequal weights: a name and a user that change places, or are equal, are like any others. */
uint64_t table_index_hash(const struct table_index *index, const char *name, size_t name_size,
                          const char *user)
{
    return siphash(&index->key, name, name_size) + 3 * siphash(&index->key, user, strlen(user));
}

struct table_entry *table_index_entry(const struct table_index *index, uint64_t hash,
                                      const char *name, const char *user)
{
    struct table_entry *entry = index->entries[hash & index->bucket_mask];
    while (entry && (entry->hash != hash || strcmp(entry->name, name) != 0 ||
                     strcmp(entry->user, user) != 0))
        entry = entry->bucket_next;
    return entry;
}

struct table_group *table_index_group(const struct table_index *index, uint64_t hash,
                                      const char *name, size_t name_size, const char *user)
{
    struct table_group *group = index->groups[hash & index->bucket_mask];
    while (group && (group->hash != hash || strncmp(group->name, name, name_size) != 0 ||
                     group->name[name_size] != '\0' || strcmp(group->user, user) != 0))
        group = group->bucket_next;
    return group;
}

const struct table_entry *table_index_named(const struct table_index *index, uint64_t name_hash,
                                            const char *name, const struct table_entry *last)
{
    const struct table_entry *entry =
        last ? last->name_next : index->named[name_hash & index->bucket_mask];
    while (entry && (entry->name_hash != name_hash || strcmp(entry->name, name) != 0))
        entry = entry->name_next;
    return entry;
}

void table_index_add(struct table_index *index, struct table_entry *entry)
{
    struct table_entry **bucket = &index->entries[entry->hash & index->bucket_mask];
    entry->bucket_next = *bucket;
    *bucket = entry;
    bucket = &index->named[entry->name_hash & index->bucket_mask];
    entry->name_next = *bucket;
    *bucket = entry;
}

void table_index_remove(struct table_index *index, struct table_entry *entry)
{
    struct table_entry **link = &index->entries[entry->hash & index->bucket_mask];
    while (*link != entry)
        link = &(*link)->bucket_next;
    *link = entry->bucket_next;
    link = &index->named[entry->name_hash & index->bucket_mask];
    while (*link != entry)
        link = &(*link)->name_next;
    *link = entry->name_next;
}

void table_index_add_group(struct table_index *index, struct table_group *group)
{
    struct table_group **bucket = &index->groups[group->hash & index->bucket_mask];
    group->bucket_next = *bucket;
    *bucket = group;
}

void table_index_remove_group(struct table_index *index, struct table_group *group)
{
    struct table_group **link = &index->groups[group->hash & index->bucket_mask];
    while (*link != group)
        link = &(*link)->bucket_next;
    *link = group->bucket_next;
}
