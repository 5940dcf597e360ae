/* Who the script is. */

#include "pa_tcl_self.h"

#include "pa_call.h"
#include "pa_tcl_utf8.h"

#include <string.h>

enum { USER_BYTES = 256 }; /* LOGIN_NAME_MAX on Linux, its NUL counted */

static const char nameless[] = "tcl"; /* when nothing tells a name */

int pa_tcl_self_user(Tcl_Interp *interp, Tcl_DString *user)
{
    Tcl_Obj *known = Tcl_GetVar2Ex(interp, "tcl_platform", "user", TCL_GLOBAL_ONLY);
    if (known && *Tcl_GetString(known))
        return pa_tcl_utf8_get(interp, "user", known, user);
    char name[USER_BYTES];
    pa_call_user(name, sizeof name);
    Tcl_DStringInit(user);
    Tcl_DStringAppend(user, name, -1);
    return TCL_OK;
}

/*
 * The length of a file name without its extension: a dot that is not its
 * beginning, and no digit behind it (tclsh8.6 has no extension).
 */
static Tcl_Size root_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name || (dot[1] >= '0' && dot[1] <= '9'))
        dot = name + strlen(name);
    return (Tcl_Size)(dot - name);
}

/* The name in a path, or NULL if there is none. */
static Tcl_Obj *name_in_path(const char *path)
{
    Tcl_Size count = 0;
    const char **parts = NULL;
    Tcl_SplitPath(path, &count, &parts);
    const char *tail = count > 0 ? parts[count - 1] : "";
    Tcl_Size length = root_length(tail);
    Tcl_Obj *name = length > 0 ? Tcl_NewStringObj(tail, length) : NULL;
    Tcl_Free((void *)parts);
    return name;
}

Tcl_Obj *pa_tcl_self_name(Tcl_Interp *interp)
{
    const char *script = Tcl_GetVar2(interp, "argv0", NULL, TCL_GLOBAL_ONLY);
    Tcl_Obj *name = script ? name_in_path(script) : NULL;
    const char *program = Tcl_GetNameOfExecutable();
    if (!name && program)
        name = name_in_path(program);
    return name ? name : Tcl_NewStringObj(nameless, -1);
}
