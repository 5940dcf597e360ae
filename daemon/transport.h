/* transport.h - the two protocols that have ports. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

enum transport {
    TRANSPORT_TCP,
    TRANSPORT_UDP,
};

enum { TRANSPORTS = 2 };

static inline const char *transport_name(enum transport transport)
{
    return transport == TRANSPORT_TCP ? "tcp" : "udp";
}

#endif
