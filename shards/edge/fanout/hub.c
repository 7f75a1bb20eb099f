/* SPDX-License-Identifier: Apache-2.0 */
/* The local fan-out: subscriptions of this shard's sessions, and publications on their last step.
 */
#include "shards/edge/fanout/hub.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/fanout/batch.h"
#include "shards/edge/fanout/filters.h"
#include "shards/edge/session/grants.h"
#include "shards/edge/maps/map_presence.h"
#include "shards/edge/maps/map_catch_ups.h"
#include "shards/edge/session/permissions.h"
#include "shards/edge/fanout/tailored.h"
#include "shards/edge/polls/tracking.h"

static struct span hub_name(const struct hub_channel *channel)
{
    return span_of(channel->name->bytes, channel->name->len);
}

struct hub_channel *hub_find(const struct edge *edge, struct span channel)
{
    return map_find(edge->hub, channel.at, channel.len);
}

struct subscription *hub_first_of(const struct edge *edge, const struct session *session)
{
    return pool_get(edge->subscriptions, session->subscriptions);
}

struct subscription *hub_next_of(const struct edge *edge, const struct subscription *subscription)
{
    return pool_get(edge->subscriptions, subscription->next);
}

struct subscription *hub_find_subscription(const struct edge *edge, const struct session *session,
                                           struct span channel)
{
    struct subscription *at = hub_first_of(edge, session);
    while (at != NULL && !span_equal(hub_name(at->channel), channel)) {
        at = hub_next_of(edge, at);
    }
    return at;
}

/* ---- channels of this shard ---- */

static struct hub_channel *hub_create(struct edge *edge, const struct hub_subscribe *request)
{
    uint32_t handle;
    struct hub_channel *channel = pool_take(edge->hub_channels, &handle);
    if (channel == NULL) {
        return NULL;
    }
    channel->handle = handle;
    channel->options = request->options;
    channel->home = actors_home_of(edge->actors, request->channel);
    channel->name = buf_copy(request->channel.at, request->channel.len);
    if (channel->name == NULL || !map_insert(edge->hub, channel)) {
        buf_release(channel->name);
        pool_put(edge->hub_channels, handle);
        return NULL;
    }
    return channel;
}

static void hub_destroy_channel(struct edge *edge, struct hub_channel *channel)
{
    list_remove(&channel->move_link);
    map_remove(edge->hub, channel);
    batch_drop(edge, channel);
    buf_release(channel->name);
    subscribers_clear(&channel->subscribers);
    pool_put(edge->hub_channels, channel->handle);
}

/* ---- subscriptions ---- */

uint32_t hub_emits_of(const struct channel_options *options)
{
    return (options->presence ? (uint32_t)SUBSCRIBE_PRESENCE : 0) |
           (options->join_leave ? (uint32_t)SUBSCRIBE_JOIN : 0);
}

uint32_t hub_emits(const struct edge *edge, const struct subscription *subscription)
{
    const struct subscription_grant *grant = hub_grant_of(edge, subscription);
    return grant != NULL && grant->overrides_emits ? grant->emits
                                                   : hub_emits_of(subscription->channel->options);
}

/* Frees the subscription; the channel goes with its last one. */
static void hub_forget(struct edge *edge, struct session *session,
                       struct subscription *subscription)
{
    struct hub_channel *channel = subscription->channel;
    if (tracking_is_of(channel->options)) {
        tracking_remove(edge, subscription);
    }
    tailored_remove(edge, subscription);
    channel->counts[connection_protocol(subscription->conn)]--;
    struct subscription *moved = subscribers_remove(&channel->subscribers, subscription->index);
    moved->index = subscription->index;
    const uint32_t handle = pool_handle_of(edge->subscriptions, subscription);
    uint32_t *at = &session->subscriptions;
    while (*at != handle) {
        struct subscription *before = pool_get(edge->subscriptions, *at);
        at = &before->next;
    }
    *at = subscription->next;
    session->subscription_count--;
    actors_gauge_add(edge->actors, COUNTER_NUM_SUBSCRIPTIONS, -1);
    actors_count_action(edge->actors, ACTION_REMOVE_SUBSCRIPTION);
    const uint32_t name = client_label_name(apps_label(edge->apps, session->app));
    actors_gauge_add(edge->actors, COUNTER_OF(SUBSCRIPTIONS, name, 0), -1);
    grant_free(edge, subscription->grant);
    pool_put(edge->subscriptions, handle);
    if (channel->subscribers.count == 0) {
        hub_destroy_channel(edge, channel);
    }
}

static struct subscription *hub_make(struct edge *edge, struct session *session,
                                     struct hub_channel *channel,
                                     const struct hub_subscribe *request)
{
    uint32_t handle;
    struct subscription *subscription = pool_take(edge->subscriptions, &handle);
    if (subscription == NULL) {
        filters_release(edge, request->filter);
        return NULL;
    }
    subscription->conn = session->conn;
    subscription->channel = channel;
    subscription->command_id = request->command_id;
    subscription->push_join_leave = request->push_join_leave;
    subscription->has_delta = request->has_delta && !request->is_tracking;
    subscription->is_server_side = request->is_server_side;
    subscription->is_filtered = request->filter != NULL;
    subscription->index = channel->subscribers.count & ((1u << 20) - 1);
    subscription->source = (unsigned)request->source & 0xfu;
    bool is_made = grant_make(edge, subscription, session, request);
    const bool is_tailored = is_made && tailored_add(edge, subscription);
    is_made = is_tailored &&
              (!request->is_tracking || tracking_add(edge, subscription, request->has_delta)) &&
              subscribers_add(&channel->subscribers, subscription);
    if (!is_made) {
        if (request->is_tracking) {
            tracking_remove(edge, subscription);
        }
        if (is_tailored) {
            tailored_remove(edge, subscription);
        }
        grant_free(edge, subscription->grant);
        pool_put(edge->subscriptions, handle);
        return NULL;
    }
    channel->counts[connection_protocol(session->conn)]++;
    channel->has_presence |= (request->emits & SUBSCRIBE_PRESENCE) != 0;
    subscription->next = session->subscriptions;
    session->subscriptions = handle;
    session->subscription_count++;
    actors_gauge_add(edge->actors, COUNTER_NUM_SUBSCRIPTIONS, 1);
    actors_count_action(edge->actors, ACTION_ADD_SUBSCRIPTION);
    const uint32_t name = client_label_name(apps_label(edge->apps, session->app));
    actors_count(edge->actors, COUNTER_OF(SUBSCRIBED, name, 0));
    actors_gauge_add(edge->actors, COUNTER_OF(SUBSCRIPTIONS, name, 0), 1);
    if (request->expire_at_s != 0) {
        session->has_expiring_subscriptions = true;
        connection_schedule(edge, session->conn);
    }
    return subscription;
}

/* Asks the home: for the first subscriber here of each protocol, for each one that others are to
 * see, and for one that wants to know what it missed. */
static bool hub_ask_home(struct edge *edge, struct subscription *subscription,
                         const struct hub_subscribe *request, bool is_first)
{
    struct hub_channel *channel = subscription->channel;
    const struct channel_options *options = channel->options;
    struct message_subscribe body = {
        .channel = channel->name,
        .since = request->since,
        .subscription = pool_handle_of(edge->subscriptions, subscription),
        .flags = request->stream_flags | (is_first ? SUBSCRIBE_FIRST : 0u) | request->emits |
                 FLAGS_PROTOCOL(connection_protocol(subscription->conn)),
    };
    streams_limit_recovery(edge, options, &body);
    if ((body.flags & SUBSCRIBE_CACHE) != 0 && !subscription->is_filtered) {
        body.limit = 1;
    }
    if (request->emits != 0) {
        body.identity = hub_identity_of(edge, subscription->conn->session, subscription);
        if (body.identity == NULL) {
            return false;
        }
    }
    buf_share(body.channel, 1);
    if (!message_send_subscribe(edge->shard->mailbox, channel->home, channel->handle, &body)) {
        buf_release(body.channel);
        buf_release(body.identity);
        return false;
    }
    channel->asked |= (uint8_t)flags_protocols(body.flags);
    channel->asking++;
    if (is_first) {
        actors_count_action(edge->actors, ACTION_BROKER_SUBSCRIBE);
    }
    return true;
}

/* Can the home's answer be told from here? Those who miss nothing are many when all come back at
 * once. */
static bool hub_knows_answer(const struct hub_channel *channel, const struct hub_subscribe *request,
                             struct message_subscribed *answer)
{
    const uint32_t flags = request->stream_flags;
    const struct stream_position since = request->since;
    const bool recovers = (flags & SUBSCRIBE_RECOVERABLE) != 0 && (flags & SUBSCRIBE_RECOVER) != 0;
    *answer = (struct message_subscribed){.newest = channel->newest,
                                          .since_offset = since.offset,
                                          .flags = flags};
    if ((flags & SUBSCRIBE_POSITIONED) != 0 && !channel->has_stream) {
        return false;
    }
    if (!recovers) {
        return true;
    }
    answer->flags |= SUBSCRIBED_RECOVERED;
    return since.offset == channel->newest.offset &&
           (since.epoch == channel->newest.epoch ||
            (since.epoch == 0 && (flags & SUBSCRIBE_CACHE) == 0)) &&
           (since.offset > 0 || (flags & SUBSCRIBE_CACHE) == 0);
}

uint32_t hub_subscribe(struct edge *edge, struct session *session,
                       const struct hub_subscribe *request)
{
    struct hub_channel *channel = hub_find(edge, request->channel);
    const bool is_first = channel == NULL;
    if ((!is_first && channel->is_moving) ||
        edge_is_congested(edge, is_first ? actors_home_of(edge->actors, request->channel)
                                         : channel->home)) {
        filters_release(edge, request->filter);
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    if (is_first) {
        channel = hub_create(edge, request);
    }
    struct subscription *subscription = NULL;
    if (channel != NULL) {
        subscription = hub_make(edge, session, channel, request);
    } else {
        filters_release(edge, request->filter);
    }
    if (subscription == NULL) {
        if (channel != NULL && channel->subscribers.count == 0) {
            hub_destroy_channel(edge, channel);
        }
        return CLIENT_ERROR_INTERNAL;
    }
    const uint32_t protocol = CLIENT_PROTOCOL_BIT(connection_protocol(session->conn));
    struct message_subscribed answer;
    const bool is_known =
        (channel->active & protocol) != 0 && hub_knows_answer(channel, request, &answer);
    if ((channel->asked & protocol) == 0 || request->emits != 0 ||
        (request->stream_flags != 0 && !is_known)) {
        subscription->state = SUBSCRIPTION_WAITS_FOR_ANSWER;
        if (!hub_ask_home(edge, subscription, request, is_first)) {
            hub_forget(edge, session, subscription);
            return CLIENT_ERROR_TOO_MANY_REQUESTS;
        }
    } else if (is_known) {
        hub_activate(edge, subscription, &answer);
    } else {
        subscription->state = SUBSCRIPTION_WAITS_FOR_CHANNEL;
    }
    return 0;
}

/* ---- unsubscribe ---- */

/* A flag for the protocol of a subscriber that goes, if the home need not encode in it for this
 * shard any more. Not while it is asked something: its answer must not be taken for one to a later
 * question. */
static uint32_t hub_drop_protocol(struct hub_channel *channel,
                                  const struct subscription *subscription)
{
    const enum client_protocol protocol = connection_protocol(subscription->conn);
    if (channel->counts[protocol] > 1 || channel->asking > 0) {
        return 0;
    }
    channel->asked &= (uint8_t)~CLIENT_PROTOCOL_BIT(protocol);
    channel->active &= (uint8_t)~CLIENT_PROTOCOL_BIT(protocol);
    return FLAGS_PROTOCOL(protocol);
}

void hub_leave(struct edge *edge, struct session *session, struct subscription *subscription,
               enum hub_told told)
{
    struct hub_channel *channel = subscription->channel;
    const uint32_t emits = hub_emits(edge, subscription);
    struct message_unsubscribe body = {.flags = hub_drop_protocol(channel, subscription)};
    if (channel->subscribers.count == 1) {
        body.flags |= UNSUBSCRIBE_LAST;
        actors_count_action(edge->actors, ACTION_BROKER_UNSUBSCRIBE);
    }
    if (told != HUB_UNTOLD && (emits & SUBSCRIBE_PRESENCE) != 0) {
        body.flags |= UNSUBSCRIBE_PRESENCE;
    }
    if (told != HUB_UNTOLD && (emits & SUBSCRIBE_JOIN) != 0) {
        body.flags |= UNSUBSCRIBE_LEAVE;
    }
    if (told == HUB_TOLD_AND_REFUSED && body.flags != 0) {
        body.flags |= UNSUBSCRIBE_REFUSED;
    }
    if (body.flags != 0 && !edge->is_ending) {
        body.channel = channel->name;
        buf_share(body.channel, 1);
        if ((body.flags & (UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE)) != 0) {
            body.identity = hub_identity_of(edge, session, subscription);
        }
        OUTBOX_SEND(edge->actors->outbox, channel->home, unsubscribe, channel->handle, &body);
    }
    if (subscription->state == SUBSCRIPTION_ACTIVE) {
        map_presence_leave(edge, session, subscription);
    } else if (channel->options->map.mode != MAP_NONE) {
        map_catch_up_forget_of(edge, session, hub_name(channel));
    }
    hub_forget(edge, session, subscription);
}

void hub_unsubscribe(struct edge *edge, struct session *session, struct subscription *subscription)
{
    hub_leave(edge, session, subscription,
              subscription->state == SUBSCRIPTION_WAITS_FOR_CHANNEL ? HUB_UNTOLD : HUB_TOLD);
}

void hub_unsubscribe_push(struct edge *edge, struct subscription *subscription, uint32_t code)
{
    struct connection *conn = subscription->conn;
    struct session *session = conn->session;
    if (subscription->is_server_side && code != CLIENT_UNSUBSCRIBE_BY_SERVER) {
        /* The client cannot make it anew, but the connect that follows does. */
        session_disconnect(edge, session,
                           code == CLIENT_UNSUBSCRIBE_EXPIRED
                               ? CLIENT_DISCONNECT_SUBSCRIPTION_EXPIRED
                               : CLIENT_DISCONNECT_INSUFFICIENT_STATE,
                           SPAN_EMPTY);
        return;
    }
    if (subscription->state != SUBSCRIPTION_ACTIVE) {
        /* The client learns that it was subscribed before it learns that it no longer is. */
        hub_activate(edge, subscription, &hub_plain_answer);
        if (conn->state != CONNECTION_SESSION) {
            return;
        }
    }
    struct buf *name = subscription->channel->name;
    buf_share(name, 1);
    hub_unsubscribe(edge, session, subscription);
    actors_count(edge->actors, counter_of_unsubscribe(code));
    struct client_reply reply = {.kind = CLIENT_REPLY_PUSH};
    reply.push = (struct client_push){
        .kind = CLIENT_PUSH_UNSUBSCRIBE,
        .channel = span_of(name->bytes, name->len),
        .unsubscribe = {.code = code, .reason = client_unsubscribe_reason(code)},
    };
    session_reply(edge, session, &reply);
    buf_release(name);
}

/* ---- survey ---- */

struct buf *hub_survey(const struct edge *edge, const struct buf *pattern, uint32_t *error)
{
    struct survey_channels list = {0};
    size_t cursor = 0;
    const struct hub_channel *channel;
    *error = 0;
    while ((channel = map_next(edge->hub, &cursor)) != NULL) {
        if (pattern != NULL &&
            !permissions_glob_matches(span_of(pattern->bytes, pattern->len), hub_name(channel))) {
            continue;
        }
        if (!survey_channels_add(&list, hub_name(channel), channel->subscribers.count)) {
            buf_release(list.buf);
            *error = CLIENT_ERROR_INTERNAL;
            return NULL;
        }
    }
    return list.buf;
}
