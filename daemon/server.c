/*
 * The daemon's event loop.
 *
 * The happy path: one dual-stack listener accepts clients, which conns.c
 * serves; before the loop sleeps the log lines of its last turns are written;
 * changes of the table reach the usage file through a thread of libuv's pool.
 *
 * What can go wrong, and what is done:
 * - No descriptor is left to accept with: connections_max stays below the limit,
 *   so this is the system's limit. libuv accepts and closes with its spare
 *   descriptor, which sheds the load and does not spin; the log says so.
 * - No memory is left to accept with: libuv stops listening until the waiting
 *   connection is taken, so it is tried again every ACCEPT_RETRY_MS.
 * - The usage file cannot be written: the log says so once, and it is tried
 *   again at the next change.
 * - SIGTERM or SIGINT: listener and connections are closed, a write under way is
 *   waited for; the loop ends by itself when its last handle is closed.
 */

#include "server.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    LOG_DELAY_MS = 2, /* a line waits no longer for those of the next turns */
    BACKLOG = 4096,   /* the kernel cuts it to net.core.somaxconn */
    ACCEPT_RETRY_MS = 100,
    OWN_DESCRIPTORS = 32, /* the loop's, the log's, the files', a probe's */
    KEEPALIVE_PROBES = 4, /* this many unanswered, a quarter of the time apart */
};

static void stop(struct server *server);

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
    if (!usage_begin(&server->usage, uv_now(&server->loop)))
        return;
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

static void take_newcomer(struct server *server)
{
    int r = conns_accept(&server->conns, (uv_stream_t *)&server->listener);
    if (r < 0)
        journal_trouble(&server->conns.journal, uv_now(&server->loop), "accept a connection",
                        uv_strerror(r));
    if (r == UV_ENOMEM)
        uv_timer_start(&server->accept_timer, on_accept_timer, ACCEPT_RETRY_MS, 0);
}

static void on_accept_timer(uv_timer_t *timer)
{
    take_newcomer(timer->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    if (status == 0)
        take_newcomer(server);
    else
        journal_trouble(&server->conns.journal, uv_now(&server->loop), "accept a connection",
                        uv_strerror(status));
}

size_t server_connections_max(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return wanted;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        soft = limit.rlim_max;
    rlim_t own = OWN_DESCRIPTORS + CONNS_TURNED_AWAY_MAX;
    size_t possible = soft > own ? (size_t)(soft - own) : 1;
    return wanted < possible ? wanted : possible;
}

/* -------------------------------------------------------------- signals -- */

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    log_write(server->config.log, LOG_LEVEL_INFO, NULL, "Stopping on %s, %zu ports are held",
              number == SIGTERM ? "SIGTERM" : "SIGINT", table_count(server->config.table));
    stop(server);
}

static void on_hup_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct server *server = handle->data;
    if (log_reopen(server->config.log) == 0)
        log_write(server->config.log, LOG_LEVEL_INFO, NULL, "The log was opened anew");
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

/*
 * Runs right before the loop sleeps: what this turn logged is written in one
 * piece. When turns follow each other faster than LOG_DELAY_MS, several share it.
 */
static void on_prepare(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;
    if (log_is_flushed(server->config.log))
        return;
    if (uv_now(&server->loop) - server->log_flushed_ms >= LOG_DELAY_MS || server->stopping)
        flush_log(server);
    else if (!uv_is_active((uv_handle_t *)&server->log_timer))
        uv_timer_start(&server->log_timer, on_log_due, LOG_DELAY_MS, 0);
}

/* ---------------------------------------------------------------- start -- */

/*
 * What a connection inherits from the listener on Linux: small answers leave at
 * once, and a peer that is gone without a word is found out in keepalive_s
 * instead of the kernel's two hours.
 */
static int set_tcp_options(int fd, unsigned keepalive_s)
{
    int on = 1;
    int idle_s = (int)keepalive_s;
    int interval_s = idle_s / KEEPALIVE_PROBES > 0 ? idle_s / KEEPALIVE_PROBES : 1;
    int probes = KEEPALIVE_PROBES;
    unsigned timeout_ms = keepalive_s * 1000;
    const struct {
        int level;
        int name;
        const void *value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, &on},      {SOL_SOCKET, SO_KEEPALIVE, &on},
        {IPPROTO_TCP, TCP_KEEPIDLE, &idle_s}, {IPPROTO_TCP, TCP_KEEPINTVL, &interval_s},
        {IPPROTO_TCP, TCP_KEEPCNT, &probes},  {IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; ++i)
        if (setsockopt(fd, options[i].level, options[i].name, options[i].value, sizeof(int)) <
            0)
            return uv_translate_sys_error(errno);
    return 0;
}

static int bind_address(struct server *server, const char *address)
{
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    int port = server->config.port;
    if (uv_ip4_addr(address, port, &ipv4) == 0)
        return uv_tcp_bind(&server->listener, (const struct sockaddr *)&ipv4, 0);
    int r = uv_ip6_addr(address, port, &ipv6);
    if (r == 0)
        r = uv_tcp_bind(&server->listener, (const struct sockaddr *)&ipv6, 0);
    return r;
}

/* All addresses means one IPv6 socket that takes IPv4 too; IPv4 alone where there is no IPv6.
 */
static int bind_listener(struct server *server)
{
    if (server->config.address)
        return bind_address(server, server->config.address);
    int r = bind_address(server, "::");
    if (r == UV_EAFNOSUPPORT || r == UV_EADDRNOTAVAIL)
        r = bind_address(server, "0.0.0.0");
    return r;
}

static int listen_on(struct server *server)
{
    uv_os_fd_t fd;
    struct sockaddr_storage name;
    int size = sizeof name;
    int r = bind_listener(server);
    if (r == 0)
        r = uv_fileno((uv_handle_t *)&server->listener, &fd);
    if (r == 0)
        r = set_tcp_options(fd, server->config.keepalive_s);
    if (r == 0)
        r = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (r == 0)
        r = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&name, &size);
    if (r == 0)
        server->port =
            ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                             : ((struct sockaddr_in *)&name)->sin_port);
    return r;
}

static void init_handles(struct server *server)
{
    uv_loop_t *loop = &server->loop;
    uv_tcp_init(loop, &server->listener);
    uv_signal_init(loop, &server->term_signal);
    uv_signal_init(loop, &server->int_signal);
    uv_signal_init(loop, &server->hup_signal);
    uv_prepare_init(loop, &server->log_flusher);
    uv_timer_init(loop, &server->usage_timer);
    uv_timer_init(loop, &server->accept_timer);
    uv_timer_init(loop, &server->log_timer);
    server->listener.data = server;
    server->term_signal.data = server;
    server->int_signal.data = server;
    server->hup_signal.data = server;
    server->log_flusher.data = server;
    server->usage_timer.data = server;
    server->accept_timer.data = server;
    server->log_timer.data = server;
}

static int start_handles(struct server *server)
{
    int r = listen_on(server);
    if (r == 0)
        r = uv_signal_start(&server->term_signal, on_stop_signal, SIGTERM);
    if (r == 0)
        r = uv_signal_start(&server->int_signal, on_stop_signal, SIGINT);
    if (r == 0)
        r = uv_signal_start(&server->hup_signal, on_hup_signal, SIGHUP);
    if (r == 0)
        r = uv_prepare_start(&server->log_flusher, on_prepare);
    /* Flushing is no reason to go on: the loop ends with the last of the others. */
    uv_unref((uv_handle_t *)&server->log_flusher);
    return r;
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
        .table = config->table,
        .log = config->log,
        .changed = on_changed,
        .context = server,
    };
    conns_init(&server->conns, &server->loop, &conns);
    usage_init(&server->usage, config->usage_path, config->table);
    init_handles(server);
    r = start_handles(server);
    if (r < 0) {
        stop(server);
        server_run(server);
        return r;
    }
    on_changed(server); /* the usage file of a manager that ran before is not ours */
    return 0;
}

/* ----------------------------------------------------------------- stop -- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void stop(struct server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    close_handle((uv_handle_t *)&server->listener);
    close_handle((uv_handle_t *)&server->term_signal);
    close_handle((uv_handle_t *)&server->int_signal);
    close_handle((uv_handle_t *)&server->hup_signal);
    close_handle((uv_handle_t *)&server->usage_timer);
    close_handle((uv_handle_t *)&server->accept_timer);
    close_handle((uv_handle_t *)&server->log_timer);
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
    conns_deinit(&server->conns);
}
