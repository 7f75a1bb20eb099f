/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of a cluster whose nodes fail, part, stall and come back, from one seed.
 *
 * The truth. Each publication is made once, so what stands behind it in a channel is one
 * publication for all: of two subscriptions, between the reply and the end of each, none sees
 * another order, leaves one out that the other saw between two, or sees one twice. When the nodes
 * have come to rest, every subscription that lasts gets what is published then, all of it, in
 * order; and each channel's presence is the clients that are there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/counters.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/fake_client.h"

enum {
    EXIT_USAGE = 2,
    EXIT_WRONG = 3,
    EXIT_NOT_REPLAYED = 5,
    SEEDS = 5,
    CLIENTS = 12,
    PUBLICATIONS_MAX = 1 << 16,
    HTTP_PORT = 8000,
    JOINED_MS_MAX = 20 * 1000,
    REST_MS_MAX = 400 * 1000,
    RESTS = 1500, /* Looks in a row; longer than what a vanished node registered stays. */
    LAST_ROUNDS = 5,
    NOBODY = 0,
};

struct world {
    struct cluster cluster;
    struct random *random;
    struct channel_options kept; /* Of the namespace "r". */
    struct fake_client clients[CLIENTS];
    struct fake_listener listener;
    struct fake_run *runs[RUNS_MAX];
    uint32_t runs_len;
    uint32_t next[PUBLICATIONS_MAX]; /* What stands behind each; NOBODY: not known. */
    uint8_t accepted[PUBLICATIONS_MAX];
    uint32_t publications; /* The first is 1. */
    uint32_t recovered;
    uint32_t unrecovered;
    uint32_t faults;
    char what[160];
};

static void world_violation(void *context, const char *what)
{
    struct world *world = context;
    if (world->what[0] == '\0') {
        (void)snprintf(world->what, sizeof(world->what), "%s (at %" PRIu64 " ms)", what,
                       sim_now_ms(world->cluster.sim));
    }
}

static struct fake_run *world_open_run(void *context, const struct fake_client *client,
                                       uint8_t channel)
{
    struct world *world = context;
    struct fake_run *run = calloc(1, sizeof(*run));
    (void)client;
    BUG_IF(run == NULL || world->runs_len == RUNS_MAX);
    run->channel = channel;
    run->is_open = true;
    world->runs[world->runs_len++] = run;
    return run;
}

static void world_published(void *context, uint32_t publication, bool accepted)
{
    struct world *world = context;
    world->accepted[publication] = accepted;
}

static void world_recovered(void *context, bool is_recovered)
{
    struct world *world = context;
    world->recovered += is_recovered;
    world->unrecovered += !is_recovered;
}

/* ---- the world ---- */

static void world_poll(struct world *world)
{
    bool goes_on = true;
    while (goes_on) {
        goes_on = sim_settle(world->cluster.sim);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            goes_on = fake_client_poll(&world->clients[i], &world->listener) || goes_on;
        }
    }
}

static void world_advance(struct world *world, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        sim_advance_ms(world->cluster.sim, 1);
        world_poll(world);
    }
}

static void world_create(struct world *world, uint64_t seed)
{
    struct random draw;
    random_init_seeded(&draw, seed);
    const struct sim_options options = {
        .seed = seed,
        .latency_us_min = random_below(&draw, 500),
        .latency_us_max = 500 + random_below(&draw, 3000),
        .split_percent = (uint32_t)random_below(&draw, 60),
        .step_skip_percent = (uint32_t)random_below(&draw, 40),
    };
    cluster_create(&world->cluster, &options, 3 + (uint32_t)random_below(&draw, 3));
    world->random = sim_random(world->cluster.sim);
    world->listener = (struct fake_listener){world_open_run, world_published, world_recovered,
                                             world_violation, world};
    for (uint32_t i = 0; i < world->cluster.len; i++) {
        struct node_options *node = &world->cluster.nodes[i].options;
        sim_node_address(i, HTTP_PORT, &node->listen);
        node->client.queue_max_size = 1 << 20;
        node->without_namespace.presence = seed % 2 == 0;
        world->kept = node->without_namespace;
        world->kept.name = "r";
        world->kept.history_size = 1 + (uint32_t)(seed % 50);
        world->kept.history_ttl_ms = 60 * 1000;
        world->kept.force_recovery = true;
        node->namespaces = &world->kept;
        node->namespaces_len = 1;
        cluster_start(&world->cluster, i);
    }
}

static void world_destroy(struct world *world)
{
    cluster_destroy(&world->cluster);
    for (uint32_t i = 0; i < world->runs_len; i++) {
        free(world->runs[i]->ids);
        free(world->runs[i]);
    }
    free(world);
}

/* ---- what clients do ---- */

static void client_act(struct world *world, struct fake_client *client)
{
    const uint8_t channel = (uint8_t)random_below(world->random, CHANNELS_MAX);
    const uint64_t choice = random_below(world->random, 100);
    struct fake_subscription *subscription = &client->subscriptions[channel];
    if (client->state == FAKE_UNUSED) {
        const uint32_t node = (uint32_t)random_below(world->random, world->cluster.len);
        if (cluster_is_up(&world->cluster, node)) {
            (void)fake_client_open(client, world->cluster.sim, node,
                                   &world->cluster.nodes[node].options.listen);
        }
    } else if (client->state == FAKE_ENDED) {
        fake_client_close(client, false);
    } else if (client->state != FAKE_CONNECTED) {
        return;
    } else if (choice < 40 && subscription->state == FAKE_NONE) {
        fake_client_subscribe(client, channel);
    } else if (choice < 43 && subscription->state == FAKE_SUBSCRIBED) {
        fake_client_unsubscribe(client, channel);
    } else if (choice < 90 && world->publications + 1 < PUBLICATIONS_MAX) {
        if (fake_client_publish(client, channel, world->publications + 1,
                                (uint32_t)random_below(world->random, 100))) {
            world->publications++;
        }
    } else if (choice < 91) {
        fake_client_close(client, random_below(world->random, 2) == 0);
    }
}

static void nodes_act(struct world *world)
{
    struct cluster *cluster = &world->cluster;
    const uint32_t node = (uint32_t)random_below(world->random, cluster->len);
    const uint32_t other = (uint32_t)random_below(world->random, cluster->len);
    const uint64_t ms = 100 + random_below(world->random, 20000);
    world->faults++;
    switch (random_below(world->random, 6)) {
    case 0:
        if (!cluster_is_up(cluster, node)) {
            cluster_start(cluster, node);
        } else if (cluster_up(cluster) > 2) {
            cluster_crash(cluster, node);
        }
        break;
    case 1:
        sim_cut(cluster->sim, node, other, ms);
        break;
    case 2:
        sim_cut(cluster->sim, node, other, ms);
        sim_cut(cluster->sim, other, node, ms);
        break;
    case 3:
        sim_clog(cluster->sim, node, other, ms / 4);
        break;
    case 4:
        if (cluster_is_up(cluster, node)) {
            sim_pause_node(cluster->sim, node, ms / 2);
        }
        break;
    default:
        sim_heal(cluster->sim);
        break;
    }
}

/* ---- rest, and the checks ---- */

static bool is_at_rest(const struct world *world)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct fake_client *client = &world->clients[i];
        if (client->state != FAKE_CONNECTED || client->publishes_len != 0) {
            return false;
        }
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            if (client->subscriptions[channel].state != FAKE_SUBSCRIBED) {
                return false;
            }
        }
    }
    return true;
}

/* Nobody fails any more; whoever is not subscribed to everything becomes it. */
static bool come_to_rest(struct world *world)
{
    struct cluster *cluster = &world->cluster;
    const uint64_t started_ms = sim_now_ms(cluster->sim);
    uint32_t rests = 0;
    sim_heal(cluster->sim);
    for (uint32_t i = 0; i < cluster->len; i++) {
        if (!cluster_is_up(cluster, i)) {
            cluster_start(cluster, i);
        }
    }
    while (sim_now_ms(cluster->sim) < started_ms + REST_MS_MAX) {
        world_advance(world, 50);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            struct fake_client *client = &world->clients[i];
            if (client->state == FAKE_ENDED) {
                fake_client_close(client, false);
            }
            if (client->state == FAKE_UNUSED) {
                client_act(world, client);
            }
            for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
                if (client->state == FAKE_CONNECTED &&
                    client->subscriptions[channel].state == FAKE_NONE) {
                    fake_client_subscribe(client, channel);
                }
            }
        }
        /* Homes may still move; when nothing has changed for long, nothing will. */
        rests = is_at_rest(world) && cluster_agrees(cluster, UINT32_MAX) ? rests + 1 : 0;
        if (rests == RESTS) {
            return true;
        }
    }
    return false;
}

static void check_orders(struct world *world)
{
    for (uint32_t i = 0; i < world->runs_len; i++) {
        const struct fake_run *run = world->runs[i];
        for (uint32_t at = 0; at + 1 < run->len; at++) {
            uint32_t *next = &world->next[run->ids[at]];
            if (*next == NOBODY) {
                *next = run->ids[at + 1];
            } else if (*next != run->ids[at + 1]) {
                world_violation(world, "two subscribers saw another order, or one a silent gap");
            }
        }
    }
}

/* Published at rest, by one after the other: everybody gets it. */
static void check_last(struct world *world)
{
    uint32_t first[CHANNELS_MAX];
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        first[channel] = world->publications + 1;
        for (uint32_t i = 0; i < LAST_ROUNDS; i++) {
            struct fake_client *client = &world->clients[(channel + i) % CLIENTS];
            const uint32_t publication = ++world->publications;
            if (!fake_client_publish(client, channel, publication, 0)) {
                world_violation(world, "a client could not publish");
            }
            world_advance(world, 200);
            if (world->accepted[publication] == 0) {
                world_violation(world, "a publication was refused at rest");
            }
        }
    }
    world_advance(world, 1000);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            const struct fake_run *run = world->clients[i].subscriptions[channel].run;
            bool has_all = run != NULL && run->len >= LAST_ROUNDS;
            for (uint32_t at = 0; has_all && at < LAST_ROUNDS; at++) {
                has_all = run->ids[run->len - LAST_ROUNDS + at] == first[channel] + at;
            }
            if (!has_all) {
                world_violation(world, "a subscriber did not get what was published at rest");
            }
        }
    }
}

static void check_presence(struct world *world)
{
    for (uint8_t channel = 1; world->kept.presence && channel < CHANNELS_MAX; channel += 2) {
        struct fake_client *client = &world->clients[channel];
        fake_client_ask_presence(client, channel);
        world_advance(world, 200);
        if (client->asked_clients != CLIENTS) {
            char what[120];
            (void)snprintf(what, sizeof(what), "presence has %" PRIu64 " clients, there are %u",
                           client->asked_clients, CLIENTS);
            world_violation(world, what);
        }
    }
}

static bool run_seed(uint64_t seed, bool is_printed, uint64_t *digest)
{
    struct world *world = calloc(1, sizeof(*world));
    BUG_IF(world == NULL);
    world_create(world, seed);
    if (cluster_run_until_agreed(&world->cluster, UINT32_MAX, JOINED_MS_MAX) == UINT64_MAX) {
        world_violation(world, "the nodes do not find each other");
    }
    for (uint32_t step = 0; step < 1500 && world->what[0] == '\0'; step++) {
        const uint64_t actions = random_below(world->random, 6);
        for (uint64_t i = 0; i < actions; i++) {
            client_act(world, &world->clients[random_below(world->random, CLIENTS)]);
        }
        if (random_below(world->random, 60) == 0) {
            nodes_act(world);
        }
        world_advance(world, 1 + random_below(world->random, step % 50 == 0 ? 2000 : 20));
    }
    if (world->what[0] == '\0' && !come_to_rest(world)) {
        world_violation(world, "the clients do not come to rest");
    }
    if (world->what[0] == '\0') {
        check_last(world);
        check_presence(world);
    }
    check_orders(world);
    *digest = sim_digest(world->cluster.sim);
    const bool holds = world->what[0] == '\0';
    if (is_printed) {
        printf("seed %" PRIu64 ": %s nodes=%u publications=%u runs=%u recovered=%u unrecovered=%u "
               "faults=%u simulated_s=%.1f digest=%016" PRIx64 "%s%s\n",
               seed, holds ? "held" : "FAILED", world->cluster.len, world->publications,
               world->runs_len, world->recovered, world->unrecovered, world->faults,
               (double)sim_now_ms(world->cluster.sim) / 1000, *digest,
               holds ? "" : " why: ", world->what);
        (void)fflush(stdout);
    }
    world_destroy(world);
    return holds;
}

int main(int count, char **values)
{
    uint64_t first = 1;
    uint64_t last = SEEDS;
    if (count == 3 && strcmp(values[1], "--seed") == 0) {
        first = last = strtoull(values[2], NULL, 10);
    } else if (count == 3 && strcmp(values[1], "--seeds") == 0) {
        if (sscanf(values[2], "%" SCNu64 "..%" SCNu64, &first, &last) != 2) {
            return EXIT_USAGE;
        }
    } else if (count != 1) {
        (void)fputs("messages: clients of a cluster that fails; --seed N, --seeds A..B\n", stderr);
        return EXIT_USAGE;
    }
    for (uint64_t seed = first; seed <= last; seed++) {
        uint64_t digest;
        uint64_t again;
        if (!run_seed(seed, true, &digest)) {
            return EXIT_WRONG;
        }
        if (seed == first) {
            (void)run_seed(seed, false, &again);
            if (again != digest) {
                (void)fputs("the same seed made another history\n", stderr);
                return EXIT_NOT_REPLAYED;
            }
        }
    }
    return 0;
}
