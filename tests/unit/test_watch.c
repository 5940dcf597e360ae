/* test_watch.c - WATCH, UNWATCH and CHANGE of sessions, and which of their changes are told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "session_fixture.h"

static struct client watcher, fox;

/* One who watches everything, and one who does things; both speak protocol 2. */
static void begin(void)
{
    fixture_begin();
    client_arrive(&watcher, 8, "ant");
    client_arrive(&fox, 7, "fox");
    client_say(&watcher, "HELLO 2\n");
    client_say(&fox, "HELLO 2\n");
    watcher.answers.size = fox.answers.size = 0;
    client_ask(&watcher, "WATCH\n", "OK 0\r\n");
}

static void end(void)
{
    client_leave(&fox);
    client_leave(&watcher);
    fixture_end();
}

static void expect_told(const char *events)
{
    fixture_tell();
    client_expect(&watcher, events);
}

static void everything_that_gives_a_port_is_told(void **state)
{
    (void)state;
    begin();
    client_say(&fox, "ALLOCATE a -attributes {k v}\nGIMME b fox\nALLOCATE c -count 3\n"
                     "ALLOCATE a -unique 1\n");
    fox.session.unix_domain = true;
    client_say(&fox, "LISTEN d\n");
    expect_told("EVENT 1 add 30009 a fox {k v}\r\nEVENT 2 add 30008 b fox {}\r\n"
                "EVENT 3 add 30005 c fox {}\r\nEVENT 4 add 30006 c_1 fox {}\r\n"
                "EVENT 5 add 30007 c_2 fox {}\r\nEVENT 6 add 30004 d fox {}\r\n");
    end();
}

static void everything_that_takes_a_port_away_is_told(void **state)
{
    (void)state;
    begin();
    client_say(&fox, "ALLOCATE a\nALLOCATE b\nALLOCATE c\n");
    fixture_tell();
    watcher.answers.size = 0;
    client_say(&fox, "RELEASE 30008\n");
    expect_told("EVENT 4 remove 30008 b fox {}\r\n");
    client_leave(&fox);
    expect_told("EVENT 5 remove 30007 c fox {}\r\nEVENT 6 remove 30009 a fox {}\r\n");
    client_arrive(&fox, 7, "fox");
    end();
}

static void what_is_refused_or_undone_is_not_told(void **state)
{
    (void)state;
    begin();
    fox.session.unix_domain = true;
    fixture.listen_error = -98;
    client_say(&fox, "LISTEN a\nALLOCATE a -port 1\nALLOCATE a -count 10\nRELEASE 30001\n");
    expect_told("");
    end();
}

static void its_own_changes_are_told_behind_the_answer(void **state)
{
    (void)state;
    begin();
    client_ask(&watcher, "ALLOCATE a\nLIST\n",
               "OK 30009 -name a -user ant\r\nOK 1\r\n30009 a ant\r\n");
    expect_told("EVENT 1 add 30009 a ant {}\r\n");
    end();
}

static void patterns_and_a_second_watch_are_as_asked_for(void **state)
{
    (void)state;
    begin();
    client_say(&fox, "ALLOCATE a -attributes {k v}\nALLOCATE b\n");
    expect_told("EVENT 1 add 30009 a fox {k v}\r\nEVENT 2 add 30008 b fox {}\r\n");
    client_ask(&watcher, "WATCH -name a -user f*\n", "OK 1\r\n30009 a fox {k v}\r\n");
    client_say(&fox, "RELEASE 30009\nRELEASE 30008\n");
    expect_told("EVENT 1 remove 30009 a fox {k v}\r\n");
    end();
}

static void after_unwatch_nothing_comes(void **state)
{
    (void)state;
    begin();
    client_say(&fox, "ALLOCATE a\n");
    assert_true(session_watches(&watcher.session));
    client_ask(&watcher, "UNWATCH\nUNWATCH\n", "OK\r\nOK\r\n");
    assert_false(session_watches(&watcher.session));
    expect_told("");
    client_ask(&watcher, "WATCH\n", "OK 1\r\n30009 a fox {}\r\n");
    end();
}

static void a_remote_client_may_watch_and_may_not_change(void **state)
{
    (void)state;
    struct client remote;
    begin();
    client_arrive_remote(&remote);
    client_say(&remote, "HELLO 2\n");
    remote.answers.size = 0;
    client_ask(&remote, "WATCH -name a\n", "OK 0\r\n");
    client_say(&fox, "ALLOCATE a\n");
    fixture_tell();
    client_expect(&remote, "EVENT 1 add 30009 a fox {}\r\n");
    client_ask(&remote, "CHANGE 30009 -attributes {}\n",
               "FAIL NOTLOCAL {" FIXTURE_HOST " (" FIXTURE_HOST
               ") : Only local applications get ports}\r\n");
    client_leave(&remote);
    end();
}

static void a_client_that_ends_watches_no_more(void **state)
{
    (void)state;
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    begin();
    assert_int_equal(fixture.watchers.count, 1);
    assert_int_equal(session_end(&watcher.session, &reply, &step), SESSION_IDLE);
    assert_int_equal(fixture.watchers.count, 0);
    pa_buf_deinit(&reply);
    end();
}

static void who_is_slow_gets_a_snapshot(void **state)
{
    (void)state;
    begin();
    watcher.unsent = WATCHERS_UNSENT_MAX_BYTES + 1;
    client_say(&fox, "ALLOCATE a -attributes {k v}\n");
    expect_told("");
    client_ask(&watcher, "PING\n", "OK\r\n"); /* answers are another matter */
    watcher.unsent = 0;
    watchers_drained(&fixture.watchers, &watcher.session.watcher);
    expect_told("EVENT 1 snapshot 1\r\n30009 a fox {k v}\r\n");
    end();
}

static void stats_count_those_who_watch(void **state)
{
    (void)state;
    begin();
    client_say(&fox, "WATCH -name a\nSTATS\n");
    assert_int_equal(pa_buf_append(&fox.answers, "", 1), 0);
    assert_non_null(strstr(fox.answers.data, " users 0 watchers 2 uptime_s "));
    fox.answers.size = 0;
    end();
}

/* ----------------------------------------------------------------- CHANGE -- */

static void attributes_can_be_changed_by_their_owner_and_by_root(void **state)
{
    (void)state;
    struct client same, root;
    begin();
    client_arrive(&same, 7, "fox");
    client_arrive(&root, 0, "root");
    client_say(&same, "HELLO 2\n");
    client_say(&root, "HELLO 2\n");
    client_say(&fox, "ALLOCATE a -attributes {k v}\n");
    same.answers.size = root.answers.size = fox.answers.size = 0;
    client_ask(&fox, "CHANGE 30009 -attributes {k w}\nFIND\n",
               "OK 30009\r\nOK 1\r\n30009 a fox {k w}\r\n");
    assert_int_equal(fox.did, SESSION_TOLD);
    client_ask(&same, "CHANGE 30009 -attributes \"k   x\"\n", "OK 30009\r\n");
    assert_int_equal(same.did, SESSION_CHANGED);
    client_ask(&root, "CHANGE 30009 -attributes {}\nFIND\n",
               "OK 30009\r\nOK 1\r\n30009 a fox {}\r\n");
    expect_told("EVENT 1 add 30009 a fox {k v}\r\nEVENT 2 change 30009 a fox {k w}\r\n"
                "EVENT 3 change 30009 a fox {k x}\r\nEVENT 4 change 30009 a fox {}\r\n");
    client_leave(&same);
    client_leave(&root);
    end();
}

static void others_change_nothing(void **state)
{
    (void)state;
    struct client nobody;
    begin();
    client_arrive(&nobody, 0, NULL);
    client_say(&nobody, "HELLO 2\n");
    client_say(&fox, "ALLOCATE a -attributes {k v}\n");
    nobody.answers.size = fox.answers.size = 0;
    fixture_tell();
    watcher.answers.size = 0;
    client_ask(&watcher, "CHANGE 30009 -attributes {}\n",
               "FAIL NOTOWNER {port 30009 belongs to fox}\r\n");
    client_ask(&nobody, "CHANGE 30009 -attributes {}\n",
               "FAIL NOTOWNER {port 30009 belongs to fox}\r\n");
    client_ask(&fox, "CHANGE 30001 -attributes {}\n",
               "FAIL NOTALLOCATED {port 30001 is not allocated}\r\n");
    client_ask(&fox, "CHANGE 29999 -attributes {}\n",
               "FAIL NOTMANAGED {port 29999 is not managed here}\r\n");
    client_ask(&fox, "CHANGE 30009\n",
               "FAIL SYNTAX {wrong number of words: should be \"CHANGE port -attributes "
               "list\"}\r\n");
    client_ask(&fox, "FIND\n", "OK 1\r\n30009 a fox {k v}\r\n");
    expect_told("");
    client_leave(&nobody);
    end();
}

static void a_change_waits_for_the_kernels_word(void **state)
{
    (void)state;
    struct client same;
    begin();
    client_say(&fox, "ALLOCATE a\n");
    client_arrive(&same, 7, "fox");
    same.undecided = true;
    client_say(&same, "HELLO 2\n");
    same.answers.size = fox.answers.size = 0;
    client_ask(&same, "CHANGE 30009 -attributes {k v}\n", "");
    same.undecided = false;
    client_go_on(&same);
    client_expect(&same, "OK 30009\r\n");
    expect_told("EVENT 1 add 30009 a fox {}\r\nEVENT 2 change 30009 a fox {k v}\r\n");
    client_leave(&same);
    end();
}

static void without_memory_nothing_is_changed(void **state)
{
    (void)state;
    static const char request[] = "CHANGE 30009 -attributes {k w}\n";
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct session_step step;
        struct pa_buf reply = PA_BUF_NULL;
        const char *cursor = request;
        begin();
        client_say(&fox, "ALLOCATE a -attributes {k v}\n");
        fixture_tell();
        fox.answers.size = watcher.answers.size = 0;
        alloc_fail_after(k);
        int r = session_next(&fox.session, &cursor, request + strlen(request), &reply, &step);
        failed = alloc_fail_stop();
        assert_true(r == 0 || failed);
        bool refused = r < 0 || step.failure.error == PA_E_NO_MEMORY;
        if (r == 0)
            session_step_deinit(&step);
        pa_buf_deinit(&reply);
        client_ask(&fox, "FIND\n",
                   refused ? "OK 1\r\n30009 a fox {k v}\r\n" : "OK 1\r\n30009 a fox {k w}\r\n");
        /* That no event could be made of it makes a snapshot. */
        expect_told(refused  ? ""
                    : failed ? "EVENT 2 snapshot 1\r\n30009 a fox {k w}\r\n"
                             : "EVENT 2 change 30009 a fox {k w}\r\n");
        end();
    }
    assert_true(k >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_gives_a_port_is_told),
        cmocka_unit_test(everything_that_takes_a_port_away_is_told),
        cmocka_unit_test(what_is_refused_or_undone_is_not_told),
        cmocka_unit_test(its_own_changes_are_told_behind_the_answer),
        cmocka_unit_test(patterns_and_a_second_watch_are_as_asked_for),
        cmocka_unit_test(after_unwatch_nothing_comes),
        cmocka_unit_test(a_remote_client_may_watch_and_may_not_change),
        cmocka_unit_test(a_client_that_ends_watches_no_more),
        cmocka_unit_test(who_is_slow_gets_a_snapshot),
        cmocka_unit_test(stats_count_those_who_watch),
        cmocka_unit_test(attributes_can_be_changed_by_their_owner_and_by_root),
        cmocka_unit_test(others_change_nothing),
        cmocka_unit_test(a_change_waits_for_the_kernels_word),
        cmocka_unit_test(without_memory_nothing_is_changed),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
