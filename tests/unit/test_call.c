/* test_call.c - blocking calls against managers of every kind, good and bad. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "alloc_fail.h"
#include "fake_manager.h"
#include "pa_call.h"

enum {
    AMPLE_MS = 30000, /* for what is to succeed */
    SHORT_MS = 40,    /* for what is to time out */
    MANY = 900,       /* entries */
};

static struct fake_manager manager;
static struct pa_call *call;
static struct pa_listing listing;
static struct pa_failure why;

/* ---------------------------------------------------- managers' manners -- */

static const char *grant(struct fake_manager *m, const char *end)
{
    int n = atomic_fetch_add(&m->granted, 1);
    snprintf(m->reply, sizeof m->reply, "OK %d%s", 31000 - n, end);
    return m->reply;
}

static const char *old_manager(struct fake_manager *m, const char *line)
{
    if (strcmp(line, "LIST") == 0)
        return "OK 2\r\n30002 {two words} ann\r\n30001 app bob\r\n";
    if (strncmp(line, "GIMME ", 6) == 0)
        return grant(m, "\r\n");
    return "!FAIL {Invalid request}\r\n";
}

static const char *rust_manager(struct fake_manager *m, const char *line)
{
    if (strcmp(line, "LIST") == 0)
        return "OK 1\n30001 app bob\n";
    return atomic_load(&m->granted) ? "FAIL - Service name in use\n" : grant(m, "\n");
}

static const char *exhausted_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return "FAIL {no free ports}\r\n";
}

static const char *silent_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return NULL;
}

static const char *half_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return "OK 2\r\n30001 app us";
}

static const char *cut_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return "!OK 2\r\n30001 app us";
}

static const char *web_server(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return "!HTTP/1.1 400 Bad Request\r\n\r\n";
}

static const char *busy_manager(struct fake_manager *m, const char *line)
{
    (void)line;
    size_t size = (size_t)snprintf(m->reply, sizeof m->reply, "OK %d\r\n", MANY);
    for (int i = 0; i < MANY; ++i)
        size += (size_t)snprintf(m->reply + size, sizeof m->reply - size,
                                 "%d application_%d user\r\n", 30001 + i, i);
    return m->reply;
}

/* Grants ports, and answers LIST by silence. */
static const char *deaf_to_list(struct fake_manager *m, const char *line)
{
    return strcmp(line, "LIST") == 0 ? NULL : grant(m, "\r\n");
}

/* Grants ports, and has a newline in a name of the listing. */
static const char *broken_lister(struct fake_manager *m, const char *line)
{
    return strcmp(line, "LIST") == 0 ? "OK 1\r\n30001 {a\nOK 5\nb} user\r\n" : grant(m, "\r\n");
}

/* -------------------------------------------------------------- fixture -- */

static int descriptors_before;

static int set_up(void **state)
{
    (void)state;
    descriptors_before = count_descriptors();
    memset(&manager, 0, sizeof manager);
    listing = (struct pa_listing)PA_LISTING_NULL;
    why = (struct pa_failure){.error = PA_OK};
    return setenv("DAQPORTMGR_PORTFILE", "/nonexistent/listen.port", 1);
}

static int tear_down(void **state)
{
    (void)state;
    return count_descriptors() == descriptors_before ? 0 : -1;
}

static void start(fake_answer *answer)
{
    manager.answer = answer;
    assert_true(fake_manager_start(&manager));
    call = pa_call_new("127.0.0.1", manager.port);
    assert_non_null(call);
}

static void finish(void)
{
    pa_listing_deinit(&listing);
    call = pa_call_free(call);
    fake_manager_stop(&manager);
}

static int list(int timeout_ms)
{
    pa_listing_deinit(&listing);
    int r = pa_call_list(call, timeout_ms, &listing, &why);
    if (r != 0)
        assert_int_equal(listing.count, 0);
    return r;
}

static int allocate(const char *name, int timeout_ms)
{
    uint16_t port = 0;
    int r = pa_call_allocate(call, name, "ann", timeout_ms, &port, &why);
    if (r == 0)
        assert_true(port > 30000);
    return r;
}

#define assert_says(part) assert_non_null(strstr(why.text, (part)))

/* ---------------------------------------------------------- good managers -- */

static void an_old_manager_is_understood(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(listing.count, 2);
    assert_int_equal(pa_listing_find(&listing, "two words", "ann")->port, 30002);
    assert_int_equal(allocate("app", AMPLE_MS), 0);
    assert_int_equal(allocate("app", AMPLE_MS), 0);
    assert_int_equal(list(AMPLE_MS), 0);
    finish();
}

static void a_manager_that_ends_lines_with_lf_is_understood(void **state)
{
    (void)state;
    start(rust_manager);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(pa_listing_find(&listing, "app", "bob")->port, 30001);
    assert_int_equal(allocate("app", AMPLE_MS), 0);
    assert_int_equal(allocate("app", AMPLE_MS), PA_E_REFUSED);
    assert_string_equal(why.text, "FAIL - Service name in use");
    assert_int_equal(pa_call_held(call), 1);
    finish();
}

static void nine_hundred_entries_arrive(void **state)
{
    (void)state;
    start(busy_manager);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(listing.count, MANY);
    assert_int_equal(pa_listing_find(&listing, "application_899", "user")->port, 30900);
    finish();
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void signals_do_not_disturb_a_call(void **state)
{
    (void)state;
    start(old_manager);
    struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
    const struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
    const struct itimerval never = {.it_value.tv_usec = 0};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 500; ++i)
        assert_int_equal(list(AMPLE_MS), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_IGN); /* for good: one may still be on its way */
    finish();
}

/* --------------------------------------------------------- bad managers -- */

static void a_refusal_is_passed_on_word_by_word(void **state)
{
    (void)state;
    start(exhausted_manager);
    assert_int_equal(allocate("app", AMPLE_MS), PA_E_REFUSED);
    assert_string_equal(why.text, "FAIL {no free ports}");
    assert_false(pa_call_is_open(call));
    finish();
}

static void a_silent_manager_times_out(void **state)
{
    (void)state;
    start(silent_manager);
    assert_int_equal(list(SHORT_MS), PA_E_TIMEOUT);
    assert_int_equal(why.error, PA_E_TIMEOUT);
    assert_says("127.0.0.1");
    assert_says("40 ms");
    assert_says("answer");
    assert_int_equal(list(0), PA_E_TIMEOUT);
    assert_int_equal(list(-1), PA_E_TIMEOUT);
    assert_int_equal(allocate("app", SHORT_MS), PA_E_TIMEOUT);
    assert_int_equal(pa_call_held(call), 0);
    assert_false(pa_call_is_open(call));
    finish();
}

static void half_a_reply_and_then_silence_times_out(void **state)
{
    (void)state;
    start(half_manager);
    assert_int_equal(list(SHORT_MS), PA_E_TIMEOUT);
    finish();
}

static void a_manager_that_closes_is_reported(void **state)
{
    (void)state;
    manager.greeting = "!";
    start(old_manager);
    assert_int_equal(list(AMPLE_MS), PA_E_CLOSED);
    assert_says("before its answer");
    finish();
}

static void a_reply_that_is_cut_is_reported(void **state)
{
    (void)state;
    start(cut_manager);
    assert_int_equal(list(AMPLE_MS), PA_E_CLOSED);
    assert_says("within its answer");
    finish();
}

static void what_a_closing_manager_said_is_heard(void **state)
{
    (void)state;
    manager.greeting = "!FAIL {too many connections}\r\n";
    start(old_manager);
    for (int i = 0; i < 100; ++i) {
        assert_int_equal(list(AMPLE_MS), PA_E_REFUSED);
        assert_string_equal(why.text, "FAIL {too many connections}");
    }
    finish();
}

static void another_service_is_told_from_a_manager(void **state)
{
    (void)state;
    start(web_server);
    assert_int_equal(list(AMPLE_MS), PA_E_PROTOCOL);
    assert_says("HTTP/1.1 400 Bad Request");
    finish();
}

static void nobody_there_is_connection_refused(void **state)
{
    (void)state;
    start(old_manager);
    int port = manager.port;
    finish();
    static const char *const hosts[] = {"127.0.0.1", "localhost", "", NULL};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
        call = pa_call_new(hosts[i], port);
        assert_int_equal(list(AMPLE_MS), PA_E_CONNECT);
        assert_string_equal(why.text, "couldn't open socket: connection refused");
        assert_string_equal(pa_call_host(call), "");
        assert_int_equal(pa_call_port(call), 0);
        call = pa_call_free(call);
    }
}

static void port_0_is_the_port_of_the_port_file(void **state)
{
    (void)state;
    char path[] = "/tmp/test_call_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    setenv("DAQPORTMGR_PORTFILE", path, 1);
    start(old_manager);
    call = pa_call_free(call);
    call = pa_call_new("127.0.0.1", 0);
    /* Written only now: the file is read when the call connects. */
    assert_true(dprintf(fd, "%d\n", manager.port) > 0);
    close(fd);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(pa_call_port(call), manager.port);
    unlink(path);
    finish();
}

static void a_name_that_no_manager_may_see_is_not_sent(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(allocate("a\nGIMME b", AMPLE_MS), PA_E_CONTROL_CHARACTER);
    assert_int_equal(allocate("", AMPLE_MS), PA_E_EMPTY_NAME);
    assert_string_equal(pa_error_token(why.error), "REFUSED");
    assert_int_equal(atomic_load(&manager.connections), 0);
    finish();
}

/* ---------------------------------------------------------- connections -- */

static void a_query_leaves_no_connection(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_false(pa_call_is_open(call));
    assert_int_equal(list(AMPLE_MS), 0);
    assert_true(fake_manager_wait_closed(&manager, 2));
    assert_string_equal(pa_call_host(call), "127.0.0.1");
    assert_int_equal(pa_call_port(call), manager.port);
    finish();
}

static void ports_keep_their_connection_for_all_calls(void **state)
{
    (void)state;
    start(old_manager);
    for (size_t i = 1; i <= 3; ++i) {
        assert_int_equal(allocate("app", AMPLE_MS), 0);
        assert_int_equal(pa_call_held(call), i);
        assert_int_equal(list(AMPLE_MS), 0);
    }
    assert_true(pa_call_is_open(call));
    assert_int_equal(atomic_load(&manager.connections), 1);
    assert_int_equal(atomic_load(&manager.requests), 6);
    pa_call_close(call);
    assert_int_equal(pa_call_held(call), 0);
    assert_true(fake_manager_wait_closed(&manager, 1));
    finish();
}

static void an_opened_connection_is_kept_without_ports(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(pa_call_open(call, AMPLE_MS, &why), 0);
    assert_int_equal(pa_call_open(call, AMPLE_MS, &why), 0);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_true(pa_call_is_open(call));
    assert_int_equal(atomic_load(&manager.connections), 1);
    pa_call_close(call);
    assert_false(pa_call_is_open(call));
    assert_true(fake_manager_wait_closed(&manager, 1));
    finish();
}

static void a_forked_child_does_not_disturb_the_connection(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(allocate("app", AMPLE_MS), 0);
    pid_t child = fork();
    if (child == 0) {
        pa_call_free(call);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(atomic_load(&manager.connections), 1);
    finish();
}

static void restart(void)
{
    int port = manager.port;
    fake_answer *answer = manager.answer;
    fake_manager_stop(&manager);
    memset(&manager, 0, sizeof manager);
    manager.port = port;
    manager.answer = answer;
    assert_true(fake_manager_start(&manager));
}

static void ports_that_are_lost_are_reported_once(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(allocate("one", AMPLE_MS), 0);
    assert_int_equal(allocate("two", AMPLE_MS), 0);
    restart();
    assert_int_equal(list(AMPLE_MS), PA_E_PORTS_LOST);
    assert_says("127.0.0.1");
    assert_says("(2)");
    assert_int_equal(pa_call_held(call), 0);
    assert_false(pa_call_is_open(call));
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(allocate("one", AMPLE_MS), 0);
    restart();
    assert_int_equal(allocate("two", AMPLE_MS), PA_E_PORTS_LOST);
    assert_int_equal(allocate("two", AMPLE_MS), 0);
    assert_int_equal(pa_call_held(call), 1);
    finish();
}

static void a_death_during_the_call_loses_ports_too(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(allocate("app", AMPLE_MS), 0);
    manager.answer = cut_manager;
    assert_int_equal(list(AMPLE_MS), PA_E_PORTS_LOST);
    assert_int_equal(list(AMPLE_MS), PA_E_CLOSED);
    finish();
}

static void a_dead_connection_without_ports_is_replaced(void **state)
{
    (void)state;
    start(old_manager);
    assert_int_equal(pa_call_open(call, AMPLE_MS, &why), 0);
    restart();
    assert_int_equal(list(AMPLE_MS), 0);
    restart();
    assert_int_equal(allocate("app", AMPLE_MS), 0);
    assert_true(pa_call_is_open(call));
    finish();
}

static void a_late_answer_does_not_cost_the_ports(void **state)
{
    (void)state;
    start(deaf_to_list);
    assert_int_equal(allocate("one", AMPLE_MS), 0);
    assert_int_equal(list(SHORT_MS), PA_E_TIMEOUT);
    assert_int_equal(pa_call_held(call), 1);
    assert_true(pa_call_is_open(call));
    assert_int_equal(allocate("two", AMPLE_MS), 0);
    assert_int_equal(pa_call_held(call), 2);
    assert_int_equal(atomic_load(&manager.connections), 2);
    restart();
    assert_int_equal(allocate("three", AMPLE_MS), PA_E_PORTS_LOST);
    if (pa_call_held(call) > 0) /* the end of one connection was seen before the other's */
        assert_int_equal(allocate("three", AMPLE_MS), PA_E_PORTS_LOST);
    assert_int_equal(pa_call_held(call), 0);
    finish();
}

static void a_listing_that_breaks_the_protocol_does_not_cost_the_ports(void **state)
{
    (void)state;
    start(broken_lister);
    assert_int_equal(allocate("one", AMPLE_MS), 0);
    assert_int_equal(list(AMPLE_MS), PA_E_PROTOCOL);
    uint16_t port = 0;
    assert_int_equal(pa_call_allocate(call, "two", "ann", AMPLE_MS, &port, &why), 0);
    assert_int_equal(port, 30999); /* not the 5 of the broken name */
    assert_int_equal(pa_call_held(call), 2);
    pa_call_close(call);
    assert_true(fake_manager_wait_closed(&manager, 2));
    finish();
}

static void another_server_leaves_held_ports_where_they_are(void **state)
{
    (void)state;
    static struct fake_manager other;
    memset(&other, 0, sizeof other);
    other.answer = rust_manager;
    assert_true(fake_manager_start(&other));
    start(old_manager);
    assert_int_equal(allocate("one", AMPLE_MS), 0);
    assert_int_equal(pa_call_set_server(call, "127.0.0.1", manager.port, &why), 0);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(atomic_load(&manager.connections), 1);
    assert_int_equal(pa_call_set_server(call, "127.0.0.1", other.port, &why), 0);
    assert_int_equal(list(AMPLE_MS), 0);
    assert_int_equal(listing.count, 1);
    assert_int_equal(pa_call_port(call), other.port);
    assert_int_equal(pa_call_held(call), 1);
    assert_int_equal(allocate("two", AMPLE_MS), 0);
    assert_int_equal(pa_call_held(call), 2);
    finish();
    fake_manager_stop(&other);
}

/* ---------------------------------------------------------------- memory -- */

static void without_memory_a_call_fails_cleanly(void **state)
{
    (void)state;
    start(old_manager);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        alloc_fail_after(k);
        int r = pa_call_list(call, AMPLE_MS, &listing, &why);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_E_CLIENT_MEMORY : 0);
        assert_int_equal(listing.count, failed ? 0 : 2);
        assert_false(pa_call_is_open(call));
    }
    assert_true(k > 3);
    alloc_fail_after(0);
    assert_int_equal(allocate("app", AMPLE_MS), PA_E_CLIENT_MEMORY);
    assert_true(alloc_fail_stop());
    assert_int_equal(pa_call_held(call), 0);
    finish();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_old_manager_is_understood),
        CASE(a_manager_that_ends_lines_with_lf_is_understood),
        CASE(nine_hundred_entries_arrive),
        CASE(signals_do_not_disturb_a_call),
        CASE(a_refusal_is_passed_on_word_by_word),
        CASE(a_silent_manager_times_out),
        CASE(half_a_reply_and_then_silence_times_out),
        CASE(a_manager_that_closes_is_reported),
        CASE(a_reply_that_is_cut_is_reported),
        CASE(what_a_closing_manager_said_is_heard),
        CASE(another_service_is_told_from_a_manager),
        CASE(nobody_there_is_connection_refused),
        CASE(port_0_is_the_port_of_the_port_file),
        CASE(a_name_that_no_manager_may_see_is_not_sent),
        CASE(a_query_leaves_no_connection),
        CASE(ports_keep_their_connection_for_all_calls),
        CASE(an_opened_connection_is_kept_without_ports),
        CASE(a_forked_child_does_not_disturb_the_connection),
        CASE(ports_that_are_lost_are_reported_once),
        CASE(a_death_during_the_call_loses_ports_too),
        CASE(a_dead_connection_without_ports_is_replaced),
        CASE(a_late_answer_does_not_cost_the_ports),
        CASE(a_listing_that_breaks_the_protocol_does_not_cost_the_ports),
        CASE(another_server_leaves_held_ports_where_they_are),
        CASE(without_memory_a_call_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
