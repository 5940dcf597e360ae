/* test_wire2.c - replies of protocol 2: what a manager writes a client reads, and what others
 * may add. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_wire2.h"

static void assert_buffer(struct pa_buf *buf, const char *expected)
{
    assert_int_equal(pa_buf_append(buf, "", 1), 0);
    assert_string_equal(buf->data, expected);
    pa_buf_deinit(buf);
}

static int parse(struct pa_answer *answer, enum pa_verb verb, const char *line)
{
    return pa_answer_parse(answer, verb, line, strlen(line));
}

static void assert_broken(enum pa_verb verb, const char *line)
{
    struct pa_answer answer;
    int r = parse(&answer, verb, line);
    if (r != PA_E_PROTOCOL)
        fail_msg("%s: %d", line, r);
    pa_answer_deinit(&answer);
}

/* -------------------------------------------------------------- refusals -- */

static void a_refusal_has_the_code_of_the_error(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire2_append_fail(&buf, PA_E_NO_FREE_PORTS, "no free ports"), 0);
    assert_buffer(&buf, "FAIL NOFREE {no free ports}\r\n");
    assert_int_equal(pa_wire2_append_fail(&buf, PA_E_INVALID_REQUEST, "Invalid request {"), 0);
    assert_buffer(&buf, "FAIL SYNTAX Invalid\\ request\\ \\{\r\n");
}

/* A code is one word of capital letters: clients compare it. */
static void what_a_manager_answers_has_a_code_and_nothing_else_has(void **state)
{
    (void)state;
    for (int error = PA_E_NO_FREE_PORTS; error < PA_ERROR_COUNT; ++error) {
        const char *code = pa_error_code((enum pa_error)error);
        assert_int_equal(strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), strlen(code));
        assert_int_equal(*code != '\0', error < PA_E_REFUSED);
    }
    assert_string_equal(pa_error_code(PA_OK), "");
    assert_string_equal(pa_error_code(PA_E_NOT_OWNER), "NOTOWNER");
}

static void assert_refusal(const char *line, const char *code, const char *text)
{
    static const enum pa_verb verbs[] = {PA_VERB_HELLO, PA_VERB_ALLOCATE, PA_VERB_STATS,
                                         PA_VERB_FIND};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; ++i) {
        struct pa_answer answer;
        assert_int_equal(parse(&answer, verbs[i], line), PA_E_REFUSED);
        assert_string_equal(answer.code, code);
        assert_string_equal(answer.text, text);
        pa_answer_deinit(&answer);
    }
}

static void a_refusal_is_read_in_every_form(void **state)
{
    (void)state;
    assert_refusal("FAIL NOFREE {no free ports}", "NOFREE", "no free ports");
    assert_refusal("FAIL SYNTAX {}", "SYNTAX", "");
    assert_refusal("FAIL NEWCODE {something new}", "NEWCODE", "something new");
    assert_refusal("FAIL {Invalid request HELLO 2}", "", "Invalid request HELLO 2");
    assert_refusal("FAIL - no free ports", "", "- no free ports");
    assert_refusal("FAIL - taken", "", "- taken");
    assert_refusal("FAIL", "", "");
    assert_refusal("  FAIL\t {open", "", "{open");
    assert_refusal("FAIL caf\xe9 {", "", "caf\xc3\xa9 {");
    assert_refusal("FAIL NOFREE \\ud800", "", "NOFREE \\ud800");
}

/* ----------------------------------------------------------------- hello -- */

static void hello_tells_capabilities(void **state)
{
    (void)state;
    static const char *const capabilities[] = {"hold", "listen"};
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire2_append_hello(&buf, capabilities, 2), 0);
    assert_buffer(&buf, "OK 2 {hold listen}\r\n");
    assert_int_equal(pa_wire2_append_hello(&buf, NULL, 0), 0);
    assert_buffer(&buf, "OK 2 {}\r\n");
    struct pa_answer answer;
    assert_int_equal(parse(&answer, PA_VERB_HELLO, "OK 2 {hold {a new one} listen} more"), 0);
    assert_true(pa_answer_can(&answer, "hold"));
    assert_true(pa_answer_can(&answer, "listen"));
    assert_false(pa_answer_can(&answer, "lis"));
    pa_answer_deinit(&answer);
    assert_false(pa_answer_can(&answer, "hold"));
}

static void a_hello_of_another_protocol_is_none(void **state)
{
    (void)state;
    static const char *const lines[] = {"",
                                        "OK",
                                        "OK 2",
                                        "OK 1 {}",
                                        "OK 3 {}",
                                        "OK 2 {\\ud800}",
                                        "OK 2 {a {b}",
                                        "OK 2 a\\{\\ {"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_broken(PA_VERB_HELLO, lines[i]);
}

/* --------------------------------------------------------------- granted -- */

static void assert_granted(const struct pa_granted *granted, const char *line)
{
    struct pa_buf buf = PA_BUF_NULL;
    struct pa_answer answer;
    assert_int_equal(pa_wire2_append_granted(&buf, granted), 0);
    assert_int_equal(
        pa_answer_parse(&answer, PA_VERB_ALLOCATE, buf.data, buf.size - strlen("\r\n")), 0);
    assert_buffer(&buf, line);
    assert_int_equal(answer.granted.port, granted->port);
    assert_int_equal(answer.granted.count, granted->count);
    assert_int_equal(answer.granted.held, granted->held);
    assert_int_equal(answer.granted.joined, granted->joined);
    assert_string_equal(answer.granted.name, granted->name);
    assert_string_equal(answer.granted.user, granted->user);
    pa_answer_deinit(&answer);
}

static void a_grant_tells_name_and_user_and_what_is_unusual(void **state)
{
    (void)state;
    struct pa_granted granted = {.port = 30001, .count = 1, .name = "app_1", .user = "fox"};
    assert_granted(&granted, "OK 30001 -name app_1 -user fox\r\n");
    granted = (struct pa_granted){30001, 1000, true, false, "two words", "#u"};
    assert_granted(&granted, "OK 30001 -name {two words} -user #u -count 1000 -held 1\r\n");
    granted = (struct pa_granted){65535, 1, false, true, "{", "u"};
    assert_granted(&granted, "OK 65535 -name \\{ -user u -joined 1\r\n");
}

static void a_grant_may_tell_more_than_is_known(void **state)
{
    (void)state;
    struct pa_answer answer;
    assert_int_equal(parse(&answer, PA_VERB_LISTEN,
                           "OK 5 -later {a b} -user u -held 1 -name n -joined 0 -odd"),
                     0);
    assert_int_equal(answer.granted.port, 5);
    assert_int_equal(answer.granted.count, 1);
    assert_true(answer.granted.held);
    assert_false(answer.granted.joined);
    pa_answer_deinit(&answer);
}

static void what_is_no_grant_breaks_the_protocol(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "OK",
        "OK 0 -name n -user u",
        "OK 65536 -name n -user u",
        "OK x -name n -user u",
        "OK 1",
        "OK 1 -name n",
        "OK 1 -user u",
        "OK 1 -name n -user",
        "OK 1 -name n -user u -count 0",
        "OK 1 -name n -user u -count 1001",
        "OK 1 -name n -user u -count x",
        "OK 65535 -name n -user u -count 2",
        "OK 1 -name \\ud800 -user u",
        "OK 1 -name {n -user u",
        "ok 1 -name n -user u",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_broken(PA_VERB_ALLOCATE, lines[i]);
    struct pa_answer answer;
    assert_int_equal(pa_answer_parse(&answer, PA_VERB_PING, "OK\0", 3), PA_E_PROTOCOL);
    pa_answer_deinit(&answer);
}

/* ------------------------------------------------------- numbers and ping -- */

static void release_and_find_are_answered_by_a_number(void **state)
{
    (void)state;
    struct pa_answer answer;
    assert_int_equal(parse(&answer, PA_VERB_RELEASE, "OK 30001"), 0);
    assert_int_equal(answer.number, 30001);
    pa_answer_deinit(&answer);
    assert_int_equal(parse(&answer, PA_VERB_FIND, "OK 0 more"), 0);
    assert_int_equal(answer.number, 0);
    pa_answer_deinit(&answer);
    assert_broken(PA_VERB_RELEASE, "OK 0");
    assert_broken(PA_VERB_RELEASE, "OK");
    assert_broken(PA_VERB_FIND, "OK 65536");
    assert_broken(PA_VERB_FIND, "OK -1");
}

static void ping_is_answered_by_a_word(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    struct pa_answer answer;
    assert_int_equal(pa_wire2_append_pong(&buf), 0);
    assert_buffer(&buf, "OK\r\n");
    assert_int_equal(parse(&answer, PA_VERB_PING, "OK and more"), 0);
    pa_answer_deinit(&answer);
    assert_broken(PA_VERB_PING, "OKAY");
}

/* ---------------------------------------------------------------- events -- */

static void an_event_tells_its_number_what_happened_and_the_line_of_find(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire2_append_event_number(&buf, 1), 0);
    assert_int_equal(
        pa_wire2_append_event_change(&buf, PA_EVENT_ADD, 30001, "two words", "fox", "k {v w}"),
        0);
    assert_buffer(&buf, "EVENT 1 add 30001 {two words} fox {k {v w}}\r\n");
    assert_int_equal(pa_wire2_append_event_number(&buf, UINT64_MAX), 0);
    assert_int_equal(pa_wire2_append_event_change(&buf, PA_EVENT_REMOVE, 1, "#a", "", ""), 0);
    assert_buffer(&buf, "EVENT 18446744073709551615 remove 1 #a {} {}\r\n");
    assert_int_equal(
        pa_wire2_append_event_change(&buf, PA_EVENT_CHANGE, 65535, "a", "u", "k v"), 0);
    assert_buffer(&buf, "change 65535 a u {k v}\r\n");
    assert_int_equal(pa_wire2_append_event_snapshot(&buf, 12, 1000), 0);
    assert_buffer(&buf, "EVENT 12 snapshot 1000\r\n");
}

/* ----------------------------------------------------------------- stats -- */

static void stats_come_back(void **state)
{
    (void)state;
    const struct pa_stats stats = {2, 1000, 3, 1, 7, 4, 5, 6, 86400, 4711, "1.2"};
    struct pa_buf buf = PA_BUF_NULL;
    struct pa_answer answer;
    assert_int_equal(pa_wire2_append_stats(&buf, &stats), 0);
    assert_int_equal(pa_answer_parse(&answer, PA_VERB_STATS, buf.data, buf.size - 2), 0);
    assert_buffer(&buf, "OK {protocol 2 ports 1000 allocated 3 held 1 connections 7 waiting 4 "
                        "users 5 watchers 6 uptime_s 86400 pid 4711 version 1.2}\r\n");
    assert_int_equal(answer.stats.protocol, 2);
    assert_int_equal(answer.stats.ports, 1000);
    assert_int_equal(answer.stats.allocated, 3);
    assert_int_equal(answer.stats.held, 1);
    assert_int_equal(answer.stats.connections, 7);
    assert_int_equal(answer.stats.waiting, 4);
    assert_int_equal(answer.stats.users, 5);
    assert_int_equal(answer.stats.watchers, 6);
    assert_int_equal(answer.stats.uptime_s, 86400);
    assert_int_equal(answer.stats.pid, 4711);
    assert_string_equal(answer.stats.version, "1.2");
    assert_int_equal(answer.list.count, 22);
    pa_answer_deinit(&answer);
}

static void stats_may_tell_more_or_less(void **state)
{
    (void)state;
    struct pa_answer answer;
    assert_int_equal(
        parse(&answer, PA_VERB_STATS, "OK {load {0.5 0.4} ports 18446744073709551615} more"),
        0);
    assert_true(answer.stats.ports == UINT64_MAX);
    assert_int_equal(answer.stats.pid, 0);
    assert_string_equal(answer.stats.version, "");
    assert_string_equal(answer.list.words[0], "load");
    pa_answer_deinit(&answer);
    assert_broken(PA_VERB_STATS, "OK");
    assert_broken(PA_VERB_STATS, "OK {ports}");
    assert_broken(PA_VERB_STATS, "OK {ports many}");
    assert_broken(PA_VERB_STATS, "OK {ports -1}");
    assert_broken(PA_VERB_STATS, "OK {ports 18446744073709551616}");
    assert_broken(PA_VERB_STATS, "OK {ports 1\\}");
}

/* ----------------------------------------------------------------- found -- */

static void assert_found(const char *line, const char *name, const char *user,
                         const char *attributes)
{
    struct pa_listing listing = PA_LISTING_NULL;
    assert_int_equal(pa_wire2_parse_found(&listing, "7 first u {a 1}", 15), 0);
    assert_int_equal(pa_wire2_parse_found(&listing, line, strlen(line)), 0);
    assert_int_equal(pa_wire_parse_port(&listing, "8 last u", 8), 0);
    pa_listing_seal(&listing);
    assert_int_equal(listing.count, 3);
    const struct pa_listing_entry *entry = &listing.entries[1];
    assert_int_equal(entry->port, 30001);
    assert_int_equal(entry->name_size, strlen(name));
    assert_memory_equal(entry->name, name, strlen(name));
    assert_int_equal(entry->user_size, strlen(user));
    assert_memory_equal(entry->user, user, strlen(user));
    assert_int_equal(entry->attributes_size, strlen(attributes));
    assert_memory_equal(pa_listing_attributes(entry), attributes, strlen(attributes));
    assert_non_null(pa_listing_find(&listing, "first", "u"));
    assert_non_null(pa_listing_find(&listing, "last", "u"));
    assert_string_equal(pa_listing_attributes(&listing.entries[2]), "");
    pa_listing_deinit(&listing);
}

static void what_is_found_comes_back_with_its_attributes(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire2_append_found(&buf, 30001, "two words", "u", "k {v w}"), 0);
    assert_buffer(&buf, "30001 {two words} u {k {v w}}\r\n");
    assert_int_equal(pa_wire2_append_found(&buf, 30001, "a", "#u", ""), 0);
    assert_buffer(&buf, "30001 a #u {}\r\n");
    assert_found("30001 {two words} u {k {v w}}", "two words", "u", "k {v w}");
    assert_found("30001 a #u {}", "a", "#u", "");
    assert_found("30001 a u {} further words", "a", "u", "");
}

static void what_is_no_line_of_find_breaks_the_protocol(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "30001 a u",
        "0 a u {}",
        "65536 a u {}",
        "x a u {}",
        "30001 a u {k}",
        "30001 a u k\\ \\{",
        "30001 a u {k v",
        "30001 \\ud800 u {}",
        "30001 a u {k \\ud800}",
    };
    struct pa_listing listing = PA_LISTING_NULL;
    assert_int_equal(pa_wire2_parse_found(&listing, "7 kept u {a 1}", 14), 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_int_equal(pa_wire2_parse_found(&listing, lines[i], strlen(lines[i])),
                         PA_E_PROTOCOL);
    assert_int_equal(listing.count, 1);
    assert_int_equal(listing.text.size, strlen("kept u a 1"));
    pa_listing_deinit(&listing);
}

/* ---------------------------------------------------------------- memory -- */

static int append_each(struct pa_buf *buf, int which)
{
    static const char *const capabilities[] = {"hold", "listen"};
    static const char name[] =
        "a name of more than sixty-four bytes, so that the buffer of the "
        "answer has to grow";
    const struct pa_granted granted = {30001, 2, true, true, name, name};
    const struct pa_stats stats = {.version = name};
    switch (which) {
    case 0:
        return pa_wire2_append_fail(buf, PA_E_NO_FREE_PORTS, name);
    case 1:
        return pa_wire2_append_hello(buf, capabilities, 2);
    case 2:
        return pa_wire2_append_granted(buf, &granted);
    case 3:
        return pa_wire2_append_stats(buf, &stats);
    case 4:
        return pa_wire2_append_hello_request(buf, name);
    case 5:
        return pa_wire2_append_event_change(buf, PA_EVENT_ADD, 30001, name, name, name);
    default:
        return pa_wire2_append_found(buf, 30001, name, name, name);
    }
}

static void without_memory_no_answer_is_written(void **state)
{
    (void)state;
    for (int which = 0; which < 7; ++which) {
        size_t k = 0;
        for (size_t failed = 1; failed; ++k) {
            struct pa_buf buf = PA_BUF_NULL;
            alloc_fail_after(k);
            int r = append_each(&buf, which);
            failed = alloc_fail_stop();
            assert_int_equal(r, failed ? -ENOMEM : 0);
            pa_buf_deinit(&buf);
        }
        assert_true(k > 1);
    }
}

static void assert_clean_without_memory(enum pa_verb verb, const char *line, int expected)
{
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct pa_answer answer;
        alloc_fail_after(k);
        int r = parse(&answer, verb, line);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : expected);
        pa_answer_deinit(&answer);
    }
}

static void without_memory_no_answer_is_read(void **state)
{
    (void)state;
    assert_clean_without_memory(PA_VERB_HELLO, "OK 2 {hold listen}", 0);
    assert_clean_without_memory(PA_VERB_ALLOCATE, "FAIL {", PA_E_REFUSED);
    assert_clean_without_memory(PA_VERB_STATS, "OK {ports 1}", 0);
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct pa_listing listing = PA_LISTING_NULL;
        alloc_fail_after(k);
        int r = pa_wire2_parse_found(&listing, "1 a u {k v}", 11);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(listing.count, failed ? 0 : 1);
        if (failed)
            assert_int_equal(listing.text.size, 0);
        pa_listing_deinit(&listing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_has_the_code_of_the_error),
        cmocka_unit_test(what_a_manager_answers_has_a_code_and_nothing_else_has),
        cmocka_unit_test(a_refusal_is_read_in_every_form),
        cmocka_unit_test(hello_tells_capabilities),
        cmocka_unit_test(an_event_tells_its_number_what_happened_and_the_line_of_find),
        cmocka_unit_test(a_hello_of_another_protocol_is_none),
        cmocka_unit_test(a_grant_tells_name_and_user_and_what_is_unusual),
        cmocka_unit_test(a_grant_may_tell_more_than_is_known),
        cmocka_unit_test(what_is_no_grant_breaks_the_protocol),
        cmocka_unit_test(release_and_find_are_answered_by_a_number),
        cmocka_unit_test(ping_is_answered_by_a_word),
        cmocka_unit_test(stats_come_back),
        cmocka_unit_test(stats_may_tell_more_or_less),
        cmocka_unit_test(what_is_found_comes_back_with_its_attributes),
        cmocka_unit_test(what_is_no_line_of_find_breaks_the_protocol),
        cmocka_unit_test(without_memory_no_answer_is_written),
        cmocka_unit_test(without_memory_no_answer_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
