/* What an allocator has under way in the event loop. */

#include "pa_tcl_job.h"

#include "pa_tcl_error.h"

const char pa_tcl_job_async[] = "async";
const char pa_tcl_job_watch[] = "watch";

void pa_tcl_jobs_init(struct pa_tcl_jobs *jobs, Tcl_Interp *interp, struct pa_tcl_home *home,
                      struct pa_call *call)
{
    *jobs = (struct pa_tcl_jobs){.interp = interp, .home = home, .call = call};
    Tcl_InitHashTable(&jobs->by_token, TCL_STRING_KEYS);
}

int pa_tcl_jobs_check(const struct pa_tcl_jobs *jobs)
{
    return jobs->are_over ? pa_tcl_error_usage(
                                jobs->interp, Tcl_NewStringObj("the allocator was deleted", -1))
                          : TCL_OK;
}

void pa_tcl_job_begin(struct pa_tcl_jobs *jobs, struct pa_tcl_job *job, const char *kind,
                      pa_tcl_job_end *end)
{
    *job = (struct pa_tcl_job){
        .next = jobs->first,
        .link = &jobs->first,
        .token = Tcl_ObjPrintf("%s%lu", kind, ++jobs->home->last_token),
        .kind = kind,
        .end = end,
    };
    Tcl_IncrRefCount(job->token);
    int is_new;
    job->entry = Tcl_CreateHashEntry(&jobs->by_token, Tcl_GetString(job->token), &is_new);
    Tcl_SetHashValue(job->entry, job);
    if (job->next)
        job->next->link = &job->next;
    jobs->first = job;
}

void pa_tcl_job_leave(struct pa_tcl_job *job)
{
    if (!job->link)
        return;
    *job->link = job->next;
    if (job->next)
        job->next->link = job->link;
    job->link = NULL;
    Tcl_DeleteHashEntry(job->entry);
    Tcl_DecrRefCount(job->token);
}

static void end(struct pa_tcl_job *job)
{
    pa_tcl_job_leave(job);
    job->end(job);
}

int pa_tcl_jobs_end(struct pa_tcl_jobs *jobs, const char *kind, Tcl_Obj *token)
{
    const char *text = Tcl_GetString(token);
    Tcl_HashEntry *entry = Tcl_FindHashEntry(&jobs->by_token, text);
    struct pa_tcl_job *job = entry ? Tcl_GetHashValue(entry) : NULL;
    if (!job || job->kind != kind)
        return pa_tcl_error_usage(jobs->interp, Tcl_ObjPrintf("unknown token \"%s\"", text));
    end(job);
    return TCL_OK;
}

void pa_tcl_jobs_end_all(struct pa_tcl_jobs *jobs)
{
    jobs->are_over = true;
    while (jobs->first)
        end(jobs->first);
    Tcl_DeleteHashTable(&jobs->by_token);
    Tcl_InitHashTable(&jobs->by_token, TCL_STRING_KEYS); /* all may be ended twice */
    pa_tcl_spare_keep(&jobs->spare, NULL);
}
