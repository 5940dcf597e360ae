#ifndef PA_ERROR_H
#define PA_ERROR_H

/*
 * Errors of the port manager and of its clients, in one table.
 *
 * A row is: symbol, class token, text. The token is the second word of a Tcl
 * errorCode {PORTALLOCATOR CLASS ...}; the text may hold printf conversions
 * for what the error names. doc/errors.man explains every row, and `make
 * check` compares the two.
 */

#define PA_ERROR_TABLE(ROW)                                                                    \
    /* What the manager answers behind FAIL. */                                                \
    ROW(PA_E_NO_FREE_PORTS, "REFUSED", "no free ports")                                        \
    ROW(PA_E_INVALID_REQUEST, "REFUSED", "Invalid request %s")                                 \
    ROW(PA_E_LINE_TOO_LONG, "REFUSED", "Invalid request: the line is longer than %zu bytes")   \
    ROW(PA_E_NOT_LOCAL, "REFUSED", "%s (%s) : Only local applications get ports")              \
    ROW(PA_E_EMPTY_NAME, "REFUSED", "the names of application and user must not be empty")     \
    ROW(PA_E_CONTROL_CHARACTER, "REFUSED", "a name must not contain control characters")       \
    ROW(PA_E_NOT_A_CHARACTER, "REFUSED", "a name must not contain halves of surrogate pairs")  \
    ROW(PA_E_NO_PROBE, "REFUSED",                                                              \
        "no port could be tried: the log of the port manager says why")                        \
    ROW(PA_E_TOO_MANY_CONNECTIONS, "REFUSED", "too many connections")                          \
    ROW(PA_E_NO_MEMORY, "REFUSED", "the port manager is out of memory")                        \
    /* What a client meets. */                                                                 \
    ROW(PA_E_REFUSED, "REFUSED", "%s")                                                         \
    ROW(PA_E_CONNECT, "CONNECT", "couldn't open socket: %s")                                   \
    ROW(PA_E_RESOLVE, "RESOLVE", "couldn't open socket: unknown host \"%s\": %s")              \
    ROW(PA_E_TIMEOUT, "TIMEOUT",                                                               \
        "timed out after %d ms waiting for %s the port manager at %s port %d")                 \
    ROW(PA_E_CLOSED, "CLOSED",                                                                 \
        "the connection to the port manager at %s port %d ended %s: %s")                       \
    ROW(PA_E_PROTOCOL, "PROTOCOL", "the port manager broke the protocol, %s: %s")              \
    ROW(PA_E_PORTS_LOST, "LOST",                                                               \
        "the connection to the port manager at %s port %d is gone; "                           \
        "the ports it held (%zu) were lost, allocate them again")                              \
    ROW(PA_E_CLIENT_MEMORY, "MEMORY", "out of memory")

enum pa_error {
    PA_OK = 0,
#define PA_ERROR_SYMBOL(symbol, token, text) symbol,
    PA_ERROR_TABLE(PA_ERROR_SYMBOL)
#undef PA_ERROR_SYMBOL
        PA_ERROR_COUNT
};

/* The text of an error, a printf format; "" for PA_OK. The string is static. */
const char *pa_error_text(enum pa_error error);

/* The class token of an error; "" for PA_OK. The string is static. */
const char *pa_error_token(enum pa_error error);

#endif
