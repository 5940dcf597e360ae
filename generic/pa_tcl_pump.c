/*
 * What goes on in steps, in Tcl's event loop.
 *
 * A timer of 0 ms is the turn of the rota: libtcl looks at all sources of events
 * before it runs one. A pump of its own timer each would not do, since libtcl runs
 * all that are due in one go.
 */

#include "pa_tcl_pump.h"

#include <poll.h>
#include <sys/select.h>

static const int64_t turn_ns = PA_TCL_TURN_MS * INT64_C(1000000);

/* Of the thread. */
static _Thread_local struct {
    struct pa_tcl_pump *first;
    struct pa_tcl_pump **end; /* NULL: not used yet */
    Tcl_TimerToken timer;     /* set while somebody is in line */
    int64_t spent_ns;         /* by steps, since the rota's turn came last */
    int64_t began_ns;         /* the step that runs; 0: none */
} rota;

/* ----------------------------------------------------------------- rota -- */

static void take_turn(void *unused);

static void join(struct pa_tcl_pump *pump)
{
    if (!rota.first)
        rota.end = &rota.first;
    pump->next = NULL;
    pump->link = rota.end;
    *rota.end = pump;
    rota.end = &pump->next;
    if (!rota.timer)
        rota.timer = Tcl_CreateTimerHandler(0, take_turn, NULL);
}

static void leave(struct pa_tcl_pump *pump)
{
    if (!pump->link)
        return;
    *pump->link = pump->next;
    if (pump->next)
        pump->next->link = pump->link;
    else
        rota.end = pump->link;
    pump->link = NULL;
    if (rota.first || !rota.timer)
        return;
    Tcl_DeleteTimerHandler(rota.timer);
    rota.timer = NULL;
}

bool pa_tcl_pump_is_spent(void)
{
    int64_t running_ns = rota.began_ns != 0 ? pa_socket_now_ns() - rota.began_ns : 0;
    return rota.spent_ns + running_ns >= turn_ns;
}

/* Runs a step, which may run an event loop of its own, and so others within. */
static void run_step(struct pa_tcl_pump *pump)
{
    int64_t outer_ns = rota.began_ns;
    rota.began_ns = pa_socket_now_ns();
    pump->step(pump->data);
    rota.spent_ns += pa_socket_now_ns() - rota.began_ns;
    rota.began_ns = outer_ns;
}

static void take_turn(void *unused)
{
    (void)unused;
    int64_t outer_ns = rota.began_ns; /* of a step that runs this event loop */
    rota.timer = NULL;
    rota.spent_ns = 0;
    rota.began_ns = 0;
    while (rota.first && !pa_tcl_pump_is_spent()) {
        struct pa_tcl_pump *pump = rota.first;
        leave(pump);
        run_step(pump);
    }
    rota.began_ns = outer_ns;
    if (rota.first && !rota.timer)
        rota.timer = Tcl_CreateTimerHandler(0, take_turn, NULL);
}

/* ---------------------------------------------------------------- pumps -- */

void pa_tcl_pump_init(struct pa_tcl_pump *pump, void (*step)(void *data), void *data)
{
    *pump = (struct pa_tcl_pump){.step = step, .data = data, .fd = -1};
}

void pa_tcl_pump_stop(struct pa_tcl_pump *pump)
{
    leave(pump);
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
    if (pa_tcl_pump_is_spent())
        join(pump);
    else
        run_step(pump);
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

void pa_tcl_pump_soon(struct pa_tcl_pump *pump)
{
    join(pump);
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

static int mask_of(short events)
{
    return ((events & POLLIN) ? TCL_READABLE : 0) | ((events & POLLOUT) ? TCL_WRITABLE : 0);
}

bool pa_tcl_pump_wait(struct pa_tcl_pump *pump, const struct pa_wait *wait)
{
    if (!can_wait_for(wait->fd))
        return false;
    pump->timer = Tcl_CreateTimerHandler(pa_deadline_left_ms(&wait->until), due, pump);
    if (wait->fd < 0)
        return true;
    pump->fd = wait->fd;
    Tcl_CreateFileHandler(wait->fd, mask_of(wait->events), ready, pump);
    return true;
}
