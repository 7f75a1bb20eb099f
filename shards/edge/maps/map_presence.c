/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of presence: set, kept alive by one timer of the shard, and removed. */
#include "shards/edge/maps/map_presence.h"

#include <string.h>

#include "shards/edge/session/permissions.h"
#include "shards/edge/fanout/streams.h"

/* A key in the map that is named after a channel. */
struct presence_key {
    const char *prefix;
    struct span channel;
    struct span key;
    struct buf *identity; /* Taken over; NULL: none is told. */
    bool is_removed;
};

static bool has_presence(const struct channel_options *options)
{
    return options->map_clients_presence_channel_prefix[0] != '\0' ||
           options->map_users_presence_channel_prefix[0] != '\0';
}

/* The message that says it. False: memory is out, or there is no such map. */
static bool make_publish(const struct edge *edge, const struct presence_key *key,
                         struct message_publish *out, uint32_t *home)
{
    uint8_t room[4096 + 256]; /* The longest channel's name, and the longest prefix. */
    const struct span prefix = span_of_text(key->prefix);
    struct writer name = writer_of(room, sizeof(room));
    writer_put(&name, prefix);
    writer_put(&name, key->channel);
    const struct span channel = writer_written(&name);
    const struct channel_options *options = permissions_find_channel(edge->options, channel);
    *out = (struct message_publish){.identity = key->identity, .origin = ORIGIN_NOBODY};
    if (!writer_is_overflown(&name) && options != NULL && options->map.mode != MAP_NONE &&
        key->key.len <= MAP_KEY_LEN_MAX) {
        out->request = publish_request_make(&(struct publish_request){
            .channel = channel,
            .key = key->key,
            .key_mode = key->is_removed ? KEY_REPLACE : KEY_KEEP,
            .is_removed = key->is_removed,
        });
    }
    if (out->request == NULL) {
        buf_release(out->identity);
        return false;
    }
    streams_keep(edge, options, false, out);
    *home = actors_home_of(edge->actors, channel);
    return true;
}

static void tell_for_sure(struct edge *edge, const struct presence_key *key)
{
    struct message_publish body;
    uint32_t home;
    if (make_publish(edge, key, &body, &home)) {
        OUTBOX_SEND(edge->actors->outbox, home, publish, 0, &body);
    }
}

/* False: there is no room now. */
static bool tell_if_there_is_room(struct edge *edge, const struct presence_key *key)
{
    struct message_publish body;
    uint32_t home;
    if (!make_publish(edge, key, &body, &home)) {
        return true;
    }
    if (edge_is_congested(edge, home) ||
        !message_send_publish(edge->shard->mailbox, home, 0, &body)) {
        buf_release(body.identity);
        buf_release(body.request);
        return false;
    }
    return true;
}

/* ---- one subscription ---- */

/* The keys of a subscriber: of its client, and of its user if that is known. */
static uint32_t keys_of(const struct edge *edge, const struct subscription *subscription,
                        char client[CLIENT_ID_TEXT_LEN], struct presence_key keys[2])
{
    struct session *session = subscription->conn->session;
    const struct channel_options *options = subscription->channel->options;
    const struct span channel = span_of_buf(subscription->channel->name);
    uint32_t len = 0;
    if (options->map_clients_presence_channel_prefix[0] != '\0') {
        client_id_format(session->client_id, client);
        keys[len++] = (struct presence_key){
            .prefix = options->map_clients_presence_channel_prefix,
            .channel = channel,
            .key = span_of(client, CLIENT_ID_TEXT_LEN),
            .identity = hub_identity_of(edge, session, subscription),
        };
    }
    if (options->map_users_presence_channel_prefix[0] != '\0' &&
        !span_is_empty(session_user(session))) {
        keys[len++] = (struct presence_key){
            .prefix = options->map_users_presence_channel_prefix,
            .channel = channel,
            .key = session_user(session),
        };
    }
    return len;
}

void map_presence_enter(struct edge *edge, const struct subscription *subscription)
{
    char client[CLIENT_ID_TEXT_LEN];
    struct presence_key keys[2];
    if (!has_presence(subscription->channel->options)) {
        return;
    }
    const uint32_t len = keys_of(edge, subscription, client, keys);
    for (uint32_t i = 0; i < len; i++) {
        tell_for_sure(edge, &keys[i]);
    }
}

void map_presence_leave(struct edge *edge, const struct session *session,
                        const struct subscription *subscription)
{
    const struct channel_options *options = subscription->channel->options;
    const char *prefix = options->map_clients_presence_channel_prefix;
    char client[CLIENT_ID_TEXT_LEN];
    if ((prefix[0] == '\0' && !options->map.remove_client_on_unsubscribe) || edge->is_ending) {
        return;
    }
    client_id_format(session->client_id, client);
    struct presence_key key = {.prefix = prefix,
                               .channel = span_of_buf(subscription->channel->name),
                               .key = span_of(client, sizeof(client)),
                               .is_removed = true};
    if (prefix[0] != '\0') {
        tell_for_sure(edge, &key);
    }
    if (options->map.remove_client_on_unsubscribe) {
        key.prefix = "";
        tell_for_sure(edge, &key);
    }
}

/* ---- again and again ---- */

static void on_timer(struct timer *timer, void *actor);

static void schedule(struct edge *edge, uint64_t in_ms)
{
    timer_set(edge->shard->timers, &edge->map_presence.timer, edge->shard->now_ms + in_ms,
              on_timer);
}

/* Goes on with the channel's subscribers. False: there is no room, or enough was told. */
static bool tell_channel(struct edge *edge, struct hub_channel *channel, uint32_t *left)
{
    struct map_presence *presence = &edge->map_presence;
    for (; presence->subscriber < channel->subscribers.count; presence->subscriber++) {
        const struct subscription *at =
            *subscribers_at(&channel->subscribers, presence->subscriber);
        char client[CLIENT_ID_TEXT_LEN];
        struct presence_key keys[2];
        if (at->state != SUBSCRIPTION_ACTIVE) {
            continue;
        }
        const uint32_t len = keys_of(edge, at, client, keys);
        bool is_told = *left >= len;
        for (uint32_t i = 0; i < len; i++) {
            if (is_told) {
                is_told = tell_if_there_is_room(edge, &keys[i]);
            } else {
                buf_release(keys[i].identity);
            }
        }
        if (!is_told) {
            return false;
        }
        *left -= len;
    }
    presence->subscriber = 0;
    return true;
}

/* Some of the channels, from where it stopped. Those who come or go meanwhile may be told twice or
 * with the next round. */
static void on_timer(struct timer *timer, void *actor)
{
    struct edge *edge = CONTAINER_OF(timer, struct edge, map_presence.timer);
    struct map_presence *presence = &edge->map_presence;
    uint32_t left = MAP_PRESENCE_TOLD_A_TICK;
    (void)actor;
    for (uint32_t i = 0; i < MAP_PRESENCE_CHANNELS_A_TICK; i++) {
        struct hub_channel *channel = pool_get(edge->hub_channels, presence->channel);
        if (channel == NULL) {
            presence->subscriber = 0;
            channel = pool_next(edge->hub_channels, &presence->cursor, &presence->channel);
        }
        if (channel == NULL) {
            const uint64_t taken_ms = edge->shard->now_ms - presence->since_ms;
            const uint64_t interval_ms = edge->options->client.presence_update_interval_ms;
            presence->cursor = 0;
            presence->since_ms = edge->shard->now_ms;
            schedule(edge, taken_ms < interval_ms ? interval_ms - taken_ms : 0);
            return;
        }
        if (has_presence(channel->options) && !tell_channel(edge, channel, &left)) {
            break;
        }
        presence->channel = POOL_HANDLE_NONE;
    }
    schedule(edge, MAP_PRESENCE_TICK_MS);
}

void map_presence_start(struct edge *edge)
{
    const struct node_options *options = edge->options;
    bool is_wanted = has_presence(&options->without_namespace);
    for (size_t i = 0; i < options->namespaces_len; i++) {
        is_wanted = is_wanted || has_presence(&options->namespaces[i]);
    }
    edge->map_presence.channel = POOL_HANDLE_NONE;
    if (is_wanted && !timer_is_set(&edge->map_presence.timer)) {
        edge->map_presence.since_ms = edge->shard->now_ms;
        schedule(edge, options->client.presence_update_interval_ms);
    }
}

void map_presence_stop(struct edge *edge)
{
    timer_stop(edge->shard->timers, &edge->map_presence.timer);
}
