#ifndef PA_TCL_ASYNC_H
#define PA_TCL_ASYNC_H

/*
 * The operations of one allocator that are under way in the event loop. Each has
 * a connection of its own, and ends with its answer, by its token, or with the
 * allocator.
 */

#include "pa_call.h"
#include "pa_tcl_compat.h"
#include "pa_tcl_errand.h"
#include "pa_tcl_home.h"

struct pa_tcl_async;

/* Whom they ask, and how long. */
struct pa_tcl_server {
    const char *host;
    int port;
    int timeout_ms;
};

struct pa_tcl_asyncs {
    Tcl_Interp *interp;
    struct pa_tcl_home *home;   /* the allocator's reference */
    struct pa_call *call;       /* the allocator's: takes over the ports that are granted */
    struct pa_tcl_async *first; /* the youngest */
};

/*
 * Begins an errand, which is taken over, and tells its answer as its options
 * say. To be called as the last thing of a method, and its result returned:
 * TCL_OK with the token as result, or TCL_ERROR with a message; in a coroutine
 * what comes of that.
 */
int pa_tcl_async_start(struct pa_tcl_asyncs *asyncs, struct pa_tcl_errand *errand,
                       const struct pa_tcl_server *server);

/* Breaks off the operation with that token; nobody is told. False: there is none. */
bool pa_tcl_async_cancel(struct pa_tcl_asyncs *asyncs, Tcl_Obj *token);

/* Breaks off all. */
void pa_tcl_async_cancel_all(struct pa_tcl_asyncs *asyncs);

#endif
