#ifndef SESSION_H
#define SESSION_H

/*
 * One client's protocol state: bytes in, one answered request at a time out.
 *
 * A session sees no descriptor, no clock and no libuv type. Its caller feeds
 * it bytes, the time and the means to probe and hold a port, sends what it
 * answers, and writes what happened to the log.
 *
 * A client that watches is told of what other sessions do, too: those record it
 * with the watchers of their world, whose caller sends it (watchers.h).
 *
 * A request may have to wait: for the kernel's word on who the client is, for
 * a free port, or until all that was answered before has been sent. It is then
 * suspended, and the caller resumes it.
 */

#include "pa_buf.h"
#include "pa_line.h"
#include "pa_wire.h"
#include "quota.h"
#include "table.h"
#include "watchers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SESSION_IDLE = 1,      /* the bytes hold no further whole request */
    SESSION_SUSPENDED = 2, /* the request at hand waits for what session->wants says */
};

enum session_wants {
    SESSION_WANTS_NOTHING,
    SESSION_WANTS_OWNER, /* session_prove(), then session_resume() */
    SESSION_WANTS_PORT,  /* session_resume() whenever ports were released, and at until_ms */
    SESSION_WANTS_DRAIN, /* session_resume() when nothing waits for the client any more */
};

/* What a step did. */
enum session_event {
    SESSION_TOLD,      /* what the client wanted to know: nothing has changed */
    SESSION_ALLOCATED, /* `entry`, and the ports above it, `count` of them */
    SESSION_RELEASED,
    SESSION_CHANGED, /* `entry` has other attributes */
    SESSION_REFUSED, /* `request` names what was asked for, `failure` why not */
    SESSION_ILLEGAL, /* `request.text` is no request, or `failure` tells more */
};

struct session_step {
    enum session_event event;
    struct pa_failure failure; /* refused and illegal */
    const struct table_entry *entry;
    uint32_t count;
    const char *user;    /* whose request for ports it is, as far as that is known; or NULL */
    const char *claimed; /* allocated: the user that was claimed, when it is another one */
    struct pa_request request;
    struct snapshot *snapshot; /* to be sent behind the reply; a reference, or NULL */
    int fd;                    /* to be sent with the reply, the caller's to close; or -1 */
    bool close;                /* nothing more is read of this client: end the connection */
};

/* How claims of users are taken, and which ports are held. */
struct session_rules {
    bool trusts;     /* a claim counts */
    bool verifies;   /* one that is false is refused; otherwise it is corrected */
    bool holds_all;  /* also of clients that do not ask for it */
    bool holds_none; /* not even for those that do */
};

/* What STATS tells besides what the table knows. */
struct session_stats {
    size_t connections;
    size_t waiting;
    uint64_t started_ms;
    long pid;
};

/* What sessions need of the world around them; the same for all. */
struct session_world {
    struct table *table;
    struct watchers *watchers;  /* of that table */
    struct table_prober prober; /* looks at a port */
    struct table_prober holder; /* looks and holds; NULLs: nothing can be held */
    struct quota *quota;
    struct session_rules rules;
    struct session_stats stats;
    /* A socket that listens on a held port (hold_listen()): a descriptor or a negative errno.
     */
    int (*listen)(void *context, const char *address, uint16_t port, int backlog);
    void (*close)(void *context, int fd);
    /* Is told before an allocation goes. */
    void (*released)(void *context, const struct table_entry *entry);
    void *context;
    uint64_t now_ms; /* the caller keeps it current */
};

/* Who the client is, as far as is known. */
enum session_proof {
    SESSION_PROOF_NOT_ASKED,
    SESSION_PROOF_GIVEN,
    SESSION_PROOF_NONE, /* the kernel does not tell */
};

struct session {
    struct session_world *world;
    const char *host; /* the peer's address as text, for the reply to a remote GIMME */
    struct pa_line line;
    struct table_owner owner; /* the ports this client holds */
    enum session_proof proof;
    uint32_t uid;     /* when it is proved */
    char *user;       /* its name; owned */
    bool local;       /* the peer is on this host: it may have ports */
    bool unix_domain; /* the connection can carry descriptors */
    bool protocol2;
    bool clear; /* nothing waits for the client; the caller keeps it current */
    enum session_wants wants;
    bool in_line;      /* charged for standing in line */
    uint64_t until_ms; /* in line no longer than this */
    struct watcher watcher;
    struct pa_request *suspended; /* owned; NULL: none */
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
 * What the kernel tells of the client: its user's number and login name
 * (copied), or with `user` NULL nothing. 0 or -ENOMEM.
 */
int session_prove(struct session *session, uint32_t uid, const char *user);

/*
 * Takes the next request from the bytes at *cursor up to `end`, advances
 * *cursor behind it, and answers it: the text is appended to `reply`,
 * step->snapshot follows it. No request is suspended.
 *
 * 0 with *step filled, session_step_deinit() due; SESSION_IDLE when the bytes
 * were all taken and no request is whole; SESSION_SUSPENDED; -ENOMEM when not
 * even a refusal could be made: then the connection can only be ended.
 */
int session_next(struct session *session, const char **cursor, const char *end,
                 struct pa_buf *reply, struct session_step *step);

/* Goes on with the suspended request. Returns as session_next() does, but never SESSION_IDLE.
 */
int session_resume(struct session *session, struct pa_buf *reply, struct session_step *step);

/* Forgets the suspended request, if there is one, and the watch: nobody is there to hear. */
void session_abandon(struct session *session);

/*
 * The client has sent its last byte. An unfinished request is answered as
 * illegal: 0 with *step filled. SESSION_IDLE when there is none. -ENOMEM. A
 * suspended request, and a watch, are abandoned.
 */
int session_end(struct session *session, struct pa_buf *reply, struct session_step *step);

/* Frees what a step owns, but for its descriptor. */
void session_step_deinit(struct session_step *step);

/* Whether the client is told of changes. */
bool session_watches(const struct session *session);

/* How many ports the session holds. */
size_t session_held(const struct session *session);

/* Releases one of the session's ports, the latest first. False when there was none. */
bool session_release_one(struct session *session);

#endif
