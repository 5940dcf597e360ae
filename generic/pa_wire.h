#ifndef PA_WIRE_H
#define PA_WIRE_H

/*
 * The wire: requests of both protocols and replies of protocol 1 as values. The
 * replies of protocol 2 are in pa_wire2.
 *
 * Every line is a Tcl list. Quoting and splitting are libtcl's own, so that
 * what the Tcl clients in the field send and accept is what is meant here.
 * doc/protocol.man is the contract.
 */

#include "pa_buf.h"
#include "pa_failure.h"
#include "pa_keys.h"
#include "pa_listing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pa_protocol {
    PA_PROTOCOL_1 = 1, /* as every connection begins */
    PA_PROTOCOL_2 = 2, /* behind HELLO */
};

enum { PA_WIRE_MAX_NUMBER = 65535 }; /* of a port, and of the lines of a reply to LIST */

/* A request as the manager reads it. Strings are UTF-8 and owned by the request. */
struct pa_request {
    enum pa_verb verb;
    const char *name;    /* GIMME, ALLOCATE, LISTEN: the application */
    const char *user;    /* GIMME */
    struct pa_keys keys; /* of protocol 2; RELEASE, CHANGE: the port */
    char *text;          /* the line as UTF-8; also set when parsing failed */
    size_t text_size;    /* bytes of it, the NUL not counted */
    void *words;         /* libtcl's split words */
    char *joined;        /* a name of several words, or the attributes */
};

#define PA_REQUEST_NULL                                                                        \
    {                                                                                          \
        .verb = PA_VERB_LIST                                                                   \
    }

/*
 * Parses one line of `size` bytes (no line end) on a connection that speaks
 * `protocol`. Invalid UTF-8 is read as Latin-1. In `GIMME a b c` the last word
 * is the user and the words before it are the name: the Tcl client in the field
 * sends names with blanks unquoted. HELLO is a request in both protocols, the
 * others that enum pa_verb names behind GIMME in protocol 2 alone.
 *
 * Returns 0; PA_E_INVALID_REQUEST (not a list, no or an unknown verb, a NUL, a
 * HELLO of no version that is spoken here); PA_E_EMPTY_NAME;
 * PA_E_CONTROL_CHARACTER; PA_E_NOT_A_CHARACTER; in protocol 2 PA_E_WRONG_WORDS,
 * PA_E_UNKNOWN_KEY, PA_E_NO_VALUE, PA_E_KEY_TWICE, PA_E_BAD_VALUE,
 * PA_E_KEYS_CLASH; -ENOMEM. *why is filled in for what is positive, but for
 * PA_E_INVALID_REQUEST: how much of the line is shown is the caller's to say.
 * Whatever it returns, pa_request_deinit() is due.
 */
int pa_request_parse(struct pa_request *request, enum pa_protocol protocol, const char *line,
                     size_t size, struct pa_failure *why);

/* Frees what the request owns and leaves it PA_REQUEST_NULL. */
void pa_request_deinit(struct pa_request *request);

/* The words of a list; they may hold what UTF-8 has not, made by a backslash sequence. */
struct pa_words {
    const char *const *words;
    size_t count;
    void *memory; /* libtcl's */
};

#define PA_WORDS_NULL                                                                          \
    {                                                                                          \
        .words = NULL                                                                          \
    }

/* Splits a list. False if it is none; else pa_words_deinit() is due. */
bool pa_words_split(struct pa_words *words, const char *list);

/*
 * The same with a line of `size` bytes, of which invalid UTF-8 is read as
 * Latin-1. 0; PA_E_INVALID_REQUEST (not a list, a NUL); -ENOMEM.
 */
int pa_words_split_line(struct pa_words *words, const char *line, size_t size);

/* Frees the words and leaves them PA_WORDS_NULL. */
void pa_words_deinit(struct pa_words *words);

/*
 * Appends a list of attributes in the form that Tcl's `list` gives it. 0;
 * PA_E_BAD_VALUE with *why filled in: not a list of an even number of words, a
 * key that is empty or there twice, a control character, half of a surrogate
 * pair, more than PA_KEYS_ATTRIBUTES_BYTES; -ENOMEM. On failure *buf is as
 * before.
 */
int pa_wire_append_attributes(struct pa_buf *buf, const char *list, struct pa_failure *why);

/* Appends a blank and `string` quoted as a list element that is not the first. */
int pa_wire_append_element(struct pa_buf *buf, const char *string);

/* Appends the list of two elements as Tcl's `list` makes it, no line end. 0 or -ENOMEM. */
int pa_wire_append_pair(struct pa_buf *buf, const char *first, const char *second);

/* Appends a line of the LIST reply, `port name user`, with its CR LF. 0 or -ENOMEM. */
int pa_wire_append_port(struct pa_buf *buf, uint16_t port, const char *name, const char *user);

/* Appends `OK number` with its CR LF: a port, or the number of lines to come. 0 or -ENOMEM. */
int pa_wire_append_ok(struct pa_buf *buf, size_t number);

/* Appends `FAIL text` with its CR LF, the text quoted as one element. 0 or -ENOMEM. */
int pa_wire_append_fail(struct pa_buf *buf, const char *text);

/* Appends the request `LIST`, with CR LF. 0 or -ENOMEM. */
int pa_wire_append_list_request(struct pa_buf *buf);

/* Appends the request `GIMME name user`, quoted, with CR LF. 0 or -ENOMEM. */
int pa_wire_append_gimme_request(struct pa_buf *buf, const char *name, const char *user);

/*
 * Parses the first line of a reply, `OK number` or `FAIL anything` (no line
 * end). 0 with *number from 0 to PA_WIRE_MAX_NUMBER; PA_E_REFUSED for FAIL;
 * PA_E_PROTOCOL for everything else.
 */
int pa_wire_parse_reply(const char *line, size_t size, size_t *number);

/*
 * Parses a line of the LIST reply, `port name user` (no line end), and adds it
 * to the listing; pa_listing_seal() is due after the last. Invalid UTF-8 is
 * read as Latin-1. 0; PA_E_PROTOCOL (not a list of three, or no port);
 * -ENOMEM. On failure the listing is as before.
 */
int pa_wire_parse_port(struct pa_listing *listing, const char *line, size_t size);

/*
 * The same for lines of the plainest form, as many of them as stand whole, with
 * LF or CR LF behind them, from *cursor on, `max` at most: nearly all lines are
 * of that form, and this takes half the time. Advances *cursor behind them and
 * stops at the first line of another form. Returns their number, or -ENOMEM
 * with *cursor at the line that did not fit.
 */
long pa_wire_parse_plain(struct pa_listing *listing, const char **cursor, const char *end,
                         size_t max);

#endif
