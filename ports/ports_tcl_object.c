/* A port as an object command. */

#include "ports_tcl_object.h"

#include "ports_tcl_call.h"
#include "ports_tcl_error.h"
#include "ports_tcl_listener.h"
#include "ports_tcl_method.h"
#include "ports_tcl_value.h"
#include "sys/ports.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

struct ports_tcl_object {
    unsigned references; /* the command's, and one for each call that runs */
    int id;
    Tcl_Command command;                 /* NULL once it is deleted */
    struct ports_tcl_listener *listener; /* owned */
};

/* ------------------------------------------------------------- lifetime -- */

static void unref(struct ports_tcl_object *object)
{
    if (--object->references > 0)
        return;
    ports_tcl_listener_free(object->listener);
    Tcl_Free((void *)object);
}

static void command_deleted(void *data)
{
    struct ports_tcl_object *object = data;
    object->command = NULL;
    ports_tcl_listener_cancel(object->listener);
    unref(object);
}

/* --------------------------------------------------- sending, receiving -- */

static const char *const timeout_option[] = {"-timeout", NULL};

/* The moment that many milliseconds from now. */
static struct timespec deadline_in(int timeout_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_nsec -= 1000000000L;
        ++deadline.tv_sec;
    }
    return deadline;
}

static int send_message(int id, long message, int timeout_ms)
{
    if (timeout_ms == PORTS_TCL_FOREVER)
        return psend(id, message);
    if (timeout_ms == 0)
        return ptrysend(id, message);
    struct timespec deadline = deadline_in(timeout_ms);
    return ptimedsend(id, message, &deadline);
}

static int receive_message(int id, long *message, int timeout_ms)
{
    if (timeout_ms == PORTS_TCL_FOREVER)
        return preceive_r(id, message);
    if (timeout_ms == 0)
        return ptryreceive(id, message);
    struct timespec deadline = deadline_in(timeout_ms);
    return ptimedreceive(id, message, &deadline);
}

/* Reads `?-timeout ms?` behind the first `taken` words. */
static int get_timeout(Tcl_Interp *interp, int taken, const char *usage, int objc,
                       Tcl_Obj *const objv[], int *timeout_ms)
{
    *timeout_ms = PORTS_TCL_FOREVER;
    Tcl_Obj *value;
    if (ports_tcl_value_option(interp, timeout_option, taken, usage, objc, objv, &value) !=
        TCL_OK)
        return TCL_ERROR;
    return value ? ports_tcl_value_timeout(interp, value, timeout_ms) : TCL_OK;
}

static const char send_usage[] = "value ?-timeout ms?";
static const char receive_usage[] = "?-timeout ms?";
static const char dispose_usage[] = "?-dispose prefix?";

static int method_send(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    const struct ports_tcl_object *object = self;
    long message;
    int timeout_ms;
    if (get_timeout(interp, 3, send_usage, objc, objv, &timeout_ms) != TCL_OK ||
        ports_tcl_value_message(interp, objv[2], &message) != TCL_OK)
        return TCL_ERROR;
    if (send_message(object->id, message, timeout_ms) != 0)
        return ports_tcl_error(interp, errno, Tcl_ObjPrintf("send to port %d", object->id));
    return TCL_OK;
}

static int method_receive(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    const struct ports_tcl_object *object = self;
    long message;
    int timeout_ms;
    if (get_timeout(interp, 2, receive_usage, objc, objv, &timeout_ms) != TCL_OK)
        return TCL_ERROR;
    if (receive_message(object->id, &message, timeout_ms) != 0)
        return ports_tcl_error(interp, errno == EAGAIN ? PORTS_TCL_EMPTY : errno,
                               Tcl_ObjPrintf("receive from port %d", object->id));
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj(message));
    return TCL_OK;
}

/* `prefix` is NULL to ask, and an empty list to cancel. */
static int method_readable(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    const struct ports_tcl_object *object = self;
    if (objc == 2) {
        Tcl_Obj *prefix = ports_tcl_listener_prefix(object->listener);
        if (prefix)
            Tcl_SetObjResult(interp, prefix);
        return TCL_OK;
    }
    Tcl_Size length;
    if (ports_tcl_value_prefix(interp, objv[2], &length) != TCL_OK)
        return TCL_ERROR;
    if (length == 0) {
        ports_tcl_listener_cancel(object->listener);
        return TCL_OK;
    }
    int error = ports_tcl_listener_set(object->listener, objv[2]);
    if (error != 0)
        return ports_tcl_error(interp, error, Tcl_ObjPrintf("watch port %d", object->id));
    return TCL_OK;
}

/* ------------------------------------------------------------- emptying -- */

/* Runs `drain`, which the message calls `verb`, with what -dispose says. */
static int empty(const struct ports_tcl_object *object, Tcl_Interp *interp,
                 int (*drain)(int, int (*)(long)), const char *verb, int objc,
                 Tcl_Obj *const objv[])
{
    static const char *const dispose_option[] = {"-dispose", NULL};
    Tcl_Obj *prefix;
    Tcl_Size length;
    if (ports_tcl_value_option(interp, dispose_option, 2, dispose_usage, objc, objv, &prefix) !=
        TCL_OK)
        return TCL_ERROR;
    if (prefix && ports_tcl_value_prefix(interp, prefix, &length) != TCL_OK)
        return TCL_ERROR;
    int error = ports_tcl_call_drain(interp, drain, object->id, prefix);
    if (error != 0)
        return ports_tcl_error(interp, error, Tcl_ObjPrintf("%s port %d", verb, object->id));
    Tcl_ResetResult(interp);
    return TCL_OK;
}

static int method_reset(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return empty(self, interp, preset, "reset", objc, objv);
}

/* What is left goes to the dispose prefix alone, even if that enters the event loop. */
static int method_delete(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct ports_tcl_object *object = self;
    ports_tcl_listener_hold(object->listener);
    int code = empty(object, interp, pdelete, "delete", objc, objv);
    if (code == TCL_OK)
        ports_tcl_listener_cancel(object->listener);
    ports_tcl_listener_resume(object->listener);
    if (code == TCL_OK && object->command)
        Tcl_DeleteCommandFromToken(interp, object->command);
    return code;
}

static int method_destroy(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    struct ports_tcl_object *object = self;
    Tcl_DeleteCommandFromToken(interp, object->command);
    return TCL_OK;
}

/* ------------------------------------------------------------ questions -- */

static int method_count(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    const struct ports_tcl_object *object = self;
    int count = pgetcount(object->id);
    if (count < 0)
        return ports_tcl_error(interp, errno, Tcl_ObjPrintf("count port %d", object->id));
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj(count));
    return TCL_OK;
}

static int method_id(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    const struct ports_tcl_object *object = self;
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj(object->id));
    return TCL_OK;
}

static int method_name(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    const struct ports_tcl_object *object = self;
    struct portstat status;
    int error = pstat(object->id, &status) == 0 ? 0 : errno;
    if (error == 0 && !status.named)
        error = ENOENT;
    if (error != 0)
        return ports_tcl_error(interp, error, Tcl_ObjPrintf("name port %d", object->id));
    Tcl_SetObjResult(interp, ports_tcl_value_name_new(status.name));
    return TCL_OK;
}

/* -------------------------------------------------------------- command -- */

static const struct ports_tcl_method method_table[] = {
    /* Returns how many messages wait. */
    {"count", method_count, 0, 0, NULL},
    /* Ends the port and deletes the command; the prefix is given the messages left. */
    {"delete", method_delete, 0, 2, dispose_usage},
    /* Deletes the command; the port lives on. */
    {"destroy", method_destroy, 0, 0, NULL},
    /* Returns the number that the port has in its namespace. */
    {"id", method_id, 0, 0, NULL},
    /* Returns the name of the port; an error if it has none, since {} is a name. */
    {"name", method_name, 0, 0, NULL},
    /* Has the event loop call the prefix with each message; {} cancels. */
    {"readable", method_readable, 0, 1, "?prefix?"},
    /* Returns the oldest message, which it waits for. */
    {"receive", method_receive, 0, 2, receive_usage},
    /* Empties the port; the prefix is given the messages. */
    {"reset", method_reset, 0, 2, dispose_usage},
    /* Sends a message, waiting for room. */
    {"send", method_send, 1, 3, send_usage},
    {NULL, NULL, 0, 0, NULL},
};

static int object_command(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct ports_tcl_object *object = data;
    ++object->references;
    int code = ports_tcl_method_run(method_table, object, interp, objc, objv);
    unref(object);
    return code;
}

/* A name in the current namespace that no command has: port17, port17.2, port17.3, ... */
static Tcl_Obj *free_name(Tcl_Interp *interp, int id)
{
    const char *space = Tcl_GetCurrentNamespace(interp)->fullName;
    const char *separator = strcmp(space, "::") == 0 ? "" : "::";
    Tcl_Obj *name = Tcl_ObjPrintf("%s%sport%d", space, separator, id);
    for (unsigned long i = 2; Tcl_FindCommand(interp, Tcl_GetString(name), NULL, 0); ++i) {
        Tcl_DecrRefCount(name);
        name = Tcl_ObjPrintf("%s%sport%d.%lu", space, separator, id, i);
    }
    return name;
}

int ports_tcl_object_new(Tcl_Interp *interp, int id)
{
    struct ports_tcl_object *object = (void *)Tcl_Alloc(sizeof *object);
    *object = (struct ports_tcl_object){.references = 1, .id = id};
    object->listener = ports_tcl_listener_new(interp, id);
    Tcl_Obj *name = free_name(interp, id);
    object->command = Tcl_CreateObjCommand(interp, Tcl_GetString(name), object_command, object,
                                           command_deleted);
    if (object->command) {
        Tcl_SetObjResult(interp, name);
        return TCL_OK;
    }
    unref(object);
    int code = ports_tcl_error_usage(
        interp, Tcl_ObjPrintf("cannot create the command \"%s\"", Tcl_GetString(name)));
    Tcl_DecrRefCount(name);
    return code;
}
