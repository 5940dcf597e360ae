#ifndef PA_TCL_SPARE_H
#define PA_TCL_SPARE_H

/*
 * The connection of an operation that is over, kept for the next one until the
 * event loop's next turn: a script that asks one thing after the other has one
 * connection for all, and one that asks nothing more has none.
 */

#include "pa_call.h"
#include "pa_tcl_compat.h"

/* Begins as zeros. Stays where it is while it keeps a call. */
struct pa_tcl_spare {
    struct pa_call *call; /* owned, or NULL */
    Tcl_TimerToken timer; /* with it */
};

/* Keeps the call, in place of any other, which is freed. NULL is legal. */
void pa_tcl_spare_keep(struct pa_tcl_spare *spare, struct pa_call *call);

/* The call, the caller's then; NULL: there is none. */
struct pa_call *pa_tcl_spare_take(struct pa_tcl_spare *spare);

#endif
