/*
 * The package's entry point, and the command `ports`.
 *
 * There is none for safe interpreters: ports reach into other processes. A
 * master may give its safe interpreters an alias for a port.
 */

#include "ports_tcl.h"

#include "ports_tcl_error.h"
#include "ports_tcl_method.h"
#include "ports_tcl_object.h"
#include "ports_tcl_value.h"
#include "sys/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>

#ifndef DLLEXPORT
#define DLLEXPORT
#endif

enum { PORT_MODE = 0666 }; /* less the umask, and what the folder of the ports allows */

/* ---------------------------------------------------------------- create -- */

/* Makes the object of a port that was just created; without one the port goes too. */
static int adopt(Tcl_Interp *interp, int id)
{
    int code = ports_tcl_object_new(interp, id);
    if (code != TCL_OK)
        pdelete(id, NULL);
    return code;
}

static int create_unnamed(Tcl_Interp *interp, int count)
{
    int id = pcreate(count);
    if (id < 0)
        return ports_tcl_error(interp, errno,
                               Tcl_ObjPrintf("create a port for %d messages", count));
    return adopt(interp, id);
}

static int create_named(Tcl_Interp *interp, int count, Tcl_Obj *word)
{
    Tcl_DString name;
    int code = ports_tcl_value_name(interp, word, &name);
    if (code == TCL_OK) {
        int id = pcreate_named(count, Tcl_DStringValue(&name), O_EXCL, PORT_MODE);
        if (id >= 0)
            code = adopt(interp, id);
        else
            code = ports_tcl_error(
                interp, errno, Tcl_ObjPrintf("create the port \"%s\"", Tcl_GetString(word)));
    }
    Tcl_DStringFree(&name);
    return code;
}

static const char create_usage[] = "count ?-name name?";

static int command_create(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    static const char *const name_option[] = {"-name", NULL};
    int count;
    Tcl_Obj *name;
    if (ports_tcl_value_option(interp, name_option, 3, create_usage, objc, objv, &name) !=
            TCL_OK ||
        ports_tcl_value_number(interp, "count", objv[2], PORTS_COUNT_MAX, &count) != TCL_OK)
        return TCL_ERROR;
    return name ? create_named(interp, count, name) : create_unnamed(interp, count);
}

/* ------------------------------------------------------------------ open -- */

static int open_name(Tcl_Interp *interp, Tcl_Obj *word)
{
    Tcl_DString name;
    int code = ports_tcl_value_name(interp, word, &name);
    if (code == TCL_OK) {
        int id = pgetport(Tcl_DStringValue(&name));
        if (id >= 0)
            code = ports_tcl_object_new(interp, id);
        else
            code = ports_tcl_error(interp, errno,
                                   Tcl_ObjPrintf("open the port \"%s\"", Tcl_GetString(word)));
    }
    Tcl_DStringFree(&name);
    return code;
}

static int open_id(Tcl_Interp *interp, Tcl_Obj *word)
{
    int id;
    if (ports_tcl_value_number(interp, "port id", word, INT_MAX, &id) != TCL_OK)
        return TCL_ERROR;
    if (pgetcount(id) < 0)
        return ports_tcl_error(interp, errno, Tcl_ObjPrintf("open port %d", id));
    return ports_tcl_object_new(interp, id);
}

/* A single word is a name, even if it is -id. */
static int command_open(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    static const char *const id_option[] = {"-id", NULL};
    if (objc == 3)
        return open_name(interp, objv[2]);
    int index;
    if (Tcl_GetIndexFromObjStruct(interp, objv[2], id_option, sizeof *id_option, "option",
                                  TCL_EXACT, &index) != TCL_OK)
        return TCL_ERROR;
    return open_id(interp, objv[3]);
}

/* ------------------------------------------------------------------ list -- */

static void put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

static Tcl_Obj *describe(const struct portstat *status)
{
    Tcl_Obj *dict = Tcl_NewDictObj();
    put(dict, "id", Tcl_NewWideIntObj(status->id));
    if (status->named)
        put(dict, "name", ports_tcl_value_name_new(status->name));
    put(dict, "count", Tcl_NewWideIntObj(status->count));
    put(dict, "capacity", Tcl_NewWideIntObj(status->capacity));
    put(dict, "senders", Tcl_NewWideIntObj(status->blocked_senders));
    put(dict, "receivers", Tcl_NewWideIntObj(status->blocked_receivers));
    put(dict, "owner", Tcl_NewWideIntObj(status->uid));
    put(dict, "group", Tcl_NewWideIntObj(status->gid));
    put(dict, "mode", Tcl_ObjPrintf("%05o", (unsigned)status->mode));
    put(dict, "creator", Tcl_NewWideIntObj(status->creator));
    put(dict, "created", Tcl_NewWideIntObj(status->created.tv_sec));
    return dict;
}

/* Whether it is no error for the list that a port cannot be looked at. */
static int may_leave_out(int error)
{
    return error == EINVAL /* deleted meanwhile */ || error == EACCES || error == EIO;
}

static int command_list(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    (void)objc;
    (void)objv;
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    int error = 0;
    for (int id = 0; error == 0;) {
        struct portstat status;
        id = pnext(id);
        if (id < 0)
            error = errno;
        else if (pstat(id, &status) == 0)
            Tcl_ListObjAppendElement(NULL, list, describe(&status));
        else if (!may_leave_out(errno))
            error = errno;
    }
    if (error == ENOENT) {
        Tcl_SetObjResult(interp, list);
        return TCL_OK;
    }
    Tcl_DecrRefCount(list);
    return ports_tcl_error(interp, error, Tcl_NewStringObj("list the ports", -1));
}

/* --------------------------------------------------------------- command -- */

static const struct ports_tcl_method method_table[] = {
    /* Creates a port for that many messages. */
    {"create", command_create, 1, 3, create_usage},
    /* Returns a dictionary for each port there is. */
    {"list", command_list, 0, 0, NULL},
    /* Opens a port that exists, by its name or its id. */
    {"open", command_open, 1, 2, "?-id? port"},
    {NULL, NULL, 0, 0, NULL},
};

static int ports_command(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return ports_tcl_method_run(method_table, data, interp, objc, objv);
}

/* Loads the package into the interpreter; the name is the loader's. TCL_OK or TCL_ERROR. */
DLLEXPORT int Ports_Init(Tcl_Interp *interp);

int Ports_Init(Tcl_Interp *interp)
{
    if (!Tcl_InitStubs(interp, "8.6-", 0))
        return TCL_ERROR;
    Tcl_CreateObjCommand(interp, "::ports", ports_command, NULL, NULL);
    return Tcl_PkgProvide(interp, "ports", PACKAGE_VERSION);
}
