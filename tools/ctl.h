#ifndef CTL_H
#define CTL_H

/*
 * What the sub-commands of portctl have in common: whom to ask, options,
 * complaints, exit codes.
 */

#include "pa_call.h"

#include <stdbool.h>
#include <stddef.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* by the manager; or nothing was found */
    EXIT_USAGE = 100,
    EXIT_SYSTEM = 111,  /* no connection, no answer, no memory, no room for the output */
    EXIT_NO_EXEC = 126, /* the command cannot be executed */
    EXIT_NO_COMMAND = 127,
};

struct ctl {
    const char *host; /* static, or a word of the command line */
    int port;         /* 0: what the port file says */
    int timeout_ms;
    bool json;
    struct pa_call *call; /* the owner is main() */
};

/* ---------------------------------------------------------------- words -- */

/* An option: sets a flag, a number from `min` to `max`, or a text that is UTF-8. */
struct ctl_option {
    const char *name; /* without its dash; NULL ends a table */
    bool *flag;
    int *number;
    const char **text;
    int min;
    int max;
};

/* Words that are no options. */
struct ctl_operands {
    const char *first; /* NULL: none */
    char **behind;     /* what follows `--`, ended by NULL; NULL: there was no `--` */
};

/*
 * Takes the option *words and its value; advances *words behind them. EXIT_DONE
 * or, with a complaint on standard error, EXIT_USAGE.
 */
int ctl_take_option(const struct ctl_option *table, char ***words);

/*
 * Takes all words of a sub-command, of which at most `max` (0 or 1) may be no
 * options before `--`. EXIT_DONE, or EXIT_USAGE with a complaint.
 */
int ctl_take_words(const struct ctl_option *table, char **words, size_t max,
                   struct ctl_operands *operands);

/* The same for a sub-command that has no words but its options. */
int ctl_take_options(const struct ctl_option *table, char **words);

/* Takes a number in decimal from `min` to `max`. Whether it is one. */
bool ctl_take_number(const char *word, int min, int max, int *number);

/* ----------------------------------------------------------- complaints -- */

/* One line on standard error, `portctl: subject: text`; `subject` may be NULL. */
void ctl_complain(const char *subject, const char *text);

/* The complaint, the word it is about, and how portctl is used. EXIT_USAGE. */
int ctl_fail_usage(const char *complaint, const char *word);

/* EXIT_SYSTEM. */
int ctl_fail_memory(void);

/* EXIT_REFUSED if the manager refused, else EXIT_SYSTEM. */
int ctl_fail_call(const struct ctl *ctl, const struct pa_failure *why);

/* Whether the manager is on this host, by the name that it was given. */
bool ctl_is_here(const struct ctl *ctl);

#endif
