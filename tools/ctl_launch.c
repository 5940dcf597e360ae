/* A command that is started with ports. */

#include "ctl_launch.h"

#include "ctl.h"
#include "pa_buf.h"
#include "pa_socket.h"
#include "pa_text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */ };

/* ------------------------------------------------------------- arguments -- */

/* The next {port} or {portN} in `text`, which begins at *at; NULL: none. Behind it. */
static const char *find_mark(const char *text, const char **at, size_t *number)
{
    static const char begin[] = "{port";
    for (const char *found = text; (found = strstr(found, begin)); ++found) {
        const char *digits = found + sizeof begin - 1;
        size_t length = strspn(digits, "0123456789");
        if (digits[length] != '}')
            continue;
        *at = found;
        *number = length > 0 ? strtoul(digits, NULL, 10) : 1;
        return digits + length + 1;
    }
    return NULL;
}

const char *ctl_launch_check(char *const *arguments, size_t count)
{
    for (; *arguments; ++arguments) {
        const char *at;
        size_t number;
        for (const char *rest = *arguments; (rest = find_mark(rest, &at, &number));)
            if (number < 1 || number > count)
                return *arguments;
    }
    return NULL;
}

static int append_port(struct pa_buf *buf, uint16_t port)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    return pa_buf_append(buf, digits, pa_text_decimal(digits, port));
}

/* The word with ports in place of the marks, for the life of the process; NULL: no memory. */
static char *replace_ports(const char *word, const struct ctl_launch *launch)
{
    struct pa_buf made = PA_BUF_NULL;
    const char *at;
    size_t number;
    bool ok = true;
    for (const char *rest; ok && (rest = find_mark(word, &at, &number)); word = rest)
        ok = pa_buf_append(&made, word, (size_t)(at - word)) == 0 &&
             append_port(&made, launch->ports[number - 1]) == 0;
    if (ok && pa_buf_append(&made, word, strlen(word) + 1) == 0)
        return made.data;
    pa_buf_deinit(&made);
    return NULL;
}

static bool replace_arguments(const struct ctl_launch *launch)
{
    for (char **argument = launch->command + 1; *argument; ++argument) {
        *argument = replace_ports(*argument, launch);
        if (!*argument)
            return false;
    }
    return true;
}

/* ----------------------------------------------------------- environment -- */

static bool set_number(const char *name, size_t number)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    pa_text_decimal(digits, number);
    return setenv(name, digits, 1) == 0;
}

static bool set_ports(const struct ctl_launch *launch)
{
    struct pa_buf all = PA_BUF_NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < launch->count; ++i)
        ok = (i == 0 || pa_buf_append(&all, " ", 1) == 0) &&
             append_port(&all, launch->ports[i]) == 0;
    ok = ok && pa_buf_append(&all, "", 1) == 0 && setenv("PORTS", all.data, 1) == 0 &&
         set_number("PORT", launch->ports[0]);
    pa_buf_deinit(&all);
    return ok;
}

/* The numbers of sockets are those of the child: they say that it is meant. */
static bool set_sockets(const struct ctl_launch *launch)
{
    return !launch->fds || (set_number("LISTEN_FDS", launch->count) &&
                            set_number("LISTEN_PID", (size_t)getpid()) &&
                            setenv("LISTEN_FDNAMES", launch->fdnames, 1) == 0);
}

/* ----------------------------------------------------------- descriptors -- */

/*
 * Gives the sockets the numbers from FIRST_FD, open across exec. First all are
 * moved out of the way of those numbers.
 */
static bool place_sockets(const struct ctl_launch *launch)
{
    int end = FIRST_FD + (int)launch->count;
    if (!launch->fds)
        return true;
    for (size_t i = 0; i < launch->count; ++i) {
        launch->fds[i] = fcntl(launch->fds[i], F_DUPFD_CLOEXEC, end);
        if (launch->fds[i] < 0)
            return false;
    }
    for (size_t i = 0; i < launch->count; ++i)
        if (dup2(launch->fds[i], FIRST_FD + (int)i) < 0)
            return false;
    return true;
}

/* ---------------------------------------------------------------- start -- */

static _Noreturn void become(const struct ctl_launch *launch, const sigset_t *mask)
{
    int code = EXIT_SYSTEM;
    if (!replace_arguments(launch) || !set_ports(launch) || !set_sockets(launch)) {
        tool_fail_memory();
    } else if (!place_sockets(launch)) {
        tool_complain("cannot pass the sockets on", pa_socket_reason(errno));
    } else {
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(launch->command[0], launch->command);
        code = errno == ENOENT ? EXIT_NO_COMMAND : EXIT_NO_EXEC;
        tool_complain(launch->command[0], pa_socket_reason(errno));
    }
    _exit(code);
}

pid_t ctl_launch_start(struct ctl_launch *launch, const sigset_t *mask)
{
    pid_t child = fork();
    if (child == 0)
        become(launch, mask);
    int error = errno;
    for (size_t i = 0; launch->fds && i < launch->count; ++i)
        close(launch->fds[i]);
    errno = error;
    return child;
}
