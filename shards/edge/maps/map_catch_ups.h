/* SPDX-License-Identifier: Apache-2.0 */
/* Clients on their way to follow maps: what is kept of each and where it is found. For
 * map_subscriptions.c; others only end them. */
#ifndef ROOST_SHARDS_EDGE_MAPS_MAP_CATCH_UPS_H
#define ROOST_SHARDS_EDGE_MAPS_MAP_CATCH_UPS_H

#include "shards/edge/fanout/hub.h"

/* What is under way. */
enum map_step {
    MAP_STEP_NONE,
    MAP_STEP_STATE,  /* MAP_ASK */
    MAP_STEP_TOP,    /* HISTORY_ASK for the position alone, */
    MAP_STEP_STREAM, /* and for publications. */
    MAP_STEP_LIVE,   /* SUBSCRIBE: there is a subscription. */
};

struct map_catch_up {
    struct connection *conn;
    struct buf *channel;
    const struct channel_options *options;
    struct buf *chan_info; /* NULL: none. As the others. */
    struct buf *data;
    struct shared_filter *filter;
    struct buf *state;               /* The last page of keys, told with LIVE. */
    struct stream_position position; /* From which on changes are brought. */
    uint64_t top;                    /* Of the stream, when it was first asked for. */
    uint64_t due_ms;                 /* Until when the client is to follow. */
    int64_t expire_at_s;
    uint32_t next; /* Of the session; POOL_HANDLE_NONE: the last. */
    uint32_t handle;
    uint32_t emits;
    uint32_t command_id; /* Of the command under way; so are the following. */
    uint32_t limit;
    uint8_t step;   /* enum map_step */
    uint8_t source; /* enum subscription_source */
    bool push_join_leave;
    bool has_position; /* The first page has come, or the client has brought one. */
    bool has_top;
    bool has_delta;
    bool is_recovering; /* The client asks for what came since a position that it has. */
    bool is_awaited;    /* The session's input waits for the answer. */
};

struct pool *map_catch_ups_pool_create(void);

/* The session's catch-up for a channel; NULL: none. */
struct map_catch_up *map_catch_up_find(const struct edge *edge, const struct session *session,
                                       struct span channel);

/* How many it has, which count as subscriptions. Those that take too long are forgotten before, but
 * for the channel's, whose next command tells so. */
uint32_t map_catch_ups_count(struct edge *edge, struct session *session, struct span channel);

/* Takes over the filter, whatever comes of it. NULL: memory is out, or there are too many. */
MUST_CHECK struct map_catch_up *map_catch_up_create(struct edge *edge, struct session *session,
                                                    const struct hub_subscribe *granted);

/* Ends it; a command that waits for it goes on. */
void map_catch_up_forget(struct edge *edge, struct session *session, struct map_catch_up *catch_up);
/* The same for the one of a channel, if there is one. */
void map_catch_up_forget_of(struct edge *edge, struct session *session, struct span channel);

/* The session ends, and all of its catch-ups. */
void map_catch_ups_end(struct edge *edge, struct session *session);

#endif
