/* SPDX-License-Identifier: Apache-2.0 */
/* Unmasking in place, as wide as the processor can, with a look at each byte for its top bit. */
#include "codec/websocket_mask.h"

#include "codec/websocket.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint64_t top_bits = UINT64_C(0x8080808080808080);

static uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint32_t load_half(const uint8_t *at)
{
    uint32_t half;
    memcpy(&half, at, sizeof(half));
    return half;
}

/*
 * Here and below the last bytes are taken from the payload's end, before a store can change what
 * they overlap, so that no length needs a loop over single bytes.
 */
static bool websocket_unmask_short(uint8_t *at, size_t len, uint32_t mask)
{
    if (len >= 4) {
        const uint32_t last = load_half(at + len - 4) ^ websocket_turn_mask(mask, len);
        uint32_t seen = last;
        for (size_t i = 0; i < len - 4; i += 4) {
            const uint32_t half = load_half(at + i) ^ mask;
            memcpy(at + i, &half, sizeof(half));
            seen |= half;
        }
        memcpy(at + len - 4, &last, sizeof(last));
        return (seen & (uint32_t)top_bits) == 0;
    }
    uint8_t bytes[4];
    uint8_t seen = 0;
    memcpy(bytes, &mask, sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        at[i] ^= bytes[i];
        seen |= at[i];
    }
    return seen < 0x80;
}

bool websocket_unmask_scalar(uint8_t *at, size_t len, uint32_t mask)
{
    if (len < 8) {
        return websocket_unmask_short(at, len, mask);
    }
    const uint32_t turned = websocket_turn_mask(mask, len);
    const uint64_t last = load_word(at + len - 8) ^ ((uint64_t)turned << 32 | turned);
    const uint64_t wide = (uint64_t)mask << 32 | mask;
    uint64_t seen = last;
    uint8_t *end = at + len - 8;
    for (; at < end; at += 8) {
        const uint64_t word = load_word(at) ^ wide;
        memcpy(at, &word, sizeof(word));
        seen |= word;
    }
    memcpy(end, &last, sizeof(last));
    return (seen & top_bits) == 0;
}

#if defined(__x86_64__)

bool websocket_unmask_sse2(uint8_t *at, size_t len, uint32_t mask)
{
    if (len < 16) {
        return websocket_unmask_scalar(at, len, mask);
    }
    uint8_t *end = at + len - 16;
    const __m128i last = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)end),
                                       _mm_set1_epi32((int)websocket_turn_mask(mask, len)));
    const __m128i wide = _mm_set1_epi32((int)mask);
    __m128i seen = last;
    for (; at < end; at += 16) {
        __m128i *block = (__m128i *)(void *)at;
        const __m128i plain = _mm_xor_si128(_mm_loadu_si128(block), wide);
        _mm_storeu_si128(block, plain);
        seen = _mm_or_si128(seen, plain);
    }
    _mm_storeu_si128((__m128i *)(void *)end, last);
    return _mm_movemask_epi8(seen) == 0;
}

/* Unmasks the 32 bytes at `at` and returns what `seen` and they have in bits. */
__attribute__((target("avx2"))) static inline __m256i unmask_block(uint8_t *at, __m256i wide,
                                                                   __m256i seen)
{
    __m256i *block = (__m256i *)(void *)at;
    const __m256i plain = _mm256_xor_si256(_mm256_loadu_si256(block), wide);
    _mm256_storeu_si256(block, plain);
    return _mm256_or_si256(seen, plain);
}

__attribute__((target("avx2"))) bool websocket_unmask_avx2(uint8_t *at, size_t len, uint32_t mask)
{
    if (len < 32) {
        return websocket_unmask_sse2(at, len, mask);
    }
    uint8_t *end = at + len - 32;
    const __m256i last = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)end),
                                          _mm256_set1_epi32((int)websocket_turn_mask(mask, len)));
    const __m256i wide = _mm256_set1_epi32((int)mask);
    __m256i seen = last;
    for (; end - at >= 128; at += 128) {
        seen = unmask_block(at, wide, seen);
        seen = unmask_block(at + 32, wide, seen);
        seen = unmask_block(at + 64, wide, seen);
        seen = unmask_block(at + 96, wide, seen);
    }
    for (; at < end; at += 32) {
        seen = unmask_block(at, wide, seen);
    }
    _mm256_storeu_si256((__m256i *)(void *)end, last);
    return _mm256_movemask_epi8(seen) == 0;
}

/* The processor was asked before main(); what is left of the choice is a test of one bit. */
bool websocket_unmask(uint8_t *at, size_t len, uint32_t mask)
{
    return len >= 64 && __builtin_cpu_supports("avx2") ? websocket_unmask_avx2(at, len, mask)
                                                       : websocket_unmask_sse2(at, len, mask);
}

#else

bool websocket_unmask(uint8_t *at, size_t len, uint32_t mask)
{
    return websocket_unmask_scalar(at, len, mask);
}

#endif

uint32_t websocket_mask(uint8_t *at, size_t len, uint32_t mask)
{
    (void)websocket_unmask(at, len, mask);
    return websocket_turn_mask(mask, len);
}
