/* Accounts of a storm. */

#include "kill_stream.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum { WORD_BITS = 32 };

struct stream {
    _Atomic(uint32_t) intended;
    _Atomic(uint32_t) sent;
    _Atomic(uint32_t) got[STREAM_MESSAGES / WORD_BITS]; /* a bit a message */
};

struct streams {
    _Atomic(uint32_t) taken;
    _Atomic(uint32_t) doubles, disorders, strays;
    _Alignas(128) _Atomic(uint64_t) marked;
    _Alignas(128) struct stream stream[STREAMS];
};

struct streams *streams_new(void)
{
    void *memory = mmap(NULL, sizeof(struct streams), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static uint32_t used(const struct streams *streams)
{
    uint32_t taken = atomic_load(&streams->taken);
    return taken < STREAMS ? taken : STREAMS;
}

void streams_clear(struct streams *streams)
{
    uint32_t n = used(streams);
    memset((void *)streams, 0, offsetof(struct streams, stream) + n * sizeof(struct stream));
}

int streams_take(struct streams *streams)
{
    uint32_t stream = atomic_fetch_add(&streams->taken, 1);
    return stream < STREAMS ? (int)stream : -1;
}

bool streams_are_used_up(const struct streams *streams)
{
    return used(streams) == STREAMS;
}

long stream_message(int stream, uint32_t number)
{
    return (long)stream * STREAM_MESSAGES + (long)number;
}

void stream_intend(struct streams *streams, int stream, uint32_t number)
{
    atomic_store(&streams->stream[stream].intended, number);
}

void stream_sent(struct streams *streams, int stream, uint32_t number)
{
    atomic_store(&streams->stream[stream].sent, number);
}

void stream_got(struct streams *streams, struct stream_reader *reader, long message)
{
    long stream = message / STREAM_MESSAGES;
    uint32_t number = (uint32_t)(message % STREAM_MESSAGES);
    if (message < 0 || stream >= (long)used(streams) ||
        number >= atomic_load(&streams->stream[stream].intended)) {
        atomic_fetch_add(&streams->strays, 1);
        return;
    }
    if (number < reader->next[stream])
        atomic_fetch_add(&streams->disorders, 1);
    reader->next[stream] = number + 1;
    uint32_t bit = 1u << number % WORD_BITS;
    uint32_t before = atomic_fetch_or(&streams->stream[stream].got[number / WORD_BITS], bit);
    if (before & bit)
        atomic_fetch_add(&streams->doubles, 1);
    atomic_fetch_add_explicit(&streams->marked, 1, memory_order_relaxed);
}

uint64_t streams_marked(const struct streams *streams)
{
    return atomic_load(&streams->marked);
}

static bool was_got(const struct stream *stream, uint32_t number)
{
    return atomic_load(&stream->got[number / WORD_BITS]) >> number % WORD_BITS & 1;
}

void streams_sum(const struct streams *streams, struct stream_sums *sums)
{
    *sums = (struct stream_sums){
        .doubles = atomic_load(&streams->doubles),
        .disorders = atomic_load(&streams->disorders),
        .strays = atomic_load(&streams->strays),
    };
    for (uint32_t i = 0; i < used(streams); ++i) {
        const struct stream *stream = &streams->stream[i];
        uint32_t sent = atomic_load(&stream->sent);
        uint32_t most = atomic_load(&stream->intended);
        sums->sent += sent;
        for (uint32_t number = 0; number < STREAM_MESSAGES; ++number) {
            bool got = was_got(stream, number);
            sums->got += got;
            sums->lost += number < sent && !got;
            sums->strays += number >= most && got;
            if (number >= most && number % WORD_BITS == 0 && !got &&
                atomic_load(&stream->got[number / WORD_BITS]) == 0)
                number += WORD_BITS - 1;
        }
    }
}
