/*
 * Errands in the event loop.
 *
 * The happy path: an operation looks up an address if it has to listen on one,
 * runs its task step by step, makes rows of a listing piece by piece, and tells
 * the answer, for which it is freed first: the script may do what it likes then. Its
 * connection is left to the next one, if that begins before the loop's next turn.
 *
 * What can fail: whatever it is, it is told by a step, never before the command that
 * began the operation has returned.
 */

#include "pa_tcl_async.h"

#include "pa_lookup.h"
#include "pa_task.h"
#include "pa_tcl_pump.h"
#include "pa_tcl_reply.h"

#include <poll.h>

enum stage {
    LOOKUP, /* of the address to listen on */
    TASK,
    OVER, /* the answer is there */
};

struct async {
    struct pa_tcl_job job;
    struct pa_tcl_jobs *owner;
    struct pa_tcl_errand *errand;
    struct pa_tcl_reply reply;
    struct pa_tcl_pump pump;
    struct pa_task task;
    int timeout_ms;
    struct pa_deadline deadline; /* of the look-up */
    enum stage stage;
    int result;
    struct pa_failure why; /* if that is not 0 */
};

/* ------------------------------------------------------------- lifetime -- */

static void free_async(struct async *async)
{
    pa_tcl_job_leave(&async->job);
    pa_tcl_pump_stop(&async->pump);
    pa_task_deinit(&async->task);
    pa_tcl_errand_free(async->errand);
    pa_tcl_reply_drop(&async->reply);
    Tcl_Free((void *)async);
}

static void end(struct pa_tcl_job *job)
{
    free_async((struct async *)job);
}

/* The coroutine that waited goes on without the answer. */
static void broken_off(void *data)
{
    free_async(data);
}

/* ---------------------------------------------------------------- steps -- */

/* Connections that were granted ports become the allocator's. */
static void hand_over(struct async *async)
{
    struct pa_call *call = async->owner->call;
    bool was_released = async->result == 0 || async->why.error == PA_E_NOT_ALLOCATED;
    if (async->errand->port != 0 && was_released)
        pa_call_forget(call, async->errand->port);
    if (async->result != 0)
        return;
    if (async->errand->is_opening)
        pa_call_adopt_open(call, async->task.call);
    else if (async->task.call)
        pa_call_adopt(call, async->task.call);
}

static void tell(struct async *async)
{
    Tcl_Interp *interp = async->reply.interp;
    if (Tcl_InterpDeleted(interp)) {
        free_async(async);
        return;
    }
    Tcl_Preserve(interp);
    int code = pa_tcl_errand_finish(async->errand, interp, &async->task.call, async->result,
                                    &async->why);
    hand_over(async);
    pa_tcl_spare_keep(&async->owner->spare, pa_task_spare(&async->task));
    struct pa_tcl_reply reply = async->reply;
    async->reply = (struct pa_tcl_reply){.interp = NULL};
    free_async(async);
    pa_tcl_reply_give(&reply, code);
    Tcl_Release(interp);
}

static void conclude(struct async *async, int result)
{
    async->result = result;
    async->stage = OVER;
}

static void wait_for(struct async *async, const struct pa_wait *wait)
{
    if (!pa_tcl_pump_wait(&async->pump, wait))
        conclude(async, pa_failure_set(&async->why, PA_E_CONNECT, "too many open files"));
}

static void step_task(struct async *async)
{
    int r = pa_task_step(&async->task, &async->why);
    if (r == PA_TASK_WAIT)
        wait_for(async, pa_task_wait(&async->task));
    else
        conclude(async, r);
}

static void begin_task(struct async *async)
{
    async->stage = TASK;
    int r = pa_task_begin(&async->task, async->timeout_ms, &async->why);
    if (r == 0)
        step_task(async);
    else
        conclude(async, r);
}

static void step_lookup(struct async *async)
{
    int r = pa_tcl_errand_looked_up(async->errand, &async->why);
    if (r == PA_LOOKUP_RUNNING && pa_deadline_left_ms(&async->deadline) > 0) {
        const struct pa_wait wait = {pa_lookup_descriptor(async->errand->lookup), POLLIN,
                                     async->deadline};
        wait_for(async, &wait);
    } else if (r == PA_LOOKUP_RUNNING) {
        conclude(async,
                 pa_failure_set(&async->why, PA_E_RESOLVE, async->errand->switches.keys.address,
                                "the name server does not answer"));
    } else if (r != 0) {
        conclude(async, r);
    } else {
        begin_task(async);
    }
}

static void step(void *data)
{
    struct async *async = data;
    if (async->stage == LOOKUP)
        step_lookup(async);
    else if (async->stage == TASK)
        step_task(async);
    if (async->stage != OVER)
        return;
    if (async->result == 0 && !pa_tcl_errand_rows(async->errand))
        pa_tcl_pump_soon(&async->pump);
    else
        tell(async);
}

/* ------------------------------------------------------------- beginning -- */

/* As for a call, the connections are looked after first. */
static void first_step(struct async *async, const struct pa_tcl_server *server)
{
    struct pa_errand *errand = async->errand->is_opening ? NULL : &async->errand->errand;
    int r = pa_task_init(&async->task, pa_tcl_spare_take(&async->owner->spare), server->host,
                         server->port, errand, &async->why);
    if (r == 0)
        r = pa_call_look(async->owner->call, &async->why);
    if (r != 0) {
        conclude(async, r);
        return;
    }
    async->deadline = pa_deadline_in(server->timeout_ms);
    async->timeout_ms = server->timeout_ms;
    if (async->errand->lookup)
        step_lookup(async);
    else
        begin_task(async);
}

int pa_tcl_async_start(struct pa_tcl_jobs *jobs, struct pa_tcl_errand *errand,
                       const struct pa_tcl_server *server)
{
    struct pa_tcl_reply reply;
    if (pa_tcl_reply_init(&reply, jobs->interp, &errand->switches) != TCL_OK) {
        pa_tcl_errand_free(errand);
        return TCL_ERROR;
    }
    if (pa_tcl_jobs_check(jobs) != TCL_OK) {
        pa_tcl_reply_drop(&reply);
        pa_tcl_errand_free(errand);
        return TCL_ERROR;
    }
    struct async *async = (void *)Tcl_Alloc(sizeof *async);
    *async = (struct async){.owner = jobs, .errand = errand, .reply = reply};
    pa_tcl_job_begin(jobs, &async->job, pa_tcl_job_async, end);
    pa_tcl_pump_init(&async->pump, step, async);
    async->pump.brisk = true;
    first_step(async, server);
    if (async->stage == OVER)
        pa_tcl_pump_next(&async->pump);
    return pa_tcl_reply_return(&async->reply, async->job.token, broken_off, async);
}
