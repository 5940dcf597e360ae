/*
 * Who has which port, told to a command prefix as it changes.
 *
 * The happy path: pa_follow brings an event, a snapshot becomes a list piece by
 * piece, the prefix is called, and so on until it is others' turn.
 *
 * What can fail: the manager is not there, or goes. That is told once; when it is
 * back, that is told before the snapshot. The prefix may end the watch, with all
 * that it is part of: whoever runs a step holds it.
 */

#include "pa_tcl_watch.h"

#include "pa_follow.h"
#include "pa_tcl_error.h"
#include "pa_tcl_pump.h"
#include "pa_tcl_reply.h"
#include "pa_tcl_rows.h"
#include "pa_tcl_switch.h"
#include "pa_tcl_utf8.h"

#include <stdbool.h>

struct watch {
    struct pa_tcl_job job;
    Tcl_Interp *interp;
    Tcl_Obj *prefix; /* owned */
    struct pa_follow *follow;
    struct pa_tcl_pump pump;
    struct pa_watch_event event; /* the snapshot of which `rows` is being made */
    struct pa_tcl_rows rows;     /* no list: none is */
    int users;                   /* the job, a step, or both */
    bool is_over;                /* the job has ended */
    bool is_lost;                /* that has been told, and no more since */
};

/* ------------------------------------------------------------- lifetime -- */

static void unref(struct watch *watch)
{
    if (--watch->users > 0)
        return;
    pa_tcl_rows_deinit(&watch->rows);
    pa_watch_event_deinit(&watch->event);
    Tcl_DecrRefCount(watch->prefix);
    Tcl_Free((void *)watch);
}

static void end(struct pa_tcl_job *job)
{
    struct watch *watch = (struct watch *)job;
    watch->is_over = true;
    pa_tcl_pump_stop(&watch->pump);
    watch->follow = pa_follow_free(watch->follow);
    unref(watch);
}

/* ---------------------------------------------------------------- telling -- */

/* Calls the prefix with a word and others, of which there may be none. */
static void tell(struct watch *watch, const char *word, Tcl_Obj *first, Tcl_Obj *second)
{
    Tcl_Obj *words[] = {Tcl_NewStringObj(word, -1), first, second};
    int count = !first ? 1 : !second ? 2 : 3;
    pa_tcl_reply_call(watch->interp, watch->prefix, count, words);
}

static void tell_lost(struct watch *watch, const struct pa_failure *why)
{
    Tcl_Obj *message;
    Tcl_Obj *code;
    watch->is_lost = true;
    pa_tcl_error_split(why, &message, &code);
    tell(watch, "lost", message, code);
}

static void tell_snapshot(struct watch *watch)
{
    Tcl_Obj *list = watch->rows.list;
    watch->rows.list = NULL;
    pa_watch_event_deinit(&watch->event);
    bool was_lost = watch->is_lost;
    watch->is_lost = false;
    if (was_lost)
        tell(watch, "restored", NULL, NULL);
    if (!watch->is_over)
        tell(watch, pa_watch_kind_word(PA_WATCH_SNAPSHOT), list, NULL);
    Tcl_DecrRefCount(list);
}

/* Takes over the event. */
static void take(struct watch *watch, struct pa_watch_event *event)
{
    if (event->kind == PA_WATCH_SNAPSHOT) {
        watch->event = *event;
        pa_tcl_rows_init(&watch->rows, &watch->event.listing, PA_TCL_ROW_DICT);
        return;
    }
    Tcl_Obj *dict = pa_tcl_rows_dict(&event->listing.entries[0]);
    const char *word = pa_watch_kind_word(event->kind);
    pa_watch_event_deinit(event);
    tell(watch, word, dict, NULL);
}

/* ------------------------------------------------------------------ steps -- */

/* One thing more. False: it is to be waited for. */
static bool go_on(struct watch *watch)
{
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    struct pa_failure why;
    if (watch->rows.list) {
        if (pa_tcl_rows_for_a_while(&watch->rows))
            tell_snapshot(watch);
        return true;
    }
    int r = pa_follow_step(watch->follow, &event, &why);
    if (r == 0)
        take(watch, &event);
    else if (r != PA_FOLLOW_WAIT)
        tell_lost(watch, &why);
    return r != PA_FOLLOW_WAIT;
}

/* A descriptor that cannot be waited for is as if the manager were not there: later, again. */
static void wait_for(struct watch *watch)
{
    static const struct pa_deadline at_once = {0, 0};
    if (pa_tcl_pump_wait(&watch->pump, pa_follow_wait(watch->follow)))
        return;
    struct pa_wait pause = {.fd = -1, .until = at_once};
    struct pa_failure why;
    pa_failure_set(&why, PA_E_CONNECT, "too many open files");
    if (pa_follow_break(watch->follow))
        tell_lost(watch, &why);
    if (watch->is_over)
        return;
    pause.until = pa_follow_wait(watch->follow)->until;
    pa_tcl_pump_wait(&watch->pump, &pause);
}

static void step(void *data)
{
    struct watch *watch = data;
    ++watch->users;
    bool more = true;
    do {
        more = go_on(watch);
    } while (more && !watch->is_over && !pa_tcl_pump_is_spent());
    if (!watch->is_over && more)
        pa_tcl_pump_soon(&watch->pump);
    else if (!watch->is_over)
        wait_for(watch);
    unref(watch);
}

/* -------------------------------------------------------------- beginning -- */

static int make(struct pa_follow **follow, Tcl_Interp *interp,
                const struct pa_tcl_server *server, const struct pa_tcl_switches *switches)
{
    struct pa_failure why;
    if (pa_follow_new(follow, server->host, server->port, switches->keys.name_pattern,
                      switches->keys.user_pattern, server->timeout_ms, &why) != 0)
        return pa_tcl_error_failure(interp, &why);
    if (switches->poll_ms > 0)
        pa_follow_set_poll(*follow, (int)switches->poll_ms);
    return TCL_OK;
}

int pa_tcl_watch_start(struct pa_tcl_jobs *jobs, const struct pa_tcl_server *server,
                       Tcl_Obj *prefix, int count, Tcl_Obj *const options[])
{
    struct pa_tcl_switches switches;
    struct pa_follow *follow = NULL;
    int code = pa_tcl_switches_parse(&switches, jobs->interp, PA_VERB_WATCH, count, options);
    if (code == TCL_OK)
        code = pa_tcl_reply_check(jobs->interp, prefix);
    if (code == TCL_OK)
        code = make(&follow, jobs->interp, server, &switches);
    pa_tcl_switches_deinit(&switches);
    if (code != TCL_OK)
        return code;
    struct watch *watch = (void *)Tcl_Alloc(sizeof *watch);
    *watch =
        (struct watch){.interp = jobs->interp, .prefix = prefix, .follow = follow, .users = 1};
    Tcl_IncrRefCount(prefix);
    pa_tcl_job_begin(jobs, &watch->job, pa_tcl_job_watch, end);
    pa_tcl_pump_init(&watch->pump, step, watch);
    pa_tcl_pump_soon(&watch->pump);
    Tcl_SetObjResult(jobs->interp, watch->job.token);
    return TCL_OK;
}
