/* test_pa_watch.c - what a client hears behind WATCH, and what differs between two lists. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_watch.h"

#define HELLO_OK "OK 2 {wait hold watch}\r\n"
#define NO_PORTS HELLO_OK "OK 0\r\n"

static struct pa_watch watch;
static struct pa_failure why;
static char heard[4096]; /* the events, as text */

static int tear_down(void **state)
{
    (void)state;
    pa_watch_deinit(&watch);
    return 0;
}

/* Writes an event behind those in `heard`: its kind, and in brackets what it lists. */
static void note(struct pa_watch_event *event)
{
    size_t used = strlen(heard);
    char *end = heard + used;
    end += sprintf(end, "%s(", pa_watch_kind_word(event->kind));
    for (size_t i = 0; i < event->listing.count; ++i) {
        const struct pa_listing_entry *entry = &event->listing.entries[i];
        end += sprintf(end, "%s%u %.*s %.*s", i > 0 ? "; " : "", (unsigned)entry->port,
                       (int)entry->name_size, entry->name, (int)entry->user_size, entry->user);
        if (entry->attributes_size > 0)
            end += sprintf(end, " {%.*s}", (int)entry->attributes_size,
                           pa_listing_attributes(entry));
    }
    sprintf(end, ")\n");
    if (event->kind != PA_WATCH_SNAPSHOT)
        assert_int_equal(event->listing.count, 1);
    pa_watch_event_deinit(event);
}

/* Feeds the bytes in packets of `each`, until something goes wrong. */
static int feed(const char *bytes, size_t size, size_t each)
{
    int r = PA_WATCH_MORE;
    while (r == PA_WATCH_MORE && size > 0) {
        size_t packet = each < size ? each : size;
        const char *cursor = bytes;
        do {
            struct pa_watch_event event = PA_WATCH_EVENT_NULL;
            r = pa_watch_feed(&watch, &cursor, bytes + packet, &event, &why);
            if (r == 0)
                note(&event);
            else
                assert_null(event.listing.entries);
        } while (r == 0);
        if (r == PA_WATCH_MORE)
            assert_ptr_equal(cursor, bytes + packet);
        bytes += packet;
        size -= packet;
    }
    return r;
}

/* What a manager that sends this is understood as, whatever the packets. */
static int hear_bytes(const char *bytes, size_t size)
{
    char whole[sizeof heard];
    int results[2];
    enum pa_error errors[2];
    const size_t packets[] = {1, SIZE_MAX};
    for (int i = 0; i < 2; ++i) {
        heard[0] = '\0';
        why.error = PA_OK;
        pa_watch_begin(&watch);
        results[i] = feed(bytes, size, packets[i]);
        errors[i] = why.error;
        if (i == 0)
            memcpy(whole, heard, sizeof whole);
    }
    assert_int_equal(results[0], results[1]);
    if (results[0] == PA_WATCH_FAILED)
        assert_int_equal(errors[0], errors[1]);
    assert_string_equal(whole, heard);
    return results[1];
}

static int hear(const char *text)
{
    return hear_bytes(text, strlen(text));
}

/* -------------------------------------------------------------- request -- */

static void assert_request(const char *name, const char *user, const char *expected)
{
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_watch_request(&request, name, user, &why), 0);
    assert_int_equal(pa_buf_append(&request, "", 1), 0);
    assert_memory_equal(request.data, "HELLO 2 portAllocator-", 22);
    const char *second = strchr(request.data, '\n');
    assert_non_null(second);
    assert_string_equal(second + 1, expected);
    pa_buf_deinit(&request);
}

static void the_request_says_hello_and_the_patterns(void **state)
{
    (void)state;
    assert_request(NULL, NULL, "WATCH\r\n");
    assert_request("two words*", NULL, "WATCH -name {two words*}\r\n");
    assert_request("", "ann", "WATCH -name {} -user ann\r\n");
}

static void what_would_break_the_request_is_not_sent(void **state)
{
    (void)state;
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_buf_append_string(&request, "before"), 0);
    assert_int_equal(pa_watch_request(&request, "a\nLIST", NULL, &why), PA_E_CONTROL_CHARACTER);
    assert_int_equal(why.error, PA_E_CONTROL_CHARACTER);
    assert_int_equal(pa_watch_request(&request, NULL, "\xED\xA0\x80", &why),
                     PA_E_NOT_A_CHARACTER);
    assert_int_equal(request.size, 6);
    pa_buf_deinit(&request);
}

static void without_memory_no_request_is_made(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t k = 0; failed; ++k) {
        struct pa_buf request = PA_BUF_NULL;
        alloc_fail_after(k);
        int r = pa_watch_request(&request, "a b", "c", &why);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (failed)
            assert_int_equal(request.size, 0);
        pa_buf_deinit(&request);
    }
}

/* --------------------------------------------------------------- events -- */

static void the_first_event_is_a_snapshot(void **state)
{
    (void)state;
    assert_int_equal(hear(NO_PORTS), PA_WATCH_MORE);
    assert_string_equal(heard, "snapshot()\n");
    assert_true(pa_watch_is_on(&watch));
    assert_int_equal(hear(HELLO_OK "OK 2\r\n7 {a b} ann {k v}\r\n9 c bob {}\r\n"),
                     PA_WATCH_MORE);
    assert_string_equal(heard, "snapshot(7 a b ann {k v}; 9 c bob)\n");
}

static void before_the_snapshot_is_whole_the_watch_is_not_on(void **state)
{
    (void)state;
    assert_int_equal(hear(HELLO_OK), PA_WATCH_MORE);
    assert_false(pa_watch_is_on(&watch));
    assert_int_equal(hear(HELLO_OK "OK 2\r\n7 a ann {}\r\n"), PA_WATCH_MORE);
    assert_false(pa_watch_is_on(&watch));
    assert_string_equal(heard, "");
}

static void events_come_one_by_one(void **state)
{
    (void)state;
    assert_int_equal(hear(NO_PORTS "EVENT 1 add 7 {a b} ann {}\r\n"
                                   "EVENT 2 change 7 {a b} ann {k {v w}}\r\n"
                                   "EVENT 3 remove 7 {a b} ann {k {v w}}\r\n"
                                   "EVENT 4 snapshot 0\r\n"
                                   "EVENT 5 snapshot 1\r\n8 x u {}\r\n"
                                   "EVENT 6 add 9 y u {} later\r\n"),
                     PA_WATCH_MORE);
    assert_string_equal(heard, "snapshot()\n"
                               "add(7 a b ann)\n"
                               "change(7 a b ann {k {v w}})\n"
                               "remove(7 a b ann {k {v w}})\n"
                               "snapshot()\n"
                               "snapshot(8 x u)\n"
                               "add(9 y u)\n");
    assert_true(pa_watch_is_on(&watch));
}

static void a_new_connection_begins_with_one_again(void **state)
{
    (void)state;
    const char said[] = NO_PORTS "EVENT 1 add 7 a u {}\r\nEVENT 2 snapshot 3\r\n1 a u {}\r\nEV";
    assert_int_equal(hear(said), PA_WATCH_MORE);
    assert_int_equal(hear(NO_PORTS "EVENT 1 add 8 a u {}\r\n"), PA_WATCH_MORE);
    assert_string_equal(heard, "snapshot()\nadd(8 a u)\n");
}

static void a_gap_breaks_the_protocol(void **state)
{
    (void)state;
    static const char *const said[] = {
        NO_PORTS "EVENT 2 add 7 a u {}\r\n",
        NO_PORTS "EVENT 0 add 7 a u {}\r\n",
        NO_PORTS "EVENT 01 add 7 a u {}\r\n",
        NO_PORTS "EVENT 18446744073709551617 add 7 a u {}\r\n",
        NO_PORTS "EVENT 1 add 7 a u {}\r\nEVENT 1 add 7 a u {}\r\n",
        NO_PORTS "EVENT 1 add 7 a u {}\r\nEVENT 3 add 7 a u {}\r\n",
        NO_PORTS "EVENT 1 snapshot 0\r\nEVENT 1 add 7 a u {}\r\n",
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; ++i) {
        assert_int_equal(hear(said[i]), PA_WATCH_FAILED);
        assert_int_equal(why.error, PA_E_PROTOCOL);
        assert_non_null(strstr(why.text, "not the event that was due: EVENT "));
        assert_false(pa_watch_is_on(&watch));
    }
}

static void what_is_no_event_breaks_the_protocol(void **state)
{
    (void)state;
    static const char *const said[] = {
        NO_PORTS "\r\n",
        NO_PORTS "OK\r\n",
        NO_PORTS "FAIL MEMORY {out of memory}\r\n",
        NO_PORTS "EVENT\r\n",
        NO_PORTS "EVENT 1\r\n",
        NO_PORTS "EVENTS 1 add 7 a u {}\r\n",
        NO_PORTS "event 1 add 7 a u {}\r\n",
        NO_PORTS "EVENT 1 ad 7 a u {}\r\n",
        NO_PORTS "EVENT 1 added 7 a u {}\r\n",
        NO_PORTS "EVENT 1 add\r\n",
        NO_PORTS "EVENT 1 add 7 a u\r\n",
        NO_PORTS "EVENT 1 add 0 a u {}\r\n",
        NO_PORTS "EVENT 1 add 65536 a u {}\r\n",
        NO_PORTS "EVENT 1 add 7 a u {odd}\r\n",
        NO_PORTS "EVENT 1 add 7 a u {\r\n",
        NO_PORTS "EVENT 1 add 7 \\uD800 u {}\r\n",
        NO_PORTS "EVENT 1 snapshot\r\n",
        NO_PORTS "EVENT 1 snapshot -1\r\n",
        NO_PORTS "EVENT 1 snapshot 1x\r\n",
        NO_PORTS "EVENT 1 snapshot 65536\r\n",
        NO_PORTS "EVENT 1 snapshot 99999999999999999999999999\r\n",
        NO_PORTS "EVENT 1 snapshot 2\r\n7 a u {}\r\nEVENT 2 add 8 a u {}\r\n",
        HELLO_OK "EVENT 1 add 7 a u {}\r\n",
        HELLO_OK "OK x\r\n",
        HELLO_OK "OK 1\r\n7 a u\r\n",
        "nothing\r\n",
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; ++i) {
        assert_int_equal(hear(said[i]), PA_WATCH_FAILED);
        assert_int_equal(why.error, PA_E_PROTOCOL);
        assert_false(pa_watch_is_on(&watch));
    }
}

static void a_nul_and_a_line_without_end_break_the_protocol(void **state)
{
    (void)state;
    const char nul[] = NO_PORTS "EVENT 1 add 7 a\0b u {}\r\n";
    assert_int_equal(hear_bytes(nul, sizeof nul - 1), PA_WATCH_FAILED);
    char line[1024];
    memset(line, 'x', sizeof line);
    pa_watch_begin(&watch);
    assert_int_equal(feed(NO_PORTS, strlen(NO_PORTS), SIZE_MAX), PA_WATCH_MORE);
    int r = PA_WATCH_MORE;
    size_t fed = 0;
    for (; r == PA_WATCH_MORE && fed < 2 * (size_t)PA_CLIENT_LINE_BYTES; fed += sizeof line)
        r = feed(line, sizeof line, SIZE_MAX);
    assert_int_equal(r, PA_WATCH_FAILED);
    assert_int_equal(why.error, PA_E_PROTOCOL);
    assert_true(fed <= PA_CLIENT_LINE_BYTES + sizeof line);
}

static void an_old_manager_is_recognized(void **state)
{
    (void)state;
    assert_int_equal(hear("FAIL {Invalid request HELLO 2 x}\r\n"), PA_WATCH_OLD);
    assert_int_equal(hear(HELLO_OK "FAIL SYNTAX {no}\r\n"), PA_WATCH_FAILED);
    assert_int_equal(hear("OK 2 {wait hold}\r\nFAIL SYNTAX {Invalid request WATCH}\r\n"),
                     PA_WATCH_OLD);
    assert_int_equal(hear("OK 2 {wait hold}\r\n"), PA_WATCH_OLD);
    assert_int_equal(hear("OK 2 {}\r\nOK 0\r\n"), PA_WATCH_OLD);
    assert_string_equal(heard, "");
}

static void a_refusal_has_the_managers_words(void **state)
{
    (void)state;
    assert_int_equal(hear(HELLO_OK "FAIL MEMORY {the port manager is out of memory}\r\n"),
                     PA_WATCH_FAILED);
    assert_int_equal(why.error, PA_E_NO_MEMORY);
    assert_string_equal(why.text, "the port manager is out of memory");
    assert_int_equal(hear("FAIL {too many connections}\r\n"), PA_WATCH_FAILED);
    assert_int_equal(why.error, PA_E_REFUSED);
    assert_false(pa_watch_is_on(&watch));
}

static void without_memory_the_watch_fails_cleanly(void **state)
{
    (void)state;
    const char said[] = HELLO_OK "OK 1\r\n7 a u {k v}\r\nEVENT 1 add 8 b u {}\r\n"
                                 "EVENT 2 snapshot 1\r\n7 a u {k v}\r\n";
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        heard[0] = '\0';
        pa_watch_begin(&watch);
        alloc_fail_after(k);
        int r = feed(said, sizeof said - 1, 1);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : PA_WATCH_MORE);
        assert_int_equal(pa_watch_is_on(&watch), !failed);
    }
    assert_true(k > 5);
}

/* ----------------------------------------------------------- comparison -- */

/* A list of lines as FIND's. */
static struct pa_listing listing_of(const char *lines)
{
    struct pa_listing listing = PA_LISTING_NULL;
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        assert_int_equal(pa_wire2_parse_found(&listing, lines, size), 0);
        lines += size + (lines[size] == '\n');
    }
    pa_listing_seal(&listing);
    return listing;
}

static int compare(const char *lines, const char *name, const char *user)
{
    struct pa_listing now = listing_of(lines);
    heard[0] = '\0';
    int r = pa_watch_compare(&watch, &now, name, user);
    assert_null(now.entries);
    return r;
}

static int take_all(void)
{
    int r;
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    while ((r = pa_watch_next(&watch, &event)) == 0)
        note(&event);
    return r;
}

/* What is different in that list from the one before. */
static const char *differences(const char *lines)
{
    assert_int_equal(compare(lines, NULL, NULL), 0);
    assert_int_equal(take_all(), PA_WATCH_MORE);
    assert_int_equal(take_all(), PA_WATCH_MORE);
    return heard;
}

static void the_first_list_is_a_snapshot_in_its_order(void **state)
{
    (void)state;
    assert_int_equal(take_all(), PA_WATCH_MORE);
    assert_string_equal(differences("9 a u {k v}\n7 b u {}"), "snapshot(9 a u {k v}; 7 b u)\n");
    assert_string_equal(differences("7 b u {}\n9 a u {k v}"), "");
}

static void later_lists_give_what_is_different(void **state)
{
    (void)state;
    assert_string_equal(differences(""), "snapshot()\n");
    assert_string_equal(differences("9 a u {}\n7 b u {}"), "add(7 b u)\nadd(9 a u)\n");
    assert_string_equal(differences("8 c u {}\n9 a u {}"), "remove(7 b u)\nadd(8 c u)\n");
    assert_string_equal(differences("9 a u {k v}\n8 c u {}"), "change(9 a u {k v})\n");
    assert_string_equal(differences("9 a u {}\n8 c u {}"), "change(9 a u)\n");
    assert_string_equal(differences("9 a v {}\n8 cd u {}"),
                        "remove(8 c u)\nadd(8 cd u)\nremove(9 a u)\nadd(9 a v)\n");
    assert_string_equal(differences(""), "remove(8 cd u)\nremove(9 a v)\n");
}

static void a_new_beginning_forgets_the_list(void **state)
{
    (void)state;
    differences("7 a u {}");
    assert_int_equal(compare("7 a u {}\n8 b u {}", NULL, NULL), 0);
    pa_watch_begin(&watch);
    assert_int_equal(take_all(), PA_WATCH_MORE);
    assert_string_equal(differences("7 a u {}"), "snapshot(7 a u)\n");
}

static void what_does_not_match_is_not_seen(void **state)
{
    (void)state;
    assert_int_equal(compare("7 ab u {}\n8 b u {}\n9 ac v {}", "a*", "u"), 0);
    assert_int_equal(take_all(), PA_WATCH_MORE);
    assert_string_equal(heard, "snapshot(7 ab u)\n");
    assert_int_equal(compare("8 b u {}\n9 ac u {}", "a*", "u"), 0);
    assert_int_equal(take_all(), PA_WATCH_MORE);
    assert_string_equal(heard, "remove(7 ab u)\nadd(9 ac u)\n");
}

static void without_memory_a_comparison_can_be_made_again(void **state)
{
    (void)state;
    static const char *const lists[] = {"9 a u {}\n7 b u {}", "9 a u {k v}\n8 b u {}"};
    static const char *const expected[] = {"snapshot(9 a u; 7 b u)\n",
                                           "remove(7 b u)\nadd(8 b u)\nchange(9 a u {k v})\n"};
    size_t failures = 0;
    for (size_t k = 0, done = 0; done < 2; k = 0) {
        int r = -ENOMEM;
        for (; r == -ENOMEM; ++k) {
            struct pa_listing now = listing_of(lists[done]);
            alloc_fail_after(k);
            r = pa_watch_compare(&watch, &now, NULL, NULL);
            failures += alloc_fail_stop();
            assert_null(now.entries);
        }
        assert_int_equal(r, 0);
        heard[0] = '\0';
        for (k = 0, r = -ENOMEM; r == -ENOMEM; ++k) {
            alloc_fail_after(k);
            r = take_all();
            failures += alloc_fail_stop();
        }
        assert_int_equal(r, PA_WATCH_MORE);
        assert_string_equal(heard, expected[done++]);
    }
    assert_true(failures > 4);
}

#define CASE(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_request_says_hello_and_the_patterns),
        CASE(what_would_break_the_request_is_not_sent),
        CASE(without_memory_no_request_is_made),
        CASE(the_first_event_is_a_snapshot),
        CASE(before_the_snapshot_is_whole_the_watch_is_not_on),
        CASE(events_come_one_by_one),
        CASE(a_new_connection_begins_with_one_again),
        CASE(a_gap_breaks_the_protocol),
        CASE(what_is_no_event_breaks_the_protocol),
        CASE(a_nul_and_a_line_without_end_break_the_protocol),
        CASE(an_old_manager_is_recognized),
        CASE(a_refusal_has_the_managers_words),
        CASE(without_memory_the_watch_fails_cleanly),
        CASE(the_first_list_is_a_snapshot_in_its_order),
        CASE(later_lists_give_what_is_different),
        CASE(a_new_beginning_forgets_the_list),
        CASE(what_does_not_match_is_not_seen),
        CASE(without_memory_a_comparison_can_be_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
