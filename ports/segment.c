/* The layout of a port in shared memory. */

#include "segment.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char magic[8] = "PORTS 1\n";

unsigned segment_log2(int count)
{
    unsigned log2 = SEGMENT_LOG2_MIN;
    while ((1L << log2) < (long)count + 1)
        log2 += 1;
    return log2;
}

size_t segment_bytes(unsigned log2)
{
    return SEGMENT_SLOTS_AT + (sizeof(struct slot) << log2);
}

void segment_init(struct segment *segment, int id, int count)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    segment->long_bytes = sizeof(long);
    segment->slots_log2 = segment_log2(count);
    segment->count = (uint32_t)count;
    segment->id = id;
    segment->creator = (int32_t)getpid();
    segment->created_s = now.tv_sec;
    segment->created_ns = (int32_t)now.tv_nsec;
    memcpy(segment->magic, magic, sizeof magic);
}

int segment_check(const struct segment *segment, size_t bytes, int id)
{
    uint32_t count = segment->count;
    if (memcmp(segment->magic, magic, sizeof magic) != 0 || segment->id != id)
        return -EIO;
    if (segment->long_bytes != sizeof(long) || count < 1 || count > PORTS_COUNT_MAX)
        return -EIO;
    if (segment->slots_log2 != segment_log2((int)count))
        return -EIO;
    return bytes == segment_bytes(segment_log2((int)count)) ? 0 : -EIO;
}
