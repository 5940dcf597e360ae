/* FIND: the allocations that a client looks for. */

#include "find.h"

#include "refuse.h"
#include "search.h"

#include <string.h>

/* The whole reply in one piece. NULL: no memory. */
static struct snapshot *render(const struct pa_buf *lines, size_t count)
{
    struct pa_buf head = PA_BUF_NULL;
    struct snapshot *snapshot = NULL;
    if (pa_wire_append_ok(&head, count) == 0)
        snapshot = snapshot_new(head.size + lines->size);
    if (snapshot) {
        memcpy(snapshot->text, head.data, head.size);
        if (lines->size > 0)
            memcpy(snapshot->text + head.size, lines->data, lines->size);
    }
    pa_buf_deinit(&head);
    return snapshot;
}

int find_ports(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    const struct pa_keys *keys = &step->request.keys;
    const struct search search = {
        .name = keys->name_pattern, .user = keys->user_pattern, .port = (uint16_t)keys->port};
    struct pa_buf lines = PA_BUF_NULL;
    size_t count;
    if (search_table(&search, session->world->table, &lines, &count) == 0)
        step->snapshot = render(&lines, count);
    pa_buf_deinit(&lines);
    return step->snapshot ? 0 : refuse(session, step, reply, PA_E_NO_MEMORY);
}
