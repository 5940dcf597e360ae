/* The queue itself. */

#include "ring.h"

enum {
    DOUBTS_MAX = 8,      /* looks at memory that makes no sense, before saying so */
    PREFETCH_SLOTS = 16, /* ahead of a sender: four lines of four slots */
    MEASURES_MAX = 64,   /* before a count is given as it was seen */
};

void ring_init(struct ring *ring, struct segment *segment)
{
    ring->segment = segment;
    ring->slots = (struct slot *)(void *)((char *)segment + SEGMENT_SLOTS_AT);
    ring->log2 = segment->slots_log2;
    ring->mask = ((uint64_t)1 << ring->log2) - 1;
    ring->count = segment->count;
}

/* Where a number is that does not fit its slot: far behind the head, or nowhere. */
static int find_again(const struct ring *ring, uint64_t *number, unsigned *doubts)
{
    uint64_t head = atomic_load_explicit(&ring->segment->head, memory_order_acquire);
    if (head & HEAD_DEAD)
        return RING_DEAD;
    if ((int64_t)(head - *number) > 0)
        *number = head;
    else if (++*doubts > DOUBTS_MAX)
        return RING_DAMAGED;
    return 0;
}

/* Is there no room for message `number`? Asked when its slot was seen free. */
static int check_room(const struct ring *ring, uint64_t *number)
{
    struct segment *segment = ring->segment;
    uint64_t seen = atomic_load_explicit(&segment->head_seen, memory_order_relaxed);
    if (*number - seen < ring->count)
        return 0;
    uint64_t head = atomic_load_explicit(&segment->head, memory_order_acquire);
    if (head & HEAD_DEAD)
        return RING_DEAD;
    atomic_store_explicit(&segment->head_seen, head, memory_order_relaxed);
    return (int64_t)(*number - head) >= (int64_t)ring->count ? RING_FULL : 0;
}

/*
 * Puts a tag and a value into the first free slot. With `bounded` only while
 * fewer than `count` messages wait; without, there is always the slot more
 * that segment_log2() sees to.
 */
static inline int put(const struct ring *ring, slot_tag mark, long value, bool bounded)
{
    struct segment *segment = ring->segment;
    uint64_t number = atomic_load_explicit(&segment->tail, memory_order_acquire);
    unsigned doubts = 0;
    for (;;) {
        struct slot *slot = ring_slot(ring, number);
        slot_tag tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
        int r = 0;
        if (tag == ring_tag_before(ring, number)) {
            r = bounded ? check_room(ring, &number) : 0;
            if (r == 0 && ring_change(slot, tag, ring_tag(ring, number) | mark, value)) {
                if (!mark)
                    ring_advance(segment, number + 1);
                ring_fetch_ahead(ring, number);
                return 0;
            }
        } else if (tag & SLOT_TOMB) {
            r = RING_DEAD;
        } else if (tag == ring_tag(ring, number)) {
            number += 1;
        } else {
            r = find_again(ring, &number, &doubts);
        }
        if (r != 0)
            return r;
    }
}

int ring_push(const struct ring *ring, long value)
{
    return put(ring, 0, value, true);
}

/* Nothing was found at the head, number `head`: what does that mean? 0: look again. */
static int explain(const struct ring *ring, uint64_t *head, slot_tag tag, unsigned *doubts)
{
    uint64_t now = atomic_load_explicit(&ring->segment->head, memory_order_acquire);
    if (now != *head) {
        *head = now;
        return 0;
    }
    if (tag == ring_tag_before(ring, *head))
        return RING_EMPTY;
    if (tag & SLOT_TOMB)
        return RING_DEAD;
    return ++*doubts > DOUBTS_MAX ? RING_DAMAGED : 0;
}

int ring_pop(const struct ring *ring, long *values, size_t n, size_t *taken)
{
    struct segment *segment = ring->segment;
    uint64_t head = atomic_load_explicit(&segment->head, memory_order_acquire);
    unsigned doubts = 0;
    while (!(head & HEAD_DEAD)) {
        slot_tag tag = 0;
        size_t k = 0;
        for (; k < n; ++k) {
            struct slot *slot = ring_slot(ring, head + k);
            tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
            if (tag != ring_tag(ring, head + k))
                break;
            values[k] = atomic_load_explicit(&slot->value, memory_order_relaxed);
        }
        if (k > 0) {
            if (atomic_compare_exchange_strong(&segment->head, &head, head + k)) {
                *taken = k;
                return 0;
            }
            continue;
        }
        int r = explain(ring, &head, tag, &doubts);
        if (r != 0)
            return r;
    }
    return RING_DEAD;
}

int ring_pop_below(const struct ring *ring, uint64_t limit, long *value)
{
    struct segment *segment = ring->segment;
    uint64_t head = atomic_load_explicit(&segment->head, memory_order_acquire);
    unsigned doubts = 0;
    while (!(head & HEAD_DEAD)) {
        if ((int64_t)(limit - head) <= 0)
            return RING_EMPTY;
        struct slot *slot = ring_slot(ring, head);
        slot_tag tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
        if (tag != ring_tag(ring, head)) {
            int r = explain(ring, &head, tag, &doubts);
            if (r != 0)
                return r;
            continue;
        }
        *value = atomic_load_explicit(&slot->value, memory_order_relaxed);
        if (atomic_compare_exchange_strong(&segment->head, &head, head + 1))
            return 0;
    }
    return RING_DEAD;
}

int ring_measure(const struct ring *ring, uint64_t *waiting, uint64_t *next)
{
    struct segment *segment = ring->segment;
    for (unsigned i = 0;; ++i) {
        uint64_t head = atomic_load_explicit(&segment->head, memory_order_acquire);
        if (head & HEAD_DEAD)
            return RING_DEAD;
        uint64_t number = atomic_load_explicit(&segment->tail, memory_order_acquire);
        if ((int64_t)(number - head) < 0)
            number = head;
        while (number - head <= ring->count &&
               atomic_load_explicit(&ring_slot(ring, number)->tag, memory_order_acquire) ==
                   ring_tag(ring, number))
            number += 1;
        uint64_t now = atomic_load_explicit(&segment->head, memory_order_acquire);
        if (now != head && i < MEASURES_MAX)
            continue;
        if (now == head && number - head > ring->count)
            return RING_DAMAGED;
        *waiting = number - head < ring->count ? number - head : ring->count;
        *next = number;
        return 0;
    }
}

int ring_kill(const struct ring *ring)
{
    struct segment *segment = ring->segment;
    int r = put(ring, SLOT_TOMB, 0, false);
    if (r == RING_DAMAGED)
        return r;
    atomic_fetch_or(&segment->head, HEAD_DEAD);
    return 0;
}

int ring_drain(const struct ring *ring, long *value)
{
    struct segment *segment = ring->segment;
    uint64_t head = atomic_load_explicit(&segment->head, memory_order_acquire);
    for (;;) {
        uint64_t number = head & ~HEAD_DEAD;
        struct slot *slot = ring_slot(ring, number);
        slot_tag tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
        if (tag & SLOT_TOMB)
            return RING_EMPTY;
        if (tag != ring_tag(ring, number))
            return RING_DAMAGED;
        *value = atomic_load_explicit(&slot->value, memory_order_relaxed);
        if (atomic_compare_exchange_strong(&segment->head, &head, head + 1))
            return 0;
    }
}
