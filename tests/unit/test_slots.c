/* test_slots.c - the managed ports and the lines in which the free ones wait. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "fake_prober.h"
#include "slots.h"

enum { REST_MS = 5000, RETRY_MS = 5000 };

static struct fake_prober fake;
static struct slots slots;
static uint64_t now_ms;

static void begin(uint16_t low, uint16_t high, uint64_t quarantine_ms)
{
    const struct table_range range = {low, high};
    fake_prober_reset(&fake);
    now_ms = 1000;
    assert_int_equal(slots_init(&slots, &range, 1, quarantine_ms), 0);
}

static void end(void)
{
    slots_deinit(&slots);
}

/* The index of the next port, or UINT32_MAX when none is free. */
static uint32_t take_index(void)
{
    const struct table_prober prober = fake_prober_of(&fake);
    uint32_t index = UINT32_MAX;
    int r = slots_take(&slots, now_ms, &prober, &index);
    if (r == TABLE_E_NO_FREE_PORTS)
        return UINT32_MAX;
    assert_int_equal(r, 0);
    return index;
}

/* The next port, or 0. */
static unsigned take(void)
{
    uint32_t index = take_index();
    return index == UINT32_MAX ? 0 : slots.slot[index].port;
}

static void give(unsigned port)
{
    uint32_t index = 0;
    while (slots.slot[index].port != port)
        ++index;
    slots_give(&slots, index, now_ms);
}

static void the_highest_port_goes_out_first(void **state)
{
    (void)state;
    begin(8, 12, REST_MS);
    for (unsigned port = 12; port >= 8; --port)
        assert_int_equal(take(), port);
    assert_int_equal(take(), 0);
    end();
}

static void ports_of_several_ranges_make_one_line(void **state)
{
    (void)state;
    const struct table_range ranges[] = {{20, 21}, {7, 7}, {100, 101}};
    fake_prober_reset(&fake);
    assert_int_equal(slots_init(&slots, ranges, 3, REST_MS), 0);
    assert_int_equal(slots.count, 5);
    static const unsigned order[] = {101, 100, 21, 20, 7, 0};
    for (size_t i = 0; i < sizeof order / sizeof *order; ++i)
        assert_int_equal(take(), order[i]);
    end();
}

static void a_freed_port_rests_and_then_stands_at_the_end_of_the_line(void **state)
{
    (void)state;
    begin(1, 4, REST_MS);
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 3);
    give(4);
    now_ms += 1;
    give(3);
    now_ms += REST_MS - 1; /* 4 has rested, 3 not yet */
    assert_int_equal(take(), 2);
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 3); /* nothing else was left */
    assert_int_equal(take(), 0);
    end();
}

static void a_port_that_has_not_rested_goes_out_only_when_nothing_else_is_left(void **state)
{
    (void)state;
    begin(1, 3, REST_MS);
    assert_int_equal(take(), 3);
    give(3);
    assert_int_equal(take(), 2);
    give(2);
    now_ms += REST_MS - 1;
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 3); /* the one that rests longest */
    assert_int_equal(take(), 2);
    end();
}

static void ports_go_round_first_in_first_out(void **state)
{
    (void)state;
    begin(1, 5, REST_MS);
    for (unsigned i = 0; i < 50; ++i) {
        assert_int_equal(take(), 5 - i % 5);
        give(5 - i % 5);
        now_ms += REST_MS / 10;
    }
    end();
}

static void without_a_quarantine_the_port_freed_last_is_next(void **state)
{
    (void)state;
    begin(1, 5, 0);
    assert_int_equal(take(), 5);
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 3);
    give(5);
    give(3);
    give(4);
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 3);
    assert_int_equal(take(), 5);
    assert_int_equal(take(), 2);
    end();
}

static void a_port_in_use_is_passed_over_and_looked_at_again_after_5_s(void **state)
{
    (void)state;
    begin(1, 5, REST_MS);
    fake.state[5] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 4);
    assert_int_equal(fake.asked, 2);
    fake.state[5] = TABLE_PORT_FREE;
    now_ms += RETRY_MS - 1;
    assert_int_equal(take(), 3);
    assert_int_equal(fake.asked, 3); /* nobody asked about 5 */
    now_ms += 1;
    assert_int_equal(take(), 2); /* 5 stands at the end of the line */
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 5);
    end();
}

/* 4 was freed lately; 5, if it has come back into the line, stands before it. */
static void assert_comes_back_after(uint64_t passed_ms, bool back)
{
    begin(3, 5, 60000);
    now_ms = 123456;
    fake.state[5] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 3);
    give(4);
    fake.state[5] = TABLE_PORT_FREE;
    now_ms += passed_ms;
    assert_int_equal(take(), back ? 5 : 4);
    end();
}

static void a_port_in_use_comes_back_into_the_line_after_exactly_5_s(void **state)
{
    (void)state;
    assert_comes_back_after(RETRY_MS - 1, false);
    assert_comes_back_after(RETRY_MS, true);
    assert_comes_back_after(RETRY_MS + 1, true);
}

/* 5 has been in use, so it can come back behind 4, but only if 4 has rested. */
static void assert_has_rested_after(uint64_t passed_ms, bool rested)
{
    begin(3, 5, REST_MS);
    fake.state[5] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 3);
    now_ms += 2 * RETRY_MS;
    give(4);
    fake.state[5] = TABLE_PORT_FREE;
    now_ms += passed_ms;
    assert_int_equal(take(), rested ? 4 : 5);
    end();
}

static void a_port_has_rested_after_exactly_its_time(void **state)
{
    (void)state;
    assert_has_rested_after(REST_MS - 1, false);
    assert_has_rested_after(REST_MS, true);
}

static void a_resting_port_on_which_connections_linger_goes_out_after_the_others(void **state)
{
    (void)state;
    begin(1, 2, REST_MS);
    assert_int_equal(take(), 2);
    assert_int_equal(take(), 1);
    give(2);
    give(1);
    fake.state[2] = TABLE_PORT_LINGERING;
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 2);
    end();
}

static void a_port_still_in_use_after_5_s_is_passed_over_again(void **state)
{
    (void)state;
    begin(1, 4, REST_MS);
    fake.state[4] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 3);
    now_ms += RETRY_MS;
    assert_int_equal(take(), 2);
    fake.state[1] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 0);
    fake.state[4] = TABLE_PORT_FREE;
    assert_int_equal(take(), 4); /* nothing else is left */
    end();
}

static void a_lingering_port_goes_out_last(void **state)
{
    (void)state;
    begin(1, 4, REST_MS);
    fake.state[4] = TABLE_PORT_LINGERING;
    fake.state[3] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 2);
    give(2);
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 2); /* one that rests comes before one that lingers */
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 0); /* but one in use never */
    end();
}

static void of_the_lingering_ports_the_one_seen_longest_ago_goes_out_first(void **state)
{
    (void)state;
    begin(1, 4, REST_MS);
    memset(fake.state, TABLE_PORT_LINGERING, sizeof fake.state);
    for (unsigned port = 4; port >= 1; --port)
        assert_int_equal(take(), port);
    end();
}

static void a_lingering_port_that_became_free_and_was_given_back_rests(void **state)
{
    (void)state;
    begin(1, 2, REST_MS);
    fake.state[2] = TABLE_PORT_LINGERING;
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 2);
    fake.state[2] = TABLE_PORT_FREE;
    give(1);
    give(2);
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 2);
    end();
}

static void when_all_ports_are_in_use_none_is_given_out_and_all_come_back(void **state)
{
    (void)state;
    begin(1, 100, REST_MS);
    memset(fake.state, TABLE_PORT_IN_USE, sizeof fake.state);
    assert_int_equal(take(), 0);
    assert_int_equal(take(), 0);
    memset(fake.state, TABLE_PORT_FREE, sizeof fake.state);
    for (unsigned i = 0; i < 100; ++i)
        assert_int_not_equal(take(), 0);
    assert_int_equal(take(), 0);
    end();
}

static void one_request_probes_a_bounded_number_of_ports(void **state)
{
    (void)state;
    enum { PROBES = 4096 };
    begin(1, 60000, REST_MS);
    for (unsigned port = 60000 - 2 * PROBES + 1; port <= 60000; ++port)
        fake.state[port] = TABLE_PORT_IN_USE;
    assert_int_equal(take(), 0);
    assert_int_equal(fake.asked, PROBES);
    assert_int_equal(take(), 0);
    assert_int_equal(fake.asked, 2 * PROBES);
    assert_int_equal(take(), 60000 - 2 * PROBES); /* the third gets beyond them */
    end();
}

static void a_failing_probe_is_passed_up_and_takes_nothing(void **state)
{
    (void)state;
    begin(1, 2, REST_MS);
    const struct table_prober prober = fake_prober_of(&fake);
    uint32_t index;
    fake.error = -EMFILE;
    assert_int_equal(slots_take(&slots, now_ms, &prober, &index), -EMFILE);
    fake.error = 0;
    assert_int_equal(take(), 2);
    assert_int_equal(take(), 1);
    give(1);
    fake.error = -EMFILE; /* while looking at the one that rests */
    assert_int_equal(slots_take(&slots, now_ms, &prober, &index), -EMFILE);
    fake.error = 0;
    assert_int_equal(take(), 1);
    end();
}

static void slots_stand_in_the_order_of_ports_as_strings(void **state)
{
    (void)state;
    begin(1, 60000, REST_MS);
    assert_int_equal(slots.count, 60000);
    char before[8] = "";
    for (size_t i = 0; i < slots.count; ++i) {
        char port[8];
        snprintf(port, sizeof port, "%u", (unsigned)slots.slot[i].port);
        assert_true(strcmp(before, port) < 0);
        memcpy(before, port, sizeof before);
    }
    end();
}

static void every_port_there_can_be_is_managed(void **state)
{
    (void)state;
    static uint8_t seen[UINT16_MAX + 1];
    begin(1, UINT16_MAX, REST_MS);
    for (unsigned i = 0; i < UINT16_MAX; ++i)
        seen[take()] += 1;
    assert_int_equal(take(), 0);
    for (unsigned port = 1; port <= UINT16_MAX; ++port)
        assert_int_equal(seen[port], 1);
    end();
}

static void without_memory_there_are_no_slots(void **state)
{
    (void)state;
    const struct table_range range = {1, 10};
    for (size_t k = 0;; ++k) {
        alloc_fail_after(k);
        int r = slots_init(&slots, &range, 1, REST_MS);
        if (!alloc_fail_stop()) {
            assert_int_equal(r, 0);
            assert_true(k >= 1);
            end();
            return;
        }
        assert_int_equal(r, -ENOMEM);
        assert_null(slots.slot);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_port_goes_out_first),
        cmocka_unit_test(ports_of_several_ranges_make_one_line),
        cmocka_unit_test(a_freed_port_rests_and_then_stands_at_the_end_of_the_line),
        cmocka_unit_test(a_port_that_has_not_rested_goes_out_only_when_nothing_else_is_left),
        cmocka_unit_test(ports_go_round_first_in_first_out),
        cmocka_unit_test(without_a_quarantine_the_port_freed_last_is_next),
        cmocka_unit_test(a_port_in_use_is_passed_over_and_looked_at_again_after_5_s),
        cmocka_unit_test(a_port_in_use_comes_back_into_the_line_after_exactly_5_s),
        cmocka_unit_test(a_port_has_rested_after_exactly_its_time),
        cmocka_unit_test(a_resting_port_on_which_connections_linger_goes_out_after_the_others),
        cmocka_unit_test(a_port_still_in_use_after_5_s_is_passed_over_again),
        cmocka_unit_test(a_lingering_port_goes_out_last),
        cmocka_unit_test(of_the_lingering_ports_the_one_seen_longest_ago_goes_out_first),
        cmocka_unit_test(a_lingering_port_that_became_free_and_was_given_back_rests),
        cmocka_unit_test(when_all_ports_are_in_use_none_is_given_out_and_all_come_back),
        cmocka_unit_test(one_request_probes_a_bounded_number_of_ports),
        cmocka_unit_test(a_failing_probe_is_passed_up_and_takes_nothing),
        cmocka_unit_test(slots_stand_in_the_order_of_ports_as_strings),
        cmocka_unit_test(every_port_there_can_be_is_managed),
        cmocka_unit_test(without_memory_there_are_no_slots),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
