/*
 * scale - what grows: the time of an allocation, and of a search for one name, with the ports
 * held; memory with connections.
 *
 * The 50,000 ports reach into the range client sockets come from, so this runs before the rows
 * that leave thousands of sockets in TIME_WAIT there.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPERATIONS    200 /* in a block; the allocations of 40 fit beside 50,000 ports */
#define WARM_UP       5
#define BLOCK_S       30
#define ROUNDS_MAX    40
#define HELD_PER_CONN 100
#define SPARE_FDS     64
#define KIB_LIMIT     2.0
#define WAITING_MAX   2000 /* sockets in TIME_WAIT that leave 50,000 ports free to bind */
#define WAITING_S     70   /* TIME_WAIT lasts 60 s */

struct crowd {
    struct server server;
    struct holder holder;
    char find[256];  /* the request for one of the ports, by name and user */
    char found[256]; /* its answer */
    size_t find_bytes;
};

static const long crowd_ports[] = {10, 1000, 50000, 10}; /* the last shows the noise */
static struct crowd crowds[COUNT_OF(crowd_ports)];

static double allocate_in_crowd(void *context, unsigned side)
{
    struct crowd *crowd = (struct crowd *)context + side;
    double us = block_one(&crowd->server, OP_ALLOCATE, OPERATIONS);

    server_settle(&crowd->server, false);
    return us / OPERATIONS;
}

static void find(struct crowd *crowd, int fd, struct reply *reply)
{
    exchange_ask(fd, crowd->find, crowd->find_bytes, 2, &crowd->server, reply);
    if (strcmp(reply->bytes, crowd->found) != 0) {
        reply_is_unexpected(reply, &crowd->server);
    }
}

static double find_in_crowd(void *context, unsigned side)
{
    static struct reply reply = REPLY_INIT;
    struct crowd *crowd = (struct crowd *)context + side;
    double begun_us;
    double ended_us;
    int fd;

    proc_watch(BLOCK_S);
    fd = exchange_open_greeted(&crowd->server, &reply);
    for (unsigned i = 0; i < WARM_UP; i++) {
        find(crowd, fd, &reply);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < OPERATIONS; i++) {
        find(crowd, fd, &reply);
    }
    ended_us = now_us();
    close(fd);
    proc_watch(0);
    return (ended_us - begun_us) / OPERATIONS;
}

/* Whom the fifth port is listed for: as claimed, or who runs this. */
static void prepare_find(struct crowd *crowd)
{
    struct reply *list = &crowd->server.list;
    char start[32];
    char user[128] = "";
    const char *line = NULL;
    size_t room;

    server_learn_list(&crowd->server);
    *reply_room(list, &room) = '\0';
    snprintf(start, sizeof(start), "\n%d app_5 ", crowd->holder.fifth_port);
    line = strstr(list->bytes, start);
    if (line == NULL || sscanf(line + strlen(start), "%127s", user) != 1) {
        broken("%s does not list port %d as app_5", crowd->server.name,
               crowd->holder.fifth_port);
    }
    crowd->find_bytes = (size_t)snprintf(crowd->find, sizeof(crowd->find),
                                         "FIND -name app_5 -user %s\r\n", user);
    snprintf(crowd->found, sizeof(crowd->found), "OK 1\r\n%d app_5 %s {}\r\n",
             crowd->holder.fifth_port, user);
}

static const struct crowd_task {
    const char *name;
    side_fn *run;
    unsigned side; /* of crowd_ports, beside the first */
    double limit;
} crowd_tasks[] = {
    {"allocate, 1,000 held beside 10", allocate_in_crowd, 1, LIMIT_NONE},
    {"allocate, 50,000 held beside 10", allocate_in_crowd, 2, 1.20},
    {"FIND of one name, 1,000 held beside 10", find_in_crowd, 1, LIMIT_NONE},
    {"FIND of one name, 50,000 held beside 10", find_in_crowd, 2, 1.20},
};

static void open_crowds(const struct config *config)
{
    for (size_t i = 0; i < COUNT_OF(crowds); i++) {
        server_start_daemon(&crowds[i].server, config, WIDE_PORTS_LOW, WIDE_PORTS_HIGH);
        holder_hold(&crowds[i].holder, &crowds[i].server, crowd_ports[i], HELD_PER_CONN);
        prepare_find(&crowds[i]);
    }
}

static void close_crowds(void)
{
    for (size_t i = 0; i < COUNT_OF(crowds); i++) {
        holder_release(&crowds[i].holder);
        server_stop(&crowds[i].server);
    }
}

/* An earlier run leaves ports that cannot be bound for a minute. Returns false if too many are.
 */
static bool wait_for_ports(bool is_patient)
{
    long waiting = proc_waiting_sockets();

    for (int i = 0; is_patient && i < WAITING_S && waiting > WAITING_MAX; i++) {
        if (i == 0) {
            printf("(waiting for the ports of %ld sockets in TIME_WAIT)\n", waiting);
            fflush(stdout);
        }
        pause_ms(1000);
        waiting = proc_waiting_sockets();
    }
    if (waiting > WAITING_MAX) {
        printf("(%ld sockets in TIME_WAIT: no row with 50,000 ports held)\n", waiting);
    }
    return waiting <= WAITING_MAX;
}

static bool is_selected(const struct config *config, side_fn *run)
{
    bool is_wanted = false;

    for (size_t i = 0; i < COUNT_OF(crowd_tasks); i++) {
        is_wanted |= crowd_tasks[i].run == run && config_selects(config, crowd_tasks[i].name);
    }
    return is_wanted;
}

/* All rows of one operation, which every crowd runs in turn. */
static void run_operation(const struct config *config, side_fn *run)
{
    struct contest contest = {.sides = COUNT_OF(crowd_ports)};
    unsigned rounds = config->rounds < ROUNDS_MAX ? config->rounds : ROUNDS_MAX;

    if (!is_selected(config, run)) {
        return;
    }
    for (unsigned round = 0; round < rounds; round++) {
        contest_round(&contest, run, crowds, round);
    }
    for (size_t i = 0; i < COUNT_OF(crowd_tasks); i++) {
        const struct crowd_task *task = &crowd_tasks[i];
        struct row row = {
            .name = task->name,
            .unit = "us",
            .left_name = "many held",
            .right_name = "10 held",
            .limit = task->limit,
        };

        if (task->run == run) {
            contest_judge(&contest, task->side, 0, 3, &row);
            row_print(&row);
        }
    }
    contest_deinit(&contest);
}

void measure_scale(const struct config *config)
{
    if ((!is_selected(config, allocate_in_crowd) && !is_selected(config, find_in_crowd)) ||
        !wait_for_ports(!config->quick)) {
        return;
    }
    row_head("many held", "10 held");
    for (enum placement p = config->first_placement; p <= config->last_placement; p++) {
        proc_place(p);
        open_crowds(config);
        run_operation(config, find_in_crowd);
        run_operation(config, allocate_in_crowd);
        close_crowds();
    }
    proc_place(config->first_placement);
}

/* ---- memory ---- */

/* KiB a connection between `from_kib` and now. */
static double grow(struct crowd *crowd, long connections, long from_kib, long *now_kib)
{
    holder_hold(&crowd->holder, &crowd->server, connections - (long)crowd->holder.count, 1);
    *now_kib = proc_resident_kib(crowd->server.pid);
    return (double)(*now_kib - from_kib) / (double)connections;
}

static void print_memory(struct crowd *ours, struct crowd *bare, const long before_kib[2],
                         long connections)
{
    char name[64];
    long kib[2];
    struct row row = {
        .name = name,
        .unit = "KiB",
        .left_name = "daemon",
        .right_name = "bare",
        .ratio_low = LIMIT_NONE,
        .ratio_high = LIMIT_NONE,
        .noise = LIMIT_NONE,
        .noise_low = LIMIT_NONE,
        .noise_high = LIMIT_NONE,
        .limit = KIB_LIMIT,
    };

    snprintf(name, sizeof(name), "memory a connection, of %ld", connections);
    row.left = grow(ours, connections, before_kib[0], &kib[0]);
    row.right = grow(bare, connections, before_kib[1], &kib[1]);
    row.ratio = row.right > 0 ? row.left / row.right : LIMIT_NONE;
    row.judged = row.left;
    row_print(&row);
    printf("    resident KiB, daemon %ld -> %ld, bare %ld -> %ld\n", before_kib[0], kib[0],
           before_kib[1], kib[1]);
}

void measure_memory(const struct config *config)
{
    static const long connections[] = {900, 5000};
    static struct crowd ours, bare;
    struct reply nothing = {.bytes = (char *)"OK 0\r\n", .length = 6, .number = 0};
    struct rlimit limit = {0};
    long before_kib[2];

    if (!config_selects(config, "memory a connection")) {
        return;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    server_start_daemon(&ours.server, config, PORTS_LOW, PORTS_HIGH);
    server_start_bare(&bare.server, config, "bare", false, &nothing);
    before_kib[0] = proc_resident_kib(ours.server.pid);
    before_kib[1] = proc_resident_kib(bare.server.pid);
    row_head("daemon", "bare");
    for (size_t i = 0; i < COUNT_OF(connections); i++) {
        if ((rlim_t)connections[i] * 2 + SPARE_FDS > limit.rlim_cur) {
            printf("(no %ld connections: too few descriptors)\n", connections[i]);
            continue;
        }
        print_memory(&ours, &bare, before_kib, connections[i]);
    }
    holder_release(&ours.holder);
    holder_release(&bare.holder);
    server_stop(&ours.server);
    server_stop(&bare.server);
}
