#ifndef PA_TCL_OBJECT_H
#define PA_TCL_OBJECT_H

/*
 * An allocator: the object command that stands for a port manager.
 *
 * The command owns the object and may be deleted at any time, by `destroy`, by
 * `rename`, with its namespace or by a trace in the middle of a call; the
 * object lives until the last of its calls has returned.
 */

#include "pa_tcl_home.h"

/*
 * Makes an allocator of that full name and links it into the home. `words` are
 * options and their values. TCL_OK, or TCL_ERROR with the message that its
 * options are wrong; then nothing was made.
 */
int pa_tcl_object_new(Tcl_Interp *interp, struct pa_tcl_home *home, const char *name,
                      Tcl_Size count, Tcl_Obj *const words[]);

/* Deletes the allocators there are now; not those that a delete trace makes meanwhile. */
void pa_tcl_object_delete_all(Tcl_Interp *interp, struct pa_tcl_home *home);

/*
 * For the end of the thread: ends what all allocators have under way, and closes
 * their connections. None of the home (`data`) is used any more.
 */
void pa_tcl_object_end_all(void *data);

/* The sub-command `info instances ?pattern?`: full names, the oldest first. Returns TCL_OK. */
int pa_tcl_object_names(const struct pa_tcl_home *home, Tcl_Interp *interp, int objc,
                        Tcl_Obj *const objv[]);

#endif
