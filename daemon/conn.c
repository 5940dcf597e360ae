/*
 * One client's connection.
 *
 * The happy path: it is accepted, sends a request, is answered by one write,
 * and keeps its ports until the client closes; then they are released and it
 * is freed.
 *
 * What can go wrong, and what is done:
 * - The client sends more requests at once than REQUESTS_PER_TURN: the rest is
 *   kept, reading stops, and the others have their turn first.
 * - The client does not read: when unsent_max_bytes wait for it, none of its
 *   further requests is read until half of that has gone. The kernel gives the
 *   connection up when the client's window stays shut (TCP_USER_TIMEOUT).
 * - The client sends what cannot be understood, or its last byte: its ports are
 *   released, the answer is flushed, and what it still sends is read and
 *   thrown away for ENDING_MS, since closing with unread bytes would reset the
 *   connection and take the answer with it.
 * - It held many ports: they are released RELEASES_PER_TURN at a time.
 * - Memory is short: the connection is closed.
 *
 * Its memory holds a handle and is freed in the close callback or, when the
 * ports take longer, right after the last one: see maybe_free().
 */

#include "conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_BYTES = 64 * 1024,  /* one read; a stream's usual piece in libuv */
    REQUESTS_PER_TURN = 64,  /* about a millisecond when each is an allocation */
    RELEASES_PER_TURN = 512, /* likewise */
    SHORT_BYTES = 512,       /* of a listing; a write that waits takes about half of that */
    ENDING_MS = 2000,        /* for the client to take its last answer */
};

/* What a write could not send at once. */
struct pending {
    uv_write_t request;
    struct conn *conn;
    struct snapshot *snapshot;
    char text[];
};

/* One loop, one thread: read callbacks run one after the other and share the buffer. */
static char read_buffer[READ_BYTES];

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

static uv_stream_t *stream_of(struct conn *conn)
{
    return (uv_stream_t *)&conn->tcp;
}

/* What waits for the client, and the memory that its waiting takes. */
static size_t unsent_bytes(const struct conn *conn)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp) +
           conn->pending_count * sizeof(struct pending);
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

static void tell_released(void *context, const struct table_entry *entry)
{
    struct conns *conns = context;
    journal_released(&conns->journal, entry);
}

/*
 * Releases what an ending or closed connection owns: first the bytes it will
 * not be answered for, then its ports, as many as one turn may take. The rest
 * of the ports follows in the next turns.
 */
static void release(struct conn *conn)
{
    struct conns *conns = conn->conns;
    bool any = false;
    pa_buf_deinit(&conn->backlog);
    conns_make_idle(conns, conn);
    conns->world.now_ms = conns_now_ms(conns);
    for (int i = 0; i < RELEASES_PER_TURN && session_held(&conn->session) > 0; ++i)
        any = session_release_one(&conn->session, tell_released, conns);
    if (any)
        conns->config.changed(conns->config.context);
    if (session_held(&conn->session) > 0)
        conns_make_runnable(conns, conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    conn->closed = true;
    maybe_free(conn);
}

void conn_close(struct conn *conn)
{
    if (uv_is_closing((uv_handle_t *)&conn->tcp))
        return;
    conn->conns->open_count -= 1;
    leave_line(conn);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
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
        uv_read_start(stream_of(conn), on_alloc, on_read);
    release(conn);
}

/* -------------------------------------------------------------- writing -- */

static void on_written(uv_write_t *request, int status)
{
    struct pending *pending = request->data;
    struct conn *conn = pending->conn;
    snapshot_unref(pending->snapshot);
    free(pending);
    conn->pending_count -= 1;
    if (status < 0)
        conn_close(conn);
    else if (conn->backlog.size > 0 &&
             unsent_bytes(conn) <= conn->conns->config.unsent_max_bytes / 2)
        conns_make_runnable(conn->conns, conn);
}

/* Queues what is left of text and snapshot after `sent` bytes of the two. */
static int queue(struct conn *conn, const struct pa_buf *text, struct snapshot *snapshot,
                 size_t sent)
{
    size_t text_sent = sent < text->size ? sent : text->size;
    size_t text_left = text->size - text_sent;
    struct pending *pending = malloc(sizeof *pending + text_left);
    if (!pending)
        return UV_ENOMEM;
    if (text_left > 0)
        memcpy(pending->text, text->data + text_sent, text_left);
    pending->request.data = pending;
    pending->conn = conn;
    pending->snapshot = snapshot ? snapshot_ref(snapshot) : NULL;
    uv_buf_t bufs[2] = {uv_buf_init(pending->text, (unsigned)text_left)};
    unsigned count = 1;
    if (snapshot) {
        size_t at = sent - text_sent;
        bufs[count++] = uv_buf_init(snapshot->text + at, (unsigned)(snapshot->size - at));
    }
    int r = uv_write(&pending->request, stream_of(conn), bufs, count, on_written);
    if (r < 0) {
        snapshot_unref(pending->snapshot);
        free(pending);
        return r;
    }
    conn->pending_count += 1;
    return 0;
}

int conn_send(struct conn *conn, struct pa_buf *text, struct snapshot *snapshot)
{
    size_t size = text->size + (snapshot ? snapshot->size : 0);
    if (size == 0)
        return 0;
    uv_buf_t bufs[2];
    unsigned count = 0;
    if (text->size > 0)
        bufs[count++] = uv_buf_init(text->data, (unsigned)text->size);
    if (snapshot)
        bufs[count++] = uv_buf_init(snapshot->text, (unsigned)snapshot->size);
    int r = uv_try_write(stream_of(conn), bufs, count);
    if (r == UV_EAGAIN)
        r = 0;
    if (r >= 0 && (size_t)r < size)
        r = queue(conn, text, snapshot, (size_t)r);
    text->size = 0;
    return r < 0 ? r : 0;
}

/* -------------------------------------------------------------- running -- */

enum outcome {
    OUTCOME_DONE,   /* all bytes handled */
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

static bool is_full(const struct conn *conn)
{
    const struct conns *conns = conn->conns;
    return unsent_bytes(conn) + conns->reply.size >= conns->config.unsent_max_bytes;
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
    int r = session_next(&conn->session, cursor, end, reply, &step);
    if (r == SESSION_IDLE)
        return OUTCOME_DONE;
    if (r < 0)
        return OUTCOME_BROKEN;
    tell_step(conn, &step);
    if (step.snapshot)
        r = answer_with(conn, step.snapshot);
    bool close = step.close;
    session_step_deinit(&step);
    if (r < 0)
        return OUTCOME_BROKEN;
    return close ? OUTCOME_END : OUTCOME_TURN;
}

/* Handles requests until there is none, or it is someone else's turn. */
static enum outcome take_steps(struct conn *conn, const char **cursor, const char *end)
{
    struct conns *conns = conn->conns;
    enum outcome outcome = OUTCOME_TURN;
    conns->world.now_ms = conns_now_ms(conns);
    conns->reply.size = 0;
    for (int i = 0; i < REQUESTS_PER_TURN && outcome == OUTCOME_TURN; ++i) {
        if (is_full(conn) && conn_send(conn, &conns->reply, NULL) < 0)
            return OUTCOME_BROKEN;
        outcome = is_full(conn) ? OUTCOME_FULL : take_step(conn, cursor, end);
    }
    if (outcome != OUTCOME_BROKEN && conn_send(conn, &conns->reply, NULL) < 0)
        outcome = OUTCOME_BROKEN;
    return outcome;
}

/* Keeps what is not handled yet and stops reading; reads on when all is handled. */
static int keep(struct conn *conn, const char *bytes, size_t size)
{
    if (conn->backlog.size > 0) {
        conn->backlog_at = conn->backlog.size - size;
        if (size > 0)
            return 0;
        pa_buf_deinit(&conn->backlog);
        return uv_read_start(stream_of(conn), on_alloc, on_read);
    }
    if (size == 0)
        return 0;
    conn->backlog_at = 0;
    uv_read_stop(stream_of(conn));
    return pa_buf_append(&conn->backlog, bytes, size);
}

static void run(struct conn *conn, const char *bytes, size_t size)
{
    struct conns *conns = conn->conns;
    const char *cursor = bytes;
    const char *end = bytes + size;
    enum outcome outcome = take_steps(conn, &cursor, end);
    if (outcome == OUTCOME_END) {
        conn_end(conn);
        return;
    }
    if (outcome == OUTCOME_BROKEN || keep(conn, cursor, (size_t)(end - cursor)) < 0) {
        conn_close(conn);
        return;
    }
    stand_last(conn, session_held(&conn->session) > 0 ? &conns->holding : &conns->quiet);
    if (conn->backlog.size == 0)
        return;
    if (outcome == OUTCOME_FULL)
        journal_unread(&conns->journal, conns_now_ms(conns), conn->peer.host,
                       unsent_bytes(conn));
    else
        conns_make_runnable(conns, conn);
}

void conn_turn(struct conn *conn)
{
    if (conn->line && !is_ending(conn)) {
        run(conn, conn->backlog.data + conn->backlog_at, conn->backlog.size - conn->backlog_at);
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

static void hear_end(struct conn *conn)
{
    conn->at_end = true;
    int r = is_ending(conn) ? 0 : answer_rest(conn);
    /* Without anything unsent there is no reason to linger. */
    if (r < 0 || unsent_bytes(conn) == 0)
        conn_close(conn);
    else
        conn_end(conn);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    if (size == UV_EOF)
        hear_end(conn);
    else if (size < 0)
        conn_close(conn);
    else if (size > 0 && !is_ending(conn))
        run(conn, buf->base, (size_t)size);
}

void conn_start(struct conn *conn)
{
    if (uv_read_start(stream_of(conn), on_alloc, on_read) < 0)
        conn_close(conn);
}

/* ------------------------------------------------------------ accepting -- */

static int identify(struct conn *conn)
{
    struct sockaddr_storage remote, here;
    int size = sizeof remote;
    int r = uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&remote, &size);
    if (r < 0)
        return r;
    if (!peer_identify(&conn->peer, &remote, NULL))
        return UV_EAFNOSUPPORT;
    if (conn->peer.local)
        return 0;
    size = sizeof here;
    r = uv_tcp_getsockname(&conn->tcp, (struct sockaddr *)&here, &size);
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
    uv_tcp_init(conns->loop, &made->tcp);
    made->tcp.data = made;
    conns->alive_count += 1;
    conns->open_count += 1;
    stand_last(made, &conns->quiet);
    int r = uv_accept(listener, stream_of(made));
    if (r == 0)
        r = identify(made);
    session_init(&made->session, &conns->world, made->peer.host, made->peer.local,
                 conns->config.line_max_bytes);
    if (r < 0) {
        conn_close(made); /* the client has gone already */
        return r;
    }
    *conn = made;
    return 0;
}
