#ifndef BELL_H
#define BELL_H

/*
 * Bells: descriptors that poll(2) finds readable when a message may be there.
 *
 * Each process that asks for one has a bell of its own, a FIFO, and a word in
 * the port's memory that says whether it wants to be told. A sender that finds
 * a bell armed puts a byte into its FIFO first and then marks it as told; a
 * process that found the port empty empties its FIFO, arms its bell again,
 * always with a new generation, and looks at the port once more. So no sender
 * can mark as told what was armed after its byte was read, and a process that
 * is killed silences its own bell alone.
 */

#include "attach.h"

/* The word of a bell: its state in the two low bits, the generation above. */
enum {
    BELL_FREE,
    BELL_ARMED,
    BELL_TOLD,
    BELL_STATE = 3,
    BELL_GENERATION = 4,
};

/* Rings the first `bells` bells of a port, those that are armed. */
void bell_ring_armed(struct segment *segment, int id, uint32_t bells);

/* After a send. */
static inline void bell_ring(struct segment *segment, int id)
{
    uint32_t bells = atomic_load_explicit(&segment->bells, memory_order_relaxed);
    if (bells != 0)
        bell_ring_armed(segment, id, bells);
}

/* A descriptor of this process's bell of a port: the caller's to close; or -ENOSPC, ... */
int bell_get(struct attach_port *port);

/* This process found the port empty: quiet until the next message. The caller looks again. */
void bell_rearm(struct attach_port *port);

/* The port is deleted: rings all bells and removes their FIFOs. */
void bell_end(struct segment *segment, int id);

#endif
