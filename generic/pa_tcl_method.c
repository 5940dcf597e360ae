/* Tables of sub-commands. */

#include "pa_tcl_method.h"

#include "pa_tcl_error.h"

/* The index of the row of that name, or -1. */
static int find(const struct pa_tcl_method *table, Tcl_Obj *name)
{
    int row;
    if (Tcl_GetIndexFromObjStruct(NULL, name, table, sizeof *table, "subcommand", TCL_EXACT,
                                  &row) != TCL_OK)
        return -1;
    return row;
}

/* Runs a row whose name is word `depth` of the command. */
static int run(const struct pa_tcl_method *row, int depth, void *self, Tcl_Interp *interp,
               int objc, Tcl_Obj *const objv[])
{
    int words = objc - depth - 1;
    if (words < row->min || (row->max >= 0 && words > row->max)) {
        Tcl_WrongNumArgs(interp, depth + 1, objv, row->usage);
        return TCL_ERROR;
    }
    return row->proc(self, interp, objc, objv);
}

static int report_unknown(Tcl_Interp *interp, const struct pa_tcl_method *table, Tcl_Obj *name)
{
    const char *word = Tcl_GetString(name);
    Tcl_Obj *message = Tcl_ObjPrintf("unknown subcommand \"%s\": must be ", word);
    for (const struct pa_tcl_method *row = table; row->name; ++row) {
        if (row > table)
            Tcl_AppendToObj(message, row[1].name ? ", " : ", or ", -1);
        Tcl_AppendToObj(message, row->name, -1);
    }
    Tcl_SetObjResult(interp, message);
    Tcl_SetErrorCode(interp, "TCL", "LOOKUP", "SUBCOMMAND", word, (char *)NULL);
    return TCL_ERROR;
}

int pa_tcl_method_call(const struct pa_tcl_method *table, pa_tcl_method_proc *otherwise,
                       void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "subcommand ?arg ...?");
        return TCL_ERROR;
    }
    int row = find(table, objv[1]);
    if (row >= 0)
        return run(&table[row], 1, self, interp, objc, objv);
    return otherwise ? otherwise(self, interp, objc, objv)
                     : report_unknown(interp, table, objv[1]);
}

int pa_tcl_method_info(const struct pa_tcl_method *table, Tcl_Obj *command, void *self,
                       Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int row = find(table, objv[2]);
    if (row >= 0)
        return run(&table[row], 2, self, interp, objc, objv);
    return pa_tcl_error_usage(interp,
                              Tcl_ObjPrintf("\"%s info %s\" is not defined",
                                            Tcl_GetString(command), Tcl_GetString(objv[2])));
}

void pa_tcl_method_collect(Tcl_Obj *list, Tcl_Obj *name, int objc, Tcl_Obj *const objv[])
{
    Tcl_IncrRefCount(name);
    if (objc <= 3 || Tcl_StringMatch(Tcl_GetString(name), Tcl_GetString(objv[3])))
        Tcl_ListObjAppendElement(NULL, list, name);
    Tcl_DecrRefCount(name);
}

int pa_tcl_method_names(const struct pa_tcl_method *table, Tcl_Interp *interp, int objc,
                        Tcl_Obj *const objv[])
{
    Tcl_Obj *names = Tcl_NewListObj(0, NULL);
    for (const struct pa_tcl_method *row = table; row->name; ++row)
        pa_tcl_method_collect(names, Tcl_NewStringObj(row->name, -1), objc, objv);
    Tcl_SetObjResult(interp, names);
    return TCL_OK;
}
