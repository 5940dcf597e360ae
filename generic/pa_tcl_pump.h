#ifndef PA_TCL_PUMP_H
#define PA_TCL_PUMP_H

/*
 * What goes on in steps, in Tcl's event loop: a step is run when the descriptor
 * that it waits for is ready, or when the time has come.
 */

#include "pa_socket.h"
#include "pa_tcl_compat.h"

#include <stdbool.h>

/*
 * So long may the work of one event take before others have their turn. A person
 * sees a turn of 16 ms, a picture at 60 a second; this leaves time for the rest.
 */
enum { PA_TCL_TURN_MS = 4 };

struct pa_tcl_pump {
    void (*step)(void *data); /* may free the pump */
    void *data;
    int fd; /* with a handler; -1: none */
    Tcl_TimerToken timer;
};

/* Nothing is waited for yet. */
void pa_tcl_pump_init(struct pa_tcl_pump *pump, void (*step)(void *data), void *data);

/*
 * Waits once for what `wait` says. False: the notifier cannot wait for a
 * descriptor of so high a number, and nothing is waited for.
 */
bool pa_tcl_pump_wait(struct pa_tcl_pump *pump, const struct pa_wait *wait);

/* Has the step run after `ms`; 0: as soon as others have had their turn. */
void pa_tcl_pump_after(struct pa_tcl_pump *pump, int ms);

/* Waits for nothing any more. Due before the pump is freed or the descriptor closed. */
void pa_tcl_pump_stop(struct pa_tcl_pump *pump);

#endif
