#ifndef SLOTS_H
#define SLOTS_H

/*
 * The managed ports and the lines in which those that are free wait for their
 * turn.
 */

#include "table.h"

#include <stddef.h>
#include <stdint.h>

enum slot_queue {
    SLOT_READY,   /* to be given out, the front first */
    SLOT_RESTING, /* freed lately, the longest ago in front */
    SLOT_BLOCKED, /* found in use or lingering, the longest ago in front */
    SLOT_QUEUES,
    SLOT_HELD = SLOT_QUEUES, /* allocated */
};

struct slot {
    uint64_t since_ms; /* resting: freed then; blocked: probed then */
    uint32_t next;     /* in its queue, as an index */
    uint32_t previous;
    uint16_t port;
    uint8_t queue;             /* enum slot_queue */
    struct table_entry *entry; /* while held */
};

struct slot_line {
    uint32_t front;
    uint32_t back;
    size_t count;
};

struct slots {
    struct slot *slot;      /* in ascending order of ports as decimal strings */
    size_t count;           /* ports managed */
    uint64_t quarantine_ms; /* how long a freed port rests */
    struct slot_line line[SLOT_QUEUES];
};

#define SLOTS_NULL                                                                             \
    {                                                                                          \
        .slot = NULL                                                                           \
    }

/* All ports of the ranges, ready, the highest in front. 0 or -ENOMEM. */
int slots_init(struct slots *slots, const struct table_range *ranges, size_t range_count,
               uint64_t quarantine_ms);

void slots_deinit(struct slots *slots);

/*
 * Takes a port that the probe finds free out of the lines, into *index; its
 * queue is SLOT_HELD. 0, TABLE_E_NO_FREE_PORTS or the probe's negative errno.
 */
int slots_take(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
               uint32_t *index);

/* Takes a freed port back: it rests, or without a quarantine is next. */
void slots_give(struct slots *slots, uint32_t index, uint64_t now_ms);

#endif
