/* SPDX-License-Identifier: Apache-2.0 */
/* The world comes to rest, and everybody is to have what was promised. */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/world.h"

enum {
    REST_MS_MAX = 400 * 1000,
    /* Longer than what a vanished node registered stays. */
    CALM_MS = 62 * 1000,
    LOOK_MS = 100,
    LAST_ROUNDS = 3,
    ANSWER_MS_MAX = 10 * 1000,
    EMPTY_MS = 25 * 1000,
};

static void stuck(struct world *world, const char *what)
{
    if (truth_holds(&world->truth)) {
        world->has_stuck = true;
        truth_fail(&world->truth, CHANNEL_NONE, "%s", what);
    }
}

/* Who may have kept the world from its rest. */
static void note_restless(struct world *world)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        const struct fake_client *client = &world->clients[i];
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            if (shape_has_channel(&world->shape, channel) &&
                (client->state != FAKE_CONNECTED ||
                 client->subscriptions[channel].state != FAKE_SUBSCRIBED)) {
                truth_note(&world->truth, CHANNEL_NONE,
                           "client %u on node %u: state %u, channel %u: state %u, %u publishing", i,
                           client->node, client->state, channel,
                           client->subscriptions[channel].state, client->publishes_len);
            }
        }
    }
    truth_note(&world->truth, CHANNEL_NONE, "the nodes %s",
               cluster_agrees(&world->cluster, CLUSTER_ALL_SIDES) ? "agree" : "do not agree");
}

/* Homes may still move; when nothing has changed for long, nothing will. */
static bool come_to_rest(struct world *world)
{
    const uint64_t started_ms = sim_now_ms(world->cluster.sim);
    uint64_t restless_ms = started_ms;
    while (sim_now_ms(world->cluster.sim) < started_ms + REST_MS_MAX) {
        world_advance(world, LOOK_MS);
        cluster_end_stopped(&world->cluster);
        people_settle(world);
        const bool is_up = cluster_up(&world->cluster) == world->cluster.len;
        if (!is_up) {
            faults_stop(world);
        }
        if (!is_up || !people_are_settled(world) ||
            (restless_ms + LOOK_MS >= sim_now_ms(world->cluster.sim) &&
             !cluster_agrees(&world->cluster, CLUSTER_ALL_SIDES))) {
            restless_ms = sim_now_ms(world->cluster.sim);
        } else if (sim_now_ms(world->cluster.sim) >= restless_ms + CALM_MS) {
            if (cluster_agrees(&world->cluster, CLUSTER_ALL_SIDES)) {
                return true;
            }
            restless_ms = sim_now_ms(world->cluster.sim);
        }
        if (!truth_holds(&world->truth)) {
            return true;
        }
    }
    note_restless(world);
    return false;
}

bool world_wait(struct world *world, bool (*is_true)(struct world *world), uint64_t ms_max)
{
    for (uint64_t ms = 0; ms < ms_max; ms += LOOK_MS) {
        if (is_true(world)) {
            return true;
        }
        world_advance(world, LOOK_MS);
    }
    return is_true(world);
}

static bool all_is_published(struct world *world)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        if (world->clients[i].publishes_len != 0) {
            return false;
        }
    }
    return true;
}

/* Published at rest, by one after the other: everybody gets it. */
static void check_last(struct world *world)
{
    struct truth *truth = &world->truth;
    for (uint8_t channel = 0; channel < world->shape.channels; channel++) {
        const uint32_t first = truth->publications_len + 1;
        for (uint32_t i = 0; i < LAST_ROUNDS; i++) {
            struct fake_client *client = &world->clients[(channel + i) % world->shape.clients];
            if (!fake_client_publish(client, channel, 0) ||
                !world_wait(world, all_is_published, ANSWER_MS_MAX)) {
                stuck(world, "a publication at rest is not answered");
            } else if (truth->publications[first + i].fate != FATE_ACKNOWLEDGED) {
                truth_fail(truth, channel, "publication %u was refused at rest", first + i);
            }
        }
        world_advance(world, 200);
        for (uint32_t i = 0; i < world->shape.clients; i++) {
            const struct fake_client *client = &world->clients[i];
            const uint8_t wildcard = channel_wildcard_of(channel);
            if (!truth_run_ends_with(client->subscriptions[channel].run, first, LAST_ROUNDS)) {
                truth_fail(truth, channel, "client %u does not get what is published at rest", i);
            } else if (world->shape.has_wildcards &&
                       !truth_run_ends_with(client->subscriptions[wildcard].run, first,
                                            LAST_ROUNDS)) {
                truth_fail(truth, wildcard, "client %u does not get what is passed on at rest", i);
            }
        }
    }
}

/* ---- presence ---- */

static bool presence_is_answered(struct world *world)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        if (world->clients[i].presence.id != 0) {
            return false;
        }
    }
    return true;
}

static bool is_present(const struct fake_client *asker, const char *id)
{
    for (uint32_t i = 0; i < asker->present_len && i < PRESENT_MAX; i++) {
        if (strcmp(asker->present[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* The first that is present without being a client. */
static const char *find_ghost(const struct world *world, const struct fake_client *asker)
{
    for (uint32_t i = 0; i < asker->present_len && i < PRESENT_MAX; i++) {
        uint32_t at = 0;
        while (at < world->shape.clients && strcmp(world->clients[at].id, asker->present[i]) != 0) {
            at++;
        }
        if (at == world->shape.clients) {
            return asker->present[i];
        }
    }
    return "nobody else";
}

static void check_presence(struct world *world)
{
    for (uint8_t channel = 0; world->shape.kept.presence && channel < CHANNELS_MAX; channel++) {
        if (!shape_has_channel(&world->shape, channel)) {
            continue;
        }
        struct fake_client *asker = &world->clients[channel % world->shape.clients];
        fake_client_ask_presence(asker, channel);
        if (!world_wait(world, presence_is_answered, ANSWER_MS_MAX)) {
            stuck(world, "presence is not answered");
            return;
        }
        if (asker->present_len != world->shape.clients) {
            truth_fail(&world->truth, channel,
                       "presence of %s has %u clients, there are %u: also %s",
                       fake_channel_name(channel), asker->present_len, world->shape.clients,
                       find_ghost(world, asker));
        }
        for (uint32_t i = 0; i < world->shape.clients; i++) {
            if (!is_present(asker, world->clients[i].id)) {
                truth_fail(&world->truth, channel, "client %u is not present in %s", i,
                           fake_channel_name(channel));
            }
        }
    }
}

/* ---- commands to users ---- */

static bool calls_are_answered(struct world *world)
{
    for (uint32_t i = 0; i < CALLS_MAX; i++) {
        if (!fake_call_is_free(&world->calls[i])) {
            return false;
        }
    }
    return true;
}

static bool settles(struct world *world)
{
    people_settle(world);
    return people_are_settled(world);
}

/* Those whom a command was for have obeyed; who obeyed though it was not for him has been found. */
static bool have_obeyed(struct world *world, const char *user, uint8_t channel)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        const struct fake_client *client = &world->clients[i];
        const bool has_obeyed = channel == CHANNEL_NONE
                                    ? client->state == FAKE_ENDED
                                    : client->subscriptions[channel].state == FAKE_NONE;
        if (has_obeyed != (strcmp(client->user, user) == 0)) {
            return false;
        }
    }
    return true;
}

static void check_command(struct world *world, const char *user, uint8_t channel)
{
    struct fake_call *call = &world->calls[0];
    struct fake_target target;
    if (!people_find_node(world, &target)) {
        stuck(world, "a node takes no clients at rest");
        return;
    }
    if (channel == CHANNEL_NONE) {
        fake_call_disconnect(call, &target, user);
    } else {
        fake_call_unsubscribe(call, &target, channel, user);
    }
    if (!world_wait(world, calls_are_answered, ANSWER_MS_MAX) || !call->is_answered) {
        stuck(world, "a command to a user is not answered");
    }
    world_advance(world, 1000);
    if (!have_obeyed(world, user, channel)) {
        truth_fail(&world->truth, CHANNEL_NONE, "%s of user %s finds not all sessions, or others",
                   channel == CHANNEL_NONE ? "disconnect" : "unsubscribe", user);
    }
    if (!world_wait(world, settles, ANSWER_MS_MAX)) {
        stuck(world, "those who obeyed a command do not come back");
    }
}

static void check_users(struct world *world)
{
    struct truth *truth = &world->truth;
    if (world->shape.users == 0) {
        return;
    }
    /* Those of before are over: nobody may obey them any more. */
    truth->commands_len = 0;
    const char *user = "";
    for (uint32_t i = 0; i < world->shape.clients && user[0] == '\0'; i++) {
        user = world->clients[(i + world->shape.steps) % world->shape.clients].user;
    }
    check_command(world, user, (uint8_t)(world->shape.steps % world->shape.channels));
    if (truth_holds(truth)) {
        check_command(world, user, CHANNEL_NONE);
    }
}

/* ---- maps ---- */

static void check_call(struct world *world, const struct fake_call *call, const char *what)
{
    if (!world_wait(world, calls_are_answered, ANSWER_MS_MAX) || !call->is_answered) {
        stuck(world, what);
    }
}

/* Any node tells what was written last, also what is written now; and forgets it in the end. */
static void check_map(struct world *world, uint8_t map)
{
    struct fake_call *call = &world->calls[0];
    struct fake_target targets[2];
    if (!people_find_node(world, &targets[0]) || !people_find_node(world, &targets[1])) {
        stuck(world, "a node takes no clients at rest");
        return;
    }
    fake_call_map_read(call, &targets[0], map);
    check_call(world, call, "a map is not read at rest");
    fake_call_map_write(call, &targets[0], map, map, false);
    check_call(world, call, "a key is not written at rest");
    fake_call_map_read(call, &targets[1], map);
    check_call(world, call, "a map is not read at rest");
    fake_call_map_clear(call, &targets[1], map);
    check_call(world, call, "a map is not cleared at rest");
}

static void check_maps(struct world *world)
{
    for (uint8_t map = 0; map < MAPS && truth_holds(&world->truth); map++) {
        check_map(world, map);
    }
}

void rest_check(struct world *world)
{
    void (*const checks[])(struct world *) = {
        check_last, check_presence, inspect_registrations, inspect_directories,
        check_maps, check_users,    inspect_registrations, inspect_directories,
    };
    faults_stop(world);
    if (!come_to_rest(world)) {
        stuck(world, "the world does not come to rest");
        return;
    }
    truth_check_rest(&world->truth);
    for (uint32_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && truth_holds(&world->truth);
         i++) {
        checks[i](world);
        world_advance(world, 1000);
    }
    truth_check_rest(&world->truth);
    if (truth_holds(&world->truth)) {
        people_leave(world);
        world_advance(world, EMPTY_MS);
        inspect_empty(world);
    }
}
