/* test_log_plain.c - the log of portreserve: "PROGRAM: TEXT" on stderr, and syslog(3). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "scratch.h"

static struct log l; /* 64 KiB: not on the stack */
static int saved;    /* the test's own stderr */

/* From here on stderr is a file. */
static void redirect(void)
{
    int fd = open(scratch_path("stderr"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
}

static int set_up(void **state)
{
    saved = -1;
    l = (struct log)LOG_NULL;
    return scratch_set_up(state);
}

static void restore(void)
{
    if (saved < 0)
        return;
    dup2(saved, STDERR_FILENO);
    close(saved);
    saved = -1;
}

static int tear_down(void **state)
{
    restore();
    closelog();
    return scratch_tear_down(state);
}

static void assert_stderr(const char *text)
{
    assert_string_equal(scratch_read("stderr"), text);
}

static void a_line_is_the_program_and_the_text(void **state)
{
    (void)state;
    redirect();
    log_open_plain(&l, "portreserve", false);
    log_write(&l, LOG_LEVEL_INFO, NULL, "%s: reserves %u/tcp", "cups", 631U);
    log_write(&l, LOG_LEVEL_ERROR, "some.host", "cups: line 1: is wrong");
    log_join(&l, LOG_LEVEL_WARNING, (const char *const[]){"one", " and ", "two"}, 3);
    log_deinit(&l);
    assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
    restore();
    assert_stderr("portreserve: cups: reserves 631/tcp\n"
                  "portreserve: cups: line 1: is wrong\n"
                  "portreserve: one and two\n");
}

static void lines_wait_for_the_flush(void **state)
{
    (void)state;
    redirect();
    log_open_plain(&l, "p", false);
    log_write(&l, LOG_LEVEL_INFO, NULL, "one");
    assert_false(log_is_flushed(&l));
    assert_stderr("");
    log_flush(&l);
    assert_true(log_is_flushed(&l));
    assert_stderr("p: one\n");
    log_deinit(&l);
}

static void text_is_made_harmless(void **state)
{
    (void)state;
    redirect();
    log_open_plain(&l, "p", false);
    log_write(&l, LOG_LEVEL_INFO, NULL, "%s", "\x1b[31m\np: forged\r\xff \xc3\xa4 \xc2\x9b");
    log_deinit(&l);
    restore();
    assert_stderr("p: \\x1B[31m\\x0Ap: forged\\x0D\\xFF \xc3\xa4 \\xC2\\x9B\n");
}

static void a_long_line_is_cut_at_1024_bytes(void **state)
{
    (void)state;
    char text[2 * LOG_LINE_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    redirect();
    log_open_plain(&l, "portreserve", false);
    log_write(&l, LOG_LEVEL_INFO, NULL, "%s", text);
    log_deinit(&l);
    restore();
    const char *line = scratch_read("stderr");
    assert_int_equal(strlen(line), LOG_LINE_BYTES);
    assert_memory_equal(line, "portreserve: xxx", 16);
    assert_string_equal(line + LOG_LINE_BYTES - 5, "x...\n");
}

static void it_is_not_reopened(void **state)
{
    (void)state;
    redirect();
    log_open_plain(&l, "p", false);
    log_write(&l, LOG_LEVEL_INFO, NULL, "before");
    assert_int_equal(log_reopen(&l), 0);
    log_write(&l, LOG_LEVEL_INFO, NULL, "after");
    log_deinit(&l);
    restore();
    assert_stderr("p: before\np: after\n");
}

static void a_limit_counts_as_elsewhere(void **state)
{
    (void)state;
    struct log_limit limit = LOG_LIMIT_NULL;
    redirect();
    log_open_plain(&l, "p", false);
    for (int i = 0; i < LOG_LIMIT_COUNT + 3; ++i)
        log_limited(&l, &limit, 0, LOG_LEVEL_WARNING, NULL, "noise");
    log_limit_flush(&l, &limit, LOG_LIMIT_WINDOW_MS);
    log_deinit(&l);
    restore();
    const char *text = scratch_read("stderr");
    assert_int_equal(strlen(text), LOG_LIMIT_COUNT * strlen("p: noise\n") +
                                       strlen("p: ... 3 similar messages suppressed\n"));
    assert_non_null(strstr(text, "\np: ... 3 similar messages suppressed\n"));
}

static void with_the_systems_log_lines_are_written_at_once(void **state)
{
    (void)state;
    int mask = setlogmask(LOG_MASK(LOG_EMERG)); /* this host's log is left alone */
    redirect();
    log_open_plain(&l, "p", true);
    log_write(&l, LOG_LEVEL_INFO, NULL, "one\n");
    setlogmask(mask);
    assert_true(log_is_flushed(&l));
    assert_stderr("p: one\\x0A\n");
    log_flush(&l);
    log_deinit(&l);
    assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
    restore();
    assert_stderr("p: one\\x0A\n");
}

/* ------------------------------------------------------------ syslog(3) -- */

/* A socket that hears what this process says to the system's log, in a /dev of its own. -1:
 * this user may have none. */
static int own_system_log(void)
{
    static const struct sockaddr_un address = {AF_UNIX, "/dev/log"};
    if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/dev", "tmpfs", 0, NULL) < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* In a process of its own: writes what the system's log hears into a file, a line each. */
static int talk_to_syslog(void)
{
    FILE *heard = fopen(scratch_path("heard"), "we");
    int fd = own_system_log();
    char bytes[2048];
    if (!heard || fd < 0)
        return 2;
    log_open_plain(&l, "portreserve", true);
    log_write(&l, LOG_LEVEL_INFO, NULL, "cups: reserves 631/tcp");
    log_write(&l, LOG_LEVEL_WARNING, NULL, "%s", "100%s\nnoise");
    log_write(&l, LOG_LEVEL_ERROR, NULL, "wrong");
    for (ssize_t size; (size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
        fprintf(heard, "%.*s\n", (int)size, bytes);
    log_deinit(&l);
    return fclose(heard) == 0 ? 0 : 1;
}

/* Takes the head of a line, "<PRIORITY>DATE portreserve[PID]: ", and finds this text behind. */
static const char *assert_heard(const char *line, int priority, pid_t pid, const char *text)
{
    char head[16], name[64];
    snprintf(head, sizeof head, "<%d>", LOG_DAEMON | priority);
    assert_memory_equal(line, head, strlen(head));
    snprintf(name, sizeof name, " portreserve[%ld]: %s\n", (long)pid, text);
    const char *at = strstr(line, name);
    assert_non_null(at);
    assert_ptr_equal(strchr(line, '\n'), at + strlen(name) - 1);
    return at + strlen(name);
}

static void the_systems_log_hears_priority_and_text(void **state)
{
    (void)state;
    int status;
    redirect();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(talk_to_syslog());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    restore();
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        print_message("this user may not have a /dev of his own: passed over\n");
        return;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    const char *at = scratch_read("heard");
    at = assert_heard(at, LOG_INFO, pid, "cups: reserves 631/tcp");
    at = assert_heard(at, LOG_WARNING, pid, "100%s\\x0Anoise");
    at = assert_heard(at, LOG_ERR, pid, "wrong");
    assert_string_equal(at, "");
    assert_stderr("portreserve: cups: reserves 631/tcp\n"
                  "portreserve: 100%s\\x0Anoise\n"
                  "portreserve: wrong\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_line_is_the_program_and_the_text),
        CASE(lines_wait_for_the_flush),
        CASE(text_is_made_harmless),
        CASE(a_long_line_is_cut_at_1024_bytes),
        CASE(it_is_not_reopened),
        CASE(a_limit_counts_as_elsewhere),
        CASE(with_the_systems_log_lines_are_written_at_once),
        CASE(the_systems_log_hears_priority_and_text),
    };
    return cmocka_run_group_tests_name("log_plain", tests, NULL, NULL);
}
