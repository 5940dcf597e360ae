/* The values of the public library made of those within. */

#include "portallocator_values.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int codes[PA_ERROR_COUNT] = {
    [PA_OK] = PORTALLOCATOR_OK,
    [PA_E_NO_FREE_PORTS] = PORTALLOCATOR_NO_FREE_PORTS,
    [PA_E_INVALID_REQUEST] = PORTALLOCATOR_INVALID,
    [PA_E_LINE_TOO_LONG] = PORTALLOCATOR_INVALID,
    [PA_E_NOT_LOCAL] = PORTALLOCATOR_NOT_LOCAL,
    [PA_E_EMPTY_NAME] = PORTALLOCATOR_INVALID,
    [PA_E_CONTROL_CHARACTER] = PORTALLOCATOR_INVALID,
    [PA_E_NOT_A_CHARACTER] = PORTALLOCATOR_INVALID,
    [PA_E_NO_PROBE] = PORTALLOCATOR_OVERLOADED,
    [PA_E_TOO_MANY_CONNECTIONS] = PORTALLOCATOR_OVERLOADED,
    [PA_E_NO_MEMORY] = PORTALLOCATOR_OVERLOADED,
    [PA_E_FALSE_USER] = PORTALLOCATOR_WRONG_USER,
    [PA_E_UNPROVED] = PORTALLOCATOR_WRONG_USER,
    [PA_E_QUOTA] = PORTALLOCATOR_QUOTA,
    [PA_E_WRONG_WORDS] = PORTALLOCATOR_INVALID,
    [PA_E_UNKNOWN_KEY] = PORTALLOCATOR_INVALID,
    [PA_E_NO_VALUE] = PORTALLOCATOR_INVALID,
    [PA_E_KEY_TWICE] = PORTALLOCATOR_INVALID,
    [PA_E_BAD_VALUE] = PORTALLOCATOR_INVALID,
    [PA_E_KEYS_CLASH] = PORTALLOCATOR_INVALID,
    [PA_E_NOT_OWNER] = PORTALLOCATOR_NOT_OWNER,
    [PA_E_NOT_ALLOCATED] = PORTALLOCATOR_NOT_ALLOCATED,
    [PA_E_NOT_MANAGED] = PORTALLOCATOR_NOT_MANAGED,
    [PA_E_PORT_IN_USE] = PORTALLOCATOR_IN_USE,
    [PA_E_NO_BLOCK] = PORTALLOCATOR_NO_FREE_PORTS,
    [PA_E_NAME_TAKEN] = PORTALLOCATOR_TAKEN,
    [PA_E_TIMED_OUT] = PORTALLOCATOR_WAITED,
    [PA_E_NO_HOLD] = PORTALLOCATOR_NO_HOLD,
    [PA_E_NOT_UNIX] = PORTALLOCATOR_NOT_UNIX,
    [PA_E_ADDRESS] = PORTALLOCATOR_ADDRESS,
    [PA_E_CONNECT] = PORTALLOCATOR_NO_CONNECTION,
    [PA_E_RESOLVE] = PORTALLOCATOR_NO_CONNECTION,
    [PA_E_TIMEOUT] = PORTALLOCATOR_TIMEOUT,
    [PA_E_CLOSED] = PORTALLOCATOR_CLOSED,
    [PA_E_PROTOCOL] = PORTALLOCATOR_PROTOCOL,
    [PA_E_PORTS_LOST] = PORTALLOCATOR_LOST,
    [PA_E_TOO_OLD] = PORTALLOCATOR_TOO_OLD,
    [PA_E_NO_SOCKET] = PORTALLOCATOR_NO_CONNECTION,
    [PA_E_CLIENT_MEMORY] = PORTALLOCATOR_NO_MEMORY,
};

int portallocator_values_code(enum pa_error error)
{
    /* One that has no code of its own is a refusal, and never a success. */
    return error != PA_OK && codes[error] == PORTALLOCATOR_OK ? PORTALLOCATOR_REFUSED
                                                              : codes[error];
}

/* -------------------------------------------------------------- options -- */

static int refuse_number(struct pa_failure *why, const char *name, const char *expected,
                         size_t number)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%zd", (ssize_t)number);
    return pa_failure_set(why, PA_E_BAD_VALUE, name, expected, digits);
}

static int check_choices(const struct portallocator_options *options, struct pa_failure *why)
{
    if (options->unique != 0 && options->unique != 1)
        return refuse_number(why, "unique", "0 or 1", (size_t)options->unique);
    if (options->exact != 0 && options->exact != 1)
        return refuse_number(why, "exact", "0 or 1", (size_t)options->exact);
    if (options->hold < -1 || options->hold > 1)
        return refuse_number(why, "hold", "-1, 0 or 1", (size_t)options->hold);
    return 0;
}

/* Options of another version: those that it has and this has not must be unset. */
static int check_size(const struct portallocator_options *options, struct pa_failure *why)
{
    const unsigned char *bytes = (const unsigned char *)options;
    size_t size = sizeof *options;
    while (size < options->size && bytes[size] == 0)
        ++size;
    if (size == options->size)
        return 0;
    return refuse_number(why, "size", "that of options known to this version", options->size);
}

static enum pa_hold hold_of(int hold)
{
    if (hold == 0)
        return PA_HOLD_UNSAID;
    return hold > 0 ? PA_HOLD_YES : PA_HOLD_NO;
}

int portallocator_values_keys(struct pa_keys *keys, const struct portallocator_options *options,
                              struct pa_failure *why)
{
    *keys = (struct pa_keys)PA_KEYS_INIT;
    if (!options)
        return 0;
    int r = check_size(options, why);
    if (r == 0)
        r = check_choices(options, why);
    if (r != 0)
        return r;
    keys->port = options->port;
    keys->unique = (uint32_t)options->unique;
    keys->exact = (uint32_t)options->exact;
    keys->hold = (uint32_t)hold_of(options->hold);
    keys->wait_ms = options->wait_ms;
    keys->user = options->user;
    keys->address = options->address;
    if (options->count != 0)
        keys->count = options->count;
    if (options->backlog != 0)
        keys->backlog = options->backlog;
    if (options->attributes)
        keys->attributes = options->attributes;
    return 0;
}

/* -------------------------------------------------------------- results -- */

bool portallocator_values_has_room(const size_t *caller_size, size_t size,
                                   struct pa_failure *why)
{
    if (*caller_size >= size)
        return true;
    refuse_number(why, "size", "that of the structure", *caller_size);
    return false;
}

void portallocator_values_grant(struct portallocator_grant *grant,
                                const struct pa_granted *granted)
{
    grant->port = granted->port;
    grant->count = granted->count;
    grant->held = granted->held;
    grant->joined = granted->joined;
    grant->name = granted->name;
    grant->user = granted->user;
}

void portallocator_values_stats(struct portallocator_stats *to, const struct pa_stats *from)
{
    to->protocol = from->protocol;
    to->ports = from->ports;
    to->allocated = from->allocated;
    to->held = from->held;
    to->connections = from->connections;
    to->waiting = from->waiting;
    to->users = from->users;
    to->uptime_s = from->uptime_s;
    to->pid = from->pid;
    to->version = from->version;
    if (to->size >= offsetof(struct portallocator_stats, watchers) + sizeof to->watchers)
        to->watchers = from->watchers;
}

int portallocator_values_kind(enum pa_watch_kind kind)
{
    static const int kinds[] = {
        [PA_WATCH_SNAPSHOT] = PORTALLOCATOR_SNAPSHOT,
        [PA_WATCH_ADD] = PORTALLOCATOR_ADD,
        [PA_WATCH_REMOVE] = PORTALLOCATOR_REMOVE,
        [PA_WATCH_CHANGE] = PORTALLOCATOR_CHANGE,
    };
    return kinds[kind];
}

/* ----------------------------------------------------------------- lists -- */

struct row {
    unsigned port;
    const char *name;
    const char *user;
    const char *attributes;
};

struct portallocator_ports {
    size_t count;
    char *text; /* the strings of all rows */
    struct row rows[];
};

/* Appends a string with its NUL at *end, and advances that. */
static const char *put(char **end, const char *text, size_t size)
{
    char *begin = *end;
    memcpy(begin, text, size);
    begin[size] = '\0';
    *end = begin + size + 1;
    return begin;
}

static size_t text_size(const struct pa_listing *listing)
{
    size_t size = 1;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        size += (size_t)entry->name_size + entry->user_size + entry->attributes_size + 3;
    }
    return size;
}

struct portallocator_ports *portallocator_values_ports(const struct pa_listing *listing)
{
    struct portallocator_ports *ports =
        malloc(sizeof *ports + listing->count * sizeof *ports->rows);
    char *end = malloc(text_size(listing));
    if (!ports || !end) {
        free(ports);
        free(end);
        return NULL;
    }
    ports->count = listing->count;
    ports->text = end;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        struct row *row = &ports->rows[i];
        row->port = entry->port;
        row->name = put(&end, entry->name, entry->name_size);
        row->user = put(&end, entry->user, entry->user_size);
        row->attributes = put(&end, pa_listing_attributes(entry), entry->attributes_size);
    }
    return ports;
}

PORTALLOCATOR_PUBLIC size_t portallocator_ports_count(const struct portallocator_ports *ports)
{
    return ports->count;
}

PORTALLOCATOR_PUBLIC int portallocator_ports_get(const struct portallocator_ports *ports,
                                                 size_t index,
                                                 struct portallocator_entry *entry)
{
    if (index >= ports->count || entry->size < sizeof *entry)
        return PORTALLOCATOR_INVALID;
    const struct row *row = &ports->rows[index];
    entry->port = row->port;
    entry->name = row->name;
    entry->user = row->user;
    entry->attributes = row->attributes;
    return PORTALLOCATOR_OK;
}

PORTALLOCATOR_PUBLIC void portallocator_ports_free(struct portallocator_ports *ports)
{
    if (!ports)
        return;
    free(ports->text);
    free(ports);
}

PORTALLOCATOR_PUBLIC const char *portallocator_version(void)
{
    return PACKAGE_VERSION;
}
