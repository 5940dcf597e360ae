/* test_ports.c - Ports IPC as its manual page promises it: sending, receiving, blocking. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ports_fixture.h"

static long disposed[256];
static int disposed_count;

static int dispose(long msg)
{
    disposed[disposed_count++] = msg;
    return 1; /* ignored */
}

static struct timespec in_ms(long ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now.tv_nsec += ms % 1000 * 1000000;
    now.tv_sec += ms / 1000 + now.tv_nsec / 1000000000;
    now.tv_nsec %= 1000000000;
    return now;
}

enum kind { SENDS, RECEIVES, SENDS_TIMED, RECEIVES_TIMED };

/* A call that blocks, made in a child. */
struct blocked {
    int id;
    enum kind kind;
    int flags; /* of its handler of SIGUSR1 */
};

static void on_usr1(int number)
{
    (void)number;
}

/* Exits with 0 when the call succeeds, otherwise with its errno. */
static int block(void *context)
{
    const struct blocked *blocked = context;
    struct sigaction action = {.sa_handler = on_usr1, .sa_flags = blocked->flags};
    struct timespec deadline = in_ms(20000);
    long msg;
    int r = -1;
    sigaction(SIGUSR1, &action, NULL);
    switch (blocked->kind) {
    case SENDS:
        r = psend(blocked->id, 99);
        break;
    case RECEIVES:
        r = preceive_r(blocked->id, &msg);
        break;
    case SENDS_TIMED:
        r = ptimedsend(blocked->id, 99, &deadline);
        break;
    case RECEIVES_TIMED:
        r = ptimedreceive(blocked->id, &msg, &deadline);
        break;
    }
    return r == 0 ? 0 : errno;
}

static pid_t start_blocked(const struct blocked *blocked)
{
    return ports_fixture_fork(block, (void *)(uintptr_t)blocked);
}

/* ----------------------------------------------------------------- sizes -- */

static void pcreate_takes_counts_from_1_to_2_to_20(void **state)
{
    (void)state;
    assert_fails(pcreate(0), EINVAL); /* the original accepted it */
    assert_fails(pcreate(-1), EINVAL);
    assert_fails(pcreate(INT_MIN), EINVAL);
    assert_fails(pcreate(PORTS_COUNT_MAX + 1), EINVAL);
    int small = pcreate(1), large = pcreate(PORTS_COUNT_MAX);
    assert_true(small > 0 && large > 0 && small != large);
    for (long i = 0; i < PORTS_COUNT_MAX; ++i)
        assert_int_equal(ptrysend(large, i), 0);
    assert_fails(ptrysend(large, 1), EAGAIN);
    assert_int_equal(pgetcount(large), PORTS_COUNT_MAX);
    assert_works(pdelete(small, NULL));
    assert_works(pdelete(large, NULL));
}

static void exactly_count_sends_succeed_again_after_three_laps(void **state)
{
    (void)state;
    for (int count = 1; count <= 70; ++count) {
        int id = pcreate(count);
        long sent = 0, received = 0, msg;
        for (int lap = 0; lap < 4; ++lap) {
            for (int i = 0; i < count; ++i)
                assert_works(ptrysend(id, sent++));
            assert_fails(ptrysend(id, -1), EAGAIN);
            assert_int_equal(pgetcount(id), count);
            for (int i = 0; i < count; ++i)
                assert_int_equal(preceive(id), received++);
            assert_fails(ptryreceive(id, &msg), EAGAIN);
            assert_int_equal(pgetcount(id), 0);
        }
        assert_works(pdelete(id, NULL));
    }
}

static void a_whole_long_arrives(void **state)
{
    static const long values[] = {0, -1, LONG_MIN, LONG_MAX, 1};
    long msg;
    (void)state;
    int id = pcreate(5);
    for (int i = 0; i < 5; ++i)
        assert_works(psend(id, values[i]));
    for (int i = 0; i < 5; ++i) {
        assert_works(preceive_r(id, &msg));
        assert_true(msg == values[i]);
    }
    /* -1 as a message is told from an error */
    assert_works(psend(id, -1));
    errno = 5;
    assert_int_equal(preceive(id), -1);
    assert_int_equal(errno, 0);
    assert_works(psend(id, 3));
    errno = 5;
    assert_int_equal(preceive(id), 3);
    assert_int_equal(errno, 5);
    assert_works(pdelete(id, NULL));
}

/* -------------------------------------------------------------- blocking -- */

static void psend_blocks_while_count_messages_wait(void **state)
{
    (void)state;
    int id = pcreate(2);
    struct blocked sender = {id, SENDS, 0};
    assert_works(psend(id, 1));
    assert_works(psend(id, 2));
    pid_t child = start_blocked(&sender);
    ports_fixture_await_blocked(id, 1, 0);
    assert_int_equal(pgetcount(id), 2); /* a blocked sender does not count */
    assert_int_equal(preceive(id), 1);
    assert_int_equal(ports_fixture_wait(child), 0);
    assert_int_equal(preceive(id), 2);
    assert_int_equal(preceive(id), 99);
    assert_works(pdelete(id, NULL));
}

static void preceive_blocks_while_there_is_none(void **state)
{
    (void)state;
    int id = pcreate(2);
    struct blocked receiver = {id, RECEIVES, 0};
    pid_t children[3];
    for (int i = 0; i < 3; ++i)
        children[i] = start_blocked(&receiver);
    ports_fixture_await_blocked(id, 0, 3);
    for (int i = 0; i < 3; ++i)
        assert_works(psend(id, i));
    for (int i = 0; i < 3; ++i)
        assert_int_equal(ports_fixture_wait(children[i]), 0);
    assert_int_equal(pgetcount(id), 0);
    assert_works(pdelete(id, NULL));
}

static void a_signal_interrupts_as_with_mq_send(void **state)
{
    static const enum kind kinds[] = {SENDS, RECEIVES, SENDS_TIMED, RECEIVES_TIMED};
    (void)state;
    for (int i = 0; i < 4; ++i) {
        bool sends = kinds[i] == SENDS || kinds[i] == SENDS_TIMED;
        bool timed = kinds[i] == SENDS_TIMED || kinds[i] == RECEIVES_TIMED;
        for (int restarts = 0; restarts < 2; ++restarts) {
            int id = pcreate(1);
            struct blocked blocked = {id, kinds[i], restarts ? SA_RESTART : 0};
            if (sends)
                psend(id, 1);
            pid_t child = start_blocked(&blocked);
            ports_fixture_await_blocked(id, sends, !sends);
            if (restarts && !timed) {
                kill(child, SIGUSR1);
                if (sends)
                    assert_int_equal(preceive(id), 1);
                else
                    assert_works(psend(id, 1));
                assert_int_equal(ports_fixture_wait(child), 0);
            } else {
                assert_int_equal(ports_fixture_disturb(child, SIGUSR1), EINTR);
                assert_int_equal(pgetcount(id), sends);
            }
            assert_works(pdelete(id, NULL));
        }
    }
}

/* The original lost a process for good that had been woken by an ignored signal. */
static void a_signal_that_is_ignored_disturbs_nobody(void **state)
{
    (void)state;
    int id = pcreate(1);
    struct blocked receiver = {id, RECEIVES, 0};
    pid_t child = start_blocked(&receiver);
    ports_fixture_await_blocked(id, 0, 1);
    kill(child, SIGCHLD);
    kill(child, SIGSTOP);
    kill(child, SIGCONT);
    assert_works(psend(id, 1));
    assert_int_equal(ports_fixture_wait(child), 0);
    assert_works(pdelete(id, NULL));
}

static void timed_calls_end_at_their_deadline(void **state)
{
    struct timespec past = {0, 0}, soon = in_ms(30);
    long msg;
    (void)state;
    int id = pcreate(1);
    assert_fails(ptimedreceive(id, &msg, &past), ETIMEDOUT);
    assert_fails(ptimedreceive(id, &msg, &soon), ETIMEDOUT);
    struct timespec now = in_ms(0);
    assert_true(now.tv_sec > soon.tv_sec ||
                (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
    /* each tries once, even when it is late */
    assert_works(ptimedsend(id, 4, &past));
    assert_fails(ptimedsend(id, 5, &past), ETIMEDOUT);
    assert_works(ptimedreceive(id, &msg, &past));
    assert_int_equal(msg, 4);
    struct timespec wrong = {0, 1000000000};
    assert_fails(ptimedsend(id, 1, &wrong), EINVAL);
    wrong.tv_nsec = -1;
    assert_fails(ptimedreceive(id, &msg, &wrong), EINVAL);
    assert_fails(ptimedsend(id, 1, NULL), EINVAL);
    assert_fails(ptimedreceive(id, NULL, &past), EINVAL);
    assert_works(pdelete(id, NULL));
}

/* --------------------------------------------------------------- batches -- */

static int send_fifty(void *context)
{
    long msgs[50];
    for (long i = 0; i < 50; ++i)
        msgs[i] = i;
    return psendv(*(int *)context, msgs, 50) == 50 ? 0 : 1;
}

static void batches_go_through_ports_smaller_than_they_are(void **state)
{
    long msgs[8];
    (void)state;
    int id = pcreate(3);
    pid_t child = ports_fixture_fork(send_fifty, &id);
    for (long expected = 0; expected < 50;) {
        ssize_t n = preceivev(id, msgs, 8);
        assert_in_range(n, 1, 3);
        for (ssize_t i = 0; i < n; ++i)
            assert_int_equal(msgs[i], expected++);
    }
    assert_int_equal(ports_fixture_wait(child), 0);
    assert_fails(ptryreceivev(id, msgs, 8), EAGAIN);
    for (long i = 0; i < 8; ++i)
        msgs[i] = i;
    assert_int_equal(ptrysendv(id, msgs, 8), 3);
    assert_fails(ptrysendv(id, msgs, 8), EAGAIN);
    assert_int_equal(ptryreceivev(id, msgs, 2), 2);
    assert_fails(psendv(id, msgs, 0), EINVAL);
    assert_fails(psendv(id, NULL, 1), EINVAL);
    assert_fails(preceivev(id, msgs, 0), EINVAL);
    assert_fails(preceivev(id, NULL, 1), EINVAL);
    assert_works(pdelete(id, NULL));
}

/* ------------------------------------------------------ preset and pdelete -- */

static void preset_disposes_in_order_and_leaves_the_port_open(void **state)
{
    (void)state;
    int id = pcreate(4);
    assert_works(pbind(id, "reset"));
    for (long i = 1; i <= 4; ++i)
        psend(id, i);
    disposed_count = 0;
    assert_works(preset(id, dispose));
    assert_int_equal(disposed_count, 4);
    for (int i = 0; i < 4; ++i)
        assert_int_equal(disposed[i], i + 1);
    assert_int_equal(pgetcount(id), 0);
    assert_int_equal(pgetport("reset"), id);
    /* the original's next receive dereferenced NULL, and capacity was lost */
    for (int i = 0; i < 4; ++i)
        assert_works(ptrysend(id, i));
    assert_fails(ptrysend(id, 4), EAGAIN);
    assert_works(preset(id, NULL));
    assert_int_equal(pgetcount(id), 0);
    assert_works(preset(id, dispose));
    assert_int_equal(disposed_count, 4);
    assert_works(pdelete(id, NULL));
}

static void preset_cancels_who_is_blocked(void **state)
{
    (void)state;
    for (int sends = 0; sends < 2; ++sends) {
        int id = pcreate(1);
        struct blocked blocked = {id, sends ? SENDS : RECEIVES, 0};
        pid_t children[3];
        if (sends)
            psend(id, 1);
        for (int i = 0; i < 3; ++i)
            children[i] = start_blocked(&blocked);
        ports_fixture_await_blocked(id, sends ? 3 : 0, sends ? 0 : 3);
        assert_works(preset(id, NULL));
        for (int i = 0; i < 3; ++i)
            assert_int_equal(ports_fixture_wait(children[i]), ECANCELED);
        assert_int_equal(pgetcount(id), 0);
        assert_works(pdelete(id, NULL));
    }
}

static void pdelete_wakes_disposes_and_frees_the_name(void **state)
{
    (void)state;
    for (int sends = 0; sends < 2; ++sends) {
        int id = pcreate(2);
        struct blocked blocked = {id, sends ? SENDS_TIMED : RECEIVES, 0};
        assert_works(pbind(id, "deleted"));
        if (sends) {
            psend(id, 11);
            psend(id, 12);
        }
        pid_t child = start_blocked(&blocked);
        ports_fixture_await_blocked(id, sends, !sends);
        disposed_count = 0;
        assert_works(pdelete(id, dispose));
        assert_int_equal(ports_fixture_wait(child), EIDRM);
        assert_int_equal(disposed_count, sends ? 2 : 0);
        if (sends)
            assert_true(disposed[0] == 11 && disposed[1] == 12);
        assert_fails(pgetport("deleted"), ENOENT);
        int other = pcreate(1);
        assert_works(pbind(other, "deleted"));
        assert_works(pdelete(other, NULL));
    }
}

static int id_in_dispose;

static int use_ports(long msg)
{
    int other = pcreate(1);
    long got;
    disposed_count += psend(other, msg) == 0 && preceive_r(other, &got) == 0 && got == msg &&
                      pdelete(other, NULL) == 0 && psend(id_in_dispose, 1) == -1;
    return 0;
}

static int put_back(long msg)
{
    disposed_count += psend(id_in_dispose, msg + 100) == 0;
    return 0;
}

static void dispose_may_call_anything(void **state)
{
    (void)state;
    int id = id_in_dispose = pcreate(3);
    for (long i = 0; i < 3; ++i)
        psend(id, i);
    disposed_count = 0;
    assert_works(preset(id, put_back)); /* and what comes meanwhile stays */
    assert_int_equal(disposed_count, 3);
    assert_int_equal(pgetcount(id), 3);
    assert_int_equal(preceive(id), 100);
    disposed_count = 0;
    assert_works(pdelete(id, use_ports));
    assert_int_equal(disposed_count, 2);
}

static int free_memory(long msg)
{
    free((void *)msg);
    disposed_count += 1;
    return 0;
}

static void pointers_travel_within_a_process(void **state)
{
    (void)state;
    int id = pcreate(3);
    for (int i = 0; i < 3; ++i)
        psend(id, (long)strdup("a block of memory"));
    char *text = (char *)preceive(id);
    assert_string_equal(text, "a block of memory");
    free(text);
    disposed_count = 0;
    assert_works(pdelete(id, free_memory));
    assert_int_equal(disposed_count, 2);
}

static void a_dead_id_is_an_error_everywhere(void **state)
{
    static const int never_ids[] = {0, -1, INT_MIN, INT_MAX};
    struct timespec soon = in_ms(1000);
    struct portstat status;
    long msg = 1;
    (void)state;
    int dead = pcreate(1);
    assert_works(pdelete(dead, NULL));
    for (int i = 0; i < 5; ++i) {
        int id = i < 4 ? never_ids[i] : dead;
        assert_fails(psend(id, 1), EINVAL);
        assert_fails(ptrysend(id, 1), EINVAL);
        assert_fails(ptimedsend(id, 1, &soon), EINVAL);
        assert_fails(psendv(id, &msg, 1), EINVAL);
        assert_fails(ptrysendv(id, &msg, 1), EINVAL);
        assert_fails(preceive(id), EINVAL);
        assert_fails(preceive_r(id, &msg), EINVAL);
        assert_fails(ptryreceive(id, &msg), EINVAL);
        assert_fails(ptimedreceive(id, &msg, &soon), EINVAL);
        assert_fails(preceivev(id, &msg, 1), EINVAL);
        assert_fails(ptryreceivev(id, &msg, 1), EINVAL);
        assert_fails(pgetcount(id), EINVAL);
        assert_fails(pbind(id, "x"), EINVAL);
        assert_fails(preset(id, NULL), EINVAL);
        assert_fails(pdelete(id, NULL), EINVAL);
        assert_fails(pgetfd(id), EINVAL);
        assert_fails(pstat(id, &status), EINVAL);
    }
    assert_fails(preceive_r(dead, NULL), EINVAL);
}

static int delete_port(void *context)
{
    return pdelete(*(int *)context, NULL) == 0 ? 0 : errno;
}

static void a_port_deleted_elsewhere_is_never_another_port(void **state)
{
    long msg;
    (void)state;
    int id = pcreate(1);
    assert_works(psend(id, 1)); /* it is mapped here */
    assert_int_equal(ports_fixture_run(delete_port, &id), 0);
    int later = pcreate(1);
    assert_int_not_equal(later, id);
    assert_fails(psend(id, 2), EINVAL);
    assert_fails(ptryreceive(later, &msg), EAGAIN);
    assert_fails(pdelete(id, NULL), EINVAL);
    assert_works(pdelete(later, NULL));
}

static int create_port(void *context)
{
    int id = pcreate(2);
    *(int *)context = 0;
    return id > 0 && pbind(id, "outlives") == 0 && psend(id, 8) == 0 ? 0 : 1;
}

static void a_port_outlives_its_creator(void **state)
{
    int unused;
    (void)state;
    assert_int_equal(ports_fixture_run(create_port, &unused), 0);
    int id = pgetport("outlives");
    assert_true(id > 0);
    assert_int_equal(preceive(id), 8);
    assert_works(pdelete(id, NULL));
}

/* ----------------------------------------------------------------- names -- */

static void names_are_significant_to_32_bytes(void **state)
{
    char name[34];
    (void)state;
    memset(name, 'n', 33);
    name[33] = '\0';
    int id = pcreate(1);
    assert_works(pbind(id, name));
    name[32] = 'x';
    assert_int_equal(pgetport(name), id);
    name[32] = '\0';
    assert_int_equal(pgetport(name), id);
    name[31] = 'x';
    assert_fails(pgetport(name), ENOENT);
    name[31] = '\0';
    assert_fails(pgetport(name), ENOENT);
    assert_works(pdelete(id, NULL));
}

static void any_byte_and_none_make_a_name(void **state)
{
    static const char *const names[] = {"",         "/",   "a/b", "..",  ".",           "\n",
                                        "\xff\x01", "n00", "1",   "ids", "caf\xc3\xa9", " "};
    struct portstat status;
    (void)state;
    int ids[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        ids[i] = pcreate(1);
        assert_fails(pgetport(names[i]), ENOENT);
        assert_works(pbind(ids[i], names[i]));
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        assert_int_equal(pgetport(names[i]), ids[i]);
        assert_works(pstat(ids[i], &status));
        assert_true(status.named);
        assert_string_equal(status.name, names[i]);
        assert_works(pdelete(ids[i], NULL));
        assert_fails(pgetport(names[i]), ENOENT);
    }
}

static void a_name_belongs_to_one_port_and_a_port_has_one_name(void **state)
{
    (void)state;
    int id = pcreate(1), other = pcreate(1);
    assert_works(pbind(id, "one"));
    assert_fails(pbind(other, "one"), EEXIST); /* the original bound it twice */
    assert_fails(pbind(id, "two"), EISCONN);
    assert_fails(pbind(id, "one"), EISCONN);
    assert_fails(pgetport("two"), ENOENT);
    assert_fails(pbind(id, NULL), EINVAL);
    assert_fails(pgetport(NULL), EINVAL);
    assert_works(pbind(other, "two"));
    assert_works(pdelete(id, NULL));
    assert_works(pdelete(other, NULL));
}

static void pcreate_named_makes_or_finds(void **state)
{
    struct portstat status;
    (void)state;
    int id = pcreate_named(3, "named", 0, 0600);
    assert_true(id > 0);
    assert_int_equal(pgetport("named"), id);
    assert_int_equal(pcreate_named(9, "named", 0, 0600), id);
    assert_works(pstat(id, &status));
    assert_int_equal(status.capacity, 3);
    assert_int_equal(status.mode, 0600);
    assert_fails(pcreate_named(3, "named", O_EXCL, 0600), EEXIST);
    assert_fails(pcreate_named(0, "other", 0, 0600), EINVAL);
    assert_fails(pcreate_named(1, NULL, 0, 0600), EINVAL);
    assert_fails(pcreate_named(1, "other", O_CREAT, 0600), EINVAL);
    assert_fails(pbind(id, "other"), EISCONN);
    assert_works(pdelete(id, NULL));
    mode_t mask = umask(027);
    id = pcreate_named(1, "named", O_EXCL, 0666);
    umask(mask);
    assert_works(pstat(id, &status));
    assert_int_equal(status.mode, 0640);
    assert_works(pdelete(id, NULL));
}

/* --------------------------------------------------------------- showing -- */

static void pstat_tells_what_a_port_is(void **state)
{
    struct portstat status;
    struct timespec now;
    (void)state;
    int id = pcreate(5);
    psend(id, 1);
    psend(id, 2);
    assert_works(pstat(id, &status));
    clock_gettime(CLOCK_REALTIME, &now);
    assert_int_equal(status.id, id);
    assert_int_equal(status.capacity, 5);
    assert_int_equal(status.count, 2);
    assert_int_equal(status.named, 0);
    assert_string_equal(status.name, "");
    assert_int_equal(status.uid, geteuid());
    assert_int_equal(status.gid, getegid());
    assert_int_equal(status.creator, getpid());
    assert_in_range(status.created.tv_sec, now.tv_sec - 60, now.tv_sec);
    assert_fails(pstat(id, NULL), EINVAL);
    assert_works(pdelete(id, NULL));
}

static void a_killed_sleeper_is_not_counted(void **state)
{
    (void)state;
    int id = pcreate(1);
    struct blocked receiver = {id, RECEIVES, 0};
    pid_t killed = start_blocked(&receiver), lives = start_blocked(&receiver);
    ports_fixture_await_blocked(id, 0, 2);
    kill(killed, SIGKILL);
    assert_int_equal(ports_fixture_wait(killed), 128 + SIGKILL);
    ports_fixture_await_blocked(id, 0, 1);
    assert_works(psend(id, 1));
    assert_int_equal(ports_fixture_wait(lives), 0);
    ports_fixture_await_blocked(id, 0, 0);
    assert_works(pdelete(id, NULL));
}

static void pnext_walks_the_ports(void **state)
{
    (void)state;
    int ids[3];
    assert_fails(pnext(0), ENOENT);
    for (int i = 0; i < 3; ++i)
        ids[i] = pcreate(1);
    assert_int_equal(pnext(0), ids[0]);
    assert_int_equal(pnext(ids[0]), ids[1]);
    assert_works(pdelete(ids[1], NULL));
    assert_int_equal(pnext(ids[0]), ids[2]);
    assert_fails(pnext(ids[2]), ENOENT);
    assert_fails(pnext(-1), EINVAL);
    assert_works(pdelete(ids[0], NULL));
    assert_works(pdelete(ids[2], NULL));
}

/* ------------------------------------------------------------------ poll -- */

static bool is_readable(int fd, int ms)
{
    struct pollfd poller = {fd, POLLIN, 0};
    return poll(&poller, 1, ms) == 1;
}

static void a_descriptor_is_readable_while_a_message_may_be_there(void **state)
{
    long msg;
    (void)state;
    int id = pcreate(4);
    int fd = pgetfd(id);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(is_readable(fd, 0));
    for (int i = 0; i < 3; ++i) {
        assert_works(psend(id, 1));
        assert_works(psend(id, 2));
        assert_true(is_readable(fd, 10000));
        assert_works(ptryreceive(id, &msg));
        assert_works(ptryreceive(id, &msg));
        assert_fails(ptryreceive(id, &msg), EAGAIN);
        assert_false(is_readable(fd, 0));
    }
    /* what is there already is told of */
    psend(id, 1);
    int second = pgetfd(id);
    assert_true(is_readable(second, 0));
    close(fd);
    close(second);
    int third = pgetfd(id);
    assert_works(pdelete(id, NULL));
    assert_true(is_readable(third, 10000));
    assert_fails(ptryreceive(id, &msg), EINVAL);
    close(third);
}

/* Is told of a message, and dies of it. */
static int poll_and_die(void *context)
{
    int fd = pgetfd(*(int *)context);
    psend(*(int *)context + 1, 1); /* ready */
    is_readable(fd, 20000);
    kill(getpid(), SIGKILL);
    return 1;
}

static void a_killed_poller_silences_nobody_else(void **state)
{
    long msg;
    (void)state;
    int id = pcreate(4), ready = pcreate(1);
    assert_int_equal(ready, id + 1);
    int fd = pgetfd(id);
    pid_t child = ports_fixture_fork(poll_and_die, &id);
    preceive(ready);
    assert_works(psend(id, 1));
    assert_int_equal(ports_fixture_wait(child), 128 + SIGKILL);
    for (int i = 0; i < 3; ++i) {
        assert_true(is_readable(fd, 10000));
        assert_works(ptryreceive(id, &msg));
        assert_fails(ptryreceive(id, &msg), EAGAIN);
        assert_works(psend(id, 1));
    }
    close(fd);
    assert_works(pdelete(ready, NULL));
    assert_works(pdelete(id, NULL));
}

static int take_a_bell(void *context)
{
    int fd = pgetfd(*(int *)context);
    return fd < 0 ? errno : 0;
}

static void bells_of_dead_processes_are_used_again(void **state)
{
    (void)state;
    int id = pcreate(1);
    for (int i = 0; i < 200; ++i)
        assert_int_equal(ports_fixture_run(take_a_bell, &id), 0);
    assert_works(pdelete(id, NULL));
}

static int poll_in_child(void *context)
{
    long msg;
    int id = *(int *)context;
    int fd = pgetfd(id); /* one of its own, though the parent has one */
    if (fd < 0 || psend(id + 1, 1) < 0 || !is_readable(fd, 20000))
        return 1;
    return ptryreceive(id, &msg) == 0 && msg == 5 ? 0 : 2;
}

static void a_child_polls_beside_its_parent(void **state)
{
    long msg;
    (void)state;
    int id = pcreate(4), ready = pcreate(1);
    int fd = pgetfd(id);
    pid_t child = ports_fixture_fork(poll_in_child, &id);
    preceive(ready);
    assert_works(psend(id, 5));
    assert_int_equal(ports_fixture_wait(child), 0);
    assert_true(is_readable(fd, 10000)); /* told too, though the child was faster */
    assert_fails(ptryreceive(id, &msg), EAGAIN);
    assert_false(is_readable(fd, 0));
    assert_works(psend(id, 6));
    assert_true(is_readable(fd, 10000));
    close(fd);
    assert_works(pdelete(ready, NULL));
    assert_works(pdelete(id, NULL));
}

/* Programs close what they do not know, and the numbers come to mean other things. */
static void a_bell_closed_from_outside_is_made_anew(void **state)
{
    int pipes[2];
    long msg;
    (void)state;
    int id = pcreate(1);
    int fd = pgetfd(id);
    for (int other = 3; other < 64; ++other)
        close(other);
    assert_int_equal(pipe(pipes), 0);
    while (pipes[1] < 16) /* the numbers that the library had are the program's now */
        assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    assert_fails(ptryreceive(id, &msg), EAGAIN);
    assert_true(is_readable(pipes[0], 0));
    fd = pgetfd(id);
    assert_works(psend(id, 1));
    assert_true(is_readable(fd, 10000));
    assert_works(pdelete(id, NULL));
    for (int other = 3; other < 64; ++other)
        close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcreate_takes_counts_from_1_to_2_to_20),
        cmocka_unit_test(exactly_count_sends_succeed_again_after_three_laps),
        cmocka_unit_test(a_whole_long_arrives),
        cmocka_unit_test(psend_blocks_while_count_messages_wait),
        cmocka_unit_test(preceive_blocks_while_there_is_none),
        cmocka_unit_test(a_signal_interrupts_as_with_mq_send),
        cmocka_unit_test(a_signal_that_is_ignored_disturbs_nobody),
        cmocka_unit_test(timed_calls_end_at_their_deadline),
        cmocka_unit_test(batches_go_through_ports_smaller_than_they_are),
        cmocka_unit_test(preset_disposes_in_order_and_leaves_the_port_open),
        cmocka_unit_test(preset_cancels_who_is_blocked),
        cmocka_unit_test(pdelete_wakes_disposes_and_frees_the_name),
        cmocka_unit_test(dispose_may_call_anything),
        cmocka_unit_test(pointers_travel_within_a_process),
        cmocka_unit_test(a_dead_id_is_an_error_everywhere),
        cmocka_unit_test(a_port_deleted_elsewhere_is_never_another_port),
        cmocka_unit_test(a_port_outlives_its_creator),
        cmocka_unit_test(names_are_significant_to_32_bytes),
        cmocka_unit_test(any_byte_and_none_make_a_name),
        cmocka_unit_test(a_name_belongs_to_one_port_and_a_port_has_one_name),
        cmocka_unit_test(pcreate_named_makes_or_finds),
        cmocka_unit_test(pstat_tells_what_a_port_is),
        cmocka_unit_test(a_killed_sleeper_is_not_counted),
        cmocka_unit_test(pnext_walks_the_ports),
        cmocka_unit_test(a_descriptor_is_readable_while_a_message_may_be_there),
        cmocka_unit_test(a_killed_poller_silences_nobody_else),
        cmocka_unit_test(bells_of_dead_processes_are_used_again),
        cmocka_unit_test(a_child_polls_beside_its_parent),
        cmocka_unit_test(a_bell_closed_from_outside_is_made_anew),
    };
    return cmocka_run_group_tests(tests, ports_fixture_begin, ports_fixture_end);
}
