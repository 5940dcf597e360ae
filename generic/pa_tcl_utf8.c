/* Strings between Tcl's own encoding and the UTF-8 of the wire. */

#include "pa_tcl_utf8.h"

#include "pa_tcl_error.h"
#include "pa_text.h"

#include <stdbool.h>

enum {
    SURROGATE_BYTES = 3, /* ED, then A0 to AF (high) or B0 to BF (low), then 80 to BF */
    PAIR_BYTES = 2 * SURROGATE_BYTES,
    FOUR_BYTES = 4, /* what a pair is in UTF-8 */
};

/* Whether a surrogate whose second byte has these high bits begins at `text`. */
static bool is_surrogate(const unsigned char *text, unsigned high_bits)
{
    return text[0] == 0xEDu && (text[1] & 0xF0u) == high_bits && (text[2] & 0xC0u) == 0x80u;
}

/* The ten bits a surrogate carries. */
static unsigned surrogate_bits(const unsigned char *text)
{
    return (text[1] & 0x0Fu) << 6 | (text[2] & 0x3Fu);
}

/* Appends a pair of surrogates as one character; false if none begins here. */
static bool append_pair(Tcl_DString *utf8, const char *text, size_t size)
{
    const unsigned char *high = (const unsigned char *)text;
    const unsigned char *low = high + SURROGATE_BYTES;
    if (size < PAIR_BYTES || !is_surrogate(high, 0xA0u) || !is_surrogate(low, 0xB0u))
        return false;
    unsigned code = 0x10000u + (surrogate_bits(high) << 10) + surrogate_bits(low);
    char bytes[FOUR_BYTES] = {
        (char)(0xF0u | code >> 18),
        (char)(0x80u | (code >> 12 & 0x3Fu)),
        (char)(0x80u | (code >> 6 & 0x3Fu)),
        (char)(0x80u | (code & 0x3Fu)),
    };
    Tcl_DStringAppend(utf8, bytes, FOUR_BYTES);
    return true;
}

/* How many bytes from the start of `text` are UTF-8 as they stand. */
static size_t plain_prefix(const char *text, size_t size)
{
    size_t taken = 0;
    size_t length;
    while ((length = pa_text_sequence(text + taken, size - taken)) > 0)
        taken += length;
    return taken;
}

int pa_tcl_utf8_get(Tcl_Interp *interp, const char *what, Tcl_Obj *string, Tcl_DString *utf8)
{
    Tcl_DStringInit(utf8);
    Tcl_Size length;
    const char *text = Tcl_GetStringFromObj(string, &length);
    const char *end = text + length;
    while (text < end) {
        size_t left = (size_t)(end - text);
        size_t taken = plain_prefix(text, left);
        Tcl_DStringAppend(utf8, text, (Tcl_Size)taken);
        if (taken == 0) {
            if (!append_pair(utf8, text, left))
                return pa_tcl_error_usage(
                    interp,
                    Tcl_ObjPrintf("the %s must not contain %s", what,
                                  (unsigned char)*text == 0xC0u ? "NUL" : "half a character"));
            taken = PAIR_BYTES;
        }
        text += taken;
    }
    return TCL_OK;
}

/* Whether Tcl's own form of the text is the text itself. */
static bool is_ascii(const char *text, size_t size)
{
    for (size_t i = 0; i < size; ++i)
        if ((unsigned char)text[i] >= 0x80u || text[i] == '\0')
            return false;
    return true;
}

Tcl_Obj *pa_tcl_utf8_new(const char *utf8, size_t size)
{
    if (is_ascii(utf8, size))
        return Tcl_NewStringObj(utf8, (Tcl_Size)size);
    Tcl_Encoding encoding = Tcl_GetEncoding(NULL, "utf-8"); /* built into libtcl */
    Tcl_DString string;
    Tcl_ExternalToUtfDString(encoding, utf8, (Tcl_Size)size, &string);
    Tcl_FreeEncoding(encoding);
    Tcl_Obj *obj = Tcl_NewStringObj(Tcl_DStringValue(&string), Tcl_DStringLength(&string));
    Tcl_DStringFree(&string);
    return obj;
}
