/* Tables of sub-commands. */

#include "ports_tcl_method.h"

int ports_tcl_method_run(const struct ports_tcl_method *table, void *self, Tcl_Interp *interp,
                         int objc, Tcl_Obj *const objv[])
{
    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "subcommand ?arg ...?");
        return TCL_ERROR;
    }
    int index;
    if (Tcl_GetIndexFromObjStruct(interp, objv[1], table, sizeof *table, "subcommand",
                                  TCL_EXACT, &index) != TCL_OK)
        return TCL_ERROR;
    const struct ports_tcl_method *row = &table[index];
    if (objc - 2 < row->min || objc - 2 > row->max) {
        Tcl_WrongNumArgs(interp, 2, objv, row->usage);
        return TCL_ERROR;
    }
    return row->proc(self, interp, objc, objv);
}
