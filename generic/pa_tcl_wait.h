#ifndef PA_TCL_WAIT_H
#define PA_TCL_WAIT_H

/*
 * Waiting for a port manager to come up, without keeping events waiting.
 */

#include "pa_tcl_compat.h"

#include <stdbool.h>

/*
 * Serves events until *done, which one of them sets. TCL_OK, or TCL_ERROR with a
 * message: the interpreter was deleted, cancelled or is out of its limits.
 */
int pa_tcl_wait_until(const bool *done, Tcl_Interp *interp);

enum {
    PA_TCL_WAIT_INTERVAL_MS = 1000, /* between two tries, when the script does not say */
    PA_TCL_WAIT_TRY_MS = 2000,      /* for one try */
};

/*
 * Asks the manager on `host` (NULL or empty: localhost) up to `tries` times,
 * `interval_ms` apart, and sets the result to `true` at the first answer or to
 * `false` if none came. The port is looked up anew before each try, as for an
 * allocator without -port. Runs the event loop all the while; may be called
 * again from an event, the inner call then ends first.
 *
 * TCL_OK, or TCL_ERROR with a message: a wrong host name, the interpreter was
 * deleted, cancelled or is out of its limits.
 */
int pa_tcl_wait(Tcl_Interp *interp, int tries, Tcl_Obj *host, int interval_ms);

#endif
