/*
 * script - the Tcl package beside the same exchange in C; what does not block beside what does.
 *
 * One tclsh runs client.tcl for the whole measurement and times its own operations; commands go
 * to it and `microseconds result` comes back, a line each, over a socket pair. The C side
 * connects, asks for the LIST, reads it to its end and closes.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPERATIONS    20
#define BLOCK_S       30
#define HELD_PER_CONN 100
#define FIND_LIMIT    1.50
#define LATER_LIMIT   1.30

struct tcl {
    pid_t pid;
    int fd;
    const char *dir;
    const char *command; /* to client.tcl */
    const char *beside;  /* likewise, for the other side; NULL: that is C */
    long expected;       /* the result it must name */
    struct server *server;
};

/* Sends one line, receives one line; the answer is left without its newline. */
static void converse(struct tcl *tcl, const char *line, char *answer, size_t size)
{
    size_t length = 0;

    proc_watch(BLOCK_S);
    if (send(tcl->fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line)) {
        proc_expect_alive(tcl->pid, tcl->dir);
        system_failed("send to tclsh");
    }
    while (length == 0 || answer[length - 1] != '\n') {
        ssize_t got = length < size ? recv(tcl->fd, answer + length, size - length, 0) : 0;

        if (got < 0 && errno == EINTR) {
            proc_check();
        } else if (got <= 0) {
            pause_ms(100);
            proc_expect_alive(tcl->pid, tcl->dir);
            broken("no whole line from tclsh");
        } else {
            length += (size_t)got;
        }
    }
    answer[length - 1] = '\0';
    if (strncmp(answer, "error ", 6) == 0) {
        broken("Tcl: %s", answer + 6);
    }
    proc_watch(0);
}

static void tcl_start(struct tcl *tcl, const struct config *config, struct server *server)
{
    char *argv[] = {(char *)config->tclsh, (char *)config->script, (char *)config->pkgdir,
                    NULL};
    char line[64];
    char answer[512];
    int ends[2];

    tcl->server = server;
    tcl->dir = server->dir;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        system_failed("socketpair");
    }
    tcl->pid = proc_spawn(argv, tcl->dir, ends[1], ends[1], false);
    tcl->fd = ends[0];
    close(ends[1]);
    snprintf(line, sizeof(line), "port %d\n", server->port);
    converse(tcl, line, answer, sizeof(answer));
}

static void tcl_stop(struct tcl *tcl)
{
    close(tcl->fd); /* its end of file */
    proc_stop(tcl->pid);
}

static double tcl_block(struct tcl *tcl, const char *command)
{
    char line[64];
    char answer[512];
    char *rest;
    double us;
    long result;

    snprintf(line, sizeof(line), "%s %d\n", command, OPERATIONS);
    converse(tcl, line, answer, sizeof(answer));
    us = strtod(answer, &rest);
    result = strtol(rest, NULL, 10);
    if (us <= 0 || result != tcl->expected) {
        broken("Tcl: %s gave `%s`, expected %ld", command, answer, tcl->expected);
    }
    return us / OPERATIONS;
}

/* Side 0 is Tcl, 1 and 2 are C or Tcl again. */
static double tcl_side(void *context, unsigned side)
{
    struct tcl *tcl = context;

    if (side == 0) {
        return tcl_block(tcl, tcl->command);
    }
    if (tcl->beside != NULL) {
        return tcl_block(tcl, tcl->beside);
    }
    return block_one(tcl->server, OP_LIST_NEW, OPERATIONS) / OPERATIONS;
}

static void run_row(const struct config *config, struct tcl *tcl, const char *name,
                    double limit)
{
    struct contest contest = {.sides = 3};
    struct row row = {
        .name = name, .unit = "us", .left_name = "Tcl", .right_name = "C", .limit = limit};

    if (tcl->beside != NULL) {
        row.left_name = "-command";
        row.right_name = "waiting";
    }

    if (!config_selects(config, name)) {
        return;
    }
    for (unsigned round = 0; round < config->rounds; round++) {
        contest_round(&contest, tcl_side, tcl, round);
    }
    contest_judge(&contest, 0, 1, 2, &row);
    row_print(&row);
    contest_deinit(&contest);
}

static const struct {
    const char *name; /* in front of the number of ports held */
    const char *command;
    const char *beside;
    double limit;
    bool lists;
} kinds[] = {
    {"Tcl findServer", "find", NULL, FIND_LIMIT, false},
    {"Tcl listPorts", "list", NULL, LIMIT_NONE, true},
    {"Tcl findServer -command", "findlater", "find", LATER_LIMIT, false},
    {"Tcl listPorts -command", "listlater", "list", LATER_LIMIT, true},
    {"Tcl findServer -command, 5 at once", "findtogether", "find", LATER_LIMIT, false},
    {"Tcl listPorts -command, 5 at once", "listtogether", "list", LATER_LIMIT, true},
};

static void row_name(char *name, size_t size, const char *kind, long held)
{
    snprintf(name, size, "%s, %ld held", kind, held);
}

static void run_held(const struct config *config, struct tcl *tcl, const struct holder *holder)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char name[64];

        tcl->command = kinds[i].command;
        tcl->beside = kinds[i].beside;
        tcl->expected = kinds[i].lists ? tcl->server->held : holder->fifth_port;
        row_name(name, sizeof(name), kinds[i].name, tcl->server->held);
        run_row(config, tcl, name, kinds[i].limit);
    }
}

static bool any_selected(const struct config *config, const long *held, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
            char name[64];

            row_name(name, sizeof(name), kinds[kind].name, held[i]);
            if (config_selects(config, name)) {
                return true;
            }
        }
    }
    return false;
}

static void run_placed(const struct config *config, const long *held, size_t count)
{
    static struct server server;
    struct holder holder = {0};
    struct tcl tcl = {0};

    server_start_daemon(&server, config, PORTS_LOW, PORTS_HIGH);
    tcl_start(&tcl, config, &server);
    for (size_t i = 0; i < count; i++) {
        holder_hold(&holder, &server, held[i] - server.held, HELD_PER_CONN);
        server_learn_list(&server);
        run_held(config, &tcl, &holder);
    }
    tcl_stop(&tcl);
    holder_release(&holder);
    server_stop(&server);
}

void measure_tcl(const struct config *config)
{
    static const long held[] = {10, 100, 900};

    if (config->tclsh == NULL || !any_selected(config, held, COUNT_OF(held))) {
        return;
    }
    row_head("Tcl", "C");
    for (enum placement p = config->first_placement; p <= config->last_placement; p++) {
        proc_place(p);
        run_placed(config, held, COUNT_OF(held));
    }
    proc_place(config->first_placement);
}
