/* SPDX-License-Identifier: Apache-2.0 */
/* Takes whole frames of a server off a buffer; cheaper than a decoder that copes with pieces. */
#ifndef ROOST_OPS_BENCH_FRAME_H
#define ROOST_OPS_BENCH_FRAME_H

#include "codec/span.h"
#include "codec/websocket.h"

#include <stdbool.h>
#include <stdint.h>

enum frame_result {
    FRAME_MORE,  /* the frame is not whole yet */
    FRAME_WHOLE, /* taken: *at is behind it */
    FRAME_BAD,   /* broken, fragmented, compressed, or longer than len_max */
};

struct frame {
    struct span payload; /* inside of the buffer */
    uint8_t opcode;
};

/* The floor returns frames that we masked with zeros; nobody else may mask. */
static inline enum frame_result frame_take(const uint8_t **at, const uint8_t *end, uint64_t len_max,
                                           struct frame *out)
{
    const uint8_t *from = *at;
    const size_t left = (size_t)(end - from);
    if (left < 2) {
        return FRAME_MORE;
    }
    const bool is_masked = (from[1] & 0x80) != 0;
    uint64_t len = from[1] & 0x7f;
    size_t header_len = 2;
    if (len >= 126) {
        const unsigned bytes = len == 126 ? 2 : 8;
        header_len += bytes;
        if (left < header_len) {
            return FRAME_MORE;
        }
        len = 0;
        for (unsigned i = 0; i < bytes; i++) {
            len = len << 8 | from[2 + i];
        }
    }
    header_len += is_masked ? 4 : 0;
    out->opcode = from[0] & 0x0f;
    const bool is_control = (out->opcode & 8) != 0;
    if ((from[0] & 0xf0) != WEBSOCKET_FIN || len > (is_control ? 125 : len_max)) {
        return FRAME_BAD;
    }
    if (left < header_len || left - header_len < len) {
        return FRAME_MORE;
    }
    out->payload = span_of(from + header_len, (size_t)len);
    *at = from + header_len + len;
    return FRAME_WHOLE;
}

#endif
