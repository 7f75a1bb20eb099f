/* SPDX-License-Identifier: Apache-2.0 */
/* A push as the bytes that every subscriber's socket gets: one WebSocket text frame, made once. */
#ifndef ROOST_SHARDS_CHANNEL_PUSH_FRAME_H
#define ROOST_SHARDS_CHANNEL_PUSH_FRAME_H

#include "codec/client.h"
#include "runtime/buf.h"

/* The push in JSON inside of an unmasked frame; *payload_at is where the JSON begins. One
 * count; NULL when memory is out or the push is larger than a buf. Pure; any shard. */
MUST_CHECK struct buf *push_frame_make(const struct client_push *push, uint32_t *payload_at);

#endif
