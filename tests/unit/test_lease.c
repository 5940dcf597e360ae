/* test_lease.c - a port that is released with what it belongs to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_manager.h"
#include "pa_lease.h"

enum { AMPLE_MS = 30000, PORT = 30001, LONG_MS = 5000 };

static struct fake_manager manager;
static struct pa_lease lease;
static atomic_int released;
static atomic_int silent;

static const char *answer(struct fake_manager *m, const char *line)
{
    (void)m;
    if (strncmp(line, "HELLO", 5) == 0)
        return "OK 2 {hold}\r\n";
    if (strncmp(line, "ALLOCATE", 8) == 0)
        return "OK 30001 -name a -user u\r\n";
    if (strcmp(line, "RELEASE 30001") != 0)
        return "!FAIL SYNTAX what\r\n";
    ++released;
    return silent ? NULL : "OK 30001\r\n";
}

static int set_up(void **state)
{
    (void)state;
    manager = (struct fake_manager){.answer = answer};
    released = 0;
    silent = 0;
    if (!fake_manager_start(&manager))
        return -1;
    struct pa_call *call = pa_call_new("127.0.0.1", manager.port);
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_call_grant grant;
    struct pa_failure why;
    if (pa_call_allocate_keys(call, "a", &keys, AMPLE_MS, &grant, &why) != 0)
        return -1;
    pa_lease_begin(&lease, call, grant.port);
    pa_call_grant_deinit(&grant);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_manager_stop(&manager);
    return 0;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static void the_end_releases_the_port_on_its_connection(void **state)
{
    (void)state;
    pa_lease_end(&lease);
    assert_null(lease.call);
    assert_int_equal(released, 1);
    assert_int_equal(manager.connections, 1);
    assert_true(fake_manager_wait_closed(&manager, 1));
}

static void a_silent_manager_is_not_waited_for(void **state)
{
    (void)state;
    silent = 1;
    long start_ms = now_ms();
    pa_lease_end(&lease);
    assert_in_range(now_ms() - start_ms, PA_LEASE_END_MS, LONG_MS);
    assert_true(fake_manager_wait_closed(&manager, 1));
}

static void a_new_manager_is_not_asked(void **state)
{
    (void)state;
    int port = manager.port;
    fake_manager_stop(&manager);
    manager = (struct fake_manager){.answer = answer, .port = port};
    assert_true(fake_manager_start(&manager));
    pa_lease_end(&lease);
    assert_int_equal(manager.connections, 0);
    assert_int_equal(released, 0);
}

static void a_forked_child_releases_nothing(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pa_lease_end(&lease);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(released, 0);
    pa_lease_end(&lease);
    assert_int_equal(released, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_end_releases_the_port_on_its_connection),
        CASE(a_silent_manager_is_not_waited_for),
        CASE(a_new_manager_is_not_asked),
        CASE(a_forked_child_releases_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
