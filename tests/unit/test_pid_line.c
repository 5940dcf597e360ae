/* The request of the portserver's protocol, whole and in pieces. */

#include "pid_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { INVALID = -1, UNDECIDED = -2 };

static int verdict(const struct pid_line *line)
{
    if (line->state == PID_LINE_INVALID)
        return INVALID;
    return line->state == PID_LINE_WHOLE ? line->pid : UNDECIDED;
}

/* What becomes of a request when it comes in pieces of `step` bytes, without an end behind it.
 */
static int read_open(const char *text, size_t step)
{
    struct pid_line line = PID_LINE_NULL;
    size_t size = strlen(text);
    for (size_t at = 0; at < size; at += step)
        if (pid_line_take(&line, text + at, size - at < step ? size - at : step))
            break;
    return verdict(&line);
}

/* The same with the end behind it. */
static int read_ended(const char *text)
{
    struct pid_line line = PID_LINE_NULL;
    pid_line_take(&line, text, strlen(text));
    pid_line_end(&line);
    return verdict(&line);
}

static void assert_line(const char *text, int expected)
{
    for (size_t step = 1; step <= strlen(text); ++step)
        assert_int_equal(read_open(text, step), expected);
    assert_int_equal(read_ended(text), expected);
}

static void a_line_is_a_number_however_it_is_cut(void **state)
{
    (void)state;
    assert_line("2\n", 2);
    assert_line("12345\n", 12345);
    assert_line("12345\r\n", 12345);
    assert_line(" \t12345 \n", 12345);
    assert_line("0012345\n", 12345);
    assert_line("2147483647\n", INT32_MAX);
    assert_line("00000000000000000042\n", 42);
}

static void what_follows_the_newline_does_not_count(void **state)
{
    (void)state;
    assert_line("123\n456\n", 123);
    assert_line("123\n-1", 123);
}

static void garbage_is_refused_at_once(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-1\n",
        "+5\n",
        "1_0\n",
        "1 0\n",
        "0x10\n",
        "1e3\n",
        "12a\n",
        "\n",
        "  \n",
        "0\n",
        "1\n",
        "01\n",
        "pid\n",
        "GET / HTTP\n",
        "2147483648\n",
        "1000000000000000000\n",
        "12\v34\n",
        "\xc2\xb2\n",
        "\xd9\xa1\xd9\n",
        "000000000000000000042\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i)
        assert_line(texts[i], INVALID);
    assert_int_equal(read_open("-", 1), INVALID);
    assert_int_equal(read_open("9999999999999999999", 1), INVALID);
    assert_int_equal(read_open("                     ", 1), INVALID);
}

static void a_nul_is_garbage(void **state)
{
    (void)state;
    struct pid_line line = PID_LINE_NULL;
    assert_true(pid_line_take(&line, "12\0\n", 4));
    assert_int_equal(verdict(&line), INVALID);
}

static void half_a_number_is_no_request(void **state)
{
    (void)state;
    struct pid_line line = PID_LINE_NULL;
    assert_false(pid_line_take(&line, "12", 2));
    assert_int_equal(verdict(&line), UNDECIDED);
    assert_false(pid_line_take(&line, "", 0));
    assert_false(pid_line_take(&line, "34", 2));
    assert_true(pid_line_take(&line, "\n", 1));
    assert_int_equal(verdict(&line), 1234);
}

static void the_end_is_as_good_as_a_newline(void **state)
{
    (void)state;
    assert_int_equal(read_ended("1234"), 1234);
    assert_int_equal(read_ended("1234 "), 1234);
    assert_int_equal(read_ended(""), INVALID);
    assert_int_equal(read_ended(" "), INVALID);
    assert_int_equal(read_ended("1"), INVALID);
}

static void what_is_decided_stays(void **state)
{
    (void)state;
    struct pid_line line = PID_LINE_NULL;
    assert_true(pid_line_take(&line, "-", 1));
    assert_true(pid_line_take(&line, "12\n", 3));
    pid_line_end(&line);
    assert_int_equal(verdict(&line), INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_number_however_it_is_cut),
        cmocka_unit_test(what_follows_the_newline_does_not_count),
        cmocka_unit_test(garbage_is_refused_at_once),
        cmocka_unit_test(a_nul_is_garbage),
        cmocka_unit_test(half_a_number_is_no_request),
        cmocka_unit_test(the_end_is_as_good_as_a_newline),
        cmocka_unit_test(what_is_decided_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
