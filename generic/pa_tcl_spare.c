/* A connection kept for the next operation. */

#include "pa_tcl_spare.h"

static void turn_over(void *data)
{
    struct pa_tcl_spare *spare = data;
    spare->timer = NULL;
    pa_call_free(pa_tcl_spare_take(spare));
}

struct pa_call *pa_tcl_spare_take(struct pa_tcl_spare *spare)
{
    struct pa_call *call = spare->call;
    spare->call = NULL;
    Tcl_DeleteTimerHandler(spare->timer);
    spare->timer = NULL;
    return call;
}

void pa_tcl_spare_keep(struct pa_tcl_spare *spare, struct pa_call *call)
{
    pa_call_free(pa_tcl_spare_take(spare));
    if (!call)
        return;
    spare->call = call;
    spare->timer = Tcl_CreateTimerHandler(0, turn_over, spare);
}
