/* The answer to LIST or FIND as the client reads it. */

#include "pa_listing.h"

#include "pa_match.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY_ENTRIES = 64 };

void pa_listing_deinit(struct pa_listing *listing)
{
    free(listing->entries);
    pa_buf_deinit(&listing->text);
    *listing = (struct pa_listing)PA_LISTING_NULL;
}

static int grow(struct pa_listing *listing)
{
    size_t capacity = listing->capacity ? 2 * listing->capacity : FIRST_CAPACITY_ENTRIES;
    if (capacity > SIZE_MAX / sizeof *listing->entries)
        return -ENOMEM;
    struct pa_listing_entry *entries =
        realloc(listing->entries, capacity * sizeof *listing->entries);
    if (!entries)
        return -ENOMEM;
    listing->entries = entries;
    listing->capacity = capacity;
    return 0;
}

/* `all` has `size` bytes; *entry tells how they are divided. */
static int add(struct pa_listing *listing, const struct pa_listing_entry *entry,
               const char *all, size_t size)
{
    if (listing->count == listing->capacity) {
        int r = grow(listing);
        if (r < 0)
            return r;
    }
    int r = pa_buf_append(&listing->text, all, size);
    if (r == 0)
        listing->entries[listing->count++] = *entry;
    return r;
}

int pa_listing_add(struct pa_listing *listing, uint16_t port, const char *both,
                   size_t name_size, size_t user_size)
{
    if (name_size > UINT32_MAX || user_size > UINT32_MAX)
        return -ENOMEM;
    const struct pa_listing_entry entry = {
        .name_size = (uint32_t)name_size,
        .user_size = (uint32_t)user_size,
        .port = port,
    };
    return add(listing, &entry, both, name_size + 1 + user_size);
}

int pa_listing_add_described(struct pa_listing *listing, uint16_t port, const char *all,
                             size_t name_size, size_t user_size, size_t attributes_size)
{
    if (attributes_size == 0)
        return pa_listing_add(listing, port, all, name_size, user_size);
    if (name_size > UINT32_MAX || user_size > UINT32_MAX || attributes_size > UINT32_MAX)
        return -ENOMEM;
    const struct pa_listing_entry entry = {
        .name_size = (uint32_t)name_size,
        .user_size = (uint32_t)user_size,
        .attributes_size = (uint32_t)attributes_size,
        .port = port,
    };
    return add(listing, &entry, all, name_size + 1 + user_size + 1 + attributes_size);
}

/* What of the listing's text belongs to an entry: behind the user is a byte if more follows. */
static size_t behind_user(const struct pa_listing_entry *entry)
{
    return entry->attributes_size > 0 ? 1 + (size_t)entry->attributes_size : 0;
}

const char *pa_listing_attributes(const struct pa_listing_entry *entry)
{
    return entry->attributes_size > 0 ? entry->user + entry->user_size + 1 : "";
}

void pa_listing_seal(struct pa_listing *listing)
{
    const char *text = listing->text.data;
    for (size_t i = 0; i < listing->count; ++i) {
        struct pa_listing_entry *entry = &listing->entries[i];
        entry->name = text;
        entry->user = text + entry->name_size + 1;
        text = entry->user + entry->user_size + behind_user(entry);
    }
}

/* 1: it matches; 0; -ENOMEM. */
static int matches(const char *pattern, const char *text, size_t size)
{
    if (!pattern)
        return 1;
    char *copy = strndup(text, size);
    if (!copy)
        return -ENOMEM;
    bool match = pa_match(pattern, copy);
    free(copy);
    return match;
}

int pa_listing_filter(struct pa_listing *listing, uint16_t port, const char *name_pattern,
                      const char *user_pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        int r = port == 0 || port == entry->port;
        if (r == 1)
            r = matches(name_pattern, entry->name, entry->name_size);
        if (r == 1)
            r = matches(user_pattern, entry->user, entry->user_size);
        if (r < 0)
            return r;
        if (r == 1)
            listing->entries[kept++] = *entry;
    }
    listing->count = kept;
    return 0;
}

static int add_copy(struct pa_listing *copy, const struct pa_listing_entry *entry)
{
    return pa_listing_add_described(copy, entry->port, entry->name, entry->name_size,
                                    entry->user_size, entry->attributes_size);
}

/* The end of copying, which came to r. */
static int finish_copy(struct pa_listing *copy, int r)
{
    if (r < 0)
        pa_listing_deinit(copy);
    else
        pa_listing_seal(copy);
    return r;
}

int pa_listing_copy_entry(struct pa_listing *copy, const struct pa_listing_entry *entry)
{
    return finish_copy(copy, add_copy(copy, entry));
}

int pa_listing_copy(struct pa_listing *copy, const struct pa_listing *listing)
{
    int r = 0;
    for (size_t i = 0; i < listing->count && r == 0; ++i)
        r = add_copy(copy, &listing->entries[i]);
    return finish_copy(copy, r);
}

static bool equals(const char *text, size_t text_size, const char *wanted, size_t wanted_size)
{
    return text_size == wanted_size && memcmp(text, wanted, wanted_size) == 0;
}

const struct pa_listing_entry *pa_listing_find(const struct pa_listing *listing,
                                               const char *name, const char *user)
{
    size_t name_size = strlen(name);
    size_t user_size = user ? strlen(user) : 0;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        if (equals(entry->name, entry->name_size, name, name_size) &&
            (!user || equals(entry->user, entry->user_size, user, user_size)))
            return entry;
    }
    return NULL;
}
