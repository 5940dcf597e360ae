#ifndef PA_RESERVE_H
#define PA_RESERVE_H

/*
 * The conversation with portreserve(1), as values.
 *
 * On its stream socket a client makes one request and gets one reply; then the
 * daemon closes. Both are strings with a NUL behind each:
 *
 *   request  VERB NAME      VERB is release, take or list; list has the empty name
 *   reply    ok             to release
 *            ok N S1 ... SN to take: PORT/PROTOCOL, one a descriptor that comes with
 *                           it; to list: strings a port, see PA_RESERVE_COLUMNS
 *            refused TEXT   TEXT is one line that says why
 *            error TEXT     the request was none, or the system failed
 *
 * On the datagram socket a message is a client's name, and there is no reply:
 * so the first portreserve has it.
 */

#include <stddef.h>

#define PA_RESERVE_SOCKET        "/var/run/portreserve/socket"
#define PA_RESERVE_STREAM_SUFFIX ".stream" /* behind the path of the datagram socket */

enum {
    PA_RESERVE_NAME_MAX = 255,    /* bytes; it is the name of a file */
    PA_RESERVE_REQUEST_MAX = 270, /* bytes */
    PA_RESERVE_COLUMNS = 6,       /* port, protocol, family, client, state, inode of the hold */
};

enum {
    PA_RESERVE_MORE = 1, /* the request goes on */
    PA_RESERVE_BAD,      /* it is none */
};

enum pa_reserve_verb {
    PA_RESERVE_RELEASE,
    PA_RESERVE_TAKE,
    PA_RESERVE_LIST,
};

struct pa_reserve_request {
    enum pa_reserve_verb verb;
    char name[PA_RESERVE_NAME_MAX + 1];
};

enum pa_reserve_kind {
    PA_RESERVE_OK,
    PA_RESERVE_REFUSED,
    PA_RESERVE_ERROR,
};

/* Points into the bytes that it was parsed from. */
struct pa_reserve_reply {
    enum pa_reserve_kind kind;
    const char *text;    /* refused, error: why; else "" */
    size_t told;         /* ok: N, how many sockets or ports; 0 without */
    const char *strings; /* ok: the first of them; the next is behind its NUL */
    size_t count;        /* `told` strings, or PA_RESERVE_COLUMNS times that */
};

/* Whether it can be the name of a client: 1 to 255 bytes without `/`. */
int pa_reserve_is_name(const char *name);

/*
 * Writes a request whose name is one, or empty for PA_RESERVE_LIST, into `bytes`,
 * PA_RESERVE_REQUEST_MAX of them. Returns its size.
 */
size_t pa_reserve_encode_request(enum pa_reserve_verb verb, const char *name, char *bytes);

/* Reads a request from all bytes that came. 0, PA_RESERVE_MORE or PA_RESERVE_BAD. */
int pa_reserve_parse_request(const char *bytes, size_t size,
                             struct pa_reserve_request *request);

/*
 * Reads a datagram: the name, perhaps with a NUL or a newline behind. 0, or
 * PA_RESERVE_BAD: no name.
 */
int pa_reserve_parse_datagram(const char *bytes, size_t size,
                              char name[PA_RESERVE_NAME_MAX + 1]);

/*
 * Reads a whole reply. 0 or PA_RESERVE_BAD: strings are missing or too many, a
 * count is none. The bytes must outlive *reply.
 */
int pa_reserve_parse_reply(const char *bytes, size_t size, struct pa_reserve_reply *reply);

/* The string behind this one. */
const char *pa_reserve_next(const char *string);

#endif
