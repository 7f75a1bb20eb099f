/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the server API under way: what it waits for, what has come, and its response. */
#ifndef ROOST_SHARDS_EDGE_CALL_H
#define ROOST_SHARDS_EDGE_CALL_H

#include "codec/api.h"
#include "shards/edge/edge.h"

/* One channel's outcome of a publish or broadcast. */
struct call_outcome {
    uint64_t offset;
    uint64_t epoch;
    enum api_error error;
};

struct call {
    uint32_t handle;
    uint32_t connection;
    enum api_method method;
    enum api_error error;
    uint32_t pending; /* Answers that are still to come. */
    uint64_t started_ns;
    bool error_by_transport;
    uint32_t outcomes_len;
    struct call_outcome *outcomes; /* publish, broadcast */
    struct buf **surveys;          /* channels: one a shard */
    struct buf *nodes;             /* info */
    struct message_presence presence;
};

/* All answers are in: the response goes out, if the caller is still there, and the call ends. */
void call_finish(struct edge *edge, struct call *call);

/* Frees the call and whatever has come for it. */
void call_free(struct edge *edge, struct call *call);

#endif
