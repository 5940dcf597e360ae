#ifndef PA_CONNECTION_H
#define PA_CONNECTION_H

/*
 * One connection to a port manager: pa_client over a socket, and the ports that
 * depend on it.
 */

#include "pa_buf.h"
#include "pa_client.h"
#include "pa_dial.h"
#include "pa_failure.h"
#include "pa_socket.h"
#include "pa_unix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pa_connection {
    struct pa_connection *next; /* in a list of its owner's */
    struct pa_client client;
    struct pa_unix_passed passed; /* with the last answer; the caller may take it from here */
    uint16_t *ports;              /* held */
    size_t held;                  /* of them */
    size_t room;                  /* for so many */
    bool is_unix;
    bool old; /* the manager speaks protocol 1 alone */
    bool dead;
    bool said_hello;    /* with the last request */
    const char *unsent; /* of the request under way, whose bytes these are */
    size_t unsent_size;
    struct pa_wait wait; /* behind PA_CONNECTION_WAIT */
    int fd;
    int port;
    char host[];
};

/*
 * Connects to the manager on `host`: by its socket in the file system if
 * `path` is not empty and that can be done, else to TCP port `port`. 0 with the
 * connection in *made, or what pa_socket_connect() returns.
 */
int pa_connection_open(struct pa_connection **made, const char *host, int port,
                       const char *path, const struct pa_deadline *deadline,
                       struct pa_failure *why);

/* The connection that a dial has made, in its place. NULL: no memory. */
struct pa_connection *pa_connection_dialled(struct pa_dial *dial);

/*
 * Closes it by close(2), never by shutdown(2): a forked process may go on with
 * its copy. NULL is legal; returns NULL.
 */
struct pa_connection *pa_connection_free(struct pa_connection *connection);

/* Whether a request may be sent: it is known where its reply will begin. */
bool pa_connection_in_step(const struct pa_connection *connection);

/* Reads what came unasked, and notices the end of the connection. */
void pa_connection_drain(struct pa_connection *connection);

enum {
    PA_CONNECTION_OLD = PA_ERROR_COUNT,      /* the manager does not know HELLO */
    PA_CONNECTION_WAIT = PA_ERROR_COUNT + 1, /* for what connection->wait says */
};

struct pa_connection_request {
    const char *bytes; /* with HELLO in front, if it is said */
    size_t size;
    enum pa_verb verb;
    bool hello;
};

/*
 * Begins to send a request and to receive its reply, into connection->client.
 * Its bytes are to live until pa_connection_step() returns something else than
 * PA_CONNECTION_WAIT. Sends nothing yet.
 */
void pa_connection_begin(struct pa_connection *connection,
                         const struct pa_connection_request *request);

/*
 * Goes on, without blocking and not for long: takes what is there, 64 KiB at
 * most. When the manager has closed already it may have said why: its words are
 * read even if sending failed. 0: the reply is there; PA_CONNECTION_WAIT;
 * PA_CONNECTION_OLD; an enum pa_error with *why filled in.
 */
int pa_connection_step(struct pa_connection *connection, const struct pa_deadline *deadline,
                       struct pa_failure *why);

/* Goes on, blocking, until it is over: what pa_connection_step() returns then. */
int pa_connection_finish(struct pa_connection *connection, const struct pa_deadline *deadline,
                         struct pa_failure *why);

/* Makes room for `count` more ports. 0 or -ENOMEM. */
int pa_connection_reserve(struct pa_connection *connection, size_t count);

/* Notes that `count` ports from `port` on are held; there is room for them. */
void pa_connection_hold(struct pa_connection *connection, uint16_t port, size_t count);

/* Notes that the port is held no more. Whether it was. */
bool pa_connection_drop(struct pa_connection *connection, uint16_t port);

#endif
