/* SPDX-License-Identifier: Apache-2.0 */
/* Compares what the nodes keep of channels and users with the clients that there are. Only at rest,
 * when all nodes have one map. */
#include <string.h>

#include "shards/channel/homes_state.h"
#include "shards/edge/fanout/hub.h"
#include "shards/router/directory.h"
#include "shards/router/relay/relay_state.h"
#include "shards/router/router.h"
#include "tests/sim/world.h"

static void wrong(struct world *world, uint32_t node, const char *what, const char *name)
{
    truth_fail(&world->truth, CHANNEL_NONE, "node %u: %s (%s)", node, what, name);
}

/* NULL: it is no part of a cluster. */
static const struct relay *relay_of(const struct world *world, uint32_t node)
{
    const uint32_t router = world->cluster.nodes[node].options.shards;
    return router_relay(sim_shard(world->cluster.sim, node, router)->actor);
}

/* The node that a peer is; the number of nodes: none of them. */
static uint32_t node_of_uid(const struct world *world, const struct gossip_uid *uid)
{
    uint32_t node = 0;
    for (; node < world->cluster.len; node++) {
        const struct gossip_uid other = node_uid(world->cluster.nodes[node].node);
        if (memcmp(other.bytes, uid->bytes, sizeof(uid->bytes)) == 0) {
            break;
        }
    }
    return node;
}

static uint32_t node_of_origin(const struct world *world, const struct relay *relay,
                               uint32_t origin)
{
    const struct relay_peer *peer = relay_peer_of(relay, origin);
    return peer == NULL ? world->cluster.len : node_of_uid(world, &peer->uid);
}

struct home {
    uint32_t node;
    uint32_t shard;
};

static struct home home_of(const struct world *world, const char *name)
{
    const struct placement *placement = cluster_actors(&world->cluster, 0, 0)->placement;
    const struct placement_home home =
        placement_home_of(placement, placement_slot_of(span_of_text(name)));
    return (struct home){node_of_uid(world, &placement->members[home.node].uid), home.shard};
}

/* ---- channels ---- */

static const struct hub_channel *hub_of(const struct world *world, uint32_t node, uint32_t shard,
                                        const char *name)
{
    return hub_find(cluster_actors(&world->cluster, node, shard)->edge, span_of_text(name));
}

/* How many shards of the node want the channel. */
static uint32_t wanting_shards(const struct world *world, uint32_t node, const char *name)
{
    uint32_t wanting = 0;
    for (uint32_t shard = 0; shard < world->cluster.nodes[node].options.shards; shard++) {
        wanting += hub_of(world, node, shard, name) != NULL;
    }
    return wanting;
}

static void check_hubs(struct world *world, uint32_t node, uint8_t number, struct home home)
{
    const char *name = fake_channel_name(number);
    uint32_t subscribers = 0;
    uint32_t clients = 0;
    for (uint32_t shard = 0; shard < world->cluster.nodes[node].options.shards; shard++) {
        const struct hub_channel *channel = hub_of(world, node, shard, name);
        if (channel == NULL) {
            continue;
        }
        subscribers += channel->subscribers.count;
        const uint32_t told =
            home.node == node ? home.shard : world->cluster.nodes[node].options.shards;
        if (channel->is_moving || channel->asking != 0 || channel->entered != 0 ||
            channel->home != told) {
            wrong(world, node, "a channel's registration is not settled", name);
        }
    }
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        const struct fake_client *client = &world->clients[i];
        clients += client->state == FAKE_CONNECTED && client->node == node &&
                   client->subscriptions[number].state == FAKE_SUBSCRIBED;
    }
    if (subscribers != clients) {
        wrong(world, node, "the hubs have others than the subscribers", name);
    }
}

/* The home has just the shards of its node, and the router where other nodes want it. */
static void check_home(struct world *world, const char *name, struct home home, uint32_t far_nodes)
{
    const struct actors *actors = cluster_actors(&world->cluster, home.node, home.shard);
    struct channel *channel = homes_find(actors->homes, span_of_text(name));
    const uint32_t router = world->cluster.nodes[home.node].options.shards;
    const uint32_t wanted = wanting_shards(world, home.node, name) + (far_nodes > 0 ? 1 : 0);
    if ((channel == NULL ? 0 : channel->interests_len) != wanted) {
        wrong(world, home.node, "a home has others than those who are interested", name);
        return;
    }
    if (channel != NULL && channel->vacating == NULL &&
        channel->is_occupied != (actors->webhooks != NULL && wanted > 0)) {
        wrong(world, home.node, "what was told of a channel is not so", name);
    }
    for (uint32_t i = 0; channel != NULL && i < channel->interests_len; i++) {
        const struct interest *interest = &channel_interests(channel)[i];
        const struct hub_channel *hub =
            interest->shard == router ? NULL : hub_of(world, home.node, interest->shard, name);
        if (interest->shard != router && (hub == NULL || hub->handle != interest->hub)) {
            wrong(world, home.node, "a home has an interest that is none", name);
        }
    }
}

static void check_near(struct world *world, const char *name, struct home home, uint32_t far_nodes)
{
    const struct relay *relay = relay_of(world, home.node);
    struct relay_channel *channel =
        relay == NULL ? NULL : map_find(relay->near.by_name, name, strlen(name));
    if ((channel == NULL ? 0 : channel->ends_len) != far_nodes) {
        wrong(world, home.node, "others than the interested nodes are registered", name);
        return;
    }
    for (uint32_t i = 0; i < far_nodes; i++) {
        const struct relay_end *end = &relay_ends(channel)[i];
        const uint32_t node = node_of_origin(world, relay, end->id);
        if (node == world->cluster.len || !end->is_active || end->asks != 0 ||
            wanting_shards(world, node, name) == 0) {
            wrong(world, home.node, "a node is registered that is not interested", name);
        }
    }
}

static void check_far(struct world *world, uint32_t node, const char *name, struct home home)
{
    const struct relay *relay = relay_of(world, node);
    const uint32_t wanting = wanting_shards(world, node, name);
    struct relay_channel *channel = map_find(relay->far.by_name, name, strlen(name));
    if ((channel == NULL ? 0 : channel->ends_len) != wanting) {
        wrong(world, node, "others than the interested shards are registered", name);
        return;
    }
    if (channel != NULL && node_of_origin(world, relay, channel->upstream) != home.node) {
        wrong(world, node, "a channel is registered with what is not its home", name);
    }
    for (uint32_t i = 0; i < wanting; i++) {
        const struct relay_end *end = &relay_ends(channel)[i];
        const struct hub_channel *hub = hub_of(world, node, end->id, name);
        if (hub == NULL || hub->handle != end->handle || !end->is_active || end->asks != 0) {
            wrong(world, node, "a shard is registered that is not interested", name);
        }
    }
}

static void check_channel(struct world *world, uint8_t number)
{
    const char *name = fake_channel_name(number);
    const struct home home = home_of(world, name);
    uint32_t far_nodes = 0;
    for (uint32_t node = 0; node < world->cluster.len; node++) {
        check_hubs(world, node, number, home);
        for (uint32_t shard = 0; shard < world->cluster.nodes[node].options.shards; shard++) {
            const struct actors *actors = cluster_actors(&world->cluster, node, shard);
            if ((node != home.node || shard != home.shard) &&
                homes_find(actors->homes, span_of_text(name)) != NULL) {
                wrong(world, node, "a shard that is not its home has the channel", name);
            }
        }
        if (node != home.node) {
            far_nodes += wanting_shards(world, node, name) > 0;
            check_far(world, node, name, home);
        }
    }
    check_home(world, name, home, far_nodes);
    check_near(world, name, home, far_nodes);
}

/* Nothing else is registered, and nothing waits. */
static void check_relay(struct world *world, uint32_t node)
{
    const struct relay *relay = relay_of(world, node);
    uint32_t far = 0;
    uint32_t near = 0;
    for (uint8_t number = 0; number < CHANNELS_MAX; number++) {
        if (!shape_has_channel(&world->shape, number)) {
            continue;
        }
        const char *name = fake_channel_name(number);
        far += map_find(relay->far.by_name, name, strlen(name)) != NULL;
        near += map_find(relay->near.by_name, name, strlen(name)) != NULL;
    }
    if (pool_count(relay->far.pool) != far || pool_count(relay->near.pool) != near) {
        wrong(world, node, "channels are registered that nobody has", "relay");
    }
    if (pool_count(relay->asks_pool) != 0 || pool_count(relay->gathers) != 0) {
        wrong(world, node, "requests are under way at rest", "relay");
    }
}

void inspect_registrations(struct world *world)
{
    for (uint8_t number = 0; number < CHANNELS_MAX; number++) {
        if (shape_has_channel(&world->shape, number)) {
            check_channel(world, number);
        }
    }
    for (uint32_t node = 0; node < world->cluster.len; node++) {
        if (relay_of(world, node) != NULL) {
            check_relay(world, node);
        }
    }
}

/* ---- users ---- */

/* The user's sessions that the shard has. */
static uint32_t sessions_of(const struct world *world, uint32_t node, uint32_t shard,
                            struct span user)
{
    const struct edge *edge = cluster_actors(&world->cluster, node, shard)->edge;
    const struct local_user *at = map_find(edge->users, user.at, user.len);
    uint32_t sessions = 0;
    if (at != NULL) {
        for (const struct list *link = at->accounts.next; link != &at->accounts;
             link = link->next) {
            sessions++;
        }
    }
    return sessions;
}

struct directory_look {
    struct world *world;
    uint32_t node;
    uint32_t shard;
    uint64_t sessions; /* That were found. */
};

/* Each entry is of a user who is at home there, and has the sessions that are in its place. */
static void check_entry(void *context, struct span user, uint32_t place, uint32_t sessions)
{
    struct directory_look *look = context;
    struct world *world = look->world;
    char name[16];
    const size_t len = user.len < sizeof(name) ? user.len : sizeof(name) - 1;
    memcpy(name, user.at, len);
    name[len] = '\0';
    const struct home home = home_of(world, name);
    const uint32_t origin = message_place_origin(place);
    const uint32_t shard = message_place_shard(place);
    const uint32_t node =
        origin == 0 ? look->node : node_of_origin(world, relay_of(world, look->node), origin);
    look->sessions += sessions;
    if (home.node != look->node || home.shard != look->shard) {
        wrong(world, look->node, "a directory has a user of another one", name);
    } else if (node == world->cluster.len || shard >= world->cluster.nodes[node].options.shards) {
        wrong(world, look->node, "a directory has a place that is none", name);
    } else if (sessions_of(world, node, shard, user) != sessions) {
        wrong(world, look->node, "a directory has other sessions than there are", name);
    }
}

/* Together with the sessions of each entry the sum tells that none is missing. */
void inspect_directories(struct world *world)
{
    struct directory_look look = {.world = world};
    uint64_t there = 0;
    for (look.node = 0; look.node < world->cluster.len; look.node++) {
        for (look.shard = 0; look.shard < world->cluster.nodes[look.node].options.shards;
             look.shard++) {
            const struct actors *actors = cluster_actors(&world->cluster, look.node, look.shard);
            directory_visit(actors->directory, check_entry, &look);
        }
    }
    for (uint32_t i = 0; i < world->shape.clients; i++) {
        there += world->clients[i].state == FAKE_CONNECTED && world->clients[i].user[0] != '\0';
    }
    if (look.sessions != there) {
        truth_fail(&world->truth, CHANNEL_NONE,
                   "the directories know %llu sessions of users, there are %llu",
                   (unsigned long long)look.sessions, (unsigned long long)there);
    }
}

/* ---- the end ---- */

static const enum counter gauges_at_zero[] = {
    COUNTER_MAP_CHANNELS,
    COUNTER_MAP_KEYS,
    COUNTER_MAP_BYTES,
    COUNTER_NUM_CLIENTS,
    COUNTER_NUM_CONNECTIONS,
    COUNTER_NUM_SESSIONS,
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
    COUNTER_RELAY_FAR_CHANNELS,
    COUNTER_RELAY_NEAR_CHANNELS,
    COUNTER_RELAY_INTERESTS,
    COUNTER_RELAY_ASKS,
    COUNTER_WILDCARD_TARGETS,
    COUNTER_OUTBOX_WAITING,
};

void inspect_empty(struct world *world)
{
    for (uint32_t node = 0; node < world->cluster.len; node++) {
        for (size_t i = 0; i < sizeof(gauges_at_zero) / sizeof(gauges_at_zero[0]); i++) {
            const uint64_t value = node_sum(world->cluster.nodes[node].node, gauges_at_zero[i]);
            if (value != 0) {
                truth_fail(&world->truth, CHANNEL_NONE, "node %u: %s is %lld when nobody is there",
                           node, counter_descriptions[gauges_at_zero[i]].name, (long long)value);
            }
        }
    }
}
