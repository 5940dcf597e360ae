/*
 * Waiting for a service to be advertised.
 *
 * The happy path: the snapshot has the service, or an event that comes later.
 *
 * What can fail: the manager is not there, for which nobody is told anything: it is
 * tried again. The time is over. The allocator is deleted while the script waits
 * within: the one that waits learns it from what it has left in the job.
 */

#include "pa_tcl_await.h"

#include "pa_follow.h"
#include "pa_tcl_error.h"
#include "pa_tcl_errand.h"
#include "pa_tcl_pump.h"
#include "pa_tcl_reply.h"
#include "pa_tcl_self.h"
#include "pa_tcl_utf8.h"
#include "pa_tcl_wait.h"

#include <limits.h>
#include <stdbool.h>

/* What a script that waits within is told. */
struct within {
    bool done;
    int code;
    Tcl_Obj *value;   /* owned; NULL: the job was ended */
    Tcl_Obj *options; /* owned, with it */
};

struct await {
    struct pa_tcl_job job;
    Tcl_Interp *interp;
    struct pa_tcl_switches switches;
    Tcl_DString service;
    Tcl_DString user;
    struct pa_tcl_reply reply;
    struct within *within; /* instead of the reply, or NULL */
    struct pa_follow *follow;
    struct pa_tcl_pump pump;
    struct pa_deadline deadline;
    uint16_t port; /* once it is there */
};

/* ------------------------------------------------------------- lifetime -- */

static void free_await(struct await *await)
{
    pa_tcl_job_leave(&await->job);
    pa_tcl_pump_stop(&await->pump);
    pa_follow_free(await->follow);
    pa_tcl_reply_drop(&await->reply);
    pa_tcl_switches_deinit(&await->switches);
    Tcl_DStringFree(&await->service);
    Tcl_DStringFree(&await->user);
    Tcl_Free((void *)await);
}

static void end(struct pa_tcl_job *job)
{
    struct await *await = (struct await *)job;
    if (await->within)
        await->within->done = true;
    free_await(await);
}

static void broken_off(void *data)
{
    free_await(data);
}

/* ---------------------------------------------------------------- telling -- */

static void give_within(struct within *within, Tcl_Interp *interp, int code)
{
    within->done = true;
    within->code = code;
    within->value = Tcl_GetObjResult(interp);
    Tcl_IncrRefCount(within->value);
    within->options = Tcl_GetReturnOptions(interp, code);
    Tcl_IncrRefCount(within->options);
    Tcl_ResetResult(interp);
}

static int fail_late(struct await *await)
{
    return pa_tcl_error_timeout(
        await->interp,
        Tcl_ObjPrintf("timed out after %u ms waiting for the service \"%s\" of %s",
                      await->switches.timeout_ms, Tcl_DStringValue(&await->service),
                      Tcl_DStringValue(&await->user)));
}

/* The port is there, or the time is over. */
static void tell(struct await *await)
{
    Tcl_Interp *interp = await->interp;
    struct pa_tcl_reply reply = await->reply;
    struct within *within = await->within;
    if (Tcl_InterpDeleted(interp)) {
        end(&await->job);
        return;
    }
    Tcl_Preserve(interp);
    int code = TCL_OK;
    if (await->port == 0)
        code = fail_late(await);
    else
        Tcl_SetObjResult(interp, Tcl_NewWideIntObj(await->port));
    await->reply = (struct pa_tcl_reply){.interp = NULL};
    free_await(await);
    if (within)
        give_within(within, interp, code);
    else
        pa_tcl_reply_give(&reply, code);
    Tcl_Release(interp);
}

/* ------------------------------------------------------------------ steps -- */

/* Looks for the service in what came. */
static void take(struct await *await, struct pa_watch_event *event)
{
    const struct pa_listing_entry *entry =
        event->kind == PA_WATCH_REMOVE
            ? NULL
            : pa_listing_find(&event->listing, Tcl_DStringValue(&await->service),
                              Tcl_DStringValue(&await->user));
    if (entry)
        await->port = entry->port;
    pa_watch_event_deinit(event);
}

static bool is_late(const struct await *await)
{
    return await->switches.has_timeout && pa_deadline_left_ms(&await->deadline) == 0;
}

/* For what the watch waits for, and not longer than the script wants. */
static void wait_for(struct await *await)
{
    struct pa_wait wait = *pa_follow_wait(await->follow);
    if (await->switches.has_timeout && await->deadline.at_ns < wait.until.at_ns)
        wait.until = await->deadline;
    if (pa_tcl_pump_wait(&await->pump, &wait))
        return;
    pa_follow_break(await->follow);
    wait = *pa_follow_wait(await->follow);
    if (await->switches.has_timeout && await->deadline.at_ns < wait.until.at_ns)
        wait.until = await->deadline;
    pa_tcl_pump_wait(&await->pump, &wait);
}

static void step(void *data)
{
    struct await *await = data;
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    struct pa_failure ignored; /* a manager that is not there may come */
    int r;
    do {
        r = pa_follow_step(await->follow, &event, &ignored);
        if (r == 0)
            take(await, &event);
    } while (r != PA_FOLLOW_WAIT && await->port == 0 && !pa_tcl_pump_is_spent());
    if (await->port != 0 || is_late(await))
        tell(await);
    else if (r != PA_FOLLOW_WAIT)
        pa_tcl_pump_soon(&await->pump);
    else
        wait_for(await);
}

/* -------------------------------------------------------------- beginning -- */

static int read_words(struct await *await, Tcl_Obj *service, Tcl_Obj *user, int count,
                      Tcl_Obj *const options[])
{
    Tcl_Interp *interp = await->interp;
    int code = pa_tcl_utf8_get(interp, "service name", service, &await->service);
    if (code == TCL_OK)
        code = user && *Tcl_GetString(user)
                   ? pa_tcl_utf8_get(interp, "user", user, &await->user)
                   : pa_tcl_self_user(interp, &await->user);
    if (code == TCL_OK)
        code =
            pa_tcl_switches_parse(&await->switches, interp, PA_TCL_SWITCH_WAIT, count, options);
    return code;
}

static int follow_service(struct await *await, const struct pa_tcl_server *server)
{
    struct pa_failure why;
    Tcl_DString name;
    Tcl_DString user;
    Tcl_DStringInit(&name);
    Tcl_DStringInit(&user);
    int r = pa_follow_new(&await->follow, server->host, server->port,
                          pa_tcl_errand_pattern(&name, Tcl_DStringValue(&await->service)),
                          pa_tcl_errand_pattern(&user, Tcl_DStringValue(&await->user)),
                          server->timeout_ms, &why);
    Tcl_DStringFree(&name);
    Tcl_DStringFree(&user);
    return r == 0 ? TCL_OK : pa_tcl_error_failure(await->interp, &why);
}

/* The end of a wait within, for which the events were served with `code`. */
static int take_within(const struct within *within, Tcl_Interp *interp, int code)
{
    if (within->value) {
        Tcl_SetObjResult(interp, within->value);
        code = Tcl_SetReturnOptions(interp, within->options);
        Tcl_DecrRefCount(within->value);
        Tcl_DecrRefCount(within->options);
    } else if (code == TCL_OK) {
        code = pa_tcl_error_usage(
            interp, Tcl_NewStringObj("the allocator was deleted before the answer came", -1));
    }
    return code;
}

/* Serves events until the job is done or has ended. */
static int wait_within(struct await *await, Tcl_Interp *interp)
{
    struct within *within = (void *)Tcl_Alloc(sizeof *within);
    *within = (struct within){.done = false};
    await->within = within;
    Tcl_Preserve(interp);
    int code = pa_tcl_wait_until(&within->done, interp);
    if (within->done)
        code = take_within(within, interp, code);
    else
        free_await(await);
    Tcl_Release(interp);
    Tcl_Free((void *)within);
    return code;
}

static int begin(struct await *await, struct pa_tcl_jobs *jobs,
                 const struct pa_tcl_server *server)
{
    bool is_told = pa_tcl_reply_is_wanted(&await->switches);
    int code =
        is_told ? pa_tcl_reply_init(&await->reply, jobs->interp, &await->switches) : TCL_OK;
    if (code == TCL_OK)
        code = pa_tcl_jobs_check(jobs);
    if (code == TCL_OK)
        code = follow_service(await, server);
    if (code != TCL_OK) {
        free_await(await);
        return code;
    }
    await->deadline = pa_deadline_in((int)await->switches.timeout_ms);
    pa_tcl_job_begin(jobs, &await->job, pa_tcl_job_async, end);
    pa_tcl_pump_soon(&await->pump);
    return is_told ? pa_tcl_reply_return(&await->reply, await->job.token, broken_off, await)
                   : wait_within(await, jobs->interp);
}

int pa_tcl_await(struct pa_tcl_jobs *jobs, const struct pa_tcl_server *server, Tcl_Obj *service,
                 Tcl_Obj *user, int count, Tcl_Obj *const options[])
{
    struct await *await = (void *)Tcl_Alloc(sizeof *await);
    *await = (struct await){.interp = jobs->interp};
    Tcl_DStringInit(&await->service);
    Tcl_DStringInit(&await->user);
    pa_tcl_switches_init(&await->switches);
    pa_tcl_pump_init(&await->pump, step, await);
    if (read_words(await, service, user, count, options) == TCL_OK)
        return begin(await, jobs, server);
    free_await(await);
    return TCL_ERROR;
}
