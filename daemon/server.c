/*
 * The daemon's event loop.
 *
 * The happy path: the listeners accept clients, which conns.c
 * serves; before the loop sleeps the log lines of its last turns are written;
 * changes of the table reach the usage file through a thread of libuv's pool.
 *
 * What can go wrong, and what is done:
 * - No descriptor is left to accept with: connections_max stays below the limit,
 *   so this is the system's limit. libuv accepts and closes with its spare
 *   descriptor, which sheds the load, silently, and does not spin.
 * - No memory is left to accept with: libuv stops listening until the waiting
 *   connection is taken, so it is tried again every ACCEPT_RETRY_MS.
 * - The usage file cannot be written: the log says so once, and it is tried
 *   again at the next change.
 * - SIGTERM or SIGINT: listener and connections are closed, a write under way is
 *   waited for; the loop ends by itself when its last handle is closed.
 */

#include "server.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LOG_DELAY_MS = 5, /* a line waits no longer for those of the next turns */
    BACKLOG = 4096,   /* the kernel cuts it to net.core.somaxconn */
    ACCEPT_RETRY_MS = 100,
    OWN_DESCRIPTORS = 32, /* the loop's, the log's, the files', a probe's */
};

/* ----------------------------------------------------------- usage file -- */

static void on_usage_due(uv_timer_t *timer);

static void arrange_usage(struct server *server, int64_t in_ms)
{
    if (in_ms >= 0 && !server->stopping)
        uv_timer_start(&server->usage_timer, on_usage_due, (uint64_t)in_ms, 0);
}

static void on_changed(void *context)
{
    struct server *server = context;
    arrange_usage(server, usage_changed(&server->usage, uv_now(&server->loop)));
}

static void do_usage_work(uv_work_t *work)
{
    struct server *server = work->data;
    usage_write(&server->usage);
}

static void end_usage(struct server *server)
{
    const char *news;
    uv_update_time(&server->loop);
    int64_t in_ms = usage_end(&server->usage, uv_now(&server->loop), &news);
    if (news)
        log_write(server->config.log, LOG_LEVEL_WARNING, NULL, "%s", news);
    arrange_usage(server, in_ms);
}

static void after_usage_work(uv_work_t *work, int status)
{
    (void)status; /* never cancelled */
    end_usage(work->data);
}

static void on_usage_due(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (!usage_begin(&server->usage, uv_now(&server->loop))) {
        arrange_usage(server, usage_arrange(&server->usage, uv_now(&server->loop)));
        return;
    }
    server->usage_work.data = server;
    if (uv_queue_work(&server->loop, &server->usage_work, do_usage_work, after_usage_work) <
        0) {
        /* Without a thread the loop writes by itself. */
        usage_write(&server->usage);
        end_usage(server);
    }
}

/* ------------------------------------------------------------ accepting -- */

static void on_accept_timer(uv_timer_t *timer);

static void take_newcomer(struct server *server, uv_stream_t *listener)
{
    int r = conns_accept(&server->conns, listener);
    /* UV_EAGAIN: none waits there any more. */
    if (r < 0 && r != UV_EAGAIN)
        journal_trouble(&server->conns.journal, uv_now(&server->loop), "accept a connection",
                        uv_strerror(r));
    if (r == UV_ENOMEM)
        uv_timer_start(&server->accept_timer, on_accept_timer, ACCEPT_RETRY_MS, 0);
}

static void on_accept_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;
    for (size_t i = 0; i < server->listener.count; ++i)
        take_newcomer(server, (uv_stream_t *)&server->listening[i]);
    if (server->config.socket_fd >= 0)
        take_newcomer(server, (uv_stream_t *)&server->socket);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    if (status == 0)
        take_newcomer(server, listener);
    else
        journal_trouble(&server->conns.journal, uv_now(&server->loop), "accept a connection",
                        uv_strerror(status));
}

size_t server_connections_max(size_t wanted, size_t *holds, size_t *processes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return wanted;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        soft = limit.rlim_max;
    rlim_t own = OWN_DESCRIPTORS + CONNS_TURNED_AWAY_MAX;
    if (*processes > 0)
        own += PORTSERVER_DESCRIPTORS_MAX;
    size_t possible = soft > own ? (size_t)(soft - own) : 1;
    if (*processes > possible / 4)
        *processes = possible / 4;
    possible -= *processes;
    if (*holds > possible / 2)
        *holds = possible / 2;
    possible -= *holds;
    return wanted < possible ? wanted : possible;
}

/* -------------------------------------------------------------- signals -- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    log_write(server->config.log, LOG_LEVEL_INFO, NULL, "Stopping on %s, %zu ports are held",
              number == SIGTERM ? "SIGTERM" : "SIGINT", table_count(server->config.table));
    server_stop(server);
}

static void on_hup_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct server *server = handle->data;
    if (log_reopen(server->config.log) == 0)
        log_write(server->config.log, LOG_LEVEL_INFO, NULL, "The log was opened anew");
}

static void on_usr1_signal(uv_signal_t *handle, int number)
{
    (void)number;
    const struct server *server = handle->data;
    const struct table *table = server->config.table;
    const struct portserver *portserver = &server->portserver;
    struct log *log = server->config.log;
    log_write(log, LOG_LEVEL_INFO, NULL,
              "%zu of %zu ports are allocated, %zu of them held; %zu connections are open, "
              "%zu requests wait for a port",
              table_count(table), table_capacity(table), table_held(table),
              server->conns.open_count, server->conns.waiters.count);
    if (portserver->conns)
        log_write(log, LOG_LEVEL_INFO, NULL,
                  "The portserver has served %zu requests and refused %zu; %zu processes have "
                  "%zu ports",
                  portserver->served, portserver->refused, portserver->tenants.count,
                  portserver->tenants.ports);
}

static void flush_log(struct server *server)
{
    log_flush(server->config.log);
    server->log_flushed_ms = uv_now(&server->loop);
}

static void on_log_due(uv_timer_t *timer)
{
    flush_log(timer->data);
}

/* Tells how many messages were suppressed, once their window is over. */
static void on_journal_due(uv_timer_t *timer)
{
    struct server *server = timer->data;
    journal_close_windows(&server->conns.journal, uv_now(&server->loop));
}

static void watch_journal(struct server *server)
{
    uv_timer_t *timer = &server->journal_timer;
    if (!server->stopping && !uv_is_active((uv_handle_t *)timer) &&
        journal_has_open_window(&server->conns.journal))
        uv_timer_start(timer, on_journal_due, LOG_LIMIT_WINDOW_MS, 0);
}

/*
 * Runs right before the loop sleeps, when all are answered: the next probe's
 * socket is made, and what this turn logged is written in one piece. When turns
 * follow each other faster than LOG_DELAY_MS, several share it.
 */
static void on_prepare(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;
    probe_prepare(&server->conns.probe);
    watch_journal(server);
    if (log_is_flushed(server->config.log))
        return;
    if (uv_now(&server->loop) - server->log_flushed_ms >= LOG_DELAY_MS || server->stopping)
        flush_log(server);
    else if (!uv_is_active((uv_handle_t *)&server->log_timer))
        uv_timer_start(&server->log_timer, on_log_due, LOG_DELAY_MS, 0);
}

/* ---------------------------------------------------------------- start -- */

static int listen_on(struct server *server)
{
    const struct server_config *config = &server->config;
    struct listener *listener = &server->listener;
    int r = listener_open(listener, config->address, config->port, config->keepalive_s);
    if (r < 0)
        return r;
    for (size_t i = 0; i < listener->count; ++i) {
        uv_tcp_t *socket = &server->listening[i];
        uv_tcp_init(&server->loop, socket);
        socket->data = server;
        int opened = uv_tcp_open(socket, listener->fd[i]);
        if (opened < 0)
            close(listener->fd[i]);
        if (r == 0)
            r = opened < 0 ? opened : uv_listen((uv_stream_t *)socket, BACKLOG, on_connection);
    }
    return r;
}

static int listen_on_socket(struct server *server)
{
    if (server->config.socket_fd < 0)
        return 0;
    uv_pipe_init(&server->loop, &server->socket, 0);
    server->socket.data = server;
    int r = uv_pipe_open(&server->socket, server->config.socket_fd);
    if (r < 0)
        close(server->config.socket_fd);
    return r < 0 ? r : uv_listen((uv_stream_t *)&server->socket, BACKLOG, on_connection);
}

static void init_handles(struct server *server)
{
    uv_loop_t *loop = &server->loop;
    uv_signal_init(loop, &server->term_signal);
    uv_signal_init(loop, &server->int_signal);
    uv_signal_init(loop, &server->hup_signal);
    uv_signal_init(loop, &server->usr1_signal);
    uv_prepare_init(loop, &server->log_flusher);
    uv_timer_init(loop, &server->usage_timer);
    uv_timer_init(loop, &server->accept_timer);
    uv_timer_init(loop, &server->log_timer);
    uv_timer_init(loop, &server->journal_timer);
    server->term_signal.data = server;
    server->int_signal.data = server;
    server->hup_signal.data = server;
    server->usr1_signal.data = server;
    server->log_flusher.data = server;
    server->usage_timer.data = server;
    server->accept_timer.data = server;
    server->log_timer.data = server;
    server->journal_timer.data = server;
}

static int start_handles(struct server *server)
{
    int r = listen_on(server);
    int socket = listen_on_socket(server);
    if (r == 0)
        r = socket;
    if (r == 0)
        r = uv_signal_start(&server->term_signal, on_stop_signal, SIGTERM);
    if (r == 0)
        r = uv_signal_start(&server->int_signal, on_stop_signal, SIGINT);
    if (r == 0)
        r = uv_signal_start(&server->hup_signal, on_hup_signal, SIGHUP);
    if (r == 0)
        r = uv_signal_start(&server->usr1_signal, on_usr1_signal, SIGUSR1);
    if (r == 0)
        r = uv_prepare_start(&server->log_flusher, on_prepare);
    /* Flushing is no reason to go on: the loop ends with the last of the others. */
    uv_unref((uv_handle_t *)&server->log_flusher);
    return r;
}

static int listen_as_portserver(struct server *server)
{
    const struct server_config *config = &server->config;
    if (config->portserver_fd < 0)
        return 0;
    return portserver_start(&server->portserver, &server->conns, config->portserver_fd,
                            config->processes_max);
}

int server_start(struct server *server, const struct server_config *config)
{
    memset(server, 0, sizeof *server);
    server->config = *config;
    int r = uv_loop_init(&server->loop);
    if (r < 0)
        return r;
    struct conns_config conns = {
        .line_max_bytes = config->line_max_bytes,
        .unsent_max_bytes = config->unsent_max_bytes,
        .connections_max = config->connections_max,
        .holds_max = config->holds_max,
        .rules = config->rules,
        .quotas = config->quotas,
        .managed = config->managed,
        .table = config->table,
        .log = config->log,
        .changed = on_changed,
        .context = server,
    };
    r = conns_init(&server->conns, &server->loop, &conns);
    usage_init(&server->usage, config->usage_path, config->table);
    init_handles(server);
    int started = start_handles(server);
    if (r == 0)
        r = started;
    int portserver = listen_as_portserver(server);
    if (r == 0)
        r = portserver;
    if (r < 0) {
        server_stop(server);
        server_run(server);
        return r;
    }
    on_changed(server); /* the usage file of a manager that ran before is not ours */
    return 0;
}

/* ----------------------------------------------------------------- stop -- */

void server_stop(struct server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    for (size_t i = 0; i < server->listener.count; ++i)
        close_handle((uv_handle_t *)&server->listening[i]);
    if (server->config.socket_fd >= 0)
        close_handle((uv_handle_t *)&server->socket);
    close_handle((uv_handle_t *)&server->term_signal);
    close_handle((uv_handle_t *)&server->int_signal);
    close_handle((uv_handle_t *)&server->hup_signal);
    close_handle((uv_handle_t *)&server->usr1_signal);
    close_handle((uv_handle_t *)&server->usage_timer);
    close_handle((uv_handle_t *)&server->accept_timer);
    close_handle((uv_handle_t *)&server->log_timer);
    close_handle((uv_handle_t *)&server->journal_timer);
    journal_close_windows(&server->conns.journal, UINT64_MAX);
    portserver_stop(&server->portserver);
    conns_stop(&server->conns);
}

/* The table is empty by now, and so is the usage file that stays. */
static void write_last_usage(struct server *server)
{
    const char *news;
    if (!usage_begin(&server->usage, uv_now(&server->loop)))
        return;
    usage_write(&server->usage);
    usage_end(&server->usage, uv_now(&server->loop), &news);
    if (news)
        log_write(server->config.log, LOG_LEVEL_WARNING, NULL, "%s", news);
}

void server_run(struct server *server)
{
    uv_run(&server->loop, UV_RUN_DEFAULT);
    write_last_usage(server);
    conns_close_runner(&server->conns);
    close_handle((uv_handle_t *)&server->log_flusher);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&server->loop);
    assert(r == 0);
    (void)r;
    usage_deinit(&server->usage);
    portserver_deinit(&server->portserver);
    conns_deinit(&server->conns);
}
