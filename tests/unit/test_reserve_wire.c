/* test_reserve_wire.c - the conversation with portreserve: what is read, and what never is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pa_reserve.h"

enum { NAME_BYTES = PA_RESERVE_NAME_MAX + 1 };

/* Bytes as the parser gets them: none to spare, so that a sanitizer sees any read beyond. */
static char *exactly(const void *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return copy;
}

static int parse_request(const void *bytes, size_t size, struct pa_reserve_request *request)
{
    char *copy = exactly(bytes, size);
    int r = pa_reserve_parse_request(copy, size, request);
    free(copy);
    return r;
}

static int parse_datagram(const void *bytes, size_t size, char name[NAME_BYTES])
{
    char *copy = exactly(bytes, size);
    int r = pa_reserve_parse_datagram(copy, size, name);
    free(copy);
    return r;
}

static int parse_reply(const void *bytes, size_t size)
{
    struct pa_reserve_reply reply;
    char *copy = exactly(bytes, size);
    int r = pa_reserve_parse_reply(copy, size, &reply);
    free(copy);
    return r;
}

/* A name of `size` times x. */
static const char *name_of(size_t size)
{
    static char name[2 * NAME_BYTES];
    assert_true(size < sizeof name);
    memset(name, 'x', size);
    name[size] = '\0';
    return name;
}

/* The size of a literal with NULs in it and one behind. */
#define BYTES(literal) literal, sizeof(literal)

/* -------------------------------------------------------------- requests -- */

static void a_request_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const struct {
        enum pa_reserve_verb verb;
        const char *name;
    } requests[] = {{PA_RESERVE_RELEASE, "cups"},
                    {PA_RESERVE_RELEASE, "*"},
                    {PA_RESERVE_TAKE, "\xff\n \x01"},
                    {PA_RESERVE_LIST, ""}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; ++i) {
        char bytes[PA_RESERVE_REQUEST_MAX];
        struct pa_reserve_request request;
        size_t size = pa_reserve_encode_request(requests[i].verb, requests[i].name, bytes);
        assert_int_equal(parse_request(bytes, size, &request), 0);
        assert_int_equal(request.verb, requests[i].verb);
        assert_string_equal(request.name, requests[i].name);
    }
}

static void a_request_has_this_form(void **state)
{
    (void)state;
    char bytes[PA_RESERVE_REQUEST_MAX];
    assert_int_equal(pa_reserve_encode_request(PA_RESERVE_TAKE, "cups", bytes), 10);
    assert_memory_equal(bytes, "take\0cups", 10);
}

static void the_longest_request_fits(void **state)
{
    (void)state;
    char bytes[PA_RESERVE_REQUEST_MAX];
    struct pa_reserve_request request;
    size_t size =
        pa_reserve_encode_request(PA_RESERVE_RELEASE, name_of(PA_RESERVE_NAME_MAX), bytes);
    assert_true(size <= sizeof bytes);
    assert_int_equal(parse_request(bytes, size, &request), 0);
    assert_int_equal(strlen(request.name), PA_RESERVE_NAME_MAX);
}

static void every_beginning_of_a_request_waits_for_more(void **state)
{
    (void)state;
    static const char *const names[] = {"cups", ""};
    static const enum pa_reserve_verb verbs[] = {PA_RESERVE_TAKE, PA_RESERVE_LIST};
    for (size_t i = 0; i < 2; ++i) {
        char bytes[PA_RESERVE_REQUEST_MAX];
        struct pa_reserve_request request;
        size_t size = pa_reserve_encode_request(verbs[i], names[i], bytes);
        for (size_t cut = 0; cut < size; ++cut)
            assert_int_equal(parse_request(bytes, cut, &request), PA_RESERVE_MORE);
    }
}

static void no_request(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {BYTES("Release\0cups")},      {BYTES("\0cups")},        {BYTES("releas\0cups")},
        {BYTES("releases\0cups")},     {BYTES("release\0")},     {BYTES("take\0")},
        {BYTES("take\0a/b")},          {BYTES("take\0/")},       {BYTES("list\0cups")},
        {BYTES("release\0cups\0")},    {BYTES("release\0a\0b")}, {BYTES("release cups\0")},
        {"release\0cups\0x", 14},      {BYTES("ok\0")},          {BYTES("\0")},
        {BYTES("release\0../shadow")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        struct pa_reserve_request request;
        assert_int_equal(parse_request(bad[i].bytes, bad[i].size, &request), PA_RESERVE_BAD);
    }
}

static void a_request_that_does_not_end_is_none(void **state)
{
    (void)state;
    char bytes[PA_RESERVE_REQUEST_MAX];
    struct pa_reserve_request request;
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(parse_request(bytes, sizeof bytes - 1, &request), PA_RESERVE_MORE);
    assert_int_equal(parse_request(bytes, sizeof bytes, &request), PA_RESERVE_BAD);
    memcpy(bytes, "take", sizeof "take");
    assert_int_equal(parse_request(bytes, sizeof bytes, &request), PA_RESERVE_BAD);
}

static void a_name_of_256_bytes_is_none(void **state)
{
    (void)state;
    char bytes[PA_RESERVE_REQUEST_MAX] = "take";
    struct pa_reserve_request request;
    memset(bytes + sizeof "take", 'x', NAME_BYTES);
    assert_int_equal(parse_request(bytes, sizeof "take" + NAME_BYTES + 1, &request),
                     PA_RESERVE_BAD);
}

/* ------------------------------------------------------------- datagrams -- */

static void a_datagram_is_a_name_perhaps_with_an_end(void **state)
{
    (void)state;
    char name[NAME_BYTES];
    assert_int_equal(parse_datagram("cups", 4, name), 0);
    assert_string_equal(name, "cups");
    assert_int_equal(parse_datagram("cups\0", 5, name), 0);
    assert_string_equal(name, "cups");
    assert_int_equal(parse_datagram("cups\n", 5, name), 0);
    assert_string_equal(name, "cups");
    assert_int_equal(parse_datagram("cups\n\n", 6, name), 0);
    assert_string_equal(name, "cups\n");
    assert_int_equal(parse_datagram("*", 1, name), 0);
    assert_string_equal(name, "*");
}

static void no_datagram(void **state)
{
    (void)state;
    char name[NAME_BYTES];
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"", 0},       {"\0", 1},       {"\n", 1},   {"\0\0", 2},
               {"a\0b", 3},   {"cups\0\0", 6}, {"a/b", 3},  {"../x", 4},
               {"\0cups", 5}, {"cups\0\n", 6}, {"/etc", 4}, {"/\0", 2}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        assert_int_equal(parse_datagram(bad[i].bytes, bad[i].size, name), PA_RESERVE_BAD);
}

static void a_datagram_has_a_name_of_255_bytes_at_most(void **state)
{
    (void)state;
    char name[NAME_BYTES];
    assert_int_equal(parse_datagram(name_of(255), 255, name), 0);
    assert_int_equal(strlen(name), 255);
    assert_int_equal(parse_datagram(name_of(255), 256, name), 0);
    assert_int_equal(strlen(name), 255);
    assert_int_equal(parse_datagram(name_of(256), 256, name), PA_RESERVE_BAD);
    assert_int_equal(parse_datagram(name_of(400), 400, name), PA_RESERVE_BAD);
}

static void a_name_has_1_to_255_bytes_and_no_slash(void **state)
{
    (void)state;
    assert_true(pa_reserve_is_name("x"));
    assert_true(pa_reserve_is_name("*"));
    assert_true(pa_reserve_is_name(name_of(255)));
    assert_false(pa_reserve_is_name(name_of(256)));
    assert_false(pa_reserve_is_name(""));
    assert_false(pa_reserve_is_name("/"));
    assert_false(pa_reserve_is_name("a/"));
}

/* --------------------------------------------------------------- replies -- */

static void an_ok_without_strings(void **state)
{
    (void)state;
    struct pa_reserve_reply reply;
    assert_int_equal(pa_reserve_parse_reply(BYTES("ok"), &reply), 0);
    assert_int_equal(reply.kind, PA_RESERVE_OK);
    assert_int_equal(reply.told, 0);
    assert_int_equal(reply.count, 0);
    assert_string_equal(reply.text, "");
}

static void sockets_are_one_string_each(void **state)
{
    (void)state;
    struct pa_reserve_reply reply;
    assert_int_equal(pa_reserve_parse_reply(BYTES("ok\0002\000631/tcp\000631/udp"), &reply), 0);
    assert_int_equal(reply.told, 2);
    assert_int_equal(reply.count, 2);
    assert_string_equal(reply.strings, "631/tcp");
    assert_string_equal(pa_reserve_next(reply.strings), "631/udp");
}

static void ports_are_six_strings_each(void **state)
{
    (void)state;
    struct pa_reserve_reply reply;
    assert_int_equal(
        pa_reserve_parse_reply(BYTES("ok\0001\000631\0tcp\0ipv4\0cups\0held\00012"), &reply),
        0);
    assert_int_equal(reply.told, 1);
    assert_int_equal(reply.count, 6);
    const char *string = reply.strings;
    for (int i = 0; i < 4; ++i)
        string = pa_reserve_next(string);
    assert_string_equal(string, "held");
}

static void a_refusal_and_an_error_have_a_text(void **state)
{
    (void)state;
    struct pa_reserve_reply reply;
    assert_int_equal(pa_reserve_parse_reply(BYTES("refused\0no right"), &reply), 0);
    assert_int_equal(reply.kind, PA_RESERVE_REFUSED);
    assert_string_equal(reply.text, "no right");
    assert_int_equal(pa_reserve_parse_reply(BYTES("error\0"), &reply), 0);
    assert_int_equal(reply.kind, PA_RESERVE_ERROR);
    assert_string_equal(reply.text, "");
}

/*
 * But for "ok", which is a reply of its own, and for one string of five when one port is
 * told: whoever took sockets, or asked for a list, sees by what was told that it is none.
 */
static void every_truncation_of_a_reply_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        size_t others[2]; /* sizes of cuts that have the form of a reply */
    } replies[] = {
        {BYTES("ok"), {0}},
        {BYTES("ok\0002\000631/tcp\000631/udp"), {3}},
        {BYTES("ok\0001\000631\0tcp\0ipv4\0cups\0held\00012"), {3, 9}},
        {BYTES("refused\0no right"), {0}},
        {BYTES("error\0no memory"), {0}},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; ++i) {
        assert_int_equal(parse_reply(replies[i].bytes, replies[i].size), 0);
        for (size_t cut = 0; cut < replies[i].size; ++cut) {
            bool other =
                cut > 0 && (cut == replies[i].others[0] || cut == replies[i].others[1]);
            assert_int_equal(parse_reply(replies[i].bytes, cut), other ? 0 : PA_RESERVE_BAD);
        }
    }
}

static void no_reply(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"", 0},
        {BYTES("")},
        {BYTES("OK")},
        {BYTES("okay")},
        {BYTES("refused")},
        {BYTES("refused\0a\0b")},
        {BYTES("error\0a\0b")},
        {BYTES("ok\0")},
        {BYTES("ok\0x")},
        {BYTES("ok\0-1")},
        {BYTES("ok\0+1\0a")},
        {BYTES("ok\0001 \0a")},
        {BYTES("ok\0000x1\0a")},
        {BYTES("ok\0001\0a\0b\0c\0d")},
        {BYTES("ok\0001")},
        {BYTES("ok\0000\0a")},
        {BYTES("ok\0001\0a\0b")},
        {BYTES("ok\0002\0a\0b\0c\0d\0e")},
        {BYTES("ok\00018446744073709551617\0a")},
        {BYTES("ok\00099999999999999999999999999999999\0a")},
        {BYTES("ok\000655361")},
        {"ok\0001\0a\0b", 8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        assert_int_equal(parse_reply(bad[i].bytes, bad[i].size), PA_RESERVE_BAD);
}

/* --------------------------------------------------------- hostile bytes -- */

enum { ROUNDS = 20000, HOSTILE_BYTES = 300 };

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Bytes that are likely to get far: words of the conversation, NULs, digits, and others. */
static size_t make_hostile(char *bytes, uint32_t *seed)
{
    static const char *const words[] = {"ok",   "refused", "error", "release", "take",
                                        "list", "1",       "5",     "cups",    "/"};
    size_t size = 0;
    uint32_t parts = next_random(seed) % 12;
    while (parts-- > 0) {
        const char *word = words[next_random(seed) % (sizeof words / sizeof *words)];
        size_t length = strlen(word);
        uint32_t what = next_random(seed) % 4;
        if (what == 0) {
            bytes[size++] = (char)next_random(seed);
        } else {
            memcpy(bytes + size, word, length);
            size += length;
        }
        if (what > 1)
            bytes[size++] = '\0';
    }
    return size;
}

/* What was accepted must be what the form says. */
static void check_hostile(const char *bytes, size_t size)
{
    struct pa_reserve_request request;
    struct pa_reserve_reply reply;
    char name[NAME_BYTES];
    if (pa_reserve_parse_request(bytes, size, &request) == 0)
        assert_true(request.verb == PA_RESERVE_LIST ? !*request.name
                                                    : pa_reserve_is_name(request.name));
    if (pa_reserve_parse_datagram(bytes, size, name) == 0)
        assert_true(pa_reserve_is_name(name));
    if (pa_reserve_parse_reply(bytes, size, &reply) == 0) {
        const char *string = reply.strings;
        for (size_t n = 0; n < reply.count; ++n)
            string = pa_reserve_next(string);
        assert_ptr_equal(string, bytes + size);
        assert_true(reply.count == reply.told ||
                    reply.count == PA_RESERVE_COLUMNS * reply.told);
    }
}

static void hostile_bytes_are_read_to_their_end_at_most(void **state)
{
    (void)state;
    uint32_t seed = 20260101;
    for (int round = 0; round < ROUNDS; ++round) {
        char bytes[HOSTILE_BYTES];
        size_t size = make_hostile(bytes, &seed);
        char *copy = exactly(bytes, size);
        check_hostile(copy, size);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_as_it_was_written),
        cmocka_unit_test(a_request_has_this_form),
        cmocka_unit_test(the_longest_request_fits),
        cmocka_unit_test(every_beginning_of_a_request_waits_for_more),
        cmocka_unit_test(no_request),
        cmocka_unit_test(a_request_that_does_not_end_is_none),
        cmocka_unit_test(a_name_of_256_bytes_is_none),
        cmocka_unit_test(a_datagram_is_a_name_perhaps_with_an_end),
        cmocka_unit_test(no_datagram),
        cmocka_unit_test(a_datagram_has_a_name_of_255_bytes_at_most),
        cmocka_unit_test(a_name_has_1_to_255_bytes_and_no_slash),
        cmocka_unit_test(an_ok_without_strings),
        cmocka_unit_test(sockets_are_one_string_each),
        cmocka_unit_test(ports_are_six_strings_each),
        cmocka_unit_test(a_refusal_and_an_error_have_a_text),
        cmocka_unit_test(every_truncation_of_a_reply_is_none),
        cmocka_unit_test(no_reply),
        cmocka_unit_test(hostile_bytes_are_read_to_their_end_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
