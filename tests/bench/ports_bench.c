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

static _Noreturn void usage(const char *what)
{
    fprintf(stderr,
            "ports-bench: %s\nusage: ports-bench ?options?\n"
            "  -rounds N     interleaved blocks of each side in a row\n"
            "  -quick        few rounds\n"
            "  -only   GLOB  rows whose name contains it\n"
            "  -json   FILE  write the rows there too\n",
            what);
    exit(100);
}

static unsigned parse_rounds(const char *text)
{
    char *end;
    long rounds = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || rounds < 1 || rounds > ROUNDS_MOST) {
        usage("-rounds takes a number from 1 to 1000");
    }
    return (unsigned)rounds;
}

static void parse(struct config *config, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];

        if (strcmp(name, "-quick") == 0) {
            config->quick = true;
            continue;
        }
        if (++i == argc) {
            usage("an unknown option, or one that lacks its value");
        }
        if (strcmp(name, "-rounds") == 0) {
            config->rounds = parse_rounds(argv[i]);
        } else if (strcmp(name, "-only") == 0) {
            config->only = argv[i];
        } else if (strcmp(name, "-json") == 0) {
            config->json = argv[i];
        } else {
            usage("unknown option");
        }
    }
    if (config->rounds == 0) {
        config->rounds = config->quick ? QUICK_ROUNDS : ROUNDS;
    }
}

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

    parse(&config, argc, argv);
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
