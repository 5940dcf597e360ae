/* test_siphash.c - the hash is SipHash-2-4 as its authors publish it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "siphash.h"

enum { VECTORS = 64 };

/* Key 00 01 ... 0f; entry n is the hash of the n bytes 00 01 ... n-1. */
static const struct siphash_key key = {{0x0706050403020100u, 0x0f0e0d0c0b0a0908u}};
static const uint64_t published[VECTORS] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void the_hashes_are_the_published_ones(void **state)
{
    (void)state;
    unsigned char bytes[VECTORS];
    for (size_t n = 0; n < VECTORS; ++n) {
        assert_int_equal(siphash(&key, bytes, n), published[n]);
        bytes[n] = (unsigned char)n;
    }
}

static void no_byte_behind_the_text_is_read(void **state)
{
    (void)state;
    for (size_t n = 0; n < VECTORS; ++n) {
        unsigned char *bytes = test_malloc(n + 1);
        for (size_t i = 0; i < n; ++i)
            bytes[i] = (unsigned char)i;
        bytes[n] = 0;
        uint64_t hash = siphash(&key, bytes, n);
        bytes[n] = 0xff;
        assert_int_equal(siphash(&key, bytes, n), hash);
        test_free(bytes);
    }
}

static void the_text_may_begin_at_any_address(void **state)
{
    (void)state;
    unsigned char bytes[VECTORS + 8];
    for (size_t offset = 0; offset < 8; ++offset) {
        for (size_t i = 0; i < VECTORS; ++i)
            bytes[offset + i] = (unsigned char)i;
        assert_int_equal(siphash(&key, bytes + offset, VECTORS - 1), published[VECTORS - 1]);
    }
}

static void every_bit_of_the_key_counts(void **state)
{
    (void)state;
    uint64_t plain = siphash(&key, "name", 4);
    for (unsigned bit = 0; bit < 128; ++bit) {
        struct siphash_key other = key;
        other.word[bit / 64] ^= UINT64_C(1) << bit % 64;
        assert_int_not_equal(siphash(&other, "name", 4), plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hashes_are_the_published_ones),
        cmocka_unit_test(no_byte_behind_the_text_is_read),
        cmocka_unit_test(the_text_may_begin_at_any_address),
        cmocka_unit_test(every_bit_of_the_key_counts),
    };
    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
