/* The request of the portserver's protocol. */

#include "pid_line.h"

static bool is_decided(const struct pid_line *line)
{
    return line->state == PID_LINE_WHOLE || line->state == PID_LINE_INVALID;
}

static enum pid_line_state take_digit(struct pid_line *line, int digit)
{
    if (line->state == PID_LINE_BEHIND || line->pid > (INT32_MAX - digit) / 10)
        return PID_LINE_INVALID;
    line->pid = line->pid * 10 + digit;
    return PID_LINE_DIGITS;
}

static enum pid_line_state take_byte(struct pid_line *line, char byte)
{
    if (++line->size > PID_LINE_BYTES_MAX)
        return PID_LINE_INVALID;
    if (byte >= '0' && byte <= '9')
        return take_digit(line, byte - '0');
    if (byte != ' ' && byte != '\t' && byte != '\r')
        return PID_LINE_INVALID;
    return line->state == PID_LINE_BEFORE ? PID_LINE_BEFORE : PID_LINE_BEHIND;
}

void pid_line_end(struct pid_line *line)
{
    if (!is_decided(line))
        line->state = line->pid >= PID_LINE_PID_MIN ? PID_LINE_WHOLE : PID_LINE_INVALID;
}

bool pid_line_take(struct pid_line *line, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && !is_decided(line); ++i) {
        if (bytes[i] == '\n')
            pid_line_end(line);
        else
            line->state = take_byte(line, bytes[i]);
    }
    return is_decided(line);
}
