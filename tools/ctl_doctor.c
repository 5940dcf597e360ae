/*
 * portctl doctor: what is wrong, and what to do about it.
 *
 * The checks follow the way of a client: the port file, the connection, a port on
 * trial. What needs the manager is left out if it was not reached, and what needs this
 * host, if the manager is on another one.
 */

#include "ctl_doctor.h"

#include "ctl_command.h"
#include "ctl_files.h"
#include "pa_show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const health_words[] = {"ok", "note", "fault"};

enum { TEXT_BYTES = 4096 };

void ctl_doctor_say(struct ctl_doctor *doctor, enum ctl_health health, const char *check,
                    const char *advice, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    doctor->faulty |= health == CTL_FAULT;
    report_row(&doctor->report);
    report_string(&doctor->report, "check", check);
    report_string(&doctor->report, "state", health_words[health]);
    report_string(&doctor->report, "finding", text);
    report_string(&doctor->report, "advice", advice);
}

/* ------------------------------------------------------------- port file -- */

static void check_socket(struct ctl_doctor *doctor, const char *path)
{
    char *named = ctl_files_socket(path);
    if (named && !*doctor->portfile.socket)
        ctl_doctor_say(doctor, CTL_FAULT, "portfile",
                       "start the manager again; its socket must be root's or yours, in a "
                       "folder that is, too",
                       "the socket %s, which %s names, is not there or is not believed", named,
                       path);
    free(named);
}

/* Whether there is such a file. */
static bool check_file(struct ctl_doctor *doctor, const char *path)
{
    char text[TEXT_BYTES];
    enum ctl_files_state state = ctl_files_check(path, text, sizeof text);
    if (state == CTL_FILES_BAD)
        ctl_doctor_say(doctor, CTL_FAULT, "portfile",
                       "correct that, or delete the file and start the manager again",
                       "the port file %s is not believed: %s", path, text);
    if (state == CTL_FILES_GOOD) {
        ctl_doctor_say(doctor, CTL_OK, "portfile", NULL, "the port file %s is believed", path);
        check_socket(doctor, path);
    }
    return state != CTL_FILES_NONE;
}

static void check_files(struct ctl_doctor *doctor)
{
    bool any = false;
    const char *path;
    if (doctor->ctl->port > 0)
        return; /* it is not looked at */
    pa_portfile_read(&doctor->portfile);
    for (size_t i = 0; (path = ctl_files_path(i)); ++i)
        any |= check_file(doctor, path);
    if (!any)
        ctl_doctor_say(doctor, CTL_NOTE, "portfile",
                       "if the manager listens elsewhere give -port, or have "
                       "DAQPORTMGR_PORTFILE name its port file",
                       "there is no port file, so port %d is tried", PA_CALL_DEFAULT_PORT);
}

/* --------------------------------------------------------------- manager -- */

static const struct {
    enum pa_error error;
    const char *advice;
} advices[] = {
    {PA_E_CONNECT, "start DaqPortManager there, or give -host and -port of the right one"},
    {PA_E_RESOLVE, "give the name of a host that exists: -host"},
    {PA_E_TIMEOUT, "see whether the manager is stopped, or a firewall is in between"},
    {PA_E_CLOSED, "see the log of the manager; another program may have its port: give -port"},
    {PA_E_PROTOCOL, "another program listens there: give -host and -port of the manager"},
    {PA_E_TOO_MANY_CONNECTIONS, "end clients, or start the manager with more -maxconnections"},
    {PA_E_QUOTA, "end services, see `portctl find -user` with your name, or start the manager "
                 "with more -userports, -userconnections"},
    {PA_E_NO_FREE_PORTS, "end services, or start the manager with more -ports"},
    {PA_E_NO_PROBE, "see the log of the manager: it may be out of descriptors"},
    {PA_E_NOT_LOCAL, "ask on the manager's own host, by localhost"},
};

static void say_failure(struct ctl_doctor *doctor, const char *check,
                        const struct pa_failure *why)
{
    const char *advice = "see portallocator-errors(7) for this message";
    for (size_t i = 0; i < sizeof advices / sizeof *advices; ++i)
        if (advices[i].error == why->error)
            advice = advices[i].advice;
    bool stale =
        why->error == PA_E_CONNECT && doctor->portfile.port > 0 && ctl_is_here(doctor->ctl);
    if (stale)
        ctl_doctor_say(doctor, CTL_FAULT, "portfile",
                       "start DaqPortManager, which writes it anew, or delete it",
                       "the port file is stale: nobody listens on port %d, which it names",
                       doctor->portfile.port);
    char place[CTL_PLACE_BYTES];
    pa_call_place(doctor->ctl->call, place, sizeof place);
    ctl_doctor_say(doctor, CTL_FAULT, check, advice, "%s: %s",
                   why->error == PA_E_CONNECT ? place : doctor->ctl->host, why->text);
}

static void say_reached(struct ctl_doctor *doctor)
{
    const struct pa_call *call = doctor->ctl->call;
    if (doctor->told)
        ctl_doctor_say(doctor, CTL_OK, "manager", NULL,
                       "version %s answers at %s port %d: %llu of %llu ports are allocated",
                       doctor->stats.version, pa_call_host(call), pa_call_port(call),
                       (unsigned long long)doctor->stats.allocated,
                       (unsigned long long)doctor->stats.ports);
    else
        ctl_doctor_say(doctor, CTL_NOTE, "manager",
                       "replace it by DaqPortManager 1.1 to have ports held, proved owners "
                       "and more checks",
                       "the manager at %s port %d answers, but it is an old one: protocol 1",
                       pa_call_host(call), pa_call_port(call));
    if (*doctor->portfile.socket && ctl_is_here(doctor->ctl) && !pa_call_is_unix(call))
        ctl_doctor_say(doctor, CTL_FAULT, "manager",
                       "see who listens on it; only root's or your own manager is believed",
                       "nobody that is believed answers on the socket %s",
                       doctor->portfile.socket);
}

static void check_manager(struct ctl_doctor *doctor)
{
    struct ctl *ctl = doctor->ctl;
    struct pa_failure why;
    int r = pa_call_stats(ctl->call, ctl->timeout_ms, &doctor->stats, &why);
    doctor->told = r == 0;
    if (r == 0 || r == PA_E_TOO_OLD)
        r = pa_call_list(ctl->call, ctl->timeout_ms, &doctor->listing, &why);
    doctor->reached = r == 0;
    if (r == 0)
        say_reached(doctor);
    else
        say_failure(doctor, "manager", &why);
}

/* Takes a port, as a service does, and releases it by the end of the connection. */
static void check_trial(struct ctl_doctor *doctor)
{
    struct ctl *ctl = doctor->ctl;
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_call_grant grant;
    struct pa_failure why;
    struct pa_call *call = pa_call_new(ctl->host, ctl->port);
    if (!call) {
        doctor->report.failed = true;
        return;
    }
    if (pa_call_allocate_keys(call, "portctl doctor", &keys, ctl->timeout_ms, &grant, &why) ==
        0) {
        doctor->tried = grant.port;
        ctl_doctor_say(doctor, CTL_OK, "allocation", NULL, "you are given a port, as %s",
                       grant.user);
        pa_call_grant_deinit(&grant);
    } else {
        say_failure(doctor, "allocation", &why);
    }
    pa_call_free(call);
}

/* ---------------------------------------------------------------- doctor -- */

static void examine(struct ctl_doctor *doctor)
{
    check_files(doctor);
    check_manager(doctor);
    if (!doctor->reached)
        return;
    if (!ctl_is_here(doctor->ctl)) {
        ctl_doctor_say(doctor, CTL_NOTE, "host", "run portctl doctor on the manager's host",
                       "%s is looked at from afar: its ports and limits are not known",
                       doctor->ctl->host);
        return;
    }
    check_trial(doctor);
    ctl_doctor_learn_ports(doctor);
    ctl_doctor_range(doctor);
    ctl_doctor_strangers(doctor);
    ctl_doctor_descriptors(doctor);
}

static void print_text(const char *text)
{
    pa_show(stdout, text, strlen(text));
    putchar('\n');
}

static void print_findings(const struct report *report)
{
    for (size_t row = 0; row < report_count(report); ++row) {
        const char *advice = report_value(report, row, "advice");
        printf("%-5s  %s: ", report_value(report, row, "state"),
               report_value(report, row, "check"));
        print_text(report_value(report, row, "finding"));
        if (strcmp(advice, "-") != 0) {
            fputs("       -> ", stdout);
            print_text(advice);
        }
    }
}

int ctl_doctor(struct ctl *ctl, char **words)
{
    const struct tool_option table[] = {{"json", .flag = &ctl->json}, {.name = NULL}};
    struct ctl_operands operands;
    static struct ctl_doctor doctor; /* too large for the stack */
    doctor.ctl = ctl;
    int code = ctl_take_words(table, words, 0, &operands);
    if (code != EXIT_DONE)
        return code;
    if (operands.behind && *operands.behind)
        return tool_fail_usage("too many arguments", *operands.behind);
    examine(&doctor);
    pa_listing_deinit(&doctor.listing);
    if (ctl->json) {
        code = report_print_json(&doctor.report);
    } else {
        if (doctor.report.failed)
            code = tool_fail_memory();
        else
            print_findings(&doctor.report);
        report_deinit(&doctor.report);
    }
    return code == EXIT_DONE && doctor.faulty ? EXIT_REFUSED : code;
}
