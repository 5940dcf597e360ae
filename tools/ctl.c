/* What the sub-commands of portctl have in common. */

#include "ctl.h"

#include "ctl_command.h"
#include "pa_show.h"
#include "pa_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------- complaints -- */

void ctl_complain(const char *subject, const char *text)
{
    fputs("portctl: ", stderr);
    if (subject) {
        pa_show(stderr, subject, strlen(subject));
        fputs(": ", stderr);
    }
    pa_show(stderr, text, strlen(text));
    fputc('\n', stderr);
}

int ctl_fail_usage(const char *complaint, const char *word)
{
    fprintf(stderr, "portctl: %s: \"", complaint);
    pa_show(stderr, word, strlen(word));
    fputs("\"\n", stderr);
    ctl_print_usage(stderr);
    return EXIT_USAGE;
}

int ctl_fail_memory(void)
{
    ctl_complain(NULL, "out of memory");
    return EXIT_SYSTEM;
}

int ctl_fail_call(const struct ctl *ctl, const struct pa_failure *why)
{
    /* Only that text does not name the host by itself. */
    ctl_complain(why->error == PA_E_CONNECT ? ctl->host : NULL, why->text);
    return strcmp(pa_error_token(why->error), "REFUSED") == 0 ? EXIT_REFUSED : EXIT_SYSTEM;
}

bool ctl_is_here(const struct ctl *ctl)
{
    return strcmp(ctl->host, "localhost") == 0 || strcmp(ctl->host, "::1") == 0 ||
           strncmp(ctl->host, "127.", 4) == 0;
}

/* ---------------------------------------------------------------- words -- */

bool ctl_take_number(const char *word, int min, int max, int *number)
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

static int take_value(const struct ctl_option *option, const char *word, const char *value)
{
    if (!value)
        return ctl_fail_usage("a value must follow the option", word);
    if (option->text) {
        if (!*value)
            return ctl_fail_usage("the value must not be empty", word);
        if (!pa_text_is_utf8(value))
            return ctl_fail_usage("the value is not UTF-8", value);
        *option->text = value;
    } else if (!ctl_take_number(value, option->min, option->max, option->number)) {
        char complaint[80];
        snprintf(complaint, sizeof complaint, "-%s takes a number from %d to %d", option->name,
                 option->min, option->max);
        return ctl_fail_usage(complaint, value);
    }
    return EXIT_DONE;
}

int ctl_take_option(const struct ctl_option *table, char ***words)
{
    const char *word = *(*words)++;
    const char *name = word + (word[1] == '-' ? 2 : 1);
    for (const struct ctl_option *option = table; option->name; ++option) {
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
    return ctl_fail_usage("unknown option", word);
}

int ctl_take_words(const struct ctl_option *table, char **words, size_t max,
                   struct ctl_operands *operands)
{
    size_t count = 0;
    *operands = (struct ctl_operands){NULL, NULL};
    while (*words) {
        if (strcmp(*words, "--") == 0) {
            operands->behind = words + 1;
            return EXIT_DONE;
        }
        if ((*words)[0] == '-' && (*words)[1]) {
            int r = ctl_take_option(table, &words);
            if (r != EXIT_DONE)
                return r;
        } else if (count++ < max) {
            operands->first = *words++;
        } else {
            return ctl_fail_usage("too many arguments", *words);
        }
    }
    return EXIT_DONE;
}

int ctl_take_options(const struct ctl_option *table, char **words)
{
    struct ctl_operands operands;
    int r = ctl_take_words(table, words, 0, &operands);
    if (r == EXIT_DONE && operands.behind && *operands.behind)
        return ctl_fail_usage("too many arguments", *operands.behind);
    return r;
}
