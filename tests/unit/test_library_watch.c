/* test_library_watch.c - watching with the public library, through its header alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "manager_fixture.h"
#include "portallocator.h"

enum { AMPLE_MS = 30000 }; /* for what is to succeed */

static struct portallocator *allocator;
static struct portallocator_watch *watch;

/* ---------------------------------------------------- managers' manners -- */

static const struct manager_manner answers[] = {
    {"HELLO 2 ", "OK 2 {watch}\r\n"},
    {"WATCH -name a* -user u\r", "OK 2\r\n7 a u {k v}\r\n9 {a b} u {}\r\n"
                                 "EVENT 1 add 8 ab u {}\r\nEVENT 2 change 8 ab u {k v}\r\n"
                                 "EVENT 3 remove 8 ab u {k v}\r\nEVENT 4 snapshot 0\r\n"},
    {"WATCH -name ends\r", "!OK 0\r\n"},
    {"WATCH\r", "OK 0\r\n"},
    {"CHANGE 7 -attributes {k {v w}}\r", "OK 7\r\n"},
    {"CHANGE 8 -attributes {}\r", "OK 8\r\n"},
    {"CHANGE 9 ", "FAIL NOTOWNER {port 9 belongs to bob}\r\n"},
};

static const char *new_manager(struct fake_manager *m, const char *line)
{
    return manager_answer(m, line, answers, sizeof answers / sizeof *answers);
}

static const char *old_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    return strcmp(line, "LIST") == 0 ? "OK 1\r\n30001 app ann\r\n"
                                     : "!FAIL {Invalid request}\r\n";
}

static const char *middle_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    return strncmp(line, "HELLO 2 ", 8) == 0 ? "OK 2 {wait}\r\n"
                                             : "FAIL SYNTAX {Invalid request CHANGE}\r\n";
}

/* -------------------------------------------------------------- fixture -- */

static int set_up(void **state)
{
    (void)state;
    return manager_fixture_begin(7);
}

static int tear_down(void **state)
{
    (void)state;
    return manager_fixture_end();
}

static void start(fake_answer *answer)
{
    manager_fixture_start(answer);
    allocator = portallocator_new(host, (unsigned)manager.port);
    assert_non_null(allocator);
    portallocator_set_timeout(allocator, AMPLE_MS);
}

static void begin(const char *name_pattern, const char *user_pattern)
{
    assert_int_equal(portallocator_watch(allocator, name_pattern, user_pattern, &watch),
                     PORTALLOCATOR_OK);
}

static void finish(void)
{
    portallocator_watch_free(watch);
    watch = NULL;
    portallocator_free(allocator);
    fake_manager_stop(&manager);
}

static int next_within(int timeout_ms)
{
    struct portallocator_event event = PORTALLOCATOR_EVENT_INIT;
    return portallocator_watch_next(watch, timeout_ms, &event);
}

/* The next event, of that kind, and what its first port is: "port name user attributes". */
static void assert_event(int kind, size_t count, const char *first)
{
    char text[256] = "";
    struct portallocator_event event = PORTALLOCATOR_EVENT_INIT;
    struct portallocator_entry entry = PORTALLOCATOR_ENTRY_INIT;
    assert_int_equal(portallocator_watch_next(watch, -1, &event), PORTALLOCATOR_OK);
    assert_string_equal(portallocator_watch_error_text(watch), "");
    assert_int_equal(event.kind, kind);
    assert_int_equal(portallocator_ports_count(event.ports), count);
    if (portallocator_ports_get(event.ports, 0, &entry) == PORTALLOCATOR_OK)
        snprintf(text, sizeof text, "%u %s %s %s", entry.port, entry.name, entry.user,
                 entry.attributes);
    assert_string_equal(text, first);
}

static void assert_lost(int code, const char *part)
{
    assert_int_equal(next_within(-1), code);
    assert_non_null(strstr(portallocator_watch_error_text(watch), part));
}

/* ---------------------------------------------------------------- watches -- */

static void a_watch_gives_events_one_by_one(void **state)
{
    (void)state;
    start(new_manager);
    begin("a*", "u");
    assert_event(PORTALLOCATOR_SNAPSHOT, 2, "7 a u k v");
    assert_event(PORTALLOCATOR_ADD, 1, "8 ab u ");
    assert_event(PORTALLOCATOR_CHANGE, 1, "8 ab u k v");
    assert_event(PORTALLOCATOR_REMOVE, 1, "8 ab u k v");
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    assert_int_equal(next_within(0), PORTALLOCATOR_TIMEOUT);
    assert_int_equal(next_within(20), PORTALLOCATOR_TIMEOUT);
    assert_string_equal(portallocator_watch_error_text(watch), "");
    finish();
}

static void a_watch_outlives_its_handle(void **state)
{
    (void)state;
    start(new_manager);
    begin(NULL, NULL);
    portallocator_free(allocator);
    allocator = NULL;
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    finish();
}

static void a_manager_that_goes_is_told_once(void **state)
{
    (void)state;
    start(new_manager);
    begin("ends", NULL);
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    assert_lost(PORTALLOCATOR_CLOSED, "ended while it was watched");
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    finish();
}

static void an_absent_manager_is_told_once(void **state)
{
    (void)state;
    start(new_manager);
    begin(NULL, NULL);
    fake_manager_stop(&manager);
    assert_lost(PORTALLOCATOR_NO_CONNECTION, "connection refused");
    assert_int_equal(next_within(300), PORTALLOCATOR_TIMEOUT);
    manager.address = host;
    assert_true(fake_manager_start(&manager));
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    finish();
}

static void a_manager_that_does_not_answer_is_none(void **state)
{
    (void)state;
    start(silent_manager);
    portallocator_set_timeout(allocator, 30);
    begin(NULL, NULL);
    assert_lost(PORTALLOCATOR_NO_CONNECTION, "timed out after 30 ms");
    finish();
}

static void an_old_manager_is_polled(void **state)
{
    (void)state;
    start(old_manager);
    begin("app", NULL);
    assert_event(PORTALLOCATOR_SNAPSHOT, 1, "30001 app ann ");
    assert_int_equal(next_within(0), PORTALLOCATOR_TIMEOUT);
    finish();
}

static void wrong_arguments_make_no_watch(void **state)
{
    (void)state;
    start(new_manager);
    assert_int_equal(portallocator_watch(allocator, "a\n", NULL, &watch),
                     PORTALLOCATOR_INVALID);
    assert_null(watch);
    assert_string_equal(portallocator_error_text(allocator),
                        "a name must not contain control characters");
    begin(NULL, NULL);
    struct portallocator_event event = {.size = sizeof event - 1};
    assert_int_equal(portallocator_watch_next(watch, -1, &event), PORTALLOCATOR_INVALID);
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    portallocator_watch_free(NULL);
    finish();
}

/* ------------------------------------------------------------- descriptors -- */

static bool is_readable(int timeout_ms)
{
    struct pollfd fd = {.fd = portallocator_watch_fd(watch), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

/* As an event loop does it: waits for the descriptor, and takes all there is. Counts events. */
static int take_all(void)
{
    int events = 0;
    int r;
    assert_true(is_readable(AMPLE_MS));
    while ((r = next_within(0)) == PORTALLOCATOR_OK)
        ++events;
    return r == PORTALLOCATOR_TIMEOUT ? events : -1;
}

static void the_descriptor_tells_when_there_is_something_to_do(void **state)
{
    (void)state;
    start(new_manager);
    begin("a*", "u");
    int fd = portallocator_watch_fd(watch);
    int events = 0;
    while (events < 5)
        events += take_all();
    assert_int_equal(events, 5);
    assert_false(is_readable(0));
    assert_int_equal(portallocator_watch_fd(watch), fd);
    finish();
}

static void the_descriptor_is_readable_while_events_are_there(void **state)
{
    (void)state;
    start(new_manager);
    begin("a*", "u");
    for (int i = 0; i < 5; ++i) {
        assert_true(is_readable(0));
        assert_int_equal(next_within(-1), PORTALLOCATOR_OK);
    }
    finish();
}

static void the_descriptor_tells_of_the_end_and_of_pauses(void **state)
{
    (void)state;
    start(new_manager);
    begin(NULL, NULL);
    assert_event(PORTALLOCATOR_SNAPSHOT, 0, "");
    assert_int_equal(next_within(0), PORTALLOCATOR_TIMEOUT);
    fake_manager_stop(&manager);
    assert_true(is_readable(AMPLE_MS));
    assert_int_equal(next_within(0), PORTALLOCATOR_CLOSED);
    assert_int_equal(take_all(), 0);
    assert_true(fake_manager_start(&manager));
    while (take_all() != 1)
        continue;
    finish();
}

/* ------------------------------------------------------------------ change -- */

static void attributes_are_changed(void **state)
{
    (void)state;
    start(new_manager);
    assert_int_equal(portallocator_change(allocator, 7, "k  {v w}"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_change(allocator, 8, NULL), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_change(allocator, 9, "k v"), PORTALLOCATOR_NOT_OWNER);
    assert_int_equal(portallocator_change(allocator, 7, "odd"), PORTALLOCATOR_INVALID);
    assert_int_equal(portallocator_change(allocator, 0, ""), PORTALLOCATOR_NOT_MANAGED);
    assert_int_equal(portallocator_change(allocator, 65536, ""), PORTALLOCATOR_NOT_MANAGED);
    finish();
}

static void managers_that_know_no_change_are_too_old(void **state)
{
    (void)state;
    start(middle_manager);
    assert_int_equal(portallocator_change(allocator, 7, "k v"), PORTALLOCATOR_TOO_OLD);
    assert_non_null(strstr(portallocator_error_text(allocator), "too old for CHANGE"));
    atomic_store(&manager.answer, old_manager);
    assert_int_equal(portallocator_change(allocator, 7, "k v"), PORTALLOCATOR_TOO_OLD);
    finish();
}

/* ------------------------------------------------------------------ memory -- */

static void without_memory_nothing_is_missed(void **state)
{
    (void)state;
    start(new_manager);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        alloc_fail_after(k);
        int r = portallocator_watch(allocator, "a*", "u", &watch);
        if (r == PORTALLOCATOR_OK)
            r = next_within(-1);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PORTALLOCATOR_NO_MEMORY : PORTALLOCATOR_OK);
        if (failed && watch)
            assert_event(PORTALLOCATOR_SNAPSHOT, 2, "7 a u k v");
        if (watch)
            assert_event(PORTALLOCATOR_ADD, 1, "8 ab u ");
        portallocator_watch_free(watch);
        watch = NULL;
    }
    assert_true(k > 10);
    finish();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_watch_gives_events_one_by_one),
        CASE(a_watch_outlives_its_handle),
        CASE(a_manager_that_goes_is_told_once),
        CASE(an_absent_manager_is_told_once),
        CASE(a_manager_that_does_not_answer_is_none),
        CASE(an_old_manager_is_polled),
        CASE(wrong_arguments_make_no_watch),
        CASE(the_descriptor_tells_when_there_is_something_to_do),
        CASE(the_descriptor_is_readable_while_events_are_there),
        CASE(the_descriptor_tells_of_the_end_and_of_pauses),
        CASE(attributes_are_changed),
        CASE(managers_that_know_no_change_are_too_old),
        CASE(without_memory_nothing_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
