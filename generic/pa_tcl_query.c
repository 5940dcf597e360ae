/* What an allocator asks the manager. */

#include "pa_tcl_query.h"

#include "pa_tcl_error.h"
#include "pa_tcl_utf8.h"

#include <stdbool.h>
#include <string.h>

static int list_ports(const struct pa_tcl_query *query, Tcl_Interp *interp,
                      struct pa_listing *listing)
{
    struct pa_failure why;
    if (pa_call_list(query->call, query->timeout_ms, listing, &why) != 0)
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

int pa_tcl_query_ports(const struct pa_tcl_query *query, Tcl_Interp *interp)
{
    struct pa_listing listing;
    if (list_ports(query, interp, &listing) != TCL_OK)
        return TCL_ERROR;
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    const struct pa_listing_entry *last = NULL;
    Tcl_Obj *user = NULL;
    for (size_t i = 0; i < listing.count; ++i) {
        const struct pa_listing_entry *entry = &listing.entries[i];
        Tcl_Obj *elements[] = {
            Tcl_NewWideIntObj(entry->port),
            pa_tcl_utf8_new(entry->name, entry->name_size),
            share_user(entry, &last, &user),
        };
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewListObj(3, elements));
    }
    pa_listing_deinit(&listing);
    Tcl_SetObjResult(interp, list);
    return TCL_OK;
}

/* ----------------------------------------------------------- one service -- */

/* Appends a pattern that the text and nothing else matches. */
static const char *pattern_of(Tcl_DString *pattern, const char *text)
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
static int list_service(const struct pa_tcl_query *query, Tcl_Interp *interp,
                        const char *service, const char *user, struct pa_listing *listing)
{
    if (!can_be_asked(service) || (user && !can_be_asked(user)))
        return list_ports(query, interp, listing);
    Tcl_DString name_pattern;
    Tcl_DString user_pattern;
    Tcl_DStringInit(&name_pattern);
    Tcl_DStringInit(&user_pattern);
    struct pa_keys keys = PA_KEYS_INIT;
    keys.name_pattern = pattern_of(&name_pattern, service);
    keys.user_pattern = user ? pattern_of(&user_pattern, user) : NULL;
    struct pa_failure why;
    int r = pa_call_find(query->call, &keys, query->timeout_ms, listing, &why);
    Tcl_DStringFree(&name_pattern);
    Tcl_DStringFree(&user_pattern);
    return r == 0 ? TCL_OK : pa_tcl_error_failure(interp, &why);
}

int pa_tcl_query_server(const struct pa_tcl_query *query, Tcl_Interp *interp,
                        const char *service, const char *user)
{
    struct pa_listing listing;
    if (list_service(query, interp, service, user, &listing) != TCL_OK)
        return TCL_ERROR;
    const struct pa_listing_entry *entry = pa_listing_find(&listing, service, user);
    Tcl_SetObjResult(interp, entry ? Tcl_NewWideIntObj(entry->port) : Tcl_NewObj());
    pa_listing_deinit(&listing);
    return TCL_OK;
}

int pa_tcl_query_users(const struct pa_tcl_query *query, Tcl_Interp *interp,
                       const char *service)
{
    struct pa_listing listing;
    if (list_service(query, interp, service, NULL, &listing) != TCL_OK)
        return TCL_ERROR;
    size_t size = strlen(service);
    Tcl_Obj *users = Tcl_NewListObj(0, NULL);
    for (size_t i = 0; i < listing.count; ++i) {
        const struct pa_listing_entry *entry = &listing.entries[i];
        if (entry->name_size != size || memcmp(entry->name, service, size) != 0)
            continue;
        Tcl_Obj *elements[] = {
            pa_tcl_utf8_new(entry->user, entry->user_size),
            Tcl_NewWideIntObj(entry->port),
        };
        Tcl_ListObjAppendElement(NULL, users, Tcl_NewListObj(2, elements));
    }
    pa_listing_deinit(&listing);
    Tcl_SetObjResult(interp, users);
    return TCL_OK;
}

/* -------------------------------------------------------------- by pattern -- */

static void put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

static Tcl_Obj *describe(const struct pa_listing_entry *entry)
{
    Tcl_Obj *dict = Tcl_NewDictObj();
    put(dict, "port", Tcl_NewWideIntObj(entry->port));
    put(dict, "name", pa_tcl_utf8_new(entry->name, entry->name_size));
    put(dict, "user", pa_tcl_utf8_new(entry->user, entry->user_size));
    put(dict, "attributes",
        pa_tcl_utf8_new(pa_listing_attributes(entry), entry->attributes_size));
    return dict;
}

int pa_tcl_query_find(const struct pa_tcl_query *query, Tcl_Interp *interp,
                      const struct pa_tcl_switches *switches)
{
    struct pa_listing listing;
    struct pa_failure why;
    if (pa_call_find(query->call, &switches->keys, query->timeout_ms, &listing, &why) != 0)
        return pa_tcl_error_failure(interp, &why);
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    for (size_t i = 0; i < listing.count; ++i)
        Tcl_ListObjAppendElement(NULL, list, describe(&listing.entries[i]));
    pa_listing_deinit(&listing);
    Tcl_SetObjResult(interp, list);
    return TCL_OK;
}
