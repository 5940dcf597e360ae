#ifndef ALLOC_FAIL_H
#define ALLOC_FAIL_H

/*
 * Makes one allocation of the program under test fail. Link the test with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc; what shared libraries
 * allocate does not count. One thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>

/* Lets the allocation fail that comes after `successes` more. */
void alloc_fail_after(size_t successes);

/* Lets all succeed again. Whether one has failed since alloc_fail_after(). */
bool alloc_fail_stop(void);

#endif
