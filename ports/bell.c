/* Bells: descriptors that poll(2) finds readable when a message may be there. */

#include "bell.h"

#include "nspace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t next_word(uint64_t word, unsigned state)
{
    return ((word | BELL_STATE) + 1) | state;
}

/* ---------------------------------------------------------------- ringing -- */

/* A full FIFO is as readable as it gets. */
static int put_byte(int id, unsigned number)
{
    int fd = nspace_open_fifo(id, number);
    if (fd < 0)
        return fd;
    ssize_t written;
    do {
        written = write(fd, "", 1);
    } while (written < 0 && errno == EINTR);
    close(fd);
    return 0;
}

void bell_ring_armed(struct segment *segment, int id, uint32_t bells)
{
    int error = errno;
    if (bells > SEGMENT_BELLS)
        bells = SEGMENT_BELLS;
    for (uint32_t i = 0; i < bells; ++i) {
        uint64_t word = atomic_load(&segment->bell[i]);
        if ((word & BELL_STATE) != BELL_ARMED)
            continue;
        int r = put_byte(id, i);
        /* Without a descriptor to ring with, it is left to the next sender. */
        if (r == 0 || r == -ENOENT)
            atomic_compare_exchange_strong(&segment->bell[i], &word,
                                           next_word(word, r == 0 ? BELL_TOLD : BELL_FREE));
    }
    errno = error;
}

void bell_end(struct segment *segment, int id)
{
    uint32_t bells = atomic_load(&segment->bells);
    if (bells > SEGMENT_BELLS)
        bells = SEGMENT_BELLS;
    for (uint32_t i = 0; i < bells; ++i) {
        if ((atomic_load(&segment->bell[i]) & BELL_STATE) != BELL_FREE)
            put_byte(id, i);
        nspace_remove_fifo(id, i);
    }
}

/* ---------------------------------------------------------------- getting -- */

/* Does nobody read from that bell? Its process is gone, or died while making it. */
static bool is_abandoned(int id, unsigned number)
{
    int fd = nspace_probe_fifo(id, number);
    if (fd >= 0)
        close(fd);
    return fd == -ENXIO || fd == -ENOENT;
}

/* Under the namespace's lock: nobody else is about to take the same one. */
static int claim(struct segment *segment, int id)
{
    for (int pass = 0; pass < 2; ++pass) {
        for (unsigned i = 0; i < SEGMENT_BELLS; ++i) {
            uint64_t word = atomic_load(&segment->bell[i]);
            bool free = (word & BELL_STATE) == BELL_FREE || (pass == 1 && is_abandoned(id, i));
            if (free && atomic_compare_exchange_strong(&segment->bell[i], &word,
                                                       next_word(word, BELL_TOLD))) {
                uint32_t bells = atomic_load(&segment->bells);
                while (bells <= i &&
                       !atomic_compare_exchange_weak(&segment->bells, &bells, i + 1))
                    ;
                return (int)i;
            }
        }
    }
    return -ENOSPC;
}

static int make(struct attach_port *port)
{
    struct segment *segment = port->ring.segment;
    int lock = nspace_lock();
    if (lock < 0)
        return lock;
    int number = claim(segment, port->id);
    int fd =
        number < 0 ? number : nspace_make_fifo(port->id, (unsigned)number, port->mode & 0666);
    nspace_unlock(lock);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fd < 0 ? fd : -errno;
    port->bell_fd = fd;
    port->bell_inode = status.st_ino;
    port->bell_number = (unsigned)number;
    port->bell_process = getpid();
    atomic_store(&port->has_bell, true);
    return 0;
}

static void arm(struct attach_port *port)
{
    _Atomic(uint64_t) *bell = &port->ring.segment->bell[port->bell_number];
    uint64_t word = atomic_load(bell);
    while (!atomic_compare_exchange_weak(bell, &word, next_word(word, BELL_ARMED)))
        ;
    ring_fence();
}

int bell_get(struct attach_port *port)
{
    attach_lock();
    int r = 0;
    if (port->bell_process != getpid())
        attach_close_bell(port);
    if (!attach_has_bell(port))
        r = make(port);
    if (r == 0)
        r = fcntl(port->bell_fd, F_DUPFD_CLOEXEC, 0);
    if (r == -1)
        r = -errno;
    if (r >= 0) {
        arm(port);
        /* What waits already is told of like what comes. */
        uint64_t waiting, next;
        if (ring_measure(&port->ring, &waiting, &next) != 0 || waiting > 0)
            put_byte(port->id, port->bell_number);
    }
    attach_unlock();
    return r;
}

void bell_rearm(struct attach_port *port)
{
    int error = errno;
    char bytes[256];
    attach_lock();
    if (attach_has_bell(port)) {
        while (read(port->bell_fd, bytes, sizeof bytes) > 0)
            ;
        arm(port);
    }
    attach_unlock();
    errno = error;
}
