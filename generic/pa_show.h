#ifndef PA_SHOW_H
#define PA_SHOW_H

/*
 * Text of somebody else on a terminal.
 */

#include <stddef.h>
#include <stdio.h>

/*
 * Prints `size` bytes of text, or only measures them when `out` is NULL: what is
 * not a printable character of the locale (LC_CTYPE) appears as \xNN. Returns
 * the width in columns.
 */
int pa_show(FILE *out, const char *text, size_t size);

/* Prints a text in a column of that width. */
void pa_show_column(FILE *out, const char *text, int width);

#endif
