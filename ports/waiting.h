#ifndef WAITING_H
#define WAITING_H

/*
 * Waiting for the other side of a port, and waking it.
 *
 * One futex word serves both sides. Whoever is going to sleep sets the bit of
 * its side, looks at the queue once more, and sleeps as long as the word stays
 * what it was. Whoever sends or receives looks at the word afterwards and, if
 * the other side's bit is set, clears it and wakes all of that side in one
 * system call, which no kill can cut in two. Setting a clear bit counts the
 * epoch up, so that the word never is again what a late sleeper took it for.
 *
 * A process killed after its message was sent and before it woke anyone leaves
 * the bit behind: a debt. Whoever is about to block, to answer EAGAIN or to
 * count pays the debt of the other side first. And nobody sleeps longer than
 * WAITING_NAP_MS without looking: what no one is left to pay is found then.
 */

#include "ring.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
    WAITING_NAP_MS = 1200, /* less than one wake-up a second */
};

enum side {
    SIDE_RECEIVERS,
    SIDE_SENDERS,
    SIDES,
};

/* The futex word: three bits and the epoch. */
enum {
    WORD_DEAD = 1,
    WORD_RECEIVERS = 2, /* some sleep, or are about to */
    WORD_SENDERS = 4,
    WORD_EPOCH = 8,
};

static inline uint32_t waiting_bit(enum side side)
{
    return side == SIDE_RECEIVERS ? WORD_RECEIVERS : WORD_SENDERS;
}

static inline enum side waiting_other(enum side side)
{
    return side == SIDE_RECEIVERS ? SIDE_SENDERS : SIDE_RECEIVERS;
}

/* Clears the side's bit and wakes all that sleep on the word. */
void waiting_wake(struct segment *segment, enum side side);

/* Wakes a side if its bit is set: after a send or a receive, and as the payment of a debt. */
static inline void waiting_settle(struct segment *segment, enum side side)
{
    ring_fence();
    if (atomic_load_explicit(&segment->word, memory_order_relaxed) & waiting_bit(side))
        waiting_wake(segment, side);
}

/* Wakes everybody; first counts a reset, or marks the port as dead. */
void waiting_reset(struct segment *segment);
void waiting_kill(struct segment *segment);

/*
 * How well spinning has paid lately, for one side of one port in one process.
 * Threads that share it may lose each other's changes, and nothing else.
 */
struct habit {
    _Atomic(unsigned) failures; /* spins that ended asleep, since one did not */
    _Atomic(unsigned) lull;     /* pauses before the first look, so that work piles up */
};

/* One blocking call. */
struct wait {
    struct segment *segment;
    struct habit *habit;
    const struct timespec *deadline; /* of CLOCK_MONOTONIC; NULL: none */
    uint64_t resets;
    uint64_t spin_until_ns;
    unsigned looks;
    uint32_t word;
    enum side side;
    uint8_t stage;
};

/* Before the first look again: lets work pile up, if that has paid. */
void waiting_lull(const struct habit *habit);

/* After it: `more`, another message or place was there at once. `count` of the port bounds how
 * long it pays to let work pile up. */
void waiting_learn(struct habit *habit, bool more, uint64_t count);

/*
 * Begins to wait. The caller has found the queue full or empty, looks again
 * after each waiting_step() that returns 0, and calls waiting_end() when it is
 * through.
 */
void waiting_begin(struct wait *wait, struct segment *segment, enum side side,
                   struct habit *habit, const struct timespec *deadline);

/* 0: look again; or -EIDRM, -ECANCELED, -EINTR, -ETIMEDOUT. */
int waiting_step(struct wait *wait);

void waiting_end(struct wait *wait);

/* How many living threads sleep on that side, as far as SEGMENT_SLEEPERS can tell. */
int waiting_sleepers(const struct segment *segment, enum side side);

#endif
