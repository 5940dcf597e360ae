/* reserve_list.h - what portreserve -list prints. */
#ifndef RESERVE_LIST_H
#define RESERVE_LIST_H

#include <stdbool.h>

enum { RESERVE_LIST_TIMEOUT_MS = 5000 };

/*
 * Asks the daemon at `socket` for its ports, looks which process has a socket on
 * each of them, and prints a table, or JSON. Of processes that the caller may
 * not look into nothing is known.
 *
 * Returns the exit code; what went wrong is on standard error.
 */
int reserve_list(const char *socket, bool json);

#endif
