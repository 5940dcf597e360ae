/* options.h - the command line of DaqPortManager as a struct. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    OPTIONS_E_USAGE = 1, /* the command line is wrong; the error text says where */
};

#define OPTIONS_LISTEN_PORT      30000 /* when the service daqportmgr/tcp is not known */
#define OPTIONS_RANGE_LOW        30001 /* default range, as the manager always had it */
#define OPTIONS_RANGE_HIGH       31000
#define OPTIONS_BASE_PORT        31000 /* when -num-ports comes without -port-base */
#define OPTIONS_BASE_COUNT       1000  /* when -port-base comes without -num-ports */
#define OPTIONS_QUARANTINE_MS    5000  /* a freed port rests that long */
#define OPTIONS_LINE_MAX_BYTES   4096  /* longest request */
#define OPTIONS_CONNECTIONS_MAX  10000 /* clients at a time */
#define OPTIONS_UNSENT_MAX_BYTES ((size_t)1024 * 1024) /* waiting for a slow reader */
#define OPTIONS_KEEPALIVE_S      60   /* the kernel's own 7200 s hold dead peers */
#define OPTIONS_USER_WAITING     1000 /* requests in line */

/* What counts when a client claims to be a user: -owner. */
enum options_owner {
    OPTIONS_OWNER_CORRECT, /* the user that the kernel proves is recorded */
    OPTIONS_OWNER_VERIFY,  /* a claim that is not proved is refused */
    OPTIONS_OWNER_TRUST,   /* the claim */
};

/* Which ports the manager holds in the kernel: -hold. */
enum options_hold {
    OPTIONS_HOLD_ASKED, /* those whose client asks for it */
    OPTIONS_HOLD_ALL,
    OPTIONS_HOLD_NONE,
};

/* Both ends belong to the range; low <= high. */
struct options_range {
    uint16_t low;
    uint16_t high;
};

/* Strings point into argv and live as long as it does. */
struct options {
    struct options_range *ranges; /* owned; disjoint, in the order they were given */
    size_t ranges_count;
    size_t ranges_capacity;
    int listen_port;      /* 0 lets the kernel choose */
    const char *address;  /* IPv4 or IPv6 literal; NULL: all */
    const char *log_path; /* NULL: the default place; so in the next three */
    const char *usage_path;
    const char *port_path;
    const char *pid_path;
    const char *socket_path; /* NULL: the default place; "": none */
    const char *portserver;  /* a path, or @ and an abstract name; NULL: none */
    uint32_t quarantine_ms;
    size_t line_max_bytes;
    unsigned connections_max;
    size_t unsent_max_bytes;
    unsigned keepalive_s; /* idle time before probes, and TCP_USER_TIMEOUT */
    enum options_owner owner;
    enum options_hold hold;
    unsigned user_ports; /* the most a user may have; 0: no limit; so in the next two */
    unsigned user_connections;
    unsigned user_waiting;
    bool daemonize;
    bool help;
    bool version;
};

#define OPTIONS_NULL                                                                           \
    {                                                                                          \
        .listen_port = OPTIONS_LISTEN_PORT, .quarantine_ms = OPTIONS_QUARANTINE_MS,            \
        .line_max_bytes = OPTIONS_LINE_MAX_BYTES, .connections_max = OPTIONS_CONNECTIONS_MAX,  \
        .unsent_max_bytes = OPTIONS_UNSENT_MAX_BYTES, .keepalive_s = OPTIONS_KEEPALIVE_S,      \
        .user_waiting = OPTIONS_USER_WAITING,                                                  \
    }

/*
 * Reads the command line; argv[0] is skipped. *o must be OPTIONS_NULL.
 *
 * argv stays the caller's and must outlive *o, which points into it. What is
 * not given gets its default: at least one range is there afterwards, and
 * listen_port comes from the service daqportmgr/tcp where that is known.
 *
 * Returns 0; OPTIONS_E_USAGE with one line without a newline in error, which
 * names the switch and the input; or -ENOMEM. After a failure *o is
 * OPTIONS_NULL again and holds no memory.
 */
int options_parse(struct options *o, int argc, char **argv, char *error, size_t error_size);

/*
 * Writes the ranges as -ports takes them, into `size` bytes. False when they do not
 * fit; the text is empty then.
 */
bool options_ranges_text(const struct options *o, char *text, size_t size);

/* Frees the ranges and makes *o OPTIONS_NULL. */
void options_deinit(struct options *o);

/* Prints every switch with what it does. */
void options_usage(FILE *stream);

#endif
