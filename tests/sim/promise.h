#ifndef PROMISE_H
#define PROMISE_H

/*
 * What a client is answered to a request, written from the rules of both
 * protocols. Making the promise changes the model as the answer says.
 */

#include "request.h"
#include "session.h"

#include <tcl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROMISE_PARTIES = 24 };

#define PROMISE_HOST "192.0.2.7"

/* A client as the rules see it. */
struct party {
    bool here;
    bool local;
    bool unix_domain;
    bool clear; /* nothing waits for it */
    bool protocol2;
    bool known;    /* its user is proved, or it is known that nobody proves it */
    unsigned user; /* that the kernel names, or MODEL_NOBODY */
    bool in_line;
    uint64_t until_ms; /* in line no longer than this */
    bool watches;
};

extern struct party parties[PROMISE_PARTIES];

/* How the manager is set; 0 of a quota: no limit. The caller changes it between rounds. */
struct setting {
    struct session_rules rules;
    struct quota_limits quotas;
    struct session_stats stats;
    bool listen_fails;
};

extern struct setting setting;

struct promise {
    enum session_wants wants; /* not SESSION_WANTS_NOTHING: the request waits for that */
    enum session_event event;
    bool close;
    bool is_claimed_falsely;
    unsigned port; /* allocated */
    unsigned count;
    Tcl_DString text; /* the answer, whole; of LIST nothing */
};

/* Makes the promise; promise_free() is due. */
void promise_make(struct promise *promise, unsigned client, const struct request *request);
void promise_free(struct promise *promise);

/* How many requests of a user stand in line. */
size_t promise_waiting(unsigned user);

#endif
