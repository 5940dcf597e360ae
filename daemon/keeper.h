/*
 * keeper.h - the ports that portreserve holds, and what becomes of each.
 *
 * It is given a plan and, when the files have changed, another one; and it is
 * asked to release a client's ports or to hand over sockets on them. It makes
 * holds and looks which sockets are there; it knows no loop, and no clock but
 * the time it is given, milliseconds of any monotonic clock.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "hold.h"
#include "log.h"
#include "pa_sockdiag.h"
#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    KEEPER_E_REFUSED = 1, /* the text says why */
};

enum {
    KEEPER_TICK_MS = 50,    /* how often it is looked whether a service has gone ... */
    KEEPER_RETRY_MS = 1000, /* ... or somebody else who had the port before */
    KEEPER_WATCH_MS = 5000, /* ... or bound a port beside its hold */
};

enum keeper_state {
    KEEPER_HELD,
    KEEPER_HANDED_OVER, /* held, and a socket that was handed over is there */
    KEEPER_RELEASED,
    KEEPER_IN_USE, /* somebody had it before */
};

struct keeper_unit {
    uint16_t port;
    enum transport transport;
    uint32_t client; /* index in the plan */
    unsigned line;
    enum keeper_state state;
    struct hold hold;
    uint64_t served_inode; /* the socket last handed over */
    uint64_t asked_ms;     /* the last release */
    bool seen;             /* released: somebody's socket was there since then */
    bool coexists; /* held: a service was seen beside the hold, and so needs no release */
    bool doubted;  /* ... but has not come since the last one */
};

struct keeper_config {
    bool keep;         /* hold softly, and take back what was released */
    uint64_t grace_ms; /* a released port that nobody binds is taken back then */
    struct log *log;   /* borrowed */
};

struct keeper {
    struct keeper_config config;
    struct plan plan;
    struct keeper_unit *units; /* in the order of the plan's entries */
    size_t units_count;
    struct pa_sockdiag diag;
    bool blind; /* the kernel does not tell of sockets */
    /* On each port by the last look, at most 255. */
    uint8_t sockets[TRANSPORTS][UINT16_MAX + 1];
};

/* Who asks, as the kernel says. */
struct keeper_peer {
    uid_t uid;
    const gid_t *groups; /* the effective one and the others; borrowed */
    size_t groups_count; /* 0: not known */
};

/* A socket to hand over. */
struct keeper_served {
    int fd;
    uint16_t port;
    enum transport transport;
};

void keeper_init(struct keeper *keeper, const struct keeper_config *config);

/*
 * Makes `plan` the keeper's own (it becomes PLAN_NULL): takes what is new in it,
 * lets go of what is no longer in it, and leaves the rest as it is. A client
 * whose file cannot be read keeps what it had. What cannot be held is logged.
 *
 * 0, or -ENOMEM with nothing changed.
 */
int keeper_load(struct keeper *keeper, struct plan *plan);

/*
 * Releases the ports of a client, or of all that the peer may release when the
 * name is `*`. A port that a service was seen on beside the hold remains held:
 * it can come again; if it does not, the next release lets go. 0; or KEEPER_E_REFUSED with the
 * reason in `text`, one line.
 */
int keeper_release(struct keeper *keeper, const char *name, const struct keeper_peer *peer,
                   uint64_t now_ms, char *text, size_t text_size);

/*
 * Makes a socket for each port of a client, in the order of its lines, beside
 * the holds. All or none: a refusal leaves the ports as they were.
 *
 * 0 with the sockets in *served, an array of *count that the caller frees
 * after it has closed them; KEEPER_E_REFUSED with the reason in `text`; or a negative
 * errno. keeper_handed_over() tells that they arrived.
 */
int keeper_take(struct keeper *keeper, const char *name, const struct keeper_peer *peer,
                struct keeper_served **served, size_t *count, char *text, size_t text_size);

/* The sockets that keeper_take() made are with their service. */
void keeper_handed_over(struct keeper *keeper, const struct keeper_served *served,
                        size_t count);

/* In how many milliseconds keeper_tick() is to be called; 0: not at all. */
unsigned keeper_next_tick_ms(const struct keeper *keeper);

/* Takes back what was released and whose service has come and gone; looks which services need
 * no release. */
void keeper_tick(struct keeper *keeper, uint64_t now_ms);

/* Brings the states up to date: is what was handed over still there? */
void keeper_refresh(struct keeper *keeper);

/* How many ports are held. */
size_t keeper_held(const struct keeper *keeper);

const char *keeper_state_name(enum keeper_state state);

/* Lets go of everything. */
void keeper_deinit(struct keeper *keeper);

#endif
