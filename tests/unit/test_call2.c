/* test_call2.c - blocking calls to managers that speak protocol 2, and to those that do not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "manager_fixture.h"
#include "pa_call.h"

enum {
    AMPLE_MS = 30000, /* for what is to succeed */
    SHORT_MS = 30,    /* for what is to time out */
};

static struct pa_call *call;
static struct pa_listing listing;
static struct pa_failure why;
static struct pa_keys keys;
static struct pa_call_grant grant;

/* ---------------------------------------------------- managers' manners -- */

static const char *grant_next(struct fake_manager *m, const char *rest)
{
    int n = atomic_fetch_add(&m->granted, 1);
    snprintf(m->reply, sizeof m->reply, "OK %d%s\r\n", 31000 - n, rest);
    return m->reply;
}

static const char *old_manager(struct fake_manager *m, const char *line)
{
    if (strcmp(line, "LIST") == 0)
        return "OK 3\r\n30003 {two words} ann\r\n30002 app_1 bob\r\n30001 app ann\r\n";
    if (begins(line, "GIMME "))
        return grant_next(m, "");
    return "!FAIL {Invalid request HELLO}\r\n";
}

/* Goes on with the connection. */
static const char *rust_manager(struct fake_manager *m, const char *line)
{
    if (strcmp(line, "LIST") == 0)
        return "OK 1\n30001 app ann\n";
    return begins(line, "GIMME ") ? grant_next(m, "") : "FAIL - Invalid request\n";
}

static const char *new_manager(struct fake_manager *m, const char *line)
{
    if (begins(line, "HELLO 2 "))
        return "OK 2 {wait count unique attributes find hold}\r\n";
    if (begins(line, "ALLOCATE") && strstr(line, "-unique"))
        return "OK 30005 -name app -user ann -joined 1\r\n";
    if (begins(line, "ALLOCATE") && strstr(line, "-count 3"))
        return "OK 30005 -name row -user ann -count 3\r\n";
    if (begins(line, "ALLOCATE"))
        return grant_next(m, strstr(line, "-hold 1") ? " -name app_1 -user ann -held 1"
                                                     : " -name app_1 -user ann");
    if (begins(line, "RELEASE "))
        return begins(line, "RELEASE 1") ? "FAIL NOTOWNER {port 1 belongs to bob}\r\n"
                                         : "OK 30001\r\n";
    if (begins(line, "FIND -name a*"))
        return "OK 1\r\n30001 app ann {k v}\r\n";
    if (begins(line, "STATS"))
        return "OK {protocol 2 ports 10 held 3 version 9.9}\r\n";
    return begins(line, "PING") ? "OK\r\n" : old_manager(m, line);
}

static const char *holds_nothing(struct fake_manager *m, const char *line)
{
    if (strstr(line, "-hold 1"))
        return "FAIL NOHOLD {the port manager holds no ports}\r\n";
    return new_manager(m, line);
}

static const char *generous_manager(struct fake_manager *m, const char *line)
{
    if (begins(line, "ALLOCATE"))
        return "OK 30001 -name app -user ann -count 1000\r\n";
    return new_manager(m, line);
}

/* Answers HELLO and nothing else. */
static const char *deaf_manager(struct fake_manager *m, const char *line)
{
    return begins(line, "HELLO") ? new_manager(m, line) : NULL;
}

/* -------------------------------------------------------------- fixture -- */

static int set_up(void **state)
{
    (void)state;
    listing = (struct pa_listing)PA_LISTING_NULL;
    keys = (struct pa_keys)PA_KEYS_INIT;
    why = (struct pa_failure){.error = PA_OK};
    return manager_fixture_begin(2);
}

static int tear_down(void **state)
{
    (void)state;
    return manager_fixture_end();
}

static void start(fake_answer *answer)
{
    manager_fixture_start(answer);
    call = pa_call_new(host, manager.port);
    assert_non_null(call);
}

static void finish(void)
{
    pa_listing_deinit(&listing);
    call = pa_call_free(call);
    fake_manager_stop(&manager);
}

static int allocate_with(const char *name, int timeout_ms)
{
    int r = pa_call_allocate_keys(call, name, &keys, timeout_ms, &grant, &why);
    if (r == 0)
        pa_call_grant_deinit(&grant);
    return r;
}

static int allocate(const char *name)
{
    uint16_t port = 0;
    int r = pa_call_allocate(call, name, "ann", AMPLE_MS, &port, &why);
    if (r == 0)
        assert_true(port > 30000);
    return r;
}

static int find(const char *name, const char *user)
{
    pa_listing_deinit(&listing);
    keys.name_pattern = name;
    keys.user_pattern = user;
    return pa_call_find(call, &keys, AMPLE_MS, &listing, &why);
}

static int requests(void)
{
    return atomic_load(&manager.requests);
}

static int connections(void)
{
    return atomic_load(&manager.connections);
}

#define assert_says(part) assert_non_null(strstr(why.text, (part)))

/* ------------------------------------------------------------ protocol 2 -- */

static void hello_is_said_once_a_connection(void **state)
{
    (void)state;
    start(new_manager);
    assert_false(pa_call_can(call, "hold"));
    assert_int_equal(pa_call_allocate_keys(call, "app", &keys, AMPLE_MS, &grant, &why), 0);
    assert_int_equal(grant.port, 31000);
    assert_int_equal(grant.count, 1);
    assert_string_equal(grant.name, "app_1");
    assert_string_equal(grant.user, "ann");
    pa_call_grant_deinit(&grant);
    assert_int_equal(requests(), 2);
    assert_int_equal(allocate_with("app", AMPLE_MS), 0);
    assert_int_equal(requests(), 3);
    assert_int_equal(connections(), 1);
    assert_int_equal(pa_call_held(call), 2);
    assert_true(pa_call_can(call, "hold"));
    assert_false(pa_call_can(call, "listen"));
    finish();
}

static void a_row_of_ports_is_held_by_the_handle(void **state)
{
    (void)state;
    start(new_manager);
    keys.count = 3;
    assert_int_equal(pa_call_allocate_keys(call, "row", &keys, AMPLE_MS, &grant, &why), 0);
    assert_int_equal(grant.port, 30005);
    assert_int_equal(grant.count, 3);
    pa_call_grant_deinit(&grant);
    assert_int_equal(pa_call_held(call), 3);
    finish();
}

static void a_port_that_is_joined_is_not_held(void **state)
{
    (void)state;
    start(new_manager);
    keys.unique = 1;
    assert_int_equal(pa_call_allocate_keys(call, "app", &keys, AMPLE_MS, &grant, &why), 0);
    assert_true(grant.joined);
    assert_int_equal(grant.port, 30005);
    pa_call_grant_deinit(&grant);
    assert_int_equal(pa_call_held(call), 0);
    assert_false(pa_call_is_open(call));
    finish();
}

static void what_is_found_has_attributes(void **state)
{
    (void)state;
    start(new_manager);
    assert_int_equal(find("a*", NULL), 0);
    assert_int_equal(listing.count, 1);
    assert_memory_equal(pa_listing_attributes(&listing.entries[0]), "k v", 3);
    assert_false(pa_call_is_open(call));
    finish();
}

static void stats_and_ping_are_answered(void **state)
{
    (void)state;
    struct pa_stats stats;
    start(new_manager);
    assert_int_equal(pa_call_stats(call, AMPLE_MS, &stats, &why), 0);
    assert_int_equal(stats.ports, 10);
    assert_int_equal(stats.held, 3);
    assert_string_equal(stats.version, "9.9");
    assert_int_equal(pa_call_ping(call, AMPLE_MS, &why), 0);
    assert_int_equal(requests(), 4);
    finish();
}

static void a_released_port_is_held_no_more(void **state)
{
    (void)state;
    start(new_manager);
    assert_int_equal(allocate_with("one", AMPLE_MS), 0);
    assert_int_equal(allocate_with("two", AMPLE_MS), 0);
    assert_int_equal(pa_call_release(call, 31000, AMPLE_MS, &why), 0);
    assert_int_equal(pa_call_held(call), 1);
    assert_int_equal(pa_call_release(call, 12345, AMPLE_MS, &why), PA_E_NOT_OWNER);
    assert_string_equal(why.text, "port 1 belongs to bob");
    assert_int_equal(pa_call_held(call), 1);
    assert_int_equal(pa_call_release(call, 30999, AMPLE_MS, &why), 0);
    assert_false(pa_call_is_open(call));
    assert_true(fake_manager_wait_closed(&manager, 1));
    finish();
}

static void the_last_port_set_aside_takes_its_connection_along(void **state)
{
    (void)state;
    start(deaf_manager);
    manager.answer = new_manager;
    assert_int_equal(allocate_with("one", AMPLE_MS), 0);
    manager.answer = deaf_manager;
    assert_int_equal(pa_call_ping(call, SHORT_MS, &why), PA_E_TIMEOUT);
    assert_int_equal(pa_call_held(call), 1);
    manager.answer = new_manager;
    assert_int_equal(pa_call_release(call, 31000, AMPLE_MS, &why), 0);
    assert_false(pa_call_is_open(call));
    assert_true(fake_manager_wait_closed(&manager, 2));
    finish();
}

static void the_time_in_line_is_added_to_the_deadline(void **state)
{
    (void)state;
    start(deaf_manager);
    keys.wait_ms = 20;
    assert_int_equal(allocate_with("app", 30), PA_E_TIMEOUT);
    assert_says("after 50 ms");
    keys.wait_ms = 0;
    assert_int_equal(allocate_with("app", -5), PA_E_TIMEOUT);
    finish();
}

static void more_ports_than_were_asked_for_are_not_taken(void **state)
{
    (void)state;
    start(generous_manager);
    assert_int_equal(allocate_with("app", AMPLE_MS), PA_E_PROTOCOL);
    assert_says("more ports");
    assert_int_equal(pa_call_held(call), 0);
    assert_false(pa_call_is_open(call));
    finish();
}

static void wrong_keys_are_not_sent(void **state)
{
    (void)state;
    start(new_manager);
    keys.attributes = "odd";
    assert_int_equal(allocate_with("app", AMPLE_MS), PA_E_BAD_VALUE);
    keys.attributes = "";
    assert_int_equal(allocate_with("a\nb", AMPLE_MS), PA_E_CONTROL_CHARACTER);
    assert_int_equal(pa_call_release(call, 0, AMPLE_MS, &why), PA_E_NOT_MANAGED);
    assert_int_equal(connections(), 0);
    finish();
}

/* ----------------------------------------------------------------- holds -- */

static void a_hold_is_asked_for_where_there_are_holds(void **state)
{
    (void)state;
    start(new_manager);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(requests(), 1); /* GIMME alone */
    pa_call_close(call);
    pa_call_set_hold(call, true);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(requests(), 3); /* HELLO, ALLOCATE */
    assert_int_equal(pa_call_held(call), 1);
    finish();
}

static void a_manager_that_holds_nothing_is_asked_without(void **state)
{
    (void)state;
    start(holds_nothing);
    pa_call_set_hold(call, true);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(requests(), 3); /* HELLO, ALLOCATE, GIMME */
    assert_int_equal(pa_call_held(call), 1);
    keys.hold = PA_HOLD_YES;
    assert_int_equal(allocate_with("app", AMPLE_MS), PA_E_NO_HOLD);
    finish();
}

static void an_old_manager_is_asked_without(void **state)
{
    (void)state;
    start(old_manager);
    pa_call_set_hold(call, true);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(requests(), 3); /* HELLO, GIMME, GIMME */
    assert_int_equal(pa_call_held(call), 2);
    finish();
}

/* ----------------------------------------------------------- old managers -- */

static void an_old_manager_is_asked_in_its_way(void **state)
{
    (void)state;
    fake_answer *const kinds[] = {old_manager, rust_manager};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        if (i > 0)
            set_up(state);
        start(kinds[i]);
        keys.hold = PA_HOLD_NO;
        assert_int_equal(pa_call_allocate_keys(call, "app", &keys, AMPLE_MS, &grant, &why), 0);
        assert_int_equal(grant.port, 31000);
        assert_int_equal(grant.count, 1);
        assert_string_equal(grant.name, "app");
        assert_true(strlen(grant.user) > 0);
        pa_call_grant_deinit(&grant);
        assert_int_equal(pa_call_ping(call, AMPLE_MS, &why), 0);
        assert_false(pa_call_can(call, "hold"));
        assert_int_equal(pa_call_held(call), 1);
        assert_int_equal(connections(), 2);
        finish();
    }
}

static void an_old_manager_is_remembered_in_the_process(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(find("*", NULL), 0);
    assert_int_equal(connections(), 2);
    assert_int_equal(requests(), 2);
    assert_int_equal(find("*", NULL), 0);
    assert_int_equal(connections(), 3);
    call = pa_call_free(call);
    call = pa_call_new(host, manager.port);
    assert_int_equal(find("*", NULL), 0);
    assert_int_equal(connections(), 4);
    assert_int_equal(requests(), 4);
    finish();
}

static void the_list_of_an_old_manager_is_searched(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(find("app*", NULL), 0);
    assert_int_equal(listing.count, 2);
    assert_int_equal(listing.entries[0].port, 30002);
    assert_int_equal(listing.entries[0].attributes_size, 0);
    assert_int_equal(find("*", "ann"), 0);
    assert_int_equal(listing.count, 2);
    assert_int_equal(find("app", "a??"), 0);
    assert_int_equal(listing.count, 1);
    assert_int_equal(find("app", "b*"), 0);
    assert_int_equal(listing.count, 0);
    keys.port = 30003;
    assert_int_equal(find(NULL, NULL), 0);
    assert_int_equal(listing.count, 1);
    assert_int_equal(pa_listing_find(&listing, "two words", "ann")->port, 30003);
    finish();
}

static void assert_too_old(int r, const char *feature)
{
    char text[64];
    snprintf(text, sizeof text, "port %d is too old for %s", manager.port, feature);
    assert_int_equal(r, PA_E_TOO_OLD);
    assert_says(text);
    assert_says(host);
    assert_int_equal(pa_call_held(call), 0);
}

static void what_an_old_manager_cannot_is_said(void **state)
{
    (void)state;
    struct pa_stats stats;
    int fd = -1;
    start(old_manager);
    keys.count = 2;
    assert_too_old(allocate_with("app", AMPLE_MS), "-count");
    keys = (struct pa_keys){.count = 1, .unique = 1, .attributes = ""};
    assert_too_old(allocate_with("app", AMPLE_MS), "-unique");
    keys = (struct pa_keys){.count = 1, .hold = PA_HOLD_YES, .attributes = ""};
    assert_too_old(allocate_with("app", AMPLE_MS), "-hold");
    keys = (struct pa_keys){.count = 1, .wait_ms = 1, .attributes = ""};
    assert_too_old(allocate_with("app", AMPLE_MS), "-wait");
    keys = (struct pa_keys){.count = 1, .exact = 1, .attributes = ""};
    assert_too_old(allocate_with("app", AMPLE_MS), "-instance");
    keys = (struct pa_keys){.count = 1, .attributes = "a b"};
    assert_too_old(allocate_with("app", AMPLE_MS), "-attributes");
    keys = (struct pa_keys){.count = 1, .port = 30001, .attributes = ""};
    assert_too_old(allocate_with("app", AMPLE_MS), "-port");
    keys = (struct pa_keys)PA_KEYS_INIT;
    assert_too_old(pa_call_listen(call, "app", &keys, AMPLE_MS, &grant, &fd, &why), "LISTEN");
    assert_too_old(pa_call_release(call, 30001, AMPLE_MS, &why), "RELEASE");
    assert_too_old(pa_call_stats(call, AMPLE_MS, &stats, &why), "STATS");
    assert_string_equal(pa_error_token(why.error), "OLD");
    finish();
}

static void ports_of_an_old_manager_survive_hello(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(find("*", NULL), 0);
    assert_int_equal(pa_call_held(call), 1);
    assert_int_equal(allocate("app"), 0);
    assert_int_equal(pa_call_held(call), 2);
    finish();
}

static void a_connection_kept_without_ports_is_replaced_after_hello(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(pa_call_open(call, AMPLE_MS, &why), 0);
    assert_int_equal(find("*", NULL), 0);
    assert_int_equal(connections(), 2);
    assert_int_equal(find("*", NULL), 0);
    assert_int_equal(connections(), 2);
    assert_true(pa_call_is_open(call));
    finish();
}

static void a_manager_without_room_is_not_taken_for_an_old_one(void **state)
{
    (void)state;
    manager.greeting = "!FAIL {too many connections}\r\n";
    start(new_manager);
    assert_int_equal(pa_call_ping(call, AMPLE_MS, &why), PA_E_REFUSED);
    assert_says("too many connections");
    int port = manager.port;
    fake_manager_stop(&manager);
    manager = (struct fake_manager){.port = port, .address = host, .answer = new_manager};
    assert_true(fake_manager_start(&manager));
    keys.count = 3;
    assert_int_equal(allocate_with("row", AMPLE_MS), 0);
    finish();
}

static void the_place_of_a_manager_is_told_before_it_answers(void **state)
{
    (void)state;
    char place[64];
    call = pa_call_new("db.test", 0);
    pa_call_place(call, place, sizeof place); /* there is no port file */
    assert_string_equal(place, "db.test port 30000");
    assert_int_equal(pa_call_set_server(call, NULL, 7, &why), 0);
    pa_call_place(call, place, sizeof place);
    assert_string_equal(place, "localhost port 7");
    pa_call_place(call, place, 10);
    assert_string_equal(place, "localhost");
    call = pa_call_free(call);
}

/* ---------------------------------------------------------------- memory -- */

static void without_memory_a_new_manager_is_asked_in_vain(void **state)
{
    (void)state;
    start(new_manager);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        alloc_fail_after(k);
        int r = allocate_with("app", AMPLE_MS);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_E_CLIENT_MEMORY : 0);
        assert_int_equal(pa_call_held(call), failed ? 0 : 1);
        assert_int_equal(pa_call_is_open(call), !failed);
    }
    assert_true(k > 8);
    pa_call_close(call);
    k = 0;
    for (bool failed = true; failed; ++k) {
        alloc_fail_after(k);
        int r = find("a*", NULL);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_E_CLIENT_MEMORY : 0);
        assert_int_equal(listing.count, failed ? 0 : 1);
    }
    finish();
}

static void without_memory_an_old_manager_is_asked_in_vain(void **state)
{
    (void)state;
    start(old_manager);
    call = pa_call_free(call);
    fake_manager_stop(&manager);
    manager.address = "0.0.0.0";
    assert_true(fake_manager_start(&manager));
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        char fresh[32];
        snprintf(fresh, sizeof fresh, "127.0.3.%zu", k); /* one that is not known as old */
        call = pa_call_new(fresh, manager.port);
        assert_non_null(call);
        alloc_fail_after(k);
        int r = find("app", NULL);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_E_CLIENT_MEMORY : 0);
        assert_int_equal(listing.count, failed ? 0 : 1);
        pa_listing_deinit(&listing);
        assert_false(pa_call_is_open(call));
        call = pa_call_free(call);
    }
    assert_true(k > 10);
    finish();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(hello_is_said_once_a_connection),
        CASE(a_row_of_ports_is_held_by_the_handle),
        CASE(a_port_that_is_joined_is_not_held),
        CASE(what_is_found_has_attributes),
        CASE(stats_and_ping_are_answered),
        CASE(a_released_port_is_held_no_more),
        CASE(the_last_port_set_aside_takes_its_connection_along),
        CASE(the_time_in_line_is_added_to_the_deadline),
        CASE(more_ports_than_were_asked_for_are_not_taken),
        CASE(wrong_keys_are_not_sent),
        CASE(a_hold_is_asked_for_where_there_are_holds),
        CASE(a_manager_that_holds_nothing_is_asked_without),
        CASE(an_old_manager_is_asked_without),
        CASE(an_old_manager_is_asked_in_its_way),
        CASE(an_old_manager_is_remembered_in_the_process),
        CASE(the_list_of_an_old_manager_is_searched),
        CASE(what_an_old_manager_cannot_is_said),
        CASE(ports_of_an_old_manager_survive_hello),
        CASE(a_connection_kept_without_ports_is_replaced_after_hello),
        CASE(a_manager_without_room_is_not_taken_for_an_old_one),
        CASE(the_place_of_a_manager_is_told_before_it_answers),
        CASE(without_memory_a_new_manager_is_asked_in_vain),
        CASE(without_memory_an_old_manager_is_asked_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
