/* test_table.c - who owns which port. */
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
#include "table.h"

enum { REST_MS = 5000 };

static const struct siphash_key hash_key = {{1, 2}};
static struct fake_prober fake;
static struct table *table;
static struct table_owner owners[3];
static uint64_t now_ms;

static void begin(uint16_t low, uint16_t high, uint64_t quarantine_ms)
{
    const struct table_range range = {low, high};
    fake_prober_reset(&fake);
    memset(owners, 0, sizeof owners);
    now_ms = 1000;
    assert_int_equal(table_new(&table, &range, 1, quarantine_ms, &hash_key), 0);
}

static void release(struct table_entry *entry)
{
    table_release(table, entry, now_ms);
}

static void release_all(struct table_owner *owner)
{
    while (owner->first)
        release(owner->first);
}

static void end(void)
{
    for (size_t i = 0; i < sizeof owners / sizeof *owners; ++i)
        release_all(&owners[i]);
    assert_int_equal(table_count(table), 0);
    table = table_free(table);
}

static int try_allocate(struct table_owner *owner, const char *name, const char *user,
                        struct table_entry **entry)
{
    const struct table_prober prober = fake_prober_of(&fake);
    const struct table_request request = {
        .name = name, .user = user, .uid = TABLE_NOBODY, .count = 1};
    return table_allocate(table, owner, &request, now_ms, &prober, entry);
}

static struct table_entry *allocate_for(struct table_owner *owner, const char *name,
                                        const char *user)
{
    struct table_entry *entry = NULL;
    assert_int_equal(try_allocate(owner, name, user, &entry), 0);
    assert_ptr_equal(entry->owner, owner);
    return entry;
}

static struct table_entry *allocate(const char *name)
{
    return allocate_for(&owners[0], name, "fox");
}

static void assert_none_left(void)
{
    struct table_entry *entry = NULL;
    assert_int_equal(try_allocate(&owners[0], "none", "fox", &entry), TABLE_E_NO_FREE_PORTS);
    assert_null(table_find(table, "none", "fox"));
}

static void assert_listed(const char *expected)
{
    struct snapshot *snapshot;
    assert_int_equal(table_snapshot(table, &snapshot), 0);
    char *text = test_malloc(snapshot->size + 1);
    memcpy(text, snapshot->text, snapshot->size);
    text[snapshot->size] = '\0';
    assert_string_equal(text, expected);
    test_free(text);
    snapshot_unref(snapshot);
}

static void assert_usage(const char *expected)
{
    struct pa_buf text = PA_BUF_NULL;
    assert_int_equal(table_append_usage(table, &text), 0);
    assert_int_equal(pa_buf_append(&text, "", 1), 0);
    assert_string_equal(text.data, expected);
    pa_buf_deinit(&text);
}

/* ---------------------------------------------------------------- ports -- */

static void a_new_table_has_its_ports_and_nobody_in_it(void **state)
{
    (void)state;
    begin(30001, 31000, REST_MS);
    assert_int_equal(table_capacity(table), 1000);
    assert_int_equal(table_count(table), 0);
    assert_listed("OK 0\r\n");
    assert_usage("");
    assert_null(table_find(table, "a", "fox"));
    end();
}

static void freeing_no_table_is_legal(void **state)
{
    (void)state;
    assert_null(table_free(NULL));
}

static void ports_go_out_from_the_highest_to_the_lowest(void **state)
{
    (void)state;
    begin(30001, 30003, REST_MS);
    assert_int_equal(allocate("a")->port, 30003);
    assert_int_equal(allocate("b")->port, 30002);
    assert_int_equal(allocate("c")->port, 30001);
    assert_none_left();
    assert_int_equal(table_count(table), 3);
    end();
}

static void ranges_are_joined(void **state)
{
    (void)state;
    const struct table_range ranges[] = {{5, 6}, {40000, 40000}, {100, 100}};
    begin(1, 1, 0);
    end();
    assert_int_equal(table_new(&table, ranges, 3, 0, &hash_key), 0);
    assert_int_equal(table_capacity(table), 4);
    assert_int_equal(allocate("a")->port, 40000);
    assert_int_equal(allocate("a")->port, 100);
    assert_int_equal(allocate("a")->port, 6);
    assert_int_equal(allocate("a")->port, 5);
    assert_none_left();
    end();
}

static void a_freed_port_rests_and_goes_out_after_the_others(void **state)
{
    (void)state;
    begin(1, 3, REST_MS);
    release(allocate("a"));
    now_ms += REST_MS;
    assert_int_equal(allocate("a")->port, 2);
    assert_int_equal(allocate("a")->port, 1);
    assert_int_equal(allocate("a")->port, 3);
    end();
}

static void resting_ports_go_out_when_nothing_else_is_left(void **state)
{
    (void)state;
    begin(1, 2, REST_MS);
    struct table_entry *first = allocate("a"), *second = allocate("b");
    release(second);
    release(first);
    assert_int_equal(allocate("c")->port, 1);
    assert_int_equal(allocate("c")->port, 2);
    assert_none_left();
    end();
}

static void without_a_quarantine_the_port_freed_last_is_next(void **state)
{
    (void)state;
    begin(1, 4, 0);
    struct table_entry *a = allocate("a"), *b = allocate("b"), *c = allocate("c");
    release(a);
    release(c);
    release(b);
    assert_int_equal(allocate("d")->port, 3);
    assert_int_equal(allocate("d")->port, 2);
    assert_int_equal(allocate("d")->port, 4);
    assert_int_equal(allocate("d")->port, 1);
    end();
}

static void a_strangers_port_is_never_given_out(void **state)
{
    (void)state;
    begin(1, 3, REST_MS);
    fake.state[3] = TABLE_PORT_IN_USE;
    assert_int_equal(allocate("a")->port, 2);
    assert_int_equal(allocate("b")->port, 1);
    assert_none_left();
    now_ms += 5000;
    assert_none_left();
    fake.state[3] = TABLE_PORT_FREE;
    assert_int_equal(allocate("c")->port, 3);
    end();
}

static void a_port_with_old_connections_goes_out_last(void **state)
{
    (void)state;
    begin(1, 3, REST_MS);
    fake.state[3] = TABLE_PORT_LINGERING;
    release(allocate("a"));
    assert_int_equal(allocate("a")->port, 1);
    assert_int_equal(allocate("a")->port, 2);
    assert_int_equal(allocate("a")->port, 3);
    end();
}

static void a_probe_that_fails_is_passed_up_and_changes_nothing(void **state)
{
    (void)state;
    begin(1, 3, REST_MS);
    allocate("a");
    struct table_entry *entry = NULL;
    fake.error = -EMFILE;
    assert_int_equal(try_allocate(&owners[1], "b", "fox", &entry), -EMFILE);
    assert_int_equal(try_allocate(&owners[1], "a", "fox", &entry), -EMFILE);
    fake.error = 0;
    assert_int_equal(owners[1].count, 0);
    assert_listed("OK 1\r\n3 a fox\r\n");
    assert_int_equal(allocate("a")->port, 2);
    end();
}

/* ---------------------------------------------------------------- names -- */

static void the_first_of_a_name_bears_it_and_the_next_get_1_and_2(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    assert_string_equal(allocate("a")->name, "a");
    assert_string_equal(allocate("a")->name, "a_1");
    assert_string_equal(allocate("a")->name, "a_2");
    end();
}

static void names_of_other_users_do_not_collide(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    assert_string_equal(allocate_for(&owners[0], "a", "fox")->name, "a");
    assert_string_equal(allocate_for(&owners[0], "a", "ant")->name, "a");
    assert_string_equal(allocate_for(&owners[0], "a", "fo")->name, "a");
    assert_string_equal(allocate_for(&owners[1], "a", "ant")->name, "a_1");
    end();
}

static void names_of_other_owners_do_collide(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    assert_string_equal(allocate_for(&owners[0], "a", "fox")->name, "a");
    assert_string_equal(allocate_for(&owners[1], "a", "fox")->name, "a_1");
    end();
}

static void a_suffix_is_kept_while_its_bearer_lives(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *plain = allocate("a"), *second = allocate("a"), *third = allocate("a");
    release(second);
    assert_string_equal(plain->name, "a");
    assert_string_equal(third->name, "a_2");
    release(plain);
    assert_string_equal(third->name, "a_2");
    assert_listed("OK 1\r\n7 a_2 fox\r\n");
    end();
}

static void a_freed_suffix_is_used_again_lowest_first(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *entry[5];
    for (size_t i = 0; i < 5; ++i)
        entry[i] = allocate("a");
    release(entry[3]);
    release(entry[1]);
    assert_string_equal(allocate("a")->name, "a_1");
    assert_string_equal(allocate("a")->name, "a_3");
    assert_string_equal(allocate("a")->name, "a_5");
    end();
}

static void the_plain_name_is_used_again_when_its_bearer_has_left(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *plain = allocate("a");
    allocate("a");
    release(plain);
    assert_string_equal(allocate("a")->name, "a");
    assert_string_equal(allocate("a")->name, "a_2");
    end();
}

static void a_real_name_like_a_suffixed_one_is_skipped(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *real = allocate("a_1");
    assert_string_equal(real->name, "a_1");
    assert_string_equal(allocate("a")->name, "a");
    assert_string_equal(allocate("a")->name, "a_2");
    release(real);
    assert_string_equal(allocate("a")->name, "a_1");
    assert_string_equal(allocate("a_1")->name, "a_1_1");
    end();
}

static void a_real_name_that_a_suffixed_one_bears_gets_a_suffix_itself(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *plain = allocate("a"), *second = allocate("a");
    assert_string_equal(second->name, "a_1");
    struct table_entry *real = allocate("a_1");
    assert_string_equal(real->name, "a_1_1");
    release(second);
    assert_string_equal(allocate("a_1")->name, "a_1");
    release(plain);
    assert_string_equal(allocate("a_1")->name, "a_1_2");
    end();
}

static void several_real_names_are_all_skipped(void **state)
{
    (void)state;
    begin(1, 200, REST_MS);
    for (unsigned i = 1; i <= 70; ++i) {
        char name[16];
        snprintf(name, sizeof name, "a_%u", i);
        assert_string_equal(allocate_for(&owners[1], name, "fox")->name, name);
    }
    assert_string_equal(allocate("a")->name, "a");
    struct table_entry *first = allocate("a");
    assert_string_equal(first->name, "a_71");
    assert_string_equal(allocate("a")->name, "a_72");
    release(first);
    assert_string_equal(allocate("a")->name, "a_71");
    release_all(&owners[1]);
    assert_string_equal(allocate("a")->name, "a_1");
    end();
}

static void names_that_look_like_other_numbers_are_not_skipped(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    allocate("a_01");
    allocate("a_");
    allocate("a_1x");
    assert_string_equal(allocate("a")->name, "a");
    assert_string_equal(allocate("a")->name, "a_1");
    end();
}

static void names_are_copied(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    char name[] = "a", user[] = "fox";
    struct table_entry *entry = allocate_for(&owners[0], name, user);
    name[0] = 'x';
    user[0] = 'x';
    assert_string_equal(entry->name, "a");
    assert_string_equal(entry->user, "fox");
    assert_ptr_equal(table_find(table, "a", "fox"), entry);
    end();
}

static void an_allocation_is_found_by_the_name_it_bears(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *plain = allocate("a"), *second = allocate("a");
    assert_ptr_equal(table_find(table, "a", "fox"), plain);
    assert_ptr_equal(table_find(table, "a_1", "fox"), second);
    assert_null(table_find(table, "a_2", "fox"));
    assert_null(table_find(table, "a", "ant"));
    assert_null(table_find(table, "fox", "a"));
    assert_null(table_find(table, "", "fox"));
    release(plain);
    assert_null(table_find(table, "a", "fox"));
    assert_ptr_equal(table_find(table, "a_1", "fox"), second);
    end();
}

/* --------------------------------------------------------------- owners -- */

static void an_owner_knows_its_ports_the_latest_first(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct table_entry *a = allocate("a"), *b = allocate("b"), *c = allocate("c");
    allocate_for(&owners[1], "d", "fox");
    assert_int_equal(owners[0].count, 3);
    assert_int_equal(owners[1].count, 1);
    assert_ptr_equal(owners[0].first, c);
    release(b);
    assert_ptr_equal(owners[0].first, c);
    release(c);
    assert_ptr_equal(owners[0].first, a);
    release(a);
    assert_null(owners[0].first);
    assert_int_equal(owners[0].count, 0);
    assert_int_equal(table_count(table), 1);
    end();
}

/* ------------------------------------------------------------- listings -- */

static void the_list_is_ordered_by_user_and_name_as_a_list(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    allocate_for(&owners[0], "b", "fox");   /* 9 */
    allocate_for(&owners[0], "B", "fox");   /* 8 */
    allocate_for(&owners[0], "a", "fox");   /* 7 */
    allocate_for(&owners[0], "z", "ant");   /* 6 */
    allocate_for(&owners[0], "a", "Zoe");   /* 5 */
    allocate_for(&owners[0], "a b", "fox"); /* 4 */
    allocate_for(&owners[0], "a", "b c");   /* 3 */
    assert_listed("OK 7\r\n5 a Zoe\r\n6 z ant\r\n8 B fox\r\n7 a fox\r\n9 b fox\r\n"
                  "4 {a b} fox\r\n3 a {b c}\r\n");
    end();
}

/* The lists are {fox a} and {fox a.b}: the blank between user and name counts. */
static void a_user_who_begins_like_another_is_ordered_by_the_whole_list(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    allocate_for(&owners[0], "a", "fox!");
    allocate_for(&owners[0], "z", "fox");
    allocate_for(&owners[0], "a", "fox");
    assert_listed("OK 3\r\n7 a fox\r\n8 z fox\r\n9 a fox!\r\n");
    end();
}

static void ports_of_one_user_and_name_are_ordered_as_strings(void **state)
{
    (void)state;
    begin(98, 102, REST_MS);
    for (int i = 0; i < 5; ++i)
        allocate("a");
    assert_listed("OK 5\r\n100 a_2 fox\r\n101 a_1 fox\r\n102 a fox\r\n98 a_4 fox\r\n"
                  "99 a_3 fox\r\n");
    end();
}

static void a_suffix_does_not_change_the_place_in_the_list(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    allocate("b");
    allocate("a");
    allocate("aa");
    allocate("a"); /* 6, listed as a_1 */
    assert_listed("OK 4\r\n6 a_1 fox\r\n8 a fox\r\n7 aa fox\r\n9 b fox\r\n");
    end();
}

static void names_are_quoted_as_list_elements(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    allocate("a{b");
    allocate("a\"b");
    allocate("a;b");
    allocate("$x");
    allocate("#h");
    allocate("two words");
    assert_listed("OK 6\r\n5 #h fox\r\n8 a\\\"b fox\r\n9 a\\{b fox\r\n6 {$x} fox\r\n"
                  "7 {a;b} fox\r\n4 {two words} fox\r\n");
    end();
}

static void a_snapshot_is_shared_until_something_changes(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct snapshot *first, *second, *third;
    struct table_entry *entry = allocate("a");
    assert_int_equal(table_snapshot(table, &first), 0);
    assert_int_equal(table_snapshot(table, &second), 0);
    assert_ptr_equal(first, second);
    release(entry);
    assert_int_equal(table_snapshot(table, &third), 0);
    assert_memory_equal(first->text, "OK 1\r\n9 a fox\r\n", first->size);
    assert_memory_equal(third->text, "OK 0\r\n", third->size);
    snapshot_unref(first);
    snapshot_unref(second);
    end();
    assert_memory_equal(third->text, "OK 0\r\n", third->size); /* it outlives the table */
    snapshot_unref(third);
}

static void a_refused_allocation_leaves_the_snapshot_shared(void **state)
{
    (void)state;
    begin(1, 1, REST_MS);
    struct snapshot *before, *after;
    allocate("a");
    assert_int_equal(table_snapshot(table, &before), 0);
    assert_none_left();
    assert_int_equal(table_snapshot(table, &after), 0);
    assert_ptr_equal(before, after);
    snapshot_unref(before);
    snapshot_unref(after);
    end();
}

static void the_usage_text_has_plain_names_and_ports_ordered_as_strings(void **state)
{
    (void)state;
    begin(98, 102, REST_MS);
    allocate("b");
    allocate("b");
    allocate_for(&owners[1], "two words", "ant");
    allocate_for(&owners[1], "a{b", "fox");
    release(allocate("gone"));
    assert_usage("100\ttwo words\tant\n101\tb\tfox\n102\tb\tfox\n99\ta{b\tfox\n");
    end();
}

static void the_usage_text_is_appended(void **state)
{
    (void)state;
    begin(1, 9, REST_MS);
    struct pa_buf text = PA_BUF_NULL;
    allocate("a");
    assert_int_equal(table_append_usage(table, &text), 0);
    assert_int_equal(table_append_usage(table, &text), 0);
    assert_int_equal(text.size, 16);
    assert_memory_equal(text.data, "9\ta\tfox\n9\ta\tfox\n", 16);
    pa_buf_deinit(&text);
    end();
}

/* ----------------------------------------------------------------- size -- */

static void sixty_thousand_ports_work_the_same(void **state)
{
    (void)state;
    enum { PORTS = 60000, LOW = 5000 };
    begin(LOW, LOW + PORTS - 1, REST_MS);
    assert_int_equal(table_capacity(table), PORTS);
    struct table_entry **entry = test_malloc(PORTS * sizeof *entry);
    for (unsigned i = 0; i < PORTS; ++i) {
        entry[i] = allocate_for(&owners[i % 3], i % 2 ? "odd" : "even", "fox");
        assert_int_equal(entry[i]->port, LOW + PORTS - 1 - i);
    }
    assert_none_left();
    assert_string_equal(entry[0]->name, "even");
    assert_string_equal(entry[PORTS - 1]->name, "odd_29999");
    assert_ptr_equal(table_find(table, "even_12345", "fox"), entry[2 * 12345]);
    for (unsigned i = 0; i < PORTS; i += 2)
        release(entry[i]);
    assert_int_equal(table_count(table), PORTS / 2);
    assert_null(table_find(table, "even_12345", "fox"));
    struct snapshot *snapshot;
    assert_int_equal(table_snapshot(table, &snapshot), 0);
    assert_memory_equal(snapshot->text, "OK 30000\r\n10000 odd_27499 fox\r\n10002 ", 37);
    snapshot_unref(snapshot);
    assert_string_equal(allocate("odd")->name, "odd_30000");
    assert_string_equal(allocate("even")->name, "even");
    end();
    test_free(entry);
}

/* --------------------------------------------------------------- memory -- */

static void without_memory_there_is_no_table(void **state)
{
    (void)state;
    const struct table_range range = {1, 100};
    for (size_t k = 0;; ++k) {
        struct table *made = NULL;
        alloc_fail_after(k);
        int r = table_new(&made, &range, 1, REST_MS, &hash_key);
        bool failed = alloc_fail_stop();
        if (!failed) {
            assert_int_equal(r, 0);
            assert_true(k >= 4);
            table_free(made);
            return;
        }
        assert_int_equal(r, -ENOMEM);
        assert_null(made);
    }
}

/* A table in which the allocation under test meets taken suffixes. */
static void fill_for_memory(unsigned taken)
{
    begin(1, 500, REST_MS);
    for (unsigned i = 0; i < taken; ++i)
        allocate_for(&owners[1], "a", "fox");
}

/* The list of such a table, when nothing else has happened to it. */
static struct snapshot *list_for_memory(unsigned taken)
{
    struct snapshot *snapshot;
    fill_for_memory(taken);
    assert_int_equal(table_snapshot(table, &snapshot), 0);
    end();
    return snapshot;
}

static void assert_only(unsigned taken, const struct snapshot *list)
{
    struct snapshot *now;
    assert_int_equal(owners[0].count, 0);
    assert_null(owners[0].first);
    assert_int_equal(owners[1].count, taken);
    assert_int_equal(table_count(table), taken);
    assert_int_equal(table_snapshot(table, &now), 0);
    assert_int_equal(now->size, list->size);
    assert_memory_equal(now->text, list->text, list->size);
    snapshot_unref(now);
}

/* Fails each allocation of memory of one table_allocate(), always in a new table. */
static void assert_failures_change_nothing(unsigned taken, const char *name, const char *bears)
{
    struct snapshot *list = list_for_memory(taken);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct table_entry *entry = NULL;
        fill_for_memory(taken);
        alloc_fail_after(k);
        int r = try_allocate(&owners[0], name, "fox", &entry);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (failed) {
            assert_null(table_find(table, bears, "fox"));
            assert_only(taken, list);
            entry = allocate(name);
        }
        assert_string_equal(entry->name, bears);
        assert_int_equal(entry->port, 500 - taken);
        end();
    }
    assert_true(k >= 2);
    snapshot_unref(list);
}

static void without_memory_a_new_name_gets_no_port_and_nothing_changes(void **state)
{
    (void)state;
    assert_failures_change_nothing(0, "a", "a");
    assert_failures_change_nothing(16, "b", "b"); /* the roster grows at 16 */
}

static void without_memory_a_known_name_gets_no_port_and_nothing_changes(void **state)
{
    (void)state;
    assert_failures_change_nothing(1, "a", "a_1");
    assert_failures_change_nothing(65, "a", "a_65"); /* and here the suffixes */
    assert_failures_change_nothing(256, "a", "a_256");
}

/* 3 is in use and 2 was freed lately when memory is short; both are as before afterwards. */
static void without_memory_a_resting_port_rests_on(void **state)
{
    (void)state;
    for (size_t k = 0;; ++k) {
        begin(1, 3, REST_MS);
        fake.state[3] = TABLE_PORT_IN_USE;
        struct table_entry *freed = allocate("a"), *entry = NULL;
        assert_int_equal(allocate("b")->port, 1);
        now_ms += 4000;
        release(freed);
        now_ms += 500;
        alloc_fail_after(k);
        int r = try_allocate(&owners[1], "c", "fox", &entry);
        if (!alloc_fail_stop()) {
            assert_int_equal(r, 0);
            end();
            return;
        }
        assert_int_equal(r, -ENOMEM);
        fake.state[3] = TABLE_PORT_FREE;
        now_ms += 1000; /* 3 is looked at again, 2 has not rested yet */
        assert_int_equal(allocate("d")->port, 3);
        assert_int_equal(allocate("d")->port, 2);
        end();
    }
}

static void without_memory_there_is_no_snapshot_and_nothing_changes(void **state)
{
    (void)state;
    for (size_t k = 0;; ++k) {
        begin(1, 9, REST_MS);
        allocate("b");
        allocate("a");
        struct snapshot *snapshot = NULL;
        alloc_fail_after(k);
        int r = table_snapshot(table, &snapshot);
        bool failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (!failed)
            snapshot_unref(snapshot);
        assert_listed("OK 2\r\n8 a fox\r\n9 b fox\r\n");
        assert_int_equal(table_count(table), 2);
        end();
        if (!failed) {
            assert_true(k >= 2);
            return;
        }
    }
}

static void without_memory_there_is_no_usage_text_and_nothing_changes(void **state)
{
    (void)state;
    begin(1, 100, REST_MS);
    for (unsigned i = 0; i < 50; ++i)
        allocate("a");
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pa_buf text = PA_BUF_NULL;
        alloc_fail_after(k);
        int r = table_append_usage(table, &text);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pa_buf_deinit(&text);
        assert_int_equal(table_count(table), 50);
    }
    assert_true(k >= 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_table_has_its_ports_and_nobody_in_it),
        cmocka_unit_test(freeing_no_table_is_legal),
        cmocka_unit_test(ports_go_out_from_the_highest_to_the_lowest),
        cmocka_unit_test(ranges_are_joined),
        cmocka_unit_test(a_freed_port_rests_and_goes_out_after_the_others),
        cmocka_unit_test(resting_ports_go_out_when_nothing_else_is_left),
        cmocka_unit_test(without_a_quarantine_the_port_freed_last_is_next),
        cmocka_unit_test(a_strangers_port_is_never_given_out),
        cmocka_unit_test(a_port_with_old_connections_goes_out_last),
        cmocka_unit_test(a_probe_that_fails_is_passed_up_and_changes_nothing),
        cmocka_unit_test(the_first_of_a_name_bears_it_and_the_next_get_1_and_2),
        cmocka_unit_test(names_of_other_users_do_not_collide),
        cmocka_unit_test(names_of_other_owners_do_collide),
        cmocka_unit_test(a_suffix_is_kept_while_its_bearer_lives),
        cmocka_unit_test(a_freed_suffix_is_used_again_lowest_first),
        cmocka_unit_test(the_plain_name_is_used_again_when_its_bearer_has_left),
        cmocka_unit_test(a_real_name_like_a_suffixed_one_is_skipped),
        cmocka_unit_test(a_real_name_that_a_suffixed_one_bears_gets_a_suffix_itself),
        cmocka_unit_test(several_real_names_are_all_skipped),
        cmocka_unit_test(names_that_look_like_other_numbers_are_not_skipped),
        cmocka_unit_test(names_are_copied),
        cmocka_unit_test(an_allocation_is_found_by_the_name_it_bears),
        cmocka_unit_test(an_owner_knows_its_ports_the_latest_first),
        cmocka_unit_test(the_list_is_ordered_by_user_and_name_as_a_list),
        cmocka_unit_test(a_user_who_begins_like_another_is_ordered_by_the_whole_list),
        cmocka_unit_test(ports_of_one_user_and_name_are_ordered_as_strings),
        cmocka_unit_test(a_suffix_does_not_change_the_place_in_the_list),
        cmocka_unit_test(names_are_quoted_as_list_elements),
        cmocka_unit_test(a_snapshot_is_shared_until_something_changes),
        cmocka_unit_test(a_refused_allocation_leaves_the_snapshot_shared),
        cmocka_unit_test(the_usage_text_has_plain_names_and_ports_ordered_as_strings),
        cmocka_unit_test(the_usage_text_is_appended),
        cmocka_unit_test(sixty_thousand_ports_work_the_same),
        cmocka_unit_test(without_memory_there_is_no_table),
        cmocka_unit_test(without_memory_a_new_name_gets_no_port_and_nothing_changes),
        cmocka_unit_test(without_memory_a_known_name_gets_no_port_and_nothing_changes),
        cmocka_unit_test(without_memory_a_resting_port_rests_on),
        cmocka_unit_test(without_memory_there_is_no_snapshot_and_nothing_changes),
        cmocka_unit_test(without_memory_there_is_no_usage_text_and_nothing_changes),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
