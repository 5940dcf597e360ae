#ifndef PA_CLIENT_H
#define PA_CLIENT_H

/*
 * The client's half of the conversation, for one connection: a request at a
 * time, bytes in, an answer out. Knows no descriptor and no clock.
 *
 * A connection speaks protocol 1 until HELLO is answered. HELLO goes out in
 * front of the first request that needs protocol 2, in the same packet. A
 * manager that does not know it refuses and ends the connection.
 */

#include "pa_buf.h"
#include "pa_failure.h"
#include "pa_line.h"
#include "pa_listing.h"
#include "pa_wire.h"
#include "pa_wire2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PA_CLIENT_MORE = 1,   /* all bytes taken, the reply goes on */
    PA_CLIENT_FAILED = 2, /* the manager refused, or broke the protocol */
    PA_CLIENT_OLD = 3,    /* it does not know HELLO */
};

/* Bounds on a reply; both far above what a manager of 1000 ports sends. */
enum {
    PA_CLIENT_LINE_BYTES = 64 * 1024,
    PA_CLIENT_TEXT_BYTES = 64 * 1024 * 1024, /* names and users of a listing together */
};

enum pa_client_state {
    PA_CLIENT_IDLE,     /* no request is under way */
    PA_CLIENT_GREETING, /* the answer to HELLO is due, and then the reply */
    PA_CLIENT_STATUS,   /* the first line of the reply is due */
    PA_CLIENT_LINES,    /* lines of the listing are due */
    PA_CLIENT_BROKEN,   /* it is not known any more where replies begin */
};

struct pa_client {
    struct pa_line line;
    enum pa_client_state state;
    enum pa_protocol protocol; /* that the connection speaks */
    enum pa_verb verb;         /* what was asked */
    size_t lines_due; /* of the listing; what the manager said, so never allocated by */

    struct pa_answer hello; /* to HELLO; of use in protocol 2 */

    /* The result of the last request; the caller may take the listing from here. */
    uint16_t port; /* GIMME, ALLOCATE, LISTEN, RELEASE */
    struct pa_listing listing;
    struct pa_answer answer; /* in protocol 2; until the next request */
};

#define PA_CLIENT_INIT                                                                         \
    {                                                                                          \
        .line = PA_LINE_INIT(PA_CLIENT_LINE_BYTES), .protocol = PA_PROTOCOL_1                  \
    }

/* Frees what the client owns, a listing that nobody took included. */
void pa_client_deinit(struct pa_client *client);

/*
 * Appends a request with its line end; of GIMME for application `name` of
 * `user` (UTF-8; of no use for LIST). 0; -ENOMEM; PA_E_EMPTY_NAME or
 * PA_E_CONTROL_CHARACTER for names that no manager may be sent: with a newline
 * in it one request becomes two. On failure *request is as before.
 */
int pa_client_request(struct pa_buf *request, enum pa_verb verb, const char *name,
                      const char *user);

/*
 * Appends a request of protocol 2, of LIST or one that enum pa_verb has behind
 * HELLO, with its line end: for `name` (ALLOCATE and LISTEN) and what *keys says
 * (RELEASE: keys->port). 0; -ENOMEM; or, with *why filled in, what
 * pa_keys_parse(), pa_keys_check_name() and pa_wire_append_attributes() find
 * wrong. On failure *request is as before.
 */
int pa_client_request2(struct pa_buf *request, enum pa_verb verb, const char *name,
                       const struct pa_keys *keys, struct pa_failure *why);

/* Appends HELLO, with its line end. 0, or -ENOMEM with *request as before. */
int pa_client_hello(struct pa_buf *request);

/* Tells the client that a request is being sent. It must be idle. */
void pa_client_begin(struct pa_client *client, enum pa_verb verb);

/*
 * Tells the client that HELLO is being sent and a request behind it; `verb`
 * PA_VERB_HELLO: none. It must be idle.
 */
void pa_client_begin_hello(struct pa_client *client, enum pa_verb verb);

/*
 * Takes received bytes at *cursor up to `end` and advances *cursor behind what
 * it took: to the end of the reply at most.
 *
 * Returns 0 when the reply is complete: what was asked for is there and the
 * client idle again. PA_CLIENT_MORE. PA_CLIENT_FAILED with *why filled in:
 * PA_E_PROTOCOL, the client broken, or a refusal, the client idle again. In
 * protocol 1 a refusal is PA_E_REFUSED with the line as it came, in protocol 2
 * the error that has the manager's code (PA_E_REFUSED: none has) with the
 * manager's text. Refused at HELLO already, for want of room, the client is
 * broken. PA_CLIENT_OLD, the client broken. -ENOMEM, the client broken.
 */
int pa_client_feed(struct pa_client *client, const char **cursor, const char *end,
                   struct pa_failure *why);

/*
 * For what the manager sends unasked, while the client is idle: takes the next
 * line. 0 with it in *line and *size, valid until the next call and while the
 * caller's bytes are; PA_CLIENT_MORE: all bytes are taken; PA_CLIENT_FAILED, the
 * line is too long, with *why filled in and the client broken; -ENOMEM, the
 * client broken.
 */
int pa_client_take_line(struct pa_client *client, const char **cursor, const char *end,
                        const char **line, size_t *size, struct pa_failure *why);

/*
 * Tells an idle client that so many lines follow as in the answer to FIND, for
 * pa_client_feed(). PA_CLIENT_MORE; 0: none, and the listing is complete.
 */
int pa_client_begin_found(struct pa_client *client, size_t lines);

/*
 * Gives up a conversation with PA_E_PROTOCOL for a line that is `what`.
 * PA_CLIENT_FAILED with *why filled in, or -ENOMEM.
 */
int pa_client_break(struct pa_client *client, struct pa_failure *why, const char *what,
                    const char *line, size_t size);

/*
 * Takes bytes that came while nothing was asked. Whether the client is still
 * in step with the manager: only the LF of a reply's CR LF may come late.
 */
bool pa_client_take_idle(struct pa_client *client, const char *bytes, size_t size);

/* Whether a part of the reply has been taken. */
bool pa_client_in_reply(const struct pa_client *client);

#endif
