/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a shard's homes share: the channels, and what is done to any of them. For
 * homes*.c alone. */
#ifndef ROOST_SHARDS_CHANNEL_HOMES_STATE_H
#define ROOST_SHARDS_CHANNEL_HOMES_STATE_H

#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/channel/channel_stream.h"
#include "shards/channel/homes.h"
#include "shards/channel/idempotency.h"
#include "shards/channel/presence.h"
#include "shards/origins.h"
#include "shards/payloads.h"

/* A shard that wants the channel's publications. */
struct interest {
    uint32_t hub; /* The handle of the channel in that shard's hub. */
    uint16_t shard;
    uint16_t protocols; /* A set: in which it wants them. */
};

enum { INTERESTS_FEW = 4 };

struct channel {
    struct buf *name;
    uint64_t epoch;    /* Of this tenure: from the channel's creation until it is forgotten. */
    uint64_t sequence; /* Of the newest message about it. */
    struct channel_stream *stream;    /* NULL: nobody asked for a position. */
    struct presence_channel presence; /* Its handle is the channel's in the pool. */
    bool is_wanted; /* By a shard, or by who is present; counted in NUM_CHANNELS. */
    uint16_t interests_len;
    uint16_t interests_room; /* Of `many`; 0: they are in `few`. */
    union {
        struct interest few[INTERESTS_FEW];
        struct interest *many;
    } interests;
};

struct homes {
    struct actors *actors;
    uint32_t walk_cursor; /* In the pool: the channels before it were looked at. */
    bool is_walking;      /* Since the placement changed. */
    struct origins origins;
    struct pool *pool;
    struct map *channels;
    struct presence *presence;
    struct channel_streams *streams;
    struct idempotency *idempotency;
};

static inline struct interest *channel_interests(struct channel *channel)
{
    return channel->interests_room == 0 ? channel->interests.few : channel->interests.many;
}

/* Of the newest publication that was kept. */
static inline uint64_t channel_offset(const struct channel *channel)
{
    return channel->stream == NULL ? 0 : channel->stream->history.offset;
}

static inline struct span name_of(const struct buf *buf)
{
    return span_of(buf->bytes, buf->len);
}

static inline struct channel *homes_find(const struct homes *homes, struct span name)
{
    return map_find(homes->channels, name.at, name.len);
}

/* Is this shard the name's home, as far as it knows? */
bool homes_is_home(const struct homes *homes, struct span name);

/* Ends the channel, which nobody is interested in any more. */
void homes_free_channel(struct homes *homes, struct channel *channel);

/* Shares the name. NULL: there are too many, or memory is out. */
MUST_CHECK struct channel *homes_open_channel(struct homes *homes, struct buf *name);

/* The same for a name of which there is no buf. */
MUST_CHECK struct channel *homes_find_or_open(struct homes *homes, struct span name);

/* After whatever may have made the channel wanted or not: one that nobody wants lives on for its
 * stream alone, or ends. */
void homes_settle_channel(struct homes *homes, struct channel *channel);

/* The channel's stream, which is made when there is none; NULL: memory is out. */
MUST_CHECK struct channel_stream *homes_stream_of(struct homes *homes, struct channel *channel,
                                                  uint32_t meta_ttl_s);

void homes_update_presence_gauge(struct homes *homes);

/* Tells the interested shards that a client came or went. */
void homes_tell(struct homes *homes, struct channel *channel, const struct buf *identity,
                enum publication_kind kind);

#endif
