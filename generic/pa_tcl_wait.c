/*
 * Waiting for a port manager to come up.
 *
 * A try is a LIST on a connection of its own, made by a thread of its own, so
 * that neither a look-up nor a host that does not answer holds up the events
 * of the waiting thread. The thread is joined before the try is looked at; it
 * ends by its deadline. When the wait is broken off, by a deleted or a
 * cancelled interpreter, that join is the only thing that may block, no longer
 * than the deadline. Where Tcl has no threads the try blocks instead.
 */

#include "pa_tcl_wait.h"

#include "pa_call.h"
#include "pa_tcl_error.h"
#include "pa_tcl_utf8.h"

/* One try; shared by two threads until the second is joined. */
struct attempt {
    const char *host;
    int port;
    Tcl_ThreadId waiter;
    bool answered; /* written by the asking thread before it queues the event */
    bool over;     /* set in the waiting thread by the event */
};

struct over_event {
    Tcl_Event header; /* first: libtcl frees the event by it */
    struct attempt *attempt;
};

/* -------------------------------------------------- in the asking thread -- */

static bool ask(const struct attempt *attempt)
{
    struct pa_call *call = pa_call_new(attempt->host, attempt->port);
    if (!call)
        return false;
    struct pa_listing listing;
    struct pa_failure why;
    bool answered = pa_call_list(call, PA_TCL_WAIT_TRY_MS, &listing, &why) == 0;
    if (answered)
        pa_listing_deinit(&listing);
    pa_call_free(call);
    return answered;
}

static int attempt_over(Tcl_Event *header, int flags)
{
    (void)flags;
    ((struct over_event *)header)->attempt->over = true;
    return 1;
}

static Tcl_ThreadCreateType asking_thread(void *data)
{
    struct attempt *attempt = data;
    Tcl_ThreadId waiter = attempt->waiter;
    attempt->answered = ask(attempt);
    struct over_event *event = (void *)Tcl_Alloc(sizeof *event);
    *event = (struct over_event){.header = {.proc = attempt_over}, .attempt = attempt};
    Tcl_ThreadQueueEvent(waiter, &event->header, TCL_QUEUE_TAIL);
    Tcl_ThreadAlert(waiter);
    TCL_THREAD_CREATE_RETURN;
}

/* ------------------------------------------------- in the waiting thread -- */

/* Whether the script may go on; TCL_ERROR with a message if not. */
static int check_interp(Tcl_Interp *interp)
{
    if (Tcl_InterpDeleted(interp)) {
        Tcl_SetObjResult(interp, Tcl_NewStringObj("the interpreter was deleted", -1));
        return TCL_ERROR;
    }
    if (Tcl_Canceled(interp, TCL_LEAVE_ERR_MSG) != TCL_OK)
        return TCL_ERROR;
    return Tcl_LimitCheck(interp);
}

int pa_tcl_wait_until(const bool *done, Tcl_Interp *interp)
{
    int code = TCL_OK;
    while (!*done && code == TCL_OK) {
        Tcl_DoOneEvent(TCL_ALL_EVENTS);
        code = check_interp(interp);
    }
    return code;
}

static int is_event_of(Tcl_Event *header, void *attempt)
{
    return header->proc == attempt_over && ((struct over_event *)header)->attempt == attempt;
}

static int run_attempt(struct attempt *attempt, Tcl_Interp *interp)
{
    Tcl_ThreadId thread;
    if (Tcl_CreateThread(&thread, asking_thread, attempt, TCL_THREAD_STACK_DEFAULT,
                         TCL_THREAD_JOINABLE) != TCL_OK) {
        attempt->answered = ask(attempt);
        return TCL_OK;
    }
    int code = pa_tcl_wait_until(&attempt->over, interp);
    int result;
    Tcl_JoinThread(thread, &result);
    Tcl_DeleteEvents(is_event_of, attempt);
    return code;
}

static void timer_expired(void *data)
{
    *(bool *)data = true;
}

static int pause_for(int interval_ms, Tcl_Interp *interp)
{
    bool expired = false;
    Tcl_TimerToken timer = Tcl_CreateTimerHandler(interval_ms, timer_expired, &expired);
    int code = pa_tcl_wait_until(&expired, interp);
    Tcl_DeleteTimerHandler(timer);
    return code;
}

static int try_all(Tcl_Interp *interp, int tries, const char *host, int interval_ms,
                   bool *answered)
{
    int code = TCL_OK;
    *answered = false;
    for (int i = 0; i < tries && code == TCL_OK && !*answered; ++i) {
        if (i > 0)
            code = pause_for(interval_ms, interp);
        if (code != TCL_OK)
            break;
        /* Here and not in the other thread: the look-up reads the environment. */
        int port = pa_call_port_from_file();
        struct attempt attempt = {
            .host = host,
            .port = port ? port : PA_CALL_DEFAULT_PORT,
            .waiter = Tcl_GetCurrentThread(),
        };
        code = run_attempt(&attempt, interp);
        *answered = attempt.answered;
    }
    return code;
}

int pa_tcl_wait(Tcl_Interp *interp, int tries, Tcl_Obj *host, int interval_ms)
{
    Tcl_DString name;
    Tcl_DStringInit(&name);
    int code = host ? pa_tcl_utf8_get(interp, "host name", host, &name) : TCL_OK;
    bool answered = false;
    Tcl_Preserve(interp);
    if (code == TCL_OK)
        code = try_all(interp, tries, Tcl_DStringValue(&name), interval_ms, &answered);
    if (code == TCL_OK)
        Tcl_SetObjResult(interp, Tcl_NewStringObj(answered ? "true" : "false", -1));
    Tcl_Release(interp);
    Tcl_DStringFree(&name);
    return code;
}
