#ifndef PA_DIAL_H
#define PA_DIAL_H

/*
 * Connecting to a port manager without ever blocking: the socket in the file
 * system first, if there is one, else TCP, the addresses of a name one after the
 * other, each with its share of the time that is left.
 *
 * pa_dial_begin(), then pa_dial_step() at first and whenever what `wait` says
 * has come, until it returns something else than PA_DIAL_WAIT.
 */

#include "pa_failure.h"
#include "pa_lookup.h"
#include "pa_socket.h"

#include <stdbool.h>
#include <stddef.h>

enum { PA_DIAL_WAIT = PA_ERROR_COUNT + 1 }; /* for what `wait` says */

struct pa_dial {
    struct pa_wait wait;
    bool is_unix; /* connected through the file system */

    const char *host; /* the caller's */
    int port;
    const char *path; /* the caller's; "" when it is not or no longer of use */
    struct pa_deadline deadline;
    struct pa_lookup *lookup; /* NULL: not under way */
    struct pa_addresses addresses;
    size_t next;       /* address to try */
    int last;          /* why no connection came of those before: -errno, PA_SOCKET_TIMEOUT */
    int fd;            /* -1: none */
    bool is_connected; /* fd */
};

/*
 * Begins to connect to `host` (as pa_lookup_begin() has it), by the socket
 * `path` in the file system if that is not "" and root or the caller listens
 * there, else to TCP port `port`. `host` and `path` are to live as long as the
 * dial. 0, or PA_E_CONNECT with *why filled in: the port is none; either way
 * pa_dial_deinit() is due.
 */
int pa_dial_begin(struct pa_dial *dial, const char *host, int port, const char *path,
                  const struct pa_deadline *deadline, struct pa_failure *why);

/*
 * Goes on. 0: connected, pa_dial_take() is due. PA_DIAL_WAIT. PA_E_RESOLVE,
 * PA_E_CONNECT, PA_E_TIMEOUT or PA_E_CLIENT_MEMORY with *why filled in.
 */
int pa_dial_step(struct pa_dial *dial, struct pa_failure *why);

/* The connection, non-blocking and close-on-exec; the caller's from now on. */
int pa_dial_take(struct pa_dial *dial);

/* Gives up what is under way. May be called twice. */
void pa_dial_deinit(struct pa_dial *dial);

#endif
