#ifndef CTL_LAUNCH_H
#define CTL_LAUNCH_H

/*
 * A command that is started with ports: what is in its environment, its
 * arguments and its descriptors.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ctl_launch {
    char **command;  /* a name and arguments, ended by NULL */
    uint16_t *ports; /* `count` of them; owned by who fills them in, as all here */
    size_t count;
    int *fds;      /* sockets, one for each port; NULL: none are passed on */
    char *fdnames; /* as LISTEN_FDNAMES has them; NULL without sockets */
};

/*
 * Whether every {portN} in the arguments is one of the `count` ports: NULL, else
 * the argument that has another.
 */
const char *ctl_launch_check(char *const *arguments, size_t count);

/*
 * Starts the command as a child, with the signal mask that is given, and closes the
 * sockets here. In the child a failure to execute it is complained of, and its status
 * is EXIT_NO_EXEC or EXIT_NO_COMMAND. Returns the child, or -1 with errno.
 */
pid_t ctl_launch_start(struct ctl_launch *launch, const sigset_t *mask);

#endif
