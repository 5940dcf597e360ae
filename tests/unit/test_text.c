/* test_text.c - text of a peer becomes valid UTF-8, and control characters are found. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_failure.h"
#include "pa_text.h"

struct sequence {
    const char *bytes;
    size_t length; /* 0: none */
};

static void a_sequence_is_what_rfc_3629_says(void **state)
{
    (void)state;
    static const struct sequence sequences[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\x80", 0},
        {"\xbf", 0},
        {"\xc0\x80", 0}, /* overlong NUL */
        {"\xc1\xbf", 0},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xdf", 0},
        {"\xdf\x7f", 0},
        {"\xe0\x9f\xbf", 0}, /* overlong */
        {"\xe0\xa0\x80", 3},
        {"\xe2\x82\xac", 3},
        {"\xe2\x82", 0},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0}, /* surrogate */
        {"\xef\xbf\xbf", 3},
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
    };
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; ++i)
        assert_int_equal(pa_text_sequence(sequences[i].bytes, strlen(sequences[i].bytes)),
                         sequences[i].length);
}

static void a_sequence_ends_within_the_bytes_given(void **state)
{
    (void)state;
    const char euro[] = "\xe2\x82\xac";
    assert_int_equal(pa_text_sequence(euro, 0), 0);
    assert_int_equal(pa_text_sequence(euro, 1), 0);
    assert_int_equal(pa_text_sequence(euro, 2), 0);
    assert_int_equal(pa_text_sequence(euro, 3), 3);
    assert_int_equal(pa_text_sequence("", 1), 1); /* a NUL byte */
}

static void assert_utf8(const char *bytes, const char *expected)
{
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_text_append_utf8(&buf, bytes, strlen(bytes)), 0);
    assert_int_equal(buf.size, strlen(expected));
    if (buf.size > 0)
        assert_memory_equal(buf.data, expected, buf.size);
    pa_buf_deinit(&buf);
}

static void bytes_that_are_not_utf8_are_read_as_latin1(void **state)
{
    (void)state;
    assert_utf8("", "");
    assert_utf8("plain", "plain");
    assert_utf8("Stra\xc3\x9f"
                "e \xf0\x9f\x98\x80",
                "Stra\xc3\x9f"
                "e \xf0\x9f\x98\x80");
    assert_utf8("Stra\xdf"
                "e",
                "Stra\xc3\x9f"
                "e");
    assert_utf8("\xe2\x82", "\xc3\xa2\xc2\x82");
    assert_utf8("\xc0\x80", "\xc3\x80\xc2\x80");
    assert_utf8("a\xff", "a\xc3\xbf");
}

static void any_byte_becomes_valid_utf8(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; ++first)
        for (unsigned second = 0; second < 256; ++second) {
            const char bytes[2] = {(char)first, (char)second};
            struct pa_buf buf = PA_BUF_NULL;
            assert_int_equal(pa_text_append_utf8(&buf, bytes, 2), 0);
            for (size_t i = 0; i < buf.size;) {
                size_t length = pa_text_sequence(buf.data + i, buf.size - i);
                assert_true(length > 0);
                i += length;
            }
            pa_buf_deinit(&buf);
        }
}

static void control_characters_are_found(void **state)
{
    (void)state;
    static const char *const with[] = {"\x01",     "a\n",       "a\tb",     "\x1b[m", "\x7f",
                                       "\xc2\x80", "x\xc2\x9f", "\xc0\x80", "\r"};
    static const char *const without[] = {
        "", "a b", "~", "\xc2\xa0", "\xc3\x80", "\xe2\x82\xac", "\xe0\xa0\x80", "\xdf\x80"};
    for (size_t i = 0; i < sizeof with / sizeof *with; ++i)
        assert_true(pa_text_has_control(with[i]));
    for (size_t i = 0; i < sizeof without / sizeof *without; ++i)
        assert_false(pa_text_has_control(without[i]));
}

static void a_text_is_cut_between_characters(void **state)
{
    (void)state;
    const char text[] = "a\xe2\x82\xac"
                        "b";
    assert_int_equal(pa_text_cut(text, 5, 9), 5);
    assert_int_equal(pa_text_cut(text, 5, 5), 5);
    assert_int_equal(pa_text_cut(text, 5, 4), 4);
    assert_int_equal(pa_text_cut(text, 5, 3), 1);
    assert_int_equal(pa_text_cut(text, 5, 2), 1);
    assert_int_equal(pa_text_cut(text, 5, 1), 1);
    assert_int_equal(pa_text_cut(text, 5, 0), 0);
}

static void without_memory_nothing_is_appended_by_halves(void **state)
{
    (void)state;
    char bytes[300];
    memset(bytes, '\xe9', sizeof bytes);
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pa_buf buf = PA_BUF_NULL;
        alloc_fail_after(k);
        int r = pa_text_append_utf8(&buf, bytes, sizeof bytes);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(buf.size % 2, 0);
        if (!failed)
            assert_int_equal(buf.size, 2 * sizeof bytes);
        pa_buf_deinit(&buf);
    }
    assert_true(k > 2);
}

static void a_failure_has_the_text_of_its_row(void **state)
{
    (void)state;
    struct pa_failure failure;
    assert_int_equal(pa_failure_set(&failure, PA_E_CONNECT, "connection refused"),
                     PA_E_CONNECT);
    assert_int_equal(failure.error, PA_E_CONNECT);
    assert_string_equal(failure.text, "couldn't open socket: connection refused");
    assert_string_equal(pa_error_token(failure.error), "CONNECT");
}

static void a_failure_shows_no_control_characters(void **state)
{
    (void)state;
    struct pa_failure failure;
    pa_failure_set(&failure, PA_E_REFUSED, "FAIL {a\nb\x1b[1m\x7f\xc2\x9b\xc2\xa0\xc3\xa9}");
    assert_string_equal(failure.text, "FAIL {a b [1m  \xc2\xa0\xc3\xa9}");
}

static void a_long_failure_is_cut_between_characters(void **state)
{
    (void)state;
    char euros[3 * PA_FAILURE_TEXT_BYTES + 1];
    for (size_t shift = 0; shift < 3; ++shift) {
        struct pa_failure failure;
        memset(euros, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof euros; i += 3)
            memcpy(euros + i, "\xe2\x82\xac", 4);
        pa_failure_set(&failure, PA_E_REFUSED, euros);
        size_t size = strlen(failure.text);
        assert_true(size > PA_FAILURE_TEXT_BYTES - 4 && size < PA_FAILURE_TEXT_BYTES);
        assert_int_equal((size - shift) % 3, 0);
    }
}

static void a_number_is_written_as_printf_writes_it(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 9, 10, 65535, 4294967296, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        char text[PA_TEXT_DECIMAL_BYTES], expected[PA_TEXT_DECIMAL_BYTES];
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        assert_int_equal(pa_text_decimal(text, numbers[i]), strlen(expected));
        assert_string_equal(text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequence_is_what_rfc_3629_says),
        cmocka_unit_test(a_sequence_ends_within_the_bytes_given),
        cmocka_unit_test(bytes_that_are_not_utf8_are_read_as_latin1),
        cmocka_unit_test(any_byte_becomes_valid_utf8),
        cmocka_unit_test(control_characters_are_found),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(without_memory_nothing_is_appended_by_halves),
        cmocka_unit_test(a_number_is_written_as_printf_writes_it),
        cmocka_unit_test(a_failure_has_the_text_of_its_row),
        cmocka_unit_test(a_failure_shows_no_control_characters),
        cmocka_unit_test(a_long_failure_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
