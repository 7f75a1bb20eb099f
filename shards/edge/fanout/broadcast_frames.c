/* SPDX-License-Identifier: Apache-2.0 */
/* Merges what leaves together, compresses it for those who want that, and frames it for each
 * transport. */
#include "shards/edge/fanout/broadcast_frames.h"

#include <string.h>

#include "shards/edge/transport/tally.h"

struct frame *broadcast_make_plain(const struct arrival *parts, uint32_t parts_len,
                                   enum client_protocol protocol)
{
    if (parts_len == 1) {
        const struct span frame = arrival_frame(parts, protocol);
        buf_share(parts->frames, 1);
        return frame_wrap(parts->frames, (uint32_t)(frame.at - parts->frames->bytes),
                          (uint32_t)frame.len);
    }
    size_t len = 0;
    for (uint32_t i = 0; i < parts_len; i++) {
        len += arrival_frame(&parts[i], protocol).len;
    }
    struct frame *merged = frame_create((uint32_t)len);
    if (merged == NULL) {
        return NULL;
    }
    uint8_t *to = frame_bytes(merged);
    for (uint32_t i = 0; i < parts_len; i++) {
        const struct span frame = arrival_frame(&parts[i], protocol);
        memcpy(to, frame.at, frame.len);
        to += frame.len;
    }
    merged->len = (uint32_t)len;
    return merged;
}

/* Each message is compressed by itself (there is no context to take over) or stays plain where that
 * is shorter, so the room of the plain frames is always enough. */
static struct frame *make_deflated(struct edge *edge, const struct frame *plain,
                                   const struct connection *conn)
{
    struct frame *merged = frame_create(plain->len);
    if (merged == NULL) {
        return NULL;
    }
    uint8_t *to = frame_bytes(merged);
    struct span rest = span_of(plain->bytes, plain->len);
    while (!span_is_empty(rest)) {
        const struct span message = websocket_next_frame(&rest);
        struct frame *deflated = frames_make_deflated(edge, conn, websocket_frame_payload(message));
        if (deflated != NULL && deflated->len < message.len) {
            memcpy(to, deflated->bytes, deflated->len);
            to += deflated->len;
        } else {
            memcpy(to, message.at, message.len);
            to += message.len;
        }
        if (deflated != NULL) {
            frame_release(deflated);
        }
    }
    merged->len = (uint32_t)(to - frame_bytes(merged));
    return merged;
}

struct frame *encoding_deflated_for(struct edge *edge, struct deflated_frames *deflated,
                                    struct frame *plain, const struct connection *conn)
{
    const uint8_t bits = conn->window_bits;
    if ((deflated->tried & 1u << bits) == 0) {
        deflated->tried |= 1u << bits;
        deflated->of[bits] = make_deflated(edge, plain, conn);
    }
    return deflated->of[bits] == NULL ? plain : deflated->of[bits];
}

/* The same messages as another transport has them. */
static struct frame *make_reframed(const struct frame *plain, enum client_protocol protocol,
                                   enum transport transport)
{
    size_t len = 0;
    for (struct span rest = span_of(plain->bytes, plain->len); !span_is_empty(rest);) {
        const struct span message = websocket_next_frame(&rest);
        len += transport_framed_len(transport, protocol, websocket_frame_payload(message));
    }
    struct frame *reframed = len > UINT32_MAX / 2 ? NULL : frame_create((uint32_t)len);
    if (reframed == NULL) {
        return NULL;
    }
    uint8_t *to = frame_bytes(reframed);
    for (struct span rest = span_of(plain->bytes, plain->len); !span_is_empty(rest);) {
        const struct span message = websocket_next_frame(&rest);
        to = transport_put(transport, protocol, websocket_frame_payload(message), to);
    }
    reframed->len = (uint32_t)len;
    return reframed;
}

struct frame *encoding_reframed_for(struct edge *edge, struct encoding *encoding,
                                    const struct connection *conn)
{
    const enum transport transport = connection_transport(conn);
    if ((encoding->reframed_tried & 1u << transport) == 0) {
        encoding->reframed_tried |= 1u << transport;
        encoding->reframed_sent[transport] = 0;
        encoding->reframed[transport] =
            make_reframed(encoding->plain, connection_protocol(conn), transport);
    }
    encoding->reframed_sent[transport]++;
    struct frame *frame = encoding->reframed[transport];
    return frame == NULL || (conn->flags & CONNECTION_DEFLATE) == 0
               ? frame
               : encoding_deflated_for(edge, &encoding->uni_deflated, frame, conn);
}

static void encoding_count(struct edge *edge, const struct encoding *encoding,
                           const struct broadcast *broadcast)
{
    static const enum frame_type frame_types[] = {
        [PUBLICATION_DATA] = FRAME_PUSH_PUBLICATION,
        [PUBLICATION_JOIN] = FRAME_PUSH_JOIN,
        [PUBLICATION_LEAVE] = FRAME_PUSH_LEAVE,
    };
    const enum frame_type frame = frame_types[broadcast->kind];
    const uint64_t messages = broadcast->parts_len;
    uint64_t bytes = 0;
    for (struct span rest = span_of(encoding->plain->bytes, encoding->plain->len);
         !span_is_empty(rest);) {
        bytes += websocket_frame_payload(websocket_next_frame(&rest)).len;
    }
    if (encoding->sent > 0) {
        tally_sent(edge, TRANSPORT_WEBSOCKET, frame, encoding->sent * messages,
                   encoding->sent * bytes);
    }
    for (uint32_t i = 0; encoding->reframed_tried >> i != 0; i++) {
        if ((encoding->reframed_tried & 1u << i) != 0) {
            const uint64_t sent = encoding->reframed_sent[i];
            tally_sent(edge, (enum transport)i, frame, sent * messages, sent * bytes);
        }
    }
}

static void deflated_frames_release(const struct deflated_frames *deflated)
{
    for (uint32_t bits = 0; deflated->tried >> bits != 0; bits++) {
        if ((deflated->tried & 1u << bits) != 0 && deflated->of[bits] != NULL) {
            frame_release(deflated->of[bits]);
        }
    }
}

void encoding_end(struct edge *edge, struct encoding *encoding, const struct broadcast *broadcast)
{
    if (encoding->plain != NULL) {
        encoding_count(edge, encoding, broadcast);
        frame_release(encoding->plain);
    }
    deflated_frames_release(&encoding->deflated);
    deflated_frames_release(&encoding->uni_deflated);
    for (uint32_t i = 0; encoding->reframed_tried >> i != 0; i++) {
        if ((encoding->reframed_tried & 1u << i) != 0 && encoding->reframed[i] != NULL) {
            frame_release(encoding->reframed[i]);
        }
    }
}
