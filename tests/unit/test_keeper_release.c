/* test_keeper_release.c - the way of a port from held to its service, and back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <unistd.h>

#include "keeper_fixture.h"

static const int alone[TRANSPORTS] = {ALONE_TCP, ALONE_UDP};
static const int shared[TRANSPORTS] = {SHARED_TCP, SHARED_UDP};

static void assert_next_tick(unsigned ms)
{
    assert_int_equal(keeper_next_tick_ms(&keeper), ms);
}

/* --------------------------------------------------------- without -keep -- */

static void a_release_opens_the_port_for_good(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("cups", "%u\n", port);
    client_file("named", "%u\n", other);
    keeper_start(false, 0);
    assert_next_tick(0);
    assert_int_equal(release("cups", 1000), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
    assert_state(port, TRANSPORT_UDP, KEEPER_RELEASED);
    assert_true(is_open(port, TRANSPORT_TCP));
    assert_true(is_open(port, TRANSPORT_UDP));
    assert_false(is_open(other, TRANSPORT_TCP));
    assert_int_equal(keeper_held(&keeper), 2);
    assert_next_tick(0);
    keeper_tick(&keeper, 1000000);
    assert_true(is_open(port, TRANSPORT_TCP));
    assert_int_equal(logged("cups: releases %u/tcp", port), 1);
    assert_int_equal(logged("cups: releases %u/udp", port), 1);
}

static void a_second_release_is_no_mistake(void **state)
{
    (void)state;
    uint16_t port = start_one(false, TRANSPORT_TCP);
    assert_int_equal(release("cups", 0), 0);
    assert_int_equal(release("cups", 0), 0);
    assert_int_equal(logged("cups: releases %u/tcp", port), 1);
}

static void a_release_does_not_ask_who_has_come_beside_the_hold(void **state)
{
    (void)state;
    uint16_t port = start_one(false, TRANSPORT_TCP);
    assert_int_equal(take("cups"), 0);
    assert_int_equal(release("cups", 0), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
    assert_true(connects("127.0.0.1", port));
    give_back();
    assert_true(is_open(port, TRANSPORT_TCP));
}

static void a_release_of_a_port_in_use_changes_nothing(void **state)
{
    (void)state;
    static const bool modes[] = {false, true};
    for (size_t i = 0; i < 2; ++i) {
        uint16_t port = free_port();
        int other = take_port("::", port, LISTEN);
        client_file("cups", "%u/tcp\n", port);
        keeper_start(modes[i], GRACE_MS);
        assert_int_equal(release("cups", 0), 0);
        assert_state(port, TRANSPORT_TCP, KEEPER_IN_USE);
        close(other);
        keeper_deinit(&keeper);
    }
}

/* ------------------------------------------------------------ with -keep -- */

static void a_released_port_is_taken_back_when_its_service_has_gone(void **state)
{
    (void)state;
    for (int t = 0; t < TRANSPORTS; ++t) {
        enum transport transport = (enum transport)t;
        uint16_t port = start_one(true, transport);
        assert_next_tick(KEEPER_WATCH_MS);
        assert_int_equal(release("cups", 1000), 0);
        assert_state(port, transport, KEEPER_RELEASED);
        assert_next_tick(KEEPER_TICK_MS);
        keeper_tick(&keeper, 1050);
        assert_true(is_open(port, transport));
        int fd = service(port, alone[t]);
        keeper_tick(&keeper, 1100);
        keeper_tick(&keeper, 1000 + 10 * GRACE_MS);
        assert_state(port, transport, KEEPER_RELEASED);
        assert_next_tick(KEEPER_TICK_MS);
        close(fd);
        keeper_tick(&keeper, 1050 + 10 * GRACE_MS);
        assert_state(port, transport, KEEPER_HELD);
        assert_false(is_open(port, transport));
        assert_next_tick(KEEPER_WATCH_MS);
        assert_int_equal(logged("cups: releases %u/%s", port, transport_name(transport)), 1);
        assert_int_equal(logged("cups: reserves %u/%s", port, transport_name(transport)), 2);
        keeper_deinit(&keeper);
    }
}

static void a_service_that_came_and_went_is_not_waited_for(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    assert_int_equal(release("cups", 0), 0);
    int fd = service(port, ALONE_TCP);
    keeper_tick(&keeper, 50);
    close(fd);
    keeper_tick(&keeper, 100);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

static void a_released_port_that_nobody_binds_is_taken_back_after_the_grace(void **state)
{
    (void)state;
    for (int t = 0; t < TRANSPORTS; ++t) {
        enum transport transport = (enum transport)t;
        uint16_t port = start_one(true, transport);
        assert_int_equal(release("cups", 1000), 0);
        keeper_tick(&keeper, 1000 + GRACE_MS - 1);
        assert_state(port, transport, KEEPER_RELEASED);
        keeper_tick(&keeper, 1000 + GRACE_MS);
        assert_state(port, transport, KEEPER_HELD);
        keeper_deinit(&keeper);
    }
}

static void another_release_begins_the_grace_anew(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    assert_int_equal(release("cups", 0), 0);
    assert_int_equal(release("cups", 30000), 0);
    keeper_tick(&keeper, 30000 + GRACE_MS - 1);
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
    keeper_tick(&keeper, 30000 + GRACE_MS);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

static void each_release_waits_for_a_service_of_its_own(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    for (uint64_t now = 0; now < 2000000; now += 1000000) {
        assert_int_equal(release("cups", now), 0);
        keeper_tick(&keeper, now + 50);
        assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
        int fd = service(port, ALONE_TCP);
        keeper_tick(&keeper, now + 100);
        close(fd);
        keeper_tick(&keeper, now + 150);
        assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    }
}

static void without_a_grace_a_port_is_taken_back_at_once(void **state)
{
    (void)state;
    uint16_t port = free_port();
    client_file("cups", "%u/tcp\n", port);
    keeper_start(true, 0);
    assert_int_equal(release("cups", 1000), 0);
    assert_true(is_open(port, TRANSPORT_TCP));
    keeper_tick(&keeper, 1000);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

static void who_waits_for_his_service_alone_is_looked_after(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("cups", "%u/tcp\n", port);
    client_file("named", "%u/tcp\n", other);
    keeper_start(true, GRACE_MS);
    assert_int_equal(release("named", 0), 0);
    assert_next_tick(KEEPER_TICK_MS);
    int fd = service(other, ALONE_TCP);
    keeper_tick(&keeper, 50);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    assert_false(is_open(port, TRANSPORT_TCP));
    close(fd);
    keeper_tick(&keeper, 100);
    assert_state(other, TRANSPORT_TCP, KEEPER_HELD);
}

/* ------------------------------------------------- services beside the hold -- */

static void a_port_whose_service_needs_no_release_stays_held(void **state)
{
    (void)state;
    for (int t = 0; t < TRANSPORTS; ++t) {
        enum transport transport = (enum transport)t;
        uint16_t port = start_one(true, transport);
        uint64_t inode = hold_inode(&keeper.units[0].hold);
        int fd = service(port, shared[t]);
        assert_next_tick(KEEPER_WATCH_MS);
        keeper_tick(&keeper, 5000);
        assert_next_tick(0);
        assert_int_equal(release("cups", 6000), 0);
        assert_state(port, transport, KEEPER_HELD);
        close(fd);
        assert_int_equal(release("cups", 7000), 0);
        assert_state(port, transport, KEEPER_HELD);
        assert_int_equal(hold_inode(&keeper.units[0].hold), inode);
        assert_int_equal(logged("cups: releases %u/%s", port, transport_name(transport)), 0);
        keeper_deinit(&keeper);
    }
}

static void a_service_is_seen_at_the_release_at_the_latest(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    int fd = service(port, SHARED_TCP);
    assert_int_equal(release("cups", 0), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    close(fd);
}

static void when_it_does_not_come_the_next_release_opens(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    int fd = service(port, SHARED_TCP);
    keeper_tick(&keeper, 0);
    close(fd);
    assert_int_equal(release("cups", 1000), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    assert_next_tick(KEEPER_WATCH_MS);
    assert_int_equal(release("cups", 2000), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
    assert_true(is_open(port, TRANSPORT_TCP));
    assert_int_equal(logged("cups: releases %u/tcp", port), 1);
}

static void a_doubt_ends_when_the_service_comes(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    int fd = service(port, SHARED_TCP);
    keeper_tick(&keeper, 0);
    close(fd);
    assert_int_equal(release("cups", 1000), 0);
    fd = service(port, SHARED_TCP);
    keeper_tick(&keeper, 5000);
    assert_next_tick(0);
    close(fd);
    assert_int_equal(release("cups", 6000), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

static void a_doubt_that_outlives_the_grace_is_a_certainty(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_TCP);
    int fd = service(port, SHARED_TCP);
    keeper_tick(&keeper, 0);
    close(fd);
    assert_int_equal(release("cups", 1000), 0);
    keeper_tick(&keeper, 1000 + GRACE_MS - 1);
    assert_true(keeper.units[0].coexists);
    keeper_tick(&keeper, 1000 + GRACE_MS);
    assert_false(keeper.units[0].coexists);
    assert_next_tick(KEEPER_WATCH_MS);
    assert_int_equal(release("cups", 2000 + GRACE_MS), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
}

static void a_release_opens_only_the_ports_that_need_it(void **state)
{
    (void)state;
    uint16_t port = free_port();
    client_file("cups", "%u\n", port);
    keeper_start(true, GRACE_MS);
    int fd = service(port, SHARED_TCP);
    assert_int_equal(release("cups", 0), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    assert_state(port, TRANSPORT_UDP, KEEPER_RELEASED);
    close(fd);
}

static void a_hold_swallows_no_datagram_of_a_later_service(void **state)
{
    (void)state;
    static const char *const hosts[] = {"0.0.0.0", "127.0.0.1", "::"};
    uint16_t port = start_one(true, TRANSPORT_UDP);
    for (size_t i = 0; i < 3; ++i) {
        int fd = take_port(hosts[i], port, SHARED_UDP);
        assert_true(fd >= 0);
        for (int laps = 0; laps < 3; ++laps)
            assert_true(arrives(fd, "127.0.0.1", port));
        close(fd);
    }
}

/* A hold made behind the service would get what is sent to it. */
static void a_port_that_a_service_shares_is_not_taken_back(void **state)
{
    (void)state;
    uint16_t port = start_one(true, TRANSPORT_UDP);
    assert_int_equal(release("cups", 0), 0);
    int fd = service(port, SHARED_UDP);
    keeper_tick(&keeper, 10 * GRACE_MS);
    keeper_tick(&keeper, 20 * GRACE_MS);
    assert_state(port, TRANSPORT_UDP, KEEPER_RELEASED);
    assert_true(arrives(fd, "127.0.0.1", port));
    close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, keeper_set_up, keeper_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_release_opens_the_port_for_good),
        CASE(a_second_release_is_no_mistake),
        CASE(a_release_does_not_ask_who_has_come_beside_the_hold),
        CASE(a_release_of_a_port_in_use_changes_nothing),
        CASE(a_released_port_is_taken_back_when_its_service_has_gone),
        CASE(a_service_that_came_and_went_is_not_waited_for),
        CASE(a_released_port_that_nobody_binds_is_taken_back_after_the_grace),
        CASE(another_release_begins_the_grace_anew),
        CASE(each_release_waits_for_a_service_of_its_own),
        CASE(without_a_grace_a_port_is_taken_back_at_once),
        CASE(who_waits_for_his_service_alone_is_looked_after),
        CASE(a_port_whose_service_needs_no_release_stays_held),
        CASE(a_service_is_seen_at_the_release_at_the_latest),
        CASE(when_it_does_not_come_the_next_release_opens),
        CASE(a_doubt_ends_when_the_service_comes),
        CASE(a_doubt_that_outlives_the_grace_is_a_certainty),
        CASE(a_release_opens_only_the_ports_that_need_it),
        CASE(a_hold_swallows_no_datagram_of_a_later_service),
        CASE(a_port_that_a_service_shares_is_not_taken_back),
    };
    return cmocka_run_group_tests_name("keeper_release", tests, keeper_own_network, NULL);
}
