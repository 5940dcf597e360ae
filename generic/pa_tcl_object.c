/* An allocator: the object command that stands for a port manager. */

#include "pa_tcl_object.h"

#include "pa_tcl_error.h"
#include "pa_tcl_method.h"
#include "pa_tcl_option.h"
#include "pa_tcl_self.h"
#include "pa_tcl_type.h"
#include "pa_tcl_utf8.h"

#include <string.h>

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

static int list_ports(struct pa_tcl_object *object, Tcl_Interp *interp,
                      struct pa_listing *listing)
{
    struct pa_failure why;
    if (pa_call_list(object->call, object->options.timeout_ms, listing, &why) != 0)
        return pa_tcl_error_failure(interp, &why);
    return TCL_OK;
}

/*
 * The user of an entry. Neighbours mostly have the same one: they share its
 * object, which is the caller's in *user and *last, both NULL at first.
 */
static Tcl_Obj *share_user(const struct pa_listing_entry *entry,
                           const struct pa_listing_entry **last, Tcl_Obj **user)
{
    if (!*last || (*last)->user_size != entry->user_size ||
        memcmp((*last)->user, entry->user, entry->user_size) != 0) {
        *last = entry;
        *user = pa_tcl_utf8_new(entry->user, entry->user_size);
    }
    return *user;
}

/* The list of {port application user} of all entries. */
static Tcl_Obj *describe_ports(const struct pa_listing *listing)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    const struct pa_listing_entry *last = NULL;
    Tcl_Obj *user = NULL;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        Tcl_Obj *elements[] = {
            Tcl_NewWideIntObj(entry->port),
            pa_tcl_utf8_new(entry->name, entry->name_size),
            share_user(entry, &last, &user),
        };
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewListObj(3, elements));
    }
    return list;
}

static int method_list_ports(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)objc;
    (void)objv;
    struct pa_listing listing;
    if (list_ports(self, interp, &listing) != TCL_OK)
        return TCL_ERROR;
    Tcl_SetObjResult(interp, describe_ports(&listing));
    pa_listing_deinit(&listing);
    return TCL_OK;
}

/* The user in word 3 if it is there and not empty, else the caller. */
static int wanted_user(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], Tcl_DString *user)
{
    if (objc > 3 && *Tcl_GetString(objv[3]))
        return pa_tcl_utf8_get(interp, "user", objv[3], user);
    return pa_tcl_self_user(interp, user);
}

static int find_port(struct pa_tcl_object *object, Tcl_Interp *interp, const char *service,
                     const char *user)
{
    struct pa_listing listing;
    if (list_ports(object, interp, &listing) != TCL_OK)
        return TCL_ERROR;
    const struct pa_listing_entry *entry = pa_listing_find(&listing, service, user);
    Tcl_SetObjResult(interp, entry ? Tcl_NewWideIntObj(entry->port) : Tcl_NewObj());
    pa_listing_deinit(&listing);
    return TCL_OK;
}

static int method_find_server(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_DString service;
    Tcl_DString user;
    Tcl_DStringInit(&user);
    int code = pa_tcl_utf8_get(interp, "service name", objv[2], &service);
    if (code == TCL_OK)
        code = wanted_user(interp, objc, objv, &user);
    if (code == TCL_OK)
        code = find_port(self, interp, Tcl_DStringValue(&service), Tcl_DStringValue(&user));
    Tcl_DStringFree(&service);
    Tcl_DStringFree(&user);
    return code;
}

/* The list of {user port} of the entries of that name. */
static Tcl_Obj *users_of(const struct pa_listing *listing, const char *service)
{
    size_t size = strlen(service);
    Tcl_Obj *users = Tcl_NewListObj(0, NULL);
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        if (entry->name_size != size || memcmp(entry->name, service, size) != 0)
            continue;
        Tcl_Obj *elements[] = {
            pa_tcl_utf8_new(entry->user, entry->user_size),
            Tcl_NewWideIntObj(entry->port),
        };
        Tcl_ListObjAppendElement(NULL, users, Tcl_NewListObj(2, elements));
    }
    return users;
}

static int method_find_server_all_users(void *self, Tcl_Interp *interp, int objc,
                                        Tcl_Obj *const objv[])
{
    (void)objc;
    struct pa_listing listing;
    Tcl_DString service;
    int code = pa_tcl_utf8_get(interp, "service name", objv[2], &service);
    if (code == TCL_OK)
        code = list_ports(self, interp, &listing);
    if (code == TCL_OK) {
        Tcl_SetObjResult(interp, users_of(&listing, Tcl_DStringValue(&service)));
        pa_listing_deinit(&listing);
    }
    Tcl_DStringFree(&service);
    return code;
}

/* ----------------------------------------------------------- connection -- */

static int allocate(struct pa_tcl_object *object, Tcl_Interp *interp, const char *name,
                    const char *user)
{
    struct pa_failure why;
    uint16_t port;
    if (pa_call_allocate(object->call, name, user, object->options.timeout_ms, &port, &why) !=
        0)
        return pa_tcl_error_failure(interp, &why);
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj(port));
    return TCL_OK;
}

static int method_allocate_port(void *self, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *application = objc > 2 ? objv[2] : pa_tcl_self_name(interp);
    Tcl_IncrRefCount(application);
    Tcl_DString name;
    Tcl_DString user;
    Tcl_DStringInit(&user);
    int code = pa_tcl_utf8_get(interp, "application name", application, &name);
    if (code == TCL_OK)
        code = pa_tcl_self_user(interp, &user);
    if (code == TCL_OK)
        code = allocate(self, interp, Tcl_DStringValue(&name), Tcl_DStringValue(&user));
    Tcl_DStringFree(&name);
    Tcl_DStringFree(&user);
    Tcl_DecrRefCount(application);
    return code;
}

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
     * returns it. The port is the process's until the interpreter is deleted.
     */
    {"allocatePort", method_allocate_port, 0, 1, "?application?"},
    /* Returns the value of an option. */
    {"cget", method_cget, 1, 1, "option"},
    /* Describes all options or one, or sets some: all of those given or none. */
    {"configure", method_configure, 0, -1, "?option? ?value option value ...?"},
    /* Sets the options in a list of names and values. */
    {"configurelist", method_configurelist, 1, 1, "optionlist"},
    /* Deletes the allocator; the ports it allocated stay allocated. */
    {"destroy", method_destroy, 0, 0, NULL},
    /* Returns the port of a service of a user, by default the caller; "" if there is none. */
    {"findServer", method_find_server, 1, 2, "service ?user?"},
    /* Returns the list of {user port} of a service. */
    {"findServerAllUsers", method_find_server_all_users, 1, 1, "service"},
    /* Tells about the allocator. */
    {"info", method_info, 1, -1, "command ?arg ...?"},
    /* Returns the list of {port application user} of all ports in use. */
    {"listPorts", method_list_ports, 0, 0, NULL},
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
