/* test_tcp.c - TCP sockets as a server has them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pa_tcp.h"

static struct pa_tcp_name names[PA_TCP_NAMES];
static struct pa_failure why;

/* A non-blocking listener on all addresses, of IPv6 alone if told so. */
static int listen_on_all(int only)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* A pair of sockets by way of a listener. */
static void meet(int *client, int *accepted, struct pa_tcp_name *peer)
{
    int listener = listen_on_all(0);
    assert_int_equal(pa_tcp_names(listener, PA_TCP_OWN, false, names), 2);
    *client = connect_to(names[0].port);
    assert_int_equal(pa_tcp_accept(listener, accepted, peer), 0);
    close(listener);
}

static void a_listener_for_both_families_has_two_names(void **state)
{
    (void)state;
    int fd = listen_on_all(0);
    assert_int_equal(pa_tcp_names(fd, PA_TCP_OWN, true, names), 2);
    assert_string_equal(names[0].address, "0.0.0.0");
    assert_string_equal(names[0].host, "0.0.0.0");
    assert_string_equal(names[1].address, "::");
    assert_int_equal(names[0].port, names[1].port);
    close(fd);
    fd = listen_on_all(1);
    assert_int_equal(pa_tcp_names(fd, PA_TCP_OWN, true, names), 1);
    assert_string_equal(names[0].address, "::");
    close(fd);
}

static void an_ipv4_client_has_an_ipv4_address(void **state)
{
    (void)state;
    struct pa_tcp_name peer;
    int client;
    int accepted;
    meet(&client, &accepted, &peer);
    assert_string_equal(peer.address, "127.0.0.1");
    assert_string_equal(peer.host, "127.0.0.1");
    assert_int_equal(pa_tcp_names(client, PA_TCP_OWN, false, names), 1);
    assert_int_equal(peer.port, names[0].port);
    assert_int_equal(pa_tcp_names(accepted, PA_TCP_PEER, true, names), 1);
    assert_string_equal(names[0].address, "127.0.0.1");
    assert_string_equal(names[0].host, "localhost");
    assert_int_equal(pa_tcp_names(accepted, PA_TCP_OWN, false, names), 1);
    assert_string_equal(names[0].address, "127.0.0.1");
    close(client);
    close(accepted);
}

static void what_is_no_tcp_socket_has_no_name(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pa_tcp_names(pair[0], PA_TCP_OWN, false, names), -EINVAL);
    assert_int_equal(pa_tcp_close(pair[0]), 0);
    assert_int_equal(pa_tcp_close(pair[1]), 0);
    assert_int_equal(pa_tcp_names(pair[0], PA_TCP_OWN, false, names), -EBADF);
}

static void accepting_needs_a_client_and_a_descriptor(void **state)
{
    (void)state;
    struct pa_tcp_name peer;
    struct rlimit limit;
    int accepted;
    if (getenv("PA_VALGRIND"))
        skip(); /* valgrind keeps the limit itself, when the client is accepted already */
    int fd = listen_on_all(0);
    assert_int_equal(pa_tcp_accept(fd, &accepted, &peer), -EAGAIN);
    assert_false(pa_tcp_is_shortage(EAGAIN));
    assert_int_equal(pa_tcp_names(fd, PA_TCP_OWN, false, names), 2);
    int client = connect_to(names[0].port);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(pa_tcp_accept(fd, &accepted, &peer), -EMFILE);
    assert_true(pa_tcp_is_shortage(EMFILE));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(pa_tcp_accept(fd, &accepted, &peer), 0);
    assert_true(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(accepted, F_GETFL) & O_NONBLOCK);
    close(accepted);
    close(client);
    close(fd);
}

static void bytes_go_through_until_the_end(void **state)
{
    (void)state;
    struct pa_tcp_name peer;
    int client;
    int accepted;
    char bytes[8];
    meet(&client, &accepted, &peer);
    assert_int_equal(pa_tcp_set_blocking(accepted, false), 0);
    assert_int_equal(pa_tcp_read(accepted, bytes, sizeof bytes), -EAGAIN);
    assert_int_equal(pa_tcp_set_blocking(accepted, true), 0);
    assert_int_equal(pa_tcp_write(client, "hello", 5), 5);
    assert_int_equal(pa_tcp_shut(client, false), 0);
    assert_int_equal(pa_tcp_read(accepted, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(pa_tcp_read(accepted, bytes, sizeof bytes), 0);
    assert_int_equal(pa_tcp_write(client, "more", 4), -EPIPE);
    assert_int_equal(pa_tcp_take_error(accepted), 0);
    assert_int_equal(pa_tcp_close(client), 0);
    assert_int_equal(pa_tcp_close(accepted), 0);
}

static void the_time_without_acknowledgement_is_changed_for_the_one_before(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(pa_tcp_swap_user_timeout(fd, 1234), 0);
    assert_int_equal(pa_tcp_swap_user_timeout(fd, 0), 1234);
    assert_int_equal(pa_tcp_swap_user_timeout(fd, 0), 0);
    assert_int_equal(pa_tcp_close(fd), 0);
    assert_int_equal(pa_tcp_swap_user_timeout(fd, 0), -EBADF);
}

static void an_error_is_told_once(void **state)
{
    (void)state;
    struct pa_tcp_name peer;
    int client;
    int accepted;
    meet(&client, &accepted, &peer);
    const struct linger reset = {.l_onoff = 1};
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(client);
    struct pollfd wait = {.fd = accepted, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(pa_tcp_take_error(accepted), ECONNRESET);
    assert_int_equal(pa_tcp_take_error(accepted), 0);
    close(accepted);
    assert_int_equal(pa_tcp_take_error(accepted), EBADF);
}

static void an_address_is_found_for_what_has_one(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"127.0.0.2", "127.0.0.2"}, {"::1", "::1"}, {"localhost", "127.0.0.1"}};
    char text[PA_TCP_ADDRESS_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_int_equal(pa_tcp_resolve(cases[i][0], text, sizeof text, &why), 0);
        assert_string_equal(text, cases[i][1]);
    }
    assert_int_equal(pa_tcp_resolve("no.such.host.invalid", text, sizeof text, &why),
                     PA_E_RESOLVE);
    assert_non_null(strstr(why.text, "no.such.host.invalid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_for_both_families_has_two_names),
        cmocka_unit_test(an_ipv4_client_has_an_ipv4_address),
        cmocka_unit_test(what_is_no_tcp_socket_has_no_name),
        cmocka_unit_test(accepting_needs_a_client_and_a_descriptor),
        cmocka_unit_test(bytes_go_through_until_the_end),
        cmocka_unit_test(an_error_is_told_once),
        cmocka_unit_test(the_time_without_acknowledgement_is_changed_for_the_one_before),
        cmocka_unit_test(an_address_is_found_for_what_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
