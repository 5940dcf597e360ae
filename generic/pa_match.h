#ifndef PA_MATCH_H
#define PA_MATCH_H

/*
 * Patterns as Tcl's `string match` has them.
 */

#include <stdbool.h>

/*
 * Whether the pattern matches all of `text`: `*` stands for any characters, `?`
 * for one, `[a-z]` for one of a set, and a backslash takes from the character
 * behind it what it means. Both are UTF-8, a character is a code point.
 *
 * Written anew because Tcl_StringMatch() tries all ways to divide the text
 * among the stars: six of them and a name of 200 bytes keep it busy for more than
 * 20 seconds. Here the time is at most the product of both lengths, since only the
 * last star has to give way: what the stars before it took, they may keep. That
 * needs a set to end at the same place whatever it is compared with, so a `]`
 * that ends a range never ends the set; in Tcl it does if the character was
 * found before the range.
 */
bool pa_match(const char *pattern, const char *text);

/* Whether the pattern can match anything but the text that it is itself. */
bool pa_match_has_wildcard(const char *pattern);

#endif
