/* One client's protocol state. */

#include "session.h"

#include "pa_failure.h"
#include "pa_text.h"

#include <assert.h>
#include <errno.h>

enum {
    ECHO_BYTES = 256, /* at most so much of an illegal request is sent back */
    REPLY_BYTES = 32, /* the longest `OK number` with its end */
};

void session_init(struct session *session, struct session_world *world, const char *host,
                  bool local, size_t line_max_bytes)
{
    *session = (struct session){
        .world = world,
        .host = host,
        .line = PA_LINE_INIT(line_max_bytes),
        .owner = TABLE_OWNER_NULL,
        .local = local,
    };
}

void session_deinit(struct session *session)
{
    assert(session->owner.count == 0);
    pa_line_deinit(&session->line);
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

/* ------------------------------------------------------------- refusals -- */

/* Cuts the request's text to what is sent back and logged of it. */
static const char *shown_text(struct pa_request *request)
{
    if (!request->text)
        return "";
    request->text_size = pa_text_cut(request->text, request->text_size, ECHO_BYTES);
    request->text[request->text_size] = '\0';
    return request->text;
}

static int refuse(struct session *session, struct session_step *step, struct pa_buf *reply,
                  enum pa_error error)
{
    struct pa_failure failure;
    step->error = error;
    switch (error) {
    case PA_E_INVALID_REQUEST:
        pa_failure_set(&failure, error, shown_text(&step->request));
        break;
    case PA_E_LINE_TOO_LONG:
        pa_failure_set(&failure, error, session->line.max_bytes);
        break;
    case PA_E_NOT_LOCAL:
        pa_failure_set(&failure, error, session->host, session->host);
        break;
    default:
        pa_failure_set(&failure, error);
        break;
    }
    return pa_wire_append_fail(reply, failure.text);
}

/* No more is read of a client that sent what cannot be understood. */
static int refuse_illegal(struct session *session, struct session_step *step,
                          struct pa_buf *reply, enum pa_error error)
{
    step->event = SESSION_ILLEGAL;
    step->close = true;
    return refuse(session, step, reply, error);
}

static int refuse_port(struct session *session, struct session_step *step, struct pa_buf *reply,
                       enum pa_error error)
{
    step->event = SESSION_REFUSED;
    return refuse(session, step, reply, error);
}

/* Ports are for this host; what else is wrong with such a request does not matter. */
static int refuse_remote(struct session *session, struct session_step *step,
                         struct pa_buf *reply)
{
    step->close = true;
    return refuse_port(session, step, reply, PA_E_NOT_LOCAL);
}

/* ------------------------------------------------------------- requests -- */

static int answer_list(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    step->event = SESSION_LISTED;
    if (table_snapshot(session->world->table, &step->snapshot) == 0)
        return 0;
    return refuse_port(session, step, reply, PA_E_NO_MEMORY);
}

static int answer_gimme(struct session *session, struct session_step *step,
                        struct pa_buf *reply)
{
    if (!session->local)
        return refuse_remote(session, step, reply);
    /* With room for the answer made first, an allocation is never undone. */
    int r = pa_buf_reserve(reply, REPLY_BYTES);
    if (r < 0)
        return r;
    struct session_world *world = session->world;
    struct table_entry *entry = NULL;
    r = table_allocate(world->table, &session->owner, step->request.name, step->request.user,
                       world->now_ms, &world->prober, &entry);
    if (r == TABLE_E_NO_FREE_PORTS)
        return refuse_port(session, step, reply, PA_E_NO_FREE_PORTS);
    if (r < 0)
        return refuse_port(session, step, reply, r == -ENOMEM ? PA_E_NO_MEMORY : PA_E_NO_PROBE);
    step->event = SESSION_ALLOCATED;
    step->entry = entry;
    return pa_wire_append_ok(reply, entry->port);
}

static int answer(struct session *session, const char *text, size_t size, struct pa_buf *reply,
                  struct session_step *step)
{
    int r = pa_request_parse(&step->request, text, size);
    if (r > 0 && r != PA_E_INVALID_REQUEST && !session->local)
        return refuse_remote(session, step, reply);
    switch (r) {
    case 0:
        return step->request.verb == PA_VERB_LIST ? answer_list(session, step, reply)
                                                  : answer_gimme(session, step, reply);
    case PA_E_INVALID_REQUEST:
        return refuse_illegal(session, step, reply, PA_E_INVALID_REQUEST);
    case PA_E_EMPTY_NAME:
    case PA_E_CONTROL_CHARACTER:
    case PA_E_NOT_A_CHARACTER:
        return refuse_port(session, step, reply, (enum pa_error)r);
    default:
        return refuse_port(session, step, reply, PA_E_NO_MEMORY);
    }
}

/* A step that failed answers nothing: what it owns is freed here. */
static int finish(int r, struct session_step *step)
{
    if (r < 0)
        session_step_deinit(step);
    return r;
}

int session_next(struct session *session, const char **cursor, const char *end,
                 struct pa_buf *reply, struct session_step *step)
{
    *step = (struct session_step){.request = PA_REQUEST_NULL};
    const char *text;
    size_t size;
    int r = pa_line_next(&session->line, cursor, end, &text, &size);
    if (r == PA_LINE_PARTIAL)
        return SESSION_IDLE;
    if (r == PA_LINE_TOO_LONG)
        r = refuse_illegal(session, step, reply, PA_E_LINE_TOO_LONG);
    else if (r == 0)
        r = answer(session, text, size, reply, step);
    return finish(r, step);
}

int session_end(struct session *session, struct pa_buf *reply, struct session_step *step)
{
    *step = (struct session_step){.request = PA_REQUEST_NULL};
    if (!pa_line_pending(&session->line))
        return SESSION_IDLE;
    size_t size;
    const char *rest = pa_line_rest(&session->line, &size);
    /* Parsed for its text only: without its end even a good request is none. */
    int r = pa_request_parse(&step->request, rest, size);
    if (r >= 0)
        r = refuse_illegal(session, step, reply, PA_E_INVALID_REQUEST);
    return finish(r, step);
}

bool session_release_one(struct session *session,
                         void (*released)(void *context, const struct table_entry *entry),
                         void *context)
{
    struct table_entry *entry = session->owner.first;
    if (!entry)
        return false;
    released(context, entry);
    table_release(session->world->table, entry, session->world->now_ms);
    return true;
}
