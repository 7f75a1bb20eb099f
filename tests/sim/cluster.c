/* SPDX-License-Identifier: Apache-2.0 */
/* Starts nodes as a program would and reads their maps where their shards have them. */
#include "tests/sim/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "shards/channel/homes_state.h"
#include "tests/sim/trace.h"

enum { LOOK_MS = 50, SHARDS_OF_MANY = 3, SHARDS_ALONE = 8 };

static const uint8_t key[GOSSIP_KEY_LEN] = {1, 2, 3};

static void prepare_node(struct cluster *cluster, uint32_t index, const struct node_options *common)
{
    struct cluster_node *node = &cluster->nodes[index];
    const uint32_t shards_max = cluster->len == 1 ? SHARDS_ALONE : SHARDS_OF_MANY;
    node->options = *common;
    node->options.shards = 1 + (uint32_t)random_below(sim_random(cluster->sim), shards_max);
    node->options.cluster.bind = (struct socket_address){.family = 4, .port = CLUSTER_PORT};
    sim_node_address(index, CLUSTER_PORT, &node->options.cluster.advertise);
    sim_node_address(index, CLUSTER_HTTP_PORT, &node->options.listen);
    for (uint32_t seed = 0; seed < 2; seed++) {
        sim_node_address(seed, CLUSTER_PORT, &node->seeds[seed]);
    }
    node->options.cluster.seeds = node->seeds;
    node->options.cluster.seeds_len = cluster->len < 2 ? 0 : 2;
    BUG_IF(gossip_keyring_add(&node->options.cluster.keyring, span_of(key, sizeof(key))) !=
           GOSSIP_SEAL_OK);
}

void cluster_create(struct cluster *cluster, const struct sim_options *weather,
                    const struct node_options *common, uint32_t len)
{
    memset(cluster, 0, sizeof(*cluster));
    BUG_IF(len > CLUSTER_NODES_MAX);
    cluster->sim = sim_create(weather);
    BUG_IF(cluster->sim == NULL);
    cluster->len = len;
    for (uint32_t i = 0; i < len; i++) {
        prepare_node(cluster, i, common);
    }
}

void cluster_destroy(struct cluster *cluster)
{
    sim_destroy(cluster->sim);
    for (uint32_t i = 0; i < cluster->len; i++) {
        node_destroy(cluster->nodes[i].node);
    }
}

/* ---- lives ---- */

void cluster_start(struct cluster *cluster, uint32_t index)
{
    struct cluster_node *node = &cluster->nodes[index];
    BUG_IF(node->node != NULL);
    node->node = node_create(&node->options, sim_random(cluster->sim), 0);
    BUG_IF(node->node == NULL);
    struct shard_set_options set = node_shard_set_options(node->node);
    trace_watch(&set);
    node->is_stopping = false;
    node->lives++;
    if (node->is_known) {
        BUG_IF(!sim_restart_node(cluster->sim, index, &set));
        return;
    }
    BUG_IF(sim_add_node(cluster->sim, &set) != index);
    node->is_known = true;
}

void cluster_crash(struct cluster *cluster, uint32_t index)
{
    struct cluster_node *node = &cluster->nodes[index];
    sim_remove_node(cluster->sim, index);
    node_destroy(node->node);
    node->node = NULL;
}

void cluster_stop(struct cluster *cluster, uint32_t index)
{
    struct cluster_node *node = &cluster->nodes[index];
    node->is_stopping = true;
    node_stop_begin(node->node);
    for (uint32_t shard = 0; shard <= node->options.shards; shard++) {
        poller_wake(sim_shard(cluster->sim, index, shard)->poller);
    }
}

void cluster_end_stopped(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->len; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        if (node->node != NULL && node->is_stopping && node_is_drained(node->node)) {
            cluster_crash(cluster, i);
        }
    }
}

uint32_t cluster_up(const struct cluster *cluster)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < cluster->len; i++) {
        up += cluster_is_up(cluster, i);
    }
    return up;
}

void cluster_part(struct cluster *cluster, uint64_t for_ms)
{
    for (uint32_t from = 0; from < cluster->len; from++) {
        for (uint32_t to = 0; to < cluster->len; to++) {
            const struct cluster_node *a = &cluster->nodes[from];
            const struct cluster_node *b = &cluster->nodes[to];
            if (a->side != b->side && a->is_known && b->is_known) {
                sim_cut(cluster->sim, from, to, for_ms);
            }
        }
    }
}

/* ---- maps ---- */

struct actors *cluster_actors(const struct cluster *cluster, uint32_t index, uint32_t shard)
{
    return cluster_is_up(cluster, index) ? sim_shard(cluster->sim, index, shard)->actor : NULL;
}

static bool is_of_side(const struct cluster *cluster, uint32_t index, uint32_t side)
{
    return cluster_is_up(cluster, index) &&
           (side == CLUSTER_ALL_SIDES || cluster->nodes[index].side == side);
}

static bool has_exactly(const struct cluster *cluster, uint32_t side,
                        const struct placement *placement)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < cluster->len; i++) {
        if (is_of_side(cluster, i, side)) {
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
    const struct placement_members members = {.at = placement->members,
                                              .len = placement->nodes,
                                              .self = placement->self};
    struct buf *afresh = placement_make(1, &members, NULL);
    BUG_IF(afresh == NULL);
    const bool is_same = placement_slots_moved(placement, placement_of(afresh)) == 0;
    buf_release(afresh);
    return is_same;
}

bool cluster_agrees(const struct cluster *cluster, uint32_t side)
{
    const struct placement *first = NULL;
    for (uint32_t i = 0; i < cluster->len; i++) {
        const struct placement *before = NULL;
        if (!is_of_side(cluster, i, side)) {
            continue;
        }
        for (uint32_t shard = 0; shard < cluster->nodes[i].options.shards; shard++) {
            const struct placement *placement = cluster_actors(cluster, i, shard)->placement;
            if (placement == NULL) {
                return false;
            }
            if (placement == before) {
                continue; /* Shards of a node share it. */
            }
            before = placement;
            first = first == NULL ? placement : first;
            if (!has_exactly(cluster, side, placement) ||
                memcmp(first->node_of_slot, placement->node_of_slot, sizeof(first->node_of_slot)) !=
                    0) {
                return false;
            }
        }
    }
    return first == NULL || is_map_of_its_members(first);
}

uint32_t cluster_home_of(const struct cluster *cluster, const char *name)
{
    const uint16_t slot = placement_slot_of(span_of_text(name));
    const struct gossip_uid *home = NULL;
    uint32_t found = CLUSTER_NODES_MAX;
    for (uint32_t i = 0; i < cluster->len; i++) {
        const struct placement *before = NULL;
        for (uint32_t shard = 0;
             cluster_is_up(cluster, i) && shard < cluster->nodes[i].options.shards; shard++) {
            const struct placement *at = cluster_actors(cluster, i, shard)->placement;
            if (at == NULL || at == before) {
                continue;
            }
            before = at;
            const uint16_t node = at->node_of_slot[slot];
            const struct gossip_uid *uid = &at->members[node].uid;
            found = node == at->self ? i : found;
            home = home == NULL ? uid : home;
            if (memcmp(home->bytes, uid->bytes, sizeof(uid->bytes)) != 0) {
                return CLUSTER_NODES_MAX;
            }
        }
    }
    return found;
}

bool cluster_has_rival(const struct cluster *cluster, const char *name, uint32_t home)
{
    const struct span channel = span_of_text(name);
    const uint16_t slot = placement_slot_of(channel);
    for (uint32_t i = 0; i < cluster->len; i++) {
        const struct actors *actors =
            cluster_actors(cluster, i, slot % cluster->nodes[i].options.shards);
        if (i != home && actors != NULL && homes_find(actors->homes, channel) != NULL) {
            return true;
        }
    }
    return false;
}

uint64_t cluster_run_until_agreed(struct cluster *cluster, uint32_t side, uint64_t ms_max)
{
    const uint64_t started_ms = sim_now_ms(cluster->sim);
    for (uint64_t ms = 0; ms < ms_max; ms += LOOK_MS) {
        sim_advance_ms(cluster->sim, LOOK_MS);
        if (cluster_agrees(cluster, side)) {
            return sim_now_ms(cluster->sim) - started_ms;
        }
    }
    return UINT64_MAX;
}

uint32_t cluster_slots(const struct cluster *cluster, uint32_t by, const struct gossip_uid *uid)
{
    const struct placement *placement = cluster_actors(cluster, by, 0)->placement;
    const uint16_t node = placement_find(placement, uid);
    uint32_t slots = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        slots += placement->node_of_slot[slot] == node;
    }
    return slots;
}
