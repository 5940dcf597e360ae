/*
 * portctl run: a command with ports of its own.
 *
 * The happy path: allocate, with a hold or with sockets; start the command; pass
 * signals on to it; wait for its end; close the connection, which releases the ports.
 *
 * What can fail: the manager refuses; the command cannot be executed, which its
 * status tells; the manager goes away, which is said, while the command goes on. If
 * portctl is killed the kernel closes its connection: the ports are released, and the
 * command, which nobody has told, goes on.
 */

#include "ctl_command.h"
#include "ctl_launch.h"
#include "pa_buf.h"
#include "pa_socket.h"
#include "pa_text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
    struct ctl *ctl;
    const char *name;
    int count;
    int wait_ms;
    bool listen;
    bool unique;
    struct ctl_launch launch;
    struct pa_buf fdnames; /* what launch.fdnames is made of */
    sigset_t caught;       /* what is waited for */
    sigset_t before;       /* the mask that the command gets */
    pid_t child;
};

/* ---------------------------------------------------------------- words -- */

static int check_command(const struct run *run)
{
    char **command = run->launch.command;
    if (!command || !*command || !**command)
        return tool_fail_usage("a command must follow", "run NAME --");
    const char *wrong = ctl_launch_check(command + 1, (size_t)run->count);
    return wrong ? tool_fail_usage("there are not so many ports", wrong) : EXIT_DONE;
}

static int take_words(struct run *run, char **words)
{
    const struct tool_option table[] = {
        {"count", .number = &run->count, .min = 1, .max = PA_KEYS_COUNT_MAX},
        {"wait", .number = &run->wait_ms, .min = 0, .max = PA_KEYS_WAIT_MAX_MS},
        {"listen", .flag = &run->listen},
        {"unique", .flag = &run->unique},
        {.name = NULL},
    };
    struct ctl_operands operands;
    int r = ctl_take_words(table, words, 1, &operands);
    if (r != EXIT_DONE)
        return r;
    if (!operands.first)
        return tool_fail_usage("a name must follow", "run");
    if (!pa_text_is_utf8(operands.first))
        return tool_fail_usage("the name is not UTF-8", operands.first);
    if (run->unique && run->listen)
        return tool_fail_usage("-unique excludes", "-listen");
    if (run->unique && run->count > 1)
        return tool_fail_usage("-unique excludes", "-count");
    run->name = operands.first;
    run->launch.command = operands.behind;
    return check_command(run);
}

/* ------------------------------------------------------------- allocate -- */

static bool make_room(struct run *run)
{
    size_t count = (size_t)run->count;
    run->launch.ports = calloc(count, sizeof *run->launch.ports);
    if (run->listen)
        run->launch.fds = calloc(count, sizeof *run->launch.fds);
    return run->launch.ports && (!run->listen || run->launch.fds);
}

static int fail_joined(const struct run *run, const struct pa_call_grant *grant)
{
    char text[40];
    snprintf(text, sizeof text, "is there already, at port %u", (unsigned)grant->port);
    tool_complain(run->name, text);
    return EXIT_REFUSED;
}

/* Asks for a hold; where the manager has none, does without, and says so. */
static int ask_ports(struct run *run, struct pa_keys *keys, struct pa_call_grant *grant,
                     struct pa_failure *why)
{
    struct ctl *ctl = run->ctl;
    keys->hold = PA_HOLD_YES;
    int r = pa_call_allocate_keys(ctl->call, run->name, keys, ctl->timeout_ms, grant, why);
    if (r != PA_E_NO_HOLD && r != PA_E_TOO_OLD)
        return r;
    keys->hold = PA_HOLD_UNSAID;
    r = pa_call_allocate_keys(ctl->call, run->name, keys, ctl->timeout_ms, grant, why);
    if (r == 0 && !grant->joined)
        tool_complain(NULL, "the port manager does not hold ports: until the command listens "
                            "another program may take its port");
    return r;
}

static int allocate(struct run *run)
{
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_call_grant grant;
    struct pa_failure why;
    keys.count = (uint32_t)run->count;
    keys.unique = run->unique;
    keys.wait_ms = (uint32_t)run->wait_ms;
    if (ask_ports(run, &keys, &grant, &why) != 0)
        return ctl_fail_call(run->ctl, &why);
    int code = grant.joined ? fail_joined(run, &grant) : EXIT_DONE;
    if (code == EXIT_DONE)
        run->launch.count = grant.count;
    for (uint32_t i = 0; code == EXIT_DONE && i < grant.count; ++i)
        run->launch.ports[i] = (uint16_t)(grant.port + i);
    pa_call_grant_deinit(&grant);
    if (code == EXIT_DONE && run->launch.count < (size_t)run->count) {
        tool_complain(run->name, "the port manager gave fewer ports than were asked for");
        code = EXIT_SYSTEM;
    }
    return code;
}

/* Appends to LISTEN_FDNAMES, in which a colon separates names. */
static bool add_fdname(struct run *run, const char *name)
{
    struct pa_buf *names = &run->fdnames;
    bool ok = run->launch.count == 0 || pa_buf_append(names, ":", 1) == 0;
    size_t begin = names->size;
    ok = ok && pa_buf_append_string(names, name) == 0;
    for (size_t i = begin; ok && i < names->size; ++i)
        if (names->data[i] == ':')
            names->data[i] = '_';
    return ok;
}

/* Allocates a port with a socket that listens on it. */
static int listen_once(struct run *run, const struct pa_keys *keys)
{
    struct pa_call_grant grant;
    struct pa_failure why;
    int fd;
    if (pa_call_listen(run->ctl->call, run->name, keys, run->ctl->timeout_ms, &grant, &fd,
                       &why) != 0)
        return ctl_fail_call(run->ctl, &why);
    bool ok = add_fdname(run, grant.name);
    run->launch.ports[run->launch.count] = grant.port;
    run->launch.fds[run->launch.count++] = fd;
    pa_call_grant_deinit(&grant);
    return ok ? EXIT_DONE : tool_fail_memory();
}

static int allocate_sockets(struct run *run)
{
    struct pa_keys keys = PA_KEYS_INIT;
    int code = EXIT_DONE;
    keys.wait_ms = (uint32_t)run->wait_ms;
    for (int i = 0; code == EXIT_DONE && i < run->count; ++i)
        code = listen_once(run, &keys);
    if (code == EXIT_DONE && pa_buf_append(&run->fdnames, "", 1) != 0)
        code = tool_fail_memory();
    run->launch.fdnames = run->fdnames.data;
    return code;
}

/* --------------------------------------------------------------- signals -- */

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/*
 * Blocks what is passed on, and SIGCHLD. That one must not be ignored, or the
 * status of the command is lost. A descriptor to read them from; -1 with errno.
 */
static int catch_signals(struct run *run)
{
    sigemptyset(&run->caught);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; ++i)
        sigaddset(&run->caught, forwarded[i]);
    sigaddset(&run->caught, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &run->caught, &run->before);
    return signalfd(-1, &run->caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whether the command has ended, and how. */
static bool has_ended(const struct run *run, int *code)
{
    int status;
    if (waitpid(run->child, &status, WNOHANG) != run->child)
        return false;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

/*
 * Passes signals on. What the kernel sends, for a key of the terminal, has reached the
 * command too: both are of one process group.
 */
static void pass_on(const struct run *run, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
            kill(run->child, (int)info.ssi_signo);
}

static void tell_lost(const struct run *run)
{
    tool_complain(run->launch.command[0],
                  "goes on, but the port manager is gone and with it the claim to the port");
}

static int wait_for_end(const struct run *run, int signals)
{
    int code = EXIT_SYSTEM;
    struct pollfd polled[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = pa_call_descriptor(run->ctl->call), .events = POLLIN},
    };
    while (!has_ended(run, &code)) {
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            return EXIT_SYSTEM;
        pass_on(run, signals);
        if (polled[1].revents != 0) {
            if (pa_socket_look(polled[1].fd) == PA_SOCKET_DEAD)
                tell_lost(run);
            polled[1].fd = -1;
        }
    }
    return code;
}

/* ------------------------------------------------------------------ run -- */

static int start(struct run *run)
{
    int signals = catch_signals(run);
    if (signals < 0) {
        tool_complain("cannot wait for signals", pa_socket_reason(errno));
        return EXIT_SYSTEM;
    }
    run->child = ctl_launch_start(&run->launch, &run->before);
    if (run->child < 0) {
        tool_complain(run->launch.command[0], pa_socket_reason(errno));
        return EXIT_SYSTEM;
    }
    /* What this process says must not end it, or the ports are released too early. */
    signal(SIGPIPE, SIG_IGN);
    int code = wait_for_end(run, signals);
    close(signals);
    return code;
}

int ctl_run(struct ctl *ctl, char **words)
{
    struct run run = {.ctl = ctl, .count = 1};
    int code = take_words(&run, words);
    if (code != EXIT_DONE)
        return code;
    if (!make_room(&run))
        code = tool_fail_memory();
    if (code == EXIT_DONE)
        code = run.listen ? allocate_sockets(&run) : allocate(&run);
    if (code == EXIT_DONE)
        code = start(&run);
    pa_buf_deinit(&run.fdnames);
    free(run.launch.ports);
    free(run.launch.fds);
    return code;
}
