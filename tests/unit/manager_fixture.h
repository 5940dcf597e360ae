#ifndef MANAGER_FIXTURE_H
#define MANAGER_FIXTURE_H

/*
 * What tests of clients begin and end with: a manager that is started as the test
 * wants it, at a place where none was before, and as many descriptors as before.
 */

#include "fake_manager.h"

#include <stdbool.h>
#include <stddef.h>

extern struct fake_manager manager;

/*
 * Where it listens: another address of 127/8 for each test, since the process
 * remembers which managers are old. A test may put the path of a socket here.
 */
extern char host[64];

/*
 * Before and after a test, as cmocka wants them; `net` is the test program's own
 * number, 1 to 254. 0, or -1 if descriptors are left.
 */
int manager_fixture_begin(unsigned net);
int manager_fixture_end(void);

/* Starts the manager. */
void manager_fixture_start(fake_answer *answer);

/* A request and its answer. */
struct manager_manner {
    const char *request; /* how it begins, a CR behind a whole one */
    const char *reply;
};

/* The answer to the first manner that fits the line, or a refusal. */
const char *manager_answer(struct fake_manager *m, const char *line,
                           const struct manager_manner *manners, size_t count);

/* Never answers. */
const char *silent_manager(struct fake_manager *m, const char *line);

/* Whether the line begins with the word. */
bool begins(const char *line, const char *word);

#endif
