#ifndef PORTS_TCL_ERROR_H
#define PORTS_TCL_ERROR_H

/*
 * Errors as a script sees them: a message, and an errorCode of three elements,
 * {PORTS CLASS message}.
 *
 * The class comes from the errno of the call that failed, or is USAGE for a
 * word that the script got wrong. A wrong number of words keeps Tcl's own
 * {TCL WRONGARGS}, an unknown sub-command or option {TCL LOOKUP INDEX ...}.
 */

#include "ports_tcl.h"

/* A port that is empty, which the C calls do not tell from one that is full. */
#define PORTS_TCL_EMPTY ENOMSG

/*
 * Reports that something failed with that errno. `what` is what could not be
 * done, as in "receive from port 17", and is taken over. Returns TCL_ERROR.
 */
int ports_tcl_error(Tcl_Interp *interp, int error, Tcl_Obj *what);

/* Reports a word the script got wrong; takes over `message`. Returns TCL_ERROR. */
int ports_tcl_error_usage(Tcl_Interp *interp, Tcl_Obj *message);

#endif
