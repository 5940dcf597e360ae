/* test_table_request.c - allocations of one's choice: port, row, exact name; what an entry
 * tells. */
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
#include "fake_prober.h"
#include "table.h"

enum { REST_MS = 5000 };

static const struct siphash_key hash_key = {{3, 4}};
static struct fake_prober fake;
static struct table_prober prober;
static struct table *table;
static struct table_owner owners[2];
static uint64_t now_ms;

static void begin(uint16_t low, uint16_t high)
{
    const struct table_range range = {low, high};
    fake_prober_reset(&fake);
    prober = fake_prober_of(&fake);
    memset(owners, 0, sizeof owners);
    now_ms = 1000;
    assert_int_equal(table_new(&table, &range, 1, REST_MS, &hash_key), 0);
}

static void begin_holding(uint16_t low, uint16_t high)
{
    begin(low, high);
    prober = fake_holder_of(&fake);
}

/* As the session does it: who releases a held port drops it. */
static void release(struct table_entry *entry)
{
    uint16_t port = entry->port;
    bool held = entry->held;
    table_release(table, entry, now_ms);
    if (held)
        fake_drop(&fake, port);
}

static void end(void)
{
    for (size_t i = 0; i < sizeof owners / sizeof *owners; ++i)
        while (owners[i].first)
            release(owners[i].first);
    assert_int_equal(table_count(table), 0);
    assert_int_equal(table_held(table), 0);
    assert_int_equal(fake.held_count, 0);
    table = table_free(table);
}

#define ASKED(...) ((struct table_request){__VA_ARGS__})

static int ask(struct table_request request, struct table_entry **entry)
{
    request.name = request.name ? request.name : "a";
    request.user = request.user ? request.user : "fox";
    request.uid = request.uid ? request.uid : 7;
    request.count = request.count ? request.count : 1;
    return table_allocate(table, &owners[0], &request, now_ms, &prober, entry);
}

static struct table_entry *get(struct table_request request)
{
    struct table_entry *entry = NULL;
    assert_int_equal(ask(request, &entry), 0);
    return entry;
}

static void assert_refused(struct table_request request, int r)
{
    struct table_entry *entry = NULL;
    assert_int_equal(ask(request, &entry), r);
    assert_null(entry);
}

static char *listed(void)
{
    static char text[4096];
    struct snapshot *snapshot;
    assert_int_equal(table_snapshot(table, &snapshot), 0);
    assert_true(snapshot->size < sizeof text);
    memcpy(text, snapshot->text, snapshot->size);
    text[snapshot->size] = '\0';
    snapshot_unref(snapshot);
    return text;
}

/* ------------------------------------------------------------------ a port -- */

static void the_port_asked_for_is_given(void **state)
{
    (void)state;
    begin(1, 9);
    assert_int_equal(get(ASKED(.port = 4))->port, 4);
    assert_int_equal(get(ASKED(.port = 9))->port, 9);
    assert_int_equal(get(ASKED(.uid = 7))->port, 8);
    assert_string_equal(listed(), "OK 3\r\n4 a fox\r\n8 a_2 fox\r\n9 a_1 fox\r\n");
    end();
}

static void a_port_that_is_not_to_be_had_is_refused(void **state)
{
    (void)state;
    begin(5, 9);
    fake.state[6] = TABLE_PORT_IN_USE;
    get(ASKED(.port = 7));
    assert_refused(ASKED(.name = "b", .port = 7), TABLE_E_IN_USE);
    assert_refused(ASKED(.name = "b", .port = 6), TABLE_E_IN_USE);
    assert_refused(ASKED(.name = "b", .port = 4), TABLE_E_NOT_MANAGED);
    fake.error = -EMFILE;
    assert_refused(ASKED(.name = "b", .port = 8), -EMFILE);
    fake.error = 0;
    assert_string_equal(listed(), "OK 1\r\n7 a fox\r\n");
    end();
}

/* ------------------------------------------------------------------- rows -- */

static void each_port_of_a_row_is_listed_with_a_suffix_of_its_own(void **state)
{
    (void)state;
    begin(1, 12);
    struct table_entry *lowest = get(ASKED(.count = 4));
    assert_int_equal(lowest->port, 9);
    assert_string_equal(lowest->name, "a");
    assert_string_equal(listed(),
                        "OK 4\r\n10 a_1 fox\r\n11 a_2 fox\r\n12 a_3 fox\r\n9 a fox\r\n");
    assert_int_equal(owners[0].count, 4);
    assert_int_equal(table_count(table), 4);
    end();
}

static void a_row_takes_the_suffixes_that_are_left(void **state)
{
    (void)state;
    begin(1, 9);
    get(ASKED(.uid = 7));
    get(ASKED(.name = "a_2"));
    get(ASKED(.count = 3));
    assert_string_equal(
        listed(), "OK 5\r\n5 a_1 fox\r\n6 a_3 fox\r\n7 a_4 fox\r\n9 a fox\r\n8 a_2 fox\r\n");
    end();
}

static void the_entries_of_a_row_follow_the_lowest_among_their_owners(void **state)
{
    (void)state;
    begin(1, 9);
    const struct table_entry *entry = get(ASKED(.count = 3));
    for (uint16_t port = 7; port <= 9; ++port, entry = entry->owner_previous) {
        assert_int_equal(entry->port, port);
        assert_ptr_equal(entry, table_at(table, port));
        assert_ptr_equal(entry->owner, &owners[0]);
    }
    assert_null(entry);
    end();
}

static void a_row_begins_where_it_is_asked_to(void **state)
{
    (void)state;
    begin(1, 9);
    assert_int_equal(get(ASKED(.port = 2, .count = 3))->port, 2);
    assert_refused(ASKED(.port = 4, .count = 2), TABLE_E_NO_BLOCK);
    assert_refused(ASKED(.port = 9, .count = 2), TABLE_E_NO_BLOCK);
    assert_refused(ASKED(.count = 6), TABLE_E_NO_BLOCK);
    assert_int_equal(table_count(table), 3);
    end();
}

static void the_ports_of_a_row_are_released_one_by_one(void **state)
{
    (void)state;
    begin(1, 9);
    get(ASKED(.count = 3));
    release(table_at(table, 8));
    assert_string_equal(listed(), "OK 2\r\n7 a fox\r\n9 a_2 fox\r\n");
    assert_null(table_at(table, 8));
    release(table_at(table, 7));
    assert_string_equal(listed(), "OK 1\r\n9 a_2 fox\r\n");
    end();
}

/* ------------------------------------------------------------- exact names -- */

static void an_exact_name_is_plain_or_refused(void **state)
{
    (void)state;
    begin(1, 9);
    struct table_entry *entry = get(ASKED(.exact = true));
    assert_string_equal(entry->name, "a");
    assert_refused(ASKED(.exact = true), TABLE_E_TAKEN);
    assert_string_equal(get(ASKED(.user = "ant", .exact = true))->name, "a");
    assert_string_equal(get(ASKED(.uid = 7))->name, "a_1");
    release(entry);
    assert_string_equal(get(ASKED(.exact = true))->name, "a");
    end();
}

static void an_exact_name_may_be_one_that_a_suffix_has_made(void **state)
{
    (void)state;
    begin(1, 9);
    get(ASKED(.uid = 7));
    struct table_entry *second = get(ASKED(.uid = 7));
    assert_refused(ASKED(.name = "a_1", .exact = true), TABLE_E_TAKEN);
    release(second);
    assert_string_equal(get(ASKED(.name = "a_1", .exact = true))->name, "a_1");
    assert_string_equal(get(ASKED(.uid = 7))->name, "a_2");
    end();
}

static void only_the_lowest_of_a_row_bears_the_exact_name(void **state)
{
    (void)state;
    begin(1, 9);
    assert_string_equal(get(ASKED(.count = 2, .exact = true))->name, "a");
    assert_refused(ASKED(.count = 2, .exact = true), TABLE_E_TAKEN);
    assert_string_equal(listed(), "OK 2\r\n8 a fox\r\n9 a_1 fox\r\n");
    assert_int_equal(get(ASKED(.name = "b"))->port, 7); /* the row went back */
    assert_int_equal(get(ASKED(.name = "b"))->port, 6);
    end();
}

/* -------------------------------------------------- what an entry tells -- */

static void an_entry_keeps_attributes_and_user(void **state)
{
    (void)state;
    begin(1, 9);
    char attributes[] = "a 1 {b c} {}";
    struct table_entry *entry = get(ASKED(.attributes = attributes, .uid = 42, .count = 2));
    memset(attributes, 'x', sizeof attributes - 1);
    assert_string_equal(entry->attributes, "a 1 {b c} {}");
    assert_string_equal(table_at(table, 9)->attributes, "a 1 {b c} {}");
    assert_int_equal(entry->uid, 42);
    assert_int_equal(table_at(table, 9)->uid, 42);
    assert_string_equal(get(ASKED(.uid = 7))->attributes, "");
    assert_int_equal(get(ASKED(.uid = TABLE_NOBODY))->uid, TABLE_NOBODY);
    end();
}

static void what_the_holder_gave_is_held(void **state)
{
    (void)state;
    begin_holding(1, 9);
    fake.state[9] = TABLE_PORT_IN_USE;
    struct table_entry *one = get(ASKED(.uid = 7)), *row = get(ASKED(.count = 3));
    assert_true(one->held && row->held);
    assert_int_equal(table_held(table), 4);
    assert_int_equal(fake.held_count, 4);
    prober = fake_prober_of(&fake);
    assert_false(get(ASKED(.uid = 7))->held);
    assert_int_equal(table_held(table), 4);
    release(one);
    assert_int_equal(table_held(table), 3);
    end();
}

static void what_is_refused_is_not_held(void **state)
{
    (void)state;
    begin_holding(1, 9);
    get(ASKED(.uid = 7));
    fake.state[4] = TABLE_PORT_IN_USE;
    assert_refused(ASKED(.exact = true), TABLE_E_TAKEN);
    assert_refused(ASKED(.exact = true, .count = 2), TABLE_E_TAKEN);
    assert_refused(ASKED(.count = 5), TABLE_E_NO_BLOCK);
    assert_refused(ASKED(.port = 2, .count = 3), TABLE_E_NO_BLOCK);
    assert_refused(ASKED(.port = 4), TABLE_E_IN_USE);
    assert_int_equal(fake.held_count, 1);
    assert_int_equal(table_held(table), 1);
    end();
}

/* ---------------------------------------------------------------- finding -- */

static void an_allocation_is_found_by_its_port(void **state)
{
    (void)state;
    begin(5, 9);
    struct table_entry *entry = get(ASKED(.port = 7));
    assert_ptr_equal(table_at(table, 7), entry);
    assert_null(table_at(table, 8));
    assert_null(table_at(table, 4));
    assert_null(table_at(table, 0));
    release(entry);
    assert_null(table_at(table, 7));
    end();
}

struct visits {
    char text[1024];
    size_t left; /* so many more are wanted */
};

static bool note_visit(void *context, const struct table_entry *entry)
{
    struct visits *visits = context;
    size_t size = strlen(visits->text);
    snprintf(visits->text + size, sizeof visits->text - size, "%u %s %s\n",
             (unsigned)entry->port, entry->name, entry->user);
    visits->left -= 1;
    return visits->left > 0;
}

static void assert_visits_of(const char *name, size_t wanted, const char *expected)
{
    struct visits visits = {.left = wanted};
    assert_int_equal(table_visit_named(table, name, note_visit, &visits), 0);
    assert_string_equal(visits.text, expected);
}

static void all_are_visited_in_the_order_of_the_list(void **state)
{
    (void)state;
    begin(8, 12);
    assert_visits_of(NULL, 9, "");
    get(ASKED(.name = "b"));
    get(ASKED(.name = "a", .user = "zoe"));
    get(ASKED(.count = 2));
    assert_visits_of(NULL, 9, "10 a_1 fox\n9 a fox\n12 b fox\n11 a zoe\n");
    assert_visits_of(NULL, 2, "10 a_1 fox\n9 a fox\n");
    release(table_at(table, 9));
    assert_visits_of(NULL, 9, "10 a_1 fox\n12 b fox\n11 a zoe\n");
    end();
}

static void those_of_a_name_are_visited_across_users(void **state)
{
    (void)state;
    begin(1, 9);
    get(ASKED(.user = "zoe"));
    get(ASKED(.user = "ant"));
    get(ASKED(.uid = 7));
    get(ASKED(.uid = 7));
    get(ASKED(.name = "b"));
    get(ASKED(.name = "a_1", .user = "zoe"));
    assert_visits_of("a", 9, "8 a ant\n7 a fox\n9 a zoe\n");
    assert_visits_of("a", 1, "8 a ant\n");
    assert_visits_of("a_1", 9, "6 a_1 fox\n4 a_1 zoe\n");
    assert_visits_of("c", 9, "");
    release(table_at(table, 7));
    assert_visits_of("a", 9, "8 a ant\n9 a zoe\n");
    end();
}

/* ----------------------------------------------------------------- memory -- */

/* A table with two of `a`, a name in the way, a stranger, and ports that rest. */
static void begin_for_memory(void)
{
    begin_holding(1, 120);
    get(ASKED(.uid = 7));
    get(ASKED(.uid = 7));
    get(ASKED(.name = "a_3"));
    fake.state[110] = TABLE_PORT_IN_USE;
    now_ms += 10;
    for (int i = 0; i < 12; ++i) /* the roster has little room left */
        get(ASKED(.name = "c"));
    struct table_entry *first = get(ASKED(.name = "b")), *second = get(ASKED(.name = "b"));
    release(first);
    now_ms += 10;
    release(second);
}

/* What goes out next, to the last port. */
static void read_order(uint16_t order[120])
{
    size_t count = 0;
    struct table_entry *entry;
    now_ms += 100;
    while (ask(ASKED(.name = "z"), &entry) == 0)
        order[count++] = entry->port;
    assert_true(count < 120);
    order[count] = 0;
}

/*
 * Lets allocation 0, 1, ... fail until the request succeeds. After each failure the
 * list is as before, nothing more is held, and the ports go out in the order
 * in which they would have gone out.
 */
static void assert_failures_change_nothing(struct table_request request, size_t at_least)
{
    static uint16_t order[120], expected[120];
    static char before[4096];
    begin_for_memory();
    strcpy(before, listed());
    read_order(expected);
    end();
    for (size_t k = 0;; ++k) {
        struct table_entry *entry = NULL;
        begin_for_memory();
        alloc_fail_after(k);
        int r = ask(request, &entry);
        bool failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(fake.held_count, table_held(table));
        if (!failed) {
            end();
            assert_true(k >= at_least);
            return;
        }
        assert_null(entry);
        assert_string_equal(listed(), before);
        assert_int_equal(table_count(table), 15);
        assert_string_equal(get(ASKED(.uid = 7))->name, "a_2");
        release(owners[0].first);
        end();
        begin_for_memory();
        alloc_fail_after(k);
        assert_int_equal(ask(request, &entry), -ENOMEM);
        alloc_fail_stop();
        read_order(order);
        assert_memory_equal(order, expected, sizeof order);
        end();
    }
}

static void without_memory_a_port_of_ones_choice_is_not_given(void **state)
{
    (void)state;
    assert_failures_change_nothing(ASKED(.port = 20), 1);
    assert_failures_change_nothing(ASKED(.name = "new", .port = 20), 2);
    assert_failures_change_nothing(ASKED(.port = 104), 1); /* it rests */
}

static void without_memory_no_port_of_a_row_is_given(void **state)
{
    (void)state;
    assert_failures_change_nothing(ASKED(.port = 20, .count = 8), 9);
    assert_failures_change_nothing(ASKED(.name = "new", .port = 20, .count = 80), 80);
    assert_failures_change_nothing(ASKED(.port = 99, .count = 6, .attributes = "k v"), 7);
}

static void without_memory_nobody_is_visited(void **state)
{
    (void)state;
    for (int by_name = 0; by_name < 2; ++by_name) {
        size_t k = 0;
        for (bool failed = true; failed; ++k) {
            struct visits visits = {.left = 9};
            begin(1, 9);
            get(ASKED(.uid = 7));
            alloc_fail_after(k);
            int r = table_visit_named(table, by_name ? "a" : NULL, note_visit, &visits);
            failed = alloc_fail_stop();
            assert_int_equal(r, failed ? -ENOMEM : 0);
            assert_string_equal(visits.text, failed ? "" : "9 a fox\n");
            end();
        }
        assert_true(k >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_port_asked_for_is_given),
        cmocka_unit_test(a_port_that_is_not_to_be_had_is_refused),
        cmocka_unit_test(each_port_of_a_row_is_listed_with_a_suffix_of_its_own),
        cmocka_unit_test(a_row_takes_the_suffixes_that_are_left),
        cmocka_unit_test(the_entries_of_a_row_follow_the_lowest_among_their_owners),
        cmocka_unit_test(a_row_begins_where_it_is_asked_to),
        cmocka_unit_test(the_ports_of_a_row_are_released_one_by_one),
        cmocka_unit_test(an_exact_name_is_plain_or_refused),
        cmocka_unit_test(an_exact_name_may_be_one_that_a_suffix_has_made),
        cmocka_unit_test(only_the_lowest_of_a_row_bears_the_exact_name),
        cmocka_unit_test(an_entry_keeps_attributes_and_user),
        cmocka_unit_test(what_the_holder_gave_is_held),
        cmocka_unit_test(what_is_refused_is_not_held),
        cmocka_unit_test(an_allocation_is_found_by_its_port),
        cmocka_unit_test(all_are_visited_in_the_order_of_the_list),
        cmocka_unit_test(those_of_a_name_are_visited_across_users),
        cmocka_unit_test(without_memory_a_port_of_ones_choice_is_not_given),
        cmocka_unit_test(without_memory_no_port_of_a_row_is_given),
        cmocka_unit_test(without_memory_nobody_is_visited),
    };
    return cmocka_run_group_tests_name("requests of the table", tests, NULL, NULL);
}
