/* An allocator: the object command that stands for a port manager. */

#include "pa_tcl_object.h"

#include "pa_tcl_allocate.h"
#include "pa_tcl_error.h"
#include "pa_tcl_method.h"
#include "pa_tcl_option.h"
#include "pa_tcl_query.h"
#include "pa_tcl_self.h"
#include "pa_tcl_switch.h"
#include "pa_tcl_type.h"
#include "pa_tcl_utf8.h"

struct pa_tcl_object {
    size_t references; /* the command's, and one for each call that runs */
    struct pa_tcl_home *home;
    struct pa_tcl_object *next;  /* younger */
    struct pa_tcl_object **link; /* what points here; NULL: not among the living */
    unsigned long serial;        /* grows from one allocator of a home to the next */
    Tcl_Command command;
    struct pa_tcl_options options;
    struct pa_call *call; /* owned */
};

/* ------------------------------------------------------------- lifetime -- */

static void link_object(struct pa_tcl_object *object)
{
    struct pa_tcl_home *home = object->home;
    object->serial = ++home->last_serial;
    object->link = home->end;
    *home->end = object;
    home->end = &object->next;
}

static void unlink_object(struct pa_tcl_object *object)
{
    if (!object->link)
        return;
    *object->link = object->next;
    if (object->next)
        object->next->link = object->link;
    else
        object->home->end = object->link;
    object->next = NULL;
    object->link = NULL;
}

/* Gives up one reference; the last one hands the connection to the home. */
static void unref(struct pa_tcl_object *object)
{
    if (--object->references > 0)
        return;
    pa_tcl_home_keep(object->home, object->call);
    pa_tcl_home_unref(object->home);
    pa_tcl_options_deinit(&object->options);
    Tcl_Free((void *)object);
}

static void command_deleted(void *data)
{
    struct pa_tcl_object *object = data;
    unlink_object(object);
    unref(object);
}

static Tcl_Obj *full_name(Tcl_Interp *interp, const struct pa_tcl_object *object)
{
    Tcl_Obj *name = Tcl_NewObj();
    Tcl_GetCommandFullName(interp, object->command, name);
    return name;
}

/* -------------------------------------------------------------- options -- */

static int report_memory(Tcl_Interp *interp)
{
    struct pa_failure why;
    pa_failure_set(&why, PA_E_CLIENT_MEMORY);
    return pa_tcl_error_failure(interp, &why);
}

/* Tells the call its server. */
static int set_server(struct pa_tcl_object *object, Tcl_Interp *interp,
                      const struct pa_tcl_options *options)
{
    Tcl_DString host;
    int code = pa_tcl_utf8_get(interp, "host name", options->hostname, &host);
    struct pa_failure why;
    if (code == TCL_OK &&
        pa_call_set_server(object->call, Tcl_DStringValue(&host), options->port, &why) != 0)
        code = pa_tcl_error_failure(interp, &why);
    Tcl_DStringFree(&host);
    return code;
}

/* Sets all of the options in the words, or none if one of them is wrong. */
static int configure(struct pa_tcl_object *object, Tcl_Interp *interp, Tcl_Size count,
                     Tcl_Obj *const words[])
{
    struct pa_tcl_options options;
    pa_tcl_options_copy(&options, &object->options);
    int code = pa_tcl_options_set(&options, interp, count, words);
    if (code == TCL_OK)
        code = set_server(object, interp, &options);
    if (code == TCL_OK) {
        pa_tcl_options_deinit(&object->options);
        object->options = options;
        return TCL_OK;
    }
    pa_tcl_options_deinit(&options);
    return code;
}

static int method_cget(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    struct pa_tcl_object *object = self;
    return pa_tcl_options_get(&object->options, interp, objv[2]);
}

static int method_configure(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = self;
    if (objc == 2)
        return pa_tcl_options_describe_all(&object->options, interp);
    if (objc == 3)
        return pa_tcl_options_describe(&object->options, interp, objv[2]);
    return configure(object, interp, objc - 2, objv + 2);
}

static int method_configurelist(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    Tcl_Size count;
    Tcl_Obj **words;
    /* A list of its own: reading a word as a number must not pull the list from under us. */
    Tcl_Obj *list = Tcl_DuplicateObj(objv[2]);
    Tcl_IncrRefCount(list);
    int code = Tcl_ListObjGetElements(interp, list, &count, &words);
    if (code == TCL_OK)
        code = configure(self, interp, count, words);
    Tcl_DecrRefCount(list);
    return code;
}

/* -------------------------------------------------------------- queries -- */

static struct pa_tcl_query query_of(const struct pa_tcl_object *object)
{
    return (struct pa_tcl_query){object->call, object->options.timeout_ms};
}

static int method_list_ports(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    const struct pa_tcl_query query = query_of(self);
    return pa_tcl_query_ports(&query, interp);
}

/* The user in word 3 if it is there and not empty, else the caller. */
static int wanted_user(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], Tcl_DString *user)
{
    if (objc > 3 && *Tcl_GetString(objv[3]))
        return pa_tcl_utf8_get(interp, "user", objv[3], user);
    return pa_tcl_self_user(interp, user);
}

static int method_find_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_DString service;
    Tcl_DString user;
    Tcl_DStringInit(&user);
    int code = pa_tcl_utf8_get(interp, "service name", objv[2], &service);
    if (code == TCL_OK)
        code = wanted_user(interp, objc, objv, &user);
    if (code == TCL_OK) {
        const struct pa_tcl_query query = query_of(self);
        code = pa_tcl_query_server(&query, interp, Tcl_DStringValue(&service),
                                   Tcl_DStringValue(&user));
    }
    Tcl_DStringFree(&service);
    Tcl_DStringFree(&user);
    return code;
}

static int method_find_server_all_users(void *self, Tcl_Interp *interp, int objc,
                                        Tcl_Obj *const objv[])
{
    (void)objc;
    const struct pa_tcl_query query = query_of(self);
    Tcl_DString service;
    int code = pa_tcl_utf8_get(interp, "service name", objv[2], &service);
    if (code == TCL_OK)
        code = pa_tcl_query_users(&query, interp, Tcl_DStringValue(&service));
    Tcl_DStringFree(&service);
    return code;
}

static int method_find(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    const struct pa_tcl_query query = query_of(self);
    struct pa_tcl_switches switches;
    int code = pa_tcl_switches_parse(&switches, interp, PA_VERB_FIND, objc - 2, objv + 2);
    if (code == TCL_OK)
        code = pa_tcl_query_find(&query, interp, &switches);
    pa_tcl_switches_deinit(&switches);
    return code;
}

/* ----------------------------------------------------------- allocating -- */

/* A wish as the script words it, in UTF-8. */
struct wording {
    Tcl_DString name;
    Tcl_DString user;
    struct pa_tcl_wish wish;
};

/* Whatever it returns, end_wording() is due. */
static int begin_wording(struct wording *wording, Tcl_Interp *interp, Tcl_Obj *application)
{
    Tcl_DStringInit(&wording->user);
    int code = pa_tcl_utf8_get(interp, "application name", application, &wording->name);
    if (code == TCL_OK)
        code = pa_tcl_self_user(interp, &wording->user);
    return code;
}

static const struct pa_tcl_wish *wish_of(struct wording *wording,
                                         const struct pa_tcl_object *object)
{
    wording->wish =
        (struct pa_tcl_wish){Tcl_DStringValue(&wording->name), Tcl_DStringValue(&wording->user),
                             object->options.timeout_ms};
    return &wording->wish;
}

static void end_wording(struct wording *wording)
{
    Tcl_DStringFree(&wording->name);
    Tcl_DStringFree(&wording->user);
}

static int allocate(struct pa_tcl_object *object, Tcl_Interp *interp, Tcl_Obj *application,
                    int count, Tcl_Obj *const options[])
{
    struct pa_tcl_switches switches;
    struct wording wording;
    int code = begin_wording(&wording, interp, application);
    if (code == TCL_OK && count == 0) {
        code = pa_tcl_allocate(object->call, interp, wish_of(&wording, object));
    } else if (code == TCL_OK) {
        code = pa_tcl_switches_parse(&switches, interp, PA_VERB_ALLOCATE, count, options);
        if (code == TCL_OK)
            code =
                pa_tcl_allocate_so(object->call, interp, wish_of(&wording, object), &switches);
        pa_tcl_switches_deinit(&switches);
    }
    end_wording(&wording);
    return code;
}

static const char allocate_usage[] = "?application? ?option value ...?";

/* An odd number of words begins with the application: so it may be named like an option. */
static int method_allocate_port(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int named = (objc - 2) % 2;
    if (!named && objc > 2 && *Tcl_GetString(objv[2]) != '-') {
        Tcl_WrongNumArgs(interp, 2, objv, allocate_usage);
        return TCL_ERROR;
    }
    Tcl_Obj *application = named ? objv[2] : pa_tcl_self_name(interp);
    Tcl_IncrRefCount(application);
    int code = allocate(self, interp, application, objc - 2 - named, objv + 2 + named);
    Tcl_DecrRefCount(application);
    return code;
}

/* A call of its own for a channel that listens. */
static int new_call(const struct pa_tcl_object *object, Tcl_Interp *interp,
                    struct pa_call **call)
{
    Tcl_DString host;
    int code = pa_tcl_utf8_get(interp, "host name", object->options.hostname, &host);
    if (code == TCL_OK) {
        *call = pa_call_new(Tcl_DStringValue(&host), object->options.port);
        code = *call ? TCL_OK : report_memory(interp);
    }
    Tcl_DStringFree(&host);
    return code;
}

static int method_listen(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = self;
    struct pa_tcl_switches switches;
    struct wording wording;
    struct pa_call *call;
    int code = begin_wording(&wording, interp, objv[2]);
    if (code == TCL_OK) {
        code = pa_tcl_switches_parse(&switches, interp, PA_VERB_LISTEN, objc - 4, objv + 4);
        if (code == TCL_OK)
            code = new_call(object, interp, &call);
        if (code == TCL_OK)
            code = pa_tcl_allocate_listener(call, interp, object->home,
                                            wish_of(&wording, object), &switches, objv[3]);
        pa_tcl_switches_deinit(&switches);
    }
    end_wording(&wording);
    return code;
}

static int method_release(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    struct pa_tcl_object *object = self;
    struct pa_failure why;
    uint16_t port;
    if (pa_tcl_switch_port(interp, objv[2], &port) != TCL_OK)
        return TCL_ERROR;
    if (pa_call_release(object->call, port, object->options.timeout_ms, &why) != 0)
        return pa_tcl_error_failure(interp, &why);
    return TCL_OK;
}

/* ----------------------------------------------------------- connection -- */

static int method_open_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    struct pa_tcl_object *object = self;
    struct pa_failure why;
    if (pa_call_open(object->call, object->options.timeout_ms, &why) != 0)
        return pa_tcl_error_failure(interp, &why);
    return TCL_OK;
}

static int method_close_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)interp;
    (void)objc;
    (void)objv;
    struct pa_tcl_object *object = self;
    if (pa_call_held(object->call) == 0)
        pa_call_close(object->call);
    return TCL_OK;
}

static int method_destroy(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    struct pa_tcl_object *object = self;
    Tcl_DeleteCommandFromToken(interp, object->command);
    return TCL_OK;
}

/* ----------------------------------------------------------------- info -- */

static int method_info(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

static const struct pa_tcl_method method_table[] = {
    /* Closes the connection that OpenServer made, unless it holds ports by now. */
    {"CloseServer", method_close_server, 0, 0, NULL},
    /* Connects now and keeps the connection for the calls to come. */
    {"OpenServer", method_open_server, 0, 0, NULL},
    /*
     * Asks for a port for the application, by default the script's own name, and
     * returns it. The port is the process's until it is released or the interpreter
     * is deleted. Options ask for several, for a certain one, and so on.
     */
    {"allocatePort", method_allocate_port, 0, -1, allocate_usage},
    /* Returns the value of an option. */
    {"cget", method_cget, 1, 1, "option"},
    /* Describes all options or one, or sets some: all of those given or none. */
    {"configure", method_configure, 0, -1, "?option? ?value option value ...?"},
    /* Sets the options in a list of names and values. */
    {"configurelist", method_configurelist, 1, 1, "optionlist"},
    /* Deletes the allocator; the ports it allocated stay allocated. */
    {"destroy", method_destroy, 0, 0, NULL},
    /* Returns dictionaries of the ports in use whose name and user match the patterns. */
    {"find", method_find, 0, -1, "?option value ...?"},
    /* Returns the port of a service of a user, by default the caller; "" if there is none. */
    {"findServer", method_find_server, 1, 2, "service ?user?"},
    /* Returns the list of {user port} of a service. */
    {"findServerAllUsers", method_find_server_all_users, 1, 1, "service"},
    /* Tells about the allocator. */
    {"info", method_info, 1, -1, "command ?arg ...?"},
    /* Returns the list of {port application user} of all ports in use. */
    {"listPorts", method_list_ports, 0, 0, NULL},
    /* Returns a channel like that of `socket -server`, on a port of the manager's. */
    {"listen", method_listen, 2, -1, "application command ?option value ...?"},
    /* Releases a port of the user's. */
    {"release", method_release, 1, 1, "port"},
    {NULL, NULL, 0, 0, NULL},
};

static int info_methods(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    return pa_tcl_method_names(method_table, interp, objc, objv);
}

static int info_options(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    return pa_tcl_options_names(interp, objc, objv);
}

static int info_type(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    (void)objc;
    (void)objv;
    Tcl_SetObjResult(interp, Tcl_NewStringObj(PA_TCL_TYPE_NAME, -1));
    return TCL_OK;
}

static int info_typemethods(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    return pa_tcl_type_method_names(interp, objc, objv);
}

/* There are no variables in Tcl. */
static int info_vars(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)self;
    (void)interp;
    (void)objc;
    (void)objv;
    return TCL_OK;
}

static const struct pa_tcl_method info_table[] = {
    /* Lists the sub-commands of an allocator. */
    {"methods", info_methods, 0, 1, "?pattern?"},
    /* Lists the names of the options. */
    {"options", info_options, 0, 1, "?pattern?"},
    /* Returns ::portAllocator. */
    {"type", info_type, 0, 0, NULL},
    /* Lists the sub-commands of the type. */
    {"typemethods", info_typemethods, 0, 1, "?pattern?"},
    /* Lists the type's variables: none. */
    {"typevars", info_vars, 0, 1, "?pattern?"},
    /* Lists the allocator's variables: none. */
    {"vars", info_vars, 0, 1, "?pattern?"},
    {NULL, NULL, 0, 0, NULL},
};

static int method_info(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *name = full_name(interp, self);
    Tcl_IncrRefCount(name);
    int code = pa_tcl_method_info(info_table, name, self, interp, objc, objv);
    Tcl_DecrRefCount(name);
    return code;
}

/* -------------------------------------------------------------- command -- */

static int object_command(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = data;
    ++object->references;
    int code = pa_tcl_method_call(method_table, NULL, object, interp, objc, objv);
    unref(object);
    return code;
}

static int create_command(struct pa_tcl_object *object, Tcl_Interp *interp, const char *name)
{
    object->command =
        Tcl_CreateObjCommand(interp, name, object_command, object, command_deleted);
    if (object->command)
        return TCL_OK;
    return pa_tcl_error_usage(interp, Tcl_ObjPrintf("cannot create the command \"%s\"", name));
}

int pa_tcl_object_new(Tcl_Interp *interp, struct pa_tcl_home *home, const char *name,
                      Tcl_Size count, Tcl_Obj *const words[])
{
    struct pa_tcl_object *object = (void *)Tcl_Alloc(sizeof *object);
    *object = (struct pa_tcl_object){.references = 1, .home = pa_tcl_home_ref(home)};
    pa_tcl_options_init(&object->options);
    object->call = pa_call_new(NULL, 0);
    if (object->call)
        pa_call_set_hold(object->call, true);
    int code = object->call ? configure(object, interp, count, words) : report_memory(interp);
    if (code == TCL_OK)
        code = create_command(object, interp, name);
    if (code == TCL_OK)
        link_object(object);
    else
        unref(object);
    return code;
}

void pa_tcl_object_delete_all(Tcl_Interp *interp, struct pa_tcl_home *home)
{
    unsigned long youngest = home->last_serial;
    while (home->first && home->first->serial <= youngest) {
        struct pa_tcl_object *object = home->first;
        /* First: a command whose deletion is under way already is not deleted twice. */
        unlink_object(object);
        Tcl_DeleteCommandFromToken(interp, object->command);
    }
}

int pa_tcl_object_names(const struct pa_tcl_home *home, Tcl_Interp *interp, int objc,
                        Tcl_Obj *const objv[])
{
    Tcl_Obj *names = Tcl_NewListObj(0, NULL);
    for (const struct pa_tcl_object *object = home->first; object; object = object->next)
        pa_tcl_method_collect(names, full_name(interp, object), objc, objv);
    Tcl_SetObjResult(interp, names);
    return TCL_OK;
}
