#ifndef PORTS_TCL_VALUE_H
#define PORTS_TCL_VALUE_H

/* Words of a script as values of the C calls, and back. */

#include "ports_tcl.h"

enum { PORTS_TCL_FOREVER = -1 }; /* as a timeout: none */

/* A message: an integer that a C long can hold. TCL_OK, or TCL_ERROR with a message. */
int ports_tcl_value_message(Tcl_Interp *interp, Tcl_Obj *word, long *message);

/* An integer from 1 to `max`. `what` names it in the message. TCL_OK or TCL_ERROR. */
int ports_tcl_value_number(Tcl_Interp *interp, const char *what, Tcl_Obj *word, int max,
                           int *number);

/* Milliseconds from 0. TCL_OK or TCL_ERROR. */
int ports_tcl_value_timeout(Tcl_Interp *interp, Tcl_Obj *word, int *timeout_ms);

/* The words of a command, a list; sets *length, which may be 0. TCL_OK or TCL_ERROR. */
int ports_tcl_value_prefix(Tcl_Interp *interp, Tcl_Obj *word, Tcl_Size *length);

/*
 * The words behind the first `taken` ones of a command: either none, or the
 * option `name` and its value. Sets *value to that, or to NULL when there are
 * none. TCL_OK, or TCL_ERROR with `usage` for a wrong number of words, or with
 * Tcl's own message for another option.
 */
int ports_tcl_value_option(Tcl_Interp *interp, const char *const name[2], int taken,
                           const char *usage, int objc, Tcl_Obj *const objv[], Tcl_Obj **value);

/*
 * Sets *bytes to the name of a port as UTF-8. TCL_OK, or TCL_ERROR with a
 * message when there is a NUL in it. Tcl_DStringFree(bytes) is due either way.
 */
int ports_tcl_value_name(Tcl_Interp *interp, Tcl_Obj *word, Tcl_DString *bytes);

/* The name of a port as a new string; reference count 0. */
Tcl_Obj *ports_tcl_value_name_new(const char *bytes);

#endif
