/*
 * Processes that have ports for as long as they live.
 *
 * The happy path: a process gets its first port and becomes a tenant; libuv
 * polls its descriptor, which is readable from its end on; then its ports are
 * released, RELEASES_PER_TURN in a turn of the loop, since the descriptor stays
 * readable; with the last one the tenant goes.
 *
 * What can go wrong: its ports are released by others (RELEASE): with the last
 * one it goes, too. Its number is another process's before its end was seen:
 * that one is a tenant of its own, for it started later.
 */

#include "tenants.h"

#include "conns.h"
#include "grant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { RELEASES_PER_TURN = 64 };

void tenants_init(struct tenants *tenants, struct conns *conns, size_t max)
{
    *tenants = (struct tenants){.conns = conns, .max = max};
    for (size_t i = 0; i < TENANTS_BUCKETS; ++i)
        LIST_INIT(&tenants->buckets[i]);
}

void tenants_deinit(struct tenants *tenants)
{
    assert(tenants->count == 0 && tenants->ports == 0);
    (void)tenants;
}

static struct tenants_bucket *bucket_of(struct tenants *tenants, pid_t pid)
{
    return &tenants->buckets[(size_t)pid % TENANTS_BUCKETS];
}

/* -------------------------------------------------------------- leaving -- */

static void on_closed(uv_handle_t *handle)
{
    struct tenant *tenant = handle->data;
    assert(tenant->owner.count == 0);
    tenant->tenants->count -= 1;
    lifetime_close(&tenant->life);
    free(tenant);
}

static void forget(struct tenant *tenant)
{
    LIST_REMOVE(tenant, link);
    uv_close((uv_handle_t *)&tenant->end, on_closed);
}

void tenants_let_go(struct tenant *tenant)
{
    if (tenant->owner.count == 0)
        forget(tenant);
}

/* Before each release: memory stays until the loop has closed the handle. */
static void on_release(struct table_owner *owner)
{
    struct tenant *tenant = (struct tenant *)((char *)owner - offsetof(struct tenant, owner));
    tenant->tenants->ports -= 1;
    if (owner->count == 1)
        forget(tenant);
}

/* Releases up to `max` of a tenant's ports; with the last one it goes. */
static void release(struct tenant *tenant, size_t max)
{
    struct conns *conns = tenant->tenants->conns;
    conns->world.now_ms = conns_now_ms(conns);
    for (size_t n = 0; n < max && tenant->owner.first; ++n)
        grant_give_back(&conns->world, tenant->owner.first);
}

/* The process has ended, or its descriptor cannot be polled, which comes to the same. */
static void on_end(uv_poll_t *end, int status, int events)
{
    (void)status;
    (void)events;
    struct tenant *tenant = end->data;
    struct conns *conns = tenant->tenants->conns;
    release(tenant, RELEASES_PER_TURN);
    conns_serve_line(conns);
}

void tenants_stop(struct tenants *tenants)
{
    for (size_t i = 0; i < TENANTS_BUCKETS; ++i) {
        struct tenant *tenant;
        while ((tenant = LIST_FIRST(&tenants->buckets[i])))
            release(tenant, SIZE_MAX);
    }
}

/* ------------------------------------------------------------- entering -- */

static struct tenant *find(struct tenants *tenants, const struct lifetime *life)
{
    struct tenant *tenant = LIST_FIRST(bucket_of(tenants, life->pid));
    while (tenant && !lifetime_is_same(&tenant->life, life))
        tenant = LIST_NEXT(tenant, link);
    return tenant;
}

/* 0 or a negative errno, with the life not taken. */
static int add(struct tenants *tenants, const struct lifetime *life, struct tenant **tenant)
{
    struct tenant *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    int r = uv_poll_init(tenants->conns->loop, &made->end, life->fd);
    if (r < 0) {
        free(made);
        return r;
    }
    made->owner.released = on_release;
    made->life = *life;
    made->tenants = tenants;
    made->end.data = made;
    LIST_INSERT_HEAD(bucket_of(tenants, life->pid), made, link);
    tenants->count += 1;
    r = uv_poll_start(&made->end, UV_READABLE, on_end);
    assert(r == 0); /* the handle is new and not closing */
    (void)r;
    *tenant = made;
    return 0;
}

int tenants_admit(struct tenants *tenants, struct lifetime *life, struct tenant **tenant)
{
    *tenant = find(tenants, life);
    int r = 0;
    if (!*tenant) {
        r = tenants->count < tenants->max ? add(tenants, life, tenant) : TENANTS_E_FULL;
        if (r == 0)
            *life = (struct lifetime)LIFETIME_NULL;
    }
    lifetime_close(life);
    return r;
}
