/* Why a client's call failed. */

#include "pa_failure.h"

#include "pa_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What follows may quote a peer: no control character gets to a terminal or a log. */
static void blank_controls(char *text)
{
    char *to = text;
    for (const char *from = text; *from; ++from) {
        unsigned char byte = (unsigned char)*from;
        unsigned char next = (unsigned char)from[1];
        if (byte == 0xC2u && next >= 0x80u && next <= 0x9Fu)
            ++from;
        else if (byte >= 0x20u && byte != 0x7Fu) {
            *to++ = *from;
            continue;
        }
        *to++ = ' ';
    }
    *to = '\0';
}

int pa_failure_set(struct pa_failure *failure, enum pa_error error, ...)
{
    char text[PA_FAILURE_TEXT_BYTES + 1]; /* one more, to see where a character is cut */
    va_list args;
    va_start(args, error);
    /* The format is a row of the error table. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int wanted = vsnprintf(text, sizeof text, pa_error_text(error), args);
#pragma GCC diagnostic pop
    va_end(args);
    size_t size = wanted < 0 ? 0 : strnlen(text, sizeof text);
    text[pa_text_cut(text, size, sizeof failure->text - 1)] = '\0';
    blank_controls(text);
    memcpy(failure->text, text, strlen(text) + 1);
    failure->error = error;
    return (int)error;
}
