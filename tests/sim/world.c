/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a world, from its seed to its end. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/trace.h"

enum { JOINED_MS_MAX = 60 * 1000, PAUSE_MS_MAX = 3000, TRACE_LINES = 40 };

static void note_deaths(struct world *world)
{
    for (uint32_t node = 0; node < world->cluster.len; node++) {
        const uint32_t life =
            cluster_is_up(&world->cluster, node) ? world->cluster.nodes[node].lives : 0;
        if (world->lives[node] != 0 && world->lives[node] != life) {
            truth_forget_home(&world->truth, node);
        }
        world->lives[node] = life;
    }
}

static void note_views(struct world *world)
{
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        const char *name = fake_channel_name(channel);
        if (!shape_has_channel(&world->shape, channel)) {
            continue;
        }
        const uint32_t home = cluster_home_of(&world->cluster, name);
        if (home == CLUSTER_NODES_MAX || cluster_has_rival(&world->cluster, name, home)) {
            truth_note_unsure(&world->truth, channel);
        }
    }
}

static void world_poll(struct world *world)
{
    bool goes_on = true;
    note_deaths(world);
    while (goes_on) {
        goes_on = sim_settle(world->cluster.sim);
        note_views(world);
        for (uint32_t i = 0; i < world->shape.clients; i++) {
            goes_on = fake_client_poll(&world->clients[i]) || goes_on;
        }
        for (uint32_t i = 0; i < CALLS_MAX; i++) {
            goes_on = fake_call_poll(&world->calls[i]) || goes_on;
        }
    }
}

void world_advance(struct world *world, uint64_t ms)
{
    world_poll(world);
    while (ms > 0) {
        const uint64_t quiet_ms = sim_quiet_ms(world->cluster.sim, ms);
        sim_advance_ms(world->cluster.sim, quiet_ms);
        world_poll(world);
        ms -= quiet_ms;
    }
}

static struct world *world_create(const struct world_options *options)
{
    struct world *world = calloc(1, sizeof(*world));
    BUG_IF(world == NULL);
    shape_draw(&world->shape, options->seed);
    world->shape.weather.writes_logs = options->writes_logs;
    cluster_create(&world->cluster, &world->shape.weather, &world->shape.node, world->shape.nodes);
    trace_begin(&world->cluster, &world->truth, options->traced);
    world->random = sim_random(world->cluster.sim);
    truth_init(&world->truth, world->cluster.sim);
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        struct fake_client *client = &world->clients[i];
        fake_client_init(client, world->cluster.sim, &world->truth, i);
        if (world->shape.users > 0 && world_below(world, 5) > 0) {
            (void)snprintf(client->user, sizeof(client->user), "us%03u",
                           world_below(world, world->shape.users));
        }
    }
    for (uint32_t i = 0; i < CALLS_MAX; i++) {
        fake_call_init(&world->calls[i], world->cluster.sim, &world->truth);
    }
    return world;
}

/* Nodes that start together find each other: nothing goes wrong yet but on the network. */
static bool world_begin(struct world *world)
{
    struct cluster *cluster = &world->cluster;
    for (uint32_t i = 0; i < world->shape.nodes_first; i++) {
        cluster_start(cluster, i);
    }
    return cluster_run_until_agreed(cluster, CLUSTER_ALL_SIDES, JOINED_MS_MAX) != UINT64_MAX;
}

static void world_live(struct world *world)
{
    const struct shape *shape = &world->shape;
    for (uint32_t step = 0; step < shape->steps && truth_holds(&world->truth); step++) {
        const uint32_t actions = world_below(world, shape->actions_max);
        for (uint32_t i = 0; i < actions; i++) {
            people_act(world);
        }
        if (world_below(world, 100) < shape->burst_percent) {
            people_burst(world);
        }
        if (world_below(world, shape->steps_a_fault) == 0) {
            faults_act(world);
        }
        world_advance(world, world_below(world, shape->step_ms_max));
        if (world_below(world, 50) == 0) {
            world_advance(world, world_below(world, PAUSE_MS_MAX));
        }
    }
}

static void world_report(const struct world *world, uint64_t began_ms, struct world_report *report)
{
    const struct truth *truth = &world->truth;
    struct sim *sim = world->cluster.sim;
    *report = (struct world_report){
        .digest = sim_digest(sim),
        .simulated_ms = sim_now_ms(sim) - began_ms,
        .publications = truth->publications_len,
        .acknowledged = truth->acknowledged,
        .sure = truth->sure,
        .deliveries = truth->deliveries,
        .recovered = truth->recovered,
        .unrecovered = truth->unrecovered,
        .told = truth->told,
        .nodes = world->cluster.len,
        .clients = world->shape.clients,
    };
    memcpy(report->faults, world->faults, sizeof(report->faults));
    memcpy(report->wrong, truth->wrong, sizeof(report->wrong));
    for (uint32_t i = 0; i < SIM_FAULTS_LEN; i++) {
        report->network_faults[i] = sim_faults(sim, (enum sim_fault)i);
    }
    for (uint32_t i = 0; i < world->cluster.len; i++) {
        report->shards += world->cluster.nodes[i].options.shards;
    }
}

enum world_result world_run(const struct world_options *options, struct world_report *report)
{
    struct world *world = world_create(options);
    const uint64_t began_ms = sim_now_ms(world->cluster.sim);
    if (world_begin(world)) {
        world_live(world);
        if (truth_holds(&world->truth)) {
            rest_check(world);
        }
    } else {
        world->has_stuck = true;
        truth_fail(&world->truth, CHANNEL_NONE, "the nodes do not find each other");
    }
    world_report(world, began_ms, report);
    const bool holds = truth_holds(&world->truth);
    const enum world_result result = holds              ? WORLD_OK
                                     : world->has_stuck ? WORLD_STUCK
                                                        : WORLD_WRONG;
    if (!holds && options->prints_trace) {
        printf("seed %llu is wrong: %s\n", (unsigned long long)options->seed, world->truth.wrong);
        truth_print(&world->truth, TRACE_LINES);
    }
    people_leave(world);
    cluster_destroy(&world->cluster);
    trace_end();
    truth_clear(&world->truth);
    free(world);
    return result;
}
