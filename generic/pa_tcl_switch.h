#ifndef PA_TCL_SWITCH_H
#define PA_TCL_SWITCH_H

/*
 * The options behind `allocatePort`, `listen`, `find` and others, as the keys of a
 * request of protocol 2; and who is to be told the answer.
 */

#include "pa_keys.h"
#include "pa_tcl_compat.h"

#include <stdbool.h>

enum pa_tcl_text {
    PA_TCL_TEXT_ATTRIBUTES,
    PA_TCL_TEXT_ADDRESS,
    PA_TCL_TEXT_NAME,
    PA_TCL_TEXT_USER,
    PA_TCL_TEXTS,
};

/* `wait` is no verb of the wire: it has options of its own. */
#define PA_TCL_SWITCH_WAIT ((enum pa_verb)PA_VERB_COUNT)

enum {
    PA_TCL_SWITCH_POLL_MIN_MS = 10,
    PA_TCL_SWITCH_WAIT_MAX_MS = 1000000000, /* some 11 days */
};

struct pa_tcl_switches {
    struct pa_keys keys; /* point into `texts` */
    Tcl_Obj *command;    /* owned; NULL: none, or an empty one */
    uint32_t coroutine;  /* 1: the answer is for the coroutine that runs */
    uint32_t poll_ms;    /* of `watch`; 0: not given */
    uint32_t timeout_ms; /* of `wait`; if has_timeout */
    bool has_timeout;    /* -timeout was given */
    int telling;         /* how many of the options were of these two */
    bool has_hold;       /* -hold was given */
    bool has_count;      /* -count was given */
    Tcl_DString texts[PA_TCL_TEXTS];
};

/* As if no option had been given. */
void pa_tcl_switches_init(struct pa_tcl_switches *switches);

/*
 * Reads the options of a verb from words that are names and values in turn; of those given
 * twice the last counts. TCL_OK, or TCL_ERROR with a message. pa_tcl_switches_deinit() is due
 * either way.
 */
int pa_tcl_switches_parse(struct pa_tcl_switches *switches, Tcl_Interp *interp,
                          enum pa_verb verb, Tcl_Size count, Tcl_Obj *const words[]);

void pa_tcl_switches_deinit(struct pa_tcl_switches *switches);

/* Reads a port from 1 to 65535. TCL_OK, or TCL_ERROR with a message. */
int pa_tcl_switch_port(Tcl_Interp *interp, Tcl_Obj *word, uint16_t *port);

#endif
