#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ports_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 30 };

static char folder[64];

int ports_fixture_begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/dev/shm/ports-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    return setenv("PORTS_DIR", folder, 1);
}

int ports_fixture_end(void **state)
{
    (void)state;
    DIR *stream = opendir(folder);
    if (!stream)
        return -1;
    int left = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (entry->d_name[0] == '.')
            continue;
        if (strcmp(entry->d_name, "ids") != 0) {
            fprintf(stderr, "left behind: %s/%s\n", folder, entry->d_name);
            left += 1;
        }
        unlinkat(dirfd(stream), entry->d_name, 0);
    }
    closedir(stream);
    return rmdir(folder) < 0 || left > 0 ? -1 : 0;
}

static void on_alarm(int number)
{
    (void)number;
    _exit(98);
}

pid_t ports_fixture_fork(int (*body)(void *context), void *context)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    signal(SIGALRM, on_alarm);
    alarm(PATIENCE_S);
    _exit(body(context));
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ports_fixture_wait(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return code_of(status);
}

int ports_fixture_disturb(pid_t child, int number)
{
    int status;
    while (waitpid(child, &status, WNOHANG) == 0) {
        kill(child, number);
        usleep(1000);
    }
    return code_of(status);
}

int ports_fixture_run(int (*body)(void *context), void *context)
{
    return ports_fixture_wait(ports_fixture_fork(body, context));
}

void ports_fixture_await_blocked(int id, int senders, int receivers)
{
    struct portstat status;
    for (int i = 0; i < PATIENCE_S * 1000; ++i) {
        assert_int_equal(pstat(id, &status), 0);
        if (status.blocked_senders == senders && status.blocked_receivers == receivers)
            return;
        usleep(1000);
    }
    fail_msg("%d senders and %d receivers sleep, not %d and %d", status.blocked_senders,
             status.blocked_receivers, senders, receivers);
}
