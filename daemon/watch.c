/* What a session does with WATCH and UNWATCH. */

#include "watch.h"

#include "refuse.h"

#include "pa_wire2.h"

int watch_ports(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    const struct pa_keys *keys = &step->request.keys;
    size_t count;
    if (watchers_watch(session->world->watchers, &session->watcher, keys->name_pattern,
                       keys->user_pattern, &step->snapshot, &count) < 0)
        return refuse(session, step, reply, PA_E_NO_MEMORY);
    return pa_wire_append_ok(reply, count);
}

int watch_end(struct session *session, struct pa_buf *reply)
{
    watchers_unwatch(session->world->watchers, &session->watcher);
    return pa_wire2_append_pong(reply);
}
