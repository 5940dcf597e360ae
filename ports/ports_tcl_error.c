/* Errors as a script sees them. */

#include "ports_tcl_error.h"

#include <errno.h>

struct row {
    int error;
    const char *class_token;
    const char *text; /* what is wrong, and what to do about it */
};

static const struct row error_table[] = {
    {EINVAL, "NOPORT",
     "there is no such port, or no longer; [ports list] shows those there are"},
    {EIDRM, "DELETED", "it was deleted meanwhile; create or open another"},
    {ECANCELED, "RESET", "it was reset meanwhile; nothing was transferred, try again"},
    {ETIMEDOUT, "TIMEOUT", "the time is up; try again or give it a longer -timeout"},
    {EAGAIN, "FULL", "it is full; try again once something was received from it"},
    {PORTS_TCL_EMPTY, "EMPTY", "it is empty; try again once something was sent to it"},
    {ENOENT, "NONAME", "no port has this name; start the program that creates it"},
    {EEXIST, "EXISTS", "a port has this name; use [ports open], or delete that one first"},
    {EACCES, "ACCESS",
     "the folder of the ports is not to be trusted, or it is another user's; see PORTS_DIR"},
    {ENOMEM, "MEMORY",
     "there is no memory for it; delete other ports or ask for a smaller one"},
    {ENOSPC, "WATCHERS", "too many processes watch it; cancel [readable] in one of them"},
    {EMFILE, "FILES", "this process has too many files open; close some, or raise its limit"},
    {ENFILE, "FILES", "the system has too many files open; close some, or raise its limit"},
    {EINTR, "INTERRUPTED", "a signal came; nothing was transferred, try again"},
    {EIO, "DAMAGED", "its memory is damaged; stop who writes there, and create another"},
    {0, "SYSTEM", NULL},
};

static int report(Tcl_Interp *interp, const char *class_token, Tcl_Obj *message)
{
    Tcl_Obj *code[] = {
        Tcl_NewStringObj("PORTS", -1),
        Tcl_NewStringObj(class_token, -1),
        message,
    };
    Tcl_SetObjResult(interp, message);
    Tcl_SetObjErrorCode(interp, Tcl_NewListObj(3, code));
    return TCL_ERROR;
}

int ports_tcl_error(Tcl_Interp *interp, int error, Tcl_Obj *what)
{
    const struct row *row = error_table;
    while (row->error != 0 && row->error != error)
        ++row;
    const char *text = row->text ? row->text : Tcl_ErrnoMsg(error);
    Tcl_IncrRefCount(what);
    Tcl_Obj *message = Tcl_ObjPrintf("cannot %s: %s", Tcl_GetString(what), text);
    Tcl_DecrRefCount(what);
    return report(interp, row->class_token, message);
}

int ports_tcl_error_usage(Tcl_Interp *interp, Tcl_Obj *message)
{
    return report(interp, "USAGE", message);
}
