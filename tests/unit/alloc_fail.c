/* Makes one allocation of the program under test fail. */

#include "alloc_fail.h"

#include <errno.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool armed;
static bool failed;
static size_t left; /* allocations that still succeed */

void alloc_fail_after(size_t successes)
{
    armed = true;
    failed = false;
    left = successes;
}

bool alloc_fail_stop(void)
{
    armed = false;
    return failed;
}

static bool is_due(void)
{
    if (!armed || failed)
        return false;
    if (left-- > 0)
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_due() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_due() ? NULL : __real_realloc(memory, size);
}
