#ifndef DIFFER_H
#define DIFFER_H

/*
 * The end of the simulation when the manager does not do what the model says.
 */

/* Where the simulation is; what it prints when something differs. */
struct place {
    unsigned long seed;
    unsigned long round;
    unsigned long long event;
};

extern struct place place;

/* Says what differs, and where; ends the program with 1. */
__attribute__((format(printf, 1, 2), noreturn)) void differ(const char *format, ...);

/* Its argument; without memory the program ends with 111. */
void *must(void *memory);

#endif
