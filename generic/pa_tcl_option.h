#ifndef PA_TCL_OPTION_H
#define PA_TCL_OPTION_H

/*
 * The options of an allocator: -hostname, -port and -timeout.
 */

#include "pa_tcl_compat.h"

struct pa_tcl_options {
    Tcl_Obj *hostname; /* owned; as the script gave it */
    int port;          /* TCP port; 0: what the port file says, else the default */
    int timeout_ms;    /* for one call to the manager */
};

/* Sets the defaults. */
void pa_tcl_options_init(struct pa_tcl_options *options);
void pa_tcl_options_deinit(struct pa_tcl_options *options);

/* Sets *copy to the same values; it is due to be deinitialised too. */
void pa_tcl_options_copy(struct pa_tcl_options *copy, const struct pa_tcl_options *options);

/*
 * Sets options from words that are names and values in turn. TCL_OK, or
 * TCL_ERROR with a message; the options before the wrong one are then set.
 */
int pa_tcl_options_set(struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Size count,
                       Tcl_Obj *const words[]);

/* Sets the result to the value of an option, TCL_ERROR if there is no such option. */
int pa_tcl_options_get(const struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Obj *name);

/* Sets the result to {name dbname class default value}, TCL_ERROR if there is no such option.
 */
int pa_tcl_options_describe(const struct pa_tcl_options *options, Tcl_Interp *interp,
                            Tcl_Obj *name);

/* Sets the result to the list of the descriptions of all options. Returns TCL_OK. */
int pa_tcl_options_describe_all(const struct pa_tcl_options *options, Tcl_Interp *interp);

/* The sub-command `info options ?pattern?`: the names that match. Returns TCL_OK. */
int pa_tcl_options_names(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

#endif
