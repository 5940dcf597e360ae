/*
 * The package's entry point.
 *
 * There is none for safe interpreters: an allocator connects to whatever host
 * and port it is told, which is what a safe interpreter is made to prevent.
 * Its master may give it an alias for an allocator.
 */

#include "pa_tcl_type.h"

#ifndef DLLEXPORT
#define DLLEXPORT
#endif

/* Loads the package into the interpreter; the name is the loader's. TCL_OK or TCL_ERROR. */
DLLEXPORT int Portallocator_Init(Tcl_Interp *interp);

int Portallocator_Init(Tcl_Interp *interp)
{
    if (!Tcl_InitStubs(interp, "8.6-", 0))
        return TCL_ERROR;
    pa_tcl_type_create(interp);
    return Tcl_PkgProvide(interp, PACKAGE_NAME, PACKAGE_VERSION);
}
