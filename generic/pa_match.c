/* Patterns as Tcl's `string match` has them. */

#include "pa_match.h"

#include "pa_text.h"

#include <stdint.h>
#include <string.h>

/* Takes a character at *at, which is not at the end of its string. */
static uint32_t take(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    size_t length = pa_text_sequence(*at, strnlen(*at, 4));
    if (length < 2) {
        ++*at;
        return bytes[0];
    }
    uint32_t character = bytes[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i)
        character = character << 6 | (bytes[i] & 0x3Fu);
    *at += length;
    return character;
}

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
        uint32_t low = take(pattern);
        uint32_t high = low;
        if (**pattern == '-') {
            ++*pattern;
            if (!**pattern)
                return found;
            high = take(pattern);
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
    uint32_t character = take(text);
    uint32_t element = take(pattern);
    if (element == '?')
        return true;
    if (element == '[')
        return take_set(pattern, character);
    if (element == '\\') {
        if (!**pattern)
            return false;
        element = take(pattern);
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
            take(&retry);
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
