#ifndef PORTS_TCL_OBJECT_H
#define PORTS_TCL_OBJECT_H

/*
 * A port as an object command.
 *
 * The command owns the object and may be deleted at any time, by `destroy`, by
 * `rename`, with its namespace or in one of its own callbacks; the object lives
 * until the last of its calls has returned. The port itself lives on, unless
 * `delete` ends it.
 */

#include "ports_tcl.h"

/*
 * Makes the command in the current namespace, named after the id, and sets the
 * result to its full name. TCL_OK or TCL_ERROR.
 */
int ports_tcl_object_new(Tcl_Interp *interp, int id);

#endif
