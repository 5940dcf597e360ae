#ifndef WAITERS_H
#define WAITERS_H

/*
 * Connections whose request waits for a port, in the order of their asking.
 *
 * When ports were released those in line are tried, from the front, before
 * anybody else is heard. One that still cannot be served is passed over: a row
 * of ports may take long to come together, and others need not wait for that.
 *
 * A try costs as much as a request. So that many in line are in nobody's way,
 * those are not tried whom the release cannot have helped: who asks for ports
 * of which one is allocated, or which a stranger has, since he tells nobody
 * when he leaves and is looked after once in RETRY_MS; who asks for as much as
 * another one did in vain; and who asks for a row, when ROWS_PER_PASS were in
 * vain: he is tried once in RETRY_MS, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct conn;
struct conns;
TAILQ_HEAD(waiters_line, conn);

struct waiters {
    struct conns *conns;
    struct waiters_line line;
    size_t count;
    struct conn *next; /* to be tried in the pass under way; NULL: there is none */
    bool due;          /* another pass is to be made */
    bool serving;
    uint32_t failed;          /* in this pass: so many ports in a row are not there */
    unsigned rows_failed;     /* likewise: so many tries of rows were in vain */
    const struct conn *taken; /* likewise: the exact name that it asks for is not to be had */
    bool thorough;            /* likewise: strangers may have left */
    uint64_t thorough_at_ms;  /* when the next pass of that kind may be */
    uv_timer_t timer;
};

/* An empty line. */
void waiters_init(struct waiters *waiters, struct conns *conns, uv_loop_t *loop);

/* Closes the timer; the line empties as its connections are closed. */
void waiters_stop(struct waiters *waiters);

/* Puts a connection whose request was suspended into the line; one that was tried in vain stays
 * where it is. */
void waiters_join(struct conn *conn);

/* Takes it out, if it is there. */
void waiters_leave(struct conn *conn);

/* Ports were released: the line is to be tried when what is going on now is done. */
void waiters_expect(struct waiters *waiters);

/*
 * Tries those in line as far as that is due. Some are left for the next turn of
 * the loop when it would take long: true.
 */
bool waiters_serve(struct waiters *waiters);

#endif
