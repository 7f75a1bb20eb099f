/* SPDX-License-Identifier: Apache-2.0 */
/* The actors of one serving shard: its edge, the channels and users that are at home here, and its
 * view of the cluster. */
#ifndef ROOST_SHARDS_ACTORS_H
#define ROOST_SHARDS_ACTORS_H

#include "runtime/shard.h"
#include "shards/counters.h"
#include "shards/messages.h"
#include "shards/node.h"
#include "shards/outbox.h"

struct edge;
struct homes;
struct directory;
struct placement;
struct webhooks;

struct actors {
    const struct shard_actor *ops; /* Which actor of the node this is: the first member (node.c). */
    struct node *node;
    const struct node_options *options;
    struct shard *shard;
    struct edge *edge;
    struct homes *homes;
    struct directory *directory;
    struct webhooks *webhooks;         /* NULL: nobody is told of events. */
    struct outbox *outbox;             /* The way of every answer that must not be lost. */
    const struct placement *placement; /* The router's newest; NULL before the first. */
    struct buf *placement_buf;         /* Whose bytes it is. */
};

/* Before the shard's thread runs. NULL: memory is out. What is in it is made when it starts. */
MUST_CHECK struct actors *actors_create(struct node *node);
const struct shard_actor *actors_ops(void);

static inline void actors_count(struct actors *actors, enum counter counter)
{
    stats_add(actors->shard->stats, counter, 1);
}

static inline void actors_count_many(struct actors *actors, enum counter counter, uint64_t n)
{
    stats_add(actors->shard->stats, counter, n);
}

static inline void actors_count_action(struct actors *actors, enum action action)
{
    actors_count(actors, COUNTER_OF(ACTION, action, 0));
}

/* A gauge that only this shard writes: up or down. */
static inline void actors_gauge_add(struct actors *actors, enum counter gauge, int64_t change)
{
    stats_add(actors->shard->stats, gauge, (uint64_t)change);
}

/* The shard of this node that is the home of a name (of a channel, or of a user). When the home is
 * on another node that is the router shard, which passes the message on. Only after the first
 * placement. */
uint32_t actors_home_of(const struct actors *actors, struct span name);

#endif
