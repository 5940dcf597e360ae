#ifndef PA_ERROR_H
#define PA_ERROR_H

/*
 * Errors of the port manager and of its clients, in one table.
 *
 * A row is: symbol, class token, code, text. The token is the second word of a
 * Tcl errorCode {PORTALLOCATOR CLASS ...}; the code is the word behind FAIL in
 * protocol 2, empty for what no manager answers; the text may hold printf
 * conversions for what the error names. doc/errors.man explains every row, and
 * `make check` compares the two.
 */

#define PA_ERROR_TABLE(ROW)                                                                    \
    /* What the manager answers behind FAIL. */                                                \
    ROW(PA_E_NO_FREE_PORTS, "REFUSED", "NOFREE", "no free ports")                              \
    ROW(PA_E_INVALID_REQUEST, "REFUSED", "SYNTAX", "Invalid request %s")                       \
    ROW(PA_E_LINE_TOO_LONG, "REFUSED", "TOOLONG",                                              \
        "Invalid request: the line is longer than %zu bytes")                                  \
    ROW(PA_E_NOT_LOCAL, "REFUSED", "NOTLOCAL", "%s (%s) : Only local applications get ports")  \
    ROW(PA_E_EMPTY_NAME, "REFUSED", "EMPTY",                                                   \
        "the names of application and user must not be empty")                                 \
    ROW(PA_E_CONTROL_CHARACTER, "REFUSED", "CONTROL",                                          \
        "a name must not contain control characters")                                          \
    ROW(PA_E_NOT_A_CHARACTER, "REFUSED", "CHARACTER",                                          \
        "a name must not contain halves of surrogate pairs")                                   \
    ROW(PA_E_NO_PROBE, "REFUSED", "NOPROBE",                                                   \
        "no port could be tried: the log of the port manager says why")                        \
    ROW(PA_E_TOO_MANY_CONNECTIONS, "REFUSED", "TOOMANY", "too many connections")               \
    ROW(PA_E_NO_MEMORY, "REFUSED", "MEMORY", "the port manager is out of memory")              \
    /* The same, where the manager asks the kernel whose request it is. */                     \
    ROW(PA_E_FALSE_USER, "REFUSED", "FALSEUSER", "you are %s, not %s")                         \
    ROW(PA_E_UNPROVED, "REFUSED", "UNPROVED",                                                  \
        "the kernel does not tell whose request this is")                                      \
    ROW(PA_E_QUOTA, "REFUSED", "QUOTA", "%s has %u %s already, the most a user may have")      \
    /* The same, of protocol 2 alone. */                                                       \
    ROW(PA_E_WRONG_WORDS, "REFUSED", "SYNTAX", "wrong number of words: should be \"%s\"")      \
    ROW(PA_E_UNKNOWN_KEY, "REFUSED", "SYNTAX", "%s has no key \"%s\"")                         \
    ROW(PA_E_NO_VALUE, "REFUSED", "SYNTAX", "the key %s has no value")                         \
    ROW(PA_E_KEY_TWICE, "REFUSED", "SYNTAX", "the key %s is given twice")                      \
    ROW(PA_E_BAD_VALUE, "REFUSED", "SYNTAX", "the value of %s must be %s, not \"%s\"")         \
    ROW(PA_E_KEYS_CLASH, "REFUSED", "SYNTAX", "the keys %s and %s exclude each other")         \
    ROW(PA_E_NOT_OWNER, "REFUSED", "NOTOWNER", "port %u belongs to %s")                        \
    ROW(PA_E_NOT_ALLOCATED, "REFUSED", "NOTALLOCATED", "port %u is not allocated")             \
    ROW(PA_E_NOT_MANAGED, "REFUSED", "NOTMANAGED", "port %u is not managed here")              \
    ROW(PA_E_PORT_IN_USE, "REFUSED", "INUSE", "port %u is in use")                             \
    ROW(PA_E_NO_BLOCK, "REFUSED", "NOBLOCK", "no %u free ports in a row")                      \
    ROW(PA_E_NAME_TAKEN, "REFUSED", "TAKEN", "%s of %s is taken, by port %u")                  \
    ROW(PA_E_TIMED_OUT, "REFUSED", "TIMEDOUT", "no port became free within %u ms")             \
    ROW(PA_E_NO_HOLD, "REFUSED", "NOHOLD", "the port manager holds no ports")                  \
    ROW(PA_E_NOT_UNIX, "REFUSED", "NOTUNIX",                                                   \
        "LISTEN needs a connection to the manager's socket in the file system")                \
    ROW(PA_E_ADDRESS, "REFUSED", "ADDRESS", "cannot listen on %s port %u: %s")                 \
    /* What a client meets. */                                                                 \
    ROW(PA_E_REFUSED, "REFUSED", "", "%s")                                                     \
    ROW(PA_E_CONNECT, "CONNECT", "", "couldn't open socket: %s")                               \
    ROW(PA_E_RESOLVE, "RESOLVE", "", "couldn't open socket: unknown host \"%s\": %s")          \
    ROW(PA_E_TIMEOUT, "TIMEOUT", "",                                                           \
        "timed out after %d ms waiting for %s the port manager at %s port %d")                 \
    ROW(PA_E_CLOSED, "CLOSED", "",                                                             \
        "the connection to the port manager at %s port %d ended %s: %s")                       \
    ROW(PA_E_PROTOCOL, "PROTOCOL", "", "the port manager broke the protocol, %s: %s")          \
    ROW(PA_E_PORTS_LOST, "LOST", "",                                                           \
        "the connection to the port manager at %s port %d is gone; "                           \
        "the ports it held (%zu) were lost, allocate them again")                              \
    ROW(PA_E_TOO_OLD, "OLD", "", "the port manager at %s port %d is too old for %s")           \
    ROW(PA_E_NO_SOCKET, "CONNECT", "", "the listening socket could not be received: %s")       \
    ROW(PA_E_CLIENT_MEMORY, "MEMORY", "", "out of memory")

enum pa_error {
    PA_OK = 0,
#define PA_ERROR_SYMBOL(symbol, token, code, text) symbol,
    PA_ERROR_TABLE(PA_ERROR_SYMBOL)
#undef PA_ERROR_SYMBOL
        PA_ERROR_COUNT
};

/* The text of an error, a printf format; "" for PA_OK. The string is static. */
const char *pa_error_text(enum pa_error error);

/* The class token of an error; "" for PA_OK. The string is static. */
const char *pa_error_token(enum pa_error error);

/* The code word of an error in protocol 2; "" for PA_OK and for what no manager answers. */
const char *pa_error_code(enum pa_error error);

/* The first error that has this code word; PA_E_REFUSED if none has. */
enum pa_error pa_error_of_code(const char *code);

#endif
