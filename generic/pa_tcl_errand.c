/* What an allocator can be asked. */

#include "pa_tcl_errand.h"

#include "pa_tcl_error.h"
#include "pa_tcl_listener.h"
#include "pa_tcl_reply.h"
#include "pa_tcl_self.h"
#include "pa_tcl_utf8.h"
#include "pa_tcp.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof((struct pa_tcl_errand *)0)->address == PA_TCP_ADDRESS_BYTES,
              "the address has room");

/* ------------------------------------------------------------- lifetime -- */

struct pa_tcl_errand *pa_tcl_errand_new(void)
{
    struct pa_tcl_errand *errand = (void *)Tcl_Alloc(sizeof *errand);
    *errand = (struct pa_tcl_errand){.errand = {.fd = -1}};
    Tcl_DStringInit(&errand->name);
    Tcl_DStringInit(&errand->user);
    Tcl_DStringInit(&errand->name_pattern);
    Tcl_DStringInit(&errand->user_pattern);
    pa_tcl_switches_init(&errand->switches);
    return errand;
}

void pa_tcl_errand_free(struct pa_tcl_errand *errand)
{
    if (!errand)
        return;
    pa_lookup_free(errand->lookup);
    pa_tcl_rows_deinit(&errand->rows);
    pa_errand_deinit(&errand->errand);
    pa_tcl_switches_deinit(&errand->switches);
    Tcl_DStringFree(&errand->name);
    Tcl_DStringFree(&errand->user);
    Tcl_DStringFree(&errand->name_pattern);
    Tcl_DStringFree(&errand->user_pattern);
    if (errand->command)
        Tcl_DecrRefCount(errand->command);
    Tcl_Free((void *)errand);
}

static int read_options(struct pa_tcl_errand *errand, Tcl_Interp *interp, enum pa_verb verb,
                        int count, Tcl_Obj *const options[])
{
    return pa_tcl_switches_parse(&errand->switches, interp, verb, count, options);
}

/* What writing the request came to. */
static int written(int r, Tcl_Interp *interp, const struct pa_failure *why)
{
    return r == 0 ? TCL_OK : pa_tcl_error_failure(interp, why);
}

/* ------------------------------------------------------------- listings -- */

static int give_rows(struct pa_tcl_errand *errand, Tcl_Interp *interp, struct pa_call **call)
{
    (void)call;
    if (errand->rows.list)
        pa_tcl_rows_more(&errand->rows, SIZE_MAX);
    Tcl_SetObjResult(interp, errand->rows.list);
    return TCL_OK;
}

bool pa_tcl_errand_rows(struct pa_tcl_errand *errand)
{
    return !errand->rows.list || pa_tcl_rows_for_a_while(&errand->rows);
}

int pa_tcl_errand_ports(struct pa_tcl_errand *errand, Tcl_Interp *interp, int count,
                        Tcl_Obj *const options[])
{
    struct pa_failure why;
    if (read_options(errand, interp, PA_VERB_LIST, count, options) != TCL_OK)
        return TCL_ERROR;
    errand->result = give_rows;
    pa_tcl_rows_init(&errand->rows, &errand->errand.listing, PA_TCL_ROW_LIST);
    return written(pa_errand_list(&errand->errand, &why), interp, &why);
}

int pa_tcl_errand_find(struct pa_tcl_errand *errand, Tcl_Interp *interp, int count,
                       Tcl_Obj *const options[])
{
    struct pa_failure why;
    if (read_options(errand, interp, PA_VERB_FIND, count, options) != TCL_OK)
        return TCL_ERROR;
    errand->result = give_rows;
    pa_tcl_rows_init(&errand->rows, &errand->errand.listing, PA_TCL_ROW_DICT);
    return written(pa_errand_find(&errand->errand, &errand->switches.keys, &why), interp, &why);
}

/* ----------------------------------------------------------- one service -- */

const char *pa_tcl_errand_pattern(Tcl_DString *pattern, const char *text)
{
    for (; *text; ++text) {
        if (strchr("*?[\\", *text))
            Tcl_DStringAppend(pattern, "\\", 1);
        Tcl_DStringAppend(pattern, text, 1);
    }
    return Tcl_DStringValue(pattern);
}

/* Whether the manager can be asked for it: an old one may list what is no name. */
static bool can_be_asked(const char *text)
{
    int r = pa_keys_check_name(text);
    return r == 0 || r == PA_E_EMPTY_NAME;
}

/* The entries of that service, of that user (NULL: of all), and perhaps others. */
static int ask_for_service(struct pa_tcl_errand *errand, Tcl_Interp *interp, const char *user)
{
    const char *service = Tcl_DStringValue(&errand->name);
    struct pa_failure why;
    if (!can_be_asked(service) || (user && !can_be_asked(user)))
        return written(pa_errand_list(&errand->errand, &why), interp, &why);
    errand->keys = (struct pa_keys)PA_KEYS_INIT;
    errand->keys.name_pattern = pa_tcl_errand_pattern(&errand->name_pattern, service);
    errand->keys.user_pattern =
        user ? pa_tcl_errand_pattern(&errand->user_pattern, user) : NULL;
    return written(pa_errand_find(&errand->errand, &errand->keys, &why), interp, &why);
}

static int give_server(struct pa_tcl_errand *errand, Tcl_Interp *interp, struct pa_call **call)
{
    (void)call;
    const struct pa_listing_entry *entry =
        pa_listing_find(&errand->errand.listing, Tcl_DStringValue(&errand->name),
                        Tcl_DStringValue(&errand->user));
    Tcl_SetObjResult(interp, entry ? Tcl_NewWideIntObj(entry->port) : Tcl_NewObj());
    return TCL_OK;
}

int pa_tcl_errand_server(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *service,
                         Tcl_Obj *user, int count, Tcl_Obj *const options[])
{
    errand->result = give_server;
    int code = pa_tcl_utf8_get(interp, "service name", service, &errand->name);
    if (code == TCL_OK)
        code = user && *Tcl_GetString(user)
                   ? pa_tcl_utf8_get(interp, "user", user, &errand->user)
                   : pa_tcl_self_user(interp, &errand->user);
    if (code == TCL_OK)
        code = read_options(errand, interp, PA_VERB_LIST, count, options);
    return code == TCL_OK ? ask_for_service(errand, interp, Tcl_DStringValue(&errand->user))
                          : code;
}

static int give_users(struct pa_tcl_errand *errand, Tcl_Interp *interp, struct pa_call **call)
{
    (void)call;
    const struct pa_listing *listing = &errand->errand.listing;
    const char *service = Tcl_DStringValue(&errand->name);
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
    Tcl_SetObjResult(interp, users);
    return TCL_OK;
}

int pa_tcl_errand_users(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *service,
                        int count, Tcl_Obj *const options[])
{
    errand->result = give_users;
    int code = pa_tcl_utf8_get(interp, "service name", service, &errand->name);
    if (code == TCL_OK)
        code = read_options(errand, interp, PA_VERB_LIST, count, options);
    return code == TCL_OK ? ask_for_service(errand, interp, NULL) : code;
}

/* ------------------------------------------------------------ allocating -- */

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

static int give_grant(struct pa_tcl_errand *errand, Tcl_Interp *interp, struct pa_call **call)
{
    (void)call;
    const struct pa_call_grant *grant = &errand->errand.grant;
    if (errand->switches.keys.unique)
        Tcl_SetObjResult(interp, claim_of(grant));
    else
        Tcl_SetObjResult(interp, errand->switches.has_count ? list_of(grant)
                                                            : Tcl_NewWideIntObj(grant->port));
    return TCL_OK;
}

/* Who asks for what. */
static int read_names(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *application)
{
    int code = pa_tcl_utf8_get(interp, "application name", application, &errand->name);
    return code == TCL_OK ? pa_tcl_self_user(interp, &errand->user) : code;
}

/* What no manager is asked for. PA_OK or an error without arguments. */
static enum pa_error check_names(const struct pa_tcl_errand *errand)
{
    int r = pa_keys_check_name(Tcl_DStringValue(&errand->name));
    return (enum pa_error)(r != 0 ? r : pa_keys_check_name(Tcl_DStringValue(&errand->user)));
}

static int allocate_plain(struct pa_tcl_errand *errand, Tcl_Interp *interp, bool may_hold)
{
    struct pa_failure why;
    enum pa_error wrong = check_names(errand);
    if (wrong != PA_OK) {
        pa_failure_set(&why, wrong);
        return pa_tcl_error_failure(interp, &why);
    }
    errand->is_plain = true;
    int r = pa_errand_gimme(&errand->errand, Tcl_DStringValue(&errand->name),
                            Tcl_DStringValue(&errand->user), may_hold, &why);
    return written(r, interp, &why);
}

static int allocate_so(struct pa_tcl_errand *errand, Tcl_Interp *interp)
{
    struct pa_failure why;
    const char *name = Tcl_DStringValue(&errand->name);
    errand->keys = errand->switches.keys;
    errand->keys.user = Tcl_DStringValue(&errand->user);
    int r = errand->switches.has_hold
                ? pa_errand_allocate(&errand->errand, name, &errand->keys, &why)
                : pa_errand_allocate_held(&errand->errand, name, &errand->keys, &why);
    return written(r, interp, &why);
}

/* Whether there are options beside those that say who is told. */
static bool is_about_ports(const struct pa_tcl_switches *switches, int count)
{
    return count > 2 * switches->telling;
}

int pa_tcl_errand_allocate(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                           Tcl_Obj *application, bool may_hold, int count,
                           Tcl_Obj *const options[])
{
    errand->result = give_grant;
    int code = read_names(errand, interp, application);
    if (code == TCL_OK)
        code = read_options(errand, interp, PA_VERB_ALLOCATE, count, options);
    if (code != TCL_OK)
        return code;
    return is_about_ports(&errand->switches, count) ? allocate_so(errand, interp)
                                                    : allocate_plain(errand, interp, may_hold);
}

/* ------------------------------------------------------------- listening -- */

static int give_listener(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                         struct pa_call **call)
{
    struct pa_lease lease;
    pa_lease_begin(&lease, *call, errand->errand.grant.port);
    *call = NULL;
    pa_tcl_listener_new(interp, errand->home, errand->command, errand->errand.fd, &lease);
    errand->errand.fd = -1;
    return TCL_OK;
}

static int write_listen(struct pa_tcl_errand *errand, struct pa_failure *why)
{
    return pa_errand_listen(&errand->errand, Tcl_DStringValue(&errand->name), &errand->keys,
                            why);
}

int pa_tcl_errand_looked_up(struct pa_tcl_errand *errand, struct pa_failure *why)
{
    struct pa_addresses addresses;
    int r = pa_lookup_take(errand->lookup, &addresses, why);
    if (r == PA_LOOKUP_RUNNING)
        return r;
    errand->lookup = pa_lookup_free(errand->lookup);
    if (r != 0)
        return r;
    r = pa_tcp_choose(&addresses, errand->address, sizeof errand->address, why);
    return r != 0 ? r : write_listen(errand, why);
}

/* The address may be a name, as for `socket`; LISTEN knows numbers. Also PA_LOOKUP_RUNNING. */
static int find_address(struct pa_tcl_errand *errand, bool waits, struct pa_failure *why)
{
    const char *host = errand->switches.keys.address;
    struct pa_addresses addresses;
    errand->keys.address = host && *host ? errand->address : NULL;
    if (!errand->keys.address)
        return 0;
    if (waits)
        return pa_tcp_resolve(host, errand->address, sizeof errand->address, why);
    int r = pa_lookup_begin(&errand->lookup, host, &addresses, why);
    return r != 0 ? r : pa_tcp_choose(&addresses, errand->address, sizeof errand->address, why);
}

int pa_tcl_errand_listen(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                         struct pa_tcl_home *home, Tcl_Obj *application, Tcl_Obj *command,
                         int count, Tcl_Obj *const options[])
{
    struct pa_failure why;
    errand->result = give_listener;
    errand->home = home;
    errand->command = command;
    Tcl_IncrRefCount(command);
    int code = read_names(errand, interp, application);
    if (code == TCL_OK)
        code = read_options(errand, interp, PA_VERB_LISTEN, count, options);
    if (code != TCL_OK)
        return code;
    errand->keys = errand->switches.keys;
    errand->keys.user = Tcl_DStringValue(&errand->user);
    int r = find_address(errand, !pa_tcl_reply_is_wanted(&errand->switches), &why);
    if (r == PA_LOOKUP_RUNNING)
        return TCL_OK;
    return written(r != 0 ? r : write_listen(errand, &why), interp, &why);
}

/* --------------------------------------------------------------- the rest -- */

static int give_nothing(struct pa_tcl_errand *errand, Tcl_Interp *interp, struct pa_call **call)
{
    (void)errand;
    (void)call;
    Tcl_ResetResult(interp);
    return TCL_OK;
}

int pa_tcl_errand_release(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *port,
                          int count, Tcl_Obj *const options[])
{
    struct pa_failure why;
    errand->result = give_nothing;
    if (pa_tcl_switch_port(interp, port, &errand->port) != TCL_OK ||
        read_options(errand, interp, PA_VERB_RELEASE, count, options) != TCL_OK)
        return TCL_ERROR;
    return written(pa_errand_release(&errand->errand, errand->port, &why), interp, &why);
}

int pa_tcl_errand_change(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *port,
                         int count, Tcl_Obj *const options[])
{
    struct pa_failure why;
    uint16_t number;
    errand->result = give_nothing;
    if (pa_tcl_switch_port(interp, port, &number) != TCL_OK ||
        read_options(errand, interp, PA_VERB_CHANGE, count, options) != TCL_OK)
        return TCL_ERROR;
    if (count == 2 * errand->switches.telling)
        return pa_tcl_error_usage(interp, Tcl_NewStringObj("-attributes is missing", -1));
    return written(
        pa_errand_change(&errand->errand, number, errand->switches.keys.attributes, &why),
        interp, &why);
}

int pa_tcl_errand_open(struct pa_tcl_errand *errand, Tcl_Interp *interp, int count,
                       Tcl_Obj *const options[])
{
    errand->result = give_nothing;
    errand->is_opening = true;
    return read_options(errand, interp, PA_VERB_HELLO, count, options);
}

int pa_tcl_errand_finish(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                         struct pa_call **call, int r, const struct pa_failure *why)
{
    if (r == 0)
        return errand->result(errand, interp, call);
    return errand->is_plain ? pa_tcl_error_line(interp, why)
                            : pa_tcl_error_failure(interp, why);
}
