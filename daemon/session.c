/*
 * One client's protocol state: who speaks which protocol, and which request
 * goes where. What becomes of a request for ports is in grant.c.
 */

#include "session.h"

#include "find.h"
#include "grant.h"
#include "refuse.h"
#include "watch.h"

#include "pa_wire2.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPABILITIES_MAX = 4 };

void session_init(struct session *session, struct session_world *world, const char *host,
                  bool local, size_t line_max_bytes)
{
    *session = (struct session){
        .world = world,
        .host = host,
        .line = PA_LINE_INIT(line_max_bytes),
        .owner = TABLE_OWNER_NULL,
        .watcher = WATCHER_NULL,
        .local = local,
    };
}

void session_deinit(struct session *session)
{
    assert(session->owner.count == 0);
    session_abandon(session);
    pa_line_deinit(&session->line);
    free(session->user);
}

int session_prove(struct session *session, uint32_t uid, const char *user)
{
    char *copy = user ? strdup(user) : NULL;
    if (user && !copy)
        return -ENOMEM;
    free(session->user);
    session->user = copy;
    session->uid = uid;
    session->proof = user ? SESSION_PROOF_GIVEN : SESSION_PROOF_NONE;
    return 0;
}

bool session_watches(const struct session *session)
{
    return session->watcher.interest != NULL;
}

size_t session_held(const struct session *session)
{
    return session->owner.count;
}

void session_step_deinit(struct session_step *step)
{
    pa_request_deinit(&step->request);
    step->snapshot = snapshot_unref(step->snapshot);
}

static struct session_step step_init(void)
{
    return (struct session_step){.request = PA_REQUEST_NULL, .fd = -1};
}

/* ------------------------------------------------------------- requests -- */

static int answer_list(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    if (table_snapshot(session->world->table, &step->snapshot) == 0)
        return 0;
    return refuse(session, step, reply, PA_E_NO_MEMORY);
}

/* What a connection can do that others cannot, and what this manager can that older ones
 * could not. */
static int answer_hello(struct session *session, struct pa_buf *reply)
{
    const struct session_world *world = session->world;
    bool holds = world->holder.probe && !world->rules.holds_none;
    const char *words[CAPABILITIES_MAX];
    size_t count = 0;
    if (!world->rules.trusts)
        words[count++] = "owner";
    if (holds)
        words[count++] = "hold";
    if (holds && session->unix_domain && session->local)
        words[count++] = "listen";
    words[count++] = "watch";
    session->protocol2 = true;
    return pa_wire2_append_hello(reply, words, count);
}

/* In the order of LIST the ports of a user stand together. */
struct users {
    const char *last;
    size_t count;
};

static bool count_user(void *context, const struct table_entry *entry)
{
    struct users *users = context;
    if (!users->last || strcmp(users->last, entry->user) != 0)
        users->count += 1;
    users->last = entry->user;
    return true;
}

static int answer_stats(struct session *session, struct session_step *step,
                        struct pa_buf *reply)
{
    const struct session_world *world = session->world;
    struct users users = {0};
    if (table_visit_named(world->table, NULL, count_user, &users) < 0)
        return refuse(session, step, reply, PA_E_NO_MEMORY);
    const struct pa_stats stats = {
        .protocol = PA_PROTOCOL_2,
        .ports = table_capacity(world->table),
        .allocated = table_count(world->table),
        .held = table_held(world->table),
        .connections = world->stats.connections,
        .waiting = world->stats.waiting,
        .users = users.count,
        .watchers = world->watchers->count,
        .uptime_s = (world->now_ms - world->stats.started_ms) / 1000,
        .pid = (uint64_t)world->stats.pid,
        .version = PACKAGE_VERSION,
    };
    return pa_wire2_append_stats(reply, &stats);
}

/* The request parsed, without fault. */
static int carry_out(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    switch (step->request.verb) {
    case PA_VERB_LIST:
        return answer_list(session, step, reply);
    case PA_VERB_HELLO:
        return answer_hello(session, reply);
    case PA_VERB_GIMME:
    case PA_VERB_ALLOCATE:
    case PA_VERB_LISTEN:
        return grant_ports(session, step, reply);
    case PA_VERB_RELEASE:
        return grant_release(session, step, reply);
    case PA_VERB_FIND:
        return find_ports(session, step, reply);
    case PA_VERB_STATS:
        return answer_stats(session, step, reply);
    case PA_VERB_PING:
        return pa_wire2_append_pong(reply);
    case PA_VERB_WATCH:
        return watch_ports(session, step, reply);
    case PA_VERB_UNWATCH:
        return watch_end(session, reply);
    case PA_VERB_CHANGE:
        return grant_change(session, step, reply);
    case PA_VERB_COUNT:
        break;
    }
    assert(false);
    return -EINVAL;
}

static int answer(struct session *session, const char *text, size_t size, struct pa_buf *reply,
                  struct session_step *step)
{
    enum pa_protocol protocol = session->protocol2 ? PA_PROTOCOL_2 : PA_PROTOCOL_1;
    int r = pa_request_parse(&step->request, protocol, text, size, &step->failure);
    if (r == PA_E_INVALID_REQUEST)
        return refuse_illegal(session, step, reply, PA_E_INVALID_REQUEST);
    if (r > 0 && grant_is_for_ports(&step->request) && !session->local)
        return refuse_remote(session, step, reply);
    if (r == 0)
        return carry_out(session, step, reply);
    if (r < 0)
        pa_failure_set(&step->failure, PA_E_NO_MEMORY);
    return refuse_as_told(session, step, reply);
}

/* Hands over to the step, or keeps, the request; frees it after a failure. */
static int finish(struct session *session, int r, struct session_step *step)
{
    if (r == SESSION_SUSPENDED) {
        session->suspended = malloc(sizeof *session->suspended);
        if (session->suspended) {
            *session->suspended = step->request;
            step->request = (struct pa_request)PA_REQUEST_NULL;
            return r;
        }
        grant_leave_line(session);
        r = -ENOMEM;
    }
    session->wants = SESSION_WANTS_NOTHING;
    if (r < 0)
        session_step_deinit(step);
    return r;
}

int session_next(struct session *session, const char **cursor, const char *end,
                 struct pa_buf *reply, struct session_step *step)
{
    assert(!session->suspended);
    *step = step_init();
    const char *text;
    size_t size;
    int r = pa_line_next(&session->line, cursor, end, &text, &size);
    if (r == PA_LINE_PARTIAL)
        return SESSION_IDLE;
    if (r == PA_LINE_TOO_LONG)
        r = refuse_illegal(session, step, reply, PA_E_LINE_TOO_LONG);
    else if (r == 0)
        r = answer(session, text, size, reply, step);
    return finish(session, r, step);
}

int session_resume(struct session *session, struct pa_buf *reply, struct session_step *step)
{
    *step = step_init();
    step->request = *session->suspended;
    free(session->suspended);
    session->suspended = NULL;
    return finish(session, carry_out(session, step, reply), step);
}

void session_abandon(struct session *session)
{
    watchers_unwatch(session->world->watchers, &session->watcher);
    if (!session->suspended)
        return;
    grant_leave_line(session);
    pa_request_deinit(session->suspended);
    free(session->suspended);
    session->suspended = NULL;
    session->wants = SESSION_WANTS_NOTHING;
}

int session_end(struct session *session, struct pa_buf *reply, struct session_step *step)
{
    *step = step_init();
    session_abandon(session);
    if (!pa_line_pending(&session->line))
        return SESSION_IDLE;
    size_t size;
    const char *rest = pa_line_rest(&session->line, &size);
    /* Parsed for its text only: without its end even a good request is none. */
    int r = pa_request_parse(&step->request, PA_PROTOCOL_1, rest, size, &step->failure);
    if (r >= 0) {
        r = refuse_illegal(session, step, reply, PA_E_INVALID_REQUEST);
        step->close = true;
    }
    return finish(session, r, step);
}

bool session_release_one(struct session *session)
{
    if (!session->owner.first)
        return false;
    grant_give_back(session->world, session->owner.first);
    return true;
}
