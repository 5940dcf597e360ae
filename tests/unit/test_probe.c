/* test_probe.c - what the kernel says of a port, for every way it can be taken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"
#include "table.h"
#include "take_port.h"

static int probe(uint16_t port)
{
    struct probe probe = PROBE_NULL;
    int found = probe_port(&probe, port);
    probe_deinit(&probe);
    return found;
}

static void assert_found(const char *host, int how, int expected)
{
    uint16_t port = quiet_port();
    int fd = take_port(host, port, how);
    if (fd < 0) {
        print_message("%s is not there: passed over\n", host);
        return;
    }
    int found = probe(port);
    close(fd);
    if (found != expected)
        fail_msg("%s, taken with %d: found %d, not %d", host, how, found, expected);
    assert_int_equal(probe(port), TABLE_PORT_FREE);
}

static void a_port_that_nobody_has_is_free(void **state)
{
    (void)state;
    assert_int_equal(probe(quiet_port()), TABLE_PORT_FREE);
}

static void a_listener_on_any_address_has_the_port(void **state)
{
    (void)state;
    static const int options[] = {0, REUSE, SHARE, REUSE | SHARE};
    for (size_t i = 0; i < sizeof options / sizeof *options; ++i) {
        assert_found("127.0.0.1", LISTEN | options[i], TABLE_PORT_IN_USE);
        assert_found("127.0.0.77", LISTEN | options[i], TABLE_PORT_IN_USE);
        assert_found("0.0.0.0", LISTEN | options[i], TABLE_PORT_IN_USE);
        assert_found("::1", LISTEN | options[i], TABLE_PORT_IN_USE);
        assert_found("::1", LISTEN | V6ONLY | options[i], TABLE_PORT_IN_USE);
        assert_found("::", LISTEN | V6ONLY | options[i], TABLE_PORT_IN_USE);
        assert_found("::", LISTEN | options[i], TABLE_PORT_IN_USE);
    }
}

static void a_bound_socket_that_shares_with_nobody_has_the_port(void **state)
{
    (void)state;
    assert_found("127.0.0.1", 0, TABLE_PORT_IN_USE);
    assert_found("0.0.0.0", 0, TABLE_PORT_IN_USE);
    assert_found("::1", 0, TABLE_PORT_IN_USE);
    assert_found("::", V6ONLY, TABLE_PORT_IN_USE);
    assert_found("0.0.0.0", SHARE, TABLE_PORT_IN_USE);
}

static void a_bound_socket_that_shares_is_only_in_the_way(void **state)
{
    (void)state;
    assert_found("127.0.0.1", REUSE, TABLE_PORT_LINGERING);
    assert_found("::1", REUSE, TABLE_PORT_LINGERING);
    assert_found("::", REUSE | V6ONLY, TABLE_PORT_LINGERING);
}

/* As portreserve does. */
static void a_port_held_for_a_service_is_in_use(void **state)
{
    (void)state;
    assert_found("0.0.0.0", REUSE, TABLE_PORT_IN_USE);
    assert_found("::", REUSE, TABLE_PORT_IN_USE);
}

/* A connection accepted on `port`; the listener is closed. */
struct pair {
    int server;
    int client;
};

static bool make_pair(struct pair *pair, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    int listener = take_port(host, port, LISTEN | REUSE);
    if (listener < 0) {
        print_message("%s is not there: passed over\n", host);
        return false;
    }
    pair->client = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(pair->client >= 0);
    assert_int_equal(connect(pair->client, (const struct sockaddr *)&address, size), 0);
    pair->server = accept(listener, NULL, NULL);
    assert_true(pair->server >= 0);
    close(listener);
    return true;
}

/* The side that closes first is left in TIME_WAIT, and here that is the server. */
static void assert_lingers_after_a_server(const char *host)
{
    struct pair pair;
    uint16_t port = quiet_port();
    if (!make_pair(&pair, host, port))
        return;
    char byte;
    close(pair.server);
    assert_int_equal(read(pair.client, &byte, 1), 0);
    close(pair.client);
    assert_int_equal(probe(port), TABLE_PORT_LINGERING);
    assert_int_equal(probe(port), TABLE_PORT_LINGERING);
}

static void a_port_held_and_in_time_wait_is_in_use(void **state)
{
    (void)state;
    struct pair pair;
    uint16_t port = quiet_port();
    int hold = take_port("::", port, REUSE);
    if (hold < 0)
        hold = take_port("0.0.0.0", port, REUSE);
    assert_true(hold >= 0);
    assert_true(make_pair(&pair, "127.0.0.1", port));
    char byte;
    close(pair.server);
    assert_int_equal(read(pair.client, &byte, 1), 0);
    close(pair.client);
    assert_int_equal(probe(port), TABLE_PORT_IN_USE);
    close(hold);
    assert_int_equal(probe(port), TABLE_PORT_LINGERING);
}

static void a_port_in_time_wait_lingers(void **state)
{
    (void)state;
    assert_lingers_after_a_server("127.0.0.1");
    assert_lingers_after_a_server("::1");
}

static void a_port_with_a_connection_and_no_listener_lingers(void **state)
{
    (void)state;
    struct pair pair;
    uint16_t port = quiet_port();
    assert_true(make_pair(&pair, "127.0.0.1", port));
    assert_int_equal(probe(port), TABLE_PORT_LINGERING);
    close(pair.client); /* first: no TIME_WAIT is left on the port */
    char byte;
    assert_int_equal(read(pair.server, &byte, 1), 0);
    close(pair.server);
}

static void the_port_of_an_outgoing_connection_is_in_use(void **state)
{
    (void)state;
    struct pair pair;
    assert_true(make_pair(&pair, "127.0.0.1", quiet_port()));
    assert_int_equal(probe(port_of(pair.client)), TABLE_PORT_IN_USE);
    close(pair.client);
    close(pair.server);
}

static void nothing_stays_bound_or_open_afterwards(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    uint16_t port = quiet_port();
    for (int i = 0; i < 100; ++i)
        assert_int_equal(probe(port), TABLE_PORT_FREE);
    int fd = take_port("127.0.0.1", port, REUSE);
    for (int i = 0; i < 100; ++i)
        assert_int_equal(probe(port), TABLE_PORT_LINGERING);
    close(fd);
    fd = take_port("127.0.0.1", port, LISTEN);
    for (int i = 0; i < 100; ++i)
        assert_int_equal(probe(port), TABLE_PORT_IN_USE);
    close(fd);
    assert_int_equal(open_descriptors(), before);
    fd = take_port("::", port, V6ONLY | LISTEN);
    int other = take_port("0.0.0.0", port, LISTEN);
    assert_true(other >= 0);
    close(other);
    close(fd);
}

static void a_socket_made_before_sees_what_has_come_since(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    struct probe prepared = PROBE_NULL;
    probe_prepare(&prepared);
    assert_true(prepared.fd >= 0);
    int fd = take_port("127.0.0.1", port, LISTEN);
    assert_int_equal(probe_port(&prepared, port), TABLE_PORT_IN_USE);
    probe_prepare(&prepared);
    close(fd);
    assert_int_equal(probe_port(&prepared, port), TABLE_PORT_FREE);
    probe_deinit(&prepared);
}

static void a_socket_is_made_once_and_closed(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    struct probe prepared = PROBE_NULL;
    probe_prepare(&prepared);
    int fd = prepared.fd;
    probe_prepare(&prepared);
    assert_int_equal(prepared.fd, fd);
    assert_int_equal(open_descriptors(), before + 1);
    probe_deinit(&prepared);
    probe_deinit(&prepared);
    assert_int_equal(open_descriptors(), before);
}

/* Runs `probe` while no descriptor can be opened. */
static int probe_without_descriptors(struct probe *probe, uint16_t port)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int found = probe_port(probe, port);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return found;
}

static void assert_udp_found(const char *host, int how, int expected)
{
    uint16_t port = quiet_port();
    int fd = take_port(host, port, how);
    if (fd < 0) {
        print_message("%s is not there: passed over\n", host);
        return;
    }
    size_t before = open_descriptors();
    int found = probe_udp(port);
    assert_int_equal(open_descriptors(), before);
    close(fd);
    if (found != expected)
        fail_msg("%s, taken with %d: found %d, not %d", host, how, found, expected);
    assert_int_equal(probe_udp(port), TABLE_PORT_FREE);
}

static void udp_is_asked_for_itself(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.77", "0.0.0.0", "::1", "::"};
    static const int options[] = {0, REUSE, SHARE, V6ONLY, REUSE | V6ONLY};
    assert_int_equal(probe_udp(quiet_port()), TABLE_PORT_FREE);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
        for (size_t k = 0; k < sizeof options / sizeof *options; ++k)
            assert_udp_found(hosts[i], DATAGRAM | options[k], TABLE_PORT_IN_USE);
        assert_udp_found(hosts[i], LISTEN, TABLE_PORT_FREE);
        assert_found(hosts[i], DATAGRAM, TABLE_PORT_FREE);
    }
}

static void without_descriptors_the_probe_cannot_tell(void **state)
{
    (void)state;
    struct probe none = PROBE_NULL, prepared = PROBE_NULL;
    probe_prepare(&prepared);
    assert_int_equal(probe_without_descriptors(&none, quiet_port()), -EMFILE);
    assert_int_equal(probe_without_descriptors(&prepared, quiet_port()), TABLE_PORT_FREE);
    probe_deinit(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_that_nobody_has_is_free),
        cmocka_unit_test(a_listener_on_any_address_has_the_port),
        cmocka_unit_test(a_bound_socket_that_shares_with_nobody_has_the_port),
        cmocka_unit_test(a_bound_socket_that_shares_is_only_in_the_way),
        cmocka_unit_test(a_port_held_for_a_service_is_in_use),
        cmocka_unit_test(a_port_held_and_in_time_wait_is_in_use),
        cmocka_unit_test(a_port_in_time_wait_lingers),
        cmocka_unit_test(a_port_with_a_connection_and_no_listener_lingers),
        cmocka_unit_test(the_port_of_an_outgoing_connection_is_in_use),
        cmocka_unit_test(nothing_stays_bound_or_open_afterwards),
        cmocka_unit_test(a_socket_made_before_sees_what_has_come_since),
        cmocka_unit_test(a_socket_is_made_once_and_closed),
        cmocka_unit_test(udp_is_asked_for_itself),
        cmocka_unit_test(without_descriptors_the_probe_cannot_tell),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
