/* The client's half of the conversation. */

#include "pa_client.h"

#include "pa_text.h"

#include <assert.h>
#include <errno.h>

enum { QUOTED_BYTES = 200 }; /* of a line in an error text */

void pa_client_deinit(struct pa_client *client)
{
    pa_line_deinit(&client->line);
    pa_listing_deinit(&client->listing);
    *client = (struct pa_client)PA_CLIENT_INIT;
}

/* ------------------------------------------------------------- requests -- */

static int append_gimme(struct pa_buf *request, const char *name, const char *user)
{
    if (!*name || !*user)
        return PA_E_EMPTY_NAME;
    if (pa_text_has_control(name) || pa_text_has_control(user))
        return PA_E_CONTROL_CHARACTER;
    return pa_wire_append_gimme_request(request, name, user);
}

int pa_client_request(struct pa_buf *request, enum pa_verb verb, const char *name,
                      const char *user)
{
    size_t before = request->size;
    int r = verb == PA_VERB_GIMME ? append_gimme(request, name, user)
                                  : pa_wire_append_list_request(request);
    if (r != 0)
        request->size = before;
    return r;
}

void pa_client_begin(struct pa_client *client, enum pa_verb verb)
{
    assert(client->state == PA_CLIENT_IDLE);
    pa_listing_deinit(&client->listing);
    client->port = 0;
    client->verb = verb;
    client->state = PA_CLIENT_STATUS;
}

/* -------------------------------------------------------------- replies -- */

/* Fills in *why with the beginning of a peer's line, as UTF-8, behind `what` if that is set. */
static int fail_with_line(struct pa_failure *why, enum pa_error error, const char *what,
                          const char *line, size_t size)
{
    struct pa_buf text = PA_BUF_NULL;
    size_t shown = pa_text_cut(line, size, what ? QUOTED_BYTES : PA_FAILURE_TEXT_BYTES);
    int r = pa_text_append_utf8(&text, line, shown);
    if (r == 0)
        r = pa_buf_append(&text, "", 1);
    if (r == 0 && what)
        pa_failure_set(why, error, what, text.data);
    else if (r == 0)
        pa_failure_set(why, error, text.data);
    pa_buf_deinit(&text);
    return r < 0 ? r : PA_CLIENT_FAILED;
}

static int break_off(struct pa_client *client, int r)
{
    pa_listing_deinit(&client->listing);
    client->state = PA_CLIENT_BROKEN;
    return r;
}

static int break_protocol(struct pa_client *client, struct pa_failure *why, const char *what,
                          const char *line, size_t size)
{
    return break_off(client, fail_with_line(why, PA_E_PROTOCOL, what, line, size));
}

static int finish(struct pa_client *client)
{
    pa_listing_seal(&client->listing);
    client->state = PA_CLIENT_IDLE;
    return 0;
}

static int take_status(struct pa_client *client, const char *line, size_t size,
                       struct pa_failure *why)
{
    size_t number = 0;
    int r = pa_wire_parse_reply(line, size, &number);
    if (r == PA_E_REFUSED) {
        client->state = PA_CLIENT_IDLE;
        r = fail_with_line(why, PA_E_REFUSED, NULL, line, size);
        return r < 0 ? break_off(client, r) : r;
    }
    if (r != 0)
        return break_protocol(client, why, "not an OK and a number", line, size);
    if (client->verb == PA_VERB_GIMME) {
        if (number == 0)
            return break_protocol(client, why, "not a port", line, size);
        client->port = (uint16_t)number;
        return finish(client);
    }
    client->lines_due = number;
    client->state = PA_CLIENT_LINES;
    return number == 0 ? finish(client) : PA_CLIENT_MORE;
}

/* `taken` more lines of the listing are in; the last of them is for the message. */
static int count_lines(struct pa_client *client, size_t taken, const char *line, size_t size,
                       struct pa_failure *why)
{
    if (client->listing.text.size > PA_CLIENT_TEXT_BYTES)
        return break_protocol(client, why, "the listing is too long at", line, size);
    client->lines_due -= taken;
    return client->lines_due == 0 ? finish(client) : PA_CLIENT_MORE;
}

static int take_port(struct pa_client *client, const char *line, size_t size,
                     struct pa_failure *why)
{
    int r = pa_wire_parse_port(&client->listing, line, size);
    if (r < 0)
        return break_off(client, r);
    if (r != 0)
        return break_protocol(client, why, "not a port, a name and a user", line, size);
    return count_lines(client, 1, line, size, why);
}

/* The plain lines that stand whole in the bytes at *cursor, where a line begins. */
static int take_plain_ports(struct pa_client *client, const char **cursor, const char *end,
                            struct pa_failure *why)
{
    const char *begin = *cursor;
    long taken = pa_wire_parse_plain(&client->listing, cursor, end, client->lines_due);
    if (taken < 0)
        return break_off(client, (int)taken);
    return count_lines(client, (size_t)taken, begin, (size_t)(*cursor - begin), why);
}

static int break_long_line(struct pa_client *client, struct pa_failure *why, const char *bytes,
                           const char *end)
{
    size_t size = (size_t)(end - bytes);
    if (pa_line_pending(&client->line))
        bytes = pa_line_rest(&client->line, &size);
    return break_protocol(client, why, "a line is too long", bytes, size);
}

int pa_client_feed(struct pa_client *client, const char **cursor, const char *end,
                   struct pa_failure *why)
{
    assert(client->state == PA_CLIENT_STATUS || client->state == PA_CLIENT_LINES);
    int r = PA_CLIENT_MORE;
    while (r == PA_CLIENT_MORE) {
        const char *line;
        size_t size;
        pa_line_skip_lf(&client->line, cursor, end);
        if (client->state == PA_CLIENT_LINES && !pa_line_pending(&client->line)) {
            r = take_plain_ports(client, cursor, end, why);
            if (r != PA_CLIENT_MORE)
                break;
        }
        r = pa_line_next(&client->line, cursor, end, &line, &size);
        if (r == PA_LINE_PARTIAL)
            return PA_CLIENT_MORE;
        if (r == PA_LINE_TOO_LONG)
            return break_long_line(client, why, *cursor, end);
        if (r < 0)
            return break_off(client, r);
        r = client->state == PA_CLIENT_STATUS ? take_status(client, line, size, why)
                                              : take_port(client, line, size, why);
    }
    pa_line_skip_lf(&client->line, cursor, end);
    return r;
}

bool pa_client_take_idle(struct pa_client *client, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    pa_line_skip_lf(&client->line, &bytes, end);
    if (bytes < end && client->state == PA_CLIENT_IDLE)
        client->state = PA_CLIENT_BROKEN;
    return client->state == PA_CLIENT_IDLE;
}

bool pa_client_in_reply(const struct pa_client *client)
{
    return client->state == PA_CLIENT_LINES || pa_line_pending(&client->line);
}
