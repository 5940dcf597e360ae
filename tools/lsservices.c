/*
 * lsservices: lists the ports that a port manager has given out.
 *
 *     lsservices ?-json? ?-port N? ?-timeout MS? ?host? ?userpattern?
 */

#include "pa_call.h"
#include "pa_show.h"

#include <json-c/json.h>

#include <errno.h>
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

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* by the manager */
    EXIT_USAGE = 100,
    EXIT_SYSTEM = 111, /* no connection, no answer, no memory, no room for the output */
};

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

/* A row of the option table: sets a flag, or a number from 1 to `max`. */
struct option {
    const char *name;
    bool *flag;
    int *number;
    int max;
};

static int fail_usage(const char *complaint, const char *word)
{
    fprintf(stderr, "lsservices: %s: \"%s\"\n%s", complaint, word, usage_text);
    return EXIT_USAGE;
}

static bool parse_number(const char *word, int max, int *number)
{
    char *end;
    errno = 0;
    if (*word < '0' || *word > '9')
        return false;
    long value = strtol(word, &end, 10);
    if (*end || errno || value < 1 || value > max)
        return false;
    *number = (int)value;
    return true;
}

/* Takes the option at *words and its value; advances *words behind them. */
static int parse_option(struct arguments *arguments, char ***words)
{
    const struct option table[] = {
        {"json", .flag = &arguments->json},
        {"help", .flag = &arguments->help},
        {"version", .flag = &arguments->version},
        {"port", .number = &arguments->port, .max = UINT16_MAX},
        {"timeout", .number = &arguments->timeout_ms, .max = INT_MAX},
    };
    const char *word = *(*words)++;
    const char *name = word + (word[1] == '-' ? 2 : 1);
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        const struct option *option = &table[i];
        if (strcmp(name, option->name) != 0)
            continue;
        if (option->flag) {
            *option->flag = true;
            return EXIT_DONE;
        }
        const char *value = **words;
        if (!value)
            return fail_usage("a number must follow the option", word);
        if (!parse_number(value, option->max, option->number)) {
            char complaint[80];
            snprintf(complaint, sizeof complaint, "-%s takes a number from 1 to %d", name,
                     option->max);
            return fail_usage(complaint, value);
        }
        ++*words;
        return EXIT_DONE;
    }
    return fail_usage("unknown option", word);
}

static int parse_arguments(struct arguments *arguments, char **words)
{
    const char **operands[] = {&arguments->host, &arguments->user_pattern};
    size_t count = 0;
    bool options_end = false;
    while (*words) {
        if (!options_end && strcmp(*words, "--") == 0) {
            options_end = true;
            ++words;
        } else if (!options_end && (*words)[0] == '-' && (*words)[1]) {
            int r = parse_option(arguments, &words);
            if (r != EXIT_DONE)
                return r;
        } else if (count < sizeof operands / sizeof *operands) {
            *operands[count++] = *words++;
        } else {
            return fail_usage("too many arguments", *words);
        }
    }
    return EXIT_DONE;
}

/* --------------------------------------------------------------- output -- */

static int fail_memory(void)
{
    fputs("lsservices: out of memory\n", stderr);
    return EXIT_SYSTEM;
}

/* Keeps the entries whose user matches the pattern. */
static int select_users(struct pa_listing *listing, const char *pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        char *user = strndup(entry->user, entry->user_size);
        if (!user)
            return fail_memory();
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

static bool add_member(struct json_object *object, const char *key, struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

/* NULL: no memory. */
static struct json_object *entry_to_json(const struct pa_listing_entry *entry)
{
    struct json_object *object = json_object_new_object();
    if (object && add_member(object, "port", json_object_new_int(entry->port)) &&
        add_member(object, "name",
                   json_object_new_string_len(entry->name, (int)entry->name_size)) &&
        add_member(object, "user",
                   json_object_new_string_len(entry->user, (int)entry->user_size)))
        return object;
    json_object_put(object);
    return NULL;
}

static struct json_object *listing_to_json(const struct pa_listing *listing)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; array && i < listing->count; ++i) {
        struct json_object *object = entry_to_json(&listing->entries[i]);
        if (!object || json_object_array_add(array, object) != 0) {
            json_object_put(object);
            json_object_put(array);
            return NULL;
        }
    }
    return array;
}

static int print_json(const struct pa_listing *listing)
{
    struct json_object *array = listing_to_json(listing);
    const char *text = array
                           ? json_object_to_json_string_ext(
                                 array, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                           : NULL;
    if (text)
        printf("%s\n", text);
    json_object_put(array);
    return text ? EXIT_DONE : fail_memory();
}

/* Whether all output has got through; `code` if so. */
static int close_output(int code)
{
    const char *why = pa_show_close(stdout);
    if (!why)
        return code;
    fprintf(stderr, "lsservices: cannot write to standard output: %s\n", why);
    return EXIT_SYSTEM;
}

/* ----------------------------------------------------------------- main -- */

static int fail_call(const struct arguments *arguments, const struct pa_failure *why)
{
    if (why->error == PA_E_CONNECT) /* does not name the host by itself */
        fprintf(stderr, "lsservices: %s: %s\n", arguments->host, why->text);
    else
        fprintf(stderr, "lsservices: %s\n", why->text);
    return why->error == PA_E_REFUSED ? EXIT_REFUSED : EXIT_SYSTEM;
}

static int list_services(const struct arguments *arguments)
{
    struct pa_listing listing = PA_LISTING_NULL;
    struct pa_failure why;
    struct pa_call *call = pa_call_new(arguments->host, arguments->port);
    if (!call)
        return fail_memory();
    int r = pa_call_list(call, arguments->timeout_ms, &listing, &why);
    pa_call_free(call);
    if (r != 0)
        return fail_call(arguments, &why);
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
    int code = argc > 0 ? parse_arguments(&arguments, argv + 1) : EXIT_DONE;
    if (code != EXIT_DONE)
        return code;
    if (arguments.help)
        printf("%s\n%s", usage_text, help_text);
    else if (arguments.version)
        printf("lsservices %s\n", PACKAGE_VERSION);
    else
        code = list_services(&arguments);
    return close_output(code);
}
