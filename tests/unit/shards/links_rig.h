/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that are nothing but links, in the simulator, with a check of what links promise. */
#ifndef ROOST_TESTS_UNIT_SHARDS_LINKS_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_LINKS_RIG_H

#include "runtime/sim.h"
#include "shards/router/links/links.h"

enum {
    LINKS_RIG_NODES_MAX = 16,
    LINKS_RIG_PORT = 7946,
    LINKS_RIG_CLUSTER = 77,
};

/* What a node knows of one other, and what it has heard of it. */
struct links_rig_peer {
    bool is_up;
    uint32_t ups;
    uint32_t downs;
    uint32_t protocol;
    uint64_t sent;       /* Of this link: the number of the next message. */
    uint64_t heard;      /* The number of the next message that must come. */
    uint64_t heard_ever; /* Of all links. */
};

struct links_rig;

struct links_rig_node {
    struct links_rig *rig;
    uint32_t number;
    struct links_options options;
    struct shard *shard; /* NULL: not alive. */
    struct links *links;
    struct links_rig_peer peers[LINKS_RIG_NODES_MAX];
    uint8_t last[64]; /* The last message. */
    size_t last_len;
    bool counts; /* Messages carry numbers, which are checked. */
};

struct links_rig {
    struct sim *sim;
    uint32_t nodes_len;
    uint64_t lives;
    struct links_rig_node nodes[LINKS_RIG_NODES_MAX];
};

/* Nodes that know nothing of each other. Change their options before links_rig_start. */
struct links_rig *links_rig_open(const struct sim_options *options, uint32_t nodes);
struct links_rig *links_rig_new(uint32_t nodes); /* In a calm network. */
void links_rig_free(struct links_rig *rig);

/* A node begins to live, or lives again: with the same uid, in a later life. */
void links_rig_start(struct links_rig *rig, uint32_t node);
void links_rig_start_all(struct links_rig *rig);
void links_rig_kill(struct links_rig *rig, uint32_t node);

struct gossip_uid links_rig_uid(uint32_t node);
struct socket_address links_rig_address(uint32_t node);
const struct links_counters *links_rig_counters(const struct links_rig *rig, uint32_t node);

/* After something was done to a node from outside of its turns. */
void links_rig_wake(struct links_rig *rig, uint32_t node);

/* The node keeps links to the other; all to all. */
void links_rig_keep(struct links_rig *rig, uint32_t node, uint32_t other);
void links_rig_keep_all(struct links_rig *rig);

void links_rig_reach(struct links_rig *rig, uint32_t node, const struct socket_address *address);

/* The next number to the other, in a message of about that many bytes. */
bool links_rig_count(struct links_rig *rig, uint32_t node, uint32_t other, size_t len);
bool links_rig_say(struct links_rig *rig, uint32_t node, uint32_t other, const char *text);

uint32_t links_rig_connections(const struct links_rig *rig, uint32_t node);

/* Both have their link. */
bool links_rig_are_linked(const struct links_rig *rig, uint32_t one, uint32_t other);

#endif
