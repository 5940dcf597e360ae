#ifndef REQUEST_H
#define REQUEST_H

/*
 * Requests as random clients send them, each with what it means.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_LINE_MAX = 200, /* bytes; a longer line is refused */
    REQUEST_TEXT_BYTES = 400,
};

enum request_meaning {
    REQUEST_LIST,
    REQUEST_GIMME,
    REQUEST_HELLO,
    REQUEST_ALLOCATE,
    REQUEST_LISTEN,
    REQUEST_RELEASE,
    REQUEST_FIND,
    REQUEST_STATS,
    REQUEST_PING,
    REQUEST_WATCH,
    REQUEST_UNWATCH,
    REQUEST_CHANGE,
    REQUEST_FAULT,   /* understood and wrong: `fault` */
    REQUEST_ILLEGAL, /* `text` is sent back */
    REQUEST_TOO_LONG,
};

/* What is wrong with a request. */
struct fault {
    const char *text; /* of the request */
    const char *code;
    const char *why;
    bool for_ports; /* a remote client is told something else */
};

enum request_hold { REQUEST_HOLD_UNSAID, REQUEST_HOLD_NO, REQUEST_HOLD_YES };

struct request {
    enum request_meaning meaning;
    bool protocol2; /* known in protocol 2 alone */
    unsigned name;  /* index of model_names */
    unsigned user;  /* that is claimed, index of model_users */
    bool claims;    /* it is said at all */
    unsigned port;  /* 0: not said */
    unsigned count; /* 0: not said */
    bool exact, unique;
    enum request_hold hold;
    uint32_t wait_ms;
    unsigned attributes;      /* index of model_attributes */
    const char *name_pattern; /* FIND, WATCH; NULL: not said */
    const char *user_pattern;
    const struct fault *fault;
    size_t size;     /* bytes as sent */
    size_t known_at; /* after so many of them it is answered */
    char text[REQUEST_TEXT_BYTES];
    char bytes[REQUEST_TEXT_BYTES + 2]; /* the text with its line end */
};

/*
 * Makes any request; mostly one of the first `variety` names is asked for, and
 * of the ports one from low to high. `speaks2`: mostly one of protocol 2.
 */
void request_write(struct request *request, unsigned variety, unsigned low, unsigned high,
                   bool speaks2);

#endif
