#ifndef SESSION_H
#define SESSION_H

/*
 * One client's protocol state: bytes in, one answered request at a time out.
 *
 * A session sees no descriptor, no clock and no libuv type. Its caller feeds
 * it bytes, the time and the means to probe a port, sends what it answers,
 * and writes what happened to the log.
 */

#include "pa_buf.h"
#include "pa_line.h"
#include "pa_wire.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SESSION_IDLE = 1, /* the bytes hold no further whole request */
};

/* What a step did. */
enum session_event {
    SESSION_LISTED,
    SESSION_ALLOCATED, /* `entry` */
    SESSION_REFUSED,   /* `request` names what was asked for, `error` why not */
    SESSION_ILLEGAL,   /* `request.text` is no request, or `error` tells more */
};

struct session_step {
    enum session_event event;
    enum pa_error error;
    const struct table_entry *entry;
    struct pa_request request;
    struct snapshot *snapshot; /* to be sent behind the reply; a reference, or NULL */
    bool close;                /* nothing more is read of this client: end the connection */
};

/* What sessions need of the world around them; the same for all. */
struct session_world {
    struct table *table;
    struct table_prober prober;
    uint64_t now_ms; /* the caller keeps it current */
};

struct session {
    struct session_world *world;
    const char *host; /* the peer's address as text, for the reply to a remote GIMME */
    struct pa_line line;
    struct table_owner owner; /* the ports this client holds */
    bool local;               /* the peer is on this host: it may have ports */
};

/*
 * A new session. `world` and `host` outlive it; `line_max_bytes` bounds a
 * request.
 */
void session_init(struct session *session, struct session_world *world, const char *host,
                  bool local, size_t line_max_bytes);

/* Frees the session; the caller has released all its ports (session_release_one()). */
void session_deinit(struct session *session);

/*
 * Takes the next request from the bytes at *cursor up to `end`, advances
 * *cursor behind it, and answers it: the text is appended to `reply`,
 * step->snapshot follows it.
 *
 * 0 with *step filled, session_step_deinit() due; SESSION_IDLE when the bytes
 * were all taken and no request is whole; -ENOMEM when not even a refusal could
 * be made: then the connection can only be ended.
 */
int session_next(struct session *session, const char **cursor, const char *end,
                 struct pa_buf *reply, struct session_step *step);

/*
 * The client has sent its last byte. An unfinished request is answered as
 * illegal: 0 with *step filled. SESSION_IDLE when there is none. -ENOMEM.
 */
int session_end(struct session *session, struct pa_buf *reply, struct session_step *step);

/* Frees what a step owns. */
void session_step_deinit(struct session_step *step);

/* How many ports the session holds. */
size_t session_held(const struct session *session);

/*
 * Releases one of the session's ports, the latest first. `released` is told
 * before the entry goes. False when there was none.
 */
bool session_release_one(struct session *session,
                         void (*released)(void *context, const struct table_entry *entry),
                         void *context);

#endif
