/* The values of switches, from text. */
#include "argument.h"

#include <string.h>

bool argument_take_number(const char **text, uint64_t max, uint64_t *number)
{
    const char *at = *text;
    uint64_t n = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        n = n * 10 + (uint64_t)(*at - '0');
        if (n > max)
            return false;
    }
    if (at == *text)
        return false;
    *text = at;
    *number = n;
    return true;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

bool argument_take_range(const char **text, uint16_t *low, uint16_t *high)
{
    const char *at = skip_blanks(*text);
    uint64_t first, last;

    if (!argument_take_number(&at, ARGUMENT_PORT_MAX, &first))
        return false;
    last = first;
    at = skip_blanks(at);
    if (*at == '-') {
        at = skip_blanks(at + 1);
        if (!argument_take_number(&at, ARGUMENT_PORT_MAX, &last))
            return false;
        at = skip_blanks(at);
    }
    *low = (uint16_t)(first < last ? first : last);
    *high = (uint16_t)(first < last ? last : first);
    *text = at;
    return *low != 0 && (*at == ',' || *at == '\0');
}

bool argument_size(const char *at, uint64_t min, uint64_t max, uint64_t *bytes)
{
    uint64_t n;

    if (!argument_take_number(&at, max, &n))
        return false;
    if (*at == 'K' || *at == 'k') {
        n *= 1024;
        at++;
    } else if (*at == 'M' || *at == 'm') {
        n *= UINT64_C(1024) * 1024;
        at++;
    }
    *bytes = n;
    return *at == '\0' && n >= min && n <= max;
}

bool argument_milliseconds(const char *at, uint64_t max_s, uint64_t *result_ms)
{
    uint64_t ms;
    unsigned unit_ms = 100;
    bool more = false;

    if (!argument_take_number(&at, max_s, &ms))
        return false;
    ms *= 1000;
    if (*at == '.') {
        if (*++at == '\0')
            return false;
        for (; *at >= '0' && *at <= '9'; at++, unit_ms /= 10) {
            ms += (uint64_t)(*at - '0') * unit_ms;
            more = more || (unit_ms == 0 && *at != '0');
        }
    }
    *result_ms = ms + more;
    return *at == '\0' && *result_ms <= max_s * 1000;
}
