#ifndef PA_TCL_REPLY_H
#define PA_TCL_REPLY_H

/*
 * Who is told what came of an operation that did not block: a command prefix,
 * or a coroutine that waits for it.
 */

#include "pa_tcl_compat.h"
#include "pa_tcl_switch.h"

#include <stdbool.h>

struct pa_tcl_pause; /* what a coroutine waits in */

struct pa_tcl_reply {
    Tcl_Interp *interp;
    Tcl_Obj *command;           /* owned; NULL: a coroutine waits */
    struct pa_tcl_pause *pause; /* shared with the coroutine; NULL: none waits */
};

/* Whether the options say that somebody is to be told, instead of waited for. */
bool pa_tcl_reply_is_wanted(const struct pa_tcl_switches *switches);

/*
 * Begins, with what the options say. TCL_OK; or TCL_ERROR with a message: both
 * were given, or there is no coroutine.
 */
int pa_tcl_reply_init(struct pa_tcl_reply *reply, Tcl_Interp *interp,
                      const struct pa_tcl_switches *switches);

/*
 * The end of the command that began the operation: sets the result to the token,
 * or has the coroutine wait, behind this command. When that goes on without an
 * answer, since it is deleted or somebody else has called it, `broken_off` is
 * called with `data`. To be called as the last thing, and its result returned.
 */
int pa_tcl_reply_return(struct pa_tcl_reply *reply, Tcl_Obj *token,
                        void (*broken_off)(void *data), void *data);

/*
 * Tells the result of the interpreter, a value or with `code` TCL_ERROR an error,
 * and resets it. The reply is used up then, and what it was part of may be gone.
 */
void pa_tcl_reply_give(struct pa_tcl_reply *reply, int code);

/* Tells nobody. A coroutine that waits stays as it is. */
void pa_tcl_reply_drop(struct pa_tcl_reply *reply);

/* Whether a script's word is a command prefix: TCL_OK, or TCL_ERROR with a message. */
int pa_tcl_reply_check(Tcl_Interp *interp, Tcl_Obj *prefix);

/* Calls such a prefix with words appended, errors to the background; or does nothing, when
 * the interpreter is being deleted. The words have a reference count of 0 or more. */
void pa_tcl_reply_call(Tcl_Interp *interp, Tcl_Obj *prefix, int count, Tcl_Obj *const words[]);

#endif
