/* Who owns which port: the connection-owned table. */

#include "table.h"

#include "pa_text.h"
#include "pa_wire.h"
#include "slots.h"
#include "suffix.h"
#include "table_index.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_DIGITS = 5 };

struct table {
    struct slots slots;
    struct roster roster;
    struct table_index index;
    size_t count;
    size_t held;           /* of them */
    struct pa_buf scratch; /* the name at hand */
    struct pa_buf line;    /* and its line */
};

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
    table_index_add_group(&table->index, group);
    return group;
}

static void group_free_if_empty(struct table *table, struct table_group *group)
{
    if (group->members > 0)
        return;
    table_index_remove_group(&table->index, group);
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
    int r = slots_init(&made->slots, ranges, range_count, quarantine_ms);
    if (r == 0)
        r = table_index_init(&made->index, made->slots.count, key);
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
    table_index_deinit(&table->index);
    free(table);
    return NULL;
}

size_t table_count(const struct table *table)
{
    return table->count;
}

size_t table_held(const struct table *table)
{
    return table->held;
}

size_t table_capacity(const struct table *table)
{
    return table->slots.count;
}

const struct table_entry *table_find(const struct table *table, const char *name,
                                     const char *user)
{
    return table_index_entry(
        &table->index, table_index_hash(&table->index, name, strlen(name), user), name, user);
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
    bearing->hash =
        table_index_hash(&table->index, table->scratch.data, bearing->size, group->user);
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
        if (r < 0 ||
            !table_index_entry(&table->index, bearing->hash, table->scratch.data, group->user))
            return r;
        suffix_take(&group->suffixes, bearing->suffix);
    }
}

/* Chooses a name that nobody bears; it is in the table's scratch buffer afterwards. */
static int choose_name(struct table *table, struct table_group *group, struct bearing *bearing)
{
    *bearing = (struct bearing){.suffix = 0, .hash = group->hash, .size = strlen(group->name)};
    if (table_index_entry(&table->index, group->hash, group->name, group->user))
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
        group = table_index_group(
            &table->index, table_index_hash(&table->index, entry->name, base_size, entry->user),
            entry->name, base_size, entry->user);
    if (group && suffix_is_taken(&group->suffixes, suffix))
        suffix_give(&group->suffixes, suffix);
}

/*
 * Makes the entry: the struct, and behind it its attributes, its name, which
 * choose_name() left in the scratch buffer, and its line in LIST with room for
 * any port.
 */
static struct table_entry *entry_new(struct table *table, struct table_group *group,
                                     const struct bearing *bearing,
                                     const struct table_request *request)
{
    const struct pa_buf *scratch = &table->scratch;
    struct pa_buf *line = &table->line;
    const char *attributes = request->attributes ? request->attributes : "";
    size_t attributes_size = strlen(attributes) + 1;
    line->size = 0;
    if (pa_wire_append_port(line, UINT16_MAX, scratch->data, group->user) < 0)
        return NULL;
    struct table_entry *entry =
        malloc(sizeof *entry + attributes_size + bearing->size + 1 + line->size);
    if (!entry)
        return NULL;
    char *end = (char *)(entry + 1);
    *entry = (struct table_entry){
        .attributes = lay(&end, attributes, attributes_size - 1),
        .name = lay(&end, scratch->data, bearing->size),
        .user = group->user,
        .uid = request->uid,
        .group = group,
        .hash = bearing->hash,
        .name_hash = table_index_hash_name(&table->index, scratch->data, bearing->size),
        .suffix = bearing->suffix,
        .item = {.key = group->key, .line = end, .line_size = (uint32_t)line->size},
    };
    memcpy(end, line->data, line->size);
    return entry;
}

/* Writes the port right before the rest of the line. */
static void entry_set_port(struct table_entry *entry, uint16_t port)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    size_t size = pa_text_decimal(digits, port);
    char *line = (char *)entry->item.line; /* in the entry's own memory */
    memcpy(line + PORT_DIGITS - size, digits, size);
    entry->port = port;
    entry->item.port = port;
    entry->item.line += PORT_DIGITS - size;
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
                   uint32_t slot, const struct table_prober *prober)
{
    entry->slot = slot;
    entry->held = prober->drop != NULL;
    entry_set_port(entry, table->slots.slot[slot].port);
    table->slots.slot[slot].entry = entry;
    if (entry->suffix > 0)
        suffix_take(&entry->group->suffixes, entry->suffix);
    entry->group->members += 1;
    table_index_add(&table->index, entry);
    roster_add(&table->roster, &entry->item);
    owner_add(owner, entry);
    table->count += 1;
    table->held += entry->held;
}

/* Makes an entry of the group that lacks its port only. */
static int prepare_entry(struct table *table, struct table_group *group,
                         const struct table_request *request, struct table_entry **entry)
{
    struct bearing bearing;
    int r = choose_name(table, group, &bearing);
    if (r == 0)
        r = roster_reserve(&table->roster);
    if (r < 0)
        return r;
    *entry = entry_new(table, group, &bearing, request);
    return *entry ? 0 : -ENOMEM;
}

static int take_slot(struct table *table, const struct table_request *request, uint64_t now_ms,
                     const struct table_prober *prober, uint32_t *slot)
{
    return request->port > 0
               ? slots_take_port(&table->slots, now_ms, prober, request->port, slot)
               : slots_take(&table->slots, now_ms, prober, slot);
}

static int allocate_one(struct table *table, struct table_group *group,
                        struct table_owner *owner, const struct table_request *request,
                        uint64_t now_ms, const struct table_prober *prober,
                        struct table_entry **entry)
{
    struct table_entry *made;
    uint32_t slot;
    int r = prepare_entry(table, group, request, &made);
    if (r < 0)
        return r;
    r = take_slot(table, request, now_ms, prober, &slot);
    if (r != 0) {
        free(made);
        return r;
    }
    commit(table, owner, made, slot, prober);
    *entry = made;
    return 0;
}

/* ------------------------------------------------------------ releasing -- */

/* Takes the entry out of everything but its slot, and frees it. */
static void remove_entry(struct table *table, struct table_entry *entry)
{
    owner_remove(entry);
    roster_remove(&table->roster, &entry->item);
    table_index_remove(&table->index, entry);
    give_back_suffix(table, entry);
    entry->group->members -= 1;
    table->count -= 1;
    table->held -= entry->held;
    free(entry->changed);
    free(entry);
}

void table_release(struct table *table, struct table_entry *entry, uint64_t now_ms)
{
    struct table_group *group = entry->group;
    uint32_t slot = entry->slot;
    remove_entry(table, entry);
    slots_give(&table->slots, slot, now_ms);
    group_free_if_empty(table, group);
}

int table_change(struct table_entry *entry, const char *attributes)
{
    char *copy = strdup(attributes);
    if (!copy)
        return -ENOMEM;
    free(entry->changed);
    entry->changed = copy;
    entry->attributes = copy;
    return 0;
}

/* ---------------------------------------------------------------- rows -- */

/* Lets go of a row, the lowest port first, which was taken last; the first `made` have an
 * entry. */
static void undo_row(struct table *table, const uint32_t *slots, size_t made, size_t count,
                     const struct table_prober *prober)
{
    for (size_t i = 0; i < count; ++i) {
        struct slot *slot = &table->slots.slot[slots[i]];
        if (i < made)
            remove_entry(table, slot->entry);
        if (prober->drop)
            prober->drop(prober->context, slot->port);
        slots_undo(&table->slots, slots[i]);
    }
}

/* Gives each port of a row its entry, the lowest first. */
static int commit_row(struct table *table, struct table_group *group, struct table_owner *owner,
                      const struct table_request *request, const struct table_prober *prober,
                      const uint32_t *slots)
{
    for (size_t i = 0; i < request->count; ++i) {
        struct table_entry *made;
        int r = prepare_entry(table, group, request, &made);
        if (r < 0) {
            undo_row(table, slots, i, request->count, prober);
            return r;
        }
        commit(table, owner, made, slots[i], prober);
    }
    return 0;
}

static int allocate_row(struct table *table, struct table_group *group,
                        struct table_owner *owner, const struct table_request *request,
                        uint64_t now_ms, const struct table_prober *prober,
                        struct table_entry **entry)
{
    uint32_t *slots = calloc(request->count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    int r =
        slots_take_block(&table->slots, now_ms, prober, request->port, request->count, slots);
    if (r == 0)
        r = commit_row(table, group, owner, request, prober, slots);
    if (r == 0)
        *entry = table->slots.slot[slots[0]].entry;
    free(slots);
    return r;
}

int table_allocate(struct table *table, struct table_owner *owner,
                   const struct table_request *request, uint64_t now_ms,
                   const struct table_prober *prober, struct table_entry **entry)
{
    const char *name = request->name;
    size_t name_size = strlen(name);
    uint64_t hash = table_index_hash(&table->index, name, name_size, request->user);
    if (request->exact && table_index_entry(&table->index, hash, name, request->user))
        return TABLE_E_TAKEN;
    struct table_group *group =
        table_index_group(&table->index, hash, name, name_size, request->user);
    if (!group)
        group = group_new(table, hash, name, request->user);
    if (!group)
        return -ENOMEM;
    int r = request->count > 1
                ? allocate_row(table, group, owner, request, now_ms, prober, entry)
                : allocate_one(table, group, owner, request, now_ms, prober, entry);
    group_free_if_empty(table, group);
    return r;
}

/* -------------------------------------------------------------- finding -- */

uint64_t table_hash_name(const struct table *table, const char *name)
{
    return table_index_hash_name(&table->index, name, strlen(name));
}

bool table_manages(const struct table *table, uint16_t port)
{
    return slots_find(&table->slots, port) != SLOT_NONE;
}

struct table_entry *table_at(const struct table *table, uint16_t port)
{
    uint32_t slot = slots_find(&table->slots, port);
    return slot == SLOT_NONE ? NULL : table->slots.slot[slot].entry;
}

static const struct table_entry *entry_of(const struct roster_item *item)
{
    return (const struct table_entry *)((const char *)item -
                                        offsetof(struct table_entry, item));
}

/* What a visit of the roster passes on. */
struct passing {
    table_visit *visit;
    void *context;
};

static bool pass_on(void *context, const struct roster_item *item)
{
    const struct passing *passing = context;
    return passing->visit(passing->context, entry_of(item));
}

static int compare_entries(const void *a, const void *b)
{
    const struct table_entry *const *left = a;
    const struct table_entry *const *right = b;
    return roster_compare(&(*left)->item, &(*right)->item);
}

int table_visit_named(struct table *table, const char *name, table_visit *visit, void *context)
{
    struct passing passing = {visit, context};
    if (!name)
        return roster_visit(&table->roster, pass_on, &passing);
    uint64_t hash = table_index_hash_name(&table->index, name, strlen(name));
    const struct table_index *index = &table->index;
    const struct table_entry *entry = NULL;
    size_t count = 0;
    while ((entry = table_index_named(index, hash, name, entry)))
        count += 1;
    const struct table_entry **found = calloc(count + 1, sizeof *found);
    if (!found)
        return -ENOMEM;
    count = 0;
    while ((entry = table_index_named(index, hash, name, entry)))
        found[count++] = entry;
    qsort(found, count, sizeof *found, compare_entries);
    for (size_t i = 0; i < count && visit(context, found[i]); ++i)
        ;
    free(found);
    return 0;
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
