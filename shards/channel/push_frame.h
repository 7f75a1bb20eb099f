/* SPDX-License-Identifier: Apache-2.0 */
/* A push as the bytes that every subscriber's socket gets: a WebSocket frame for each protocol,
 * made once.
 *
 *   0                        protobuf_at                   len
 *   | text frame, JSON       | binary frame, Protobuf      |
 *
 * Either may be missing: then its part is empty. */
#ifndef ROOST_SHARDS_CHANNEL_PUSH_FRAME_H
#define ROOST_SHARDS_CHANNEL_PUSH_FRAME_H

#include "codec/client_protocol.h"
#include "runtime/buf.h"

/* The push in the protocols of the set, each inside of an unmasked frame. One count; NULL when
 * memory is out or it is larger than a buf. Pure; any shard. */
MUST_CHECK struct buf *push_frames_make(const struct client_push *push, uint32_t protocols,
                                        uint32_t *protobuf_at);

/* The frame for one protocol; empty when there is none. */
static inline struct span push_frame_of(const struct buf *frames, uint32_t protobuf_at,
                                        enum client_protocol protocol)
{
    const uint32_t at = protocol == CLIENT_PROTOBUF ? protobuf_at : 0;
    const uint32_t end = protocol == CLIENT_PROTOBUF ? frames->len : protobuf_at;
    return span_of(frames->bytes + at, end - at);
}

#endif
