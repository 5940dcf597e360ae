#ifndef PA_WATCH_H
#define PA_WATCH_H

/*
 * Who has which port, as it changes: what a client hears behind WATCH, as
 * events. Knows no descriptor and no clock.
 *
 * A manager that knows WATCH sends its events on the connection:
 * pa_watch_request() is sent, pa_watch_begin() told, and what is received goes
 * to pa_watch_feed(). Any other is asked for its list now and then, and
 * pa_watch_compare() finds what has changed since. Either way the first event
 * of a connection is a PA_WATCH_SNAPSHOT, and whoever applies the events to it
 * has what the manager has.
 */

#include "pa_buf.h"
#include "pa_client.h"
#include "pa_failure.h"
#include "pa_listing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PA_WATCH_MORE = 1,   /* no event is left */
    PA_WATCH_FAILED = 2, /* the manager refused, or broke the protocol */
    PA_WATCH_OLD = 3,    /* it does not know WATCH */
};

enum pa_watch_kind {
    PA_WATCH_SNAPSHOT, /* all ports there are; what was known before is void */
    PA_WATCH_ADD,      /* a port that was given to somebody */
    PA_WATCH_REMOVE,   /* a port that is free again, with whose it was */
    PA_WATCH_CHANGE,   /* a port whose attributes are others now */
};

struct pa_watch_event {
    enum pa_watch_kind kind;
    struct pa_listing listing; /* SNAPSHOT: any number of entries; else exactly one */
};

#define PA_WATCH_EVENT_NULL                                                                    \
    {                                                                                          \
        .listing = PA_LISTING_NULL                                                             \
    }

/* Frees the listing of an event and leaves it empty. */
void pa_watch_event_deinit(struct pa_watch_event *event);

/* The kind as a word: snapshot, add, remove or change. The string is static. */
const char *pa_watch_kind_word(enum pa_watch_kind kind);

struct pa_watch {
    struct pa_client client; /* reads the answers to HELLO and WATCH, and every listing */
    uint64_t due;            /* the number of the next event */

    /* Between pa_watch_compare() and the last event of pa_watch_next(). */
    struct pa_listing snapshot; /* in the manager's order */
    struct pa_listing before;   /* what the events so far amount to; by port */
    struct pa_listing now;      /* likewise with those to come */
    size_t before_done;         /* entries that were compared */
    size_t now_done;            /* likewise */
    bool is_known;              /* `before` is a listing, of no entries maybe */
    bool snapshot_due;
    bool is_comparing;
};

#define PA_WATCH_INIT                                                                          \
    {                                                                                          \
        .client = PA_CLIENT_INIT                                                               \
    }

/* Frees what the watch owns, and leaves it as it was at first. */
void pa_watch_deinit(struct pa_watch *watch);

/*
 * Appends HELLO and WATCH, each with its line end, for one packet: to watch the
 * ports whose name and user match the patterns of pa_match() (NULL: any). 0;
 * -ENOMEM; PA_E_CONTROL_CHARACTER or PA_E_NOT_A_CHARACTER with *why filled in.
 * On failure *request is as before.
 */
int pa_watch_request(struct pa_buf *request, const char *name_pattern, const char *user_pattern,
                     struct pa_failure *why);

/* Tells the watch that the request is being sent on a new connection. */
void pa_watch_begin(struct pa_watch *watch);

/*
 * Takes received bytes at *cursor up to `end`, and advances *cursor behind what
 * it took: to the end of an event at most, so it is called until it returns
 * PA_WATCH_MORE.
 *
 * 0 with an event in *event, which is the caller's to deinit; otherwise that
 * stays as it is. PA_WATCH_MORE: all bytes are taken. PA_WATCH_FAILED with *why
 * filled in: PA_E_PROTOCOL, also when the number of an event is not the one
 * that is due, or a refusal as pa_client_feed() tells it. PA_WATCH_OLD.
 * -ENOMEM. After the last three the connection is of no more use, and only
 * pa_watch_begin(), pa_watch_compare() or pa_watch_deinit() may follow.
 */
int pa_watch_feed(struct pa_watch *watch, const char **cursor, const char *end,
                  struct pa_watch_event *event, struct pa_failure *why);

/* Whether the answer to WATCH has come whole: from here on the manager sends events. */
bool pa_watch_is_on(const struct pa_watch *watch);

/*
 * For a manager that does not know WATCH: takes its list, of which only what
 * matches the patterns (NULL: any) is looked at. pa_watch_next() has the events
 * then, all of which must have been taken before the next comparison.
 * pa_watch_begin() makes the watch forget the list before, so that the next
 * event is a snapshot.
 *
 * 0; -ENOMEM, as if it had not been called. *now is empty in any case.
 */
int pa_watch_compare(struct pa_watch *watch, struct pa_listing *now, const char *name_pattern,
                     const char *user_pattern);

/*
 * The next event of a comparison: PA_WATCH_SNAPSHOT the first time; later what
 * is different, by port, where one that belongs to another now is removed and
 * added. 0 with *event, which is the caller's to deinit; PA_WATCH_MORE: that was
 * all; -ENOMEM: it may be called again. Otherwise than with 0 *event stays as it is.
 */
int pa_watch_next(struct pa_watch *watch, struct pa_watch_event *event);

#endif
