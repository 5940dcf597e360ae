#ifndef CHILD_H
#define CHILD_H

/* A process of a test's that does nothing, and ends with the test at the latest. */

#include <sys/types.h>

/* Its pid. */
pid_t child_start(void);

/* Kills it and waits for it. */
void child_end(pid_t pid);

#endif
