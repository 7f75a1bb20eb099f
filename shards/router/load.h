/* SPDX-License-Identifier: Apache-2.0 */
/* What this node has to do, in the figures that it tells others, and the list of all nodes with
 * theirs. Owned by the router shard. */
#ifndef ROOST_SHARDS_ROUTER_LOAD_H
#define ROOST_SHARDS_ROUTER_LOAD_H

#include "shards/router/membership/membership.h"
#include "shards/router/router.h"

struct load {
    const struct node *node;
    const struct shard *shard;
    uint64_t started_ms;
    /* As of the last look at what only grows. */
    uint64_t looked_ms;
    uint64_t messages;
    uint32_t messages_a_second;
    uint32_t loop_lag_us;
    uint64_t turns[SHARDS_MAX];
    uint64_t busy_ns[SHARDS_MAX];
};

void load_init(struct load *load, const struct node *node, const struct shard *shard);

/* Looks at what only grows, for the rates of the next second. */
void load_look(struct load *load);

/* The figures of now. */
struct gossip_load load_now(const struct load *load);

/* All nodes that are not gone, this one first (`membership` may be NULL: the only one), as NODES
 * carries them. NULL: memory is out. */
MUST_CHECK struct buf *load_nodes(const struct load *load, const struct membership *membership);

#endif
