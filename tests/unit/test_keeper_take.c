/* test_keeper_take.c - handing over sockets on ports that stay held. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "keeper_fixture.h"
#include "scratch.h"

static const bool modes[] = {false, true};

static void sockets_come_in_the_order_of_the_lines(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; ++m) {
        uint16_t first = free_port(), second = free_port(), third = free_port();
        client_file("a", "%u\n", free_port());
        client_file("b", "%u/tcp\n%u/udp\n%u/tcp\n", third, first, second);
        keeper_start(modes[m], GRACE_MS);
        assert_int_equal(take("b"), 0);
        uint16_t ports[] = {third, first, second};
        assert_int_equal(served_count, 3);
        for (size_t i = 0; i < 3; ++i) {
            assert_int_equal(served[i].port, ports[i]);
            assert_int_equal(served[i].transport, i == 1 ? TRANSPORT_UDP : TRANSPORT_TCP);
            assert_int_equal(port_of(served[i].fd), ports[i]);
            assert_true(fcntl(served[i].fd, F_GETFD) & FD_CLOEXEC);
        }
        assert_true(connects("127.0.0.1", third));
        assert_true(connects("::1", third));
        assert_true(connects("127.0.0.1", second));
        assert_true(arrives(served[1].fd, "127.0.0.1", first));
        assert_true(arrives(served[1].fd, "::1", first));
        give_back();
        keeper_deinit(&keeper);
    }
}

static void the_port_is_held_all_the_time(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; ++m) {
        uint16_t port = start_one(modes[m], TRANSPORT_TCP);
        uint64_t inode = hold_inode(&keeper.units[0].hold);
        assert_int_equal(take("cups"), 0);
        assert_false(is_open(port, TRANSPORT_TCP));
        give_back();
        assert_false(is_open(port, TRANSPORT_TCP));
        assert_false(connects("127.0.0.1", port));
        assert_int_equal(hold_inode(&keeper.units[0].hold), inode);
        keeper_deinit(&keeper);
    }
}

static void a_second_service_is_refused_while_the_first_lives(void **state)
{
    (void)state;
    for (size_t lap = 0; lap < 4; ++lap) {
        enum transport transport = (enum transport)(lap / 2);
        struct keeper_served *others;
        size_t count;
        char wanted[32];
        uint16_t port = start_one(modes[lap % 2], transport);
        snprintf(wanted, sizeof wanted, "%u/%s is in use", port, transport_name(transport));
        for (int turns = 0; turns < 2; ++turns) {
            assert_int_equal(take("cups"), 0);
            assert_int_equal(keeper_take(&keeper, "cups", &root_peer, &others, &count, refusal,
                                         sizeof refusal),
                             KEEPER_E_REFUSED);
            assert_string_equal(refusal, wanted);
            assert_null(others);
            assert_int_equal(count, 0);
            give_back();
        }
        keeper_deinit(&keeper);
    }
}

static void all_sockets_come_or_none(void **state)
{
    (void)state;
    uint16_t free = free_port(), taken = free_port();
    char wanted[32];
    client_file("cups", "%u/tcp\n%u/tcp\n", free, taken);
    keeper_start(true, GRACE_MS);
    int fd = service(taken, SHARED_TCP);
    size_t before = open_descriptors();
    assert_int_equal(take("cups"), KEEPER_E_REFUSED);
    assert_int_equal(open_descriptors(), before);
    snprintf(wanted, sizeof wanted, "%u/tcp is in use", taken);
    assert_string_equal(refusal, wanted);
    assert_null(served);
    assert_int_equal(served_count, 0);
    assert_false(connects("127.0.0.1", free));
    close(fd);
    assert_int_equal(take("cups"), 0);
    assert_int_equal(served_count, 2);
}

static void a_released_port_is_held_again_when_it_is_handed_over(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; ++m) {
        uint16_t port = start_one(modes[m], TRANSPORT_TCP);
        assert_int_equal(release("cups", 0), 0);
        assert_int_equal(take("cups"), 0);
        assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
        assert_true(connects("127.0.0.1", port));
        give_back();
        assert_false(is_open(port, TRANSPORT_TCP));
        keeper_deinit(&keeper);
    }
}

static void a_refusal_leaves_released_ports_released(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; ++m) {
        uint16_t first = free_port(), taken = free_port();
        client_file("cups", "%u\n%u/tcp\n", first, taken);
        keeper_start(modes[m], GRACE_MS);
        assert_int_equal(release("cups", 0), 0);
        int fd = service(taken, ALONE_TCP);
        assert_int_equal(take("cups"), KEEPER_E_REFUSED);
        assert_state(first, TRANSPORT_TCP, KEEPER_RELEASED);
        assert_state(first, TRANSPORT_UDP, KEEPER_RELEASED);
        assert_state(taken, TRANSPORT_TCP, KEEPER_RELEASED);
        assert_true(is_open(first, TRANSPORT_TCP));
        assert_true(is_open(first, TRANSPORT_UDP));
        assert_int_equal(logged("cups: reserves %u/tcp", first), 1);
        close(fd);
        assert_int_equal(take("cups"), 0);
        assert_int_equal(served_count, 3);
        assert_int_equal(keeper_held(&keeper), 3);
        assert_int_equal(logged("cups: reserves %u/tcp", first), 2);
        give_back();
        keeper_deinit(&keeper);
    }
}

static void a_port_in_use_is_not_handed_over(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; ++m) {
        uint16_t port = free_port();
        char wanted[32];
        int other = take_port("::", port, SHARED_TCP);
        client_file("cups", "%u/tcp\n", port);
        keeper_start(modes[m], GRACE_MS);
        assert_int_equal(take("cups"), KEEPER_E_REFUSED);
        snprintf(wanted, sizeof wanted, "%u/tcp is in use", port);
        assert_string_equal(refusal, wanted);
        assert_state(port, TRANSPORT_TCP, KEEPER_IN_USE);
        close(other);
        assert_int_equal(take("cups"), 0);
        assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
        give_back();
        keeper_deinit(&keeper);
    }
}

static void the_states_tell_whether_a_service_has_its_socket(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("cups", "%u\n", port);
    client_file("named", "%u\n", other);
    keeper_start(true, GRACE_MS);
    assert_int_equal(take("cups"), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    keeper_handed_over(&keeper, served, served_count);
    for (int laps = 0; laps < 2; ++laps) {
        assert_state(port, TRANSPORT_TCP, KEEPER_HANDED_OVER);
        assert_state(port, TRANSPORT_UDP, KEEPER_HANDED_OVER);
        assert_state(other, TRANSPORT_TCP, KEEPER_HELD);
        assert_state(other, TRANSPORT_UDP, KEEPER_HELD);
        keeper_refresh(&keeper);
    }
    assert_int_equal(logged("cups: hands over %u/tcp", port), 1);
    assert_int_equal(logged("cups: hands over %u/udp", port), 1);
    close(served[--served_count].fd);
    keeper_refresh(&keeper);
    assert_state(port, TRANSPORT_TCP, KEEPER_HANDED_OVER);
    assert_state(port, TRANSPORT_UDP, KEEPER_HELD);
    give_back();
    keeper_refresh(&keeper);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

/* The last socket counts, not one that was handed over before. */
static void a_port_is_handed_over_again_and_again(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    for (size_t laps = 1; laps <= 3; ++laps) {
        assert_int_equal(take("cups"), 0);
        keeper_handed_over(&keeper, served, served_count);
        keeper_refresh(&keeper);
        assert_state(port, TRANSPORT_TCP, KEEPER_HANDED_OVER);
        give_back();
        keeper_refresh(&keeper);
        assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
        assert_int_equal(logged("cups: hands over %u/tcp", port), laps);
    }
}

static void a_released_port_is_not_handed_over_any_more(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("cups", "%u/tcp\n", port);
    client_file("named", "%u/tcp\n", other);
    keeper_start(false, 0);
    assert_int_equal(take("cups"), 0);
    keeper_handed_over(&keeper, served, served_count);
    struct keeper_served first = served[--served_count];
    assert_int_equal(take("named"), 0);
    keeper_handed_over(&keeper, served, served_count);
    assert_int_equal(release("cups", 0), 0);
    keeper_refresh(&keeper);
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
    assert_state(other, TRANSPORT_TCP, KEEPER_HANDED_OVER);
    close(first.fd);
}

static void a_reload_leaves_what_was_handed_over(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    assert_int_equal(take("cups"), 0);
    keeper_handed_over(&keeper, served, served_count);
    keeper_read_again();
    keeper_refresh(&keeper);
    assert_state(port, TRANSPORT_TCP, KEEPER_HANDED_OVER);
    scratch_remove("cups");
    keeper_read_again();
    assert_true(connects("127.0.0.1", port));
}

static void a_socket_that_was_handed_over_is_a_service_beside_the_hold(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    assert_int_equal(take("cups"), 0);
    keeper_handed_over(&keeper, served, served_count);
    assert_int_equal(release("cups", 0), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HANDED_OVER);
}

static void without_memory_nothing_is_handed_over(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    alloc_fail_after(0);
    int r = take("cups");
    assert_true(alloc_fail_stop());
    assert_int_equal(r, -ENOMEM);
    assert_string_equal(refusal, strerror(ENOMEM));
    assert_null(served);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    assert_int_equal(take("cups"), 0);
}

static void without_descriptors_nothing_is_handed_over(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    struct rlimit before, limit;
    char wanted[64];
    client_file("cups", "%u/tcp\n%u/tcp\n", port, other);
    keeper_start(true, GRACE_MS);
    int next = dup(STDIN_FILENO); /* one of the two sockets takes its place */
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = (struct rlimit){(rlim_t)next + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int r = take("cups");
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(r, -EMFILE);
    snprintf(wanted, sizeof wanted, "%u/tcp Too many open files", other);
    assert_string_equal(refusal, wanted);
    assert_null(served);
    assert_false(connects("127.0.0.1", port));
    assert_int_equal(take("cups"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, keeper_set_up, keeper_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sockets_come_in_the_order_of_the_lines),
        CASE(the_port_is_held_all_the_time),
        CASE(a_second_service_is_refused_while_the_first_lives),
        CASE(all_sockets_come_or_none),
        CASE(a_released_port_is_held_again_when_it_is_handed_over),
        CASE(a_refusal_leaves_released_ports_released),
        CASE(a_port_in_use_is_not_handed_over),
        CASE(the_states_tell_whether_a_service_has_its_socket),
        CASE(a_port_is_handed_over_again_and_again),
        CASE(a_released_port_is_not_handed_over_any_more),
        CASE(a_reload_leaves_what_was_handed_over),
        CASE(a_socket_that_was_handed_over_is_a_service_beside_the_hold),
        CASE(without_memory_nothing_is_handed_over),
        CASE(without_descriptors_nothing_is_handed_over),
    };
    return cmocka_run_group_tests_name("keeper_take", tests, keeper_own_network, NULL);
}
