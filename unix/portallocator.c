/* The public library: a handle is a pa_call and what its last call came to. */

#include "portallocator_watch.h"

#include "portallocator_values.h"

#include "pa_call.h"

#include <stdlib.h>

struct portallocator {
    struct pa_call *call;
    int timeout_ms;
    int code;                   /* of the last call */
    struct pa_failure why;      /* likewise, if it failed */
    struct pa_call_grant grant; /* its strings, if it was granted */
};

PORTALLOCATOR_PUBLIC struct portallocator *portallocator_new(const char *host, unsigned port)
{
    if (port > UINT16_MAX)
        return NULL;
    struct portallocator *allocator = calloc(1, sizeof *allocator);
    if (!allocator)
        return NULL;
    allocator->timeout_ms = PORTALLOCATOR_DEFAULT_TIMEOUT_MS;
    allocator->call = pa_call_new(host, (int)port);
    if (allocator->call)
        return allocator;
    free(allocator);
    return NULL;
}

PORTALLOCATOR_PUBLIC void portallocator_free(struct portallocator *allocator)
{
    if (!allocator)
        return;
    pa_call_free(allocator->call);
    pa_call_grant_deinit(&allocator->grant);
    free(allocator);
}

PORTALLOCATOR_PUBLIC void portallocator_set_timeout(struct portallocator *allocator,
                                                    int timeout_ms)
{
    allocator->timeout_ms = timeout_ms;
}

PORTALLOCATOR_PUBLIC int portallocator_error(const struct portallocator *allocator)
{
    return allocator->code;
}

PORTALLOCATOR_PUBLIC const char *portallocator_error_text(const struct portallocator *allocator)
{
    return allocator->code == PORTALLOCATOR_OK ? "" : allocator->why.text;
}

PORTALLOCATOR_PUBLIC size_t portallocator_held(const struct portallocator *allocator)
{
    return pa_call_held(allocator->call);
}

PORTALLOCATOR_PUBLIC int portallocator_can(const struct portallocator *allocator,
                                           const char *capability)
{
    return pa_call_can(allocator->call, capability);
}

/* The end of a call that came to the error `r`, or to 0. */
static int finish(struct portallocator *allocator, int r)
{
    allocator->code = portallocator_values_code((enum pa_error)r);
    return allocator->code;
}

/* ---------------------------------------------------------------- ports -- */

/* Makes ready for a grant: the keys, and the caller's room for it. */
static int prepare(struct portallocator *allocator, struct pa_keys *keys,
                   const struct portallocator_options *options,
                   const struct portallocator_grant *grant)
{
    if (!portallocator_values_has_room(&grant->size, sizeof *grant, &allocator->why))
        return PA_E_BAD_VALUE;
    return portallocator_values_keys(keys, options, &allocator->why);
}

/* Keeps the strings of what was granted, and tells the caller. */
static void keep_grant(struct portallocator *allocator, const struct pa_call_grant *granted,
                       struct portallocator_grant *grant)
{
    pa_call_grant_deinit(&allocator->grant);
    allocator->grant = *granted;
    const struct pa_granted told = {.port = granted->port,
                                    .count = granted->count,
                                    .held = granted->held,
                                    .joined = granted->joined,
                                    .name = granted->name,
                                    .user = granted->user};
    portallocator_values_grant(grant, &told);
}

PORTALLOCATOR_PUBLIC int portallocator_allocate(struct portallocator *allocator,
                                                const char *name,
                                                const struct portallocator_options *options,
                                                struct portallocator_grant *grant)
{
    struct pa_keys keys;
    struct pa_call_grant granted;
    int r = prepare(allocator, &keys, options, grant);
    if (r == 0)
        r = pa_call_allocate_keys(allocator->call, name, &keys, allocator->timeout_ms, &granted,
                                  &allocator->why);
    if (r == 0)
        keep_grant(allocator, &granted, grant);
    return finish(allocator, r);
}

PORTALLOCATOR_PUBLIC int portallocator_listen(struct portallocator *allocator, const char *name,
                                              const struct portallocator_options *options,
                                              struct portallocator_grant *grant, int *fd)
{
    struct pa_keys keys;
    struct pa_call_grant granted;
    int r = prepare(allocator, &keys, options, grant);
    if (r == 0)
        r = pa_call_listen(allocator->call, name, &keys, allocator->timeout_ms, &granted, fd,
                           &allocator->why);
    if (r == 0)
        keep_grant(allocator, &granted, grant);
    return finish(allocator, r);
}

PORTALLOCATOR_PUBLIC int portallocator_release(struct portallocator *allocator, unsigned port)
{
    int r = port > UINT16_MAX ? pa_failure_set(&allocator->why, PA_E_NOT_MANAGED, port)
                              : pa_call_release(allocator->call, (uint16_t)port,
                                                allocator->timeout_ms, &allocator->why);
    return finish(allocator, r);
}

PORTALLOCATOR_PUBLIC int portallocator_change(struct portallocator *allocator, unsigned port,
                                              const char *attributes)
{
    int r = port > UINT16_MAX
                ? pa_failure_set(&allocator->why, PA_E_NOT_MANAGED, port)
                : pa_call_change(allocator->call, (uint16_t)port, attributes ? attributes : "",
                                 allocator->timeout_ms, &allocator->why);
    return finish(allocator, r);
}

/* -------------------------------------------------------------- listing -- */

/* The end of a call that lists; r is what it came to. */
static int finish_list(struct portallocator *allocator, int r, struct pa_listing *listing,
                       struct portallocator_ports **ports)
{
    *ports = NULL;
    if (r == 0) {
        *ports = portallocator_values_ports(listing);
        if (!*ports)
            r = pa_failure_set(&allocator->why, PA_E_CLIENT_MEMORY);
    }
    pa_listing_deinit(listing);
    return finish(allocator, r);
}

PORTALLOCATOR_PUBLIC int portallocator_list(struct portallocator *allocator,
                                            struct portallocator_ports **ports)
{
    struct pa_listing listing;
    int r = pa_call_list(allocator->call, allocator->timeout_ms, &listing, &allocator->why);
    return finish_list(allocator, r, &listing, ports);
}

PORTALLOCATOR_PUBLIC int portallocator_find(struct portallocator *allocator,
                                            const char *name_pattern, const char *user_pattern,
                                            struct portallocator_ports **ports)
{
    struct pa_listing listing;
    struct pa_keys keys = PA_KEYS_INIT;
    keys.name_pattern = name_pattern;
    keys.user_pattern = user_pattern;
    int r =
        pa_call_find(allocator->call, &keys, allocator->timeout_ms, &listing, &allocator->why);
    return finish_list(allocator, r, &listing, ports);
}

/* ------------------------------------------------------------- watching -- */

PORTALLOCATOR_PUBLIC int portallocator_watch(struct portallocator *allocator,
                                             const char *name_pattern, const char *user_pattern,
                                             struct portallocator_watch **watch)
{
    int port;
    const char *host = pa_call_server(allocator->call, &port);
    struct pa_follow *follow;
    *watch = NULL;
    int r = pa_follow_new(&follow, host, port, name_pattern, user_pattern,
                          allocator->timeout_ms, &allocator->why);
    if (r == 0)
        r = portallocator_watch_make(watch, follow, &allocator->why);
    return finish(allocator, r);
}

/* ---------------------------------------------------------- the manager -- */

PORTALLOCATOR_PUBLIC int portallocator_stats(struct portallocator *allocator,
                                             struct portallocator_stats *stats)
{
    struct pa_stats told;
    if (!portallocator_values_has_room(&stats->size, PORTALLOCATOR_VALUES_STATS_BYTES,
                                       &allocator->why))
        return finish(allocator, PA_E_BAD_VALUE);
    int r = pa_call_stats(allocator->call, allocator->timeout_ms, &told, &allocator->why);
    if (r == 0)
        portallocator_values_stats(stats, &told);
    return finish(allocator, r);
}

PORTALLOCATOR_PUBLIC int portallocator_ping(struct portallocator *allocator)
{
    return finish(allocator,
                  pa_call_ping(allocator->call, allocator->timeout_ms, &allocator->why));
}

PORTALLOCATOR_PUBLIC int portallocator_connect(struct portallocator *allocator, int *fd)
{
    return finish(allocator,
                  pa_call_connect(allocator->call, allocator->timeout_ms, fd, &allocator->why));
}
