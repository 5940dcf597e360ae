/*
 * load - the benchmark: the daemon beside a bare server, in one run.
 *
 *   bench ?options? DAEMON BARE ?TCLSH PKGDIR?
 *
 * Every number is the mean of a short block; blocks of the sides alternate, and the ratio is
 * the median over the pairs. Exit status: 0 done, whatever the ratios; 1 a server broke its
 * word; 100 usage; 111 the system refused something.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ROUNDS       45
#define QUICK_ROUNDS 9
#define ROUNDS_MOST  10000

enum option_kind {
    OPT_ROUNDS,
    OPT_QUICK,
    OPT_ONLY,
    OPT_JSON,
    OPT_PIN,
    OPT_PIN2,
    OPT_WITH,
    OPT_SCRIPT
};

static const struct option {
    const char *name;
    enum option_kind kind;
    const char *value; /* what follows it, or NULL */
    const char *help;
} options[] = {
    {"-rounds", OPT_ROUNDS, "N", "interleaved blocks of each side in a row"},
    {"-quick", OPT_QUICK, NULL, "few rounds"},
    {"-only", OPT_ONLY, "GLOB", "rows whose name contains it"},
    {"-json", OPT_JSON, "FILE", "write the rows there too"},
    {"-pin", OPT_PIN, NULL, "all rows with load generator and servers on one core, and once"},
    {"-pin2", OPT_PIN2, NULL, "the same with a core for each"},
    {"-with", OPT_WITH, "WORD", "a further argument of the daemon; may be repeated"},
    {"-script", OPT_SCRIPT, "FILE", "client.tcl; else beside this program or in tests/bench"},
};

static _Noreturn void usage(const char *what)
{
    fprintf(stderr, "bench: %s\nusage: bench ?options? DAEMON BARE ?TCLSH PKGDIR?\n", what);
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const char *value = options[i].value != NULL ? options[i].value : "";

        fprintf(stderr, "  %-7s %-4s  %s\n", options[i].name, value, options[i].help);
    }
    exit(100);
}

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    usage("unknown option");
}

static unsigned parse_rounds(const char *text)
{
    char *end;
    long rounds = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || rounds < 1 || rounds > ROUNDS_MOST) {
        usage("-rounds takes a number from 1 to 10000");
    }
    return (unsigned)rounds;
}

static void set_option(struct config *config, enum option_kind kind, const char *value)
{
    switch (kind) {
    case OPT_ROUNDS:
        config->rounds = parse_rounds(value);
        break;
    case OPT_QUICK:
        config->quick = true;
        break;
    case OPT_ONLY:
        config->only = value;
        break;
    case OPT_JSON:
        config->json = value;
        break;
    case OPT_PIN:
        config->first_placement = config->last_placement = PLACE_ONE;
        break;
    case OPT_PIN2:
        config->first_placement = config->last_placement = PLACE_TWO;
        break;
    case OPT_WITH:
        if (config->with_count == WITH_MAX) {
            usage("too many -with");
        }
        config->with[config->with_count++] = value;
        break;
    case OPT_SCRIPT:
        config->script = value;
        break;
    }
}

static const char *find_script(const char *program)
{
    static char beside[4096];
    const char *slash = strrchr(program, '/');
    int folder = slash == NULL ? 0 : (int)(slash - program) + 1;

    snprintf(beside, sizeof(beside), "%.*sclient.tcl", folder, program);
    return access(beside, R_OK) == 0 ? beside : "tests/bench/client.tcl";
}

static void parse(struct config *config, int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const struct option *option = find_option(argv[i]);

        if (option->value != NULL && ++i == argc) {
            usage("an option lacks its value");
        }
        set_option(config, option->kind, argv[i]);
    }
    if (argc - i != 2 && argc - i != 4) {
        usage("two or four arguments are needed");
    }
    config->daemon = argv[i];
    config->bare = argv[i + 1];
    if (argc - i == 4) {
        config->tclsh = argv[i + 2];
        config->pkgdir = argv[i + 3];
    }
    if (config->rounds == 0) {
        config->rounds = config->quick ? QUICK_ROUNDS : ROUNDS;
    }
    if (config->script == NULL) {
        config->script = find_script(argv[0]);
    }
    if (config->tclsh != NULL && access(config->script, R_OK) != 0) {
        usage("client.tcl is not to be found: give -script");
    }
}

static void describe(char *machine, size_t size, const struct config *config)
{
    struct utsname system;

    uname(&system);
    snprintf(machine, size, "%u cores, %s %s %s, %u rounds", proc_cores(), system.sysname,
             system.release, system.machine, config->rounds);
}

int main(int argc, char **argv)
{
    struct config config = {.first_placement = PLACE_FREE, .last_placement = PLACE_TWO};
    char machine[512];
    double begun_us = now_us();

    parse(&config, argc, argv);
    proc_init();
    if (config.first_placement == PLACE_FREE && proc_cores() < 2) {
        config.last_placement = PLACE_ONE;
    }
    proc_place(config.first_placement);
    describe(machine, sizeof(machine), &config);
    printf("%s\n", machine);
    measure_scale(&config);
    measure_memory(&config);
    measure_pairs(&config);
    measure_protocol2(&config);
    measure_fanout(&config);
    measure_tcl(&config);
    printf("\n%.0f s\n", (now_us() - begun_us) / 1e6);
    if (config.json != NULL && rows_write_json(config.json, machine) != 0) {
        system_failed("%s", config.json);
    }
    rows_deinit();
    return 0;
}
