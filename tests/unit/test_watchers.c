/* test_watchers.c - who is told of what, in which order, and what becomes of those who are
 * slow. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "fake_prober.h"
#include "watchers.h"

enum { LOW = 30001, HIGH = 31000, CROWD = 600 };

static const struct siphash_key key = {{3, 4}};
static struct fake_prober kernel;
static struct table *table;
static struct table_owner owner;
static struct watchers watchers;

/* One who watches, and what it was told. */
struct listener {
    struct watcher watcher;
    struct pa_buf heard;
    size_t unsent;         /* what waits for it */
    size_t sends;          /* so often something was sent */
    struct listener *ends; /* is ended when the next is sent to this one */
};

static struct listener *listener_of(struct watcher *watcher)
{
    return (struct listener *)((char *)watcher - offsetof(struct listener, watcher));
}

static size_t unsent(void *context, struct watcher *watcher)
{
    (void)context;
    return listener_of(watcher)->unsent;
}

static void append(struct pa_buf *buf, const char *text, size_t size)
{
    assert_int_equal(pa_buf_append(buf, text, size), 0);
}

static void hear(void *context, struct watcher *watcher, struct pa_buf *text,
                 struct snapshot *snapshot)
{
    (void)context;
    struct listener *listener = listener_of(watcher);
    append(&listener->heard, text->data, text->size);
    if (snapshot)
        append(&listener->heard, snapshot->text, snapshot->size);
    text->size = 0;
    listener->sends += 1;
    if (listener->ends)
        watchers_unwatch(&watchers, &listener->ends->watcher);
}

static void begin(void)
{
    const struct table_range range = {LOW, HIGH};
    fake_prober_reset(&kernel);
    owner = (struct table_owner)TABLE_OWNER_NULL;
    assert_int_equal(table_new(&table, &range, 1, 5000, &key), 0);
    watchers_init(&watchers, table, &(struct watchers_io){.unsent = unsent, .send = hear});
}

static struct table_entry *add(const char *name, const char *user)
{
    const struct table_prober prober = fake_prober_of(&kernel);
    const struct table_request request = {.name = name, .user = user, .uid = 7, .count = 1};
    struct table_entry *entry;
    assert_int_equal(table_allocate(table, &owner, &request, 0, &prober, &entry), 0);
    watchers_record(&watchers, PA_EVENT_ADD, entry);
    return entry;
}

static void take_away(struct table_entry *entry)
{
    watchers_record(&watchers, PA_EVENT_REMOVE, entry);
    table_release(table, entry, 0);
}

static void change(struct table_entry *entry, const char *attributes)
{
    assert_int_equal(table_change(entry, attributes), 0);
    watchers_record(&watchers, PA_EVENT_CHANGE, entry);
}

static void end(void)
{
    while (owner.first)
        take_away(owner.first);
    while (watchers_flush(&watchers) == WATCHERS_MORE)
        continue;
    watchers_deinit(&watchers);
    table = table_free(table);
}

static void expect(struct listener *listener, const char *text)
{
    append(&listener->heard, "", 1);
    assert_string_equal(listener->heard.data, text);
    listener->heard.size = 0;
}

/* Begins to watch; what is there already is what it hears first. */
static void watch(struct listener *listener, const char *name, const char *user)
{
    struct snapshot *snapshot;
    size_t count;
    assert_int_equal(
        watchers_watch(&watchers, &listener->watcher, name, user, &snapshot, &count), 0);
    char head[32];
    listener->heard.size = 0;
    /* So that no allocation that fails is the test's own. */
    assert_int_equal(pa_buf_reserve(&listener->heard, 512), 0);
    append(&listener->heard, head, (size_t)snprintf(head, sizeof head, "%zu:", count));
    append(&listener->heard, snapshot->text, snapshot->size);
    snapshot_unref(snapshot);
}

static void leave(struct listener *listener)
{
    watchers_unwatch(&watchers, &listener->watcher);
    pa_buf_deinit(&listener->heard);
}

static void tell(void)
{
    assert_int_equal(watchers_flush(&watchers), 0);
}

/* ---------------------------------------------------------------- events -- */

static void a_watcher_is_told_what_is_there_and_what_changes(void **state)
{
    (void)state;
    struct listener one = {.unsent = 0};
    begin();
    struct table_entry *web = add("web", "fox");
    watch(&one, NULL, NULL);
    expect(&one, "1:31000 web fox {}\r\n");
    struct table_entry *run = add("Run Control", "ant");
    change(web, "proto http");
    expect(&one, ""); /* not before it is told */
    tell();
    expect(&one, "EVENT 1 add 30999 {Run Control} ant {}\r\n"
                 "EVENT 2 change 31000 web fox {proto http}\r\n");
    assert_int_equal(one.sends, 1);
    take_away(run);
    take_away(web);
    tell();
    expect(&one, "EVENT 3 remove 30999 {Run Control} ant {}\r\n"
                 "EVENT 4 remove 31000 web fox {proto http}\r\n");
    tell();
    expect(&one, "");
    assert_int_equal(one.sends, 2);
    leave(&one);
    end();
}

static void patterns_say_what_concerns_a_watcher(void **state)
{
    (void)state;
    static const struct {
        const char *name, *user;
        const char *told;
    } cases[] = {
        {NULL, NULL,
         "EVENT 1 add 30999 web fox {}\r\nEVENT 2 add 30998 web ant {}\r\n"
         "EVENT 3 add 30997 daq ant {}\r\n"},
        {"*", "**",
         "EVENT 1 add 30999 web fox {}\r\nEVENT 2 add 30998 web ant {}\r\n"
         "EVENT 3 add 30997 daq ant {}\r\n"},
        {"web", NULL, "EVENT 1 add 30999 web fox {}\r\nEVENT 2 add 30998 web ant {}\r\n"},
        {"web", "ant", "EVENT 1 add 30998 web ant {}\r\n"},
        {"web", "a*", "EVENT 1 add 30998 web ant {}\r\n"},
        {"w?b", "[a-c]nt", "EVENT 1 add 30998 web ant {}\r\n"},
        {NULL, "ant", "EVENT 1 add 30998 web ant {}\r\nEVENT 2 add 30997 daq ant {}\r\n"},
        {"\\w*", NULL, "EVENT 1 add 30999 web fox {}\r\nEVENT 2 add 30998 web ant {}\r\n"},
        {"WEB", NULL, ""},
        {"v*", NULL, ""},
        {"we*", NULL, "EVENT 1 add 30999 web fox {}\r\nEVENT 2 add 30998 web ant {}\r\n"},
        {"[w]*", NULL, "EVENT 1 add 30999 web fox {}\r\nEVENT 2 add 30998 web ant {}\r\n"},
        {"", NULL, ""},
        {NULL, "", ""},
        {"we", NULL, ""},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    struct listener all[CASES] = {{.unsent = 0}};
    begin();
    add("web", "elk");
    for (size_t i = 0; i < CASES; ++i) {
        watch(&all[i], cases[i].name, cases[i].user);
        all[i].heard.size = 0;
    }
    add("web", "fox");
    add("web", "ant");
    add("daq", "ant");
    tell();
    for (size_t i = 0; i < CASES; ++i) {
        expect(&all[i], cases[i].told);
        leave(&all[i]);
    }
    end();
}

static void a_newcomer_is_not_told_what_its_snapshot_shows(void **state)
{
    (void)state;
    struct listener old = {.unsent = 0}, late = {.unsent = 0};
    begin();
    watch(&old, NULL, NULL);
    expect(&old, "0:");
    struct table_entry *a = add("a", "fox");
    watch(&late, NULL, NULL);
    expect(&late, "1:31000 a fox {}\r\n");
    take_away(a);
    tell();
    expect(&old, "EVENT 1 add 31000 a fox {}\r\nEVENT 2 remove 31000 a fox {}\r\n");
    expect(&late, "EVENT 1 remove 31000 a fox {}\r\n");
    leave(&old);
    leave(&late);
    end();
}

static void a_second_watch_takes_the_place_of_the_first(void **state)
{
    (void)state;
    struct listener one = {.unsent = 0};
    begin();
    watch(&one, "a", NULL);
    add("a", "fox");
    tell();
    expect(&one, "0:EVENT 1 add 31000 a fox {}\r\n");
    watch(&one, "b*", NULL);
    expect(&one, "0:");
    add("a", "fox");
    add("b", "fox");
    tell();
    expect(&one, "EVENT 1 add 30998 b fox {}\r\n");
    watch(&one, "b*", NULL); /* also when it is the same */
    add("b", "ant");
    tell();
    expect(&one, "1:30998 b fox {}\r\nEVENT 1 add 30997 b ant {}\r\n");
    assert_int_equal(watchers.count, 1);
    assert_int_equal(watchers.interests.count, 1);
    leave(&one);
    end();
}

static void who_has_left_is_told_nothing(void **state)
{
    (void)state;
    struct listener one = {.unsent = 0};
    begin();
    watch(&one, NULL, NULL);
    add("a", "fox");
    watchers_unwatch(&watchers, &one.watcher);
    watchers_unwatch(&watchers, &one.watcher); /* again is harmless */
    tell();
    expect(&one, "0:");
    leave(&one);
    end();
}

static void what_is_shown_to_all_is_rendered_once_a_change(void **state)
{
    (void)state;
    struct listener one = {.unsent = 0}, two = {.unsent = 0};
    struct snapshot *first, *second, *third;
    size_t count;
    begin();
    add("a", "fox");
    watchers_watch(&watchers, &one.watcher, NULL, NULL, &first, &count);
    watchers_watch(&watchers, &two.watcher, "*", NULL, &second, &count);
    assert_ptr_equal(first, second);
    add("a", "fox");
    watchers_watch(&watchers, &two.watcher, NULL, NULL, &third, &count);
    assert_ptr_not_equal(first, third);
    assert_int_equal(count, 2);
    assert_int_equal(first->references, 2); /* only we */
    snapshot_unref(first);
    snapshot_unref(second);
    snapshot_unref(third);
    leave(&one);
    leave(&two);
    end();
}

/* ------------------------------------------------------------ slow watchers -- */

static void who_is_slow_gets_a_snapshot_when_it_has_taken_everything(void **state)
{
    (void)state;
    struct listener slow = {.unsent = 0}, quick = {.unsent = 0};
    begin();
    watch(&slow, NULL, "fox");
    watch(&quick, NULL, NULL);
    slow.heard.size = quick.heard.size = 0;
    slow.unsent = WATCHERS_UNSENT_MAX_BYTES;
    add("a", "fox");
    tell();
    expect(&slow, "EVENT 1 add 31000 a fox {}\r\n"); /* not too much yet */
    slow.unsent += 1;
    struct table_entry *b = add("b", "fox");
    tell();
    expect(&slow, "");
    add("c", "fox");
    take_away(b);
    tell();
    slow.unsent = 1;
    add("d", "fox");
    tell();
    expect(&slow, ""); /* there has to be nothing left */
    slow.unsent = 0;
    watchers_drained(&watchers, &slow.watcher);
    tell();
    expect(&slow,
           "EVENT 2 snapshot 3\r\n31000 a fox {}\r\n30998 c fox {}\r\n30997 d fox {}\r\n");
    add("e", "fox");
    tell();
    expect(&slow, "EVENT 3 add 30996 e fox {}\r\n");
    expect(&quick, "EVENT 1 add 31000 a fox {}\r\nEVENT 2 add 30999 b fox {}\r\n"
                   "EVENT 3 add 30998 c fox {}\r\nEVENT 4 remove 30999 b fox {}\r\n"
                   "EVENT 5 add 30997 d fox {}\r\nEVENT 6 add 30996 e fox {}\r\n");
    leave(&slow);
    leave(&quick);
    end();
}

static void a_change_that_does_not_concern_the_slow_costs_them_nothing(void **state)
{
    (void)state;
    struct listener slow = {.unsent = WATCHERS_UNSENT_MAX_BYTES + 1};
    begin();
    watch(&slow, "a", NULL);
    add("b", "fox");
    tell();
    assert_false(slow.watcher.stale);
    leave(&slow);
    end();
}

static void a_snapshot_shows_what_is_not_told_yet_and_is_not_told_again(void **state)
{
    (void)state;
    struct listener slow = {.unsent = SIZE_MAX};
    begin();
    watch(&slow, NULL, NULL);
    slow.heard.size = 0;
    add("a", "fox");
    tell();
    slow.unsent = 0;
    watchers_drained(&watchers, &slow.watcher);
    add("b", "fox");
    tell();
    expect(&slow, "EVENT 1 snapshot 2\r\n31000 a fox {}\r\n30999 b fox {}\r\n");
    tell();
    expect(&slow, "");
    leave(&slow);
    end();
}

/* More at once than is told to anybody in one piece, and than is kept. */
static void much_at_once_comes_in_pieces_or_as_a_snapshot(void **state)
{
    (void)state;
    struct listener one = {.unsent = 0};
    char attributes[2001];
    begin();
    struct table_entry *entry = add("a", "fox");
    watch(&one, NULL, NULL);
    one.heard.size = 0;
    memset(attributes, 'x', sizeof attributes - 1);
    memcpy(attributes, "key ", 4);
    attributes[sizeof attributes - 1] = '\0';
    for (int i = 0; i < 100; ++i)
        change(entry, attributes);
    tell();
    assert_int_equal(one.sends, 4);
    assert_int_equal(one.watcher.number, 100);
    one.heard.size = 0;
    for (int i = 0; i < 1000; ++i)
        change(entry, attributes);
    change(entry, "");
    assert_true(watchers.recorded.text.size < CHANGES_MAX_BYTES + sizeof attributes + 100);
    tell();
    expect(&one, "EVENT 101 snapshot 1\r\n31000 a fox {}\r\n");
    assert_true(watchers.recorded.text.capacity + watchers.batch.text.capacity <= 128 * 1024);
    leave(&one);
    end();
}

/* ------------------------------------------------------ bounded, interrupted -- */

static void a_crowd_is_told_in_several_turns(void **state)
{
    (void)state;
    struct listener *crowd = calloc(CROWD, sizeof *crowd);
    begin();
    for (size_t i = 0; i < CROWD; ++i)
        watch(&crowd[i], i % 2 ? NULL : "a", NULL);
    struct table_entry *entry = add("a", "fox");
    int turns = 1;
    while (watchers_flush(&watchers) == WATCHERS_MORE) {
        /* What happens meanwhile comes next, and in its order. */
        if (turns++ == 1)
            change(entry, "k v");
        assert_true(turns < 20);
    }
    assert_int_equal(turns, 6);
    for (size_t i = 0; i < CROWD; ++i) {
        expect(&crowd[i], "0:EVENT 1 add 31000 a fox {}\r\n"
                          "EVENT 2 change 31000 a fox {k v}\r\n");
        leave(&crowd[i]);
    }
    free(crowd);
    end();
}

/* The snapshot shows a change that is told to others in a later turn. */
static void a_snapshot_in_the_middle_is_not_told_again(void **state)
{
    (void)state;
    struct listener *crowd = calloc(CROWD, sizeof *crowd);
    struct listener slow = {.unsent = SIZE_MAX};
    begin();
    watch(&slow, NULL, NULL);
    for (size_t i = 0; i < CROWD; ++i)
        watch(&crowd[i], NULL, NULL);
    slow.heard.size = 0;
    struct table_entry *entry = add("a", "fox");
    assert_int_equal(watchers_flush(&watchers), WATCHERS_MORE);
    slow.unsent = 0;
    watchers_drained(&watchers, &slow.watcher);
    change(entry, "k v");
    while (watchers_flush(&watchers) == WATCHERS_MORE)
        continue;
    expect(&slow, "EVENT 1 snapshot 1\r\n31000 a fox {k v}\r\n");
    leave(&slow);
    for (size_t i = 0; i < CROWD; ++i)
        leave(&crowd[i]);
    free(crowd);
    end();
}

static void many_patterns_are_compared_in_several_turns(void **state)
{
    (void)state;
    struct listener *crowd = calloc(CROWD, sizeof *crowd);
    char pattern[101];
    begin();
    for (size_t i = 0; i < CROWD; ++i) {
        memset(pattern, '*', sizeof pattern - 1);
        pattern[sizeof pattern - 1] = '\0';
        /* Half of them begin as the names do. */
        int size = i == 0
                       ? snprintf(pattern, sizeof pattern, "0 is")
                       : snprintf(pattern, sizeof pattern, "%s*x%zu", i % 2 ? "" : "0 is", i);
        pattern[size] = '*';
        watch(&crowd[i], pattern, NULL);
    }
    for (int i = 0; i < 20; ++i)
        add("0 is the first of these", "fox");
    int turns = 1;
    while (watchers_flush(&watchers) == WATCHERS_MORE) {
        /* Whoever leaves in between is not missed, nor who would have been the next. */
        watchers_unwatch(&watchers, &crowd[CROWD - turns].watcher);
        if (watchers.broad && watchers.broad != crowd[0].watcher.interest)
            watchers_unwatch(&watchers, TAILQ_FIRST(&watchers.broad->watchers));
        assert_true(++turns < 100);
    }
    assert_true(turns > 2);
    assert_int_equal(crowd[0].watcher.number, 20);
    for (size_t i = 0; i < CROWD; ++i) {
        assert_true(i == 0 || crowd[i].watcher.number == 0);
        leave(&crowd[i]);
    }
    free(crowd);
    end();
}

/* Sending may end the connection that it is for, and any other. */
static void whoever_is_told_may_go_and_take_others_along(void **state)
{
    (void)state;
    enum { SOME = 5 };
    for (size_t who = 0; who < SOME; ++who)
        for (size_t whom = 0; whom < SOME; ++whom)
            for (int alone = 0; alone < 2; ++alone) {
                struct listener some[SOME] = {{.unsent = 0}};
                char patterns[SOME][8];
                begin();
                for (size_t i = 0; i < SOME; ++i) {
                    snprintf(patterns[i], sizeof patterns[i], "%.*sa*", (int)(alone ? i : 0),
                             "*****");
                    watch(&some[i], patterns[i], NULL);
                    some[i].heard.size = 0;
                }
                some[who].ends = &some[whom];
                add("a", "fox");
                tell();
                for (size_t i = 0; i < SOME; ++i) {
                    bool gone = i == whom && !some[i].watcher.interest;
                    assert_true(gone == (i == whom));
                    if (!gone || whom <= who)
                        assert_true(alone || some[i].sends == 1);
                    assert_true(some[i].sends <= 1);
                    leave(&some[i]);
                }
                end();
            }
}

static void who_goes_in_the_middle_of_its_events_is_told_no_more(void **state)
{
    (void)state;
    struct listener one = {.unsent = 0};
    char attributes[2001];
    begin();
    struct table_entry *entry = add("a", "fox");
    watch(&one, NULL, NULL);
    memset(attributes, 'x', sizeof attributes - 1);
    memcpy(attributes, "key ", 4);
    attributes[sizeof attributes - 1] = '\0';
    for (int i = 0; i < 100; ++i)
        change(entry, attributes);
    one.ends = &one;
    tell();
    assert_int_equal(one.sends, 1);
    leave(&one);
    end();
}

/* ----------------------------------------------------------------- memory -- */

/* With allocation k failing, whatever it is: the watcher has seen all in the end, either as
 * events or as a snapshot, and numbers have no gap. */
static bool survives(size_t k, const char *name)
{
    struct listener one = {.unsent = 0};
    begin();
    watch(&one, name, NULL);
    one.heard.size = 0;
    alloc_fail_after(k);
    const struct table_prober prober = fake_prober_of(&kernel);
    const struct table_request request = {.name = "app", .user = "fox", .uid = 7, .count = 1};
    struct table_entry *entry;
    int r = table_allocate(table, &owner, &request, 0, &prober, &entry);
    if (r == 0)
        watchers_record(&watchers, PA_EVENT_ADD, entry);
    int flushed = watchers_flush(&watchers);
    bool failed = alloc_fail_stop();
    assert_true(failed || flushed == 0);
    tell();
    if (r == 0) {
        append(&one.heard, "", 1);
        assert_true(strcmp(one.heard.data, "EVENT 1 add 31000 app fox {}\r\n") == 0 ||
                    strcmp(one.heard.data, "EVENT 1 snapshot 1\r\n31000 app fox {}\r\n") == 0);
        one.heard.size = 0;
        take_away(entry);
        tell();
        expect(&one, "EVENT 2 remove 31000 app fox {}\r\n");
    }
    leave(&one);
    end();
    return failed;
}

static void without_memory_nothing_is_lost(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "app", "a*"};
    for (size_t i = 0; i < 3; ++i) {
        size_t k = 0;
        while (survives(k, names[i]))
            k += 1;
        assert_true(k >= 8);
    }
}

static void without_memory_only_those_are_stale_whom_it_concerns(void **state)
{
    (void)state;
    struct listener exact = {.unsent = 0}, broad = {.unsent = 0}, other = {.unsent = 0};
    begin();
    struct table_entry *entry = add("app", "fox");
    watch(&exact, "app", NULL);
    watch(&broad, "a*", "f*");
    watch(&other, "b*", NULL);
    exact.heard.size = broad.heard.size = other.heard.size = 0;
    alloc_fail_after(0);
    watchers_record(&watchers, PA_EVENT_CHANGE, entry);
    assert_true(alloc_fail_stop());
    exact.unsent = 1; /* not before it has read everything */
    tell();
    expect(&exact, "");
    exact.unsent = 0;
    watchers_drained(&watchers, &exact.watcher);
    tell();
    expect(&exact, "EVENT 1 snapshot 1\r\n31000 app fox {}\r\n");
    expect(&broad, "EVENT 1 snapshot 1\r\n31000 app fox {}\r\n");
    expect(&other, "");
    leave(&exact);
    leave(&broad);
    leave(&other);
    end();
}

static void without_memory_a_watch_does_not_begin_and_the_old_one_goes_on(void **state)
{
    (void)state;
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct listener one = {.unsent = 0};
        struct snapshot *snapshot;
        size_t count;
        begin();
        add("a", "fox");
        watch(&one, "a", NULL);
        one.heard.size = 0;
        alloc_fail_after(k);
        int r = watchers_watch(&watchers, &one.watcher, "*b*", "f*", &snapshot, &count);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0)
            snapshot_unref(snapshot);
        add("a", "fox");
        add("b", "fox");
        tell();
        expect(&one, failed ? "" : "EVENT 1 add 30998 b fox {}\r\n");
        assert_int_equal(watchers.interests.count, 1);
        assert_int_equal(watchers.count, 1);
        leave(&one);
        end();
    }
    assert_true(k >= 3);
}

static void without_memory_a_snapshot_comes_later(void **state)
{
    (void)state;
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct listener slow = {.unsent = SIZE_MAX};
        begin();
        watch(&slow, "a*", NULL);
        slow.heard.size = 0;
        add("a", "fox");
        tell();
        slow.unsent = 0;
        watchers_drained(&watchers, &slow.watcher);
        alloc_fail_after(k);
        int r = watchers_flush(&watchers);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        tell();
        expect(&slow, "EVENT 1 snapshot 1\r\n31000 a fox {}\r\n");
        leave(&slow);
        end();
    }
    assert_true(k >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watcher_is_told_what_is_there_and_what_changes),
        cmocka_unit_test(patterns_say_what_concerns_a_watcher),
        cmocka_unit_test(a_newcomer_is_not_told_what_its_snapshot_shows),
        cmocka_unit_test(a_second_watch_takes_the_place_of_the_first),
        cmocka_unit_test(who_has_left_is_told_nothing),
        cmocka_unit_test(what_is_shown_to_all_is_rendered_once_a_change),
        cmocka_unit_test(who_is_slow_gets_a_snapshot_when_it_has_taken_everything),
        cmocka_unit_test(a_change_that_does_not_concern_the_slow_costs_them_nothing),
        cmocka_unit_test(a_snapshot_shows_what_is_not_told_yet_and_is_not_told_again),
        cmocka_unit_test(much_at_once_comes_in_pieces_or_as_a_snapshot),
        cmocka_unit_test(a_crowd_is_told_in_several_turns),
        cmocka_unit_test(a_snapshot_in_the_middle_is_not_told_again),
        cmocka_unit_test(many_patterns_are_compared_in_several_turns),
        cmocka_unit_test(whoever_is_told_may_go_and_take_others_along),
        cmocka_unit_test(who_goes_in_the_middle_of_its_events_is_told_no_more),
        cmocka_unit_test(without_memory_nothing_is_lost),
        cmocka_unit_test(without_memory_only_those_are_stale_whom_it_concerns),
        cmocka_unit_test(without_memory_a_watch_does_not_begin_and_the_old_one_goes_on),
        cmocka_unit_test(without_memory_a_snapshot_comes_later),
    };
    return cmocka_run_group_tests_name("watchers", tests, NULL, NULL);
}
