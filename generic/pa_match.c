/* Patterns as Tcl's `string match` has them. */

#include "pa_match.h"

#include "pa_text.h"

#include <stdint.h>
#include <string.h>

/*
 * Whether a set has the character; *pattern is behind its `[` and comes out
 * behind its `]`, or at the end of a pattern that has none. As in Tcl a `]` ends
 * a set wherever it stands, but for the end of a range, a backslash is a
 * character as any other, and a range may begin with its higher end.
 */
static bool take_set(const char **pattern, uint32_t character)
{
    bool found = false;
    while (**pattern && **pattern != ']') {
        uint32_t low = pa_text_take(pattern);
        uint32_t high = low;
        if (**pattern == '-') {
            ++*pattern;
            if (!**pattern)
                return found;
            high = pa_text_take(pattern);
        }
        found = found || (low <= character && character <= high) ||
                (high <= character && character <= low);
    }
    if (**pattern)
        ++*pattern;
    return found;
}

/* Whether the element at *pattern, which is no star, matches the character at *text. */
static bool take_one(const char **pattern, const char **text)
{
    uint32_t character = pa_text_take(text);
    uint32_t element = pa_text_take(pattern);
    if (element == '?')
        return true;
    if (element == '[')
        return take_set(pattern, character);
    if (element == '\\') {
        if (!**pattern)
            return false;
        element = pa_text_take(pattern);
    }
    return element == character;
}

bool pa_match(const char *pattern, const char *text)
{
    const char *behind_star = NULL; /* the pattern behind the last star */
    const char *retry = NULL;       /* where the text goes on if that star takes one more */
    while (*text) {
        if (*pattern == '*') {
            behind_star = ++pattern;
            retry = text;
        } else if (!*pattern || !take_one(&pattern, &text)) {
            if (!behind_star)
                return false;
            pa_text_take(&retry);
            pattern = behind_star;
            text = retry;
        }
    }
    return !pattern[strspn(pattern, "*")];
}

bool pa_match_has_wildcard(const char *pattern)
{
    return strpbrk(pattern, "*?[\\") != NULL;
}
