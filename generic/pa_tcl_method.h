#ifndef PA_TCL_METHOD_H
#define PA_TCL_METHOD_H

/*
 * Tables of sub-commands. A table ends with a row of zeros; names are given in
 * full, there are no abbreviations.
 */

#include "pa_tcl_compat.h"

/* `self` is the command's client data; `objc` and `objv` are all words of the command. */
typedef int pa_tcl_method_proc(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

struct pa_tcl_method {
    const char *name;
    pa_tcl_method_proc *proc;
    int min; /* fewest words behind the name */
    int max; /* most words behind the name; -1: any number */
    const char *usage;
};

/* The row of that name, or NULL. */
const struct pa_tcl_method *pa_tcl_method_find(const struct pa_tcl_method *table,
                                               Tcl_Obj *name);

/*
 * Runs a row whose name is word `depth` of the command. TCL_ERROR with the
 * usage when too few or too many words follow the name.
 */
int pa_tcl_method_run(const struct pa_tcl_method *row, int depth, void *self,
                      Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

/* Reports a name that the table does not have. Returns TCL_ERROR. */
int pa_tcl_method_unknown(Tcl_Interp *interp, const struct pa_tcl_method *table, Tcl_Obj *name);

/*
 * The sub-command `info` of a command: finds word 2 in the table and runs it.
 * `command` is the command's full name, for the message about an unknown word.
 */
int pa_tcl_method_info(const struct pa_tcl_method *table, Tcl_Obj *command, void *self,
                       Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

/*
 * Appends `name` to `list` if it matches the pattern that the words of an
 * `info` sub-command may end with (word 3).
 */
void pa_tcl_method_collect(Tcl_Obj *list, Tcl_Obj *name, int objc, Tcl_Obj *const objv[]);

/* Sets the result to the names of the table that match such a pattern. Returns TCL_OK. */
int pa_tcl_method_names(const struct pa_tcl_method *table, Tcl_Interp *interp, int objc,
                        Tcl_Obj *const objv[]);

#endif
