/* FIND: the allocations that a client looks for. */

#include "find.h"

#include "refuse.h"

#include "pa_match.h"
#include "pa_wire2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A search on its way. */
struct search {
    const struct pa_keys *keys;
    struct pa_buf *lines;
    size_t count;
    bool failed; /* no memory */
};

static bool matches(const char *pattern, const char *text)
{
    return !pattern || pa_match(pattern, text);
}

static bool add(void *context, const struct table_entry *entry)
{
    struct search *search = context;
    if (!matches(search->keys->user_pattern, entry->user) ||
        !matches(search->keys->name_pattern, entry->name))
        return true;
    search->count += 1;
    search->failed = pa_wire2_append_found(search->lines, entry->port, entry->name, entry->user,
                                           entry->attributes) < 0;
    return !search->failed;
}

static bool has_wildcard(const char *pattern)
{
    return strpbrk(pattern, "*?[\\") != NULL;
}

static int visit(struct table *table, struct search *search)
{
    const char *name = search->keys->name_pattern;
    if (search->keys->port > 0) {
        const struct table_entry *entry = table_at(table, (uint16_t)search->keys->port);
        if (entry)
            add(search, entry);
        return 0;
    }
    return table_visit_named(table, name && !has_wildcard(name) ? name : NULL, add, search);
}

/* The whole reply in one piece. NULL: no memory. */
static struct snapshot *render(const struct search *search)
{
    struct pa_buf head = PA_BUF_NULL;
    struct snapshot *snapshot = NULL;
    if (pa_wire_append_ok(&head, search->count) == 0)
        snapshot = snapshot_new(head.size + search->lines->size);
    if (snapshot) {
        memcpy(snapshot->text, head.data, head.size);
        if (search->lines->size > 0)
            memcpy(snapshot->text + head.size, search->lines->data, search->lines->size);
    }
    pa_buf_deinit(&head);
    return snapshot;
}

int find_ports(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    struct pa_buf lines = PA_BUF_NULL;
    struct search search = {.keys = &step->request.keys, .lines = &lines};
    if (visit(session->world->table, &search) == 0 && !search.failed)
        step->snapshot = render(&search);
    pa_buf_deinit(&lines);
    return step->snapshot ? 0 : refuse(session, step, reply, PA_E_NO_MEMORY);
}
