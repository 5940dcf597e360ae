/* test_ring.c - the queue itself, in memory of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"

static struct ring ring;

/* An empty queue whose first message will be number `number`. */
static void begin_at(int count, uint64_t number)
{
    size_t bytes = segment_bytes(segment_log2(count));
    void *memory;
    assert_int_equal(posix_memalign(&memory, SEGMENT_LINE_BYTES, bytes), 0);
    memset(memory, 0, bytes);
    segment_init(memory, 1, count);
    ring_init(&ring, memory);
    struct segment *segment = ring.segment;
    segment->head = number;
    segment->tail = number;
    segment->head_seen = number;
    for (uint64_t n = number; n <= number + ring.mask; ++n)
        ring.slots[n & ring.mask].tag = (slot_tag)(n >> ring.log2) & (slot_tag)~SLOT_TOMB;
}

static void end(void)
{
    free(ring.segment);
}

static long pop(void)
{
    long value;
    size_t taken;
    assert_int_equal(ring_pop(&ring, &value, 1, &taken), 0);
    assert_int_equal(taken, 1);
    return value;
}

static uint64_t waiting(void)
{
    uint64_t n, next;
    assert_int_equal(ring_measure(&ring, &n, &next), 0);
    return n;
}

/* Fills and empties the queue over several laps. */
static void check_laps(int count, int laps)
{
    long sent = 0, received = 0, value;
    size_t taken;
    for (int lap = 0; lap < laps; ++lap) {
        for (int i = 0; i < count; ++i) {
            assert_int_equal(waiting(), i);
            assert_int_equal(ring_push(&ring, sent++), 0);
        }
        assert_int_equal(ring_push(&ring, -1), RING_FULL);
        for (int i = 0; i < count; ++i)
            assert_int_equal(pop(), received++);
        assert_int_equal(ring_pop(&ring, &value, 1, &taken), RING_EMPTY);
    }
}

static void it_holds_exactly_count_messages(void **state)
{
    (void)state;
    for (int count = 1; count <= 70; ++count) {
        begin_at(count, 0);
        check_laps(count, 6);
        end();
    }
}

static void its_numbers_pass_every_power_of_two(void **state)
{
    static const uint64_t powers[] = {(uint64_t)1 << 31, (uint64_t)1 << 32, (uint64_t)1 << 33,
                                      (uint64_t)1 << 62};
    (void)state;
    for (size_t i = 0; i < sizeof powers / sizeof *powers; ++i) {
        for (int count = 1; count <= 17; count += 4) {
            begin_at(count, powers[i] - (uint64_t)count - 3);
            check_laps(count, 6);
            end();
            /* where the laps, rather than the messages, reach the power */
            begin_at(count, ((powers[i] >> ring.log2 << ring.log2) - 2));
            check_laps(count, 6);
            end();
        }
    }
}

static void a_batch_is_taken_in_one_step(void **state)
{
    long values[8];
    size_t taken;
    (void)state;
    begin_at(6, 0);
    for (long i = 0; i < 5; ++i)
        assert_int_equal(ring_push(&ring, i * 10), 0);
    assert_int_equal(ring_pop(&ring, values, 3, &taken), 0);
    assert_int_equal(taken, 3);
    assert_int_equal(values[2], 20);
    assert_int_equal(ring.segment->head, 3);
    assert_int_equal(ring_pop(&ring, values, 8, &taken), 0);
    assert_int_equal(taken, 2);
    assert_int_equal(values[0], 30);
    end();
}

static void the_extreme_values_arrive(void **state)
{
    static const long values[] = {0, -1, LONG_MIN, LONG_MAX, 1};
    (void)state;
    begin_at(5, 0);
    for (size_t i = 0; i < 5; ++i)
        assert_int_equal(ring_push(&ring, values[i]), 0);
    for (size_t i = 0; i < 5; ++i)
        assert_true(pop() == values[i]);
    end();
}

static void a_late_tail_is_caught_up_with(void **state)
{
    (void)state;
    begin_at(4, 0);
    for (long i = 0; i < 40; ++i) {
        assert_int_equal(ring_push(&ring, i), 0);
        assert_int_equal(pop(), i);
    }
    /* as a sender that slept meanwhile would leave them */
    ring.segment->tail = 3;
    ring.segment->head_seen = 1;
    check_laps(4, 3);
    end();
}

static void only_messages_below_the_limit_are_popped(void **state)
{
    long value;
    uint64_t n, next;
    (void)state;
    begin_at(4, 0);
    ring_push(&ring, 1);
    ring_push(&ring, 2);
    assert_int_equal(ring_measure(&ring, &n, &next), 0);
    ring_push(&ring, 3);
    assert_int_equal(ring_pop_below(&ring, next, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(ring_pop_below(&ring, next, &value), 0);
    assert_int_equal(value, 2);
    assert_int_equal(ring_pop_below(&ring, next, &value), RING_EMPTY);
    assert_int_equal(pop(), 3);
    end();
}

static void a_killed_queue_gives_its_rest_to_the_killer_alone(void **state)
{
    long value;
    size_t taken;
    uint64_t n, next;
    (void)state;
    for (int filled = 0; filled <= 4; ++filled) {
        begin_at(4, 0);
        for (long i = 0; i < filled; ++i)
            ring_push(&ring, i);
        assert_int_equal(ring_kill(&ring), 0);
        assert_int_equal(ring_kill(&ring), 0);
        assert_int_equal(ring_push(&ring, 9), RING_DEAD);
        assert_int_equal(ring_pop(&ring, &value, 1, &taken), RING_DEAD);
        assert_int_equal(ring_pop_below(&ring, 100, &value), RING_DEAD);
        assert_int_equal(ring_measure(&ring, &n, &next), RING_DEAD);
        for (long i = 0; i < filled; ++i) {
            assert_int_equal(ring_drain(&ring, &value), 0);
            assert_int_equal(value, i);
        }
        assert_int_equal(ring_drain(&ring, &value), RING_EMPTY);
        end();
    }
}

static void senseless_memory_is_said_to_be_damaged(void **state)
{
    long value;
    size_t taken;
    uint64_t n, next;
    (void)state;
    begin_at(4, 0);
    for (size_t i = 0; i <= ring.mask; ++i)
        ring.slots[i].tag = 77;
    assert_int_equal(ring_push(&ring, 1), RING_DAMAGED);
    assert_int_equal(ring_pop(&ring, &value, 1, &taken), RING_DAMAGED);
    assert_int_equal(ring_kill(&ring), RING_DAMAGED);
    ring.segment->tail = 1000;
    assert_int_equal(ring_measure(&ring, &n, &next), RING_DAMAGED);
    end();
}

enum { THREADS = 3, EACH = 20000 };

static void *send_each(void *argument)
{
    long who = (long)(intptr_t)argument;
    for (long i = 0; i < EACH; ++i)
        while (ring_push(&ring, who * EACH + i) == RING_FULL)
            sched_yield(); /* valgrind runs one thread at a time */
    return NULL;
}

static void many_senders_and_receivers_lose_and_double_nothing(void **state)
{
    pthread_t threads[THREADS];
    long last[THREADS];
    (void)state;
    begin_at(3, 0);
    for (long i = 0; i < THREADS; ++i) {
        last[i] = -1;
        assert_int_equal(pthread_create(&threads[i], NULL, send_each, (void *)(intptr_t)i), 0);
    }
    for (long n = 0; n < THREADS * EACH;) {
        long value;
        size_t taken;
        if (ring_pop(&ring, &value, 1, &taken) == RING_EMPTY) {
            sched_yield();
            continue;
        }
        assert_int_equal(value % EACH, last[value / EACH] + 1);
        last[value / EACH] += 1;
        n += 1;
    }
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
    assert_int_equal(waiting(), 0);
    end();
}

static void a_first_line_that_is_no_ports_is_refused(void **state)
{
    struct segment segment;
    size_t bytes = segment_bytes(segment_log2(5));
    (void)state;
    memset(&segment, 0, sizeof segment);
    segment_init(&segment, 3, 5);
    assert_int_equal(segment_check(&segment, bytes, 3), 0);
    assert_true(segment_check(&segment, bytes, 4) < 0);
    assert_true(segment_check(&segment, bytes - 1, 3) < 0);
    assert_true(segment_check(&segment, bytes + 4096, 3) < 0);
    segment.count = 0;
    assert_true(segment_check(&segment, bytes, 3) < 0);
    segment.count = PORTS_COUNT_MAX + 1;
    assert_true(segment_check(&segment, bytes, 3) < 0);
    segment.count = 5;
    segment.slots_log2 = 40;
    assert_true(segment_check(&segment, bytes, 3) < 0);
    segment_init(&segment, 3, 5);
    segment.long_bytes = 2;
    assert_true(segment_check(&segment, bytes, 3) < 0);
    segment_init(&segment, 3, 5);
    segment.magic[0] = 'p';
    assert_true(segment_check(&segment, bytes, 3) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_exactly_count_messages),
        cmocka_unit_test(its_numbers_pass_every_power_of_two),
        cmocka_unit_test(a_batch_is_taken_in_one_step),
        cmocka_unit_test(the_extreme_values_arrive),
        cmocka_unit_test(a_late_tail_is_caught_up_with),
        cmocka_unit_test(only_messages_below_the_limit_are_popped),
        cmocka_unit_test(a_killed_queue_gives_its_rest_to_the_killer_alone),
        cmocka_unit_test(senseless_memory_is_said_to_be_damaged),
        cmocka_unit_test(many_senders_and_receivers_lose_and_double_nothing),
        cmocka_unit_test(a_first_line_that_is_no_ports_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
