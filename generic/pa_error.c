/* The table of errors: symbol, class token, code, text. */

#include "pa_error.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *token;
    const char *code;
    const char *text;
} errors[PA_ERROR_COUNT] = {[PA_OK] = {"", "", ""},
#define PA_ERROR_ENTRY(symbol, token, code, text) [symbol] = {token, code, text},
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

const char *pa_error_code(enum pa_error error)
{
    return errors[error].code;
}

enum pa_error pa_error_of_code(const char *code)
{
    for (int error = PA_OK + 1; error < PA_ERROR_COUNT; ++error)
        if (*code && strcmp(errors[error].code, code) == 0)
            return (enum pa_error)error;
    return PA_E_REFUSED;
}
