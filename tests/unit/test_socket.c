/* test_socket.c - sockets with deadlines: addresses tried in turn, no resolver waited for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "pa_socket.h"
#include "pa_tcl_compat.h"

enum {
    AMPLE_MS = 30000, /* for what is to succeed */
    SHORT_MS = 40,    /* for what is to time out */
};

static struct pa_failure why;

/* ------------------------------------------------------------- resolver -- */

static sem_t may_answer;

/* In the place of the C library's: the name server of "hanging.test" is dead. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (hints->ai_flags & AI_NUMERICHOST)
        return real(name, service, hints, found);
    if (strcmp(name, "loopback.test") == 0)
        return real("127.0.0.1", service, hints, found);
    if (strcmp(name, "hanging.test") != 0)
        return EAI_NONAME;
    while (sem_wait(&may_answer) < 0)
        continue;
    return EAI_AGAIN;
}

/* -------------------------------------------------------------- fixture -- */

static int descriptors_before;

static int set_up(void **state)
{
    (void)state;
    descriptors_before = count_descriptors();
    return sem_init(&may_answer, 0, 0);
}

static int tear_down(void **state)
{
    (void)state;
    return count_descriptors() == descriptors_before ? 0 : -1;
}

/* A listener on a numeric address, port 0; -1: there is no such address here. */
static int listen_on(const char *address, int backlog, int *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *info = NULL;
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof own;
    assert_int_equal(getaddrinfo(address, NULL, &hints, &info), 0);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = bind(fd, info->ai_addr, info->ai_addrlen);
    freeaddrinfo(info);
    if (r < 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    *port = ntohs(((struct sockaddr_in *)&own)->sin_port); /* where IPv6 has it too */
    return fd;
}

static int connect_to(const char *host, int port, int timeout_ms, int *fd)
{
    struct pa_deadline deadline = pa_deadline_in(timeout_ms);
    return pa_socket_connect(host, port, &deadline, fd, &why);
}

#define assert_says(part) assert_non_null(strstr(why.text, (part)))

/* Two ends of a connection. */
struct pair {
    int client;
    int server;
};

static struct pair make_pair(void)
{
    int port = 0;
    struct pair pair = {-1, -1};
    int listener = listen_on("127.0.0.1", 1, &port);
    assert_int_equal(connect_to("127.0.0.1", port, AMPLE_MS, &pair.client), 0);
    pair.server = accept(listener, NULL, NULL);
    assert_true(pair.server >= 0);
    close(listener);
    return pair;
}

/* -------------------------------------------------------------- connect -- */

static void assert_connects(const char *host, int port)
{
    int fd = -1;
    assert_int_equal(connect_to(host, port, AMPLE_MS, &fd), 0);
    close(fd);
}

static void localhost_is_ipv4_and_ipv6(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; ++i) {
        int port = 0;
        int listener = listen_on(addresses[i], 8, &port);
        if (listener < 0)
            skip();
        assert_connects("localhost", port);
        assert_connects("LocalHost", port);
        assert_connects("", port);
        assert_connects(addresses[i], port);
        close(listener);
    }
}

static void a_name_is_looked_up(void **state)
{
    (void)state;
    int port = 0;
    int listener = listen_on("127.0.0.1", 8, &port);
    assert_connects("loopback.test", port);
    close(listener);
}

static void nobody_there_is_connection_refused(void **state)
{
    (void)state;
    int port = 0;
    int fd = -1;
    close(listen_on("127.0.0.1", 8, &port));
    static const char *const hosts[] = {"127.0.0.1", "localhost", "", "loopback.test"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
        assert_int_equal(connect_to(hosts[i], port, AMPLE_MS, &fd), PA_E_CONNECT);
        assert_string_equal(why.text, "couldn't open socket: connection refused");
    }
    assert_int_equal(fd, -1);
}

static void a_connection_that_nobody_takes_times_out(void **state)
{
    (void)state;
    enum { ENOUGH_TO_FILL = 4 };
    int port = 0;
    int fds[ENOUGH_TO_FILL];
    int r = 0;
    int made = 0;
    int listener = listen_on("127.0.0.1", 0, &port);
    while (made < ENOUGH_TO_FILL &&
           (r = connect_to("127.0.0.1", port, SHORT_MS, &fds[made])) == 0)
        ++made;
    assert_int_equal(r, PA_E_TIMEOUT);
    assert_says("127.0.0.1");
    assert_says("a connection");
    assert_says("40 ms");
    while (made > 0)
        close(fds[--made]);
    close(listener);
}

static void a_port_out_of_range_is_refused(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(connect_to("127.0.0.1", 65536, AMPLE_MS, &fd), PA_E_CONNECT);
    assert_string_equal(why.text, "couldn't open socket: port number too high");
    assert_int_equal(connect_to("127.0.0.1", 0, AMPLE_MS, &fd), PA_E_CONNECT);
    assert_int_equal(connect_to("127.0.0.1", -1, AMPLE_MS, &fd), PA_E_CONNECT);
}

static void a_socket_is_non_blocking_and_without_delay_and_closed_on_exec(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    int on = 0;
    socklen_t size = sizeof on;
    assert_true(fcntl(pair.client, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(pair.client, F_GETFL) & O_NONBLOCK);
    getsockopt(pair.client, IPPROTO_TCP, TCP_NODELAY, &on, &size);
    assert_true(on);
    close(pair.client);
    close(pair.server);
}

static void a_socket_never_becomes_a_standard_stream(void **state)
{
    (void)state;
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    close(STDIN_FILENO);
    int port = 0;
    int listener = listen_on("127.0.0.1", 8, &port); /* this one takes its place */
    int moved = fcntl(listener, F_DUPFD_CLOEXEC, 3);
    if (listener == STDIN_FILENO)
        close(listener);
    int fd = -1;
    int r = connect_to("127.0.0.1", port, AMPLE_MS, &fd);
    int taken = fcntl(STDIN_FILENO, F_GETFD);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(moved);
    assert_int_equal(r, 0);
    assert_true(fd > STDERR_FILENO);
    assert_int_equal(taken, -1);
    close(fd);
}

/* -------------------------------------------------------------- look-up -- */

static void an_unknown_host_is_named(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(connect_to("unknown.test", 30000, AMPLE_MS, &fd), PA_E_RESOLVE);
    assert_string_equal(why.text, "couldn't open socket: unknown host \"unknown.test\": "
                                  "Name or service not known");
}

static void a_dead_name_server_holds_no_caller(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(connect_to("hanging.test", 30000, SHORT_MS, &fd), PA_E_TIMEOUT);
    assert_says("hanging.test");
    assert_says("the address");
    /* The next one may find the thread of the first at it still, or have its own. */
    sem_post(&may_answer);
    sem_post(&may_answer);
    assert_int_equal(connect_to("hanging.test", 30000, AMPLE_MS, &fd), PA_E_RESOLVE);
    assert_says("hanging.test");
}

static void reasons_are_worded_as_tcl_words_them(void **state)
{
    (void)state;
    static const int errors[] = {
        EACCES,       EPERM,       EADDRINUSE,   EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF,
        ECONNREFUSED, ECONNRESET,  EHOSTUNREACH, EHOSTDOWN,     EINVAL,       EIO,    EMFILE,
        ENETDOWN,     ENETUNREACH, ENFILE,       ENOBUFS,       ENOMEM,       EPIPE,  ETIMEDOUT,
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; ++i)
        assert_string_equal(pa_socket_reason(errors[i]), Tcl_ErrnoMsg(errors[i]));
}

/* ------------------------------------------------------------- transfer -- */

static void bytes_go_to_and_fro(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    char bytes[8];
    size_t size;
    assert_int_equal(pa_socket_send(pair.client, "ping", 4, &deadline), 0);
    assert_int_equal(recv(pair.server, bytes, 4, MSG_WAITALL), 4);
    assert_int_equal(send(pair.server, "pong", 4, 0), 4);
    assert_int_equal(pa_socket_receive(pair.client, bytes, sizeof bytes, &deadline, &size), 0);
    assert_int_equal(size, 4);
    close(pair.server);
    assert_int_equal(pa_socket_receive(pair.client, bytes, sizeof bytes, &deadline, &size), 0);
    assert_int_equal(size, 0);
    close(pair.client);
}

static void nothing_to_receive_times_out(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct pa_deadline deadline = pa_deadline_in(SHORT_MS);
    char bytes[8];
    size_t size;
    for (int i = 0; i < 2; ++i)
        assert_int_equal(pa_socket_receive(pair.client, bytes, 8, &deadline, &size),
                         PA_SOCKET_TIMEOUT);
    close(pair.client);
    close(pair.server);
}

static void a_peer_that_does_not_read_times_out(void **state)
{
    (void)state;
    static const char bytes[256 * 1024];
    struct pair pair = make_pair();
    struct pa_deadline deadline = pa_deadline_in(SHORT_MS);
    int r = 0;
    while (r == 0)
        r = pa_socket_send(pair.client, bytes, sizeof bytes, &deadline);
    assert_int_equal(r, PA_SOCKET_TIMEOUT);
    close(pair.client);
    close(pair.server);
}

static void sending_to_a_closed_peer_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    close(pair.server);
    int r = 0;
    while (r == 0)
        r = pa_socket_send(pair.client, "x", 1, &deadline);
    assert_true(r == -EPIPE || r == -ECONNRESET);
    close(pair.client);
}

static void wait_until_not_quiet(int fd)
{
    while (pa_socket_look(fd) == PA_SOCKET_QUIET)
        sched_yield();
}

static void a_kept_connection_can_be_looked_at(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    assert_int_equal(pa_socket_look(pair.client), PA_SOCKET_QUIET);
    assert_int_equal(send(pair.server, "x", 1, 0), 1);
    wait_until_not_quiet(pair.client);
    assert_int_equal(pa_socket_look(pair.client), PA_SOCKET_READABLE);
    assert_int_equal(pa_socket_look(pair.client), PA_SOCKET_READABLE);
    char byte;
    assert_int_equal(recv(pair.client, &byte, 1, 0), 1);
    assert_int_equal(pa_socket_look(pair.client), PA_SOCKET_QUIET);
    close(pair.server);
    wait_until_not_quiet(pair.client);
    assert_int_equal(pa_socket_look(pair.client), PA_SOCKET_DEAD);
    close(pair.client);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(localhost_is_ipv4_and_ipv6),
        CASE(a_name_is_looked_up),
        CASE(nobody_there_is_connection_refused),
        CASE(a_connection_that_nobody_takes_times_out),
        CASE(a_port_out_of_range_is_refused),
        CASE(a_socket_is_non_blocking_and_without_delay_and_closed_on_exec),
        CASE(a_socket_never_becomes_a_standard_stream),
        CASE(an_unknown_host_is_named),
        CASE(a_dead_name_server_holds_no_caller),
        CASE(reasons_are_worded_as_tcl_words_them),
        CASE(bytes_go_to_and_fro),
        CASE(nothing_to_receive_times_out),
        CASE(a_peer_that_does_not_read_times_out),
        CASE(sending_to_a_closed_peer_is_an_error_and_no_signal),
        CASE(a_kept_connection_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
