/*
 * measure - the daemon beside the bare server, block by block.
 *
 * Each row runs three sides in turn: the daemon, a bare server, a second bare server. Two bare
 * servers differ by noise only. Every row starts servers of its own: no row finds the resting
 * ports or the TIME_WAITs of the one before.
 *
 * The rows beside a bare server that probes tell how much of the daemon's time is its own, and
 * those of the probing server beside the bare one what probing costs anybody.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_PER_STAGE                                                                       \
    40                    /* 40 x 512 operations stay below the ports of PORTS_LOW-PORTS_HIGH */
#define HELD_PER_CONN 100 /* ports on one connection of the holder */
#define WARM_UP       5   /* operations before the clock starts: accept, first use of buffers */
#define BLOCK_S       30

enum kind { DAEMON, BARE, PROBING };

static const char *const kind_names[] = {"daemon", "bare", "probing bare"};

struct task {
    const char *name;
    enum kind left;
    enum kind right;
    enum operation operation;
    unsigned clients;
    unsigned operations; /* in a block */
    long held;           /* ports somebody else holds meanwhile */
    double limit;
};

static const struct task tasks[] = {
    {"allocate, open connection", DAEMON, BARE, OP_ALLOCATE, 1, 200, 0, 1.30},
    {"connect, GIMME, close", DAEMON, BARE, OP_CYCLE, 1, 100, 0, 1.20},
    {"LIST of 900, new connection", DAEMON, BARE, OP_LIST_NEW, 1, 50, 900, 2.0},
    {"LIST of 900, open connection", DAEMON, BARE, OP_LIST_OPEN, 1, 50, 900, 2.0},
    {"allocate, 16 clients", DAEMON, BARE, OP_ALLOCATE, 16, 512, 0, LIMIT_NONE},
    {"allocate, 64 clients", DAEMON, BARE, OP_ALLOCATE, 64, 512, 0, 0.75},
    {"connect, GIMME, close, 16 clients", DAEMON, BARE, OP_CYCLE, 16, 512, 0, LIMIT_NONE},
    {"connect, GIMME, close, 64 clients", DAEMON, BARE, OP_CYCLE, 64, 512, 0, 0.75},
    {"LIST of 900, new conn., 16 clients", DAEMON, BARE, OP_LIST_NEW, 16, 256, 900, LIMIT_NONE},
    {"LIST of 900, new conn., 64 clients", DAEMON, BARE, OP_LIST_NEW, 64, 256, 900, 0.75},
    {"allocate, beside bare that probes", DAEMON, PROBING, OP_ALLOCATE, 1, 200, 0, LIMIT_NONE},
    {"connect, GIMME, beside bare that probes", DAEMON, PROBING, OP_CYCLE, 1, 100, 0,
     LIMIT_NONE},
    {"allocate, 64 clients, beside bare that probes", DAEMON, PROBING, OP_ALLOCATE, 64, 512, 0,
     LIMIT_NONE},
    {"allocate, what probing costs", PROBING, BARE, OP_ALLOCATE, 1, 200, 0, LIMIT_NONE},
    {"connect, GIMME, what probing costs", PROBING, BARE, OP_CYCLE, 1, 100, 0, LIMIT_NONE},
    {"allocate, 64 clients, what probing costs", PROBING, BARE, OP_ALLOCATE, 64, 512, 0,
     LIMIT_NONE},
};

struct stage {
    struct server servers[3]; /* left, right, right again */
    struct holder holder;
    const struct task *task;
};

static void stage_open(struct stage *stage, const struct config *config)
{
    static const struct reply nothing = {.bytes = (char *)"OK 0\r\n", .length = 6, .number = 0};
    const struct task *task = stage->task;
    struct server *left = &stage->servers[0];
    bool probes = task->right == PROBING;

    if (task->left == DAEMON) {
        server_start_daemon(left, config, PORTS_LOW, PORTS_HIGH);
        holder_hold(&stage->holder, left, task->held, HELD_PER_CONN);
        server_learn_list(left);
    } else {
        server_start_bare(left, config, "the left bare", task->left == PROBING, &nothing);
    }
    server_start_bare(&stage->servers[1], config, "bare", probes, &left->list);
    server_start_bare(&stage->servers[2], config, "the second bare", probes, &left->list);
}

static void stage_close(struct stage *stage)
{
    holder_release(&stage->holder);
    for (size_t i = 0; i < COUNT_OF(stage->servers); i++) {
        server_stop(&stage->servers[i]);
    }
}

static void once(const struct server *server, enum operation operation, int open_fd,
                 struct reply *reply, struct port_set *seen)
{
    bool is_new = operation == OP_CYCLE || operation == OP_LIST_NEW;
    int fd = is_new ? exchange_open(server) : open_fd;

    if (operation == OP_LIST_NEW || operation == OP_LIST_OPEN) {
        exchange_list(fd, server, reply);
        reply_check_list_length(reply, server);
    } else {
        exchange_gimme(fd, server, reply);
        reply_port(reply, server, operation == OP_ALLOCATE ? seen : NULL);
    }
    if (is_new) {
        close(fd);
    }
}

double block_one(const struct server *server, enum operation operation, unsigned operations)
{
    static struct reply reply = REPLY_INIT;
    struct port_set seen = server->taken;
    double begun_us;
    double ended_us;
    int fd = -1;

    proc_watch(BLOCK_S);
    if (operation == OP_ALLOCATE || operation == OP_LIST_OPEN) {
        fd = exchange_open(server);
    }
    for (unsigned i = 0; i < WARM_UP; i++) {
        once(server, operation, fd, &reply, &seen);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        once(server, operation, fd, &reply, &seen);
    }
    ended_us = now_us();
    if (operation == OP_LIST_NEW || operation == OP_LIST_OPEN) {
        reply_check_list_bytes(&reply, server);
    }
    if (fd >= 0) {
        close(fd);
    }
    proc_watch(0);
    return ended_us - begun_us;
}

/* us an operation for one client, operations a second for many. */
static double run_side(void *context, unsigned side)
{
    struct stage *stage = context;
    const struct task *task = stage->task;
    const struct server *server = &stage->servers[side];
    double us;

    if (task->clients > 1) {
        us = block_swarm(server, task->operation, task->operations, task->clients);
        return task->operations * 1e6 / us;
    }
    us = block_one(server, task->operation, task->operations);
    server_settle(server, true);
    return us / task->operations;
}

static void run_task(const struct config *config, const struct task *task)
{
    struct contest contest = {.sides = 3};
    struct stage stage = {.task = task};
    struct row row = {
        .name = task->name,
        .unit = task->clients > 1 ? "ops/s" : "us",
        .left_name = kind_names[task->left],
        .right_name = kind_names[task->right],
        .limit = task->limit,
        .at_least = task->clients > 1,
    };

    for (unsigned round = 0; round < config->rounds; round++) {
        if (round % ROUNDS_PER_STAGE == 0) {
            if (round > 0) {
                stage_close(&stage);
            }
            stage_open(&stage, config);
        }
        contest_round(&contest, run_side, &stage, round);
    }
    stage_close(&stage);
    contest_judge(&contest, 0, 1, 2, &row);
    row_print(&row);
    contest_deinit(&contest);
}

/* Many clients keep every core busy: how one is placed matters only to one client's rows. */
static void run_placed(const struct config *config, const struct task *task)
{
    enum placement last = task->clients == 1 ? config->last_placement : config->first_placement;

    for (enum placement p = config->first_placement; p <= last; p++) {
        proc_place(p);
        run_task(config, task);
    }
    proc_place(config->first_placement);
}

void measure_pairs(const struct config *config)
{
    const struct task *headed = NULL;

    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        const struct task *task = &tasks[i];

        if (!config_selects(config, task->name)) {
            continue;
        }
        if (headed == NULL || headed->left != task->left || headed->right != task->right) {
            row_head(kind_names[task->left], kind_names[task->right]);
            headed = task;
        }
        run_placed(config, task);
    }
    swarm_deinit();
}
