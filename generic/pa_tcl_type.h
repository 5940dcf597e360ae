#ifndef PA_TCL_TYPE_H
#define PA_TCL_TYPE_H

/*
 * The command ::portAllocator, which makes allocators.
 */

#include "pa_tcl_home.h"

#define PA_TCL_TYPE_NAME "::portAllocator"

/* Creates the command. */
void pa_tcl_type_create(Tcl_Interp *interp);

/* The sub-command `info typemethods ?pattern?`. Returns TCL_OK. */
int pa_tcl_type_method_names(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

#endif
