/* test_usage.c - when the usage file is written, and what is in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "fake_prober.h"
#include "usage.h"

static const struct siphash_key hash_key = {{1, 2}};
static struct fake_prober fake;
static struct table *table;
static struct table_owner owner;
static struct usage usage;
static char directory[64];
static char path[80];

static int setup(void **state)
{
    (void)state;
    const struct table_range range = {98, 102};
    fake_prober_reset(&fake);
    owner = (struct table_owner)TABLE_OWNER_NULL;
    strcpy(directory, "/tmp/test_usage.XXXXXX");
    if (!mkdtemp(directory) || table_new(&table, &range, 1, 0, &hash_key) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/ports.txt", directory);
    usage_init(&usage, path, table);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (owner.first)
        table_release(table, owner.first, 0);
    usage_deinit(&usage);
    table = table_free(table);
    unlink(path);
    return rmdir(directory);
}

static void allocate(const char *name, const char *user)
{
    const struct table_prober prober = fake_prober_of(&fake);
    const struct table_request request = {
        .name = name, .user = user, .uid = TABLE_NOBODY, .count = 1};
    struct table_entry *entry;
    assert_int_equal(table_allocate(table, &owner, &request, 0, &prober, &entry), 0);
}

static void assert_content(const char *expected)
{
    char content[256];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t size = read(fd, content, sizeof content - 1);
    close(fd);
    assert_true(size >= 0);
    content[size] = '\0';
    assert_string_equal(content, expected);
}

/* Writes what is due; the write takes `takes_ms`. Returns when the next is due, or -1. */
static int64_t write_now(uint64_t now_ms, uint64_t takes_ms)
{
    const char *news;
    assert_true(usage_begin(&usage, now_ms));
    usage_write(&usage);
    int64_t next = usage_end(&usage, now_ms + takes_ms, &news);
    assert_null(news);
    return next;
}

static void the_file_has_a_line_for_each_port_with_the_plain_name(void **state)
{
    (void)state;
    allocate("b", "fox");
    allocate("b", "fox");
    allocate("two words", "fox");
    allocate("a", "ant");
    assert_true(usage_changed(&usage, 0) >= 0);
    assert_int_equal(write_now(50, 0), -1);
    assert_content("100\ttwo words\tfox\n101\tb\tfox\n102\tb\tfox\n99\ta\tant\n");
}

static void the_file_of_an_empty_table_is_empty(void **state)
{
    (void)state;
    usage_changed(&usage, 0);
    write_now(50, 0);
    assert_content("");
}

static void the_first_change_is_written_after_a_short_while(void **state)
{
    (void)state;
    assert_int_equal(usage_changed(&usage, 1000), USAGE_DELAY_MS);
}

static void further_changes_wait_for_the_same_write(void **state)
{
    (void)state;
    assert_true(usage_changed(&usage, 1000) >= 0);
    assert_int_equal(usage_changed(&usage, 1001), -1);
    assert_int_equal(usage_changed(&usage, 1049), -1);
    assert_int_equal(write_now(1050, 0), -1);
    assert_int_equal(usage_changed(&usage, 1060), USAGE_DELAY_MS);
}

static void without_a_change_nothing_is_written(void **state)
{
    (void)state;
    assert_false(usage_begin(&usage, 0));
    usage_changed(&usage, 0);
    write_now(50, 0);
    assert_false(usage_begin(&usage, 100));
}

static void without_a_path_nothing_is_written(void **state)
{
    (void)state;
    usage_init(&usage, NULL, table);
    assert_int_equal(usage_changed(&usage, 0), -1);
    assert_false(usage_begin(&usage, 100));
}

static void a_change_during_a_write_is_written_after_it(void **state)
{
    (void)state;
    const char *news;
    usage_changed(&usage, 0);
    assert_true(usage_begin(&usage, 50));
    allocate("a", "fox");
    assert_int_equal(usage_changed(&usage, 51), -1);
    assert_false(usage_begin(&usage, 52)); /* one write at a time */
    usage_write(&usage);
    assert_content(""); /* the table as it was */
    assert_int_equal(usage_end(&usage, 50, &news), USAGE_DELAY_MS);
    assert_int_equal(write_now(100, 0), -1);
    assert_content("102\ta\tfox\n");
}

static void a_later_write_replaces_the_file(void **state)
{
    (void)state;
    allocate("a", "fox");
    usage_changed(&usage, 0);
    write_now(50, 0);
    allocate("b", "fox");
    usage_changed(&usage, 60);
    write_now(110, 0);
    assert_content("101\tb\tfox\n102\ta\tfox\n");
    table_release(table, owner.first, 0);
    usage_changed(&usage, 120);
    write_now(170, 0);
    assert_content("102\ta\tfox\n");
}

static void after_a_shortage_of_memory_a_write_can_be_arranged_without_a_change(void **state)
{
    (void)state;
    allocate("a", "fox");
    assert_int_equal(usage_arrange(&usage, 0), -1); /* nothing to write */
    assert_true(usage_changed(&usage, 0) >= 0);
    assert_int_equal(usage_arrange(&usage, 0), -1); /* arranged already */
    alloc_fail_after(0);
    bool begun = usage_begin(&usage, 50);
    assert_true(alloc_fail_stop());
    assert_false(begun);
    assert_int_equal(usage_arrange(&usage, 50), USAGE_DELAY_MS);
    assert_int_equal(write_now(100, 0), -1);
    assert_content("102\ta\tfox\n");
}

static void a_slow_disk_is_left_alone_many_times_as_long(void **state)
{
    (void)state;
    usage_changed(&usage, 0);
    assert_int_equal(write_now(50, 10), -1); /* over at 60 */
    assert_int_equal(usage_changed(&usage, 110), USAGE_BUSY_SHARE * 10 - 50);
}

static void a_disk_that_stalled_is_tried_again_before_long(void **state)
{
    (void)state;
    usage_changed(&usage, 0);
    assert_int_equal(write_now(50, 60000), -1); /* over at 60050 */
    assert_int_equal(usage_changed(&usage, 60100), USAGE_PAUSE_MAX_MS - 50);
    assert_int_equal(write_now(61050, 0), -1);
    assert_int_equal(usage_changed(&usage, 61060), USAGE_DELAY_MS);
}

static void a_pause_that_is_over_delays_nothing(void **state)
{
    (void)state;
    usage_changed(&usage, 0);
    write_now(50, 10);
    assert_int_equal(usage_changed(&usage, 100000), USAGE_DELAY_MS);
}

static void a_failing_disk_is_news_once_and_so_is_its_recovery(void **state)
{
    (void)state;
    const char *news;
    char gone[80];
    snprintf(gone, sizeof gone, "%s/gone/ports.txt", directory);
    usage.path = gone;
    for (int i = 0; i < 3; ++i) {
        usage_changed(&usage, 0);
        assert_true(usage_begin(&usage, 0));
        usage_write(&usage);
        assert_int_equal(usage_end(&usage, 0, &news), -1);
        if (i == 0)
            assert_non_null(strstr(news, gone));
        else
            assert_null(news);
    }
    usage.path = path;
    for (int i = 0; i < 2; ++i) {
        usage_changed(&usage, 0);
        assert_true(usage_begin(&usage, 0));
        usage_write(&usage);
        usage_end(&usage, 0, &news);
        if (i == 0)
            assert_non_null(news);
        else
            assert_null(news);
    }
}

static void after_a_shortage_of_memory_the_next_change_is_written(void **state)
{
    (void)state;
    allocate("a", "fox");
    assert_true(usage_changed(&usage, 0) >= 0);
    alloc_fail_after(0);
    bool begun = usage_begin(&usage, 50);
    assert_true(alloc_fail_stop());
    assert_false(begun);
    assert_true(usage_changed(&usage, 60) >= 0);
    assert_int_equal(write_now(110, 0), -1);
    assert_content("102\ta\tfox\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_has_a_line_for_each_port_with_the_plain_name,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_file_of_an_empty_table_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_change_is_written_after_a_short_while, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(further_changes_wait_for_the_same_write, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_change_nothing_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_path_nothing_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_during_a_write_is_written_after_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_later_write_replaces_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(
            after_a_shortage_of_memory_a_write_can_be_arranged_without_a_change, setup,
            teardown),
        cmocka_unit_test_setup_teardown(a_slow_disk_is_left_alone_many_times_as_long, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_stalled_is_tried_again_before_long, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pause_that_is_over_delays_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_disk_is_news_once_and_so_is_its_recovery,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_shortage_of_memory_the_next_change_is_written,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
