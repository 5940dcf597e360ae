/*
 * An errand to a port manager that never blocks.
 *
 * The happy path: a dial connects, or a connection is there that has served before;
 * the request is sent in one packet, the answer comes.
 *
 * What can fail: the connection that has served before is stale. It is replaced, once.
 * The manager does not know HELLO. It is remembered and asked in
 * protocol 1, on a new connection. It cannot hold ports: the errand has other
 * words, for a new connection too. Whatever else, the task is over.
 */

#include "pa_task.h"

#include <assert.h>

static_assert((int)PA_TASK_WAIT == (int)PA_DIAL_WAIT &&
                  (int)PA_TASK_WAIT == (int)PA_CONNECTION_WAIT,
              "a task hands on what its parts return");

int pa_task_init(struct pa_task *task, struct pa_call *spare, const char *host, int port,
                 struct pa_errand *errand, struct pa_failure *why)
{
    *task = (struct pa_task){.call = spare, .errand = errand, .dial = {.fd = -1}};
    if (spare)
        return pa_call_set_server(spare, host, port, why);
    task->call = pa_call_new(host, port);
    return task->call ? 0 : pa_failure_set(why, PA_E_CLIENT_MEMORY);
}

struct pa_call *pa_task_spare(struct pa_task *task)
{
    struct pa_call *call = task->call;
    const struct pa_connection *connection = call ? call->in_use : NULL;
    if (!connection || connection->dead || connection->held > 0 ||
        !pa_connection_in_step(connection))
        return NULL;
    task->call = NULL;
    return call;
}

void pa_task_deinit(struct pa_task *task)
{
    pa_dial_deinit(&task->dial);
    task->call = pa_call_free(task->call);
}

static int dial(struct pa_task *task, struct pa_failure *why)
{
    pa_ask_place(task->call, &task->place);
    task->is_dialling = true;
    return pa_dial_begin(&task->dial, task->call->host, task->place.port, task->place.socket,
                         &task->deadline, why);
}

int pa_task_begin(struct pa_task *task, int timeout_ms, struct pa_failure *why)
{
    task->timeout_ms = timeout_ms;
    task->deadline = task->errand ? pa_ask_deadline(&task->errand->ask, timeout_ms)
                                  : pa_deadline_in(timeout_ms);
    int r = pa_ask_look_after(task->call, why);
    task->is_reused = task->call->in_use;
    if (r != 0 || !task->is_reused)
        return r != 0 ? r : dial(task, why);
    return task->errand ? pa_ask_put(task->call, &task->errand->ask, why) : 0;
}

static int step_dial(struct pa_task *task, struct pa_failure *why)
{
    int r = pa_dial_step(&task->dial, why);
    if (r != 0)
        return r;
    task->is_dialling = false;
    r = pa_ask_use(task->call, pa_connection_dialled(&task->dial), why);
    pa_dial_deinit(&task->dial);
    if (r != 0 || !task->errand)
        return r;
    task->call->in_use->old = task->is_elder; /* however long that is remembered */
    return pa_ask_put(task->call, &task->errand->ask, why);
}

static int step_talk(struct pa_task *task, struct pa_failure *why)
{
    int r = pa_connection_step(task->call->in_use, &task->deadline, why);
    if (r != PA_CONNECTION_WAIT)
        pa_ask_heard(task->call);
    return r;
}

/* The manager has turned out to be old: once more, on a new connection. */
static int begin_old(struct pa_task *task, struct pa_failure *why)
{
    pa_ask_is_old(task->call);
    task->is_elder = true;
    return dial(task, why);
}

/* The manager had closed it before it had the request. */
static int begin_anew(struct pa_task *task, struct pa_failure *why)
{
    pa_ask_retire(task->call);
    task->is_reused = false;
    return dial(task, why);
}

/* A step of what is under way. */
static int step(struct pa_task *task, struct pa_failure *why)
{
    for (;;) {
        int r = task->is_dialling ? step_dial(task, why) : 0;
        if (r != 0 || !task->errand)
            return r;
        r = step_talk(task, why);
        if (r == PA_CONNECTION_OLD)
            r = begin_old(task, why);
        else if (r == PA_E_CLOSED && task->is_reused)
            r = begin_anew(task, why);
        else
            return r;
        if (r != 0)
            return r;
    }
}

int pa_task_step(struct pa_task *task, struct pa_failure *why)
{
    int r = step(task, why);
    if (r == PA_TASK_WAIT || !task->errand)
        return r;
    if (r == 0)
        return pa_errand_take(task->errand, task->call->in_use, why);
    if (!pa_errand_again(task->errand, r, why))
        return pa_errand_verdict(task->errand, task->call, r, why);
    pa_ask_retire(task->call);
    r = pa_task_begin(task, task->timeout_ms, why);
    return r != 0 ? r : pa_task_step(task, why);
}

const struct pa_wait *pa_task_wait(const struct pa_task *task)
{
    return task->is_dialling ? &task->dial.wait : &task->call->in_use->wait;
}
