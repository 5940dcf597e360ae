#ifndef CTL_H
#define CTL_H

/*
 * What the sub-commands of portctl have in common: whom to ask, and their words.
 */

#include "pa_call.h"
#include "tool.h"

#include <stdbool.h>
#include <stddef.h>

struct ctl {
    const char *host; /* static, or a word of the command line */
    int port;         /* 0: what the port file says */
    int timeout_ms;
    bool json;
    struct pa_call *call; /* the owner is main() */
};

/* ---------------------------------------------------------------- words -- */

/* Words that are no options. */
struct ctl_operands {
    const char *first; /* NULL: none */
    char **behind;     /* what follows `--`, ended by NULL; NULL: there was no `--` */
};

/*
 * Takes all words of a sub-command, of which at most `max` (0 or 1) may be no
 * options before `--`. EXIT_DONE, or EXIT_USAGE with a complaint.
 */
int ctl_take_words(const struct tool_option *table, char **words, size_t max,
                   struct ctl_operands *operands);

/* The same for a sub-command that has no words but its options. */
int ctl_take_options(const struct tool_option *table, char **words);

/* -------------------------------------------------------------- manager -- */

enum { CTL_PLACE_BYTES = 300 }; /* of pa_call_place(): a host's name has 253 at most */

/* EXIT_REFUSED if the manager refused, else EXIT_SYSTEM. */
int ctl_fail_call(const struct ctl *ctl, const struct pa_failure *why);

/* Whether the manager is on this host, by the name that it was given. */
bool ctl_is_here(const struct ctl *ctl);

#endif
