/* The managed ports and the lines in which the free ones wait. */

#include "slots.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NONE UINT32_MAX /* no slot */

enum {
    RETRY_MS = 5000, /* a port found in use is looked at again after this long */
    PROBES_PER_REQUEST =
        4096,                /* about 20 ms; a longer line of ports in use is walked in turns */
    RESTED_PER_REQUEST = 16, /* more than one, so that a line of rested ports shrinks */
};

/* ---------------------------------------------------------------- lines -- */

static void unlink_slot(struct slots *slots, uint32_t index)
{
    struct slot *slot = &slots->slot[index];
    struct slot_line *line = &slots->line[slot->queue];
    if (slot->previous != NONE)
        slots->slot[slot->previous].next = slot->next;
    else
        line->front = slot->next;
    if (slot->next != NONE)
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
    slot->next = NONE;
    slot->previous = line->back;
    if (line->back != NONE)
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
    slot->previous = NONE;
    slot->next = line->front;
    if (line->front != NONE)
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
        slots->line[i] = (struct slot_line){NONE, NONE, 0};
    for (size_t i = 0; i < range_count; ++i)
        slots->count += (size_t)(ranges[i].high - ranges[i].low) + 1;
    slots->slot = calloc(slots->count + 1, sizeof *slots->slot);
    if (!slots->slot)
        return -ENOMEM;
    fill(slots, ranges, range_count);
    int r = line_up(slots);
    if (r < 0)
        slots_deinit(slots);
    return r;
}

void slots_deinit(struct slots *slots)
{
    free(slots->slot);
    *slots = (struct slots)SLOTS_NULL;
}

/* --------------------------------------------------------------- taking -- */

/* One request's search. */
struct search {
    struct slots *slots;
    const struct table_prober *prober;
    uint64_t now_ms;
    unsigned probes_left;
};

/* Ports whose time has come stand in line again, a few at each request. */
static void wake(struct slots *slots, uint64_t now_ms)
{
    struct slot_line *resting = &slots->line[SLOT_RESTING];
    for (int i = 0; i < RESTED_PER_REQUEST && resting->front != NONE; ++i) {
        uint32_t index = resting->front;
        if (now_ms - slots->slot[index].since_ms < slots->quarantine_ms)
            break;
        move_to_back(slots, SLOT_READY, index);
    }
    uint32_t blocked = slots->line[SLOT_BLOCKED].front;
    if (blocked != NONE && now_ms - slots->slot[blocked].since_ms >= RETRY_MS)
        move_to_back(slots, SLOT_READY, blocked);
}

/*
 * Probes up to `limit` ports from the front of a line until one is fit to give
 * out; the others go to the end of the blocked line.
 */
static int walk(struct search *search, enum slot_queue queue, size_t limit,
                enum table_port_state worst, uint32_t *index)
{
    struct slots *slots = search->slots;
    for (; limit > 0 && slots->line[queue].front != NONE; --limit) {
        if (search->probes_left == 0)
            break;
        search->probes_left -= 1;
        uint32_t front = slots->line[queue].front;
        struct slot *slot = &slots->slot[front];
        int state = search->prober->probe(search->prober->context, slot->port);
        if (state < 0)
            return state;
        if (state <= (int)worst) {
            unlink_slot(slots, front);
            slot->queue = SLOT_HELD;
            *index = front;
            return 0;
        }
        slot->since_ms = search->now_ms;
        move_to_back(slots, SLOT_BLOCKED, front);
    }
    return TABLE_E_NO_FREE_PORTS;
}

int slots_take(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
               uint32_t *index)
{
    struct search search = {slots, prober, now_ms, PROBES_PER_REQUEST};
    wake(slots, now_ms);
    int r = walk(&search, SLOT_READY, SIZE_MAX, TABLE_PORT_FREE, index);
    if (r == TABLE_E_NO_FREE_PORTS)
        r = walk(&search, SLOT_RESTING, SIZE_MAX, TABLE_PORT_FREE, index);
    if (r == TABLE_E_NO_FREE_PORTS)
        r = walk(&search, SLOT_BLOCKED, slots->line[SLOT_BLOCKED].count, TABLE_PORT_LINGERING,
                 index);
    return r;
}

void slots_give(struct slots *slots, uint32_t index, uint64_t now_ms)
{
    struct slot *slot = &slots->slot[index];
    assert(slot->queue == SLOT_HELD);
    slot->entry = NULL;
    if (slots->quarantine_ms == 0) {
        push_front(slots, SLOT_READY, index);
        return;
    }
    slot->since_ms = now_ms;
    push_back(slots, SLOT_RESTING, index);
}
