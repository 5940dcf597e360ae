#ifndef PA_WIRE2_H
#define PA_WIRE2_H

/*
 * The replies of protocol 2 as values, and what a client asks there. Requests
 * as the manager reads them are in pa_wire. doc/protocol.man is the contract.
 *
 * What is appended ends with CR LF; each of those functions returns 0, or
 * -ENOMEM with a part of the line appended.
 */

#include "pa_buf.h"
#include "pa_error.h"
#include "pa_keys.h"
#include "pa_listing.h"
#include "pa_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer to ALLOCATE and LISTEN. */
struct pa_granted {
    uint16_t port;    /* the lowest of them */
    uint32_t count;   /* ports in a row */
    bool held;        /* the manager holds the port; to LISTEN: its socket comes along */
    bool joined;      /* another has it already: nothing was allocated */
    const char *name; /* as listed */
    const char *user; /* as recorded */
};

/* The answer to STATS. */
struct pa_stats {
    uint64_t protocol;    /* the highest that the manager speaks */
    uint64_t ports;       /* it manages */
    uint64_t allocated;   /* of them */
    uint64_t held;        /* by the manager, of those */
    uint64_t connections; /* open */
    uint64_t waiting;     /* requests that stand in line */
    uint64_t users;       /* with at least one port */
    uint64_t watchers;    /* connections that are told of changes */
    uint64_t uptime_s;
    uint64_t pid;
    const char *version; /* of the manager */
};

/* ---------------------------------------------------- the manager's side -- */

/* Appends `FAIL CODE text`, the code as the error table has it. */
int pa_wire2_append_fail(struct pa_buf *buf, enum pa_error error, const char *text);

/* Appends `OK 2 {capability ...}`, the answer to HELLO. */
int pa_wire2_append_hello(struct pa_buf *buf, const char *const *capabilities, size_t count);

/* Appends `OK port -name NAME -user USER` and the keys that say more. */
int pa_wire2_append_granted(struct pa_buf *buf, const struct pa_granted *granted);

/*
 * Appends a line of the answer to FIND, `port name user {attributes}`; the
 * list of attributes is canonical. The first line is pa_wire_append_ok()'s.
 */
int pa_wire2_append_found(struct pa_buf *buf, uint16_t port, const char *name, const char *user,
                          const char *attributes);

/* What an event of a watch tells of one port. */
enum pa_event_kind {
    PA_EVENT_ADD,
    PA_EVENT_REMOVE,
    PA_EVENT_CHANGE, /* of its attributes */
};

/*
 * An event, `EVENT number kind port name user {attributes}`, in two pieces, since one change
 * has as many numbers as there are watchers. The first ends with a blank, the second begins
 * with the kind.
 */
int pa_wire2_append_event_number(struct pa_buf *buf, uint64_t number);
int pa_wire2_append_event_change(struct pa_buf *buf, enum pa_event_kind kind, uint16_t port,
                                 const char *name, const char *user, const char *attributes);

/* Appends `EVENT number snapshot count`, which so many lines of the answer to FIND follow. */
int pa_wire2_append_event_snapshot(struct pa_buf *buf, uint64_t number, size_t count);

/* Appends `OK {key value ...}`, the answer to STATS. */
int pa_wire2_append_stats(struct pa_buf *buf, const struct pa_stats *stats);

/* Appends `OK`, the answer to PING. */
int pa_wire2_append_pong(struct pa_buf *buf);

/* ----------------------------------------------------- the client's side -- */

/* Appends `HELLO 2 client`; `client` says who asks, for the manager's log. */
int pa_wire2_append_hello_request(struct pa_buf *buf, const char *client);

/*
 * Appends a request of ALLOCATE, LISTEN (with `name`), RELEASE, CHANGE (of keys->port),
 * FIND, WATCH, UNWATCH, STATS or PING, with the keys that are not as in PA_KEYS_INIT. What is a
 * name and what are attributes is the caller's to check, by pa_keys_check_name()
 * and pa_wire_append_attributes().
 */
int pa_wire2_append_request(struct pa_buf *buf, enum pa_verb verb, const char *name,
                            const struct pa_keys *keys);

/*
 * The first line of an answer as the client reads it. Strings are UTF-8, owned
 * by the answer, and may hold control characters.
 */
struct pa_answer {
    const char *code;          /* of a refusal; "" if the manager gave none */
    const char *text;          /* of a refusal */
    size_t number;             /* RELEASE, CHANGE, GIMME: the port; FIND, WATCH, LIST: lines */
    struct pa_granted granted; /* ALLOCATE, LISTEN */
    struct pa_stats stats;     /* STATS; what the manager did not say is 0 or "" */
    struct pa_words list;      /* HELLO: the capabilities; STATS: keys and values */
    struct pa_words words;     /* of the line */
    char *line;                /* of a refusal that is no list of three */
};

/*
 * Parses the first line of the answer to `verb` (no line end). Keys,
 * capabilities and further words that are not known are passed over.
 *
 * 0 with what belongs to the verb filled in; PA_E_REFUSED with code and text,
 * also in the form of protocol 1; PA_E_PROTOCOL for everything else; -ENOMEM.
 * Whatever it returns, pa_answer_deinit() is due.
 */
int pa_answer_parse(struct pa_answer *answer, enum pa_verb verb, const char *line, size_t size);

/* Frees what the answer owns. */
void pa_answer_deinit(struct pa_answer *answer);

/* Whether the answer to HELLO names that capability. */
bool pa_answer_can(const struct pa_answer *answer, const char *capability);

/*
 * Parses a line of the answer to FIND and adds it to the listing, with its
 * attributes; pa_listing_seal() is due after the last. 0; PA_E_PROTOCOL (not a
 * list of at least four, no port, attributes that are none); -ENOMEM. On
 * failure the listing is as before.
 */
int pa_wire2_parse_found(struct pa_listing *listing, const char *line, size_t size);

#endif
