/* SPDX-License-Identifier: Apache-2.0 */
/* Starts nodes as a program would and reads their maps where their shards have them. */
#include "tests/sim/cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/actors.h"

enum { LOOK_MS = 50 };

static const uint8_t key[GOSSIP_KEY_LEN] = {1, 2, 3};

void cluster_create(struct cluster *cluster, const struct sim_options *options, uint32_t len)
{
    memset(cluster, 0, sizeof(*cluster));
    BUG_IF(len > CLUSTER_NODES_MAX);
    cluster->sim = sim_create(options);
    BUG_IF(cluster->sim == NULL);
    cluster->len = len;
    for (uint32_t i = 0; i < len; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        node_options_init(&node->options);
        node->options.shards = 1 + (uint32_t)random_below(sim_random(cluster->sim), 3);
        node->options.shutdown_timeout_ms = 1000;
        node->options.name = "node";
        node->options.version = "0";
        node->options.client.insecure = true;
        node->options.cluster.enabled = true;
        node->options.cluster.bind = (struct socket_address){.family = 4, .port = CLUSTER_PORT};
        sim_node_address(i, CLUSTER_PORT, &node->options.cluster.advertise);
        for (uint32_t seed = 0; seed < 2; seed++) {
            sim_node_address(seed, CLUSTER_PORT, &node->seeds[seed]);
        }
        node->options.cluster.seeds = node->seeds;
        node->options.cluster.seeds_len = 2;
        BUG_IF(gossip_keyring_add(&node->options.cluster.keyring, span_of(key, sizeof(key))) !=
               GOSSIP_SEAL_OK);
    }
}

void cluster_destroy(struct cluster *cluster)
{
    sim_destroy(cluster->sim);
    for (uint32_t i = 0; i < cluster->len; i++) {
        node_destroy(cluster->nodes[i].node);
    }
}

void cluster_start(struct cluster *cluster, uint32_t index)
{
    struct cluster_node *node = &cluster->nodes[index];
    BUG_IF(node->node != NULL);
    node->node = node_create(&node->options, sim_random(cluster->sim), 0);
    BUG_IF(node->node == NULL);
    const struct shard_set_options set = node_shard_set_options(node->node);
    if (node->is_known) {
        BUG_IF(!sim_restart_node(cluster->sim, index, &set));
    } else {
        BUG_IF(sim_add_node(cluster->sim, &set) != index);
        node->is_known = true;
    }
}

void cluster_crash(struct cluster *cluster, uint32_t index)
{
    struct cluster_node *node = &cluster->nodes[index];
    sim_remove_node(cluster->sim, index);
    node_destroy(node->node);
    node->node = NULL;
}

bool cluster_is_up(const struct cluster *cluster, uint32_t index)
{
    return cluster->nodes[index].node != NULL;
}

uint32_t cluster_up(const struct cluster *cluster)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < cluster->len; i++) {
        up += cluster_is_up(cluster, i);
    }
    return up;
}

const struct placement *cluster_placement(const struct cluster *cluster, uint32_t index,
                                          uint32_t shard)
{
    const struct actors *actors = sim_shard(cluster->sim, index, shard)->actor;
    return actors->placement;
}

static bool has_exactly(const struct cluster *cluster, uint32_t set,
                        const struct placement *placement)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < cluster->len; i++) {
        if ((set >> i & 1) != 0 && cluster_is_up(cluster, i)) {
            const struct gossip_uid uid = node_uid(cluster->nodes[i].node);
            wanted++;
            if (placement_find(placement, &uid) == PLACEMENT_NOBODY) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < placement->nodes; i++) {
        if (placement->members[i].share != PLACEMENT_TAKES) {
            return false;
        }
    }
    return placement->nodes == wanted;
}

static bool is_map_of_its_members(const struct placement *placement)
{
    const struct placement_members members = {placement->members, placement->nodes,
                                              placement->self};
    struct buf *afresh = placement_make(1, &members, NULL);
    BUG_IF(afresh == NULL);
    const bool is_same = placement_slots_moved(placement, placement_of(afresh)) == 0;
    buf_release(afresh);
    return is_same;
}

bool cluster_agrees(const struct cluster *cluster, uint32_t set)
{
    const struct placement *first = NULL;
    for (uint32_t i = 0; i < cluster->len; i++) {
        if ((set >> i & 1) == 0 || !cluster_is_up(cluster, i)) {
            continue;
        }
        for (uint32_t shard = 0; shard < cluster->nodes[i].options.shards; shard++) {
            const struct placement *placement = cluster_placement(cluster, i, shard);
            if (placement == NULL || !has_exactly(cluster, set, placement)) {
                return false;
            }
            first = first == NULL ? placement : first;
            if (memcmp(first->node_of_slot, placement->node_of_slot, sizeof(first->node_of_slot)) !=
                0) {
                return false;
            }
        }
    }
    return first == NULL || is_map_of_its_members(first);
}

uint64_t cluster_run_until_agreed(struct cluster *cluster, uint32_t set, uint64_t ms_max)
{
    const uint64_t started_ms = sim_now_ms(cluster->sim);
    for (uint64_t ms = 0; ms < ms_max; ms += LOOK_MS) {
        sim_advance_ms(cluster->sim, LOOK_MS);
        if (cluster_agrees(cluster, set)) {
            return sim_now_ms(cluster->sim) - started_ms;
        }
    }
    return UINT64_MAX;
}

uint32_t cluster_slots(const struct cluster *cluster, uint32_t by, const struct gossip_uid *uid)
{
    const struct placement *placement = cluster_placement(cluster, by, 0);
    const uint16_t node = placement_find(placement, uid);
    uint32_t slots = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        slots += placement->node_of_slot[slot] == node;
    }
    return slots;
}
