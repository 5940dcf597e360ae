/* A port that is released with what it belongs to. */

#include "pa_lease.h"

#include <unistd.h>

void pa_lease_begin(struct pa_lease *lease, struct pa_call *call, uint16_t port)
{
    *lease = (struct pa_lease){.call = call, .port = port, .pid = getpid()};
}

void pa_lease_end(struct pa_lease *lease)
{
    struct pa_failure ignored; /* whatever it is, closing the connection is all that is left */
    if (lease->pid == getpid())
        pa_call_release(lease->call, lease->port, PA_LEASE_END_MS, &ignored);
    lease->call = pa_call_free(lease->call);
}
