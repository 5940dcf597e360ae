/* How an allocator gets ports. */

#include "pa_tcl_allocate.h"

#include "pa_tcl_error.h"
#include "pa_tcl_listener.h"
#include "pa_tcp.h"

/* ----------------------------------------------------------------- plain -- */

/* What no manager is asked for. PA_OK or an error without arguments. */
static enum pa_error check_names(const struct pa_tcl_wish *wish)
{
    int r = pa_keys_check_name(wish->name);
    return (enum pa_error)(r != 0 ? r : pa_keys_check_name(wish->user));
}

int pa_tcl_allocate(struct pa_call *call, Tcl_Interp *interp, const struct pa_tcl_wish *wish)
{
    struct pa_failure why;
    uint16_t port;
    enum pa_error wrong = check_names(wish);
    if (wrong != PA_OK) {
        pa_failure_set(&why, wrong);
        return pa_tcl_error_failure(interp, &why);
    }
    if (pa_call_allocate(call, wish->name, wish->user, wish->timeout_ms, &port, &why) != 0)
        return pa_tcl_error_line(interp, &why);
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj(port));
    return TCL_OK;
}

/* ------------------------------------------------------------ by options -- */

static Tcl_Obj *list_of(const struct pa_call_grant *grant)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    for (uint32_t i = 0; i < grant->count; ++i)
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewWideIntObj(grant->port + i));
    return list;
}

static Tcl_Obj *claim_of(const struct pa_call_grant *grant)
{
    Tcl_Obj *claim = Tcl_NewDictObj();
    Tcl_DictObjPut(NULL, claim, Tcl_NewStringObj("port", -1), Tcl_NewWideIntObj(grant->port));
    Tcl_DictObjPut(NULL, claim, Tcl_NewStringObj("joined", -1),
                   Tcl_NewBooleanObj(grant->joined));
    return claim;
}

static Tcl_Obj *result_of(const struct pa_call_grant *grant,
                          const struct pa_tcl_switches *switches)
{
    if (switches->keys.unique)
        return claim_of(grant);
    return switches->has_count ? list_of(grant) : Tcl_NewWideIntObj(grant->port);
}

int pa_tcl_allocate_so(struct pa_call *call, Tcl_Interp *interp, const struct pa_tcl_wish *wish,
                       const struct pa_tcl_switches *switches)
{
    struct pa_keys keys = switches->keys;
    struct pa_call_grant grant;
    struct pa_failure why;
    keys.user = wish->user;
    if (!switches->has_hold)
        keys.hold = PA_HOLD_YES;
    int r = pa_call_allocate_keys(call, wish->name, &keys, wish->timeout_ms, &grant, &why);
    if (!switches->has_hold && (r == PA_E_NO_HOLD || r == PA_E_TOO_OLD)) {
        keys.hold = PA_HOLD_UNSAID;
        r = pa_call_allocate_keys(call, wish->name, &keys, wish->timeout_ms, &grant, &why);
    }
    if (r != 0)
        return pa_tcl_error_failure(interp, &why);
    Tcl_SetObjResult(interp, result_of(&grant, switches));
    pa_call_grant_deinit(&grant);
    return TCL_OK;
}

/* ------------------------------------------------------------- listening -- */

/* Asks for the socket. The address may be a name, as for `socket`; LISTEN knows numbers. */
static int ask_for_socket(struct pa_call *call, const struct pa_tcl_wish *wish,
                          const struct pa_tcl_switches *switches, uint16_t *port, int *fd,
                          struct pa_failure *why)
{
    char address[PA_TCP_ADDRESS_BYTES];
    struct pa_keys keys = switches->keys;
    struct pa_call_grant grant;
    keys.user = wish->user;
    if (keys.address && !*keys.address)
        keys.address = NULL;
    if (keys.address) {
        int r = pa_tcp_resolve(keys.address, address, sizeof address, why);
        if (r != 0)
            return r;
        keys.address = address;
    }
    int r = pa_call_listen(call, wish->name, &keys, wish->timeout_ms, &grant, fd, why);
    if (r == 0) {
        *port = grant.port;
        pa_call_grant_deinit(&grant);
    }
    return r;
}

int pa_tcl_allocate_listener(struct pa_call *call, Tcl_Interp *interp, struct pa_tcl_home *home,
                             const struct pa_tcl_wish *wish,
                             const struct pa_tcl_switches *switches, Tcl_Obj *command)
{
    uint16_t port;
    int fd;
    struct pa_failure why;
    if (ask_for_socket(call, wish, switches, &port, &fd, &why) != 0) {
        pa_call_free(call);
        return pa_tcl_error_failure(interp, &why);
    }
    struct pa_lease lease;
    pa_lease_begin(&lease, call, port);
    pa_tcl_listener_new(interp, home, command, fd, &lease);
    return TCL_OK;
}
