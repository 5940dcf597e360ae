#ifndef TENANTS_H
#define TENANTS_H

/*
 * Processes that have ports for as long as they live, whoever asked for them.
 */

#include "lifetime.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uv.h>

enum {
    TENANTS_E_FULL = 1, /* so many processes as may be have ports */
    TENANTS_BUCKETS = 256,
};

struct conns;
struct tenants;

struct tenant {
    struct table_owner owner; /* its ports */
    struct lifetime life;
    struct tenants *tenants;
    uv_poll_t end; /* of the process */
    LIST_ENTRY(tenant) link;
};

LIST_HEAD(tenants_bucket, tenant);

/* Embedded; set up by tenants_init(). */
struct tenants {
    struct conns *conns;
    struct tenants_bucket buckets[TENANTS_BUCKETS]; /* by process number */
    size_t count;                                   /* not yet freed */
    size_t max;
    size_t ports; /* that they have */
};

/* None; there may be `max` at a time, each of which takes a descriptor. */
void tenants_init(struct tenants *tenants, struct conns *conns, size_t max);

/*
 * The tenant of a process that lives. *life is the tenants' from now on, and
 * LIFETIME_NULL, whatever is returned. 0; TENANTS_E_FULL, -ENOMEM or another
 * negative errno. One that gets no port is to be let go: tenants_let_go().
 */
int tenants_admit(struct tenants *tenants, struct lifetime *life, struct tenant **tenant);

/* Forgets a tenant if it has no port. */
void tenants_let_go(struct tenant *tenant);

/* Releases all ports and forgets all tenants; the loop has to run once more. */
void tenants_stop(struct tenants *tenants);

/* The loop has closed all there was. */
void tenants_deinit(struct tenants *tenants);

#endif
