/* Who owns which port: the connection-owned table. */

#include "table.h"

#include "pa_text.h"
#include "pa_wire.h"
#include "slots.h"
#include "suffix.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_DIGITS = 5 };

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

struct table {
    struct slots slots;
    struct roster roster;
    struct siphash_key hash_key;
    struct table_entry **entries; /* buckets by name as listed and user */
    struct table_group **groups;  /* buckets by plain name and user */
    size_t bucket_mask;           /* buckets - 1, a power of two less one */
    size_t count;
    struct pa_buf scratch; /* the name at hand */
    struct pa_buf line;    /* and its line */
};

/* ------------------------------------------------------- the two indexes -- */

/* Unequal weights: a name and a user that change places, or are equal, are like any others. */
static uint64_t hash_names(const struct table *table, const char *name, size_t name_size,
                           const char *user)
{
    return siphash(&table->hash_key, name, name_size) +
           3 * siphash(&table->hash_key, user, strlen(user));
}

static struct table_entry *find_entry(const struct table *table, uint64_t hash,
                                      const char *name, const char *user)
{
    struct table_entry *entry = table->entries[hash & table->bucket_mask];
    while (entry && (entry->hash != hash || strcmp(entry->name, name) != 0 ||
                     strcmp(entry->user, user) != 0))
        entry = entry->bucket_next;
    return entry;
}

static struct table_group *find_group(const struct table *table, uint64_t hash,
                                      const char *name, size_t name_size, const char *user)
{
    struct table_group *group = table->groups[hash & table->bucket_mask];
    while (group && (group->hash != hash || strncmp(group->name, name, name_size) != 0 ||
                     group->name[name_size] != '\0' || strcmp(group->user, user) != 0))
        group = group->bucket_next;
    return group;
}

static void index_entry(struct table *table, struct table_entry *entry)
{
    struct table_entry **bucket = &table->entries[entry->hash & table->bucket_mask];
    entry->bucket_next = *bucket;
    *bucket = entry;
}

static void unindex_entry(struct table *table, struct table_entry *entry)
{
    struct table_entry **link = &table->entries[entry->hash & table->bucket_mask];
    while (*link != entry)
        link = &(*link)->bucket_next;
    *link = entry->bucket_next;
}

static void index_group(struct table *table, struct table_group *group)
{
    struct table_group **bucket = &table->groups[group->hash & table->bucket_mask];
    group->bucket_next = *bucket;
    *bucket = group;
}

static void unindex_group(struct table *table, struct table_group *group)
{
    struct table_group **link = &table->groups[group->hash & table->bucket_mask];
    while (*link != group)
        link = &(*link)->bucket_next;
    *link = group->bucket_next;
}

/* --------------------------------------------------------------- groups -- */

/* Copies a string with its NUL to *end and advances *end behind it. */
static const char *lay(char **end, const char *string, size_t size)
{
    char *begin = *end;
    memcpy(begin, string, size);
    begin[size] = '\0';
    *end = begin + size + 1;
    return begin;
}

static struct table_group *group_new(struct table *table, uint64_t hash, const char *name,
                                     const char *user)
{
    table->scratch.size = 0;
    if (pa_wire_append_pair(&table->scratch, user, name) < 0)
        return NULL;
    size_t name_size = strlen(name), user_size = strlen(user), key_size = table->scratch.size;
    struct table_group *group = malloc(sizeof *group + name_size + user_size + key_size + 3);
    if (!group)
        return NULL;
    char *end = group->strings;
    group->hash = hash;
    group->members = 0;
    group->suffixes = (struct suffix_set)SUFFIX_SET_NULL;
    group->name = lay(&end, name, name_size);
    group->user = lay(&end, user, user_size);
    group->key = lay(&end, table->scratch.data, key_size);
    index_group(table, group);
    return group;
}

static void group_free_if_empty(struct table *table, struct table_group *group)
{
    if (group->members > 0)
        return;
    unindex_group(table, group);
    suffix_deinit(&group->suffixes);
    free(group);
}

/* --------------------------------------------------------- table, whole -- */

int table_new(struct table **table, const struct table_range *ranges, size_t range_count,
              uint64_t quarantine_ms, const struct siphash_key *key)
{
    struct table *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->hash_key = *key;
    int r = slots_init(&made->slots, ranges, range_count, quarantine_ms);
    if (r == 0) {
        size_t buckets = 16;
        while (buckets < made->slots.count)
            buckets *= 2;
        made->bucket_mask = buckets - 1;
        made->entries = calloc(buckets, sizeof(struct table_entry *));
        made->groups = calloc(buckets, sizeof(struct table_group *));
        if (!made->entries || !made->groups)
            r = -ENOMEM;
    }
    *table = r < 0 ? table_free(made) : made;
    return r;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    assert(table->count == 0);
    roster_deinit(&table->roster);
    slots_deinit(&table->slots);
    pa_buf_deinit(&table->scratch);
    pa_buf_deinit(&table->line);
    free(table->entries);
    free(table->groups);
    free(table);
    return NULL;
}

size_t table_count(const struct table *table)
{
    return table->count;
}

size_t table_capacity(const struct table *table)
{
    return table->slots.count;
}

const struct table_entry *table_find(const struct table *table, const char *name,
                                     const char *user)
{
    return find_entry(table, hash_names(table, name, strlen(name), user), name, user);
}

/* ----------------------------------------------------------- allocating -- */

/* The name an allocation will bear. */
struct bearing {
    uint32_t suffix;
    uint64_t hash;
    size_t size; /* bytes of the name, its NUL not counted */
};

/* Writes the name with the suffix of *bearing into the scratch buffer, and its size and hash.
 */
static int form_name(struct table *table, const struct table_group *group,
                     struct bearing *bearing)
{
    char tail[1 + PA_TEXT_DECIMAL_BYTES] = "_";
    size_t tail_size = 1 + pa_text_decimal(tail + 1, bearing->suffix);
    table->scratch.size = 0;
    int r = pa_buf_append_string(&table->scratch, group->name);
    if (r == 0)
        r = pa_buf_append(&table->scratch, tail, tail_size + 1);
    if (r < 0)
        return r;
    bearing->size = table->scratch.size - 1;
    bearing->hash = hash_names(table, table->scratch.data, bearing->size, group->user);
    return 0;
}

/*
 * Chooses a suffix that makes a name nobody bears. One that another application
 * bears as its plain name counts as taken from then on, until that application
 * lets go of it: see give_back_suffix().
 */
static int choose_suffix(struct table *table, struct table_group *group,
                         struct bearing *bearing)
{
    for (;;) {
        bearing->suffix = suffix_lowest_above(&group->suffixes, 0);
        int r = form_name(table, group, bearing);
        if (r == 0)
            r = suffix_reserve(&group->suffixes, bearing->suffix);
        if (r < 0 || !find_entry(table, bearing->hash, table->scratch.data, group->user))
            return r;
        suffix_take(&group->suffixes, bearing->suffix);
    }
}

/* Chooses a name that nobody bears; it is in the table's scratch buffer afterwards. */
static int choose_name(struct table *table, struct table_group *group, struct bearing *bearing)
{
    *bearing = (struct bearing){.suffix = 0, .hash = group->hash, .size = strlen(group->name)};
    if (find_entry(table, group->hash, group->name, group->user))
        return choose_suffix(table, group, bearing);
    table->scratch.size = 0;
    return pa_buf_append(&table->scratch, group->name, bearing->size + 1);
}

/* Splits a name of the form BASE_NUMBER as a suffix makes it; false for any other. */
static bool read_suffix(const char *name, size_t *base_size, uint32_t *suffix)
{
    const char *mark = strrchr(name, '_');
    if (!mark || mark == name || mark[1] < '1' || mark[1] > '9')
        return false;
    char *end;
    unsigned long number = strtoul(mark + 1, &end, 10);
    if (*end || number > UINT32_MAX)
        return false;
    *base_size = (size_t)(mark - name);
    *suffix = (uint32_t)number;
    return true;
}

/* The name of `entry` is free: as its group's suffix, or as one that another group met. */
static void give_back_suffix(struct table *table, const struct table_entry *entry)
{
    size_t base_size;
    uint32_t suffix;
    struct table_group *group = NULL;
    if (entry->suffix > 0) {
        suffix_give(&entry->group->suffixes, entry->suffix);
        return;
    }
    if (read_suffix(entry->name, &base_size, &suffix))
        group = find_group(table, hash_names(table, entry->name, base_size, entry->user),
                           entry->name, base_size, entry->user);
    if (group && suffix_is_taken(&group->suffixes, suffix))
        suffix_give(&group->suffixes, suffix);
}

/*
 * Makes the entry: the struct, and behind it its name, which choose_name() left
 * in the scratch buffer, and its line in LIST with room for any port.
 */
static struct table_entry *entry_new(struct table *table, struct table_group *group,
                                     const struct bearing *bearing)
{
    const struct pa_buf *scratch = &table->scratch;
    struct pa_buf *line = &table->line;
    size_t line_at = bearing->size + 1;
    line->size = 0;
    if (pa_wire_append_port(line, UINT16_MAX, scratch->data, group->user) < 0)
        return NULL;
    struct table_entry *entry = malloc(sizeof *entry + line_at + line->size);
    if (!entry)
        return NULL;
    char *name = (char *)(entry + 1);
    memcpy(name, scratch->data, line_at);
    memcpy(name + line_at, line->data, line->size);
    *entry = (struct table_entry){
        .name = name,
        .user = group->user,
        .group = group,
        .hash = bearing->hash,
        .suffix = bearing->suffix,
        .item = {.key = group->key, .line_size = (uint32_t)line->size},
    };
    return entry;
}

/* Writes the port right before the rest of the line. */
static void entry_set_port(struct table_entry *entry, uint16_t port)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    size_t size = pa_text_decimal(digits, port);
    char *line = (char *)(entry + 1) + strlen(entry->name) + 1 + PORT_DIGITS - size;
    memcpy(line, digits, size);
    entry->port = port;
    entry->item.port = port;
    entry->item.line = line;
    entry->item.line_size -= (uint32_t)(PORT_DIGITS - size);
}

static void owner_add(struct table_owner *owner, struct table_entry *entry)
{
    entry->owner = owner;
    entry->owner_previous = NULL;
    entry->owner_next = owner->first;
    if (owner->first)
        owner->first->owner_previous = entry;
    owner->first = entry;
    owner->count += 1;
}

static void owner_remove(struct table_entry *entry)
{
    struct table_owner *owner = entry->owner;
    if (entry->owner_previous)
        entry->owner_previous->owner_next = entry->owner_next;
    else
        owner->first = entry->owner_next;
    if (entry->owner_next)
        entry->owner_next->owner_previous = entry->owner_previous;
    owner->count -= 1;
}

/* Nothing here can fail. */
static void commit(struct table *table, struct table_owner *owner, struct table_entry *entry,
                   uint32_t slot)
{
    entry->slot = slot;
    table->slots.slot[slot].entry = entry;
    if (entry->suffix > 0)
        suffix_take(&entry->group->suffixes, entry->suffix);
    entry->group->members += 1;
    index_entry(table, entry);
    roster_add(&table->roster, &entry->item);
    owner_add(owner, entry);
    table->count += 1;
}

static int allocate_in(struct table *table, struct table_group *group,
                       struct table_owner *owner, uint64_t now_ms,
                       const struct table_prober *prober, struct table_entry **entry)
{
    struct bearing bearing;
    int r = choose_name(table, group, &bearing);
    if (r == 0)
        r = roster_reserve(&table->roster);
    if (r < 0)
        return r;
    struct table_entry *made = entry_new(table, group, &bearing);
    if (!made)
        return -ENOMEM;
    uint32_t slot;
    r = slots_take(&table->slots, now_ms, prober, &slot);
    if (r != 0) {
        free(made);
        return r;
    }
    entry_set_port(made, table->slots.slot[slot].port);
    commit(table, owner, made, slot);
    *entry = made;
    return 0;
}

int table_allocate(struct table *table, struct table_owner *owner, const char *name,
                   const char *user, uint64_t now_ms, const struct table_prober *prober,
                   struct table_entry **entry)
{
    uint64_t hash = hash_names(table, name, strlen(name), user);
    struct table_group *group = find_group(table, hash, name, strlen(name), user);
    if (!group)
        group = group_new(table, hash, name, user);
    if (!group)
        return -ENOMEM;
    int r = allocate_in(table, group, owner, now_ms, prober, entry);
    group_free_if_empty(table, group);
    return r;
}

/* ------------------------------------------------------------ releasing -- */

void table_release(struct table *table, struct table_entry *entry, uint64_t now_ms)
{
    struct table_group *group = entry->group;
    owner_remove(entry);
    roster_remove(&table->roster, &entry->item);
    unindex_entry(table, entry);
    give_back_suffix(table, entry);
    slots_give(&table->slots, entry->slot, now_ms);
    group->members -= 1;
    table->count -= 1;
    free(entry);
    group_free_if_empty(table, group);
}

/* ------------------------------------------------------------- listings -- */

int table_snapshot(struct table *table, struct snapshot **snapshot)
{
    return roster_snapshot(&table->roster, snapshot);
}

int table_append_usage(const struct table *table, struct pa_buf *text)
{
    int r = 0;
    for (size_t i = 0; i < table->slots.count && r == 0; ++i) {
        const struct table_entry *entry = table->slots.slot[i].entry;
        if (!entry)
            continue;
        char digits[PA_TEXT_DECIMAL_BYTES];
        r = pa_buf_append(text, digits, pa_text_decimal(digits, entry->port));
        if (r == 0)
            r = pa_buf_append(text, "\t", 1);
        if (r == 0)
            r = pa_buf_append_string(text, entry->group->name);
        if (r == 0)
            r = pa_buf_append(text, "\t", 1);
        if (r == 0)
            r = pa_buf_append_string(text, entry->user);
        if (r == 0)
            r = pa_buf_append(text, "\n", 1);
    }
    return r;
}
