#ifndef PA_LOOKUP_H
#define PA_LOOKUP_H

/*
 * The addresses of a host, for connecting by TCP. What needs the resolver is
 * looked up in a thread, since getaddrinfo(3) may block for as long as it likes;
 * a descriptor tells when it has answered. There are 32 such threads at most, behind
 * which names stand in line; who ask for the same name at a time have one thread.
 * Thread-safe. In a child made by a fork what was under way has no answer.
 */

#include "pa_failure.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

enum { PA_LOOKUP_MAX_ADDRESSES = 16 }; /* taken of one name */

struct pa_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;       /* the port is 0 */
    socklen_t size; /* bytes of it */
};

struct pa_addresses {
    struct pa_address list[PA_LOOKUP_MAX_ADDRESSES];
    size_t count;
};

enum { PA_LOOKUP_RUNNING = PA_ERROR_COUNT }; /* the resolver has yet to answer */

struct pa_lookup;

/*
 * Looks up IPv4 or IPv6 text, a name, or localhost ("" too), which is 127.0.0.1
 * and ::1 and needs no resolver. 0 with the addresses, at least one, in
 * *addresses; PA_LOOKUP_RUNNING with *lookup made, which the caller frees;
 * PA_E_RESOLVE or PA_E_CLIENT_MEMORY with *why filled in.
 */
int pa_lookup_begin(struct pa_lookup **lookup, const char *host, struct pa_addresses *addresses,
                    struct pa_failure *why);

/* The descriptor that is readable when the resolver has answered; belongs to the look-up. */
int pa_lookup_descriptor(const struct pa_lookup *lookup);

/* The answer, without waiting for it: returns what pa_lookup_begin() does. */
int pa_lookup_take(struct pa_lookup *lookup, struct pa_addresses *addresses,
                   struct pa_failure *why);

/*
 * Gives the look-up up, and takes its name out of the line if nobody else waits for it. A
 * thread that is at it ends by itself, as late as it may be. NULL is legal; returns NULL.
 */
struct pa_lookup *pa_lookup_free(struct pa_lookup *lookup);

#endif
