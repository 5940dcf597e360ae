/*
 * holds.h - the ports that the manager holds in the kernel for its clients.
 *
 * A hold is a soft one (hold.h): the client's server binds beside it by
 * SO_REUSEADDR, which nearly every server sets, and nobody gets the port by
 * accident, not even between two runs of the server.
 */
#ifndef HOLDS_H
#define HOLDS_H

#include "probe.h"

#include "pa_sockdiag.h"

#include <stddef.h>
#include <stdint.h>

struct holds {
    int *fds; /* by port: 1 + the descriptor; 0: not held */
    size_t count;
    size_t max; /* descriptors that may be used for it */
};

#define HOLDS_NULL                                                                             \
    {                                                                                          \
        .fds = NULL                                                                            \
    }

/* No holds. 0 or -ENOMEM. */
int holds_init(struct holds *holds, size_t max);

/* Frees what holds_init() made; every port was dropped. */
void holds_deinit(struct holds *holds);

/*
 * Looks at a port, and holds it unless it is in use. Returns a state of the
 * table's, or a negative errno: -EMFILE when `max` ports are held, or what
 * probe_hold() returns.
 */
int holds_take(struct holds *holds, struct probe *probe, uint16_t port);

/*
 * Looks again at a port that is held and was found lingering: a socket bound to one address,
 * with SO_REUSEADDR and not yet listening, looks like an old connection, and would be in the
 * way of the client's server when it listens. Nobody new can have come since the hold.
 *
 * TABLE_PORT_LINGERING, also when the kernel cannot tell, or TABLE_PORT_IN_USE. Takes a
 * millisecond or two, since the kernel goes through all its connections.
 */
int holds_confirm(struct pa_sockdiag *diag, uint16_t port);

/* Lets go of a held port. */
void holds_drop(struct holds *holds, uint16_t port);

#endif
