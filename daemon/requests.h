/*
 * requests.h - who asks portreserve for something, and what he is told.
 *
 * Two sockets of AF_UNIX: on the one datagrams arrive that nobody is told the
 * outcome of, as from the first portrelease; on the other a client makes a
 * request and gets a reply (generic/pa_reserve.h). The kernel says who it is.
 */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "keeper.h"
#include "log.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum {
    REQUESTS_CLIENTS_MAX = 64,   /* at a time; the oldest makes room for another one */
    REQUESTS_DEADLINE_MS = 5000, /* from connect to the last byte of the reply */
    REQUESTS_TURN_MAX = 64,      /* datagrams a turn of the loop */
};

/* Something was released or handed over: the caller looks what follows from that. */
typedef void requests_changed(void *context);

struct requests_client;

struct requests {
    uv_loop_t *loop;
    struct keeper *keeper; /* borrowed, as the rest */
    struct log *log;
    requests_changed *changed;
    void *context;
    uv_poll_t datagrams;
    uv_pipe_t listener;
    int datagram_fd;
    char path[108]; /* sun_path's size */
    char stream_path[108];
    struct log_limit refused;
    struct log_limit senseless;
    struct requests_client *oldest;
    struct requests_client *newest;
    size_t clients_count;
    bool open;
};

/*
 * Makes both sockets, at `path` and beside it; a socket that an earlier daemon has
 * left there is taken away. The folder is made if only that is missing.
 *
 * 0; or a negative errno (-EADDRINUSE: another daemon has the path), with the path that it is
 * about in `error` and nothing left open.
 */
int requests_open(struct requests *requests, uv_loop_t *loop, const char *path,
                  struct keeper *keeper, struct log *log, requests_changed *changed,
                  void *context, char *error, size_t error_size);

/* Closes all, removes the sockets. The loop must turn once more. */
void requests_close(struct requests *requests);

#endif
