/* SPDX-License-Identifier: Apache-2.0 */
/* Who tracks what: channels, followers and keys come and go. */
#include <stdlib.h>

#include "shards/edge/polls/key_poller.h"
#include "shards/edge/polls/tracking_state.h"

static struct map_key key_of_channel(const void *object)
{
    const struct tracked_channel *channel = object;
    return (struct map_key){channel->name->bytes, channel->name->len};
}

static struct map_key key_of_key(const void *object)
{
    const struct tracked_key *key = object;
    return (struct map_key){key->name->bytes, key->name->len};
}

static struct map_key key_of_follower(const void *object)
{
    const struct follower *follower = object;
    return (struct map_key){&follower->subscription, sizeof(follower->subscription)};
}

static struct map_key key_of_tracked(const void *object)
{
    const struct tracked *tracked = object;
    return (struct map_key){&tracked->pair, sizeof(tracked->pair)};
}

struct tracking *tracking_create(struct edge *edge)
{
    struct random *random = &edge->shard->random;
    struct tracking *tracking = calloc(1, sizeof(*tracking));
    if (tracking == NULL) {
        return NULL;
    }
    tracking->channels = map_create(key_of_channel, random);
    tracking->followers = map_create(key_of_follower, random);
    tracking->tracked = map_create(key_of_tracked, random);
    if (tracking->channels == NULL || tracking->followers == NULL || tracking->tracked == NULL) {
        tracking_destroy(tracking);
        return NULL;
    }
    return tracking;
}

/* ---- channels ---- */

static void channel_free(struct tracked_channel *channel)
{
    timer_stop(channel->edge->shard->timers, &channel->timer);
    map_destroy(channel->keys);
    buf_release(channel->name);
    buf_release(channel->epoch);
    free(channel);
}

void tracking_destroy(struct tracking *tracking)
{
    if (tracking == NULL) {
        return;
    }
    size_t cursor = 0;
    struct tracked_channel *channel;
    while (tracking->channels != NULL &&
           (channel = map_next(tracking->channels, &cursor)) != NULL) {
        map_remove(tracking->channels, channel);
        channel_free(channel);
    }
    map_destroy(tracking->channels);
    map_destroy(tracking->followers);
    map_destroy(tracking->tracked);
    free(tracking);
}

static void channel_on_timer(struct timer *timer, void *context)
{
    struct tracked_channel *channel = CONTAINER_OF(timer, struct tracked_channel, timer);
    (void)context;
    map_remove(channel->edge->tracking->channels, channel);
    channel_free(channel);
}

/* One that nobody follows is forgotten after a while. Those who had to begin anew because of its
 * epoch must be back by then, to be told of it. */
static void channel_end_later(struct tracked_channel *channel)
{
    struct shard *shard = channel->edge->shard;
    uint64_t in_ms = channel->options->channel_shutdown_delay_ms;
    if (channel->epoch != NULL && in_ms < POLL_EPOCH_KEPT_MS) {
        in_ms = POLL_EPOCH_KEPT_MS;
    }
    if (list_is_empty(&channel->followers)) {
        timer_set(shard->timers, &channel->timer, shard->now_ms + in_ms, channel_on_timer);
    }
}

static struct tracked_channel *channel_create(struct edge *edge, const struct hub_channel *hub)
{
    struct tracked_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return NULL;
    }
    channel->edge = edge;
    channel->name = hub->name;
    channel->options = &hub->options->shared_poll;
    channel->keys = map_create(key_of_key, &edge->shard->random);
    list_init(&channel->followers);
    buf_share(channel->name, 1);
    if (channel->keys == NULL || !map_insert(edge->tracking->channels, channel)) {
        channel_free(channel);
        return NULL;
    }
    return channel;
}

/* ---- followers ---- */

struct follower *tracking_follower_of(const struct edge *edge,
                                      const struct subscription *subscription)
{
    const uint32_t handle = pool_handle_of(edge->subscriptions, subscription);
    return map_find(edge->tracking->followers, &handle, sizeof(handle));
}

bool tracking_add(struct edge *edge, const struct subscription *subscription, bool has_delta)
{
    struct tracking *tracking = edge->tracking;
    const struct hub_channel *hub = subscription->channel;
    struct tracked_channel *channel =
        map_find(tracking->channels, hub->name->bytes, hub->name->len);
    struct follower *follower = calloc(1, sizeof(*follower));
    if (channel == NULL && follower != NULL) {
        channel = channel_create(edge, hub);
    }
    if (channel == NULL || follower == NULL) {
        free(follower);
        return false;
    }
    /* Until somebody follows it. */
    channel_end_later(channel);
    follower->subscription = pool_handle_of(edge->subscriptions, subscription);
    follower->channel = channel;
    follower->conn = subscription->conn;
    follower->has_delta = has_delta;
    list_init(&follower->tracked);
    if (!map_insert(tracking->followers, follower)) {
        free(follower);
        return false;
    }
    timer_stop(edge->shard->timers, &channel->timer);
    list_append(&channel->followers, &follower->link);
    return true;
}

void tracking_remove(struct edge *edge, const struct subscription *subscription)
{
    struct follower *follower = tracking_follower_of(edge, subscription);
    if (follower == NULL) {
        return;
    }
    struct tracked_channel *channel = follower->channel;
    struct survey_channels gone = {0};
    while (!list_is_empty(&follower->tracked)) {
        tracking_drop(edge, CONTAINER_OF(follower->tracked.next, struct tracked, of_follower),
                      &gone);
    }
    tracking_tell_gone(edge, channel, &gone);
    timer_stop(edge->shard->timers, &follower->timer);
    map_remove(edge->tracking->followers, follower);
    list_remove(&follower->link);
    buf_release(follower->epoch);
    free(follower);
    channel_end_later(channel);
}

void tracking_put_result(const struct edge *edge, const struct subscription *subscription,
                         struct client_subscribe_result *result)
{
    struct follower *follower = tracking_follower_of(edge, subscription);
    if (follower == NULL) {
        return;
    }
    result->type = CLIENT_SUBSCRIPTION_SHARED_POLL;
    result->delta = follower->has_delta;
    follower->is_told = true;
    if (follower->channel->options->mode != SHARED_POLL_VERSIONED) {
        result->epoch = span_of(edge->poll_epoch, sizeof(edge->poll_epoch));
        return;
    }
    if (follower->channel->epoch != NULL) {
        buf_share(follower->channel->epoch, 1);
    }
    buf_release(follower->epoch);
    follower->epoch = follower->channel->epoch;
    result->epoch = span_of_buf(follower->epoch);
}

/* ---- keys ---- */

struct tracked *tracking_find(const struct edge *edge, const struct follower *follower,
                              struct span key)
{
    struct tracked_pair pair = {.follower = follower,
                                .key = map_find(follower->channel->keys, key.at, key.len)};
    return pair.key == NULL ? NULL : map_find(edge->tracking->tracked, &pair, sizeof(pair));
}

static struct tracked_key *key_create(struct tracked_channel *channel, struct span name)
{
    struct tracked_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return NULL;
    }
    key->channel = channel;
    key->name = buf_copy(name.at, name.len);
    list_init(&key->tracked);
    if (key->name == NULL || !map_insert(channel->keys, key)) {
        buf_release(key->name);
        free(key);
        return NULL;
    }
    return key;
}

struct tracked *tracking_make(struct edge *edge, struct follower *follower, struct span name)
{
    struct survey_channels gone = {0}; /* A key that goes at once is nobody's concern. */
    struct tracked_key *key = map_find(follower->channel->keys, name.at, name.len);
    struct tracked *tracked = calloc(1, sizeof(*tracked));
    if (key == NULL && tracked != NULL) {
        key = key_create(follower->channel, name);
    }
    if (key == NULL || tracked == NULL) {
        free(tracked);
        return NULL;
    }
    tracked->pair = (struct tracked_pair){.follower = follower, .key = key};
    tracked->follower = follower;
    tracked->key = key;
    key->holders++;
    if (!map_insert(edge->tracking->tracked, tracked)) {
        free(tracked);
        tracking_release_key(edge, key, &gone);
        buf_release(gone.buf);
        return NULL;
    }
    list_append(&key->tracked, &tracked->of_key);
    list_append(&follower->tracked, &tracked->of_follower);
    follower->count++;
    actors_gauge_add(edge->actors, COUNTER_SHARED_POLL_TRACKED, 1);
    return tracked;
}

void tracking_release_key(struct edge *edge, struct tracked_key *key, struct survey_channels *gone)
{
    if (--key->holders > 0) {
        return;
    }
    if (!survey_channels_add(gone, span_of_buf(key->name), 0)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
    }
    map_remove(key->channel->keys, key);
    buf_release(key->item);
    buf_release(key->name);
    free(key);
}

void tracking_drop(struct edge *edge, struct tracked *tracked, struct survey_channels *gone)
{
    map_remove(edge->tracking->tracked, tracked);
    list_remove(&tracked->of_key);
    list_remove(&tracked->of_follower);
    tracked->follower->count--;
    tracking_release_key(edge, tracked->key, gone);
    free(tracked);
    actors_gauge_add(edge->actors, COUNTER_SHARED_POLL_TRACKED, -1);
}

void tracking_tell_gone(struct edge *edge, struct tracked_channel *channel,
                        struct survey_channels *gone)
{
    if (gone->buf == NULL) {
        return;
    }
    if (edge->is_ending) {
        buf_release(gone->buf);
    } else {
        const struct message_poll_untrack body = {.channel = channel->name, .keys = gone->buf};
        buf_share(channel->name, 1);
        OUTBOX_SEND(edge->actors->outbox, key_poller_shard_of(edge, span_of_buf(channel->name)),
                    poll_untrack, 0, &body);
    }
    gone->buf = NULL;
}

/* ---- signatures that expire ---- */

static int64_t drop_at_ms(const struct tracked *tracked)
{
    const uint64_t extra_ms = tracked->follower->channel->options->track_expired_extra_delay_ms;
    return tracked->expire_at_s * 1000 + (int64_t)extra_ms;
}

/* The client knows when they expire, so it is not told. */
static void follower_on_timer(struct timer *timer, void *context)
{
    struct follower *follower = CONTAINER_OF(timer, struct follower, timer);
    struct edge *edge = follower->channel->edge;
    struct survey_channels gone = {0};
    struct list *next;
    (void)context;
    for (struct list *at = follower->tracked.next; at != &follower->tracked; at = next) {
        struct tracked *tracked = CONTAINER_OF(at, struct tracked, of_follower);
        next = at->next;
        if (drop_at_ms(tracked) <= edge->shard->wall_ms) {
            actors_count(edge->actors, COUNTER_SHARED_POLL_EXPIRED);
            tracking_drop(edge, tracked, &gone);
        }
    }
    tracking_tell_gone(edge, follower->channel, &gone);
    tracking_schedule(edge, follower);
}

void tracking_schedule(struct edge *edge, struct follower *follower)
{
    const int64_t now_ms = edge->shard->wall_ms;
    int64_t first_ms = INT64_MAX;
    for (struct list *at = follower->tracked.next; at != &follower->tracked; at = at->next) {
        const int64_t each_ms = drop_at_ms(CONTAINER_OF(at, struct tracked, of_follower));
        first_ms = each_ms < first_ms ? each_ms : first_ms;
    }
    if (first_ms == INT64_MAX) {
        timer_stop(edge->shard->timers, &follower->timer);
        return;
    }
    const int64_t left_ms = first_ms > now_ms ? first_ms - now_ms : 0;
    timer_set(edge->shard->timers, &follower->timer, edge->shard->now_ms + (uint64_t)left_ms,
              follower_on_timer);
}
