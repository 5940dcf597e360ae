#ifndef PA_TCL_ALLOCATE_H
#define PA_TCL_ALLOCATE_H

/*
 * How an allocator gets ports: plain, by options, or with a channel that listens.
 *
 * Each function sets the result of the interpreter and returns TCL_OK, or
 * TCL_ERROR with a message. Names are UTF-8.
 */

#include "pa_call.h"
#include "pa_tcl_home.h"
#include "pa_tcl_switch.h"

/* Who wants it. */
struct pa_tcl_wish {
    const char *name; /* of the application */
    const char *user;
    int timeout_ms;
};

/*
 * A port, held by the manager if it can, as in protocol 1 if it is old. A refusal
 * reads as in protocol 1, whichever was spoken: scripts may know it.
 */
int pa_tcl_allocate(struct pa_call *call, Tcl_Interp *interp, const struct pa_tcl_wish *wish);

/*
 * What the options say. The result is the port; with -count the list of ports;
 * with -unique a dictionary of port and joined. The ports are held if the
 * manager can, unless -hold says what to do.
 */
int pa_tcl_allocate_so(struct pa_call *call, Tcl_Interp *interp, const struct pa_tcl_wish *wish,
                       const struct pa_tcl_switches *switches);

/*
 * A channel that listens, on a connection of its own, which it takes over;
 * `call` is new. `command` is called for each client.
 */
int pa_tcl_allocate_listener(struct pa_call *call, Tcl_Interp *interp, struct pa_tcl_home *home,
                             const struct pa_tcl_wish *wish,
                             const struct pa_tcl_switches *switches, Tcl_Obj *command);

#endif
