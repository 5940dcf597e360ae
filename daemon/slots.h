#ifndef SLOTS_H
#define SLOTS_H

/*
 * The managed ports and the lines in which those that are free wait for their
 * turn.
 */

#include "table.h"

#include <stddef.h>
#include <stdint.h>

#define SLOT_NONE UINT32_MAX

enum slot_queue {
    SLOT_READY,   /* to be given out, the front first */
    SLOT_RESTING, /* freed lately, the longest ago in front */
    SLOT_BLOCKED, /* found in use or lingering, the longest ago in front */
    SLOT_QUEUES,
    SLOT_ALLOCATED = SLOT_QUEUES,
};

struct slot {
    uint64_t since_ms; /* resting: freed then; blocked: probed then */
    uint32_t next;     /* in its queue, as an index */
    uint32_t previous;
    uint16_t port;
    uint8_t queue;             /* enum slot_queue */
    uint8_t before;            /* allocated: the queue it came from */
    struct table_entry *entry; /* while allocated */
};

struct slot_line {
    uint32_t front;
    uint32_t back;
    size_t count;
};

struct slots {
    struct slot *slot;      /* in ascending order of ports as decimal strings */
    uint32_t *by_port;      /* 1 + the index; 0: not managed */
    size_t count;           /* ports managed */
    uint16_t low;           /* of them */
    uint16_t high;          /* likewise; 0 without any */
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
 * queue is SLOT_ALLOCATED. 0, TABLE_E_NO_FREE_PORTS or the probe's negative errno.
 */
int slots_take(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
               uint32_t *index);

/*
 * The same with this port and no other, whether it has rested or not. 0,
 * TABLE_E_NOT_MANAGED, TABLE_E_IN_USE (allocated, or somebody else's) or the
 * probe's negative errno.
 */
int slots_take_port(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
                    uint16_t port, uint32_t *index);

/*
 * The same with `count` ports in a row, of which `lowest` is the first, or any
 * when that is 0: the highest row there is, of ports that have rested if there
 * is one. All or none; indices[] has room for them, in ascending order of
 * ports. 0, TABLE_E_NO_BLOCK, TABLE_E_NOT_MANAGED (`lowest` is not) or
 * the probe's negative errno.
 */
int slots_take_block(struct slots *slots, uint64_t now_ms, const struct table_prober *prober,
                     uint16_t lowest, size_t count, uint32_t *indices);

/* The port as an index, or SLOT_NONE when it is not managed. */
uint32_t slots_find(const struct slots *slots, uint16_t port);

/* Takes a freed port back: it rests, or without a quarantine is next. */
void slots_give(struct slots *slots, uint32_t index, uint64_t now_ms);

/*
 * Takes a port back that nobody was told of, to where it stood. Of several the
 * one taken last is first, and nothing else may have moved meanwhile.
 */
void slots_undo(struct slots *slots, uint32_t index);

#endif
