#ifndef PA_ERRAND_H
#define PA_ERRAND_H

/*
 * One thing to be asked of a port manager: the request in both protocols, and
 * what comes of it. The same for a call that blocks and for one that does not.
 *
 * An errand is begun by one of the functions below, which write its request. It
 * is put to a manager, by pa_ask() or by a pa_task; if that fails,
 * pa_errand_again() says whether it is to be put once more; if not,
 * pa_errand_take() takes the answer. Whatever they return, pa_errand_deinit()
 * frees what the caller has not taken out of it.
 *
 * The keys of an errand are to live as long as it.
 */

#include "pa_ask.h"

#include <stdbool.h>

struct pa_errand {
    enum pa_verb verb;
    struct pa_ask ask;
    const struct pa_keys *keys; /* the caller's */
    bool may_do_without;        /* a hold */

    /* What came of it; the caller may take it from here. */
    struct pa_listing listing;  /* LIST, FIND */
    struct pa_call_grant grant; /* ALLOCATE, LISTEN; GIMME: its port */
    int fd;                     /* LISTEN: the socket; -1 */
};

/* What pa_call_list() asks. Each of these: 0, or an enum pa_error with *why filled in. */
int pa_errand_list(struct pa_errand *errand, struct pa_failure *why);

/* pa_call_find(). */
int pa_errand_find(struct pa_errand *errand, const struct pa_keys *keys,
                   struct pa_failure *why);

/* pa_call_ping(). */
int pa_errand_ping(struct pa_errand *errand, struct pa_failure *why);

/* pa_call_release(). */
int pa_errand_release(struct pa_errand *errand, uint16_t port, struct pa_failure *why);

/* pa_call_change(). */
int pa_errand_change(struct pa_errand *errand, uint16_t port, const char *attributes,
                     struct pa_failure *why);

/* pa_call_allocate(); `hold`: a port that is held, if the manager can. */
int pa_errand_gimme(struct pa_errand *errand, const char *name, const char *user, bool hold,
                    struct pa_failure *why);

/* pa_call_allocate_keys(). */
int pa_errand_allocate(struct pa_errand *errand, const char *name, const struct pa_keys *keys,
                       struct pa_failure *why);

/* The same for ports that are held, if the manager can; keys->hold is not looked at. */
int pa_errand_allocate_held(struct pa_errand *errand, const char *name,
                            const struct pa_keys *keys, struct pa_failure *why);

/* pa_call_listen(). */
int pa_errand_listen(struct pa_errand *errand, const char *name, const struct pa_keys *keys,
                     struct pa_failure *why);

/*
 * Whether the errand, which failed with r, is to be put once more, in other
 * words, which have been written then.
 */
bool pa_errand_again(struct pa_errand *errand, int r, struct pa_failure *why);

/*
 * The error that it is in the end, when it failed with r and is not to be put once
 * more; 0 stays 0.
 */
int pa_errand_verdict(const struct pa_errand *errand, const struct pa_call *call, int r,
                      struct pa_failure *why);

/*
 * Takes the answer from the connection, which notes the ports that it holds now.
 * 0; PA_E_PROTOCOL; PA_E_NO_SOCKET: the socket of LISTEN did not arrive, the port
 * of the grant stays allocated; PA_E_CLIENT_MEMORY.
 */
int pa_errand_take(struct pa_errand *errand, struct pa_connection *connection,
                   struct pa_failure *why);

/*
 * Puts it to a manager, once more if it is to be, and takes the answer: what all calls
 * of pa_call do. 0 or an enum pa_error with *why filled in.
 */
int pa_call_run(struct pa_call *call, struct pa_errand *errand, int timeout_ms,
                struct pa_failure *why);

/* Frees what is in it. */
void pa_errand_deinit(struct pa_errand *errand);

#endif
