/* Random numbers: xorshift64*, Vigna 2016. */

#include "chance.h"

static uint64_t state;

static uint32_t next_word(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * 0x2545F4914F6CDD1Du >> 32);
}

void chance_begin(uint64_t a, uint64_t b)
{
    state = (a + 1) * 0x9E3779B97F4A7C15u ^ (b + 1) * 0xBF58476D1CE4E5B9u;
    if (state == 0)
        state = 1;
    for (int i = 0; i < 8; ++i)
        next_word();
}

unsigned chance_below(unsigned limit)
{
    return (unsigned)((uint64_t)next_word() * limit >> 32);
}
