/* test_call_unix.c - the manager's socket in the file system, and sockets that come from it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "alloc_fail.h"
#include "fake_manager.h"
#include "pa_call.h"
#include "pa_unix.h"

enum { AMPLE_MS = 30000, SHORT_MS = 30 };

static struct fake_manager over_tcp;
static struct fake_manager over_unix;
static struct pa_call *call;
static struct pa_failure why;
static struct pa_keys keys;
static struct pa_call_grant grant;

static const char *answer(struct fake_manager *m, const char *line)
{
    (void)m;
    if (strncmp(line, "HELLO", 5) == 0)
        return "OK 2 {listen}\r\n";
    if (strncmp(line, "LISTEN", 6) == 0)
        return strstr(line, "-port") ? "OK 7 -name a -user u -held 1\r\n"
                                     : ">OK 30001 -name a -user u -held 1\r\n";
    if (strncmp(line, "RELEASE", 7) == 0)
        return "OK 7\r\n";
    return strcmp(line, "LIST") == 0 ? ">OK 0\r\n" : ">OK\r\n";
}

static char folder[64];
static char port_path[sizeof folder + 16];
static char socket_path[sizeof folder + 16];
static int descriptors_before;

static void write_port_file(void)
{
    FILE *file = fopen(port_path, "w");
    assert_non_null(file);
    fprintf(file, "%d\n%s\n", over_tcp.port, socket_path);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(port_path, 0644), 0);
}

static int set_up(void **state)
{
    (void)state;
    descriptors_before = count_descriptors();
    snprintf(folder, sizeof folder, "/tmp/test_call_unix_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(port_path, sizeof port_path, "%s/listen.port", folder);
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    setenv("DAQPORTMGR_PORTFILE", port_path, 1);
    memset(&over_tcp, 0, sizeof over_tcp);
    memset(&over_unix, 0, sizeof over_unix);
    over_tcp.answer = over_unix.answer = answer;
    over_unix.address = socket_path;
    over_unix.pass = socket(AF_INET, SOCK_STREAM, 0);
    over_tcp.pass = over_unix.pass;
    keys = (struct pa_keys)PA_KEYS_INIT;
    if (!fake_manager_start(&over_tcp) || !fake_manager_start(&over_unix))
        return -1;
    write_port_file();
    return 0;
}

static void stop_unix(void)
{
    fake_manager_stop(&over_unix);
    close(over_unix.pass);
}

static int tear_down(void **state)
{
    (void)state;
    call = pa_call_free(call);
    fake_manager_stop(&over_tcp);
    if (over_unix.address)
        stop_unix();
    unlink(socket_path);
    unlink(port_path);
    return rmdir(folder) == 0 && count_descriptors() == descriptors_before ? 0 : -1;
}

static void connect_to(const char *host, int port)
{
    call = pa_call_new(host, port);
    assert_non_null(call);
}

static int ping(void)
{
    return pa_call_ping(call, AMPLE_MS, &why);
}

/* --------------------------------------------------------------- the way -- */

static void this_hosts_manager_is_reached_by_its_socket(void **state)
{
    (void)state;
    static const char *const hosts[] = {NULL, "", "localhost", "LocalHost", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
        connect_to(hosts[i], 0);
        assert_false(pa_call_is_unix(call));
        assert_int_equal(ping(), 0);
        assert_true(pa_call_is_unix(call));
        assert_int_equal(pa_call_port(call), over_tcp.port);
        assert_int_equal(atomic_load(&over_tcp.connections), 0);
        call = pa_call_free(call);
    }
}

static void a_given_port_is_reached_by_tcp(void **state)
{
    (void)state;
    connect_to("localhost", over_tcp.port);
    assert_int_equal(ping(), 0);
    assert_false(pa_call_is_unix(call));
    assert_int_equal(atomic_load(&over_unix.connections), 0);
}

static void another_host_is_reached_by_tcp(void **state)
{
    (void)state;
    connect_to("127.0.0.2", 0);
    assert_int_equal(ping(), PA_E_CONNECT); /* the stand-in listens on 127.0.0.1 */
    assert_int_equal(atomic_load(&over_unix.connections), 0);
}

static void where_nobody_listens_tcp_is_tried(void **state)
{
    (void)state;
    stop_unix();
    over_unix.address = NULL;
    connect_to(NULL, 0);
    assert_int_equal(ping(), 0);
    assert_false(pa_call_is_unix(call));
}

static void a_call_without_hello_goes_the_same_way(void **state)
{
    (void)state;
    struct pa_listing listing;
    connect_to(NULL, 0);
    assert_int_equal(pa_call_list(call, AMPLE_MS, &listing, &why), 0);
    pa_listing_deinit(&listing);
    assert_true(pa_call_is_unix(call));
}

/* Listens as another user at `path` until the pipe is closed. The child's pid. */
static pid_t listen_as_stranger(const char *path, int end[2])
{
    enum { STRANGER = 54321 };
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_un own = {.sun_family = AF_UNIX};
        snprintf(own.sun_path, sizeof own.sun_path, "%s", path);
        close(end[1]);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0 && setuid(STRANGER) == 0 &&
            listen(fd, 1) == 0 && write(ready[1], "", 1) == 1)
            while (read(end[0], &byte, 1) > 0)
                continue;
        _exit(0);
    }
    close(ready[1]);
    close(end[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void a_stranger_who_listens_is_not_believed(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int end[2];
    int fd = -1;
    stop_unix();
    over_unix.address = NULL;
    unlink(socket_path);
    pid_t child = listen_as_stranger(socket_path, end);
    const struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    assert_int_equal(pa_unix_connect(socket_path, &deadline, &fd), -EPERM);
    connect_to(NULL, 0);
    assert_int_equal(ping(), 0);
    assert_false(pa_call_is_unix(call));
    close(end[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_path_that_no_socket_has_is_refused(void **state)
{
    (void)state;
    char path[200];
    int fd = -1;
    const struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(pa_unix_connect(path, &deadline, &fd), -ENAMETOOLONG);
    assert_int_equal(pa_unix_connect("/nonexistent", &deadline, &fd), -ENOENT);
}

/* A listener whose queue is full: nobody accepts. */
static void a_full_queue_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    char path[sizeof folder + 16];
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    int clients[8];
    size_t count = 0;
    int r = 0;
    snprintf(path, sizeof path, "%s/full", folder);
    snprintf(own.sun_path, sizeof own.sun_path, "%s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(listener, 0), 0);
    const struct pa_deadline deadline = pa_deadline_in(SHORT_MS);
    while (r == 0 && count < 8) {
        r = pa_unix_connect(path, &deadline, &clients[count]);
        count += r == 0;
    }
    assert_int_equal(r, PA_SOCKET_TIMEOUT);
    while (count > 0)
        close(clients[--count]);
    close(listener);
    unlink(path);
}

/* ------------------------------------------------------------- descriptors -- */

static void a_socket_comes_with_the_answer(void **state)
{
    (void)state;
    struct stat sent;
    struct stat received;
    int fd = -1;
    fcntl(over_unix.pass, F_SETFL, O_NONBLOCK);
    connect_to(NULL, 0);
    assert_int_equal(pa_call_listen(call, "app", &keys, AMPLE_MS, &grant, &fd, &why), 0);
    assert_int_equal(grant.port, 30001);
    assert_string_equal(grant.name, "a");
    assert_true(grant.held);
    pa_call_grant_deinit(&grant);
    assert_int_equal(fstat(fd, &received), 0);
    assert_int_equal(fstat(over_unix.pass, &sent), 0);
    assert_int_equal(received.st_ino, sent.st_ino);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(pa_call_held(call), 1);
    assert_true(pa_call_can(call, "listen"));
    close(fd);
    assert_int_equal(pa_call_held(call), 1);
}

static void a_port_without_its_socket_is_released(void **state)
{
    (void)state;
    int fd = -1;
    connect_to(NULL, 0);
    keys.port = 7;
    assert_int_equal(pa_call_listen(call, "app", &keys, AMPLE_MS, &grant, &fd, &why),
                     PA_E_NO_SOCKET);
    assert_non_null(strstr(why.text, "the manager sent none"));
    assert_int_equal(fd, -1);
    assert_int_equal(pa_call_held(call), 0);
    assert_int_equal(atomic_load(&over_unix.requests), 3); /* HELLO, LISTEN, RELEASE */
}

static void without_a_free_descriptor_the_port_is_released(void **state)
{
    (void)state;
    struct rlimit before;
    int fd = -1;
    int held[64];
    size_t count = 0;
    if (getenv("PA_VALGRIND"))
        skip(); /* valgrind keeps the limit itself, when the descriptor is there already */
    connect_to(NULL, 0);
    assert_int_equal(pa_call_open(call, AMPLE_MS, &why), 0);
    assert_int_equal(ping(), 0); /* so the manager has accepted */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {32, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 64 && (held[count] = dup(over_unix.pass)) >= 0)
        ++count;
    int r = pa_call_listen(call, "app", &keys, AMPLE_MS, &grant, &fd, &why);
    while (count > 0)
        close(held[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, PA_E_NO_SOCKET);
    assert_non_null(strstr(why.text, "too many open files"));
    assert_int_equal(pa_call_held(call), 0);
}

static void descriptors_that_nobody_asked_for_are_closed(void **state)
{
    (void)state;
    connect_to(NULL, 0);
    assert_int_equal(pa_call_open(call, AMPLE_MS, &why), 0);
    for (int i = 0; i < 3; ++i)
        assert_int_equal(ping(), 0);
    /* tear_down counts the descriptors */
}

static void without_memory_no_descriptor_is_left(void **state)
{
    (void)state;
    size_t k = 0;
    connect_to(NULL, 0);
    for (bool failed = true; failed; ++k) {
        int fd = -1;
        alloc_fail_after(k);
        int r = pa_call_listen(call, "app", &keys, AMPLE_MS, &grant, &fd, &why);
        failed = alloc_fail_stop();
        if (r == 0) {
            pa_call_grant_deinit(&grant);
            close(fd);
        } else {
            assert_int_equal(r, PA_E_CLIENT_MEMORY);
            assert_int_equal(pa_call_held(call), 0);
        }
    }
    assert_true(k > 8);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(this_hosts_manager_is_reached_by_its_socket),
        CASE(a_given_port_is_reached_by_tcp),
        CASE(another_host_is_reached_by_tcp),
        CASE(where_nobody_listens_tcp_is_tried),
        CASE(a_call_without_hello_goes_the_same_way),
        CASE(a_stranger_who_listens_is_not_believed),
        CASE(a_path_that_no_socket_has_is_refused),
        CASE(a_full_queue_is_waited_for_until_the_deadline),
        CASE(a_socket_comes_with_the_answer),
        CASE(a_port_without_its_socket_is_released),
        CASE(without_a_free_descriptor_the_port_is_released),
        CASE(descriptors_that_nobody_asked_for_are_closed),
        CASE(without_memory_no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
