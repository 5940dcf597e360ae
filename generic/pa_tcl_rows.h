#ifndef PA_TCL_ROWS_H
#define PA_TCL_ROWS_H

/*
 * A listing as a Tcl list, made a piece at a time, since a long one would keep
 * the events of a program waiting.
 */

#include "pa_listing.h"
#include "pa_tcl_compat.h"

#include <stdbool.h>
#include <stddef.h>

enum pa_tcl_row {
    PA_TCL_ROW_LIST, /* {port name user} */
    PA_TCL_ROW_DICT, /* {port P name N user U attributes A} */
};

struct pa_tcl_rows {
    const struct pa_listing *listing; /* the caller's */
    enum pa_tcl_row kind;
    size_t next;   /* entry */
    Tcl_Obj *list; /* owned */
    Tcl_Obj *user; /* of the entry before; in the list */
};

/* An entry as a dictionary; reference count 0. */
Tcl_Obj *pa_tcl_rows_dict(const struct pa_listing_entry *entry);

/* Begins. The listing is to live until the last row is made; pa_tcl_rows_deinit() is due. */
void pa_tcl_rows_init(struct pa_tcl_rows *rows, const struct pa_listing *listing,
                      enum pa_tcl_row kind);

/* Makes at most `max` more rows. Whether that were all. */
bool pa_tcl_rows_more(struct pa_tcl_rows *rows, size_t max);

/* The same in a step of a pump, until it is others' turn. */
bool pa_tcl_rows_for_a_while(struct pa_tcl_rows *rows);

/* Frees the list, unless others have it too. */
void pa_tcl_rows_deinit(struct pa_tcl_rows *rows);

#endif
