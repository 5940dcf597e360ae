#ifndef PA_TCL_ASYNC_H
#define PA_TCL_ASYNC_H

/*
 * Errands in the event loop: a job each, with a connection of its own, that ends with
 * the answer.
 */

#include "pa_tcl_errand.h"
#include "pa_tcl_job.h"

/*
 * Begins an errand, which is taken over, and tells its answer as its options
 * say. To be called as the last thing of a method, and its result returned:
 * TCL_OK with the token as result, or TCL_ERROR with a message; in a coroutine
 * what comes of that.
 */
int pa_tcl_async_start(struct pa_tcl_jobs *jobs, struct pa_tcl_errand *errand,
                       const struct pa_tcl_server *server);

#endif
