/* SPDX-License-Identifier: Apache-2.0 */
/* What a poller is made of; for its files alone. */
#ifndef ROOST_SHARDS_EDGE_POLLS_KEY_POLLER_STATE_H
#define ROOST_SHARDS_EDGE_POLLS_KEY_POLLER_STATE_H

#include "runtime/list.h"
#include "runtime/map.h"
#include "shards/edge/polls/key_poller.h"

struct key_poller {
    struct edge *edge;
    struct map *channels; /* Name -> struct polled_channel. */
    struct pool *polls;
    struct list waiting; /* Channels with keys that are due, but no room for a poll. */
    uint64_t versions;   /* The newest that was given to what has none. */
    uint64_t kept_bytes;
    uint32_t under_way;
    uint32_t under_way_max;
};

struct polled_channel {
    struct key_poller *poller;
    struct buf *name;
    const struct shared_poll_options *options;
    struct map *keys;    /* struct polled_key */
    struct list idle;    /* In the order in which they are due, */
    struct list due;     /* are to be asked for, */
    struct list polls;   /* struct key_poll: and those that are under way. */
    struct list waiting; /* In the poller. */
    struct timer timer;  /* The next batch is due, or (without keys) it is forgotten. */
    struct buf *epoch;   /* NULL: "". */
    uint64_t due_since_ns;
    uint64_t cycle_since_ns;  /* The first turn of those in which each key has one; */
    uint64_t cycle_spread_ns; /* from it to the last, */
    uint64_t cycle_turns_left;
    bool cycle_ends;             /* whose polls are not begun yet. */
    uint32_t shards[SHARDS_MAX]; /* How many of its keys each wants. */
    bool has_epoch;              /* Something has been said of it. */
    enum poll_trigger trigger;   /* Of what is due: something of it has just come, or not. */
};

struct polled_key {
    struct polled_channel *channel;
    struct list link; /* In idle, due, or the keys of a poll. */
    struct buf *name;
    struct buf *item; /* The newest; NULL: nothing has been said, or it is not kept. */
    uint64_t version; /* The newest; 0: nothing has been said. */
    uint64_t hash;    /* Of its data, where the node gives versions. */
    uint64_t shards[SHARDS_MAX / 64]; /* A bit for each that wants it. */
    bool is_idle;
    bool is_published; /* Since it was asked for last: the next time is skipped. */
    bool is_owed;      /* Some shard does not have what is known, and there is no item to send. */
};

/* A request under way. */
struct key_poll {
    struct polled_channel *channel;
    struct list link; /* In the channel. */
    struct list keys;
    uint64_t started_ns;
    uint64_t cycle_since_ns; /* The last of a cycle; 0: it is not. */
    uint64_t cycle_spread_ns;
    uint32_t handle;
    uint32_t request;
    enum poll_trigger trigger;
};

/* What is said of a key, by a backend or by the server API. */
struct polled_news {
    struct span data;
    uint64_t version; /* 0: the node gives one, where it differs. */
    bool is_binary;
};

enum polled_outcome { POLLED_CHANGED, POLLED_UNCHANGED };

/* Of edge->proxy_uses. */
static inline uint32_t key_poller_use(const struct polled_channel *channel)
{
    return proxy_uses_number(&channel->poller->edge->proxy_uses, channel->options->proxy,
                             PROXY_SHARED_POLL_REFRESH);
}

struct polled_channel *key_poller_find(const struct edge *edge, struct span channel);

/* Moves a key of the channel that is idle to those that are due. */
void key_poller_make_due(struct polled_key *key);
/* Begins polls for what is due, as far as there is room. */
void key_poller_begin(struct polled_channel *channel);
/* It is answered, or given up: its keys are idle again. */
void key_poller_end_poll(struct key_poll *poll);
/* The same as key_poller_begin() for those that found no room. */
void key_poller_begin_waiting(struct key_poller *poller);

/* Takes what was said, and tells the shards where it is new. */
enum polled_outcome key_poller_take(struct polled_key *key, const struct polled_news *news);
/* The key is no more: all are told, and it is forgotten. */
void key_poller_take_removal(struct polled_key *key);
/* Whatever was known is of another epoch: all are told. The same epoch: nothing happens. */
void key_poller_take_epoch(struct polled_channel *channel, struct span epoch);

/* Sends a shard what is known of the key, or sees to it that it is asked for. */
void key_poller_tell_shard(struct polled_key *key, uint32_t shard);
void key_poller_tell_epoch(const struct polled_channel *channel, uint32_t shard);

void key_poller_forget_item(struct polled_key *key);
/* Nobody wants it any more. */
void key_poller_forget_key(struct polled_key *key);

#endif
