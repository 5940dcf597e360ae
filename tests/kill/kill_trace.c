/* A process that makes one call, instruction by instruction. */

#include "kill_trace.h"

#include "kill_helper.h"
#include "kill_report.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TICK_US = 4000, /* how often a wait looks whether the victim sleeps */
    HELPS_MAX = 8,  /* for one victim */
    SEEN_SLOTS = 1 << 17,
};

static void on_tick(int number)
{
    (void)number;
}

void trace_begin(void)
{
    struct sigaction action = {.sa_handler = on_tick};
    struct itimerval every = {{0, TICK_US}, {0, TICK_US}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

/* ----------------------------------------------------------- breakpoints -- */

#if defined(__x86_64__)

static unsigned long place_of(const struct victim *victim)
{
    return (unsigned long)ptrace(PTRACE_PEEKUSER, victim->pid,
                                 (void *)offsetof(struct user, regs.rip), NULL);
}

/* Puts a breakpoint; the word that was there is in *word. */
static bool put_breakpoint(const struct victim *victim, unsigned long at, unsigned long *word)
{
    errno = 0;
    *word = (unsigned long)ptrace(PTRACE_PEEKTEXT, victim->pid, (void *)at, NULL);
    return errno == 0 && ptrace(PTRACE_POKETEXT, victim->pid, (void *)at,
                                (void *)((*word & ~0xfful) | 0xcc)) == 0;
}

static void take_breakpoint(const struct victim *victim, unsigned long at, unsigned long word)
{
    ptrace(PTRACE_POKETEXT, victim->pid, (void *)at, (void *)word);
    if (place_of(victim) == at + 1)
        ptrace(PTRACE_POKEUSER, victim->pid, (void *)offsetof(struct user, regs.rip),
               (void *)at);
}

#else

static unsigned long place_of(const struct victim *victim)
{
    (void)victim;
    return 0; /* all alike: the only anchor is the first place */
}

static bool put_breakpoint(const struct victim *victim, unsigned long at, unsigned long *word)
{
    (void)victim, (void)at, (void)word;
    return false;
}

static void take_breakpoint(const struct victim *victim, unsigned long at, unsigned long word)
{
    (void)victim, (void)at, (void)word;
}

#endif

/* ----------------------------------------------------------------- steps -- */

/* What comes of a victim that goes on. */
static enum trace_state await(struct victim *victim)
{
    int status;
    for (;;) {
        pid_t pid = waitpid(victim->pid, &status, 0);
        if (pid == victim->pid)
            break;
        if (pid < 0 && errno != EINTR)
            return victim->state = TRACE_RETURNED;
        if (!helper_is_asleep(victim->pid))
            continue;
        /* A stopped process looks asleep when it is stopped in a system call. */
        if (waitpid(victim->pid, &status, WNOHANG) == victim->pid)
            break;
        return victim->state = TRACE_ASLEEP;
    }
    if (!WIFSTOPPED(status)) {
        victim->pid = -1;
        return victim->state = TRACE_RETURNED;
    }
    return victim->state = victim->page->returned ? TRACE_RETURNED : TRACE_STOPPED;
}

/* From where it is, asleep or stopped, to the next point. */
static bool step(struct victim *victim)
{
    if (victim->state == TRACE_ASLEEP) {
        for (int helps = 0; victim->state == TRACE_ASLEEP; ++helps) {
            if (helps == HELPS_MAX || !victim->help(victim->context))
                return false;
            await(victim);
        }
        return true;
    }
    if (ptrace(victim->kind == TRACE_SYSCALLS ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, victim->pid,
               NULL, NULL) < 0)
        victim->state = TRACE_RETURNED;
    else
        await(victim);
    return true;
}

bool trace_start(struct victim *victim, void (*prepare)(void *), void (*call)(void *))
{
    int status;
    memset((void *)victim->page, 0, sizeof *victim->page);
    victim->state = TRACE_STOPPED;
    victim->pid = fork();
    if (victim->pid < 0)
        return false;
    if (victim->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prepare(victim->context);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        victim->page->entered = 1;
        call(victim->context);
        victim->page->returned = 1;
        _exit(0);
    }
    while (waitpid(victim->pid, &status, 0) < 0 && errno == EINTR)
        ;
    enum trace_kind kind = victim->kind;
    victim->kind = TRACE_INSTRUCTIONS;
    while (victim->state == TRACE_STOPPED && !victim->page->entered)
        step(victim);
    victim->kind = kind;
    return victim->state == TRACE_STOPPED;
}

/* Is it in this program, not in a shared library or the vdso? */
static bool is_own(unsigned long at)
{
    extern const char __executable_start[], etext[];
    return at >= (unsigned long)(uintptr_t)__executable_start &&
           at < (unsigned long)(uintptr_t)etext;
}

static bool is_new(unsigned long at, unsigned long *seen)
{
    size_t i = (size_t)(at * 0x9e3779b97f4a7c15ul >> 47) % SEEN_SLOTS;
    while (seen[i] != 0 && seen[i] != at + 1)
        i = (i + 1) % SEEN_SLOTS;
    if (seen[i] != 0)
        return false;
    seen[i] = at + 1;
    return true;
}

bool trace_record(struct victim *victim, struct track *track)
{
    unsigned long *seen = calloc(SEEN_SLOTS, sizeof *seen);
    unsigned anchor = 0;
    bool going = seen != NULL;
    for (track->size = 0; going && victim->state != TRACE_RETURNED; ++track->size) {
        if (track->size == TRACK_MAX) {
            going = false;
            break;
        }
        bool asleep = victim->state == TRACE_ASLEEP;
        unsigned long at = asleep ? 0 : place_of(victim);
        bool first = !asleep && is_new(at, seen);
        if (first)
            anchor = (unsigned)track->size;
        track->places[track->size] =
            (struct place){at, anchor, asleep, asleep || (first && is_own(at))};
        going = step(victim);
    }
    free(seen);
    return going;
}

/* Runs to a place that it has not passed before. 0: there are no breakpoints here; -1: nobody
 * could wake it on the way. */
static int run_to(struct victim *victim, unsigned long at)
{
    unsigned long word;
    if (!put_breakpoint(victim, at, &word))
        return 0;
    ptrace(PTRACE_CONT, victim->pid, NULL, NULL);
    await(victim);
    while (victim->state == TRACE_ASLEEP)
        if (!step(victim))
            return -1;
    if (victim->pid > 0)
        take_breakpoint(victim, at, word);
    return 1;
}

bool trace_go(struct victim *victim, const struct track *track, size_t point)
{
    size_t at = 0;
    size_t anchor = track->places[point].anchor;
    if (victim->kind == TRACE_INSTRUCTIONS && anchor > 0) {
        int r = run_to(victim, track->places[anchor].at);
        if (r < 0)
            return false;
        at = r > 0 ? anchor : 0;
    }
    for (; at < point && victim->state != TRACE_RETURNED; ++at)
        if (!step(victim))
            return false;
    return true;
}

/* --------------------------------------------------------- kill and stop -- */

static void reap(struct victim *victim)
{
    int status = 0;
    while (victim->pid > 0) {
        pid_t pid = waitpid(victim->pid, &status, 0);
        if ((pid == victim->pid && !WIFSTOPPED(status)) || (pid < 0 && errno != EINTR))
            victim->pid = -1;
    }
}

void trace_kill(struct victim *victim)
{
    if (victim->pid > 0)
        kill(victim->pid, SIGKILL);
    reap(victim);
}

bool trace_stop(struct victim *victim)
{
    int status = 0;
    if (victim->pid < 0)
        return true;
    if (victim->state == TRACE_ASLEEP) {
        kill(victim->pid, SIGSTOP);
        while (waitpid(victim->pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (!WIFSTOPPED(status))
            return false;
    }
    if (ptrace(PTRACE_DETACH, victim->pid, NULL, (void *)(uintptr_t)SIGSTOP) < 0)
        return false;
    while (waitpid(victim->pid, &status, WUNTRACED) < 0 && errno == EINTR)
        ;
    if (!WIFSTOPPED(status))
        victim->pid = -1;
    return WIFSTOPPED(status);
}

bool trace_finish(struct victim *victim)
{
    int helps = 0;
    long until = report_ms() + PATIENCE_MS;
    if (victim->pid > 0)
        kill(victim->pid, SIGCONT);
    while (victim->pid > 0) {
        int status;
        if (waitpid(victim->pid, &status, WNOHANG) == victim->pid) {
            victim->pid = -1;
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        bool asleep = helper_is_asleep(victim->pid);
        if (report_ms() > until)
            return false;
        if (asleep && helps < HELPS_MAX) {
            if (!victim->help(victim->context))
                return false;
            helps += 1;
            until = report_ms() + PATIENCE_MS;
        } else if (asleep) {
            return false;
        }
        sched_yield();
    }
    return true;
}
