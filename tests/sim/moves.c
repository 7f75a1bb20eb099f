/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes come and go in order; their clients must not notice. */
#include "tests/sim/moves.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/counters.h"
#include "tests/sim/cluster.h"
#include "tests/sim/fake_call.h"
#include "tests/sim/fake_client.h"

enum {
    NODES = 5,
    NODES_AT_FIRST = 3,
    STAY = 2, /* Nodes that are not stopped: those with the clients. */
    CLIENTS = 6,
    CALLS = 4,
    RUNS = CLIENTS * CHANNELS_MAX,
    JOINED_MS_MAX = 20 * 1000,
    STALL_MS_MAX = 5 * 1000,
    DRAINED_MS_MAX = 20 * 1000 + STALL_MS_MAX,
    DYING_MS_MAX = 100,
    DEAD_KNOWN_MS_MAX = 20 * 1000,
};

struct moves {
    struct cluster cluster;
    struct truth truth;
    struct random *random;
    struct channel_options kept; /* Of the namespace "r". */
    struct channel_options wildcards[2];
    struct fake_client clients[CLIENTS];
    struct fake_call calls[CALLS]; /* Each says one thing again and again, and then another. */
};

static void moves_advance(struct moves *moves, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        bool goes_on = true;
        sim_advance_ms(moves->cluster.sim, 1);
        while (goes_on) {
            goes_on = sim_settle(moves->cluster.sim);
            for (uint32_t at = 0; at < CLIENTS; at++) {
                goes_on = fake_client_poll(&moves->clients[at]) || goes_on;
            }
            for (uint32_t at = 0; at < CALLS; at++) {
                goes_on = fake_call_poll(&moves->calls[at]) || goes_on;
            }
        }
    }
}

static bool is_acknowledged(const struct moves *moves, const struct fake_call *call)
{
    return call->once == PUBLICATION_NONE ||
           moves->truth.publications[call->once].fate == FATE_ACKNOWLEDGED;
}

/* A backend that does not know whether it was heard says it once more, somewhere. */
static void moves_call(struct moves *moves)
{
    struct fake_call *call = &moves->calls[random_below(moves->random, CALLS)];
    const uint32_t node = (uint32_t)random_below(moves->random, STAY);
    const struct fake_target target = {node, &moves->cluster.nodes[node].options.listen};
    const bool is_new = is_acknowledged(moves, call) && random_below(moves->random, 3) == 0;
    if (!fake_call_is_free(call)) {
        return;
    }
    if (is_new || call->once == PUBLICATION_NONE) {
        fake_call_publish_once(call, &target,
                               (uint8_t)random_below(moves->random, PLAIN_CHANNELS_MAX), 9);
    } else {
        fake_call_publish_again(call, &target);
    }
}

/* Some of the clients publish, most of the time. */
static void moves_publish(struct moves *moves, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        if (random_below(moves->random, 4) == 0) {
            const uint32_t client = (uint32_t)random_below(moves->random, CLIENTS);
            const uint8_t channel = (uint8_t)random_below(moves->random, PLAIN_CHANNELS_MAX);
            (void)fake_client_publish(&moves->clients[client], channel,
                                      (uint32_t)random_below(moves->random, 200));
        }
        if (random_below(moves->random, 16) == 0) {
            moves_call(moves);
        }
        moves_advance(moves, 1);
    }
}

static void have_wildcards(struct channel_options *options, struct channel_options *wildcard)
{
    options->wildcard_max_depth = 1;
    channel_options_of_wildcard(options, wildcard);
    options->wildcard = wildcard;
}

static void moves_create(struct moves *moves, uint64_t seed)
{
    struct random draw;
    struct node_options common;
    random_init_seeded(&draw, seed);
    const struct sim_options weather = {
        .seed = seed,
        .latency_us_min = random_below(&draw, 500),
        .latency_us_max = 500 + random_below(&draw, 20000),
        .split_percent = (uint32_t)random_below(&draw, 60),
        .step_skip_percent = (uint32_t)random_below(&draw, 40),
    };
    node_options_init(&common);
    common.name = "node";
    common.version = "0";
    common.shutdown_timeout_ms = 1000;
    common.client.insecure = true;
    common.http_api.insecure = true;
    common.client.queue_max_size = 1 << 20;
    common.cluster.enabled = true;
    common.without_namespace.presence = seed % 2 == 0;
    moves->kept = common.without_namespace;
    moves->kept.name = "r";
    moves->kept.history_size = 1 + (uint32_t)(seed % 50) * 20;
    moves->kept.history_ttl_ms = 60 * 1000;
    moves->kept.force_recovery = true;
    common.namespaces = &moves->kept;
    common.namespaces_len = 1;
    have_wildcards(&common.without_namespace, &moves->wildcards[0]);
    have_wildcards(&moves->kept, &moves->wildcards[1]);
    cluster_create(&moves->cluster, &weather, &common, NODES);
    moves->random = sim_random(moves->cluster.sim);
    truth_init(&moves->truth, moves->cluster.sim);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        fake_client_init(&moves->clients[i], moves->cluster.sim, &moves->truth, i);
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        fake_call_init(&moves->calls[i], moves->cluster.sim, &moves->truth);
    }
    for (uint32_t i = 0; i < NODES_AT_FIRST; i++) {
        cluster_start(&moves->cluster, i);
    }
}

static void everybody_subscribes(struct moves *moves)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        BUG_IF(!fake_client_open(&moves->clients[i], i % STAY,
                                 &moves->cluster.nodes[i % STAY].options.listen));
    }
    moves_advance(moves, 500);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            fake_client_subscribe(&moves->clients[i], channel);
        }
    }
    moves_advance(moves, 1000);
    if (moves->truth.runs_len != RUNS) {
        truth_fail(&moves->truth, CHANNEL_NONE, "not everybody could subscribe");
    }
}

/* The machine on which all of them run stands still. */
static void nodes_stall(struct moves *moves)
{
    const uint64_t for_ms = 1000 + random_below(moves->random, STALL_MS_MAX);
    for (uint32_t i = 0; i < NODES; i++) {
        if (cluster_is_up(&moves->cluster, i)) {
            sim_pause_node(moves->cluster.sim, i, for_ms);
        }
    }
    moves_advance(moves, for_ms);
}

static void node_stops(struct moves *moves, uint32_t index)
{
    const uint64_t started_ms = sim_now_ms(moves->cluster.sim);
    uint64_t looks_until_stall = random_below(moves->random, 200); /* Or it ends before. */
    cluster_stop(&moves->cluster, index);
    while (cluster_is_up(&moves->cluster, index) && truth_holds(&moves->truth)) {
        moves_publish(moves, 10);
        if (looks_until_stall-- == 0) {
            nodes_stall(moves);
        }
        cluster_end_stopped(&moves->cluster);
        if (sim_now_ms(moves->cluster.sim) > started_ms + DRAINED_MS_MAX) {
            truth_fail(&moves->truth, CHANNEL_NONE, "node %u does not end", index);
        }
    }
}

/* Not when something is wrong already: it may not have stopped. */
static void node_starts(struct moves *moves, uint32_t index)
{
    if (truth_holds(&moves->truth)) {
        cluster_start(&moves->cluster, index);
    }
}

static void nodes_come_and_go(struct moves *moves)
{
    moves_publish(moves, 500);
    node_starts(moves, 3);
    moves_publish(moves, random_below(moves->random, 600));
    node_starts(moves, 4);
    moves_publish(moves, 4000);
    node_stops(moves, 3);
    moves_publish(moves, random_below(moves->random, 500));
    node_stops(moves, 2);
    moves_publish(moves, 1000 + random_below(moves->random, 3000));
    node_starts(moves, 2);
    moves_publish(moves, random_below(moves->random, 2000));
    node_stops(moves, 4);
    moves_publish(moves, 1000);
    for (uint32_t i = 0; i < CALLS; i++) {
        while (truth_holds(&moves->truth) && !is_acknowledged(moves, &moves->calls[i])) {
            moves_call(moves);
            moves_advance(moves, 100);
        }
    }
    moves_advance(moves, 6000);
}

/* ---- the checks ---- */

static const struct run *longest_of(const struct truth *truth, uint8_t channel)
{
    const struct run *longest = NULL;
    for (const struct run *run = truth->runs; run != NULL; run = run->next) {
        if (run->channel == channel && (longest == NULL || run->len > longest->len)) {
            longest = run;
        }
    }
    return longest;
}

static void check_channel(struct truth *truth, uint8_t channel)
{
    const struct run *longest = longest_of(truth, channel);
    uint32_t accepted = 0;
    for (uint32_t id = 1; id <= truth->publications_len; id++) {
        const struct publication *publication = &truth->publications[id];
        accepted += channel_is_heard_in(publication->channel, channel) &&
                    publication->fate == FATE_ACKNOWLEDGED;
    }
    /* What is not known to have been published may have been. */
    uint32_t given = 0;
    for (uint32_t i = 0; i < longest->len; i++) {
        given += truth->publications[longest->ids[i]].fate == FATE_ACKNOWLEDGED;
    }
    if (given != accepted) {
        truth_fail(truth, channel, "%u were accepted, %u were given", accepted, given);
    }
    for (const struct run *run = truth->runs; run != NULL; run = run->next) {
        if (run->channel == channel &&
            (!run->is_open || run->len != longest->len ||
             memcmp(run->ids, longest->ids, run->len * sizeof(*run->ids)) != 0)) {
            truth_fail(truth, channel, "client %u did not get what another got", run->client);
        }
    }
}

static void check_all(struct truth *truth)
{
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        check_channel(truth, channel);
    }
    if (truth->runs_len != RUNS || truth->told + truth->recovered + truth->unrecovered > 0) {
        truth_fail(truth, CHANNEL_NONE, "somebody noticed");
    }
}

static uint64_t sum_of(const struct cluster *cluster, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < cluster->len; i++) {
        sum += cluster_is_up(cluster, i) ? node_sum(cluster->nodes[i].node, counter) : 0;
    }
    return sum;
}

/* Those with the clients, and one that dies while it hands over. What it had accepted and passed on
 * to nobody is lost, and nobody may believe to have it. */
static void node_dies_as_it_stops(struct moves *moves)
{
    moves_publish(moves, 500);
    cluster_stop(&moves->cluster, 2);
    for (uint64_t i = random_below(moves->random, DYING_MS_MAX); i > 0; i--) {
        for (uint32_t at = 0; at < CLIENTS; at++) {
            (void)fake_client_publish(&moves->clients[at],
                                      (uint8_t)random_below(moves->random, PLAIN_CHANNELS_MAX), 9);
        }
        moves_advance(moves, 1);
    }
    cluster_crash(&moves->cluster, 2);
    moves_publish(moves, 2000);
    moves_advance(moves, DEAD_KNOWN_MS_MAX);
    truth_check_rest(&moves->truth);
}

static struct moves *moves_begin(uint64_t seed)
{
    struct moves *moves = calloc(1, sizeof(*moves));
    BUG_IF(moves == NULL);
    moves_create(moves, seed);
    if (cluster_run_until_agreed(&moves->cluster, CLUSTER_ALL_SIDES, JOINED_MS_MAX) == UINT64_MAX) {
        truth_fail(&moves->truth, CHANNEL_NONE, "the nodes do not find each other");
    }
    everybody_subscribes(moves);
    return moves;
}

static bool moves_end(struct moves *moves, const char *story, uint64_t seed)
{
    const bool holds = truth_holds(&moves->truth);
    printf("%s: seed %" PRIu64 ", %s, publications %u, accepted %" PRIu64
           ", channels handed over %" PRIu64 "\n",
           story, seed, holds ? "as it must be" : moves->truth.wrong, moves->truth.publications_len,
           moves->truth.acknowledged, sum_of(&moves->cluster, COUNTER_HANDOVERS_TAKEN));
    if (!holds) {
        truth_print(&moves->truth, 40);
    }
    cluster_destroy(&moves->cluster);
    truth_clear(&moves->truth);
    free(moves);
    return holds;
}

bool moves_tell(uint64_t seed)
{
    struct moves *moves = moves_begin(seed);
    if (truth_holds(&moves->truth)) {
        nodes_come_and_go(moves);
        check_all(&moves->truth);
    }
    return moves_end(moves, "moves", seed);
}

bool moves_tell_death(uint64_t seed)
{
    struct moves *moves = moves_begin(seed);
    if (truth_holds(&moves->truth)) {
        node_dies_as_it_stops(moves);
    }
    return moves_end(moves, "dying", seed);
}
