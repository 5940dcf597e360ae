/* Text of somebody else on a terminal. */

#include "pa_show.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

int pa_show(FILE *out, const char *text, size_t size)
{
    int width = 0;
    mbstate_t state = {0};
    while (size > 0) {
        wchar_t character;
        size_t length = mbrtowc(&character, text, size, &state);
        bool valid = length > 0 && length <= size;
        if (valid && iswprint((wint_t)character)) {
            width += wcwidth(character);
            if (out)
                fwrite(text, 1, length, out);
        } else {
            state = (mbstate_t){0};
            length = 1;
            width += 4;
            if (out)
                fprintf(out, "\\x%02X", (unsigned)(unsigned char)*text);
        }
        text += length;
        size -= length;
    }
    return width;
}

void pa_show_column(FILE *out, const char *text, int width)
{
    for (int used = pa_show(out, text, strlen(text)); used < width; ++used)
        putc(' ', out);
}

const char *pa_show_close(FILE *out)
{
    errno = 0;
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (!failed)
        return NULL;
    return errno ? strerror(errno) : "it failed before the end";
}
