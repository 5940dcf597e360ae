#ifndef TOOL_H
#define TOOL_H

/*
 * What the command-line tools have in common: options, complaints, exit codes.
 *
 * An option begins with one dash or two; `--` says that none follows. Complaints go to
 * standard error, one line each behind the tool's name; what others chose in them shows
 * as pa_show() has it.
 */

#include "pa_failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* by who was asked; or nothing was found */
    EXIT_USAGE = 100,
    EXIT_SYSTEM = 111,  /* no connection, no answer, no memory, no room for the output */
    EXIT_NO_EXEC = 126, /* a command cannot be executed */
    EXIT_NO_COMMAND = 127,
};

/* The tool's name, and what prints how it is used. To be said first. */
void tool_is(const char *name, void (*print_usage)(FILE *out));

/* ---------------------------------------------------------------- words -- */

/* An option: sets a flag, a number from `min` to `max`, a text that is UTF-8, or one of any
 * bytes, a path. Texts are not empty. */
struct tool_option {
    const char *name; /* without its dash; NULL ends a table */
    bool *flag;
    int *number;
    const char **text;
    const char **path;
    int min;
    int max;
};

/* Whether the word is an option, or `--`: a dash alone is not. */
bool tool_is_option(const char *word);

/*
 * Takes the option *words and its value; advances *words behind them. EXIT_DONE
 * or, with a complaint, EXIT_USAGE.
 */
int tool_take_option(const struct tool_option *table, char ***words);

/* Takes a number in decimal from `min` to `max`. Whether it is one. */
bool tool_take_number(const char *word, int min, int max, int *number);

/* ----------------------------------------------------------- complaints -- */

/* `TOOL: subject: text`; `subject` may be NULL. */
void tool_complain(const char *subject, const char *text);

/* The complaint, the word it is about (NULL: none), and how the tool is used. EXIT_USAGE. */
int tool_fail_usage(const char *complaint, const char *word);

/* EXIT_SYSTEM. */
int tool_fail_memory(void);

/* A call to the manager at `place` failed. EXIT_REFUSED if that refused, else EXIT_SYSTEM. */
int tool_fail_call(const char *place, const struct pa_failure *why);

/* --------------------------------------------------------------- output -- */

/* Closes standard output: `code` if all has got through, else EXIT_SYSTEM with a complaint. */
int tool_close_output(int code);

#endif
