/* A listing as a Tcl list, made a piece at a time. */

#include "pa_tcl_rows.h"

#include "pa_tcl_pump.h"
#include "pa_tcl_utf8.h"

#include <string.h>

enum { PIECE = 64 }; /* rows between two looks at the clock: some 50 microseconds */

static void put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

Tcl_Obj *pa_tcl_rows_dict(const struct pa_listing_entry *entry)
{
    Tcl_Obj *dict = Tcl_NewDictObj();
    put(dict, "port", Tcl_NewWideIntObj(entry->port));
    put(dict, "name", pa_tcl_utf8_new(entry->name, entry->name_size));
    put(dict, "user", pa_tcl_utf8_new(entry->user, entry->user_size));
    put(dict, "attributes",
        pa_tcl_utf8_new(pa_listing_attributes(entry), entry->attributes_size));
    return dict;
}

/* The user of an entry. Neighbours mostly have the same one: they share its object. */
static Tcl_Obj *share_user(struct pa_tcl_rows *rows, const struct pa_listing_entry *entry)
{
    const struct pa_listing_entry *last = entry - 1;
    if (!rows->user || last->user_size != entry->user_size ||
        memcmp(last->user, entry->user, entry->user_size) != 0)
        rows->user = pa_tcl_utf8_new(entry->user, entry->user_size);
    return rows->user;
}

static Tcl_Obj *row_of(struct pa_tcl_rows *rows, const struct pa_listing_entry *entry)
{
    if (rows->kind == PA_TCL_ROW_DICT)
        return pa_tcl_rows_dict(entry);
    Tcl_Obj *elements[] = {
        Tcl_NewWideIntObj(entry->port),
        pa_tcl_utf8_new(entry->name, entry->name_size),
        share_user(rows, entry),
    };
    return Tcl_NewListObj(3, elements);
}

void pa_tcl_rows_init(struct pa_tcl_rows *rows, const struct pa_listing *listing,
                      enum pa_tcl_row kind)
{
    *rows =
        (struct pa_tcl_rows){.listing = listing, .kind = kind, .list = Tcl_NewListObj(0, NULL)};
    Tcl_IncrRefCount(rows->list);
}

bool pa_tcl_rows_more(struct pa_tcl_rows *rows, size_t max)
{
    size_t count = rows->listing->count;
    size_t end = count - rows->next > max ? rows->next + max : count;
    for (; rows->next < end; ++rows->next)
        Tcl_ListObjAppendElement(NULL, rows->list,
                                 row_of(rows, &rows->listing->entries[rows->next]));
    return end == count;
}

bool pa_tcl_rows_for_a_while(struct pa_tcl_rows *rows)
{
    while (!pa_tcl_rows_more(rows, PIECE))
        if (pa_tcl_pump_is_spent())
            return false;
    return true;
}

void pa_tcl_rows_deinit(struct pa_tcl_rows *rows)
{
    if (rows->list)
        Tcl_DecrRefCount(rows->list);
    *rows = (struct pa_tcl_rows){.list = NULL};
}
