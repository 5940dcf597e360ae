#ifndef PA_TCL_QUERY_H
#define PA_TCL_QUERY_H

/*
 * What an allocator asks the manager: which ports are in use, and whose they are.
 *
 * Each function sets the result of the interpreter and returns TCL_OK, or
 * TCL_ERROR with a message. Strings are UTF-8.
 */

#include "pa_call.h"
#include "pa_tcl_compat.h"
#include "pa_tcl_switch.h"

/* Whom to ask. */
struct pa_tcl_query {
    struct pa_call *call;
    int timeout_ms;
};

/* The list of {port name user} of all ports. */
int pa_tcl_query_ports(const struct pa_tcl_query *query, Tcl_Interp *interp);

/* The port of that service of that user, or "". */
int pa_tcl_query_server(const struct pa_tcl_query *query, Tcl_Interp *interp,
                        const char *service, const char *user);

/* The list of {user port} of that service. */
int pa_tcl_query_users(const struct pa_tcl_query *query, Tcl_Interp *interp,
                       const char *service);

/* The list of dictionaries of the ports that the options of FIND describe. */
int pa_tcl_query_find(const struct pa_tcl_query *query, Tcl_Interp *interp,
                      const struct pa_tcl_switches *switches);

#endif
