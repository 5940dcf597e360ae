/*
 * Kills senders and receivers at random instants and puts others in their place.
 *
 * Usage: kill-storm ?-kills N? ?-seed N? ?-first?
 *
 * A round has a port of 1, 3, 16 or 1000 messages, 1 to 6 senders and as many
 * receivers, which send and receive one message at a time or several. It ends
 * with the port drained, or deleted in full traffic. Meanwhile somebody resets
 * the port now and then, and some are stopped for a while before they are
 * killed. A round in which nothing moves for PATIENCE_MS has failed.
 *
 * The seed decides what a round is like, but the kernel who runs when. The
 * output is TAP.
 */

#include "kill_report.h"
#include "kill_stream.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ports.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SIDE_MAX = 6,  /* senders, and receivers */
    BATCH_MAX = 8, /* messages in one call */
    ROUND_KILLS = 50,
    PAUSE_US = 300,  /* between two kills, at most */
    CHECK_EVERY = 8, /* kills between two looks at whether messages move */
    RESET_EVERY = 40,
    STOP_EVERY = 10,
};

enum role {
    SENDS,
    RECEIVES,
};

struct worker {
    pid_t pid; /* 0: it has ended */
    enum role role;
};

/* One round. */
struct storm {
    int port;
    int count;
    size_t batch;
    int workers_n;
    int of[2]; /* how many of each role */
    bool spins;
    struct worker workers[2 * SIDE_MAX];
    unsigned killed[2];
    const char *fault;
};

/* Of all rounds. */
struct totals {
    unsigned kills, rounds, hangs;
    uint64_t allowed; /* messages that killed receivers may have taken along */
    struct stream_sums sums;
};

static struct streams *streams;
static _Atomic(int) *stopping; /* shared: senders are to end */
static struct stream_reader disposed;
static uint64_t random_state;

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static unsigned dice(unsigned sides)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * 0x2545f4914f6cdd1du >> 32) % sides);
}

/* --------------------------------------------------------------- workers -- */

/* Is the port gone? Anything else but a reset is a failure. */
static bool is_over(int error)
{
    if (error != ECANCELED && error != EIDRM && error != EINVAL)
        _exit(2);
    return error != ECANCELED;
}

static ssize_t send_some(const struct storm *storm, const long *messages, size_t n)
{
    if (storm->batch > 1)
        return psendv(storm->port, messages, n);
    return psend(storm->port, messages[0]) == 0 ? 1 : -1;
}

static ssize_t receive_some(const struct storm *storm, long *messages)
{
    if (storm->batch > 1)
        return preceivev(storm->port, messages, storm->batch);
    return preceive_r(storm->port, &messages[0]) == 0 ? 1 : -1;
}

/* One stream. False when it is time to end. */
static bool send_stream(const struct storm *storm, int stream)
{
    long messages[BATCH_MAX];
    for (uint32_t number = 0; number < STREAM_MESSAGES;) {
        if (atomic_load(stopping))
            return false;
        uint32_t n = (uint32_t)storm->batch;
        if (n > STREAM_MESSAGES - number)
            n = STREAM_MESSAGES - number;
        for (uint32_t i = 0; i < n; ++i)
            messages[i] = stream_message(stream, number + i);
        stream_intend(streams, stream, number + n);
        ssize_t sent = send_some(storm, messages, n);
        int error = errno;
        number += sent > 0 ? (uint32_t)sent : 0;
        stream_sent(streams, stream, number);
        stream_intend(streams, stream, number);
        if (sent < 0 && is_over(error))
            return false;
    }
    return true;
}

static void work_as_sender(const struct storm *storm)
{
    int stream;
    do {
        stream = streams_take(streams);
    } while (stream >= 0 && send_stream(storm, stream));
}

static void work_as_receiver(const struct storm *storm)
{
    static struct stream_reader reader;
    long messages[BATCH_MAX];
    for (;;) {
        ssize_t got = receive_some(storm, messages);
        if (got < 0 && is_over(errno))
            return;
        for (ssize_t i = 0; i < got; ++i)
            stream_got(streams, &reader, messages[i]);
    }
}

static void start_worker(const struct storm *storm, struct worker *worker)
{
    worker->pid = fork();
    if (worker->pid < 0) {
        perror("fork");
        exit(111);
    }
    if (worker->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpriority(PRIO_PROCESS, 0, 0);
    if (worker->role == SENDS)
        work_as_sender(storm);
    else
        work_as_receiver(storm);
    _exit(0);
}

/* ----------------------------------------------------------------- kills -- */

static bool fail(struct storm *storm, const char *fault)
{
    if (!storm->fault)
        storm->fault = fault;
    return false;
}

static void pause_us(unsigned us)
{
    struct timespec time = {0, (long)us * 1000};
    nanosleep(&time, NULL);
}

/* Messages move. */
static bool await_progress(struct storm *storm)
{
    uint64_t before = streams_marked(streams);
    long until = report_ms() + PATIENCE_MS;
    while (streams_marked(streams) == before && !streams_are_used_up(streams)) {
        if (report_ms() > until)
            return fail(storm, "no message moves");
        pause_us(50);
    }
    return true;
}

static int dispose(long message)
{
    stream_got(streams, &disposed, message);
    return 0;
}

static bool kill_one(struct storm *storm)
{
    struct worker *worker = &storm->workers[dice((unsigned)storm->workers_n)];
    int status;
    if (storm->of[worker->role] > 1 && dice(STOP_EVERY) == 0) {
        kill(worker->pid, SIGSTOP);
        if (!await_progress(storm))
            return false;
    }
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return fail(storm, "a call failed");
    storm->killed[worker->role] += WIFSIGNALED(status);
    start_worker(storm, worker);
    return true;
}

static bool blow(struct storm *storm, unsigned kills)
{
    for (unsigned i = 0; i < kills && !streams_are_used_up(streams); ++i) {
        pause_us(dice(PAUSE_US));
        if (!kill_one(storm))
            return false;
        if (i % CHECK_EVERY == 0 && !await_progress(storm))
            return false;
        if (dice(RESET_EVERY) == 0 && preset(storm->port, dispose) < 0)
            return fail(storm, "preset() failed");
    }
    return true;
}

/* ------------------------------------------------------------------- end -- */

/* Waits for those of a role to end by themselves. */
static bool await_end(struct storm *storm, enum role role)
{
    long until = report_ms() + PATIENCE_MS;
    for (int i = 0; i < storm->workers_n; ++i) {
        struct worker *worker = &storm->workers[i];
        int status = 0;
        while (worker->role == role && worker->pid > 0 &&
               waitpid(worker->pid, &status, WNOHANG) == 0) {
            if (report_ms() > until)
                return fail(storm, role == SENDS ? "a sender does not end"
                                                 : "a receiver does not end");
            pause_us(50);
        }
        if (worker->role == role)
            worker->pid = 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            return fail(storm, "a call failed");
    }
    return true;
}

static bool await_empty(struct storm *storm)
{
    long until = report_ms() + PATIENCE_MS;
    while (pgetcount(storm->port) > 0) {
        if (report_ms() > until)
            return fail(storm, "messages stay behind");
        pause_us(50);
    }
    return true;
}

/* Drained first, or in full traffic. */
static bool end_storm(struct storm *storm)
{
    if (dice(4) > 0) {
        atomic_store(stopping, 1);
        if (!await_end(storm, SENDS) || !await_empty(storm))
            return false;
    }
    if (pdelete(storm->port, dispose) < 0)
        return fail(storm, "pdelete() failed");
    atomic_store(stopping, 1);
    return await_end(storm, SENDS) && await_end(storm, RECEIVES);
}

static void give_up(struct storm *storm)
{
    struct portstat status = {0};
    int r = pstat(storm->port, &status);
    report_note("%s: pstat() gives %d: count %d of %d, %d senders and %d receivers asleep",
                storm->fault, r, status.count, status.capacity, status.blocked_senders,
                status.blocked_receivers);
    for (int i = 0; i < storm->workers_n; ++i)
        if (storm->workers[i].pid > 0) {
            kill(storm->workers[i].pid, SIGKILL);
            waitpid(storm->workers[i].pid, NULL, 0);
        }
    pdelete(storm->port, NULL);
}

/* ---------------------------------------------------------------- rounds -- */

static void begin_storm(struct storm *storm)
{
    static const int counts[] = {1, 3, 16, 1000};
    *storm = (struct storm){.count = counts[dice(4)],
                            .batch = dice(3) == 0 ? BATCH_MAX : 1,
                            .of = {1 + (int)dice(SIDE_MAX), 1 + (int)dice(SIDE_MAX)},
                            .spins = dice(2) == 0};
    streams_clear(streams);
    memset(&disposed, 0, sizeof disposed);
    atomic_store(stopping, 0);
    setenv("PORTS_SPIN", storm->spins ? "1" : "0", 1);
    storm->port = pcreate(storm->count);
    storm->workers_n = storm->of[SENDS] + storm->of[RECEIVES];
    for (int i = 0; i < storm->workers_n; ++i) {
        storm->workers[i].role = i < storm->of[SENDS] ? SENDS : RECEIVES;
        start_worker(storm, &storm->workers[i]);
    }
}

static void add_up(const struct storm *storm, struct totals *totals)
{
    struct stream_sums sums;
    streams_sum(streams, &sums);
    totals->rounds += 1;
    totals->kills += storm->killed[SENDS] + storm->killed[RECEIVES];
    totals->hangs += storm->fault != NULL;
    totals->sums.sent += sums.sent;
    totals->sums.got += sums.got;
    totals->sums.doubles += sums.doubles;
    totals->sums.disorders += sums.disorders;
    totals->sums.strays += sums.strays;
    uint64_t allowed = storm->batch * storm->killed[RECEIVES];
    /* What is lost beyond that in one round is not made up for by another. */
    totals->sums.lost += sums.lost > allowed ? sums.lost - allowed : 0;
    totals->allowed += sums.lost < allowed ? sums.lost : allowed;
    if (storm->fault || sums.doubles || sums.disorders || sums.strays || sums.lost > allowed)
        report_note(
            "round %u: count %d, batch %zu, %d senders, %d receivers, %s; %s; %llu lost, "
            "%llu may be",
            totals->rounds, storm->count, storm->batch, storm->of[SENDS], storm->of[RECEIVES],
            storm->spins ? "spinning" : "not spinning",
            storm->fault ? storm->fault : "all ended", (unsigned long long)sums.lost,
            (unsigned long long)allowed);
}

static void play(unsigned kills, bool first_only, struct totals *totals)
{
    while (totals->kills < kills && totals->hangs < (first_only ? 1 : 3)) {
        struct storm storm;
        unsigned left = kills - totals->kills;
        begin_storm(&storm);
        if (!blow(&storm, left < ROUND_KILLS ? left : ROUND_KILLS) || !end_storm(&storm))
            give_up(&storm);
        add_up(&storm, totals);
    }
}

static void tell(const struct totals *totals, long ms)
{
    const struct stream_sums *sums = &totals->sums;
    report_case(totals->hangs == 0,
                "%u kills in %u rounds: nobody hangs, no call fails (%ld ms)", totals->kills,
                totals->rounds, ms);
    report_case(sums->doubles == 0, "%llu messages: %u of them received twice",
                (unsigned long long)sums->got, sums->doubles);
    report_case(sums->strays == 0, "%u received that were not sent", sums->strays);
    report_case(sums->disorders == 0, "%u out of order", sums->disorders);
    report_case(totals->hangs > 0 || sums->lost == 0,
                "%llu died with receivers, %llu lost otherwise",
                (unsigned long long)totals->allowed, (unsigned long long)sums->lost);
}

int main(int argc, char **argv)
{
    unsigned kills = 500;
    unsigned long seed = (unsigned long)time(NULL);
    bool first_only = false;
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "-kills") == 0 && i + 1 < argc) {
            kills = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-seed") == 0 && i + 1 < argc) {
            seed = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-first") == 0) {
            first_only = true;
        } else {
            fprintf(stderr, "usage: %s ?-kills N? ?-seed N? ?-first?\n", argv[0]);
            return 100;
        }
    }
    report_begin();
    report_note("seed %lu", seed);
    random_state = seed * 0x9e3779b97f4a7c15u | 1;
    streams = streams_new();
    stopping =
        mmap(NULL, sizeof *stopping, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!streams || stopping == MAP_FAILED) {
        perror("mmap");
        return 111;
    }
    setpriority(PRIO_PROCESS, 0, -10); /* the more kills: where it is allowed */
    struct totals totals = {0};
    long began = report_ms();
    play(kills, first_only, &totals);
    tell(&totals, report_ms() - began);
    return report_end();
}
