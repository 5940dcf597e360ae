/* test_keys.c - requests of protocol 2: every key with its bounds, every mistake by its name.
 */
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
#include "pa_wire.h"
#include "pa_wire2.h"

/* Parses a line of protocol 2, which has to be a good one. */
static struct pa_request read_good(const char *line)
{
    struct pa_request request;
    struct pa_failure why;
    int r = pa_request_parse(&request, PA_PROTOCOL_2, line, strlen(line), &why);
    if (r > 0 && r != PA_E_INVALID_REQUEST)
        fail_msg("%s: %s", line, why.text);
    assert_int_equal(r, 0);
    return request;
}

static void assert_refused(const char *line, enum pa_error error, const char *text)
{
    struct pa_request request;
    struct pa_failure why = {.text = ""};
    int r = pa_request_parse(&request, PA_PROTOCOL_2, line, strlen(line), &why);
    if (r != (int)error)
        fail_msg("%s: %d, not %d", line, r, error);
    if (text) {
        assert_int_equal(why.error, error);
        assert_string_equal(why.text, text);
    }
    pa_request_deinit(&request);
    assert_null(request.text);
}

/* ----------------------------------------------------------------- verbs -- */

static void hello_is_understood_in_both_protocols(void **state)
{
    (void)state;
    static const char *const good[] = {"HELLO 2", "HELLO 3", "HELLO 02 portAllocator 1.2",
                                       "HELLO 10", "HELLO 99999999999999999999999"};
    for (int protocol = 1; protocol <= 2; ++protocol) {
        for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
            struct pa_request request;
            struct pa_failure why;
            assert_int_equal(pa_request_parse(&request, (enum pa_protocol)protocol, good[i],
                                              strlen(good[i]), &why),
                             0);
            assert_int_equal(request.verb, PA_VERB_HELLO);
            pa_request_deinit(&request);
        }
    }
}

static void a_hello_without_a_version_spoken_here_is_invalid(void **state)
{
    (void)state;
    static const char *const lines[] = {"HELLO",      "HELLO 1", "HELLO 0",   "HELLO 001",
                                        "HELLO {}",   "HELLO x", "HELLO 2.0", "HELLO -2",
                                        "HELLO {2 }", "hello 2"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_refused(lines[i], PA_E_INVALID_REQUEST, NULL);
}

static void words_of_protocol_2_are_no_requests_of_protocol_1(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "ALLOCATE app", "LISTEN app", "RELEASE 1",
        "FIND",         "STATS",      "PING",
        "WATCH",        "UNWATCH",    "CHANGE 1 -attributes {}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) {
        struct pa_request request;
        struct pa_failure why;
        assert_int_equal(
            pa_request_parse(&request, PA_PROTOCOL_1, lines[i], strlen(lines[i]), &why),
            PA_E_INVALID_REQUEST);
        pa_request_deinit(&request);
    }
}

static void gimme_and_list_stay_as_they_are(void **state)
{
    (void)state;
    struct pa_request request = read_good("GIMME two words -user");
    assert_int_equal(request.verb, PA_VERB_GIMME);
    assert_string_equal(request.name, "two words");
    assert_string_equal(request.user, "-user");
    pa_request_deinit(&request);
    request = read_good("LIST more words");
    assert_int_equal(request.verb, PA_VERB_LIST);
    pa_request_deinit(&request);
    assert_refused("GIMME app", PA_E_EMPTY_NAME,
                   "the names of application and user must not be empty");
}

static void an_unknown_word_is_invalid(void **state)
{
    (void)state;
    assert_refused("HELP", PA_E_INVALID_REQUEST, NULL);
    assert_refused("allocate app", PA_E_INVALID_REQUEST, NULL);
    assert_refused("", PA_E_INVALID_REQUEST, NULL);
    assert_refused("ALLOCATE {app", PA_E_INVALID_REQUEST, NULL);
}

static void requests_without_keys_take_no_words(void **state)
{
    (void)state;
    struct pa_request request = read_good("PING");
    assert_int_equal(request.verb, PA_VERB_PING);
    pa_request_deinit(&request);
    request = read_good("STATS");
    assert_int_equal(request.verb, PA_VERB_STATS);
    pa_request_deinit(&request);
    assert_refused("PING x", PA_E_UNKNOWN_KEY, "PING has no key \"x\"");
    assert_refused("STATS -port 1", PA_E_UNKNOWN_KEY, "STATS has no key \"-port\"");
    assert_refused("RELEASE 30001 now", PA_E_UNKNOWN_KEY, "RELEASE has no key \"now\"");
}

static void a_missing_word_is_told_by_the_form_of_the_request(void **state)
{
    (void)state;
    assert_refused("ALLOCATE", PA_E_WRONG_WORDS,
                   "wrong number of words: should be \"ALLOCATE name ?-key value ...?\"");
    assert_refused("LISTEN", PA_E_WRONG_WORDS,
                   "wrong number of words: should be \"LISTEN name ?-key value ...?\"");
    assert_refused("RELEASE", PA_E_WRONG_WORDS,
                   "wrong number of words: should be \"RELEASE port\"");
    assert_refused("CHANGE", PA_E_WRONG_WORDS,
                   "wrong number of words: should be \"CHANGE port -attributes list\"");
    assert_refused("CHANGE 30001", PA_E_WRONG_WORDS,
                   "wrong number of words: should be \"CHANGE port -attributes list\"");
}

static void release_names_a_port(void **state)
{
    (void)state;
    struct pa_request request = read_good("RELEASE 65535");
    assert_int_equal(request.verb, PA_VERB_RELEASE);
    assert_int_equal(request.keys.port, 65535);
    pa_request_deinit(&request);
    static const char *const bad[] = {"0", "65536", "-1", "x", "1x", "+1", "0x1", "4294967297"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        char line[64], text[128];
        snprintf(line, sizeof line, "RELEASE %s", bad[i]);
        snprintf(text, sizeof text,
                 "the value of port must be a port from 1 to 65535, not \"%s\"", bad[i]);
        assert_refused(line, PA_E_BAD_VALUE, text);
    }
    assert_refused("RELEASE {}", PA_E_BAD_VALUE, NULL);
}

static void change_names_a_port_and_attributes_also_none(void **state)
{
    (void)state;
    struct pa_request request = read_good("CHANGE 30001 -attributes \"k  {v}\"");
    assert_int_equal(request.verb, PA_VERB_CHANGE);
    assert_int_equal(request.keys.port, 30001);
    assert_string_equal(request.keys.attributes, "k v");
    pa_request_deinit(&request);
    request = read_good("CHANGE 30001 -attributes {}");
    assert_string_equal(request.keys.attributes, "");
    pa_request_deinit(&request);
    assert_refused("CHANGE 0 -attributes {}", PA_E_BAD_VALUE, NULL);
    assert_refused("CHANGE 1 -attributes", PA_E_NO_VALUE, "the key -attributes has no value");
    assert_refused("CHANGE 1 -attributes a", PA_E_BAD_VALUE, NULL);
    assert_refused("CHANGE 1 -name a", PA_E_UNKNOWN_KEY, "CHANGE has no key \"-name\"");
}

static void watch_takes_the_patterns_of_find_but_no_port(void **state)
{
    (void)state;
    struct pa_request request = read_good("WATCH -user f* -name {}");
    assert_int_equal(request.verb, PA_VERB_WATCH);
    assert_string_equal(request.keys.name_pattern, "");
    assert_string_equal(request.keys.user_pattern, "f*");
    pa_request_deinit(&request);
    assert_refused("WATCH -port 1", PA_E_UNKNOWN_KEY, "WATCH has no key \"-port\"");
    assert_refused("UNWATCH now", PA_E_UNKNOWN_KEY, "UNWATCH has no key \"now\"");
}

/* ------------------------------------------------------------------ keys -- */

static void without_keys_all_is_as_a_manager_takes_it(void **state)
{
    (void)state;
    struct pa_request request = read_good("ALLOCATE {two words}");
    assert_int_equal(request.verb, PA_VERB_ALLOCATE);
    assert_string_equal(request.name, "two words");
    assert_int_equal(request.keys.port, 0);
    assert_int_equal(request.keys.count, 1);
    assert_int_equal(request.keys.unique, 0);
    assert_int_equal(request.keys.hold, PA_HOLD_UNSAID);
    assert_int_equal(request.keys.exact, 0);
    assert_int_equal(request.keys.wait_ms, 0);
    assert_int_equal(request.keys.backlog, 128);
    assert_string_equal(request.keys.attributes, "");
    assert_null(request.keys.user);
    assert_null(request.keys.address);
    assert_null(request.keys.name_pattern);
    assert_null(request.keys.user_pattern);
    pa_request_deinit(&request);
}

static void keys_come_in_any_order(void **state)
{
    (void)state;
    struct pa_request request =
        read_good("ALLOCATE app -wait 250 -user fox -attributes {proto  http {long key} {}} "
                  "-count 3 -instance exact -hold 1 -port 30001");
    assert_int_equal(request.keys.port, 30001);
    assert_int_equal(request.keys.count, 3);
    assert_int_equal(request.keys.hold, PA_HOLD_YES);
    assert_int_equal(request.keys.exact, 1);
    assert_int_equal(request.keys.wait_ms, 250);
    assert_string_equal(request.keys.attributes, "proto http {long key} {}");
    assert_string_equal(request.keys.user, "fox");
    pa_request_deinit(&request);
    request = read_good("ALLOCATE -port -hold 0 -unique 1 -count 1 -instance suffix");
    assert_string_equal(request.name, "-port");
    assert_int_equal(request.keys.hold, PA_HOLD_NO);
    assert_int_equal(request.keys.unique, 1);
    assert_int_equal(request.keys.exact, 0);
    pa_request_deinit(&request);
}

static void listen_has_an_address_and_a_backlog(void **state)
{
    (void)state;
    struct pa_request request = read_good("LISTEN app -myaddr ::1 -backlog 5 -port 30001 "
                                          "-wait 0 -instance exact -user u -attributes {a b}");
    assert_int_equal(request.verb, PA_VERB_LISTEN);
    assert_string_equal(request.keys.address, "::1");
    assert_int_equal(request.keys.backlog, 5);
    pa_request_deinit(&request);
    assert_refused("LISTEN app -count 2", PA_E_UNKNOWN_KEY, "LISTEN has no key \"-count\"");
    assert_refused("LISTEN app -hold 1", PA_E_UNKNOWN_KEY, "LISTEN has no key \"-hold\"");
    assert_refused("LISTEN app -unique 1", PA_E_UNKNOWN_KEY, "LISTEN has no key \"-unique\"");
    assert_refused("LISTEN app -myaddr {}", PA_E_BAD_VALUE,
                   "the value of -myaddr must be an IPv4 or IPv6 address, not \"\"");
}

static void find_has_patterns(void **state)
{
    (void)state;
    struct pa_request request = read_good("FIND -user {} -name *_1 -port 30001");
    assert_int_equal(request.verb, PA_VERB_FIND);
    assert_string_equal(request.keys.name_pattern, "*_1");
    assert_string_equal(request.keys.user_pattern, "");
    assert_null(request.keys.user);
    assert_int_equal(request.keys.port, 30001);
    pa_request_deinit(&request);
    request = read_good("FIND");
    assert_null(request.keys.name_pattern);
    pa_request_deinit(&request);
    assert_refused("FIND -wait 1", PA_E_UNKNOWN_KEY, "FIND has no key \"-wait\"");
    assert_refused("FIND -name a\\nb", PA_E_CONTROL_CHARACTER, NULL);
}

static void assert_value(const char *verb, const char *key, const char *value, bool good)
{
    char line[128];
    struct pa_request request;
    struct pa_failure why;
    snprintf(line, sizeof line, "%s app %s %s", verb, key, value);
    int r = pa_request_parse(&request, PA_PROTOCOL_2, line, strlen(line), &why);
    if (r != (good ? 0 : PA_E_BAD_VALUE))
        fail_msg("%s: %d", line, r);
    if (!good && !(strstr(why.text, key) && strstr(why.text, value)))
        fail_msg("%s: %s", line, why.text);
    pa_request_deinit(&request);
}

static void numbers_have_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *verb, *key, *least, *most, *below, *above;
    } rows[] = {
        {"ALLOCATE", "-port", "1", "65535", "0", "65536"},
        {"ALLOCATE", "-count", "1", "1000", "0", "1001"},
        {"ALLOCATE", "-wait", "0", "86400000", "-1", "86400001"},
        {"LISTEN", "-backlog", "1", "65535", "0", "65536"},
        {"ALLOCATE", "-unique", "0", "1", "-1", "2"},
        {"ALLOCATE", "-hold", "0", "1", "-1", "2"},
        {"ALLOCATE", "-instance", "suffix", "exact", "suffixes", "Exact"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        assert_value(rows[i].verb, rows[i].key, rows[i].least, true);
        assert_value(rows[i].verb, rows[i].key, rows[i].most, true);
        assert_value(rows[i].verb, rows[i].key, rows[i].below, false);
        assert_value(rows[i].verb, rows[i].key, rows[i].above, false);
        assert_value(rows[i].verb, rows[i].key, "true", false);
        assert_value(rows[i].verb, rows[i].key, "1.0", false);
        assert_value(rows[i].verb, rows[i].key, "18446744073709551617", false);
    }
}

static void mistakes_name_the_key_and_the_value(void **state)
{
    (void)state;
    assert_refused("ALLOCATE app -size 2", PA_E_UNKNOWN_KEY, "ALLOCATE has no key \"-size\"");
    assert_refused("ALLOCATE app two", PA_E_UNKNOWN_KEY, "ALLOCATE has no key \"two\"");
    assert_refused("ALLOCATE app -po 1", PA_E_UNKNOWN_KEY, "ALLOCATE has no key \"-po\"");
    assert_refused("ALLOCATE app -port", PA_E_NO_VALUE, "the key -port has no value");
    assert_refused("ALLOCATE app -port 1 -port 1", PA_E_KEY_TWICE,
                   "the key -port is given twice");
    assert_refused("ALLOCATE app -hold yes", PA_E_BAD_VALUE,
                   "the value of -hold must be 0 or 1, not \"yes\"");
    assert_refused("ALLOCATE app -count 1001", PA_E_BAD_VALUE,
                   "the value of -count must be from 1 to 1000, not \"1001\"");
    assert_refused("ALLOCATE app -unique 1 -count 2", PA_E_KEYS_CLASH,
                   "the keys -unique and -count exclude each other");
}

static void names_are_checked_as_ever(void **state)
{
    (void)state;
    assert_refused("ALLOCATE {}", PA_E_EMPTY_NAME, NULL);
    assert_refused("ALLOCATE a\\tb", PA_E_CONTROL_CHARACTER,
                   "a name must not contain control characters");
    assert_refused("LISTEN a\\u0000", PA_E_CONTROL_CHARACTER, NULL);
    assert_refused("ALLOCATE app -user {}", PA_E_EMPTY_NAME, NULL);
    assert_refused("ALLOCATE app -user a\\u0085", PA_E_CONTROL_CHARACTER, NULL);
}

static void what_is_no_text_is_not_sent_back(void **state)
{
    (void)state;
    assert_refused("ALLOCATE \\ud800", PA_E_NOT_A_CHARACTER, NULL);
    assert_refused("ALLOCATE app -user \\udfff", PA_E_NOT_A_CHARACTER, NULL);
    assert_refused("ALLOCATE app -\\ud800", PA_E_NOT_A_CHARACTER, NULL);
    assert_refused("ALLOCATE app -port \\u0000", PA_E_NOT_A_CHARACTER, NULL);
    assert_refused("FIND \\ud800", PA_E_NOT_A_CHARACTER, NULL);
    assert_refused("RELEASE \\ud800", PA_E_NOT_A_CHARACTER, NULL);
    assert_refused("ALLOCATE app -port a\\nb", PA_E_BAD_VALUE,
                   "the value of -port must be a port from 1 to 65535, not \"a b\"");
}

/* ------------------------------------------------------------ attributes -- */

static void assert_attributes(const char *list, const char *expected)
{
    struct pa_buf buf = PA_BUF_NULL;
    struct pa_failure why;
    assert_int_equal(pa_wire_append_attributes(&buf, list, &why), 0);
    assert_int_equal(pa_buf_append(&buf, "", 1), 0);
    assert_string_equal(buf.data, expected);
    pa_buf_deinit(&buf);
}

static void attributes_get_the_form_of_the_list_command(void **state)
{
    (void)state;
    assert_attributes("", "");
    assert_attributes("  ", "");
    assert_attributes("a 1\tb \"2 3\"", "a 1 b {2 3}");
    assert_attributes("#a #b", "{#a} #b");
    assert_attributes("{a} {}", "a {}");
    assert_attributes("a a", "a a");
    assert_attributes("k \\u20ac", "k \xe2\x82\xac");
}

static void assert_no_attributes(const char *list, const char *expected)
{
    struct pa_buf buf = PA_BUF_NULL;
    struct pa_failure why;
    assert_int_equal(pa_buf_append_string(&buf, "kept"), 0);
    assert_int_equal(pa_wire_append_attributes(&buf, list, &why), PA_E_BAD_VALUE);
    assert_int_equal(buf.size, 4);
    assert_int_equal(why.error, PA_E_BAD_VALUE);
    if (strncmp(why.text, expected, strlen(expected)) != 0)
        fail_msg("%s", why.text);
    pa_buf_deinit(&buf);
}

static void attributes_are_keys_and_values(void **state)
{
    (void)state;
    assert_no_attributes("a {b", "the value of -attributes must be a list, not \"a {b\"");
    assert_no_attributes("a 1 b", "the value of -attributes must be a list of an even number "
                                  "of words, not \"a 1 b\"");
    assert_no_attributes("{} 1", "the value of -attributes must be without an empty key");
    assert_no_attributes("b 1 a 2 b 3",
                         "the value of -attributes must be without a key that is there twice");
    assert_no_attributes("a \\x01", "the value of -attributes must be without control");
    assert_no_attributes("a \\ud800", "the value of -attributes must be without control");
    assert_refused("ALLOCATE app -attributes {a}", PA_E_BAD_VALUE,
                   "the value of -attributes must be a list of an even number of words, "
                   "not \"a\"");
}

static void attributes_have_2048_bytes(void **state)
{
    (void)state;
    char list[2048 + 2] = "k ";
    memset(list + 2, 'v', 2046);
    list[2048] = '\0';
    assert_attributes(list, list);
    list[2048] = 'v';
    list[2049] = '\0';
    assert_no_attributes(list,
                         "the value of -attributes must be at most 2048 bytes, not \"k v");
}

/* --------------------------------------------------------------- writing -- */

static void assert_written_again(const char *line, const char *expected)
{
    struct pa_request request = read_good(line);
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire2_append_request(&buf, request.verb, request.name, &request.keys),
                     0);
    assert_int_equal(buf.size, strlen(expected) + 2);
    assert_memory_equal(buf.data, expected, strlen(expected));
    assert_memory_equal(buf.data + buf.size - 2, "\r\n", 2);
    pa_buf_deinit(&buf);
    pa_request_deinit(&request);
}

static void what_goes_without_saying_is_not_written(void **state)
{
    (void)state;
    assert_written_again("ALLOCATE app", "ALLOCATE app");
    assert_written_again(
        "ALLOCATE #a -count 1 -unique 0 -wait 0 -instance suffix -attributes {}",
        "ALLOCATE #a");
    assert_written_again("LISTEN {two words} -backlog 128", "LISTEN {two words}");
    assert_written_again("PING", "PING");
    assert_written_again("STATS", "STATS");
    assert_written_again("FIND", "FIND");
    assert_written_again("RELEASE 0030001", "RELEASE 30001");
    assert_written_again("WATCH", "WATCH");
    assert_written_again("UNWATCH", "UNWATCH");
    assert_written_again("CHANGE 030001 -attributes { }", "CHANGE 30001 -attributes {}");
}

static void what_was_read_is_written(void **state)
{
    (void)state;
    assert_written_again(
        "ALLOCATE app -user {a b} -instance exact -wait 5 -attributes {k {v w}} "
        "-hold 0 -unique 1 -port 5",
        "ALLOCATE app -port 5 -unique 1 -hold 0 -attributes {k {v w}} -wait 5 "
        "-instance exact -user {a b}");
    assert_written_again("ALLOCATE app -hold 1 -count 1000",
                         "ALLOCATE app -count 1000 -hold 1");
    assert_written_again("LISTEN app -backlog 1 -myaddr 127.0.0.1",
                         "LISTEN app -myaddr 127.0.0.1 -backlog 1");
    assert_written_again("FIND -user {} -name {[ab]*} -port 3",
                         "FIND -port 3 -name {[ab]*} -user {}");
    assert_written_again("WATCH -user {} -name {[ab]*}", "WATCH -name {[ab]*} -user {}");
    assert_written_again("CHANGE 3 -attributes {a {b c}}", "CHANGE 3 -attributes {a {b c}}");
}

static void hello_says_who_asks(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire2_append_hello_request(&buf, "portAllocator 1.2"), 0);
    assert_int_equal(buf.size, strlen("HELLO 2 {portAllocator 1.2}\r\n"));
    assert_memory_equal(buf.data, "HELLO 2 {portAllocator 1.2}\r\n", buf.size);
    pa_buf_deinit(&buf);
}

/* --------------------------------------------------------------- memory -- */

static void without_memory_no_request_is_read_by_halves(void **state)
{
    (void)state;
    const char *line =
        "ALLOCATE app -attributes {key {a value} other {one of more than 64 bytes, "
        "so that the buffer has to grow}} -port 30001";
    size_t k = 0;
    for (size_t failed = 1; failed; ++k) {
        struct pa_request request;
        struct pa_failure why;
        alloc_fail_after(k);
        int r = pa_request_parse(&request, PA_PROTOCOL_2, line, strlen(line), &why);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pa_request_deinit(&request);
    }
    assert_true(k > 3);
}

static void without_memory_no_request_is_written(void **state)
{
    (void)state;
    struct pa_request request = read_good("ALLOCATE {a name of more than sixty-four bytes, so "
                                          "that the buffer grows} -port 5 -user {one user}");
    size_t k = 0;
    for (size_t failed = 1; failed; ++k) {
        struct pa_buf buf = PA_BUF_NULL;
        alloc_fail_after(k);
        int r = pa_wire2_append_request(&buf, request.verb, request.name, &request.keys);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pa_buf_deinit(&buf);
    }
    assert_true(k > 1);
    pa_request_deinit(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_understood_in_both_protocols),
        cmocka_unit_test(a_hello_without_a_version_spoken_here_is_invalid),
        cmocka_unit_test(words_of_protocol_2_are_no_requests_of_protocol_1),
        cmocka_unit_test(gimme_and_list_stay_as_they_are),
        cmocka_unit_test(an_unknown_word_is_invalid),
        cmocka_unit_test(requests_without_keys_take_no_words),
        cmocka_unit_test(a_missing_word_is_told_by_the_form_of_the_request),
        cmocka_unit_test(release_names_a_port),
        cmocka_unit_test(without_keys_all_is_as_a_manager_takes_it),
        cmocka_unit_test(keys_come_in_any_order),
        cmocka_unit_test(listen_has_an_address_and_a_backlog),
        cmocka_unit_test(find_has_patterns),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(mistakes_name_the_key_and_the_value),
        cmocka_unit_test(names_are_checked_as_ever),
        cmocka_unit_test(what_is_no_text_is_not_sent_back),
        cmocka_unit_test(attributes_get_the_form_of_the_list_command),
        cmocka_unit_test(attributes_are_keys_and_values),
        cmocka_unit_test(attributes_have_2048_bytes),
        cmocka_unit_test(change_names_a_port_and_attributes_also_none),
        cmocka_unit_test(watch_takes_the_patterns_of_find_but_no_port),
        cmocka_unit_test(what_goes_without_saying_is_not_written),
        cmocka_unit_test(what_was_read_is_written),
        cmocka_unit_test(hello_says_who_asks),
        cmocka_unit_test(without_memory_no_request_is_read_by_halves),
        cmocka_unit_test(without_memory_no_request_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
