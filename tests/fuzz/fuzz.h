#ifndef FUZZ_H
#define FUZZ_H

/*
 * What the fuzz targets share: the bytes to try, and assertions that release
 * builds keep.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                     \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                    \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The part of an input that is not used yet. */
struct fuzz_input {
    const char *at;
    const char *end;
};

static inline struct fuzz_input fuzz_input_of(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){(const char *)data, (const char *)data + size};
}

static inline size_t fuzz_left(const struct fuzz_input *input)
{
    return (size_t)(input->end - input->at);
}

/* The next byte; 0 at the end. */
static inline unsigned fuzz_byte(struct fuzz_input *input)
{
    return input->at < input->end ? (unsigned char)*input->at++ : 0;
}

/* A copy that ends where its memory does, so that reading behind it shows. */
static inline char *fuzz_copy(const char *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    REQUIRE(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    else
        *copy = '\0';
    return copy;
}

#endif
