/* test_names.c - login names: remembered for a while, looked up, and none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "names.h"

/* ------------------------------------------------------------------ memory -- */

static struct names names;

static int setup(void **state)
{
    (void)state;
    names_init(&names);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_deinit(&names);
    return 0;
}

static void keep(uid_t uid, const char *name, uint64_t now_ms)
{
    assert_int_equal(names_keep(&names, uid, name, now_ms), 0);
}

static void assert_name(uid_t uid, uint64_t now_ms, const char *wanted)
{
    const char *name = names_find(&names, uid, now_ms);
    assert_non_null(name);
    assert_string_equal(name, wanted);
}

static void a_name_is_remembered(void **state)
{
    (void)state;
    assert_null(names_find(&names, 1000, 5));
    keep(1000, "fox", 5);
    keep(1000 + NAMES_BUCKETS, "owl", 5);
    assert_name(1000, 5, "fox");
    assert_name(1000 + NAMES_BUCKETS, 5, "owl");
    assert_null(names_find(&names, 1001, 5));
    keep((uid_t)-2, "", 5);
    assert_name((uid_t)-2, 5, "");
}

static void a_name_is_remembered_for_ten_minutes(void **state)
{
    (void)state;
    keep(1000, "fox", 7);
    assert_name(1000, 7 + 600000, "fox");
    assert_null(names_find(&names, 1000, 7 + 600001));
}

static void a_new_name_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    keep(1000, "fox", 1);
    keep(1000, "a much longer name", 400000);
    assert_int_equal(names.count, 1);
    assert_name(1000, 900000, "a much longer name");
}

static void old_names_make_room(void **state)
{
    (void)state;
    keep(1, "a", 0);
    keep(2, "b", 1);
    keep(3, "c", 600001);
    assert_int_equal(names.count, 2);
    assert_null(names_find(&names, 1, 600001));
    assert_name(2, 600001, "b");
}

static void of_too_many_the_oldest_is_forgotten(void **state)
{
    (void)state;
    char name[16];
    for (unsigned uid = 0; uid < NAMES_MAX; ++uid) {
        snprintf(name, sizeof name, "u%u", uid);
        keep(uid, name, uid);
    }
    assert_int_equal(names.count, NAMES_MAX);
    keep(0, "again", NAMES_MAX); /* so 1 is the oldest */
    keep(5000, "new", NAMES_MAX);
    assert_int_equal(names.count, NAMES_MAX);
    assert_null(names_find(&names, 1, NAMES_MAX));
    assert_name(0, NAMES_MAX, "again");
    assert_name(2, NAMES_MAX, "u2");
    assert_name(5000, NAMES_MAX, "new");
}

static void without_memory_others_stay(void **state)
{
    (void)state;
    keep(1000, "fox", 0);
    keep(1001, "owl", 0);
    alloc_fail_after(0);
    int r = names_keep(&names, 1001, "elk", 1);
    assert_true(alloc_fail_stop());
    assert_int_equal(r, -ENOMEM);
    assert_name(1000, 1, "fox");
    assert_null(names_find(&names, 1001, 1));
    keep(1001, "elk", 1);
    assert_name(1001, 1, "elk");
}

/* ------------------------------------------------------------- name service -- */

/* What the name service says. */
static const char *said_name;
static int said_error;
static int interruptions;

/* In the place of the C library's, within this program. */
int getpwuid_r(uid_t uid, struct passwd *entry, char *strings, size_t size,
               struct passwd **found)
{
    (void)uid;
    *found = NULL;
    if (interruptions > 0) {
        --interruptions;
        return EINTR;
    }
    if (said_error)
        return said_error;
    if (strlen(said_name) >= size)
        return ERANGE;
    *entry = (struct passwd){.pw_name = strcpy(strings, said_name)};
    *found = entry;
    return 0;
}

static void assert_resolved(const char *said, int error, const char *wanted, int result)
{
    char name[NAMES_NAME_BYTES];
    memset(name, 0x55, sizeof name);
    said_name = said;
    said_error = error;
    assert_int_equal(names_resolve(54321, name), result);
    assert_string_equal(name, wanted);
}

static void a_user_has_a_login_name(void **state)
{
    (void)state;
    assert_resolved("fox", 0, "fox", 0);
    assert_resolved("J\xc3\xb6rg", 0, "J\xc3\xb6rg", 0);
    assert_resolved("two words", 0, "two words", 0);
    interruptions = 3;
    assert_resolved("fox", 0, "fox", 0);
}

static void what_cannot_be_shown_is_no_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "a\nb",     "\x1b[31m",      "a\x7f",
                                      "a\xc2\x85", "\xff\xfe", "a\xed\xa0\x80", "caf\xe9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        assert_resolved(bad[i], 0, "uid:54321", 0);
}

static void a_name_may_have_255_bytes(void **state)
{
    (void)state;
    char name[NAMES_NAME_BYTES + 1];
    memset(name, 'n', sizeof name);
    name[NAMES_NAME_BYTES] = '\0';
    assert_resolved(name, 0, "uid:54321", 0);
    name[NAMES_NAME_BYTES - 1] = '\0';
    assert_resolved(name, 0, name, 0);
    static char entry[20000];
    memset(entry, 'n', sizeof entry - 1);
    assert_resolved(entry, 0, "uid:54321", 0);
}

static void an_unknown_user_is_a_number(void **state)
{
    (void)state;
    static const int errors[] = {ENOENT, ESRCH, EBADF, EPERM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; ++i)
        assert_resolved("", errors[i], "uid:54321", 0);
    char name[NAMES_NAME_BYTES];
    said_error = ENOENT;
    names_resolve((uid_t)-2, name);
    assert_string_equal(name, "uid:4294967294");
}

static void a_name_service_that_fails_is_told(void **state)
{
    (void)state;
    assert_resolved("", EIO, "uid:54321", -EIO);
    assert_resolved("", EMFILE, "uid:54321", -EMFILE);
}

int main(void)
{
#define MEMORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        MEMORY(a_name_is_remembered),
        MEMORY(a_name_is_remembered_for_ten_minutes),
        MEMORY(a_new_name_takes_the_place_of_the_old_one),
        MEMORY(old_names_make_room),
        MEMORY(of_too_many_the_oldest_is_forgotten),
        MEMORY(without_memory_others_stay),
        cmocka_unit_test(a_user_has_a_login_name),
        cmocka_unit_test(what_cannot_be_shown_is_no_name),
        cmocka_unit_test(a_name_may_have_255_bytes),
        cmocka_unit_test(an_unknown_user_is_a_number),
        cmocka_unit_test(a_name_service_that_fails_is_told),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
