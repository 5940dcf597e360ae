/* The table of errors: symbol, class token, text. */

#include "pa_error.h"

#include <stddef.h>

static const struct {
    const char *token;
    const char *text;
} errors[PA_ERROR_COUNT] = {[PA_OK] = {"", ""},
#define PA_ERROR_ENTRY(symbol, token, text) [symbol] = {token, text},
                            PA_ERROR_TABLE(PA_ERROR_ENTRY)
#undef PA_ERROR_ENTRY
};

const char *pa_error_text(enum pa_error error)
{
    return errors[error].text;
}

const char *pa_error_token(enum pa_error error)
{
    return errors[error].token;
}
