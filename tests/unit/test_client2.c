/* test_client2.c - the client's half in protocol 2: HELLO, requests with keys, their answers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_client.h"

static struct pa_failure why;
static struct pa_client client;

static int tear_down(void **state)
{
    (void)state;
    pa_client_deinit(&client);
    return 0;
}

/* Feeds the bytes in packets of `each` until the reply is complete. */
static int feed(const char *bytes, size_t each)
{
    size_t left = strlen(bytes);
    int r = PA_CLIENT_MORE;
    while (r == PA_CLIENT_MORE && left > 0) {
        size_t size = each < left ? each : left;
        const char *cursor = bytes;
        r = pa_client_feed(&client, &cursor, bytes + size, &why);
        bytes += size;
        left -= size;
    }
    return r;
}

/* A client that has said HELLO and a request with it, and what it hears. */
static int greet(enum pa_verb verb, const char *reply, size_t each)
{
    pa_client_deinit(&client);
    pa_client_begin_hello(&client, verb);
    return feed(reply, each);
}

#define HELLO_OK "OK 2 {wait count hold}\r\n"

/* The answer to a request in protocol 2, in one packet and byte by byte. */
static int answer(enum pa_verb verb, const char *reply)
{
    char all[4096] = HELLO_OK;
    strncat(all, reply, sizeof all - sizeof HELLO_OK);
    int parted = greet(verb, all, 1);
    enum pa_error error = why.error;
    int whole = greet(verb, all, SIZE_MAX);
    assert_int_equal(parted, whole);
    if (whole == PA_CLIENT_FAILED)
        assert_int_equal(error, why.error);
    return whole;
}

/* -------------------------------------------------------------- requests -- */

static void assert_request(enum pa_verb verb, const char *name, const struct pa_keys *keys,
                           const char *expected)
{
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_client_request2(&request, verb, name, keys, &why), 0);
    assert_int_equal(pa_buf_append(&request, "", 1), 0);
    assert_string_equal(request.data, expected);
    pa_buf_deinit(&request);
}

static void requests_have_the_keys_that_are_set(void **state)
{
    (void)state;
    struct pa_keys set = PA_KEYS_INIT;
    assert_request(PA_VERB_ALLOCATE, "two words", &set, "ALLOCATE {two words}\r\n");
    assert_request(PA_VERB_STATS, "", &set, "STATS\r\n");
    assert_request(PA_VERB_PING, "", &set, "PING\r\n");
    assert_request(PA_VERB_FIND, "", &set, "FIND\r\n");
    set = (struct pa_keys){.port = 7,
                           .count = 3,
                           .hold = PA_HOLD_YES,
                           .exact = 1,
                           .wait_ms = 50,
                           .backlog = PA_KEYS_BACKLOG,
                           .attributes = "  a   {b c} ",
                           .user = "ann"};
    assert_request(PA_VERB_ALLOCATE, "app", &set,
                   "ALLOCATE app -port 7 -count 3 -hold 1 -attributes {a {b c}} -wait 50 "
                   "-instance exact -user ann\r\n");
    assert_request(PA_VERB_RELEASE, "", &set, "RELEASE 7\r\n");
    set = (struct pa_keys)PA_KEYS_INIT;
    set.name_pattern = "a*";
    set.user_pattern = "";
    assert_request(PA_VERB_FIND, "", &set, "FIND -name a* -user {}\r\n");
    set.address = "::1";
    set.backlog = 5;
    assert_request(PA_VERB_LISTEN, "app", &set, "LISTEN app -myaddr ::1 -backlog 5\r\n");
}

static void hello_names_the_version_and_the_client(void **state)
{
    (void)state;
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_client_hello(&request), 0);
    assert_memory_equal(request.data, "HELLO 2 portAllocator-", 22);
    assert_memory_equal(request.data + request.size - 2, "\r\n", 2);
    pa_buf_deinit(&request);
}

static int refused(enum pa_verb verb, const char *name, struct pa_keys wanted)
{
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_buf_append_string(&request, "before"), 0);
    why.error = PA_OK;
    int r = pa_client_request2(&request, verb, name, &wanted, &why);
    assert_int_equal(request.size, 6);
    assert_int_equal(why.error, r);
    pa_buf_deinit(&request);
    return r;
}

static const struct pa_keys plain = PA_KEYS_INIT;
static struct pa_keys keys;

/* Plain keys but for one. */
#define KEYS(change) (keys = plain, keys.change, keys)

static void what_would_break_the_line_or_be_refused_is_not_sent(void **state)
{
    (void)state;
    const enum pa_verb a = PA_VERB_ALLOCATE;
    assert_int_equal(refused(a, "", KEYS(port = 1)), PA_E_EMPTY_NAME);
    assert_int_equal(refused(a, "a\nRELEASE 1", KEYS(port = 1)), PA_E_CONTROL_CHARACTER);
    assert_int_equal(refused(a, "a", KEYS(user = "u\n")), PA_E_CONTROL_CHARACTER);
    assert_int_equal(refused(a, "a", KEYS(attributes = "odd")), PA_E_BAD_VALUE);
    assert_int_equal(refused(a, "a", KEYS(attributes = "a b\n c")), PA_E_BAD_VALUE);
    assert_int_equal(refused(a, "a", KEYS(attributes = "a {")), PA_E_BAD_VALUE);
    assert_int_equal(refused(a, "a", KEYS(port = 65536)), PA_E_BAD_VALUE);
    assert_int_equal(refused(a, "a", KEYS(count = 0)), PA_E_BAD_VALUE);
    assert_int_equal(refused(a, "a", KEYS(count = 1001)), PA_E_BAD_VALUE);
    assert_int_equal(refused(a, "a", KEYS(wait_ms = 86400001)), PA_E_BAD_VALUE);
    assert_int_equal(refused(PA_VERB_FIND, "", KEYS(name_pattern = "\n")),
                     PA_E_CONTROL_CHARACTER);
    assert_int_equal(refused(PA_VERB_LISTEN, "a", KEYS(address = "::1\nPING")),
                     PA_E_CONTROL_CHARACTER);
    assert_int_equal(refused(PA_VERB_LISTEN, "a", KEYS(backlog = 0)), PA_E_BAD_VALUE);
    assert_int_equal(refused(PA_VERB_RELEASE, "", KEYS(port = 0)), PA_E_NOT_MANAGED);
    assert_int_equal(refused(PA_VERB_RELEASE, "", KEYS(port = 65536)), PA_E_NOT_MANAGED);
    keys = plain;
    keys.count = 2;
    keys.unique = 1;
    assert_int_equal(refused(a, "a", keys), PA_E_KEYS_CLASH);
}

/* ----------------------------------------------------------------- hello -- */

static void hello_is_answered_before_the_request(void **state)
{
    (void)state;
    assert_int_equal(greet(PA_VERB_ALLOCATE, HELLO_OK, 1), PA_CLIENT_MORE);
    assert_int_equal(client.protocol, PA_PROTOCOL_2);
    assert_true(pa_answer_can(&client.hello, "hold"));
    assert_false(pa_answer_can(&client.hello, "listen"));
    assert_int_equal(feed("OK 30001 -name app -user ann\r\n", 1), 0);
    assert_int_equal(client.port, 30001);
    assert_int_equal(client.state, PA_CLIENT_IDLE);
    pa_client_begin(&client, PA_VERB_PING);
    assert_int_equal(feed("OK\r\n", 1), 0);
}

static void hello_may_be_said_alone(void **state)
{
    (void)state;
    assert_int_equal(greet(PA_VERB_HELLO, HELLO_OK, SIZE_MAX), 0);
    assert_int_equal(client.protocol, PA_PROTOCOL_2);
    assert_int_equal(client.state, PA_CLIENT_IDLE);
}

static void an_old_manager_is_recognized(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "FAIL {Invalid request HELLO 2 client}\r\n",
        "FAIL {Invalid request HELLO 2 client}\r\nFAIL {Invalid request PING}\r\n",
        "FAIL - Invalid request\n",
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; ++i) {
        assert_int_equal(greet(PA_VERB_PING, replies[i], 1), PA_CLIENT_OLD);
        assert_int_equal(client.state, PA_CLIENT_BROKEN);
        assert_int_equal(greet(PA_VERB_PING, replies[i], SIZE_MAX), PA_CLIENT_OLD);
        assert_int_equal(client.protocol, PA_PROTOCOL_1);
    }
}

static void a_manager_without_room_is_not_an_old_one(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "FAIL {too many connections}\r\n",
        "FAIL {the port manager is out of memory}\r\n",
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; ++i) {
        assert_int_equal(greet(PA_VERB_PING, replies[i], SIZE_MAX), PA_CLIENT_FAILED);
        assert_int_equal(why.error, PA_E_REFUSED);
        assert_memory_equal(why.text, replies[i], strlen(why.text));
        assert_int_equal(client.state, PA_CLIENT_BROKEN);
    }
}

static void what_is_no_answer_to_hello_is_named(void **state)
{
    (void)state;
    static const char *const replies[] = {"SSH-2.0\r\n", "OK 1 {}\r\n", "OK 30001\r\n",
                                          "OK\r\n"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; ++i) {
        assert_int_equal(greet(PA_VERB_PING, replies[i], 1), PA_CLIENT_FAILED);
        assert_int_equal(why.error, PA_E_PROTOCOL);
        assert_non_null(strstr(why.text, "not an answer to HELLO: "));
        assert_int_equal(client.protocol, PA_PROTOCOL_1);
    }
}

/* --------------------------------------------------------------- answers -- */

static void a_grant_tells_what_was_allocated(void **state)
{
    (void)state;
    assert_int_equal(answer(PA_VERB_ALLOCATE,
                            "OK 30001 -name {a b_1} -user ann -count 3 -held 1 -new x\r\n"),
                     0);
    assert_int_equal(client.port, 30001);
    assert_int_equal(client.answer.granted.count, 3);
    assert_true(client.answer.granted.held);
    assert_false(client.answer.granted.joined);
    assert_string_equal(client.answer.granted.name, "a b_1");
    assert_int_equal(answer(PA_VERB_LISTEN, "OK 7 -name a -user u -joined 1\r\n"), 0);
    assert_true(client.answer.granted.joined);
}

static void other_answers_have_what_was_asked(void **state)
{
    (void)state;
    assert_int_equal(answer(PA_VERB_RELEASE, "OK 30001\r\n"), 0);
    assert_int_equal(client.port, 30001);
    assert_int_equal(answer(PA_VERB_GIMME, "OK 30002\r\n"), 0);
    assert_int_equal(client.port, 30002);
    assert_int_equal(answer(PA_VERB_STATS, "OK {ports 10 version 1.1}\r\n"), 0);
    assert_int_equal(client.answer.stats.ports, 10);
    assert_string_equal(client.answer.stats.version, "1.1");
    assert_int_equal(answer(PA_VERB_LIST, "OK 1\r\n7 a u\r\n"), 0);
    assert_int_equal(pa_listing_find(&client.listing, "a", "u")->port, 7);
}

static void found_ports_have_attributes(void **state)
{
    (void)state;
    assert_int_equal(answer(PA_VERB_FIND, "OK 3\r\n7 a u {}\r\n8 {b c} v {k {x y}}\r\n"
                                          "9 d w {k v} more\r\n"),
                     0);
    assert_int_equal(client.listing.count, 3);
    const struct pa_listing_entry *entry = pa_listing_find(&client.listing, "b c", "v");
    assert_int_equal(entry->attributes_size, 7);
    assert_memory_equal(pa_listing_attributes(entry), "k {x y}", 7);
    assert_int_equal(client.listing.entries[0].attributes_size, 0);
    assert_int_equal(answer(PA_VERB_FIND, "OK 0\r\n"), 0);
    assert_int_equal(client.listing.count, 0);
}

static void a_refusal_has_the_error_of_its_code(void **state)
{
    (void)state;
    assert_int_equal(answer(PA_VERB_ALLOCATE, "FAIL NOFREE {no free ports}\r\n"),
                     PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_NO_FREE_PORTS);
    assert_string_equal(why.text, "no free ports");
    assert_int_equal(client.state, PA_CLIENT_IDLE);
    assert_int_equal(answer(PA_VERB_RELEASE, "FAIL NOTOWNER {not yours}\r\n"),
                     PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_NOT_OWNER);
    assert_string_equal(why.text, "not yours");
    assert_int_equal(answer(PA_VERB_PING, "FAIL SYNTAX {what?}\r\n"), PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_INVALID_REQUEST);
    assert_int_equal(answer(PA_VERB_PING, "FAIL FUTURE {something else}\r\n"),
                     PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_REFUSED);
    assert_string_equal(why.text, "something else");
    assert_int_equal(answer(PA_VERB_PING, "FAIL {no code}\r\n"), PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_REFUSED);
}

static void an_answer_that_breaks_the_protocol_is_named(void **state)
{
    (void)state;
    static const struct {
        enum pa_verb verb;
        const char *reply;
        const char *named;
    } cases[] = {
        {PA_VERB_ALLOCATE, "OK 30001\r\n", "not an answer to the request: OK 30001"},
        {PA_VERB_ALLOCATE, "OK 0 -name a -user u\r\n", ": OK 0"},
        {PA_VERB_ALLOCATE, "OK 65535 -name a -user u -count 2\r\n", ": OK 65535"},
        {PA_VERB_RELEASE, "OK\r\n", ": OK"},
        {PA_VERB_STATS, "OK {a}\r\n", ": OK {a}"},
        {PA_VERB_FIND, "OK 65536\r\n", ": OK 65536"},
        {PA_VERB_FIND, "OK 1\r\n7 a u\r\n", "not a port, a name, a user and attributes: 7 a u"},
        {PA_VERB_FIND, "OK 1\r\n7 a u {odd}\r\n", ": 7 a u {odd}"},
        {PA_VERB_FIND, "OK 1\r\n0 a u {}\r\n", ": 0 a u {}"},
        {PA_VERB_PING, "PONG\r\n", ": PONG"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_int_equal(answer(cases[i].verb, cases[i].reply), PA_CLIENT_FAILED);
        assert_int_equal(why.error, PA_E_PROTOCOL);
        assert_non_null(strstr(why.text, cases[i].named));
        assert_int_equal(client.state, PA_CLIENT_BROKEN);
        assert_null(client.listing.entries);
    }
}

/* ---------------------------------------------------------------- memory -- */

static void without_memory_a_conversation_fails_cleanly(void **state)
{
    (void)state;
    static const struct {
        enum pa_verb verb;
        const char *reply;
        int expected;
    } cases[] = {
        {PA_VERB_ALLOCATE, HELLO_OK "OK 1 -name a -user u\r\n", 0},
        {PA_VERB_FIND, HELLO_OK "OK 1\r\n7 a u {k v}\r\n", 0},
        {PA_VERB_PING, HELLO_OK "FAIL no list {\r\n", PA_CLIENT_FAILED},
        {PA_VERB_PING, "FAIL {Invalid request}\r\n", PA_CLIENT_OLD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        size_t k = 0;
        for (bool failed = true; failed; ++k) {
            pa_client_deinit(&client);
            pa_client_begin_hello(&client, cases[i].verb);
            alloc_fail_after(k);
            int r = feed(cases[i].reply, 1);
            failed = alloc_fail_stop();
            assert_int_equal(r, failed ? -ENOMEM : cases[i].expected);
            if (failed)
                assert_int_equal(client.state, PA_CLIENT_BROKEN);
        }
        assert_true(k > 2);
    }
}

static void without_memory_no_request_is_made(void **state)
{
    (void)state;
    keys = plain;
    keys.attributes = "key value";
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct pa_buf request = PA_BUF_NULL;
        alloc_fail_after(k);
        int r = pa_client_hello(&request);
        if (r == 0)
            r = pa_client_request2(&request, PA_VERB_ALLOCATE, "app", &keys, &why);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pa_buf_deinit(&request);
    }
}

#define CASE(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(requests_have_the_keys_that_are_set),
        CASE(hello_names_the_version_and_the_client),
        CASE(what_would_break_the_line_or_be_refused_is_not_sent),
        CASE(hello_is_answered_before_the_request),
        CASE(hello_may_be_said_alone),
        CASE(an_old_manager_is_recognized),
        CASE(a_manager_without_room_is_not_an_old_one),
        CASE(what_is_no_answer_to_hello_is_named),
        CASE(a_grant_tells_what_was_allocated),
        CASE(other_answers_have_what_was_asked),
        CASE(found_ports_have_attributes),
        CASE(a_refusal_has_the_error_of_its_code),
        CASE(an_answer_that_breaks_the_protocol_is_named),
        CASE(without_memory_a_conversation_fails_cleanly),
        CASE(without_memory_no_request_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
