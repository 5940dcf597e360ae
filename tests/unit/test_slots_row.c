/* test_slots_row.c - ports of one's choice, and ports in a row. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fake_prober.h"
#include "slots.h"

enum { REST_MS = 5000, RETRY_MS = 5000, ROW_MAX = 1000, PROBES = 4096 };

static struct fake_prober fake;
static struct slots slots;
static uint64_t now_ms;
static uint32_t row[ROW_MAX]; /* the indices of the latest one */

static void begin_ranges(const struct table_range *ranges, size_t count)
{
    fake_prober_reset(&fake);
    now_ms = 1000;
    assert_int_equal(slots_init(&slots, ranges, count, REST_MS), 0);
}

static void begin(uint16_t low, uint16_t high)
{
    const struct table_range range = {low, high};
    begin_ranges(&range, 1);
}

/* Each port is in one line or allocated, and the lines are whole in both directions. */
static void assert_sound(void)
{
    size_t seen = 0;
    for (size_t queue = 0; queue < SLOT_QUEUES; ++queue) {
        uint32_t before = SLOT_NONE;
        size_t count = 0;
        for (uint32_t i = slots.line[queue].front; i != SLOT_NONE; i = slots.slot[i].next) {
            assert_int_equal(slots.slot[i].previous, before);
            assert_int_equal(slots.slot[i].queue, queue);
            before = i;
            count += 1;
        }
        assert_int_equal(slots.line[queue].back, before);
        assert_int_equal(slots.line[queue].count, count);
        seen += count;
    }
    for (size_t i = 0; i < slots.count; ++i)
        seen += slots.slot[i].queue == SLOT_ALLOCATED;
    assert_int_equal(seen, slots.count);
}

static void end(void)
{
    assert_sound();
    assert_int_equal(fake.held_count, 0);
    slots_deinit(&slots);
}

static const struct table_prober *prober(void)
{
    static struct table_prober made;
    made = fake_prober_of(&fake);
    return &made;
}

static int take_port(uint16_t port)
{
    uint32_t index;
    int r = slots_take_port(&slots, now_ms, prober(), port, &index);
    if (r == 0) {
        assert_int_equal(slots.slot[index].port, port);
        assert_int_equal(slots.slot[index].queue, SLOT_ALLOCATED);
    }
    assert_sound();
    return r;
}

/* The next port, or 0. */
static unsigned take(void)
{
    uint32_t index;
    int r = slots_take(&slots, now_ms, prober(), &index);
    return r == 0 ? slots.slot[index].port : 0;
}

static void give(uint16_t port)
{
    slots_give(&slots, slots_find(&slots, port), now_ms);
}

/* The lowest port of a row, or 0. */
static unsigned take_row_by(const struct table_prober *by, uint16_t lowest, size_t count)
{
    int r = slots_take_block(&slots, now_ms, by, lowest, count, row);
    assert_sound();
    if (r == TABLE_E_NO_BLOCK)
        return 0;
    assert_int_equal(r, 0);
    for (size_t i = 0; i < count; ++i) {
        assert_int_equal(slots.slot[row[i]].queue, SLOT_ALLOCATED);
        assert_int_equal(slots.slot[row[i]].port, slots.slot[row[0]].port + i);
    }
    return slots.slot[row[0]].port;
}

static unsigned take_row(size_t count)
{
    return take_row_by(prober(), 0, count);
}

static unsigned take_row_at(uint16_t lowest, size_t count)
{
    return take_row_by(prober(), lowest, count);
}

/* The ports of a line, the front first, and since when each stands there. */
struct image {
    size_t count[SLOT_QUEUES];
    struct {
        uint16_t port;
        uint64_t since_ms;
    } at[SLOT_QUEUES][64];
};

static struct image take_image(void)
{
    struct image image;
    memset(&image, 0, sizeof image);
    for (size_t queue = 0; queue < SLOT_QUEUES; ++queue)
        for (uint32_t i = slots.line[queue].front; i != SLOT_NONE; i = slots.slot[i].next) {
            size_t n = image.count[queue]++;
            assert_true(n < 64);
            image.at[queue][n].port = slots.slot[i].port;
            image.at[queue][n].since_ms = slots.slot[i].since_ms;
        }
    return image;
}

static void assert_image(const struct image *expected)
{
    struct image image = take_image();
    assert_memory_equal(&image, expected, sizeof image);
}

/* ------------------------------------------------------------ one's choice -- */

static void the_port_of_ones_choice_goes_out_and_no_other(void **state)
{
    (void)state;
    begin(1, 5);
    assert_int_equal(take_port(3), 0);
    assert_int_equal(take_port(1), 0);
    assert_int_equal(take_port(5), 0);
    assert_int_equal(fake.asked, 3);
    assert_int_equal(take(), 4);
    assert_int_equal(take(), 2);
    assert_int_equal(take(), 0);
    end();
}

static void a_port_that_is_not_managed_is_not_probed(void **state)
{
    (void)state;
    const struct table_range ranges[] = {{10, 11}, {20, 21}};
    begin_ranges(ranges, 2);
    assert_int_equal(take_port(9), TABLE_E_NOT_MANAGED);
    assert_int_equal(take_port(12), TABLE_E_NOT_MANAGED);
    assert_int_equal(take_port(UINT16_MAX), TABLE_E_NOT_MANAGED);
    assert_int_equal(fake.asked, 0);
    assert_int_equal(slots_find(&slots, 15), SLOT_NONE);
    assert_int_equal(slots.slot[slots_find(&slots, 21)].port, 21);
    end();
}

static void an_allocated_port_is_in_use_without_a_probe(void **state)
{
    (void)state;
    begin(1, 2);
    assert_int_equal(take_port(2), 0);
    assert_int_equal(take_port(2), TABLE_E_IN_USE);
    assert_int_equal(fake.asked, 1);
    end();
}

static void a_port_that_rests_may_be_chosen(void **state)
{
    (void)state;
    begin(1, 2);
    assert_int_equal(take_port(2), 0);
    give(2);
    assert_int_equal(slots.line[SLOT_RESTING].count, 1);
    assert_int_equal(take_port(2), 0);
    assert_int_equal(slots.line[SLOT_RESTING].count, 0);
    end();
}

static void a_chosen_port_may_have_old_connections(void **state)
{
    (void)state;
    begin(1, 2);
    fake.state[1] = TABLE_PORT_LINGERING;
    assert_int_equal(take_port(1), 0);
    end();
}

static void a_strangers_port_is_refused_and_looked_at_each_time_it_is_chosen(void **state)
{
    (void)state;
    begin(1, 2);
    fake.state[2] = TABLE_PORT_IN_USE;
    assert_int_equal(take_port(2), TABLE_E_IN_USE);
    assert_int_equal(slots.line[SLOT_BLOCKED].count, 1);
    assert_int_equal(take_port(2), TABLE_E_IN_USE);
    fake.state[2] = TABLE_PORT_FREE;
    assert_int_equal(take_port(2), 0);
    assert_int_equal(fake.asked, 3);
    end();
}

static void a_probe_that_fails_changes_nothing(void **state)
{
    (void)state;
    begin(1, 4);
    take_port(2);
    give(2);
    struct image before = take_image();
    fake.error = -EMFILE;
    assert_int_equal(take_port(2), -EMFILE);
    assert_int_equal(take_port(3), -EMFILE);
    assert_int_equal(slots_take_block(&slots, now_ms, prober(), 0, 2, row), -EMFILE);
    assert_int_equal(slots_take_block(&slots, now_ms, prober(), 1, 2, row), -EMFILE);
    assert_image(&before);
    end();
}

/* ------------------------------------------------------------------- rows -- */

static void the_highest_row_goes_out_first(void **state)
{
    (void)state;
    begin(1, 10);
    assert_int_equal(take_row(3), 8);
    assert_int_equal(take_row(4), 4);
    assert_int_equal(take_row(4), 0);
    assert_int_equal(take_row(3), 1);
    assert_int_equal(take_row(1), 0);
    end();
}

static void a_row_ends_with_the_highest_port_there_can_be(void **state)
{
    (void)state;
    begin(UINT16_MAX - 4, UINT16_MAX);
    assert_int_equal(take_row_at(UINT16_MAX - 1, 3), 0);
    assert_int_equal(take_row_at(UINT16_MAX, 2), 0);
    assert_int_equal(take_row(2), UINT16_MAX - 1);
    assert_int_equal(take_row_at(UINT16_MAX - 4, 3), UINT16_MAX - 4);
    end();
}

static void a_row_begins_with_the_lowest_port_there_can_be(void **state)
{
    (void)state;
    begin(1, 5);
    assert_int_equal(take_row(6), 0);
    assert_int_equal(take_row(5), 1);
    end();
}

static void a_row_does_not_go_over_a_gap_between_ranges(void **state)
{
    (void)state;
    const struct table_range ranges[] = {{20, 22}, {10, 13}};
    begin_ranges(ranges, 2);
    assert_int_equal(take_row(5), 0);
    assert_int_equal(take_row(4), 10);
    assert_int_equal(take_row_at(22, 2), 0);
    assert_int_equal(slots_take_block(&slots, now_ms, prober(), 19, 2, row),
                     TABLE_E_NOT_MANAGED);
    assert_int_equal(take_row(3), 20);
    end();
}

static void ranges_that_touch_make_one_row(void **state)
{
    (void)state;
    const struct table_range ranges[] = {{14, 15}, {10, 13}};
    begin_ranges(ranges, 2);
    assert_int_equal(take_row(6), 10);
    end();
}

static void ports_that_have_rested_go_before_those_that_rest(void **state)
{
    (void)state;
    begin(1, 10);
    assert_int_equal(take_port(9), 0);
    give(9);
    assert_int_equal(take_row(3), 6); /* 8 to 10 would be higher */
    assert_int_equal(take_row(3), 3);
    assert_int_equal(take_row(2), 1);
    assert_int_equal(take_row(2), 9); /* nothing else is left */
    end();
}

static void a_port_that_has_rested_is_as_good_as_any(void **state)
{
    (void)state;
    begin(1, 10);
    assert_int_equal(take_port(9), 0);
    give(9);
    now_ms += REST_MS;
    assert_int_equal(take_row(3), 8);
    end();
}

static void a_row_goes_around_strangers_and_remembers_them(void **state)
{
    (void)state;
    begin(1, 12);
    fake.state[11] = fake.state[7] = TABLE_PORT_IN_USE;
    assert_int_equal(take_row(3), 8);
    assert_int_equal(slots.line[SLOT_BLOCKED].count, 1); /* 7 was not asked about */
    assert_int_equal(take_row(3), 4);
    assert_int_equal(slots.line[SLOT_BLOCKED].count, 2);
    assert_int_equal(take_row(3), 1);
    assert_int_equal(take_row(2), 0);
    assert_int_equal(take(), 12);
    end();
}

static void a_strangers_port_that_became_free_makes_a_row(void **state)
{
    (void)state;
    begin(1, 3);
    fake.state[2] = TABLE_PORT_IN_USE;
    assert_int_equal(take_row(3), 0);
    assert_int_equal(take_row(3), 0);
    fake.state[2] = TABLE_PORT_FREE;
    assert_int_equal(take_row(3), 1);
    end();
}

static void a_row_may_have_old_connections(void **state)
{
    (void)state;
    begin(1, 3);
    fake.state[2] = TABLE_PORT_LINGERING;
    assert_int_equal(take_row(3), 1);
    end();
}

static void a_row_with_its_lowest_port_is_that_one_or_none(void **state)
{
    (void)state;
    begin(1, 10);
    assert_int_equal(take_row_at(3, 3), 3);
    assert_int_equal(take_row_at(1, 3), 0);
    assert_int_equal(take_row_at(5, 2), 0);
    assert_int_equal(take_row_at(6, 2), 6);
    give(4);
    give(5);
    assert_int_equal(take_row_at(4, 2), 4); /* though it rests */
    end();
}

static void a_row_that_fails_leaves_the_lines_as_they_were(void **state)
{
    (void)state;
    begin(1, 12);
    for (uint16_t port = 4; port <= 8; ++port) {
        assert_int_equal(take_port(port), 0);
        give(port);
        now_ms += 10;
    }
    assert_int_equal(take_port(1), 0);
    struct image before = take_image();
    assert_int_equal(take_row_at(1, 12), 0); /* the lowest one, tried last, is allocated */
    assert_image(&before);
    assert_int_equal(take_row_at(3, 11), 0); /* the highest, tried first, is not managed */
    assert_image(&before);
    assert_int_equal(take_row(12), 0);
    assert_image(&before);
    end();
}

static void of_a_row_that_meets_a_stranger_only_the_stranger_moves(void **state)
{
    (void)state;
    begin(1, 8);
    for (uint16_t port = 3; port <= 5; ++port) {
        assert_int_equal(take_port(port), 0);
        give(port);
    }
    fake.state[2] = TABLE_PORT_IN_USE;
    assert_int_equal(take_port(2), TABLE_E_IN_USE);
    fake.state[4] = TABLE_PORT_IN_USE;
    assert_int_equal(take_port(4), TABLE_E_IN_USE);
    struct image before = take_image();
    assert_int_equal(take_row_at(2, 6), 0); /* 4 is the last of the blocked already */
    assert_image(&before);
    end();
}

static void ports_taken_back_stand_where_they_stood(void **state)
{
    (void)state;
    begin(1, 12);
    for (uint16_t port = 2; port <= 5; ++port) {
        assert_int_equal(take_port(port), 0);
        give(port);
        now_ms += 10;
    }
    fake.state[7] = TABLE_PORT_IN_USE;
    assert_int_equal(take_port(7), TABLE_E_IN_USE);
    fake.state[7] = TABLE_PORT_FREE;
    struct image before = take_image();
    assert_int_equal(take_row_at(3, 8), 3);
    for (size_t i = 0; i < 8; ++i)
        slots_undo(&slots, row[i]);
    assert_image(&before);
    assert_int_equal(take_port(8), 0);
    slots_undo(&slots, slots_find(&slots, 8));
    assert_image(&before);
    end();
}

static void what_a_row_that_fails_held_is_dropped(void **state)
{
    (void)state;
    begin(1, 10);
    const struct table_prober holder = fake_holder_of(&fake);
    fake.state[3] = TABLE_PORT_IN_USE;
    assert_int_equal(take_row_by(&holder, 1, 8), 0);
    assert_int_equal(fake.held_count, 0);
    assert_int_equal(take_row_by(&holder, 0, 8), 0);
    assert_int_equal(fake.held_count, 0);
    assert_int_equal(take_row_by(&holder, 0, 7), 4);
    assert_int_equal(fake.held_count, 7);
    for (size_t i = 0; i < 7; ++i)
        fake_drop(&fake, slots.slot[row[i]].port);
    end();
}

/* A port that is not good enough yet is held by the look at it. */
static void what_was_held_in_passing_by_is_dropped(void **state)
{
    (void)state;
    begin(1, 2);
    const struct table_prober holder = fake_holder_of(&fake);
    uint32_t index;
    fake.state[2] = TABLE_PORT_LINGERING;
    assert_int_equal(slots_take(&slots, now_ms, &holder, &index), 0);
    assert_int_equal(slots.slot[index].port, 1);
    assert_int_equal(fake.held_count, 1);
    assert_true(fake.held[1]);
    fake_drop(&fake, 1);
    end();
}

/* ------------------------------------------------------------------ bounds -- */

static void one_request_for_a_row_probes_a_bounded_number_of_ports(void **state)
{
    (void)state;
    begin(1, 60000);
    memset(fake.state, TABLE_PORT_IN_USE, sizeof fake.state);
    assert_int_equal(take_row(ROW_MAX), 0);
    assert_in_range(fake.asked, PROBES - ROW_MAX, PROBES);
    end();
}

/* Each stranger costs one probe, and not as many as the row has ports. */
static void a_row_beyond_many_strangers_is_found(void **state)
{
    (void)state;
    begin(1, 3000);
    for (unsigned port = 1001; port <= 3000; ++port)
        fake.state[port] = TABLE_PORT_IN_USE;
    assert_int_equal(take_row(ROW_MAX), 1);
    end();
}

/* ------------------------------------------------------------- at random -- */

static bool is_row(const uint8_t *fit, unsigned lowest, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (!fit[lowest + i])
            return false;
    return true;
}

/* Beside a plain search: strangers, allocated and resting ports in any mixture. */
static void a_row_is_what_a_plain_search_finds(void **state)
{
    (void)state;
    enum { PORTS = 40, ROUNDS = 3000 };
    srand(1);
    for (int round = 0; round < ROUNDS; ++round) {
        uint8_t rested[PORTS + 2] = {0}, fit[PORTS + 2] = {0};
        begin(1, PORTS);
        for (uint16_t port = 1; port <= PORTS; ++port) {
            int kind = rand() % 12;
            fake.state[port] = kind == 0 ? TABLE_PORT_IN_USE : TABLE_PORT_FREE;
            rested[port] = fit[port] = kind > 0;
            if (kind != 1 && kind != 2)
                continue;
            assert_int_equal(take_port(port), 0);
            rested[port] = 0;
            fit[port] = kind == 2;
            if (kind == 2)
                give(port);
        }
        size_t count = 1 + (size_t)rand() % 8;
        unsigned expected = 0;
        for (unsigned port = 1; port + count - 1 <= PORTS; ++port)
            if (is_row(rested, port, count))
                expected = port;
        bool rests = expected == 0;
        for (unsigned port = 1; rests && port + count - 1 <= PORTS; ++port)
            if (is_row(fit, port, count))
                expected = port;
        assert_int_equal(take_row(count), expected);
        end();
    }
}

static void who_holds_looks_closer_before_a_lingering_port_goes_out(void **state)
{
    (void)state;
    const struct table_prober holder = fake_holder_of(&fake);
    uint32_t index;
    begin(1, 40);
    memset(fake.state, TABLE_PORT_LINGERING, sizeof fake.state);
    memset(fake.doubtful, true, sizeof fake.doubtful);
    fake.doubtful[40] = false;
    assert_int_equal(slots_take(&slots, now_ms, &holder, &index), 0);
    assert_int_equal(slots.slot[index].port, 40);
    assert_int_equal(fake.confirmed, 1);
    assert_int_equal(slots_take_port(&slots, now_ms, &holder, 7, &index), TABLE_E_IN_USE);
    assert_int_equal(fake.confirmed, 2);
    /* Not at all of them, which would take long. */
    assert_int_equal(slots_take(&slots, now_ms, &holder, &index), TABLE_E_NO_FREE_PORTS);
    assert_int_equal(fake.confirmed, 4);
    assert_int_equal(fake.held_count, 1);
    fake_drop(&fake, 40);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_port_of_ones_choice_goes_out_and_no_other),
        cmocka_unit_test(a_port_that_is_not_managed_is_not_probed),
        cmocka_unit_test(an_allocated_port_is_in_use_without_a_probe),
        cmocka_unit_test(a_port_that_rests_may_be_chosen),
        cmocka_unit_test(a_chosen_port_may_have_old_connections),
        cmocka_unit_test(a_strangers_port_is_refused_and_looked_at_each_time_it_is_chosen),
        cmocka_unit_test(a_probe_that_fails_changes_nothing),
        cmocka_unit_test(the_highest_row_goes_out_first),
        cmocka_unit_test(a_row_ends_with_the_highest_port_there_can_be),
        cmocka_unit_test(a_row_begins_with_the_lowest_port_there_can_be),
        cmocka_unit_test(a_row_does_not_go_over_a_gap_between_ranges),
        cmocka_unit_test(ranges_that_touch_make_one_row),
        cmocka_unit_test(ports_that_have_rested_go_before_those_that_rest),
        cmocka_unit_test(a_port_that_has_rested_is_as_good_as_any),
        cmocka_unit_test(a_row_goes_around_strangers_and_remembers_them),
        cmocka_unit_test(a_strangers_port_that_became_free_makes_a_row),
        cmocka_unit_test(a_row_may_have_old_connections),
        cmocka_unit_test(a_row_with_its_lowest_port_is_that_one_or_none),
        cmocka_unit_test(a_row_that_fails_leaves_the_lines_as_they_were),
        cmocka_unit_test(of_a_row_that_meets_a_stranger_only_the_stranger_moves),
        cmocka_unit_test(ports_taken_back_stand_where_they_stood),
        cmocka_unit_test(what_a_row_that_fails_held_is_dropped),
        cmocka_unit_test(what_was_held_in_passing_by_is_dropped),
        cmocka_unit_test(one_request_for_a_row_probes_a_bounded_number_of_ports),
        cmocka_unit_test(a_row_beyond_many_strangers_is_found),
        cmocka_unit_test(a_row_is_what_a_plain_search_finds),
        cmocka_unit_test(who_holds_looks_closer_before_a_lingering_port_goes_out),
    };
    return cmocka_run_group_tests_name("slots in a row", tests, NULL, NULL);
}
