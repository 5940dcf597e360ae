/* test_follow.c - watching a manager, whatever becomes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "alloc_fail.h"
#include "manager_fixture.h"
#include "pa_follow.h"

enum { AMPLE_MS = 30000 }; /* for what is to succeed */

static struct pa_follow *follow;
static struct pa_failure why;

/* ---------------------------------------------------- managers' manners -- */

#define HELLO_OK "OK 2 {wait hold watch}\r\n"

static const char *new_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    if (begins(line, "HELLO 2 "))
        return HELLO_OK;
    if (strcmp(line, "WATCH -name a* -user u") == 0)
        return "OK 1\r\n7 a u {k v}\r\nEVENT 1 add 8 ab u {}\r\nEVENT 2 remove 8 ab u {}\r\n";
    return "FAIL SYNTAX {unexpected}\r\n";
}

/* Ends the connection behind its first event. */
static const char *leaving(struct fake_manager *m, const char *line)
{
    (void)m;
    return begins(line, "HELLO 2 ") ? HELLO_OK : "!OK 0\r\nEVENT 1 add 8 ab u {}\r\n";
}

static const char *silent(struct fake_manager *m, const char *line)
{
    (void)m;
    return begins(line, "HELLO 2 ") ? HELLO_OK : NULL;
}

static const char *skipping(struct fake_manager *m, const char *line)
{
    (void)m;
    return begins(line, "HELLO 2 ") ? HELLO_OK : "OK 0\r\nEVENT 2 add 8 ab u {}\r\n";
}

static const char *full(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return "!FAIL {too many connections}\r\n";
}

/* Speaks protocol 1; what it lists is different each time. */
static const char *old_manager(struct fake_manager *m, const char *line)
{
    static const char *const lists[] = {"OK 3\r\n7 a u\r\n8 b u\r\n9 a v\r\n",
                                        "OK 1\r\n10 ab u\r\n"};
    if (strcmp(line, "LIST") != 0)
        return "!FAIL {Invalid request}\r\n";
    return lists[atomic_fetch_add(&m->granted, 1) % 2];
}

/* Speaks protocol 2, but WATCH came later. */
static const char *middle_manager(struct fake_manager *m, const char *line)
{
    static const char *const lists[] = {"OK 1\r\n7 a u {}\r\n", "OK 1\r\n7 a u {k v}\r\n"};
    if (begins(line, "HELLO 2 "))
        return "OK 2 {wait hold}\r\n";
    if (strcmp(line, "FIND -name a* -user u") != 0)
        return "FAIL SYNTAX {Invalid request}\r\n";
    return lists[atomic_fetch_add(&m->granted, 1) % 2];
}

/* -------------------------------------------------------------- fixture -- */

static int set_up(void **state)
{
    (void)state;
    return manager_fixture_begin(6);
}

static int tear_down(void **state)
{
    (void)state;
    return manager_fixture_end();
}

static void begin_within(int timeout_ms)
{
    assert_int_equal(pa_follow_new(&follow, host, manager.port, "a*", "u", timeout_ms, &why),
                     0);
}

static void finish(void)
{
    follow = pa_follow_free(follow);
    fake_manager_stop(&manager);
}

/* The next thing that is news, as an event loop would get it. */
static int next(struct pa_watch_event *event)
{
    int r;
    while ((r = pa_follow_step(follow, event, &why)) == PA_FOLLOW_WAIT)
        assert_int_equal(pa_socket_await(pa_follow_wait(follow)), 0);
    return r;
}

/* That is an event of such a kind, about so many ports, the first of them that one. */
static void assert_next(enum pa_watch_kind kind, size_t count, unsigned port)
{
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    assert_int_equal(next(&event), 0);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.listing.count, count);
    if (count > 0)
        assert_int_equal(event.listing.entries[0].port, port);
    pa_watch_event_deinit(&event);
}

static void assert_lost(enum pa_error error)
{
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    assert_int_equal(next(&event), error);
    assert_int_equal(why.error, error);
}

/* ----------------------------------------------------------------- watches -- */

static void a_watch_has_a_snapshot_and_then_events(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin_within(AMPLE_MS);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    assert_next(PA_WATCH_ADD, 1, 8);
    assert_next(PA_WATCH_REMOVE, 1, 8);
    assert_false(pa_follow_polls(follow));
    assert_int_equal(atomic_load(&manager.connections), 1);
    assert_int_equal(atomic_load(&manager.requests), 2);
    finish();
}

static void a_quiet_manager_is_waited_for_without_end(void **state)
{
    (void)state;
    struct pa_watch_event event;
    manager_fixture_start(new_manager);
    begin_within(AMPLE_MS);
    for (int i = 0; i < 3; ++i) {
        assert_int_equal(next(&event), 0);
        pa_watch_event_deinit(&event);
    }
    assert_int_equal(pa_follow_step(follow, &event, &why), PA_FOLLOW_WAIT);
    assert_true(pa_follow_wait(follow)->until.at_ns == INT64_MAX);
    finish();
}

static void a_host_that_vanishes_is_found_out(void **state)
{
    (void)state;
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    int asks = 0;
    socklen_t size = sizeof asks;
    manager_fixture_start(new_manager);
    begin_within(AMPLE_MS);
    while (pa_follow_step(follow, &event, &why) == PA_FOLLOW_WAIT)
        assert_int_equal(pa_socket_await(pa_follow_wait(follow)), 0);
    pa_watch_event_deinit(&event);
    while (pa_follow_step(follow, &event, &why) != PA_FOLLOW_WAIT)
        pa_watch_event_deinit(&event);
    int fd = pa_follow_wait(follow)->fd;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &asks, &size), 0);
    assert_int_equal(asks, 1);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &asks, &size), 0);
    assert_int_equal(asks, PA_SOCKET_VANISHED_S / 2);
    finish();
}

static void a_manager_that_goes_is_told_once(void **state)
{
    (void)state;
    manager_fixture_start(leaving);
    begin_within(AMPLE_MS);
    assert_next(PA_WATCH_SNAPSHOT, 0, 0);
    assert_next(PA_WATCH_ADD, 1, 8);
    assert_lost(PA_E_CLOSED);
    assert_non_null(strstr(why.text, "ended while it was watched: closed by the manager"));
    assert_next(PA_WATCH_SNAPSHOT, 0, 0);
    assert_int_equal(atomic_load(&manager.connections), 2);
    finish();
}

static void an_absent_manager_is_told_once_and_tried_on(void **state)
{
    (void)state;
    struct pa_watch_event event;
    manager_fixture_start(new_manager);
    begin_within(AMPLE_MS);
    fake_manager_stop(&manager);
    assert_lost(PA_E_CONNECT);
    for (int pauses = 0; pauses < 2;) {
        assert_int_equal(pa_follow_step(follow, &event, &why), PA_FOLLOW_WAIT);
        pauses += pa_follow_wait(follow)->fd == -1;
        assert_int_equal(pa_socket_await(pa_follow_wait(follow)), 0);
    }
    manager_fixture_start(new_manager); /* at its port again */
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    finish();
}

static void what_a_manager_says_in_refusing_is_told(void **state)
{
    (void)state;
    manager_fixture_start(full);
    begin_within(AMPLE_MS);
    assert_lost(PA_E_REFUSED);
    assert_string_equal(why.text, "FAIL {too many connections}");
    atomic_store(&manager.answer, new_manager);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    finish();
}

static void an_event_that_is_missing_makes_it_begin_anew(void **state)
{
    (void)state;
    manager_fixture_start(skipping);
    begin_within(AMPLE_MS);
    assert_next(PA_WATCH_SNAPSHOT, 0, 0);
    assert_lost(PA_E_PROTOCOL);
    atomic_store(&manager.answer, new_manager);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    finish();
}

static void an_answer_that_is_late_is_not_waited_for(void **state)
{
    (void)state;
    manager_fixture_start(silent);
    begin_within(30);
    assert_lost(PA_E_TIMEOUT);
    assert_non_null(strstr(why.text, "waiting for the answer of the port manager"));
    finish();
}

static void an_old_manager_is_polled(void **state)
{
    (void)state;
    manager_fixture_start(old_manager);
    begin_within(AMPLE_MS);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    assert_true(pa_follow_polls(follow));
    assert_next(PA_WATCH_REMOVE, 1, 7);
    assert_next(PA_WATCH_ADD, 1, 10);
    fake_manager_stop(&manager);
    assert_lost(PA_E_CONNECT);
    pa_follow_free(follow);
}

static void a_manager_without_watch_is_polled_until_it_is_replaced(void **state)
{
    (void)state;
    manager_fixture_start(middle_manager);
    begin_within(AMPLE_MS);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    assert_next(PA_WATCH_CHANGE, 1, 7);
    atomic_store(&manager.answer, new_manager);
    /* It finds nothing by FIND as it was asked before, so the watch is begun anew. */
    assert_lost(PA_E_INVALID_REQUEST);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    assert_false(pa_follow_polls(follow));
    finish();
}

static const char *replaced(struct fake_manager *m, const char *line)
{
    return begins(line, "FIND ") ? "OK 1\r\n7 a u {k v}\r\n" : new_manager(m, line);
}

static void a_poll_finds_that_the_manager_can_be_watched(void **state)
{
    (void)state;
    manager_fixture_start(middle_manager);
    begin_within(AMPLE_MS);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    atomic_store(&manager.answer, replaced);
    assert_next(PA_WATCH_CHANGE, 1, 7);
    assert_next(PA_WATCH_SNAPSHOT, 1, 7);
    assert_next(PA_WATCH_ADD, 1, 8);
    assert_false(pa_follow_polls(follow));
    finish();
}

static void what_no_manager_takes_is_not_asked(void **state)
{
    (void)state;
    assert_int_equal(pa_follow_new(&follow, host, 1, "a\n", NULL, AMPLE_MS, &why),
                     PA_E_CONTROL_CHARACTER);
    assert_null(follow);
    assert_int_equal(pa_follow_new(&follow, host, 1, NULL, "\xff", AMPLE_MS, &why),
                     PA_E_NOT_A_CHARACTER);
}

/* ------------------------------------------------------------------ pauses -- */

static void pauses_double_up_to_ten_seconds(void **state)
{
    (void)state;
    static const int whole[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    for (unsigned i = 0; i < sizeof whole / sizeof *whole; ++i) {
        assert_int_equal(pa_follow_pause_ms(i + 1, 0), whole[i]);
        assert_int_equal(pa_follow_pause_ms(i + 1, (uint32_t)whole[i] / 2), whole[i] / 2);
        for (uint32_t random = 1; random < UINT32_MAX / 3; random = 3 * random + 1) {
            int ms = pa_follow_pause_ms(i + 1, random);
            assert_true(ms >= whole[i] / 2 && ms <= whole[i]);
        }
    }
    assert_int_equal(pa_follow_pause_ms(UINT32_MAX, 0), 10000);
}

/* ------------------------------------------------------------------ memory -- */

static void without_memory_it_begins_anew(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pa_watch_event event = PA_WATCH_EVENT_NULL;
        alloc_fail_after(k);
        int r = pa_follow_new(&follow, host, manager.port, "a*", "u", AMPLE_MS, &why);
        if (r == 0)
            r = next(&event);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_E_CLIENT_MEMORY : 0);
        pa_watch_event_deinit(&event);
        if (follow && failed)
            assert_next(PA_WATCH_SNAPSHOT, 1, 7);
        follow = pa_follow_free(follow);
    }
    assert_true(k > 10);
    fake_manager_stop(&manager);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_watch_has_a_snapshot_and_then_events),
        CASE(a_quiet_manager_is_waited_for_without_end),
        CASE(a_host_that_vanishes_is_found_out),
        CASE(a_manager_that_goes_is_told_once),
        CASE(an_absent_manager_is_told_once_and_tried_on),
        CASE(what_a_manager_says_in_refusing_is_told),
        CASE(an_event_that_is_missing_makes_it_begin_anew),
        CASE(an_answer_that_is_late_is_not_waited_for),
        CASE(an_old_manager_is_polled),
        CASE(a_manager_without_watch_is_polled_until_it_is_replaced),
        CASE(a_poll_finds_that_the_manager_can_be_watched),
        CASE(what_no_manager_takes_is_not_asked),
        CASE(pauses_double_up_to_ten_seconds),
        CASE(without_memory_it_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
