/* test_suffix.c - which suffixes of one name are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "alloc_fail.h"
#include "suffix.h"

static void take(struct suffix_set *set, uint32_t suffix)
{
    assert_int_equal(suffix_reserve(set, suffix), 0);
    suffix_take(set, suffix);
}

static void take_up_to(struct suffix_set *set, uint32_t last)
{
    for (uint32_t suffix = 1; suffix <= last; ++suffix) {
        assert_int_equal(suffix_lowest_above(set, 0), suffix);
        take(set, suffix);
    }
}

static void the_first_suffix_is_1(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    assert_int_equal(suffix_lowest_above(&set, 0), 1);
    assert_int_equal(suffix_lowest_above(&set, 0), 1);
    suffix_deinit(&set);
}

static void suffixes_come_in_ascending_order(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    take_up_to(&set, 1000);
    suffix_deinit(&set);
}

static void a_suffix_given_back_is_the_lowest_again(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    take_up_to(&set, 300);
    suffix_give(&set, 299);
    assert_int_equal(suffix_lowest_above(&set, 0), 299);
    suffix_give(&set, 64);
    assert_int_equal(suffix_lowest_above(&set, 0), 64);
    suffix_give(&set, 65);
    assert_int_equal(suffix_lowest_above(&set, 0), 64);
    take(&set, 64);
    assert_int_equal(suffix_lowest_above(&set, 0), 65);
    take(&set, 65);
    assert_int_equal(suffix_lowest_above(&set, 0), 299);
    take(&set, 299);
    assert_int_equal(suffix_lowest_above(&set, 0), 301);
    suffix_deinit(&set);
}

static void the_lowest_above_a_suffix_skips_what_is_taken(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    take(&set, 2);
    take(&set, 64);
    take(&set, 65);
    assert_int_equal(suffix_lowest_above(&set, 0), 1);
    assert_int_equal(suffix_lowest_above(&set, 1), 3);
    assert_int_equal(suffix_lowest_above(&set, 2), 3);
    assert_int_equal(suffix_lowest_above(&set, 62), 63);
    assert_int_equal(suffix_lowest_above(&set, 63), 66);
    assert_int_equal(suffix_lowest_above(&set, 64), 66);
    assert_int_equal(suffix_lowest_above(&set, 65), 66);
    assert_int_equal(suffix_lowest_above(&set, 128), 129);
    assert_int_equal(suffix_lowest_above(&set, 60000), 60001);
    suffix_deinit(&set);
}

static void words_that_are_full_are_skipped_from_any_suffix_on(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    take_up_to(&set, 128);
    for (uint32_t above = 0; above <= 128; ++above)
        assert_int_equal(suffix_lowest_above(&set, above), 129);
    take(&set, 130);
    assert_int_equal(suffix_lowest_above(&set, 5), 129);
    suffix_give(&set, 70);
    assert_int_equal(suffix_lowest_above(&set, 5), 70);
    assert_int_equal(suffix_lowest_above(&set, 70), 129);
    suffix_deinit(&set);
}

/* Every set of the suffixes around the edges of two words, every question. */
static void it_does_what_a_plain_array_does(void **state)
{
    (void)state;
    enum { LAST = 200 };
    static const uint32_t edge[] = {1, 2, 63, 64, 65, 66, 127, 128, 129, 130};
    enum { EDGES = sizeof edge / sizeof *edge };
    for (unsigned chosen = 0; chosen < 1u << EDGES; ++chosen) {
        struct suffix_set set = SUFFIX_SET_NULL;
        bool taken[LAST + 1] = {false};
        for (unsigned i = 0; i < EDGES; ++i)
            if (chosen >> i & 1) {
                take(&set, edge[i]);
                taken[edge[i]] = true;
            }
        for (uint32_t above = 0; above < LAST - 1; ++above) {
            uint32_t lowest = above + 1;
            while (taken[lowest])
                ++lowest;
            if (suffix_lowest_above(&set, above) != lowest)
                fail_msg("set %x, above %u", chosen, (unsigned)above);
        }
        suffix_deinit(&set);
    }
}

static void without_memory_nothing_is_reserved_and_nothing_changes(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    alloc_fail_after(0);
    int r = suffix_reserve(&set, 1);
    assert_true(alloc_fail_stop());
    assert_int_equal(r, -ENOMEM);
    take_up_to(&set, 64);
    alloc_fail_after(0);
    r = suffix_reserve(&set, 65);
    assert_true(alloc_fail_stop());
    assert_int_equal(r, -ENOMEM);
    assert_int_equal(suffix_lowest_above(&set, 0), 65);
    suffix_give(&set, 7);
    assert_int_equal(suffix_lowest_above(&set, 0), 7);
    suffix_deinit(&set);
}

static void a_set_can_be_emptied_and_used_again(void **state)
{
    (void)state;
    struct suffix_set set = SUFFIX_SET_NULL;
    suffix_deinit(&set);
    take_up_to(&set, 70);
    suffix_deinit(&set);
    take_up_to(&set, 2);
    suffix_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_suffix_is_1),
        cmocka_unit_test(suffixes_come_in_ascending_order),
        cmocka_unit_test(a_suffix_given_back_is_the_lowest_again),
        cmocka_unit_test(the_lowest_above_a_suffix_skips_what_is_taken),
        cmocka_unit_test(words_that_are_full_are_skipped_from_any_suffix_on),
        cmocka_unit_test(it_does_what_a_plain_array_does),
        cmocka_unit_test(without_memory_nothing_is_reserved_and_nothing_changes),
        cmocka_unit_test(a_set_can_be_emptied_and_used_again),
    };
    return cmocka_run_group_tests_name("suffix", tests, NULL, NULL);
}
