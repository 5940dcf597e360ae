#ifndef IDENTIFY_H
#define IDENTIFY_H

/*
 * Finds out who a connection's client is: the kernel proves a number, and a
 * thread turns it into a name, once in a while for each user.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct conn;
struct conns;
struct identification;
TAILQ_HEAD(identifications, identification);

/*
 * Proves to the session who its client is, or that nobody knows. Whether it is
 * done; otherwise conn_resume() is called when it is or, if conn->identification
 * is NULL, memory is short and it never will be.
 */
bool identify_client(struct conn *conn);

/* The user's number alone, at once. False: the kernel does not tell. */
bool identify_uid(struct conn *conn, uid_t *uid);

/* A connection no longer waits for a name, if it did. */
void identify_forget(struct conn *conn);

#endif
