/*
 * protocol2 - what protocol 2 does, beside the nearest thing that can be had without it.
 *
 * Like is compared with like: a request and its answer beside a request and its answer, a
 * connection with one of each beside another one. What gives the ports back, the end of a
 * connection, is outside what is timed unless both sides have it inside; so is the wait until
 * the manager lists them no longer. So each block has its ports, and the pool, of PORTS_LOW to
 * PORTS_HIGH, never runs dry: what a stage asks for fits in it without a port coming back.
 *
 * A connection that stays open is proved by its first request, before the clock starts; one
 * that is new each time is proved each time, by the kernel's list of sockets for TCP.
 */
#include "protocol2.h"

#include "bus.h"

#include <string.h>
#include <unistd.h>

#define ROUNDS_PER_STAGE 40 /* of at most GRANT_OPERATIONS and some ports each */
#define BLOCK_S          30

/* ---- blocks that are made elsewhere ---- */

static double block_gimme_open(struct side *side, unsigned operations)
{
    return block_one(&side->server, OP_ALLOCATE, operations);
}

static double block_gimme_new(struct side *side, unsigned operations)
{
    return block_one(&side->server, OP_CYCLE, operations);
}

static double block_request_name(struct side *side, unsigned operations)
{
    return bus_block(&side->server, operations);
}

static double block_request_name_new(struct side *side, unsigned operations)
{
    return bus_block_new(&side->server, operations);
}

/* ---- servers ---- */

static bool start_daemon(struct side *side, const struct config *config)
{
    server_start_daemon(&side->server, config, PORTS_LOW, PORTS_HIGH);
    return true;
}

static bool start_unix(struct side *side, const struct config *config)
{
    start_daemon(side, config);
    side->server.by_unix = true;
    return true;
}

static bool start_trusting(struct side *side, const struct config *config)
{
    struct config trusting = *config;

    if (trusting.with_count + 2 > WITH_MAX) {
        broken("too many -with for one that trusts");
    }
    trusting.with[trusting.with_count++] = "-owner";
    trusting.with[trusting.with_count++] = "trust";
    return start_daemon(side, &trusting);
}

static bool start_nothing(struct side *side, const struct config *config)
{
    (void)side;
    (void)config;
    return true;
}

static bool start_bus(struct side *side, const struct config *config)
{
    (void)config;
    return bus_start(&side->server, &side->controller);
}

/* ---- kinds of sides ---- */

#define HELLO "HELLO 2\r\n"
#define PLAIN "ALLOCATE bench\r\n"
#define HELD  "ALLOCATE bench -hold 1\r\n"

/* Protocol 1 with nothing proved and nothing held, as before protocol 2 was. */
static const struct kind trusted_open = {
    .name = "GIMME, trusted",
    .start = start_trusting,
    .block = block_gimme_open,
    .operations = GRANT_OPERATIONS,
};
static const struct kind trusted_new = {
    .name = "GIMME, trusted",
    .start = start_trusting,
    .block = block_gimme_new,
    .operations = GRANT_NEW_OPERATIONS,
};
static const struct kind held_open = {
    .name = "ALLOCATE",
    .start = start_daemon,
    .block = grant_block_open,
    .request = HELD,
    .held = true,
    .operations = GRANT_OPERATIONS,
};
static const struct kind held_new = {
    .name = "ALLOCATE",
    .start = start_daemon,
    .block = grant_block_new,
    .request = HELLO HELD,
    .held = true,
    .operations = GRANT_NEW_OPERATIONS,
};
static const struct kind held_released = {
    .name = "RELEASE",
    .start = start_daemon,
    .block = grant_block_release,
    .request = HELD,
    .held = true,
    .operations = GRANT_OPERATIONS,
};
static const struct kind tcp_open = {
    .name = "TCP",
    .start = start_daemon,
    .block = grant_block_open,
    .request = PLAIN,
    .operations = GRANT_OPERATIONS,
};
static const struct kind tcp_new = {
    .name = "TCP",
    .start = start_daemon,
    .block = grant_block_new,
    .request = HELLO PLAIN,
    .operations = GRANT_NEW_OPERATIONS,
};
static const struct kind unix_open = {
    .name = "AF_UNIX",
    .start = start_unix,
    .block = grant_block_open,
    .request = PLAIN,
    .operations = GRANT_OPERATIONS,
};
static const struct kind unix_new = {
    .name = "AF_UNIX",
    .start = start_unix,
    .block = grant_block_new,
    .request = HELLO PLAIN,
    .operations = GRANT_NEW_OPERATIONS,
};
static const struct kind unix_held = {
    .name = "ALLOCATE",
    .start = start_unix,
    .block = grant_block_open,
    .request = HELD,
    .held = true,
    .operations = GRANT_OPERATIONS,
};
static const struct kind unix_listen = {
    .name = "LISTEN",
    .start = start_unix,
    .block = listen_block,
    .request = "LISTEN bench\r\n",
    .held = true,
    .operations = GRANT_OPERATIONS,
};
static const struct kind own_listener = {
    .name = "by itself",
    .start = start_nothing,
    .block = listen_block_own,
    .operations = GRANT_OPERATIONS,
};
static const struct kind allocated_listener = {
    .name = "ALLOCATE",
    .start = start_unix,
    .block = listen_block_allocated,
    .request = HELD,
    .held = true,
    .operations = GRANT_OPERATIONS,
};
static const struct kind unix_ping = {
    .name = "PING",
    .start = start_unix,
    .block = grant_block_ping,
    .operations = GRANT_OPERATIONS,
};
static const struct kind bus_name = {
    .name = "RequestName",
    .start = start_bus,
    .block = block_request_name,
    .operations = GRANT_OPERATIONS,
};

static const struct kind bus_name_new = {
    .name = "RequestName",
    .start = start_bus,
    .block = block_request_name_new,
    .operations = GRANT_NEW_OPERATIONS,
};

/* ---- rows ---- */

/* PING does nothing: its time is that of the way to the manager and back, and no request can
 * take less. */

static const struct task {
    const char *name;
    const struct kind *left;
    const struct kind *right;
    double limit;
} tasks[] = {
    {"ALLOCATE -hold 1, proved", &held_open, &trusted_open, 1.5},
    {"RELEASE of a held port", &held_released, &trusted_open, 1.5},
    {"connect, ALLOCATE -hold 1, proved, close", &held_new, &trusted_new, 1.5},
    {"ALLOCATE, AF_UNIX beside TCP", &unix_open, &tcp_open, LIMIT_NONE},
    {"connect, ALLOCATE, close, AF_UNIX beside TCP", &unix_new, &tcp_new, LIMIT_NONE},
    {"LISTEN beside socket, bind, listen", &unix_listen, &own_listener, 3.0},
    {"LISTEN beside ALLOCATE, socket, bind, listen", &unix_listen, &allocated_listener,
     LIMIT_NONE},
    {"PING beside socket, bind, listen", &unix_ping, &own_listener, LIMIT_NONE},
    {"ALLOCATE beside dbus-broker's RequestName", &unix_open, &bus_name, 0.5},
    {"ALLOCATE -hold 1 beside RequestName", &unix_held, &bus_name, LIMIT_NONE},
    {"PING beside RequestName", &unix_ping, &bus_name, LIMIT_NONE},
    {"connect, ALLOCATE, close beside RequestName", &unix_new, &bus_name_new, LIMIT_NONE},
};

struct stage {
    struct side sides[3]; /* left, right, right again */
};

static bool stage_open(struct stage *stage, const struct config *config,
                       const struct task *task)
{
    bool is_open = true;

    for (size_t i = 0; is_open && i < COUNT_OF(stage->sides); i++) {
        struct side *side = &stage->sides[i];

        side->kind = i == 0 ? task->left : task->right;
        side->server = (struct server){.pid = 0};
        side->controller = -1;
        grant_expect_user(side);
        is_open = side->kind->start(side, config);
    }
    return is_open;
}

/* Also of one that was not opened to its end. */
static void stage_close(struct stage *stage)
{
    for (size_t i = 0; i < COUNT_OF(stage->sides); i++) {
        struct side *side = &stage->sides[i];

        if (side->server.pid == 0) {
            continue;
        }
        server_stop(&side->server);
        if (side->controller >= 0) {
            close(side->controller);
        }
    }
}

/* us an operation. */
static double run_side(void *context, unsigned number)
{
    struct side *side = &((struct stage *)context)->sides[number];
    double us;

    memset(&side->seen, 0, sizeof(side->seen));
    proc_watch(BLOCK_S);
    us = side->kind->block(side, side->kind->operations);
    if (side->server.port > 0) {
        server_settle(&side->server, true);
    }
    proc_watch(0);
    return us / side->kind->operations;
}

/* Returns false if a side cannot be had; the reason has been printed. */
static bool run_rounds(const struct config *config, const struct task *task,
                       struct contest *contest)
{
    static struct stage stage;

    for (unsigned round = 0; round < config->rounds; round++) {
        if (round % ROUNDS_PER_STAGE == 0) {
            stage_close(&stage);
            if (!stage_open(&stage, config, task)) {
                stage_close(&stage);
                return false;
            }
        }
        contest_round(contest, run_side, &stage, round);
    }
    stage_close(&stage);
    for (size_t i = 0; i < COUNT_OF(stage.sides); i++) {
        reply_deinit(&stage.sides[i].reply);
    }
    return true;
}

static bool run_task(const struct config *config, const struct task *task)
{
    struct contest contest = {.sides = 3};
    struct row row = {
        .name = task->name,
        .unit = "us",
        .left_name = task->left->name,
        .right_name = task->right->name,
        .limit = task->limit,
    };
    bool is_run = run_rounds(config, task, &contest);

    if (is_run) {
        contest_judge(&contest, 0, 1, 2, &row);
        row_print(&row);
    }
    contest_deinit(&contest);
    return is_run;
}

void measure_protocol2(const struct config *config)
{
    const struct task *headed = NULL;

    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        const struct task *task = &tasks[i];
        enum placement p = config->first_placement;

        if (!config_selects(config, task->name)) {
            continue;
        }
        if (headed == NULL || strcmp(headed->left->name, task->left->name) != 0 ||
            strcmp(headed->right->name, task->right->name) != 0) {
            row_head(task->left->name, task->right->name);
            headed = task;
        }
        do {
            proc_place(p++);
        } while (run_task(config, task) && p <= config->last_placement);
    }
    proc_place(config->first_placement);
}
