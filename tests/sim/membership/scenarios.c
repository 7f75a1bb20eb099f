/* SPDX-License-Identifier: Apache-2.0 */
/* Faults swarmed from a seed, deaths, starvation and growth, each with its checks. */
#include "tests/sim/membership/scenarios.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "codec/gossip_seal.h"
#include "tests/sim/membership/network.h"

enum {
    STEP_MS = 100,
    CONVERGE_MS_MAX = 300 * 1000,
    DEAD_KNOWN_MS_MAX = 10 * 1000,
    ALONE_KNOWN_MS_MAX = 90 * 1000,
    BYTES_A_MEMBER_MAX = 2048,
};

/* UINT64_MAX: not within the time. */
static uint64_t run_until_converged(struct network *network, uint64_t for_ms)
{
    const uint64_t start_ms = network->now_ms;
    /* Looking at a million pairs takes longer than running them. */
    const uint64_t step_ms = network->nodes_len < 500 ? STEP_MS : 10 * STEP_MS;
    while (network->now_ms < start_ms + for_ms) {
        network_run_until(network, network->now_ms + step_ms);
        if (network_is_converged(network)) {
            return network->now_ms - start_ms;
        }
    }
    return UINT64_MAX;
}

static void start_all(struct network *network)
{
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        network_start(network, i, false);
    }
}

/* Which faults a seed has; most have some and not all. */
struct swarm {
    uint32_t steps;
    bool has_partitions;
    bool has_blocks;
    bool has_crashes;
    bool has_leaves;
    uint32_t injected;
};

static uint64_t draw(struct network *network, uint64_t bound)
{
    return random_below(&network->random, bound);
}

static struct swarm swarm_draw(struct network *network)
{
    struct swarm swarm = {.steps = 60 + (uint32_t)draw(network, 120),
                          .has_partitions = draw(network, 2) == 0,
                          .has_blocks = draw(network, 2) == 0,
                          .has_crashes = draw(network, 2) == 0,
                          .has_leaves = draw(network, 3) == 0};
    struct faults *faults = &network->faults;
    faults->loss = draw(network, 2) == 0 ? (uint32_t)draw(network, 300) : 0;
    faults->duplicates = draw(network, 2) == 0 ? (uint32_t)draw(network, 200) : 0;
    faults->delay_ms_max = 1 + (uint32_t)draw(network, draw(network, 2) == 0 ? 150 : 5);
    faults->late = draw(network, 2) == 0 ? (uint32_t)draw(network, 200) : 0;
    faults->late_ms_max = (uint32_t)draw(network, 3000);
    return swarm;
}

static void change_partition(struct network *network)
{
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        network->side[i] = (uint8_t)draw(network, 3);
    }
    for (uint32_t from = 0; from < 3; from++) {
        for (uint32_t to = 0; to < 3; to++) {
            network->cut[from][to] = from != to && draw(network, 2) == 0;
        }
    }
}

static void heal(struct network *network)
{
    for (uint32_t side = 0; side < 9; side++) {
        network->cut[side / 3][side % 3] = false;
    }
}

static void change_process(struct network *network, uint32_t index, const struct swarm *swarm)
{
    if (network->nodes[index].membership == NULL) {
        network_start(network, index, draw(network, 2) == 0);
    } else if (swarm->has_leaves && draw(network, 2) == 0) {
        network_leave(network, index);
    } else if (swarm->has_crashes) {
        network_crash(network, index);
    }
}

static void inject(struct network *network, struct swarm *swarm)
{
    const uint32_t index = (uint32_t)draw(network, network->nodes_len);
    const uint32_t before = swarm->injected++;
    if (swarm->has_partitions && draw(network, 15) == 0) {
        change_partition(network);
    } else if (draw(network, 10) == 0) {
        heal(network);
    } else if (swarm->has_blocks && draw(network, 5) == 0) {
        network_block(network, index, draw(network, draw(network, 4) == 0 ? 90000 : 5000));
    } else if ((swarm->has_crashes || swarm->has_leaves) && draw(network, 8) == 0) {
        change_process(network, index, swarm);
    } else {
        swarm->injected = before;
    }
}

static void stop_faults(struct network *network)
{
    heal(network);
    network->faults = (struct faults){.delay_ms_max = 2};
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        network_unblock(network, i);
        /* A seed must be there, or those that start now find nobody. */
        if (i < 2 && network->nodes[i].membership == NULL) {
            network_start(network, i, true);
        }
    }
}

static bool is_memory_bounded(const struct network *network)
{
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        const struct membership *membership = network->nodes[i].membership;
        if (membership != NULL &&
            membership_bytes(membership) >
                100 * 1024 + BYTES_A_MEMBER_MAX * network->config.members_max) {
            return false;
        }
    }
    return true;
}

bool scenario_swarm(uint64_t seed, uint64_t *digest)
{
    struct membership_config config = membership_config_default();
    config.members_max = 64;
    struct network network;
    struct random shape;
    random_init_seeded(&shape, seed ^ 0x5eed);
    network_create(&network, 2 + (uint32_t)random_below(&shape, 20), seed, &config);
    struct swarm swarm = swarm_draw(&network);
    const struct faults drawn = network.faults;
    start_all(&network);
    for (uint32_t step = 0; step < swarm.steps; step++) {
        inject(&network, &swarm);
        network_run_until(&network, network.now_ms + 200 + draw(&network, 1500));
    }
    stop_faults(&network);
    const uint64_t took_ms = run_until_converged(&network, CONVERGE_MS_MAX);
    if (took_ms == UINT64_MAX) {
        network.broken = "it did not converge";
    }
    if (!is_memory_bounded(&network)) {
        network.broken = "memory is not bounded";
    }
    *digest = network.digest;
    printf("seed %" PRIu64 ": %s nodes=%u loss=%.1f%% late=%.1f%% faults=%u lost=%" PRIu64
           " doubled=%" PRIu64 " simulated_s=%.1f converged_s=%.1f digest=%016" PRIx64 "%s%s\n",
           seed, network.broken == NULL ? "held" : "FAILED", network.nodes_len,
           (double)drawn.loss / 10, (double)drawn.late / 10, swarm.injected, network.tally.lost,
           network.tally.duplicated, (double)network.now_ms / 1000,
           took_ms == UINT64_MAX ? -1.0 : (double)took_ms / 1000, network.digest,
           network.broken == NULL ? "" : " why: ", network.broken == NULL ? "" : network.broken);
    const bool has_held = network.broken == NULL;
    network_destroy(&network);
    return has_held;
}

/* When all others hold it for dead; UINT64_MAX: never. */
static uint64_t kill_one(struct network *network, uint32_t index)
{
    const uint64_t start_ms = network->now_ms;
    network_crash(network, index);
    while (network->now_ms < start_ms + CONVERGE_MS_MAX) {
        network_run_until(network, network->now_ms + STEP_MS);
        if (network_count(network, &network->nodes[index].uid, GOSSIP_DEAD) ==
            network_up(network)) {
            return network->now_ms - start_ms;
        }
    }
    return UINT64_MAX;
}

bool scenario_detection(uint32_t nodes, uint32_t trials, uint64_t seed)
{
    const struct membership_config config = membership_config_default();
    struct network network;
    network_create(&network, nodes, seed, &config);
    start_all(&network);
    bool has_held = run_until_converged(&network, CONVERGE_MS_MAX) != UINT64_MAX;
    uint64_t sum_ms = 0;
    uint64_t longest_ms = 0;
    for (uint32_t trial = 0; trial < trials && has_held; trial++) {
        const uint32_t index = 2 + (uint32_t)draw(&network, nodes - 2);
        network_run_until(&network, network.now_ms + draw(&network, 5000));
        const uint64_t took_ms = kill_one(&network, index);
        sum_ms += took_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        network_start(&network, index, trial % 2 == 0);
        has_held = run_until_converged(&network, CONVERGE_MS_MAX) != UINT64_MAX;
    }
    has_held = has_held && longest_ms <= DEAD_KNOWN_MS_MAX && network.broken == NULL;
    printf("detection: %s nodes=%u deaths=%u mean_s=%.2f longest_s=%.2f (at most %.0f) "
           "alarms_of_others=%" PRIu64 "\n",
           has_held ? "held" : "FAILED", nodes, trials, (double)sum_ms / trials / 1000,
           (double)longest_ms / 1000, DEAD_KNOWN_MS_MAX / 1000.0, network.tally.dead_healthy);
    network_destroy(&network);
    return has_held;
}

/* Sides of the scenario below. */
enum { HEARING_ALL, UNHEARD, DEAF };

static void cut_one_sided(struct network *network)
{
    network->side[3] = UNHEARD;
    network->side[4] = DEAF;
    for (uint32_t side = 0; side < 3; side++) {
        network->cut[UNHEARD][side] = side != UNHEARD;
        network->cut[side][DEAF] = side != DEAF;
    }
}

/* When both of them see themselves alone; UINT64_MAX: never. */
static uint64_t run_until_alone(struct network *network, uint64_t alone_ms[2])
{
    const uint64_t start_ms = network->now_ms;
    alone_ms[0] = alone_ms[1] = UINT64_MAX;
    while (network->now_ms < start_ms + CONVERGE_MS_MAX) {
        network_run_until(network, network->now_ms + STEP_MS);
        for (uint32_t i = 0; i < 2; i++) {
            if (alone_ms[i] == UINT64_MAX && network_is_alone(network, 3 + i)) {
                alone_ms[i] = network->now_ms - start_ms;
            }
        }
        if (alone_ms[0] != UINT64_MAX && alone_ms[1] != UINT64_MAX) {
            return alone_ms[0] > alone_ms[1] ? alone_ms[0] : alone_ms[1];
        }
    }
    return UINT64_MAX;
}

bool scenario_one_sided(uint32_t trials, uint64_t seed)
{
    enum { NODES = 5 };
    const struct membership_config config = membership_config_default();
    struct network network;
    network_create(&network, NODES, seed, &config);
    start_all(&network);
    bool has_held = run_until_converged(&network, CONVERGE_MS_MAX) != UINT64_MAX;
    uint64_t sums_ms[2] = {0, 0};
    uint64_t longest_ms = 0;
    for (uint32_t trial = 0; trial < trials && has_held; trial++) {
        network_run_until(&network, network.now_ms + draw(&network, 5000));
        cut_one_sided(&network);
        uint64_t alone_ms[2];
        const uint64_t took_ms = run_until_alone(&network, alone_ms);
        sums_ms[0] += alone_ms[0];
        sums_ms[1] += alone_ms[1];
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        heal(&network);
        has_held = run_until_converged(&network, CONVERGE_MS_MAX) != UINT64_MAX;
    }
    has_held = has_held && longest_ms <= ALONE_KNOWN_MS_MAX && network.broken == NULL;
    printf("one-sided: %s nodes=%d cuts=%u unheard_mean_s=%.1f deaf_mean_s=%.1f longest_s=%.1f "
           "(at most %.0f)\n",
           has_held ? "held" : "FAILED", NODES, trials, (double)sums_ms[0] / trials / 1000,
           (double)sums_ms[1] / trials / 1000, (double)longest_ms / 1000,
           ALONE_KNOWN_MS_MAX / 1000.0);
    network_destroy(&network);
    return has_held;
}

/* One in ten starves: wholly for a while, or run for a moment every now and then. */
struct starvation {
    uint64_t until_ms; /* Of this phase. */
    bool is_on;
    uint32_t gap_ms; /* 0: blocked for all of it. */
};

static void starve_step(struct network *network, uint32_t index, struct starvation *starvation)
{
    if (network->now_ms >= starvation->until_ms) {
        starvation->is_on = !starvation->is_on;
        const uint64_t phase_ms =
            starvation->is_on ? 10000 + draw(network, 50000) : 2000 + draw(network, 30000);
        starvation->until_ms = network->now_ms + phase_ms;
        starvation->gap_ms = draw(network, 2) == 0 ? 0 : 300 + (uint32_t)draw(network, 6000);
        if (starvation->is_on && starvation->gap_ms == 0) {
            network_block(network, index, phase_ms);
        }
    }
    const bool runs = network->now_ms >= network->nodes[index].blocked_until_ms;
    if (starvation->is_on && starvation->gap_ms > 0 && runs) {
        network_block(network, index, 20 + draw(network, starvation->gap_ms));
    }
}

bool scenario_starved(uint32_t minutes, bool is_plain_swim, uint64_t seed)
{
    enum { NODES = 100, STARVED = 10 };
    struct membership_config config = membership_config_default();
    config.is_plain_swim = is_plain_swim;
    struct network network;
    network_create(&network, NODES, seed, &config);
    start_all(&network);
    bool has_held = run_until_converged(&network, CONVERGE_MS_MAX) != UINT64_MAX;
    network.faults = (struct faults){.loss = 10, .delay_ms_max = 3, .late = 5, .late_ms_max = 100};
    struct starvation starvation[STARVED] = {{0}};
    for (uint32_t i = 0; i < STARVED; i++) {
        network.nodes[NODES - 1 - i].is_starved = true;
        starvation[i].until_ms = network.now_ms + draw(&network, 20000);
    }
    const uint64_t end_ms = network.now_ms + minutes * 60000ull;
    while (network.now_ms < end_ms) {
        for (uint32_t i = 0; i < STARVED; i++) {
            starve_step(&network, NODES - 1 - i, &starvation[i]);
        }
        network_run_until(&network, network.now_ms + 10);
    }
    const struct tally *tally = &network.tally;
    has_held = has_held && network.broken == NULL &&
               (is_plain_swim || tally->dead_healthy + tally->dead_healthy_starved == 0);
    printf("starved: %s %s nodes=%d starved=%d simulated_min=%u healthy: dead=%" PRIu64
           " dead_to_starved=%" PRIu64 " unreachable=%" PRIu64 " suspect=%" PRIu64
           " starved: dead=%" PRIu64 "%s%s\n",
           is_plain_swim ? "plain SWIM" : "Lifeguard ", has_held ? "held" : "FAILED", NODES,
           STARVED, minutes, tally->dead_healthy, tally->dead_healthy_starved,
           tally->unreachable_healthy, tally->suspect_healthy, tally->dead_starved,
           network.broken == NULL ? "" : " why: ", network.broken == NULL ? "" : network.broken);
    network_destroy(&network);
    return has_held;
}

bool scenario_scale(uint32_t nodes, uint64_t seed)
{
    enum { STEADY_S = 120 };
    struct membership_config config = membership_config_default();
    config.members_max = MEMBERSHIP_MEMBERS_MAX;
    struct network network;
    network_create(&network, nodes, seed, &config);
    start_all(&network);
    const uint64_t took_ms = run_until_converged(&network, CONVERGE_MS_MAX);
    const struct tally joined = network.tally;
    network_run_until(&network, network.now_ms + 30000);
    const struct tally before = network.tally;
    const clock_t cpu_before = clock();
    for (uint32_t s = 0; s < STEADY_S; s++) {
        /* Figures that always change: the worst case for what they cost. */
        for (uint32_t i = 0; i < nodes; i++) {
            const struct gossip_load load = {.connections = 100000 + s,
                                             .sessions = 100000,
                                             .messages_a_second = 1000 + s,
                                             .loop_lag_us = 100,
                                             .memory_bytes = 1ull << 33};
            membership_set_load(network.nodes[i].membership, &load);
        }
        network_run_until(&network, network.now_ms + 1000);
    }
    const double cpu_s = (double)(clock() - cpu_before) / CLOCKS_PER_SEC;
    const double node_seconds = (double)nodes * STEADY_S;
    const uint64_t sent = network.tally.datagrams - before.datagrams;
    const uint64_t bytes = network.tally.bytes - before.bytes;
    const uint64_t state_bytes = network.tally.state_bytes - before.state_bytes;
    const size_t memory = membership_bytes(network.nodes[0].membership);
    const uint64_t death_ms = kill_one(&network, nodes - 1);
    const bool has_held = took_ms != UINT64_MAX && network.broken == NULL &&
                          death_ms != UINT64_MAX && network.tally.dead_healthy == 0;
    printf("scale: %s nodes=%u all_joined_s=%.1f join_bytes_a_node=%.0f | steady, a node a second: "
           "datagrams=%.1f bytes=%.0f state_bytes=%.0f cpu_us=%.1f | death_known_s=%.1f "
           "memory_bytes=%zu\n",
           has_held ? "held" : "FAILED", nodes, (double)took_ms / 1000,
           (double)(joined.bytes + joined.state_bytes) / nodes, (double)sent / node_seconds,
           (double)bytes / node_seconds, (double)state_bytes / node_seconds,
           cpu_s * 1e6 / node_seconds, (double)death_ms / 1000, memory);
    network_destroy(&network);
    return has_held;
}

/* One datagram sealed and opened, over and over. */
static bool measure_seal(uint32_t len)
{
    enum { ROUNDS = 20000, SESSIONS = 64 };
    static const uint8_t key[GOSSIP_KEY_LEN] = {1};
    static const uint8_t payload[GOSSIP_PAYLOAD_LEN_MAX];
    static struct gossip_replay_entry entries[SESSIONS];
    struct gossip_keyring keyring = {0};
    struct gossip_sealer sealer = {.session = {(uint8_t)len}};
    struct gossip_replay replay = {.entries = entries, .count = SESSIONS};
    uint8_t sealed[GOSSIP_DATAGRAM_LEN_MAX];
    uint8_t opened[GOSSIP_DATAGRAM_LEN_MAX];
    clock_t seal_cpu = 0;
    clock_t open_cpu = 0;
    bool has_held = gossip_keyring_add(&keyring, span_of(key, sizeof(key))) == GOSSIP_SEAL_OK;
    for (uint32_t round = 0; round < ROUNDS && has_held; round++) {
        struct writer out = writer_of(sealed, sizeof(sealed));
        struct writer in = writer_of(opened, sizeof(opened));
        const clock_t start = clock();
        has_held = gossip_seal(&sealer, &keyring, span_of(payload, len), 1, &out) == GOSSIP_SEAL_OK;
        const clock_t middle = clock();
        has_held = has_held &&
                   gossip_open(&keyring, &replay, writer_written(&out), 1, &in) == GOSSIP_SEAL_OK;
        seal_cpu += middle - start;
        open_cpu += clock() - middle;
    }
    printf("seal: %s payload=%u seal_us=%.1f open_us=%.1f\n", has_held ? "held" : "FAILED", len,
           (double)seal_cpu * 1e6 / CLOCKS_PER_SEC / ROUNDS,
           (double)open_cpu * 1e6 / CLOCKS_PER_SEC / ROUNDS);
    return has_held;
}

bool scenario_seal(void)
{
    const bool has_held = measure_seal(100);
    return measure_seal(GOSSIP_PAYLOAD_LEN_MAX) && has_held;
}
