/* test_task.c - errands to a port manager that never block. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "manager_fixture.h"
#include "pa_task.h"

enum {
    AMPLE_MS = 30000, /* for what is to succeed */
    SHORT_MS = 30,    /* for what is to time out */
};

static struct pa_task task;
static struct pa_errand errand;
static struct pa_failure why;
static struct pa_keys keys;

/* ------------------------------------------------------------- resolver -- */

static sem_t may_answer;

/* In the place of the C library's: "hanging.test" waits until the test says so. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (hints->ai_flags & AI_NUMERICHOST)
        return real(name, service, hints, found);
    while (strcmp(name, "hanging.test") == 0 && sem_wait(&may_answer) < 0)
        continue;
    return strcmp(name, "nowhere.test") == 0 ? EAI_NONAME
                                             : real("127.0.0.1", service, hints, found);
}

/* ---------------------------------------------------- managers' manners -- */

static const char *old_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    if (strcmp(line, "LIST") == 0)
        return "OK 2\r\n30002 other ann\r\n30001 app ann\r\n";
    return begins(line, "GIMME ") ? "OK 30001\r\n" : "!FAIL {Invalid request HELLO}\r\n";
}

static const char *new_manager(struct fake_manager *m, const char *line)
{
    if (begins(line, "HELLO 2 "))
        return "OK 2 {wait count unique attributes find hold}\r\n";
    if (begins(line, "ALLOCATE"))
        return "OK 30005 -name app_1 -user ann -held 1\r\n";
    if (begins(line, "PING"))
        return "OK\r\n";
    if (begins(line, "RELEASE 1"))
        return "FAIL NOTOWNER {port 1 belongs to bob}\r\n";
    if (begins(line, "FIND"))
        return "OK 1\r\n30001 app ann {k v}\r\n";
    return begins(line, "LISTEN") ? ">OK 30006 -name a -user u -held 1\r\n"
                                  : old_manager(m, line);
}

static const char *holds_nothing(struct fake_manager *m, const char *line)
{
    if (strstr(line, "-hold 1"))
        return "FAIL NOHOLD {the port manager holds no ports}\r\n";
    return new_manager(m, line);
}

/* -------------------------------------------------------------- fixture -- */

static int set_up(void **state)
{
    (void)state;
    keys = (struct pa_keys)PA_KEYS_INIT;
    why = (struct pa_failure){.error = PA_OK};
    sem_init(&may_answer, 0, 0);
    return manager_fixture_begin(3);
}

static int tear_down(void **state)
{
    (void)state;
    return manager_fixture_end();
}

static void begin(const char *name, int port)
{
    errand = (struct pa_errand){.fd = -1};
    assert_int_equal(pa_task_init(&task, NULL, name, port, &errand, &why), 0);
}

/* Goes on with the task as an event loop would. */
static int go_on(void)
{
    int r;
    while ((r = pa_task_step(&task, &why)) == PA_TASK_WAIT) {
        const struct pa_wait *wait = pa_task_wait(&task);
        assert_true(wait->until.at_ns <= task.deadline.at_ns);
        assert_int_equal(pa_socket_await(wait), 0);
    }
    return r;
}

static int run(int timeout_ms)
{
    int r = pa_task_begin(&task, timeout_ms, &why);
    return r != 0 ? r : go_on();
}

static void end(void)
{
    pa_task_deinit(&task);
    pa_errand_deinit(&errand);
}

static void finish(void)
{
    end();
    fake_manager_stop(&manager);
}

static int requests(void)
{
    return atomic_load(&manager.requests);
}

/* ---------------------------------------------------------------- answers -- */

static void a_listing_comes_without_blocking(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_int_equal(errand.listing.count, 2);
    assert_int_equal(errand.listing.entries[1].port, 30001);
    finish();
}

static void hello_goes_along_with_the_request(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_find(&errand, &keys, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_int_equal(errand.listing.count, 1);
    assert_int_equal(atomic_load(&manager.connections), 1);
    assert_int_equal(requests(), 2);
    assert_true(pa_call_can(task.call, "find"));
    finish();
}

static void an_old_manager_is_asked_in_its_way(void **state)
{
    (void)state;
    manager_fixture_start(old_manager);
    for (int i = 0; i < 2; ++i) {
        begin(host, manager.port);
        keys.name_pattern = "a*";
        assert_int_equal(pa_errand_find(&errand, &keys, &why), 0);
        assert_int_equal(run(AMPLE_MS), 0);
        assert_int_equal(errand.listing.count, 1);
        assert_int_equal(errand.listing.entries[0].port, 30001);
        end();
        /* HELLO and LIST, each on a connection; then it is known */
        assert_int_equal(atomic_load(&manager.connections), 2 + i);
    }
    begin(host, manager.port);
    assert_int_equal(pa_errand_release(&errand, 30001, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_TOO_OLD);
    finish();
}

static void a_refusal_has_its_code(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_release(&errand, 1, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_NOT_OWNER);
    assert_string_equal(why.text, "port 1 belongs to bob");
    finish();
}

static void a_hold_is_done_without_where_there_is_none(void **state)
{
    (void)state;
    fake_answer *const kinds[] = {holds_nothing, old_manager};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        if (i > 0)
            set_up(state);
        manager_fixture_start(kinds[i]);
        begin(host, manager.port);
        assert_int_equal(pa_errand_allocate_held(&errand, "app", &keys, &why), 0);
        assert_int_equal(run(AMPLE_MS), 0);
        const struct pa_buf *line = &errand.ask.line;
        assert_false(i == 0 && memmem(line->data, line->size, "-hold", 5));
        end();
        begin(host, manager.port);
        assert_int_equal(pa_errand_gimme(&errand, "app", "ann", true, &why), 0);
        assert_int_equal(run(AMPLE_MS), 0);
        assert_int_equal(pa_call_held(task.call), 1);
        finish();
    }
}

/* ------------------------------------------------------------- connections -- */

static void ports_go_over_to_a_call(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    struct pa_call *call = pa_call_new(host, manager.port);
    begin(host, manager.port);
    assert_int_equal(pa_errand_gimme(&errand, "app", "ann", true, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_int_equal(errand.grant.port, 30005);
    pa_call_adopt(call, task.call);
    end();
    assert_int_equal(pa_call_held(call), 1);
    assert_int_equal(pa_call_look(call, &why), 0);
    pa_call_forget(call, 30005);
    assert_int_equal(pa_call_held(call), 0);
    assert_true(fake_manager_wait_closed(&manager, 1));
    pa_call_free(call);
    fake_manager_stop(&manager);
}

static void ports_that_nobody_takes_go_with_the_task(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_gimme(&errand, "app", "ann", true, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    end();
    assert_true(fake_manager_wait_closed(&manager, 1));
    fake_manager_stop(&manager);
}

static void a_task_without_a_question_connects(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    struct pa_call *call = pa_call_new(host, manager.port);
    struct pa_call *other = pa_call_new(host, 1);
    assert_int_equal(pa_task_init(&task, NULL, host, manager.port, NULL, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    pa_call_adopt_open(other, task.call);
    assert_false(pa_call_is_open(other));
    pa_call_adopt_open(call, task.call);
    end();
    assert_int_equal(pa_call_ping(call, AMPLE_MS, &why), 0);
    assert_true(pa_call_is_open(call));
    assert_int_equal(atomic_load(&manager.connections), 1);
    pa_call_free(call);
    pa_call_free(other);
    fake_manager_stop(&manager);
}

/* Begins once more, with the call of the task that is over. */
static bool begin_with_spare(const char *name, int port)
{
    struct pa_call *spare = pa_task_spare(&task);
    bool had_one = spare;
    end();
    errand = (struct pa_errand){.fd = -1};
    assert_int_equal(pa_task_init(&task, spare, name, port, &errand, &why), 0);
    return had_one;
}

static void a_connection_serves_one_errand_after_the_other(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    for (int i = 0; i < 3; ++i) {
        assert_int_equal(pa_errand_find(&errand, &keys, &why), 0);
        assert_int_equal(run(AMPLE_MS), 0);
        assert_int_equal(errand.listing.count, 1);
        assert_true(begin_with_spare(host, manager.port));
    }
    assert_int_equal(pa_errand_release(&errand, 1, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_NOT_OWNER);
    assert_true(begin_with_spare(host, manager.port)); /* a refusal is an answer */
    end();
    assert_int_equal(atomic_load(&manager.connections), 1);
    assert_int_equal(requests(), 5); /* HELLO but once */
    finish();
}

static void a_spare_connection_is_of_its_manager_alone(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_true(begin_with_spare(host, 1));
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_CONNECT);
    assert_true(fake_manager_wait_closed(&manager, 1));
    finish();
}

static void a_connection_with_ports_or_out_of_step_is_not_spare(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_gimme(&errand, "app", "ann", true, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_null(pa_task_spare(&task));
    end();
    manager.answer = silent_manager;
    begin(host, manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(SHORT_MS), PA_E_TIMEOUT);
    assert_null(pa_task_spare(&task));
    finish();
}

/* Closes each connection when it is asked for the second time. */
static const char *weary_manager(struct fake_manager *m, const char *line)
{
    int asked = atomic_fetch_add(&m->granted, 1);
    return asked % 2 == 0 ? new_manager(m, line) : "!";
}

static void a_spare_connection_that_is_stale_is_replaced(void **state)
{
    (void)state;
    manager_fixture_start(weary_manager);
    begin(host, manager.port);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(pa_errand_list(&errand, &why), 0);
        assert_int_equal(run(AMPLE_MS), 0);
        assert_int_equal(errand.listing.count, 2);
        assert_int_equal(atomic_load(&manager.connections), 1 + i);
        assert_true(begin_with_spare(host, manager.port));
    }
    int port = manager.port;
    fake_manager_stop(&manager);
    manager = (struct fake_manager){.port = port, .address = host, .answer = weary_manager};
    assert_true(fake_manager_start(&manager));
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_int_equal(requests(), 1); /* what was closed already was not asked */
    finish();
}

static void a_connection_that_is_new_is_not_replaced(void **state)
{
    (void)state;
    manager_fixture_start(weary_manager);
    atomic_store(&manager.granted, 1);
    begin(host, manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_CLOSED);
    assert_int_equal(atomic_load(&manager.connections), 1);
    finish();
}

/* ------------------------------------------------------------- the file system -- */

static char folder[64];
static char socket_path[sizeof folder + 16];
static char port_path[sizeof folder + 16];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_task_XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(port_path, sizeof port_path, "%s/listen.port", folder);
}

static void write_port_file(void)
{
    FILE *file = fopen(port_path, "w");
    assert_non_null(file);
    fprintf(file, "1\n%s\n", socket_path);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(port_path, 0644), 0);
    setenv("DAQPORTMGR_PORTFILE", port_path, 1);
}

static void remove_folder(void)
{
    unlink(socket_path);
    unlink(port_path);
    assert_int_equal(rmdir(folder), 0);
}

static void a_socket_comes_along(void **state)
{
    (void)state;
    make_folder();
    manager.answer = new_manager;
    manager.address = socket_path;
    manager.pass = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fake_manager_start(&manager));
    write_port_file();
    begin("localhost", 0);
    assert_int_equal(pa_errand_listen(&errand, "a", &keys, &why), 0);
    assert_int_equal(run(AMPLE_MS), 0);
    assert_true(errand.fd >= 0);
    assert_int_equal(errand.grant.port, 30006);
    finish();
    close(manager.pass);
    remove_folder();
}

static void a_full_line_in_front_of_a_socket_is_waited_for(void **state)
{
    (void)state;
    make_folder();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    int waiting[8];
    size_t count = 0;
    do {
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    } while (connect(waiting[count++], (struct sockaddr *)&address, sizeof address) == 0);
    write_port_file();
    begin("localhost", 0);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(SHORT_MS), PA_E_TIMEOUT);
    assert_non_null(strstr(why.text, "a connection to"));
    end();

    begin("localhost", 0);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(pa_task_begin(&task, AMPLE_MS, &why), 0);
    assert_int_equal(pa_task_step(&task, &why), PA_TASK_WAIT);
    assert_int_equal(pa_task_wait(&task)->fd, -1);
    close(listener);
    unlink(socket_path);
    assert_int_equal(go_on(), PA_E_CONNECT); /* by TCP then, to port 1 */
    end();
    while (count > 0)
        close(waiting[--count]);
    remove_folder();
}

/* ----------------------------------------------------------------- errors -- */

static void a_silent_manager_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    manager_fixture_start(silent_manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(SHORT_MS), PA_E_TIMEOUT);
    assert_non_null(strstr(why.text, "the answer of"));
    finish();
}

static void the_time_in_line_counts_beyond_the_deadline(void **state)
{
    (void)state;
    manager_fixture_start(silent_manager);
    begin(host, manager.port);
    keys.wait_ms = 20;
    assert_int_equal(pa_errand_allocate(&errand, "app", &keys, &why), 0);
    assert_int_equal(run(SHORT_MS), PA_E_TIMEOUT);
    assert_non_null(strstr(why.text, "after 50 ms"));
    finish();
}

static void no_manager_is_no_connection(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    fake_manager_stop(&manager);
    begin(host, manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_CONNECT);
    end();
    begin(host, 70000);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_CONNECT);
    end();
}

static void a_name_is_looked_up_in_a_thread(void **state)
{
    (void)state;
    snprintf(host, sizeof host, "127.0.0.1");
    manager_fixture_start(new_manager);
    begin("hanging.test", manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(pa_task_begin(&task, AMPLE_MS, &why), 0);
    assert_int_equal(pa_task_step(&task, &why), PA_TASK_WAIT);
    assert_int_equal(pa_task_step(&task, &why), PA_TASK_WAIT);
    sem_post(&may_answer);
    assert_int_equal(go_on(), 0);
    assert_int_equal(errand.listing.count, 2);
    end();
    begin("nowhere.test", manager.port);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(AMPLE_MS), PA_E_RESOLVE);
    finish();
}

static void a_look_up_that_hangs_is_given_up(void **state)
{
    (void)state;
    begin("hanging.test", 1);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(run(SHORT_MS), PA_E_TIMEOUT);
    assert_non_null(strstr(why.text, "the address of"));
    end();
    begin("hanging.test", 1);
    assert_int_equal(pa_errand_list(&errand, &why), 0);
    assert_int_equal(pa_task_begin(&task, AMPLE_MS, &why), 0);
    assert_int_equal(pa_task_step(&task, &why), PA_TASK_WAIT);
    end(); /* in the middle of it */
    sem_post(&may_answer);
    sem_post(&may_answer);
}

static void a_task_may_be_broken_off_at_each_step(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    bool over = false;
    for (int steps = 0; !over; ++steps) {
        begin(host, manager.port);
        assert_int_equal(pa_errand_gimme(&errand, "app", "ann", true, &why), 0);
        assert_int_equal(pa_task_begin(&task, AMPLE_MS, &why), 0);
        for (int i = 0; i < steps && !over; ++i) {
            over = pa_task_step(&task, &why) == 0;
            if (!over)
                pa_socket_await(pa_task_wait(&task));
        }
        end();
    }
    fake_manager_stop(&manager);
}

static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    manager_fixture_start(new_manager);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        errand = (struct pa_errand){.fd = -1};
        alloc_fail_after(k);
        int r = pa_task_init(&task, NULL, host, manager.port, &errand, &why);
        if (r == 0)
            r = pa_errand_gimme(&errand, "app", "ann", true, &why);
        if (r == 0)
            r = run(AMPLE_MS);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_E_CLIENT_MEMORY : 0);
        end();
    }
    assert_true(k > 8);
    fake_manager_stop(&manager);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_listing_comes_without_blocking),
        CASE(hello_goes_along_with_the_request),
        CASE(an_old_manager_is_asked_in_its_way),
        CASE(a_refusal_has_its_code),
        CASE(a_hold_is_done_without_where_there_is_none),
        CASE(ports_go_over_to_a_call),
        CASE(ports_that_nobody_takes_go_with_the_task),
        CASE(a_task_without_a_question_connects),
        CASE(a_connection_serves_one_errand_after_the_other),
        CASE(a_spare_connection_is_of_its_manager_alone),
        CASE(a_connection_with_ports_or_out_of_step_is_not_spare),
        CASE(a_spare_connection_that_is_stale_is_replaced),
        CASE(a_connection_that_is_new_is_not_replaced),
        CASE(a_socket_comes_along),
        CASE(a_full_line_in_front_of_a_socket_is_waited_for),
        CASE(a_silent_manager_is_waited_for_until_the_deadline),
        CASE(the_time_in_line_counts_beyond_the_deadline),
        CASE(no_manager_is_no_connection),
        CASE(a_name_is_looked_up_in_a_thread),
        CASE(a_look_up_that_hangs_is_given_up),
        CASE(a_task_may_be_broken_off_at_each_step),
        CASE(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
