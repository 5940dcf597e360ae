/* The public calls that make, name, show, empty and end ports. */

#include "attach.h"
#include "bell.h"
#include "nspace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* Ends a call: 0 or more as it is, with the errno that the call began with; a negative errno as
 * -1 with errno. */
static int give(int r, int error)
{
    errno = r < 0 ? -r : error;
    return r < 0 ? -1 : r;
}

/* What a finding of the ring is as an error. */
static int error_of(int found)
{
    return found == RING_DEAD ? -EINVAL : found == RING_DAMAGED ? -EIO : found < 0 ? found : 0;
}

static bool is_dead(const struct attach_port *port)
{
    return atomic_load(&port->ring.segment->word) & WORD_DEAD;
}

/* -EINVAL for a pinned port that is dead, which is unpinned and forgotten. */
static int check_living(int id, struct attach_port **port)
{
    if (!is_dead(*port))
        return 0;
    ring_kill(&(*port)->ring);
    attach_unpin(*port);
    attach_forget(id);
    return -EINVAL;
}

/* Pins a port that lives. */
static int pin_living(int id, struct attach_port **port)
{
    int r = attach_pin(id, port);
    return r < 0 ? r : check_living(id, port);
}

static int is_living(int id)
{
    struct attach_port *port;
    int r = pin_living(id, &port);
    if (r == 0)
        attach_unpin(port);
    return r;
}

/* ---------------------------------------------------------------- ending -- */

/* Takes from the namespace what a dead port has there. Under the namespace's lock. */
static void remove_files(const struct attach_port *port)
{
    struct segment *segment = port->ring.segment;
    char name[PORTS_NAME_MAX + 1] = "";
    ring_kill(&port->ring); /* who marked it as dead may not have lived to do so */
    memcpy(name, segment->name, PORTS_NAME_MAX);
    if (atomic_load(&segment->name_state) != NAME_NONE && nspace_resolve(name) == port->id)
        nspace_unlink(name);
    nspace_remove(port->id);
    bell_end(segment, port->id);
}

static void drain(const struct attach_port *port, int (*dispose)(long))
{
    long msg;
    while (ring_drain(&port->ring, &msg) == 0)
        if (dispose)
            dispose(msg);
}

/*
 * Marks the port as dead and removes its files. One that was dead already is
 * finished here if whoever killed it did not live to do so.
 */
static int end_port(const struct attach_port *port)
{
    int lock = nspace_lock();
    if (lock < 0)
        return lock;
    int r = is_dead(port) && !nspace_exists(port->id) ? -EINVAL : 0;
    if (r == 0) {
        waiting_kill(port->ring.segment);
        ring_kill(&port->ring);
        remove_files(port);
    }
    nspace_unlock(lock);
    return r;
}

PUBLIC int pdelete(int portid, int (*dispose)(long))
{
    int error = errno;
    struct attach_port *port;
    int r = attach_pin(portid, &port);
    if (r < 0)
        return give(r, error);
    r = end_port(port);
    if (r == 0)
        drain(port, dispose);
    if (r == 0 || r == -EINVAL)
        attach_forget(portid);
    attach_unpin(port);
    return give(r, error);
}

PUBLIC int preset(int portid, int (*dispose)(long))
{
    int error = errno;
    struct attach_port *port;
    int r = pin_living(portid, &port);
    if (r < 0)
        return give(r, error);
    struct segment *segment = port->ring.segment;
    uint64_t waiting, end;
    r = ring_measure(&port->ring, &waiting, &end);
    if (r == 0)
        waiting_reset(segment);
    long msg;
    while (r == 0 && (r = ring_pop_below(&port->ring, end, &msg)) == 0) {
        waiting_settle(segment, SIDE_SENDERS);
        if (dispose)
            dispose(msg);
    }
    attach_unpin(port);
    return give(error_of(r), error);
}

/* ---------------------------------------------------------------- naming -- */

/* Frees a name that a dead port left behind. Under the lock. 0, or -EEXIST with *id for a
 * living port's. */
static int free_name(const char *name, int *id)
{
    *id = nspace_resolve(name);
    if (*id == -ENOENT)
        return 0;
    if (*id < 0)
        return *id;
    struct attach_port *port;
    int r = attach_pin(*id, &port);
    if (r == -EINVAL) { /* no file: it died, or was never published */
        nspace_unlink(name);
        return 0;
    }
    if (r < 0)
        return r;
    bool dead = is_dead(port);
    if (dead)
        remove_files(port);
    attach_unpin(port);
    return dead ? 0 : -EEXIST;
}

/* What a process that died in bind() left is settled first. Under the lock. */
static enum name_state settle_name(const struct attach_port *port)
{
    struct segment *segment = port->ring.segment;
    char name[PORTS_NAME_MAX + 1] = "";
    enum name_state state = (enum name_state)atomic_load(&segment->name_state);
    if (state == NAME_COMING) {
        memcpy(name, segment->name, PORTS_NAME_MAX);
        state = nspace_resolve(name) == port->id ? NAME_BOUND : NAME_NONE;
        atomic_store(&segment->name_state, state);
    }
    return state;
}

static int bind_locked(const struct attach_port *port, const char *name)
{
    struct segment *segment = port->ring.segment;
    int other;
    if (is_dead(port))
        return -EINVAL;
    if (settle_name(port) != NAME_NONE)
        return -EISCONN;
    int r = free_name(name, &other);
    if (r < 0)
        return r;
    memset(segment->name, 0, sizeof segment->name);
    memcpy(segment->name, name, strnlen(name, PORTS_NAME_MAX));
    atomic_store(&segment->name_state, NAME_COMING);
    r = nspace_link(name, port->id);
    atomic_store(&segment->name_state, r == 0 ? NAME_BOUND : NAME_NONE);
    return r;
}

PUBLIC int pbind(int portid, const char *name)
{
    int error = errno;
    struct attach_port *port;
    if (!name)
        return give(-EINVAL, error);
    int r = pin_living(portid, &port);
    if (r < 0)
        return give(r, error);
    int lock = nspace_lock();
    r = lock < 0 ? lock : bind_locked(port, name);
    if (lock >= 0)
        nspace_unlock(lock);
    attach_unpin(port);
    return give(r, error);
}

PUBLIC int pgetport(const char *name)
{
    int error = errno;
    if (!name)
        return give(-EINVAL, error);
    int id = nspace_resolve(name);
    if (id < 0)
        return give(id, error);
    int r = is_living(id);
    return give(r == 0 ? id : r == -EINVAL ? -ENOENT : r, error);
}

/* ---------------------------------------------------------------- making -- */

/* The first lines of a port to be, with its name, if it gets one. */
static int write_lines(int fd, int id, int count, const char *name)
{
    struct segment segment;
    memset(&segment, 0, sizeof segment);
    segment_init(&segment, id, count);
    if (name) {
        memcpy(segment.name, name, strnlen(name, PORTS_NAME_MAX));
        atomic_store(&segment.name_state, NAME_BOUND);
    }
    size_t bytes = offsetof(struct segment, head);
    ssize_t written = pwrite(fd, &segment, bytes, 0);
    return written == (ssize_t)bytes ? 0 : written < 0 ? -errno : -EIO;
}

/*
 * The name is linked before the port is there: whoever dies in between leaves
 * a link to nothing, which is as good as no link.
 */
static int publish_as(int fd, int id, int count, const char *name)
{
    int r = write_lines(fd, id, count, name);
    if (r == 0 && name)
        r = nspace_link(name, id);
    if (r < 0)
        return r;
    r = nspace_publish(fd, id);
    if (r < 0 && name)
        nspace_unlink(name);
    return r;
}

/* Under the lock if there is a name, which is free. The id, or a negative errno. */
static int make_port(int count, const char *name, const mode_t *mode)
{
    struct attach_port *port;
    int fd = nspace_make(segment_bytes(segment_log2(count)), mode);
    if (fd < 0)
        return fd;
    int id, r;
    do { /* an id that is in use was given out 2^31 creations ago */
        id = nspace_next_id();
        r = id < 0 ? id : publish_as(fd, id, count, name);
    } while (r == -EEXIST);
    if (r < 0) {
        close(fd);
        return r;
    }
    r = attach_made(fd, id, &port);
    if (r < 0) {
        if (name)
            nspace_unlink(name);
        nspace_remove(id);
    }
    return r < 0 ? r : id;
}

static bool is_count(int count)
{
    return count >= 1 && count <= PORTS_COUNT_MAX;
}

PUBLIC int pcreate(int count)
{
    int error = errno;
    return give(is_count(count) ? make_port(count, NULL, NULL) : -EINVAL, error);
}

PUBLIC int pcreate_named(int count, const char *name, int flags, mode_t mode)
{
    int error = errno;
    if (!is_count(count) || !name || (flags & ~O_EXCL) != 0)
        return give(-EINVAL, error);
    int lock = nspace_lock();
    if (lock < 0)
        return give(lock, error);
    int id;
    int r = free_name(name, &id);
    if (r == 0)
        r = make_port(count, name, &mode);
    else if (r == -EEXIST && !(flags & O_EXCL))
        r = id;
    nspace_unlock(lock);
    return give(r, error);
}

/* --------------------------------------------------------------- showing -- */

PUBLIC int pgetcount(int portid)
{
    int error = errno;
    struct attach_port *port;
    int r = attach_enter(portid, &port);
    uint64_t waiting = 0, next;
    if (r == 0) {
        waiting_settle(port->ring.segment, SIDE_RECEIVERS);
        waiting_settle(port->ring.segment, SIDE_SENDERS);
        r = ring_measure(&port->ring, &waiting, &next);
        if (r == RING_DEAD)
            ring_kill(&port->ring);
    }
    attach_leave();
    if (r == RING_DEAD)
        attach_forget(portid);
    return give(r == 0 ? (int)waiting : error_of(r), error);
}

PUBLIC int pgetfd(int portid)
{
    int error = errno;
    struct attach_port *port;
    int r = pin_living(portid, &port);
    if (r < 0)
        return give(r, error);
    r = bell_get(port);
    attach_unpin(port);
    return give(r, error);
}

PUBLIC int pstat(int portid, struct portstat *status)
{
    int error = errno;
    struct attach_port *port;
    if (!status)
        return give(-EINVAL, error);
    int r = attach_visit(portid, &port);
    if (r == 0)
        r = check_living(portid, &port);
    if (r < 0)
        return give(r, error);
    const struct segment *segment = port->ring.segment;
    uint64_t waiting = 0, next;
    r = ring_measure(&port->ring, &waiting, &next);
    *status = (struct portstat){
        .id = portid,
        .capacity = (int)port->ring.count,
        .count = (int)waiting,
        .blocked_senders = waiting_sleepers(segment, SIDE_SENDERS),
        .blocked_receivers = waiting_sleepers(segment, SIDE_RECEIVERS),
        .named = atomic_load(&segment->name_state) == NAME_BOUND,
        .mode = port->mode,
        .uid = port->uid,
        .gid = port->gid,
        .creator = segment->creator,
        .created = {(time_t)segment->created_s, segment->created_ns},
    };
    if (status->named)
        memcpy(status->name, segment->name, PORTS_NAME_MAX);
    attach_unpin(port);
    return give(error_of(r), error);
}

/* Removes what the dead left, unless somebody is at it. */
static void tidy(void)
{
    int lock = nspace_try_lock();
    if (lock < 0)
        return;
    for (int id = nspace_above(0, true); id > 0; id = nspace_above(id, false)) {
        struct attach_port *port;
        if (attach_visit(id, &port) < 0)
            continue;
        bool dead = is_dead(port);
        if (dead)
            remove_files(port);
        attach_unpin(port);
        if (dead)
            attach_forget(id);
    }
    nspace_sweep();
    nspace_unlock(lock);
}

/* Whether pnext() tells of a port: also of one that it cannot map. */
static bool is_there(int id)
{
    struct attach_port *port;
    int r = attach_visit(id, &port);
    if (r < 0)
        return r != -EINVAL;
    bool dead = is_dead(port);
    attach_unpin(port);
    return !dead;
}

/* At the end of what was read when the walk began, the folder is read once more. */
static int walk_from(int id)
{
    bool reread = id == 0;
    for (int next = nspace_above(id, reread);; next = nspace_above(id, reread)) {
        if (next > 0 && is_there(next))
            return next;
        if (next > 0)
            id = next;
        else if (next != -ENOENT || reread)
            return next;
        reread = next < 0;
    }
}

PUBLIC int pnext(int portid)
{
    int error = errno;
    if (portid < 0)
        return give(-EINVAL, error);
    if (portid == 0)
        tidy();
    return give(walk_from(portid), error);
}
