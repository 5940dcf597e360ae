/* Waiting for the other side of a port, and waking it. */

#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Spinning pays when the other side runs on another core and answers within
 * the time that a sleep and a wake take, which is what SPIN_NS is. When that
 * has failed a few times the spin is left out, but for the 4th, 8th, 16th, ...
 * and each RETRYth failure, lest one hiccup decides for ever.
 */
enum {
    SPIN_NS = 40000,
    FAILURES_MAX = 3,
    RETRY = 1024,
    LOOKS_MIN = 4,        /* the spin that is never left out */
    LOOKS_PER_CLOCK = 64, /* looks between two readings of the clock */
    LULL_MAX = 64,        /* pauses */
};

enum stage {
    STAGE_SPIN,
    STAGE_YIELD,
    STAGE_ARM,
    STAGE_SLEEP,
};

/* ------------------------------------------------------------------ time -- */

static uint64_t ns_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ns_of(&now);
}

static inline void rest(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* PORTS_SPIN=0 in the environment: nobody spins, as on one core. */
static bool may_spin(void)
{
    static _Atomic(int) answer; /* 0: not asked yet */
    int known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (known == 0) {
        const char *value = getenv("PORTS_SPIN");
        known = value && strcmp(value, "0") == 0 ? -1 : 1;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known > 0;
}

/* ----------------------------------------------------------------- futex -- */

/* Does `operation` to the word and wakes all that sleep on it, in one step. */
static void change_and_wake(struct segment *segment, int operation, int argument)
{
    int error = errno;
    uint32_t encoded = FUTEX_OP((uint32_t)operation, (uint32_t)argument, FUTEX_OP_CMP_EQ, 0u);
    syscall(SYS_futex, &segment->word, FUTEX_WAKE_OP, INT_MAX, 0L, &segment->word, encoded);
    errno = error;
}

void waiting_wake(struct segment *segment, enum side side)
{
    change_and_wake(segment, FUTEX_OP_ANDN, (int)waiting_bit(side));
}

void waiting_reset(struct segment *segment)
{
    atomic_fetch_add(&segment->resets, 1);
    change_and_wake(segment, FUTEX_OP_ANDN, WORD_RECEIVERS | WORD_SENDERS);
}

void waiting_kill(struct segment *segment)
{
    change_and_wake(segment, FUTEX_OP_OR, WORD_DEAD);
}

/* linux/futex.h has these since 5.16 only. */
struct waitv {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#ifndef FUTEX_32
#define FUTEX_32 2
#endif

struct timespec64 {
    int64_t seconds;
    int64_t nanoseconds;
};

static _Atomic(bool) waitv_is_missing; /* before Linux 5.16, and under some tools */

/*
 * Sleeps as long as the word is `word`, a nap at most. futex_waitv() goes on
 * after a handler with SA_RESTART, its end of time notwithstanding; FUTEX_WAIT
 * does so only without one, and so without it the nap is given up.
 */
static int sleep_restarting(struct segment *segment, uint32_t word)
{
    if (!atomic_load_explicit(&waitv_is_missing, memory_order_relaxed)) {
        uint64_t until = now_ns() + (uint64_t)WAITING_NAP_MS * 1000000u;
        struct timespec64 end = {(int64_t)(until / 1000000000u),
                                 (int64_t)(until % 1000000000u)};
        struct waitv wait = {word, (uint64_t)(uintptr_t)&segment->word, FUTEX_32, 0};
        if (syscall(SYS_futex_waitv, &wait, 1, 0, &end, CLOCK_MONOTONIC) >= 0)
            return 0;
        if (errno != ENOSYS && errno != EPERM)
            return errno == EINTR ? -EINTR : 0;
        atomic_store_explicit(&waitv_is_missing, true, memory_order_relaxed);
    }
    if (syscall(SYS_futex, &segment->word, FUTEX_WAIT, word, NULL) == 0)
        return 0;
    return errno == EINTR ? -EINTR : 0;
}

/* The same, until `deadline` at most; any handler ends it. */
static int sleep_timed(struct segment *segment, uint32_t word, const struct timespec *deadline)
{
    uint64_t nap = now_ns() + (uint64_t)WAITING_NAP_MS * 1000000u;
    struct timespec until = *deadline;
    if (ns_of(deadline) > nap) {
        until.tv_sec = (time_t)(nap / 1000000000u);
        until.tv_nsec = (long)(nap % 1000000000u);
    }
    if (syscall(SYS_futex, &segment->word, FUTEX_WAIT_BITSET, word, &until, NULL,
                FUTEX_BITSET_MATCH_ANY) == 0)
        return 0;
    return errno == EINTR ? -EINTR : 0;
}

/* -------------------------------------------------------------- sleepers -- */

/*
 * A sleeper's record: its thread in the upper half, the low bits of the time
 * at which it was started in the lower, and in the lowest bit the side.
 */
static __thread uint64_t own_record __attribute__((tls_model("initial-exec")));
static __thread pid_t own_thread __attribute__((tls_model("initial-exec")));

/* The time at which a thread was started, in ticks since boot; 0: there is no such thread. */
static uint32_t start_of(pid_t thread)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *at = strrchr(text, ')'); /* the name before may hold anything */
    unsigned long long ticks;
    if (!at ||
        sscanf(
            at + 1,
            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
            &ticks) != 1)
        return 0;
    return (uint32_t)(ticks & (UINT32_MAX >> 1)) | 1u;
}

static uint64_t record_of(enum side side)
{
    pid_t thread = (pid_t)syscall(SYS_gettid);
    if (thread != own_thread) { /* the first time, or a child of fork() */
        own_thread = thread;
        own_record = (uint64_t)(uint32_t)thread << 32 | (uint32_t)(start_of(thread) << 1);
    }
    return own_record | (uint64_t)side;
}

static bool is_asleep(uint64_t record)
{
    pid_t thread = (pid_t)(record >> 32);
    return (uint32_t)(start_of(thread) << 1) == ((uint32_t)record & ~1u);
}

/* Takes a record that is free, or that a dead thread left. -1: all are in use. */
static int write_down(struct segment *segment, uint64_t record)
{
    unsigned first = (unsigned)(record >> 32);
    for (int pass = 0; pass < 2; ++pass) {
        for (unsigned i = 0; i < SEGMENT_SLEEPERS; ++i) {
            unsigned at = (first + i) % SEGMENT_SLEEPERS;
            uint64_t old = atomic_load_explicit(&segment->sleeper[at], memory_order_relaxed);
            bool free = old == 0 || (pass == 1 && !is_asleep(old));
            if (free && atomic_compare_exchange_strong(&segment->sleeper[at], &old, record))
                return (int)at;
        }
    }
    return -1;
}

int waiting_sleepers(const struct segment *segment, enum side side)
{
    int n = 0;
    for (unsigned i = 0; i < SEGMENT_SLEEPERS; ++i) {
        uint64_t record = atomic_load_explicit(&segment->sleeper[i], memory_order_relaxed);
        n += record != 0 && (record & 1) == (uint64_t)side && is_asleep(record);
    }
    return n;
}

/* ----------------------------------------------------------------- steps -- */

void waiting_begin(struct wait *wait, struct segment *segment, enum side side,
                   struct habit *habit, const struct timespec *deadline)
{
    *wait = (struct wait){
        .segment = segment,
        .habit = habit,
        .deadline = deadline,
        .resets = atomic_load_explicit(&segment->resets, memory_order_acquire),
        .side = side,
        .stage = may_spin() ? STAGE_SPIN : STAGE_ARM,
    };
    waiting_settle(segment, waiting_other(side));
}

/* What has happened to the port since the call began to wait. */
static int check_port(const struct wait *wait)
{
    struct segment *segment = wait->segment;
    if (atomic_load_explicit(&segment->word, memory_order_acquire) & WORD_DEAD)
        return -EIDRM;
    return atomic_load_explicit(&segment->resets, memory_order_acquire) != wait->resets
               ? -ECANCELED
               : 0;
}

/* Is the whole spin worth it? */
static bool pays(const struct habit *habit)
{
    unsigned failures = atomic_load_explicit(&habit->failures, memory_order_relaxed);
    return failures < FAILURES_MAX || (failures & (failures - 1)) == 0 || failures % RETRY == 0;
}

/* One look later; true when the time for that is over. The clock is not read before it has to
 * be: an answer often comes sooner than that takes. */
static bool spin(struct wait *wait)
{
    unsigned looks = wait->looks++;
    rest();
    if (looks == LOOKS_MIN && !pays(wait->habit))
        return true;
    if (looks % LOOKS_PER_CLOCK != LOOKS_PER_CLOCK - 1)
        return false;
    uint64_t now = now_ns();
    if (wait->spin_until_ns == 0)
        wait->spin_until_ns = now + SPIN_NS;
    return now >= wait->spin_until_ns;
}

/* Sets the side's bit; the word to sleep on is in wait->word. */
static void arm(struct wait *wait)
{
    struct segment *segment = wait->segment;
    uint32_t bit = waiting_bit(wait->side);
    uint32_t word = atomic_load(&segment->word);
    while (!(word & (bit | WORD_DEAD))) {
        uint32_t armed = (word | bit) + WORD_EPOCH;
        if (atomic_compare_exchange_weak(&segment->word, &word, armed))
            word = armed;
    }
    ring_fence();
    wait->word = word;
}

static int sleep_now(struct wait *wait)
{
    struct segment *segment = wait->segment;
    if (wait->deadline && now_ns() >= ns_of(wait->deadline))
        return -ETIMEDOUT;
    int at = write_down(segment, record_of(wait->side));
    int r = wait->deadline ? sleep_timed(segment, wait->word, wait->deadline)
                           : sleep_restarting(segment, wait->word);
    if (at >= 0)
        atomic_store_explicit(&segment->sleeper[at], 0, memory_order_relaxed);
    waiting_settle(segment, waiting_other(wait->side));
    return r;
}

int waiting_step(struct wait *wait)
{
    int error = errno;
    int r = check_port(wait);
    if (r != 0)
        return r;
    switch ((enum stage)wait->stage) {
    case STAGE_SPIN:
        if (spin(wait))
            wait->stage = STAGE_YIELD;
        break;
    case STAGE_YIELD:
        sched_yield();
        wait->stage = STAGE_ARM;
        break;
    case STAGE_ARM:
        arm(wait);
        wait->stage = STAGE_SLEEP;
        break;
    case STAGE_SLEEP:
        r = sleep_now(wait);
        wait->stage = STAGE_ARM;
        if (r == 0)
            r = check_port(wait);
        break;
    }
    errno = error;
    return r;
}

void waiting_end(struct wait *wait)
{
    struct habit *habit = wait->habit;
    unsigned failures = atomic_load_explicit(&habit->failures, memory_order_relaxed);
    if (wait->stage != STAGE_SPIN)
        atomic_store_explicit(&habit->failures, failures + 1, memory_order_relaxed);
    else if (failures != 0)
        atomic_store_explicit(&habit->failures, 0, memory_order_relaxed);
}

/* ------------------------------------------------------------------ lulls -- */

void waiting_lull(const struct habit *habit)
{
    for (unsigned n = atomic_load_explicit(&habit->lull, memory_order_relaxed); n > 0; --n)
        rest();
}

void waiting_learn(struct habit *habit, bool more, uint64_t count)
{
    unsigned lull = atomic_load_explicit(&habit->lull, memory_order_relaxed);
    unsigned next = more ? lull * 2 + 1 : lull / 2;
    unsigned most = count / 4 < LULL_MAX ? (unsigned)(count / 4) : LULL_MAX;
    if (next > most)
        next = most;
    if (next != lull)
        atomic_store_explicit(&habit->lull, next, memory_order_relaxed);
}
