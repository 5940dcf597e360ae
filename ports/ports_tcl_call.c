/* Commands of the script that are given messages. */

#include "ports_tcl_call.h"

#include <errno.h>
#include <stddef.h>

void ports_tcl_call(Tcl_Interp *interp, Tcl_Obj *prefix, long message)
{
    Tcl_Obj *command = Tcl_DuplicateObj(prefix);
    Tcl_IncrRefCount(command);
    Tcl_ListObjAppendElement(NULL, command, Tcl_NewWideIntObj(message));
    int code = Tcl_EvalObjEx(interp, command, TCL_EVAL_GLOBAL | TCL_EVAL_DIRECT);
    if (code != TCL_OK)
        Tcl_BackgroundException(interp, code);
    Tcl_DecrRefCount(command);
}

/* Who is given the messages: the C calls hand nothing through to the dispose function. */
struct taker {
    Tcl_Interp *interp;
    Tcl_Obj *prefix;
};

/* The innermost one: a prefix may empty another port. */
static __thread const struct taker *taker;

static int take(long message)
{
    if (!Tcl_InterpDeleted(taker->interp))
        ports_tcl_call(taker->interp, taker->prefix, message);
    return 0;
}

static int drain_to(const struct taker *inner, int (*drain)(int, int (*)(long)), int id)
{
    const struct taker *outer = taker;
    taker = inner;
    int error = drain(id, take) == 0 ? 0 : errno;
    taker = outer;
    return error;
}

int ports_tcl_call_drain(Tcl_Interp *interp, int (*drain)(int, int (*)(long)), int id,
                         Tcl_Obj *prefix)
{
    Tcl_Size length = 0;
    if (!prefix || Tcl_ListObjLength(NULL, prefix, &length) != TCL_OK || length == 0)
        return drain(id, NULL) == 0 ? 0 : errno;
    Tcl_Preserve(interp);
    Tcl_IncrRefCount(prefix);
    int error = drain_to(&(struct taker){.interp = interp, .prefix = prefix}, drain, id);
    Tcl_DecrRefCount(prefix);
    Tcl_Release(interp);
    return error;
}
