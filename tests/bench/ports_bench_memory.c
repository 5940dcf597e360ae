/*
 * ports_bench_memory - queues in shared memory: the bare ring, mutex and condition, bare futex.
 *
 * The ring is the limit of what two cores can do: one sender, one receiver, no system call, no
 * notion of a peer that dies.
 */
#include "ports_bench_kinds.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- bare ring ---- */

struct ring {
    _Alignas(LINE) _Atomic uint64_t tail; /* messages sent */
    _Alignas(LINE) _Atomic uint64_t head; /* messages received */
    _Alignas(LINE) long slots[];          /* a power of two */
};

static void ring_open(struct queue *queue)
{
    queue_share(queue, sizeof(struct ring) + queue->count * sizeof(long));
}

INLINE void ring_put(struct queue *queue, long message)
{
    struct ring *ring = queue->shared;

    while (queue->tail - queue->head_seen == queue->count) {
        queue->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    }
    ring->slots[queue->tail & (queue->count - 1)] = message;
    queue->tail++;
    atomic_store_explicit(&ring->tail, queue->tail, memory_order_release);
}

INLINE long ring_take(struct queue *queue)
{
    struct ring *ring = queue->shared;
    long message;

    while (queue->head == queue->tail_seen) {
        queue->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    }
    message = ring->slots[queue->head & (queue->count - 1)];
    queue->head++;
    atomic_store_explicit(&ring->head, queue->head, memory_order_release);
    return message;
}

static long ring_run(struct queue queues[2], const struct run *run)
{
    return run_loops(ring_put, ring_take, queues, run);
}

const struct kind ring_kind = {
    .name = "bare ring", .open = ring_open, .close = queue_unshare, .run = ring_run};

/* ---- robust mutex and condition variables ---- */

struct robust {
    pthread_mutex_t mutex;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    uint64_t tail;
    uint64_t head;
    long slots[]; /* a power of two */
};

static void robust_open(struct queue *queue)
{
    pthread_mutexattr_t mutex_kind;
    pthread_condattr_t condition_kind;
    struct robust *robust;

    queue_share(queue, sizeof(struct robust) + queue->count * sizeof(long));
    robust = queue->shared;
    pthread_mutexattr_init(&mutex_kind);
    pthread_mutexattr_setpshared(&mutex_kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&mutex_kind, PTHREAD_MUTEX_ROBUST);
    pthread_condattr_init(&condition_kind);
    pthread_condattr_setpshared(&condition_kind, PTHREAD_PROCESS_SHARED);
    errno = pthread_mutex_init(&robust->mutex, &mutex_kind);
    if (errno != 0 || pthread_cond_init(&robust->not_full, &condition_kind) != 0 ||
        pthread_cond_init(&robust->not_empty, &condition_kind) != 0) {
        system_failed("pthread_mutex_init");
    }
    pthread_mutexattr_destroy(&mutex_kind);
    pthread_condattr_destroy(&condition_kind);
}

static void robust_lock(struct robust *robust)
{
    int code = pthread_mutex_lock(&robust->mutex);

    if (code == EOWNERDEAD) {
        code = pthread_mutex_consistent(&robust->mutex);
    }
    if (code != 0) {
        worker_failed("pthread_mutex_lock: %s", strerror(code));
    }
}

static void robust_put(struct queue *queue, long message)
{
    struct robust *robust = queue->shared;

    robust_lock(robust);
    while (robust->tail - robust->head == queue->count) {
        pthread_cond_wait(&robust->not_full, &robust->mutex);
    }
    robust->slots[robust->tail++ & (queue->count - 1)] = message;
    pthread_cond_signal(&robust->not_empty);
    pthread_mutex_unlock(&robust->mutex);
}

static long robust_take(struct queue *queue)
{
    struct robust *robust = queue->shared;
    long message;

    robust_lock(robust);
    while (robust->tail == robust->head) {
        pthread_cond_wait(&robust->not_empty, &robust->mutex);
    }
    message = robust->slots[robust->head++ & (queue->count - 1)];
    pthread_cond_signal(&robust->not_full);
    pthread_mutex_unlock(&robust->mutex);
    return message;
}

static long robust_run(struct queue queues[2], const struct run *run)
{
    return run_loops(robust_put, robust_take, queues, run);
}

const struct kind robust_kind = {
    .name = "robust mutex", .open = robust_open, .close = queue_unshare, .run = robust_run};

/* ---- bare futex: a box with room for one message; nobody sends while it is full ---- */

struct box {
    _Atomic uint32_t full;
    long message;
};

static void box_open(struct queue *queue)
{
    queue_share(queue, sizeof(struct box));
}

static void box_put(struct queue *queue, long message)
{
    struct box *box = queue->shared;

    box->message = message;
    atomic_store_explicit(&box->full, 1, memory_order_release);
    worker_check(syscall(SYS_futex, &box->full, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0,
                 "FUTEX_WAKE");
}

static long box_take(struct queue *queue)
{
    struct box *box = queue->shared;
    long message;

    while (atomic_load_explicit(&box->full, memory_order_acquire) == 0) {
        worker_check(syscall(SYS_futex, &box->full, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ||
                         errno == EAGAIN || errno == EINTR,
                     "FUTEX_WAIT");
    }
    message = box->message;
    atomic_store_explicit(&box->full, 0, memory_order_relaxed);
    return message;
}

static long box_run(struct queue queues[2], const struct run *run)
{
    return run_loops(box_put, box_take, queues, run);
}

const struct kind futex_kind = {
    .name = "bare futex", .open = box_open, .close = queue_unshare, .run = box_run};
