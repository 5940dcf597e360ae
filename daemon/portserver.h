#ifndef PORTSERVER_H
#define PORTSERVER_H

/*
 * The portserver's protocol, which portpicker speaks: a process number in, a
 * port out, and the port is the process's until it ends.
 */

#include "tenants.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uv.h>

enum {
    PORTSERVER_CALLERS_MAX = 64, /* connections at a time */
    /* For each the connection, and the process while it is looked at. */
    PORTSERVER_DESCRIPTORS_MAX = 2 * PORTSERVER_CALLERS_MAX,
    PORTSERVER_DEADLINE_MS = 2000, /* for a newline; what has come by then is the request */
    PORTSERVER_READ_BYTES = 4096,  /* at a time; of a request PID_LINE_BYTES_MAX count */
};

struct caller;
TAILQ_HEAD(caller_line, caller);

struct conns;

/* Embedded in the server. */
struct portserver {
    struct conns *conns; /* NULL: not started */
    uv_pipe_t listener;
    uv_timer_t timer;            /* for the caller that is silent longest */
    struct caller_line silent;   /* without a whole request, the oldest in front */
    struct caller_line resolved; /* whose process's user is being looked up */
    size_t callers_count;        /* in these two */
    size_t unfreed_count;        /* and those that are being closed */
    bool crowded;                /* somebody waits to be accepted */
    bool stopping;
    struct tenants tenants;
    size_t served; /* requests, since the start */
    size_t refused;
    char bytes[PORTSERVER_READ_BYTES];
};

/*
 * Serves those who connect to `fd`, a listening AF_UNIX socket that is the portserver's from
 * now on, from the table of `conns`. There may be ports for `processes_max` processes. 0 or a
 * negative error of libuv's; stopped it has to be in either case.
 */
int portserver_start(struct portserver *portserver, struct conns *conns, int fd,
                     size_t processes_max);

/* Closes all connections and releases all ports; the loop runs until that is done. One that was
 * not started is legal. */
void portserver_stop(struct portserver *portserver);

/* After the loop has ended. */
void portserver_deinit(struct portserver *portserver);

#endif
