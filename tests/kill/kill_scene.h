#ifndef KILL_SCENE_H
#define KILL_SCENE_H

/*
 * Scenes: a port, who waits at it, and the call of which every instruction is
 * the one at which its process is killed, or stopped.
 */

#include <stdbool.h>
#include <stddef.h>

enum scene_call {
    CALL_SEND,
    CALL_RECEIVE,
    CALL_TRYSEND,
    CALL_TRYRECEIVE,
    CALL_RESET,
    CALL_DELETE,
};

/* What the survivors do for those who are blocked. */
enum scene_rescue {
    RESCUE_BLOCKING, /* psend() and preceive() */
    RESCUE_TRYING,   /* ptrysend() and ptryreceive() until it has happened */
    RESCUE_NONE,     /* nothing: a message that waits is found by who waits for it */
};

enum scene_flag {
    SCENE_WATCHED = 1,  /* somebody polls the port's descriptor */
    SCENE_OWN_BELL = 2, /* the victim has asked for a descriptor */
    SCENE_COLD = 4,     /* the victim has not used the port before */
    SCENE_SPINS = 8,    /* the victim spins before it sleeps */
};

struct scene {
    const char *title;
    enum scene_call call;
    int count;     /* of the port */
    int filled;    /* messages in it */
    int receivers; /* asleep at it */
    int senders;
    enum scene_rescue rescue;
    unsigned flags; /* of enum scene_flag */
};

/* How thorough to be. */
struct scene_plan {
    size_t primes_max; /* points of each scene at the first pass of code of the library */
    size_t others_max; /* in libc, and where it has been before; both evenly taken */
    bool without_naps; /* nobody looks now and then: the scene of RESCUE_NONE is left out */
    bool first_only;   /* a failure ends it all */
};

/* Plays all scenes: each gives two tests. */
void scene_play_all(const struct scene_plan *plan);

#endif
