#ifndef RING_H
#define RING_H

/*
 * The queue itself: no system call, no waiting, nothing but atomic memory.
 *
 * Message number n lies in slot n mod 2^k and bears the tag n / 2^k + 1. A
 * send is one compare-and-swap of a slot, from the tag before to this one; a
 * receive is one compare-and-swap of the head, from n to n + 1, and writes no
 * slot. So a process that dies between any two instructions has either sent
 * or not, either received or not. Everything else is a hint that can be late:
 * `tail` is at most the number of messages sent, `head_seen` at most the head.
 */

#include "segment.h"

#include <stdatomic.h>
#include <stddef.h>

/* A mapped port, with the bounds that were checked when it was mapped. */
struct ring {
    struct segment *segment;
    struct slot *slots;
    uint64_t mask; /* slots - 1 */
    uint64_t count;
    unsigned log2;
};

enum {
    RING_FULL = 1,
    RING_EMPTY,
    RING_DEAD,
    RING_DAMAGED, /* the memory says what no port's memory can say */
};

enum { RING_AHEAD_SLOTS = 8 }; /* two lines of four slots */

/* `segment` is mapped and passed segment_check(). */
void ring_init(struct ring *ring, struct segment *segment);

/* Sends. 0, RING_FULL, RING_DEAD or RING_DAMAGED. */
int ring_push(const struct ring *ring, long value);

/* Receives 1 to `n` messages in one step into values, their number into *taken.
 * 0, RING_EMPTY, RING_DEAD or RING_DAMAGED. */
int ring_pop(const struct ring *ring, long *values, size_t n, size_t *taken);

/* As ring_pop() for one message, of those numbered below `limit` only. */
int ring_pop_below(const struct ring *ring, uint64_t limit, long *value);

/* How many messages wait, and the number the next one will have. 0, RING_DEAD
 * or RING_DAMAGED. */
int ring_measure(const struct ring *ring, uint64_t *waiting, uint64_t *next);

/* Stops senders, then receivers; again is harmless. 0 or RING_DAMAGED. */
int ring_kill(const struct ring *ring);

/* Takes a message that a dead ring still holds. 0, RING_EMPTY or RING_DAMAGED. */
int ring_drain(const struct ring *ring, long *value);

/* The tag of message `number`, and the slot it lies in. */
static inline slot_tag ring_tag(const struct ring *ring, uint64_t number)
{
    return (slot_tag)((number >> ring->log2) + 1) & (slot_tag)~SLOT_TOMB;
}

static inline struct slot *ring_slot(const struct ring *ring, uint64_t number)
{
    return &ring->slots[number & ring->mask];
}

/* The tag that its slot has before. */
static inline slot_tag ring_tag_before(const struct ring *ring, uint64_t number)
{
    return (slot_tag)(number >> ring->log2) & (slot_tag)~SLOT_TOMB;
}

/* Changes both halves of a slot whose tag is `tag`; false: they were changed meanwhile.
 * ThreadSanitizer would put in a lock of this process alone, and so nothing that is atomic
 * between processes. */
__attribute__((no_sanitize("thread"))) static inline bool
ring_change(struct slot *slot, slot_tag tag, slot_tag new_tag, long new_value)
{
    union {
        struct {
            slot_tag tag;
            long value;
        } half;
        slot_pair pair;
    } before = {.half = {tag, atomic_load_explicit(&slot->value, memory_order_relaxed)}},
      after = {.half = {new_tag, new_value}};
    return __sync_bool_compare_and_swap((slot_pair *)slot, before.pair, after.pair);
}

/* Moves the hint, never back by more than another sender has been late. */
static inline void ring_advance(struct segment *segment, uint64_t tail)
{
    if ((int64_t)(tail - atomic_load_explicit(&segment->tail, memory_order_relaxed)) > 0)
        atomic_store_explicit(&segment->tail, tail, memory_order_release);
}

/* Asks for a line in order to write to it. */
static inline void ring_fetch(const struct slot *slot)
{
#if defined(__x86_64__)
    /* __builtin_prefetch() makes a read of it without -mprfchw; all of x86-64 knows this one.
     */
    __asm__ volatile("prefetchw %0" : : "m"(*slot));
#else
    __builtin_prefetch(slot, 1);
#endif
}

/*
 * Asks for the line that will be written soon: its last reader has it, and a
 * locked instruction cannot hide that way. In a small ring the line ahead is
 * one that is being read now.
 */
static inline void ring_fetch_ahead(const struct ring *ring, uint64_t number)
{
    if (ring->mask >= 3 * (uint64_t)RING_AHEAD_SLOTS)
        ring_fetch(ring_slot(ring, number + RING_AHEAD_SLOTS));
}

/*
 * Sends, or receives one, where nothing is in the way; false says nothing but
 * that ring_push() or ring_pop() is to be asked.
 */
static inline bool ring_try_push(const struct ring *ring, long value)
{
    struct segment *segment = ring->segment;
    uint64_t number = atomic_load_explicit(&segment->tail, memory_order_acquire);
    struct slot *slot = ring_slot(ring, number);
    /* Read first, the line of a receiver that looks at it would come over twice. In a ring of
     * two slots he reads the other one. */
    if (ring->mask > 1)
        ring_fetch(slot);
    slot_tag tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    uint64_t seen = atomic_load_explicit(&segment->head_seen, memory_order_relaxed);
    if (tag != ring_tag_before(ring, number) || number - seen >= ring->count ||
        !ring_change(slot, tag, ring_tag(ring, number), value))
        return false;
    ring_advance(segment, number + 1);
    ring_fetch_ahead(ring, number);
    return true;
}

static inline bool ring_try_pop(const struct ring *ring, long *value)
{
    struct segment *segment = ring->segment;
    uint64_t head = atomic_load_explicit(&segment->head, memory_order_acquire);
    struct slot *slot = ring_slot(ring, head);
    slot_tag tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    if (tag != ring_tag(ring, head) || (head & HEAD_DEAD) != 0)
        return false;
    *value = atomic_load_explicit(&slot->value, memory_order_relaxed);
    return atomic_compare_exchange_strong(&segment->head, &head, head + 1);
}

/* Glances that change nothing and may be wrong: is there a message, is there room, would a
 * second one have room by what senders know already? */
static inline bool ring_has_message(const struct ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->segment->head, memory_order_relaxed);
    return atomic_load_explicit(&ring_slot(ring, head)->tag, memory_order_relaxed) ==
           ring_tag(ring, head);
}

static inline bool ring_has_room(const struct ring *ring)
{
    const struct segment *segment = ring->segment;
    return atomic_load_explicit(&segment->tail, memory_order_relaxed) -
               atomic_load_explicit(&segment->head, memory_order_relaxed) <
           ring->count;
}

static inline bool ring_has_more_room(const struct ring *ring)
{
    const struct segment *segment = ring->segment;
    return atomic_load_explicit(&segment->tail, memory_order_relaxed) -
               atomic_load_explicit(&segment->head_seen, memory_order_relaxed) <
           ring->count;
}

/* Orders what was changed by one of the functions above, or by a read-modify-write, before what
 * is read next. On x86 such a change is a locked instruction, which is a fence. */
static inline void ring_fence(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
