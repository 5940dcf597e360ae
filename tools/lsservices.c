/*
 * lsservices: lists the ports that a port manager has given out.
 *
 *     lsservices ?-json? ?-port N? ?-timeout MS? ?host? ?userpattern?
 */

#include "pa_call.h"
#include "pa_show.h"
#include "report.h"
#include "tool.h"

#include <fnmatch.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

static const char usage_text[] =
    "usage: lsservices ?-json? ?-port N? ?-timeout MS? ?host? ?userpattern?\n";

static const char help_text[] =
    "Lists the ports that the port manager on host (localhost) has given out, of the\n"
    "users whose names match userpattern (*, a glob pattern).\n"
    "\n"
    "  -json        print a JSON array of objects with port, name and user\n"
    "  -port N      the port manager's port (the one in its port file, else 30000)\n"
    "  -timeout MS  how many milliseconds to wait at most (5000)\n"
    "  -help        print this text\n"
    "  -version     print the version\n"
    "  --           no option follows\n"
    "\n"
    "An option begins with one dash or two. Exit code: 0 done, 1 the port manager\n"
    "refused, 100 wrong usage, 111 no answer, or no room for the output.\n";

/* ------------------------------------------------------------ arguments -- */

struct arguments {
    bool json;
    bool help;
    bool version;
    int port; /* 0: what the port file says */
    int timeout_ms;
    const char *host;
    const char *user_pattern;
};

#define ARGUMENTS_INIT                                                                         \
    {                                                                                          \
        .timeout_ms = PA_CALL_DEFAULT_TIMEOUT_MS, .host = "localhost", .user_pattern = "*"     \
    }

static void print_usage(FILE *out)
{
    fputs(usage_text, out);
}

static int parse_arguments(struct arguments *arguments, char **words)
{
    const struct tool_option table[] = {
        {"json", .flag = &arguments->json},
        {"help", .flag = &arguments->help},
        {"version", .flag = &arguments->version},
        {"port", .number = &arguments->port, .min = 1, .max = UINT16_MAX},
        {"timeout", .number = &arguments->timeout_ms, .min = 1, .max = INT_MAX},
        {.name = NULL},
    };
    const char **operands[] = {&arguments->host, &arguments->user_pattern};
    size_t count = 0;
    bool options_end = false;
    while (*words) {
        if (!options_end && strcmp(*words, "--") == 0) {
            options_end = true;
            ++words;
        } else if (!options_end && tool_is_option(*words)) {
            int r = tool_take_option(table, &words);
            if (r != EXIT_DONE)
                return r;
        } else if (count < sizeof operands / sizeof *operands) {
            *operands[count++] = *words++;
        } else {
            return tool_fail_usage("too many arguments", *words);
        }
    }
    return EXIT_DONE;
}

/* --------------------------------------------------------------- output -- */

/* Keeps the entries whose user matches the pattern. */
static int select_users(struct pa_listing *listing, const char *pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        char *user = strndup(entry->user, entry->user_size);
        if (!user)
            return tool_fail_memory();
        if (fnmatch(pattern, user, 0) == 0)
            listing->entries[kept++] = *entry;
        free(user);
    }
    listing->count = kept;
    return EXIT_DONE;
}

static void print_repeated(char c, int count)
{
    while (count-- > 0)
        putchar(c);
}

static const char port_heading[] = "Port";
static const char name_heading[] = "Application";
static const char user_heading[] = "User";

static void print_rows(const struct pa_listing *listing, int name_width)
{
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        printf("%-5u  ", (unsigned)entry->port);
        int width = pa_show(stdout, entry->name, entry->name_size);
        print_repeated(' ', name_width - width + 2);
        pa_show(stdout, entry->user, entry->user_size);
        putchar('\n');
    }
}

static int print_table(const struct pa_listing *listing)
{
    int name_width = (int)strlen(name_heading);
    int user_width = (int)strlen(user_heading);
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        int name = pa_show(NULL, entry->name, entry->name_size);
        int user = pa_show(NULL, entry->user, entry->user_size);
        name_width = name > name_width ? name : name_width;
        user_width = user > user_width ? user : user_width;
    }
    printf("%-5s  %-*s  %s\n", port_heading, name_width, name_heading, user_heading);
    print_repeated('-', 5);
    print_repeated(' ', 2);
    print_repeated('-', name_width);
    print_repeated(' ', 2);
    print_repeated('-', user_width);
    putchar('\n');
    print_rows(listing, name_width);
    return EXIT_DONE;
}

static int print_json(const struct pa_listing *listing)
{
    struct report report = REPORT_NULL;
    report_listing(&report, listing, false);
    return report_print_json(&report);
}

/* ----------------------------------------------------------------- main -- */

static int list_services(const struct arguments *arguments)
{
    struct pa_listing listing = PA_LISTING_NULL;
    struct pa_failure why;
    struct pa_call *call = pa_call_new(arguments->host, arguments->port);
    if (!call)
        return tool_fail_memory();
    char place[300]; /* a host's name has 253 bytes at most */
    pa_call_place(call, place, sizeof place);
    int r = pa_call_list(call, arguments->timeout_ms, &listing, &why);
    pa_call_free(call);
    if (r != 0)
        return tool_fail_call(place, &why);
    int code = select_users(&listing, arguments->user_pattern);
    if (code == EXIT_DONE)
        code = arguments->json ? print_json(&listing) : print_table(&listing);
    pa_listing_deinit(&listing);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = ARGUMENTS_INIT;
    /* Names are UTF-8 whatever the user's locale is. */
    setlocale(LC_CTYPE, "C.UTF-8");
    tool_is("lsservices", print_usage);
    int code = argc > 0 ? parse_arguments(&arguments, argv + 1) : EXIT_DONE;
    if (code != EXIT_DONE)
        return code;
    if (arguments.help)
        printf("%s\n%s", usage_text, help_text);
    else if (arguments.version)
        printf("lsservices %s\n", PACKAGE_VERSION);
    else
        code = list_services(&arguments);
    return tool_close_output(code);
}
