#ifndef PA_TCL_WATCH_H
#define PA_TCL_WATCH_H

/*
 * Who has which port, told to a command prefix as it changes: jobs that go on
 * until their token or their allocator ends them, whatever becomes of the manager.
 */

#include "pa_tcl_job.h"

/*
 * Begins to watch, with the options of `watch` in `count` words. The prefix is
 * called with `snapshot LIST`, `add DICT`, `remove DICT`, `change DICT`,
 * `lost MESSAGE ERRORCODE` and `restored`, never before this has returned. TCL_OK
 * with the token as result, or TCL_ERROR with a message.
 */
int pa_tcl_watch_start(struct pa_tcl_jobs *jobs, const struct pa_tcl_server *server,
                       Tcl_Obj *prefix, int count, Tcl_Obj *const options[]);

#endif
