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

/* May another message be received, or sent, at once? A guess that costs no cache line. */
bool ring_has_message(const struct ring *ring);
bool ring_has_room(const struct ring *ring);

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
