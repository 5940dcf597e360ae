#ifndef PA_TCL_PUMP_H
#define PA_TCL_PUMP_H

/*
 * What goes on in steps, in Tcl's event loop: a step is run when the descriptor
 * that it waits for is ready, or when the time has come.
 *
 * The steps of a thread together take PA_TCL_TURN_MS before all other events of
 * the program have their turn, however many pumps there are: one that comes
 * later stands in line, the rota.
 */

#include "pa_socket.h"
#include "pa_tcl_compat.h"

#include <stdbool.h>

/* A person sees a turn of 16 ms, a picture at 60 a second; this leaves time for the rest. */
enum { PA_TCL_TURN_MS = 4 };

struct pa_tcl_line; /* of pumps: the rota, or those that may have what they wait for */

struct pa_tcl_pump {
    void (*step)(void *data); /* may free the pump */
    void *data;
    int fd;       /* with a handler; -1: none */
    short events; /* as of poll(2), that are waited for on it */
    bool brisk;   /* what it waits for is likely to come within a moment */
    Tcl_TimerToken timer;
    struct pa_tcl_line *line;  /* where it stands; NULL: nowhere */
    struct pa_tcl_pump *next;  /* behind it there */
    struct pa_tcl_pump **link; /* what points here */
};

/* Nothing is waited for yet. */
void pa_tcl_pump_init(struct pa_tcl_pump *pump, void (*step)(void *data), void *data);

/*
 * Waits once for what `wait` says. False: the notifier cannot wait for a
 * descriptor of so high a number, and nothing is waited for.
 */
bool pa_tcl_pump_wait(struct pa_tcl_pump *pump, const struct pa_wait *wait);

/* Has the step run as soon as others have had their turn. */
void pa_tcl_pump_soon(struct pa_tcl_pump *pump);

/* Has the step run as soon as the loop runs at all: what it brings is there already. */
void pa_tcl_pump_next(struct pa_tcl_pump *pump);

/* For a step that could go on: whether it is others' turn by now. */
bool pa_tcl_pump_is_spent(void);

/* Waits for nothing any more. Due before the pump is freed or the descriptor closed. */
void pa_tcl_pump_stop(struct pa_tcl_pump *pump);

#endif
