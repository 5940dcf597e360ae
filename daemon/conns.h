#ifndef CONNS_H
#define CONNS_H

/*
 * All the clients' connections: the lines they stand in, and what they share.
 */

#include "holds.h"
#include "identify.h"
#include "journal.h"
#include "names.h"
#include "pa_sockdiag.h"
#include "probe.h"
#include "quota.h"
#include "session.h"
#include "waiters.h"

#include "pa_buf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

enum {
    CONNS_TURNED_AWAY_MAX = 16, /* connections above the maximum that are told so */
};

struct conn;
TAILQ_HEAD(conn_line, conn);

struct conns_config {
    size_t line_max_bytes;
    size_t unsent_max_bytes; /* of one connection; no further request is read beyond it */
    size_t connections_max;
    size_t holds_max; /* ports held in the kernel at a time; 0: none */
    struct session_rules rules;
    struct quota_limits quotas;
    struct table *table;
    struct log *log;
    void (*changed)(void *context); /* told after every allocation and release */
    void *context;
};

/* Embedded in the server. */
struct conns {
    struct conns_config config;
    uv_loop_t *loop;
    struct session_world world;
    struct probe probe;
    struct holds holds;
    struct pa_sockdiag diag;
    struct names names;
    struct quota quota;
    struct identifications identifications;
    struct waiters waiters;
    struct watchers watchers;
    struct journal journal;
    struct conn_line quiet;    /* no port held; the one quiet longest in front */
    struct conn_line watching; /* likewise, but told of changes */
    struct conn_line holding;  /* at least one port held */
    struct conn_line ending;   /* answered for the last time; the oldest in front */
    struct conn_line runnable; /* with work left for the next turn of the loop */
    size_t runnable_count;
    size_t open_count;  /* in one of the first four lines */
    size_t alive_count; /* not yet freed */
    size_t closed_since_trim;
    uv_idle_t runner; /* active while a connection is runnable */
    uv_timer_t ending_timer;
    uv_timer_t trim_timer;
    uv_prepare_t teller;     /* tells the watchers, before the loop sleeps */
    uv_timer_t teller_timer; /* wakes the loop for that, when memory was short */
    struct pa_buf reply;     /* of the request at hand */
};

/* An empty set on `loop`. 0 or -ENOMEM, after which it is empty and to be stopped all the
 * same. */
int conns_init(struct conns *conns, uv_loop_t *loop, const struct conns_config *config);

/*
 * Takes the connection that waits at the listener; when there are too many,
 * one that may go goes first. 0, UV_ENOMEM with the connection still waiting,
 * or another error of libuv's.
 */
int conns_accept(struct conns *conns, uv_stream_t *listener);

/*
 * Ends all connections at once and closes the timers. Their ports are released
 * in the turns that follow; the loop runs until that is done.
 */
void conns_stop(struct conns *conns);

/* Closes the last handles, once the loop has ended; it has to run once more. */
void conns_close_runner(struct conns *conns);

/* Frees the set; the loop has closed every connection and handle. */
void conns_deinit(struct conns *conns);

/* What a connection tells the set: it has work left, it is ending, it was freed. */
void conns_make_runnable(struct conns *conns, struct conn *conn);
void conns_make_idle(struct conns *conns, struct conn *conn);
void conns_expect_end(struct conns *conns, struct conn *conn);
void conns_forget(struct conns *conns);

/* The connection does not count for its user any more. */
void conns_discharge(struct conns *conns, struct conn *conn);

/* Serves those who wait for a port, if ports were released. */
void conns_serve_line(struct conns *conns);

/* The loop's time. */
uint64_t conns_now_ms(const struct conns *conns);

#endif
