/* The public calls that send and receive. */

#include "attach.h"
#include "bell.h"

#include <errno.h>

#define PUBLIC __attribute__((visibility("default")))

enum { GLANCES = 32 }; /* before a call counts as waiting */

/* How long a call may block: not at all, as long as it takes, or until a deadline. */
struct limit {
    bool blocks;
    const struct timespec *deadline;
};

static const struct limit never = {false, NULL};
static const struct limit forever = {true, NULL};

/* -------------------------------------------------------------- outcomes -- */

/* What a finding of the ring is to the caller; `waited`: the call was blocked before. */
static int outcome(const struct attach_port *port, int found, bool waited)
{
    if (found != RING_DEAD && found != -EIDRM)
        return found == RING_DAMAGED ? -EIO : found;
    /* Who says that a port is dead has seen to it that nobody can say otherwise. */
    ring_kill(&port->ring);
    bell_ring(port->ring.segment, port->id); /* who polls is to learn it too */
    return waited ? -EIDRM : -EINVAL;
}

/* Ends a call: 0 or more as it is; otherwise -1 with errno. */
static int leave(int id, int r)
{
    attach_leave();
    if (r >= 0)
        return r;
    if (r == -EINVAL || r == -EIDRM)
        attach_forget(id);
    errno = -r;
    return -1;
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

static bool is_time(const struct timespec *deadline)
{
    return deadline && deadline->tv_nsec >= 0 && deadline->tv_nsec < 1000000000L;
}

/* --------------------------------------------------------------- sending -- */

static inline void tell_receivers(const struct attach_port *port)
{
    waiting_settle(port->ring.segment, SIDE_RECEIVERS);
    bell_ring(port->ring.segment, port->id);
}

/* The port was full: does a glance or two find room? */
static int send_soon(struct attach_port *port, long msg)
{
    const struct ring *ring = &port->ring;
    struct habit *habit = &port->habit[SIDE_SENDERS];
    int r = RING_FULL;
    waiting_lull(habit);
    for (unsigned i = 0; i < GLANCES && r == RING_FULL; ++i)
        if (ring_has_room(ring))
            r = ring_try_push(ring, msg) ? 0 : ring_push(ring, msg);
    if (r == 0)
        waiting_learn(habit, ring_has_more_room(ring), ring->count);
    return r;
}

/* The port was full. */
static int send_later(struct attach_port *port, long msg, const struct limit *limit)
{
    struct segment *segment = port->ring.segment;
    tell_receivers(port); /* of what a killed sender did not tell them */
    if (!limit->blocks)
        return -EAGAIN;
    int r = send_soon(port, msg);
    if (r != RING_FULL)
        return r == 0 ? 0 : outcome(port, r, true);
    struct wait wait;
    waiting_begin(&wait, segment, SIDE_SENDERS, &port->habit[SIDE_SENDERS], limit->deadline);
    while (r == RING_FULL) {
        r = waiting_step(&wait);
        if (r == 0)
            r = ring_push(&port->ring, msg);
    }
    waiting_end(&wait);
    return outcome(port, r, true);
}

static int send_one(struct attach_port *port, long msg, const struct limit *limit)
{
    if (ring_try_push(&port->ring, msg))
        return 0;
    int r = ring_push(&port->ring, msg);
    return r == RING_FULL ? send_later(port, msg, limit) : r == 0 ? 0 : outcome(port, r, false);
}

static int send_within(int id, long msg, const struct limit *limit)
{
    struct attach_port *port;
    int r = attach_enter(id, &port);
    if (r == 0)
        r = send_one(port, msg, limit);
    if (r == 0)
        tell_receivers(port);
    return leave(id, r);
}

PUBLIC int psend(int portid, long msg)
{
    return send_within(portid, msg, &forever);
}

PUBLIC int ptrysend(int portid, long msg)
{
    return send_within(portid, msg, &never);
}

PUBLIC int ptimedsend(int portid, long msg, const struct timespec *deadline)
{
    struct limit limit = {true, deadline};
    return is_time(deadline) ? send_within(portid, msg, &limit) : refuse(EINVAL);
}

static ssize_t send_all(int id, const long *msgs, size_t n, const struct limit *limit)
{
    struct attach_port *port;
    if (!msgs || n == 0)
        return refuse(EINVAL);
    int r = attach_enter(id, &port);
    if (r < 0)
        return leave(id, r);
    size_t sent = 0;
    while (sent < n && r == 0) {
        r = ring_push(&port->ring, msgs[sent]);
        if (r == RING_FULL) {
            if (sent > 0)
                tell_receivers(port); /* who are to make room */
            r = send_later(port, msgs[sent], limit);
        } else if (r != 0) {
            r = outcome(port, r, false);
        }
        sent += r == 0;
    }
    if (sent == 0)
        return leave(id, r);
    tell_receivers(port);
    attach_leave();
    return (ssize_t)sent;
}

PUBLIC ssize_t psendv(int portid, const long *msgs, size_t n)
{
    return send_all(portid, msgs, n, &forever);
}

PUBLIC ssize_t ptrysendv(int portid, const long *msgs, size_t n)
{
    return send_all(portid, msgs, n, &never);
}

/* ------------------------------------------------------------- receiving -- */

/* The port was empty, and this call does not block. */
static int receive_none(struct attach_port *port, long *msgs, size_t n, size_t *taken)
{
    waiting_settle(port->ring.segment, SIDE_SENDERS);
    if (!atomic_load_explicit(&port->has_bell, memory_order_relaxed))
        return -EAGAIN;
    bell_rearm(port);
    int r = ring_pop(&port->ring, msgs, n, taken);
    return r == RING_EMPTY ? -EAGAIN : outcome(port, r, false);
}

/* The port was empty: does a glance or two find a message? */
static int receive_soon(struct attach_port *port, long *msgs, size_t n, size_t *taken)
{
    const struct ring *ring = &port->ring;
    struct habit *habit = &port->habit[SIDE_RECEIVERS];
    int r = RING_EMPTY;
    *taken = 1;
    waiting_lull(habit);
    for (unsigned i = 0; i < GLANCES && r == RING_EMPTY; ++i) {
        if (n == 1)
            r = ring_try_pop(ring, msgs) ? 0 : RING_EMPTY;
        else if (ring_has_message(ring))
            r = ring_pop(ring, msgs, n, taken);
    }
    if (r == 0)
        waiting_learn(habit, ring_has_message(ring), ring->count);
    return r;
}

/* The port was empty. */
static int receive_later(struct attach_port *port, long *msgs, size_t n, size_t *taken,
                         const struct limit *limit)
{
    if (!limit->blocks)
        return receive_none(port, msgs, n, taken);
    int r = receive_soon(port, msgs, n, taken);
    if (r != RING_EMPTY)
        return r == 0 ? 0 : outcome(port, r, true);
    struct wait wait;
    waiting_begin(&wait, port->ring.segment, SIDE_RECEIVERS, &port->habit[SIDE_RECEIVERS],
                  limit->deadline);
    while (r == RING_EMPTY) {
        r = waiting_step(&wait);
        if (r == 0)
            r = ring_pop(&port->ring, msgs, n, taken);
    }
    waiting_end(&wait);
    return outcome(port, r, true);
}

static int receive_some(struct attach_port *port, long *msgs, size_t n, size_t *taken,
                        const struct limit *limit)
{
    int r = ring_pop(&port->ring, msgs, n, taken);
    if (r == RING_EMPTY)
        return receive_later(port, msgs, n, taken, limit);
    return r == 0 ? 0 : outcome(port, r, false);
}

static inline int receive_one(int id, long *msg, const struct limit *limit)
{
    struct attach_port *port;
    size_t taken = 0;
    int r = attach_enter(id, &port);
    if (r == 0 && !ring_try_pop(&port->ring, msg))
        r = receive_some(port, msg, 1, &taken, limit);
    if (r == 0)
        waiting_settle(port->ring.segment, SIDE_SENDERS);
    return leave(id, r);
}

PUBLIC long preceive(int portid)
{
    long msg = 0;
    if (receive_one(portid, &msg, &forever) < 0)
        return -1;
    if (msg == -1)
        errno = 0;
    return msg;
}

PUBLIC int preceive_r(int portid, long *msg)
{
    return msg ? receive_one(portid, msg, &forever) : refuse(EINVAL);
}

PUBLIC int ptryreceive(int portid, long *msg)
{
    return msg ? receive_one(portid, msg, &never) : refuse(EINVAL);
}

PUBLIC int ptimedreceive(int portid, long *msg, const struct timespec *deadline)
{
    struct limit limit = {true, deadline};
    return msg && is_time(deadline) ? receive_one(portid, msg, &limit) : refuse(EINVAL);
}

static ssize_t receive_batch(int id, long *msgs, size_t n, const struct limit *limit)
{
    struct attach_port *port;
    size_t taken = 0;
    if (!msgs || n == 0)
        return refuse(EINVAL);
    int r = attach_enter(id, &port);
    if (r == 0)
        r = receive_some(port, msgs, n, &taken, limit);
    if (r == 0)
        waiting_settle(port->ring.segment, SIDE_SENDERS);
    r = leave(id, r);
    return r < 0 ? r : (ssize_t)taken;
}

PUBLIC ssize_t preceivev(int portid, long *msgs, size_t n)
{
    return receive_batch(portid, msgs, n, &forever);
}

PUBLIC ssize_t ptryreceivev(int portid, long *msgs, size_t n)
{
    return receive_batch(portid, msgs, n, &never);
}
