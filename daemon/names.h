#ifndef NAMES_H
#define NAMES_H

/*
 * Login names of users, remembered for a while. All but names_resolve() is
 * pure: the time is given.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    NAMES_MAX = 1024,           /* remembered; the oldest goes first */
    NAMES_BUCKETS = 256,        /* a power of two */
    NAMES_KEPT_MS = 10 * 60000, /* a name older than that is asked for again */
    NAMES_NAME_BYTES = 256,     /* with the NUL; LOGIN_NAME_MAX of Linux */
};

struct names_entry;

/* Embedded; set up by names_init(). */
struct names {
    struct names_entry *oldest;
    struct names_entry *newest;
    struct names_entry *buckets[NAMES_BUCKETS];
    size_t count;
};

void names_init(struct names *names);

/* Forgets all names. */
void names_deinit(struct names *names);

/*
 * The name remembered for `uid`; NULL if there is none, or it is too old at
 * `now_ms`. Valid until the next names_keep().
 */
const char *names_find(const struct names *names, uid_t uid, uint64_t now_ms);

/*
 * Remembers a name of fewer than NAMES_NAME_BYTES bytes from `now_ms` on, in
 * the place of another one for the same user. `now_ms` never goes back from
 * call to call. 0, or -ENOMEM: what is remembered for others is unchanged, and
 * nothing is for `uid`.
 */
int names_keep(struct names *names, uid_t uid, const char *name, uint64_t now_ms);

/*
 * The login name of a user, or `uid:N` where there is none that can be shown:
 * empty, not UTF-8, with control characters, or too long. May block for as long
 * as the name service likes; may be called in any thread.
 *
 * 0, or the negative errno of the name service, with `uid:N` all the same:
 * a name that should not be remembered.
 */
int names_resolve(uid_t uid, char name[NAMES_NAME_BYTES]);

#endif
