#ifndef PID_LINE_H
#define PID_LINE_H

/*
 * The request of the portserver's protocol: a process number in decimal, with
 * blanks around it or not, and a newline or the end of what the client sends.
 * Pure; the bytes may come in any pieces.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PID_LINE_BYTES_MAX = 20, /* of a request, its newline not counted */
    PID_LINE_PID_MIN = 2,    /* 0 is nobody, and 1 never ends */
};

enum pid_line_state {
    PID_LINE_BEFORE, /* no digit yet */
    PID_LINE_DIGITS,
    PID_LINE_BEHIND,  /* a blank behind the digits */
    PID_LINE_WHOLE,   /* pid_line.pid is asked for */
    PID_LINE_INVALID, /* whatever follows */
};

struct pid_line {
    enum pid_line_state state;
    size_t size; /* bytes so far */
    int32_t pid;
};

#define PID_LINE_NULL                                                                          \
    {                                                                                          \
        .state = PID_LINE_BEFORE                                                               \
    }

/*
 * Takes the bytes that came next. Whether the request is decided: its state is
 * PID_LINE_WHOLE, with a number that a process may have, or PID_LINE_INVALID. What
 * follows the newline is not looked at.
 */
bool pid_line_take(struct pid_line *line, const char *bytes, size_t size);

/* The client has sent its last byte. The request is decided then. */
void pid_line_end(struct pid_line *line);

#endif
