/*
 * plan.h - what the files of /etc/portreserve ask for: whose ports are to be held.
 *
 * A file is a client: its name is what the client's service is released by, its
 * owner and mode say who may.
 */
#ifndef PLAN_H
#define PLAN_H

#include "transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PLAN_FILE_MAX_BYTES = 1024 * 1024 }; /* more than all ports there are */

struct plan_client {
    char *name;
    uid_t owner;
    gid_t group;
    bool group_may;  /* the group may write the file, and so may do what its owner may */
    bool unreadable; /* what it asks for is not known */
};

struct plan_entry {
    uint16_t port;
    enum transport transport;
    uint32_t client; /* index */
    unsigned line;   /* from 1 */
};

/* Clients in the order of their names (strcmp), entries in the order of clients and lines. */
struct plan {
    struct plan_client *clients;
    size_t clients_count;
    struct plan_entry *entries;
    size_t entries_count;
    size_t problems; /* how many were told */
};

#define PLAN_NULL                                                                              \
    {                                                                                          \
        0                                                                                      \
    }

/* Is told of one thing that is wrong: one line that names the file, and the line if it is
 * about one. */
typedef void plan_problem(void *context, const char *text);

/*
 * Reads the folder; *plan must be PLAN_NULL. Files whose names have a `.` or a
 * `~` in them are passed over. What cannot be read or understood, and a port
 * that is asked for a second time, is told to `problem` and left out.
 *
 * Returns 0, -ENOMEM, or another negative errno when the folder cannot be read;
 * *plan is PLAN_NULL then. plan_deinit() frees it.
 */
int plan_read(struct plan *plan, const char *folder, plan_problem *problem, void *context);

/* The client of that name, or NULL. */
const struct plan_client *plan_find(const struct plan *plan, const char *name);

/* Frees what plan_read() made; *plan is PLAN_NULL then. */
void plan_deinit(struct plan *plan);

#endif
