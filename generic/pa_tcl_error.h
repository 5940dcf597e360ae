#ifndef PA_TCL_ERROR_H
#define PA_TCL_ERROR_H

/*
 * Errors as a script sees them: a message, and an errorCode of three elements,
 * {PORTALLOCATOR CLASS message}, or of four, {PORTALLOCATOR REFUSED CODE
 * message}, for what has a code word in protocol 2.
 *
 * The classes are those of the error table, and USAGE for a word that the
 * script got wrong. A wrong number of words keeps Tcl's own {TCL WRONGARGS},
 * an unknown sub-command {TCL LOOKUP SUBCOMMAND word}.
 */

#include "pa_failure.h"
#include "pa_tcl_compat.h"

/* Reports why a call failed. Returns TCL_ERROR. */
int pa_tcl_error_failure(Tcl_Interp *interp, const struct pa_failure *why);

/* The message and the errorCode of that, for who is told otherwise; reference counts 0. */
void pa_tcl_error_split(const struct pa_failure *why, Tcl_Obj **message, Tcl_Obj **code);

/* The same; of a manager's refusal the message is `FAIL {text}`, its line in protocol 1. */
int pa_tcl_error_line(Tcl_Interp *interp, const struct pa_failure *why);

/* Reports what took longer than the script wanted to wait; takes over `message`. Returns
 * TCL_ERROR. */
int pa_tcl_error_timeout(Tcl_Interp *interp, Tcl_Obj *message);

/* Reports a word the script got wrong; takes over `message`. Returns TCL_ERROR. */
int pa_tcl_error_usage(Tcl_Interp *interp, Tcl_Obj *message);

#endif
