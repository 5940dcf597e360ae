/*
 * One client's connection.
 *
 * The happy path: it is accepted, sends a request, is answered by one write,
 * and keeps its ports until the client closes; then they are released and it
 * is freed.
 *
 * What can go wrong, and what is done:
 * - The client sends more requests at once than REQUESTS_PER_TURN: the rest is
 *   kept, reading stops, and the others have their turn first; likewise when
 *   what it asks for takes longer than TURN_MAX_NS.
 * - The client does not read: when unsent_max_bytes wait for it, none of its
 *   further requests is read until half of that has gone. The kernel gives the
 *   connection up when the client's window stays shut (TCP_USER_TIMEOUT), unless
 *   it watches: then it may take its time.
 * - The client sends what cannot be understood, or its last byte: its ports are
 *   released, the answer is flushed, and what it still sends is read and
 *   thrown away for ENDING_MS, since closing with unread bytes would reset the
 *   connection and take the answer with it.
 * - It held many ports: they are released RELEASES_PER_TURN at a time.
 * - It watches and is slow: what is bounded there is in watchers.h.
 * - Memory is short: the connection is closed.
 *
 * Its memory holds a handle and is freed in the close callback or, when the
 * ports take longer, right after the last one: see maybe_free().
 */

#include "conn.h"

#include "identify.h"
#include "waiters.h"

#include "pa_tcp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,  /* one read; a stream's usual piece in libuv */
    REQUESTS_PER_TURN = 64,  /* about a millisecond when each is an allocation */
    TURN_MAX_NS = 2000000,   /* after that none is begun in the turn, however few there were */
    RELEASES_PER_TURN = 512, /* likewise */
    SHORT_BYTES = 512,       /* of a listing; a write that waits takes about half of that */
    ENDING_MS = 2000,        /* for the client to take its last answer */
};

/* One loop, one thread: read callbacks run one after the other and share the buffer. */
static char read_buffer[READ_BYTES];

static int read_on(struct conn *conn);
static void finish_end(struct conn *conn);
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

static uv_stream_t *stream_of(struct conn *conn)
{
    return &conn->io.stream;
}

static bool is_ending(const struct conn *conn)
{
    return conn->line == &conn->conns->ending;
}

static void leave_line(struct conn *conn)
{
    if (conn->line)
        TAILQ_REMOVE(conn->line, conn, link);
    conn->line = NULL;
}

static void stand_last(struct conn *conn, struct conn_line *line)
{
    leave_line(conn);
    TAILQ_INSERT_TAIL(line, conn, link);
    conn->line = line;
}

void conn_quieten(struct conn *conn)
{
    struct conns *conns = conn->conns;
    stand_last(conn, session_watches(&conn->session) ? &conns->watching : &conns->quiet);
}

/* ------------------------------------------------------ release and close -- */

static void maybe_free(struct conn *conn)
{
    struct conns *conns = conn->conns;
    if (!conn->closed || session_held(&conn->session) > 0)
        return;
    assert(!conn->line && !conn->runnable);
    session_deinit(&conn->session);
    free(conn);
    conns_forget(conns);
}

/*
 * Releases what an ending or closed connection owns: first the bytes it will
 * not be answered for, the request that waits and the watch, then its ports, as many as
 * one turn may take. The rest of the ports follows in the next turns.
 */
static void release(struct conn *conn)
{
    struct conns *conns = conn->conns;
    pa_buf_deinit(&conn->backlog);
    waiters_leave(conn);
    identify_forget(conn);
    session_abandon(&conn->session);
    conns_make_idle(conns, conn);
    conns->world.now_ms = conns_now_ms(conns);
    for (int i = 0; i < RELEASES_PER_TURN && session_release_one(&conn->session); ++i)
        ;
    if (session_held(&conn->session) > 0)
        conns_make_runnable(conns, conn);
    conns_serve_line(conns);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    conn->closed = true;
    maybe_free(conn);
}

void conn_close(struct conn *conn)
{
    if (uv_is_closing(&conn->io.handle))
        return;
    conn->conns->open_count -= 1;
    conns_discharge(conn->conns, conn);
    leave_line(conn);
    uv_close(&conn->io.handle, on_closed);
    release(conn);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct conn *conn = request->data;
    free(request);
    if (status < 0 || conn->at_end)
        conn_close(conn);
}

void conn_end(struct conn *conn)
{
    struct conns *conns = conn->conns;
    if (!conn->line || is_ending(conn))
        return;
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request)
        request->data = conn;
    if (!request || uv_shutdown(request, stream_of(conn), on_shutdown) < 0) {
        free(request);
        conn_close(conn);
        return;
    }
    conn->ending_until_ms = conns_now_ms(conns) + ENDING_MS;
    stand_last(conn, &conns->ending);
    conns_expect_end(conns, conn);
    /* One that was held back is heard again, to the end; others are heard already. */
    if (!conn->at_end)
        read_on(conn);
    release(conn);
}

/* -------------------------------------------------------------- running -- */

enum outcome {
    OUTCOME_DONE,   /* all bytes handled */
    OUTCOME_WAIT,   /* the request at hand waits */
    OUTCOME_TURN,   /* requests are left, and others have their turn first */
    OUTCOME_FULL,   /* requests are left, and the client has to read first */
    OUTCOME_END,    /* no more is read of this client */
    OUTCOME_BROKEN, /* the connection can only be closed */
};

static void tell_step(struct conn *conn, const struct session_step *step)
{
    struct conns *conns = conn->conns;
    journal_step(&conns->journal, conns_now_ms(conns), conn->peer.host, step);
    if (step->event == SESSION_ALLOCATED)
        conns->config.changed(conns->config.context);
}

/* Sees to what a suspended request waits for; that may be there already. */
static enum outcome provide(struct conn *conn)
{
    switch (conn->session.wants) {
    case SESSION_WANTS_OWNER:
        if (identify_client(conn))
            return OUTCOME_TURN;
        return conn->identification ? OUTCOME_WAIT : OUTCOME_BROKEN;
    case SESSION_WANTS_DRAIN:
        if (conn_send(conn, &conn->conns->reply, NULL) < 0)
            return OUTCOME_BROKEN;
        return conn_unsent_bytes(conn) == 0 ? OUTCOME_TURN : OUTCOME_WAIT;
    case SESSION_WANTS_PORT:
        if (conn->at_end) { /* the port would be free again at once */
            conn->session.until_ms = 0;
            return OUTCOME_TURN;
        }
        waiters_join(conn);
        return OUTCOME_WAIT;
    case SESSION_WANTS_NOTHING:
        break;
    }
    assert(false);
    return OUTCOME_BROKEN;
}

static bool is_full(const struct conn *conn)
{
    const struct conns *conns = conn->conns;
    return conn_unsent_bytes(conn) + conns->reply.size >= conns->config.unsent_max_bytes;
}

/*
 * A short listing goes with the other answers of the turn: sent by itself it
 * would cost more memory in waiting than it has bytes.
 */
static int answer_with(struct conn *conn, struct snapshot *snapshot)
{
    struct pa_buf *reply = &conn->conns->reply;
    if (snapshot->size <= SHORT_BYTES)
        return pa_buf_append(reply, snapshot->text, snapshot->size);
    return conn_send(conn, reply, snapshot);
}

static enum outcome take_step(struct conn *conn, const char **cursor, const char *end)
{
    struct pa_buf *reply = &conn->conns->reply;
    struct session_step step;
    conn->session.clear = conn_unsent_bytes(conn) == 0;
    int r = conn->session.suspended ? session_resume(&conn->session, reply, &step)
                                    : session_next(&conn->session, cursor, end, reply, &step);
    if (r == SESSION_IDLE)
        return OUTCOME_DONE;
    if (r == SESSION_SUSPENDED)
        return provide(conn);
    waiters_leave(conn);
    if (r < 0)
        return OUTCOME_BROKEN;
    tell_step(conn, &step);
    if (step.fd >= 0) {
        r = conn_send_descriptor(conn, reply, step.fd);
        close(step.fd);
    }
    if (step.snapshot)
        r = answer_with(conn, step.snapshot);
    bool close = step.close;
    session_step_deinit(&step);
    if (r < 0)
        return OUTCOME_BROKEN;
    return close ? OUTCOME_END : OUTCOME_TURN;
}

/*
 * Handles requests until there is none, or it is someone else's turn: that of
 * those in line, too, as soon as the client has released a port.
 */
static enum outcome take_steps(struct conn *conn, const char **cursor, const char *end)
{
    struct conns *conns = conn->conns;
    enum outcome outcome = OUTCOME_TURN;
    bool due = conns->waiters.due;
    uint64_t until_ns = uv_hrtime() + TURN_MAX_NS;
    conns->world.now_ms = conns_now_ms(conns);
    conns->world.stats.connections = conns->open_count;
    conns->world.stats.waiting = conns->waiters.count;
    conns->reply.size = 0;
    for (int i = 0; i < REQUESTS_PER_TURN && outcome == OUTCOME_TURN; ++i) {
        if ((conns->waiters.due && !due) || (i > 0 && uv_hrtime() > until_ns))
            break;
        if (is_full(conn) && conn_send(conn, &conns->reply, NULL) < 0)
            return OUTCOME_BROKEN;
        /* A request that was begun is finished: what makes room waits for further ones only. */
        outcome = is_full(conn) && !conn->session.suspended ? OUTCOME_FULL
                                                            : take_step(conn, cursor, end);
    }
    if (outcome != OUTCOME_BROKEN && conn_send(conn, &conns->reply, NULL) < 0)
        outcome = OUTCOME_BROKEN;
    return outcome;
}

static int read_on(struct conn *conn)
{
    int r = conn->reading ? 0 : uv_read_start(stream_of(conn), on_alloc, on_read);
    conn->reading = r == 0;
    return r;
}

static void stop_reading(struct conn *conn)
{
    uv_read_stop(stream_of(conn));
    conn->reading = false;
}

/*
 * Keeps what is not handled yet. While there is any, no more is read; but of a
 * client whose request waits a little more is, so that its end is noticed.
 */
static int keep(struct conn *conn, const char *bytes, size_t size)
{
    struct pa_buf *backlog = &conn->backlog;
    int r = 0;
    if (backlog->size > 0) {
        conn->backlog_at = backlog->size - size;
        if (size == 0)
            pa_buf_deinit(backlog);
    } else if (size > 0) {
        conn->backlog_at = 0;
        r = pa_buf_append(backlog, bytes, size);
    }
    bool listens = size == 0 || (conn->session.suspended && size < READ_BYTES);
    if (r < 0 || conn->at_end)
        return r;
    if (listens)
        return read_on(conn);
    stop_reading(conn);
    return 0;
}

/* Bytes of a client whose request waits: they stand behind it. */
static int hoard(struct conn *conn, const char *bytes, size_t size)
{
    if (conn->backlog.size == 0)
        conn->backlog_at = 0;
    int r = pa_buf_append(&conn->backlog, bytes, size);
    if (conn->backlog.size - conn->backlog_at >= READ_BYTES)
        stop_reading(conn);
    return r;
}

/* Who watches is not given up for being slow, not even by the kernel. */
static void suit_patience(struct conn *conn)
{
    bool watches = session_watches(&conn->session);
    if (watches == conn->patient || conn->io.handle.type == UV_NAMED_PIPE)
        return;
    conn->patient = watches;
    conn->timeout_ms =
        pa_tcp_swap_user_timeout(conn_descriptor(conn), watches ? 0 : conn->timeout_ms);
}

/* What becomes of the connection after its requests were handled as far as they can be now. */
static void settle(struct conn *conn, enum outcome outcome, const char *rest, size_t rest_size)
{
    struct conns *conns = conn->conns;
    if (outcome == OUTCOME_END) {
        conn_end(conn);
        return;
    }
    if (outcome == OUTCOME_BROKEN || keep(conn, rest, rest_size) < 0) {
        conn_close(conn);
        return;
    }
    suit_patience(conn);
    bool stays = session_held(&conn->session) > 0 || conn->session.suspended;
    if (stays)
        stand_last(conn, &conns->holding);
    else
        conn_quieten(conn);
    if (outcome == OUTCOME_WAIT)
        return;
    /* What a suspended request waited for may be there when the turn is over. */
    if (conn->backlog.size == 0 && !conn->session.suspended) {
        if (conn->at_end)
            finish_end(conn);
    } else if (outcome == OUTCOME_FULL) {
        journal_unread(&conns->journal, conns_now_ms(conns), conn->peer.host,
                       conn_unsent_bytes(conn));
    } else {
        conns_make_runnable(conns, conn);
    }
}

static void run(struct conn *conn, const char *bytes, size_t size)
{
    const char *cursor = bytes;
    const char *end = bytes + size;
    enum outcome outcome = take_steps(conn, &cursor, end);
    settle(conn, outcome, cursor, (size_t)(end - cursor));
    conns_serve_line(conn->conns);
}

void conn_resume(struct conn *conn)
{
    /* An empty backlog has no data to point into, and backlog_at is of an earlier one. */
    bool any = conn->backlog.size > 0;
    const char *bytes = any ? conn->backlog.data + conn->backlog_at : "";
    if (conn->line && !is_ending(conn))
        run(conn, bytes, any ? conn->backlog.size - conn->backlog_at : 0);
}

void conn_turn(struct conn *conn)
{
    if (conn->line && !is_ending(conn)) {
        conn_resume(conn);
    } else {
        release(conn);
        maybe_free(conn);
    }
}

/* -------------------------------------------------------------- reading -- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(read_buffer, sizeof read_buffer);
}

/* Answers a request that ended without a line end. */
static int answer_rest(struct conn *conn)
{
    struct pa_buf *reply = &conn->conns->reply;
    struct session_step step;
    reply->size = 0;
    int r = session_end(&conn->session, reply, &step);
    if (r != 0)
        return r == SESSION_IDLE ? 0 : r;
    tell_step(conn, &step);
    session_step_deinit(&step);
    return conn_send(conn, reply, NULL);
}

/* All that the client has sent was handled. */
static void finish_end(struct conn *conn)
{
    int r = is_ending(conn) ? 0 : answer_rest(conn);
    /* Without anything unsent there is no reason to linger. */
    if (r < 0 || conn_unsent_bytes(conn) == 0)
        conn_close(conn);
    else
        conn_end(conn);
}

static void hear_end(struct conn *conn)
{
    conn->at_end = true;
    if (!conn->session.suspended) {
        finish_end(conn);
        return;
    }
    /* What was asked for before is answered, but no port is waited for. */
    stop_reading(conn);
    if (conn->session.wants == SESSION_WANTS_PORT)
        conns_make_runnable(conn->conns, conn);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    if (size == UV_EOF)
        hear_end(conn);
    else if (size < 0)
        conn_close(conn);
    else if (size > 0 && conn->session.suspended) {
        if (hoard(conn, buf->base, (size_t)size) < 0)
            conn_close(conn);
    } else if (size > 0 && !is_ending(conn))
        run(conn, buf->base, (size_t)size);
}

void conn_start(struct conn *conn)
{
    if (read_on(conn) < 0)
        conn_close(conn);
}

int conn_descriptor(const struct conn *conn)
{
    uv_os_fd_t fd;
    return uv_fileno(&conn->io.handle, &fd) == 0 ? fd : -1;
}

/* ------------------------------------------------------------ accepting -- */

/* Where the client is. Who it is can be asked for later. */
static int locate(struct conn *conn)
{
    struct sockaddr_storage remote, here;
    int size = sizeof remote;
    if (conn->io.handle.type == UV_NAMED_PIPE) {
        peer_identify_unix(&conn->peer);
        return 0;
    }
    int r = uv_tcp_getpeername(&conn->io.tcp, (struct sockaddr *)&remote, &size);
    if (r < 0)
        return r;
    if (!peer_identify(&conn->peer, &remote, NULL))
        return UV_EAFNOSUPPORT;
    if (conn->peer.local)
        return 0;
    size = sizeof here;
    r = uv_tcp_getsockname(&conn->io.tcp, (struct sockaddr *)&here, &size);
    if (r < 0)
        return r;
    return peer_identify(&conn->peer, &remote, &here) ? 0 : UV_EAFNOSUPPORT;
}

int conn_accept(struct conn **conn, struct conns *conns, uv_stream_t *listener)
{
    *conn = NULL;
    struct conn *made = calloc(1, sizeof *made);
    if (!made)
        return UV_ENOMEM;
    made->conns = conns;
    if (listener->type == UV_NAMED_PIPE)
        uv_pipe_init(conns->loop, &made->io.pipe, 0);
    else
        uv_tcp_init(conns->loop, &made->io.tcp);
    made->io.handle.data = made;
    conns->alive_count += 1;
    conns->open_count += 1;
    stand_last(made, &conns->quiet);
    int r = uv_accept(listener, stream_of(made));
    if (r == 0)
        r = locate(made);
    session_init(&made->session, &conns->world, made->peer.host, made->peer.local,
                 conns->config.line_max_bytes);
    made->session.unix_domain = listener->type == UV_NAMED_PIPE;
    if (r < 0) {
        conn_close(made); /* the client has gone already */
        return r;
    }
    *conn = made;
    return 0;
}
