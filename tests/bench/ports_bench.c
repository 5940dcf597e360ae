/*
 * ports_bench - the benchmark of Ports IPC: ports beside other queues, in one run.
 *
 *   ports-bench ?options?
 *
 * Short blocks of the sides alternate; a ratio is one of medians, its quartiles are those of
 * the pairs. Every message that comes is checked. Exit status: 0 done, whatever the ratios; 1 a
 * wrong message or a worker that died; 100 usage; 111 the system refused something.
 *
 * On a machine that does other work, `chrt -f 1 ports-bench` keeps that off the two cores; but
 * the rows of one core are then those of real-time processes.
 */
#include "ports_bench.h"
#include "ports_bench_kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ROUNDS       25
#define QUICK_ROUNDS 5
#define ROUNDS_MOST  1000

#define REPEATS_S       60 /* for samples thrown away */
#define QUICK_REPEATS_S 10

static const struct command command = {
    .program = "ports-bench",
    .rounds = ROUNDS,
    .quick_rounds = QUICK_ROUNDS,
    .rounds_most = ROUNDS_MOST,
};

static void describe(char *machine, size_t size, const struct config *config)
{
    struct utsname system;

    uname(&system);
    snprintf(machine, size, "%ld cores, %s %s %s, %s, %u rounds", sysconf(_SC_NPROCESSORS_ONLN),
             system.sysname, system.release, system.machine,
             rig_has_two_cores() ? "two of them used" : "one of them used", config->rounds);
}

int main(int argc, char **argv)
{
    struct config config = {0};
    char machine[512];
    double begun_us = now_us();

    command_parse(&command, &config, argc, argv);
    proc_init();
    kernel_queues_init();
    rig_init(config.quick ? QUICK_REPEATS_S : REPEATS_S);
    kinds_init();
    describe(machine, sizeof(machine), &config);
    printf("%s\n", machine);
    measure_flow(&config);
    measure_calls(&config);
    measure_delivery(&config);
    printf("\n%.0f s\n", (now_us() - begun_us) / 1e6);
    if (config.json != NULL && rows_write_json(config.json, machine) != 0) {
        system_failed("%s", config.json);
    }
    rows_deinit();
    return 0;
}
