#ifndef PA_TCL_AWAIT_H
#define PA_TCL_AWAIT_H

/*
 * Waiting for a service to be advertised: a watch within, whatever becomes of the
 * manager, until there is a port of that name and user.
 */

#include "pa_tcl_job.h"

/*
 * Waits for the service of the user (NULL or empty: the caller), with the options of
 * `wait` in `count` words, which say who is told the port; else it serves events until
 * that is there. To be called as the last thing of a method, and its result
 * returned. TCL_OK with the port or the token as result, or TCL_ERROR with a message.
 */
int pa_tcl_await(struct pa_tcl_jobs *jobs, const struct pa_tcl_server *server, Tcl_Obj *service,
                 Tcl_Obj *user, int count, Tcl_Obj *const options[]);

#endif
