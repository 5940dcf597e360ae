/*
 * portctl why: who has a port, and what is in the way.
 *
 * Two witnesses are heard, the manager and the kernel. What the manager has given
 * out, and to whom, is a row; so is each socket on the port, with the part that it
 * plays: the service of the user who has the port, the manager that holds it, or a
 * stranger.
 */

#include "ctl_command.h"
#include "report.h"
#include "ctl_sockets.h"
#include "pa_socket.h"

#include <stdio.h>
#include <string.h>

static const struct report_column columns[] = {
    {"Role", "role"},       {"What", "what"},   {"State", "state"},
    {"Name", "name"},       {"User", "user"},   {"Pid", "pid"},
    {"Program", "program"}, {"Since", "since"}, {NULL, NULL}};

struct why {
    uint16_t port;
    bool allocated;
    char user[CTL_SOCKETS_USER_BYTES]; /* whose it is */
    pid_t manager;                     /* 0: not known */
    struct report report;
};

/* What all rows have; the caller adds the rest. */
static void add_row(struct why *why, const char *role, const char *what, const char *state)
{
    report_row(&why->report);
    report_number(&why->report, "port", why->port);
    report_string(&why->report, "role", role);
    report_string(&why->report, "what", what);
    report_string(&why->report, "state", state);
}

/* A process of 0 is one that is not known. */
static void add_process(struct why *why, pid_t pid, const char *program)
{
    char since[CTL_SOCKETS_TIME_BYTES];
    ctl_process_since(pid, since);
    report_number(&why->report, "pid", pid > 0 ? pid : -1);
    report_string(&why->report, "program", pid > 0 ? program : NULL);
    report_string(&why->report, "since", *since ? since : NULL);
}

/* --------------------------------------------------------------- manager -- */

static void add_allocation(struct why *why, const struct pa_listing_entry *entry)
{
    int size = (int)entry->user_size;
    why->allocated = true;
    snprintf(why->user, sizeof why->user, "%.*s", size, entry->user);
    add_row(why, "holder", "allocation", "allocated");
    report_text(&why->report, "name", entry->name, entry->name_size);
    report_text(&why->report, "user", entry->user, entry->user_size);
    report_attributes(&why->report, "attributes", pa_listing_attributes(entry),
                      entry->attributes_size);
    add_process(why, 0, NULL);
}

/* EXIT_DONE, or what ctl_fail_call() gives. */
static int ask_manager(struct ctl *ctl, struct why *why)
{
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_listing listing;
    struct pa_stats stats;
    struct pa_failure failure;
    keys.port = why->port;
    if (pa_call_find(ctl->call, &keys, ctl->timeout_ms, &listing, &failure) != 0)
        return ctl_fail_call(ctl, &failure);
    if (listing.count > 0)
        add_allocation(why, &listing.entries[0]);
    pa_listing_deinit(&listing);
    /* An old manager does not tell its process: its sockets are a stranger's then. */
    if (pa_call_stats(ctl->call, ctl->timeout_ms, &stats, &failure) == 0)
        why->manager = (pid_t)stats.pid;
    return EXIT_DONE;
}

/* --------------------------------------------------------------- sockets -- */

/* A socket that only keeps the port; whose process cannot be seen, but its user. */
static bool is_hold(const struct why *why, const struct ctl_socket *socket)
{
    return socket->pid == 0 && why->allocated &&
           socket->socket.state == PA_SOCKDIAG_STATE_OPEN && socket->socket.tcp &&
           socket->uid == ctl_process_user(why->manager);
}

static const char *role_of(const struct why *why, const struct ctl_socket *socket,
                           const char *user)
{
    if ((why->manager > 0 && socket->pid == why->manager) || is_hold(why, socket))
        return "manager";
    if (why->allocated && strcmp(user, why->user) == 0)
        return "service";
    return "stranger";
}

static void add_socket(struct why *why, const struct ctl_socket *socket)
{
    char user[CTL_SOCKETS_USER_BYTES];
    ctl_user_name(socket->uid, user);
    add_row(why, role_of(why, socket, user), socket->socket.tcp ? "tcp" : "udp",
            ctl_socket_state(&socket->socket));
    report_string(&why->report, "name", NULL);
    report_string(&why->report, "user", user);
    add_process(why, socket->pid, socket->program);
}

/* Something that is not shown: an old kernel's held socket, or what a connection left. */
static void add_hidden(struct why *why)
{
    add_row(why, "stranger", "tcp", "hidden");
    report_string(&why->report, "name", NULL);
    report_string(&why->report, "user", NULL);
    add_process(why, 0, NULL);
}

static int ask_kernel(struct why *why)
{
    struct ctl_sockets sockets;
    int r = ctl_sockets_on(&sockets, why->port);
    if (r < 0) {
        tool_complain("the kernel does not tell its sockets", pa_socket_reason(-r));
        return EXIT_SYSTEM;
    }
    bool tcp = false;
    for (size_t i = 0; i < sockets.count; ++i) {
        tcp |= sockets.sockets[i].socket.tcp;
        add_socket(why, &sockets.sockets[i]);
    }
    ctl_sockets_deinit(&sockets);
    if (!tcp && ctl_sockets_hidden(why->port) == 1)
        add_hidden(why);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------- why -- */

static int take_port(struct ctl *ctl, char **words, uint16_t *port)
{
    const struct tool_option table[] = {{"json", .flag = &ctl->json}, {.name = NULL}};
    struct ctl_operands operands;
    int number;
    int r = ctl_take_words(table, words, 1, &operands);
    if (r != EXIT_DONE)
        return r;
    if (operands.behind && *operands.behind)
        return tool_fail_usage("too many arguments", *operands.behind);
    if (!operands.first)
        return tool_fail_usage("a port must follow", "why");
    if (!tool_take_number(operands.first, 1, UINT16_MAX, &number))
        return tool_fail_usage("a port is a number from 1 to 65535", operands.first);
    *port = (uint16_t)number;
    return EXIT_DONE;
}

/* `failed`: not all witnesses were heard. */
static int print(struct ctl *ctl, struct why *why, bool failed)
{
    bool nobody = report_count(&why->report) == 0;
    int code = EXIT_DONE;
    if (ctl->json)
        code = report_print_json(&why->report);
    else if (nobody && !failed)
        printf(ctl_is_here(ctl) ? "nobody has port %u\n"
                                : "the port manager has not given out port %u\n",
               (unsigned)why->port);
    else if (!nobody)
        code = report_print_table(&why->report, columns);
    return code == EXIT_DONE && nobody ? EXIT_REFUSED : code;
}

int ctl_why(struct ctl *ctl, char **words)
{
    struct why why = {.report = REPORT_NULL};
    int code = take_port(ctl, words, &why.port);
    if (code != EXIT_DONE)
        return code;
    int failed = ask_manager(ctl, &why);
    if (ctl_is_here(ctl)) {
        code = ask_kernel(&why);
        failed = failed == EXIT_DONE ? code : failed;
    }
    code = print(ctl, &why, failed != EXIT_DONE);
    return failed == EXIT_DONE ? code : failed;
}
