/* Bounded line buffer: cuts a stream of bytes into lines. */

#include "pa_line.h"

#include <string.h>

void pa_line_deinit(struct pa_line *line)
{
    pa_buf_deinit(&line->kept);
    line->kept_is_whole = false;
}

/* Where the line that starts at `begin` ends: at its CR or LF, or NULL. */
static const char *find_end(const char *begin, const char *end)
{
    const char *lf = memchr(begin, '\n', (size_t)(end - begin));
    const char *stop = lf ? lf : end;
    const char *cr = memchr(begin, '\r', (size_t)(stop - begin));
    return cr ? cr : lf;
}

void pa_line_skip_lf(struct pa_line *line, const char **cursor, const char *end)
{
    if (line->after_cr && *cursor < end) {
        if (**cursor == '\n')
            ++*cursor;
        line->after_cr = false;
    }
}

int pa_line_next(struct pa_line *line, const char **cursor, const char *end, const char **text,
                 size_t *size)
{
    if (line->kept_is_whole)
        pa_line_deinit(line);
    pa_line_skip_lf(line, cursor, end);
    if (*cursor == end)
        return PA_LINE_PARTIAL;

    const char *begin = *cursor;
    const char *stop = find_end(begin, end);
    size_t taken = (size_t)((stop ? stop : end) - begin);
    if (taken > line->max_bytes - line->kept.size)
        return PA_LINE_TOO_LONG;
    if (!stop || line->kept.size > 0) {
        int r = pa_buf_append(&line->kept, begin, taken);
        if (r < 0)
            return r;
    }
    if (!stop) {
        *cursor = end;
        return PA_LINE_PARTIAL;
    }
    line->after_cr = *stop == '\r';
    *cursor = stop + 1;
    if (line->kept.size > 0) {
        line->kept_is_whole = true;
        *text = line->kept.data;
        *size = line->kept.size;
    } else {
        *text = begin;
        *size = taken;
    }
    return 0;
}

bool pa_line_pending(const struct pa_line *line)
{
    return line->kept.size > 0 && !line->kept_is_whole;
}

const char *pa_line_rest(const struct pa_line *line, size_t *size)
{
    *size = pa_line_pending(line) ? line->kept.size : 0;
    return line->kept.data;
}
