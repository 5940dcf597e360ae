/*
 * ports_bench_rig - cores, worker processes, and the canaries around each sample.
 *
 * On a virtual machine the way from one core to the other changes its length at any time, and
 * with it every figure. So each sample lies between two measurements of that length.
 */
#include "ports_bench.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_S         30  /* without progress for that long: broken */
#define CANARY_CHUNKS    8   /* the fastest one counts: the others were interrupted */
#define CANARY_TRIPS     200 /* in a chunk */
#define CANARY_FACTOR    1.25
#define REPEATS_MOST     4 /* of a sample */
#define SPINS_AT_MEETING 1000
#define PRIORITY         (-19)
#define IDLE_PART        0.02 /* of a worker's time, if it waits longer for its core: disturbed */

/* What all workers and the parent see. */
struct board {
    _Alignas(64) _Atomic unsigned canary; /* alone in its cache line while it is used */
    _Atomic unsigned arrived;
    _Atomic unsigned has_failed;
    char reason[256];
    _Atomic pid_t pids[WORKERS_MAX];
    struct report reports[WORKERS_MAX];
};

static struct board *board;
static pid_t workers_alive[WORKERS_MAX];
static unsigned workers_wanted;
static unsigned own_index; /* in a worker */
static unsigned meetings;  /* in a worker */
static int cores[2];
static unsigned cores_found = 0;
static char folder[64];
static double repeats_left_us; /* the time that may still go into samples thrown away */
static bool was_disturbed;     /* the last run, by other processes */

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    remove(path);
    return 0;
}

static void cleanup(void)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers_alive[i] > 0) {
            kill(workers_alive[i], SIGKILL);
            waitpid(workers_alive[i], NULL, 0);
        }
    }
    if (folder[0] != '\0') {
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static bool pin_self(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void find_cores(void)
{
    cpu_set_t allowed;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        system_failed("sched_getaffinity");
    }
    for (size_t i = 0; i < CPU_SETSIZE && cores_found < COUNT_OF(cores); i++) {
        if (CPU_ISSET(i, &allowed)) {
            cores[cores_found++] = (int)i;
        }
    }
}

/* Memory, as the default folder of the library; a disk where there is no such folder. */
static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/dev/shm/portsbench.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        snprintf(folder, sizeof(folder), "/tmp/portsbench.XXXXXX");
        if (mkdtemp(folder) == NULL) {
            folder[0] = '\0';
            system_failed("mkdtemp");
        }
    }
    if (setenv("PORTS_DIR", folder, 1) != 0) {
        system_failed("setenv");
    }
}

void rig_init(double repeats_s)
{
    repeats_left_us = repeats_s * 1e6;
    board =
        mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        system_failed("mmap");
    }
    atexit(cleanup);
    make_folder();
    find_cores();
    setpriority(PRIO_PROCESS, 0, PRIORITY); /* if permitted: whoever else runs disturbs less */
    if (!pin_self(cores[0])) {
        system_failed("sched_setaffinity");
    }
}

bool rig_has_two_cores(void)
{
    return cores_found == 2;
}

bool rig_offers(enum placement place, const char *what)
{
    if (place == PLACE_ONE || rig_has_two_cores()) {
        return true;
    }
    printf("%s: not measured, it needs two cores\n", what);
    return false;
}

/* ---- workers ---- */

_Noreturn void worker_failed(const char *format, ...)
{
    va_list arguments;

    if (atomic_exchange(&board->has_failed, 1) == 0) {
        va_start(arguments, format);
        vsnprintf(board->reason, sizeof(board->reason), format, arguments);
        va_end(arguments);
    }
    _exit(1);
}

void worker_meet(void)
{
    unsigned wanted = ++meetings * workers_wanted;
    unsigned spins = 0;

    atomic_fetch_add(&board->arrived, 1);
    while (atomic_load(&board->arrived) < wanted) {
        if (++spins > SPINS_AT_MEETING) {
            sched_yield();
        }
    }
}

/* ns this process was ready to run and did not; 0 if the kernel does not tell. */
static uint64_t waited_ns(void)
{
    FILE *file = fopen("/proc/self/schedstat", "r");
    uint64_t ns = 0;

    if (file != NULL) {
        if (fscanf(file, "%*u %" SCNu64, &ns) != 1) {
            ns = 0;
        }
        fclose(file);
    }
    return ns;
}

void worker_clock_starts(void)
{
    struct report *report = worker_report();

    report->idle_ns = waited_ns();
    report->begun_ns = now_ns();
}

void worker_clock_stops(void)
{
    struct report *report = worker_report();

    report->ended_ns = now_ns();
    report->idle_ns = waited_ns() - report->idle_ns;
}

void worker_await_sleep(unsigned worker)
{
    char path[64];
    char text[256];
    int file;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)board->pids[worker]);
    file = open(path, O_RDONLY | O_CLOEXEC);
    worker_check(file >= 0, path);
    for (;;) {
        ssize_t length = pread(file, text, sizeof(text) - 1, 0);
        const char *state;

        worker_check(length > 0, path);
        text[length] = '\0';
        state = strrchr(text, ')');
        if (state != NULL && state[1] == ' ' && state[2] == 'S') {
            break;
        }
        sched_yield();
    }
    close(file);
}

struct report *worker_report(void)
{
    return &board->reports[own_index];
}

const struct report *rig_report(unsigned worker)
{
    return &board->reports[worker];
}

static _Noreturn void become_worker(unsigned index, enum placement place, worker_fn *work,
                                    void *context, pid_t parent)
{
    bool is_second = place == PLACE_TWO && index >= workers_wanted / 2;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    signal(SIGINT, SIG_IGN); /* a ^C is the parent's business */
    own_index = index;
    board->pids[index] = getpid();
    worker_check(pin_self(cores[is_second ? 1 : 0]), "sched_setaffinity");
    work(context, index);
    _exit(0);
}

static void forget(pid_t pid)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers_alive[i] == pid) {
            workers_alive[i] = 0;
        }
    }
}

static void wait_for_one(void)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);

    if (pid < 0 && errno != EINTR) {
        system_failed("waitpid");
    }
    forget(pid);
    proc_check();
    if (pid < 0) {
        return;
    }
    if (WIFSIGNALED(status)) {
        broken("a worker died of signal %d", WTERMSIG(status));
    }
    if (WEXITSTATUS(status) != 0) {
        broken("%s", board->has_failed ? board->reason : "a worker could not begin");
    }
}

static bool any_alive(void)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers_alive[i] > 0) {
            return true;
        }
    }
    return false;
}

void rig_run(unsigned workers, enum placement place, worker_fn *work, void *context)
{
    pid_t parent = getpid();

    memset(board, 0, sizeof(*board));
    workers_wanted = workers;
    proc_watch(SAMPLE_S);
    for (unsigned i = 0; i < workers; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            system_failed("fork");
        }
        if (pid == 0) {
            become_worker(i, place, work, context, parent);
        }
        workers_alive[i] = pid;
    }
    while (any_alive()) {
        wait_for_one();
    }
    proc_watch(0);
    was_disturbed = false;
    for (unsigned i = 0; i < workers && workers <= (place == PLACE_TWO ? 2 : 1); i++) {
        const struct report *report = &board->reports[i];

        was_disturbed =
            was_disturbed ||
            (double)report->idle_ns > IDLE_PART * (double)(report->ended_ns - report->begun_ns);
    }
}

/* ---- canaries ---- */

static void await(unsigned value)
{
    while (atomic_load_explicit(&board->canary, memory_order_acquire) != value) {
    }
}

static void *answer_canary(void *unused)
{
    for (unsigned i = 0; i < CANARY_CHUNKS * CANARY_TRIPS; i++) {
        await(2 * i + 1);
        atomic_store_explicit(&board->canary, 2 * i + 2, memory_order_release);
    }
    return unused;
}

static pthread_t start_answering(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cores[1], &set);
    atomic_store(&board->canary, 0);
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
    errno = pthread_create(&thread, &attributes, answer_canary, NULL);
    if (errno != 0) {
        system_failed("pthread_create");
    }
    pthread_attr_destroy(&attributes);
    return thread;
}

/* us from core to core and back. */
static double canary_us(void)
{
    pthread_t thread = start_answering();
    uint64_t best_ns = UINT64_MAX;
    unsigned trip = 0;

    for (unsigned chunk = 0; chunk < CANARY_CHUNKS; chunk++) {
        uint64_t begun_ns = now_ns();
        uint64_t spent_ns;

        for (unsigned i = 0; i < CANARY_TRIPS; i++, trip++) {
            atomic_store_explicit(&board->canary, 2 * trip + 1, memory_order_release);
            await(2 * trip + 2);
        }
        spent_ns = now_ns() - begun_ns;
        best_ns = spent_ns < best_ns ? spent_ns : best_ns;
    }
    pthread_join(thread, NULL);
    return (double)best_ns / 1e3 / CANARY_TRIPS;
}

static void note_canary(struct canaries *canaries, double us)
{
    if (canaries->high_us == 0 || us < canaries->low_us) {
        canaries->low_us = us;
    }
    if (us > canaries->high_us) {
        canaries->high_us = us;
    }
}

static bool agree(double us, double other_us)
{
    return us <= other_us * CANARY_FACTOR && other_us <= us * CANARY_FACTOR;
}

/* A round while it runs. */
struct bracket {
    side_fn *measure;
    void *context;
    struct canaries *canaries;
    double round_us; /* the canary it began with; 0: none yet */
    bool is_mixed;   /* a later one differs, or a sample is unsettled */
};

/* A side_fn: one value between two canaries. */
static double bracketed(void *context, unsigned side)
{
    struct bracket *bracket = context;
    struct canaries *canaries = bracket->canaries;

    if (!rig_has_two_cores()) {
        return bracket->measure(bracket->context, side);
    }
    for (unsigned repeats = 0;; repeats++) {
        double begun_us = now_us();
        double before_us = canary_us();
        double value = bracket->measure(bracket->context, side);
        double after_us = canary_us();
        bool is_settled = agree(before_us, after_us) && !was_disturbed;

        if (!is_settled && repeats < REPEATS_MOST && repeats_left_us > 0) {
            repeats_left_us -= now_us() - begun_us;
            canaries->repeated++;
            continue;
        }
        bracket->round_us = bracket->round_us == 0 ? before_us : bracket->round_us;
        bracket->is_mixed =
            bracket->is_mixed || !is_settled || !agree(before_us, bracket->round_us);
        note_canary(canaries, before_us);
        note_canary(canaries, after_us);
        canaries->unsettled += !is_settled;
        return value;
    }
}

void rig_contest(struct contest *contest, side_fn *measure, void *context, unsigned rounds,
                 struct canaries *canaries)
{
    unsigned left = rounds / 2; /* rounds that may still be repeated */

    for (unsigned round = 0; round < rounds; round++) {
        struct bracket bracket = {measure, context, canaries, 0, false};
        unsigned unsettled = canaries->unsettled;
        double begun_us = now_us();

        contest_round(contest, bracketed, &bracket, round);
        if (bracket.is_mixed && left > 0 && repeats_left_us > 0) {
            repeats_left_us -= now_us() - begun_us;
            canaries->unsettled = unsettled;
            contest_drop_round(contest);
            canaries->repeated += contest->sides;
            left--;
            round--;
        }
    }
}

const char *canaries_text(const struct canaries *canaries)
{
    static char text[128];
    size_t length = 0;

    text[0] = '\0';
    if (canaries->high_us > 0) {
        length = (size_t)snprintf(text, sizeof(text), "core to core %.3f-%.3f us, %u repeated",
                                  canaries->low_us, canaries->high_us, canaries->repeated);
    }
    if (canaries->unsettled > 0) {
        snprintf(text + length, sizeof(text) - length, ", %u unsettled", canaries->unsettled);
    }
    return text;
}
