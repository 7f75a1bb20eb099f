/* SPDX-License-Identifier: Apache-2.0 */
/* Stories of whole nodes, told step by step: what a join, a death, a departure, a partition and a
 * pause may cost. */
#include "tests/sim/stories.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shards/counters.h"
#include "tests/sim/cluster.h"
#include "tests/sim/moves.h"

enum {
    NODES = 6,
    NODES_FIRST = 5,
    JOINED_MS_MAX = 20 * 1000,
    DEAD_KNOWN_MS_MAX = 15 * 1000,
    HEALED_MS_MAX = 60 * 1000,
    LEFT_MS_MAX = 10 * 1000,
    MOVES = 10, /* Seeds; */
    DYING = 40,
};

static bool check(bool holds, const char *what)
{
    if (!holds) {
        printf("FAILED: %s\n", what);
    }
    return holds;
}

static uint64_t moved_of(const struct cluster *cluster, uint32_t index)
{
    return node_sum(cluster->nodes[index].node, COUNTER_PLACEMENT_SLOTS_MOVED);
}

static bool is_near(uint64_t value, double ideal)
{
    return (double)value > 0.9 * ideal && (double)value < 1.1 * ideal;
}

/* Weights are 1, so the ideal share of one of n nodes is 1/n of the slots. */
static bool tell_join(struct cluster *cluster)
{
    const uint32_t index = cluster_up(cluster);
    const uint64_t before = moved_of(cluster, 0);
    cluster_start(cluster, index);
    const uint64_t took_ms = cluster_run_until_agreed(cluster, CLUSTER_ALL_SIDES, JOINED_MS_MAX);
    const uint64_t moved = moved_of(cluster, 0) - before;
    printf("join: node %u, all agree after %" PRIu64 " ms, slots moved %" PRIu64 " of ideal %u\n",
           index, took_ms, moved, SLOTS / cluster_up(cluster));
    return check(took_ms != UINT64_MAX, "a node that came is on everybody's map") &&
           check(is_near(moved, (double)SLOTS / cluster_up(cluster)), "it moves its share");
}

static bool tell_crash(struct cluster *cluster)
{
    const uint32_t index = NODES_FIRST - 1;
    const struct gossip_uid uid = node_uid(cluster->nodes[index].node);
    const uint64_t before = moved_of(cluster, 0);
    const uint32_t had = cluster_slots(cluster, 0, &uid);
    cluster_crash(cluster, index);
    const uint64_t took_ms =
        cluster_run_until_agreed(cluster, CLUSTER_ALL_SIDES, DEAD_KNOWN_MS_MAX);
    const uint64_t moved = moved_of(cluster, 0) - before;
    printf("crash: node %u, all agree after %" PRIu64 " ms, slots moved %" PRIu64 " of its %u\n",
           index, took_ms, moved, had);
    return check(took_ms != UINT64_MAX, "a node that died is on nobody's map") &&
           check(moved == had, "its slots move and no others");
}

static bool tell_leave(struct cluster *cluster)
{
    const uint32_t index = NODES_FIRST - 1;
    const struct gossip_uid uid = node_uid(cluster->nodes[index].node);
    const uint32_t had = cluster_slots(cluster, 0, &uid);
    const uint64_t before = moved_of(cluster, 0);
    const uint64_t deaths = node_sum(cluster->nodes[0].node, COUNTER_CLUSTER_DEATHS);
    const uint64_t started_ms = sim_now_ms(cluster->sim);
    bool moved_while_there = false;
    cluster_stop(cluster, index);
    while (!node_is_drained(cluster->nodes[index].node) &&
           sim_now_ms(cluster->sim) < started_ms + LEFT_MS_MAX) {
        sim_advance_ms(cluster->sim, 10);
        moved_while_there = moved_while_there || cluster_slots(cluster, 0, &uid) == 0;
    }
    const uint64_t took_ms = sim_now_ms(cluster->sim) - started_ms;
    cluster_crash(cluster, index);
    const uint64_t known_ms = cluster_run_until_agreed(cluster, CLUSTER_ALL_SIDES, LEFT_MS_MAX);
    printf("leave: node %u, gone after %" PRIu64 " ms, all agree %" PRIu64 " ms later, slots moved "
           "%" PRIu64 " of its %u\n",
           index, took_ms, known_ms, moved_of(cluster, 0) - before, had);
    return check(took_ms < LEFT_MS_MAX, "a node that is stopped leaves") &&
           check(known_ms != UINT64_MAX, "a node that left is on nobody's map") &&
           check(moved_while_there, "its homes move while it is there") &&
           check(moved_of(cluster, 0) - before == had, "its slots move once, and no others") &&
           check(node_sum(cluster->nodes[0].node, COUNTER_CLUSTER_DEATHS) == deaths,
                 "who leaves is nobody's dead");
}

static bool tell_partition(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->len; i++) {
        cluster->nodes[i].side = i % 2;
    }
    cluster_part(cluster, SIM_FOR_EVER);
    const uint64_t one_ms = cluster_run_until_agreed(cluster, 0, DEAD_KNOWN_MS_MAX);
    const uint64_t other_ms = cluster_run_until_agreed(cluster, 1, DEAD_KNOWN_MS_MAX);
    sim_heal(cluster->sim);
    const uint64_t healed_ms = cluster_run_until_agreed(cluster, CLUSTER_ALL_SIDES, HEALED_MS_MAX);
    printf("partition: the sides agree after %" PRIu64 " and %" PRIu64 " ms more, all again after "
           "%" PRIu64 " ms\n",
           one_ms, other_ms, healed_ms);
    return check(one_ms != UINT64_MAX && other_ms != UINT64_MAX, "each side is a cluster") &&
           check(healed_ms != UINT64_MAX, "what was parted is one again");
}

/* Stopped for a moment, then for longer than others wait. */
static bool tell_pause(struct cluster *cluster)
{
    const uint32_t index = NODES_FIRST - 1;
    const uint64_t before = moved_of(cluster, 0);
    sim_pause_node(cluster->sim, index, 2500);
    sim_advance_ms(cluster->sim, 6000);
    const bool has_kept =
        moved_of(cluster, 0) == before && cluster_agrees(cluster, CLUSTER_ALL_SIDES);
    sim_pause_node(cluster->sim, index, 30000);
    sim_advance_ms(cluster->sim, 30000);
    const bool was_dropped = moved_of(cluster, 0) > before;
    const uint64_t took_ms = cluster_run_until_agreed(cluster, CLUSTER_ALL_SIDES, HEALED_MS_MAX);
    printf("pause: node %u, back on all maps after %" PRIu64 " ms\n", index, took_ms);
    return check(has_kept, "a short pause moves nothing") &&
           check(was_dropped, "a long pause moves the slots") &&
           check(took_ms != UINT64_MAX, "who was paused comes back");
}

static const struct story {
    const char *name;
    bool (*tell)(struct cluster *cluster);
} stories[] = {
    {"join", tell_join},           {"crash", tell_crash}, {"leave", tell_leave},
    {"partition", tell_partition}, {"pause", tell_pause},
};

static bool tell(const struct story *story)
{
    const struct sim_options weather = {.seed = 1,
                                        .latency_us_min = 100,
                                        .latency_us_max = 900,
                                        .datagram_lost_percent = 1};
    struct node_options common;
    static struct cluster cluster;
    node_options_init(&common);
    common.name = "node";
    common.shutdown_timeout_ms = 1000;
    common.client.insecure = true;
    common.cluster.enabled = true;
    cluster_create(&cluster, &weather, &common, NODES);
    for (uint32_t i = 0; i < NODES_FIRST; i++) {
        cluster_start(&cluster, i);
    }
    const uint64_t took_ms = cluster_run_until_agreed(&cluster, CLUSTER_ALL_SIDES, JOINED_MS_MAX);
    printf("%s: %u nodes agree after %" PRIu64 " ms\n", story->name, NODES_FIRST, took_ms);
    const bool holds = check(took_ms != UINT64_MAX, "nodes that start together are one cluster") &&
                       story->tell(&cluster);
    cluster_destroy(&cluster);
    return holds;
}

enum story_result stories_tell(const char *name)
{
    bool is_known = false;
    bool holds = true;
    for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
        if (name == NULL || strcmp(name, stories[i].name) == 0) {
            is_known = true;
            holds = tell(&stories[i]) && holds;
        }
    }
    for (uint64_t seed = 1; (name == NULL || strcmp(name, "moves") == 0) && seed <= MOVES; seed++) {
        is_known = true;
        holds = moves_tell(seed) && holds;
    }
    for (uint64_t seed = 1; (name == NULL || strcmp(name, "dying") == 0) && seed <= DYING; seed++) {
        is_known = true;
        holds = moves_tell_death(seed) && holds;
    }
    if (!is_known) {
        return STORY_UNKNOWN;
    }
    return holds ? STORY_HOLDS : STORY_WRONG;
}
