/* test_quota.c - charges of users against limits, beside a model that counts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "alloc_fail.h"
#include "quota.h"

static struct quota quota;

static void begin(uint32_t ports, uint32_t connections, uint32_t waiting)
{
    struct quota_limits limits = {{ports, connections, waiting}};
    quota_init(&quota, &limits);
}

/* Nothing may be left, neither charges nor memory. */
static void end(void)
{
    assert_int_equal(quota.accounts_count, 0);
    assert_null(quota.buckets);
    quota_deinit(&quota);
}

static void a_user_may_have_as_much_as_the_limit(void **state)
{
    (void)state;
    begin(3, 0, 0);
    assert_int_equal(quota_limit(&quota, QUOTA_PORTS), 3);
    for (int i = 0; i < 3; ++i)
        assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 1), 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 1), QUOTA_E_FULL);
    assert_int_equal(quota_charged(&quota, 1000, QUOTA_PORTS), 3);
    quota_discharge(&quota, 1000, QUOTA_PORTS, 1);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 1), 0);
    quota_discharge(&quota, 1000, QUOTA_PORTS, 3);
    end();
}

static void several_are_charged_together_or_not_at_all(void **state)
{
    (void)state;
    begin(10, 0, 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 11), QUOTA_E_FULL);
    assert_int_equal(quota.accounts_count, 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 8), 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 3), QUOTA_E_FULL);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, UINT32_MAX), QUOTA_E_FULL);
    assert_int_equal(quota_charged(&quota, 1000, QUOTA_PORTS), 8);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 2), 0);
    quota_discharge(&quota, 1000, QUOTA_PORTS, 10);
    end();
}

static void users_do_not_share(void **state)
{
    (void)state;
    begin(1, 0, 0);
    /* The same bucket, whatever their number. */
    for (uid_t uid = 1; uid < 40; ++uid)
        assert_int_equal(quota_charge(&quota, uid << 20, QUOTA_PORTS, 1), 0);
    for (uid_t uid = 1; uid < 40; ++uid)
        assert_int_equal(quota_charge(&quota, uid << 20, QUOTA_PORTS, 1), QUOTA_E_FULL);
    for (uid_t uid = 1; uid < 40; ++uid)
        quota_discharge(&quota, uid << 20, QUOTA_PORTS, 1);
    end();
}

static void kinds_have_limits_of_their_own(void **state)
{
    (void)state;
    begin(1, 2, 3);
    assert_int_equal(quota_charge(&quota, 7, QUOTA_PORTS, 1), 0);
    assert_int_equal(quota_charge(&quota, 7, QUOTA_CONNECTIONS, 2), 0);
    assert_int_equal(quota_charge(&quota, 7, QUOTA_WAITING, 3), 0);
    for (enum quota_kind kind = 0; kind < QUOTA_KINDS; ++kind) {
        assert_int_equal(quota_charged(&quota, 7, kind), kind + 1);
        assert_int_equal(quota_charge(&quota, 7, kind, 1), QUOTA_E_FULL);
    }
    assert_int_equal(quota.accounts_count, 1);
    for (enum quota_kind kind = 0; kind < QUOTA_KINDS; ++kind)
        quota_discharge(&quota, 7, kind, kind + 1);
    end();
}

static void root_is_exempt(void **state)
{
    (void)state;
    begin(1, 1, 1);
    assert_int_equal(quota_charge(&quota, 0, QUOTA_PORTS, 1000), 0);
    assert_int_equal(quota_charged(&quota, 0, QUOTA_PORTS), 0);
    end();
    quota_discharge(&quota, 0, QUOTA_PORTS, 1000);
    end();
}

static void without_a_limit_nothing_is_counted(void **state)
{
    (void)state;
    begin(0, 5, 0);
    assert_int_equal(quota_limit(&quota, QUOTA_WAITING), 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, UINT32_MAX), 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, UINT32_MAX), 0);
    assert_int_equal(quota_charged(&quota, 1000, QUOTA_PORTS), 0);
    quota_discharge(&quota, 1000, QUOTA_PORTS, UINT32_MAX);
    end();
}

static void nothing_is_charged_for_nothing(void **state)
{
    (void)state;
    begin(1, 1, 1);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_PORTS, 0), 0);
    end();
    quota_discharge(&quota, 1000, QUOTA_PORTS, 0);
    end();
}

static void the_largest_limit_holds(void **state)
{
    (void)state;
    begin(UINT32_MAX, 0, 0);
    assert_int_equal(quota_charge(&quota, 1, QUOTA_PORTS, UINT32_MAX), 0);
    assert_int_equal(quota_charge(&quota, 1, QUOTA_PORTS, 1), QUOTA_E_FULL);
    quota_discharge(&quota, 1, QUOTA_PORTS, UINT32_MAX);
    end();
}

/* Allocation k fails, for k = 0, 1, ...: nothing has changed, and the next try succeeds. */
static void without_memory_nothing_changes(void **state)
{
    (void)state;
    for (uid_t others = 0; others <= 40; others += 20) {
        begin(5, 0, 0);
        for (uid_t uid = 1; uid <= others; ++uid)
            assert_int_equal(quota_charge(&quota, uid, QUOTA_PORTS, 1), 0);
        for (size_t k = 0;; ++k) {
            alloc_fail_after(k);
            int r = quota_charge(&quota, 1000, QUOTA_PORTS, 2);
            if (!alloc_fail_stop()) {
                assert_int_equal(r, 0);
                break;
            }
            assert_int_equal(r, -ENOMEM);
            assert_int_equal(quota_charged(&quota, 1000, QUOTA_PORTS), 0);
            assert_int_equal(quota.accounts_count, others);
            assert_true(others > 0 || !quota.buckets);
        }
        for (uid_t uid = 1; uid <= others; ++uid) {
            assert_int_equal(quota_charged(&quota, uid, QUOTA_PORTS), 1);
            quota_discharge(&quota, uid, QUOTA_PORTS, 1);
        }
        quota_discharge(&quota, 1000, QUOTA_PORTS, 2);
        end();
    }
}

enum { USERS = 300, LIMIT = 6 };

static void a_random_course_agrees_with_a_model(void **state)
{
    (void)state;
    uint32_t model[USERS][QUOTA_KINDS] = {{0}};
    srand(11);
    begin(LIMIT, LIMIT, LIMIT);
    for (int i = 0; i < 200000; ++i) {
        uid_t uid = 1 + (uid_t)rand() % (USERS - 1);
        enum quota_kind kind = (enum quota_kind)(rand() % QUOTA_KINDS);
        uint32_t count = (uint32_t)rand() % 4;
        uint32_t *charged = &model[uid][kind];
        if (rand() % 2) {
            bool fits = *charged + count <= LIMIT;
            assert_int_equal(quota_charge(&quota, uid, kind, count), fits ? 0 : QUOTA_E_FULL);
            *charged += fits ? count : 0;
        } else {
            count = count < *charged ? count : *charged;
            quota_discharge(&quota, uid, kind, count);
            *charged -= count;
        }
        assert_int_equal(quota_charged(&quota, uid, kind), *charged);
    }
    for (uid_t uid = 1; uid < USERS; ++uid)
        for (enum quota_kind kind = 0; kind < QUOTA_KINDS; ++kind) {
            assert_int_equal(quota_charged(&quota, uid, kind), model[uid][kind]);
            quota_discharge(&quota, uid, kind, model[uid][kind]);
        }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_may_have_as_much_as_the_limit),
        cmocka_unit_test(several_are_charged_together_or_not_at_all),
        cmocka_unit_test(users_do_not_share),
        cmocka_unit_test(kinds_have_limits_of_their_own),
        cmocka_unit_test(root_is_exempt),
        cmocka_unit_test(without_a_limit_nothing_is_counted),
        cmocka_unit_test(nothing_is_charged_for_nothing),
        cmocka_unit_test(the_largest_limit_holds),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(a_random_course_agrees_with_a_model),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
