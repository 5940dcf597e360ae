/* test_ports_threads.c - Ports IPC in many threads, through forks, and over a long time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ports_fixture.h"

enum {
    PROCESSES = 4,
    PAIRS = 4, /* of a sender and a receiver, in each process */
    SENDERS = PROCESSES * PAIRS,
    MESSAGES = 20000, /* of one sender */
    MESSAGES_SLOW = 500,
    FORKS = 1000,
    FORKS_SLOW = 50,
    ENDINGS = 100,
    ENDINGS_SLOW = 5,
    CYCLES = 10000,
    CYCLES_SLOW = 300,
    WARM_CYCLES = 50,
    PATIENCE_MS = 20000,
};

/* Valgrind runs one thread at a time, and each slowly. */
static int size_of(int usual, int slow)
{
    return getenv("PA_VALGRIND") ? slow : usual;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ------------------------------------------------------------ accounting -- */

/* Shared by processes: how often each message was sent, and received. */
struct books {
    int port;
    int messages;         /* of one sender, at most */
    _Atomic(int) threads; /* whose calls failed otherwise than they may */
    _Atomic(int) ready;
    _Atomic(unsigned char) sent[SENDERS * MESSAGES];
    _Atomic(unsigned char) got[SENDERS * MESSAGES];
};

static struct books *books;

static void open_books(int count, int messages)
{
    books =
        mmap(NULL, sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(books != MAP_FAILED);
    books->messages = messages;
    books->port = pcreate(count);
    assert_true(books->port > 0);
}

/* Every message that was sent was received, once; and no other. */
static void close_books(void)
{
    assert_int_equal(atomic_load(&books->threads), 0);
    for (int i = 0; i < SENDERS * MESSAGES; ++i)
        if (atomic_load(&books->sent[i]) != atomic_load(&books->got[i]))
            fail_msg("message %d: sent %d times, received %d times", i, books->sent[i],
                     books->got[i]);
    munmap(books, sizeof *books);
}

static int got(long msg)
{
    atomic_fetch_add(&books->got[msg], 1);
    return 0;
}

/* Is this how a call ends whose port was deleted? */
static bool is_deletion(int error)
{
    return error == EIDRM || error == EINVAL;
}

static void *send_all(void *argument)
{
    long sender = (long)(intptr_t)argument;
    atomic_fetch_add(&books->ready, 1);
    for (long i = 0; i < books->messages; ++i) {
        long msg = sender * MESSAGES + i;
        if (psend(books->port, msg) == 0) {
            atomic_fetch_add(&books->sent[msg], 1);
            continue;
        }
        atomic_fetch_add(&books->threads, !is_deletion(errno));
        break;
    }
    return NULL;
}

static void *receive_all(void *argument)
{
    (void)argument;
    long msg;
    while (preceive_r(books->port, &msg) == 0)
        got(msg);
    atomic_fetch_add(&books->threads, !is_deletion(errno));
    return NULL;
}

static pthread_t start(void *(*body)(void *), long argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, (void *)(intptr_t)argument), 0);
    return thread;
}

/* Waits until nothing is left in the port. */
static void await_empty(int id)
{
    for (int i = 0; pgetcount(id) > 0; ++i) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
}

/* --------------------------------------------------------------- threads -- */

/* A process: its senders come to their end, and its receivers when the port is deleted. */
static int run_pairs(void *context)
{
    long process = (long)(intptr_t)context;
    pthread_t senders[PAIRS], receivers[PAIRS];
    for (long i = 0; i < PAIRS; ++i) {
        senders[i] = start(send_all, process * PAIRS + i);
        receivers[i] = start(receive_all, 0);
    }
    for (int i = 0; i < PAIRS; ++i)
        pthread_join(senders[i], NULL);
    atomic_fetch_add(&books->ready, SENDERS); /* this process has sent all */
    for (int i = 0; i < PAIRS; ++i)
        pthread_join(receivers[i], NULL);
    return 0;
}

static void test_eight_threads_in_each_of_four_processes(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    open_books(16, size_of(MESSAGES, MESSAGES_SLOW));
    for (long i = 0; i < PROCESSES; ++i)
        children[i] = ports_fixture_fork(run_pairs, (void *)(intptr_t)i);
    for (int i = 0; atomic_load(&books->ready) != SENDERS + SENDERS * PROCESSES; ++i) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
    await_empty(books->port);
    assert_works(pdelete(books->port, got));
    for (int i = 0; i < PROCESSES; ++i)
        assert_int_equal(ports_fixture_wait(children[i]), 0);
    for (int sender = 0; sender < SENDERS; ++sender)
        assert_int_equal(books->sent[sender * MESSAGES + books->messages - 1], 1);
    close_books();
}

static void test_a_deletion_keeps_account_of_what_was_sent(void **state)
{
    (void)state;
    for (int ending = 0; ending < size_of(ENDINGS, ENDINGS_SLOW); ++ending) {
        static const int counts[] = {1, 7, 500};
        pthread_t senders[4], receiver;
        open_books(counts[ending % 3], MESSAGES);
        for (long i = 0; i < 4; ++i)
            senders[i] = start(send_all, i);
        receiver = start(receive_all, 0);
        while (atomic_load(&books->ready) < 4 || atomic_load(&books->got[0]) == 0)
            sched_yield();
        assert_works(pdelete(books->port, got));
        for (int i = 0; i < 4; ++i)
            pthread_join(senders[i], NULL);
        pthread_join(receiver, NULL);
        close_books();
    }
}

/* ----------------------------------------------------------------- forks -- */

static int send_and_exit(void *context)
{
    const long *message = context;
    return psend((int)message[0], message[1]) == 0 ? 0 : 1;
}

/* Sends and receives by itself until it is deleted, to keep locks and memory busy. */
static void *bustle(void *argument)
{
    (void)argument;
    int other = pcreate(2);
    long msg;
    while (psend(books->port, 1) == 0 && preceive_r(books->port, &msg) == 0 &&
           psend(other, msg) == 0 && preceive_r(other, &msg) == 0) {
        pdelete(other, NULL);
        other = pcreate(2);
    }
    pdelete(other, NULL);
    return NULL;
}

static void test_a_child_sends_through_what_it_inherited(void **state)
{
    (void)state;
    int forks = size_of(FORKS, FORKS_SLOW);
    int id = pcreate(FORKS);
    open_books(3, 1);
    pthread_t threads[] = {start(bustle, 0), start(bustle, 0)};
    static unsigned char seen[FORKS];
    for (long i = 0; i < forks; ++i) {
        long message[2] = {id, i};
        assert_int_equal(ports_fixture_run(send_and_exit, message), 0);
    }
    assert_int_equal(pgetcount(id), forks);
    for (int i = 0; i < forks; ++i) {
        long msg = preceive(id);
        assert_in_range(msg, 0, forks - 1);
        assert_int_equal(seen[msg]++, 0);
    }
    assert_works(pdelete(id, NULL));
    assert_works(pdelete(books->port, NULL));
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    close_books();
}

/* ---------------------------------------------------------------- cycles -- */

static int lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    int c, lines = 0;
    assert_true(file != NULL);
    while ((c = getc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static int entries_of(const char *path)
{
    DIR *stream = opendir(path);
    int entries = 0;
    assert_true(stream != NULL);
    while (readdir(stream))
        entries += 1;
    closedir(stream);
    return entries;
}

struct possessions {
    int mappings, descriptors, files;
    size_t bytes;
};

static struct possessions take_stock(void)
{
    return (struct possessions){
        .mappings = lines_of("/proc/self/maps"),
        .descriptors = entries_of("/proc/self/fd"),
        .files = entries_of(getenv("PORTS_DIR")),
        .bytes = mallinfo2().uordblks,
    };
}

static int nothing(long msg)
{
    (void)msg;
    return 0;
}

/* Ports come and go; the first one's id is never another's. */
static void cycle(int cycles, int first)
{
    for (int i = 0; i < cycles; ++i) {
        int id =
            i % 2 == 0 ? pcreate(1 + i % 100) : pcreate_named(1 + i % 100, "cycle", 0, 0600);
        assert_true(id > 0 && id != first);
        assert_int_equal(psend(id, i), 0);
        if (i % 3 == 0)
            assert_int_equal(preceive(id), i);
        assert_fails(psend(first, 1), EINVAL);
        assert_int_equal(pdelete(id, nothing), 0);
    }
}

static void test_ports_come_and_go_and_leave_nothing(void **state)
{
    (void)state;
    const char *more = getenv("PORTS_CYCLES");
    int cycles = more ? atoi(more) : size_of(CYCLES, CYCLES_SLOW);
    int first = pcreate(1);
    assert_true(first > 0);
    assert_works(pdelete(first, NULL));
    cycle(WARM_CYCLES, first);
    struct possessions before = take_stock();
    before = take_stock();
    cycle(cycles, first);
    struct possessions after = take_stock();
    assert_int_equal(after.mappings, before.mappings);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.files, before.files);
    assert_int_equal(after.bytes, before.bytes);
    assert_fails(pgetcount(first), EINVAL);
}

/* ------------------------------------------------------------------ idle -- */

static int wait_for_ever(void *context)
{
    const int *id = context;
    long msg;
    return preceive_r(*id, &msg) < 0 && errno == EIDRM ? 0 : 1;
}

/* How often a process went to sleep so far. */
static long switches_of(pid_t pid)
{
    char path[32], line[128];
    long switches = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    assert_true(file != NULL);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &switches) == 1)
            break;
    fclose(file);
    assert_true(switches >= 0);
    return switches;
}

/* Between n wakings there are n - 1 whole sleeps, each longer than a second. */
static void test_who_waits_wakes_less_than_once_a_second(void **state)
{
    (void)state;
    int id = pcreate(1);
    pid_t child = ports_fixture_fork(wait_for_ever, &id);
    ports_fixture_await_blocked(id, 0, 1);
    double from = now_s();
    long before = switches_of(child);
    usleep(3500000);
    long switches = switches_of(child) - before;
    double elapsed = now_s() - from;
    if ((double)(switches - 1) >= elapsed)
        fail_msg("%ld times awake in %.1f s", switches, elapsed);
    assert_works(pdelete(id, NULL));
    assert_int_equal(ports_fixture_wait(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eight_threads_in_each_of_four_processes),
        cmocka_unit_test(test_a_deletion_keeps_account_of_what_was_sent),
        cmocka_unit_test(test_a_child_sends_through_what_it_inherited),
        cmocka_unit_test(test_ports_come_and_go_and_leave_nothing),
        cmocka_unit_test(test_who_waits_wakes_less_than_once_a_second),
    };
    return cmocka_run_group_tests(tests, ports_fixture_begin, ports_fixture_end);
}
