/* SPDX-License-Identifier: Apache-2.0 */
/* Which node and shard is the home of a slot: rendezvous hashing over the live members, by weight.
 *
 * Every node computes the same map from the same membership; when a node comes or goes only its
 * share of the slots moves (Thaler and Ravishankar, 1998; weighted as by Schindelhauer and
 * Schomaker, 2005): a slot's home is the member with the least -log2(u) / weight, where u in (0, 1)
 * is a hash of the member and the slot. The logarithm is made of integers, so that it is the same
 * number on every machine.
 */
#ifndef ROOST_SHARDS_ROUTER_PLACEMENT_H
#define ROOST_SHARDS_ROUTER_PLACEMENT_H

#include "codec/span.h"
#include "runtime/buf.h"
#include "shards/limits.h"

enum { PLACEMENT_NODES_MAX = 1024 };

struct placement_member {
    char uid[37];
    uint32_t shards; /* > 0 */
    uint32_t weight; /* > 0 */
};

/* Immutable; shared by all shards of a node as the bytes of a buf. */
struct placement {
    uint64_t version;
    uint16_t self; /* This node's index. */
    uint16_t nodes;
    uint16_t node_of_slot[SLOTS];
    uint32_t shards_of_node[]; /* [nodes] */
};

/* The order of the members decides their indices and nothing else. NULL: memory is out, or there
 * are more than PLACEMENT_NODES_MAX members. */
MUST_CHECK struct buf *placement_make(uint64_t version, const struct placement_member *members,
                                      uint16_t members_len, uint16_t self);

/* The bytes of a placement's buf. */
const struct placement *placement_of(const struct buf *buf);

/* The slot of a name: SipHash-1-3 under a key of zeros, modulo SLOTS. The same on every node of a
 * cluster and for ever. */
uint16_t placement_slot_of(struct span name);

struct placement_home {
    uint16_t node;
    uint32_t shard;
};
struct placement_home placement_home_of(const struct placement *placement, uint16_t slot);

#endif
