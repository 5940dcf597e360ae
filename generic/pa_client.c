/* The client's half of the conversation. */

#include "pa_client.h"

#include "pa_text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    QUOTED_BYTES = 200, /* of a line in an error text */
    KEYS_MAX = 16,      /* of one request; no verb has as many */
};

static const char client_name[] = PACKAGE_NAME "-" PACKAGE_VERSION;

void pa_client_deinit(struct pa_client *client)
{
    pa_line_deinit(&client->line);
    pa_listing_deinit(&client->listing);
    pa_answer_deinit(&client->answer);
    pa_answer_deinit(&client->hello);
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

/* Has the manager's own parser look at the keys: nothing in them can end the line. */
static int check_keys(enum pa_verb verb, const struct pa_keys *keys, struct pa_failure *why)
{
    struct pa_key_value pairs[KEYS_MAX];
    const char *words[2 * KEYS_MAX];
    struct pa_keys parsed = PA_KEYS_INIT;
    size_t place = 0;
    size_t count = 0;
    while (count < KEYS_MAX && pa_keys_next(keys, verb, &place, &pairs[count])) {
        words[2 * count] = pairs[count].name;
        words[2 * count + 1] = pairs[count].value;
        ++count;
    }
    if (pa_verb_takes_port(verb) && (keys->port == 0 || keys->port > UINT16_MAX))
        return pa_failure_set(why, PA_E_NOT_MANAGED, (unsigned)keys->port);
    return pa_keys_parse(&parsed, verb, words, 2 * count, why);
}

/* `canonical` takes the attributes in the form that is sent. */
static int append_request2(struct pa_buf *request, enum pa_verb verb, const char *name,
                           const struct pa_keys *keys, struct pa_buf *canonical,
                           struct pa_failure *why)
{
    struct pa_keys sent = *keys;
    int r = pa_wire_append_attributes(canonical, keys->attributes, why);
    if (r == 0)
        r = pa_buf_append(canonical, "", 1);
    if (r == 0) {
        sent.attributes = canonical->data;
        r = check_keys(verb, &sent, why);
    }
    return r != 0 ? r : pa_wire2_append_request(request, verb, name, &sent);
}

int pa_client_request2(struct pa_buf *request, enum pa_verb verb, const char *name,
                       const struct pa_keys *keys, struct pa_failure *why)
{
    size_t before = request->size;
    bool is_named = !pa_verb_takes_port(verb) && pa_verb_words(verb) > 0;
    int r = is_named ? pa_keys_check_name(name) : 0;
    if (r != 0)
        return pa_failure_set(why, (enum pa_error)r);
    struct pa_buf canonical = PA_BUF_NULL;
    r = append_request2(request, verb, name, keys, &canonical, why);
    pa_buf_deinit(&canonical);
    if (r != 0)
        request->size = before;
    return r;
}

int pa_client_hello(struct pa_buf *request)
{
    size_t before = request->size;
    int r = pa_wire2_append_hello_request(request, client_name);
    if (r != 0)
        request->size = before;
    return r;
}

static void begin(struct pa_client *client, enum pa_verb verb, enum pa_client_state state)
{
    assert(client->state == PA_CLIENT_IDLE);
    pa_listing_deinit(&client->listing);
    pa_answer_deinit(&client->answer);
    client->port = 0;
    client->verb = verb;
    client->state = state;
}

void pa_client_begin(struct pa_client *client, enum pa_verb verb)
{
    begin(client, verb, PA_CLIENT_STATUS);
}

void pa_client_begin_hello(struct pa_client *client, enum pa_verb verb)
{
    begin(client, verb, PA_CLIENT_GREETING);
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

int pa_client_break(struct pa_client *client, struct pa_failure *why, const char *what,
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

/* Whether a manager of protocol 2 says so to a connection that it has no room for. */
static bool is_about_room(const char *text)
{
    return strcmp(text, pa_error_text(PA_E_TOO_MANY_CONNECTIONS)) == 0 ||
           strcmp(text, pa_error_text(PA_E_NO_MEMORY)) == 0;
}

static int take_greeting(struct pa_client *client, const char *line, size_t size,
                         struct pa_failure *why)
{
    pa_answer_deinit(&client->hello);
    int r = pa_answer_parse(&client->hello, PA_VERB_HELLO, line, size);
    if (r < 0)
        return break_off(client, r);
    if (r == PA_E_REFUSED)
        return break_off(client, is_about_room(client->hello.text)
                                     ? fail_with_line(why, PA_E_REFUSED, NULL, line, size)
                                     : PA_CLIENT_OLD);
    if (r != 0)
        return pa_client_break(client, why, "not an answer to HELLO", line, size);
    client->protocol = PA_PROTOCOL_2;
    if (client->verb == PA_VERB_HELLO)
        return finish(client);
    client->state = PA_CLIENT_STATUS;
    return PA_CLIENT_MORE;
}

static int begin_lines(struct pa_client *client, size_t lines)
{
    client->lines_due = lines;
    client->state = PA_CLIENT_LINES;
    return lines == 0 ? finish(client) : PA_CLIENT_MORE;
}

/* The first line of a reply in protocol 2. */
static int take_answer(struct pa_client *client, const char *line, size_t size,
                       struct pa_failure *why)
{
    struct pa_answer *answer = &client->answer;
    int r = pa_answer_parse(answer, client->verb, line, size);
    if (r < 0)
        return break_off(client, r);
    if (r == PA_E_REFUSED) {
        client->state = PA_CLIENT_IDLE;
        pa_failure_set(why, PA_E_REFUSED, answer->text);
        why->error = pa_error_of_code(answer->code);
        return PA_CLIENT_FAILED;
    }
    if (r != 0)
        return pa_client_break(client, why, "not an answer to the request", line, size);
    if (client->verb == PA_VERB_FIND || client->verb == PA_VERB_WATCH ||
        client->verb == PA_VERB_LIST)
        return begin_lines(client, answer->number);
    client->port = (uint16_t)answer->number;
    return finish(client);
}

/* The same in protocol 1. */
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
        return pa_client_break(client, why, "not an OK and a number", line, size);
    if (client->verb == PA_VERB_GIMME) {
        if (number == 0)
            return pa_client_break(client, why, "not a port", line, size);
        client->port = (uint16_t)number;
        return finish(client);
    }
    return begin_lines(client, number);
}

/* `taken` more lines of the listing are in; the last of them is for the message. */
static int count_lines(struct pa_client *client, size_t taken, const char *line, size_t size,
                       struct pa_failure *why)
{
    if (client->listing.text.size > PA_CLIENT_TEXT_BYTES)
        return pa_client_break(client, why, "the listing is too long at", line, size);
    client->lines_due -= taken;
    return client->lines_due == 0 ? finish(client) : PA_CLIENT_MORE;
}

static int take_port(struct pa_client *client, const char *line, size_t size,
                     struct pa_failure *why)
{
    bool found = client->verb != PA_VERB_LIST;
    int r = found ? pa_wire2_parse_found(&client->listing, line, size)
                  : pa_wire_parse_port(&client->listing, line, size);
    if (r < 0)
        return break_off(client, r);
    if (r != 0)
        return pa_client_break(client, why,
                               found ? "not a port, a name, a user and attributes"
                                     : "not a port, a name and a user",
                               line, size);
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

/* A line of the reply, whichever is due. */
static int take_line(struct pa_client *client, const char *line, size_t size,
                     struct pa_failure *why)
{
    if (client->state == PA_CLIENT_LINES)
        return take_port(client, line, size, why);
    if (client->state == PA_CLIENT_GREETING)
        return take_greeting(client, line, size, why);
    return client->protocol == PA_PROTOCOL_2 ? take_answer(client, line, size, why)
                                             : take_status(client, line, size, why);
}

static bool may_be_plain(const struct pa_client *client)
{
    return client->state == PA_CLIENT_LINES && client->verb == PA_VERB_LIST &&
           !pa_line_pending(&client->line);
}

static int break_long_line(struct pa_client *client, struct pa_failure *why, const char *bytes,
                           const char *end)
{
    size_t size = (size_t)(end - bytes);
    if (pa_line_pending(&client->line))
        bytes = pa_line_rest(&client->line, &size);
    return pa_client_break(client, why, "a line is too long", bytes, size);
}

int pa_client_feed(struct pa_client *client, const char **cursor, const char *end,
                   struct pa_failure *why)
{
    assert(client->state != PA_CLIENT_IDLE && client->state != PA_CLIENT_BROKEN);
    int r = PA_CLIENT_MORE;
    while (r == PA_CLIENT_MORE) {
        const char *line;
        size_t size;
        pa_line_skip_lf(&client->line, cursor, end);
        if (may_be_plain(client)) {
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
        r = take_line(client, line, size, why);
    }
    pa_line_skip_lf(&client->line, cursor, end);
    return r;
}

int pa_client_take_line(struct pa_client *client, const char **cursor, const char *end,
                        const char **line, size_t *size, struct pa_failure *why)
{
    assert(client->state == PA_CLIENT_IDLE);
    int r = pa_line_next(&client->line, cursor, end, line, size);
    if (r == PA_LINE_TOO_LONG)
        return break_long_line(client, why, *cursor, end);
    return r < 0 ? break_off(client, r) : r;
}

int pa_client_begin_found(struct pa_client *client, size_t lines)
{
    begin(client, PA_VERB_FIND, PA_CLIENT_LINES);
    return begin_lines(client, lines);
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
