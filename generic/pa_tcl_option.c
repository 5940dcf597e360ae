/* The options of an allocator. */

#include "pa_tcl_option.h"

#include "pa_call.h"
#include "pa_tcl_error.h"
#include "pa_tcl_method.h"

#include <assert.h>
#include <stdint.h>

struct option {
    const char *name;
    const char *db_name;
    const char *db_class;
    const char *preset;
    int (*set)(struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Obj *value);
    Tcl_Obj *(*get)(const struct pa_tcl_options *options); /* reference count 0 or more */
};

static_assert(PA_CALL_DEFAULT_PORT == 30000, "the default that the table below shows");
static_assert(PA_CALL_DEFAULT_TIMEOUT_MS == 5000, "the default that the table below shows");

static void replace_hostname(struct pa_tcl_options *options, Tcl_Obj *hostname)
{
    Tcl_IncrRefCount(hostname);
    if (options->hostname)
        Tcl_DecrRefCount(options->hostname);
    options->hostname = hostname;
}

static int set_hostname(struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Obj *value)
{
    (void)interp;
    replace_hostname(options, value);
    return TCL_OK;
}

static Tcl_Obj *get_hostname(const struct pa_tcl_options *options)
{
    return options->hostname;
}

static int set_port(struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Obj *value)
{
    int port = 0;
    if (*Tcl_GetString(value) &&
        (Tcl_GetIntFromObj(NULL, value, &port) != TCL_OK || port < 1 || port > UINT16_MAX))
        return pa_tcl_error_usage(
            interp, Tcl_ObjPrintf("expected a port from 1 to 65535 but got \"%s\"",
                                  Tcl_GetString(value)));
    options->port = port;
    return TCL_OK;
}

static Tcl_Obj *get_port(const struct pa_tcl_options *options)
{
    int port = options->port;
    if (port == 0)
        port = pa_call_port_from_file();
    return Tcl_NewWideIntObj(port ? port : PA_CALL_DEFAULT_PORT);
}

static int set_timeout(struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Obj *value)
{
    int timeout_ms;
    if (Tcl_GetIntFromObj(NULL, value, &timeout_ms) != TCL_OK || timeout_ms < 1)
        return pa_tcl_error_usage(
            interp, Tcl_ObjPrintf("expected a number of milliseconds above 0 but got \"%s\"",
                                  Tcl_GetString(value)));
    options->timeout_ms = timeout_ms;
    return TCL_OK;
}

static Tcl_Obj *get_timeout(const struct pa_tcl_options *options)
{
    return Tcl_NewWideIntObj(options->timeout_ms);
}

static const struct option option_table[] = {
    /* The host whose manager is asked: a name, an IPv4 or an IPv6 address; empty: localhost. */
    {"-hostname", "hostname", "Hostname", "localhost", set_hostname, get_hostname},
    /* The manager's TCP port; empty, as at first: what the port file says, else the default. */
    {"-port", "port", "Port", "30000", set_port, get_port},
    /* How long a call to the manager may take, in milliseconds. */
    {"-timeout", "timeout", "Timeout", "5000", set_timeout, get_timeout},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

static const struct option *find(Tcl_Interp *interp, Tcl_Obj *name)
{
    int row;
    if (Tcl_GetIndexFromObjStruct(NULL, name, option_table, sizeof *option_table, "option",
                                  TCL_EXACT, &row) == TCL_OK)
        return &option_table[row];
    pa_tcl_error_usage(interp, Tcl_ObjPrintf("unknown option \"%s\"", Tcl_GetString(name)));
    return NULL;
}

void pa_tcl_options_init(struct pa_tcl_options *options)
{
    *options = (struct pa_tcl_options){.timeout_ms = PA_CALL_DEFAULT_TIMEOUT_MS};
    replace_hostname(options, Tcl_NewStringObj("localhost", -1));
}

void pa_tcl_options_deinit(struct pa_tcl_options *options)
{
    Tcl_DecrRefCount(options->hostname);
    options->hostname = NULL;
}

void pa_tcl_options_copy(struct pa_tcl_options *copy, const struct pa_tcl_options *options)
{
    *copy = *options;
    Tcl_IncrRefCount(copy->hostname);
}

int pa_tcl_options_set(struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Size count,
                       Tcl_Obj *const words[])
{
    for (Tcl_Size i = 0; i < count; i += 2) {
        const struct option *option = find(interp, words[i]);
        if (!option)
            return TCL_ERROR;
        if (i + 1 == count)
            return pa_tcl_error_usage(interp,
                                      Tcl_ObjPrintf("value for \"%s\" missing", option->name));
        if (option->set(options, interp, words[i + 1]) != TCL_OK)
            return TCL_ERROR;
    }
    return TCL_OK;
}

int pa_tcl_options_get(const struct pa_tcl_options *options, Tcl_Interp *interp, Tcl_Obj *name)
{
    const struct option *option = find(interp, name);
    if (!option)
        return TCL_ERROR;
    Tcl_SetObjResult(interp, option->get(options));
    return TCL_OK;
}

static Tcl_Obj *describe(const struct pa_tcl_options *options, const struct option *option)
{
    Tcl_Obj *elements[] = {
        Tcl_NewStringObj(option->name, -1),
        Tcl_NewStringObj(option->db_name, -1),
        Tcl_NewStringObj(option->db_class, -1),
        Tcl_NewStringObj(option->preset, -1),
        option->get(options),
    };
    return Tcl_NewListObj(sizeof elements / sizeof *elements, elements);
}

int pa_tcl_options_describe(const struct pa_tcl_options *options, Tcl_Interp *interp,
                            Tcl_Obj *name)
{
    const struct option *option = find(interp, name);
    if (!option)
        return TCL_ERROR;
    Tcl_SetObjResult(interp, describe(options, option));
    return TCL_OK;
}

int pa_tcl_options_describe_all(const struct pa_tcl_options *options, Tcl_Interp *interp)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    for (const struct option *option = option_table; option->name; ++option)
        Tcl_ListObjAppendElement(NULL, list, describe(options, option));
    Tcl_SetObjResult(interp, list);
    return TCL_OK;
}

int pa_tcl_options_names(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *names = Tcl_NewListObj(0, NULL);
    for (const struct option *option = option_table; option->name; ++option)
        pa_tcl_method_collect(names, Tcl_NewStringObj(option->name, -1), objc, objv);
    Tcl_SetObjResult(interp, names);
    return TCL_OK;
}
