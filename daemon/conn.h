#ifndef CONN_H
#define CONN_H

/*
 * One client's connection: a libuv stream on one side, a session on the other.
 */

#include "conns.h"
#include "peer.h"
#include "session.h"

#include "pa_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct conn {
    uv_tcp_t tcp;
    struct conns *conns;
    struct session session;
    TAILQ_ENTRY(conn) link;     /* in the line it stands in */
    TAILQ_ENTRY(conn) run_link; /* in the runnable line */
    struct conn_line *line;     /* quiet, holding or ending; NULL once it is closing */
    uint64_t ending_until_ms;
    struct pa_buf backlog; /* bytes read and not yet handled; reading has stopped */
    size_t backlog_at;     /* how many of them are done with */
    size_t pending_count;  /* writes that wait in libuv */
    bool runnable;
    bool at_end; /* the client has sent its last byte */
    bool closed; /* libuv is done with the handle */
    struct peer peer;
};

/*
 * Accepts the connection that waits at the listener, as a quiet one. 0 with
 * *conn owned by the set: it frees itself after conn_close(). UV_ENOMEM with the
 * connection still waiting, or another error of libuv's; *conn is then NULL.
 */
int conn_accept(struct conn **conn, struct conns *conns, uv_stream_t *listener);

/* Reads what the client sends, from now on. Closes the connection if that fails. */
void conn_start(struct conn *conn);

/* Does what a runnable connection has left, as much as one turn may take. */
void conn_turn(struct conn *conn);

/*
 * Sends a text and behind it a snapshot, if there is one, in one write; what
 * the kernel does not take waits. The text is empty afterwards. 0 or a negative
 * error, after which the connection can only be closed.
 */
int conn_send(struct conn *conn, struct pa_buf *text, struct snapshot *snapshot);

/* Ends a connection whose last answer was sent: its ports are released, the answer is flushed.
 */
void conn_end(struct conn *conn);

/* Closes a connection at once; its ports are released. Again is harmless. */
void conn_close(struct conn *conn);

#endif
