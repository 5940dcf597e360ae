/* test_roster.c - the reply to LIST: ordered, rendered once per change, shared. */
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
#include "roster.h"

struct made_item {
    struct roster_item item;
    char key[32];
    char line[32];
};

/* A line whose text is its port and key, so that the order can be read off the reply. */
static void make(struct made_item *made, const char *key, uint16_t port)
{
    snprintf(made->key, sizeof made->key, "%s", key);
    int size = snprintf(made->line, sizeof made->line, "%u %.16s\r\n", (unsigned)port, key);
    made->item = (struct roster_item){
        .key = made->key, .line = made->line, .line_size = (uint32_t)size, .port = port};
}

static void add(struct roster *roster, struct made_item *made, const char *key, uint16_t port)
{
    make(made, key, port);
    assert_int_equal(roster_reserve(roster), 0);
    roster_add(roster, &made->item);
}

static void assert_reply(struct roster *roster, const char *expected)
{
    struct snapshot *snapshot;
    assert_int_equal(roster_snapshot(roster, &snapshot), 0);
    assert_int_equal(snapshot->size, strlen(expected));
    assert_memory_equal(snapshot->text, expected, snapshot->size);
    snapshot_unref(snapshot);
}

static void ports_compare_as_their_decimal_strings_do(void **state)
{
    (void)state;
    static const uint16_t ports[] = {1,     2,     9,     10,    11,    19,    20,    90,
                                     99,    100,   101,   109,   110,   900,   999,   1000,
                                     1001,  1010,  1100,  9000,  9999,  10000, 10001, 10010,
                                     30000, 30001, 31000, 60000, 65530, 65535};
    enum { COUNT = sizeof ports / sizeof *ports };
    for (size_t i = 0; i < COUNT; ++i)
        for (size_t j = 0; j < COUNT; ++j) {
            char a[8], b[8];
            snprintf(a, sizeof a, "%u", (unsigned)ports[i]);
            snprintf(b, sizeof b, "%u", (unsigned)ports[j]);
            int expected = strcmp(a, b);
            int found = roster_compare_ports(ports[i], ports[j]);
            assert_int_equal((found > 0) - (found < 0), (expected > 0) - (expected < 0));
        }
}

static void an_empty_roster_has_no_lines(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    assert_reply(&roster, "OK 0\r\n");
    roster_deinit(&roster);
}

static void lines_are_ordered_by_key_then_by_port_as_a_string(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    struct made_item made[6];
    add(&roster, &made[0], "fox b", 9);
    add(&roster, &made[1], "fox a", 10);
    add(&roster, &made[2], "fox a", 9);
    add(&roster, &made[3], "Fox z", 1);
    add(&roster, &made[4], "{a b} a", 2);
    add(&roster, &made[5], "fox a", 100);
    assert_reply(&roster, "OK 6\r\n1 Fox z\r\n10 fox a\r\n100 fox a\r\n9 fox a\r\n9 fox b\r\n"
                          "2 {a b} a\r\n");
    for (size_t i = 0; i < 6; ++i)
        roster_remove(&roster, &made[i].item);
    roster_deinit(&roster);
}

static void keys_are_compared_as_bytes_without_sign(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    struct made_item made[2];
    add(&roster, &made[0], "\xC3\xA9", 1);
    add(&roster, &made[1], "z", 2);
    assert_reply(&roster, "OK 2\r\n2 z\r\n1 \xC3\xA9\r\n");
    for (size_t i = 0; i < 2; ++i)
        roster_remove(&roster, &made[i].item);
    roster_deinit(&roster);
}

static void what_was_added_since_the_last_reply_is_merged_in(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    struct made_item made[5];
    add(&roster, &made[0], "b", 2);
    add(&roster, &made[1], "d", 4);
    assert_reply(&roster, "OK 2\r\n2 b\r\n4 d\r\n");
    add(&roster, &made[2], "c", 3);
    add(&roster, &made[3], "a", 1);
    add(&roster, &made[4], "e", 5);
    roster_remove(&roster, &made[1].item);
    roster_remove(&roster, &made[3].item);
    assert_reply(&roster, "OK 3\r\n2 b\r\n3 c\r\n5 e\r\n");
    roster_remove(&roster, &made[0].item);
    roster_remove(&roster, &made[4].item);
    assert_reply(&roster, "OK 1\r\n3 c\r\n");
    roster_remove(&roster, &made[2].item);
    assert_reply(&roster, "OK 0\r\n");
    roster_deinit(&roster);
}

static void while_nothing_changes_all_share_one_snapshot(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    struct made_item made;
    struct snapshot *first, *second;
    add(&roster, &made, "a", 1);
    assert_int_equal(roster_snapshot(&roster, &first), 0);
    assert_int_equal(roster_snapshot(&roster, &second), 0);
    assert_ptr_equal(first, second);
    assert_null(snapshot_unref(second));
    assert_int_equal(roster_snapshot(&roster, &second), 0);
    assert_ptr_equal(first, second);
    snapshot_unref(second);
    snapshot_unref(first);
    roster_remove(&roster, &made.item);
    roster_deinit(&roster);
}

static void a_change_leaves_the_snapshots_that_others_hold_as_they_are(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    struct made_item made[2];
    struct snapshot *before, *between, *after;
    add(&roster, &made[0], "a", 1);
    assert_int_equal(roster_snapshot(&roster, &before), 0);
    add(&roster, &made[1], "b", 2);
    assert_int_equal(roster_snapshot(&roster, &between), 0);
    roster_remove(&roster, &made[0].item);
    assert_int_equal(roster_snapshot(&roster, &after), 0);
    roster_remove(&roster, &made[1].item);
    roster_deinit(&roster);
    assert_int_equal(before->size, strlen("OK 1\r\n1 a\r\n"));
    assert_memory_equal(before->text, "OK 1\r\n1 a\r\n", before->size);
    assert_memory_equal(between->text, "OK 2\r\n1 a\r\n2 b\r\n", between->size);
    assert_memory_equal(after->text, "OK 1\r\n2 b\r\n", after->size);
    assert_int_equal(snapshot_ref(before)->references, 2);
    snapshot_unref(before);
    snapshot_unref(before);
    snapshot_unref(between);
    snapshot_unref(after);
}

static void a_snapshot_that_is_none_may_be_given_back(void **state)
{
    (void)state;
    assert_null(snapshot_unref(NULL));
}

static int compare_expected(const void *a, const void *b)
{
    const struct made_item *x = *(struct made_item *const *)a;
    const struct made_item *y = *(struct made_item *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->line, y->line); /* the line begins with the port */
}

static void assert_in_order(struct roster *roster, struct made_item *made, const bool *present,
                            size_t count)
{
    struct made_item **all = test_malloc(count * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < count; ++i)
        if (present[i])
            all[n++] = &made[i];
    qsort(all, n, sizeof *all, compare_expected);
    struct snapshot *snapshot;
    assert_int_equal(roster_snapshot(roster, &snapshot), 0);
    char head[32];
    int head_size = snprintf(head, sizeof head, "OK %zu\r\n", n);
    const char *text = snapshot->text + head_size;
    assert_memory_equal(snapshot->text, head, (size_t)head_size);
    for (size_t i = 0; i < n; ++i) {
        if (memcmp(text, all[i]->line, all[i]->item.line_size) != 0)
            fail_msg("line %zu is wrong", i);
        text += all[i]->item.line_size;
    }
    assert_ptr_equal(text, snapshot->text + snapshot->size);
    snapshot_unref(snapshot);
    test_free(all);
}

static void any_sequence_of_changes_leaves_the_order_right(void **state)
{
    (void)state;
    enum { ITEMS = 200, STEPS = 20000 };
    static const char *const keys[] = {"fox a", "fox b", "ant a", "{x y} a", "fox a_1"};
    struct roster roster = ROSTER_NULL;
    struct made_item *made = test_calloc(ITEMS, sizeof *made);
    bool present[ITEMS] = {false};
    unsigned random = 1;
    for (unsigned step = 0; step < STEPS; ++step) {
        random = random * 1103515245u + 12345u;
        size_t i = random / 65536 % ITEMS;
        if (present[i])
            roster_remove(&roster, &made[i].item);
        else
            add(&roster, &made[i], keys[i % 5], (uint16_t)(1 + 37 * i));
        present[i] = !present[i];
        if (random / 65536 % 7 == 0)
            assert_in_order(&roster, made, present, ITEMS);
    }
    for (size_t i = 0; i < ITEMS; ++i)
        if (present[i])
            roster_remove(&roster, &made[i].item);
    roster_deinit(&roster);
    test_free(made);
}

static void sixty_thousand_lines_work_the_same(void **state)
{
    (void)state;
    enum { ITEMS = 60000 };
    struct roster roster = ROSTER_NULL;
    struct made_item *made = test_calloc(ITEMS, sizeof *made);
    bool *present = test_calloc(ITEMS, sizeof *present);
    for (size_t i = 0; i < ITEMS; ++i) {
        add(&roster, &made[i], i % 3 ? "fox a" : "fox b", (uint16_t)(i + 1));
        present[i] = true;
    }
    assert_in_order(&roster, made, present, ITEMS);
    for (size_t i = 0; i < ITEMS; i += 2) {
        roster_remove(&roster, &made[i].item);
        present[i] = false;
    }
    assert_in_order(&roster, made, present, ITEMS);
    for (size_t i = 1; i < ITEMS; i += 2)
        roster_remove(&roster, &made[i].item);
    roster_deinit(&roster);
    test_free(present);
    test_free(made);
}

static void without_memory_no_room_is_made_and_nothing_changes(void **state)
{
    (void)state;
    struct roster roster = ROSTER_NULL;
    struct made_item made;
    alloc_fail_after(0);
    int r = roster_reserve(&roster);
    assert_true(alloc_fail_stop());
    assert_int_equal(r, -ENOMEM);
    add(&roster, &made, "a", 1);
    assert_reply(&roster, "OK 1\r\n1 a\r\n");
    roster_remove(&roster, &made.item);
    roster_deinit(&roster);
}

static void without_memory_there_is_no_snapshot_and_nothing_changes(void **state)
{
    (void)state;
    for (size_t k = 0;; ++k) {
        struct roster roster = ROSTER_NULL;
        struct made_item made[3];
        add(&roster, &made[0], "b", 2);
        add(&roster, &made[1], "a", 1);
        struct snapshot *snapshot = NULL;
        alloc_fail_after(k);
        int r = roster_snapshot(&roster, &snapshot);
        bool failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (!failed)
            snapshot_unref(snapshot);
        assert_reply(&roster, "OK 2\r\n1 a\r\n2 b\r\n");
        roster_remove(&roster, &made[0].item);
        roster_remove(&roster, &made[1].item);
        roster_deinit(&roster);
        if (!failed) {
            assert_true(k >= 2);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_compare_as_their_decimal_strings_do),
        cmocka_unit_test(an_empty_roster_has_no_lines),
        cmocka_unit_test(lines_are_ordered_by_key_then_by_port_as_a_string),
        cmocka_unit_test(keys_are_compared_as_bytes_without_sign),
        cmocka_unit_test(what_was_added_since_the_last_reply_is_merged_in),
        cmocka_unit_test(while_nothing_changes_all_share_one_snapshot),
        cmocka_unit_test(a_change_leaves_the_snapshots_that_others_hold_as_they_are),
        cmocka_unit_test(a_snapshot_that_is_none_may_be_given_back),
        cmocka_unit_test(any_sequence_of_changes_leaves_the_order_right),
        cmocka_unit_test(sixty_thousand_lines_work_the_same),
        cmocka_unit_test(without_memory_no_room_is_made_and_nothing_changes),
        cmocka_unit_test(without_memory_there_is_no_snapshot_and_nothing_changes),
    };
    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
