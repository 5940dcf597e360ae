#ifndef PA_LEASE_H
#define PA_LEASE_H

/*
 * A port that belongs to something that ends, and is released with it: a
 * listening socket. It has a connection to the manager of its own, on which
 * nothing else is asked.
 */

#include "pa_call.h"

#include <stdint.h>
#include <sys/types.h>

/* So long the end may take: a person at a window does not notice it. */
enum { PA_LEASE_END_MS = 250 };

struct pa_lease {
    struct pa_call *call; /* owned; holds the port */
    uint16_t port;
    pid_t pid; /* of the process that began it */
};

/* Takes over the call and the port that it holds. */
void pa_lease_begin(struct pa_lease *lease, struct pa_call *call, uint16_t port);

/*
 * Releases the port and closes the connection. A manager that does not answer
 * within PA_LEASE_END_MS, or is gone, is not waited for: the port goes with the
 * connection. In a process that was forked since nothing is released: the
 * port is its parent's.
 */
void pa_lease_end(struct pa_lease *lease);

#endif
