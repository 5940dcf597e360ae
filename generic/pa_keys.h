#ifndef PA_KEYS_H
#define PA_KEYS_H

/*
 * The words of a request of protocol 2: its verb, and `-key value` pairs as a
 * structure. doc/protocol.man is the contract.
 */

#include "pa_failure.h"
#include "pa_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pa_verb {
    PA_VERB_LIST,
    PA_VERB_GIMME,
    PA_VERB_HELLO, /* this one and those below: of protocol 2 */
    PA_VERB_ALLOCATE,
    PA_VERB_LISTEN,
    PA_VERB_RELEASE,
    PA_VERB_FIND,
    PA_VERB_STATS,
    PA_VERB_PING,
    PA_VERB_WATCH,
    PA_VERB_UNWATCH,
    PA_VERB_CHANGE,
    PA_VERB_COUNT,
};

enum pa_hold {
    PA_HOLD_UNSAID, /* as the manager is set */
    PA_HOLD_NO,
    PA_HOLD_YES,
};

enum {
    PA_KEYS_COUNT_MAX = 1000,        /* ports of one request */
    PA_KEYS_WAIT_MAX_MS = 86400000,  /* a day */
    PA_KEYS_ATTRIBUTES_BYTES = 2048, /* of the list as text */
    PA_KEYS_BACKLOG = 128,           /* when LISTEN does not say */
    PA_KEYS_BACKLOG_MAX = 65535,     /* the kernel cuts at net.core.somaxconn */
};

/* What a request says; strings are UTF-8 and belong to who filled them in. */
struct pa_keys {
    uint32_t port;            /* 0: any; RELEASE, CHANGE: the one in question */
    uint32_t count;           /* ports in a row */
    uint32_t unique;          /* 1: be the only one of that name and user */
    uint32_t hold;            /* an enum pa_hold */
    uint32_t exact;           /* 1: the name as it is, without a suffix */
    uint32_t wait_ms;         /* stand in line so long; 0: not at all */
    uint32_t backlog;         /* of LISTEN */
    const char *attributes;   /* a canonical Tcl list of keys and values; "" without */
    const char *user;         /* ALLOCATE and LISTEN; NULL: the one who asks */
    const char *address;      /* LISTEN; NULL: all addresses */
    const char *name_pattern; /* FIND, WATCH; NULL: any name */
    const char *user_pattern; /* FIND, WATCH; NULL: any user */
};

#define PA_KEYS_INIT                                                                           \
    {                                                                                          \
        .count = 1, .backlog = PA_KEYS_BACKLOG, .attributes = ""                               \
    }

/* The verb as a word. The string is static. */
const char *pa_verb_word(enum pa_verb verb);

/* The verb that `word` is, in full and in upper case; PA_VERB_COUNT if it is none. */
enum pa_verb pa_verb_find(const char *word);

/* How many words stand between the verb and the keys: 0 or 1. Of no use for GIMME and LIST. */
size_t pa_verb_words(enum pa_verb verb);

/* Whether that word is a port, not a name. */
bool pa_verb_takes_port(enum pa_verb verb);

/*
 * The request as a usage message shows it, for instance `RELEASE port`. The
 * string is static.
 */
const char *pa_verb_usage(enum pa_verb verb);

/*
 * Reads `-key value` pairs, `count` words, into *keys, which begins as
 * PA_KEYS_INIT and points into the words then; -attributes is not looked into.
 *
 * 0, or with *why filled in: PA_E_UNKNOWN_KEY, PA_E_NO_VALUE, PA_E_KEY_TWICE,
 * PA_E_BAD_VALUE, PA_E_KEYS_CLASH, PA_E_EMPTY_NAME (of a user),
 * PA_E_CONTROL_CHARACTER, PA_E_NOT_A_CHARACTER.
 */
int pa_keys_parse(struct pa_keys *keys, enum pa_verb verb, const char *const *words,
                  size_t count, struct pa_failure *why);

/*
 * Reads a port in decimal, 1 to 65535, the value of `name`. 0 or PA_E_BAD_VALUE
 * with *why filled in.
 */
int pa_keys_parse_port(uint32_t *port, const char *name, const char *word,
                       struct pa_failure *why);

/* One key of a verb and its value, for who writes a request. */
struct pa_key_value {
    const char *name;  /* static */
    const char *value; /* in the keys, or in `digits` */
    char digits[PA_TEXT_DECIMAL_BYTES];
};

/*
 * The keys of a verb that differ from PA_KEYS_INIT, one a call: *place is 0
 * first and is the caller's to keep. False when there is no further one.
 */
bool pa_keys_next(const struct pa_keys *keys, enum pa_verb verb, size_t *place,
                  struct pa_key_value *pair);

/* 0, or PA_E_EMPTY_NAME, PA_E_CONTROL_CHARACTER or PA_E_NOT_A_CHARACTER. */
int pa_keys_check_name(const char *name);

#endif
