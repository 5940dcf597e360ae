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
    union { /* of the listener's kind */
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    struct conns *conns;
    struct session session;
    TAILQ_ENTRY(conn) link;          /* in the line it stands in */
    TAILQ_ENTRY(conn) run_link;      /* in the runnable line */
    TAILQ_ENTRY(conn) wait_link;     /* among those that wait for a port */
    TAILQ_ENTRY(conn) identify_link; /* among those that wait for the name of their user */
    struct conn_line *line; /* quiet, watching, holding or ending; NULL once it is closing */
    uint64_t ending_until_ms;
    struct pa_buf backlog; /* bytes read and not yet handled; reading has stopped */
    size_t backlog_at;     /* how many of them are done with */
    size_t pending_count;  /* writes that wait in libuv */
    struct identification *identification; /* that name; NULL: it is not waited for */
    bool runnable;
    bool reading;
    bool waiting;      /* for a port */
    uint16_t obstacle; /* one that its request asks for, and that is allocated; or 0 */
    bool stranger;     /* nothing of that is allocated, and the last try was in vain */
    bool charged;      /* to its user's quota of connections */
    bool patient;      /* the kernel lets it read as slowly as it likes, since it watches */
    int timeout_ms;    /* before that, how long bytes could wait for it */
    uid_t uid;         /* when it is charged: that user */
    bool at_end;       /* the client has sent its last byte */
    bool closed;       /* libuv is done with the handle */
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

/* Goes on with the request that waits, if there is one, and with those behind it. */
void conn_resume(struct conn *conn);

/* The connection holds no port, from now on: it stands with those who may have to make room. */
void conn_quieten(struct conn *conn);

/* The descriptor of the connection. */
int conn_descriptor(const struct conn *conn);

/* Does what a runnable connection has left, as much as one turn may take. */
void conn_turn(struct conn *conn);

/*
 * Sends a text and behind it a snapshot, if there is one, in one write; what
 * the kernel does not take waits. The text is empty afterwards. 0 or a negative
 * error, after which the connection can only be closed.
 */
int conn_send(struct conn *conn, struct pa_buf *text, struct snapshot *snapshot);

/*
 * Sends a text with a descriptor, which stays the caller's, when nothing else
 * waits to be sent. The text is empty afterwards. A client that has read so
 * little of what it was sent that this does not fit is not worth waiting for:
 * a negative error.
 */
int conn_send_descriptor(struct conn *conn, struct pa_buf *text, int fd);

/* What waits for the client, and the memory that its waiting takes. */
size_t conn_unsent_bytes(const struct conn *conn);

/* Ends a connection whose last answer was sent: its ports are released, the answer is flushed.
 */
void conn_end(struct conn *conn);

/* Closes a connection at once; its ports are released. Again is harmless. */
void conn_close(struct conn *conn);

#endif
