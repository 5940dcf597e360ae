#ifndef PA_TCL_UTF8_H
#define PA_TCL_UTF8_H

/*
 * Strings between Tcl's own encoding and the UTF-8 of the wire.
 *
 * Tcl writes NUL as C0 80 and, up to 8.6, a character above U+FFFF as two
 * surrogates of three bytes each; neither is UTF-8.
 */

#include "pa_tcl_compat.h"

#include <stddef.h>

/*
 * Sets *utf8 to the string as UTF-8. `what` names it in the message. TCL_OK,
 * or TCL_ERROR with a message when it holds NUL or half a surrogate pair.
 * Whatever it returns, Tcl_DStringFree(utf8) is due.
 */
int pa_tcl_utf8_get(Tcl_Interp *interp, const char *what, Tcl_Obj *string, Tcl_DString *utf8);

/* A new string of `size` bytes of valid UTF-8; reference count 0. */
Tcl_Obj *pa_tcl_utf8_new(const char *utf8, size_t size);

#endif
