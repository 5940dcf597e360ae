#ifndef PA_WIRE_H
#define PA_WIRE_H

/*
 * The wire: requests and replies of protocol 1 as values.
 *
 * Every line is a Tcl list. Quoting and splitting are libtcl's own, so that
 * what the Tcl clients in the field send and accept is what is meant here.
 * doc/protocol.man is the contract.
 */

#include "pa_buf.h"
#include "pa_error.h"
#include "pa_listing.h"

#include <stddef.h>
#include <stdint.h>

enum pa_verb {
    PA_VERB_LIST,
    PA_VERB_GIMME,
};

enum { PA_WIRE_MAX_NUMBER = 65535 }; /* of a port, and of the lines of a reply to LIST */

/* A request as the manager reads it. */
struct pa_request {
    enum pa_verb verb;
    const char *name; /* GIMME: the application, UTF-8; owned by the request */
    const char *user; /* GIMME: the user, UTF-8; owned by the request */
    char *text;       /* the line as UTF-8; also set when parsing failed */
    size_t text_size; /* bytes of it, the NUL not counted */
    void *words;      /* libtcl's split words */
    char *joined;     /* a name of several words */
};

#define PA_REQUEST_NULL                                                                        \
    {                                                                                          \
        .verb = PA_VERB_LIST                                                                   \
    }

/*
 * Parses one line of `size` bytes (no line end). Invalid UTF-8 is read as
 * Latin-1. In `GIMME a b c` the last word is the user and the words before it
 * are the name: the Tcl client in the field sends names with blanks unquoted.
 *
 * Returns 0; PA_E_INVALID_REQUEST (not a list, no or an unknown verb, a NUL);
 * PA_E_EMPTY_NAME; PA_E_CONTROL_CHARACTER; -ENOMEM. Whatever it returns,
 * pa_request_deinit() is due.
 */
int pa_request_parse(struct pa_request *request, const char *line, size_t size);

/* Frees what the request owns and leaves it PA_REQUEST_NULL. */
void pa_request_deinit(struct pa_request *request);

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
