#ifndef REQUEST_H
#define REQUEST_H

/*
 * Requests as random clients send them, each with what it means.
 */

#include <stddef.h>

enum {
    REQUEST_LINE_MAX = 120, /* bytes; a longer line is refused */
    REQUEST_TEXT_BYTES = 320,
};

enum request_meaning {
    REQUEST_LIST,
    REQUEST_GIMME,
    REQUEST_EMPTY_NAME,
    REQUEST_CONTROL,
    REQUEST_NO_CHARACTER,
    REQUEST_ILLEGAL, /* `text` is sent back */
    REQUEST_TOO_LONG,
};

struct request {
    enum request_meaning meaning;
    unsigned name; /* GIMME: index of model_names */
    unsigned user;
    size_t size;     /* bytes as sent */
    size_t known_at; /* after so many of them it is answered */
    char text[REQUEST_TEXT_BYTES];
    char bytes[REQUEST_TEXT_BYTES + 2]; /* the text with its line end */
};

/* Makes any request; mostly one of the first `variety` names is asked for. */
void request_write(struct request *request, unsigned variety);

#endif
