#ifndef WATCHERS_H
#define WATCHERS_H

/*
 * Those who are told of every change of the table, as it happens: the events of
 * WATCH. No descriptor, no clock: the caller says how much waits for a watcher,
 * and sends what is to be sent.
 *
 * A change is recorded as it happens, and told when the answers of the turn are
 * out, by watchers_flush(): each watcher that it concerns gets an event, with a
 * number of its own. One for whom too much waits already gets none of them; it
 * is stale from then on, and when it has taken everything it gets a snapshot
 * instead, which shows all that it fits at the moment when it is sent. A change
 * that there is no memory to record makes those stale whom it concerns. So no
 * watcher ever misses anything, and what waits for one is bounded.
 */

#include "changes.h"
#include "interests.h"
#include "roster.h"
#include "table.h"

#include "pa_buf.h"
#include "pa_wire2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    WATCHERS_MORE = 1,
    WATCHERS_UNSENT_MAX_BYTES = 64 * 1024, /* above that a watcher gets no events */
};

/* One who watches. Embedded in what stands for a connection. */
struct watcher {
    struct interest *interest;       /* NULL: it does not watch */
    TAILQ_ENTRY(watcher) link;       /* among those of the interest */
    TAILQ_ENTRY(watcher) ready_link; /* among those that can be sent a snapshot */
    uint64_t number;                 /* of its latest event */
    uint64_t since;                  /* it knows of all changes up to this one */
    bool stale;                      /* it missed some, and is owed a snapshot */
    bool ready;                      /* ... and may have taken everything else */
};

#define WATCHER_NULL                                                                           \
    {                                                                                          \
        .interest = NULL                                                                       \
    }

/* How watchers are reached. */
struct watchers_io {
    /* How many bytes wait for the watcher. */
    size_t (*unsent)(void *context, struct watcher *watcher);
    /*
     * Sends the text and behind it the snapshot, if there is one; the text may be changed. The
     * watcher may be gone afterwards, and others with it or come.
     */
    void (*send)(void *context, struct watcher *watcher, struct pa_buf *text,
                 struct snapshot *snapshot);
    void *context;
};

/* All lines that an interest fits, rendered once a change. */
struct watchers_lines {
    const struct interest *interest;
    struct snapshot *snapshot; /* a reference, or NULL */
    size_t count;              /* of lines */
};

struct watchers {
    struct table *table;
    struct watchers_io io;
    struct interests interests;
    size_t count;
    uint64_t sequence;        /* of the latest change */
    struct changes recorded;  /* since the batch at hand was begun */
    struct changes batch;     /* the changes at hand */
    size_t matched;           /* so many of them were compared with all interests */
    bool matching;            /* the next one was compared with some */
    struct interest *broad;   /* ... up to this one; NULL: with all */
    struct interest_line due; /* with watchers to be told of the batch */
    struct interest *telling; /* the first of them, when some of its watchers were told */
    struct watcher *next;     /* ... up to this one; NULL: all were */
    struct watcher *current;  /* being told right now, unless it has gone */
    struct watcher_line ready;
    struct watchers_lines all;  /* what is shared: what those see who see everything */
    struct watchers_lines some; /* and the latest of what others see */
    struct pa_buf text;         /* of the event at hand */
};

/* No watchers of `table`. */
void watchers_init(struct watchers *watchers, struct table *table,
                   const struct watchers_io *io);

/* Frees the memory; nobody watches any more. */
void watchers_deinit(struct watchers *watchers);

/*
 * From now on the watcher is told of the allocations whose name and user fit the
 * patterns, as pa_match() has them; NULL: any. If it watched before, that ends.
 * Numbers begin at 1.
 *
 * 0 with *snapshot a reference of the caller's to the lines of all there are now,
 * *count of them. -ENOMEM with nothing changed.
 */
int watchers_watch(struct watchers *watchers, struct watcher *watcher, const char *name,
                   const char *user, struct snapshot **snapshot, size_t *count);

/* The watcher is told nothing more, if it was told anything. */
void watchers_unwatch(struct watchers *watchers, struct watcher *watcher);

/* `entry` was added or changed, or is going to be removed: those are to be told whom it
 * concerns. */
void watchers_record(struct watchers *watchers, enum pa_event_kind kind,
                     const struct table_entry *entry);

/* Nothing waits for the watcher any more. */
void watchers_drained(struct watchers *watchers, struct watcher *watcher);

/*
 * Tells the watchers what there is to tell, as much as one turn may take. 0;
 * WATCHERS_MORE: it is to be called again in the next turn; -ENOMEM: likewise,
 * but a little later.
 */
int watchers_flush(struct watchers *watchers);

#endif
