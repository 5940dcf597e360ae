/* A world of sessions without a network. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "session_fixture.h"

#include <stdio.h>
#include <string.h>

struct fixture fixture;

/* ------------------------------------------------------------------ world -- */

static int open_listener(void *context, const char *address, uint16_t port, int backlog)
{
    (void)context;
    assert_true(fixture.kernel.held[port]);
    fixture.listen_port = port;
    fixture.listen_backlog = backlog;
    snprintf(fixture.listen_address, sizeof fixture.listen_address, "%s",
             address ? address : "");
    if (fixture.listen_error)
        return fixture.listen_error;
    fixture.open_count += 1;
    return 77;
}

static void close_listener(void *context, int fd)
{
    (void)context;
    assert_int_equal(fd, 77);
    fixture.open_count -= 1;
}

static struct client *client_of(struct watcher *watcher)
{
    return (struct client *)((char *)watcher - offsetof(struct client, session.watcher));
}

static size_t unsent(void *context, struct watcher *watcher)
{
    (void)context;
    return client_of(watcher)->unsent;
}

static void hear_event(void *context, struct watcher *watcher, struct pa_buf *text,
                       struct snapshot *snapshot)
{
    (void)context;
    struct pa_buf *answers = &client_of(watcher)->answers;
    assert_int_equal(pa_buf_append(answers, text->data, text->size), 0);
    if (snapshot)
        assert_int_equal(pa_buf_append(answers, snapshot->text, snapshot->size), 0);
}

void fixture_tell(void)
{
    assert_int_equal(watchers_flush(&fixture.watchers), 0);
}

static void note_release(void *context, const struct table_entry *entry)
{
    (void)context;
    assert_ptr_equal(table_at(fixture.world.table, entry->port), entry); /* not gone yet */
    fixture.released = entry->port;
    fixture.released_count += 1;
}

void fixture_begin_ports(uint16_t low, uint16_t high)
{
    static const struct siphash_key key = {{5, 6}};
    const struct table_range range = {low, high};
    memset(&fixture, 0, sizeof fixture);
    quota_init(&fixture.quota, &(struct quota_limits){{0}});
    fixture.world = (struct session_world){
        .prober = fake_prober_of(&fixture.kernel),
        .holder = fake_holder_of(&fixture.kernel),
        .quota = &fixture.quota,
        .watchers = &fixture.watchers,
        .stats = {.connections = 3, .waiting = 1, .started_ms = 1000, .pid = 99},
        .listen = open_listener,
        .close = close_listener,
        .released = note_release,
        .now_ms = 5000,
    };
    assert_int_equal(table_new(&fixture.world.table, &range, 1, 5000, &key), 0);
    watchers_init(&fixture.watchers, fixture.world.table,
                  &(struct watchers_io){.unsent = unsent, .send = hear_event});
}

void fixture_begin(void)
{
    fixture_begin_ports(FIXTURE_LOW, FIXTURE_HIGH);
}

void fixture_limit(enum quota_kind kind, uint32_t most)
{
    fixture.quota.limits.most[kind] = most;
}

void fixture_end(void)
{
    assert_int_equal(table_count(fixture.world.table), 0);
    assert_int_equal(table_held(fixture.world.table), 0);
    assert_int_equal(fixture.kernel.held_count, 0);
    assert_int_equal(fixture.open_count, 0);
    assert_int_equal(fixture.quota.accounts_count, 0);
    watchers_deinit(&fixture.watchers);
    fixture.world.table = table_free(fixture.world.table);
    quota_deinit(&fixture.quota);
}

/* ---------------------------------------------------------------- clients -- */

void client_arrive(struct client *client, uint32_t uid, const char *user)
{
    *client = (struct client){.uid = uid, .user = user};
    session_init(&client->session, &fixture.world, FIXTURE_HOST, true, FIXTURE_LINE_MAX);
}

void client_arrive_remote(struct client *client)
{
    *client = (struct client){.user = NULL};
    session_init(&client->session, &fixture.world, FIXTURE_HOST, false, FIXTURE_LINE_MAX);
}

static void keep_answer(struct client *client, const struct pa_buf *reply)
{
    if (reply->size > 0)
        assert_int_equal(pa_buf_append(&client->answers, reply->data, reply->size), 0);
}

static void keep_step(struct client *client, const struct pa_buf *reply,
                      struct session_step *step)
{
    keep_answer(client, reply);
    if (step->snapshot)
        assert_int_equal(
            pa_buf_append(&client->answers, step->snapshot->text, step->snapshot->size), 0);
    if (step->fd >= 0)
        close_listener(NULL, step->fd);
    client->closed = step->close;
    client->did = step->event;
    client->failure = step->failure;
    client->count = step->count;
    snprintf(client->claimed, sizeof client->claimed, "%s", step->claimed ? step->claimed : "");
    session_step_deinit(step);
}

/* Whether what a suspended request waits for is there now. */
static bool provide(struct client *client)
{
    struct session *session = &client->session;
    switch (session->wants) {
    case SESSION_WANTS_OWNER:
        if (client->undecided)
            return false;
        assert_int_equal(session_prove(session, client->uid, client->user), 0);
        return true;
    case SESSION_WANTS_DRAIN:
        return !client->unread;
    default:
        assert_int_equal(session->wants, SESSION_WANTS_PORT);
        return false;
    }
}

static void run(struct client *client)
{
    struct pa_buf *unheard = &client->unheard;
    const char *cursor = unheard->data, *end = unheard->data + unheard->size;
    int r = 0;
    while (r == 0 && !client->closed) {
        struct pa_buf reply = PA_BUF_NULL;
        struct session_step step;
        client->session.clear = !client->unread;
        r = client->session.suspended
                ? session_resume(&client->session, &reply, &step)
                : session_next(&client->session, &cursor, end, &reply, &step);
        if (r == 0) {
            keep_step(client, &reply, &step);
        } else {
            assert_int_equal(reply.size, 0);
            assert_true(r == SESSION_IDLE || r == SESSION_SUSPENDED);
        }
        pa_buf_deinit(&reply);
        if (r == SESSION_SUSPENDED && provide(client))
            r = 0;
    }
    size_t left = (size_t)(end - cursor);
    if (left > 0)
        memmove(unheard->data, cursor, left);
    unheard->size = left;
}

void client_send(struct client *client, const char *bytes, size_t size)
{
    assert_int_equal(pa_buf_append(&client->unheard, bytes, size), 0);
    if (!client->session.suspended && !client->closed)
        run(client);
}

void client_say(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

void client_go_on(struct client *client)
{
    assert_non_null(client->session.suspended);
    if (client->session.wants == SESSION_WANTS_PORT || provide(client))
        run(client);
}

void client_leave(struct client *client)
{
    size_t held = session_held(&client->session), released = fixture.released_count;
    session_abandon(&client->session);
    while (session_release_one(&client->session))
        continue;
    assert_int_equal(fixture.released_count - released, held);
    session_deinit(&client->session);
    pa_buf_deinit(&client->answers);
    pa_buf_deinit(&client->unheard);
}

void client_expect(struct client *client, const char *answers)
{
    assert_int_equal(pa_buf_append(&client->answers, "", 1), 0);
    assert_string_equal(client->answers.data, answers);
    client->answers.size = 0;
}

void client_ask(struct client *client, const char *text, const char *answers)
{
    client_say(client, text);
    client_expect(client, answers);
}
