/* portctl's questions to the manager: list, find, stats, ping. */

#include "ctl_command.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct report_column list_columns[] = {
    {"Port", "port"}, {"Name", "name"}, {"User", "user"}, {NULL, NULL}};

static int take_json(struct ctl *ctl, char **words)
{
    const struct tool_option table[] = {{"json", .flag = &ctl->json}, {.name = NULL}};
    return ctl_take_options(table, words);
}

int ctl_list(struct ctl *ctl, char **words)
{
    struct pa_listing listing;
    struct pa_failure why;
    struct report report = REPORT_NULL;
    int code = take_json(ctl, words);
    if (code != EXIT_DONE)
        return code;
    if (pa_call_list(ctl->call, ctl->timeout_ms, &listing, &why) != 0)
        return ctl_fail_call(ctl, &why);
    report_listing(&report, &listing, false);
    pa_listing_deinit(&listing);
    return ctl->json ? report_print_json(&report) : report_print_table(&report, list_columns);
}

int ctl_find(struct ctl *ctl, char **words)
{
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_listing listing;
    struct pa_failure why;
    struct report report = REPORT_NULL;
    const struct tool_option table[] = {
        {"json", .flag = &ctl->json},
        {"name", .text = &keys.name_pattern},
        {"user", .text = &keys.user_pattern},
        {.name = NULL},
    };
    int code = ctl_take_options(table, words);
    if (code != EXIT_DONE)
        return code;
    if (pa_call_find(ctl->call, &keys, ctl->timeout_ms, &listing, &why) != 0)
        return ctl_fail_call(ctl, &why);
    bool found = listing.count > 0;
    report_listing(&report, &listing, true);
    pa_listing_deinit(&listing);
    code = ctl->json ? report_print_json(&report) : report_print_table(&report, report_found);
    return code == EXIT_DONE && !found ? EXIT_REFUSED : code;
}

int ctl_stats(struct ctl *ctl, char **words)
{
    struct pa_stats stats;
    struct pa_failure why;
    struct report report = REPORT_NULL;
    int code = take_json(ctl, words);
    if (code != EXIT_DONE)
        return code;
    if (pa_call_stats(ctl->call, ctl->timeout_ms, &stats, &why) != 0)
        return ctl_fail_call(ctl, &why);
    report_row(&report);
    report_number(&report, "protocol", (int64_t)stats.protocol);
    report_number(&report, "ports", (int64_t)stats.ports);
    report_number(&report, "allocated", (int64_t)stats.allocated);
    report_number(&report, "held", (int64_t)stats.held);
    report_number(&report, "connections", (int64_t)stats.connections);
    report_number(&report, "waiting", (int64_t)stats.waiting);
    report_number(&report, "users", (int64_t)stats.users);
    report_number(&report, "watchers", (int64_t)stats.watchers);
    report_number(&report, "uptime_s", (int64_t)stats.uptime_s);
    report_number(&report, "pid", (int64_t)stats.pid);
    report_string(&report, "managed", *stats.managed ? stats.managed : NULL);
    report_string(&report, "version", stats.version);
    return ctl->json ? report_print_json(&report) : report_print_lines(&report);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int ctl_ping(struct ctl *ctl, char **words)
{
    struct pa_failure why;
    struct report report = REPORT_NULL;
    int code = take_json(ctl, words);
    if (code != EXIT_DONE)
        return code;
    int64_t begin_us = now_us();
    if (pa_call_ping(ctl->call, ctl->timeout_ms, &why) != 0)
        return ctl_fail_call(ctl, &why);
    report_row(&report);
    report_string(&report, "host", pa_call_host(ctl->call));
    report_number(&report, "port", pa_call_port(ctl->call));
    report_string(&report, "transport", pa_call_is_unix(ctl->call) ? "unix" : "tcp");
    report_number(&report, "us", now_us() - begin_us);
    return ctl->json ? report_print_json(&report) : report_print_lines(&report);
}
