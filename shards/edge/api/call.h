/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the server API under way: what it waits for, what has come, and its response. */
#ifndef ROOST_SHARDS_EDGE_API_CALL_H
#define ROOST_SHARDS_EDGE_API_CALL_H

#include "codec/api_json.h"
#include "shards/edge/edge.h"
#include "shards/edge/fanout/streams.h"

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
    uint32_t series; /* Whose command it is, and which; POOL_HANDLE_NONE: it is a connection's. */
    uint32_t series_index;
    bool error_by_transport;
    uint16_t key;   /* Who calls (api_keys.h). */
    bool is_health; /* No call of the API at all (health.h). */
    struct timer timer;
    uint32_t limit; /* connections */
    uint32_t outcomes_len;
    struct call_outcome *outcomes;      /* publish, broadcast */
    struct message_published published; /* map_publish, map_remove */
    uint32_t keys;                      /* map_stats */
    bool is_more;                       /* map_read_state: keys behind those of the page. */
    bool is_streamless;                 /* map_read_*: no offset is told. */
    struct buf **surveys;               /* channels: one a shard */
    struct buf *nodes;                  /* info */
    struct message_presence presence;
    struct message_history history;
    struct stream_publications publications; /* Of its page, once the call is finished. */
};

/* Is the channel one that may be named, with this key? Then its options. */
MUST_CHECK enum api_error call_judge_channel(const struct node_options *options, uint16_t key,
                                             struct span channel,
                                             const struct channel_options **channel_options);

/* NULL (counted as stale): the call has ended. */
struct call *call_of_handle(struct edge *edge, uint32_t handle);

/* One of the answers that the call waits for is in; with the last one it is finished. */
void call_answered(struct edge *edge, struct call *call);

/* What an answer's error (of clients) is to backends. */
enum api_error call_error_of(uint32_t error);

/* A method is started with the request's body: what it asked is counted in `pending`, what it
 * refuses is the call's error. */
#define CALL_START(method) \
    MUST_CHECK enum json_result call_##method(struct edge *edge, struct call *call, \
                                              struct span body, struct scratch *scratch)
CALL_START(publish);     /* And broadcast. */
CALL_START(history);     /* And history_remove. */
CALL_START(map_publish); /* And map_remove. */
CALL_START(map_state);   /* map_read_state, map_stats, map_clear */
CALL_START(map_stream);  /* map_read_stream */
CALL_START(disconnect);
CALL_START(unsubscribe);
CALL_START(subscribe);
CALL_START(refresh);
CALL_START(connections);
CALL_START(revoke); /* A token, a user's tokens, a user; and lifting that. */
CALL_START(shared_poll_publish);
#undef CALL_START

/* A question was sent, or was not: then the call fails, and what it had, which may be NULL, is
 * released. */
void call_note_sent(struct call *call, bool is_sent, struct buf *first, struct buf *second);

/* Asks every shard of every node; an empty question is none. */
void call_survey(struct edge *edge, struct call *call, enum survey_op op, struct span question);

/* The result of a method on maps. */
void call_encode_map(struct writer *out, const struct call *call);

/* All answers are in: the response goes out, if the caller is still there, and the call ends. */
void call_finish(struct edge *edge, struct call *call);

/* Frees the call and whatever has come for it. */
void call_free(struct edge *edge, struct call *call);

#endif
