/* test_elders.c - which managers are remembered as old ones, and for how long. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pa_elders.h"

/* Each test has hosts of its own: what it adds stays for the others. */

static void a_manager_is_its_host_and_port(void **state)
{
    (void)state;
    assert_false(pa_elders_has("one", 30000, 0));
    pa_elders_add("one", 30000, 0);
    assert_true(pa_elders_has("one", 30000, 0));
    assert_false(pa_elders_has("one", 30001, 0));
    assert_false(pa_elders_has("one ", 30000, 0));
}

static void it_is_forgotten_after_ten_minutes(void **state)
{
    (void)state;
    pa_elders_add("two", 30000, 1000);
    assert_true(pa_elders_has("two", 30000, 1599));
    assert_false(pa_elders_has("two", 30000, 1600));
    pa_elders_add("two", 30000, 1600);
    assert_true(pa_elders_has("two", 30000, 2199));
}

static void the_last_ones_are_kept(void **state)
{
    (void)state;
    for (int port = 1; port <= 2 * PA_ELDERS_MAX; ++port)
        pa_elders_add("three", port, 10000 + port);
    for (int port = 1; port <= 2 * PA_ELDERS_MAX; ++port)
        assert_int_equal(pa_elders_has("three", port, 10100), port > PA_ELDERS_MAX);
}

static void a_host_that_no_name_server_knows_is_not_kept(void **state)
{
    (void)state;
    char host[PA_ELDERS_HOST_BYTES + 1];
    memset(host, 'x', sizeof host - 1);
    host[PA_ELDERS_HOST_BYTES] = '\0';
    pa_elders_add(host, 1, 20000);
    assert_false(pa_elders_has(host, 1, 20000));
    host[PA_ELDERS_HOST_BYTES - 1] = '\0';
    pa_elders_add(host, 1, 20000);
    assert_true(pa_elders_has(host, 1, 20000));
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *add_and_look(void *data)
{
    const char *host = data;
    for (int i = 0; i < ROUNDS; ++i) {
        pa_elders_add(host, 1 + i % 2, 30000 + i);
        if (!pa_elders_has(host, 1 + i % 2, 30000 + i))
            return data;
    }
    return NULL;
}

static void threads_may_share_it(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    char hosts[THREADS][16];
    for (int i = 0; i < THREADS; ++i) {
        snprintf(hosts[i], sizeof hosts[i], "t%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_look, hosts[i]), 0);
    }
    for (int i = 0; i < THREADS; ++i) {
        void *lost = NULL;
        assert_int_equal(pthread_join(threads[i], &lost), 0);
        assert_null(lost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manager_is_its_host_and_port),
        cmocka_unit_test(it_is_forgotten_after_ten_minutes),
        cmocka_unit_test(the_last_ones_are_kept),
        cmocka_unit_test(a_host_that_no_name_server_knows_is_not_kept),
        cmocka_unit_test(threads_may_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
