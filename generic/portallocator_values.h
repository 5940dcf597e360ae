#ifndef PORTALLOCATOR_VALUES_H
#define PORTALLOCATOR_VALUES_H

/*
 * The values of the public library made of those within, and the other way
 * round. Structures of the public header carry the size that the program knows.
 */

#include "pa_failure.h"
#include "pa_keys.h"
#include "pa_listing.h"
#include "pa_watch.h"
#include "pa_wire2.h"
#include "portallocator.h"

#include <stdbool.h>
#include <stddef.h>

#define PORTALLOCATOR_PUBLIC __attribute__((visibility("default")))

/* The public code of an error; PORTALLOCATOR_OK for PA_OK. */
int portallocator_values_code(enum pa_error error);

/*
 * What the options say (NULL: nothing), as keys that point into them. 0, or
 * PA_E_BAD_VALUE with *why filled in: a size that is none, options that only a
 * later version has, a choice out of range. Numbers are for pa_client_request2()
 * to look at.
 */
int portallocator_values_keys(struct pa_keys *keys, const struct portallocator_options *options,
                              struct pa_failure *why);

/*
 * Whether a structure that the caller has to be filled in has a size that this
 * version knows, `size` being its own; if not, *why is filled in, PA_E_BAD_VALUE.
 */
bool portallocator_values_has_room(const size_t *caller_size, size_t size,
                                   struct pa_failure *why);

/* The size of the structure as it was first: without what was added to its end. */
enum { PORTALLOCATOR_VALUES_STATS_BYTES = offsetof(struct portallocator_stats, watchers) };

/* Fill in what the caller has, but for its size, which has been looked at. */
void portallocator_values_grant(struct portallocator_grant *grant,
                                const struct pa_granted *granted);
void portallocator_values_stats(struct portallocator_stats *to, const struct pa_stats *from);

/* The public kind of an event. */
int portallocator_values_kind(enum pa_watch_kind kind);

/* A list of its own with the entries of a listing; NULL: no memory. */
struct portallocator_ports *portallocator_values_ports(const struct pa_listing *listing);

#endif
