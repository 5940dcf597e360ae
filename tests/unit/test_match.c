/* test_match.c - patterns mean what they mean in Tcl, and cost no more than their length. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "pa_match.h"
#include "pa_tcl_compat.h"

static void assert_match(const char *pattern, const char *text, bool expected)
{
    if (pa_match(pattern, text) != expected)
        fail_msg("\"%s\" and \"%s\": not %d", pattern, text, expected);
    if ((Tcl_StringMatch(text, pattern) != 0) != expected)
        fail_msg("\"%s\" and \"%s\": Tcl does not say %d", pattern, text, expected);
}

static void a_word_matches_itself_alone(void **state)
{
    (void)state;
    assert_match("app", "app", true);
    assert_match("app", "ap", false);
    assert_match("app", "apps", false);
    assert_match("app", "App", false);
    assert_match("", "", true);
    assert_match("", "a", false);
}

static void a_star_stands_for_any_characters(void **state)
{
    (void)state;
    assert_match("*", "", true);
    assert_match("*", "anything", true);
    assert_match("a*", "a", true);
    assert_match("*a", "banana", true);
    assert_match("*nab", "banana", false);
    assert_match("b*n*a", "banana", true);
    assert_match("b**a", "banana", true);
    assert_match("*an*an*an*", "banana", false);
    assert_match("a*", "", false);
    assert_match("*ab", "aab", true);
}

static void a_question_mark_stands_for_one_character(void **state)
{
    (void)state;
    assert_match("a?c", "abc", true);
    assert_match("a?c", "ac", false);
    assert_match("?", "", false);
    assert_match("?", "\xc3\xa9", true);
    assert_match("?", "\xe2\x82\xac", true);
    assert_match("??", "\xc3\xa9", false);
}

static void a_set_stands_for_one_of_its_characters(void **state)
{
    (void)state;
    assert_match("[abc]", "b", true);
    assert_match("[abc]", "d", false);
    assert_match("[abc]", "", false);
    assert_match("x[0-9]y", "x5y", true);
    assert_match("[9-0]", "5", true);
    assert_match("[a-]b]", "]", true);
    assert_match("[a-]b]", "_b]", false);
    assert_match("[^a]", "b", false);
    assert_match("[^a]", "^", true);
    assert_match("[]", "]", false);
    assert_match("[a", "a", true);
    assert_match("[a", "ab", false);
    assert_match("[a-", "a", false);
    assert_match("[a-", "-", false);
    assert_match("[\\]", "\\", true);
    assert_match("*[bc]", "abd", false);
    assert_match("*[bc]d", "abdcd", true);
    assert_match("[\xc3\xa0-\xc3\xb0]", "\xc3\xa9", true);
    assert_match("[\xc3\xa0-\xc3\xb0]", "\xc3\xbf", false);
}

static void a_backslash_takes_the_meaning_from_the_next_character(void **state)
{
    (void)state;
    assert_match("a\\*", "a*", true);
    assert_match("a\\*", "ab", false);
    assert_match("\\?", "?", true);
    assert_match("\\[a]", "[a]", true);
    assert_match("\\\\", "\\", true);
    assert_match("\\a", "a", true);
    assert_match("a\\", "a", false);
    assert_match("a\\", "a\\", false);
}

static void a_character_beyond_16_bits_is_one(void **state)
{
    (void)state;
    assert_true(pa_match("?", "\xf0\x9f\x98\x80"));
    assert_true(pa_match("[\xf0\x9f\x98\x80-\xf0\x9f\x98\x8f]", "\xf0\x9f\x98\x84"));
    assert_false(pa_match("[\xf0\x9f\x98\x80-\xf0\x9f\x98\x8f]", "\xf0\x9f\x98\x94"));
}

/* Tcl ends this set at the first bracket for x, and at the second for a. */
static void a_bracket_at_the_end_of_a_range_does_not_end_a_set(void **state)
{
    (void)state;
    assert_true(pa_match("[xa-]y]", "x"));
    assert_true(pa_match("[xa-]y]", "a"));
    assert_true(pa_match("[xa-]y]", "y"));
    assert_false(pa_match("[xa-]y]", "xy]"));
    assert_true(pa_match("*[a -]*e\\", " a-n]"));
}

/* Every pattern and text of up to five characters out of those that matter. */
static const char *make_word(unsigned i, const char *characters, char word[8])
{
    size_t size = 0;
    for (unsigned base = (unsigned)strlen(characters); i > 0; i = (i - 1) / base)
        word[size++] = characters[(i - 1) % base];
    word[size] = '\0';
    return word;
}

static void short_patterns_match_as_in_tcl(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1 + 9 + 81 + 729 + 6561; ++i) {
        for (unsigned j = 0; j < 1 + 4 + 16 + 64; ++j) {
            char pattern[8], text[8];
            make_word(i, "*?[]-\\acb", pattern);
            make_word(j, "ab-]", text);
            if (!strstr(pattern, "-]"))
                assert_match(pattern, text, Tcl_StringMatch(text, pattern) != 0);
        }
    }
}

/* With all ways tried to divide the text among the stars this would take years. */
static void many_stars_cost_no_time(void **state)
{
    (void)state;
    char pattern[2001], text[2001];
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[2000] = '\0';
    memset(text, 'a', 2000);
    text[2000] = '\0';
    assert_true(pa_match(pattern, text));
    text[1999] = 'b';
    assert_false(pa_match(pattern, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_matches_itself_alone),
        cmocka_unit_test(a_star_stands_for_any_characters),
        cmocka_unit_test(a_question_mark_stands_for_one_character),
        cmocka_unit_test(a_set_stands_for_one_of_its_characters),
        cmocka_unit_test(a_backslash_takes_the_meaning_from_the_next_character),
        cmocka_unit_test(a_character_beyond_16_bits_is_one),
        cmocka_unit_test(a_bracket_at_the_end_of_a_range_does_not_end_a_set),
        cmocka_unit_test(short_patterns_match_as_in_tcl),
        cmocka_unit_test(many_stars_cost_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
