#ifndef PORTS_TCL_METHOD_H
#define PORTS_TCL_METHOD_H

/*
 * Tables of sub-commands. A table ends with a row of zeros; names are given in
 * full, there are no abbreviations.
 */

#include "ports_tcl.h"

/* `self` is the command's client data; `objc` and `objv` are all words of the command. */
typedef int ports_tcl_method_proc(void *self, Tcl_Interp *interp, int objc,
                                  Tcl_Obj *const objv[]);

struct ports_tcl_method {
    const char *name;
    ports_tcl_method_proc *proc;
    int min; /* fewest words behind the name */
    int max; /* most words behind the name */
    const char *usage;
};

/*
 * Runs the row that word 1 of the command names. TCL_ERROR with a message when
 * there is none, or too few or too many words follow it.
 */
int ports_tcl_method_run(const struct ports_tcl_method *table, void *self, Tcl_Interp *interp,
                         int objc, Tcl_Obj *const objv[]);

#endif
