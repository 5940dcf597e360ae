#ifndef SERVER_H
#define SERVER_H

/*
 * The daemon's event loop: the listener, the signals, the usage file, and the
 * graceful stop.
 */

#include "conns.h"
#include "listener.h"
#include "log.h"
#include "portserver.h"
#include "table.h"
#include "usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct server_config {
    const char *address; /* IPv4 or IPv6 text; NULL: all addresses of both */
    int port;            /* 0: any that is free */
    unsigned keepalive_s;
    size_t line_max_bytes;
    size_t unsent_max_bytes;
    size_t connections_max;
    size_t holds_max;     /* ports held in the kernel at a time; 0: none */
    int socket_fd;        /* an AF_UNIX listener, the server's from now on; -1: none */
    int portserver_fd;    /* likewise, for the portserver's protocol */
    size_t processes_max; /* that may have ports by it */
    struct session_rules rules;
    struct quota_limits quotas;
    const char *managed;    /* see struct session_stats */
    const char *usage_path; /* NULL: none */
    struct table *table;
    struct log *log;
};

struct server {
    struct server_config config;
    uv_loop_t loop;
    struct listener listener;
    uv_tcp_t listening[LISTENER_SOCKETS]; /* as many of them as listener.count */
    uv_pipe_t socket;                     /* if there is a socket_fd */
    uv_signal_t term_signal;
    uv_signal_t int_signal;
    uv_signal_t hup_signal;
    uv_signal_t usr1_signal;
    uv_prepare_t log_flusher;
    uv_timer_t log_timer;
    uint64_t log_flushed_ms;
    uv_timer_t journal_timer;
    uv_timer_t usage_timer;
    uv_timer_t accept_timer;
    uv_work_t usage_work;
    struct usage usage;
    struct conns conns;
    struct portserver portserver;
    bool stopping;
};

/*
 * Binds and listens. 0 with server->listener.port set; a negative libuv error, after
 * which the server holds nothing.
 */
int server_start(struct server *server, const struct server_config *config);

/*
 * Serves until SIGTERM or SIGINT, then closes every connection, writes the
 * usage file for the last time and frees everything.
 */
void server_run(struct server *server);

/*
 * Begins to stop as a signal does: the listeners are closed, the connections
 * ended; server_run() then comes to its end.
 */
void server_stop(struct server *server);

/*
 * Divides the descriptors that the limit allows: how many connections there may
 * be, at most `wanted`; in *processes, how many processes may have ports by the
 * portserver's protocol, and in *holds, how many ports may be held, each at most the
 * number it has before. Processes get a quarter at most, 0 if there is no such
 * protocol, and holds half of what is left.
 */
size_t server_connections_max(size_t wanted, size_t *holds, size_t *processes);

#endif
