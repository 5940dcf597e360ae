#ifndef KILL_RUN_H
#define KILL_RUN_H

/*
 * One time that a scene is played: the survivors, what they do for each other
 * after the kill, and whether all is as it has to be.
 */

#include "kill_ledger.h"
#include "kill_scene.h"
#include "kill_trace.h"

struct run {
    const struct scene *scene;
    struct ledger ledger;
    struct victim victim;
    const char *fault; /* the first: NULL if none */
    int id;
    int alone;   /* times that somebody was left to wake by himself */
    bool killed; /* and not just stopped */
    bool dead;   /* the port, as somebody found out */
};

/* The run that is on. */
extern struct run run;

/* Starts the survivors, who serve all runs, and ends them. */
void run_start_helpers(void);
void run_end_helpers(void);

/* After a failure: nobody hangs any longer, and no port is left. */
void run_clean_up(void);

/* Makes the port, with those who are blocked at it, and a victim at the beginning of its call.
 * False, as below, with run.fault. */
bool run_begin(const struct scene *scene, struct victim_page *page);

/* Says what is wrong, unless something was before. Returns false. */
bool run_fail(const char *fault);

/* The victim was killed or stopped: checks that all others go on, and that the port is sound.
 */
bool run_finish(void);

#endif
