/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to unmask a payload, one for each kind of processor; private to websocket*.c. */
#ifndef ROOST_CODEC_WEBSOCKET_MASK_H
#define ROOST_CODEC_WEBSOCKET_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * XORs `len` bytes with the mask, in memory order from its first byte on, and tells whether all of
 * the result is ASCII: text that is needs no further look. Pure but for the payload, any shard.
 */
bool websocket_unmask(uint8_t *at, size_t len, uint32_t mask);

/* The mask for the byte behind `len` masked ones: its bytes in memory move forward by len mod 4. */
static inline uint32_t websocket_turn_mask(uint32_t mask, size_t len)
{
    const unsigned bits = 8 * (unsigned)(len & 3);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return mask << bits | mask >> (-bits & 31);
#else
    return mask >> bits | mask << (-bits & 31);
#endif
}

/*
 * What websocket_unmask() chooses from. All give the same; the first runs anywhere, the last needs
 * a processor with AVX2.
 */
bool websocket_unmask_scalar(uint8_t *at, size_t len, uint32_t mask);
#if defined(__x86_64__)
bool websocket_unmask_sse2(uint8_t *at, size_t len, uint32_t mask);
bool websocket_unmask_avx2(uint8_t *at, size_t len, uint32_t mask);
#endif

#endif
