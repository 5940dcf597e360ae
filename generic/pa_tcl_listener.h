#ifndef PA_TCL_LISTENER_H
#define PA_TCL_LISTENER_H

/*
 * What `listen` returns: a channel like that of `socket -server`, on a port that
 * is released when the channel is closed. It needs no allocator.
 */

#include "pa_lease.h"
#include "pa_tcl_home.h"

/*
 * Makes the channel over the socket `fd`, registers it in the interpreter and
 * sets the result to its name. `command` is called with a channel, an address
 * and a port for each connection. Takes over the descriptor and the lease.
 */
void pa_tcl_listener_new(Tcl_Interp *interp, struct pa_tcl_home *home, Tcl_Obj *command, int fd,
                         const struct pa_lease *lease);

#endif
