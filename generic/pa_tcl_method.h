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

/*
 * Runs a command: the row that word 1 names. For a name that the table does not
 * have it runs `otherwise`, or reports the name when that is NULL. TCL_ERROR
 * with the usage when there is no word 1, or too few or too many words follow it.
 */
int pa_tcl_method_call(const struct pa_tcl_method *table, pa_tcl_method_proc *otherwise,
                       void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

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
