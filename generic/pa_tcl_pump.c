/*
 * What goes on in steps, in Tcl's event loop.
 *
 * Up to Tcl 8.6 a thread of its own waits for descriptors, and each turn of the loop
 * that waits takes longer than a manager of this host needs to answer. A brisk pump
 * therefore has an event look at the descriptor by itself before the loop
 * would wait, and stay for NUDGE_NS if nobody else has anything to look at. Since
 * the loop looks at no other source while there are events, that is done only if it
 * has looked within the last turn. One event is queued for all who are nudged, since
 * libtcl would search its queue for those of a pump that is stopped.
 *
 * A timer is the turn of the rota: libtcl looks at all sources of events before it
 * runs one. A pump of its own timer each would not do, since libtcl runs all that are
 * due in one go. What a program does when it is idle, as Tk draws, comes only when no
 * event is left. Once a turn is spent, the next one therefore comes behind that; or
 * after as long a time, when the others never leave the program idle.
 */

#include "pa_tcl_pump.h"

#include <poll.h>
#include <sys/select.h>

enum { NUDGE_NS = 200000 };

static const int64_t turn_ns = PA_TCL_TURN_MS * INT64_C(1000000);

struct pa_tcl_line {
    struct pa_tcl_pump *first;
    struct pa_tcl_pump **end; /* of use while there is a first */
};

/* Of the thread. */
static _Thread_local struct {
    struct pa_tcl_line line;
    struct pa_tcl_line nudged; /* to be looked at, by an event that is queued */
    Tcl_TimerToken timer;      /* set while somebody is in line */
    int64_t spent_ns;          /* by steps, since the rota's turn came last */
    int64_t began_ns;          /* the step that runs; 0: none */
    int64_t looked_ns;         /* when the loop last looked at all sources of events */
    bool is_queued;            /* an event that is the turn, since nobody else had any */
    bool is_nudging;           /* an event that looks at the first who is nudged */
} rota;

/* ----------------------------------------------------------------- rota -- */

bool pa_tcl_pump_is_spent(void)
{
    int64_t running_ns = rota.began_ns != 0 ? pa_socket_now_ns() - rota.began_ns : 0;
    return rota.spent_ns + running_ns >= turn_ns;
}

static void take_turn(void *unused);

static int others_were_idle(Tcl_Event *event, int flags)
{
    (void)event;
    if (!(flags & TCL_TIMER_EVENTS))
        return 0;
    rota.is_queued = false;
    if (rota.timer)
        take_turn(NULL);
    return 1;
}

/* All others have had their turn. An event runs the steps: `update idletasks` runs none. */
static void at_idle(void *unused)
{
    (void)unused;
    if (rota.is_queued)
        return;
    Tcl_Event *event = (void *)Tcl_Alloc(sizeof *event);
    *event = (Tcl_Event){.proc = others_were_idle};
    Tcl_QueueEvent(event, TCL_QUEUE_TAIL);
    rota.is_queued = true;
}

static void arm(void)
{
    bool is_spent = pa_tcl_pump_is_spent();
    rota.timer = Tcl_CreateTimerHandler(is_spent ? PA_TCL_TURN_MS : 0, take_turn, NULL);
    if (is_spent)
        Tcl_DoWhenIdle(at_idle, NULL);
}

static void disarm(void)
{
    Tcl_DeleteTimerHandler(rota.timer);
    rota.timer = NULL;
    Tcl_CancelIdleCall(at_idle, NULL);
}

static void stand(struct pa_tcl_pump *pump, struct pa_tcl_line *line)
{
    if (!line->first)
        line->end = &line->first;
    pump->line = line;
    pump->next = NULL;
    pump->link = line->end;
    *line->end = pump;
    line->end = &pump->next;
}

static void leave(struct pa_tcl_pump *pump)
{
    if (!pump->line)
        return;
    *pump->link = pump->next;
    if (pump->next)
        pump->next->link = pump->link;
    else
        pump->line->end = pump->link;
    pump->line = NULL;
    if (!rota.line.first && rota.timer)
        disarm();
}

static void join(struct pa_tcl_pump *pump)
{
    stand(pump, &rota.line);
    if (!rota.timer)
        arm();
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
    disarm();
    rota.spent_ns = 0;
    rota.began_ns = 0;
    rota.looked_ns = pa_socket_now_ns();
    while (rota.line.first && !pa_tcl_pump_is_spent()) {
        struct pa_tcl_pump *pump = rota.line.first;
        leave(pump);
        run_step(pump);
    }
    rota.began_ns = outer_ns;
    if (!rota.line.first)
        return;
    disarm(); /* of who has joined meanwhile, when it was not spent */
    arm();
}

/* ---------------------------------------------------------------- pumps -- */

void pa_tcl_pump_init(struct pa_tcl_pump *pump, void (*step)(void *data), void *data)
{
    *pump = (struct pa_tcl_pump){.step = step, .data = data, .fd = -1};
}

static void run(struct pa_tcl_pump *pump);

static int mask_of(short events)
{
    return ((events & POLLIN) ? TCL_READABLE : 0) | ((events & POLLOUT) ? TCL_WRITABLE : 0);
}

/* Whether what the pump waits for has come. */
static bool has_come(const struct pa_tcl_pump *pump)
{
    struct pollfd fd = {.fd = pump->fd, .events = pump->events};
    const struct timespec patience = {.tv_nsec = !rota.nudged.first ? NUDGE_NS : 0};
    return pump->fd < 0 || ppoll(&fd, 1, &patience, NULL) > 0;
}

static void queue_look(void);

static int look(Tcl_Event *event, int flags)
{
    (void)event;
    struct pa_tcl_pump *pump = rota.nudged.first;
    if (!(flags & TCL_FILE_EVENTS))
        return 0;
    rota.is_nudging = false;
    if (!pump)
        return 1;
    leave(pump);
    queue_look();
    bool others_wait = pa_socket_now_ns() - rota.looked_ns >= turn_ns;
    if (!others_wait && has_come(pump))
        run(pump);
    else if (pump->fd < 0)
        join(pump);
    return 1;
}

static void queue_look(void)
{
    if (rota.is_nudging || !rota.nudged.first)
        return;
    Tcl_Event *event = (void *)Tcl_Alloc(sizeof *event);
    *event = (Tcl_Event){.proc = look};
    Tcl_QueueEvent(event, TCL_QUEUE_TAIL);
    rota.is_nudging = true;
}

static void nudge(struct pa_tcl_pump *pump)
{
    stand(pump, &rota.nudged);
    queue_look();
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
    rota.looked_ns = pa_socket_now_ns();
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

void pa_tcl_pump_next(struct pa_tcl_pump *pump)
{
    nudge(pump);
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
    pump->timer = Tcl_CreateTimerHandler(pa_deadline_left_ms(&wait->until), due, pump);
    if (wait->fd < 0)
        return true;
    pump->fd = wait->fd;
    pump->events = wait->events;
    Tcl_CreateFileHandler(wait->fd, mask_of(wait->events), ready, pump);
    if (pump->brisk)
        nudge(pump);
    return true;
}
