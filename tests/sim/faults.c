/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to nodes and between them while the world is not at rest. */
#include <inttypes.h>

#include "tests/sim/world.h"

enum { PAUSE_MS_MAX = 8000, LONG_PAUSE_MS_MAX = 180 * 1000, WAY_MS_MAX = 30 * 1000 };

static void note(struct world *world, enum fault fault, uint32_t node, uint64_t ms)
{
    world->faults[fault]++;
    truth_note(&world->truth, CHANNEL_NONE, "%s: node %u, %" PRIu64 " ms", fault_word(fault), node,
               ms);
}

/* One that does not run, those that never did in their order; false: all do. */
static bool start_one(struct world *world)
{
    struct cluster *cluster = &world->cluster;
    const uint32_t first = world_below(world, cluster->len);
    for (uint32_t i = 0; i < cluster->len; i++) {
        uint32_t node = (first + i) % cluster->len;
        if (cluster_is_up(cluster, node)) {
            continue;
        }
        while (!cluster->nodes[node].is_known && node > 0 && !cluster->nodes[node - 1].is_known) {
            node--;
        }
        cluster_start(cluster, node);
        note(world, FAULT_START, node, 0);
        return true;
    }
    return false;
}

static void part(struct world *world, uint64_t ms)
{
    struct cluster *cluster = &world->cluster;
    for (uint32_t i = 0; i < cluster->len; i++) {
        cluster->nodes[i].side = world_below(world, 2);
        if (cluster_is_up(cluster, i)) {
            truth_note(&world->truth, CHANNEL_NONE, "node %u is on side %u", i,
                       cluster->nodes[i].side);
        }
    }
    cluster_part(cluster, ms);
}

/* To one node, or from it to another. */
static void hurt(struct world *world, enum fault fault, uint32_t node)
{
    struct cluster *cluster = &world->cluster;
    uint64_t ms = 1 + world_below(world, WAY_MS_MAX);
    uint32_t other = world_below(world, cluster->len);
    other = cluster->nodes[other].is_known ? other : node;
    switch (fault) {
    case FAULT_CRASH:
        cluster_crash(cluster, node);
        break;
    case FAULT_STOP:
        cluster_stop(cluster, node);
        break;
    case FAULT_CUT:
        sim_cut(cluster->sim, node, other, ms);
        break;
    case FAULT_PARTITION:
        part(world, ms);
        break;
    case FAULT_CLOG:
        ms = 1 + ms / 4;
        sim_clog(cluster->sim, node, other, ms);
        break;
    case FAULT_PAUSE:
        ms = 1 + world_below(world, PAUSE_MS_MAX);
        sim_pause_node(cluster->sim, node, ms);
        break;
    case FAULT_LONG_PAUSE:
        ms = 1 + world_below(world, LONG_PAUSE_MS_MAX);
        sim_pause_node(cluster->sim, node, ms);
        break;
    case FAULT_SLOW:
        sim_slow_node(cluster->sim, node, 1 + world_below(world, 400), ms);
        break;
    case FAULT_CLOCK:
        sim_jump_wall_clock(cluster->sim, node, (int64_t)world_below(world, 200000) - 100000);
        break;
    case FAULT_HEAL:
        sim_heal(cluster->sim);
        break;
    default:
        return;
    }
    note(world, fault, node, ms);
}

static enum fault draw_fault(struct world *world)
{
    uint32_t sum = 0;
    for (uint32_t fault = 0; fault < FAULT_AWAY; fault++) {
        sum += world->shape.weights[fault];
    }
    uint32_t at = sum == 0 ? 0 : world_below(world, sum);
    for (uint32_t fault = 0; fault < FAULT_AWAY; fault++) {
        if (at < world->shape.weights[fault]) {
            return (enum fault)fault;
        }
        at -= world->shape.weights[fault];
    }
    return FAULT_HEAL;
}

void faults_act(struct world *world)
{
    struct cluster *cluster = &world->cluster;
    const enum fault fault = draw_fault(world);
    const uint32_t node = world_below(world, cluster->len);
    cluster_end_stopped(cluster);
    if (fault == FAULT_START) {
        (void)start_one(world);
        return;
    }
    const bool ends = fault == FAULT_CRASH || fault == FAULT_STOP;
    /* Who is on its way out is left alone, or dies on it. */
    if (!cluster_is_up(cluster, node) ||
        (cluster->nodes[node].is_stopping && fault != FAULT_CRASH) ||
        (ends && cluster_up(cluster) <= 1 + cluster->len / 3)) {
        return;
    }
    hurt(world, fault, node);
}

void faults_stop(struct world *world)
{
    struct cluster *cluster = &world->cluster;
    struct sim_options calm = world->shape.weather;
    calm.datagram_lost_percent = 0;
    calm.datagram_twice_percent = 0;
    calm.datagram_late_percent = 0;
    sim_change(cluster->sim, &calm);
    sim_heal(cluster->sim);
    truth_note(&world->truth, CHANNEL_NONE, "faults stop");
    for (uint32_t i = 0; i < cluster->len; i++) {
        if (cluster_is_up(cluster, i)) {
            sim_pause_node(cluster->sim, i, 0);
            sim_slow_node(cluster->sim, i, 0, 0);
        }
    }
    while (start_one(world)) {
    }
}
