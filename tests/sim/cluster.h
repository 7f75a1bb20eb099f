/* SPDX-License-Identifier: Apache-2.0 */
/* Some nodes in the simulated network that are to be one cluster, and what each takes for its map.
 */
#ifndef ROOST_TESTS_SIM_CLUSTER_H
#define ROOST_TESTS_SIM_CLUSTER_H

#include "runtime/sim.h"
#include "shards/actors.h"
#include "shards/node.h"
#include "shards/router/placement.h"

enum {
    CLUSTER_NODES_MAX = 100,
    CLUSTER_PORT = 8400,
    CLUSTER_HTTP_PORT = 8000,
    CLUSTER_ALL_SIDES = UINT32_MAX,
};

struct cluster_node {
    struct node_options options;
    struct socket_address seeds[2];
    struct node *node; /* NULL: it does not run. */
    bool is_known;     /* It has a number in the simulator: a new life is a restart. */
    bool is_stopping;
    uint32_t lives; /* That it has begun. */
    uint32_t side;  /* Of a partition. */
};

struct cluster {
    struct sim *sim;
    uint32_t len;
    struct cluster_node nodes[CLUSTER_NODES_MAX];
};

/* `len` nodes that are told `common`, each with one to three shards (more where there is one node),
 * none of which runs yet. */
void cluster_create(struct cluster *cluster, const struct sim_options *weather,
                    const struct node_options *common, uint32_t len);
void cluster_destroy(struct cluster *cluster);

/* A new life; its seeds are nodes 0 and 1. Nodes live for the first time in the order of their
 * numbers. */
void cluster_start(struct cluster *cluster, uint32_t index);
/* Gone at once. */
void cluster_crash(struct cluster *cluster, uint32_t index);
/* It begins to leave in order. */
void cluster_stop(struct cluster *cluster, uint32_t index);
/* Ends the nodes that have left. */
void cluster_end_stopped(struct cluster *cluster);
static inline bool cluster_is_up(const struct cluster *cluster, uint32_t index)
{
    return cluster->nodes[index].node != NULL;
}
uint32_t cluster_up(const struct cluster *cluster);

/* No way leads from one side to another, for a while. */
void cluster_part(struct cluster *cluster, uint64_t for_ms);

/* A serving shard's actors; NULL: they do not run. */
struct actors *cluster_actors(const struct cluster *cluster, uint32_t index, uint32_t shard);

/* Do all nodes of the side that run agree on one map, of exactly them? It is also compared with the
 * map that is made of the members alone. */
bool cluster_agrees(const struct cluster *cluster, uint32_t side);

/* The home of a name, if all nodes that have a map see the same one and it is there; or
 * CLUSTER_NODES_MAX. Not all nodes may run now. */
uint32_t cluster_home_of(const struct cluster *cluster, const char *name);

/* Has another node than the home the channel? It may be about to hand it over. */
bool cluster_has_rival(const struct cluster *cluster, const char *name, uint32_t home);

/* Lets time pass until they do; how long that took, or UINT64_MAX when it was not in time. */
uint64_t cluster_run_until_agreed(struct cluster *cluster, uint32_t side, uint64_t ms_max);

/* The slots of a node, by the map of node `by`. */
uint32_t cluster_slots(const struct cluster *cluster, uint32_t by, const struct gossip_uid *uid);

#endif
