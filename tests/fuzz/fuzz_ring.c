/*
 * Fuzz target: whatever a port's memory holds, every call on the queue ends,
 * with an answer it may give, and touches nothing else. Where nothing was
 * scribbled over, the answers are those of a plain queue.
 *
 * Input: a byte for the count, one for where the numbers begin, one for how
 * many words are scribbled over, those (place, value), then a byte a call.
 */

#include "fuzz.h"

#include "ring.h"
#include "waiting.h"

enum { MODEL_MAX = 64 };

struct model {
    long values[MODEL_MAX];
    size_t size;
    size_t count;
    bool dead;
};

static const uint64_t beginnings[] = {0,          1,           0x7ffffffe,
                                      0xfffffffe, 0x1fffffffe, (uint64_t)1 << 62};

/* As if so many messages had been sent and received. */
static void begin_at(const struct ring *ring, uint64_t number)
{
    struct segment *segment = ring->segment;
    segment->head = number;
    segment->tail = number;
    segment->head_seen = number;
    for (uint64_t n = number; n <= number + ring->mask; ++n)
        ring->slots[n & ring->mask].tag = (slot_tag)(n >> ring->log2) & (slot_tag)~SLOT_TOMB;
}

static void scribble(char *memory, size_t bytes, struct fuzz_input *input, unsigned words)
{
    for (; words > 0 && fuzz_left(input) >= 3; --words) {
        size_t place = (fuzz_byte(input) | fuzz_byte(input) << 8) * sizeof(uint64_t);
        uint64_t value = 0;
        for (unsigned i = 0; i < sizeof value; ++i)
            value = value << 8 | fuzz_byte(input);
        if (place + sizeof value <= bytes)
            memcpy(memory + place, &value, sizeof value);
    }
}

static void check_push(const struct ring *ring, struct model *model, long value)
{
    int r = ring_push(ring, value);
    if (!model) {
        REQUIRE(r == 0 || r == RING_FULL || r == RING_DEAD || r == RING_DAMAGED);
        return;
    }
    REQUIRE(r == (model->dead ? RING_DEAD : model->size == model->count ? RING_FULL : 0));
    if (r == 0)
        model->values[model->size++] = value;
}

static void take_from_model(struct model *model, const long *values, size_t n)
{
    REQUIRE(n <= model->size && memcmp(values, model->values, n * sizeof *values) == 0);
    model->size -= n;
    memmove(model->values, model->values + n, model->size * sizeof *values);
}

static void check_pop(const struct ring *ring, struct model *model, size_t n)
{
    long values[8];
    size_t taken = 0;
    int r = ring_pop(ring, values, n, &taken);
    REQUIRE(r != 0 || (taken >= 1 && taken <= n));
    if (!model)
        return;
    REQUIRE(r == (model->dead ? RING_DEAD : model->size == 0 ? RING_EMPTY : 0));
    if (r == 0) {
        REQUIRE(taken == (model->size < n ? model->size : n));
        take_from_model(model, values, taken);
    }
}

static void check_drain(const struct ring *ring, struct model *model)
{
    long value;
    int r = ring_kill(ring);
    REQUIRE(r == 0 || (!model && r == RING_DAMAGED));
    r = ring_drain(ring, &value);
    if (!model)
        return;
    model->dead = true;
    REQUIRE(r == (model->size == 0 ? RING_EMPTY : 0));
    if (r == 0)
        take_from_model(model, &value, 1);
}

static void check_measure(const struct ring *ring, struct model *model)
{
    uint64_t waiting = 0, next = 0;
    long value;
    int r = ring_measure(ring, &waiting, &next);
    REQUIRE(r != 0 || waiting <= ring->count);
    if (model) {
        REQUIRE(r == (model->dead ? RING_DEAD : 0));
        REQUIRE(r != 0 || waiting == model->size);
        REQUIRE(ring_has_message(ring) == (model->size > 0) || model->dead);
    }
    if (r == 0 && ring_pop_below(ring, next, &value) == 0 && model)
        take_from_model(model, &value, 1);
    ring_has_room(ring);
    waiting_sleepers(ring->segment, SIDE_SENDERS);
}

static void run(const struct ring *ring, struct model *model, struct fuzz_input *input)
{
    for (long value = 1; fuzz_left(input) > 0; ++value) {
        unsigned call = fuzz_byte(input);
        switch (call & 3) {
        case 0:
        case 1:
            check_push(ring, model, value);
            break;
        case 2:
            check_pop(ring, model, (call >> 2) % 8 + 1);
            break;
        default:
            if (call == 0xff)
                check_drain(ring, model);
            else
                check_measure(ring, model);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    int count = (int)(fuzz_byte(&input) % MODEL_MAX) + 1;
    uint64_t beginning =
        beginnings[fuzz_byte(&input) % (sizeof beginnings / sizeof *beginnings)];
    unsigned words = fuzz_byte(&input) % 16;
    size_t bytes = segment_bytes(segment_log2(count));
    void *memory;
    REQUIRE(posix_memalign(&memory, SEGMENT_LINE_BYTES, bytes) == 0);
    memset(memory, 0, bytes);
    struct segment *segment = memory;
    segment_init(segment, 1, count);
    REQUIRE(segment_check(segment, bytes, 1) == 0);
    struct ring ring;
    struct model model = {.count = (size_t)count};
    ring_init(&ring, segment);
    begin_at(&ring, beginning);
    if (words > 0)
        scribble(memory, bytes, &input, words);
    run(&ring, words > 0 ? NULL : &model, &input);
    free(memory);
    return 0;
}
