/*
 * DaqPortManager: the command line, the files, the parts wired together.
 */

#include "detach.h"
#include "files.h"
#include "lifetime.h"
#include "log.h"
#include "options.h"
#include "server.h"
#include "siphash.h"
#include "table.h"
#include "unix_listener.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    EXIT_REFUSED = 1,
    EXIT_USAGE = 100,
    STATE_FILE_MODE = 0644,
    WHY_BYTES = PATH_MAX + 256,
    MANAGED_BYTES = 1024, /* fits an answer to STATS, and some 80 ranges */
};

/* One of the manager's files: where it is, and what was written to it. */
struct state_file {
    char path[PATH_MAX]; /* "": not kept */
    char text[FILES_PORT_BYTES];
    size_t size;
};

struct program {
    struct options options;
    struct table *table;
    struct server server;
    struct state_file port_file;
    struct state_file pid_file;
    struct unix_listener socket;
    struct unix_listener portserver;
    char socket_path[PATH_MAX]; /* "": none */
    char usage_path[PATH_MAX];
    char log_path[PATH_MAX];
    char managed[MANAGED_BYTES]; /* the ranges, as STATS tells them */
    int ready_fd; /* tells the waiting parent that all is well; -1 in the foreground */
};

static struct program program = {.options = OPTIONS_NULL,
                                 .socket = UNIX_LISTENER_NULL,
                                 .portserver = UNIX_LISTENER_NULL,
                                 .ready_fd = -1};
static struct log program_log = LOG_NULL;

/* Says on standard error and in the log why the manager does not start. */
static int fail(const char *what, const char *why)
{
    fprintf(stderr, "DaqPortManager: %s: %s\n", what, why);
    log_write(&program_log, LOG_LEVEL_ERROR, NULL, "%s: %s", what, why);
    log_flush(&program_log);
    return -1;
}

/* ---------------------------------------------------------------- files -- */

/* An explicit path, made absolute since a detached manager leaves its directory. */
static int take_path(const char *given, char path[PATH_MAX])
{
    char here[PATH_MAX] = "";
    if (*given != '/' && !getcwd(here, sizeof here))
        return fail(given, strerror(errno));
    int size = snprintf(path, PATH_MAX, "%s%s%s", here, *here ? "/" : "", given);
    return size < PATH_MAX ? 0 : fail(given, strerror(ENAMETOOLONG));
}

/* Chooses where a file goes; *why is the reason when a default place had to fall back, or "".
 */
static int choose_path(const char *given, enum files_kind kind, char path[PATH_MAX],
                       char why[WHY_BYTES])
{
    *why = *path = '\0';
    if (given)
        return *given ? take_path(given, path) : 0;
    files_default(kind, "", path, why, WHY_BYTES);
    return 0;
}

static void log_choice(const char *path, const char *why)
{
    if (*why)
        log_write(&program_log, LOG_LEVEL_WARNING, NULL, "%s; %s%s", why,
                  *path ? "using " : "this file is not kept", path);
}

static int open_log(void)
{
    char why[WHY_BYTES] = "";
    const char *given = program.options.log_path;
    if (given && strcmp(given, "-") == 0) {
        snprintf(program.log_path, sizeof program.log_path, "-");
    } else if (choose_path(given, FILES_LOG, program.log_path, why) < 0) {
        return -1;
    }
    /* Without any place for a file the log goes where an operator may see it. */
    if (!*program.log_path)
        snprintf(program.log_path, sizeof program.log_path, "-");
    int r = log_open(&program_log, program.log_path);
    if (r != 0)
        return fail(program.log_path, log_error_text(r));
    log_choice(program.log_path, why);
    return 0;
}

/* The number on the first line, the socket's path, if it is not "", on the second. */
static int write_state(struct state_file *file, int number, const char *socket)
{
    char error[WHY_BYTES];
    if (!*file->path)
        return 0;
    file->size = files_port_text(file->text, number, socket);
    if (files_replace(file->path, file->text, file->size, STATE_FILE_MODE, error,
                      sizeof error) == 0)
        return 0;
    file->size = 0;
    return fail("cannot write", error);
}

static void remove_state(const struct state_file *file)
{
    if (file->size > 0)
        files_remove_if(file->path, file->text, file->size);
}

static int choose_files(void)
{
    const struct options *options = &program.options;
    const struct {
        const char *given;
        enum files_kind kind;
        char *path;
    } files[] = {
        {options->port_path, FILES_PORT, program.port_file.path},
        {options->pid_path, FILES_PID, program.pid_file.path},
        {options->usage_path, FILES_USAGE, program.usage_path},
        {options->socket_path, FILES_SOCKET, program.socket_path},
    };
    char why[WHY_BYTES];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; ++i) {
        if (choose_path(files[i].given, files[i].kind, files[i].path, why) < 0)
            return -1;
        log_choice(files[i].path, why);
    }
    return 0;
}

/* Empties the usage file, so that a place that cannot be written is an error now. */
static int try_usage_file(void)
{
    char error[WHY_BYTES];
    if (!program.options.usage_path ||
        files_replace(program.usage_path, "", 0, STATE_FILE_MODE, error, sizeof error) == 0)
        return 0;
    return fail("cannot write", error);
}

/* ---------------------------------------------------------------- start -- */

static int make_table(void)
{
    const struct options *options = &program.options;
    struct siphash_key key;
    if (getentropy(&key, sizeof key) < 0)
        return fail("cannot get random numbers", strerror(errno));
    struct table_range *ranges = calloc(options->ranges_count, sizeof *ranges);
    if (!ranges)
        return fail("cannot make the table of ports", strerror(ENOMEM));
    for (size_t i = 0; i < options->ranges_count; ++i)
        ranges[i] = (struct table_range){options->ranges[i].low, options->ranges[i].high};
    int r =
        table_new(&program.table, ranges, options->ranges_count, options->quarantine_ms, &key);
    free(ranges);
    return r == 0 ? 0 : fail("cannot make the table of ports", strerror(-r));
}

/*
 * The socket in the file system. At the place that was asked for it has to be;
 * at the default one another manager may have it.
 */
static int open_socket(void)
{
    char error[WHY_BYTES];
    if (!*program.socket_path)
        return 0;
    int r = unix_listener_open(&program.socket, program.socket_path, error, sizeof error);
    if (r == 0)
        return 0;
    if (program.options.socket_path)
        return fail("cannot make the socket", error);
    log_write(&program_log, LOG_LEVEL_WARNING, NULL, "%s; this manager has no socket", error);
    *program.socket_path = '\0';
    return 0;
}

/* The socket for clients of portpicker, if it was asked for. */
static int open_portserver(void)
{
    const char *given = program.options.portserver;
    char path[PATH_MAX];
    char error[WHY_BYTES];
    struct lifetime self;
    if (!given)
        return 0;
    int r = lifetime_open(&self, getpid());
    lifetime_close(&self);
    if (r < 0)
        return fail("cannot follow processes, which -portserver needs", strerror(-r));
    if (*given != '@' && take_path(given, path) < 0)
        return -1;
    r = *given == '@'
            ? unix_listener_open_abstract(&program.portserver, given + 1, error, sizeof error)
            : unix_listener_open(&program.portserver, path, error, sizeof error);
    return r == 0 ? 0 : fail("cannot make the portserver's socket", error);
}

/* For the server, which closes it. -1 when there is no such socket. */
static int duplicate(const struct unix_listener *listener)
{
    return listener->fd < 0 ? -1 : unix_listener_dup(listener);
}

static int start_server(void)
{
    const struct options *options = &program.options;
    (void)options_ranges_text(options, program.managed, sizeof program.managed);
    size_t holds_max = options->hold == OPTIONS_HOLD_NONE ? 0 : table_capacity(program.table);
    size_t processes_max = options->portserver ? table_capacity(program.table) : 0;
    size_t connections_max =
        server_connections_max(options->connections_max, &holds_max, &processes_max);
    struct server_config config = {
        .address = options->address,
        .port = options->listen_port,
        .keepalive_s = options->keepalive_s,
        .line_max_bytes = options->line_max_bytes,
        .unsent_max_bytes = options->unsent_max_bytes,
        .connections_max = connections_max,
        .holds_max = holds_max,
        .socket_fd = duplicate(&program.socket),
        .portserver_fd = duplicate(&program.portserver),
        .processes_max = processes_max,
        .rules = {.trusts = options->owner == OPTIONS_OWNER_TRUST,
                  .verifies = options->owner == OPTIONS_OWNER_VERIFY,
                  .holds_all = options->hold == OPTIONS_HOLD_ALL,
                  .holds_none = options->hold == OPTIONS_HOLD_NONE},
        .quotas = {{[QUOTA_PORTS] = options->user_ports,
                    [QUOTA_CONNECTIONS] = options->user_connections,
                    [QUOTA_WAITING] = options->user_waiting}},
        .managed = program.managed,
        .usage_path = *program.usage_path ? program.usage_path : NULL,
        .table = program.table,
        .log = &program_log,
    };
    if (connections_max < options->connections_max)
        log_write(&program_log, LOG_LEVEL_WARNING, NULL,
                  "Only %zu of %u connections fit the limit on open files", connections_max,
                  options->connections_max);
    if (processes_max < table_capacity(program.table) && options->portserver)
        log_write(
            &program_log, LOG_LEVEL_WARNING, NULL,
            "Only %zu processes can have ports of the portserver within the limit on open "
            "files",
            processes_max);
    int r = server_start(&program.server, &config);
    if (r == 0)
        return 0;
    char what[128];
    snprintf(what, sizeof what, "cannot listen on %s port %d",
             options->address ? options->address : "any address", options->listen_port);
    return fail(what, uv_strerror(r));
}

static int announce(void)
{
    const struct options *options = &program.options;
    size_t count = table_capacity(program.table);
    log_write(&program_log, LOG_LEVEL_INFO, NULL,
              "DaqPortManager " PACKAGE_VERSION " listens on port %d and manages %zu ports",
              program.server.listener.port, count);
    log_flush(&program_log);
    if (try_usage_file() < 0 ||
        write_state(&program.port_file, program.server.listener.port, program.socket_path) <
            0 ||
        write_state(&program.pid_file, (int)getpid(), "") < 0)
        return -1;
    if (!options->daemonize)
        fprintf(stderr, "DaqPortManager: port %d, %zu ports from %u, log %s\n",
                program.server.listener.port, count, (unsigned)options->ranges[0].low,
                strcmp(program.log_path, "-") == 0 ? "here" : program.log_path);
    if (program.ready_fd < 0)
        return 0;
    int r = detach_finish(program.ready_fd);
    return r == 0 ? 0 : fail("cannot detach", strerror(-r));
}

/* Goes into the background if told to. */
static int detach(void)
{
    if (!program.options.daemonize)
        return 0;
    program.ready_fd = detach_begin();
    return program.ready_fd >= 0 ? 0 : fail("cannot detach", strerror(-program.ready_fd));
}

/* Serves until told to stop. 0, or -1 when it could not start. */
static int serve(void)
{
    if (detach() < 0 || open_log() < 0 || make_table() < 0)
        return -1;
    int r = choose_files();
    if (r == 0)
        r = open_socket();
    if (r == 0)
        r = open_portserver();
    if (r == 0)
        r = start_server();
    if (r == 0) {
        r = announce();
        if (r < 0)
            server_stop(&program.server);
        server_run(&program.server);
        remove_state(&program.pid_file);
        remove_state(&program.port_file);
        log_write(&program_log, LOG_LEVEL_INFO, NULL, "Stopped");
    }
    unix_listener_close(&program.portserver);
    unix_listener_close(&program.socket);
    program.table = table_free(program.table);
    return r;
}

int main(int argc, char **argv)
{
    char error[512];
    int r = options_parse(&program.options, argc, argv, error, sizeof error);
    if (r != 0) {
        fprintf(stderr, "DaqPortManager: %s (-help lists the switches)\n",
                r < 0 ? strerror(-r) : error);
        return EXIT_USAGE;
    }
    if (program.options.help) {
        options_usage(stdout);
    } else if (program.options.version) {
        puts("DaqPortManager " PACKAGE_VERSION);
    } else {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        r = serve();
    }
    options_deinit(&program.options);
    log_deinit(&program_log);
    return r == 0 ? EXIT_SUCCESS : EXIT_REFUSED;
}
