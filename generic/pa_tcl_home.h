#ifndef PA_TCL_HOME_H
#define PA_TCL_HOME_H

/*
 * What the package keeps for one interpreter: its allocators, and the
 * connections whose allocator was destroyed while they held ports.
 *
 * Counted: the interpreter, the type command and each allocator hold one
 * reference. One thread only, as the interpreter itself.
 */

#include "pa_call.h"
#include "pa_tcl_compat.h"

#include <stdbool.h>
#include <stddef.h>

struct pa_tcl_object;
struct pa_tcl_kept;

struct pa_tcl_home {
    size_t references;
    struct pa_tcl_object *first; /* allocators that live, oldest first */
    struct pa_tcl_object **end;  /* where the next one is linked */
    struct pa_tcl_kept *kept;    /* connections without an allocator */
    Tcl_Command type_command;    /* ::portAllocator, or NULL once it is deleted */
    unsigned long last_serial;   /* of the youngest allocator */
    unsigned long last_auto;     /* last number that %AUTO% became */
    unsigned long last_token;    /* last number of an operation under way */
    bool gone;                   /* the interpreter is deleted: nothing is kept any more */
    Tcl_ExitProc *thread_ends;   /* is called then with the home, or NULL */
};

/* The home of the interpreter, made at the first call. The interpreter owns it. */
struct pa_tcl_home *pa_tcl_home_get(Tcl_Interp *interp);

struct pa_tcl_home *pa_tcl_home_ref(struct pa_tcl_home *home);
void pa_tcl_home_unref(struct pa_tcl_home *home);

/*
 * Has `thread_ends` called with the home if the thread ends before the interpreter is
 * deleted, as `thread::exit` makes it: then nobody deletes that any more.
 */
void pa_tcl_home_at_thread_end(struct pa_tcl_home *home, Tcl_ExitProc *thread_ends);

/* Lets go of all that is kept, and keeps nothing any more. */
void pa_tcl_home_release(struct pa_tcl_home *home);

/*
 * Takes over a call whose allocator is gone: keeps it until the interpreter is
 * deleted if it holds ports, frees it otherwise. NULL is legal.
 */
void pa_tcl_home_keep(struct pa_tcl_home *home, struct pa_call *call);

#endif
