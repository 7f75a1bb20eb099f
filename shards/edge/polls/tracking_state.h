/* SPDX-License-Identifier: Apache-2.0 */
/* What tracking is made of; for its files alone. */
#ifndef ROOST_SHARDS_EDGE_POLLS_TRACKING_STATE_H
#define ROOST_SHARDS_EDGE_POLLS_TRACKING_STATE_H

#include "runtime/list.h"
#include "runtime/map.h"
#include "shards/edge/polls/tracking.h"

struct tracking {
    struct map *channels;  /* Name -> struct tracked_channel. */
    struct map *followers; /* Subscription's handle -> struct follower. */
    struct map *tracked;   /* Follower and key -> struct tracked. */
};

struct tracked_channel {
    struct edge *edge;
    struct buf *name;
    const struct shared_poll_options *options;
    struct map *keys;      /* struct tracked_key */
    struct list followers; /* struct follower */
    struct timer timer;    /* Without followers it is forgotten after a while, */
    struct buf *epoch;     /* and so is this. NULL: "", or not known. */
};

/* While somebody tracks it. */
struct tracked_key {
    struct tracked_channel *channel;
    struct list tracked; /* struct tracked */
    uint32_t holders;    /* Those, and whoever walks over them. */
    struct buf *item;    /* The newest (poll_item_of()); NULL: nothing is known or kept. */
    struct buf *name;
};

/* A subscription. */
struct follower {
    uint32_t subscription; /* Its handle: the key in the map. */
    uint32_t count;        /* Of keys. */
    struct tracked_channel *channel;
    struct connection *conn;
    struct list link;    /* In the channel. */
    struct list tracked; /* struct tracked */
    struct timer timer;  /* The first of its keys expires. */
    struct buf *epoch;   /* That it was told. */
    bool has_delta;
    bool is_told; /* Its subscribe command is answered. */
};

struct tracked_pair {
    const struct follower *follower;
    const struct tracked_key *key;
};

/* A key that a client tracks. */
struct tracked {
    struct tracked_pair pair; /* The key in the map. */
    struct follower *follower;
    struct tracked_key *key;
    struct list of_follower;
    struct list of_key;
    uint64_t version;    /* What the client has; 0: nothing. */
    int64_t expire_at_s; /* Unix time, of the signature. */
    bool has_base;       /* It was sent that version, so that the next can be told against it. */
    bool is_fresh;       /* Of a command that is not yet carried out: it was made by it, */
    bool is_leaving;     /* or goes with it. */
};

/* NULL: there is none. */
struct tracked *tracking_find(const struct edge *edge, const struct follower *follower,
                              struct span key);
struct follower *tracking_follower_of(const struct edge *edge,
                                      const struct subscription *subscription);

/* One more key of the follower. NULL: memory is out. */
MUST_CHECK struct tracked *tracking_make(struct edge *edge, struct follower *follower,
                                         struct span key);

/* Forgets it, and the key with its last one: that is then in the list, for the poller. */
void tracking_drop(struct edge *edge, struct tracked *tracked, struct survey_channels *gone);
void tracking_release_key(struct edge *edge, struct tracked_key *key, struct survey_channels *gone);
/* Tells the poller, where the list is not empty. */
void tracking_tell_gone(struct edge *edge, struct tracked_channel *channel,
                        struct survey_channels *gone);

/* Sets the follower's timer by what it tracks. */
void tracking_schedule(struct edge *edge, struct follower *follower);

/* The key's newest to one who tracks it, if that is newer than what he has. His session may end. */
void tracking_deliver(struct edge *edge, struct tracked *tracked);

#endif
