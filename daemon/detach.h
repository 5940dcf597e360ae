/* detach.h - a daemon that goes into the background when it serves, and not before. */
#ifndef DETACH_H
#define DETACH_H

/*
 * Goes on in a child in a session of its own. The parent waits for
 * detach_finish() and exits with 0; or, when the child ends before, with its status.
 *
 * Returns in the child the descriptor for detach_finish(), or a negative errno
 * in the process that called.
 */
int detach_begin(void);

/*
 * The daemon serves: leaves the terminal and the directory, and lets the parent
 * go; closes the descriptor. 0, or a negative errno with the parent still waiting.
 */
int detach_finish(int fd);

#endif
