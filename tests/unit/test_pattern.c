/* test_pattern.c - a pattern made ready matches what pa_match() matches, however long its sets
 * are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_match.h"
#include "pattern.h"

static bool matches(const char *text, const char *string)
{
    struct pattern pattern;
    assert_int_equal(pattern_init(&pattern, text), 0);
    bool does = pattern_matches(&pattern, string);
    pattern_deinit(&pattern);
    return does;
}

/* A number as a word of up to seven of the characters. */
static const char *make_word(unsigned i, const char *characters, char word[8])
{
    size_t size = 0;
    for (unsigned base = (unsigned)strlen(characters); i > 0; i = (i - 1) / base)
        word[size++] = characters[(i - 1) % base];
    word[size] = '\0';
    return word;
}

static void assert_same(unsigned patterns, const char *of_patterns, unsigned texts,
                        const char *of_texts)
{
    for (unsigned i = 0; i < patterns; ++i) {
        struct pattern pattern;
        char one[8], other[8];
        make_word(i, of_patterns, one);
        assert_int_equal(pattern_init(&pattern, one), 0);
        for (unsigned j = 0; j < texts; ++j) {
            make_word(j, of_texts, other);
            if (pattern_matches(&pattern, other) != pa_match(one, other))
                fail_msg("\"%s\" and \"%s\"", one, other);
        }
        pattern_deinit(&pattern);
    }
}

static void short_patterns_match_as_they_do_for_pa_match(void **state)
{
    (void)state;
    assert_same(1 + 9 + 81 + 729 + 6561, "*?[]-\\acb", 1 + 4 + 16 + 64, "ab-]");
}

/* Among them characters of two bytes, and bytes that are none. */
static void bytes_beyond_ascii_match_as_they_do_for_pa_match(void **state)
{
    (void)state;
    assert_same(1 + 7 + 49 + 343 + 2401, "*[]-\xc3\xa9\xaa", 1 + 4 + 16 + 64 + 256,
                "a\xc3\xa9\xaa");
}

static void ranges_in_any_order_are_a_set(void **state)
{
    (void)state;
    const char *set =
        "[\xc3\xb8-\xc3\xbf\xe2\x82\xac\xc3\xa0-\xc3\xb0x\xc3\xa5-\xc3\xb2~-\xc2\x81]";
    assert_true(matches(set, "x"));
    assert_true(matches(set, "~"));
    assert_true(matches(set, "\x7f"));
    assert_true(matches(set, "\xc2\x80"));
    assert_false(matches(set, "\xc2\x82"));
    assert_false(matches(set, "\xc3\x9f"));
    assert_true(matches(set, "\xc3\xa0"));
    assert_true(matches(set, "\xc3\xb2"));
    assert_false(matches(set, "\xc3\xb5"));
    assert_true(matches(set, "\xc3\xbc"));
    assert_true(matches(set, "\xe2\x82\xac"));
    assert_false(matches(set, "\xe2\x82\xad"));
    assert_false(matches(set, "y"));
}

/* With the set looked through for each character this would take an hour. */
static void a_long_set_costs_no_time(void **state)
{
    (void)state;
    enum { LONG = 1000000, TEXT = 2000, TIMES = 1000 };
    char *text = malloc(LONG + 4);
    char *string = calloc(1, TEXT + 1);
    struct pattern pattern;
    assert_non_null(text);
    assert_non_null(string);
    memset(text, 'b', LONG + 3);
    memcpy(text, "*[", 2);
    memcpy(text + LONG + 2, "]", 2);
    memset(string, 'a', TEXT);
    assert_int_equal(pattern_init(&pattern, text), 0);
    for (int i = 0; i < TIMES; ++i)
        assert_false(pattern_matches(&pattern, string));
    string[TEXT - 1] = 'b';
    assert_true(pattern_matches(&pattern, string));
    pattern_deinit(&pattern);
    free(string);
    free(text);
}

static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pattern pattern;
        alloc_fail_after(k);
        int r = pattern_init(&pattern, "a*[bc]");
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0)
            pattern_deinit(&pattern);
    }
    assert_true(k > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_patterns_match_as_they_do_for_pa_match),
        cmocka_unit_test(bytes_beyond_ascii_match_as_they_do_for_pa_match),
        cmocka_unit_test(ranges_in_any_order_are_a_set),
        cmocka_unit_test(a_long_set_costs_no_time),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
