/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose home is another now, or has begun anew: they are registered again, paced, and
 * their subscribers learn whether they missed anything. */
#include "shards/edge/fanout/broadcast.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/fanout/streams.h"

enum { PROTOCOLS_ALL = CLIENT_PROTOCOL_BIT(CLIENT_PROTOCOLS) - 1 };

static void moves_on_timer(struct timer *timer, void *actor);

static void moves_schedule(struct edge *edge, uint64_t in_ms)
{
    const uint64_t due_ms = edge->shard->now_ms + in_ms;
    if (!timer_is_set(&edge->moves_timer) || due_ms < edge->moves_timer.due_ms) {
        timer_set(edge->shard->timers, &edge->moves_timer, due_ms, moves_on_timer);
    }
}

/* Before it the channel may be in either list, behind it it is in this one. */
static void moves_append(struct edge *edge, struct hub_channel *channel, struct list *list)
{
    list_remove(&channel->move_link);
    list_append(list, &channel->move_link);
    moves_schedule(edge, list == &edge->moves ? 0 : HUB_MOVE_RETRY_MS);
}

void hub_on_moved(struct edge *edge, const struct message *message)
{
    struct hub_channel *channel = pool_get(edge->hub_channels, message->handle);
    if (channel == NULL) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
        return;
    }
    channel->is_moving = true;
    channel->entered = 0;
    moves_append(edge, channel, &edge->moves);
}

void hub_on_move_failed(struct edge *edge, struct hub_channel *channel)
{
    moves_append(edge, channel, &edge->retries);
}

void hub_on_enter_failed(struct edge *edge, struct hub_channel *channel)
{
    channel->entered = channel->subscribers.count;
    moves_append(edge, channel, &edge->retries);
}

void hub_on_move_done(struct edge *edge, struct hub_channel *channel)
{
    channel->is_moving = false;
    actors_count(edge->actors, COUNTER_HUB_CHANNELS_MOVED);
    if (channel->has_presence) {
        channel->entered = channel->subscribers.count;
        moves_append(edge, channel, &edge->moves);
    }
}

/* In all protocols that are spoken here, and with a position where the home kept one. What was told
 * since comes behind the answer if the channel has moved with all that it is. */
static bool move_register(struct edge *edge, struct hub_channel *channel)
{
    struct message_subscribe body = {
        .channel = channel->name,
        .since = {channel->sequence, channel->newest.epoch},
        .subscription = POOL_HANDLE_NONE,
        .flags = SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN |
                 (channel->has_stream ? SUBSCRIBE_POSITIONED : 0u) |
                 (channel->options->is_wildcard ? SUBSCRIBE_WILDCARD : 0u),
    };
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        body.flags |= channel->counts[i] > 0 ? FLAGS_PROTOCOL(i) : 0;
    }
    streams_limit_recovery(edge, channel->options, &body);
    channel->home = actors_home_of(edge->actors, span_of(channel->name->bytes, channel->name->len));
    if (edge_is_congested(edge, channel->home)) {
        return false;
    }
    buf_share(body.channel, 1);
    if (!message_send_subscribe(edge->shard->mailbox, channel->home, channel->handle, &body)) {
        buf_release(body.channel);
        return false;
    }
    channel->asked = (uint8_t)flags_protocols(body.flags);
    channel->active = 0;
    channel->asking++;
    return true;
}

/* Who is present, told to the home; once more replaces what it was told before. */
static bool enter(struct edge *edge, const struct subscription *at)
{
    struct hub_channel *channel = at->channel;
    const struct message_subscribe body = {
        .channel = channel->name,
        .identity = hub_identity_of(edge, at->conn->session, at),
        .subscription = POOL_HANDLE_NONE,
        .flags = SUBSCRIBE_PRESENCE | FLAGS_PROTOCOL(connection_protocol(at->conn)),
    };
    buf_share(body.channel, 1);
    if (body.identity == NULL || edge_is_congested(edge, channel->home) ||
        !message_send_subscribe(edge->shard->mailbox, channel->home, channel->handle, &body)) {
        buf_release(body.channel);
        buf_release(body.identity);
        return false;
    }
    channel->asking++;
    return true;
}

void hub_enter_again(struct edge *edge, const struct subscription *subscription)
{
    struct hub_channel *channel = subscription->channel;
    if (!channel->is_moving && !enter(edge, subscription)) {
        hub_on_enter_failed(edge, channel);
    }
}

/* One who is present, told to the new home. From the table's end to its beginning, so that whoever
 * takes the place of one that left has been told already or is told twice. */
static bool move_enter(struct edge *edge, struct hub_channel *channel)
{
    if (channel->entered > channel->subscribers.count) {
        channel->entered = channel->subscribers.count;
    }
    if (channel->entered == 0) {
        return true;
    }
    struct subscription *at = *subscribers_at(&channel->subscribers, channel->entered - 1);
    if (at->state != SUBSCRIPTION_ACTIVE || (hub_emits(edge, at) & SUBSCRIBE_PRESENCE) == 0) {
        channel->entered--;
        return true;
    }
    if (!enter(edge, at)) {
        return false;
    }
    channel->entered--;
    return true;
}

static void moves_on_timer(struct timer *timer, void *actor)
{
    struct edge *edge = CONTAINER_OF(timer, struct edge, moves_timer);
    struct list *link;
    (void)actor;
    if (edge->shard->now_ms >= edge->retries_due_ms) {
        edge->retries_due_ms = edge->shard->now_ms + HUB_MOVE_RETRY_MS;
        while ((link = list_take_first(&edge->retries)) != NULL) {
            list_append(&edge->moves, link);
        }
    }
    for (uint32_t i = 0; i < HUB_MOVES_A_TICK && !list_is_empty(&edge->moves); i++) {
        struct hub_channel *channel = CONTAINER_OF(edge->moves.next, struct hub_channel, move_link);
        const bool is_sent =
            channel->is_moving ? move_register(edge, channel) : move_enter(edge, channel);
        if (!is_sent) {
            moves_append(edge, channel, &edge->retries);
        } else if (channel->is_moving || channel->entered == 0) {
            list_remove(&channel->move_link);
        }
    }
    if (!list_is_empty(&edge->moves)) {
        moves_schedule(edge, HUB_MOVE_TICK_MS);
    } else if (!list_is_empty(&edge->retries)) {
        moves_schedule(edge, HUB_MOVE_RETRY_MS);
    }
}
