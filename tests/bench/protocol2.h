/* protocol2.h - what the rows of protocol 2 are made of. */
#ifndef PROTOCOL2_H
#define PROTOCOL2_H

#include "bench.h"

#define GRANT_OPERATIONS     200 /* in a block, the most */
#define GRANT_NEW_OPERATIONS 100 /* each with a connection */
#define GRANT_WARM_UP        5   /* before the clock starts: accept, buffers, the proof */

struct side;

/* What one side of a row does. */
struct kind {
    const char *name;                                              /* of the column */
    bool (*start)(struct side *side, const struct config *config); /* false: it cannot be had */
    double (*block)(struct side *side, unsigned operations);       /* us for all of them */
    const char *request; /* NULL: the block knows it */
    bool held;           /* as the answers say */
    unsigned operations; /* in a block */
};

struct side {
    const struct kind *kind;
    struct server server;
    int controller;       /* of the bus */
    char told[320];       /* how the answers end: the user, and whether the port is held */
    struct reply reply;   /* while it is read */
    struct port_set seen; /* ports of the block */
};

/* ---- grants.c: a request and its answer ---- */

/* The answers name the user who runs this. */
void grant_expect_user(struct side *side);

/* The port in the answer to ALLOCATE or LISTEN; every word of it is checked. */
int grant_port(struct side *side, const char *line);

int grant_allocate(struct side *side, int fd);

double grant_block_open(struct side *side, unsigned operations);
double grant_block_new(struct side *side, unsigned operations); /* HELLO is in the request */
double grant_block_release(struct side *side, unsigned operations);
double grant_block_ping(struct side *side, unsigned operations);

/* ---- listens.c: sockets that listen ---- */

/* All three keep the sockets until the clock has stopped, as services do. */
double listen_block(struct side *side, unsigned operations); /* LISTEN */
double listen_block_allocated(struct side *side,
                              unsigned operations);              /* ALLOCATE, then itself */
double listen_block_own(struct side *side, unsigned operations); /* by itself, on free ports */

#endif
