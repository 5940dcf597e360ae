/* test_keeper.c - what portreserve holds: by its files, when they change, and for whom. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "keeper_fixture.h"
#include "scratch.h"

enum {
    OWNER = 1000,
    GROUP = 100,
    STRANGER = 2000,
};

static const bool modes[] = {false, true}; /* without -keep, and with it */

/* Ends the keeper, for the next lap of a test. */
static void end(void)
{
    keeper_deinit(&keeper);
    keeper.config.keep = false;
}

static uint64_t hold_of(uint16_t port, enum transport transport)
{
    const struct keeper_unit *unit = unit_of(port, transport);
    assert_non_null(unit);
    return hold_inode(&unit->hold);
}

static const char *client_of(uint16_t port, enum transport transport)
{
    const struct keeper_unit *unit = unit_of(port, transport);
    assert_non_null(unit);
    return keeper.plan.clients[unit->client].name;
}

/* --------------------------------------------------------------- the start -- */

static void all_that_the_files_ask_for_is_held(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; ++i) {
        uint16_t first = free_port(), second = free_port(), third = free_port();
        client_file("cups", "%u\n%u/tcp\n", first, second);
        client_file("named", "%u/udp\n", third);
        keeper_start(modes[i], GRACE_MS);
        assert_int_equal(keeper.units_count, 4);
        assert_int_equal(keeper_held(&keeper), 4);
        for (size_t unit = 0; unit < 4; ++unit)
            assert_int_equal(keeper.units[unit].state, KEEPER_HELD);
        assert_false(is_open(first, TRANSPORT_TCP));
        assert_false(is_open(first, TRANSPORT_UDP));
        assert_false(is_open(second, TRANSPORT_TCP));
        assert_true(is_open(second, TRANSPORT_UDP));
        assert_true(is_open(third, TRANSPORT_TCP));
        assert_false(is_open(third, TRANSPORT_UDP));
        assert_int_equal(logged("cups: reserves %u/tcp", first), 1);
        assert_int_equal(logged("cups: reserves %u/udp", first), 1);
        assert_int_equal(logged("cups: reserves %u/tcp", second), 1);
        assert_int_equal(logged("named: reserves %u/udp", third), 1);
        end();
        assert_true(is_open(first, TRANSPORT_TCP));
        assert_true(is_open(third, TRANSPORT_UDP));
    }
}

static void units_are_in_the_order_of_names_and_lines(void **state)
{
    (void)state;
    uint16_t first = free_port(), second = free_port();
    client_file("b", "%u/tcp\n", second);
    client_file("a", "# two lines\n%u\n", first);
    keeper_start(false, 0);
    static const unsigned lines[] = {2, 2, 1};
    uint16_t ports[] = {first, first, second};
    static const enum transport transports[] = {TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_TCP};
    for (size_t i = 0; i < 3; ++i) {
        assert_int_equal(keeper.units[i].port, ports[i]);
        assert_int_equal(keeper.units[i].transport, transports[i]);
        assert_int_equal(keeper.units[i].line, lines[i]);
    }
}

static void a_service_may_come_beside_a_soft_hold_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; ++i) {
        uint16_t port = free_port();
        client_file("cups", "%u/tcp\n", port);
        keeper_start(modes[i], GRACE_MS);
        int service = take_port("0.0.0.0", port, REUSE | LISTEN);
        assert_int_equal(service >= 0, modes[i]);
        if (service >= 0)
            close(service);
        end();
    }
}

static void a_port_in_use_is_told_of_and_the_others_are_held(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; ++i) {
        uint16_t tcp = free_port(), udp = free_port(), other = free_port();
        int listener = take_port("127.0.0.1", tcp, REUSE | LISTEN);
        int datagrams = take_port("127.0.0.1", udp, REUSE | DATAGRAM);
        client_file("cups", "%u/tcp\n%u/udp\n%u/tcp\n", tcp, udp, other);
        keeper_start(modes[i], GRACE_MS);
        assert_state(tcp, TRANSPORT_TCP, KEEPER_IN_USE);
        assert_state(udp, TRANSPORT_UDP, KEEPER_IN_USE);
        assert_state(other, TRANSPORT_TCP, KEEPER_HELD);
        assert_int_equal(keeper_held(&keeper), 1);
        assert_int_equal(logged("cups: line 1: %u/tcp: is in use", tcp), 1);
        assert_int_equal(logged("cups: line 2: %u/udp: is in use", udp), 1);
        close(listener);
        close(datagrams);
        end();
    }
}

static void with_keep_a_port_in_use_is_taken_once_it_is_free(void **state)
{
    (void)state;
    uint16_t tcp = free_port(), udp = free_port();
    int listener = take_port("::", tcp, LISTEN);
    int datagrams = take_port("::", udp, DATAGRAM);
    client_file("cups", "%u/tcp\n%u/udp\n", tcp, udp);
    keeper_start(true, GRACE_MS);
    keeper_tick(&keeper, 1000);
    keeper_tick(&keeper, 1000000);
    assert_state(tcp, TRANSPORT_TCP, KEEPER_IN_USE);
    assert_state(udp, TRANSPORT_UDP, KEEPER_IN_USE);
    assert_int_equal(keeper_next_tick_ms(&keeper), KEEPER_RETRY_MS);
    close(listener);
    keeper_tick(&keeper, 1000050);
    assert_state(tcp, TRANSPORT_TCP, KEEPER_HELD);
    assert_state(udp, TRANSPORT_UDP, KEEPER_IN_USE);
    close(datagrams);
    keeper_tick(&keeper, 1000100);
    assert_state(udp, TRANSPORT_UDP, KEEPER_HELD);
    assert_int_equal(logged("cups: reserves %u/tcp", tcp), 1);
    assert_int_equal(logged("cups: reserves %u/udp", udp), 1);
    assert_int_equal(logged("cups: line 1: %u/tcp: is in use", tcp), 1);
}

static void without_keep_only_a_reload_takes_it(void **state)
{
    (void)state;
    uint16_t port = free_port();
    int listener = take_port("::", port, LISTEN);
    client_file("cups", "%u/tcp\n", port);
    keeper_start(false, GRACE_MS);
    close(listener);
    keeper_tick(&keeper, 1000000);
    assert_state(port, TRANSPORT_TCP, KEEPER_IN_USE);
    keeper_read_again();
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

/* No descriptor more than are open now. */
static struct rlimit limit_descriptors(void)
{
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(STDIN_FILENO);
    assert_true(next >= 0);
    close(next);
    limit = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void what_the_system_refuses_is_told_of(void **state)
{
    (void)state;
    struct plan plan;
    uint16_t port = free_port();
    client_file("cups", "%u/tcp\n", port);
    keeper_start(true, 0);
    keeper_read(&plan);
    keeper_deinit(&keeper);
    struct rlimit before = limit_descriptors();
    int r = keeper_load(&keeper, &plan);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(r, 0);
    assert_int_equal(keeper_held(&keeper), 0);
    assert_int_equal(logged("cups: line 1: %u/tcp: Too many open files", port), 1);
    keeper_tick(&keeper, 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

static void a_kernel_that_does_not_tell_of_sockets_is_told_of_once(void **state)
{
    (void)state;
    client_file("cups", "%u/tcp\n", free_port());
    keeper_start(true, GRACE_MS);
    for (size_t times = 1; times <= 2; ++times) {
        struct rlimit before = limit_descriptors();
        keeper_tick(&keeper, 0);
        keeper_tick(&keeper, 50);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_true(keeper.blind);
        assert_int_equal(logged("cannot see which sockets are there: Too many open files"),
                         times);
        keeper_tick(&keeper, 100);
        assert_false(keeper.blind);
        pa_sockdiag_close(&keeper.diag);
    }
}

/* ------------------------------------------------------------ another plan -- */

static void a_reload_changes_what_has_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; ++i) {
        uint16_t stays = free_port(), goes = free_port(), comes = free_port();
        client_file("cups", "%u\n%u\n", stays, goes);
        keeper_start(modes[i], GRACE_MS);
        uint64_t tcp = hold_of(stays, TRANSPORT_TCP), udp = hold_of(stays, TRANSPORT_UDP);
        client_file("cups", "%u/tcp\n# moved\n%u\n", comes, stays);
        keeper_read_again();
        assert_int_equal(keeper.units_count, 3);
        assert_int_equal(hold_of(stays, TRANSPORT_TCP), tcp);
        assert_int_equal(hold_of(stays, TRANSPORT_UDP), udp);
        assert_int_equal(unit_of(stays, TRANSPORT_TCP)->line, 3);
        assert_state(comes, TRANSPORT_TCP, KEEPER_HELD);
        assert_false(is_open(comes, TRANSPORT_TCP));
        assert_true(is_open(goes, TRANSPORT_TCP));
        assert_true(is_open(goes, TRANSPORT_UDP));
        assert_int_equal(logged("cups: no longer reserves %u/tcp", goes), 1);
        assert_int_equal(logged("cups: no longer reserves %u/udp", goes), 1);
        assert_int_equal(logged("cups: reserves %u/tcp", comes), 1);
        assert_int_equal(logged("cups: reserves %u/tcp", stays), 1);
        end();
    }
}

static void a_client_without_a_file_loses_its_ports(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("a", "%u/tcp\n", other);
    client_file("b", "%u/tcp\n", port);
    keeper_start(false, 0);
    uint64_t inode = hold_of(port, TRANSPORT_TCP);
    scratch_remove("a");
    keeper_read_again();
    assert_int_equal(keeper.units_count, 1);
    assert_true(is_open(other, TRANSPORT_TCP));
    assert_int_equal(hold_of(port, TRANSPORT_TCP), inode);
    assert_string_equal(client_of(port, TRANSPORT_TCP), "b");
    assert_int_equal(release("a", 0), KEEPER_E_REFUSED);
}

/* Puts a link to nothing where a client's file was. */
static void make_unreadable(const char *name)
{
    scratch_remove(name);
    assert_int_equal(symlink("nowhere", scratch_path(name)), 0);
}

static void a_file_that_cannot_be_read_keeps_what_it_had(void **state)
{
    (void)state;
    static const struct keeper_peer owner = {.uid = OWNER};
    for (size_t i = 0; i < 2; ++i) {
        struct plan plan;
        uint16_t port = free_port();
        client_file("cups", "%u\n", port);
        keeper_start(modes[i], GRACE_MS);
        end();
        keeper.config.keep = modes[i];
        keeper_read(&plan);
        plan.clients[0].owner = OWNER;
        assert_int_equal(keeper_load(&keeper, &plan), 0);
        uint64_t tcp = hold_of(port, TRANSPORT_TCP), udp = hold_of(port, TRANSPORT_UDP);
        make_unreadable("cups");
        for (int laps = 0; laps < 2; ++laps) {
            keeper_read_again();
            assert_int_equal(keeper.units_count, 2);
            assert_int_equal(hold_of(port, TRANSPORT_TCP), tcp);
            assert_int_equal(hold_of(port, TRANSPORT_UDP), udp);
            assert_string_equal(client_of(port, TRANSPORT_TCP), "cups");
        }
        assert_int_equal(keeper_release(&keeper, "cups", &owner, 0, refusal, sizeof refusal),
                         0);
        assert_true(is_open(port, TRANSPORT_TCP));
        scratch_remove("cups");
        keeper_read_again();
        assert_int_equal(keeper.units_count, 0);
        end();
    }
}

static void others_may_come_before_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("cups", "%u/tcp\n", port);
    keeper_start(false, 0);
    uint64_t inode = hold_of(port, TRANSPORT_TCP);
    make_unreadable("cups");
    client_file("apache", "%u/tcp\n", other);
    keeper_read_again();
    assert_string_equal(client_of(port, TRANSPORT_TCP), "cups");
    assert_string_equal(client_of(other, TRANSPORT_TCP), "apache");
    assert_int_equal(hold_of(port, TRANSPORT_TCP), inode);
    assert_int_equal(release("apache", 0), 0);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    assert_state(other, TRANSPORT_TCP, KEEPER_RELEASED);
}

static void a_file_that_never_could_be_read_has_nothing(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", scratch_path("cups")), 0);
    keeper_start(false, 0);
    assert_int_equal(keeper.units_count, 0);
    assert_int_equal(logged("cups: No such file or directory"), 1);
    assert_int_equal(take("cups"), KEEPER_E_REFUSED);
    assert_string_equal(refusal, "its file reserves nothing");
}

static void a_port_moves_from_client_to_client_held(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; ++i) {
        uint16_t port = free_port(), other = free_port();
        client_file("a", "%u/tcp\n%u/tcp\n", port, other);
        client_file("b", "# nothing yet\n");
        keeper_start(modes[i], GRACE_MS);
        uint64_t inode = hold_of(port, TRANSPORT_TCP);
        client_file("a", "%u/tcp\n", other);
        client_file("b", "%u/tcp\n", port);
        keeper_read_again();
        assert_int_equal(hold_of(port, TRANSPORT_TCP), inode);
        assert_string_equal(client_of(port, TRANSPORT_TCP), "b");
        assert_int_equal(release("a", 0), 0);
        assert_false(is_open(port, TRANSPORT_TCP));
        assert_int_equal(release("b", 0), 0);
        assert_true(is_open(port, TRANSPORT_TCP));
        end();
    }
}

static void a_port_may_move_away_from_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("a", "%u/tcp\n%u/tcp\n", port, other);
    keeper_start(false, 0);
    uint64_t inode = hold_of(port, TRANSPORT_TCP);
    make_unreadable("a");
    client_file("b", "%u/tcp\n", port);
    keeper_read_again();
    assert_int_equal(keeper.units_count, 2);
    assert_int_equal(hold_of(port, TRANSPORT_TCP), inode);
    assert_string_equal(client_of(port, TRANSPORT_TCP), "b");
    assert_string_equal(client_of(other, TRANSPORT_TCP), "a");
}

static void a_released_port_stays_released_until_it_is_another_clients(void **state)
{
    (void)state;
    uint16_t port = free_port(), other = free_port();
    client_file("a", "%u/tcp\n", port);
    client_file("b", "%u/tcp\n", other);
    keeper_start(false, 0);
    assert_int_equal(release("a", 0), 0);
    keeper_read_again();
    assert_state(port, TRANSPORT_TCP, KEEPER_RELEASED);
    scratch_remove("a");
    client_file("b", "%u/tcp\n%u/tcp\n", other, port);
    keeper_read_again();
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
    assert_int_equal(logged("b: reserves %u/tcp", port), 1);
}

static void without_memory_a_reload_changes_nothing(void **state)
{
    (void)state;
    uint16_t stays = free_port(), goes = free_port(), comes = free_port();
    client_file("cups", "%u/tcp\n%u/tcp\n", stays, goes);
    keeper_start(true, GRACE_MS);
    uint64_t inode = hold_of(stays, TRANSPORT_TCP);
    client_file("cups", "%u/tcp\n%u/tcp\n", stays, comes);
    struct plan plan;
    keeper_read(&plan);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        alloc_fail_after(k);
        int r = keeper_load(&keeper, &plan);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(keeper_held(&keeper), 2);
        assert_int_equal(hold_of(stays, TRANSPORT_TCP), inode);
        assert_int_equal(is_open(goes, TRANSPORT_TCP), !failed);
        assert_int_equal(is_open(comes, TRANSPORT_TCP), failed);
        assert_int_equal(plan.entries_count, failed ? 2 : 0);
    }
    assert_true(k > 3);
}

static void nothing_to_hold_is_no_trouble(void **state)
{
    (void)state;
    keeper_start(true, GRACE_MS);
    assert_int_equal(keeper_held(&keeper), 0);
    assert_int_equal(keeper_next_tick_ms(&keeper), 0);
    keeper_tick(&keeper, 0);
    keeper_refresh(&keeper);
    assert_int_equal(release("*", 0), 0);
    assert_int_equal(release("cups", 0), KEEPER_E_REFUSED);
    keeper_deinit(&keeper);
}

/* ---------------------------------------------------------------- rights -- */

/* Holds a port for a client with such a file. */
static uint16_t start_for(uid_t owner, gid_t group, bool group_may)
{
    struct plan plan;
    uint16_t port = free_port();
    client_file("cups", "%u/tcp\n", port);
    keeper_start(false, 0);
    end();
    keeper_read(&plan);
    plan.clients[0].owner = owner;
    plan.clients[0].group = group;
    plan.clients[0].group_may = group_may;
    assert_int_equal(keeper_load(&keeper, &plan), 0);
    return port;
}

static void root_the_owner_and_perhaps_the_group_may(void **state)
{
    (void)state;
    static const gid_t others[] = {GROUP + 1, GROUP - 1};
    static const gid_t groups[] = {GROUP + 1, GROUP, GROUP + 2};
    static const struct {
        uid_t owner;
        bool group_may;
        struct keeper_peer peer;
        const char *refusal; /* with the verb in the middle; NULL: he may */
    } cases[] = {
        {0, false, {0, NULL, 0}, NULL},
        {OWNER, false, {0, NULL, 0}, NULL},
        {OWNER, false, {OWNER, NULL, 0}, NULL},
        {OWNER, false, {OWNER, others, 2}, NULL},
        {OWNER, true, {STRANGER, groups, 3}, NULL},
        {0, true, {STRANGER, groups, 2}, NULL},
        {0, true, {STRANGER, groups, 1}, "only root may %s it"},
        {0, false, {STRANGER, groups, 3}, "only root may %s it"},
        {0, false, {OWNER, NULL, 0}, "only root may %s it"},
        {OWNER, false, {STRANGER, groups, 3}, "only root and its owner, uid 1000, may %s it"},
        {OWNER, true, {STRANGER, others, 2}, "only root and its owner, uid 1000, may %s it"},
        {OWNER, true, {STRANGER, NULL, 0}, "only root and its owner, uid 1000, may %s it"},
        {OWNER, true, {(uid_t)-1, NULL, 0}, "only root and its owner, uid 1000, may %s it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char wanted[128];
        uint16_t port = start_for(cases[i].owner, GROUP, cases[i].group_may);
        const char *at = cases[i].refusal ? strstr(cases[i].refusal, "%s") : NULL;
        int expected = at ? KEEPER_E_REFUSED : 0;
        int r = keeper_take(&keeper, "cups", &cases[i].peer, &served, &served_count, refusal,
                            sizeof refusal);
        assert_int_equal(r, expected);
        assert_int_equal(served_count, !at);
        if (at) {
            snprintf(wanted, sizeof wanted, "%.*stake%s", (int)(at - cases[i].refusal),
                     cases[i].refusal, at + 2);
            assert_string_equal(refusal, wanted);
        }
        give_back();
        r = keeper_release(&keeper, "cups", &cases[i].peer, 0, refusal, sizeof refusal);
        assert_int_equal(r, expected);
        assert_int_equal(is_open(port, TRANSPORT_TCP), !at);
        if (at) {
            snprintf(wanted, sizeof wanted, "%.*srelease%s", (int)(at - cases[i].refusal),
                     cases[i].refusal, at + 2);
            assert_string_equal(refusal, wanted);
        }
        end();
    }
}

static void an_unknown_name_is_refused(void **state)
{
    (void)state;
    uint16_t port = free_port();
    static const char *const names[] = {"", "cup", "cupss", "CUPS", "../cups", "**"};
    client_file("cups", "%u/tcp\n", port);
    keeper_start(true, GRACE_MS);
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        assert_int_equal(release(names[i], 0), KEEPER_E_REFUSED);
        assert_string_equal(refusal, "nothing is reserved by that name");
        assert_int_equal(take(names[i]), KEEPER_E_REFUSED);
        assert_string_equal(refusal, "nothing is reserved by that name");
    }
    assert_int_equal(take("*"), KEEPER_E_REFUSED);
    assert_state(port, TRANSPORT_TCP, KEEPER_HELD);
}

static void a_star_releases_all_that_one_may_release(void **state)
{
    (void)state;
    static const uid_t owners[] = {OWNER, 0, OWNER};
    static const struct keeper_peer owner = {.uid = OWNER}, stranger = {.uid = STRANGER};
    uint16_t ports[] = {free_port(), free_port(), free_port()};
    struct plan plan;
    client_file("a", "%u\n", ports[0]);
    client_file("b", "%u\n", ports[1]);
    client_file("c", "%u/tcp\n", ports[2]);
    keeper_read(&plan);
    for (size_t i = 0; i < 3; ++i)
        plan.clients[i].owner = owners[i];
    assert_int_equal(keeper_load(&keeper, &plan), 0);
    assert_int_equal(keeper_release(&keeper, "*", &stranger, 0, refusal, sizeof refusal),
                     KEEPER_E_REFUSED);
    assert_string_equal(refusal, "nothing is reserved that uid 2000 may release");
    assert_int_equal(keeper_held(&keeper), 5);
    assert_int_equal(keeper_release(&keeper, "*", &owner, 0, refusal, sizeof refusal), 0);
    assert_true(is_open(ports[0], TRANSPORT_TCP));
    assert_true(is_open(ports[0], TRANSPORT_UDP));
    assert_false(is_open(ports[1], TRANSPORT_TCP));
    assert_false(is_open(ports[1], TRANSPORT_UDP));
    assert_true(is_open(ports[2], TRANSPORT_TCP));
    assert_int_equal(release("*", 0), 0);
    assert_int_equal(keeper_held(&keeper), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, keeper_set_up, keeper_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_that_the_files_ask_for_is_held),
        CASE(units_are_in_the_order_of_names_and_lines),
        CASE(a_service_may_come_beside_a_soft_hold_only),
        CASE(a_port_in_use_is_told_of_and_the_others_are_held),
        CASE(with_keep_a_port_in_use_is_taken_once_it_is_free),
        CASE(without_keep_only_a_reload_takes_it),
        CASE(what_the_system_refuses_is_told_of),
        CASE(a_kernel_that_does_not_tell_of_sockets_is_told_of_once),
        CASE(a_reload_changes_what_has_changed),
        CASE(a_client_without_a_file_loses_its_ports),
        CASE(a_file_that_cannot_be_read_keeps_what_it_had),
        CASE(others_may_come_before_a_file_that_cannot_be_read),
        CASE(a_file_that_never_could_be_read_has_nothing),
        CASE(a_port_moves_from_client_to_client_held),
        CASE(a_port_may_move_away_from_a_file_that_cannot_be_read),
        CASE(a_released_port_stays_released_until_it_is_another_clients),
        CASE(without_memory_a_reload_changes_nothing),
        CASE(nothing_to_hold_is_no_trouble),
        CASE(root_the_owner_and_perhaps_the_group_may),
        CASE(an_unknown_name_is_refused),
        CASE(a_star_releases_all_that_one_may_release),
    };
    return cmocka_run_group_tests_name("keeper", tests, keeper_own_network, NULL);
}
