#ifndef PA_TEXT_H
#define PA_TEXT_H

/*
 * Text that comes from a peer: made valid UTF-8, checked for control
 * characters, cut for display.
 */

#include "pa_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length in bytes of the UTF-8 sequence at `text`, of which `size` bytes
 * may be read; 0 when there is none (RFC 3629: no overlong form, no surrogate,
 * nothing above U+10FFFF). A NUL byte is a sequence of length 1.
 */
size_t pa_text_sequence(const char *text, size_t size);

/*
 * Takes the character at *at, which is not at the end of its string: its code
 * point, with *at behind it. A byte that is no UTF-8 is a character by itself.
 */
uint32_t pa_text_take(const char **at);

/*
 * Appends `size` bytes as UTF-8: valid sequences as they are, any other byte
 * as the Latin-1 character it would be, which is what a Tcl channel reads.
 * 0 or -ENOMEM.
 */
int pa_text_append_utf8(struct pa_buf *buf, const char *text, size_t size);

/*
 * Whether the UTF-8 string holds a control character: U+0000 to U+001F,
 * U+007F to U+009F (Unicode's category Cc), or NUL in Tcl's two-byte form.
 */
bool pa_text_has_control(const char *string);

/* Whether the string is UTF-8 throughout. */
bool pa_text_is_utf8(const char *string);

enum { PA_TEXT_DECIMAL_BYTES = 21 }; /* the longest number and its NUL */

/* Writes a number in decimal, with a NUL. Returns its length. printf is ten times slower. */
size_t pa_text_decimal(char text[PA_TEXT_DECIMAL_BYTES], uint64_t number);

/* The longest beginning of `text` of at most `max` bytes that cuts no sequence. */
size_t pa_text_cut(const char *text, size_t size, size_t max);

#endif
