/* The answer to LIST as the client reads it. */

#include "pa_listing.h"

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

int pa_listing_add(struct pa_listing *listing, uint16_t port, const char *both,
                   size_t name_size, size_t user_size)
{
    if (name_size > UINT32_MAX || user_size > UINT32_MAX)
        return -ENOMEM;
    if (listing->count == listing->capacity) {
        int r = grow(listing);
        if (r < 0)
            return r;
    }
    int r = pa_buf_append(&listing->text, both, name_size + 1 + user_size);
    if (r < 0)
        return r;
    listing->entries[listing->count++] = (struct pa_listing_entry){
        .name_size = (uint32_t)name_size,
        .user_size = (uint32_t)user_size,
        .port = port,
    };
    return 0;
}

void pa_listing_seal(struct pa_listing *listing)
{
    const char *text = listing->text.data;
    for (size_t i = 0; i < listing->count; ++i) {
        struct pa_listing_entry *entry = &listing->entries[i];
        entry->name = text;
        entry->user = text + entry->name_size + 1;
        text = entry->user + entry->user_size;
    }
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
