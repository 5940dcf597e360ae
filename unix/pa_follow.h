#ifndef PA_FOLLOW_H
#define PA_FOLLOW_H

/*
 * Watching who has which port, across restarts of the manager and never
 * blocking: pa_watch on a connection of its own.
 *
 * A manager that does not know WATCH is asked for its list every
 * PA_FOLLOW_POLL_MS. When the manager is not there, or goes, that is told once;
 * it is tried again after a while, which grows from PA_FOLLOW_FIRST_MS to
 * PA_FOLLOW_LONGEST_MS, and when it is back the next event is a snapshot.
 *
 * pa_follow_step() at first and whenever what pa_follow_wait() says has come.
 * Not thread-safe: one thread at a time.
 */

#include "pa_failure.h"
#include "pa_socket.h"
#include "pa_watch.h"

#include <stdint.h>

enum { PA_FOLLOW_WAIT = PA_ERROR_COUNT + 1 };

enum {
    PA_FOLLOW_POLL_MS = 1000,
    PA_FOLLOW_FIRST_MS = 100,
    PA_FOLLOW_LONGEST_MS = 10000,
};

struct pa_follow;

/*
 * Begins to watch the manager on `host` and `port`, as pa_call_new() has them,
 * for ports whose name and user match the patterns of pa_match() (NULL: any).
 * `timeout_ms` is the time that connecting and the first answer may take
 * together. 0 with *made the caller's; PA_E_CONTROL_CHARACTER,
 * PA_E_NOT_A_CHARACTER or PA_E_CLIENT_MEMORY with *why filled in.
 */
int pa_follow_new(struct pa_follow **made, const char *host, int port, const char *name_pattern,
                  const char *user_pattern, int timeout_ms, struct pa_failure *why);

/* Sets how long an old manager is left alone between two lists, instead of PA_FOLLOW_POLL_MS.
 */
void pa_follow_set_poll(struct pa_follow *follow, int poll_ms);

/* Closes the connection and frees it. NULL is legal; returns NULL. */
struct pa_follow *pa_follow_free(struct pa_follow *follow);

/* Whether pa_follow_step() asks the manager for its list now and then. */
bool pa_follow_polls(const struct pa_follow *follow);

/*
 * Goes on, without blocking and not for long: it receives 64 KiB at most. 0 with *event, which
 * is the caller's to deinit; more may be there already. PA_FOLLOW_WAIT. Any other enum pa_error
 * with *why filled in: there is no manager, since just now; the next thing that is not
 * PA_FOLLOW_WAIT is a snapshot.
 */
int pa_follow_step(struct pa_follow *follow, struct pa_watch_event *event,
                   struct pa_failure *why);

/*
 * As if the connection had failed, for who cannot wait for it. Whether that is
 * news, as an error of pa_follow_step() would be.
 */
bool pa_follow_break(struct pa_follow *follow);

/* What it waits for, behind PA_FOLLOW_WAIT. */
const struct pa_wait *pa_follow_wait(const struct pa_follow *follow);

/*
 * How long to wait in ms before the manager is tried again, after so many
 * `failures` in a row, 1 or more: between half and the whole of a time that doubles. `random`
 * is any number; so that not all clients come back at once.
 */
int pa_follow_pause_ms(unsigned failures, uint32_t random);

#endif
