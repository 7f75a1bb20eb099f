/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves together for the subscribers of a channel, and the frames that they share of it. For
 * broadcast.c and tailored.c alone. */
#ifndef ROOST_SHARDS_EDGE_FANOUT_BROADCAST_FRAMES_H
#define ROOST_SHARDS_EDGE_FANOUT_BROADCAST_FRAMES_H

#include "shards/channel/push_frame.h"
#include "shards/edge/fanout/hub.h"

/* A publication (or a join, or a leave) that came. Numbered from 1, so that 0 ends a chain. */
struct arrival {
    struct buf *frames; /* NULL once they were sent. */
    uint64_t offset;
    uint32_t protobuf_at;
    uint32_t flags;   /* enum publication_flag */
    uint32_t channel; /* Handle. */
    uint32_t next;
};

/* One frame compressed for each window that one of its receivers has. */
struct deflated_frames {
    uint32_t tried; /* A bit for each window that it has been set for. */
    struct frame *of[DEFLATE_WINDOW_BITS_MAX + 1];
};

/* What the subscribers of one protocol get: plain, framed for each transport that one of them has,
 * and compressed. */
struct encoding {
    struct frame *plain;                 /* NULL: nobody here wants it. */
    uint32_t reframed_tried;             /* A bit for each transport that `reframed` has. */
    struct deflated_frames deflated;     /* Of the bidirectional WebSocket, */
    struct deflated_frames uni_deflated; /* and of the other. */
    struct frame *reframed[TRANSPORTS];
    /* To how many it has gone: over WebSocket, and over each transport of `reframed_tried`. */
    uint32_t sent;
    uint32_t reframed_sent[TRANSPORTS];
};

/* One or more publications that leave together. */
struct broadcast {
    const struct arrival *parts;
    uint32_t parts_len;
    uint32_t kind;
    struct encoding encodings[CLIENT_PROTOCOLS];
};

/* Empty: it cannot be said in that protocol, or nobody has asked for it. */
static inline struct span arrival_frame(const struct arrival *arrival,
                                        enum client_protocol protocol)
{
    return push_frame_of(arrival->frames, arrival->protobuf_at, protocol);
}

static inline void encoding_init(struct encoding *encoding)
{
    encoding->plain = NULL;
    encoding->deflated.tried = 0;
    encoding->uni_deflated.tried = 0;
    encoding->reframed_tried = 0;
    encoding->sent = 0;
}

/* The parts one after the other. NULL: memory is out. */
MUST_CHECK struct frame *broadcast_make_plain(const struct arrival *parts, uint32_t parts_len,
                                              enum client_protocol protocol);

/* The frame as the connection wants it, which has negotiated compression. */
struct frame *encoding_deflated_for(struct edge *edge, struct deflated_frames *deflated,
                                    struct frame *plain, const struct connection *conn);

/* The same for one whose transport is another than the bidirectional WebSocket. NULL: memory is
 * out.
 */
struct frame *encoding_reframed_for(struct edge *edge, struct encoding *encoding,
                                    const struct connection *conn);

/* Counts to whom it has gone, and releases it. */
void encoding_end(struct edge *edge, struct encoding *encoding, const struct broadcast *broadcast);

/* NULL: memory is out. */
static inline struct frame *encoding_frame_for(struct edge *edge, struct encoding *encoding,
                                               const struct connection *conn)
{
    if ((conn->flags & CONNECTION_REFRAMED) != 0) {
        return encoding_reframed_for(edge, encoding, conn);
    }
    encoding->sent++;
    return (conn->flags & CONNECTION_DEFLATE) == 0
               ? encoding->plain
               : encoding_deflated_for(edge, &encoding->deflated, encoding->plain, conn);
}

static inline bool subscription_is_receiver(const struct subscription *at, uint32_t kind)
{
    return at->state >= SUBSCRIPTION_ACTIVE && (kind == PUBLICATION_DATA || at->push_join_leave);
}

#endif
