/* Text that comes from a peer. */

#include "pa_text.h"

#include <stdint.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0u) == 0x80u;
}

/* Length that the first byte announces; 0 for a byte that begins nothing. */
static size_t announced_length(unsigned char first)
{
    if (first < 0x80u)
        return 1;
    if (first >= 0xC2u && first <= 0xDFu)
        return 2;
    if (first >= 0xE0u && first <= 0xEFu)
        return 3;
    if (first >= 0xF0u && first <= 0xF4u)
        return 4;
    return 0;
}

/* The ranges of the second byte that RFC 3629 narrows for some first bytes. */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0u;
    case 0xED:
        return second <= 0x9Fu;
    case 0xF0:
        return second >= 0x90u;
    case 0xF4:
        return second <= 0x8Fu;
    default:
        return true;
    }
}

size_t pa_text_sequence(const char *text, size_t size)
{
    if (size == 0)
        return 0;
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = announced_length(bytes[0]);
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; ++i)
        if (!is_continuation(bytes[i]))
            return 0;
    if (length > 1 && !second_byte_fits(bytes[0], bytes[1]))
        return 0;
    return length;
}

uint32_t pa_text_take(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    size_t length = bytes[0] < 0x80u ? 1 : pa_text_sequence(*at, strnlen(*at, 4));
    if (length < 2) {
        ++*at;
        return bytes[0];
    }
    uint32_t character = bytes[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i)
        character = character << 6 | (bytes[i] & 0x3Fu);
    *at += length;
    return character;
}

/* How many bytes from the start of `text` are plain ASCII. */
static size_t ascii_prefix(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && (unsigned char)text[n] < 0x80u)
        ++n;
    return n;
}

int pa_text_append_utf8(struct pa_buf *buf, const char *text, size_t size)
{
    int r = 0;
    while (size > 0 && r == 0) {
        size_t taken = ascii_prefix(text, size);
        if (taken == 0)
            taken = pa_text_sequence(text, size);
        if (taken > 0) {
            r = pa_buf_append(buf, text, taken);
        } else {
            unsigned char byte = (unsigned char)*text;
            char latin1[2] = {(char)(0xC0u | byte >> 6), (char)(0x80u | (byte & 0x3Fu))};
            r = pa_buf_append(buf, latin1, sizeof latin1);
            taken = 1;
        }
        text += taken;
        size -= taken;
    }
    return r;
}

bool pa_text_has_control(const char *string)
{
    for (const unsigned char *p = (const unsigned char *)string; *p; ++p) {
        if (*p < 0x20u || *p == 0x7Fu)
            return true;
        if (*p == 0xC0u && p[1] == 0x80u)
            return true;
        if (*p == 0xC2u && p[1] >= 0x80u && p[1] <= 0x9Fu)
            return true;
    }
    return false;
}

bool pa_text_is_utf8(const char *string)
{
    size_t left = strlen(string);
    while (left > 0) {
        size_t length = pa_text_sequence(string, left);
        if (length == 0)
            return false;
        string += length;
        left -= length;
    }
    return true;
}

size_t pa_text_decimal(char text[PA_TEXT_DECIMAL_BYTES], uint64_t number)
{
    char digits[PA_TEXT_DECIMAL_BYTES] = "";
    char *first = digits + sizeof digits - 1;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    size_t size = (size_t)(digits + sizeof digits - 1 - first);
    memcpy(text, first, size + 1);
    return size;
}

size_t pa_text_cut(const char *text, size_t size, size_t max)
{
    if (size <= max)
        return size;
    size_t cut = max;
    while (cut > 0 && is_continuation((unsigned char)text[cut]))
        --cut;
    return cut;
}
