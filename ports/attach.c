/* The ports that this process has mapped. */

#include "attach.h"

#include "nspace.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    BUCKETS = 1024,
    POPULATE_BYTES = 1 << 20, /* larger ports get their pages as they are used */
};

__thread struct attach_thread attach_self __attribute__((tls_model("initial-exec")));
_Atomic(uint64_t) attach_generation = 1;
_Atomic(bool) attach_fenced;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor sees threads end */
static struct attach_thread *threads;
static struct attach_port *buckets[BUCKETS];
static struct attach_port *unused; /* given up, and perhaps somebody is still in */

/* ---------------------------------------------------------------- threads -- */

static void on_thread_end(void *value)
{
    struct attach_thread *self = value;
    pthread_mutex_lock(&mutex);
    if (self->previous)
        self->previous->next = self->next;
    else
        threads = self->next;
    if (self->next)
        self->next->previous = self->previous;
    self->registered = false;
    self->last_id = 0;
    pthread_mutex_unlock(&mutex);
}

/* Under the mutex. */
static void register_thread(struct attach_thread *self)
{
    if (self->registered)
        return;
    self->registered = true;
    self->previous = NULL;
    self->next = threads;
    if (threads)
        threads->previous = self;
    threads = self;
    pthread_setspecific(key, self);
}

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
    nspace_before_fork();
}

static void after_fork_in_parent(void)
{
    nspace_after_fork();
    pthread_mutex_unlock(&mutex);
}

/* Of the threads only this one lives on. */
static void after_fork_in_child(void)
{
    struct attach_thread *self = &attach_self;
    threads = self->registered ? self : NULL;
    self->next = NULL;
    self->previous = NULL;
    nspace_after_fork();
    pthread_mutex_unlock(&mutex);
}

void attach_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void attach_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void start(void)
{
    pthread_key_create(&key, on_thread_end);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) < 0)
        atomic_store(&attach_fenced, true);
}

/* ------------------------------------------------------- mapping, unmapping -- */

bool attach_has_bell(const struct attach_port *port)
{
    struct stat status;
    return port->bell_fd >= 0 && fstat(port->bell_fd, &status) == 0 &&
           status.st_ino == port->bell_inode && S_ISFIFO(status.st_mode);
}

void attach_close_bell(struct attach_port *port)
{
    if (attach_has_bell(port))
        close(port->bell_fd);
    port->bell_fd = -1;
    atomic_store(&port->has_bell, false);
}

static void unmap(struct attach_port *port)
{
    attach_close_bell(port);
    munmap(port->ring.segment, port->bytes);
    free(port);
}

static int map(int fd, int id, const struct stat *status, struct attach_port **port)
{
    size_t bytes = (size_t)status->st_size;
    if (status->st_size < SEGMENT_SLOTS_AT || status->st_size > INT32_MAX)
        return -EIO;
    struct attach_port *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    int populate = bytes <= POPULATE_BYTES ? MAP_POPULATE : 0;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | populate, fd, 0);
    int r = memory == MAP_FAILED ? -errno : segment_check(memory, bytes, id);
    if (r < 0) {
        if (memory != MAP_FAILED)
            munmap(memory, bytes);
        free(made);
        return r;
    }
    ring_init(&made->ring, memory);
    made->id = id;
    made->bytes = bytes;
    made->mode = status->st_mode & 0777;
    made->uid = status->st_uid;
    made->gid = status->st_gid;
    made->bell_fd = -1;
    *port = made;
    return 0;
}

static bool is_in_use(const struct attach_port *port)
{
    if (port->pins > 0)
        return true;
    for (const struct attach_thread *thread = threads; thread; thread = thread->next)
        if (atomic_load_explicit(&thread->in, memory_order_acquire) == port)
            return true;
    return false;
}

/* Under the mutex. */
static void unmap_unused(void)
{
    if (!unused)
        return;
    if (!atomic_load_explicit(&attach_fenced, memory_order_relaxed))
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    ring_fence();
    struct attach_port **link = &unused;
    while (*link) {
        struct attach_port *port = *link;
        if (is_in_use(port)) {
            link = &port->next;
            continue;
        }
        *link = port->next;
        unmap(port);
    }
}

/* -------------------------------------------------------------- the index -- */

static struct attach_port **bucket_of(int id)
{
    return &buckets[(unsigned)id % BUCKETS];
}

static struct attach_port *look_up(int id)
{
    struct attach_port *port = *bucket_of(id);
    while (port && port->id != id)
        port = port->next;
    return port;
}

static void index_port(struct attach_port *port)
{
    struct attach_port **bucket = bucket_of(port->id);
    port->next = *bucket;
    *bucket = port;
}

/* Under the mutex: the port from the index, or mapped anew. */
static int find_or_map(int id, bool visit, struct attach_port **port)
{
    *port = look_up(id);
    if (*port) {
        (*port)->visited = (*port)->visited && visit;
        return 0;
    }
    int fd;
    struct stat status;
    int r = id > 0 ? nspace_open(id, &fd, &status) : -EINVAL;
    if (r < 0)
        return r;
    r = map(fd, id, &status, port);
    close(fd);
    if (r < 0)
        return r;
    unmap_unused();
    (*port)->visited = visit;
    index_port(*port);
    return 0;
}

int attach_find(int id, struct attach_port **port)
{
    struct attach_thread *self = &attach_self;
    int error = errno;
    attach_leave();
    pthread_once(&once, start);
    pthread_mutex_lock(&mutex);
    register_thread(self);
    int r = find_or_map(id, false, port);
    if (r == 0) {
        self->last_id = id;
        self->last = *port;
        self->generation = atomic_load(&attach_generation);
        atomic_store(&self->in, *port);
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return r;
}

static int pin(int id, bool visit, struct attach_port **port)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&mutex);
    int r = find_or_map(id, visit, port);
    if (r == 0)
        (*port)->pins += 1;
    pthread_mutex_unlock(&mutex);
    return r;
}

int attach_pin(int id, struct attach_port **port)
{
    return pin(id, false, port);
}

int attach_visit(int id, struct attach_port **port)
{
    return pin(id, true, port);
}

/* Under the mutex: takes a port from the index to those that wait to be unmapped. */
static void give_up(int id)
{
    struct attach_port **link = bucket_of(id);
    while (*link && (*link)->id != id)
        link = &(*link)->next;
    struct attach_port *port = *link;
    if (!port)
        return;
    *link = port->next;
    port->next = unused;
    unused = port;
    atomic_fetch_add(&attach_generation, 1);
}

void attach_unpin(struct attach_port *port)
{
    pthread_mutex_lock(&mutex);
    port->pins -= 1;
    if (port->visited && port->pins == 0)
        give_up(port->id);
    unmap_unused();
    pthread_mutex_unlock(&mutex);
}

int attach_made(int fd, int id, struct attach_port **port)
{
    struct stat status;
    pthread_once(&once, start);
    int r = fstat(fd, &status) < 0 ? -errno : map(fd, id, &status, port);
    close(fd);
    if (r < 0)
        return r;
    pthread_mutex_lock(&mutex);
    index_port(*port);
    pthread_mutex_unlock(&mutex);
    return 0;
}

void attach_forget(int id)
{
    pthread_mutex_lock(&mutex);
    give_up(id);
    unmap_unused();
    pthread_mutex_unlock(&mutex);
}
