/* SPDX-License-Identifier: Apache-2.0 */
/* Which node and shard is the home of a slot: rendezvous hashing over the live members, by weight.
 *
 * Every node computes the same map from the same membership; when a node comes or goes only its
 * share of the slots moves (Thaler and Ravishankar, 1998; weighted as by Schindelhauer and
 * Schomaker, 2005): a slot's home is the member with the least -log2(u) / weight, where u in (0, 1)
 * is a hash of the member and the slot. The logarithm is made of integers, so that it is the same
 * number on every machine.
 *
 * Views of the members may differ for a while, and so may maps; what then keeps a channel's order
 * is the tenure of its home.
 */
#ifndef ROOST_SHARDS_ROUTER_PLACEMENT_H
#define ROOST_SHARDS_ROUTER_PLACEMENT_H

#include "codec/gossip.h"
#include "codec/span.h"
#include "runtime/buf.h"
#include "shards/limits.h"

enum {
    PLACEMENT_NODES_MAX = 4096,
    PLACEMENT_NOBODY = UINT16_MAX,
};

/* What of the slots a member may have. If nobody takes any, everybody does. */
enum placement_share {
    PLACEMENT_TAKES,   /* Its share, by its weight. */
    PLACEMENT_KEEPS,   /* What it has and nobody new takes: it is not reachable now. */
    PLACEMENT_NOTHING, /* It is a node and no home: it is about to leave. */
};

struct placement_member {
    struct gossip_uid uid;
    uint32_t shards; /* > 0 */
    uint32_t weight; /* > 0 */
    enum placement_share share;
    uint32_t session; /* Of the link to it, as this node counts; 0: none. */
};

/* Immutable; shared by all shards of a node as the bytes of a buf. Indices are this placement's
 * own: what outlives it names nodes by their uids. */
struct placement {
    uint64_t version; /* Of this node: 1, 2, ... Other nodes count otherwise. */
    uint16_t self;    /* This node's index. */
    uint16_t nodes;
    bool is_early; /* See placement_members. */
    uint16_t node_of_slot[SLOTS];
    struct placement_member members[]; /* [nodes], the uids ascending. */
};

struct placement_members {
    const struct placement_member *at; /* The uids ascend. */
    uint32_t len;
    uint16_t self;
    /* This node has come lately: whoever is new to it may have been there all the time. */
    bool is_early;
};

/* The map of these members, after `previous` (NULL: the first one). NULL: memory is out, or there
 * are more than PLACEMENT_NODES_MAX members.
 *
 * Where nobody only KEEPS, the map follows from the members alone. A slot whose home is still there
 * is compared with what is new, so a change costs as much in a large cluster as in a small one.
 * Without a previous map, whoever KEEPS is taken to have what it would take. */
MUST_CHECK struct buf *placement_make(uint64_t version, const struct placement_members *members,
                                      const struct placement *previous);

/* The bytes of a placement's buf. */
const struct placement *placement_of(const struct buf *buf);

/* A member's index, or PLACEMENT_NOBODY. */
uint16_t placement_find(const struct placement *placement, const struct gossip_uid *uid);

/* A number for this run of a node and this session of the link to it: what was registered in
 * another one is not known there. */
uint64_t placement_tenure_of(const struct placement *placement, uint16_t node);

/* How many slots have another node in the later one. */
uint32_t placement_slots_moved(const struct placement *before, const struct placement *after);

/* The slot of a name: SipHash-1-3 under a key of zeros, modulo SLOTS. The same on every node of a
 * cluster and for ever. */
uint16_t placement_slot_of(struct span name);

/* A set of slots: a bit for each. Two sets, one behind the other, are what SLOTS_MISSED tells. */
enum { SLOT_SET_LEN = SLOTS / 8, MISSED_SLOTS_LEN = 2 * SLOT_SET_LEN };
static inline bool slot_set_has(const uint8_t *set, uint16_t slot)
{
    return (set[slot / 8] >> slot % 8 & 1) != 0;
}
static inline void slot_set_add(uint8_t *set, uint16_t slot)
{
    set[slot / 8] |= (uint8_t)(1u << slot % 8);
}
static inline void slot_set_remove(uint8_t *set, uint16_t slot)
{
    set[slot / 8] &= (uint8_t) ~(1u << slot % 8);
}

/* The slots that are at home at the node of `self` now, but were not before (NULL: none was, or it
 * is not known who had them). */
void placement_gained(const struct placement *before, const struct placement *now,
                      uint8_t gained[SLOT_SET_LEN]);

/* What says who had the slots before `now`: the map before it; NULL where that cannot be relied
 * on, since it was made by a node that has come lately and did not know of all yet. */
const struct placement *placement_known_before(const struct placement *before,
                                               const struct placement *now);

struct placement_home {
    uint16_t node;
    uint32_t shard;
};
struct placement_home placement_home_of(const struct placement *placement, uint16_t slot);

#endif
