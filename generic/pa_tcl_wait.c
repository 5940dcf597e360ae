/*
 * Waiting for a port manager to come up.
 *
 * A try is a LIST that does not block, in the event loop that the wait runs. What can
 * fail counts as no answer; a wait that is broken off, by a deleted or a cancelled
 * interpreter, breaks its try off.
 */

#include "pa_tcl_wait.h"

#include "pa_task.h"
#include "pa_tcl_error.h"
#include "pa_tcl_pump.h"
#include "pa_tcl_utf8.h"

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

struct attempt {
    struct pa_errand errand;
    struct pa_task task;
    struct pa_tcl_pump pump;
    bool answered;
    bool over;
};

static void step(void *data)
{
    struct attempt *attempt = data;
    struct pa_failure why;
    int r = pa_task_step(&attempt->task, &why);
    if (r == PA_TASK_WAIT && pa_tcl_pump_wait(&attempt->pump, pa_task_wait(&attempt->task)))
        return;
    attempt->answered = r == 0;
    attempt->over = true;
}

static int run_attempt(const char *host, Tcl_Interp *interp, bool *answered)
{
    struct attempt attempt = {.answered = false};
    struct pa_failure why;
    int code = TCL_OK;
    pa_tcl_pump_init(&attempt.pump, step, &attempt);
    int r = pa_errand_list(&attempt.errand, &why);
    if (pa_task_init(&attempt.task, NULL, host, 0, &attempt.errand, &why) == 0 && r == 0 &&
        pa_task_begin(&attempt.task, PA_TCL_WAIT_TRY_MS, &why) == 0) {
        step(&attempt);
        code = pa_tcl_wait_until(&attempt.over, interp);
    }
    pa_tcl_pump_stop(&attempt.pump);
    pa_task_deinit(&attempt.task);
    pa_errand_deinit(&attempt.errand);
    *answered = attempt.answered;
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
        if (code == TCL_OK)
            code = run_attempt(host, interp, answered);
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
