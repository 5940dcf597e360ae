/*
 * Those who wait for a port.
 *
 * The happy path: a port is released, the first in line gets it and is
 * answered. What can go wrong: the time of one is over, and its last try
 * refuses it; a port was with a stranger, whose leaving nobody tells of, so
 * that the line is tried every RETRY_MS; or the client is gone, and leaves the
 * line as its connection is closed.
 */

#include "waiters.h"

#include "conn.h"
#include "conns.h"

#include <string.h>

enum {
    TRIES_PER_TURN = 64, /* about a millisecond */
    RETRY_MS = 1000,
    ROWS_PER_PASS = 2, /* in vain; each goes through all ports, a few us for 1,000 of them */
};

void waiters_init(struct waiters *waiters, struct conns *conns, uv_loop_t *loop)
{
    *waiters = (struct waiters){.conns = conns};
    TAILQ_INIT(&waiters->line);
    uv_timer_init(loop, &waiters->timer);
    waiters->timer.data = waiters;
}

void waiters_stop(struct waiters *waiters)
{
    uv_close((uv_handle_t *)&waiters->timer, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    struct waiters *waiters = timer->data;
    waiters_expect(waiters);
    conns_serve_line(waiters->conns);
}

/* Sets the timer for the first whose time is over, and for strangers. */
static void arrange(struct waiters *waiters)
{
    const struct conn *conn;
    uint64_t now_ms = conns_now_ms(waiters->conns);
    uint64_t thorough_at_ms = waiters->thorough_at_ms;
    uint64_t in_ms = thorough_at_ms > now_ms ? thorough_at_ms - now_ms : 0;
    if (uv_is_closing((uv_handle_t *)&waiters->timer))
        return;
    TAILQ_FOREACH(conn, &waiters->line, wait_link)
    {
        uint64_t until_ms = conn->session.until_ms;
        uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        in_ms = left_ms < in_ms ? left_ms : in_ms;
    }
    if (waiters->count > 0)
        uv_timer_start(&waiters->timer, on_timer, in_ms, 0);
    else
        uv_timer_stop(&waiters->timer);
}

/* What is asked for is not there; who asks for as much need not try in this pass. */
static void note_failure(struct waiters *waiters, struct conn *conn)
{
    const struct pa_keys *keys = &conn->session.suspended->keys;
    if (keys->port > 0)
        conn->stranger = true;
    else if (keys->exact)
        waiters->taken = conn;
    else if (keys->count < waiters->failed)
        waiters->failed = keys->count;
    waiters->rows_failed += keys->count > 1;
}

/* Its time was reckoned from the loop's, which stands still while others are served, and whose
 * millisecond had begun already. */
static void wait_in_full(struct conn *conn)
{
    uint64_t before_ms = conns_now_ms(conn->conns);
    uv_update_time(conn->conns->loop);
    conn->session.until_ms += conns_now_ms(conn->conns) - before_ms + 1;
}

void waiters_join(struct conn *conn)
{
    struct waiters *waiters = &conn->conns->waiters;
    if (conn->waiting) {
        note_failure(waiters, conn);
        return;
    }
    conn->waiting = true;
    conn->obstacle = 0;
    conn->stranger = false;
    TAILQ_INSERT_TAIL(&waiters->line, conn, wait_link);
    waiters->count += 1;
    wait_in_full(conn);
    uint64_t left_ms = conn->session.until_ms - conns_now_ms(conn->conns);
    if (waiters->count == 1 || left_ms < uv_timer_get_due_in(&waiters->timer))
        uv_timer_start(&waiters->timer, on_timer, left_ms < RETRY_MS ? left_ms : RETRY_MS, 0);
}

void waiters_leave(struct conn *conn)
{
    struct waiters *waiters = &conn->conns->waiters;
    if (!conn->waiting)
        return;
    if (waiters->next == conn)
        waiters->next = TAILQ_NEXT(conn, wait_link);
    if (waiters->taken == conn)
        waiters->taken = NULL;
    conn->waiting = false;
    TAILQ_REMOVE(&waiters->line, conn, wait_link);
    waiters->count -= 1;
}

void waiters_expect(struct waiters *waiters)
{
    waiters->due = waiters->count > 0;
}

/* A port that the request asks for by number and that is allocated, or 0. */
static uint16_t find_obstacle(const struct table *table, const struct conn *conn)
{
    const struct pa_keys *keys = &conn->session.suspended->keys;
    if (conn->obstacle > 0 && table_at(table, conn->obstacle))
        return conn->obstacle;
    for (uint32_t port = keys->port; port < keys->port + keys->count && port <= UINT16_MAX;
         ++port)
        if (table_at(table, (uint16_t)port))
            return (uint16_t)port;
    return 0;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Do both ask for the same name of the same user? */
static bool ask_for_the_same(const struct conn *a, const struct conn *b)
{
    return is_same(a->session.suspended->name, b->session.suspended->name) &&
           is_same(a->session.suspended->keys.user, b->session.suspended->keys.user) &&
           is_same(a->session.user, b->session.user);
}

/* Whether a try can end otherwise than the last one. */
static bool is_worth_trying(const struct waiters *waiters, struct conn *conn)
{
    const struct pa_keys *keys = &conn->session.suspended->keys;
    if (conn->session.until_ms <= conns_now_ms(waiters->conns))
        return true;
    if (keys->port > 0) {
        conn->obstacle = find_obstacle(waiters->conns->config.table, conn);
        if (conn->obstacle > 0)
            conn->stranger = false;
        return conn->obstacle == 0 && (waiters->thorough || !conn->stranger);
    }
    if (keys->count > 1 && waiters->rows_failed >= ROWS_PER_PASS && !waiters->thorough)
        return false;
    if (keys->exact && waiters->taken && ask_for_the_same(conn, waiters->taken))
        return false;
    return keys->count < waiters->failed;
}

static void begin_pass(struct waiters *waiters)
{
    uint64_t now_ms = conns_now_ms(waiters->conns);
    waiters->due = false;
    waiters->failed = UINT32_MAX;
    waiters->rows_failed = 0;
    waiters->taken = NULL;
    waiters->thorough = now_ms >= waiters->thorough_at_ms;
    if (waiters->thorough)
        waiters->thorough_at_ms = now_ms + RETRY_MS;
    waiters->next = TAILQ_FIRST(&waiters->line);
}

bool waiters_serve(struct waiters *waiters)
{
    if (waiters->serving || (!waiters->due && !waiters->next))
        return false;
    waiters->serving = true;
    for (int tries = TRIES_PER_TURN; tries > 0;) {
        if (!waiters->next) {
            if (!waiters->due)
                break;
            begin_pass(waiters);
        }
        struct conn *conn = waiters->next;
        if (!conn)
            break;
        waiters->next = TAILQ_NEXT(conn, wait_link);
        if (!is_worth_trying(waiters, conn))
            continue;
        conn_resume(conn);
        tries -= 1;
    }
    waiters->serving = false;
    arrange(waiters);
    return waiters->next || waiters->due;
}
