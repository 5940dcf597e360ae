/* test_lookup.c - the addresses of a host, and who waits for the resolver. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "descriptors.h"
#include "pa_lookup.h"

enum {
    MAX_THREADS = 32,
    PATIENCE_MS = 30000,
};

static struct pa_failure why;
static struct pa_addresses addresses;

/* ------------------------------------------------------------- resolver -- */

static sem_t may_answer;
static atomic_int asked;

/* In the place of the C library's: it answers a name that begins with "slow" when it may. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (hints->ai_flags & AI_NUMERICHOST)
        return real(name, service, hints, found);
    atomic_fetch_add(&asked, 1);
    while (strncmp(name, "slow", 4) == 0 && sem_wait(&may_answer) < 0)
        continue;
    return strcmp(name, "unknown.test") == 0 ? EAI_NONAME
                                             : real("127.0.0.9", service, hints, found);
}

static void let_answer(int count)
{
    while (count-- > 0)
        sem_post(&may_answer);
}

/* -------------------------------------------------------------- fixture -- */

static int descriptors_before;

static int set_up(void **state)
{
    (void)state;
    atomic_store(&asked, 0);
    sem_init(&may_answer, 0, 0);
    descriptors_before = count_descriptors();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return count_descriptors() == descriptors_before ? 0 : -1;
}

static struct pa_lookup *begin(const char *name)
{
    struct pa_lookup *lookup = NULL;
    assert_int_equal(pa_lookup_begin(&lookup, name, &addresses, &why), PA_LOOKUP_RUNNING);
    return lookup;
}

static bool has_answer(struct pa_lookup *lookup, int patience_ms)
{
    struct pollfd fd = {.fd = pa_lookup_descriptor(lookup), .events = POLLIN};
    return poll(&fd, 1, patience_ms) == 1;
}

/* The answer, which is an address. */
static void take(struct pa_lookup *lookup)
{
    assert_true(has_answer(lookup, PATIENCE_MS));
    assert_int_equal(pa_lookup_take(lookup, &addresses, &why), 0);
    assert_int_equal(addresses.count, 1);
    assert_int_equal(addresses.list[0].socket.v4.sin_addr.s_addr, inet_addr("127.0.0.9"));
    pa_lookup_free(lookup);
}

static void assert_running(struct pa_lookup *lookup)
{
    assert_false(has_answer(lookup, 0));
    assert_int_equal(pa_lookup_take(lookup, &addresses, &why), PA_LOOKUP_RUNNING);
}

static void await_asked(int count)
{
    for (int ms = 0; ms < PATIENCE_MS && atomic_load(&asked) < count; ++ms)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&asked), count);
}

/* Names that occupy all threads there may be. */
static void occupy(struct pa_lookup *slow[MAX_THREADS])
{
    for (int i = 0; i < MAX_THREADS; ++i) {
        char name[32];
        snprintf(name, sizeof name, "slow%d.test", i);
        slow[i] = begin(name);
    }
    await_asked(MAX_THREADS);
}

static void take_all(struct pa_lookup *slow[MAX_THREADS])
{
    let_answer(MAX_THREADS);
    for (int i = 0; i < MAX_THREADS; ++i)
        take(slow[i]);
}

/* ---------------------------------------------------------------- names -- */

static void numbers_and_localhost_need_no_resolver(void **state)
{
    (void)state;
    struct pa_lookup *lookup = NULL;
    static const char *const hosts[] = {"", "localhost", "LocalHost", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
        assert_int_equal(pa_lookup_begin(&lookup, hosts[i], &addresses, &why), 0);
        assert_int_equal(addresses.count, i < 3 ? 2 : 1);
    }
    assert_int_equal(atomic_load(&asked), 0);
    assert_null(lookup);
}

static void a_name_that_is_unknown_is_named(void **state)
{
    (void)state;
    struct pa_lookup *lookup = begin("unknown.test");
    assert_true(has_answer(lookup, PATIENCE_MS));
    assert_int_equal(pa_lookup_take(lookup, &addresses, &why), PA_E_RESOLVE);
    assert_non_null(strstr(why.text, "unknown host \"unknown.test\""));
    pa_lookup_free(lookup);
}

static void who_ask_for_a_name_at_a_time_have_one_answer(void **state)
{
    (void)state;
    struct pa_lookup *lookups[3 * MAX_THREADS];
    size_t count = sizeof lookups / sizeof *lookups;
    for (size_t i = 0; i < count; ++i)
        lookups[i] = begin("slow.test");
    await_asked(1);
    for (size_t i = 0; i < count; i += 2)
        lookups[i] = pa_lookup_free(lookups[i]);
    assert_running(lookups[1]);
    let_answer(1);
    for (size_t i = 1; i < count; i += 2)
        take(lookups[i]);
    assert_int_equal(atomic_load(&asked), 1);
    let_answer(1);
    take(begin("slow.test")); /* what has been answered is asked anew */
    assert_int_equal(atomic_load(&asked), 2);
}

/* ----------------------------------------------------------------- line -- */

static void names_beyond_the_threads_stand_in_line(void **state)
{
    (void)state;
    struct pa_lookup *slow[MAX_THREADS];
    occupy(slow);
    struct pa_lookup *one = begin("one.test");
    struct pa_lookup *again = begin("one.test");
    struct pa_lookup *two = begin("two.test");
    assert_running(one);
    assert_running(two);
    assert_int_equal(atomic_load(&asked), MAX_THREADS);
    let_answer(1);
    take(one);
    take(again);
    take(two);
    assert_int_equal(atomic_load(&asked), MAX_THREADS + 2);
    take_all(slow);
}

static void who_gives_up_is_not_asked_for(void **state)
{
    (void)state;
    struct pa_lookup *slow[MAX_THREADS];
    occupy(slow);
    struct pa_lookup *one = begin("one.test");
    struct pa_lookup *other = begin("one.test");
    struct pa_lookup *two = begin("two.test");
    pa_lookup_free(two);
    pa_lookup_free(one);
    let_answer(1);
    take(other);
    assert_int_equal(atomic_load(&asked), MAX_THREADS + 1);
    take_all(slow);
}

static void a_thread_that_nobody_waits_for_serves_the_next_of_its_name(void **state)
{
    (void)state;
    pa_lookup_free(begin("slow.test"));
    await_asked(1);
    struct pa_lookup *lookup = begin("slow.test");
    let_answer(1);
    take(lookup);
    assert_int_equal(atomic_load(&asked), 1);
}

/* --------------------------------------------------------- fork, memory -- */

static void a_child_has_a_resolver_of_its_own(void **state)
{
    (void)state;
    struct pa_lookup *slow[MAX_THREADS];
    occupy(slow);
    pid_t pid = fork();
    if (pid == 0) {
        struct pa_lookup *lookup = NULL;
        let_answer(1);
        bool good =
            pa_lookup_begin(&lookup, "slow0.test", &addresses, &why) == PA_LOOKUP_RUNNING &&
            has_answer(lookup, PATIENCE_MS) && pa_lookup_take(lookup, &addresses, &why) == 0 &&
            pa_lookup_take(slow[0], &addresses, &why) == PA_LOOKUP_RUNNING;
        pa_lookup_free(slow[0]);
        pa_lookup_free(lookup);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    take_all(slow);
}

static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; ++k) {
        struct pa_lookup *lookup = NULL;
        alloc_fail_after(k);
        int r = pa_lookup_begin(&lookup, "one.test", &addresses, &why);
        assert_true(alloc_fail_stop());
        assert_int_equal(r, PA_E_CLIENT_MEMORY);
        assert_null(lookup);
    }
    take(begin("one.test"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(numbers_and_localhost_need_no_resolver),
        CASE(a_name_that_is_unknown_is_named),
        CASE(who_ask_for_a_name_at_a_time_have_one_answer),
        CASE(names_beyond_the_threads_stand_in_line),
        CASE(who_gives_up_is_not_asked_for),
        CASE(a_thread_that_nobody_waits_for_serves_the_next_of_its_name),
        CASE(a_child_has_a_resolver_of_its_own),
        CASE(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
