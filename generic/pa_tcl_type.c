/*
 * The command ::portAllocator, which makes allocators.
 *
 * A first word that is no sub-command is the name of an allocator to make.
 */

#include "pa_tcl_type.h"

#include "pa_tcl_error.h"
#include "pa_tcl_method.h"
#include "pa_tcl_object.h"
#include "pa_tcl_wait.h"

#include <stdbool.h>
#include <string.h>

static const char auto_mark[] = "%AUTO%";
static const char auto_prefix[] = "portAllocator";

/* ---------------------------------------------------------------- names -- */

/* The name as seen from the global namespace; a relative one is in the caller's. */
static Tcl_Obj *qualify(Tcl_Interp *interp, const char *name)
{
    if (strncmp(name, "::", 2) == 0)
        return Tcl_NewStringObj(name, -1);
    const char *caller = Tcl_GetCurrentNamespace(interp)->fullName;
    return Tcl_ObjPrintf("%s::%s", strcmp(caller, "::") == 0 ? "" : caller, name);
}

static bool is_command(Tcl_Interp *interp, const char *name)
{
    return Tcl_FindCommand(interp, name, NULL, TCL_GLOBAL_ONLY) != NULL;
}

/* The name with each %AUTO% replaced by the prefix and the number. */
static Tcl_Obj *number_name(const char *name, unsigned long number)
{
    Tcl_Obj *numbered = Tcl_NewObj();
    for (const char *mark; (mark = strstr(name, auto_mark)) != NULL;
         name = mark + sizeof auto_mark - 1) {
        Tcl_AppendToObj(numbered, name, (Tcl_Size)(mark - name));
        Tcl_AppendPrintfToObj(numbered, "%s%lu", auto_prefix, number);
    }
    Tcl_AppendToObj(numbered, name, -1);
    return numbered;
}

/* The full name with each %AUTO% replaced so that no command has the name yet. */
static Tcl_Obj *choose_name(Tcl_Interp *interp, struct pa_tcl_home *home, const char *wanted)
{
    if (!strstr(wanted, auto_mark))
        return qualify(interp, wanted);
    for (;;) {
        Tcl_Obj *numbered = number_name(wanted, ++home->last_auto);
        Tcl_Obj *name = qualify(interp, Tcl_GetString(numbered));
        Tcl_DecrRefCount(numbered);
        if (!is_command(interp, Tcl_GetString(name)))
            return name;
        Tcl_DecrRefCount(name);
    }
}

/* ------------------------------------------------------------- creation -- */

/* Puts the words of the type in front of the message that is the result. */
static void blame_constructor(Tcl_Interp *interp)
{
    Tcl_Obj *message = Tcl_NewStringObj("Error in constructor: ", -1);
    Tcl_AppendObjToObj(message, Tcl_GetObjResult(interp));
    Tcl_SetObjResult(interp, message);
}

static int create_named(Tcl_Interp *interp, struct pa_tcl_home *home, Tcl_Obj *name,
                        Tcl_Size count, Tcl_Obj *const words[])
{
    const char *full = Tcl_GetString(name);
    if (is_command(interp, full))
        return pa_tcl_error_usage(interp, Tcl_ObjPrintf("command \"%s\" already exists", full));
    if (pa_tcl_object_new(interp, home, full, count, words) != TCL_OK) {
        blame_constructor(interp);
        return TCL_ERROR;
    }
    Tcl_SetObjResult(interp, name);
    return TCL_OK;
}

/* Makes an allocator from its name and its options. */
static int create(Tcl_Interp *interp, struct pa_tcl_home *home, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *name = choose_name(interp, home, Tcl_GetString(objv[0]));
    Tcl_IncrRefCount(name);
    int code = create_named(interp, home, name, objc - 1, objv + 1);
    Tcl_DecrRefCount(name);
    return code;
}

/* ------------------------------------------------------------- commands -- */

static int method_create(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return create(interp, self, objc - 2, objv + 2);
}

static int method_destroy(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    struct pa_tcl_home *home = self;
    pa_tcl_object_delete_all(interp, home);
    if (home->type_command)
        Tcl_DeleteCommandFromToken(interp, home->type_command);
    return TCL_OK;
}

static int expect_count(Tcl_Interp *interp, Tcl_Obj *word, const char *what, int *count)
{
    if (Tcl_GetIntFromObj(NULL, word, count) == TCL_OK && *count >= 0)
        return TCL_OK;
    return pa_tcl_error_usage(interp, Tcl_ObjPrintf("expected %s, 0 or more, but got \"%s\"",
                                                    what, Tcl_GetString(word)));
}

static int method_wait_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    int tries;
    int interval_ms = PA_TCL_WAIT_INTERVAL_MS;
    if (expect_count(interp, objv[2], "a number of tries", &tries) != TCL_OK)
        return TCL_ERROR;
    if (objc > 4 &&
        expect_count(interp, objv[4], "an interval in milliseconds", &interval_ms) != TCL_OK)
        return TCL_ERROR;
    return pa_tcl_wait(interp, tries, objc > 3 ? objv[3] : NULL, interval_ms);
}

static int info_instances(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return pa_tcl_object_names(self, interp, objc, objv);
}

static int info_typemethods(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    return pa_tcl_type_method_names(interp, objc, objv);
}

/* There are no variables in Tcl. */
static int info_typevars(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    (void)interp;
    (void)objc;
    (void)objv;
    return TCL_OK;
}

static const struct pa_tcl_method info_table[] = {
    /* Lists the allocators that live, the oldest first. */
    {"instances", info_instances, 0, 1, "?pattern?"},
    /* Lists the sub-commands of the type. */
    {"typemethods", info_typemethods, 0, 1, "?pattern?"},
    /* Lists the type's variables: none. */
    {"typevars", info_typevars, 0, 1, "?pattern?"},
    {NULL, NULL, 0, 0, NULL},
};

static int method_info(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *name = Tcl_NewStringObj(PA_TCL_TYPE_NAME, -1);
    Tcl_IncrRefCount(name);
    int code = pa_tcl_method_info(info_table, name, self, interp, objc, objv);
    Tcl_DecrRefCount(name);
    return code;
}

static const struct pa_tcl_method method_table[] = {
    /* Makes an allocator and returns its full name. Does not connect. */
    {"create", method_create, 1, -1, "name ?arg ...?"},
    /* Deletes all allocators and the command itself; allocated ports stay allocated. */
    {"destroy", method_destroy, 0, 0, NULL},
    /* Tells about the type. */
    {"info", method_info, 1, -1, "command ?arg ...?"},
    /*
     * Asks the manager of the host up to `retries` times, `interval` milliseconds
     * apart, whether it is there; serves events meanwhile. Returns true or false.
     */
    {"waitServer", method_wait_server, 1, 3, "retries ?host? ?interval?"},
    {NULL, NULL, 0, 0, NULL},
};

int pa_tcl_type_method_names(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return pa_tcl_method_names(method_table, interp, objc, objv);
}

/* The first word is the name of an allocator to make. */
static int create_implied(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return create(interp, self, objc - 1, objv + 1);
}

static int type_command(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_home *home = pa_tcl_home_ref(data);
    int code = pa_tcl_method_call(method_table, create_implied, home, interp, objc, objv);
    pa_tcl_home_unref(home);
    return code;
}

static void command_deleted(void *data)
{
    struct pa_tcl_home *home = data;
    home->type_command = NULL;
    pa_tcl_home_unref(home);
}

void pa_tcl_type_create(Tcl_Interp *interp)
{
    struct pa_tcl_home *home = pa_tcl_home_ref(pa_tcl_home_get(interp));
    pa_tcl_home_at_thread_end(home, pa_tcl_object_end_all);
    home->type_command =
        Tcl_CreateObjCommand(interp, PA_TCL_TYPE_NAME, type_command, home, command_deleted);
    if (!home->type_command)
        pa_tcl_home_unref(home);
}
