/* The reply to LIST, rendered once per change. */

#include "roster.h"

#include "pa_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

void roster_deinit(struct roster *roster)
{
    assert(roster->count == 0);
    snapshot_unref(roster->snapshot);
    free(roster->sorted);
    free(roster->added);
    *roster = (struct roster)ROSTER_NULL;
}

/* -------------------------------------------------------------- changes -- */

static void forget_snapshot(struct roster *roster)
{
    roster->snapshot = snapshot_unref(roster->snapshot);
}

int roster_reserve(struct roster *roster)
{
    if (roster->added_count < roster->added_capacity)
        return 0;
    size_t capacity = roster->added_capacity ? 2 * roster->added_capacity : FIRST_CAPACITY;
    struct roster_item **added = realloc(roster->added, capacity * sizeof *added);
    if (!added)
        return -ENOMEM;
    roster->added = added;
    roster->added_capacity = capacity;
    return 0;
}

void roster_add(struct roster *roster, struct roster_item *item)
{
    assert(roster->added_count < roster->added_capacity);
    item->sorted = false;
    item->position = (uint32_t)roster->added_count;
    roster->added[roster->added_count++] = item;
    roster->count += 1;
    roster->size += item->line_size;
    forget_snapshot(roster);
}

void roster_remove(struct roster *roster, struct roster_item *item)
{
    if (item->sorted) {
        assert(roster->sorted[item->position] == item);
        roster->sorted[item->position] = NULL;
    } else {
        assert(roster->added[item->position] == item);
        struct roster_item *last = roster->added[--roster->added_count];
        roster->added[item->position] = last;
        last->position = item->position;
    }
    roster->count -= 1;
    roster->size -= item->line_size;
    forget_snapshot(roster);
}

/* ------------------------------------------------------------- sorting -- */

/* The number as five digits, left-justified, so that it compares as a string does. */
static uint32_t justified(uint16_t port)
{
    uint32_t number = port;
    while (number > 0 && number < 10000)
        number *= 10;
    return number;
}

int roster_compare_ports(uint16_t a, uint16_t b)
{
    uint32_t x = justified(a);
    uint32_t y = justified(b);
    if (x != y)
        return x < y ? -1 : 1;
    return (a > b) - (a < b); /* 9 and 90: the shorter string is first */
}

int roster_compare(const struct roster_item *a, const struct roster_item *b)
{
    /* Lines of one application and user share their key. */
    int order = a->key == b->key ? 0 : strcmp(a->key, b->key);
    return order ? order : roster_compare_ports(a->port, b->port);
}

static int compare_pointers(const void *a, const void *b)
{
    return roster_compare(*(struct roster_item *const *)a, *(struct roster_item *const *)b);
}

static void place(struct roster_item **to, size_t position, struct roster_item *item)
{
    to[position] = item;
    item->sorted = true;
    item->position = (uint32_t)position;
}

/* Merges the sorted part without its NULLs and the added items into `to`. */
static void merge(struct roster *roster, struct roster_item **to)
{
    size_t s = 0, a = 0, n = 0;
    while (n < roster->count) {
        while (s < roster->sorted_count && !roster->sorted[s])
            ++s;
        bool from_added = s == roster->sorted_count ||
                          (a < roster->added_count &&
                           roster_compare(roster->added[a], roster->sorted[s]) < 0);
        place(to, n++, from_added ? roster->added[a++] : roster->sorted[s++]);
    }
    assert(a == roster->added_count);
}

static int sort_lines(struct roster *roster)
{
    if (roster->added_count == 0 && roster->sorted_count == roster->count)
        return 0;
    struct roster_item **sorted = malloc((roster->count + 1) * sizeof(struct roster_item *));
    if (!sorted)
        return -ENOMEM;
    if (roster->added_count > 1)
        qsort(roster->added, roster->added_count, sizeof *roster->added, compare_pointers);
    merge(roster, sorted);
    free(roster->sorted);
    roster->sorted = sorted;
    roster->sorted_count = roster->count;
    roster->added_count = 0;
    return 0;
}

/* ------------------------------------------------------------ snapshots -- */

/* The reply of the lines as they are sorted, or NULL without memory. */
static struct snapshot *render(const struct roster *roster)
{
    struct pa_buf head = PA_BUF_NULL;
    if (pa_wire_append_ok(&head, roster->count) < 0)
        return NULL;
    struct snapshot *snapshot = snapshot_new(head.size + roster->size);
    if (snapshot) {
        memcpy(snapshot->text, head.data, head.size);
        char *end = snapshot->text + head.size;
        for (size_t i = 0; i < roster->sorted_count; ++i) {
            const struct roster_item *item = roster->sorted[i];
            memcpy(end, item->line, item->line_size);
            end += item->line_size;
        }
    }
    pa_buf_deinit(&head);
    return snapshot;
}

int roster_snapshot(struct roster *roster, struct snapshot **snapshot)
{
    if (!roster->snapshot) {
        int r = sort_lines(roster);
        if (r < 0)
            return r;
        roster->snapshot = render(roster);
    }
    if (!roster->snapshot)
        return -ENOMEM;
    *snapshot = snapshot_ref(roster->snapshot);
    return 0;
}

int roster_visit(struct roster *roster, roster_visitor *visit, void *context)
{
    int r = sort_lines(roster);
    if (r < 0)
        return r;
    for (size_t i = 0; i < roster->sorted_count; ++i)
        if (roster->sorted[i] && !visit(context, roster->sorted[i]))
            break;
    return 0;
}

struct snapshot *snapshot_new(size_t size)
{
    struct snapshot *snapshot = malloc(sizeof *snapshot + size);
    if (snapshot) {
        snapshot->references = 1;
        snapshot->size = size;
    }
    return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    snapshot->references += 1;
    return snapshot;
}

struct snapshot *snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot && --snapshot->references == 0)
        free(snapshot);
    return NULL;
}
