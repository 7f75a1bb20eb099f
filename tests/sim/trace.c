/* SPDX-License-Identifier: Apache-2.0 */
/* What the shards of all nodes tell each other: who has a publication; of one channel a line a
 * message. */
#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shards/channel/homes_state.h"
#include "shards/edge/fanout/hub.h"
#include "shards/router/relay/relay_state.h"
#include "shards/router/router.h"
#include "tests/sim/fake_client.h"

/* A world is made of one thread, and one is traced at a time. */
static const struct cluster *traced;
static struct truth *traced_truth;
static const char *traced_name;
static const struct shard_actor *traced_ops;

struct place {
    uint32_t node;
    uint32_t shard;
    bool is_router;
};

static bool find_place(const void *actor, struct place *out)
{
    for (uint32_t node = 0; node < traced->len; node++) {
        const uint32_t shards = traced->nodes[node].options.shards;
        for (uint32_t shard = 0; cluster_is_up(traced, node) && shard <= shards; shard++) {
            if (sim_shard(traced->sim, node, shard)->actor == actor) {
                *out = (struct place){node, shard, shard == shards};
                return true;
            }
        }
    }
    return false;
}

static bool is_traced(const struct buf *name)
{
    return name != NULL && span_equal(span_of(name->bytes, name->len), span_of_text(traced_name));
}

/* The channel that the receiver's handle names: of its hub, or of what its node is registered for.
 */
static bool is_of_handle(const struct place *place, const void *actor, uint32_t handle)
{
    if (place->is_router) {
        const struct relay *relay = router_relay(actor);
        const struct relay_channel *near =
            relay == NULL ? NULL : pool_get(relay->near.pool, handle);
        return near != NULL && is_traced(near->name);
    }
    const struct actors *actors = actor;
    const struct hub_channel *channel = pool_get(actors->edge->hub_channels, handle);
    return channel != NULL && is_traced(channel->name);
}

static bool is_of_ask(const void *actor, uint32_t handle)
{
    const struct relay *relay = router_relay(actor);
    const struct relay_ask *ask = relay == NULL ? NULL : pool_get(relay->asks_pool, handle);
    const struct relay_channel *near =
        ask == NULL ? NULL : pool_get(relay->near.pool, ask->channel);
    return near != NULL && is_traced(near->name);
}

/* The publication's number, which is in the data (fake_client_publish). */
static uint32_t number_in(struct span bytes)
{
    static const char mark[] = "{\"n\":";
    uint32_t number = 0;
    for (size_t i = 0; i + sizeof(mark) < bytes.len; i++) {
        if (memcmp(bytes.at + i, mark, sizeof(mark) - 1) == 0) {
            for (i += sizeof(mark) - 1; bytes.at[i] >= '0' && bytes.at[i] <= '9'; i++) {
                number = number * 10 + (uint32_t)(bytes.at[i] - '0');
            }
            break;
        }
    }
    return number;
}

static struct span bytes_of(const struct buf *buf)
{
    return buf == NULL ? SPAN_EMPTY : span_of(buf->bytes, buf->len);
}

static uint32_t node_of(const struct gossip_uid *uid)
{
    uint32_t node = 0;
    for (; node < traced->len; node++) {
        const struct node *at = traced->nodes[node].node;
        const struct gossip_uid other = at == NULL ? (struct gossip_uid){{0}} : node_uid(at);
        if (memcmp(other.bytes, uid->bytes, sizeof(uid->bytes)) == 0) {
            break;
        }
    }
    return node;
}

/* The first digits of its id. */
static const char *client_of(const struct buf *identity)
{
    static char text[9];
    if (identity == NULL) {
        return "-";
    }
    const struct identity who = identity_of(identity);
    (void)snprintf(text, sizeof(text), "%02x%02x%02x%02x", who.client[0], who.client[1],
                   who.client[2], who.client[3]);
    return text;
}

/* False: the message is about something else. */
static bool tell(char *out, size_t size, const struct place *place, const void *actor,
                 const struct message *message)
{
    if (message->type == MESSAGE_SUBSCRIBE) {
        const struct message_subscribe body = message_as_subscribe(message);
        (void)snprintf(out, size,
                       "flags=%x since=%" PRIu64 "/%" PRIx64 " subscription=%x client=%s",
                       body.flags, body.since.offset, body.since.epoch, body.subscription,
                       client_of(body.identity));
        return is_traced(body.channel);
    }
    if (message->type == MESSAGE_UNSUBSCRIBE) {
        const struct message_unsubscribe body = message_as_unsubscribe(message);
        (void)snprintf(out, size, "flags=%x client=%s", body.flags, client_of(body.identity));
        return is_traced(body.channel);
    }
    if (message->type == MESSAGE_SUBSCRIBED) {
        const struct message_subscribed body = message_as_subscribed(message);
        (void)snprintf(out, size, "flags=%x error=%u sequence=%" PRIu64 " at=%" PRIu64 "/%" PRIx64,
                       body.flags, body.error, body.sequence, body.newest.offset,
                       body.newest.epoch);
        return place->is_router ? is_of_ask(actor, body.subscription)
                                : is_of_handle(place, actor, message->handle);
    }
    if (message->type == MESSAGE_PUBLISH) {
        const struct publish_request request =
            publish_request_of(message_as_publish(message).request);
        (void)snprintf(out, size, "number=%u", number_in(request.data));
        return span_equal(request.channel, span_of_text(traced_name));
    }
    if (message->type == MESSAGE_PUBLICATION) {
        const struct message_publication body = message_as_publication(message);
        (void)snprintf(out, size, "kind=%u sequence=%" PRIu64 " offset=%" PRIu64 " number=%u",
                       body.kind, body.sequence, body.offset, number_in(bytes_of(body.frames)));
        return is_of_handle(place, actor, message->handle);
    }
    if (message->type == MESSAGE_CHANNEL_MOVE) {
        const struct channel_move *move = channel_move_of(message_as_channel_move(message).move);
        (void)snprintf(out, size, "flags=%x epoch=%" PRIx64 " sequence=%" PRIu64, move->flags,
                       move->epoch, move->sequence);
        return is_traced(move->name);
    }
    if (message->type == MESSAGE_PLACEMENT) {
        const struct placement *map = placement_of(message_as_placement(message).placement);
        const struct placement_home home =
            placement_home_of(map, placement_slot_of(span_of_text(traced_name)));
        (void)snprintf(out, size, "version=%" PRIu64 " nodes=%u home=node %u shard %u",
                       map->version, map->nodes, node_of(&map->members[home.node].uid), home.shard);
        return true;
    }
    if (message->type == MESSAGE_SLOTS_READY) {
        *out = '\0';
        return slot_set_has(message_as_slots_ready(message).slots->bytes,
                            placement_slot_of(span_of_text(traced_name)));
    }
    if (message->type == MESSAGE_SLOTS_MISSED || message->type == MESSAGE_SLOTS_NOTED) {
        struct buf *slots; /* Both begin with them. */
        memcpy(&slots, message->body, sizeof(slots));
        *out = '\0';
        return slot_set_has(slots->bytes, placement_slot_of(span_of_text(traced_name)));
    }
    if (message->type == MESSAGE_CHANNEL_TAKEN && !place->is_router) {
        const struct actors *actors = actor;
        const struct channel *channel = pool_get(actors->homes->pool, message->handle);
        (void)snprintf(out, size, "error=%u", message_as_channel_taken(message).error);
        return channel != NULL && is_traced(channel->name);
    }
    *out = '\0';
    return message->type == MESSAGE_MOVED && is_of_handle(place, actor, message->handle);
}

/* A shard that is given a publication takes it, or passes it on to another one; a router does not
 * have it. */
static void note_home(const void *actor, const struct message *message)
{
    struct place place;
    const bool is_passed_on = message->type == MESSAGE_PASS_ON;
    const struct buf *made =
        is_passed_on ? message_as_pass_on(message).request : message_as_publish(message).request;
    if (made == NULL || !find_place(actor, &place) || place.is_router) {
        return;
    }
    const struct publish_request request = publish_request_of(made);
    const struct span name =
        is_passed_on ? pass_of(message_as_pass_on(message).pass).wildcard : request.channel;
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        if (span_equal(name, span_of_text(fake_channel_name(channel)))) {
            truth_note_home(traced_truth, number_in(request.data), channel, place.node);
        }
    }
}

static void trace_message(void *actor, const struct message *message)
{
    struct place place;
    char text[160];
    if (message->type == MESSAGE_PUBLISH || message->type == MESSAGE_PASS_ON) {
        note_home(actor, message);
    }
    if (traced_name != NULL && find_place(actor, &place) &&
        tell(text, sizeof(text), &place, actor, message)) {
        printf("  %9" PRIu64 " ms  node %u %s%u <- %u  %s handle=%x %s\n", sim_now_ms(traced->sim),
               place.node, place.is_router ? "router " : "shard ", place.shard, message->from,
               message_type_name((enum message_type)message->type), message->handle, text);
    }
    traced_ops->on_message(actor, message);
}

static const struct shard_actor *trace_ops(uint32_t id)
{
    static struct shard_actor ops;
    (void)id;
    ops = *traced_ops;
    ops.on_message = trace_message;
    return &ops;
}

void trace_begin(const struct cluster *cluster, struct truth *truth, const char *name)
{
    traced = cluster;
    traced_truth = truth;
    traced_name = name;
}

void trace_end(void)
{
    traced = NULL;
}

void trace_watch(struct shard_set_options *set)
{
    if (traced != NULL) {
        traced_ops = set->actor_ops(0); /* The same for all shards (shards/node.c). */
        set->actor_ops = trace_ops;
    }
}
