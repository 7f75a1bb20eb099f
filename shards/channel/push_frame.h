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
#include "shards/payloads.h"

/* The push in the protocols of the set, each inside of an unmasked frame. One count; NULL when
 * memory is out or it is larger than a buf. Pure; any shard. */
MUST_CHECK struct buf *push_frames_make(const struct client_push *push, uint32_t protocols,
                                        uint32_t *protobuf_at);

/* A push of a publication, a join or a leave on its way to another node, in no protocol: the fields
 * of an entry (codec/link_message.h). Its channel, offset and epoch are told beside it. `is_json`:
 * all of it can be said in JSON. One count; NULL when memory is out. Pure; any shard. */
MUST_CHECK struct buf *push_values_make(const struct client_push *push, bool is_json);

/* The values again; the spans point into them, and into the struct. */
struct push_values {
    struct client_push push; /* Of the kind that was set before the reading. */
    struct client_info info;
    bool is_json;
    char client_text[CLIENT_ID_TEXT_LEN];
};
/* False: they are none. */
MUST_CHECK bool push_values_read(struct span values, struct push_values *out);

/* The frames of values, in those of the protocols in which they can be said; what is told beside
 * them is as in the message. NULL also when they are no values. */
struct message_publication;
MUST_CHECK struct buf *push_frames_of_values(struct span channel,
                                             const struct message_publication *told,
                                             struct span values, uint32_t protocols,
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
