/* SPDX-License-Identifier: Apache-2.0 */
/* What clients and backends do: come and go, subscribe, publish, ask; some of them badly. */
#include <string.h>

#include "tests/sim/world.h"

enum { BURST_MAX = 60 };

bool people_find_node(struct world *world, struct fake_target *target)
{
    const uint32_t node = world_below(world, world->cluster.len);
    const struct cluster_node *at = &world->cluster.nodes[node];
    *target = (struct fake_target){node, &at->options.listen};
    return at->node != NULL && !at->is_stopping && node_is_listening(at->node);
}

static void open(struct world *world, struct fake_client *client)
{
    struct fake_target target;
    if (people_find_node(world, &target)) {
        (void)fake_client_open(client, target.node, target.address);
    }
}

static struct fake_call *free_call(struct world *world)
{
    struct fake_call *call = &world->calls[world_below(world, CALLS_MAX)];
    return fake_call_is_free(call) ? call : NULL;
}

static uint8_t any_channel(struct world *world)
{
    return (uint8_t)world_below(world, world->shape.channels);
}

/* To subscribe to, or to ask about. */
static uint8_t any_heard_channel(struct world *world)
{
    return world->shape.has_wildcards && world_below(world, 4) == 0
               ? channel_wildcard_of(world_below(world, 2))
               : any_channel(world);
}

static uint32_t padding(struct world *world)
{
    return world_below(world, world->shape.padding_max);
}

static const char *any_user(struct world *world)
{
    return world->clients[world_below(world, world->shape.clients)].user;
}

/* ---- backends ---- */

static void backend_acts(struct world *world)
{
    struct fake_call *call = free_call(world);
    struct fake_target target;
    const uint8_t channel = any_channel(world);
    const uint32_t choice = world_below(world, 100);
    if (call == NULL || !people_find_node(world, &target)) {
        return;
    }
    const char *user = any_user(world);
    const bool may_repeat = world->shape.has_repeats && channel_is_kept(channel);
    if (may_repeat && call->once != PUBLICATION_NONE && world_below(world, 2) == 0) {
        fake_call_publish_again(call, &target);
    } else if (choice < 12) {
        fake_call_map_write(call, &target, (uint8_t)world_below(world, MAPS),
                            (uint8_t)world_below(world, MAP_KEYS), choice < 3);
    } else if (choice < 16) {
        fake_call_map_read(call, &target, (uint8_t)world_below(world, MAPS));
    } else if (choice < 80) {
        (may_repeat ? fake_call_publish_once : fake_call_publish)(call, &target, channel,
                                                                  padding(world));
    } else if (choice < 94) {
        fake_call_history(call, &target, channel & (uint8_t)~1u);
    } else if (choice < 96) {
        fake_call_channels(call, &target);
    } else if (user[0] != '\0' && choice < 98) {
        fake_call_disconnect(call, &target, user);
    } else if (user[0] != '\0') {
        fake_call_unsubscribe(call, &target, channel, user);
    }
}

/* ---- clients ---- */

static bool has_fault(struct world *world, enum fault fault)
{
    const bool is_due = world_below(world, 400) < world->shape.weights[fault];
    world->faults[fault] += is_due;
    return is_due;
}

static void client_errs(struct world *world, struct fake_client *client)
{
    if (has_fault(world, FAULT_AWAY)) {
        fake_client_close(client, world_below(world, 2) == 0);
    } else if (has_fault(world, FAULT_LAZY)) {
        fake_client_pause(client, !client->is_paused);
    } else if (has_fault(world, FAULT_MUTE)) {
        client->is_mute = !client->is_mute;
    } else if (has_fault(world, FAULT_GARBAGE)) {
        fake_client_send_garbage(client, world->random);
    }
}

static void client_does(struct world *world, struct fake_client *client)
{
    const uint8_t channel = any_heard_channel(world);
    const uint32_t choice = world_below(world, 100);
    struct fake_subscription *subscription = &client->subscriptions[channel];
    if (choice < 35 && subscription->state == FAKE_NONE) {
        if (world_below(world, 10) == 0) {
            fake_client_forget(client, channel);
        }
        fake_client_subscribe(client, channel);
    } else if (choice < 39 && subscription->state == FAKE_SUBSCRIBED) {
        fake_client_unsubscribe(client, channel);
    } else if (choice < 80) {
        const uint8_t plain = channel_is_wildcard(channel) ? any_channel(world) : channel;
        (void)fake_client_publish(client, plain, padding(world));
    } else if (choice < 82 && channel_is_kept(channel) && client->history.id == 0) {
        fake_client_ask_history(client, channel, 1 + world_below(world, 50));
    } else if (choice < 83 && world->shape.kept.presence && client->presence.id == 0) {
        fake_client_ask_presence(client, channel);
    } else if (choice < 90) {
        client_errs(world, client);
    }
}

void people_act(struct world *world)
{
    struct fake_client *client = &world->clients[world_below(world, world->shape.clients)];
    if (world_below(world, 100) < 15) {
        backend_acts(world);
    } else if (client->state == FAKE_UNUSED) {
        open(world, client);
    } else if (client->state == FAKE_ENDED) {
        fake_client_close(client, false);
    } else if (client->is_paused) {
        if (world_below(world, 20) == 0) {
            fake_client_pause(client, false);
        }
    } else if (client->state == FAKE_CONNECTED) {
        client_does(world, client);
    } else if (world_below(world, 100) == 0) {
        fake_client_close(client, true); /* In the middle of its handshake. */
    }
}

/* Many publications at one instant, of one client in one channel or of all in any. */
void people_burst(struct world *world)
{
    const uint32_t count = 1 + world_below(world, BURST_MAX);
    const bool is_one = world_below(world, 2) == 0;
    uint32_t number = world_below(world, world->shape.clients);
    uint8_t channel = any_channel(world);
    for (uint32_t i = 0; i < count; i++) {
        struct fake_client *client = &world->clients[number];
        if (client->state == FAKE_CONNECTED) {
            (void)fake_client_publish(client, channel, padding(world));
        }
        if (!is_one) {
            number = world_below(world, world->shape.clients);
            channel = any_channel(world);
        }
    }
}

/* ---- rest ---- */

static void settle(struct world *world, struct fake_client *client)
{
    if (client->state == FAKE_ENDED || client->is_garbling) {
        fake_client_close(client, false);
        client->is_garbling = false;
    }
    if (client->state == FAKE_UNUSED) {
        open(world, client);
        return;
    }
    if (client->is_paused) {
        fake_client_pause(client, false);
    }
    client->is_mute = false;
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        if (shape_has_channel(&world->shape, channel) && client->state == FAKE_CONNECTED &&
            client->subscriptions[channel].state == FAKE_NONE) {
            fake_client_subscribe(client, channel);
        }
    }
}

void people_settle(struct world *world)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        settle(world, &world->clients[i]);
    }
}

bool people_are_settled(const struct world *world)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        const struct fake_client *client = &world->clients[i];
        if (client->state != FAKE_CONNECTED || client->publishes_len != 0 || client->is_garbling) {
            return false;
        }
        for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
            if (shape_has_channel(&world->shape, channel) &&
                client->subscriptions[channel].state != FAKE_SUBSCRIBED) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < CALLS_MAX; i++) {
        if (!fake_call_is_free(&world->calls[i])) {
            return false;
        }
    }
    return true;
}

void people_leave(struct world *world)
{
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        fake_client_close(&world->clients[i], world_below(world, 2) == 0);
    }
    for (uint32_t i = 0; i < CALLS_MAX; i++) {
        fake_call_abort(&world->calls[i]);
    }
}
