#ifndef PA_ASK_H
#define PA_ASK_H

/*
 * The inside of pa_call: how a request, written in both protocols, is put to a
 * manager. Which connection takes it, and what becomes of that, is decided here.
 */

#include "pa_call.h"
#include "pa_connection.h"
#include "pa_portfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pa_call {
    char *host;
    int port;             /* 0: ask the port file */
    bool opened;          /* by pa_call_open(): connections are kept though they hold nothing */
    bool hold;            /* pa_call_allocate() asks for that */
    char *connected_host; /* of the last connection made, or NULL */
    int connected_port;   /* likewise, or 0 */
    bool connected_unix;  /* likewise */
    struct pa_connection *in_use; /* takes the requests; NULL: the next call connects */
    struct pa_connection *aside;  /* these hold ports and take no request */
    struct pa_answer hello;       /* what a manager last said to HELLO */
    struct pa_answer stats;       /* to STATS */
};

/* A request in both protocols. */
struct pa_ask {
    enum pa_verb verb;     /* in protocol 2 */
    struct pa_buf line;    /* likewise, behind HELLO; empty: protocol 1 will do everywhere */
    size_t hello;          /* bytes of HELLO */
    enum pa_verb old_verb; /* in protocol 1 */
    struct pa_buf old;     /* likewise; empty: an old manager cannot do it */
    const char *feature;   /* what it is too old for */
    size_t count;          /* ports that may be granted */
    uint32_t wait_ms;      /* that the manager may take before it answers */
};

/* Writes the request in protocol 1: pa_client_request(). 0 or an enum pa_error with *why. */
int pa_ask_write_old(struct pa_ask *ask, enum pa_verb verb, const char *name, const char *user,
                     struct pa_failure *why);

/* Writes it in protocol 2: pa_client_request2(). 0 or an enum pa_error with *why filled in. */
int pa_ask_write(struct pa_ask *ask, enum pa_verb verb, const char *name,
                 const struct pa_keys *keys, struct pa_failure *why);

/*
 * Sends the request on the connection in use, which is replaced once if it is
 * dead, or on a new one, and receives the answer. 0 with the answer in
 * call->in_use; an enum pa_error with *why filled in.
 */
int pa_ask(struct pa_call *call, const struct pa_ask *ask, int timeout_ms,
           struct pa_failure *why);

/* The end of every call: frees the request, and closes what need not be kept. Returns r. */
int pa_ask_finish(struct pa_call *call, struct pa_ask *ask, int r);

/* Frees the request. */
void pa_ask_deinit(struct pa_ask *ask);

/* Whether the connection speaks protocol 2. */
bool pa_ask_is_new(const struct pa_connection *connection);

/*
 * Sees that a connection is in use. 0; PA_E_PORTS_LOST, once, when ports went
 * with connections that are dead; what pa_connection_open() returns.
 */
int pa_ask_open(struct pa_call *call, int timeout_ms, struct pa_failure *why);

/*
 * Looks after the connections before a call: drops the dead, sets aside what
 * is out of step. 0, or PA_E_PORTS_LOST when ports went with the dead. Never blocks.
 */
int pa_ask_look_after(struct pa_call *call, struct pa_failure *why);

/* What pa_ask() and pa_task, which does not block, have in common: the steps in between. */

/* Where the server of the calls to come is now: its port, and its socket, "" for none. */
void pa_ask_place(const struct pa_call *call, struct pa_portfile *place);

/* Takes a new connection into use, where none is. NULL stands for no memory. 0 or
 * PA_E_CLIENT_MEMORY, the connection freed. */
int pa_ask_use(struct pa_call *call, struct pa_connection *connection, struct pa_failure *why);

/* Begins to send the request on the connection in use. 0, PA_E_TOO_OLD or PA_E_CLIENT_MEMORY.
 */
int pa_ask_put(struct pa_call *call, const struct pa_ask *ask, struct pa_failure *why);

/* Keeps what the manager said to HELLO, if that was said. Due when the request is over. */
void pa_ask_heard(struct pa_call *call);

/* Remembers that the manager in use is an old one, and closes the connection, which is broken.
 */
void pa_ask_is_old(struct pa_call *call);

/* The deadline of a call. */
struct pa_deadline pa_ask_deadline(const struct pa_ask *ask, int timeout_ms);

/* A connection of the caller's own: pa_call_connect(). */
int pa_ask_connect(const struct pa_call *call, int timeout_ms, int *fd, struct pa_failure *why);

/* Takes the connection out of use, open if it holds ports. */
void pa_ask_retire(struct pa_call *call);

/* Frees a list of connections. */
void pa_ask_free_all(struct pa_connection *list);

#endif
