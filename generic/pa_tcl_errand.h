#ifndef PA_TCL_ERRAND_H
#define PA_TCL_ERRAND_H

/*
 * What an allocator can be asked: from the words of its methods to an errand,
 * and from what came of that to a result of Tcl. The same whether the script
 * waits for it or not.
 *
 * pa_tcl_errand_new(), one of the functions that read words, then the errand is
 * run, and pa_tcl_errand_finish() makes the result of it.
 */

#include "pa_call.h"
#include "pa_errand.h"
#include "pa_tcl_home.h"
#include "pa_tcl_rows.h"
#include "pa_tcl_switch.h"

struct pa_tcl_errand;

/* Sets the result of the interpreter. `call` had the answer; NULL: taken over. */
typedef int pa_tcl_errand_result(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                                 struct pa_call **call);

struct pa_tcl_errand {
    struct pa_errand errand;
    struct pa_tcl_switches switches;
    pa_tcl_errand_result *result;
    bool is_plain;            /* a refusal reads as in protocol 1 */
    bool is_opening;          /* there is no errand, only a connection to make */
    struct pa_lookup *lookup; /* of the address to listen on; NULL: none */
    Tcl_DString name;         /* of the service or application */
    Tcl_DString user;
    struct pa_keys keys; /* of the request, when they are not those of the switches */
    Tcl_DString name_pattern;
    Tcl_DString user_pattern;
    char address[64];         /* to listen on, numeric */
    struct pa_tcl_home *home; /* listen: for its channel */
    Tcl_Obj *command;         /* listen: for its clients; owned */
    uint16_t port;            /* release */
    struct pa_tcl_rows rows;  /* being made of the listing */
};

/* An errand on the heap, where it is to stay: its keys point into it. */
struct pa_tcl_errand *pa_tcl_errand_new(void);

/* NULL is legal. */
void pa_tcl_errand_free(struct pa_tcl_errand *errand);

/*
 * Each of these reads the options in `count` words, and writes the request.
 * TCL_OK, or TCL_ERROR with a message: a word is wrong.
 */

/* The list of {port name user} of all ports. */
int pa_tcl_errand_ports(struct pa_tcl_errand *errand, Tcl_Interp *interp, int count,
                        Tcl_Obj *const options[]);

/* The port of that service of that user (NULL or empty: the caller), or "". */
int pa_tcl_errand_server(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *service,
                         Tcl_Obj *user, int count, Tcl_Obj *const options[]);

/* The list of {user port} of that service. */
int pa_tcl_errand_users(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *service,
                        int count, Tcl_Obj *const options[]);

/* The list of dictionaries of the ports that the options of FIND describe. */
int pa_tcl_errand_find(struct pa_tcl_errand *errand, Tcl_Interp *interp, int count,
                       Tcl_Obj *const options[]);

/*
 * Ports for the application. Without options that are about ports: one, held by
 * the manager if it can, which `may_hold` does not deny, as in protocol 1 if it is
 * old; a refusal reads as in protocol 1, whichever was spoken: scripts may know it.
 * With them: the port; with -count the list of ports; with -unique a dictionary of
 * port and joined. The ports are held if the manager can, unless -hold says what to do.
 */
int pa_tcl_errand_allocate(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                           Tcl_Obj *application, bool may_hold, int count,
                           Tcl_Obj *const options[]);

/*
 * A channel that listens; `command` is called for each client. The call that has
 * the answer is taken over. A host name that is given as the address is looked up: at
 * once, unless the answer is not to be waited for; then errand->lookup is to come
 * first, and pa_tcl_errand_looked_up() to write the request.
 */
int pa_tcl_errand_listen(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                         struct pa_tcl_home *home, Tcl_Obj *application, Tcl_Obj *command,
                         int count, Tcl_Obj *const options[]);

/* Goes on with the look-up: 0; PA_LOOKUP_RUNNING; an enum pa_error with *why filled in. */
int pa_tcl_errand_looked_up(struct pa_tcl_errand *errand, struct pa_failure *why);

/* Puts other attributes on a port. */
int pa_tcl_errand_change(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *port,
                         int count, Tcl_Obj *const options[]);

/* Appends a pattern that the text and nothing else matches, and returns it. */
const char *pa_tcl_errand_pattern(Tcl_DString *pattern, const char *text);

/* Gives a port back. */
int pa_tcl_errand_release(struct pa_tcl_errand *errand, Tcl_Interp *interp, Tcl_Obj *port,
                          int count, Tcl_Obj *const options[]);

/* Nothing is asked; only options are read. */
int pa_tcl_errand_open(struct pa_tcl_errand *errand, Tcl_Interp *interp, int count,
                       Tcl_Obj *const options[]);

/*
 * Makes rows of the listing that came, for a while. Whether that is done; at
 * once when there is no listing.
 */
bool pa_tcl_errand_rows(struct pa_tcl_errand *errand);

/*
 * Sets the result: of `r` 0 what came, else why it failed. TCL_OK or TCL_ERROR.
 * *call is the one that had the answer, set to NULL when that was taken over.
 */
int pa_tcl_errand_finish(struct pa_tcl_errand *errand, Tcl_Interp *interp,
                         struct pa_call **call, int r, const struct pa_failure *why);

#endif
