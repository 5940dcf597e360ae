/* test_wire.c - requests and replies of protocol 1: every form read, every name quoted. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_tcl_compat.h"
#include "pa_wire.h"

/* -------------------------------------------------------------- requests -- */

static int parse(struct pa_request *request, const char *line, size_t size)
{
    struct pa_failure why;
    return pa_request_parse(request, PA_PROTOCOL_1, line, size, &why);
}

static void assert_request(const char *line, enum pa_verb verb, const char *name,
                           const char *user)
{
    struct pa_request request;
    assert_int_equal(parse(&request, line, strlen(line)), 0);
    assert_int_equal(request.verb, verb);
    if (verb == PA_VERB_GIMME) {
        assert_string_equal(request.name, name);
        assert_string_equal(request.user, user);
    }
    pa_request_deinit(&request);
    assert_null(request.text);
}

static void assert_refused(const char *line, size_t size, int error)
{
    struct pa_request request;
    assert_int_equal(parse(&request, line, size), error);
    assert_non_null(request.text);
    pa_request_deinit(&request);
}

#define REFUSED(line, error)    assert_refused((line), sizeof(line) - 1, (error))
#define GIMME(line, name, user) assert_request((line), PA_VERB_GIMME, (name), (user))

static void list_is_understood_with_words_behind_it(void **state)
{
    (void)state;
    assert_request("LIST", PA_VERB_LIST, NULL, NULL);
    assert_request("LIST extra words", PA_VERB_LIST, NULL, NULL);
    assert_request("{LIST}", PA_VERB_LIST, NULL, NULL);
    assert_request("  \tLIST  ", PA_VERB_LIST, NULL, NULL);
}

static void gimme_names_an_application_and_a_user(void **state)
{
    (void)state;
    GIMME("GIMME app user", "app", "user");
    GIMME("\"GIMME\"  app\tuser ", "app", "user");
    GIMME("GIMME {app} {user}", "app", "user");
    GIMME("GIMME uid:5 uid:5", "uid:5", "uid:5");
}

static void a_name_of_two_words_comes_quoted_in_three_ways(void **state)
{
    (void)state;
    GIMME("GIMME {two words} user", "two words", "user");
    GIMME("GIMME \"two words\" user", "two words", "user");
    GIMME("GIMME two\\ words user", "two words", "user");
}

static void of_unquoted_words_the_last_is_the_user(void **state)
{
    (void)state;
    GIMME("GIMME two words user", "two words", "user");
    GIMME("GIMME {a  b} c d user", "a  b c d", "user");
}

static void characters_that_tcl_quotes_are_read_as_they_are(void **state)
{
    (void)state;
    GIMME("GIMME a\\{b user", "a{b", "user");
    GIMME("GIMME a{b user", "a{b", "user");
    GIMME("GIMME a\"b user", "a\"b", "user");
    GIMME("GIMME {a;b} user", "a;b", "user");
    GIMME("GIMME {$x} user", "$x", "user");
    GIMME("GIMME #h user", "#h", "user");
    GIMME("GIMME {[exit]} user", "[exit]", "user");
    GIMME("GIMME \\u20ac user", "\xe2\x82\xac", "user");
}

static void utf8_is_kept_and_other_bytes_are_latin1(void **state)
{
    (void)state;
    GIMME("GIMME Stra\xc3\x9f"
          "e \xf0\x9f\x98\x80",
          "Stra\xc3\x9f"
          "e",
          "\xf0\x9f\x98\x80");
    GIMME("GIMME Stra\xdf"
          "e user",
          "Stra\xc3\x9f"
          "e",
          "user");
}

static void names_must_not_be_empty(void **state)
{
    (void)state;
    REFUSED("GIMME", PA_E_EMPTY_NAME);
    REFUSED("GIMME app", PA_E_EMPTY_NAME);
    REFUSED("GIMME {} user", PA_E_EMPTY_NAME);
    REFUSED("GIMME app {}", PA_E_EMPTY_NAME);
}

static void names_must_not_hold_control_characters(void **state)
{
    (void)state;
    REFUSED("GIMME a\\nb user", PA_E_CONTROL_CHARACTER);
    REFUSED("GIMME {a\tb} user", PA_E_CONTROL_CHARACTER);
    REFUSED("GIMME app {\x7f}", PA_E_CONTROL_CHARACTER);
    REFUSED("GIMME app a\\u0085", PA_E_CONTROL_CHARACTER);
    REFUSED("GIMME app \\u0000", PA_E_CONTROL_CHARACTER);
    REFUSED("GIMME app \x9b", PA_E_CONTROL_CHARACTER);
}

static void what_is_no_request_is_invalid(void **state)
{
    (void)state;
    REFUSED("", PA_E_INVALID_REQUEST);
    REFUSED("   ", PA_E_INVALID_REQUEST);
    REFUSED("HELLO", PA_E_INVALID_REQUEST);
    REFUSED("TERMINATE", PA_E_INVALID_REQUEST);
    REFUSED("list", PA_E_INVALID_REQUEST);
    REFUSED("LISTEN", PA_E_INVALID_REQUEST);
    REFUSED("GIMMEapp user", PA_E_INVALID_REQUEST);
}

static void an_unbalanced_quote_is_invalid(void **state)
{
    (void)state;
    REFUSED("GIMME {app user", PA_E_INVALID_REQUEST);
    REFUSED("GIMME \"app user", PA_E_INVALID_REQUEST);
    REFUSED("GIMME {app}x user", PA_E_INVALID_REQUEST);
    REFUSED("{", PA_E_INVALID_REQUEST);
}

static void a_nul_is_invalid_wherever_it_is(void **state)
{
    (void)state;
    REFUSED("GIMME a\0b user", PA_E_INVALID_REQUEST);
    REFUSED("LIST\0", PA_E_INVALID_REQUEST);
    REFUSED("\0LIST", PA_E_INVALID_REQUEST);
}

static void a_request_is_read_within_its_size(void **state)
{
    (void)state;
    struct pa_request request;
    assert_int_equal(parse(&request, "LISTEN", 4), 0);
    assert_string_equal(request.text, "LIST");
    assert_int_equal(request.text_size, 4);
    pa_request_deinit(&request);
    assert_int_equal(parse(&request, NULL, 0), PA_E_INVALID_REQUEST);
    assert_string_equal(request.text, "");
    pa_request_deinit(&request);
}

static void a_refused_request_can_still_be_shown(void **state)
{
    (void)state;
    struct pa_request request;
    assert_int_equal(parse(&request, "H\xe9llo {", 7), PA_E_INVALID_REQUEST);
    assert_string_equal(request.text, "H\xc3\xa9llo {");
    assert_int_equal(request.text_size, 8);
    pa_request_deinit(&request);
}

static void without_memory_no_request_is_read_by_halves(void **state)
{
    (void)state;
    static const char line[] = "GIMME a long name of many words that is joined user";
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pa_request request;
        alloc_fail_after(k);
        int r = parse(&request, line, strlen(line));
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pa_request_deinit(&request);
    }
    assert_true(k > 1);
}

/* --------------------------------------------------------------- quoting -- */

static void assert_buffer(struct pa_buf *buf, const char *expected)
{
    assert_int_equal(pa_buf_append(buf, "", 1), 0);
    assert_string_equal(buf->data, expected);
    pa_buf_deinit(buf);
}

static void assert_listed(const char *name, const char *expected)
{
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire_append_port(&buf, 30001, name, "user"), 0);
    assert_buffer(&buf, expected);
}

static void names_are_listed_with_the_quoting_of_tcl(void **state)
{
    (void)state;
    assert_listed("app", "30001 app user\r\n");
    assert_listed("two words", "30001 {two words} user\r\n");
    assert_listed("a{b", "30001 a\\{b user\r\n");
    assert_listed("a\"b", "30001 a\\\"b user\r\n");
    assert_listed("a;b", "30001 {a;b} user\r\n");
    assert_listed("$x", "30001 {$x} user\r\n");
    assert_listed("#h", "30001 #h user\r\n");
    assert_listed("back\\slash", "30001 {back\\slash} user\r\n");
    assert_listed("", "30001 {} user\r\n");
    assert_listed("Stra\xc3\x9f"
                  "e",
                  "30001 Stra\xc3\x9f"
                  "e user\r\n");
}

static void a_hash_is_quoted_only_where_a_list_begins(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire_append_pair(&buf, "#a", "#b"), 0);
    assert_buffer(&buf, "{#a} #b");
}

/* Names that try every character and every way in which libtcl quotes. */
static size_t make_name(unsigned i, char name[8])
{
    static const char hard[] = " {}[]$\"\\;#a";
    size_t size = 0;
    if (i < 127) {
        name[size++] = (char)(i + 1);
    } else {
        for (i -= 127; size < 4; i /= (unsigned)(sizeof hard - 1))
            name[size++] = hard[i % (sizeof hard - 1)];
    }
    name[size] = '\0';
    return size;
}

enum { NAMES = 127 + 11 * 11 * 11 * 11 };

static void pairs_are_what_the_list_command_makes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES; ++i) {
        char name[8];
        make_name(i, name);
        const char *const words[] = {name, name};
        char *merged = Tcl_Merge(2, words);
        struct pa_buf buf = PA_BUF_NULL;
        assert_int_equal(pa_wire_append_pair(&buf, name, name), 0);
        assert_buffer(&buf, merged);
        Tcl_Free(merged);
    }
}

static void replies_end_with_cr_lf(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire_append_ok(&buf, 0), 0);
    assert_int_equal(pa_wire_append_ok(&buf, 30001), 0);
    assert_int_equal(pa_wire_append_fail(&buf, "no free ports"), 0);
    assert_int_equal(pa_wire_append_fail(&buf, "Invalid request {"), 0);
    assert_buffer(&buf, "OK 0\r\nOK 30001\r\nFAIL {no free ports}\r\n"
                        "FAIL Invalid\\ request\\ \\{\r\n");
}

static void requests_end_with_cr_lf_and_quote_names(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_wire_append_list_request(&buf), 0);
    assert_int_equal(pa_wire_append_gimme_request(&buf, "two words", "#user"), 0);
    assert_buffer(&buf, "LIST\r\nGIMME {two words} #user\r\n");
}

static void a_request_comes_back_as_it_was_asked(void **state)
{
    (void)state;
    for (unsigned i = 31; i < NAMES; ++i) {
        char name[8];
        make_name(i, name);
        struct pa_buf buf = PA_BUF_NULL;
        struct pa_request request;
        assert_int_equal(pa_wire_append_gimme_request(&buf, name, name), 0);
        int r = parse(&request, buf.data, buf.size - 2);
        if (i == 0x7e) {
            assert_int_equal(r, PA_E_CONTROL_CHARACTER);
        } else {
            assert_int_equal(r, 0);
            assert_string_equal(request.name, name);
            assert_string_equal(request.user, name);
        }
        pa_request_deinit(&request);
        pa_buf_deinit(&buf);
    }
}

static void without_memory_no_line_is_written(void **state)
{
    (void)state;
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct pa_buf buf = PA_BUF_NULL;
        char name[200];
        memset(name, '{', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        alloc_fail_after(k);
        int r = pa_wire_append_port(&buf, 30001, name, name);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pa_buf_deinit(&buf);
    }
}

/* --------------------------------------------------------------- replies -- */

static void assert_reply(const char *line, int expected, size_t expected_number)
{
    size_t number = 0;
    assert_int_equal(pa_wire_parse_reply(line, strlen(line), &number), expected);
    if (expected == 0)
        assert_int_equal(number, expected_number);
}

static void an_ok_carries_a_number(void **state)
{
    (void)state;
    assert_reply("OK 0", 0, 0);
    assert_reply("OK 900", 0, 900);
    assert_reply("OK 65535", 0, 65535);
    assert_reply(" OK\t 7 ", 0, 7);
    assert_reply("OK 007", 0, 7);
}

static void a_fail_is_one_whatever_follows(void **state)
{
    (void)state;
    assert_reply("FAIL {no free ports}", PA_E_REFUSED, 0);
    assert_reply("FAIL - no free ports", PA_E_REFUSED, 0);
    assert_reply("FAIL", PA_E_REFUSED, 0);
    assert_reply("FAIL {unbalanced", PA_E_REFUSED, 0);
}

static void any_other_first_line_breaks_the_protocol(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "OK",
        "OK ",
        "OK x",
        "OK 1x",
        "OK -1",
        "OK +1",
        "OK 1 2",
        "OK 1.0",
        "OK 0x10",
        "OK 65536",
        "OK 184467440737095516161",
        "ok 1",
        "OKAY 1",
        "OK1",
        "FAILURE",
        "HTTP/1.1 400 Bad Request",
        "30001",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_reply(lines[i], PA_E_PROTOCOL, 0);
    size_t number;
    assert_int_equal(pa_wire_parse_reply("OK 1\0", 5, &number), PA_E_PROTOCOL);
}

static void assert_entry(const char *line, unsigned port, const char *name, const char *user)
{
    struct pa_listing listing = PA_LISTING_NULL;
    assert_int_equal(pa_wire_parse_port(&listing, line, strlen(line)), 0);
    pa_listing_seal(&listing);
    assert_int_equal(listing.count, 1);
    const struct pa_listing_entry *entry = &listing.entries[0];
    assert_int_equal(entry->port, port);
    assert_int_equal(entry->name_size, strlen(name));
    assert_memory_equal(entry->name, name, strlen(name));
    assert_int_equal(entry->user_size, strlen(user));
    assert_memory_equal(entry->user, user, strlen(user));
    pa_listing_deinit(&listing);
}

static void a_line_of_the_listing_is_a_list_of_three(void **state)
{
    (void)state;
    assert_entry("30001 app user", 30001, "app", "user");
    assert_entry("1 a u", 1, "a", "u");
    assert_entry("65535 a u", 65535, "a", "u");
    assert_entry("30001 {two words} user", 30001, "two words", "user");
    assert_entry("30001 a\\{b user", 30001, "a{b", "user");
    assert_entry("30001 #h {$x}", 30001, "#h", "$x");
    assert_entry("30001 {} {}", 30001, "", "");
    assert_entry("  30001\tapp   user ", 30001, "app", "user");
    assert_entry("30001 app_1 uid:1000", 30001, "app_1", "uid:1000");
}

static void strings_of_the_listing_are_utf8(void **state)
{
    (void)state;
    assert_entry("30001 Stra\xc3\x9f"
                 "e \xf0\x9f\x98\x80",
                 30001,
                 "Stra\xc3\x9f"
                 "e",
                 "\xf0\x9f\x98\x80");
    assert_entry("30001 Stra\xdf"
                 "e user",
                 30001,
                 "Stra\xc3\x9f"
                 "e",
                 "user");
    assert_entry("30001 \\u20ac user", 30001, "\xe2\x82\xac", "user");
    assert_entry("30001 a\\u0000 user", 30001, "a\xc3\x80\xc2\x80", "user");
}

static void what_is_no_list_of_three_breaks_the_protocol(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "30001",
        "30001 app",
        "30001 app user more",
        "0 app user",
        "65536 a u",
        "x a u",
        "-1 a u",
        "30001 {a u",
        "30001 \"a u",
        "30001 {a}b u",
        "{30001 app user}",
        "30001x app user",
        "OK 3 x",
    };
    struct pa_listing listing = PA_LISTING_NULL;
    assert_int_equal(pa_wire_parse_port(&listing, "30001 kept user", 15), 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_int_equal(pa_wire_parse_port(&listing, lines[i], strlen(lines[i])),
                         PA_E_PROTOCOL);
    assert_int_equal(pa_wire_parse_port(&listing, "30001 a\0b user", 14), PA_E_PROTOCOL);
    assert_int_equal(listing.count, 1);
    assert_int_equal(listing.text.size, strlen("kept user"));
    pa_listing_deinit(&listing);
}

/* The quick way through plain lines must read what libtcl reads. */
static void every_line_is_read_as_libtcl_reads_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES; ++i) {
        char name[8];
        char line[32];
        make_name(i, name);
        snprintf(line, sizeof line, "30001 a%sb u%s", name, name);
        struct pa_listing listing = PA_LISTING_NULL;
        int r = pa_wire_parse_port(&listing, line, strlen(line));
        pa_listing_seal(&listing);
        Tcl_Size count;
        const char **words;
        bool good = Tcl_SplitList(NULL, line, &count, &words) == TCL_OK;
        assert_int_equal(r, good && count == 3 ? 0 : PA_E_PROTOCOL);
        if (r == 0)
            assert_non_null(pa_listing_find(&listing, words[1], words[2]));
        if (good)
            Tcl_Free((void *)words);
        pa_listing_deinit(&listing);
    }
}

static void what_is_listed_comes_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES; ++i) {
        char name[8];
        make_name(i, name);
        struct pa_buf buf = PA_BUF_NULL;
        assert_int_equal(pa_wire_append_port(&buf, 30001, name, name), 0);
        assert_int_equal(pa_buf_append(&buf, "", 1), 0);
        buf.data[buf.size - 3] = '\0';
        assert_entry(buf.data, 30001, name, name);
        pa_buf_deinit(&buf);
    }
}

static void an_entry_is_found_by_name_and_user(void **state)
{
    (void)state;
    struct pa_listing listing = PA_LISTING_NULL;
    assert_int_equal(pa_wire_parse_port(&listing, "30001 app ann", 13), 0);
    assert_int_equal(pa_wire_parse_port(&listing, "30002 app bob", 13), 0);
    assert_int_equal(pa_wire_parse_port(&listing, "30003 app bob", 13), 0);
    pa_listing_seal(&listing);
    assert_int_equal(pa_listing_find(&listing, "app", NULL)->port, 30001);
    assert_int_equal(pa_listing_find(&listing, "app", "bob")->port, 30002);
    assert_null(pa_listing_find(&listing, "ap", NULL));
    assert_null(pa_listing_find(&listing, "appa", NULL));
    assert_null(pa_listing_find(&listing, "app", ""));
    assert_null(pa_listing_find(&listing, "app", "an"));
    pa_listing_deinit(&listing);
    assert_null(pa_listing_find(&listing, "app", NULL));
}

static void assert_clean_without_memory(const char *line)
{
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct pa_listing listing = PA_LISTING_NULL;
        alloc_fail_after(k);
        int r = pa_wire_parse_port(&listing, line, strlen(line));
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(listing.count, failed ? 0 : 1);
        if (failed)
            assert_int_equal(listing.text.size, 0);
        pa_listing_deinit(&listing);
    }
}

static void without_memory_the_listing_stays_as_it_is(void **state)
{
    (void)state;
    assert_clean_without_memory("30001 app user");
    assert_clean_without_memory("30001 {two words} user");
    assert_clean_without_memory("30001 {a name that does not fit into the first allocation, as "
                                "it is longer than sixty-four bytes} user");
}

static void plain_lines_are_taken_up_to_the_first_that_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t max;
        long taken;
        const char *rest;
    } rows[] = {
        {"1 a b\r\n2 c d\n", 9, 2, ""},
        {"1 a b\n2 c d\n", 1, 1, "2 c d\n"},
        {"1 a b\r\n2 {c} d\n3 e f\n", 9, 1, "2 {c} d\n3 e f\n"},
        {"1 a b\r\n2 c d\r", 9, 1, "2 c d\r"},
        {"1 a b\r\n2 c", 9, 1, "2 c"},
        {"1 a b\n2  c d\n", 9, 1, "2  c d\n"},
        {"1 a b\n2 c d \n", 9, 1, "2 c d \n"},
        {"0 a b\n", 9, 0, "0 a b\n"},
        {"65536 a b\n", 9, 0, "65536 a b\n"},
        {"1 a caf\xc3\xa9\n", 9, 0, "1 a caf\xc3\xa9\n"},
        {"", 9, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        struct pa_listing listing = PA_LISTING_NULL;
        const char *cursor = rows[i].bytes;
        const char *end = cursor + strlen(cursor);
        assert_int_equal(pa_wire_parse_plain(&listing, &cursor, end, rows[i].max),
                         rows[i].taken);
        assert_string_equal(cursor, rows[i].rest);
        assert_int_equal(listing.count, rows[i].taken);
        pa_listing_deinit(&listing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_understood_with_words_behind_it),
        cmocka_unit_test(gimme_names_an_application_and_a_user),
        cmocka_unit_test(a_name_of_two_words_comes_quoted_in_three_ways),
        cmocka_unit_test(of_unquoted_words_the_last_is_the_user),
        cmocka_unit_test(characters_that_tcl_quotes_are_read_as_they_are),
        cmocka_unit_test(utf8_is_kept_and_other_bytes_are_latin1),
        cmocka_unit_test(names_must_not_be_empty),
        cmocka_unit_test(names_must_not_hold_control_characters),
        cmocka_unit_test(what_is_no_request_is_invalid),
        cmocka_unit_test(an_unbalanced_quote_is_invalid),
        cmocka_unit_test(a_nul_is_invalid_wherever_it_is),
        cmocka_unit_test(a_request_is_read_within_its_size),
        cmocka_unit_test(a_refused_request_can_still_be_shown),
        cmocka_unit_test(without_memory_no_request_is_read_by_halves),
        cmocka_unit_test(names_are_listed_with_the_quoting_of_tcl),
        cmocka_unit_test(a_hash_is_quoted_only_where_a_list_begins),
        cmocka_unit_test(pairs_are_what_the_list_command_makes),
        cmocka_unit_test(replies_end_with_cr_lf),
        cmocka_unit_test(requests_end_with_cr_lf_and_quote_names),
        cmocka_unit_test(a_request_comes_back_as_it_was_asked),
        cmocka_unit_test(without_memory_no_line_is_written),
        cmocka_unit_test(an_ok_carries_a_number),
        cmocka_unit_test(a_fail_is_one_whatever_follows),
        cmocka_unit_test(any_other_first_line_breaks_the_protocol),
        cmocka_unit_test(a_line_of_the_listing_is_a_list_of_three),
        cmocka_unit_test(strings_of_the_listing_are_utf8),
        cmocka_unit_test(plain_lines_are_taken_up_to_the_first_that_is_not),
        cmocka_unit_test(what_is_no_list_of_three_breaks_the_protocol),
        cmocka_unit_test(every_line_is_read_as_libtcl_reads_it),
        cmocka_unit_test(what_is_listed_comes_back),
        cmocka_unit_test(an_entry_is_found_by_name_and_user),
        cmocka_unit_test(without_memory_the_listing_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
