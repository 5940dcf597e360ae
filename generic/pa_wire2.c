/* The replies of protocol 2 as values, and what a client asks there. */

#include "pa_wire2.h"

#include "pa_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char line_end[] = "\r\n";

static int append_end(struct pa_buf *buf, int r)
{
    return r < 0 ? r : pa_buf_append_string(buf, line_end);
}

static int append_number(struct pa_buf *buf, uint64_t number)
{
    char digits[PA_TEXT_DECIMAL_BYTES + 1] = " ";
    return pa_buf_append(buf, digits, 1 + pa_text_decimal(digits + 1, number));
}

/* Appends `key value` behind what is there, unless r says that that failed. */
static int append_key(struct pa_buf *buf, int r, const char *key, const char *value)
{
    if (r == 0)
        r = pa_buf_append_string(buf, key);
    return r < 0 ? r : pa_wire_append_element(buf, value);
}

/* ---------------------------------------------------- the manager's side -- */

int pa_wire2_append_fail(struct pa_buf *buf, enum pa_error error, const char *text)
{
    int r = pa_buf_append_string(buf, "FAIL ");
    return append_end(buf, append_key(buf, r, pa_error_code(error), text));
}

/* Appends a blank and the list in a NUL-terminated buffer as one element. */
static int append_list(struct pa_buf *buf, struct pa_buf *list)
{
    int r = pa_buf_append(list, "", 1);
    return r < 0 ? r : pa_wire_append_element(buf, list->data);
}

int pa_wire2_append_hello(struct pa_buf *buf, const char *const *capabilities, size_t count)
{
    struct pa_buf list = PA_BUF_NULL;
    int r = pa_buf_append_string(buf, "OK");
    if (r == 0)
        r = append_number(buf, PA_PROTOCOL_2);
    for (size_t i = 0; i < count && r == 0; ++i) {
        if (i > 0)
            r = pa_buf_append(&list, " ", 1);
        if (r == 0)
            r = pa_buf_append_string(&list, capabilities[i]);
    }
    if (r == 0)
        r = append_list(buf, &list);
    pa_buf_deinit(&list);
    return append_end(buf, r);
}

int pa_wire2_append_granted(struct pa_buf *buf, const struct pa_granted *granted)
{
    int r = pa_buf_append_string(buf, "OK");
    if (r == 0)
        r = append_number(buf, granted->port);
    r = append_key(buf, r, " -name", granted->name);
    r = append_key(buf, r, " -user", granted->user);
    if (r == 0 && granted->count > 1) {
        r = pa_buf_append_string(buf, " -count");
        if (r == 0)
            r = append_number(buf, granted->count);
    }
    if (r == 0 && granted->held)
        r = pa_buf_append_string(buf, " -held 1");
    if (r == 0 && granted->joined)
        r = pa_buf_append_string(buf, " -joined 1");
    return append_end(buf, r);
}

int pa_wire2_append_found(struct pa_buf *buf, uint16_t port, const char *name, const char *user,
                          const char *attributes)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    int r = pa_buf_append(buf, digits, pa_text_decimal(digits, port));
    if (r == 0)
        r = pa_wire_append_element(buf, name);
    if (r == 0)
        r = pa_wire_append_element(buf, user);
    if (r == 0)
        r = pa_wire_append_element(buf, attributes);
    return append_end(buf, r);
}

int pa_wire2_append_event_number(struct pa_buf *buf, uint64_t number)
{
    int r = pa_buf_append_string(buf, "EVENT");
    if (r == 0)
        r = append_number(buf, number);
    return r < 0 ? r : pa_buf_append(buf, " ", 1);
}

int pa_wire2_append_event_change(struct pa_buf *buf, enum pa_event_kind kind, uint16_t port,
                                 const char *name, const char *user, const char *attributes)
{
    static const char *const words[] = {
        [PA_EVENT_ADD] = "add ", [PA_EVENT_REMOVE] = "remove ", [PA_EVENT_CHANGE] = "change "};
    int r = pa_buf_append_string(buf, words[kind]);
    return r < 0 ? r : pa_wire2_append_found(buf, port, name, user, attributes);
}

int pa_wire2_append_event_snapshot(struct pa_buf *buf, uint64_t number, size_t count)
{
    int r = pa_wire2_append_event_number(buf, number);
    if (r == 0)
        r = pa_buf_append_string(buf, "snapshot");
    if (r == 0)
        r = append_number(buf, count);
    return append_end(buf, r);
}

static const struct {
    const char *key;
    size_t offset; /* in struct pa_stats */
} stats_table[] = {
    {"protocol", offsetof(struct pa_stats, protocol)},
    {"ports", offsetof(struct pa_stats, ports)},
    {"allocated", offsetof(struct pa_stats, allocated)},
    {"held", offsetof(struct pa_stats, held)},
    {"connections", offsetof(struct pa_stats, connections)},
    {"waiting", offsetof(struct pa_stats, waiting)},
    {"users", offsetof(struct pa_stats, users)},
    {"watchers", offsetof(struct pa_stats, watchers)},
    {"uptime_s", offsetof(struct pa_stats, uptime_s)},
    {"pid", offsetof(struct pa_stats, pid)},
};

enum { STATS = sizeof stats_table / sizeof *stats_table };

int pa_wire2_append_stats(struct pa_buf *buf, const struct pa_stats *stats)
{
    struct pa_buf list = PA_BUF_NULL;
    int r = pa_buf_append_string(buf, "OK");
    for (size_t i = 0; i < STATS && r == 0; ++i) {
        uint64_t number;
        memcpy(&number, (const char *)stats + stats_table[i].offset, sizeof number);
        r = pa_buf_append_string(&list, stats_table[i].key);
        if (r == 0)
            r = append_number(&list, number);
        if (r == 0)
            r = pa_buf_append(&list, " ", 1);
    }
    r = append_key(&list, r, "version", stats->version);
    if (r == 0)
        r = append_list(buf, &list);
    pa_buf_deinit(&list);
    return append_end(buf, r);
}

int pa_wire2_append_pong(struct pa_buf *buf)
{
    return pa_buf_append_string(buf, "OK\r\n");
}

/* ----------------------------------------------------- the client's side -- */

int pa_wire2_append_hello_request(struct pa_buf *buf, const char *client)
{
    int r = pa_buf_append_string(buf, pa_verb_word(PA_VERB_HELLO));
    if (r == 0)
        r = append_number(buf, PA_PROTOCOL_2);
    if (r == 0)
        r = pa_wire_append_element(buf, client);
    return append_end(buf, r);
}

int pa_wire2_append_request(struct pa_buf *buf, enum pa_verb verb, const char *name,
                            const struct pa_keys *keys)
{
    size_t place = 0;
    struct pa_key_value pair;
    int r = pa_buf_append_string(buf, pa_verb_word(verb));
    if (r == 0 && pa_verb_takes_port(verb))
        r = append_number(buf, keys->port);
    else if (r == 0 && pa_verb_words(verb) > 0)
        r = pa_wire_append_element(buf, name);
    while (r == 0 && pa_keys_next(keys, verb, &place, &pair)) {
        r = pa_wire_append_element(buf, pair.name);
        if (r == 0)
            r = pa_wire_append_element(buf, pair.value);
    }
    return append_end(buf, r);
}

/* -------------------------------------------------------------- answers -- */

/* Decimal digits and nothing else, up to max. */
static bool read_number(const char *word, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    const char *c = word;
    for (; *c >= '0' && *c <= '9'; ++c) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (max - digit) / 10)
            return false;
        value = 10 * value + digit;
    }
    *number = value;
    return c > word && !*c;
}

static bool are_utf8(const struct pa_words *words)
{
    for (size_t i = 0; i < words->count; ++i)
        if (!pa_text_is_utf8(words->words[i]))
            return false;
    return true;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        ++at;
    return at;
}

/* A list within a line; nothing of it may be what UTF-8 has not. */
static bool split_list(struct pa_words *words, const char *list)
{
    return pa_words_split(words, list) && are_utf8(words);
}

/* The value of a key among `-key value` pairs, or NULL. */
static const char *find_value(const char *const *words, size_t count, const char *key)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        if (strcmp(words[i], key) == 0)
            return words[i + 1];
    return NULL;
}

static bool is_set(const char *const *words, size_t count, const char *key)
{
    const char *value = find_value(words, count, key);
    return value && strcmp(value, "1") == 0;
}

/* A refusal that is no list, or one of unquoted words: what is behind its first word. */
static int take_plain_refusal(struct pa_answer *answer, const char *line, size_t size)
{
    struct pa_buf text = PA_BUF_NULL;
    const char *end = line + size;
    line = skip_blanks(skip_blanks(line, end) + strlen("FAIL"), end);
    int r = pa_text_append_utf8(&text, line, (size_t)(end - line));
    if (r == 0)
        r = pa_buf_append(&text, "", 1);
    if (r < 0) {
        pa_buf_deinit(&text);
        return r;
    }
    answer->line = text.data;
    answer->text = text.data;
    return PA_E_REFUSED;
}

static bool is_code(const char *word)
{
    return *word && !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

static int take_refusal(struct pa_answer *answer, bool is_text, const char *line, size_t size)
{
    const struct pa_words *words = &answer->words;
    bool has_code = is_text && words->count == 3 && is_code(words->words[1]);
    if (!has_code && !(is_text && words->count == 2))
        return take_plain_refusal(answer, line, size);
    if (has_code)
        answer->code = words->words[1];
    answer->text = words->words[words->count - 1];
    return PA_E_REFUSED;
}

static int take_number(struct pa_answer *answer, size_t least)
{
    uint64_t number;
    const struct pa_words *words = &answer->words;
    if (words->count < 2 || !read_number(words->words[1], PA_WIRE_MAX_NUMBER, &number) ||
        number < least)
        return PA_E_PROTOCOL;
    answer->number = (size_t)number;
    return 0;
}

static int take_hello(struct pa_answer *answer)
{
    const struct pa_words *words = &answer->words;
    if (words->count < 3 || strcmp(words->words[1], "2") != 0 ||
        !split_list(&answer->list, words->words[2]))
        return PA_E_PROTOCOL;
    return 0;
}

static int take_granted(struct pa_answer *answer)
{
    if (take_number(answer, 1) != 0)
        return PA_E_PROTOCOL;
    const char *const *keys = answer->words.words + 2;
    size_t count = answer->words.count - 2;
    const char *ports = find_value(keys, count, "-count");
    uint64_t number = 1;
    if (ports && (!read_number(ports, PA_KEYS_COUNT_MAX, &number) || number == 0))
        return PA_E_PROTOCOL;
    answer->granted = (struct pa_granted){
        .port = (uint16_t)answer->number,
        .count = (uint32_t)number,
        .held = is_set(keys, count, "-held"),
        .joined = is_set(keys, count, "-joined"),
        .name = find_value(keys, count, "-name"),
        .user = find_value(keys, count, "-user"),
    };
    bool fits = answer->number + number - 1 <= UINT16_MAX;
    return answer->granted.name && answer->granted.user && fits ? 0 : PA_E_PROTOCOL;
}

static int take_stats(struct pa_answer *answer)
{
    if (answer->words.count < 2 || !split_list(&answer->list, answer->words.words[1]) ||
        answer->list.count % 2 != 0)
        return PA_E_PROTOCOL;
    for (size_t i = 0; i < STATS; ++i) {
        const char *value =
            find_value(answer->list.words, answer->list.count, stats_table[i].key);
        uint64_t number = 0;
        if (value && !read_number(value, UINT64_MAX, &number))
            return PA_E_PROTOCOL;
        memcpy((char *)&answer->stats + stats_table[i].offset, &number, sizeof number);
    }
    const char *version = find_value(answer->list.words, answer->list.count, "version");
    answer->stats.version = version ? version : "";
    return 0;
}

static int take_good(struct pa_answer *answer, enum pa_verb verb)
{
    switch (verb) {
    case PA_VERB_HELLO:
        return take_hello(answer);
    case PA_VERB_ALLOCATE:
    case PA_VERB_LISTEN:
        return take_granted(answer);
    case PA_VERB_GIMME:
    case PA_VERB_RELEASE:
    case PA_VERB_CHANGE:
        return take_number(answer, 1);
    case PA_VERB_STATS:
        return take_stats(answer);
    case PA_VERB_PING:
    case PA_VERB_UNWATCH:
        return 0;
    default:
        return take_number(answer, 0);
    }
}

int pa_answer_parse(struct pa_answer *answer, enum pa_verb verb, const char *line, size_t size)
{
    *answer = (struct pa_answer){.code = "", .text = "", .stats = {.version = ""}};
    int r = pa_words_split_line(&answer->words, line, size);
    if (r < 0)
        return r;
    bool is_text = r == 0 && are_utf8(&answer->words);
    size_t number;
    if (pa_wire_parse_reply(line, size, &number) == PA_E_REFUSED)
        return take_refusal(answer, is_text, line, size);
    if (!is_text || answer->words.count == 0 || strcmp(answer->words.words[0], "OK") != 0)
        return PA_E_PROTOCOL;
    return take_good(answer, verb);
}

void pa_answer_deinit(struct pa_answer *answer)
{
    pa_words_deinit(&answer->words);
    pa_words_deinit(&answer->list);
    free(answer->line);
    *answer = (struct pa_answer){.code = "", .text = "", .stats = {.version = ""}};
}

bool pa_answer_can(const struct pa_answer *answer, const char *capability)
{
    for (size_t i = 0; i < answer->list.count; ++i)
        if (strcmp(answer->list.words[i], capability) == 0)
            return true;
    return false;
}

static bool is_description(const char *list)
{
    struct pa_words words;
    bool good = split_list(&words, list) && words.count % 2 == 0;
    pa_words_deinit(&words);
    return good;
}

static int add_found(struct pa_listing *listing, const char *const *words)
{
    uint64_t port;
    if (!read_number(words[0], UINT16_MAX, &port) || port == 0 || !is_description(words[3]))
        return PA_E_PROTOCOL;
    struct pa_buf all = PA_BUF_NULL;
    int r = pa_buf_append_string(&all, words[1]);
    for (int i = 2; i < 4 && r == 0; ++i) {
        r = pa_buf_append(&all, " ", 1);
        if (r == 0)
            r = pa_buf_append_string(&all, words[i]);
    }
    if (r == 0)
        r = pa_listing_add_described(listing, (uint16_t)port, all.data, strlen(words[1]),
                                     strlen(words[2]), strlen(words[3]));
    pa_buf_deinit(&all);
    return r;
}

int pa_wire2_parse_found(struct pa_listing *listing, const char *line, size_t size)
{
    struct pa_words words;
    int r = pa_words_split_line(&words, line, size);
    if (r == 0)
        r = words.count >= 4 && are_utf8(&words) ? add_found(listing, words.words)
                                                 : PA_E_PROTOCOL;
    pa_words_deinit(&words);
    return r > 0 ? PA_E_PROTOCOL : r;
}
