/*
 * What goes out to a client.
 *
 * The happy path: the kernel takes it all at once. What it does not take is
 * copied, waits in libuv, and is freed in the write callback, which also sets
 * going what had to wait for it.
 */

#include "conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What a write could not send at once. */
struct pending {
    uv_write_t request;
    struct conn *conn;
    struct snapshot *snapshot;
    char text[];
};

size_t conn_unsent_bytes(const struct conn *conn)
{
    return uv_stream_get_write_queue_size(&conn->io.stream) +
           conn->pending_count * sizeof(struct pending);
}

/* Something has been sent: is there work that was waiting for that? */
static bool can_go_on(const struct conn *conn)
{
    if (conn->session.wants == SESSION_WANTS_DRAIN)
        return conn_unsent_bytes(conn) == 0;
    return conn->session.wants == SESSION_WANTS_NOTHING && conn->backlog.size > 0 &&
           conn_unsent_bytes(conn) <= conn->conns->config.unsent_max_bytes / 2;
}

static void on_written(uv_write_t *request, int status)
{
    struct pending *pending = request->data;
    struct conn *conn = pending->conn;
    snapshot_unref(pending->snapshot);
    free(pending);
    conn->pending_count -= 1;
    if (status < 0) {
        conn_close(conn);
        return;
    }
    if (conn_unsent_bytes(conn) == 0)
        watchers_drained(&conn->conns->watchers, &conn->session.watcher);
    if (can_go_on(conn))
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
    int r = uv_write(&pending->request, &conn->io.stream, bufs, count, on_written);
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
    int r = uv_try_write(&conn->io.stream, bufs, count);
    if (r == UV_EAGAIN)
        r = 0;
    if (r >= 0 && (size_t)r < size)
        r = queue(conn, text, snapshot, (size_t)r);
    text->size = 0;
    return r < 0 ? r : 0;
}

int conn_send_descriptor(struct conn *conn, struct pa_buf *text, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = {.bytes = ""};
    struct iovec part = {.iov_base = text->data, .iov_len = text->size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    ssize_t sent = sendmsg(conn_descriptor(conn), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    bool whole = sent == (ssize_t)text->size;
    text->size = 0;
    return whole ? 0 : UV_EPIPE;
}
