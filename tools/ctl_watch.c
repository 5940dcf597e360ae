/*
 * portctl's watch: who has which port, and each change as it happens.
 *
 * The happy path: what is there is printed, and then a line a change, until a
 * signal comes or enough have been seen.
 *
 * What can fail: the manager is not there, or goes. That is a complaint, and
 * another one when it is back. Who reads standard output closes it: that is an
 * end like any other, and is noticed though nothing happens.
 */

#include "ctl_command.h"
#include "report.h"
#include "pa_follow.h"
#include "pa_show.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { KIND_WIDTH = 8 }; /* of the longest word for a change, and two blanks */

struct watch {
    const struct ctl *ctl;
    struct pa_follow *follow;
    int signals; /* signalfd(2) */
    int count;   /* end after so many changes; 0: do not */
    int changes; /* seen */
    bool is_lost;
    bool is_over;
};

/* ----------------------------------------------------------------- output -- */

static int print_object(const struct pa_watch_event *event)
{
    struct report report = REPORT_NULL;
    struct report ports = REPORT_NULL;
    report_row(&report);
    report_string(&report, "event", pa_watch_kind_word(event->kind));
    if (event->kind == PA_WATCH_SNAPSHOT) {
        report_listing(&ports, &event->listing, true);
        report_rows(&report, "ports", &ports);
    } else {
        report_entry(&report, event->listing.entries, true);
    }
    return report_print_object(&report);
}

static int print_snapshot(const struct pa_watch_event *event)
{
    struct report report = REPORT_NULL;
    report_listing(&report, &event->listing, true);
    return report_print_table(&report, report_found);
}

static int print_change(const struct pa_watch_event *event)
{
    struct report report = REPORT_NULL;
    report_listing(&report, &event->listing, true);
    pa_show_column(stdout, pa_watch_kind_word(event->kind), KIND_WIDTH);
    for (const struct report_column *column = report_found; column->key; ++column) {
        const char *value = report_value(&report, 0, column->key);
        if (column > report_found && *value)
            fputs("  ", stdout);
        pa_show_column(stdout, value, 0);
    }
    putchar('\n');
    int code = report.failed ? tool_fail_memory() : EXIT_DONE;
    report_deinit(&report);
    return code;
}

static int print(const struct watch *watch, const struct pa_watch_event *event)
{
    if (watch->ctl->json)
        return print_object(event);
    return event->kind == PA_WATCH_SNAPSHOT ? print_snapshot(event) : print_change(event);
}

/* Nobody reads it any more, so nothing that is left in it is a failure. */
static void abandon_output(struct watch *watch)
{
    watch->is_over = true;
    if (!freopen("/dev/null", "w", stdout))
        clearerr(stdout);
}

/* ----------------------------------------------------------------- events -- */

/* Sees to it that all output has got through. */
static int flush(struct watch *watch)
{
    if (fflush(stdout) == 0)
        return EXIT_DONE;
    int error = errno;
    abandon_output(watch);
    if (error == EPIPE)
        return EXIT_DONE;
    tool_complain("cannot write to standard output", strerror(error));
    return EXIT_SYSTEM;
}

static int take_event(struct watch *watch, struct pa_watch_event *event)
{
    if (watch->is_lost)
        tool_complain("restored", "the port manager answers");
    watch->is_lost = false;
    watch->changes += event->kind != PA_WATCH_SNAPSHOT;
    watch->is_over = watch->count > 0 && watch->changes == watch->count;
    int code = print(watch, event);
    pa_watch_event_deinit(event);
    int flushed = flush(watch);
    return code != EXIT_DONE ? code : flushed;
}

/* Whether something else than the manager ends it. Waits. */
static int wait_for_more(struct watch *watch)
{
    const struct pa_wait *wait = pa_follow_wait(watch->follow);
    struct pollfd fds[] = {
        {.fd = wait->fd, .events = wait->events},
        {.fd = watch->signals, .events = POLLIN},
        {.fd = STDOUT_FILENO}, /* for its end */
    };
    if (poll(fds, sizeof fds / sizeof *fds, pa_deadline_left_ms(&wait->until)) < 0) {
        tool_complain("cannot wait", strerror(errno));
        return EXIT_SYSTEM;
    }
    if (fds[2].revents & (POLLERR | POLLHUP))
        abandon_output(watch);
    watch->is_over |= fds[1].revents != 0;
    return EXIT_DONE;
}

static void complain_lost(struct watch *watch, const struct pa_failure *why)
{
    char place[CTL_PLACE_BYTES];
    char text[sizeof why->text + sizeof place + sizeof ": "];
    /* Only that text does not name the place by itself. */
    bool is_bare = why->error == PA_E_CONNECT;
    pa_call_place(watch->ctl->call, place, sizeof place);
    snprintf(text, sizeof text, "%s%s%s", is_bare ? place : "", is_bare ? ": " : "", why->text);
    tool_complain("lost", text);
    watch->is_lost = true;
}

static int step(struct watch *watch)
{
    struct pa_failure why;
    struct pa_watch_event event = PA_WATCH_EVENT_NULL;
    int r = pa_follow_step(watch->follow, &event, &why);
    if (r == 0)
        return take_event(watch, &event);
    if (r == PA_FOLLOW_WAIT)
        return wait_for_more(watch);
    complain_lost(watch, &why);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------- start -- */

/* A descriptor that is readable when the watch is to end, or -1. */
static int catch_signals(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int follow(struct watch *watch)
{
    int code = EXIT_DONE;
    watch->signals = catch_signals();
    if (watch->signals < 0) {
        tool_complain("cannot wait for signals", strerror(errno));
        return EXIT_SYSTEM;
    }
    while (code == EXIT_DONE && !watch->is_over)
        code = step(watch);
    close(watch->signals);
    return code;
}

int ctl_watch(struct ctl *ctl, char **words)
{
    struct watch watch = {.ctl = ctl};
    const char *name_pattern = NULL;
    const char *user_pattern = NULL;
    struct pa_failure why;
    const struct tool_option table[] = {
        {"json", .flag = &ctl->json},
        {"name", .text = &name_pattern},
        {"user", .text = &user_pattern},
        {"count", .number = &watch.count, .min = 1, .max = INT_MAX},
        {.name = NULL},
    };
    int code = ctl_take_options(table, words);
    if (code != EXIT_DONE)
        return code;
    if (pa_follow_new(&watch.follow, ctl->host, ctl->port, name_pattern, user_pattern,
                      ctl->timeout_ms, &why) != 0)
        return ctl_fail_call(ctl, &why);
    code = follow(&watch);
    pa_follow_free(watch.follow);
    return code;
}
