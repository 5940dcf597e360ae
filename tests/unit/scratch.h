#ifndef SCRATCH_H
#define SCRATCH_H

/* A folder of a test's own, which is gone with all that is in it when the test is over. */

#include <stddef.h>

/* Makes the folder, which everybody may read. Suits cmocka as a setup: 0, or -1. */
int scratch_set_up(void **state);

/* Removes it. -1 also when the test has left a descriptor open. */
int scratch_tear_down(void **state);

/* The folder's path. */
const char *scratch_folder(void);

/* A path in the folder, in one of a few buffers that take turns. */
const char *scratch_path(const char *name);

/* Writes a file, anew if there is one. */
void scratch_write(const char *name, const char *text);
void scratch_write_bytes(const char *name, const void *bytes, size_t size);

/* The text of a file, until the next call. It must fit into 64 KiB. */
const char *scratch_read(const char *name);

void scratch_remove(const char *name);

#endif
