#ifndef SEGMENT_H
#define SEGMENT_H

/*
 * The layout of a port in shared memory; ports(7) describes it.
 *
 * Memory of zeros behind a filled-in first line is a valid, empty port. What
 * the first line says is copied once, when the port is mapped, and never read
 * again: a peer that scribbles over it cannot move anyone's bounds.
 */

#include "sys/ports.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SEGMENT_LINE_BYTES = 128, /* two cache lines: neighbours are fetched in pairs */
    SEGMENT_SLOTS_AT = 4096,  /* bytes before the first slot */
    SEGMENT_BELLS = 64,       /* descriptors for poll, in all processes */
    SEGMENT_SLEEPERS = 128,   /* sleeping threads that pstat() can tell of */
};

/*
 * A slot is changed by one compare-and-swap of both halves. Where the machine
 * has none of 16 bytes, a long must have 4; then the tag has 31 bits to count
 * laps with and rings are made longer, so that it takes days to come round.
 */
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16) && !defined(PORTS_NARROW)
typedef uint64_t slot_tag;
typedef unsigned __int128 __attribute__((may_alias)) slot_pair;
enum { SEGMENT_LOG2_MIN = 1 };
#elif __SIZEOF_LONG__ == 4
typedef uint32_t slot_tag;
typedef uint64_t __attribute__((may_alias)) slot_pair;
enum { SEGMENT_LOG2_MIN = 10 };
#else
#error "Ports IPC needs a compare-and-swap of two longs (on x86-64: -mcx16)"
#endif

/* Set in the tag of the slot behind the last message of a deleted port. */
#define SLOT_TOMB ((slot_tag)1 << (sizeof(slot_tag) * 8 - 1))

/* Set in the head of a deleted port. */
#define HEAD_DEAD ((uint64_t)1 << 63)

struct slot {
    _Alignas(
        2 * sizeof(long)) _Atomic(slot_tag) tag; /* lap + 1 of the message in it; 0: none yet */
    _Atomic(long) value;
};

_Static_assert(sizeof(struct slot) == sizeof(slot_pair), "a slot is changed as a whole");

/* What a port's name is doing; changed under the namespace's lock. */
enum name_state {
    NAME_NONE,
    NAME_COMING, /* `name` is filled in, its link may be made or not */
    NAME_BOUND,
};

struct segment {
    /* constant once published */
    char magic[8];
    uint32_t long_bytes;
    uint32_t slots_log2;
    uint32_t count;
    int32_t id;
    int32_t creator;
    int32_t created_ns;
    int64_t created_s;

    _Alignas(SEGMENT_LINE_BYTES) _Atomic(uint32_t) name_state;
    char name[PORTS_NAME_MAX];

    /* messages taken so far, with HEAD_DEAD; whoever receives changes it */
    _Alignas(SEGMENT_LINE_BYTES) _Atomic(uint64_t) head;

    /* hints for senders: at most the messages sent, at most the head */
    _Alignas(SEGMENT_LINE_BYTES) _Atomic(uint64_t) tail;
    _Atomic(uint64_t) head_seen;

    /* changed only when somebody sleeps, polls, resets or deletes; read by all */
    _Alignas(SEGMENT_LINE_BYTES) _Atomic(uint32_t) word; /* the futex; see waiting.h */
    _Atomic(uint32_t) bells;                             /* of bell[], those ever used */
    _Alignas(8) _Atomic(uint64_t) resets;

    _Alignas(SEGMENT_LINE_BYTES) _Atomic(uint64_t) bell[SEGMENT_BELLS]; /* see bell.h */
    _Alignas(
        SEGMENT_LINE_BYTES) _Atomic(uint64_t) sleeper[SEGMENT_SLEEPERS]; /* see waiting.h */
};

_Static_assert(sizeof(struct segment) <= SEGMENT_SLOTS_AT, "the slots lie behind it");

/* The least k such that 2^k slots hold `count` messages and a tombstone. */
unsigned segment_log2(int count);

/* The size of a file with 2^log2 slots. */
size_t segment_bytes(unsigned log2);

/* Fills in the first line of zeroed memory. */
void segment_init(struct segment *segment, int id, int count);

/* Is this, of a file of `bytes`, the first line of port `id`? 0 or -EIO. */
int segment_check(const struct segment *segment, size_t bytes, int id);

#endif
