/* Errors as a script sees them. */

#include "pa_tcl_error.h"

#include "pa_tcl_utf8.h"

#include <string.h>

/* The errorCode; `code` may be empty. */
static Tcl_Obj *error_code(const char *class_token, const char *code, Tcl_Obj *message)
{
    Tcl_Obj *words = Tcl_NewListObj(0, NULL);
    Tcl_ListObjAppendElement(NULL, words, Tcl_NewStringObj("PORTALLOCATOR", -1));
    Tcl_ListObjAppendElement(NULL, words, Tcl_NewStringObj(class_token, -1));
    if (*code)
        Tcl_ListObjAppendElement(NULL, words, Tcl_NewStringObj(code, -1));
    Tcl_ListObjAppendElement(NULL, words, message);
    return words;
}

static int report(Tcl_Interp *interp, const char *class_token, const char *code,
                  Tcl_Obj *message)
{
    Tcl_SetObjErrorCode(interp, error_code(class_token, code, message));
    Tcl_SetObjResult(interp, message);
    return TCL_ERROR;
}

static Tcl_Obj *text_of(const struct pa_failure *why)
{
    return pa_tcl_utf8_new(why->text, strlen(why->text));
}

void pa_tcl_error_split(const struct pa_failure *why, Tcl_Obj **message, Tcl_Obj **code)
{
    *message = text_of(why);
    *code = error_code(pa_error_token(why->error), pa_error_code(why->error), *message);
}

static int report_failure(Tcl_Interp *interp, const struct pa_failure *why, Tcl_Obj *message)
{
    return report(interp, pa_error_token(why->error), pa_error_code(why->error), message);
}

int pa_tcl_error_failure(Tcl_Interp *interp, const struct pa_failure *why)
{
    return report_failure(interp, why, text_of(why));
}

int pa_tcl_error_line(Tcl_Interp *interp, const struct pa_failure *why)
{
    if (!*pa_error_code(why->error))
        return pa_tcl_error_failure(interp, why);
    Tcl_Obj *words[] = {Tcl_NewStringObj("FAIL", -1), text_of(why)};
    Tcl_Obj *line = Tcl_NewListObj(2, words);
    return report_failure(interp, why, line);
}

int pa_tcl_error_timeout(Tcl_Interp *interp, Tcl_Obj *message)
{
    return report(interp, "TIMEOUT", "", message);
}

int pa_tcl_error_usage(Tcl_Interp *interp, Tcl_Obj *message)
{
    return report(interp, "USAGE", "", message);
}
