/* reserve_options.h - the command line of portreserve as a struct. */
#ifndef RESERVE_OPTIONS_H
#define RESERVE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    RESERVE_OPTIONS_E_USAGE = 1, /* the command line is wrong; the error text says where */
};

#define RESERVE_OPTIONS_CONFIG  "/etc/portreserve"
#define RESERVE_OPTIONS_PIDFILE "/var/run/portreserve.pid"
#define RESERVE_OPTIONS_GRACE_S 60

/* Strings point into argv or are constants. */
struct reserve_options {
    bool debug; /* in the foreground */
    bool keep;
    bool check;
    bool list;
    bool json;
    bool help;
    bool version;
    unsigned grace_s; /* 0 to 86400 */
    const char *config;
    const char *socket;
    const char *pidfile;
};

/*
 * Reads the command line; argv[0] is skipped. 0, or RESERVE_OPTIONS_E_USAGE with
 * one line in error that names the input.
 */
int reserve_options_parse(struct reserve_options *options, char **argv, char *error,
                          size_t error_size);

/* Prints every switch with what it does. */
void reserve_options_usage(FILE *stream);

#endif
