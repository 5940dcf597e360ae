/*
 * ports_bench_kinds - ports as one of the queues, and what all kinds share.
 */
#include "ports_bench_kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ports.h>

static const struct kind *open_kind;
static struct queue *open_queues;
static unsigned open_count = 0;

_Noreturn void queue_wrong(long got, long expected)
{
    worker_failed("received %ld instead of %ld (errno: %s)", got, expected, strerror(errno));
}

void queue_share(struct queue *queue, size_t bytes)
{
    void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        system_failed("mmap");
    }
    queue->shared = shared;
    queue->shared_bytes = bytes;
}

void queue_unshare(struct queue *queue)
{
    munmap(queue->shared, queue->shared_bytes);
    queue->shared = NULL;
}

static void close_rest(void)
{
    if (open_count > 0) {
        kind_close(open_kind, open_queues, open_count);
    }
}

void kinds_init(void)
{
    atexit(close_rest);
}

void kind_open(const struct kind *kind, struct queue *queues, unsigned queue_count,
               unsigned messages)
{
    open_kind = kind;
    open_queues = queues;
    for (unsigned i = 0; i < queue_count; i++) {
        memset(&queues[i], 0, sizeof(queues[i]));
        queues[i].count = messages;
        queues[i].capacity = messages;
        kind->open(&queues[i]);
        open_count++;
    }
}

void kind_close(const struct kind *kind, struct queue *queues, unsigned queue_count)
{
    open_count = 0;
    for (unsigned i = 0; i < queue_count; i++) {
        kind->close(&queues[i]);
    }
}

/* ---- ports: their ids lie in memory that all workers see ---- */

static void port_open(struct queue *queue)
{
    queue_share(queue, sizeof(int));
}

static void port_make(struct queue *queue)
{
    int id = pcreate((int)queue->count);

    worker_check(id > 0, "pcreate");
    *(int *)queue->shared = id;
}

static void quiet_port_make(struct queue *queue)
{
    worker_check(setenv("PORTS_SPIN", "0", 1) == 0, "setenv");
    port_make(queue);
}

static void port_join(struct queue *queue)
{
    queue->id = *(const int *)queue->shared;
    worker_check(pgetcount(queue->id) == 0, "pgetcount");
}

static void quiet_port_join(struct queue *queue)
{
    worker_check(setenv("PORTS_SPIN", "0", 1) == 0, "setenv");
    port_join(queue);
}

static void port_drop(struct queue *queue)
{
    worker_check(pgetcount(queue->id) == 0, "pgetcount at the end");
    worker_check(pdelete(queue->id, NULL) == 0, "pdelete");
}

static void port_put(struct queue *queue, long message)
{
    worker_check(psend(queue->id, message) == 0, "psend");
}

static long port_take(struct queue *queue)
{
    return preceive(queue->id);
}

static long port_run(struct queue queues[2], const struct run *run)
{
    return run_loops(port_put, port_take, queues, run);
}

const struct kind port_kind = {"ports",   port_open,     port_make, port_join,
                               port_drop, queue_unshare, port_run};

const struct kind quiet_port_kind = {
    "ports, PORTS_SPIN=0", port_open, quiet_port_make, quiet_port_join, port_drop,
    queue_unshare,         port_run};
