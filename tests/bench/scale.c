/*
 * scale - what grows: the time of an allocation with the ports held, memory with connections.
 *
 * The 50,000 ports reach into the range client sockets come from, so this runs before the rows
 * that leave thousands of sockets in TIME_WAIT there.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/resource.h>

#define OPERATIONS    200 /* allocations in a block; 40 blocks fit beside 50,000 ports */
#define ROUNDS_MAX    40
#define HELD_PER_CONN 100
#define SPARE_FDS     64
#define KIB_LIMIT     2.0
#define WAITING_MAX   2000 /* sockets in TIME_WAIT that leave 50,000 ports free to bind */
#define WAITING_S     70   /* TIME_WAIT lasts 60 s */

struct crowd {
    struct server server;
    struct holder holder;
};

static const long crowd_ports[] = {10, 1000, 50000, 10}; /* the last shows the noise */
static const char *crowd_names[] = {NULL, "allocate, 1,000 held beside 10",
                                    "allocate, 50,000 held beside 10"};

static double allocate_in_crowd(void *context, unsigned side)
{
    struct crowd *crowd = (struct crowd *)context + side;
    double us = block_one(&crowd->server, OP_ALLOCATE, OPERATIONS);

    server_settle(&crowd->server, false);
    return us / OPERATIONS;
}

static void run_crowds(const struct config *config, struct contest *contest)
{
    static struct crowd crowds[COUNT_OF(crowd_ports)];
    unsigned rounds = config->rounds < ROUNDS_MAX ? config->rounds : ROUNDS_MAX;

    for (size_t i = 0; i < COUNT_OF(crowds); i++) {
        server_start_daemon(&crowds[i].server, config, WIDE_PORTS_LOW, WIDE_PORTS_HIGH);
        holder_hold(&crowds[i].holder, &crowds[i].server, crowd_ports[i], HELD_PER_CONN);
    }
    for (unsigned round = 0; round < rounds; round++) {
        contest_round(contest, allocate_in_crowd, crowds, round);
    }
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

static void run_placed_crowds(const struct config *config)
{
    struct contest contest = {.sides = COUNT_OF(crowd_ports)};

    run_crowds(config, &contest);
    for (unsigned side = 1; side <= 2; side++) {
        struct row row = {
            .name = crowd_names[side],
            .unit = "us",
            .left_name = "many held",
            .right_name = "10 held",
            .limit = side == 2 ? 1.20 : LIMIT_NONE,
        };

        contest_judge(&contest, side, 0, 3, &row);
        row_print(&row);
    }
    contest_deinit(&contest);
}

void measure_scale(const struct config *config)
{
    if (!config_selects(config, crowd_names[1]) && !config_selects(config, crowd_names[2])) {
        return;
    }
    if (!wait_for_ports(!config->quick)) {
        return;
    }
    row_head("many held", "10 held");
    for (enum placement p = config->first_placement; p <= config->last_placement; p++) {
        proc_place(p);
        run_placed_crowds(config);
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
