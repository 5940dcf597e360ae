/*
 * test_ports_poll.c - messages through poll(2) and libuv: none is missed, nobody is told for
 * ever, and a poller that is killed silences no other.
 *
 * PORTS_MESSAGES in the environment sets how many messages; 1,000,000 takes some seconds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "ports_fixture.h"

enum { MESSAGES = 50000, POLLERS = 3, KILLS = 60 };

static long messages_of_test(void)
{
    const char *wanted = getenv("PORTS_MESSAGES");
    return wanted ? atol(wanted) : MESSAGES;
}

/* Sends 0, 1, 2, ..., in bursts with pauses between them, so that a poller sleeps now and then.
 */
static int send_bursts(void *context)
{
    int id = *(int *)context;
    unsigned random = 1;
    long count = messages_of_test();
    for (long msg = 0; msg < count; ++msg) {
        if (psend(id, msg) < 0)
            return 1;
        random = random * 1103515245u + 12345u;
        if (random % 997 == 0)
            usleep(random / 65536 % 300);
    }
    return 0;
}

struct reader {
    int id;
    long expected;
    long told;   /* how often the descriptor was readable */
    long vainly; /* and nothing was there */
};

/* Takes all that is there, as pgetfd() asks for. */
static void take_all(struct reader *reader)
{
    long msg;
    bool any = false;
    while (ptryreceive(reader->id, &msg) == 0) {
        assert_int_equal(msg, reader->expected);
        reader->expected += 1;
        any = true;
    }
    assert_int_equal(errno, EAGAIN);
    reader->told += 1;
    reader->vainly += !any;
}

/* A message found by looking once more may have been told of too: once in vain, not for ever.
 */
static void check_told(const struct reader *reader)
{
    struct pollfd poller = {pgetfd(reader->id), POLLIN, 0};
    assert_int_equal(poll(&poller, 1, 0), 0);
    close(poller.fd);
    assert_in_range(reader->told, 1, 2 * messages_of_test());
    assert_in_range(reader->vainly, 0, reader->told / 2 + 1);
}

static void none_is_missed_through_poll(void **state)
{
    (void)state;
    struct reader reader = {.id = pcreate(64)};
    struct pollfd poller = {pgetfd(reader.id), POLLIN, 0};
    pid_t sender = ports_fixture_fork(send_bursts, &reader.id);
    while (reader.expected < messages_of_test()) {
        assert_int_equal(poll(&poller, 1, 20000), 1);
        take_all(&reader);
    }
    assert_int_equal(ports_fixture_wait(sender), 0);
    check_told(&reader);
    close(poller.fd);
    assert_int_equal(pdelete(reader.id, NULL), 0);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct reader *reader = handle->data;
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    take_all(reader);
    if (reader->expected == messages_of_test())
        uv_close((uv_handle_t *)handle, NULL);
}

static void none_is_missed_through_libuv(void **state)
{
    uv_loop_t loop;
    uv_poll_t handle;
    (void)state;
    struct reader reader = {.id = pcreate(64)};
    int fd = pgetfd(reader.id);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_poll_init(&loop, &handle, fd), 0);
    handle.data = &reader;
    assert_int_equal(uv_poll_start(&handle, UV_READABLE, on_readable), 0);
    pid_t sender = ports_fixture_fork(send_bursts, &reader.id);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(ports_fixture_wait(sender), 0);
    check_told(&reader);
    close(fd);
    assert_int_equal(pdelete(reader.id, NULL), 0);
}

/* What killed pollers leave behind to be counted. */
struct tally {
    int id;
    _Atomic(long) received;
    _Atomic(long) sent;
    _Atomic(int) stop;
};

static int poll_until_killed(void *context)
{
    struct tally *tally = context;
    struct pollfd poller = {pgetfd(tally->id), POLLIN, 0};
    long msg;
    for (;;) {
        if (poll(&poller, 1, -1) != 1)
            return 1;
        while (ptryreceive(tally->id, &msg) == 0)
            atomic_fetch_add(&tally->received, 1);
    }
}

static int send_until_told(void *context)
{
    struct tally *tally = context;
    while (!atomic_load(&tally->stop)) {
        if (psend(tally->id, 1) < 0)
            return 1;
        if (atomic_fetch_add(&tally->sent, 1) % 16 == 0)
            usleep(20);
    }
    return 0;
}

/* Waits until more has been received than now: with all pollers silenced it would not be. */
static void await_progress(const struct tally *tally, long beyond)
{
    for (int i = 0; i < 20000 && atomic_load(&tally->received) <= beyond; ++i)
        usleep(500);
    assert_true(atomic_load(&tally->received) > beyond);
}

static void pollers_killed_in_traffic_silence_nobody(void **state)
{
    pid_t pollers[POLLERS];
    unsigned random = 7;
    (void)state;
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tally != MAP_FAILED);
    tally->id = pcreate(8);
    for (int i = 0; i < POLLERS; ++i)
        pollers[i] = ports_fixture_fork(poll_until_killed, tally);
    pid_t sender = ports_fixture_fork(send_until_told, tally);
    for (int i = 0; i < KILLS; ++i) {
        random = random * 1103515245u + 12345u;
        usleep(random / 65536 % 1000);
        kill(pollers[i % POLLERS], SIGKILL);
        assert_int_equal(ports_fixture_wait(pollers[i % POLLERS]), 128 + SIGKILL);
        await_progress(tally, atomic_load(&tally->received)); /* by the others */
        pollers[i % POLLERS] = ports_fixture_fork(poll_until_killed, tally);
    }
    atomic_store(&tally->stop, 1);
    assert_int_equal(ports_fixture_wait(sender), 0);
    for (int i = 0; i < 20000 && pgetcount(tally->id) > 0; ++i)
        usleep(500);
    assert_int_equal(pgetcount(tally->id), 0);
    for (int i = 0; i < POLLERS; ++i) {
        kill(pollers[i], SIGKILL);
        ports_fixture_wait(pollers[i]);
    }
    /* one message at most is in a killed process's hands */
    long lost = atomic_load(&tally->sent) - atomic_load(&tally->received);
    assert_in_range(lost, 0, KILLS + POLLERS);
    assert_int_equal(pdelete(tally->id, NULL), 0);
    munmap(tally, sizeof *tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_missed_through_poll),
        cmocka_unit_test(none_is_missed_through_libuv),
        cmocka_unit_test(pollers_killed_in_traffic_silence_nobody),
    };
    return cmocka_run_group_tests(tests, ports_fixture_begin, ports_fixture_end);
}
