/* What the command-line tools have in common. */

#include "tool.h"

#include "pa_show.h"
#include "pa_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *name;
    void (*print_usage)(FILE *out);
} tool;

void tool_is(const char *name, void (*print_usage)(FILE *out))
{
    tool.name = name;
    tool.print_usage = print_usage;
}

/* ----------------------------------------------------------- complaints -- */

void tool_complain(const char *subject, const char *text)
{
    fprintf(stderr, "%s: ", tool.name);
    if (subject) {
        pa_show(stderr, subject, strlen(subject));
        fputs(": ", stderr);
    }
    pa_show(stderr, text, strlen(text));
    fputc('\n', stderr);
}

int tool_fail_usage(const char *complaint, const char *word)
{
    fprintf(stderr, "%s: %s", tool.name, complaint);
    if (word) {
        fputs(": \"", stderr);
        pa_show(stderr, word, strlen(word));
        fputc('"', stderr);
    }
    fputc('\n', stderr);
    tool.print_usage(stderr);
    return EXIT_USAGE;
}

int tool_fail_memory(void)
{
    tool_complain(NULL, "out of memory");
    return EXIT_SYSTEM;
}

int tool_fail_call(const char *place, const struct pa_failure *why)
{
    /* Only that text does not name the place by itself. */
    tool_complain(why->error == PA_E_CONNECT ? place : NULL, why->text);
    return strcmp(pa_error_token(why->error), "REFUSED") == 0 ? EXIT_REFUSED : EXIT_SYSTEM;
}

/* ---------------------------------------------------------------- words -- */

bool tool_is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

bool tool_take_number(const char *word, int min, int max, int *number)
{
    char *end;
    if (*word < '0' || *word > '9')
        return false;
    errno = 0;
    long value = strtol(word, &end, 10);
    if (*end || errno || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

static int fail_number(const struct tool_option *option, const char *value)
{
    char complaint[80];
    snprintf(complaint, sizeof complaint, "-%s takes a number from %d to %d", option->name,
             option->min, option->max);
    return tool_fail_usage(complaint, value);
}

static int take_value(const struct tool_option *option, const char *word, const char *value)
{
    if (!value)
        return tool_fail_usage("a value must follow the option", word);
    if (option->number)
        return tool_take_number(value, option->min, option->max, option->number)
                   ? EXIT_DONE
                   : fail_number(option, value);
    if (!*value)
        return tool_fail_usage("the value must not be empty", word);
    if (option->text && !pa_text_is_utf8(value))
        return tool_fail_usage("the value is not UTF-8", value);
    *(option->text ? option->text : option->path) = value;
    return EXIT_DONE;
}

int tool_take_option(const struct tool_option *table, char ***words)
{
    const char *word = *(*words)++;
    const char *name = word + (word[1] == '-' ? 2 : 1);
    for (const struct tool_option *option = table; option->name; ++option) {
        if (strcmp(name, option->name) != 0)
            continue;
        if (option->flag) {
            *option->flag = true;
            return EXIT_DONE;
        }
        int r = take_value(option, word, **words);
        if (r == EXIT_DONE)
            ++*words;
        return r;
    }
    return tool_fail_usage("unknown option", word);
}

/* --------------------------------------------------------------- output -- */

int tool_close_output(int code)
{
    const char *why = pa_show_close(stdout);
    if (!why)
        return code;
    tool_complain("cannot write to standard output", why);
    return EXIT_SYSTEM;
}
