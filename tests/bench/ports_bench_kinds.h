/*
 * ports_bench_kinds.h - the queues that are compared, and the loops that use them.
 *
 * The loops are expanded for each kind with its own operations in place: a bare ring spends
 * less on a message than a call through a pointer costs.
 */
#ifndef PORTS_BENCH_KINDS_H
#define PORTS_BENCH_KINDS_H

#include "ports_bench.h"

#define SENDERS_MAX 4  /* of one queue */
#define LINE        64 /* bytes of a cache line */

/* One queue as one process knows it. */
struct queue {
    unsigned count;    /* messages it was asked to hold */
    unsigned capacity; /* messages it does hold */
    int id;            /* of the port, the SysV queue or the mq */
    int ends[2];       /* of the pipe */
    void *shared;      /* memory that all workers see, of shared_bytes */
    size_t shared_bytes;
    uint64_t tail, head;           /* ring: what this process has sent and received */
    uint64_t tail_seen, head_seen; /* ring: what it last saw of the other end's */
};

enum part {
    PART_SEND,    /* first, first + 1, ... */
    PART_RECEIVE, /* them, and nothing else */
    PART_SEND_MIXED,
    PART_RECEIVE_MIXED, /* from several senders, each of them in order */
    PART_PING,          /* sends to the first queue, receives from the second */
    PART_PONG,          /* the other way round */
    PART_PAIR           /* sends to the first queue and receives from it */
};

struct run {
    enum part part;
    unsigned sender; /* below SENDERS_MAX; of PART_SEND_MIXED */
    long first;
    long messages;
};

struct kind {
    const char *name;
    void (*open)(struct queue *queue); /* in the parent; count is set */
    void (*make)(struct queue *queue); /* in one worker, or NULL */
    void (*join)(struct queue *queue); /* in every worker after that, or NULL */
    void (*drop)(struct queue *queue); /* in the worker that made it, at the end, or NULL */
    void (*close)(struct queue *queue);
    long (*run)(struct queue queues[2], const struct run *run); /* the sum of what came */
};

extern const struct kind port_kind;       /* ports_bench_kinds.c */
extern const struct kind quiet_port_kind; /* without spinning */
extern const struct kind mq_kind;         /* ports_bench_kernel.c */
extern const struct kind sysv_kind;
extern const struct kind pipe_kind;
extern const struct kind ring_kind; /* ports_bench_memory.c */
extern const struct kind robust_kind;
extern const struct kind futex_kind; /* one message, one sender, one receiver */

/* With privilege: kernel queues of this process's own, as long as any count wants them, which
 * end with it. */
void kernel_queues_init(void);

/* The queues of a run, opened in the parent; kinds_init() sees to those left at exit. */
void kinds_init(void);
void kind_open(const struct kind *kind, struct queue *queues, unsigned queue_count,
               unsigned messages);
void kind_close(const struct kind *kind, struct queue *queues, unsigned queue_count);

void queue_share(struct queue *queue, size_t bytes); /* zeroed memory for all workers */
void queue_unshare(struct queue *queue);

_Noreturn void queue_wrong(long got, long expected);

/* ---- the loops ---- */

#define INLINE static inline __attribute__((always_inline))

typedef void put_fn(struct queue *queue, long message);
typedef long take_fn(struct queue *queue);

/* A message of several senders: who, and the how manieth. */
INLINE long mixed_message(long number, unsigned sender)
{
    return number * SENDERS_MAX + (long)sender;
}

INLINE void check_message(long got, long expected)
{
    if (__builtin_expect(got != expected, 0)) {
        queue_wrong(got, expected);
    }
}

INLINE long loop_receive(take_fn *take, struct queue *queue, const struct run *run)
{
    long sum = 0;

    for (long i = 0; i < run->messages; i++) {
        long got = take(queue);

        check_message(got, run->first + i);
        sum += got;
    }
    return sum;
}

INLINE long loop_receive_mixed(take_fn *take, struct queue *queue, const struct run *run)
{
    long last[SENDERS_MAX];
    long sum = 0;

    for (unsigned i = 0; i < SENDERS_MAX; i++) {
        last[i] = run->first - 1;
    }
    for (long i = 0; i < run->messages; i++) {
        long got = take(queue);
        unsigned sender = (unsigned)(got % SENDERS_MAX);

        if (__builtin_expect(got < 0 || got / SENDERS_MAX <= last[sender], 0)) {
            queue_wrong(got, mixed_message(last[sender] + 1, sender));
        }
        last[sender] = got / SENDERS_MAX;
        sum += got;
    }
    return sum;
}

INLINE long loop_ping(put_fn *put, take_fn *take, struct queue *to, struct queue *from,
                      const struct run *run)
{
    long sum = 0;

    for (long i = 0; i < run->messages; i++) {
        long got;

        put(to, run->first + i);
        got = take(from);
        check_message(got, run->first + i);
        sum += got;
    }
    return sum;
}

INLINE long loop_pong(put_fn *put, take_fn *take, struct queue *to, struct queue *from,
                      const struct run *run)
{
    long sum = 0;

    for (long i = 0; i < run->messages; i++) {
        long got = take(from);

        check_message(got, run->first + i);
        put(to, got);
        sum += got;
    }
    return sum;
}

/* The compiler keeps the copies' fields in registers. */
INLINE long run_loops(put_fn *put, take_fn *take, struct queue queues[2], const struct run *run)
{
    struct queue first = queues[0];
    struct queue second = queues[1];
    long sum = 0;

    switch (run->part) {
    case PART_SEND:
        for (long i = 0; i < run->messages; i++) {
            put(&first, run->first + i);
        }
        break;
    case PART_RECEIVE:
        sum = loop_receive(take, &first, run);
        break;
    case PART_SEND_MIXED:
        for (long i = 0; i < run->messages; i++) {
            put(&first, mixed_message(run->first + i, run->sender));
        }
        break;
    case PART_RECEIVE_MIXED:
        sum = loop_receive_mixed(take, &first, run);
        break;
    case PART_PING:
        sum = loop_ping(put, take, &first, &second, run);
        break;
    case PART_PONG:
        sum = loop_pong(put, take, &second, &first, run);
        break;
    case PART_PAIR:
        sum = loop_ping(put, take, &first, &first, run);
        break;
    }
    queues[0] = first;
    queues[1] = second;
    return sum;
}

#endif
