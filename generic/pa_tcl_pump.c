/* What goes on in steps, in Tcl's event loop. */

#include "pa_tcl_pump.h"

#include <poll.h>
#include <sys/select.h>

void pa_tcl_pump_init(struct pa_tcl_pump *pump, void (*step)(void *data), void *data)
{
    *pump = (struct pa_tcl_pump){.step = step, .data = data, .fd = -1};
}

void pa_tcl_pump_stop(struct pa_tcl_pump *pump)
{
    if (pump->fd >= 0)
        Tcl_DeleteFileHandler(pump->fd);
    pump->fd = -1;
    Tcl_DeleteTimerHandler(pump->timer);
    pump->timer = NULL;
}

/* The handler is deleted before each step: the descriptor may be closed in it. */
static void run(struct pa_tcl_pump *pump)
{
    pa_tcl_pump_stop(pump);
    pump->step(pump->data);
}

static void ready(void *data, int mask)
{
    (void)mask;
    run(data);
}

static void due(void *data)
{
    struct pa_tcl_pump *pump = data;
    pump->timer = NULL;
    run(pump);
}

void pa_tcl_pump_after(struct pa_tcl_pump *pump, int ms)
{
    pump->timer = Tcl_CreateTimerHandler(ms, due, pump);
}

/* Up to 8.6 the notifier has select(2), and writes where there is no room for more. */
static bool can_wait_for(int fd)
{
#if TCL_MAJOR_VERSION < 9
    return fd < FD_SETSIZE;
#else
    (void)fd;
    return true;
#endif
}

bool pa_tcl_pump_wait(struct pa_tcl_pump *pump, const struct pa_wait *wait)
{
    if (!can_wait_for(wait->fd))
        return false;
    pa_tcl_pump_after(pump, pa_deadline_left_ms(&wait->until));
    if (wait->fd < 0)
        return true;
    pump->fd = wait->fd;
    Tcl_CreateFileHandler(wait->fd, wait->events == POLLOUT ? TCL_WRITABLE : TCL_READABLE,
                          ready, pump);
    return true;
}
