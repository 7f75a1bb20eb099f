/* SPDX-License-Identifier: Apache-2.0 */
/* What a node tells a backend of its own accord, as JSON: events, the batches that carry them, the
 * signature by which they are known, and what counts as taken.
 *
 *     {"events":[...],"nodes":[...],"node":"a","run":"<uid>","source":0,"seq":7,"lost":0}
 *
 * Events of channels are Centrifugo PRO's; what is told of nodes stands apart, so that a receiver
 * of those alone meets nothing else among them. Pure, any shard.
 */
#ifndef ROOST_CODEC_WEBHOOK_H
#define ROOST_CODEC_WEBHOOK_H

#include "codec/span.h"
#include "codec/writer.h"

/* X(name, text): what may be told. */
#define WEBHOOK_EVENTS(X) \
    X(OCCUPIED, "occupied") \
    X(VACATED, "vacated") \
    X(CONNECTED, "connected") \
    X(DISCONNECTED, "disconnected") \
    X(NODE_STARTED, "started") \
    X(NODE_GONE, "gone") \
    X(NODE_BACK, "back")

#define WEBHOOK_ENUM_EVENT(name, text) WEBHOOK_##name,
enum webhook_event_type { WEBHOOK_EVENTS(WEBHOOK_ENUM_EVENT) WEBHOOK_EVENT_TYPES };
#undef WEBHOOK_ENUM_EVENT

static inline bool webhook_is_about_node(enum webhook_event_type type)
{
    return type >= WEBHOOK_NODE_STARTED;
}

/* Spans that are empty are left out, but for the user: empty, the anonymous one. */
struct webhook_event {
    enum webhook_event_type type;
    int64_t time_ms;     /* Unix time at which it happened. */
    struct span channel; /* Of a channel. */
    struct span run;     /* Of a node: the uid of its run. */

    /* Of a client. */
    struct span client;
    struct span user;
    struct span transport;
    struct span protocol;
    struct span name;
    struct span version;
    struct span meta; /* JSON */
    /* And of one that left: when it had come, and why it did. */
    int64_t connected_ms;
    uint32_t code;
    struct span reason;
};

void webhook_encode_event(struct writer *out, const struct webhook_event *event);

/* Where a batch comes from, and where it stands there. */
struct webhook_source {
    struct span node; /* Its name, */
    struct span run;  /* and the uid of its run. */
    uint32_t number;  /* Of a shard and whom it tells. */
    uint64_t seq;     /* 1, 2, ... of the source; the same when it is sent again. */
    uint64_t lost;    /* Events between the batch before and this one that cannot be told. */
};

/* A batch: begin; each event about channels or clients (as webhook_encode_event wrote it); turn to
 * nodes, where there are any; each of those; end. */
struct webhook_batch {
    struct writer *out;
    bool comma;
};
struct webhook_batch webhook_batch_begin(struct writer *out);
void webhook_batch_add(struct webhook_batch *batch, struct span event);
void webhook_batch_begin_nodes(struct webhook_batch *batch);
void webhook_batch_end(struct webhook_batch *batch, const struct webhook_source *source);

/* The header's line: `X-Roost-Signature: t=<now_s>,v1=<hex>` of the HMAC-SHA256 of "<now_s>.<body>"
 * under the secret. */
enum { WEBHOOK_SIGNATURE_LINE_MAX = 128 };
void webhook_write_signature(struct writer *out, struct span secret, int64_t now_s,
                             struct span body);

/* A 2xx whose body is no object with an `error`. */
bool webhook_is_taken(unsigned status, struct span body);

#endif
