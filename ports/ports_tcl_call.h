#ifndef PORTS_TCL_CALL_H
#define PORTS_TCL_CALL_H

/* Commands of the script that are given messages. */

#include "ports_tcl.h"

/*
 * Calls the prefix with the message as its last word, at global level. Whatever
 * goes wrong there is the background error handler's. The interpreter may be
 * deleted by it; the caller preserves it.
 */
void ports_tcl_call(Tcl_Interp *interp, Tcl_Obj *prefix, long message);

/*
 * Empties or deletes a port with `drain`, which is preset() or pdelete(), and
 * calls the prefix with each message; NULL or an empty list: with none. Once
 * the interpreter is deleted the messages that are left are dropped. 0, or an
 * errno.
 */
int ports_tcl_call_drain(Tcl_Interp *interp, int (*drain)(int, int (*)(long)), int id,
                         Tcl_Obj *prefix);

#endif
