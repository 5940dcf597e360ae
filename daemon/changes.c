/* Changes of the table that watchers are still to be told of. */

#include "changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 16,
    KEPT_BYTES = 64 * 1024, /* of the text, when there is nothing to tell */
};

static int reserve(struct changes *changes)
{
    if (changes->count < changes->capacity)
        return 0;
    size_t capacity = changes->capacity ? 2 * changes->capacity : FIRST_CAPACITY;
    struct change *more = realloc(changes->changes, capacity * sizeof *more);
    if (!more)
        return -ENOMEM;
    changes->changes = more;
    changes->capacity = capacity;
    return 0;
}

/* Appends a string with its NUL and tells where it begins. */
static int lay(struct pa_buf *text, const char *string, size_t *at)
{
    *at = text->size;
    return pa_buf_append(text, string, strlen(string) + 1);
}

static int lay_change(struct pa_buf *text, struct change *change, enum pa_event_kind kind,
                      const struct table_entry *entry)
{
    int r = lay(text, entry->name, &change->name_at);
    if (r == 0)
        r = lay(text, entry->user, &change->user_at);
    change->event_at = text->size;
    if (r == 0)
        r = pa_wire2_append_event_change(text, kind, entry->port, entry->name, entry->user,
                                         entry->attributes);
    change->event_size = text->size - change->event_at;
    return r;
}

int changes_add(struct changes *changes, uint64_t sequence, enum pa_event_kind kind,
                const struct table_entry *entry)
{
    size_t before = changes->text.size;
    if (before >= CHANGES_MAX_BYTES)
        return CHANGES_E_FULL;
    int r = reserve(changes);
    if (r < 0)
        return r;
    struct change *change = &changes->changes[changes->count];
    *change = (struct change){.sequence = sequence, .name_hash = entry->name_hash};
    r = lay_change(&changes->text, change, kind, entry);
    if (r < 0)
        changes->text.size = before;
    else
        changes->count += 1;
    return r;
}

const char *changes_name(const struct changes *changes, const struct change *change)
{
    return changes->text.data + change->name_at;
}

const char *changes_user(const struct changes *changes, const struct change *change)
{
    return changes->text.data + change->user_at;
}

const char *changes_event(const struct changes *changes, const struct change *change)
{
    return changes->text.data + change->event_at;
}

void changes_clear(struct changes *changes)
{
    changes->count = 0;
    changes->text.size = 0;
    if (changes->text.capacity > KEPT_BYTES)
        changes_deinit(changes);
}

void changes_deinit(struct changes *changes)
{
    free(changes->changes);
    pa_buf_deinit(&changes->text);
    *changes = (struct changes)CHANGES_NULL;
}
