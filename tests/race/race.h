#ifndef RACE_H
#define RACE_H

/*
 * What the parts of race-helper share. Each command is given the words behind
 * its name, returns an exit code, and says on standard output what happened;
 * trouble that is not what a test looks for ends the process with a line on
 * standard error.
 */

#include "pa_call.h"

#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

enum {
    RACE_USAGE = 100,
    RACE_TIMEOUT_MS = 60000, /* no answer takes so long unless something is broken */
    RACE_WORDS_MAX = 64,
};

/* The commands; race_helper.c says what each does. */
int race_rounds(int count, char **words);
int race_unique(int count, char **words);
int race_forge(int count, char **words);
int race_line(int count, char **words);
int race_latency(int count, char **words);
int race_talk(int count, char **words);

/* Says what could not be done, and why, by errno or by a failure; ends the process with 1. */
noreturn void race_die(const char *what);
noreturn void race_die_of(const char *what, const struct pa_failure *why);

/* A number that a word must be, else the process ends. */
unsigned race_number(const char *word);

/* A client of the manager that the port file names, connected. */
struct pa_call *race_client(void);

/*
 * Connects to a manager: `target` is a port of this host, or a path. `turn`
 * makes the addresses of many connections differ, so that no local port runs
 * out. A blocking descriptor of the caller's.
 */
int race_connect(const char *target, unsigned turn);

/* Sends all of a text; a connection that the other end has given up is legal. */
void race_send(int fd, const char *text);

/* ----------------------------------------------------------------- swarms -- */

/* Zeroed memory that the processes of a swarm share. */
void *race_share(size_t bytes);

/*
 * Runs body(index, context) in `count` processes and waits for all. 0 when each
 * returned 0; else 1, and those that still ran were ended. They end with this
 * process, too.
 */
int race_swarm(unsigned count, int (*body)(unsigned index, void *context), void *context);

#endif
