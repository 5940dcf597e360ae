#ifndef PA_LINE_H
#define PA_LINE_H

/*
 * Bounded line buffer: cuts a stream of bytes into lines.
 *
 * A line ends with LF, CR LF or CR. A line that lies whole in the bytes given
 * is returned in place; only an unfinished one is copied, so a quiet
 * connection costs no memory.
 */

#include "pa_buf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    PA_LINE_PARTIAL = 1,  /* all bytes taken, the line goes on */
    PA_LINE_TOO_LONG = 2, /* the line is longer than max_bytes */
};

struct pa_line {
    struct pa_buf kept; /* the beginning of an unfinished line */
    size_t max_bytes;   /* longest line accepted, its end not counted */
    bool kept_is_whole; /* `kept` was returned as a line and is due to be freed */
    bool after_cr;      /* the last line ended with CR: an LF now belongs to it */
};

#define PA_LINE_INIT(max)                                                                      \
    {                                                                                          \
        .kept = PA_BUF_NULL, .max_bytes = (max)                                                \
    }

/* Frees an unfinished line, if there is one. */
void pa_line_deinit(struct pa_line *line);

/*
 * Takes the next line from the bytes at *cursor up to `end`, and advances
 * *cursor behind what it took.
 *
 * Returns 0 with the line in *text and *size (no NUL behind it, valid until
 * the next call with this buffer and while the caller's bytes are);
 * PA_LINE_PARTIAL when the bytes ended first; PA_LINE_TOO_LONG, after which
 * only pa_line_deinit() may follow; -ENOMEM likewise.
 */
int pa_line_next(struct pa_line *line, const char **cursor, const char *end, const char **text,
                 size_t *size);

/*
 * Advances *cursor behind an LF that belongs to the CR before it, if that was
 * the end of the last line. For who looks at the bytes before pa_line_next().
 */
void pa_line_skip_lf(struct pa_line *line, const char **cursor, const char *end);

/* Whether an unfinished line is waiting for its end. */
bool pa_line_pending(const struct pa_line *line);

/* The unfinished line: its bytes and in *size their number. */
const char *pa_line_rest(const struct pa_line *line, size_t *size);

#endif
