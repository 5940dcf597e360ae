#ifndef PA_RELEASE_H
#define PA_RELEASE_H

/*
 * A client's calls to portreserve(1): to release ports, to take sockets on them, to
 * list them. Each connects to the stream socket beside `path`, asks, receives the
 * answer, and closes, all of that until the deadline.
 *
 * The portreserve that others have installed has the datagram socket `path` alone. It
 * is sent the name to release; the other two calls fail.
 *
 * Descriptors are close-on-exec. SIGPIPE is never raised, EINTR never returned.
 *
 * portreserve(1) -list is one call:
 *
 *     struct pa_deadline deadline = pa_deadline_in(timeout_ms);
 *     struct pa_release_reply reply = PA_RELEASE_REPLY_NULL;
 *     struct pa_release_failure failure = {""};
 *     if (pa_release_list(path, &deadline, &reply, &failure) != 0)
 *         complain(failure.text);
 *     const char *string = reply.strings;
 *     for (size_t i = 0; i < reply.count; ++i, string = pa_reserve_next(string))
 *         print(i % PA_RESERVE_COLUMNS, string);
 *     pa_release_reply_deinit(&reply);
 */

#include "pa_buf.h"
#include "pa_socket.h"

#include <stddef.h>

enum {
    PA_RELEASE_REFUSED = 1, /* by the daemon, which says why */
    PA_RELEASE_FAILED,      /* no daemon, no answer, one that is damaged, no memory */
};

enum { PA_RELEASE_TEXT_BYTES = 1024 };

/*
 * Why a call failed, in one line. PA_RELEASE_REFUSED: the daemon's words, as they came.
 * PA_RELEASE_FAILED: the same, or a text that names the path of the socket.
 */
struct pa_release_failure {
    char text[PA_RELEASE_TEXT_BYTES];
};

struct pa_release_reply {
    const char *strings; /* the first of them; pa_reserve_next() is the next */
    size_t count;        /* how many strings */
    int *fds;            /* to take: a socket for each string; -1: the caller's by now */
    size_t fd_count;
    struct pa_buf bytes; /* what the strings are part of */
};

#define PA_RELEASE_REPLY_NULL                                                                  \
    {                                                                                          \
        "", 0, NULL, 0, PA_BUF_NULL                                                            \
    }

/* Closes the descriptors that are left in it, frees the rest, and leaves it empty. */
void pa_release_reply_deinit(struct pa_release_reply *reply);

/*
 * Asks for the release of what the file `name` reserves, or everything for "*". The
 * name must be one (pa_reserve_is_name()).
 *
 * 0: released, or sent to a daemon that does not answer; PA_RELEASE_REFUSED,
 * PA_RELEASE_FAILED.
 */
int pa_release_name(const char *path, const char *name, const struct pa_deadline *deadline,
                    struct pa_release_failure *failure);

/*
 * Takes sockets on the ports of the file `name`. 0 with PORT/PROTOCOL strings in
 * *reply, at least one, and as many sockets, which may be non-blocking;
 * PA_RELEASE_REFUSED, PA_RELEASE_FAILED. The caller calls deinit after 0.
 */
int pa_release_take(const char *path, const char *name, const struct pa_deadline *deadline,
                    struct pa_release_reply *reply, struct pa_release_failure *failure);

/*
 * Lists what is reserved. 0 with PA_RESERVE_COLUMNS strings a port in *reply, none
 * of them checked, and no descriptors; PA_RELEASE_REFUSED, PA_RELEASE_FAILED. The
 * caller calls deinit after 0.
 */
int pa_release_list(const char *path, const struct pa_deadline *deadline,
                    struct pa_release_reply *reply, struct pa_release_failure *failure);

#endif
