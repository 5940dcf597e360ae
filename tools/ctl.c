/* What the sub-commands of portctl have in common. */

#include "ctl.h"

#include <string.h>

int ctl_fail_call(const struct ctl *ctl, const struct pa_failure *why)
{
    char place[CTL_PLACE_BYTES];
    pa_call_place(ctl->call, place, sizeof place);
    return tool_fail_call(place, why);
}

bool ctl_is_here(const struct ctl *ctl)
{
    return strcmp(ctl->host, "localhost") == 0 || strcmp(ctl->host, "::1") == 0 ||
           strncmp(ctl->host, "127.", 4) == 0;
}

/* ---------------------------------------------------------------- words -- */

int ctl_take_words(const struct tool_option *table, char **words, size_t max,
                   struct ctl_operands *operands)
{
    size_t count = 0;
    *operands = (struct ctl_operands){NULL, NULL};
    while (*words) {
        if (strcmp(*words, "--") == 0) {
            operands->behind = words + 1;
            return EXIT_DONE;
        }
        if (tool_is_option(*words)) {
            int r = tool_take_option(table, &words);
            if (r != EXIT_DONE)
                return r;
        } else if (count++ < max) {
            operands->first = *words++;
        } else {
            return tool_fail_usage("too many arguments", *words);
        }
    }
    return EXIT_DONE;
}

int ctl_take_options(const struct tool_option *table, char **words)
{
    struct ctl_operands operands;
    int r = ctl_take_words(table, words, 0, &operands);
    if (r == EXIT_DONE && operands.behind && *operands.behind)
        return tool_fail_usage("too many arguments", *operands.behind);
    return r;
}
