/*
 * Fuzz target: a request of protocol 2 keeps what the contract promises, and
 * reads back as itself once it was written again.
 *
 * Input: one line.
 */

#include "fuzz.h"

#include "pa_text.h"
#include "pa_wire2.h"

#include <stdbool.h>

static bool is_harmless(const char *text)
{
    return pa_text_is_utf8(text) && !pa_text_has_control(text);
}

static bool is_same(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

static void require_same(const struct pa_request *left, const struct pa_request *right)
{
    const struct pa_keys *l = &left->keys, *r = &right->keys;
    REQUIRE(left->verb == right->verb && is_same(left->name, right->name));
    REQUIRE(l->port == r->port && l->count == r->count && l->unique == r->unique);
    REQUIRE(l->hold == r->hold && l->exact == r->exact && l->wait_ms == r->wait_ms);
    REQUIRE(l->backlog == r->backlog && is_same(l->attributes, r->attributes));
    REQUIRE(is_same(l->user, r->user) && is_same(l->address, r->address));
    REQUIRE(is_same(l->name_pattern, r->name_pattern));
    REQUIRE(is_same(l->user_pattern, r->user_pattern));
}

static void require_bounds(const struct pa_keys *keys)
{
    REQUIRE(keys->port <= UINT16_MAX && keys->unique <= 1 && keys->exact <= 1);
    REQUIRE(keys->count >= 1 && keys->count <= PA_KEYS_COUNT_MAX);
    REQUIRE(keys->hold <= PA_HOLD_YES && keys->wait_ms <= PA_KEYS_WAIT_MAX_MS);
    REQUIRE(keys->backlog >= 1 && keys->backlog <= PA_KEYS_BACKLOG_MAX);
    REQUIRE(!keys->unique || keys->count == 1);
    REQUIRE(strlen(keys->attributes) <= PA_KEYS_ATTRIBUTES_BYTES);
    const char *const texts[] = {keys->attributes, keys->user, keys->address,
                                 keys->name_pattern, keys->user_pattern};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        REQUIRE(!texts[i] || is_harmless(texts[i]));
    REQUIRE(!keys->user || *keys->user);
    REQUIRE(!keys->address || *keys->address);
}

static void write_again(const struct pa_request *request)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_request again;
    struct pa_failure why;
    REQUIRE(pa_wire2_append_request(&line, request->verb, request->name, &request->keys) == 0);
    REQUIRE(line.size > 2 && memchr(line.data, '\r', line.size) == line.data + line.size - 2);
    REQUIRE(memchr(line.data, '\n', line.size) == line.data + line.size - 1);
    REQUIRE(pa_request_parse(&again, PA_PROTOCOL_2, line.data, line.size - 2, &why) == 0);
    require_same(request, &again);
    pa_request_deinit(&again);
    pa_buf_deinit(&line);
}

/* What a client reads of a refusal is what the manager wrote. */
static void refuse(int error, const struct pa_failure *why)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_answer answer;
    REQUIRE(why->error == (enum pa_error)error && is_harmless(why->text));
    REQUIRE(pa_wire2_append_fail(&line, why->error, why->text) == 0);
    REQUIRE(pa_answer_parse(&answer, PA_VERB_PING, line.data, line.size - 2) == PA_E_REFUSED);
    REQUIRE(strcmp(answer.code, pa_error_code(why->error)) == 0 && *answer.code);
    REQUIRE(strcmp(answer.text, why->text) == 0);
    pa_answer_deinit(&answer);
    pa_buf_deinit(&line);
}

static void require_good(const struct pa_request *request)
{
    REQUIRE(request->verb < PA_VERB_COUNT);
    if (request->verb <= PA_VERB_HELLO)
        return;
    require_bounds(&request->keys);
    if (request->verb == PA_VERB_ALLOCATE || request->verb == PA_VERB_LISTEN)
        REQUIRE(*request->name && is_harmless(request->name));
    REQUIRE((request->verb == PA_VERB_RELEASE) <= (request->keys.port > 0));
    write_again(request);
}

/* GIMME, LIST and HELLO mean the same in both protocols; there is nothing else in the first. */
static void try_protocol_1(const char *text, size_t size, int expected, enum pa_verb verb)
{
    struct pa_request request;
    struct pa_failure why;
    int r = pa_request_parse(&request, PA_PROTOCOL_1, text, size, &why);
    if (verb <= PA_VERB_HELLO)
        REQUIRE(r == expected && request.verb == verb);
    else
        REQUIRE(r == PA_E_INVALID_REQUEST);
    pa_request_deinit(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy((const char *)data, size);
    struct pa_request request;
    struct pa_failure why;
    int r = pa_request_parse(&request, PA_PROTOCOL_2, text, size, &why);
    REQUIRE(r >= 0 && r < PA_E_REFUSED);
    REQUIRE(request.text && pa_text_is_utf8(request.text));
    if (r == 0)
        require_good(&request);
    else if (r != PA_E_INVALID_REQUEST)
        refuse(r, &why);
    try_protocol_1(text, size, r, request.verb);
    pa_request_deinit(&request);
    REQUIRE(!request.text && !request.name);
    free(text);
    return 0;
}
