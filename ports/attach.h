#ifndef ATTACH_H
#define ATTACH_H

/*
 * The ports that this process has mapped, by id.
 *
 * A call begins with attach_enter() and ends with attach_leave(); in between
 * the port stays mapped, whatever other threads do. That costs a store at each
 * end: each thread says in a place of its own which port it is in, and whoever
 * wants to unmap one makes all threads' stores visible first (membarrier(2))
 * and then looks. A port that somebody is still in is unmapped later, by a
 * call that maps or unmaps another.
 */

#include "ring.h"
#include "waiting.h"

#include <stdatomic.h>
#include <sys/types.h>

struct attach_port {
    struct ring ring;
    struct habit habit[SIDES];
    int id;
    size_t bytes; /* mapped */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    _Atomic(bool) has_bell;
    /* under the lock */
    int bell_fd; /* this process's, or -1 */
    ino_t bell_inode;
    unsigned bell_number;
    pid_t bell_process;       /* which made it: a child inherits it */
    unsigned pins;            /* calls that stay long */
    bool visited;             /* mapped by attach_visit(), and wanted by nobody else yet */
    struct attach_port *next; /* in its bucket, or among the unused */
};

struct attach_thread {
    _Atomic(struct attach_port *) in;
    struct attach_port *last; /* what last_id was, in this generation */
    uint64_t generation;
    int last_id;
    bool registered;
    struct attach_thread *next;
    struct attach_thread *previous;
};

extern __thread struct attach_thread attach_self __attribute__((tls_model("initial-exec")));
extern _Atomic(uint64_t) attach_generation; /* changed whenever a port is given up */
extern _Atomic(bool)
    attach_fenced; /* without membarrier: each call makes its own store visible */

/* What attach_enter() does when the port is not the thread's last one. */
int attach_find(int id, struct attach_port **port);

/* Enters a port: 0 with *port, to be followed by attach_leave(), or a negative errno. */
static inline int attach_enter(int id, struct attach_port **port)
{
    struct attach_thread *self = &attach_self;
    if (self->last_id != id || id == 0)
        return attach_find(id, port);
    if (atomic_load_explicit(&attach_fenced, memory_order_relaxed))
        atomic_exchange(&self->in, self->last);
    else
        atomic_store_explicit(&self->in, self->last, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&attach_generation, memory_order_acquire) != self->generation)
        return attach_find(id, port);
    *port = self->last;
    return 0;
}

static inline void attach_leave(void)
{
    atomic_store_explicit(&attach_self.in, NULL, memory_order_release);
}

/* Enters and leaves for calls that run others' code meanwhile: dispose, for one. */
int attach_pin(int id, struct attach_port **port);
void attach_unpin(struct attach_port *port);

/* The same for a look from outside: a port that was not mapped before is not afterwards. */
int attach_visit(int id, struct attach_port **port);

/* Maps a port that this process has just made. Takes over `fd`. 0 or a negative errno. */
int attach_made(int fd, int id, struct attach_port **port);

/* The lock of what this process knows of its ports; attach_*() take it themselves. */
void attach_lock(void);
void attach_unlock(void);

/* Under the lock: whether the descriptor of the process's bell (bell.h) still is that, since
 * programs close descriptors that they do not know; and closing it. */
bool attach_has_bell(const struct attach_port *port);
void attach_close_bell(struct attach_port *port);

/* The port is dead: it is given up, and unmapped once no thread is in it. */
void attach_forget(int id);

#endif
