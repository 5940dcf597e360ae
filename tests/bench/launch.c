/*
 * launch - starts the servers, waits until they are ready, holds ports on them.
 *
 * Every server has a folder of its own below proc_folder(). The daemon gets all that it has in
 * service: a log, a usage file, a port file, a pid file, a socket in the file system; so their
 * cost is in every number.
 */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_S      15
#define READY_POLL   2   /* ms */
#define PIPELINE_MAX 100 /* requests in one packet when ports are held */
#define NAME_BYTES   64
#define SETTLE_TRIES 2000
#define REFUSED_S    65 /* TIME_WAIT of an earlier run takes ports away for 60 s */

void server_make_dir(struct server *server)
{
    static unsigned number = 0;

    snprintf(server->dir, sizeof(server->dir), "%s/s%u", proc_folder(), number++);
    if (mkdir(server->dir, 0755) != 0) {
        system_failed("mkdir %s", server->dir);
    }
}

/* Returns 0 while the file is not there or not whole. */
static int read_port(const char *path)
{
    char line[32] = "";
    FILE *file = fopen(path, "r");
    long port = 0;

    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), file) != NULL && strchr(line, '\n') != NULL) {
        port = strtol(line, NULL, 10);
    }
    fclose(file);
    return port > 0 && port < 65536 ? (int)port : 0;
}

static void wait_ready(struct server *server)
{
    char path[320];

    snprintf(path, sizeof(path), "%s/listen.port", server->dir);
    proc_watch(READY_S);
    while ((server->port = read_port(path)) == 0) {
        proc_expect_alive(server->pid, server->dir);
        pause_ms(READY_POLL);
    }
    proc_watch(0);
}

/* Keeps `folder`/`leaf` in `text`, for an argument vector. */
static char *path_in(char *text, size_t size, const char *folder, const char *leaf)
{
    int length = snprintf(text, size, "%s/%s", folder, leaf);

    if (length < 0 || (size_t)length >= size) {
        broken("%s/%s is too long a path", folder, leaf);
    }
    return text;
}

void server_start_daemon(struct server *server, const struct config *config, int low, int high)
{
    char ports[32], log[320], usage[320], port_file[320], pid_file[320], socket_file[320];
    char *argv[16 + WITH_MAX];
    size_t n = 0;

    memset(server, 0, sizeof(*server));
    server->name = "the daemon";
    server->low = low;
    server->high = high;
    server_make_dir(server);
    snprintf(ports, sizeof(ports), "%d-%d", low, high);
    argv[n++] = (char *)config->daemon;
    argv[n++] = (char *)"-listen";
    argv[n++] = (char *)"0";
    argv[n++] = (char *)"-ports";
    argv[n++] = ports;
    argv[n++] = (char *)"-log";
    argv[n++] = path_in(log, sizeof(log), server->dir, "log");
    argv[n++] = (char *)"-usagefile";
    argv[n++] = path_in(usage, sizeof(usage), server->dir, "ports.txt");
    argv[n++] = (char *)"-portfile";
    argv[n++] = path_in(port_file, sizeof(port_file), server->dir, "listen.port");
    argv[n++] = (char *)"-pidfile";
    argv[n++] = path_in(pid_file, sizeof(pid_file), server->dir, "pid");
    argv[n++] = (char *)"-socket";
    argv[n++] = path_in(socket_file, sizeof(socket_file), server->dir, "socket");
    for (size_t i = 0; i < config->with_count; i++) {
        argv[n++] = (char *)config->with[i];
    }
    argv[n] = NULL;
    server->pid = proc_spawn(argv, server->dir, -1, -1, true);
    wait_ready(server);
}

static void write_list(const char *path, const struct reply *list)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || fwrite(list->bytes, 1, list->length, file) != list->length ||
        fclose(file) != 0) {
        system_failed("%s", path);
    }
}

void server_start_bare(struct server *server, const struct config *config, const char *name,
                       bool probes, const struct reply *list)
{
    char ports[32], port_file[320], reply_file[320];
    char *argv[6];
    size_t n = 0;

    memset(server, 0, sizeof(*server));
    server->name = name;
    server->low = BARE_PORT;
    server->high = BARE_PORT;
    server_make_dir(server);
    argv[n++] = (char *)config->bare;
    if (probes) {
        snprintf(ports, sizeof(ports), "%d-%d", PORTS_LOW, PORTS_HIGH);
        argv[n++] = (char *)"-probe";
        argv[n++] = ports;
    }
    argv[n++] = path_in(port_file, sizeof(port_file), server->dir, "listen.port");
    argv[n++] = path_in(reply_file, sizeof(reply_file), server->dir, "list");
    argv[n] = NULL;
    write_list(reply_file, list);
    server->pid = proc_spawn(argv, server->dir, -1, -1, true);
    wait_ready(server);
    server->held = list->number;
    server_learn_list(server);
}

void server_stop(struct server *server)
{
    proc_stop(server->pid);
    reply_deinit(&server->list);
    server->pid = 0;
}

void server_learn_list(struct server *server)
{
    int fd = exchange_open(server);

    proc_watch(READY_S);
    exchange_list(fd, server, &server->list);
    close(fd);
    if (server->list.number != server->held) {
        broken("%s lists %ld ports, not %ld", server->name, server->list.number, server->held);
    }
    proc_watch(0);
}

void server_settle(const struct server *server, bool by_list)
{
    static struct reply reply = REPLY_INIT;

    for (int tries = 0; tries < SETTLE_TRIES; tries++) {
        int fd = exchange_open(server);

        if (by_list) {
            exchange_list(fd, server, &reply);
        } else {
            exchange_gimme(fd, server, &reply);
        }
        close(fd);
        if (!by_list || reply.number == server->held) {
            return;
        }
        pause_ms(1);
    }
    broken("%s still lists %ld ports, not %ld, after their connections were closed",
           server->name, reply.number, server->held);
}

/* ---- holder ---- */

static void add_connection(struct holder *holder, int fd)
{
    if (holder->count == holder->capacity) {
        size_t capacity = holder->capacity == 0 ? 64 : holder->capacity * 2;
        int *fds = realloc(holder->fds, capacity * sizeof(*fds));

        if (fds == NULL) {
            broken("no memory for %zu connections", capacity);
        }
        holder->fds = fds;
        holder->capacity = capacity;
    }
    holder->fds[holder->count++] = fd;
}

/* Reads until there are `lines` lines in the buffer; it is left with a '\0' behind them. */
static void receive_lines(int fd, const struct server *server, char *buffer, size_t size,
                          long lines)
{
    size_t length = 0;

    while (lines > 0) {
        ssize_t got = length + 1 < size ? recv(fd, buffer + length, size - length - 1, 0) : 0;

        if (got < 0 && errno == EINTR) {
            proc_check();
            continue;
        }
        if (got <= 0) {
            buffer[length] = '\0';
            broken("%s closed while ports were asked for: %s", server->name, buffer);
        }
        for (ssize_t i = 0; i < got; i++) {
            lines -= buffer[length + (size_t)i] == '\n';
        }
        length += (size_t)got;
    }
    buffer[length] = '\0';
}

/* Asks for `wanted` ports in one packet. Returns how many were refused for want of a free port.
 */
static long ask(struct holder *holder, struct server *server, int fd, long wanted)
{
    char text[PIPELINE_MAX * NAME_BYTES] = "";
    size_t length = 0;
    long refused = 0;
    unsigned name = holder->next_name;
    char *rest = NULL;

    for (long i = 0; i < wanted; i++) {
        length += (size_t)snprintf(text + length, NAME_BYTES, "GIMME app_%u user\r\n",
                                   holder->next_name++);
    }
    exchange_send(fd, text, length, server);
    receive_lines(fd, server, text, sizeof(text), wanted);
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest), name++) {
        struct reply reply = {.number = -1};

        if (strcmp(line, "FAIL {no free ports}") == 0) {
            refused++;
            continue;
        }
        if (strncmp(line, "OK ", 3) != 0) {
            broken("%s answered: %s", server->name, line);
        }
        reply.number = strtol(line + 3, NULL, 10);
        reply_port(&reply, server, &server->taken);
        if (name == 5) {
            holder->fifth_port = (int)reply.number;
        }
    }
    return refused;
}

void holder_hold(struct holder *holder, struct server *server, long ports, long per_connection)
{
    int refusals = 0;

    if (per_connection > PIPELINE_MAX) {
        per_connection = PIPELINE_MAX;
    }
    while (ports > 0) {
        long wanted = ports < per_connection ? ports : per_connection;
        int fd = exchange_open(server);

        add_connection(holder, fd);
        ports -= wanted;
        server->held += wanted;
        proc_watch(READY_S);
        while ((wanted = ask(holder, server, fd, wanted)) > 0) {
            if (refusals++ == 0) {
                printf("(waiting: no free port, perhaps for sockets in TIME_WAIT)\n");
            }
            if (refusals > REFUSED_S) {
                broken("%s has no port left after %ld", server->name, server->held - wanted);
            }
            pause_ms(1000);
            proc_watch(READY_S);
        }
    }
    proc_watch(0);
}

void holder_release(struct holder *holder)
{
    for (size_t i = 0; i < holder->count; i++) {
        close(holder->fds[i]);
    }
    free(holder->fds);
    memset(holder, 0, sizeof(*holder));
}
