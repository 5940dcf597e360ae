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

/*
 * Closes `out`, to which a program has printed what it had to say. NULL: all has got
 * through; else the reason why not, valid until the next call.
 */
const char *pa_show_close(FILE *out);

/* Prints a text in a column of that width. */
void pa_show_column(FILE *out, const char *text, int width);

#endif
