#ifndef KILL_NAMES_H
#define KILL_NAMES_H

/*
 * Kills and stops processes at the entry and at the exit of every system call
 * of the calls that make, name, find and end ports. Afterwards a name is free
 * or a living port's, others make and name and end ports as before, and once
 * all ports are deleted no file is left.
 *
 * Who stops a process that is about to change names keeps others from changing
 * names until it goes on; making ports, finding them, sending and receiving
 * must go on meanwhile.
 */

#include <stdbool.h>

/* Each call gives two tests. `first_only`: a failure ends it all. */
void names_play_all(bool first_only);

#endif
