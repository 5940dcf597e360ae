/* test_show.c - text of others on a terminal: what is shown, what is escaped, how wide it is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pa_show.h"

struct shown {
    const char *text;
    size_t size;
    const char *shown;
    int width;
};

#define BYTES(literal) literal, sizeof(literal) - 1

static int back_to_c(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C") ? 0 : -1;
}

/* What is printed, and its width in *width. The caller frees it. */
static char *show(const struct shown *text, int *width)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    /* None to spare, so that a sanitizer sees any read beyond. */
    char *copy = malloc(text->size > 0 ? text->size : 1);
    assert_true(stream && copy);
    memcpy(copy, text->text, text->size);
    *width = pa_show(stream, copy, text->size);
    assert_int_equal(pa_show(NULL, copy, text->size), *width);
    free(copy);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(strlen(printed), size);
    return printed;
}

static void assert_shown(const struct shown *texts, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        int width;
        char *printed = show(&texts[i], &width);
        assert_string_equal(printed, texts[i].shown);
        assert_int_equal(width, texts[i].width);
        free(printed);
    }
}

static void printable_text_is_shown_as_it_is(void **state)
{
    (void)state;
    static const struct shown texts[] = {
        {BYTES(""), "", 0},
        {BYTES("cups"), "cups", 4},
        {BYTES(" ~!\\x41 "), " ~!\\x41 ", 8},
    };
    assert_shown(texts, sizeof texts / sizeof *texts);
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_shown(texts, sizeof texts / sizeof *texts);
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    static const struct shown texts[] = {
        {BYTES("\x1b[31mred"), "\\x1B[31mred", 11},
        {BYTES("a\nb\tc\r"), "a\\x0Ab\\x09c\\x0D", 15},
        {BYTES("\x01\x7f"), "\\x01\\x7F", 8},
        {BYTES("a\0b"), "a\\x00b", 6},
        {BYTES("\0"), "\\x00", 4},
    };
    assert_shown(texts, sizeof texts / sizeof *texts);
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_shown(texts, sizeof texts / sizeof *texts);
}

static void utf_8_is_shown_in_such_a_locale(void **state)
{
    (void)state;
    static const struct shown texts[] = {
        {BYTES("\xc3\xa4"), "\xc3\xa4", 1},
        {BYTES("\xe6\xbc\xa2\xe5\xad\x97"), "\xe6\xbc\xa2\xe5\xad\x97", 4},
        {BYTES("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80", 2},
        {BYTES("e\xcc\x81"), "e\xcc\x81", 1}, /* a combining accent takes no column */
    };
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_shown(texts, sizeof texts / sizeof *texts);
}

static void what_is_no_utf_8_is_escaped_byte_by_byte(void **state)
{
    (void)state;
    static const struct shown texts[] = {
        {BYTES("x\xffy"), "x\\xFFy", 6},
        {BYTES("\xc0\xaf"), "\\xC0\\xAF", 8},           /* overlong */
        {BYTES("\xed\xa0\x80"), "\\xED\\xA0\\x80", 12}, /* a surrogate */
        {BYTES("\xc2\x9b"), "\\xC2\\x9B", 8},           /* a C1 control character */
        {BYTES("x\xe2\x82"), "x\\xE2\\x82", 9},         /* it ends too early */
        {BYTES("\xe2\x82z\xc3\xa4"), "\\xE2\\x82z\xc3\xa4",
         10}, /* and what is behind is not lost */
    };
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_shown(texts, sizeof texts / sizeof *texts);
}

static void in_the_c_locale_only_ascii_is_shown(void **state)
{
    (void)state;
    static const struct shown texts[] = {
        {BYTES("\xc3\xa4x"), "\\xC3\\xA4x", 9},
        {BYTES("\xff\x80\x9b"), "\\xFF\\x80\\x9B", 12},
    };
    assert_non_null(setlocale(LC_CTYPE, "C"));
    assert_shown(texts, sizeof texts / sizeof *texts);
}

static void assert_column(const char *text, int width, const char *wanted)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    assert_non_null(stream);
    pa_show_column(stream, text, width);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(printed, wanted);
    free(printed);
}

static void a_column_is_filled_by_what_the_text_takes(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_column("ab", 5, "ab   ");
    assert_column("", 3, "   ");
    assert_column("\xe6\xbc\xa2", 4, "\xe6\xbc\xa2  ");
    assert_column("\x1b", 6, "\\x1B  ");
    assert_column("abc", 3, "abc");
    assert_column("abcd", 3, "abcd");
    assert_column("abcd", 0, "abcd");
}

static void output_that_did_not_get_through_has_a_reason(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    FILE *null = fopen("/dev/null", "w");
    assert_true(full && null && fputs("text", full) >= 0 && fputs("text", null) >= 0);
    const char *why = pa_show_close(full);
    assert_non_null(why);
    assert_string_equal(why, strerror(ENOSPC));
    assert_null(pa_show_close(null));
}

#define CASE(name) cmocka_unit_test_teardown(name, back_to_c)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(printable_text_is_shown_as_it_is),
        CASE(control_characters_are_escaped),
        CASE(utf_8_is_shown_in_such_a_locale),
        CASE(what_is_no_utf_8_is_escaped_byte_by_byte),
        CASE(in_the_c_locale_only_ascii_is_shown),
        CASE(a_column_is_filled_by_what_the_text_takes),
        CASE(output_that_did_not_get_through_has_a_reason),
    };
    return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
