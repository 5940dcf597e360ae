/* test_portserver.c - clients of portpicker, on a loop of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "child.h"
#include "conns.h"
#include "grant.h"
#include "portserver.h"
#include "take_port.h"
#include "unix_listener.h"

enum {
    PORTS = 8,
    ANSWER_BYTES = 64,
    PATIENCE_MS = 30000,
};

static uv_loop_t loop;
static struct conns conns;
static struct portserver portserver;
static struct table *table;
static struct unix_listener listener;
static struct log no_log = LOG_NULL;
static uint16_t low; /* of PORTS in a row that nobody has */
static char name[64];
static size_t descriptors;
static unsigned changes;

static void on_changed(void *context)
{
    (void)context;
    changes += 1;
}

static void begin_with(size_t processes_max, uint32_t user_ports)
{
    static const struct siphash_key key = {{1, 2}};
    const struct table_range range = {low, (uint16_t)(low + PORTS - 1)};
    char error[128];
    changes = 0;
    assert_int_equal(table_new(&table, &range, 1, 0, &key), 0);
    const struct conns_config config = {
        .table = table,
        .line_max_bytes = 4096,
        .unsent_max_bytes = 4096,
        .connections_max = 10,
        .quotas = {{[QUOTA_PORTS] = user_ports}},
        .log = &no_log,
        .changed = on_changed,
    };
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(conns_init(&conns, &loop, &config), 0);
    /* No thread is to ask. */
    assert_int_equal(names_keep(&conns.names, geteuid(), "me", conns_now_ms(&conns)), 0);
    assert_int_equal(unix_listener_open_abstract(&listener, name, error, sizeof error), 0);
    assert_int_equal(
        portserver_start(&portserver, &conns, unix_listener_dup(&listener), processes_max), 0);
}

static void begin(void)
{
    begin_with(PORTS, 0);
}

static void stop(void)
{
    portserver_stop(&portserver);
    conns_stop(&conns);
    uv_run(&loop, UV_RUN_DEFAULT);
    conns_close_runner(&conns);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    portserver_deinit(&portserver);
    conns_deinit(&conns);
    assert_int_equal(table_count(table), 0);
    table = table_free(table);
    unix_listener_close(&listener);
}

static void end(void)
{
    stop();
    assert_int_equal(open_descriptors(), descriptors);
}

/* A row of ports below the ephemeral ones. */
static int setup(void **state)
{
    (void)state;
    low = quiet_port();
    signal(SIGPIPE, SIG_IGN); /* as main() does */
    snprintf(name, sizeof name, "test_portserver-%ld", (long)getpid());
    /* libuv opens some at the first loop and keeps them. */
    uv_loop_init(&loop);
    uv_loop_close(&loop);
    descriptors = open_descriptors();
    return 0;
}

/* ---------------------------------------------------------------- clients -- */

static int call(const char *request)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
    memcpy(address.sun_path + 1, name, strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, (socklen_t)size), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

/* One turn of the loop, which waits a little at most. */
static void turn(void)
{
    struct pollfd wait = {.fd = uv_backend_fd(&loop), .events = POLLIN};
    poll(&wait, 1, 2);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* The whole answer; the call has ended. */
static const char *answer_to(int fd)
{
    static char answer[ANSWER_BYTES];
    size_t size = 0;
    for (int ms = 0; ms < PATIENCE_MS; ++ms) {
        turn();
        ssize_t got = recv(fd, answer + size, sizeof answer - size - 1, MSG_DONTWAIT);
        if (got > 0)
            size += (size_t)got;
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
    }
    close(fd);
    turn(); /* what was closed is freed */
    answer[size] = '\0';
    return answer;
}

/* Asks for a port of the process: 0 if it is refused. */
static uint16_t ask(pid_t pid)
{
    char request[32];
    snprintf(request, sizeof request, "%ld\n", (long)pid);
    const char *answer = answer_to(call(request));
    char *rest = NULL;
    unsigned long port = strtoul(answer, &rest, 10);
    assert_true(*answer == '\0' || strcmp(rest, "\n") == 0);
    assert_true(port == 0 || (port >= low && port - low < PORTS));
    return (uint16_t)port;
}

static void await_tenants(size_t count)
{
    for (int ms = 0; ms < PATIENCE_MS && portserver.tenants.count != count; ++ms)
        turn();
    assert_int_equal(portserver.tenants.count, count);
}

/* ------------------------------------------------------------------ tests -- */

static void a_process_has_its_ports_until_it_ends(void **state)
{
    (void)state;
    begin();
    pid_t child = child_start();
    uint16_t first = ask(child);
    uint16_t second = ask(child);
    assert_true(first > 0 && second > 0 && first != second);
    assert_int_equal(portserver.tenants.count, 1);
    assert_int_equal(portserver.tenants.ports, 2);
    const struct table_entry *entry = table_at(table, first);
    assert_string_equal(entry->user, "me");
    assert_int_equal(entry->uid, geteuid());
    assert_int_equal(changes, 2);
    child_end(child);
    await_tenants(0);
    assert_int_equal(table_count(table), 0);
    assert_int_equal(changes, 4);
    end();
}

static void a_release_by_others_is_heard(void **state)
{
    (void)state;
    begin();
    pid_t child = child_start();
    struct table_entry *first = table_at(table, ask(child));
    struct table_entry *second = table_at(table, ask(child));
    grant_give_back(&conns.world, first);
    turn();
    assert_int_equal(portserver.tenants.count, 1);
    assert_int_equal(portserver.tenants.ports, 1);
    grant_give_back(&conns.world, second);
    await_tenants(0);
    assert_true(ask(child) > 0);
    child_end(child);
    end();
}

static void the_same_number_again_is_another_process(void **state)
{
    (void)state;
    begin();
    struct lifetime first;
    struct lifetime again;
    struct lifetime later;
    struct tenant *tenants[3];
    assert_int_equal(lifetime_open(&first, getpid()), 0);
    assert_int_equal(lifetime_open(&again, getpid()), 0);
    assert_int_equal(lifetime_open(&later, getpid()), 0);
    later.started += 1;
    assert_int_equal(tenants_admit(&portserver.tenants, &first, &tenants[0]), 0);
    assert_int_equal(tenants_admit(&portserver.tenants, &again, &tenants[1]), 0);
    assert_int_equal(tenants_admit(&portserver.tenants, &later, &tenants[2]), 0);
    assert_int_equal(again.fd, -1);
    assert_ptr_equal(tenants[0], tenants[1]);
    assert_ptr_not_equal(tenants[0], tenants[2]);
    tenants_let_go(tenants[0]);
    tenants_let_go(tenants[2]);
    await_tenants(0);
    end();
}

static void only_so_many_processes_have_ports(void **state)
{
    (void)state;
    begin_with(1, 0);
    pid_t child = child_start();
    pid_t other = child_start();
    assert_true(ask(child) > 0);
    assert_int_equal(ask(other), 0);
    assert_true(ask(child) > 0);
    child_end(child);
    await_tenants(0);
    assert_true(ask(other) > 0);
    child_end(other);
    end();
}

static void a_full_pool_leaves_no_tenant(void **state)
{
    (void)state;
    begin();
    pid_t child = child_start();
    for (int i = 0; i < PORTS; ++i)
        assert_true(ask(getpid()) > 0);
    assert_int_equal(ask(child), 0);
    await_tenants(1);
    assert_int_equal(portserver.served, PORTS);
    assert_int_equal(portserver.refused, 1);
    child_end(child);
    end();
}

static void who_goes_before_the_answer_leaves_nothing(void **state)
{
    (void)state;
    begin();
    char request[32];
    snprintf(request, sizeof request, "%ld\n", (long)getpid());
    close(call(request));
    for (int ms = 0; ms < PATIENCE_MS && portserver.refused == 0; ++ms)
        turn();
    assert_int_equal(portserver.refused, 1);
    await_tenants(0);
    assert_int_equal(table_count(table), 0);
    end();
}

static void who_is_silent_goes_when_others_come(void **state)
{
    (void)state;
    begin();
    int silent[PORTSERVER_CALLERS_MAX + 1];
    char byte;
    for (size_t i = 0; i <= PORTSERVER_CALLERS_MAX; ++i) {
        silent[i] = call("");
        turn();
    }
    assert_int_equal(portserver.callers_count, PORTSERVER_CALLERS_MAX);
    assert_int_equal(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(recv(silent[1], &byte, 1, MSG_DONTWAIT), -1);
    /* One that has spoken is not silent, though the loop has not heard it yet. */
    char request[32];
    snprintf(request, sizeof request, "%ld\n", (long)getpid());
    assert_int_equal(write(silent[1], request, strlen(request)), strlen(request));
    assert_true(ask(getpid()) > 0);
    assert_true(atoi(answer_to(silent[1])) >= low);
    close(silent[0]);
    for (size_t i = 2; i <= PORTSERVER_CALLERS_MAX; ++i)
        close(silent[i]);
    end();
}

static void the_end_comes_at_any_time(void **state)
{
    (void)state;
    begin();
    int silent = call("");
    pid_t child = child_start();
    assert_true(ask(child) > 0);
    int unheard = call("2\n");
    stop();
    close(silent);
    close(unheard);
    child_end(child);
    assert_int_equal(open_descriptors(), descriptors);
}

/* Whether the allocation of that number failed. Then there is no port, but for the caller's own
 * memory: that is tried again. */
static bool ask_without_memory(size_t successes)
{
    begin_with(PORTS, 5);
    char request[32];
    snprintf(request, sizeof request, "%ld\n", (long)getpid());
    int fd = call(request);
    alloc_fail_after(successes);
    uint16_t port = (uint16_t)atoi(answer_to(fd));
    bool failed = alloc_fail_stop();
    assert_int_equal(table_count(table), port > 0);
    assert_int_equal(portserver.tenants.ports, port > 0);
    await_tenants(port > 0);
    assert_true(port > 0 || failed);
    assert_int_equal(portserver.served + portserver.refused, 1);
    if (getuid() != 0)
        assert_int_equal(quota_charged(&conns.quota, getuid(), QUOTA_PORTS), port > 0);
    assert_true(ask(getpid()) > 0); /* all is as before */
    end();
    return failed;
}

static void without_memory_there_is_no_port_and_no_trace(void **state)
{
    (void)state;
    size_t k = 0;
    while (ask_without_memory(k))
        ++k;
    assert_true(k >= 5); /* the caller, the tenant, and what the table needs */
}

/* valgrind may not know pidfd_open(2). */
static bool can_follow_processes(void)
{
    struct lifetime self;
    bool can = lifetime_open(&self, getpid()) != -ENOSYS;
    lifetime_close(&self);
    return can;
}

int main(void)
{
    if (!can_follow_processes()) {
        puts("1..1\nok 1 - portserver # SKIP pidfd_open(2) is not there");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_has_its_ports_until_it_ends),
        cmocka_unit_test(a_release_by_others_is_heard),
        cmocka_unit_test(the_same_number_again_is_another_process),
        cmocka_unit_test(only_so_many_processes_have_ports),
        cmocka_unit_test(a_full_pool_leaves_no_tenant),
        cmocka_unit_test(who_goes_before_the_answer_leaves_nothing),
        cmocka_unit_test(who_is_silent_goes_when_others_come),
        cmocka_unit_test(the_end_comes_at_any_time),
        cmocka_unit_test(without_memory_there_is_no_port_and_no_trace),
    };
    return cmocka_run_group_tests_name("portserver", tests, setup, NULL);
}
