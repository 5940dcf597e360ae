/* holds.c - the manager's holds by port. */
#include "holds.h"

#include "table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int holds_init(struct holds *holds, size_t max)
{
    *holds = (struct holds){.fds = calloc(UINT16_MAX + 1, sizeof(int)), .max = max};
    return holds->fds ? 0 : -ENOMEM;
}

void holds_deinit(struct holds *holds)
{
    assert(holds->count == 0);
    free(holds->fds);
    *holds = (struct holds)HOLDS_NULL;
}

int holds_take(struct holds *holds, struct probe *probe, uint16_t port)
{
    int fd;
    if (holds->count >= holds->max)
        return -EMFILE;
    assert(holds->fds[port] == 0);
    int state = probe_hold(probe, port, &fd);
    if (state == TABLE_PORT_FREE || state == TABLE_PORT_LINGERING) {
        holds->fds[port] = fd + 1;
        holds->count += 1;
    }
    return state;
}

int holds_confirm(struct pa_sockdiag *diag, uint16_t port)
{
    const uint32_t others = PA_SOCKDIAG_BOUND | PA_SOCKDIAG_LISTENERS;
    int count = pa_sockdiag_on_port(diag, true, port, others, NULL, 0);
    if (count == 1) /* the hold itself */
        return TABLE_PORT_LINGERING;
    /* An old kernel does not show what is only bound: it is there if no connection is. */
    if (count == 0)
        count = pa_sockdiag_on_port(diag, true, port, ~others, NULL, 0) == 0;
    return count > 0 ? TABLE_PORT_IN_USE : TABLE_PORT_LINGERING;
}

void holds_drop(struct holds *holds, uint16_t port)
{
    assert(holds->fds[port] != 0);
    close(holds->fds[port] - 1);
    holds->fds[port] = 0;
    holds->count -= 1;
}
