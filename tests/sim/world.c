/* SPDX-License-Identifier: Apache-2.0 */
/* One run: the seed decides how many nodes and shards there are, what clients do and which faults
 * they meet.
 *
 * The truth. Each node has one witness, subscribed to all channels and never disturbed; what it
 * sees is the order of a channel. Then, for every other subscription, from its reply to its end:
 *   - what it saw is a contiguous piece of the witness's order (one order, no gap, no repeat);
 *   - if it still lasts when the world has come to rest, the piece reaches the end of that order.
 * In channels that keep a history a client goes on in the run that it had, over any number of
 * connections, unless it is told that this cannot be; and each offset is the one after the last.
 * And every publication that was acknowledged is in the order once, none that was refused is.
 */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/counters.h"
#include "shards/node.h"
#include "tests/sim/fake_client.h"

enum { NODES_MAX = 3, CLIENTS_MAX = 48, PUBLICATIONS_MAX = 1 << 16, REST_STEPS_MAX = 4000 };

enum publication_fate { FATE_NONE, FATE_SENT, FATE_ACCEPTED, FATE_REFUSED };

struct world_node {
    struct node_options options;
    struct channel_options kept; /* Of the namespace "r". */
    struct node *node;
    uint32_t number; /* In the simulator. */
    struct fake_client *witness;
};

struct world {
    struct sim *sim;
    struct random *random;
    const struct world_options *options;
    struct world_report *report;
    struct world_node nodes[NODES_MAX];
    struct fake_client clients[NODES_MAX + CLIENTS_MAX]; /* The witnesses first. */
    struct fake_run *runs[RUNS_MAX];
    uint32_t run_node[RUNS_MAX];
    uint32_t runs_len;
    uint8_t fates[PUBLICATIONS_MAX];
    uint8_t seen[PUBLICATIONS_MAX]; /* By the witnesses. */
    uint32_t publications;
    struct fake_listener listener;
};

static void world_violation(void *context, const char *what)
{
    struct world *world = context;
    if (world->report->what[0] == '\0') {
        (void)snprintf(world->report->what, sizeof(world->report->what), "%s (at %llu ms)", what,
                       (unsigned long long)sim_now_ms(world->sim));
    }
}

static struct fake_run *world_open_run(void *context, const struct fake_client *client,
                                       uint8_t channel)
{
    struct world *world = context;
    BUG_IF(world->runs_len == RUNS_MAX);
    struct fake_run *run = calloc(1, sizeof(*run));
    BUG_IF(run == NULL);
    run->channel = channel;
    run->is_open = true;
    world->run_node[world->runs_len] = client->node;
    world->runs[world->runs_len++] = run;
    return run;
}

static void world_published(void *context, uint32_t publication, bool accepted)
{
    struct world *world = context;
    world->fates[publication] = accepted ? FATE_ACCEPTED : FATE_REFUSED;
}

static void world_recovered(void *context, bool is_recovered)
{
    struct world *world = context;
    world->report->recovered += is_recovered;
    world->report->unrecovered += !is_recovered;
}

/* ---- making it ---- */

/* Histories that are now long enough for whoever comes back, and now not. */
static void world_make_histories(struct world *world, struct world_node *node)
{
    node->kept = node->options.without_namespace;
    node->kept.name = "r";
    node->kept.history_size = 1 + (uint32_t)random_below(world->random, 40);
    node->kept.history_ttl_ms = (1 + random_below(world->random, 10)) * 1000;
    node->kept.force_recovery = true;
    node->options.channel_history_meta_ttl_ms = 10 * 1000;
    node->options.client.recovery_max_publication_limit = (uint32_t)random_below(world->random, 60);
    if (random_below(world->random, 3) == 0) {
        node->options.history_memory_limit = random_below(world->random, 200 * 1024);
    }
    node->options.namespaces = &node->kept;
    node->options.namespaces_len = 1;
}

static void world_add_node(struct world *world, uint32_t index)
{
    struct world_node *node = &world->nodes[index];
    node_options_init(&node->options);
    node->options.shards = 1 + (uint32_t)random_below(world->random, 8);
    node->options.listen = (struct socket_address){.family = 4,
                                                   .bytes = {10, 0, 0, (uint8_t)(1 + index)},
                                                   .port = 8000};
    node->options.client.insecure = true;
    /* Small enough that a reader which pauses is found slow, and the witness is not. */
    node->options.client.queue_max_size = 64 * 1024 + (uint32_t)random_below(world->random, 65536);
    node->options.client.ping_interval_ms = 2000 + random_below(world->random, 20000);
    node->options.client.pong_timeout_ms = 1000;
    node->options.without_namespace.presence = random_below(world->random, 2) == 0;
    node->options.without_namespace.join_leave = random_below(world->random, 2) == 0;
    node->options.without_namespace.force_push_join_leave =
        node->options.without_namespace.join_leave;
    world_make_histories(world, node);
    node->node = node_create(&node->options, world->random, 1000000);
    BUG_IF(node->node == NULL);
    const struct shard_set_options set = node_shard_set_options(node->node);
    node->number = sim_add_node(world->sim, &set);
    BUG_IF(node->number == SIM_NODE_NONE);
    world->report->shards += node->options.shards;
}

static void world_poll(struct world *world)
{
    bool goes_on = true;
    while (goes_on) {
        goes_on = sim_settle(world->sim);
        for (uint32_t i = 0; i < NODES_MAX + CLIENTS_MAX; i++) {
            struct fake_client *client = &world->clients[i];
            const bool was_closed = client->close_code != 0;
            goes_on = fake_client_poll(client, &world->listener) || goes_on;
            world->report->disconnects += !was_closed && client->close_code >= 3000;
        }
    }
}

static void world_advance(struct world *world, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        sim_advance_ms(world->sim, 1);
        world_poll(world);
    }
}

static bool world_add_witness(struct world *world, uint32_t index)
{
    struct world_node *node = &world->nodes[index];
    node->witness = &world->clients[index];
    if (!fake_client_open(node->witness, world->sim, node->number, &node->options.listen)) {
        return false;
    }
    for (uint32_t i = 0; i < 5000 && node->witness->state != FAKE_CONNECTED; i++) {
        world_advance(world, 1);
    }
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        fake_client_subscribe(node->witness, channel);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        world_advance(world, 1);
        uint32_t subscribed = 0;
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            subscribed += node->witness->subscriptions[channel].state == FAKE_SUBSCRIBED;
        }
        if (subscribed == CHANNELS_MAX) {
            return true;
        }
    }
    return false;
}

/* ---- what clients do ---- */

static void world_act_connected(struct world *world, struct fake_client *client)
{
    const uint8_t channel = (uint8_t)random_below(world->random, CHANNELS_MAX);
    struct fake_subscription *subscription = &client->subscriptions[channel];
    const uint64_t choice = random_below(world->random, 100);
    if (client->is_paused && choice < 90) {
        return; /* It sleeps most of the time. */
    }
    if (choice < 25 && subscription->state == FAKE_NONE) {
        fake_client_subscribe(client, channel);
    } else if (choice < 35 && subscription->state == FAKE_SUBSCRIBED) {
        fake_client_unsubscribe(client, channel);
    } else if (choice < 85 && world->publications < PUBLICATIONS_MAX) {
        if (fake_client_publish(client, channel, world->publications,
                                (uint32_t)random_below(world->random, 1024))) {
            world->fates[world->publications++] = FATE_SENT;
        }
    } else if (choice < 89) {
        fake_client_pause(client, !client->is_paused);
        world->report->faults++;
    } else if (choice < 92) {
        fake_client_close(client, random_below(world->random, 2) == 0);
        world->report->faults++;
    } else if (choice < 93) {
        fake_client_send_garbage(client, world->random);
        world->report->faults++;
    } else if (choice < 94) {
        client->is_mute = !client->is_mute;
        world->report->faults++;
    }
}

static void world_act(struct world *world)
{
    struct fake_client *client =
        &world->clients[NODES_MAX + random_below(world->random, CLIENTS_MAX)];
    if (client->state == FAKE_UNUSED && world->runs_len + CHANNELS_MAX * 64 < RUNS_MAX) {
        struct world_node *node = &world->nodes[random_below(world->random, world->report->nodes)];
        if (!fake_client_open(client, world->sim, node->number, &node->options.listen)) {
            world_violation(world, "a node does not listen");
        }
        world->report->clients++;
    } else if (client->state == FAKE_ENDED) {
        fake_client_close(client, false);
    } else if (client->state == FAKE_CONNECTED) {
        world_act_connected(world, client);
    } else if (random_below(world->random, 50) == 0 && client->state != FAKE_UNUSED) {
        fake_client_close(client, true); /* In the middle of its handshake. */
        world->report->faults++;
    }
}

/* ---- coming to rest, and the checks ---- */

/* Paused clients read again, mute ones stay mute; then nothing new is asked until all is answered.
 */
static bool world_rest(struct world *world)
{
    for (uint32_t i = 0; i < NODES_MAX + CLIENTS_MAX; i++) {
        struct fake_client *client = &world->clients[i];
        if (client->is_paused && client->state != FAKE_UNUSED) {
            fake_client_pause(client, false);
        }
        client->is_mute = false;
    }
    for (uint32_t step = 0; step < REST_STEPS_MAX; step++) {
        world_advance(world, 10);
        bool is_at_rest = true;
        for (uint32_t i = 0; i < NODES_MAX + CLIENTS_MAX && is_at_rest; i++) {
            const struct fake_client *client = &world->clients[i];
            is_at_rest = client->state == FAKE_UNUSED || client->state == FAKE_ENDED ||
                         (client->state == FAKE_CONNECTED && client->publishes_len == 0 &&
                          client->out_len == 0);
            for (uint8_t channel = 0; channel < CHANNELS_MAX && is_at_rest; channel++) {
                is_at_rest = client->subscriptions[channel].command_id == 0;
            }
        }
        if (is_at_rest && step > 100) {
            return true;
        }
    }
    return false;
}

/* Is `run` a contiguous piece of the order, and does it reach its end if it must? */
static void check_run(struct world *world, const struct fake_run *run, const struct fake_run *order)
{
    world->report->deliveries += run->len;
    uint32_t start = 0;
    if (run->len > 0) {
        while (start < order->len && order->ids[start] != run->ids[0]) {
            start++;
        }
    } else {
        start = order->len;
    }
    if (start + run->len > order->len ||
        (run->len > 0 && memcmp(order->ids + start, run->ids, run->len * sizeof(*run->ids)) != 0)) {
        world_violation(world, "a subscriber saw another order than the witness");
    } else if (run->is_open && run->len > 0 && start + run->len != order->len) {
        world_violation(world, "a subscriber misses the newest publications");
    }
}

static void check_orders(struct world *world)
{
    for (uint32_t i = 0; i < world->runs_len; i++) {
        const struct world_node *node = &world->nodes[world->run_node[i]];
        const struct fake_run *order = node->witness->subscriptions[world->runs[i]->channel].run;
        if (order == NULL) {
            world_violation(world, "a witness was disconnected");
            return;
        }
        if (order == world->runs[i]) {
            for (uint32_t at = 0; at < order->len; at++) {
                world->seen[order->ids[at]]++;
            }
        }
        check_run(world, world->runs[i], order);
    }
    for (uint32_t id = 0; id < world->publications; id++) {
        if (world->seen[id] > 1) {
            world_violation(world, "a publication came twice");
        } else if (world->fates[id] == FATE_ACCEPTED && world->seen[id] == 0) {
            world_violation(world, "an acknowledged publication is lost");
        } else if (world->fates[id] == FATE_REFUSED && world->seen[id] != 0) {
            world_violation(world, "a refused publication was delivered");
        }
    }
}

/* The home counts those who are subscribed, no more and no fewer. */
static bool check_presence(struct world *world)
{
    for (uint32_t n = 0; n < world->report->nodes; n++) {
        struct world_node *node = &world->nodes[n];
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            uint32_t expected = 0;
            for (uint32_t i = 0; i < NODES_MAX + CLIENTS_MAX; i++) {
                const struct fake_client *client = &world->clients[i];
                expected += client->state == FAKE_CONNECTED && client->node == node->number &&
                            client->subscriptions[channel].state == FAKE_SUBSCRIBED;
            }
            if (!node->options.without_namespace.presence) {
                continue;
            }
            fake_client_ask_presence(node->witness, channel);
            for (uint32_t step = 0;
                 step < REST_STEPS_MAX && node->witness->asked_clients == UINT64_MAX; step++) {
                world_advance(world, 1);
            }
            if (node->witness->asked_clients == UINT64_MAX) {
                return false;
            }
            if (node->witness->asked_clients != expected) {
                world_violation(world, "presence counts others than the subscribers");
            }
        }
    }
    return true;
}

static const enum counter gauges_at_zero[] = {
    COUNTER_NUM_CLIENTS,
    COUNTER_NUM_CONNECTIONS,
    COUNTER_NUM_UNAUTHENTICATED,
    COUNTER_NUM_USERS,
    COUNTER_NUM_ANONYMOUS,
    COUNTER_NUM_SUBSCRIPTIONS,
    COUNTER_NUM_CHANNELS,
    COUNTER_NUM_PRESENCE_ENTRIES,
    COUNTER_HISTORY_STREAMS,
    COUNTER_HISTORY_PUBLICATIONS,
    COUNTER_HISTORY_BYTES,
    COUNTER_RECEIVE_PINNED_BYTES,
    COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES,
    COUNTER_RECEIVE_PINNED_FALLBACK_BYTES,
    COUNTER_FALLBACK_BYTES,
};

/* Everybody leaves: nothing of them may stay. */
static void check_empty(struct world *world)
{
    for (uint32_t i = 0; i < NODES_MAX + CLIENTS_MAX; i++) {
        fake_client_close(&world->clients[i], random_below(world->random, 2) == 0);
    }
    world_advance(world, 100);
    sim_advance_ms(world->sim, 20000);
    for (uint32_t n = 0; n < world->report->nodes; n++) {
        const struct world_node *node = &world->nodes[n];
        for (size_t i = 0; i < sizeof(gauges_at_zero) / sizeof(gauges_at_zero[0]); i++) {
            if (node_sum(node->node, gauges_at_zero[i]) != 0) {
                char what[120];
                (void)snprintf(what, sizeof(what), "%s is %lld when everybody has left",
                               counter_descriptions[gauges_at_zero[i]].name,
                               (long long)node_sum(node->node, gauges_at_zero[i]));
                world_violation(world, what);
            }
        }
        if (sim_node_connections(world->sim, node->number) != 0) {
            world_violation(world, "a socket is still open when everybody has left");
        }
    }
}

static enum world_result world_play(struct world *world)
{
    for (uint32_t n = 0; n < world->report->nodes; n++) {
        world_add_node(world, n);
    }
    sim_advance_ms(world->sim, 10);
    for (uint32_t n = 0; n < world->report->nodes; n++) {
        if (!world_add_witness(world, n)) {
            world_violation(world, "a witness could not subscribe");
            return WORLD_STUCK;
        }
    }
    for (uint32_t step = 0; step < world->options->steps; step++) {
        const uint64_t actions = random_below(world->random, 8);
        for (uint64_t i = 0; i < actions; i++) {
            world_act(world);
        }
        world_advance(world, random_below(world->random, 4));
        if (random_below(world->random, 200) == 0) {
            world_advance(world, random_below(world->random, 3000));
        }
    }
    if (!world_rest(world) || !check_presence(world)) {
        world_violation(world, "the world does not come to rest");
        return WORLD_STUCK;
    }
    check_orders(world);
    check_empty(world);
    return world->report->what[0] == '\0' ? WORLD_OK : WORLD_WRONG;
}

enum world_result world_run(const struct world_options *options, struct world_report *report)
{
    memset(report, 0, sizeof(*report));
    struct world *world = calloc(1, sizeof(*world));
    BUG_IF(world == NULL);
    struct random draw;
    random_init_seeded(&draw, options->seed);
    const struct sim_options sim_options = {
        .seed = options->seed,
        .latency_us_min = random_below(&draw, 500),
        .latency_us_max = 500 + random_below(&draw, 1500),
        .split_percent = (uint32_t)random_below(&draw, 60),
        .socket_buffer_bytes = 16 * 1024 + (uint32_t)random_below(&draw, 65536),
        .step_skip_percent = (uint32_t)random_below(&draw, 60),
        .writes_logs = options->is_verbose,
    };
    world->options = options;
    world->report = report;
    world->listener = (struct fake_listener){world_open_run, world_published, world_recovered,
                                             world_violation, world};
    world->sim = sim_create(&sim_options);
    BUG_IF(world->sim == NULL);
    world->random = sim_random(world->sim);
    const uint64_t started_ms = sim_now_ms(world->sim);
    report->nodes = 1 + (uint32_t)random_below(&draw, NODES_MAX);
    const enum world_result result = world_play(world);
    report->publications = world->publications;
    report->simulated_ms = sim_now_ms(world->sim) - started_ms;
    report->digest = sim_digest(world->sim);
    sim_destroy(world->sim);
    for (uint32_t n = 0; n < report->nodes; n++) {
        node_destroy(world->nodes[n].node);
    }
    for (uint32_t i = 0; i < world->runs_len; i++) {
        free(world->runs[i]->ids);
        free(world->runs[i]);
    }
    free(world);
    return result;
}
