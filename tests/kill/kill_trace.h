#ifndef KILL_TRACE_H
#define KILL_TRACE_H

/*
 * A process that makes one call, instruction by instruction.
 *
 * The first victim of a scene is stepped through its call while the places it
 * passes are written down: the track. Later ones are brought to a point of the
 * track and killed or stopped there. Where breakpoints are known (x86-64), a
 * victim runs to the last place before the point that the track passes for the
 * first time, and is stepped from there; elsewhere it is stepped all the way.
 *
 * A point lies before an instruction, or in the sleep of the system call that
 * is it; or, with TRACE_SYSCALLS, at the entry and at the exit of a system call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    TRACK_MAX = 1 << 18, /* points */
    VICTIM_MESSAGES = 32,
};

/* What a victim says of itself, in memory that it shares with its tracer. */
struct victim_page {
    volatile int entered;  /* the call begins */
    volatile int returned; /* it is over */
    volatile long result;
    volatile int error;
    volatile long msg; /* received */
    volatile int disposed;
    volatile long msgs[VICTIM_MESSAGES];
};

struct place {
    unsigned long at;
    unsigned anchor; /* the last place until here that the track passes for the first time */
    bool asleep;
    bool prime; /* the first pass of the program's own code, or a sleep */
};

struct track {
    struct place *places;
    size_t size;
};

enum trace_kind {
    TRACE_INSTRUCTIONS,
    TRACE_SYSCALLS,
};

enum trace_state {
    TRACE_STOPPED,
    TRACE_ASLEEP,
    TRACE_RETURNED, /* the call, or the process ended */
};

struct victim {
    pid_t pid;
    enum trace_kind kind;
    enum trace_state state;
    struct victim_page *page;
    bool (*help)(
        void *context); /* the victim sleeps: somebody is to wake it; false: nobody can */
    void *context;
};

/* For waiting: makes system calls of this process end with EINTR now and then. */
void trace_begin(void);

/* Forks a victim, which runs prepare(context) and, traced, call(context); stops it where the
 * call begins. `page` is cleared. False when it does not come to that. */
bool trace_start(struct victim *victim, void (*prepare)(void *), void (*call)(void *));

/* Steps to the end of the call and writes the track. False when it never ends. */
bool trace_record(struct victim *victim, struct track *track);

/* Brings a victim that trace_start() stopped to a point; victim->state tells what it is in
 * there. False when nobody could wake it. */
bool trace_go(struct victim *victim, const struct track *track, size_t point);

/* Kills it; it is gone then. */
void trace_kill(struct victim *victim);

/* Stops it as SIGSTOP does and no longer traces it. False when it does not stop. */
bool trace_stop(struct victim *victim);

/* Continues what trace_stop() stopped, until it has ended. False when it does not within
 * PATIENCE_MS after the last help. */
bool trace_finish(struct victim *victim);

#endif
