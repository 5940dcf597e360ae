/*
 * Fuzz target: patterns match what they match in Tcl.
 *
 * Input: a pattern, a NUL, a text. Of what Tcl would take too long for, or sees
 * in another way, nothing is compared: more than three stars, a range that ends
 * with a bracket, characters that are not UTF-8 or beyond 16 bits. A pattern
 * made ready matches the same in any case.
 */

#include "fuzz.h"

#include "pa_match.h"
#include "pa_text.h"
#include "pattern.h"

#include <tcl.h>

#include <stdbool.h>

static bool is_comparable(const char *string)
{
    int stars = 0;
    for (const char *c = string; *c; ++c) {
        stars += *c == '*';
        if ((unsigned char)*c >= 0xF0u)
            return false;
    }
    return stars <= 3 && !strstr(string, "-]") && strlen(string) <= 64 &&
           pa_text_is_utf8(string);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *both = malloc(size + 2);
    REQUIRE(both);
    if (size > 0)
        memcpy(both, data, size);
    both[size] = both[size + 1] = '\0';
    char *pattern = fuzz_copy(both, strlen(both) + 1);
    const char *rest = both + strlen(both) + 1;
    char *text = fuzz_copy(rest, strlen(rest) + 1);
    bool matches = pa_match(pattern, text);
    struct pattern ready;
    REQUIRE(pattern_init(&ready, pattern) == 0);
    REQUIRE(pattern_matches(&ready, text) == matches);
    pattern_deinit(&ready);
    if (is_comparable(pattern) && is_comparable(text))
        REQUIRE(matches == (Tcl_StringMatch(text, pattern) != 0));
    free(text);
    free(pattern);
    free(both);
    return 0;
}
