/*
 * ports_bench_calls - what it costs to make, name, find and delete a port, beside the cheapest
 * system call.
 */
#include "ports_bench.h"

#include <stdio.h>
#include <sys/ports.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PORTS_AT_ONCE 32
#define PORT_COUNT    16   /* messages */
#define LOOK_UPS      200  /* pgetport in a sample */
#define PLAIN_CALLS   5000 /* getppid in a sample */

static void create_all(int *ids)
{
    for (int i = 0; i < PORTS_AT_ONCE; i++) {
        ids[i] = pcreate(PORT_COUNT);
        worker_check(ids[i] > 0, "pcreate");
    }
}

static void bind_all(const int *ids)
{
    for (int i = 0; i < PORTS_AT_ONCE; i++) {
        char name[PORTS_NAME_MAX];

        snprintf(name, sizeof(name), "bench %d", i);
        worker_check(pbind(ids[i], name) == 0, "pbind");
    }
}

static void delete_all(const int *ids)
{
    for (int i = 0; i < PORTS_AT_ONCE; i++) {
        worker_check(pdelete(ids[i], NULL) == 0, "pdelete");
    }
}

static uint64_t time_create(void)
{
    int ids[PORTS_AT_ONCE];
    uint64_t begun_ns = now_ns();
    uint64_t ended_ns;

    create_all(ids);
    ended_ns = now_ns();
    delete_all(ids);
    return (ended_ns - begun_ns) / PORTS_AT_ONCE;
}

static uint64_t time_bind(void)
{
    int ids[PORTS_AT_ONCE];
    uint64_t begun_ns;
    uint64_t ended_ns;

    create_all(ids);
    begun_ns = now_ns();
    bind_all(ids);
    ended_ns = now_ns();
    delete_all(ids);
    return (ended_ns - begun_ns) / PORTS_AT_ONCE;
}

static uint64_t time_look_up(void)
{
    int ids[PORTS_AT_ONCE];
    uint64_t begun_ns;
    uint64_t ended_ns;

    create_all(ids);
    bind_all(ids);
    begun_ns = now_ns();
    for (int i = 0; i < LOOK_UPS; i++) {
        int id = pgetport("bench 7");

        if (id != ids[7]) {
            worker_failed("pgetport gave %d instead of %d", id, ids[7]);
        }
    }
    ended_ns = now_ns();
    delete_all(ids);
    return (ended_ns - begun_ns) / LOOK_UPS;
}

/* The ports have no name: as pcreate made them. */
static uint64_t time_delete(void)
{
    int ids[PORTS_AT_ONCE];
    uint64_t begun_ns;

    create_all(ids);
    begun_ns = now_ns();
    delete_all(ids);
    return (now_ns() - begun_ns) / PORTS_AT_ONCE;
}

static uint64_t time_plain(void)
{
    uint64_t begun_ns = now_ns();

    for (int i = 0; i < PLAIN_CALLS; i++) {
        syscall(SYS_getppid);
    }
    return (now_ns() - begun_ns) / PLAIN_CALLS;
}

static const struct call {
    const char *name;
    uint64_t (*time)(void); /* ns for one */
    double limit;           /* us */
} calls[] = {
    {"getppid", time_plain, LIMIT_NONE}, {"pcreate", time_create, 60},
    {"pbind", time_bind, LIMIT_NONE},    {"pgetport", time_look_up, 5},
    {"pdelete", time_delete, 60},
};

static unsigned present; /* of calls: that of the present sample */

static void work(void *unused, unsigned worker)
{
    (void)unused;
    (void)worker;
    calls[present].time(); /* the first use of the library, and of the folder */
    worker_clock_starts();
    worker_report()->spent_ns = calls[present].time();
    worker_clock_stops();
}

static double run_side(void *unused, unsigned side)
{
    present = side;
    rig_run(1, PLACE_ONE, work, unused);
    return (double)rig_report(0)->spent_ns / 1e3;
}

static void print_row(const struct contest *contest, unsigned side,
                      const struct canaries *canaries)
{
    struct row row = {
        .placement = placement_words(PLACE_ONE),
        .name = calls[side].name,
        .unit = "us",
        .left_name = calls[side].name,
        .right_name = calls[0].name,
        .limit = calls[side].limit,
        .note = canaries_text(canaries),
    };

    contest_compare(contest, side, 0, &row);
    row.judged = row.left;
    row_print(&row);
}

void measure_calls(const struct config *config)
{
    struct contest contest = {.sides = COUNT_OF(calls)};
    struct canaries canaries = {0};
    bool any = false;

    for (unsigned i = 1; i < COUNT_OF(calls); i++) {
        any = any || config_selects(config, calls[i].name);
    }
    if (!any) {
        return;
    }
    rig_contest(&contest, run_side, NULL, config->rounds, &canaries);
    row_head("ports", calls[0].name);
    for (unsigned i = 1; i < COUNT_OF(calls); i++) {
        if (config_selects(config, calls[i].name)) {
            print_row(&contest, i, &canaries);
        }
    }
    contest_deinit(&contest);
}
