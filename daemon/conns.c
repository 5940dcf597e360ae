/*
 * All the clients' connections.
 *
 * The happy path: a newcomer stands in the `quiet` line; each time it is heard
 * it goes to the end of it, or of the `holding` line once it has a port.
 *
 * What can go wrong, and what is done:
 * - There are connections_max already: the ending ones go first, then of those
 *   without a port the one quiet longest, those who watch last. If all hold ports the newcomer
 * is told so; beyond CONNS_TURNED_AWAY_MAX such newcomers are closed unheard.
 * - A client never takes its last answer: ending_timer closes the connection.
 * - There is more to tell watchers than one turn may take: the runner keeps the
 *   loop awake, and the rest is told in the next turns. When memory is short for
 *   it, that is tried again after RETELL_DELAY_MS.
 * - Many clients have come and gone: malloc keeps their memory, so it is given
 *   back to the system once things are quiet (trim_timer).
 */

#include "conns.h"

#include "conn.h"
#include "hold.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIM_AFTER = 256, /* closed connections, about 256 KiB */
    TRIM_DELAY_MS = 300,
    RETELL_DELAY_MS = 100,
};

uint64_t conns_now_ms(const struct conns *conns)
{
    return uv_now(conns->loop);
}

/* ------------------------------------------------------------- runnable -- */

/* Gives every connection that is runnable by now one turn. */
static void on_run(uv_idle_t *runner)
{
    struct conns *conns = runner->data;
    conns_serve_line(conns);
    for (size_t turns = conns->runnable_count; turns > 0; --turns) {
        struct conn *conn = TAILQ_FIRST(&conns->runnable);
        if (!conn)
            break;
        conns_make_idle(conns, conn);
        conn_turn(conn);
    }
    /* on_tell() starts it again if it still has something to tell. */
    if (conns->runnable_count == 0 && !conns->waiters.next && !conns->waiters.due)
        uv_idle_stop(runner);
}

void conns_serve_line(struct conns *conns)
{
    conns->world.now_ms = conns_now_ms(conns);
    if (waiters_serve(&conns->waiters))
        uv_idle_start(&conns->runner, on_run);
}

void conns_make_runnable(struct conns *conns, struct conn *conn)
{
    if (conn->runnable)
        return;
    conn->runnable = true;
    conns->runnable_count += 1;
    TAILQ_INSERT_TAIL(&conns->runnable, conn, run_link);
    uv_idle_start(&conns->runner, on_run);
}

void conns_make_idle(struct conns *conns, struct conn *conn)
{
    if (!conn->runnable)
        return;
    conn->runnable = false;
    conns->runnable_count -= 1;
    TAILQ_REMOVE(&conns->runnable, conn, run_link);
}

/* --------------------------------------------------------------- ending -- */

static void on_ending_timer(uv_timer_t *timer)
{
    struct conns *conns = timer->data;
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&conns->ending)) && conn->ending_until_ms <= conns_now_ms(conns))
        conn_close(conn);
    if (conn)
        uv_timer_start(timer, on_ending_timer, conn->ending_until_ms - conns_now_ms(conns), 0);
}

void conns_expect_end(struct conns *conns, struct conn *conn)
{
    uv_timer_t *timer = &conns->ending_timer;
    if (!uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, on_ending_timer, conn->ending_until_ms - conns_now_ms(conns), 0);
}

static void on_trim(uv_timer_t *timer)
{
    struct conns *conns = timer->data;
    conns->closed_since_trim = 0;
    malloc_trim(0);
}

void conns_forget(struct conns *conns)
{
    conns->alive_count -= 1;
    conns->closed_since_trim += 1;
    if (conns->closed_since_trim < TRIM_AFTER ||
        uv_is_closing((uv_handle_t *)&conns->trim_timer))
        return;
    if (!uv_is_active((uv_handle_t *)&conns->trim_timer))
        uv_timer_start(&conns->trim_timer, on_trim, TRIM_DELAY_MS, 0);
}

/* --------------------------------------------------------------- watching -- */

static struct conn *conn_of_watcher(struct watcher *watcher)
{
    return (struct conn *)((char *)watcher - offsetof(struct conn, session.watcher));
}

static size_t unsent(void *context, struct watcher *watcher)
{
    (void)context;
    return conn_unsent_bytes(conn_of_watcher(watcher));
}

static void send_events(void *context, struct watcher *watcher, struct pa_buf *text,
                        struct snapshot *snapshot)
{
    (void)context;
    struct conn *conn = conn_of_watcher(watcher);
    if (conn_send(conn, text, snapshot) < 0)
        conn_close(conn);
}

static void on_teller_timer(uv_timer_t *timer)
{
    (void)timer; /* the loop is awake: on_tell() follows */
}

/* Runs before the loop sleeps, when all who asked were answered. */
static void on_tell(uv_prepare_t *teller)
{
    struct conns *conns = teller->data;
    uv_timer_t *timer = &conns->teller_timer;
    int r = watchers_flush(&conns->watchers);
    if (r == WATCHERS_MORE)
        uv_idle_start(&conns->runner, on_run);
    else if (r < 0 && !uv_is_closing((uv_handle_t *)timer))
        uv_timer_start(timer, on_teller_timer, RETELL_DELAY_MS, 0);
}

/* ------------------------------------------------------------ accepting -- */

/* Makes room for a newcomer where there is none. */
static void evict_one(struct conns *conns)
{
    if (conns->open_count < conns->config.connections_max)
        return;
    struct conn *conn = TAILQ_FIRST(&conns->ending);
    if (!conn) {
        conn = TAILQ_FIRST(&conns->quiet);
        if (!conn)
            conn = TAILQ_FIRST(&conns->watching);
        if (conn)
            journal_evicted(&conns->journal, conns_now_ms(conns), conn->peer.host);
    }
    if (conn)
        conn_close(conn);
}

/* All places are taken by owners of ports: says so, as far as that can be afforded. */
static void turn_away(struct conns *conns, struct conn *conn)
{
    struct pa_buf *reply = &conns->reply;
    journal_turned_away(&conns->journal, conns_now_ms(conns), conn->peer.host,
                        "there are too many, and all hold ports");
    reply->size = 0;
    if (conns->open_count > conns->config.connections_max + CONNS_TURNED_AWAY_MAX ||
        pa_wire_append_fail(reply, pa_error_text(PA_E_TOO_MANY_CONNECTIONS)) < 0 ||
        conn_send(conn, reply, NULL) < 0)
        conn_close(conn);
    else
        conn_end(conn);
}

void conns_discharge(struct conns *conns, struct conn *conn)
{
    if (conn->charged)
        quota_discharge(&conns->quota, conn->uid, QUOTA_CONNECTIONS, 1);
    conn->charged = false;
}

/* Whether the newcomer's user may have one more connection. One whose user is not known may:
 * the limit on all of them holds for it, too. */
static bool charge(struct conns *conns, struct conn *conn)
{
    if (quota_limit(&conns->quota, QUOTA_CONNECTIONS) == 0 || !conn->peer.local ||
        !identify_uid(conn, &conn->uid))
        return true;
    conn->charged = quota_charge(&conns->quota, conn->uid, QUOTA_CONNECTIONS, 1) == 0;
    return conn->charged;
}

/* The newcomer's user has as many connections as a user may have. */
static void refuse(struct conns *conns, struct conn *conn)
{
    struct pa_buf *reply = &conns->reply;
    struct pa_failure failure;
    char number[32];
    snprintf(number, sizeof number, "uid:%lu", (unsigned long)conn->uid);
    const char *name = names_find(&conns->names, conn->uid, conns_now_ms(conns));
    pa_failure_set(&failure, PA_E_QUOTA, name ? name : number,
                   quota_charged(&conns->quota, conn->uid, QUOTA_CONNECTIONS), "connections");
    journal_turned_away(&conns->journal, conns_now_ms(conns), conn->peer.host, failure.text);
    reply->size = 0;
    if (pa_wire_append_fail(reply, failure.text) < 0 || conn_send(conn, reply, NULL) < 0)
        conn_close(conn);
    else
        conn_end(conn);
}

int conns_accept(struct conns *conns, uv_stream_t *listener)
{
    struct conn *conn;
    evict_one(conns);
    int r = conn_accept(&conn, conns, listener);
    if (r < 0)
        return r;
    if (conns->open_count > conns->config.connections_max) {
        turn_away(conns, conn);
        return 0;
    }
    if (!charge(conns, conn)) {
        refuse(conns, conn);
        return 0;
    }
    journal_accepted(&conns->journal, conn->peer.host);
    conn_start(conn);
    return 0;
}

/* ------------------------------------------------------------ the whole -- */

static int probe(void *context, uint16_t port)
{
    struct conns *conns = context;
    int state = probe_port(&conns->probe, port);
    journal_probed(&conns->journal, conns_now_ms(conns), port, state);
    return state;
}

static int hold(void *context, uint16_t port)
{
    struct conns *conns = context;
    int state = holds_take(&conns->holds, &conns->probe, port);
    journal_probed(&conns->journal, conns_now_ms(conns), port, state);
    return state;
}

static int confirm(void *context, uint16_t port)
{
    struct conns *conns = context;
    return holds_confirm(&conns->diag, port);
}

static void drop(void *context, uint16_t port)
{
    struct conns *conns = context;
    holds_drop(&conns->holds, port);
}

static int listen_beside(void *context, const char *address, uint16_t port, int backlog)
{
    (void)context;
    return hold_listen(address, port, backlog);
}

static void close_descriptor(void *context, int fd)
{
    (void)context;
    close(fd);
}

/* The connection whose session owns the entry. */
static struct conn *conn_of(const struct table_entry *entry)
{
    return (struct conn *)((char *)entry->owner - offsetof(struct conn, session.owner));
}

static void on_released(void *context, const struct table_entry *entry)
{
    struct conns *conns = context;
    struct conn *conn = conn_of(entry);
    journal_released(&conns->journal, entry);
    waiters_expect(&conns->waiters);
    conns->config.changed(conns->config.context);
    /* Its last port may be released by another connection: then it is quiet from now on. */
    if (session_held(&conn->session) == 1 && conn->line == &conns->holding &&
        !conn->session.suspended)
        conn_quieten(conn);
}

static void init_handles(struct conns *conns)
{
    uv_idle_init(conns->loop, &conns->runner);
    uv_timer_init(conns->loop, &conns->ending_timer);
    uv_timer_init(conns->loop, &conns->trim_timer);
    uv_timer_init(conns->loop, &conns->teller_timer);
    uv_prepare_init(conns->loop, &conns->teller);
    conns->runner.data = conns;
    conns->ending_timer.data = conns;
    conns->trim_timer.data = conns;
    conns->teller.data = conns;
    uv_prepare_start(&conns->teller, on_tell);
    /* Nobody is left to be told when the others are gone. */
    uv_unref((uv_handle_t *)&conns->teller);
}

int conns_init(struct conns *conns, uv_loop_t *loop, const struct conns_config *config)
{
    memset(conns, 0, sizeof *conns);
    conns->config = *config;
    conns->loop = loop;
    conns->world = (struct session_world){
        .table = config->table,
        .watchers = &conns->watchers,
        .prober = {.probe = probe, .context = conns},
        .holder = {.probe = config->holds_max > 0 ? hold : NULL,
                   .drop = drop,
                   .confirm = confirm,
                   .context = conns},
        .quota = &conns->quota,
        .rules = config->rules,
        .stats = {.started_ms = uv_now(loop), .pid = (long)getpid()},
        .listen = listen_beside,
        .close = close_descriptor,
        .released = on_released,
        .context = conns,
    };
    conns->diag = (struct pa_sockdiag)PA_SOCKDIAG_NULL;
    /* Whoever needs it first would wait for it; without it he tries again. */
    (void)pa_sockdiag_open(&conns->diag);
    names_init(&conns->names);
    quota_init(&conns->quota, &config->quotas);
    TAILQ_INIT(&conns->identifications);
    waiters_init(&conns->waiters, conns, loop);
    watchers_init(&conns->watchers, config->table,
                  &(struct watchers_io){.unsent = unsent, .send = send_events});
    conns->probe = (struct probe)PROBE_NULL;
    probe_prepare(&conns->probe);
    journal_init(&conns->journal, config->log);
    TAILQ_INIT(&conns->quiet);
    TAILQ_INIT(&conns->watching);
    TAILQ_INIT(&conns->holding);
    TAILQ_INIT(&conns->ending);
    TAILQ_INIT(&conns->runnable);
    init_handles(conns);
    return holds_init(&conns->holds, config->holds_max);
}

static void close_line(struct conn_line *line)
{
    struct conn *conn;
    while ((conn = TAILQ_FIRST(line)))
        conn_close(conn);
}

void conns_stop(struct conns *conns)
{
    close_line(&conns->ending);
    close_line(&conns->quiet);
    close_line(&conns->watching);
    close_line(&conns->holding);
    uv_close((uv_handle_t *)&conns->ending_timer, NULL);
    uv_close((uv_handle_t *)&conns->trim_timer, NULL);
    uv_close((uv_handle_t *)&conns->teller_timer, NULL);
    waiters_stop(&conns->waiters);
}

void conns_close_runner(struct conns *conns)
{
    uv_close((uv_handle_t *)&conns->runner, NULL);
    uv_close((uv_handle_t *)&conns->teller, NULL);
}

void conns_deinit(struct conns *conns)
{
    assert(conns->alive_count == 0);
    probe_deinit(&conns->probe);
    holds_deinit(&conns->holds);
    pa_sockdiag_close(&conns->diag);
    names_deinit(&conns->names);
    quota_deinit(&conns->quota);
    watchers_deinit(&conns->watchers);
    pa_buf_deinit(&conns->reply);
}
