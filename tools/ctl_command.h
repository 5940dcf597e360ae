#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

/*
 * The sub-commands of portctl.
 */

#include "ctl.h"

#include <stdio.h>

/*
 * A sub-command: takes the words behind its name, prints what there is to say,
 * and returns an enum exit_code; of ctl_run(), the status of the command.
 */
typedef int ctl_function(struct ctl *ctl, char **words);

ctl_function ctl_list;
ctl_function ctl_find;
ctl_function ctl_stats;
ctl_function ctl_ping;
ctl_function ctl_run;
ctl_function ctl_watch;
ctl_function ctl_why;
ctl_function ctl_doctor;

/* The sub-command of that name, which is called then; NULL: there is none. */
ctl_function *ctl_command_find(const char *name);

/* One line: how the sub-command that is called, or portctl, is used. */
void ctl_print_usage(FILE *out);

/* How all are used, with explanations of sub-commands and options. */
void ctl_print_help(FILE *out);

#endif
