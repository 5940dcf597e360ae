/* The managed ports and the lines in which the free ones wait. */

#include "slots.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    RETRY_MS = 5000, /* a port found in use is looked at again after this long */
    PROBES_PER_REQUEST =
        4096,                /* about 20 ms; a longer line of ports in use is walked in turns */
    DOUBTS_PER_REQUEST = 2,  /* closer looks in vain, some ms */
    RESTED_PER_REQUEST = 16, /* more than one, so that a line of rested ports shrinks */
};

/* ---------------------------------------------------------------- lines -- */

static void unlink_slot(struct slots *slots, uint32_t index)
{
    struct slot *slot = &slots->slot[index];
    struct slot_line *line = &slots->line[slot->queue];
    if (slot->previous != SLOT_NONE)
        slots->slot[slot->previous].next = slot->next;
    else
        line->front = slot->next;
    if (slot->next != SLOT_NONE)
        slots->slot[slot->next].previous = slot->previous;
    else
        line->back = slot->previous;
    line->count -= 1;
}

static void push_back(struct slots *slots, enum slot_queue queue, uint32_t index)
{
    struct slot *slot = &slots->slot[index];
    struct slot_line *line = &slots->line[queue];
    slot->queue = (uint8_t)queue;
    slot->next = SLOT_NONE;
    slot->previous = line->back;
    if (line->back != SLOT_NONE)
        slots->slot[line->back].next = index;
    else
        line->front = index;
    line->back = index;
    line->count += 1;
}

static void push_front(struct slots *slots, enum slot_queue queue, uint32_t index)
{
    struct slot *slot = &slots->slot[index];
    struct slot_line *line = &slots->line[queue];
    slot->queue = (uint8_t)queue;
    slot->previous = SLOT_NONE;
    slot->next = line->front;
    if (line->front != SLOT_NONE)
        slots->slot[line->front].previous = index;
    else
        line->back = index;
    line->front = index;
    line->count += 1;
}

static void move_to_back(struct slots *slots, enum slot_queue queue, uint32_t index)
{
    unlink_slot(slots, index);
    push_back(slots, queue, index);
}

/* ------------------------------------------------------ making the slots -- */

static int compare_slots(const void *a, const void *b)
{
    return roster_compare_ports(((const struct slot *)a)->port, ((const struct slot *)b)->port);
}

static void fill(struct slots *slots, const struct table_range *ranges, size_t range_count)
{
    size_t n = 0;
    for (size_t i = 0; i < range_count; ++i)
        for (uint32_t port = ranges[i].low; port <= ranges[i].high; ++port)
            slots->slot[n++].port = (uint16_t)port;
    qsort(slots->slot, slots->count, sizeof *slots->slot, compare_slots);
    slots->low = UINT16_MAX;
    for (uint32_t i = 0; i < slots->count; ++i) {
        uint16_t port = slots->slot[i].port;
        slots->by_port[port] = i + 1;
        slots->low = port < slots->low ? port : slots->low;
        slots->high = port > slots->high ? port : slots->high;
    }
}

struct turn {
    uint32_t index;
    uint16_t port;
};

static int compare_turns(const void *a, const void *b)
{
    return (int)((const struct turn *)b)->port - (int)((const struct turn *)a)->port;
}

/* Lines all ports up as ready, the highest in front. */
static int line_up(struct slots *slots)
{
    struct turn *turns = malloc((slots->count + 1) * sizeof *turns);
    if (!turns)
        return -ENOMEM;
    for (uint32_t i = 0; i < slots->count; ++i)
        turns[i] = (struct turn){i, slots->slot[i].port};
    qsort(turns, slots->count, sizeof *turns, compare_turns);
    for (size_t i = 0; i < slots->count; ++i)
        push_back(slots, SLOT_READY, turns[i].index);
    free(turns);
    return 0;
}

int slots_init(struct slots *slots, const struct table_range *ranges, size_t range_count,
               uint64_t quarantine_ms)
{
    *slots = (struct slots)SLOTS_NULL;
    slots->quarantine_ms = quarantine_ms;
    for (size_t i = 0; i < SLOT_QUEUES; ++i)
        slots->line[i] = (struct slot_line){SLOT_NONE, SLOT_NONE, 0};
    for (size_t i = 0; i < range_count; ++i)
        slots->count += (size_t)(ranges[i].high - ranges[i].low) + 1;
    slots->slot = calloc(slots->count + 1, sizeof *slots->slot);
    slots->by_port = calloc(UINT16_MAX + 1, sizeof *slots->by_port);
    int r = slots->slot && slots->by_port ? 0 : -ENOMEM;
    if (r == 0) {
        fill(slots, ranges, range_count);
        r = line_up(slots);
    }
    if (r < 0)
        slots_deinit(slots);
    return r;
}

void slots_deinit(struct slots *slots)
{
    free(slots->slot);
    free(slots->by_port);
    *slots = (struct slots)SLOTS_NULL;
}

/* --------------------------------------------------------------- taking -- */

/* One request's search. */
struct search {
    struct slots *slots;
    const struct table_prober *prober;
    uint64_t now_ms;
    unsigned probes_left;
    unsigned doubts_left;
};

/* Ports whose time has come stand in line again, a few at each request. */
static void wake(struct slots *slots, uint64_t now_ms)
{
    struct slot_line *resting = &slots->line[SLOT_RESTING];
    for (int i = 0; i < RESTED_PER_REQUEST && resting->front != SLOT_NONE; ++i) {
        uint32_t index = resting->front;
        if (now_ms - slots->slot[index].since_ms < slots->quarantine_ms)
            break;
        move_to_back(slots, SLOT_READY, index);
    }
    uint32_t blocked = slots->line[SLOT_BLOCKED].front;
    if (blocked != SLOT_NONE && now_ms - slots->slot[blocked].since_ms >= RETRY_MS)
        move_to_back(slots, SLOT_READY, blocked);
}

/* Whether a port that lingers may go out. */
static bool is_confirmed(struct search *search, uint16_t port)
{
    const struct table_prober *prober = search->prober;
    if (!prober->confirm)
        return true;
    if (search->doubts_left == 0)
        return false;
    if (prober->confirm(prober->context, port) == TABLE_PORT_LINGERING)
        return true;
    search->doubts_left -= 1;
    return false;
}

/*
 * Tries one port: 0 when it is fit to give out, TABLE_E_IN_USE when it is not, or the probe's
 * negative errno.
 */
static int try_port(struct search *search, uint16_t port, enum table_port_state worst)
{
    const struct table_prober *prober = search->prober;
    int state = prober->probe(prober->context, port);
    if (state < 0)
        return state;
    if (state <= (int)worst && (state == TABLE_PORT_FREE || is_confirmed(search, port)))
        return 0;
    if (state != TABLE_PORT_IN_USE && prober->drop)
        prober->drop(prober->context, port);
    return TABLE_E_IN_USE;
}

static void take(struct slots *slots, uint32_t index)
{
    unlink_slot(slots, index);
    slots->slot[index].before = slots->slot[index].queue;
    slots->slot[index].queue = SLOT_ALLOCATED;
}

static void block(struct slots *slots, uint32_t index, uint64_t now_ms)
{
    slots->slot[index].since_ms = now_ms;
    move_to_back(slots, SLOT_BLOCKED, index);
}

/*
 * Probes up to `limit` ports from the front of a line until one is fit to give
 * out; the others go to the end of the blocked line.
 */
static int walk(struct search *search, enum slot_queue queue, size_t limit,
                enum table_port_state worst, uint32_t *index)
{
    struct slots *slots = search->slots;
    for (; limit > 0 && slots->line[queue].front != SLOT_NONE; --limit) {
        if (search->probes_left == 0)
            break;
        search->probes_left -= 1;
        uint32_t front = slots->line[queue].front;
        int r = try_port(search, slots->slot[front].port, worst);
        if (r < 0)
            return r;
        if (r == 0) {
            take(slots, front);
            *index = front;
            return 0;
        }
        block(slots, front, search->now_ms);
    }
    return TABLE_E_NO_FREE_PORTS;
}

int slots_take(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
               uint32_t *index)
{
    struct search search = {slots, prober, now_ms, PROBES_PER_REQUEST, DOUBTS_PER_REQUEST};
    wake(slots, now_ms);
    int r = walk(&search, SLOT_READY, SIZE_MAX, TABLE_PORT_FREE, index);
    if (r == TABLE_E_NO_FREE_PORTS)
        r = walk(&search, SLOT_RESTING, SIZE_MAX, TABLE_PORT_FREE, index);
    if (r == TABLE_E_NO_FREE_PORTS)
        r = walk(&search, SLOT_BLOCKED, slots->line[SLOT_BLOCKED].count, TABLE_PORT_LINGERING,
                 index);
    return r;
}

uint32_t slots_find(const struct slots *slots, uint16_t port)
{
    return slots->by_port[port] - 1;
}

/* Looks at a port of one's choice. Returns as slots_take_port() does. */
static int look_at(struct search *search, uint16_t port, uint32_t *index)
{
    const struct slots *slots = search->slots;
    *index = slots_find(slots, port);
    if (*index == SLOT_NONE)
        return TABLE_E_NOT_MANAGED;
    if (slots->slot[*index].queue == SLOT_ALLOCATED)
        return TABLE_E_IN_USE;
    return try_port(search, port, TABLE_PORT_LINGERING);
}

/* Does what follows from what look_at() returned. */
static void settle(struct slots *slots, uint64_t now_ms, uint32_t index, int r)
{
    if (r == 0)
        take(slots, index);
    else if (r == TABLE_E_IN_USE && slots->slot[index].queue != SLOT_ALLOCATED)
        block(slots, index, now_ms);
}

int slots_take_port(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
                    uint16_t port, uint32_t *index)
{
    struct search search = {slots, prober, now_ms, 1, DOUBTS_PER_REQUEST};
    int r = look_at(&search, port, index);
    settle(slots, now_ms, *index, r);
    return r;
}

/* ---------------------------------------------------------------- blocks -- */

/* May a port be tried for a row? In the first pass only those that have rested. */
static bool is_candidate(const struct slots *slots, uint32_t index, bool rested)
{
    if (index == SLOT_NONE)
        return false;
    uint8_t queue = slots->slot[index].queue;
    return queue == SLOT_READY || (!rested && queue != SLOT_ALLOCATED);
}

/* Gives back what was taken of a row: from indices[from] on, the one taken last first. */
static void undo_from(struct slots *slots, const struct table_prober *prober,
                      const uint32_t *indices, size_t from, size_t count)
{
    for (size_t i = from; i < count; ++i) {
        if (prober->drop)
            prober->drop(prober->context, slots->slot[indices[i]].port);
        slots_undo(slots, indices[i]);
    }
}

/*
 * Takes the row that ends with the port `highest`, from above. 0, TABLE_E_IN_USE with *bad the
 * port that is not to be had, or the probe's negative errno.
 */
static int take_row(struct search *search, uint16_t highest, size_t count, uint32_t *indices,
                    uint16_t *bad)
{
    struct slots *slots = search->slots;
    for (size_t i = count; i-- > 0;) {
        uint16_t port = (uint16_t)(highest - (count - 1 - i));
        int r = look_at(search, port, &indices[i]);
        search->probes_left -= 1;
        if (r != 0)
            undo_from(slots, search->prober, indices, i + 1, count);
        settle(slots, search->now_ms, indices[i], r);
        if (r == 0)
            continue;
        *bad = port;
        return r < 0 ? r : TABLE_E_IN_USE;
    }
    return 0;
}

/* The highest row of candidates. */
static int search_row(struct search *search, bool rested, size_t count, uint32_t *indices)
{
    const struct slots *slots = search->slots;
    size_t length = 0;
    for (uint32_t port = slots->high; port >= slots->low; --port) {
        bool fits = is_candidate(slots, slots_find(slots, (uint16_t)port), rested);
        length = fits ? length + 1 : 0;
        if (length < count)
            continue;
        if (search->probes_left < count)
            break;
        uint16_t bad;
        int r = take_row(search, (uint16_t)(port + count - 1), count, indices, &bad);
        if (r <= 0)
            return r;
        /* What lies below the bad one may still be part of a row. */
        length = (size_t)(bad - port);
    }
    return TABLE_E_NO_BLOCK;
}

int slots_take_block(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
                     uint16_t lowest, size_t count, uint32_t *indices)
{
    struct search search = {slots, prober, now_ms, PROBES_PER_REQUEST, DOUBTS_PER_REQUEST};
    if (lowest > 0) {
        uint16_t bad;
        if (slots_find(slots, lowest) == SLOT_NONE)
            return TABLE_E_NOT_MANAGED;
        if (lowest + count - 1 > UINT16_MAX)
            return TABLE_E_NO_BLOCK;
        int r = take_row(&search, (uint16_t)(lowest + count - 1), count, indices, &bad);
        return r > 0 ? TABLE_E_NO_BLOCK : r;
    }
    wake(slots, now_ms);
    int r = search_row(&search, true, count, indices);
    return r == TABLE_E_NO_BLOCK ? search_row(&search, false, count, indices) : r;
}

/* ------------------------------------------------------------ giving back -- */

void slots_undo(struct slots *slots, uint32_t index)
{
    struct slot *slot = &slots->slot[index];
    struct slot_line *line = &slots->line[slot->before];
    assert(slot->queue == SLOT_ALLOCATED);
    slot->entry = NULL;
    slot->queue = slot->before;
    if (slot->previous != SLOT_NONE)
        slots->slot[slot->previous].next = index;
    else
        line->front = index;
    if (slot->next != SLOT_NONE)
        slots->slot[slot->next].previous = index;
    else
        line->back = index;
    line->count += 1;
}

void slots_give(struct slots *slots, uint32_t index, uint64_t now_ms)
{
    struct slot *slot = &slots->slot[index];
    assert(slot->queue == SLOT_ALLOCATED);
    slot->entry = NULL;
    if (slots->quarantine_ms == 0) {
        push_front(slots, SLOT_READY, index);
        return;
    }
    slot->since_ms = now_ms;
    push_back(slots, SLOT_RESTING, index);
}
