#ifndef CHANCE_H
#define CHANCE_H

/*
 * Random numbers that two numbers determine.
 */

#include <stdint.h>

/* Begins the sequence of `a` and `b`. */
void chance_begin(uint64_t a, uint64_t b);

/* The next number below `limit`. */
unsigned chance_below(unsigned limit);

#endif
