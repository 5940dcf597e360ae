#ifndef SIPHASH_H
#define SIPHASH_H

/*
 * SipHash-2-4, a keyed hash: names come from clients, and without the key
 * nobody can choose names that fall into one bucket.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t word[2];
};

/* The hash of `size` bytes at `data`. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

#endif
