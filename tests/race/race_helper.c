/*
 * Races for ports, each as its first argument says:
 *
 *     rounds hold|plain|listen CLIENTS ROUNDS THIEVES LOW HIGH ?lingering?
 *         clients allocate a port, start a server on it, stop it and release it, while
 *         thieves ask the kernel for ports; says how often a server could not bind.
 *         Lingering: what the servers close stays in TIME_WAIT
 *     unique CLIENTS ROUNDS
 *         clients ask for the only port of one name at the same time
 *     forge TARGET COUNT SEED
 *         connections that claim to be root's and end at once, in one way or another
 *     line TARGET COUNT REQUEST...
 *         so many connections that send requests in turn, and wait; says "ready" when all
 *         have been said HELLO to, and how many were answered when standard input ends
 *     latency PORTFILE PORTFILE COUNT
 *         how long ALLOCATE and RELEASE take, of two managers in turn
 *     talk TARGET LINE...
 *         sends lines, and shows all that is answered
 *
 * TARGET is a port of this host or the path of a socket. A manager that is not told is the one
 * that the port file names. Exit code: 0; 1 in trouble; 100 when the arguments make no sense.
 */

#include "race.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIFE_S = 1800 }; /* should it be forgotten */

static const struct {
    const char *name;
    int (*run)(int count, char **words);
} commands[] = {
    {"rounds", race_rounds}, {"unique", race_unique},   {"forge", race_forge},
    {"line", race_line},     {"latency", race_latency}, {"talk", race_talk},
};

int main(int argc, char **argv)
{
    int r = RACE_USAGE;
    alarm(LIFE_S);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; ++i)
        if (strcmp(argv[1], commands[i].name) == 0)
            r = commands[i].run(argc - 2, argv + 2);
    if (r == RACE_USAGE)
        fprintf(stderr, "race-helper: wrong arguments\n");
    return r;
}
