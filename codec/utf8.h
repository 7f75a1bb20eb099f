/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental UTF-8 validation (RFC 3629) that fails at the first impossible byte. */
#ifndef ROOST_CODEC_UTF8_H
#define ROOST_CODEC_UTF8_H

#include "codec/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the validator knows between two chunks; it fits one byte, and a message may be cut anywhere.
 * Overlong forms, surrogates and code points above U+10FFFF are impossible from their second byte
 * on, so four lead bytes have states of their own.
 */
enum utf8_state {
    UTF8_COMPLETE = 0, /* between two code points: the start, and the only good end */
    UTF8_WANTS_1,      /* one continuation byte is missing */
    UTF8_WANTS_2,
    UTF8_WANTS_3,
    UTF8_AFTER_E0, /* next in A0..BF, or it is overlong */
    UTF8_AFTER_ED, /* next in 80..9F, or it is a surrogate */
    UTF8_AFTER_F0, /* next in 90..BF, or it is overlong */
    UTF8_AFTER_F4, /* next in 80..8F, or it is above U+10FFFF */
    UTF8_INVALID,  /* final: no byte leads out of it */
};

/*
 * Feeds the next bytes and returns the new state. utf8_feed(utf8_feed(s, a), b) == utf8_feed(s, a
 * then b). Any shard.
 */
enum utf8_state utf8_feed(enum utf8_state state, struct span span);

static inline bool utf8_is_complete(enum utf8_state state)
{
    return state == UTF8_COMPLETE;
}

static inline bool utf8_is_valid(struct span span)
{
    return utf8_feed(UTF8_COMPLETE, span) == UTF8_COMPLETE;
}

/*
 * The length of the longest prefix of at most `len_max` bytes that is valid and ends on a border of
 * code points.
 */
size_t utf8_prefix_len(struct span span, size_t len_max);

#endif
