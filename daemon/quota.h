#ifndef QUOTA_H
#define QUOTA_H

/*
 * How much of the manager each user has, against limits. Pure.
 *
 * Root is exempt, and so is everybody of a kind without a limit: such charges
 * are not counted. A user without charges takes no memory. Every call takes the
 * same time however many users there are, but for the growth of the table.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum quota_kind {
    QUOTA_PORTS,
    QUOTA_CONNECTIONS,
    QUOTA_WAITING, /* requests in line */
    QUOTA_KINDS,
};

enum {
    QUOTA_E_FULL = 1, /* the user would have more than the limit */
};

/* The most a user may have; 0: as much as he likes. */
struct quota_limits {
    uint32_t most[QUOTA_KINDS];
};

struct quota_account;

/* Embedded; set up by quota_init(). */
struct quota {
    struct quota_limits limits;
    struct quota_account **buckets; /* owned; NULL while there is no account */
    size_t buckets_count;           /* a power of two, or 0 */
    size_t accounts_count;
};

void quota_init(struct quota *quota, const struct quota_limits *limits);

/* All charges must be gone: their owners discharge them. */
void quota_deinit(struct quota *quota);

/*
 * Charges `count` things to a user. 0; QUOTA_E_FULL or -ENOMEM with nothing
 * changed.
 */
int quota_charge(struct quota *quota, uid_t uid, enum quota_kind kind, uint32_t count);

/* Takes back `count` of what was charged to the user. Cannot fail. */
void quota_discharge(struct quota *quota, uid_t uid, enum quota_kind kind, uint32_t count);

/* What is charged to a user; 0 for root, and where there is no limit. */
uint32_t quota_charged(const struct quota *quota, uid_t uid, enum quota_kind kind);

/* The most a user may have of a kind; 0: no limit. For messages. */
uint32_t quota_limit(const struct quota *quota, enum quota_kind kind);

#endif
