#ifndef PORTS_TCL_H
#define PORTS_TCL_H

/*
 * <tcl.h> for the package ports, with the one type of Tcl 9 that its sources
 * are written in and Tcl 8.6 does not have.
 */

#include <tcl.h>

#ifndef TCL_SIZE_MAX
#include <limits.h>
typedef int Tcl_Size;
#define TCL_SIZE_MAX INT_MAX
#endif

#endif
