/* SPDX-License-Identifier: Apache-2.0 */
/* Channels at home on this node that other nodes want: registered with the home once for all of
 * them. */
#include "shards/router/relay/relay_state.h"

void relay_near_free(struct relay *relay, struct relay_channel *channel)
{
    while (channel->ends_len > 0) {
        relay_near_remove_end(relay, channel, &relay_ends(channel)[channel->ends_len - 1]);
    }
    relay_gauge_add(relay, COUNTER_RELAY_NEAR_CHANNELS, -1);
    relay_channel_free(&relay->near, channel);
}

void relay_near_close(struct relay *relay, struct relay_channel *channel)
{
    const struct message_unsubscribe last = {.channel = channel->name, .flags = UNSUBSCRIBE_LAST};
    buf_share(last.channel, 1);
    OUTBOX_SEND(relay->options.outbox, channel->upstream, unsubscribe, channel->handle, &last);
    relay_near_free(relay, channel);
}

void relay_near_remove_end(struct relay *relay, struct relay_channel *channel,
                           struct relay_end *end)
{
    struct relay_peer *peer = relay_peer_of(relay, end->id);
    if (peer != NULL) {
        relay_sum_change(&peer->kept, relay_name(channel->name), end->handle, -1);
    }
    relay->peers[end->id & (RELAY_PEERS_MAX - 1)]->references--;
    relay_gauge_add(relay, COUNTER_RELAY_INTERESTS, -1);
    relay_end_remove(channel, end);
}

/* The end of the peer's slot, whatever its session. */
static struct relay_end *near_find_end(struct relay_channel *channel, const struct relay_peer *peer)
{
    struct relay_end *ends = relay_ends(channel);
    for (uint32_t i = 0; i < channel->ends_len; i++) {
        if ((ends[i].id & (RELAY_PEERS_MAX - 1)) == peer->slot) {
            return &ends[i];
        }
    }
    return NULL;
}

static struct relay_end *near_end_for(struct relay *relay, struct relay_channel *channel,
                                      struct relay_peer *peer, const struct link_message *subscribe)
{
    struct relay_end *end = near_find_end(channel, peer);
    if (end != NULL && (end->id != peer->origin || end->handle != subscribe->handle)) {
        relay_near_remove_end(relay, channel, end);
        end = NULL;
    }
    if (end == NULL && (subscribe->flags & SUBSCRIBE_FIRST) != 0) {
        end = relay_end_add(channel, peer->origin, subscribe->handle);
        if (end != NULL) {
            relay_sum_change(&peer->kept, subscribe->name, subscribe->handle, 1);
            peer->references++;
            relay_gauge_add(relay, COUNTER_RELAY_INTERESTS, 1);
        }
    }
    return end;
}

static void refuse_link_subscribe(struct relay *relay, const struct relay_peer *peer,
                                  const struct link_message *subscribe)
{
    const struct link_message answer = {.kind = LINK_MESSAGE_SUBSCRIBED,
                                        .cookie = subscribe->cookie,
                                        .flags = subscribe->flags,
                                        .error = CLIENT_ERROR_TOO_MANY_REQUESTS};
    relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
    (void)relay_send(relay, peer, &answer, NULL);
}

/* The channel as it is registered, or opened with the shard that is its home; while this node does
 * not know its homes yet, with the one that would be, which waits with the answer. */
static struct relay_channel *near_for_subscribe(struct relay *relay,
                                                const struct link_message *subscribe)
{
    struct relay_channel *channel =
        map_find(relay->near.by_name, subscribe->name.at, subscribe->name.len);
    const struct relay_home home = relay_home_of(relay, subscribe->name);
    if (channel != NULL || home.peer != NULL || (subscribe->flags & SUBSCRIBE_FIRST) == 0) {
        return channel;
    }
    const uint32_t shard = placement_slot_of(subscribe->name) % relay->options.node->shards;
    struct buf *name = buf_copy(subscribe->name.at, subscribe->name.len);
    if (name != NULL) {
        channel = relay_channel_open(relay, &relay->near, name, shard);
        buf_release(name);
    }
    if (channel != NULL) {
        relay_gauge_add(relay, COUNTER_RELAY_NEAR_CHANNELS, 1);
    }
    return channel;
}

/* `subscribe` is as the home is to get it, but for what this node fills in. */
static bool near_ask(struct relay *relay, const struct relay_channel *channel,
                     const struct relay_peer *peer, const struct link_message *subscribe,
                     struct span payload)
{
    struct message message;
    struct link_message request = *subscribe;
    struct relay_ask *ask = relay_ask_add(relay, LINK_MESSAGE_SUBSCRIBE);
    if (ask == NULL) {
        return false;
    }
    ask->asker = peer->origin;
    ask->asker_handle = subscribe->handle;
    ask->cookie = subscribe->cookie;
    ask->channel = channel->handle;
    ask->flags = subscribe->flags;
    request.handle = channel->handle;
    request.cookie = ask->handle;
    request.shard = peer->origin;
    if (!relay_to_request(&request, payload, ask->handle, &message)) {
        relay_ask_remove(relay, ask);
        return false;
    }
    if (!relay_send_local(relay, channel->upstream, &message)) {
        message_release(&message);
        relay_ask_remove(relay, ask);
        return false;
    }
    return true;
}

void relay_near_settle(struct relay *relay, struct relay_channel *channel, struct relay_end *end)
{
    if (end != NULL && !end->is_active && end->asks == 0) {
        struct relay_peer *peer = relay_peer_of(relay, end->id);
        if (peer != NULL) {
            peer->given_up++;
        }
        relay_near_remove_end(relay, channel, end);
    }
    if (channel->ends_len == 0) {
        relay_near_close(relay, channel);
    }
}

void relay_near_on_subscribe(struct relay *relay, struct relay_peer *peer,
                             const struct link_message *subscribe, struct span payload)
{
    struct relay_channel *channel = near_for_subscribe(relay, subscribe);
    struct relay_end *end = NULL;
    struct link_message passed_on = *subscribe;
    /* A router registers in no protocol. */
    passed_on.flags &= ~(SUBSCRIBE_FIRST | FLAGS_PROTOCOLS);
    passed_on.flags |= channel != NULL && channel->ends_len == 0 ? SUBSCRIBE_FIRST : 0;
    if (channel != NULL) {
        end = near_end_for(relay, channel, peer, subscribe);
    }
    if (end != NULL && near_ask(relay, channel, peer, &passed_on, payload)) {
        end->asks++;
        return;
    }
    refuse_link_subscribe(relay, peer, subscribe);
    if (channel != NULL) {
        relay_near_settle(relay, channel, end);
    }
}

void relay_near_on_unsubscribe(struct relay *relay, struct relay_peer *peer,
                               const struct link_message *unsubscribe, struct span payload)
{
    struct relay_channel *channel =
        map_find(relay->near.by_name, unsubscribe->name.at, unsubscribe->name.len);
    struct link_message passed_on = *unsubscribe;
    passed_on.flags &= UNSUBSCRIBE_CLIENT | FLAGS_DETOUR;
    passed_on.shard = peer->origin;
    struct relay_end *end = channel == NULL ? NULL : near_find_end(channel, peer);
    if (end != NULL && end->id == peer->origin && unsubscribe->handle == end->handle &&
        (unsubscribe->flags & UNSUBSCRIBE_LAST) != 0) {
        relay_near_remove_end(relay, channel, end);
    }
    /* A channel is at home where it is registered, until that is told to have ended. */
    const struct relay_home home = relay_home_of(relay, unsubscribe->name);
    const bool is_here = channel != NULL || (home.is_known && home.peer == NULL);
    struct message message;
    if ((passed_on.flags & ~(uint32_t)FLAGS_DETOUR) != 0 && is_here &&
        relay_to_request(&passed_on, payload, channel == NULL ? 0 : channel->handle, &message)) {
        outbox_send(relay->options.outbox, channel == NULL ? home.shard : channel->upstream,
                    &message);
    }
    if (channel != NULL) {
        relay_near_settle(relay, channel, NULL);
    }
}

/* The node has missed a publication. It would see the gap with the next one, which may never come:
 * so it registers again, and compares. */
static void near_lose(struct relay *relay, struct relay_channel *channel, struct relay_end *end,
                      struct relay_peer *peer)
{
    const struct link_message moved = {.kind = LINK_MESSAGE_MOVED, .handle = end->handle};
    relay_count(relay, COUNTER_RELAY_LOST);
    peer->given_up++;
    (void)relay_send(relay, peer, &moved, NULL);
    relay_near_remove_end(relay, channel, end);
}

void relay_near_on_publication(struct relay *relay, const struct message *message)
{
    const struct message_publication body = message_as_publication(message);
    struct relay_channel *channel = pool_get(relay->near.pool, message->handle);
    struct link_message publication = {
        .kind = LINK_MESSAGE_PUBLICATION,
        .what = body.kind,
        .flags = body.flags,
        .sequence = body.sequence,
        .offset = body.offset,
        .epoch = body.epoch,
        .age_us =
            relay->shard->now_ns > body.sent_ns ? (relay->shard->now_ns - body.sent_ns) / 1000 : 0,
    };
    for (uint32_t i = 0; channel != NULL && i < channel->ends_len;) {
        struct relay_end *end = &relay_ends(channel)[i];
        struct relay_peer *peer = relay_peer_of(relay, end->id);
        publication.handle = end->handle;
        if (relay_end_takes(end, body.sequence) && peer != NULL &&
            !relay_send(relay, peer, &publication, body.frames)) {
            near_lose(relay, channel, end, peer); /* Another one takes its place. */
        } else {
            i++;
        }
    }
    if (channel == NULL) {
        relay_count(relay, COUNTER_STALE_MESSAGES);
    } else if (channel->ends_len == 0) {
        relay_near_close(relay, channel);
    }
    message_release(message);
}

void relay_near_on_moved(struct relay *relay, const struct message *message)
{
    struct relay_channel *channel = pool_get(relay->near.pool, message->handle);
    if (channel == NULL) {
        relay_count(relay, COUNTER_STALE_MESSAGES);
        return;
    }
    for (uint32_t i = 0; i < channel->ends_len; i++) {
        const struct relay_end *end = &relay_ends(channel)[i];
        struct relay_peer *peer = relay_peer_of(relay, end->id);
        if (peer != NULL) {
            const struct link_message moved = {.kind = LINK_MESSAGE_MOVED, .handle = end->handle};
            peer->given_up++;
            (void)relay_send(relay, peer, &moved, NULL);
        }
    }
    relay_near_free(relay, channel);
}
