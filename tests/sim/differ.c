/* The end of the simulation when something differs. */

#include "differ.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct place place;

void differ(const char *format, ...)
{
    va_list arguments;
    printf("sim: seed %lu, round %lu, event %llu: ", place.seed, place.round, place.event);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    exit(1);
}

void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "sim: out of memory\n");
        exit(111);
    }
    return memory;
}
