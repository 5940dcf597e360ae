/* reserve_options.c - one table of switches, from which both the parser and -help work. */
#include "reserve_options.h"

#include "pa_reserve.h"

#include <stdlib.h>
#include <string.h>

enum { GRACE_MAX_S = 86400 };

struct row {
    const char *name;
    const char *argument; /* NULL: the switch takes no value */
    size_t offset;        /* of a bool, or of a string if there is an argument */
    const char *help;
};

#define AT(member) offsetof(struct reserve_options, member)

static const struct row rows[] = {
    {"d", NULL, AT(debug), "stay in the foreground and say what is reserved and released"},
    {"keep", NULL, AT(keep), "never let go: services bind beside the hold"},
    {"grace", "SECONDS", AT(grace_s),
     "with -keep: a released port waits so long for its service (60)"},
    {"config", "DIR", AT(config), "the files (" RESERVE_OPTIONS_CONFIG ")"},
    {"socket", "PATH", AT(socket), "the socket for requests (" PA_RESERVE_SOCKET ")"},
    {"pidfile", "PATH", AT(pidfile), "the process file (" RESERVE_OPTIONS_PIDFILE ")"},
    {"check", NULL, AT(check), "say what is wrong with the files, and reserve nothing"},
    {"list", NULL, AT(list), "print what the daemon reserves"},
    {"json", NULL, AT(json), "with -list: as JSON"},
    {"help", NULL, AT(help), "print this text"},
    {"version", NULL, AT(version), "print the version"},
};

static int parse_grace(const char *text, unsigned *seconds, char *error, size_t error_size)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && value <= GRACE_MAX_S) {
        *seconds = (unsigned)value;
        return 0;
    }
    snprintf(error, error_size, "-grace takes seconds from 0 to %d, not \"%.100s\"",
             GRACE_MAX_S, text);
    return RESERVE_OPTIONS_E_USAGE;
}

static const struct row *find(const char *word)
{
    if (word[0] != '-')
        return NULL;
    const char *name = word + (word[1] == '-' ? 2 : 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        if (strcmp(name, rows[i].name) == 0)
            return &rows[i];
    return NULL;
}

/* Takes the switch at *words and its value; advances *words behind them. */
static int parse_switch(struct reserve_options *options, char ***words, char *error,
                        size_t error_size)
{
    const char *word = *(*words)++;
    const struct row *row = find(word);
    if (!row) {
        snprintf(error, error_size, "unknown switch \"%.100s\"", word);
        return RESERVE_OPTIONS_E_USAGE;
    }
    char *at = (char *)options + row->offset;
    if (!row->argument) {
        memcpy(at, &(bool){true}, sizeof(bool));
        return 0;
    }
    const char *value = **words;
    if (!value || *value == '\0') {
        snprintf(error, error_size, "-%s lacks its %s", row->name, row->argument);
        return RESERVE_OPTIONS_E_USAGE;
    }
    ++*words;
    if (row->offset == AT(grace_s))
        return parse_grace(value, &options->grace_s, error, error_size);
    memcpy(at, &value, sizeof value);
    return 0;
}

int reserve_options_parse(struct reserve_options *options, char **argv, char *error,
                          size_t error_size)
{
    *options = (struct reserve_options){.grace_s = RESERVE_OPTIONS_GRACE_S,
                                        .config = RESERVE_OPTIONS_CONFIG,
                                        .socket = PA_RESERVE_SOCKET,
                                        .pidfile = RESERVE_OPTIONS_PIDFILE};
    for (char **words = *argv ? argv + 1 : argv; *words;) {
        int r = parse_switch(options, &words, error, error_size);
        if (r != 0)
            return r;
    }
    if (options->check && options->list) {
        snprintf(error, error_size, "-check and -list are two commands");
        return RESERVE_OPTIONS_E_USAGE;
    }
    if (options->json && !options->list) {
        snprintf(error, error_size, "-json is for -list");
        return RESERVE_OPTIONS_E_USAGE;
    }
    return 0;
}

void reserve_options_usage(FILE *stream)
{
    fputs("usage: portreserve ?-d? ?-keep? ?-grace SECONDS? ?-config DIR? ?-socket PATH? "
          "?-pidfile PATH?\n"
          "       portreserve -check ?-config DIR?\n"
          "       portreserve -list ?-json? ?-socket PATH?\n"
          "Holds well-known ports until their services come.\n\n",
          stream);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        const struct row *row = &rows[i];
        char name[32];
        snprintf(name, sizeof name, "-%s %s", row->name, row->argument ? row->argument : "");
        fprintf(stream, "  %-16s %s\n", name, row->help);
    }
    fputs("\nA switch begins with one dash or two. Exit code: 0 done, 1 refused, or -check "
          "found\n"
          "something, 100 wrong usage, 111 the system.\n",
          stream);
}
