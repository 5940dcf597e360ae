#ifndef M32_CMOCKA_H
#define M32_CMOCKA_H

/*
 * What the tests of Ports IPC need of cmocka, for programs of 32 bits: Debian's library is for
 * the machine's own words alone. Prints TAP, as cmocka does with CMOCKA_MESSAGE_OUTPUT=TAP.
 */

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

typedef int (*m32_fixture)(void **state);

enum { M32_FAILED = 1, M32_SKIPPED };

extern jmp_buf m32_out; /* of the test that runs; see m32_cmocka.c */

int m32_run_tests(const struct CMUnitTest *tests, size_t count, m32_fixture begin,
                  m32_fixture end);
_Noreturn void m32_fail(const char *file, int line, const char *text);

#define cmocka_unit_test(function)                                                             \
    {                                                                                          \
#function, function                                                                    \
    }
#define cmocka_run_group_tests(tests, begin, end)                                              \
    m32_run_tests(tests, sizeof(tests) / sizeof((tests)[0]), begin, end)

#define assert_true(condition)                                                                 \
    do {                                                                                       \
        if (!(condition))                                                                      \
            m32_fail(__FILE__, __LINE__, #condition);                                          \
    } while (0)
#define assert_false(condition)    assert_true(!(condition))
#define assert_int_equal(a, b)     assert_true((intmax_t)(a) == (intmax_t)(b))
#define assert_int_not_equal(a, b) assert_true((intmax_t)(a) != (intmax_t)(b))
#define assert_string_equal(a, b)  assert_true(strcmp(a, b) == 0)
#define assert_in_range(value, low, high)                                                      \
    assert_true((intmax_t)(value) >= (intmax_t)(low) && (intmax_t)(value) <= (intmax_t)(high))
#define fail_msg(...)                                                                          \
    do {                                                                                       \
        fprintf(stderr, __VA_ARGS__);                                                          \
        m32_fail(__FILE__, __LINE__, "");                                                      \
    } while (0)
#define skip() longjmp(m32_out, M32_SKIPPED)

#endif
