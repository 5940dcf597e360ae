/* ports_bench.h - the benchmark of Ports IPC: what its files know of each other. */
#ifndef PORTS_BENCH_H
#define PORTS_BENCH_H

#include "bench.h"

#include <errno.h>
#include <string.h>

#define WORKERS_MAX 8

/* ---- ports_bench_rig.c: cores, worker processes, canaries ---- */

/* What a worker leaves for the parent. */
struct report {
    uint64_t begun_ns; /* CLOCK_MONOTONIC */
    uint64_t ended_ns;
    uint64_t spent_ns; /* where the workers add up the time themselves */
    uint64_t idle_ns;  /* ready to run, but another process had its core meanwhile */
    long sum;          /* of the messages received */
};

/* What is told of a row's samples. */
struct canaries {
    double low_us, high_us; /* core to core and back, in the samples that count */
    unsigned repeated;      /* samples thrown away */
    unsigned unsettled;     /* samples that count though they should have been repeated */
};

typedef void worker_fn(void *context, unsigned worker);

/* Chooses two cores of those allowed, makes the folder PORTS_DIR names, and promises that it
 * and the workers are gone at exit. After proc_init(). This process must never use the library,
 * which reads its environment once: workers do. */
void rig_init(double repeats_s);
bool rig_has_two_cores(void);

/* Whether there are the cores for it; else says that it cannot be measured. */
bool rig_offers(enum placement place, const char *what);

/* Runs `work` in processes of their own, 1 to WORKERS_MAX, and waits for all. broken() with
 * what one of them said, if one failed. */
void rig_run(unsigned workers, enum placement place, worker_fn *work, void *context);
const struct report *rig_report(unsigned worker);

/* Fills a contest with `rounds` values of each side. Each lies between two canaries that agree,
 * and all canaries of a round do; else, up to some limit, it is repeated. Likewise if other
 * processes took the core of a worker that has it alone. */
void rig_contest(struct contest *contest, side_fn *measure, void *context, unsigned rounds,
                 struct canaries *canaries);

/* For workers: all of them meet; the report and its clock; the end of the run with a reason. */
void worker_meet(void);
void worker_await_sleep(unsigned worker); /* after a meeting: until that one sleeps */
void worker_clock_starts(void);
void worker_clock_stops(void);
struct report *worker_report(void);
_Noreturn void worker_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void worker_check(bool holds, const char *what)
{
    if (__builtin_expect(!holds, 0)) {
        worker_failed("%s: %s", what, strerror(errno));
    }
}

uint64_t now_ns(void);

/* ---- the measurements, in the order they are run ---- */

void measure_flow(const struct config *config);  /* ports_bench_flow.c: queues of messages */
void measure_calls(const struct config *config); /* ports_bench_calls.c: pcreate and others */
void measure_delivery(const struct config *config); /* ports_bench_poll.c: through poll(2) */

/* What a row adds about its samples; good until the next call. */
const char *canaries_text(const struct canaries *canaries);

#endif
