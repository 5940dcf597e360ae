#ifndef CHANGES_H
#define CHANGES_H

/*
 * Changes of the table that watchers are still to be told of, in their order:
 * what has to be known of each to see whom it concerns, and the text that tells
 * it. Their allocations may be gone by then.
 */

#include "table.h"

#include "pa_buf.h"
#include "pa_wire2.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CHANGES_E_FULL = 1,
    CHANGES_MAX_BYTES = 1 << 20, /* of their text; about 20,000 changes */
};

struct change {
    uint64_t sequence;
    uint64_t name_hash;
    size_t name_at; /* in the text: the name, the user, each with its NUL, and the event */
    size_t user_at;
    size_t event_at;
    size_t event_size;
};

struct changes {
    struct change *changes;
    size_t count;
    size_t capacity;
    struct pa_buf text;
};

#define CHANGES_NULL                                                                           \
    {                                                                                          \
        .changes = NULL                                                                        \
    }

/* Adds a change of `entry`. 0; CHANGES_E_FULL or -ENOMEM with nothing added. */
int changes_add(struct changes *changes, uint64_t sequence, enum pa_event_kind kind,
                const struct table_entry *entry);

/* The name and the user of a change; valid until the next is added. */
const char *changes_name(const struct changes *changes, const struct change *change);
const char *changes_user(const struct changes *changes, const struct change *change);

/* The bytes of a change's event behind its number, change->event_size of them. */
const char *changes_event(const struct changes *changes, const struct change *change);

/* Forgets all of them. The memory of a few is kept for the next. */
void changes_clear(struct changes *changes);

/* Frees what the changes hold and leaves them empty. */
void changes_deinit(struct changes *changes);

#endif
