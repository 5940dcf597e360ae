#ifndef PA_LISTING_H
#define PA_LISTING_H

/*
 * The answer to LIST or FIND as the client reads it: entries in the manager's order.
 *
 * Strings lie in buffers of the listing and carry their sizes; they are not
 * NUL-terminated. They are valid UTF-8 and may hold control characters.
 */

#include "pa_buf.h"

#include <stddef.h>
#include <stdint.h>

struct pa_listing_entry {
    const char *name; /* the application, as listed */
    const char *user;
    uint32_t name_size;       /* bytes */
    uint32_t user_size;       /* bytes */
    uint32_t attributes_size; /* bytes; 0 in the answer to LIST */
    uint16_t port;
};

struct pa_listing {
    struct pa_listing_entry *entries; /* owned */
    size_t count;
    size_t capacity;    /* entries allocated */
    struct pa_buf text; /* what the strings point into: name, a byte, user, name...; behind a
                           user a byte and attributes, if there are any */
};

#define PA_LISTING_NULL                                                                        \
    {                                                                                          \
        .entries = NULL                                                                        \
    }

/* Frees what the listing owns and leaves it empty. */
void pa_listing_deinit(struct pa_listing *listing);

/*
 * Appends an entry. `both` holds the name, one byte that separates them, and the
 * user; it is copied. The entries' pointers are set by pa_listing_seal(), since
 * the copy may still move. 0, or -ENOMEM with the entries unchanged.
 */
int pa_listing_add(struct pa_listing *listing, uint16_t port, const char *both,
                   size_t name_size, size_t user_size);

/*
 * The same with attributes, a Tcl list of keys and values: `all` has one more
 * byte behind the user, and the list.
 */
int pa_listing_add_described(struct pa_listing *listing, uint16_t port, const char *all,
                             size_t name_size, size_t user_size, size_t attributes_size);

/* The attributes of an entry, entry->attributes_size bytes; "" without. */
const char *pa_listing_attributes(const struct pa_listing_entry *entry);

/* Sets the pointers of all entries. Nothing may be added after it. */
void pa_listing_seal(struct pa_listing *listing);

/*
 * Keeps the entries of that port (0: of any) whose name and user match the
 * patterns of pa_match() (NULL: any); the listing is sealed. 0; -ENOMEM, with a
 * part of the others gone.
 */
int pa_listing_filter(struct pa_listing *listing, uint16_t port, const char *name_pattern,
                      const char *user_pattern);

/* Makes an empty listing one of a single entry, sealed. 0, or -ENOMEM with it empty. */
int pa_listing_copy_entry(struct pa_listing *copy, const struct pa_listing_entry *entry);

/* Makes an empty listing a copy of one that is sealed. 0, or -ENOMEM with it empty. */
int pa_listing_copy(struct pa_listing *copy, const struct pa_listing *listing);

/* The first entry of that name and user, or NULL. `user` NULL: of any user. */
const struct pa_listing_entry *pa_listing_find(const struct pa_listing *listing,
                                               const char *name, const char *user);

#endif
