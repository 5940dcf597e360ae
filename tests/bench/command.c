/*
 * command - the command line of the benchmarks that need no more than these options.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void usage(const struct command *command, const char *what)
{
    fprintf(stderr,
            "%s: %s\nusage: %s ?options?%s%s\n"
            "  -rounds N     interleaved blocks of each side in a row, up to %u\n"
            "  -quick        few rounds\n"
            "  -only   GLOB  rows whose name contains it\n"
            "  -json   FILE  write the rows there too\n",
            command->program, what, command->program, command->operand != NULL ? " " : "",
            command->operand != NULL ? command->operand : "", command->rounds_most);
    exit(100);
}

static unsigned parse_rounds(const struct command *command, const char *text)
{
    char *end;
    long rounds = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || rounds < 1 || rounds > command->rounds_most) {
        usage(command, "-rounds takes a number from 1 on");
    }
    return (unsigned)rounds;
}

const char *command_parse(const struct command *command, struct config *config, int argc,
                          char **argv)
{
    int operands = command->operand != NULL ? 1 : 0;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *name = argv[i];

        if (strcmp(name, "-quick") == 0) {
            config->quick = true;
            continue;
        }
        if (++i == argc) {
            usage(command, "an unknown option, or one that lacks its value");
        }
        if (strcmp(name, "-rounds") == 0) {
            config->rounds = parse_rounds(command, argv[i]);
        } else if (strcmp(name, "-only") == 0) {
            config->only = argv[i];
        } else if (strcmp(name, "-json") == 0) {
            config->json = argv[i];
        } else {
            usage(command, "unknown option");
        }
    }
    if (argc - i != operands) {
        usage(command, "too few or too many words");
    }
    if (config->rounds == 0) {
        config->rounds = config->quick ? command->quick_rounds : command->rounds;
    }
    return operands > 0 ? argv[i] : NULL;
}
