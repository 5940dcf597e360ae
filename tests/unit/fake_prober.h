#ifndef FAKE_PROBER_H
#define FAKE_PROBER_H

/*
 * A prober that answers from a script instead of the kernel, and remembers
 * what it was asked.
 */

#include "table.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fake_prober {
    uint8_t state[UINT16_MAX + 1]; /* enum table_port_state of each port */
    int error;                     /* when not 0: the negative errno of every probe */
    size_t asked;                  /* probes so far */
    uint16_t last;                 /* the port asked about last */
};

static inline int fake_probe(void *context, uint16_t port)
{
    struct fake_prober *fake = context;
    fake->asked += 1;
    fake->last = port;
    return fake->error ? fake->error : fake->state[port];
}

/* All ports free, nothing asked. */
static inline void fake_prober_reset(struct fake_prober *fake)
{
    memset(fake, 0, sizeof *fake);
}

static inline struct table_prober fake_prober_of(struct fake_prober *fake)
{
    return (struct table_prober){fake_probe, fake};
}

#endif
