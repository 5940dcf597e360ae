/* Processes that were named by their numbers. */

#include "lifetime.h"

#include "child.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_process_lives_until_it_ends(void **state)
{
    (void)state;
    struct lifetime life;
    pid_t pid = child_start();
    assert_int_equal(lifetime_open(&life, pid), 0);
    assert_int_equal(life.pid, pid);
    assert_int_equal(life.uid, geteuid());
    assert_true(life.started > 0);
    assert_true(lifetime_lasts(&life));
    child_end(pid);
    assert_false(lifetime_lasts(&life));
    lifetime_close(&life);
    assert_int_equal(life.fd, -1);
}

static void its_end_wakes_who_polls(void **state)
{
    (void)state;
    struct lifetime life;
    pid_t pid = child_start();
    assert_int_equal(lifetime_open(&life, pid), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    struct pollfd end = {.fd = life.fd, .events = POLLIN};
    assert_int_equal(poll(&end, 1, 10000), 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    lifetime_close(&life);
}

static void two_of_one_process_are_the_same(void **state)
{
    (void)state;
    struct lifetime first;
    struct lifetime second;
    struct lifetime other;
    assert_int_equal(lifetime_open(&first, getpid()), 0);
    assert_int_equal(lifetime_open(&second, getpid()), 0);
    assert_int_equal(lifetime_open(&other, getppid()), 0);
    assert_true(lifetime_is_same(&first, &second));
    assert_false(lifetime_is_same(&first, &other));
    second.started += 1; /* the number, used again */
    assert_false(lifetime_is_same(&first, &second));
    lifetime_close(&first);
    lifetime_close(&second);
    lifetime_close(&other);
}

static void who_has_ended_is_no_process(void **state)
{
    (void)state;
    struct lifetime life;
    pid_t pid = child_start();
    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(lifetime_open(&life, pid), -ESRCH); /* nobody has waited for it yet */
    assert_int_equal(life.fd, -1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(lifetime_open(&life, pid), -ESRCH);
}

static void impossible_numbers_are_errors(void **state)
{
    (void)state;
    struct lifetime life;
    assert_int_equal(lifetime_open(&life, 0), -EINVAL);
    assert_int_equal(lifetime_open(&life, -1), -EINVAL);
    assert_int_equal(lifetime_open(&life, INT32_MAX), -ESRCH);
    lifetime_close(&life);
}

static void the_start_is_found_behind_any_name(void **state)
{
    (void)state;
    uint64_t start = 0;
    assert_true(lifetime_read_start("7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 "
                                    "98765 23 24\n",
                                    &start));
    assert_int_equal(start, 98765);
    assert_true(lifetime_read_start("7 (a) S 1 (b) 2) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
                                    "19 20 21 22222 23\n",
                                    &start));
    assert_int_equal(start, 22222);
}

static void other_texts_have_no_start(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "7 (sh",
        "7 (sh)",
        "7 (sh) S 4 5",
        "7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21",
        "7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 x 23",
    };
    uint64_t start = 5;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i)
        assert_false(lifetime_read_start(texts[i], &start));
    assert_int_equal(start, 5);
}

int main(void)
{
    struct lifetime self;
    /* valgrind may not know pidfd_open(2). */
    if (lifetime_open(&self, getpid()) == -ENOSYS) {
        puts("1..1\nok 1 - lifetime # SKIP pidfd_open(2) is not there");
        return 0;
    }
    lifetime_close(&self);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_lives_until_it_ends),
        cmocka_unit_test(its_end_wakes_who_polls),
        cmocka_unit_test(two_of_one_process_are_the_same),
        cmocka_unit_test(who_has_ended_is_no_process),
        cmocka_unit_test(impossible_numbers_are_errors),
        cmocka_unit_test(the_start_is_found_behind_any_name),
        cmocka_unit_test(other_texts_have_no_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
