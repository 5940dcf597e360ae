/*
 * Fuzz target: a request of the portserver's protocol is understood as a look
 * at the whole of it understands it, however it was cut into packets.
 *
 * Input: a byte that seeds the packets' sizes, the stream.
 */

#include "fuzz.h"

#include "pid_line.h"

#include <stdbool.h>

enum { INVALID = -1 };

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* What the bytes before the first newline, or all of them, ask for. */
static int64_t read_plainly(struct fuzz_input stream)
{
    size_t left = fuzz_left(&stream);
    const char *newline = left > 0 ? memchr(stream.at, '\n', left) : NULL;
    const char *end = newline ? newline : stream.end;
    const char *at = stream.at;
    int64_t pid = 0;
    if (end - at > PID_LINE_BYTES_MAX)
        return INVALID;
    while (at < end && is_blank(*at))
        ++at;
    while (end > at && is_blank(end[-1]))
        --end;
    for (; at < end && pid <= INT32_MAX; ++at) {
        if (*at < '0' || *at > '9')
            return INVALID;
        pid = pid * 10 + (*at - '0');
    }
    return pid < PID_LINE_PID_MIN || pid > INT32_MAX ? INVALID : pid;
}

/* Nothing is asked for before the newline; what is garbage may be so earlier. */
static void require_undecided(const struct pid_line *line, bool newline_seen)
{
    REQUIRE(!newline_seen);
    REQUIRE(line->size <= PID_LINE_BYTES_MAX);
    REQUIRE(line->state == PID_LINE_BEFORE || line->state == PID_LINE_DIGITS ||
            line->state == PID_LINE_BEHIND);
}

static int64_t read_packets(struct fuzz_input stream, unsigned random)
{
    struct pid_line line = PID_LINE_NULL;
    bool newline_seen = false;
    bool decided = false;
    while (stream.at < stream.end && !decided) {
        random = random * 1103515245u + 12345u;
        size_t size = random / 65536 % 8;
        if (size > fuzz_left(&stream))
            size = fuzz_left(&stream);
        char *packet = fuzz_copy(stream.at, size);
        newline_seen = newline_seen || memchr(packet, '\n', size);
        decided = pid_line_take(&line, packet, size);
        REQUIRE(newline_seen || line.state != PID_LINE_WHOLE);
        if (!decided)
            require_undecided(&line, newline_seen);
        free(packet);
        stream.at += size;
    }
    pid_line_end(&line);
    REQUIRE(line.state == PID_LINE_WHOLE || line.state == PID_LINE_INVALID);
    return line.state == PID_LINE_WHOLE ? line.pid : INVALID;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned random = fuzz_byte(&input);
    REQUIRE(read_packets(input, random) == read_plainly(input));
    return 0;
}
