#ifndef PORTS_FIXTURE_H
#define PORTS_FIXTURE_H

/*
 * A namespace of its own for a test of Ports IPC, and processes that block.
 *
 * Which folder the ports are in is settled once in a process, so a test
 * program sets it before its first call, and tests of other folders fork.
 */

#include <sys/ports.h>
#include <sys/types.h>

/* The call fails with this errno. */
#define assert_fails(call, error)                                                              \
    do {                                                                                       \
        errno = 0;                                                                             \
        assert_int_equal((call), -1);                                                          \
        assert_int_equal(errno, (error));                                                      \
    } while (0)

/* The call returns 0 and leaves errno alone. */
#define assert_works(call)                                                                     \
    do {                                                                                       \
        errno = 7777;                                                                          \
        assert_int_equal((call), 0);                                                           \
        assert_int_equal(errno, 7777);                                                         \
    } while (0)

/* For cmocka's group: a private folder as PORTS_DIR; removed, with the test failing if it holds
 * anything but the counter of ids. */
int ports_fixture_begin(void **state);
int ports_fixture_end(void **state);

/* Runs `body` in a child process, which exits with what it returns; or with 98 after 30 s. */
pid_t ports_fixture_fork(int (*body)(void *context), void *context);

/* The exit status of a child; 128 and more: the signal that killed it. */
int ports_fixture_wait(pid_t child);

/* Sends it the signal again and again until it ends: one alone may come right before the child
 * sleeps. Returns how it exited. */
int ports_fixture_disturb(pid_t child, int number);

/* Runs `body` in a child and returns how it exited. */
int ports_fixture_run(int (*body)(void *context), void *context);

/* Waits until so many threads sleep on the port. */
void ports_fixture_await_blocked(int id, int senders, int receivers);

#endif
