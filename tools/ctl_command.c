/* The sub-commands of portctl: their names, and what -help says. */

#include "ctl_command.h"

#include <string.h>

static const struct {
    const char *name;
    const char *words;
    const char *does;
    ctl_function *function;
} commands[] = {
    {"list", "?-json?", "the ports that were given out", ctl_list},
    {"find", "?-name P? ?-user P? ?-json?", "those whose name and user match", ctl_find},
    {"watch", "?-name P? ?-user P? ?-json? ?-count N?",
     "the same, and each change as it happens", ctl_watch},
    {"why", "PORT ?-json?", "who has a port, and what is in the way", ctl_why},
    {"stats", "?-json?", "how the port manager fares", ctl_stats},
    {"ping", "?-json?", "whether it answers, and how fast", ctl_ping},
    {"doctor", "?-json?", "what is wrong, and what to do about it", ctl_doctor},
    {"run", "NAME ?-count N? ?-listen? ?-unique? ?-wait MS? -- COMMAND ?ARG...?",
     "runs a command with ports of its own", ctl_run},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const char options_text[] =
    "\n"
    "  -host H      the port manager's host (localhost)\n"
    "  -port N      its port (the one in the port file, else 30000)\n"
    "  -timeout MS  how many milliseconds to wait at most (5000)\n"
    "  -json        print a JSON array of objects; watch: an object a line\n"
    "  -name P      only names that match the pattern\n"
    "  -user P      only users that match the pattern\n"
    "  -count N     so many ports (1); watch: end after so many changes\n"
    "  -listen      pass sockets that listen, see sd_listen_fds(3)\n"
    "  -unique      be the only one of that name and user\n"
    "  -wait MS     stand in line so long while no port is free\n"
    "  -help        print this text\n"
    "  -version     print the version\n"
    "  --           no option follows\n"
    "\n"
    "COMMAND has the first port in PORT and all of them in PORTS; {port}, {port1}, {port2}\n"
    "in an ARG become numbers of ports. -host, -port and -timeout stand before the\n"
    "sub-command, other options behind it. An option begins with one dash or two. Exit\n"
    "code: 0 done, 1 refused or not found, 100 wrong usage, 111 no answer, or another\n"
    "failure of the system; of run that of COMMAND, 128 + N if signal N ended it, 126 it\n"
    "cannot be executed, 127 it was not found.\n";

/* The number of the sub-command that was called; COMMANDS: none yet. */
static size_t called = COMMANDS;

ctl_function *ctl_command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; ++i) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
        called = i;
        return commands[i].function;
    }
    return NULL;
}

static void print_head(FILE *out)
{
    fputs("usage: portctl ?-host H? ?-port N? ?-timeout MS? ", out);
}

void ctl_print_usage(FILE *out)
{
    print_head(out);
    if (called < COMMANDS) {
        fprintf(out, "%s %s\n", commands[called].name, commands[called].words);
        return;
    }
    for (size_t i = 0; i < COMMANDS; ++i)
        fprintf(out, "%s%s", i == 0 ? "" : "|", commands[i].name);
    fputs(" ?ARG...?\n", out);
}

void ctl_print_help(FILE *out)
{
    print_head(out);
    fputs("SUB-COMMAND, which is one of\n", out);
    for (size_t i = 0; i < COMMANDS; ++i)
        fprintf(out, "       %s %s\n", commands[i].name, commands[i].words);
    fputc('\n', out);
    for (size_t i = 0; i < COMMANDS; ++i)
        fprintf(out, "  %-11s  %s\n", commands[i].name, commands[i].does);
    fputs(options_text, out);
}
