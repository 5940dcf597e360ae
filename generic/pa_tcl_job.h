#ifndef PA_TCL_JOB_H
#define PA_TCL_JOB_H

/*
 * What an allocator has under way in the event loop: jobs with a token each.
 * They end by themselves, by their token, or with the allocator.
 */

#include "pa_call.h"
#include "pa_tcl_compat.h"
#include "pa_tcl_home.h"
#include "pa_tcl_spare.h"

#include <stdbool.h>

struct pa_tcl_job;

/* Breaks the job off and frees it; it is not in the list any more. Nobody is told. */
typedef void pa_tcl_job_end(struct pa_tcl_job *job);

/* The first member of a job. */
struct pa_tcl_job {
    struct pa_tcl_job *next;
    struct pa_tcl_job **link; /* what points here; NULL: not in a list */
    Tcl_Obj *token;           /* owned */
    Tcl_HashEntry *entry;     /* of that */
    const char *kind;         /* the token's first part */
    pa_tcl_job_end *end;
};

struct pa_tcl_jobs {
    Tcl_Interp *interp;
    struct pa_tcl_home *home; /* the allocator's reference */
    struct pa_call *call;     /* the allocator's: takes over the ports that are granted */
    struct pa_tcl_job *first; /* the youngest */
    Tcl_HashTable by_token;
    struct pa_tcl_spare spare;
    bool are_over; /* the allocator is deleted: none begins any more */
};

/* The kinds. */
extern const char pa_tcl_job_async[]; /* ends with an answer */
extern const char pa_tcl_job_watch[]; /* goes on */

/* Nothing is under way. What is pointed to is the allocator's and stays so. */
void pa_tcl_jobs_init(struct pa_tcl_jobs *jobs, Tcl_Interp *interp, struct pa_tcl_home *home,
                      struct pa_call *call);

/*
 * Whether a job may begin. TCL_OK; TCL_ERROR with a message: the allocator was deleted
 * while the words of the method were read, as by the trace of a variable.
 */
int pa_tcl_jobs_check(const struct pa_tcl_jobs *jobs);

/* Puts the job into the list, with a token that no other of the interpreter has had. */
void pa_tcl_job_begin(struct pa_tcl_jobs *jobs, struct pa_tcl_job *job, const char *kind,
                      pa_tcl_job_end *end);

/* Takes it out of the list and frees its token. */
void pa_tcl_job_leave(struct pa_tcl_job *job);

/*
 * Ends the job of that kind with that token. TCL_OK; TCL_ERROR with a message
 * that names the token: there is none.
 */
int pa_tcl_jobs_end(struct pa_tcl_jobs *jobs, const char *kind, Tcl_Obj *token);

/* Ends all, lets go of the spare connection, and has no job begin any more. */
void pa_tcl_jobs_end_all(struct pa_tcl_jobs *jobs);

/* Whom an allocator asks, and how long. */
struct pa_tcl_server {
    const char *host;
    int port;
    int timeout_ms;
};

#endif
