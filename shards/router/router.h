/* SPDX-License-Identifier: Apache-2.0 */
/* The router shard's actor: it knows the members of the cluster, makes the placement and tells
 * every shard.
 *
 *     start --> look for others --> first placement: the shards take clients --> serve
 *                                                                                  |
 *           left: the node is drained <-- leave <-- clients have gone <-- drain: homes move
 *
 * A node that is no part of a cluster is one of one, and goes the same way without the waits.
 */
#ifndef ROOST_SHARDS_ROUTER_ROUTER_H
#define ROOST_SHARDS_ROUTER_ROUTER_H

#include "runtime/shard.h"
#include "shards/node.h"

/* A member as others see it: what NODES carries (an array of these in a buf). Names are cut. */
struct node_info {
    char uid[37];
    char name[128];
    char version[64];
    char client_address[256]; /* "" when it is no part of a cluster. */
    uint32_t clients;
    uint32_t users; /* All anonymous clients count as one. */
    uint32_t channels;
    uint32_t subscriptions;
    uint32_t uptime_s;
};

struct router;

/* Before the shard's thread runs; its ops' stop frees it. NULL: memory is out. */
MUST_CHECK struct router *router_create(struct node *node);

/* For who looks at it. NULL: the node is no part of a cluster. */
struct relay;
const struct relay *router_relay(const struct router *router);

const struct shard_actor *router_actor_ops(void);

#endif
