#ifndef PA_TCL_COMPAT_H
#define PA_TCL_COMPAT_H

/*
 * <tcl.h>, with the one type of Tcl 9 that the sources are written in and
 * Tcl 8.6 does not have.
 */

#include <tcl.h>

#ifndef TCL_SIZE_MAX
#include <limits.h>
typedef int Tcl_Size;
#define TCL_SIZE_MAX      INT_MAX
#define TCL_SIZE_MODIFIER ""
#endif

#endif
