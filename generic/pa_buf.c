/* Growing byte buffer. */

#include "pa_buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY_BYTES = 64 };

void pa_buf_deinit(struct pa_buf *buf)
{
    free(buf->data);
    *buf = (struct pa_buf)PA_BUF_NULL;
}

int pa_buf_reserve(struct pa_buf *buf, size_t extra)
{
    if (extra > SIZE_MAX / 2 - buf->size)
        return -ENOMEM;
    size_t needed = buf->size + extra;
    if (needed <= buf->capacity)
        return 0;
    size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY_BYTES;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(buf->data, capacity);
    if (!data)
        return -ENOMEM;
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int pa_buf_append(struct pa_buf *buf, const void *bytes, size_t size)
{
    if (size > buf->capacity - buf->size) {
        int r = pa_buf_reserve(buf, size);
        if (r < 0)
            return r;
    }
    if (size > 0)
        memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    return 0;
}

int pa_buf_append_string(struct pa_buf *buf, const char *string)
{
    return pa_buf_append(buf, string, strlen(string));
}
