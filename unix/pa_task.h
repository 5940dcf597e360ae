#ifndef PA_TASK_H
#define PA_TASK_H

/*
 * An errand to a port manager that never blocks, for who has an event loop: it
 * does what a call of pa_call does, on a connection of its own, which may take the
 * next task's errand when it is over: pa_task_spare().
 *
 * pa_task_init(), pa_task_begin(), then pa_task_step() at first and whenever what
 * pa_task_wait() says has come, until it returns something else than PA_TASK_WAIT;
 * pa_task_deinit() at any time. Not thread-safe: one thread at a time.
 */

#include "pa_call.h"
#include "pa_dial.h"
#include "pa_errand.h"

#include <stdbool.h>

enum { PA_TASK_WAIT = PA_ERROR_COUNT + 1 };

struct pa_task {
    struct pa_errand *errand; /* the caller's */
    struct pa_call *call;     /* owned; has the connection */
    struct pa_portfile place; /* of the manager */
    struct pa_dial dial;      /* while there is no connection */
    struct pa_deadline deadline;
    bool is_dialling;
    bool is_reused; /* the connection has served before: it may be stale */
    bool is_elder;  /* the manager, as has turned out */
    int timeout_ms;
};

/*
 * For the manager on `host` and `port`, as pa_call_new() has it. `spare` is taken over:
 * NULL, or what pa_task_spare() gave, whose connection is used if it is that manager's.
 * `errand` is begun by the caller, who frees it behind the task; NULL: there is nothing to
 * ask, the task is over when it is connected. 0 or PA_E_CLIENT_MEMORY with *why filled in;
 * either way pa_task_deinit() is due.
 */
int pa_task_init(struct pa_task *task, struct pa_call *spare, const char *host, int port,
                 struct pa_errand *errand, struct pa_failure *why);

/* Begins to connect, or to send. `timeout_ms` is the time for all together, as for a call.
 * 0; PA_E_CONNECT, the port is none; PA_E_TOO_OLD or PA_E_CLIENT_MEMORY; with *why filled
 * in. */
int pa_task_begin(struct pa_task *task, int timeout_ms, struct pa_failure *why);

/*
 * Goes on. 0: what was asked for is in the errand. PA_TASK_WAIT. Else what the
 * call of pa_call returns, an enum pa_error with *why filled in.
 */
int pa_task_step(struct pa_task *task, struct pa_failure *why);

/* What a task that waits waits for. */
const struct pa_wait *pa_task_wait(const struct pa_task *task);

/*
 * The call of a task that is over, if its connection can take another errand and
 * holds no ports: the caller's then, to be freed by pa_call_free(). Else NULL.
 */
struct pa_call *pa_task_spare(struct pa_task *task);

/*
 * Frees what the task has, the connection and so the ports that were granted
 * included, unless pa_call_adopt() has taken that from task->call. Breaks off
 * what is under way.
 */
void pa_task_deinit(struct pa_task *task);

#endif
