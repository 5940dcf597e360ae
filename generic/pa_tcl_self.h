#ifndef PA_TCL_SELF_H
#define PA_TCL_SELF_H

/*
 * Who the script is: the user and the application name that it goes by when it
 * does not say otherwise.
 */

#include "pa_tcl_compat.h"

/*
 * Sets *user to $tcl_platform(user), which scripts compare with what the
 * manager lists; where that is empty, to the name of pa_call_user(). UTF-8.
 * TCL_OK, or TCL_ERROR with a message. Tcl_DStringFree(user) is due either way.
 */
int pa_tcl_self_user(Tcl_Interp *interp, Tcl_DString *user);

/*
 * The name of the script: the last part of $argv0 without its extension. In an
 * interpreter that has no argv0, that of the program. Reference count 0.
 */
Tcl_Obj *pa_tcl_self_name(Tcl_Interp *interp);

#endif
