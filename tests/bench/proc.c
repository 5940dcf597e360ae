/*
 * proc - the load generator as a process: errors, signals, children, its folder, its cores.
 *
 * Whatever ends the program, exit() runs cleanup(): every child that still lives is ended by
 * its pid and the folder is removed. A child also asks the kernel for SIGTERM at its parent's
 * death.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 16
#define STOP_MS      10000 /* a daemon may write its files first */
#define POLL_MS      2

static pid_t children[CHILDREN_MAX];
static char folder[64];
static volatile sig_atomic_t caught = 0;
static cpu_set_t allowed; /* the cores of the start */
static cpu_set_t server_cores;
static const char *placement_name;

_Noreturn void broken(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

_Noreturn void system_failed(const char *format, ...)
{
    int code = errno;
    va_list arguments;

    fflush(stdout);
    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, ": %s\n", strerror(code));
    exit(111);
}

double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void pause_ms(long ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&span, NULL);
    proc_check();
}

void proc_watch(unsigned seconds)
{
    proc_check();
    alarm(seconds);
}

void proc_check(void)
{
    int number = caught;

    if (number == 0) {
        return;
    }
    caught = 0;
    if (number == SIGALRM) {
        broken("no progress for too long");
    }
    fprintf(stderr, "bench: interrupted\n");
    exit(128 + number);
}

static void on_signal(int number)
{
    caught = number;
}

/* Waits up to STOP_MS after a SIGTERM, then kills. Returns the status as of waitpid(2). */
static int end_child(pid_t pid)
{
    int status = 0;

    kill(pid, SIGTERM);
    for (int waited_ms = 0; waited_ms < STOP_MS; waited_ms += POLL_MS) {
        struct timespec span = {0, POLL_MS * 1000000};

        if (waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        nanosleep(&span, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return status;
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
    alarm(0);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (children[i] > 0) {
            end_child(children[i]);
        }
    }
    if (folder[0] != '\0') {
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

unsigned proc_cores(void)
{
    return (unsigned)CPU_COUNT(&allowed);
}

static cpu_set_t only_core(unsigned number)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &allowed) && number-- == 0) {
            CPU_SET(i, &set);
        }
    }
    return set;
}

const char *placement_words(enum placement placement)
{
    static const char *const names[] = {"free", "one core", "two cores"};

    return names[placement];
}

void proc_place(enum placement placement)
{
    cpu_set_t load = placement == PLACE_FREE ? allowed : only_core(0);

    if (placement == PLACE_TWO && proc_cores() < 2) {
        broken("-pin2 needs two cores");
    }
    server_cores = placement == PLACE_TWO ? only_core(1) : load;
    if (sched_setaffinity(0, sizeof(load), &load) != 0) {
        system_failed("sched_setaffinity");
    }
    placement_name = placement_words(placement);
}

const char *proc_placement(void)
{
    return placement_name;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void proc_init(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: calls come back */
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        system_failed("sched_getaffinity");
    }
    proc_place(PLACE_FREE);
    snprintf(folder, sizeof(folder), "/tmp/portbench.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        folder[0] = '\0';
        system_failed("mkdtemp");
    }
    atexit(cleanup);
}

const char *proc_folder(void)
{
    return folder;
}

static _Noreturn void become(char *const argv[], int in, int out, int output,
                             bool on_server_core)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0); /* a ^C is the parent's business */
    signal(SIGPIPE, SIG_DFL);
    if (on_server_core) {
        sched_setaffinity(0, sizeof(server_cores), &server_cores);
    }
    dup2(in, STDIN_FILENO);
    dup2(out >= 0 ? out : output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(argv[0], argv);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(111);
}

pid_t proc_spawn(char *const argv[], const char *dir, int in, int out, bool on_server_core)
{
    char path[320];
    int output;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    size_t slot = 0;
    pid_t pid;

    snprintf(path, sizeof(path), "%s/output", dir);
    output = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0 || nothing < 0) {
        system_failed("%s", path);
    }
    while (slot < CHILDREN_MAX && children[slot] != 0) {
        slot++;
    }
    if (slot == CHILDREN_MAX) {
        broken("more than %d children", CHILDREN_MAX);
    }
    pid = fork();
    if (pid < 0) {
        system_failed("fork");
    }
    if (pid == 0) {
        become(argv, in >= 0 ? in : nothing, out, output, on_server_core);
    }
    children[slot] = pid;
    close(output);
    close(nothing);
    return pid;
}

static void forget(pid_t pid)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (children[i] == pid) {
            children[i] = 0;
        }
    }
}

void proc_stop(pid_t pid)
{
    int status = end_child(pid);

    forget(pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM) {
        broken("a server ended by signal %d at its stop", WTERMSIG(status));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 128 + SIGTERM) {
        broken("a server ended with status %d at its stop", WEXITSTATUS(status));
    }
}

static void show_output(const char *dir)
{
    char path[320];
    char line[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/output", dir);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        fputs(line, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}

void proc_expect_alive(pid_t pid, const char *dir)
{
    int status;

    if (waitpid(pid, &status, WNOHANG) != pid) {
        return;
    }
    forget(pid);
    show_output(dir);
    broken("a child ended early: %s %d", WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

long proc_resident_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    file = fopen(path, "r");
    if (file == NULL) {
        system_failed("%s", path);
    }
    while (kib < 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtol(line + 6, NULL, 10);
        }
    }
    fclose(file);
    if (kib < 0) {
        broken("no VmRSS in %s", path);
    }
    return kib;
}

long proc_waiting_sockets(void)
{
    FILE *file = fopen("/proc/net/sockstat", "r");
    char line[256];
    long count = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *word = strncmp(line, "TCP:", 4) == 0 ? strstr(line, " tw ") : NULL;

        if (word != NULL) {
            count = strtol(word + 4, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}
