#ifndef CTL_FILES_H
#define CTL_FILES_H

/*
 * Whether a port file is believed, and why not: pa_portfile has the rules, and
 * says no more than yes or no.
 */

#include <stddef.h>

enum ctl_files_state {
    CTL_FILES_GOOD,
    CTL_FILES_NONE, /* there is none */
    CTL_FILES_BAD,  /* with the reason in the text */
};

/* The n-th path that is looked for, from 0; NULL: there is no further one. */
const char *ctl_files_path(size_t n);

/* What is to be said of the file `path`; a text of `size` bytes for CTL_FILES_BAD. */
enum ctl_files_state ctl_files_check(const char *path, char *text, size_t size);

/* The path on the second line of the file, which is the caller's; NULL: none is there. */
char *ctl_files_socket(const char *path);

#endif
