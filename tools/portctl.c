/*
 * portctl: the port manager for shells and other languages.
 *
 *     portctl ?-host H? ?-port N? ?-timeout MS? SUB-COMMAND ?ARG...?
 */

#include "ctl.h"
#include "ctl_command.h"

#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

static int call_command(struct ctl *ctl, char **words)
{
    if (!*words)
        return tool_fail_usage("no sub-command", NULL);
    ctl_function *function = ctl_command_find(*words);
    if (!function)
        return tool_fail_usage("unknown sub-command", *words);
    ctl->call = pa_call_new(ctl->host, ctl->port);
    if (!ctl->call)
        return tool_fail_memory();
    int code = function(ctl, words + 1);
    ctl->call = pa_call_free(ctl->call);
    return code;
}

int main(int argc, char **argv)
{
    static char *none[] = {NULL};
    struct ctl ctl = {.host = "localhost", .timeout_ms = PA_CALL_DEFAULT_TIMEOUT_MS};
    bool help = false;
    bool version = false;
    const struct tool_option table[] = {
        {"host", .text = &ctl.host},
        {"port", .number = &ctl.port, .min = 1, .max = UINT16_MAX},
        {"timeout", .number = &ctl.timeout_ms, .min = 1, .max = INT_MAX},
        {"help", .flag = &help},
        {"version", .flag = &version},
        {.name = NULL},
    };
    /* Names are UTF-8 whatever the user's locale is. */
    setlocale(LC_CTYPE, "C.UTF-8");
    tool_is("portctl", ctl_print_usage);
    int code = EXIT_DONE;
    char **words = argc > 0 ? argv + 1 : none;
    while (code == EXIT_DONE && *words && tool_is_option(*words))
        code = tool_take_option(table, &words);
    if (code != EXIT_DONE)
        return code;
    if (help)
        ctl_print_help(stdout);
    else if (version)
        printf("portctl %s\n", PACKAGE_VERSION);
    else
        code = call_command(&ctl, words);
    return tool_close_output(code);
}
