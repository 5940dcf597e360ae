/* Errors as a script sees them. */

#include "pa_tcl_error.h"

#include "pa_tcl_utf8.h"

#include <string.h>

static int report(Tcl_Interp *interp, const char *class_token, Tcl_Obj *message)
{
    Tcl_Obj *code[] = {
        Tcl_NewStringObj("PORTALLOCATOR", -1),
        Tcl_NewStringObj(class_token, -1),
        message,
    };
    Tcl_SetObjResult(interp, message);
    Tcl_SetObjErrorCode(interp, Tcl_NewListObj(3, code));
    return TCL_ERROR;
}

int pa_tcl_error_failure(Tcl_Interp *interp, const struct pa_failure *why)
{
    return report(interp, pa_error_token(why->error),
                  pa_tcl_utf8_new(why->text, strlen(why->text)));
}

int pa_tcl_error_usage(Tcl_Interp *interp, Tcl_Obj *message)
{
    return report(interp, "USAGE", message);
}
