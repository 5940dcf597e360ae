#ifndef SPOOL_H
#define SPOOL_H

/*
 * A print spooler over Ports IPC, of three programs:
 *
 *   spool-client FOLDER FILE ...                   hands in files to be printed
 *   spool-daemon FOLDER                            prints them, to its standard output
 *   spool-status FOLDER count|reset|stop|delete    looks after the queue
 *
 * A message is one long: the number of a job. Its text is the file NUMBER.job in
 * the spool folder, which is there before the message is sent and until the job
 * is printed. So the folder tells what is to be done, the port in which order
 * and when, and any of the programs may be killed at any time: a new daemon first
 * prints what it finds in the folder, and skips the messages of jobs that are
 * no longer there.
 *
 * Build each with its own source alone: cc -o spool-client spool_client.c -lports
 */

#include <sys/ports.h>

#include <stdio.h>

#define SPOOL_PORT "spool"

enum {
    SPOOL_COUNT = 16, /* jobs that may wait; the next client is blocked */
    SPOOL_STOP = 0,   /* not a job: the daemon is to end */
    SPOOL_NAME_BYTES = 32,
};

/* The port's id, whoever of client and daemon comes first; -1 with errno. */
static inline int spool_port(void)
{
    return pcreate_named(SPOOL_COUNT, SPOOL_PORT, 0, 0600);
}

static inline void spool_name(char name[SPOOL_NAME_BYTES], long number, const char *suffix)
{
    snprintf(name, SPOOL_NAME_BYTES, "%ld.%s", number, suffix);
}

#endif
