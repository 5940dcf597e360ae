/* spec.h - a line of a file in /etc/portreserve: a service, and so its ports. */
#ifndef SPEC_H
#define SPEC_H

#include "transport.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SPEC_E_WRONG = 1, /* no such service, or no specification at all; the error text says */
};

enum { SPEC_LINE_MAX_BYTES = 255 };

struct spec_port {
    uint16_t port;
    enum transport transport;
};

/* What a line asks for: nothing (an empty line, a comment), or a port of one protocol or both.
 */
struct spec {
    struct spec_port ports[TRANSPORTS];
    size_t count;
};

/* The port of a service, as getservbyname(3) knows it; 0: unknown. */
typedef uint16_t spec_lookup(void *context, const char *service, enum transport transport);

/*
 * Reads one line, without its newline: a service's name or a port number, and
 * /tcp or /udp behind it; without either, both. A service that is known under
 * the other protocol only has the same number. Blanks at the ends and a carriage return do not
 * count, and a line that begins with # is empty.
 *
 * Returns 0, or SPEC_E_WRONG with one line in error that names the input; *spec
 * is then empty.
 */
int spec_parse(const char *line, size_t size, spec_lookup *lookup, void *context,
               struct spec *spec, char *error, size_t error_size);

#endif
