/*
 * Fuzz target: however a stream is cut into packets, the lines are the same,
 * and those that a loop over its bytes finds.
 *
 * Input: a byte for the longest line, one that seeds the packets' sizes, the stream.
 */

#include "fuzz.h"

#include "pa_line.h"

#include <stdbool.h>

/* Lines seen, each followed by LF, and how the stream ended. */
struct seen {
    char *text;
    size_t size;
    int result; /* PA_LINE_PARTIAL or PA_LINE_TOO_LONG */
    char *rest;
    size_t rest_size;
};

static void seen_free(struct seen *seen)
{
    free(seen->text);
    free(seen->rest);
}

static void see(struct seen *seen, const char *text, size_t size)
{
    if (size > 0)
        memcpy(seen->text + seen->size, text, size);
    seen->size += size;
    seen->text[seen->size++] = '\n';
}

/* What the lines are, one byte after the other. */
static struct seen read_plainly(struct fuzz_input stream, size_t max_bytes)
{
    struct seen seen = {.text = malloc(2 * fuzz_left(&stream) + 1), .result = PA_LINE_PARTIAL};
    REQUIRE(seen.text);
    const char *begin = stream.at;
    for (; stream.at < stream.end; ++stream.at) {
        if (*stream.at == '\r' || *stream.at == '\n') {
            see(&seen, begin, (size_t)(stream.at - begin));
            if (*stream.at == '\r' && fuzz_left(&stream) > 1 && stream.at[1] == '\n')
                ++stream.at;
            begin = stream.at + 1;
        } else if ((size_t)(stream.at - begin) == max_bytes) {
            seen.result = PA_LINE_TOO_LONG;
            return seen;
        }
    }
    seen.rest_size = (size_t)(stream.end - begin);
    seen.rest = fuzz_copy(begin, seen.rest_size);
    return seen;
}

static int read_packet(struct pa_line *line, const char *packet, size_t size, struct seen *seen)
{
    const char *cursor = packet;
    const char *text;
    size_t text_size;
    int r;
    while ((r = pa_line_next(line, &cursor, packet + size, &text, &text_size)) == 0) {
        REQUIRE(text_size <= line->max_bytes);
        see(seen, text, text_size);
    }
    REQUIRE(r == PA_LINE_TOO_LONG || (r == PA_LINE_PARTIAL && cursor == packet + size));
    return r;
}

static struct seen read_packets(struct fuzz_input stream, size_t max_bytes, unsigned random)
{
    struct seen seen = {.text = malloc(2 * fuzz_left(&stream) + 1), .result = PA_LINE_PARTIAL};
    struct pa_line line = PA_LINE_INIT(max_bytes);
    REQUIRE(seen.text);
    while (stream.at < stream.end && seen.result == PA_LINE_PARTIAL) {
        random = random * 1103515245u + 12345u;
        size_t size = random % 16 == 0 ? fuzz_left(&stream) : random / 65536 % 8;
        if (size > fuzz_left(&stream))
            size = fuzz_left(&stream);
        char *packet = fuzz_copy(stream.at, size);
        seen.result = read_packet(&line, packet, size, &seen);
        free(packet);
        stream.at += size;
    }
    if (seen.result == PA_LINE_PARTIAL) {
        const char *rest = pa_line_rest(&line, &seen.rest_size);
        REQUIRE(pa_line_pending(&line) == (seen.rest_size > 0));
        seen.rest = fuzz_copy(rest, seen.rest_size);
    }
    pa_line_deinit(&line);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    size_t max_bytes = fuzz_byte(&input);
    unsigned random = fuzz_byte(&input);
    struct seen plain = read_plainly(input, max_bytes);
    struct seen seen = read_packets(input, max_bytes, random);
    REQUIRE(seen.result == plain.result);
    REQUIRE(seen.size == plain.size && memcmp(seen.text, plain.text, plain.size) == 0);
    REQUIRE(seen.rest_size == plain.rest_size);
    REQUIRE(plain.rest_size == 0 || memcmp(seen.rest, plain.rest, plain.rest_size) == 0);
    seen_free(&plain);
    seen_free(&seen);
    return 0;
}
