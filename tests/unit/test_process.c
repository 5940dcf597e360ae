/* test_process.c - which process has a socket. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "pa_process.h"
#include "take_port.h"

enum { MANY = 300, NOBODY = 65534 };

/* A process that keeps what it has inherited until its end is asked for. */
struct holder {
    pid_t pid;
    int ask; /* its end ends the process; others may have inherited copies */
};

/* Becomes one that others may not look into, even of the same user. */
static void hide(void)
{
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        _exit(1);
}

/* Starts a process of that name, and returns when it has done all it will do. */
static struct holder hold(const char *name, void (*prepare)(void))
{
    int ask[2];
    int ready[2];
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ask), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ask[1]);
        if (prctl(PR_SET_NAME, name) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            _exit(1);
        if (prepare)
            prepare();
        if (write(ready[1], &byte, 1) != 1 || read(ask[0], &byte, 1) != 0)
            _exit(1);
        _exit(0);
    }
    close(ask[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return (struct holder){pid, ask[1]};
}

static void assert_ended(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void ask_to_end(struct holder holder)
{
    assert_int_equal(shutdown(holder.ask, SHUT_WR), 0);
    close(holder.ask);
}

static void end(struct holder holder)
{
    ask_to_end(holder);
    assert_ended(holder.pid);
}

static int take(void)
{
    int fd = take_port("127.0.0.1", 0, LISTEN);
    assert_true(fd >= 0);
    return fd;
}

static void assert_has(uint64_t inode, pid_t pid, const char *name)
{
    struct pa_process_socket found = {.inode = inode, .pid = -1, .name = "?"};
    assert_int_equal(pa_process_find(&found, 1), 0);
    assert_int_equal(found.pid, pid);
    assert_string_equal(found.name, name);
    assert_int_equal(found.inode, inode);
}

/* --------------------------------------------------------------- finding -- */

static void a_child_is_found_with_its_name(void **state)
{
    (void)state;
    int fd = take();
    uint64_t inode = inode_of(fd);
    struct holder child = hold("cupsd", NULL);
    close(fd);
    assert_has(inode, child.pid, "cupsd");
    end(child);
    assert_has(inode, 0, "");
}

static void the_caller_is_found_when_nobody_else_has_the_socket(void **state)
{
    (void)state;
    int fd = take();
    assert_has(inode_of(fd), getpid(), "looker");
    close(fd);
}

static void another_is_preferred_to_the_caller(void **state)
{
    (void)state;
    int fd = take();
    struct holder child = hold("worker", NULL);
    assert_has(inode_of(fd), child.pid, "worker");
    end(child);
    close(fd);
}

static void a_parent_is_preferred_to_the_caller(void **state)
{
    (void)state;
    int fd = take();
    pid_t child = fork();
    if (child == 0) {
        struct pa_process_socket found = {.inode = inode_of(fd)};
        int r = pa_process_find(&found, 1);
        _exit(r == 0 && found.pid == getppid() ? 0 : 1);
    }
    assert_ended(child);
    close(fd);
}

static void the_lowest_of_several_is_named(void **state)
{
    (void)state;
    struct holder workers[5];
    int fd = take();
    size_t lowest = 0;
    for (size_t i = 0; i < 5; ++i)
        workers[i] = hold(i == 0 ? "first" : "later", NULL);
    for (size_t i = 1; i < 5; ++i)
        if (workers[i].pid < workers[lowest].pid) /* pids wrap around */
            lowest = i;
    assert_has(inode_of(fd), workers[lowest].pid, lowest == 0 ? "first" : "later");
    for (size_t i = 0; i < 5; ++i)
        end(workers[i]);
    close(fd);
}

static void a_name_is_given_as_it_is(void **state)
{
    (void)state;
    static const char *const names[] = {"a\nb", "c\n", "(d) e", "\xff\x1b[m",
                                        "fifteen-letters"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        int fd = take();
        struct holder child = hold(names[i], NULL);
        assert_has(inode_of(fd), child.pid, names[i]);
        end(child);
        close(fd);
    }
}

static void an_ended_process_has_nothing(void **state)
{
    (void)state;
    siginfo_t info;
    int fd = take();
    uint64_t inode = inode_of(fd);
    struct holder child = hold("zombie", NULL);
    close(fd);
    ask_to_end(child);
    assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    assert_has(inode, 0, "");
    assert_ended(child.pid);
}

static void only_sockets_are_looked_at(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_has(inode_of(ends[0]), 0, "");
    assert_has(0, 0, "");
    close(ends[0]);
    close(ends[1]);
}

static void many_are_found_at_once_and_stay_in_order(void **state)
{
    (void)state;
    static struct pa_process_socket found[MANY + 4];
    int fds[MANY];
    struct holder child;
    for (size_t i = 0; i < MANY; ++i) {
        if (i == MANY / 2)
            child = hold("half", NULL);
        fds[i] = take();
        found[MANY - 1 - i].inode = inode_of(fds[i]);
    }
    found[MANY].inode = found[0].inode;
    found[MANY + 1].inode = found[MANY - 1].inode;
    found[MANY + 2].inode = 0;
    found[MANY + 3].inode = UINT64_MAX;
    assert_int_equal(pa_process_find(found, MANY + 4), 0);
    for (size_t i = 0; i < MANY; ++i) {
        const struct pa_process_socket *socket = &found[MANY - 1 - i];
        assert_int_equal(socket->inode, inode_of(fds[i]));
        assert_int_equal(socket->pid, i < MANY / 2 ? child.pid : getpid());
        assert_string_equal(socket->name, i < MANY / 2 ? "half" : "looker");
        close(fds[i]);
    }
    assert_int_equal(found[MANY].pid, getpid());
    assert_int_equal(found[MANY + 1].pid, child.pid);
    assert_int_equal(found[MANY + 2].pid, 0);
    assert_int_equal(found[MANY + 3].pid, 0);
    end(child);
}

static void none_may_be_looked_for(void **state)
{
    (void)state;
    assert_int_equal(pa_process_find(NULL, 0), 0);
}

/* ------------------------------------------------------------ hindrances -- */

/* Without privilege: 0 if the hidden one is not found, and the caller's own socket is. */
static int look_without_privilege(uint64_t hidden)
{
    struct pa_process_socket found[2] = {{.inode = hidden}, {.inode = 0}};
    if (getuid() == 0 && setuid(NOBODY) < 0)
        return 1;
    if (prctl(PR_SET_DUMPABLE, 1) < 0) /* which setuid(2) has switched off */
        return 2;
    found[1].inode = inode_of(take());
    if (pa_process_find(found, 2) != 0)
        return 3;
    if (found[0].pid != 0 || *found[0].name)
        return 4;
    return found[1].pid == getpid() ? 0 : 5;
}

static void who_may_not_be_looked_into_is_passed_over(void **state)
{
    (void)state;
    int fd = take();
    uint64_t inode = inode_of(fd);
    struct holder hidden = hold("hidden", hide);
    close(fd);
    pid_t child = fork();
    if (child == 0)
        _exit(look_without_privilege(inode));
    assert_ended(child);
    end(hidden);
}

/* Starts processes that end at once, until it is asked to end. */
static void start_and_end(int ask)
{
    char byte;
    signal(SIGCHLD, SIG_IGN);
    while (recv(ask, &byte, 1, MSG_DONTWAIT) != 0)
        if (fork() == 0)
            _exit(0);
    _exit(0);
}

static void processes_may_end_meanwhile(void **state)
{
    (void)state;
    int ask[2];
    int fd = take();
    struct holder child = hold("steady", NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ask), 0);
    pid_t busy = fork();
    if (busy == 0) {
        close(ask[1]);
        close(fd);
        start_and_end(ask[0]);
    }
    for (int i = 0; i < 200; ++i)
        assert_has(inode_of(fd), child.pid, "steady");
    close(ask[0]);
    close(ask[1]);
    assert_ended(busy);
    end(child);
    close(fd);
}

/* Finds with `limit` descriptors. */
static int find_with(rlim_t limit, struct pa_process_socket *found)
{
    struct rlimit before;
    struct rlimit few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int r = pa_process_find(found, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return r;
}

static void without_descriptors_it_cannot_tell(void **state)
{
    (void)state;
    int fd = take();
    struct holder child = hold("worker", NULL);
    struct pa_process_socket found = {.inode = inode_of(fd)};
    size_t before = open_descriptors();
    rlim_t limit = 0;
    int r = find_with(limit, &found);
    assert_int_equal(r, -EMFILE);
    while (r == -EMFILE) {
        assert_true(found.pid == 0 || found.pid == getpid());
        assert_int_equal(open_descriptors(), before);
        r = find_with(++limit, &found);
    }
    assert_int_equal(r, 0);
    assert_int_equal(found.pid, child.pid);
    assert_true(limit >= 4);
    end(child);
    close(fd);
}

static void without_memory_it_cannot_tell(void **state)
{
    (void)state;
    int fd = take();
    size_t before = open_descriptors();
    bool failed = true;
    for (size_t k = 0; failed; ++k) {
        struct pa_process_socket found = {.inode = inode_of(fd), .pid = 1};
        alloc_fail_after(k);
        int r = pa_process_find(&found, 1);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(found.pid, failed ? 0 : getpid());
        assert_true(failed || k > 0);
    }
    assert_int_equal(open_descriptors(), before);
    close(fd);
}

static size_t descriptors_at_the_start;

static void nothing_stays_open(void **state)
{
    (void)state;
    assert_int_equal(open_descriptors(), descriptors_at_the_start);
}

int main(void)
{
    descriptors_at_the_start = open_descriptors();
    if (prctl(PR_SET_NAME, "looker") < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_is_found_with_its_name),
        cmocka_unit_test(the_caller_is_found_when_nobody_else_has_the_socket),
        cmocka_unit_test(another_is_preferred_to_the_caller),
        cmocka_unit_test(a_parent_is_preferred_to_the_caller),
        cmocka_unit_test(the_lowest_of_several_is_named),
        cmocka_unit_test(a_name_is_given_as_it_is),
        cmocka_unit_test(an_ended_process_has_nothing),
        cmocka_unit_test(only_sockets_are_looked_at),
        cmocka_unit_test(many_are_found_at_once_and_stay_in_order),
        cmocka_unit_test(none_may_be_looked_for),
        cmocka_unit_test(who_may_not_be_looked_into_is_passed_over),
        cmocka_unit_test(processes_may_end_meanwhile),
        cmocka_unit_test(without_descriptors_it_cannot_tell),
        cmocka_unit_test(without_memory_it_cannot_tell),
        cmocka_unit_test(nothing_stays_open),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
