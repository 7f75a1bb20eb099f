/* SPDX-License-Identifier: Apache-2.0 */
/* Some nodes in the simulated network that are to be one cluster, and what each takes for its map.
 */
#ifndef ROOST_TESTS_SIM_CLUSTER_CLUSTER_H
#define ROOST_TESTS_SIM_CLUSTER_CLUSTER_H

#include "runtime/sim.h"
#include "shards/node.h"
#include "shards/router/placement.h"

enum { CLUSTER_NODES_MAX = 16, CLUSTER_PORT = 8400 };

struct cluster_node {
    struct node_options options;
    struct socket_address seeds[2];
    struct node *node; /* NULL: it does not run. */
    bool is_known;     /* It has a number in the simulator: a new life is a restart. */
};

struct cluster {
    struct sim *sim;
    uint32_t len;
    struct cluster_node nodes[CLUSTER_NODES_MAX];
};

/* `len` nodes of one to three shards, none of which runs yet. */
void cluster_create(struct cluster *cluster, const struct sim_options *options, uint32_t len);
void cluster_destroy(struct cluster *cluster);

/* A new life; its seeds are nodes 0 and 1. */
void cluster_start(struct cluster *cluster, uint32_t index);
/* Gone at once. */
void cluster_crash(struct cluster *cluster, uint32_t index);
bool cluster_is_up(const struct cluster *cluster, uint32_t index);
uint32_t cluster_up(const struct cluster *cluster);

/* The map that a shard of a node has; NULL: none yet. */
const struct placement *cluster_placement(const struct cluster *cluster, uint32_t index,
                                          uint32_t shard);

/* Do all nodes in the set (bits of their indices) that run agree on one map, of exactly them? It is
 * also compared with the map that is made of the members alone. */
bool cluster_agrees(const struct cluster *cluster, uint32_t set);

/* Lets time pass until they do; how long that took, or UINT64_MAX when it was not in time. */
uint64_t cluster_run_until_agreed(struct cluster *cluster, uint32_t set, uint64_t ms_max);

/* The slots of a node, by the map of node `by`. */
uint32_t cluster_slots(const struct cluster *cluster, uint32_t by, const struct gossip_uid *uid);

#endif
