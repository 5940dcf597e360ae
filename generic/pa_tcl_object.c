/* An allocator: the object command that stands for a port manager. */

#include "pa_tcl_object.h"

#include "pa_tcl_async.h"
#include "pa_tcl_await.h"
#include "pa_tcl_errand.h"
#include "pa_tcl_error.h"
#include "pa_tcl_method.h"
#include "pa_tcl_option.h"
#include "pa_tcl_reply.h"
#include "pa_tcl_self.h"
#include "pa_tcl_switch.h"
#include "pa_tcl_type.h"
#include "pa_tcl_utf8.h"
#include "pa_tcl_watch.h"

struct pa_tcl_object {
    size_t references; /* the command's, and one for each call that runs */
    struct pa_tcl_home *home;
    struct pa_tcl_object *next;  /* younger */
    struct pa_tcl_object **link; /* what points here; NULL: not among the living */
    unsigned long serial;        /* grows from one allocator of a home to the next */
    Tcl_Command command;
    struct pa_tcl_options options;
    struct pa_call *call;    /* owned */
    struct pa_tcl_jobs jobs; /* ended with the command */
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
    pa_tcl_jobs_end_all(&object->jobs);
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

/* -------------------------------------------------------------- errands -- */

/* Whom the allocator asks. Whatever it returns, Tcl_DStringFree(host) is due. */
static int server_of(const struct pa_tcl_object *object, Tcl_Interp *interp,
                     struct pa_tcl_server *server, Tcl_DString *host)
{
    int code = pa_tcl_utf8_get(interp, "host name", object->options.hostname, host);
    *server = (struct pa_tcl_server){Tcl_DStringValue(host), object->options.port,
                                     object->options.timeout_ms};
    return code;
}

static int start(struct pa_tcl_object *object, Tcl_Interp *interp, struct pa_tcl_errand *errand)
{
    struct pa_tcl_server server;
    Tcl_DString host;
    int code = server_of(object, interp, &server, &host);
    if (code == TCL_OK)
        code = pa_tcl_async_start(&object->jobs, errand, &server);
    else
        pa_tcl_errand_free(errand);
    Tcl_DStringFree(&host);
    return code;
}

/* Runs an errand while the script waits. `call` is the one it is put to. */
static int wait_for(struct pa_tcl_object *object, Tcl_Interp *interp,
                    struct pa_tcl_errand *errand, struct pa_call **call)
{
    struct pa_failure why;
    int timeout_ms = object->options.timeout_ms;
    int r = errand->is_opening ? pa_call_open(*call, timeout_ms, &why)
                               : pa_call_run(*call, &errand->errand, timeout_ms, &why);
    if (errand->port != 0 && (r == 0 || r == PA_E_NOT_ALLOCATED))
        pa_call_forget(*call, errand->port);
    return pa_tcl_errand_finish(errand, interp, call, r, &why);
}

/* Runs an errand whose words have been read, with `code`, and frees it: as it says, now or
 * in the event loop. To be called as the last thing of a method. */
static int run(struct pa_tcl_object *object, Tcl_Interp *interp, struct pa_tcl_errand *errand,
               int code)
{
    if (code == TCL_OK && pa_tcl_reply_is_wanted(&errand->switches))
        return start(object, interp, errand);
    if (code == TCL_OK) {
        struct pa_call *call = object->call;
        code = wait_for(object, interp, errand, &call);
    }
    pa_tcl_errand_free(errand);
    return code;
}

/* -------------------------------------------------------------- queries -- */

/* Options come in pairs. TCL_ERROR with the usage unless there are as many words. */
static int expect_pairs(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], int at,
                        const char *usage)
{
    if ((objc - at) % 2 == 0 || *Tcl_GetString(objv[at]) == '-')
        return TCL_OK;
    Tcl_WrongNumArgs(interp, 2, objv, usage);
    return TCL_ERROR;
}

static const char options_usage[] = "?option value ...?";
static const char server_usage[] = "service ?user? ?option value ...?";
static const char users_usage[] = "service ?option value ...?";
static const char release_usage[] = "port ?option value ...?";

static int method_list_ports(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    if (expect_pairs(interp, objc, objv, 2, options_usage) != TCL_OK)
        return TCL_ERROR;
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    return run(self, interp, errand, pa_tcl_errand_ports(errand, interp, objc - 2, objv + 2));
}

/* An odd number of words behind the service begins with the user, who may have a dash. */
static int expect_server(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], int *named)
{
    *named = (objc - 3) % 2;
    if (*named || objc == 3 || *Tcl_GetString(objv[3]) == '-')
        return TCL_OK;
    Tcl_WrongNumArgs(interp, 2, objv, server_usage);
    return TCL_ERROR;
}

static int method_find_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int named;
    if (expect_server(interp, objc, objv, &named) != TCL_OK)
        return TCL_ERROR;
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    int code = pa_tcl_errand_server(errand, interp, objv[2], named ? objv[3] : NULL,
                                    objc - 3 - named, objv + 3 + named);
    return run(self, interp, errand, code);
}

static int method_find_server_all_users(void *self, Tcl_Interp *interp, int objc,
                                        Tcl_Obj *const objv[])
{
    if (expect_pairs(interp, objc, objv, 3, users_usage) != TCL_OK)
        return TCL_ERROR;
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    return run(self, interp, errand,
               pa_tcl_errand_users(errand, interp, objv[2], objc - 3, objv + 3));
}

static int method_find(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    return run(self, interp, errand, pa_tcl_errand_find(errand, interp, objc - 2, objv + 2));
}

/* ----------------------------------------------------------- allocating -- */

static const char allocate_usage[] = "?application? ?option value ...?";

/* An odd number of words begins with the application: so it may be named like an option. */
static int method_allocate_port(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = self;
    int named = (objc - 2) % 2;
    if (!named && objc > 2 && *Tcl_GetString(objv[2]) != '-') {
        Tcl_WrongNumArgs(interp, 2, objv, allocate_usage);
        return TCL_ERROR;
    }
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    Tcl_Obj *application = named ? objv[2] : pa_tcl_self_name(interp);
    Tcl_IncrRefCount(application);
    int code =
        pa_tcl_errand_allocate(errand, interp, application, pa_call_may_hold(object->call),
                               objc - 2 - named, objv + 2 + named);
    Tcl_DecrRefCount(application);
    return run(object, interp, errand, code);
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
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    int code = pa_tcl_errand_listen(errand, interp, object->home, objv[2], objv[3], objc - 4,
                                    objv + 4);
    if (code != TCL_OK || pa_tcl_reply_is_wanted(&errand->switches))
        return run(object, interp, errand, code);
    struct pa_call *call = NULL;
    code = new_call(object, interp, &call);
    if (code == TCL_OK)
        code = wait_for(object, interp, errand, &call);
    pa_call_free(call);
    pa_tcl_errand_free(errand);
    return code;
}

static int method_release(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    if (expect_pairs(interp, objc, objv, 3, release_usage) != TCL_OK)
        return TCL_ERROR;
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    return run(self, interp, errand,
               pa_tcl_errand_release(errand, interp, objv[2], objc - 3, objv + 3));
}

static int method_change(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    return run(self, interp, errand,
               pa_tcl_errand_change(errand, interp, objv[2], objc - 3, objv + 3));
}

/* ------------------------------------------------------------- watching -- */

static int method_watch(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = self;
    struct pa_tcl_server server;
    Tcl_DString host;
    int code = server_of(object, interp, &server, &host);
    if (code == TCL_OK)
        code = pa_tcl_watch_start(&object->jobs, &server, objv[2], objc - 3, objv + 3);
    Tcl_DStringFree(&host);
    return code;
}

static int method_unwatch(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)interp;
    (void)objc;
    return pa_tcl_jobs_end(&((struct pa_tcl_object *)self)->jobs, pa_tcl_job_watch, objv[2]);
}

static int method_wait(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = self;
    struct pa_tcl_server server;
    Tcl_DString host;
    int named;
    if (expect_server(interp, objc, objv, &named) != TCL_OK)
        return TCL_ERROR;
    int code = server_of(object, interp, &server, &host);
    if (code == TCL_OK)
        code = pa_tcl_await(&object->jobs, &server, objv[2], named ? objv[3] : NULL,
                            objc - 3 - named, objv + 3 + named);
    Tcl_DStringFree(&host);
    return code;
}

static int method_cancel(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)interp;
    (void)objc;
    return pa_tcl_jobs_end(&((struct pa_tcl_object *)self)->jobs, pa_tcl_job_async, objv[2]);
}

/* ----------------------------------------------------------- connection -- */

static int method_open_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    if (expect_pairs(interp, objc, objv, 2, options_usage) != TCL_OK)
        return TCL_ERROR;
    struct pa_tcl_errand *errand = pa_tcl_errand_new();
    return run(self, interp, errand, pa_tcl_errand_open(errand, interp, objc - 2, objv + 2));
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
    {"OpenServer", method_open_server, 0, -1, options_usage},
    /*
     * Asks for a port for the application, by default the script's own name, and
     * returns it. The port is the process's until it is released or the interpreter
     * is deleted. Options ask for several, for a certain one, and so on.
     */
    {"allocatePort", method_allocate_port, 0, -1, allocate_usage},
    /* Breaks off an operation that was begun with -command; its command is not called. */
    {"cancel", method_cancel, 1, 1, "token"},
    /* Returns the value of an option. */
    {"cget", method_cget, 1, 1, "option"},
    /* Puts other attributes on a port of the user's. */
    {"change", method_change, 1, -1, "port -attributes dictionary ?option value ...?"},
    /* Describes all options or one, or sets some: all of those given or none. */
    {"configure", method_configure, 0, -1, "?option? ?value option value ...?"},
    /* Sets the options in a list of names and values. */
    {"configurelist", method_configurelist, 1, 1, "optionlist"},
    /* Deletes the allocator; the ports it allocated stay allocated. */
    {"destroy", method_destroy, 0, 0, NULL},
    /* Returns dictionaries of the ports in use whose name and user match the patterns. */
    {"find", method_find, 0, -1, options_usage},
    /* Returns the port of a service of a user, by default the caller; "" if there is none. */
    {"findServer", method_find_server, 1, -1, server_usage},
    /* Returns the list of {user port} of a service. */
    {"findServerAllUsers", method_find_server_all_users, 1, -1, users_usage},
    /* Tells about the allocator. */
    {"info", method_info, 1, -1, "command ?arg ...?"},
    /* Returns the list of {port application user} of all ports in use. */
    {"listPorts", method_list_ports, 0, -1, options_usage},
    /* Returns a channel like that of `socket -server`, on a port of the manager's. */
    {"listen", method_listen, 2, -1, "application command ?option value ...?"},
    /* Releases a port of the user's. */
    {"release", method_release, 1, -1, release_usage},
    /* Ends a watch; its command is not called any more. */
    {"unwatch", method_unwatch, 1, 1, "token"},
    /* Returns the port of a service as soon as there is one; serves events meanwhile. */
    {"wait", method_wait, 1, -1, server_usage},
    /* Has a command called with all ports, and then with each change. */
    {"watch", method_watch, 1, -1, "command ?option value ...?"},
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

/* A method may go on behind its return, with what it has put there; see pa_tcl_reply. */
static int object_command_nr(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct pa_tcl_object *object = data;
    ++object->references;
    int code = pa_tcl_method_call(method_table, NULL, object, interp, objc, objv);
    unref(object);
    return code;
}

static int object_command(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    return Tcl_NRCallObjProc(interp, object_command_nr, data, objc, objv);
}

static int create_command(struct pa_tcl_object *object, Tcl_Interp *interp, const char *name)
{
    object->command = Tcl_NRCreateCommand(interp, name, object_command, object_command_nr,
                                          object, command_deleted);
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
    pa_tcl_jobs_init(&object->jobs, interp, object->home, object->call);
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

void pa_tcl_object_end_all(void *data)
{
    struct pa_tcl_home *home = data;
    for (struct pa_tcl_object *object = home->first; object; object = object->next) {
        pa_tcl_jobs_end_all(&object->jobs);
        object->call = pa_call_free(object->call);
    }
    pa_tcl_home_release(home);
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
