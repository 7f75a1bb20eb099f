/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validation: ASCII is skipped in blocks, the rest walks a small table of byte ranges. */
#include "codec/utf8.h"

#include "codec/utf8_blocks.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* For each state between two bytes: which bytes may come next, and where they lead. */
static const struct utf8_step {
    uint8_t low;
    uint8_t high;
    uint8_t next;
} utf8_steps[] = {
    [UTF8_WANTS_1] = {0x80, 0xBF, UTF8_COMPLETE}, [UTF8_WANTS_2] = {0x80, 0xBF, UTF8_WANTS_1},
    [UTF8_WANTS_3] = {0x80, 0xBF, UTF8_WANTS_2},  [UTF8_AFTER_E0] = {0xA0, 0xBF, UTF8_WANTS_1},
    [UTF8_AFTER_ED] = {0x80, 0x9F, UTF8_WANTS_1}, [UTF8_AFTER_F0] = {0x90, 0xBF, UTF8_WANTS_2},
    [UTF8_AFTER_F4] = {0x80, 0x8F, UTF8_WANTS_2},
};

/* C0 and C1 could only begin an overlong form, F5 and above lie beyond U+10FFFF. */
static enum utf8_state utf8_state_after_lead(uint8_t byte)
{
    if (byte < 0x80) {
        return UTF8_COMPLETE;
    }
    if (byte < 0xC2 || byte > 0xF4) {
        return UTF8_INVALID;
    }
    if (byte < 0xE0) {
        return UTF8_WANTS_1;
    }
    if (byte < 0xF0) {
        return byte == 0xE0 ? UTF8_AFTER_E0 : byte == 0xED ? UTF8_AFTER_ED : UTF8_WANTS_2;
    }
    return byte == 0xF0 ? UTF8_AFTER_F0 : byte == 0xF4 ? UTF8_AFTER_F4 : UTF8_WANTS_3;
}

static enum utf8_state utf8_state_after(enum utf8_state state, uint8_t byte)
{
    if (state == UTF8_COMPLETE) {
        return utf8_state_after_lead(byte);
    }
    if (state == UTF8_INVALID) {
        return UTF8_INVALID;
    }
    const struct utf8_step *step = &utf8_steps[state];
    return byte >= step->low && byte <= step->high ? (enum utf8_state)step->next : UTF8_INVALID;
}

/* Returns the first byte that is not ASCII, or a place before it less than a block away. */
static const uint8_t *utf8_skip_ascii_blocks(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    while (end - at >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        if (_mm_movemask_epi8(block) != 0) {
            return at;
        }
        at += 16;
    }
#endif
    while (end - at >= 8) {
        uint64_t block;
        memcpy(&block, at, sizeof(block));
        if ((block & UINT64_C(0x8080808080808080)) != 0) {
            return at;
        }
        at += 8;
    }
    return at;
}

/* Returns a border of code points before which all is valid; `at` where no block can be taken. */
static const uint8_t *utf8_skip_blocks(struct span span, const uint8_t *at, const uint8_t *end)
{
#if defined(__x86_64__)
    if (at - span.at < UTF8_BLOCK_CONTEXT || end - at < UTF8_BLOCK_LEN_MAX) {
        return at;
    }
    if (__builtin_cpu_supports("avx2")) {
        return utf8_skip_blocks_avx2(at, end);
    }
    if (__builtin_cpu_supports("ssse3")) {
        return utf8_skip_blocks_ssse3(at, end);
    }
#endif
    return at;
}

enum utf8_state utf8_feed(enum utf8_state state, struct span span)
{
    if (span.len == 0) {
        return state;
    }
    const uint8_t *at = span.at;
    const uint8_t *end = span.at + span.len;
    while (at < end) {
        if (state == UTF8_COMPLETE && *at < 0x80) {
            at = utf8_skip_ascii_blocks(at, end);
            while (at < end && *at < 0x80) {
                at++;
            }
            continue;
        }
        if (state == UTF8_COMPLETE) {
            const uint8_t *border = utf8_skip_blocks(span, at, end);
            if (border > at) {
                at = border;
                continue;
            }
        }
        state = utf8_state_after(state, *at++);
        if (state == UTF8_INVALID) {
            break;
        }
    }
    return state;
}

size_t utf8_prefix_len(struct span span, size_t len_max)
{
    size_t len = span.len < len_max ? span.len : len_max;
    size_t border = 0;
    enum utf8_state state = UTF8_COMPLETE;
    for (size_t i = 0; i < len; i++) {
        state = utf8_state_after(state, span.at[i]);
        if (state == UTF8_INVALID) {
            break;
        }
        if (state == UTF8_COMPLETE) {
            border = i + 1;
        }
    }
    return border;
}
