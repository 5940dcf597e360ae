/* What the package keeps for one interpreter. */

#include "pa_tcl_home.h"

#include <assert.h>

static const char assoc_key[] = "portAllocator";

struct pa_tcl_kept {
    struct pa_tcl_kept *next;
    struct pa_call *call; /* owned; holds ports */
};

void pa_tcl_home_release(struct pa_tcl_home *home)
{
    home->gone = true;
    while (home->kept) {
        struct pa_tcl_kept *kept = home->kept;
        home->kept = kept->next;
        pa_call_free(kept->call);
        Tcl_Free((void *)kept);
    }
}

/* The interpreter is being deleted; commands that still live let go later. */
static void interp_deleted(void *data, Tcl_Interp *interp)
{
    (void)interp;
    struct pa_tcl_home *home = data;
    if (home->thread_ends)
        Tcl_DeleteThreadExitHandler(home->thread_ends, home);
    pa_tcl_home_release(home);
    pa_tcl_home_unref(home);
}

struct pa_tcl_home *pa_tcl_home_get(Tcl_Interp *interp)
{
    struct pa_tcl_home *home = Tcl_GetAssocData(interp, assoc_key, NULL);
    if (home)
        return home;
    home = (void *)Tcl_Alloc(sizeof *home);
    *home = (struct pa_tcl_home){.references = 1};
    home->end = &home->first;
    Tcl_SetAssocData(interp, assoc_key, interp_deleted, home);
    return home;
}

struct pa_tcl_home *pa_tcl_home_ref(struct pa_tcl_home *home)
{
    ++home->references;
    return home;
}

void pa_tcl_home_unref(struct pa_tcl_home *home)
{
    if (--home->references > 0)
        return;
    assert(!home->first); /* each allocator holds a reference */
    assert(!home->kept);  /* they were released, and none is kept after that */
    Tcl_Free((void *)home);
}

void pa_tcl_home_at_thread_end(struct pa_tcl_home *home, Tcl_ExitProc *thread_ends)
{
    if (home->thread_ends)
        return;
    home->thread_ends = thread_ends;
    Tcl_CreateThreadExitHandler(thread_ends, home);
}

void pa_tcl_home_keep(struct pa_tcl_home *home, struct pa_call *call)
{
    if (!call || home->gone || pa_call_held(call) == 0) {
        pa_call_free(call);
        return;
    }
    struct pa_tcl_kept *kept = (void *)Tcl_Alloc(sizeof *kept);
    *kept = (struct pa_tcl_kept){.next = home->kept, .call = call};
    home->kept = kept;
}
