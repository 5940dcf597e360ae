#ifndef FAKE_PROBER_H
#define FAKE_PROBER_H

/*
 * A prober that answers from a script instead of the kernel, and remembers
 * what it was asked and, as a holder, what it holds.
 */

#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fake_prober {
    uint8_t state[UINT16_MAX + 1]; /* enum table_port_state of each port */
    int error;                     /* when not 0: the negative errno of every probe */
    size_t asked;                  /* probes so far */
    uint16_t last;                 /* the port asked about last */
    bool held[UINT16_MAX + 1];
    size_t held_count;
    bool doubtful[UINT16_MAX + 1]; /* lingers only at first sight */
    size_t confirmed;              /* closer looks so far */
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
    return (struct table_prober){.probe = fake_probe, .context = fake};
}

static inline int fake_hold(void *context, uint16_t port)
{
    struct fake_prober *fake = context;
    int state = fake_probe(context, port);
    if (state != TABLE_PORT_FREE && state != TABLE_PORT_LINGERING)
        return state;
    assert_false(fake->held[port]);
    fake->held[port] = true;
    fake->held_count += 1;
    return state;
}

static inline void fake_drop(void *context, uint16_t port)
{
    struct fake_prober *fake = context;
    assert_true(fake->held[port]);
    fake->held[port] = false;
    fake->held_count -= 1;
}

static inline int fake_confirm(void *context, uint16_t port)
{
    struct fake_prober *fake = context;
    assert_true(fake->held[port]);
    assert_int_equal(fake->state[port], TABLE_PORT_LINGERING);
    fake->confirmed += 1;
    return fake->doubtful[port] ? TABLE_PORT_IN_USE : TABLE_PORT_LINGERING;
}

static inline struct table_prober fake_holder_of(struct fake_prober *fake)
{
    return (struct table_prober){
        .probe = fake_hold, .drop = fake_drop, .confirm = fake_confirm, .context = fake};
}

#endif
