/* SPDX-License-Identifier: Apache-2.0 */
/* The clusters' simulator as a program: a story told step by step, and swarms of faults by seed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/counters.h"
#include "tests/sim/cluster/cluster.h"

enum {
    EXIT_USAGE = 2,
    EXIT_WRONG = 3,
    EXIT_NOT_REPLAYED = 5,
    SEEDS = 10,
    ALL = -1,
    JOINED_MS_MAX = 20 * 1000,
    DEAD_KNOWN_MS_MAX = 15 * 1000,
    HEALED_MS_MAX = 60 * 1000,
    LEFT_MS_MAX = 10 * 1000,
    REST_MS_MAX = 180 * 1000,
};

static const char usage[] =
    "cluster: whole nodes that join, agree on the homes, fail, part and heal, under a fake clock\n"
    "  (nothing)      the story of one cluster, then seeds 1 to 10\n"
    "  --seed N       one cluster under faults drawn from N\n"
    "  --seeds A..B   many\n"
    "Exit: 0 all held; 3 a promise was broken; 5 a seed did not replay; 2 wrong arguments.\n";

static bool check(bool holds, const char *what)
{
    if (!holds) {
        printf("FAILED: %s\n", what);
    }
    return holds;
}

/* ---- a story ---- */

static uint64_t moved_of(const struct cluster *cluster, uint32_t index)
{
    return node_sum(cluster->nodes[index].node, COUNTER_PLACEMENT_SLOTS_MOVED);
}

static bool is_near(uint64_t value, double ideal)
{
    return (double)value > 0.9 * ideal && (double)value < 1.1 * ideal;
}

/* Weights are 1, so the ideal share of one of n nodes is 1/n of the slots. */
static bool tell_join(struct cluster *cluster, uint32_t index)
{
    const uint64_t before = moved_of(cluster, 0);
    cluster_start(cluster, index);
    const uint64_t took_ms = cluster_run_until_agreed(cluster, (uint32_t)ALL, JOINED_MS_MAX);
    const uint64_t moved = moved_of(cluster, 0) - before;
    printf("join: node %u, all agree after %" PRIu64 " ms, slots moved %" PRIu64 " of ideal %u\n",
           index, took_ms, moved, SLOTS / cluster_up(cluster));
    return check(took_ms != UINT64_MAX, "a node that came is on everybody's map") &&
           check(is_near(moved, (double)SLOTS / cluster_up(cluster)), "it moves its share");
}

static bool tell_crash(struct cluster *cluster, uint32_t index)
{
    const struct gossip_uid uid = node_uid(cluster->nodes[index].node);
    const uint64_t before = moved_of(cluster, 0);
    const uint32_t had = cluster_slots(cluster, 0, &uid);
    cluster_crash(cluster, index);
    const uint64_t took_ms = cluster_run_until_agreed(cluster, (uint32_t)ALL, DEAD_KNOWN_MS_MAX);
    const uint64_t moved = moved_of(cluster, 0) - before;
    printf("crash: node %u, all agree after %" PRIu64 " ms, slots moved %" PRIu64 " of its %u\n",
           index, took_ms, moved, had);
    return check(took_ms != UINT64_MAX, "a node that died is on nobody's map") &&
           check(moved == had, "its slots move and no others");
}

static bool tell_leave(struct cluster *cluster, uint32_t index)
{
    const struct gossip_uid uid = node_uid(cluster->nodes[index].node);
    const uint32_t had = cluster_slots(cluster, 0, &uid);
    const uint64_t before = moved_of(cluster, 0);
    const uint64_t deaths = node_sum(cluster->nodes[0].node, COUNTER_CLUSTER_DEATHS);
    const uint64_t started_ms = sim_now_ms(cluster->sim);
    bool moved_while_there = false;
    node_stop_begin(cluster->nodes[index].node);
    for (uint32_t shard = 0; shard <= cluster->nodes[index].options.shards; shard++) {
        poller_wake(sim_shard(cluster->sim, index, shard)->poller);
    }
    while (!node_is_drained(cluster->nodes[index].node) &&
           sim_now_ms(cluster->sim) < started_ms + LEFT_MS_MAX) {
        sim_advance_ms(cluster->sim, 10);
        moved_while_there = moved_while_there || cluster_slots(cluster, 0, &uid) == 0;
    }
    const uint64_t took_ms = sim_now_ms(cluster->sim) - started_ms;
    cluster_crash(cluster, index);
    const uint64_t known_ms = cluster_run_until_agreed(cluster, (uint32_t)ALL, LEFT_MS_MAX);
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

static void cut(struct cluster *cluster, uint32_t set, uint64_t for_ms)
{
    for (uint32_t from = 0; from < cluster->len; from++) {
        for (uint32_t to = 0; to < cluster->len; to++) {
            if ((set >> from & 1) != (set >> to & 1)) {
                sim_cut(cluster->sim, from, to, for_ms);
            }
        }
    }
}

static bool tell_partition(struct cluster *cluster, uint32_t set)
{
    cut(cluster, set, SIM_FOR_EVER);
    const uint64_t one_ms = cluster_run_until_agreed(cluster, set, DEAD_KNOWN_MS_MAX);
    const uint64_t other_ms = cluster_run_until_agreed(cluster, ~set, DEAD_KNOWN_MS_MAX);
    sim_heal(cluster->sim);
    const uint64_t healed_ms = cluster_run_until_agreed(cluster, (uint32_t)ALL, HEALED_MS_MAX);
    printf("partition: the sides agree after %" PRIu64 " and %" PRIu64 " ms more, all again after "
           "%" PRIu64 " ms\n",
           one_ms, other_ms, healed_ms);
    return check(one_ms != UINT64_MAX && other_ms != UINT64_MAX, "each side is a cluster") &&
           check(healed_ms != UINT64_MAX, "what was parted is one again");
}

/* Stopped for a moment, then for longer than others wait. */
static bool tell_pause(struct cluster *cluster, uint32_t index)
{
    const uint64_t before = moved_of(cluster, 0);
    sim_pause_node(cluster->sim, index, 2500);
    sim_advance_ms(cluster->sim, 6000);
    const bool has_kept = moved_of(cluster, 0) == before && cluster_agrees(cluster, (uint32_t)ALL);
    sim_pause_node(cluster->sim, index, 30000);
    sim_advance_ms(cluster->sim, 30000);
    const bool was_dropped = moved_of(cluster, 0) > before;
    const uint64_t took_ms = cluster_run_until_agreed(cluster, (uint32_t)ALL, HEALED_MS_MAX);
    printf("pause: node %u, back on all maps after %" PRIu64 " ms\n", index, took_ms);
    return check(has_kept, "a short pause moves nothing") &&
           check(was_dropped, "a long pause moves the slots") &&
           check(took_ms != UINT64_MAX, "who was paused comes back");
}

static bool tell_story(void)
{
    const struct sim_options options = {.seed = 1,
                                        .latency_us_min = 100,
                                        .latency_us_max = 900,
                                        .datagram_lost_percent = 1};
    struct cluster cluster;
    cluster_create(&cluster, &options, 6);
    for (uint32_t i = 0; i < 3; i++) {
        cluster_start(&cluster, i);
    }
    const uint64_t took_ms = cluster_run_until_agreed(&cluster, (uint32_t)ALL, JOINED_MS_MAX);
    printf("start: three nodes agree after %" PRIu64 " ms\n", took_ms);
    bool holds = check(took_ms != UINT64_MAX, "nodes that start together are one cluster");
    holds = holds && tell_join(&cluster, 3) && tell_join(&cluster, 4) && tell_join(&cluster, 5);
    holds = holds && tell_crash(&cluster, 3) && tell_join(&cluster, 3);
    holds = holds && tell_leave(&cluster, 4) && tell_join(&cluster, 4);
    holds = holds && tell_partition(&cluster, 7) && tell_pause(&cluster, 5);
    cluster_destroy(&cluster);
    return holds;
}

/* ---- swarms ---- */

static uint64_t draw(struct cluster *cluster, uint64_t bound)
{
    return random_below(sim_random(cluster->sim), bound);
}

static void inject(struct cluster *cluster)
{
    const uint32_t index = (uint32_t)draw(cluster, cluster->len);
    const uint64_t choice = draw(cluster, 100);
    if (choice < 25) {
        if (cluster_is_up(cluster, index)) {
            cluster_crash(cluster, index);
        } else {
            cluster_start(cluster, index);
        }
    } else if (choice < 40) {
        cut(cluster, (uint32_t)draw(cluster, 1u << cluster->len), draw(cluster, 60000));
    } else if (choice < 55) {
        const uint32_t to = (uint32_t)draw(cluster, cluster->len);
        sim_cut(cluster->sim, index, to, draw(cluster, 40000));
    } else if (choice < 65) {
        const uint32_t to = (uint32_t)draw(cluster, cluster->len);
        sim_clog(cluster->sim, index, to, draw(cluster, 10000));
    } else if (choice < 80 && cluster_is_up(cluster, index)) {
        sim_pause_node(cluster->sim, index, draw(cluster, 30000));
    } else if (choice < 85 && cluster_is_up(cluster, index)) {
        sim_jump_wall_clock(cluster->sim, index, (int64_t)draw(cluster, 200000) - 100000);
    } else if (choice < 95) {
        sim_heal(cluster->sim);
    }
}

static void stop_faults(struct cluster *cluster)
{
    sim_heal(cluster->sim);
    for (uint32_t i = 0; i < cluster->len; i++) {
        if (cluster_is_up(cluster, i)) {
            sim_pause_node(cluster->sim, i, 0);
        } else if (i < 2) {
            cluster_start(cluster, i); /* Seeds, or others find nobody. */
        }
    }
}

struct outcome {
    bool holds;
    uint64_t digest;
    uint64_t simulated_ms;
    uint64_t faults;
};

static struct outcome run_seed(uint64_t seed)
{
    struct random shape;
    random_init_seeded(&shape, seed);
    const struct sim_options options = {
        .seed = seed,
        .latency_us_min = random_below(&shape, 500),
        .latency_us_max = 500 + random_below(&shape, 20000),
        .split_percent = (uint32_t)random_below(&shape, 30),
        .step_skip_percent = (uint32_t)random_below(&shape, 50),
        .datagram_lost_percent = (uint32_t)random_below(&shape, 15),
        .datagram_twice_percent = (uint32_t)random_below(&shape, 15),
        .datagram_late_percent = (uint32_t)random_below(&shape, 20),
        .datagram_late_us = random_below(&shape, 2000000),
    };
    struct cluster cluster;
    cluster_create(&cluster, &options, 2 + (uint32_t)random_below(&shape, 7));
    const uint64_t started_ms = sim_now_ms(cluster.sim);
    for (uint32_t i = 0; i < cluster.len; i++) {
        cluster_start(&cluster, i);
    }
    const uint64_t steps = 10 + random_below(&shape, 30);
    for (uint64_t step = 0; step < steps; step++) {
        sim_advance_ms(cluster.sim, draw(&cluster, 6000));
        inject(&cluster);
    }
    stop_faults(&cluster);
    const uint64_t took_ms = cluster_run_until_agreed(&cluster, (uint32_t)ALL, REST_MS_MAX);
    const struct outcome outcome = {
        .holds = took_ms != UINT64_MAX,
        .digest = sim_digest(cluster.sim),
        .simulated_ms = sim_now_ms(cluster.sim) - started_ms,
        .faults = sim_faults(cluster.sim),
    };
    printf("seed %" PRIu64 ": %s nodes=%u up=%u steps=%" PRIu64 " faults=%" PRIu64
           " simulated_s=%.1f agreed_s=%.1f digest=%016" PRIx64 "\n",
           seed, outcome.holds ? "held" : "FAILED", cluster.len, cluster_up(&cluster), steps,
           outcome.faults, (double)outcome.simulated_ms / 1000,
           outcome.holds ? (double)took_ms / 1000 : -1.0, outcome.digest);
    (void)fflush(stdout);
    cluster_destroy(&cluster);
    return outcome;
}

static int run_seeds(uint64_t first, uint64_t last)
{
    struct outcome sum = {.holds = true};
    for (uint64_t seed = first; seed <= last; seed++) {
        const struct outcome outcome = run_seed(seed);
        if (!outcome.holds) {
            return EXIT_WRONG;
        }
        if (seed == first && run_seed(seed).digest != outcome.digest) {
            (void)fputs("the same seed made another history\n", stderr);
            return EXIT_NOT_REPLAYED;
        }
        sum.simulated_ms += outcome.simulated_ms;
        sum.faults += outcome.faults;
    }
    printf("all held: %.1f simulated seconds, %" PRIu64 " faults\n",
           (double)sum.simulated_ms / 1000, sum.faults);
    return 0;
}

int main(int count, char **values)
{
    uint64_t first;
    uint64_t last;
    if (count == 1) {
        return tell_story() ? run_seeds(1, SEEDS) : EXIT_WRONG;
    }
    if (count == 3 && strcmp(values[1], "--seed") == 0) {
        first = strtoull(values[2], NULL, 10);
        return run_seeds(first, first);
    }
    if (count == 3 && strcmp(values[1], "--seeds") == 0 &&
        sscanf(values[2], "%" SCNu64 "..%" SCNu64, &first, &last) == 2) {
        return run_seeds(first, last);
    }
    (void)fputs(usage, stderr);
    return EXIT_USAGE;
}
