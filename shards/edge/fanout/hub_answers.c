/* SPDX-License-Identifier: Apache-2.0 */
/* What homes answer to a shard's registrations, told to the subscriptions that wait for it. */
#include "shards/edge/session/auth.h"
#include "shards/edge/fanout/broadcast.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/maps/map_presence.h"
#include "shards/edge/maps/map_subscriptions.h"
#include "shards/edge/session/server_subs.h"
#include "shards/edge/fanout/streams.h"
#include "shards/edge/fanout/tailored.h"
#include "shards/edge/polls/tracking.h"

const struct message_subscribed hub_plain_answer;

void hub_activate(struct edge *edge, struct subscription *subscription,
                  const struct message_subscribed *answer)
{
    if (subscription->is_server_side) {
        server_subs_on_answer(edge, subscription, answer);
        return;
    }
    struct subscription_grant *grant = hub_grant_of(edge, subscription);
    broadcast_flush_channel(edge, subscription->channel);
    subscription->state = SUBSCRIPTION_ACTIVE;
    struct client_reply reply = {.id = subscription->command_id, .kind = CLIENT_REPLY_SUBSCRIBE};
    struct buf *data = NULL;
    if (grant != NULL) {
        data = grant->data;
        grant->data = NULL;
        reply.subscribe.expires = hub_expires(subscription, grant);
        reply.subscribe.ttl_s = reply.subscribe.expires ? auth_ttl_s(edge, grant->expire_at_s) : 0;
        reply.subscribe.data = data == NULL ? SPAN_EMPTY : span_of(data->bytes, data->len);
    }
    reply.subscribe.delta = subscription->has_delta;
    if (tracking_is_of(subscription->channel->options)) {
        tracking_put_result(edge, subscription, &reply.subscribe);
    }
    session_on_answered(edge, subscription);
    const struct connection *conn = subscription->conn;
    if (subscription->channel->options->map.mode == MAP_NONE) {
        streams_reply_subscribed(edge, subscription, &reply, answer);
    } else {
        map_subscriptions_reply(edge, subscription, &reply, answer);
    }
    buf_release(data);
    if (conn->state == CONNECTION_SESSION) {
        map_presence_enter(edge, subscription);
    }
}

/* Whoever brought the shard's registration may have left meanwhile, so the last one ends it. Where
 * an answer was lost on its way, the home may have entered the client all the same. */
static void subscription_fail(struct edge *edge, struct subscription *subscription, uint32_t error)
{
    struct session *session = subscription->conn->session;
    const uint32_t command_id = subscription->command_id;
    const bool is_server_side = subscription->is_server_side;
    const bool is_in_doubt =
        subscription->state == SUBSCRIPTION_WAITS_FOR_ANSWER &&
        (error == CLIENT_ERROR_INTERNAL || error == CLIENT_ERROR_TOO_MANY_REQUESTS);
    session_on_answered(edge, subscription);
    hub_leave(edge, session, subscription, is_in_doubt ? HUB_TOLD_AND_REFUSED : HUB_UNTOLD);
    if (is_server_side) {
        server_subs_on_failure(edge, session, error);
    } else {
        session_reply_error(edge, session, command_id, error);
    }
}

/* The one whose SUBSCRIBE is answered, if it still waits: one that its client has made anew waits
 * for an answer of its own. */
static struct subscription *find_waiting(const struct edge *edge, uint32_t handle)
{
    struct subscription *at = pool_get(edge->subscriptions, handle);
    return at != NULL && at->state == SUBSCRIPTION_WAITS_FOR_ANSWER &&
                   at->conn->state == CONNECTION_SESSION
               ? at
               : NULL;
}

/* The first SUBSCRIBE of a protocol was answered: so are all that waited for it. Backwards, since
 * an answer may end a session and so take its subscription out of the table. */
static void hub_settle_waiting(struct edge *edge, struct hub_channel *channel, uint32_t protocols,
                               uint32_t error)
{
    const uint32_t handle = channel->handle;
    for (uint32_t i = channel->subscribers.count; i-- > 0;) {
        struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (at->state != SUBSCRIPTION_WAITS_FOR_CHANNEL ||
            (CLIENT_PROTOCOL_BIT(connection_protocol(at->conn)) & protocols) == 0) {
            continue;
        }
        if (error != 0) {
            subscription_fail(edge, at, error);
        } else {
            hub_activate(edge, at, &hub_plain_answer);
        }
        if (pool_get(edge->hub_channels, handle) == NULL) {
            return;
        }
        i = i < channel->subscribers.count ? i : channel->subscribers.count;
    }
}

/* Its home has entered the channel, but the client wanted no place in it without what it missed. */
static void subscription_reject(struct edge *edge, struct subscription *subscription)
{
    struct session *session = subscription->conn->session;
    const uint32_t command_id = subscription->command_id;
    session_on_answered(edge, subscription);
    hub_leave(edge, session, subscription, HUB_UNTOLD);
    actors_count(edge->actors, COUNTER_OF(RECOVERS, 0, 0));
    session_reply_error(edge, session, command_id, CLIENT_ERROR_UNRECOVERABLE_POSITION);
}

/* What the answer says of the channel. Where it is not what has come until now, publications were
 * lost on the way or the channel has begun anew: who followed it cannot go on. */
static void hub_note_position(struct edge *edge, struct hub_channel *channel,
                              const struct message_subscribed *answer, bool was_active)
{
    const bool is_same = answer->newest.epoch == channel->newest.epoch &&
                         answer->newest.offset == channel->newest.offset &&
                         answer->sequence == channel->sequence;
    channel->newest = answer->newest;
    channel->sequence = answer->sequence;
    channel->has_stream = channel->has_stream || (answer->flags & SUBSCRIBE_POSITIONED) != 0;
    if (!is_same) {
        tailored_forget(edge, channel);
    }
    if (was_active && !is_same) {
        broadcast_tell_gap(edge, channel);
    }
}

/* To one subscriber's question. */
static void hub_on_answer(struct edge *edge, struct hub_channel *channel,
                          const struct message_subscribed *answer)
{
    const uint32_t handle = channel->handle;
    const uint32_t protocols = flags_protocols(answer->flags);
    const bool was_active = (channel->active & protocols) != 0;
    const bool was_followed = channel->active != 0;
    if (answer->error == 0) {
        channel->asked |= (uint8_t)protocols;
        channel->active |= (uint8_t)protocols;
        hub_note_position(edge, channel, answer, was_followed);
        channel = pool_get(edge->hub_channels, handle);
    } else if (!was_active) {
        channel->asked &= (uint8_t)~protocols;
    }
    if (answer->error != 0 && answer->subscription == POOL_HANDLE_NONE) {
        hub_on_enter_failed(edge, channel);
    }
    struct subscription *subscription =
        channel == NULL ? NULL : find_waiting(edge, answer->subscription);
    if (subscription != NULL && answer->error != 0) {
        subscription_fail(edge, subscription, answer->error);
    } else if (subscription != NULL && (answer->flags & SUBSCRIBED_REJECTED) != 0) {
        subscription_reject(edge, subscription);
    } else if (subscription != NULL) {
        hub_activate(edge, subscription, answer);
    }
    channel = pool_get(edge->hub_channels, handle);
    if (!was_active && channel != NULL) {
        hub_settle_waiting(edge, channel, protocols, answer->error);
    }
}

/* The home has taken in the channel as a whole: after a move. */
static void hub_on_registered(struct edge *edge, struct hub_channel *channel,
                              const struct message_subscribed *answer)
{
    const uint32_t handle = channel->handle;
    const uint32_t protocols = flags_protocols(answer->flags);
    if (answer->error != 0) {
        hub_settle_waiting(edge, channel, channel->asked, answer->error);
        channel = pool_get(edge->hub_channels, handle);
        if (channel != NULL) {
            hub_on_move_failed(edge, channel);
        }
        return;
    }
    channel->active = (uint8_t)protocols;
    hub_on_move_done(edge, channel);
    hub_note_position(edge, channel, answer, true);
    channel = pool_get(edge->hub_channels, handle);
    if (channel != NULL) {
        hub_settle_waiting(edge, channel, protocols, 0);
    }
}

/* An answer of a home that is the channel's no longer: who asked asks again. */
static void hub_on_late_answer(struct edge *edge, struct hub_channel *channel,
                               const struct message_subscribed *answer)
{
    const uint32_t handle = channel->handle;
    struct subscription *subscription = find_waiting(edge, answer->subscription);
    if (subscription != NULL) {
        subscription_fail(edge, subscription, CLIENT_ERROR_TOO_MANY_REQUESTS);
    }
    channel = pool_get(edge->hub_channels, handle);
    if (channel != NULL) {
        hub_settle_waiting(edge, channel, flags_protocols(answer->flags),
                           CLIENT_ERROR_TOO_MANY_REQUESTS);
    }
}

/* Whoever answers has the registration: where the shard that was asked had a newer map, that is
 * another one, which is told from now on. Not past a question that still goes by the first. */
void hub_on_subscribed(struct edge *edge, const struct message *message)
{
    const struct message_subscribed body = message_as_subscribed(message);
    struct hub_channel *channel = pool_get(edge->hub_channels, message->handle);
    if (channel == NULL) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
    } else {
        channel->asking--;
        if (body.error == 0 && channel->asking == 0) {
            channel->home = message->from;
        }
        if (!channel->is_moving) {
            hub_on_answer(edge, channel, &body);
        } else if (body.subscription == POOL_HANDLE_NONE) {
            hub_on_registered(edge, channel, &body);
        } else {
            hub_on_late_answer(edge, channel, &body);
        }
    }
    stream_page_release(body.page);
}
