/* SPDX-License-Identifier: Apache-2.0 */
/* Validates UTF-8 by looking up, for all bytes of a block at once, what each pair of bytes breaks.
 */
#include "codec/utf8_blocks.h"

#include <stdbool.h>

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * What a byte and the one before it can break together. A rule is broken where three look-ups agree
 * on it: by the high half of the first byte, by its low half, and by the high half of the second.
 * The last is no error by itself: a second continuation in a row is right where a lead of three or
 * four bytes says so, and only there.
 */
enum rule {
    NOT_CONTINUED = 0x01,   /* a lead, then no continuation */
    NOT_LED = 0x02,         /* ASCII, then a continuation */
    OVERLONG_OF_3 = 0x04,   /* E0 80..9F */
    ABOVE_UNICODE = 0x08,   /* F4 90..BF, F5..FF 90..BF */
    SURROGATE = 0x10,       /* ED A0..BF */
    OVERLONG_OF_2 = 0x20,   /* C0..C1, then a continuation */
    OVERLONG_OF_4 = 0x40,   /* F0 80..8F; F5..FF 80..8F, which share the bit, lie above Unicode */
    CONTINUED_TWICE = 0x80, /* two continuations */
    OF_ANY_LOW_HALF = NOT_CONTINUED | NOT_LED | CONTINUED_TWICE,
    OF_HIGH_LOW_HALF = OF_ANY_LOW_HALF | ABOVE_UNICODE | OVERLONG_OF_4,
    OF_ANY_CONTINUATION = NOT_LED | OVERLONG_OF_2 | CONTINUED_TWICE,
};

/* By the high half of the first byte, its low half, the high half of the second byte. */
static const uint8_t rules_of_first_high[16] = {
    NOT_LED,
    NOT_LED,
    NOT_LED,
    NOT_LED,
    NOT_LED,
    NOT_LED,
    NOT_LED,
    NOT_LED,
    CONTINUED_TWICE,
    CONTINUED_TWICE,
    CONTINUED_TWICE,
    CONTINUED_TWICE,
    NOT_CONTINUED | OVERLONG_OF_2,
    NOT_CONTINUED,
    NOT_CONTINUED | OVERLONG_OF_3 | SURROGATE,
    NOT_CONTINUED | ABOVE_UNICODE | OVERLONG_OF_4,
};

static const uint8_t rules_of_first_low[16] = {
    OF_ANY_LOW_HALF | OVERLONG_OF_2 | OVERLONG_OF_3 | OVERLONG_OF_4,
    OF_ANY_LOW_HALF | OVERLONG_OF_2,
    OF_ANY_LOW_HALF,
    OF_ANY_LOW_HALF,
    OF_ANY_LOW_HALF | ABOVE_UNICODE,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF | SURROGATE,
    OF_HIGH_LOW_HALF,
    OF_HIGH_LOW_HALF,
};

static const uint8_t rules_of_second_high[16] = {
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    OF_ANY_CONTINUATION | OVERLONG_OF_3 | OVERLONG_OF_4,
    OF_ANY_CONTINUATION | OVERLONG_OF_3 | ABOVE_UNICODE,
    OF_ANY_CONTINUATION | SURROGATE | ABOVE_UNICODE,
    OF_ANY_CONTINUATION | SURROGATE | ABOVE_UNICODE,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
    NOT_CONTINUED,
};

/* Before a code point that the bytes up to `at` begin and do not end. */
static const uint8_t *before_unfinished(const uint8_t *at)
{
    if (at[-1] >= 0xC0) {
        return at - 1;
    }
    if (at[-2] >= 0xE0) {
        return at - 2;
    }
    return at[-3] >= 0xF0 ? at - 3 : at;
}

/* Is the block of 16 bytes right, given the three before it? It may end inside of a code point. */
__attribute__((target("ssse3"))) static inline bool block_is_valid_ssse3(const uint8_t *at)
{
    const __m128i low_half = _mm_set1_epi8(0xF);
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i before = _mm_loadu_si128((const __m128i *)(const void *)(at - 1));
    const __m128i before_2 = _mm_loadu_si128((const __m128i *)(const void *)(at - 2));
    const __m128i before_3 = _mm_loadu_si128((const __m128i *)(const void *)(at - 3));
    const __m128i first_high =
        _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)rules_of_first_high),
                         _mm_and_si128(_mm_srli_epi16(before, 4), low_half));
    const __m128i first_low =
        _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)rules_of_first_low),
                         _mm_and_si128(before, low_half));
    const __m128i second_high =
        _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)rules_of_second_high),
                         _mm_and_si128(_mm_srli_epi16(block, 4), low_half));
    const __m128i broken = _mm_and_si128(_mm_and_si128(first_high, first_low), second_high);
    /* The top bit stays where E0 and above stand two before, or F0 and above three before. */
    const __m128i led = _mm_or_si128(_mm_subs_epu8(before_2, _mm_set1_epi8(0xE0 - 0x80)),
                                     _mm_subs_epu8(before_3, _mm_set1_epi8(0xF0 - 0x80)));
    const __m128i wrong =
        _mm_xor_si128(broken, _mm_and_si128(led, _mm_set1_epi8((char)CONTINUED_TWICE)));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) == 0xFFFF;
}

__attribute__((target("ssse3"))) const uint8_t *utf8_skip_blocks_ssse3(const uint8_t *at,
                                                                       const uint8_t *end)
{
    while (end - at >= 16) {
        if (!block_is_valid_ssse3(at)) {
            return before_unfinished(at);
        }
        at += 16;
    }
    /* The last block overlaps the one before. */
    return before_unfinished(block_is_valid_ssse3(end - 16) ? end : at);
}

__attribute__((target("avx2"))) static inline __m256i load_twice(const uint8_t *table)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* The same with 32 bytes. */
__attribute__((target("avx2"))) static inline bool block_is_valid_avx2(const uint8_t *at)
{
    const __m256i low_half = _mm256_set1_epi8(0xF);
    const __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)at);
    const __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(at - 1));
    const __m256i before_2 = _mm256_loadu_si256((const __m256i *)(const void *)(at - 2));
    const __m256i before_3 = _mm256_loadu_si256((const __m256i *)(const void *)(at - 3));
    const __m256i first_high =
        _mm256_shuffle_epi8(load_twice(rules_of_first_high),
                            _mm256_and_si256(_mm256_srli_epi16(before, 4), low_half));
    const __m256i first_low =
        _mm256_shuffle_epi8(load_twice(rules_of_first_low), _mm256_and_si256(before, low_half));
    const __m256i second_high =
        _mm256_shuffle_epi8(load_twice(rules_of_second_high),
                            _mm256_and_si256(_mm256_srli_epi16(block, 4), low_half));
    const __m256i broken = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
    const __m256i led = _mm256_or_si256(_mm256_subs_epu8(before_2, _mm256_set1_epi8(0xE0 - 0x80)),
                                        _mm256_subs_epu8(before_3, _mm256_set1_epi8(0xF0 - 0x80)));
    const __m256i wrong =
        _mm256_xor_si256(broken, _mm256_and_si256(led, _mm256_set1_epi8((char)CONTINUED_TWICE)));
    return _mm256_testz_si256(wrong, wrong) != 0;
}

__attribute__((target("avx2"))) const uint8_t *utf8_skip_blocks_avx2(const uint8_t *at,
                                                                     const uint8_t *end)
{
    while (end - at >= 32) {
        if (!block_is_valid_avx2(at)) {
            return before_unfinished(at);
        }
        at += 32;
    }
    return before_unfinished(block_is_valid_avx2(end - 32) ? end : at);
}

#endif
