/* The conversation with portreserve(1): encoding and parsing. */

#include "pa_reserve.h"

#include <stdbool.h>
#include <string.h>

enum {
    COUNT_MAX = PA_RESERVE_COLUMNS * 2 * 65536
}; /* strings of a reply: a list of all ports there are */

static const char *const verbs[] = {
    [PA_RESERVE_RELEASE] = "release",
    [PA_RESERVE_TAKE] = "take",
    [PA_RESERVE_LIST] = "list",
};

static const char *const kinds[] = {
    [PA_RESERVE_OK] = "ok",
    [PA_RESERVE_REFUSED] = "refused",
    [PA_RESERVE_ERROR] = "error",
};

int pa_reserve_is_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= PA_RESERVE_NAME_MAX && !strchr(name, '/');
}

/* The index of the word in a table, or -1. */
static int find(const char *const *table, size_t count, const char *word)
{
    for (size_t i = 0; i < count; ++i)
        if (strcmp(table[i], word) == 0)
            return (int)i;
    return -1;
}

size_t pa_reserve_encode_request(enum pa_reserve_verb verb, const char *name, char *bytes)
{
    size_t verb_size = strlen(verbs[verb]) + 1;
    size_t name_size = strlen(name) + 1;
    memcpy(bytes, verbs[verb], verb_size);
    memcpy(bytes + verb_size, name, name_size);
    return verb_size + name_size;
}

int pa_reserve_parse_request(const char *bytes, size_t size, struct pa_reserve_request *request)
{
    const char *verb_end = memchr(bytes, '\0', size);
    const char *name_end =
        verb_end ? memchr(verb_end + 1, '\0', size - (size_t)(verb_end + 1 - bytes)) : NULL;
    if (!name_end)
        return size < PA_RESERVE_REQUEST_MAX ? PA_RESERVE_MORE : PA_RESERVE_BAD;
    int verb = find(verbs, sizeof verbs / sizeof *verbs, bytes);
    const char *name = verb_end + 1;
    if (verb < 0 || name_end + 1 != bytes + size)
        return PA_RESERVE_BAD;
    if (verb == PA_RESERVE_LIST ? *name != '\0' : !pa_reserve_is_name(name))
        return PA_RESERVE_BAD;
    request->verb = (enum pa_reserve_verb)verb;
    memcpy(request->name, name, (size_t)(name_end - name) + 1);
    return 0;
}

int pa_reserve_parse_datagram(const char *bytes, size_t size,
                              char name[PA_RESERVE_NAME_MAX + 1])
{
    if (size > 0 && (bytes[size - 1] == '\0' || bytes[size - 1] == '\n'))
        --size;
    if (size > PA_RESERVE_NAME_MAX || memchr(bytes, '\0', size))
        return PA_RESERVE_BAD;
    memcpy(name, bytes, size);
    name[size] = '\0';
    return pa_reserve_is_name(name) ? 0 : PA_RESERVE_BAD;
}

const char *pa_reserve_next(const char *string)
{
    return string + strlen(string) + 1;
}

/* How many strings there are; the last byte is known to be a NUL. */
static size_t count_strings(const char *at, const char *end)
{
    size_t n = 0;
    for (; at < end; at = pa_reserve_next(at))
        n += 1;
    return n;
}

static bool parse_count(const char *text, size_t *count)
{
    size_t n = 0;
    if (*text == '\0')
        return false;
    for (; *text; ++text) {
        if (*text < '0' || *text > '9' || n > COUNT_MAX)
            return false;
        n = n * 10 + (size_t)(*text - '0');
    }
    *count = n;
    return n <= COUNT_MAX;
}

int pa_reserve_parse_reply(const char *bytes, size_t size, struct pa_reserve_reply *reply)
{
    if (size == 0 || bytes[size - 1] != '\0')
        return PA_RESERVE_BAD;
    const char *end = bytes + size;
    int kind = find(kinds, sizeof kinds / sizeof *kinds, bytes);
    const char *next = pa_reserve_next(bytes);
    size_t count = count_strings(next, end);
    size_t told = 0;
    *reply = (struct pa_reserve_reply){(enum pa_reserve_kind)kind, "", 0, end, 0};
    switch (kind) {
    case PA_RESERVE_OK:
        if (count == 0)
            return 0;
        if (!parse_count(next, &told) ||
            (count - 1 != told && count - 1 != told * PA_RESERVE_COLUMNS))
            return PA_RESERVE_BAD;
        reply->told = told;
        reply->strings = pa_reserve_next(next);
        reply->count = count - 1;
        return 0;
    case PA_RESERVE_REFUSED:
    case PA_RESERVE_ERROR:
        reply->text = next;
        return count == 1 ? 0 : PA_RESERVE_BAD;
    default:
        return PA_RESERVE_BAD;
    }
}
