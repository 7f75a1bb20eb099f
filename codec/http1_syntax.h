/* SPDX-License-Identifier: Apache-2.0 */
/* The byte classes of HTTP's grammar (RFC 9110 section 5.6), for the files of http1 alone. */
#ifndef ROOST_CODEC_HTTP1_SYNTAX_H
#define ROOST_CODEC_HTTP1_SYNTAX_H

#include "codec/span.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Is the byte one of a set of ASCII, given as a bitmap? */
static inline bool http1_is_in(const uint32_t set[4], uint8_t byte)
{
    return byte < 0x80 && (set[byte >> 5] >> (byte & 31) & 1) != 0;
}

/* tchar: letters, digits and !#$%&'*+-.^_`|~ */
static inline bool http1_is_token_byte(uint8_t byte)
{
    static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    return http1_is_in(set, byte);
}

/* Letters, digits and what a name, an address and a port are made of (RFC 3986 section 3.2.2):
 * -._~%!$&'()*+;=:[] */
static inline bool http1_is_host_byte(uint8_t byte)
{
    static const uint32_t set[4] = {0, 0x2fff6ff2, 0xaffffffe, 0x47fffffe};
    return http1_is_in(set, byte);
}

/* A digit of base64 (RFC 4648 section 4). */
static inline bool http1_is_base64_byte(uint8_t byte)
{
    static const uint32_t set[4] = {0, 0x03ff8800, 0x07fffffe, 0x07fffffe};
    return http1_is_in(set, byte);
}

/* field-vchar, space and tab: all but the control characters. */
static inline bool http1_is_value_byte(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static inline bool http1_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static inline bool http1_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/*
 * Each of these moves over bytes of one class and stops at the first byte that is not, or earlier
 * at one that is rare: whoever asked judges the byte where it stopped. 16 bytes are taken at once.
 */
#if defined(__SSE2__)

static inline __m128i http1_load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* As signed numbers all but ASCII is negative. */
static inline __m128i http1_in_range(__m128i bytes, char low, char high)
{
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(low - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(high + 1))));
}

/* Letters and '-': what nearly all names are made of. */
static inline __m128i http1_block_of_name(__m128i bytes)
{
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    return _mm_or_si128(http1_in_range(lower, 'a', 'z'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
}

static inline __m128i http1_block_of_target(__m128i bytes)
{
    return _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')),
                            http1_in_range(bytes, '!', '~'));
}

/* Without the tab; above ASCII anything goes. */
static inline __m128i http1_block_of_value(__m128i bytes)
{
    const __m128i zero = _mm_setzero_si128();
    return _mm_or_si128(http1_in_range(bytes, ' ', '~'), _mm_cmplt_epi8(bytes, zero));
}

#define HTTP1_SKIP_BLOCKS(at, end, is_of_class) \
    while ((end) - (at) >= 16) { \
        const unsigned others = \
            0xFFFFu ^ (unsigned)_mm_movemask_epi8(is_of_class(http1_load(at))); \
        if (others != 0) { \
            return (at) + __builtin_ctz(others); \
        } \
        (at) += 16; \
    }

#else
#define HTTP1_SKIP_BLOCKS(at, end, is_of_class)
#endif

static inline const uint8_t *http1_skip_name(const uint8_t *at, const uint8_t *end)
{
    HTTP1_SKIP_BLOCKS(at, end, http1_block_of_name)
    while (at < end && http1_is_token_byte(*at)) {
        at++;
    }
    return at;
}

static inline const uint8_t *http1_skip_target(const uint8_t *at, const uint8_t *end)
{
    HTTP1_SKIP_BLOCKS(at, end, http1_block_of_target)
    while (at<end && * at> ' ' && *at < 0x7f && *at != '#') {
        at++;
    }
    return at;
}

static inline const uint8_t *http1_skip_value(const uint8_t *at, const uint8_t *end)
{
    HTTP1_SKIP_BLOCKS(at, end, http1_block_of_value)
    while (at < end && http1_is_value_byte(*at)) {
        at++;
    }
    return at;
}

static inline struct span http1_trim(struct span span)
{
    while (span.len > 0 && http1_is_space(span.at[span.len - 1])) {
        span.len--;
    }
    while (span.len > 0 && http1_is_space(span.at[0])) {
        span.at++;
        span.len--;
    }
    return span;
}

/* Takes the next item of a comma-separated list off *rest; items may be empty. False at the end. */
static inline bool http1_next_item(struct span *rest, struct span *item)
{
    if (rest->at == NULL) {
        return false;
    }
    size_t len = span_index_of(*rest, ',');
    *item = http1_trim(span_of(rest->at, len));
    *rest = len < rest->len ? span_of(rest->at + len + 1, rest->len - len - 1) : SPAN_EMPTY;
    return true;
}

#endif
