#ifndef PORTS_TCL_LISTENER_H
#define PORTS_TCL_LISTENER_H

/*
 * Receives the messages of a port in the event loop and calls a prefix of the
 * script with each.
 *
 * The happy path: the port's descriptor becomes readable, a batch of messages
 * is received and handed on, one at a time, until the port is empty. A batch
 * ends early at LISTENER_BATCH messages or after LISTENER_BATCH_MS; then the
 * next begins when the idle callbacks have had their turn, which is when Tk
 * draws, and LISTENER_TURN_MS later if other events leave no time to be idle.
 *
 * What can go wrong: an error of the prefix goes to the background error
 * handler, and the next message follows. The prefix may enter the event loop;
 * it is not called again before it has returned. It may cancel or change
 * itself, close or delete the port, and delete the interpreter. When the port
 * is deleted elsewhere, or cannot be received from, the background error
 * handler is told and the listener is cancelled.
 */

#include "ports_tcl.h"

struct ports_tcl_listener;

/* One for the port `id` that does not listen yet. */
struct ports_tcl_listener *ports_tcl_listener_new(Tcl_Interp *interp, int id);

/* Cancels it: nothing is called any more. Always returns NULL; NULL is legal. */
struct ports_tcl_listener *ports_tcl_listener_free(struct ports_tcl_listener *listener);

/* Listens, or goes on with another prefix, which is a list with something in it. 0 or an errno.
 */
int ports_tcl_listener_set(struct ports_tcl_listener *listener, Tcl_Obj *prefix);

void ports_tcl_listener_cancel(struct ports_tcl_listener *listener);

/* The prefix, or NULL when it does not listen. */
Tcl_Obj *ports_tcl_listener_prefix(const struct ports_tcl_listener *listener);

/* Receives nothing between the two, which may be nested. */
void ports_tcl_listener_hold(struct ports_tcl_listener *listener);
void ports_tcl_listener_resume(struct ports_tcl_listener *listener);

#endif
