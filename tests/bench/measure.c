/*
 * measure - the daemon beside the bare server, block by block.
 *
 * Each row runs three sides in turn: the daemon, a bare server, a second bare server. Two bare
 * servers differ by noise only. Every row starts servers of its own: no row finds the resting
 * ports or the TIME_WAITs of the one before.
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

struct task {
    const char *name;
    enum operation operation;
    unsigned clients;
    unsigned operations; /* in a block */
    long held;           /* ports somebody else holds meanwhile */
    double limit;
};

static const struct task tasks[] = {
    {"allocate, open connection", OP_ALLOCATE, 1, 200, 0, 1.30},
    {"connect, GIMME, close", OP_CYCLE, 1, 100, 0, 1.20},
    {"LIST of 900, new connection", OP_LIST_NEW, 1, 50, 900, 2.0},
    {"LIST of 900, open connection", OP_LIST_OPEN, 1, 50, 900, 2.0},
    {"allocate, 16 clients", OP_ALLOCATE, 16, 512, 0, LIMIT_NONE},
    {"allocate, 64 clients", OP_ALLOCATE, 64, 512, 0, 0.75},
    {"connect, GIMME, close, 16 clients", OP_CYCLE, 16, 512, 0, LIMIT_NONE},
    {"connect, GIMME, close, 64 clients", OP_CYCLE, 64, 512, 0, 0.75},
    {"LIST of 900, new conn., 16 clients", OP_LIST_NEW, 16, 256, 900, LIMIT_NONE},
    {"LIST of 900, new conn., 64 clients", OP_LIST_NEW, 64, 256, 900, 0.75},
};

struct stage {
    struct server servers[3]; /* the daemon, bare, bare again */
    struct holder holder;
    const struct task *task;
};

static void stage_open(struct stage *stage, const struct config *config)
{
    struct server *daemon = &stage->servers[0];

    server_start_daemon(daemon, config, PORTS_LOW, PORTS_HIGH);
    holder_hold(&stage->holder, daemon, stage->task->held, HELD_PER_CONN);
    server_learn_list(daemon);
    server_start_bare(&stage->servers[1], config, "bare", &daemon->list);
    server_start_bare(&stage->servers[2], config, "the second bare", &daemon->list);
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
        .left_name = "daemon",
        .right_name = "bare",
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

void measure_pairs(const struct config *config)
{
    bool headed = false;

    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        if (config_selects(config, tasks[i].name)) {
            if (!headed) {
                row_head("daemon", "bare");
                headed = true;
            }
            run_task(config, &tasks[i]);
        }
    }
    swarm_deinit();
}
