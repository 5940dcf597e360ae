#ifndef PA_BUF_H
#define PA_BUF_H

/*
 * Growing byte buffer.
 */

#include <stddef.h>

struct pa_buf {
    char *data;      /* owned; NULL while nothing was appended */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

#define PA_BUF_NULL                                                                            \
    {                                                                                          \
        NULL, 0, 0                                                                             \
    }

/* Frees what the buffer holds and leaves it empty and usable. */
void pa_buf_deinit(struct pa_buf *buf);

/*
 * Makes room for `extra` more bytes behind the used ones.
 * 0, or -ENOMEM with the buffer unchanged.
 */
int pa_buf_reserve(struct pa_buf *buf, size_t extra);

/* Appends `size` bytes. 0, or -ENOMEM with the buffer unchanged. */
int pa_buf_append(struct pa_buf *buf, const void *bytes, size_t size);

/* Appends a C string without its NUL. 0, or -ENOMEM with the buffer unchanged. */
int pa_buf_append_string(struct pa_buf *buf, const char *string);

#endif
