/* test_holds.c - the ports that the manager holds for its clients, in the kernel. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hold.h"
#include "holds.h"
#include "table.h"
#include "take_port.h"

static const char *const hosts[] = {"127.0.0.1", "127.0.0.77", "0.0.0.0", "::1", "::"};

enum { HOSTS = sizeof hosts / sizeof *hosts };

static size_t descriptors; /* of the test itself */
static struct holds holds;
static struct probe probe;

static void begin(size_t max)
{
    probe = (struct probe)PROBE_NULL;
    descriptors = open_descriptors();
    assert_int_equal(holds_init(&holds, max), 0);
}

static void end(void)
{
    probe_deinit(&probe);
    assert_int_equal(holds.count, 0);
    holds_deinit(&holds);
    assert_int_equal(open_descriptors(), descriptors);
}

static bool is_there(const char *host)
{
    int fd = take_port(host, quiet_port(), 0);
    if (fd >= 0)
        close(fd);
    else
        print_message("%s is not there: passed over\n", host);
    return fd >= 0;
}

/* Whether a socket can be bound in this way, and listen if that is asked for. */
static bool can_take(const char *host, uint16_t port, int how)
{
    int fd = take_port(host, port, how);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void assert_held(uint16_t port)
{
    for (size_t i = 0; i < HOSTS; ++i) {
        if (!is_there(hosts[i]))
            continue;
        if (can_take(hosts[i], port, 0) || can_take(hosts[i], port, V6ONLY) ||
            can_take(hosts[i], port, SHARE))
            fail_msg("port %u of %s is not held", (unsigned)port, hosts[i]);
        if (!can_take(hosts[i], port, REUSE | LISTEN))
            fail_msg("no server gets port %u of %s", (unsigned)port, hosts[i]);
    }
}

static void assert_free(uint16_t port)
{
    assert_int_equal(probe_port(&probe, port), TABLE_PORT_FREE);
    assert_true(can_take("0.0.0.0", port, 0));
}

/* Makes connections linger: the listener is gone, one end is in TIME_WAIT. */
static void leave_time_wait(uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, "127.0.0.1", port);
    int listener = take_port("127.0.0.1", port, REUSE | LISTEN);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, size), 0);
    int server = accept(listener, NULL, NULL);
    char byte;
    close(listener);
    close(server);
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
}

/* ------------------------------------------------------------------ holds -- */

static void a_held_port_is_for_servers_that_share(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    begin(9);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_FREE);
    assert_held(port);
    assert_held(port); /* though servers have come and gone */
    holds_drop(&holds, port);
    assert_free(port);
    end();
}

static void a_server_goes_on_when_the_hold_ends(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    begin(9);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_FREE);
    int server = take_port("127.0.0.1", port, REUSE | LISTEN);
    assert_true(server >= 0);
    holds_drop(&holds, port);
    assert_int_equal(probe_port(&probe, port), TABLE_PORT_IN_USE);
    close(server);
    assert_free(port);
    end();
}

static void what_is_in_use_is_not_held(void **state)
{
    (void)state;
    static const int ways[] = {0, LISTEN, LISTEN | REUSE, LISTEN | SHARE};
    begin(9);
    for (size_t i = 0; i < HOSTS; ++i) {
        for (size_t w = 0; is_there(hosts[i]) && w < sizeof ways / sizeof *ways; ++w) {
            uint16_t port = quiet_port();
            int stranger = take_port(hosts[i], port, ways[w]);
            assert_true(stranger >= 0);
            assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_IN_USE);
            assert_int_equal(holds.count, 0);
            close(stranger);
            assert_free(port);
        }
    }
    end();
}

static void a_port_that_another_program_holds_is_in_use(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    begin(9);
    struct hold other = HOLD_NULL;
    assert_int_equal(hold_take(&other, TRANSPORT_TCP, HOLD_SOFT, port), 0);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_IN_USE);
    hold_drop(&other);
    assert_int_equal(hold_take(&other, TRANSPORT_TCP, HOLD_STRICT, port), 0);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_IN_USE);
    hold_drop(&other);
    end();
}

static void a_port_in_time_wait_is_held_all_the_same(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    begin(9);
    leave_time_wait(port);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_LINGERING);
    assert_int_equal(holds.count, 1);
    assert_held(port);
    holds_drop(&holds, port);
    assert_int_equal(probe_port(&probe, port), TABLE_PORT_LINGERING);
    end();
}

static void a_socket_that_is_about_to_listen_is_no_old_connection(void **state)
{
    (void)state;
    struct pa_sockdiag diag = PA_SOCKDIAG_NULL;
    uint16_t port = quiet_port();
    begin(9);
    int other = take_port("127.0.0.1", port, REUSE);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_LINGERING);
    assert_int_equal(holds_confirm(&diag, port), TABLE_PORT_IN_USE);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(holds_confirm(&diag, port), TABLE_PORT_IN_USE);
    close(other);
    holds_drop(&holds, port);
    leave_time_wait(port);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_LINGERING);
    assert_int_equal(holds_confirm(&diag, port), TABLE_PORT_LINGERING);
    holds_drop(&holds, port);
    pa_sockdiag_close(&diag);
    end();
}

static void so_many_ports_are_held_and_no_more(void **state)
{
    (void)state;
    uint16_t first = quiet_port(), second = quiet_port(), third = quiet_port();
    begin(2);
    assert_int_equal(holds_take(&holds, &probe, first), TABLE_PORT_FREE);
    assert_int_equal(holds_take(&holds, &probe, second), TABLE_PORT_FREE);
    assert_int_equal(holds_take(&holds, &probe, third), -EMFILE);
    holds_drop(&holds, first);
    assert_int_equal(holds_take(&holds, &probe, third), TABLE_PORT_FREE);
    holds_drop(&holds, second);
    holds_drop(&holds, third);
    end();
}

static void a_look_and_a_hold_by_turns_do_not_mix(void **state)
{
    (void)state;
    uint16_t one = quiet_port(), two = quiet_port();
    begin(9);
    probe_prepare(&probe);
    assert_int_equal(probe_port(&probe, one), TABLE_PORT_FREE);
    probe_prepare(&probe);
    assert_int_equal(holds_take(&holds, &probe, one), TABLE_PORT_FREE);
    probe_prepare(&probe);
    assert_int_equal(probe_port(&probe, two), TABLE_PORT_FREE);
    assert_int_equal(probe_port(&probe, one), TABLE_PORT_IN_USE);
    assert_held(one);
    holds_drop(&holds, one);
    end();
}

static void without_descriptors_nothing_is_held(void **state)
{
    (void)state;
    struct rlimit before, none;
    uint16_t port = quiet_port();
    begin(9);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = holds_take(&holds, &probe, port);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(holds.count, 0);
    assert_free(port);
    end();
}

/* ------------------------------------------------------------ hold_listen -- */

static bool is_heard(const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool heard = connect(fd, (const struct sockaddr *)&address, size) == 0;
    close(fd);
    return heard;
}

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, option, &value, &size), 0);
    return value;
}

static void a_listener_on_a_held_port_is_heard_on_its_address(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool heard[3]; /* on 127.0.0.1, 127.0.0.77 and ::1 */
    } rows[] = {
        {NULL, {true, true, true}},          {"0.0.0.0", {true, true, false}},
        {"127.0.0.1", {true, false, false}}, {"127.0.0.77", {false, true, false}},
        {"::1", {false, false, true}},
    };
    bool ipv6 = is_there("::1");
    begin(9);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        uint16_t port = quiet_port();
        if (!ipv6 && rows[i].heard[2] && rows[i].address)
            continue;
        assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_FREE);
        int fd = hold_listen(rows[i].address, port, 5);
        assert_true(fd >= 0);
        assert_int_equal(port_of(fd), port);
        assert_true(option_of(fd, SO_ACCEPTCONN) && option_of(fd, SO_REUSEADDR));
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_int_equal(is_heard("127.0.0.1", port), rows[i].heard[0]);
        assert_int_equal(is_heard("127.0.0.77", port), rows[i].heard[1]);
        if (ipv6)
            assert_int_equal(is_heard("::1", port), rows[i].heard[2]);
        close(fd);
        holds_drop(&holds, port);
    }
    end();
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int r;
    } rows[] = {
        {"", -EINVAL},           {"localhost", -EINVAL},        {"127.0.0", -EINVAL},
        {"1.2.3.4.5", -EINVAL},  {"::1%lo", -EINVAL},           {"[::1]", -EINVAL},
        {"127.0.0.1 ", -EINVAL}, {"192.0.2.1", -EADDRNOTAVAIL},
    };
    uint16_t port = quiet_port();
    begin(9);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_FREE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        assert_int_equal(hold_listen(rows[i].address, port, 5), rows[i].r);
    holds_drop(&holds, port);
    end();
}

static void who_listens_already_is_not_joined(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    begin(9);
    assert_int_equal(holds_take(&holds, &probe, port), TABLE_PORT_FREE);
    int fd = take_port("127.0.0.1", port, REUSE | LISTEN);
    assert_int_equal(hold_listen("127.0.0.1", port, 5), -EADDRINUSE);
    assert_int_equal(hold_listen(NULL, port, 5), -EADDRINUSE);
    close(fd);
    holds_drop(&holds, port);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_port_is_for_servers_that_share),
        cmocka_unit_test(a_server_goes_on_when_the_hold_ends),
        cmocka_unit_test(what_is_in_use_is_not_held),
        cmocka_unit_test(a_port_that_another_program_holds_is_in_use),
        cmocka_unit_test(a_port_in_time_wait_is_held_all_the_same),
        cmocka_unit_test(a_socket_that_is_about_to_listen_is_no_old_connection),
        cmocka_unit_test(so_many_ports_are_held_and_no_more),
        cmocka_unit_test(a_look_and_a_hold_by_turns_do_not_mix),
        cmocka_unit_test(without_descriptors_nothing_is_held),
        cmocka_unit_test(a_listener_on_a_held_port_is_heard_on_its_address),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        cmocka_unit_test(who_listens_already_is_not_joined),
    };
    return cmocka_run_group_tests_name("holds", tests, NULL, NULL);
}
