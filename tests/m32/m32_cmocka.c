#include "cmocka.h"

jmp_buf m32_out;

_Noreturn void m32_fail(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    longjmp(m32_out, M32_FAILED);
}

/* M32_FAILED, M32_SKIPPED or 0. */
static int run(const struct CMUnitTest *test)
{
    void *state = NULL;
    int outcome = setjmp(m32_out);
    if (outcome == 0)
        test->run(&state);
    return outcome;
}

int m32_run_tests(const struct CMUnitTest *tests, size_t count, m32_fixture begin,
                  m32_fixture end)
{
    int failures = begin ? begin(NULL) != 0 : 0;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; ++i) {
        fflush(stdout); /* a child must not print it again */
        int outcome = run(&tests[i]);
        failures += outcome == M32_FAILED;
        printf("%sok %zu - %s%s\n", outcome == M32_FAILED ? "not " : "", i + 1, tests[i].name,
               outcome == M32_SKIPPED ? " # SKIP" : "");
    }
    failures += end ? end(NULL) != 0 : 0;
    return failures;
}
