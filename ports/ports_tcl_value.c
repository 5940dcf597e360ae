/* Words of a script as values of the C calls, and back. */

#include "ports_tcl_value.h"

#include "ports_tcl_error.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/*
 * An integer that fits. Tcl 8.6 takes whatever 64 bits can hold without a sign
 * too, so that 2^64-1 becomes -1: such a number has another sign than its text.
 */
static bool get_wide(Tcl_Obj *word, Tcl_WideInt *wide)
{
    if (Tcl_GetWideIntFromObj(NULL, word, wide) != TCL_OK)
        return false;
    const char *text = Tcl_GetString(word);
    text += strspn(text, " \t\n\v\f\r");
    return *wide == 0 || (*wide < 0) == (*text == '-');
}

int ports_tcl_value_message(Tcl_Interp *interp, Tcl_Obj *word, long *message)
{
    Tcl_WideInt wide;
    if (!get_wide(word, &wide) || wide < LONG_MIN || wide > LONG_MAX)
        return ports_tcl_error_usage(
            interp, Tcl_ObjPrintf("expected an integer from %ld to %ld but got \"%s\"",
                                  LONG_MIN, LONG_MAX, Tcl_GetString(word)));
    *message = (long)wide;
    return TCL_OK;
}

int ports_tcl_value_number(Tcl_Interp *interp, const char *what, Tcl_Obj *word, int max,
                           int *number)
{
    Tcl_WideInt wide;
    if (!get_wide(word, &wide) || wide < 1 || wide > max)
        return ports_tcl_error_usage(interp,
                                     Tcl_ObjPrintf("expected a %s from 1 to %d but got \"%s\"",
                                                   what, max, Tcl_GetString(word)));
    *number = (int)wide;
    return TCL_OK;
}

int ports_tcl_value_timeout(Tcl_Interp *interp, Tcl_Obj *word, int *timeout_ms)
{
    Tcl_WideInt wide;
    if (!get_wide(word, &wide) || wide < 0 || wide > INT_MAX)
        return ports_tcl_error_usage(
            interp, Tcl_ObjPrintf("expected a number of milliseconds from 0 to %d but got "
                                  "\"%s\"",
                                  INT_MAX, Tcl_GetString(word)));
    *timeout_ms = (int)wide;
    return TCL_OK;
}

int ports_tcl_value_prefix(Tcl_Interp *interp, Tcl_Obj *word, Tcl_Size *length)
{
    if (Tcl_ListObjLength(NULL, word, length) == TCL_OK)
        return TCL_OK;
    return ports_tcl_error_usage(interp,
                                 Tcl_ObjPrintf("expected a command prefix, which is a list, "
                                               "but got \"%s\"",
                                               Tcl_GetString(word)));
}

int ports_tcl_value_option(Tcl_Interp *interp, const char *const name[2], int taken,
                           const char *usage, int objc, Tcl_Obj *const objv[], Tcl_Obj **value)
{
    *value = NULL;
    if (objc == taken)
        return TCL_OK;
    int index;
    if (Tcl_GetIndexFromObjStruct(interp, objv[taken], name, sizeof *name, "option", TCL_EXACT,
                                  &index) != TCL_OK)
        return TCL_ERROR;
    if (objc != taken + 2) {
        Tcl_WrongNumArgs(interp, 2, objv, usage);
        return TCL_ERROR;
    }
    *value = objv[taken + 1];
    return TCL_OK;
}

int ports_tcl_value_name(Tcl_Interp *interp, Tcl_Obj *word, Tcl_DString *bytes)
{
    Tcl_Size length;
    const char *text = Tcl_GetStringFromObj(word, &length);
    Tcl_Encoding encoding = Tcl_GetEncoding(NULL, "utf-8"); /* built into libtcl */
    Tcl_UtfToExternalDString(encoding, text, length, bytes);
    Tcl_FreeEncoding(encoding);
    if (strlen(Tcl_DStringValue(bytes)) == (size_t)Tcl_DStringLength(bytes))
        return TCL_OK;
    return ports_tcl_error_usage(
        interp, Tcl_NewStringObj("the name of a port must not contain NUL", -1));
}

Tcl_Obj *ports_tcl_value_name_new(const char *bytes)
{
    Tcl_Encoding encoding = Tcl_GetEncoding(NULL, "utf-8");
    Tcl_DString text;
    Tcl_ExternalToUtfDString(encoding, bytes, -1, &text);
    Tcl_FreeEncoding(encoding);
    Tcl_Obj *name = Tcl_NewStringObj(Tcl_DStringValue(&text), Tcl_DStringLength(&text));
    Tcl_DStringFree(&text);
    return name;
}
