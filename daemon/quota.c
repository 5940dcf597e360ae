/* How much of the manager each user has, against limits. */

#include "quota.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    BUCKETS_MIN = 16,
};

struct quota_account {
    struct quota_account *next; /* in its bucket */
    uid_t uid;
    uint32_t charged[QUOTA_KINDS]; /* not all 0 */
};

void quota_init(struct quota *quota, const struct quota_limits *limits)
{
    *quota = (struct quota){.limits = *limits};
}

void quota_deinit(struct quota *quota)
{
    assert(quota->accounts_count == 0 && !quota->buckets);
    (void)quota;
}

/* Numbers of users mostly follow each other, so the lowest bits will do. */
static struct quota_account **bucket_of(const struct quota *quota, uid_t uid)
{
    return &quota->buckets[uid & (quota->buckets_count - 1)];
}

/* Where the pointer to a user's account is; *it is NULL when there is none. */
static struct quota_account **find(const struct quota *quota, uid_t uid)
{
    struct quota_account **place = bucket_of(quota, uid);
    while (*place && (*place)->uid != uid)
        place = &(*place)->next;
    return place;
}

/* Moves the accounts to twice as many buckets. 0 or -ENOMEM. */
static int grow(struct quota *quota)
{
    size_t count = quota->buckets_count ? 2 * quota->buckets_count : BUCKETS_MIN;
    struct quota_account **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return -ENOMEM;
    struct quota old = *quota;
    quota->buckets = buckets;
    quota->buckets_count = count;
    for (size_t i = 0; i < old.buckets_count; ++i) {
        while (old.buckets[i]) {
            struct quota_account *account = old.buckets[i];
            struct quota_account **place = bucket_of(quota, account->uid);
            old.buckets[i] = account->next;
            account->next = *place;
            *place = account;
        }
    }
    free(old.buckets);
    return 0;
}

static void free_buckets(struct quota *quota)
{
    free(quota->buckets);
    quota->buckets = NULL;
    quota->buckets_count = 0;
}

/* The account of a user, opened if he has none. NULL: no memory. */
static struct quota_account *take_account(struct quota *quota, uid_t uid)
{
    struct quota_account *found = quota->buckets ? *find(quota, uid) : NULL;
    if (found)
        return found;
    if (quota->accounts_count >= quota->buckets_count && grow(quota) < 0)
        return NULL;
    struct quota_account *account = calloc(1, sizeof *account);
    if (!account) {
        if (quota->accounts_count == 0)
            free_buckets(quota);
        return NULL;
    }
    account->uid = uid;
    *find(quota, uid) = account;
    ++quota->accounts_count;
    return account;
}

/* Closes the account at *place if nothing is charged to it. */
static void close_account(struct quota *quota, struct quota_account **place)
{
    struct quota_account *account = *place;
    for (size_t kind = 0; kind < QUOTA_KINDS; ++kind)
        if (account->charged[kind] > 0)
            return;
    *place = account->next;
    free(account);
    if (--quota->accounts_count == 0)
        free_buckets(quota);
}

static bool is_exempt(const struct quota *quota, uid_t uid, enum quota_kind kind)
{
    return uid == 0 || quota->limits.most[kind] == 0;
}

int quota_charge(struct quota *quota, uid_t uid, enum quota_kind kind, uint32_t count)
{
    if (count == 0 || is_exempt(quota, uid, kind))
        return 0;
    uint32_t most = quota->limits.most[kind];
    uint32_t charged = quota_charged(quota, uid, kind);
    if (count > most - charged)
        return QUOTA_E_FULL;
    struct quota_account *account = take_account(quota, uid);
    if (!account)
        return -ENOMEM;
    account->charged[kind] += count;
    return 0;
}

void quota_discharge(struct quota *quota, uid_t uid, enum quota_kind kind, uint32_t count)
{
    if (count == 0 || is_exempt(quota, uid, kind))
        return;
    assert(quota->buckets);
    struct quota_account **place = find(quota, uid);
    assert(*place && (*place)->charged[kind] >= count);
    (*place)->charged[kind] -= count;
    close_account(quota, place);
}

uint32_t quota_charged(const struct quota *quota, uid_t uid, enum quota_kind kind)
{
    const struct quota_account *account = quota->buckets ? *find(quota, uid) : NULL;
    return account ? account->charged[kind] : 0;
}

uint32_t quota_limit(const struct quota *quota, enum quota_kind kind)
{
    return quota->limits.most[kind];
}
