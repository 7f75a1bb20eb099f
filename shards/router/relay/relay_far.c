/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose home is another node: registered there once for all shards of this one. */
#include "shards/channel/push_frame.h"
#include "shards/router/relay/relay_state.h"

static void refuse_subscribe(struct relay *relay, const struct message *message)
{
    const struct message_subscribe body = message_as_subscribe(message);
    const struct message_subscribed answer = {.subscription = body.subscription,
                                              .flags = body.flags,
                                              .since_offset = body.since.offset,
                                              .error = CLIENT_ERROR_TOO_MANY_REQUESTS};
    relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
    OUTBOX_SEND(relay->options.outbox, message->from, subscribed, message->handle, &answer);
}

static void far_free(struct relay *relay, struct relay_channel *channel)
{
    struct relay_peer *peer = relay_peer_of(relay, channel->upstream);
    if (peer != NULL) {
        relay_sum_change(&peer->asked, relay_name(channel->name), channel->handle, -1);
    }
    relay->peers[channel->upstream & (RELAY_PEERS_MAX - 1)]->references--;
    relay_gauge_add(relay, COUNTER_RELAY_FAR_CHANNELS, -1);
    relay_channel_free(&relay->far, channel);
}

void relay_far_end(struct relay *relay, struct relay_channel *channel, uint32_t but_shard)
{
    const struct message_moved moved = {0};
    for (uint32_t i = 0; i < channel->ends_len; i++) {
        const struct relay_end *end = &relay_ends(channel)[i];
        if (end->id != but_shard) {
            OUTBOX_SEND(relay->options.outbox, end->id, moved, end->handle, &moved);
        }
    }
    relay_count(relay, COUNTER_RELAY_CHANNELS_MOVED);
    far_free(relay, channel);
}

void relay_far_close(struct relay *relay, struct relay_channel *channel)
{
    const struct relay_peer *peer = relay_peer_of(relay, channel->upstream);
    if (peer != NULL) {
        const struct link_message last = {.kind = LINK_MESSAGE_UNSUBSCRIBE,
                                          .name = relay_name(channel->name),
                                          .handle = channel->handle,
                                          .flags = UNSUBSCRIBE_LAST};
        (void)relay_send(relay, peer, &last, NULL);
    }
    far_free(relay, channel);
}

/* The channel as it is registered, with the home that says when that ends; or opened with the home
 * of now. NULL: refused. */
static struct relay_channel *far_for_subscribe(struct relay *relay, const struct message *message,
                                               struct relay_peer **peer)
{
    const struct message_subscribe body = message_as_subscribe(message);
    const bool is_first = (body.flags & SUBSCRIBE_FIRST) != 0;
    struct relay_channel *channel =
        map_find(relay->far.by_name, body.channel->bytes, body.channel->len);
    struct relay_peer *upstream = channel == NULL ? NULL : relay_peer_of(relay, channel->upstream);
    *peer = upstream != NULL ? upstream : relay_home_of(relay, relay_name(body.channel)).peer;
    if (*peer == NULL || (*peer)->origin == 0) {
        return NULL;
    }
    if (channel != NULL && upstream == NULL) {
        relay_far_end(relay, channel, is_first ? message->from : SHARDS_MAX);
        channel = NULL;
    }
    if (channel == NULL && is_first) {
        channel = relay_channel_open(relay, &relay->far, body.channel, (*peer)->origin);
        if (channel != NULL) {
            (*peer)->references++;
            relay_sum_change(&(*peer)->asked, relay_name(body.channel), channel->handle, 1);
            relay_gauge_add(relay, COUNTER_RELAY_FAR_CHANNELS, 1);
        }
    }
    return channel;
}

/* The home is a shard of this node: the edge has an older map. True: it was passed on. */
static bool far_is_near(struct relay *relay, const struct message *message, struct span name)
{
    const struct relay_home home = relay_home_of(relay, name);
    return home.is_known && home.peer == NULL &&
           map_find(relay->far.by_name, name.at, name.len) == NULL &&
           outbox_pass_on(relay->options.outbox, home.shard, message);
}

/* The shard's end, new or as it is; NULL: it is not registered and does not begin to be. */
static struct relay_end *far_end_for(struct relay_channel *channel, const struct message *message)
{
    const struct message_subscribe body = message_as_subscribe(message);
    struct relay_end *end = relay_end_find(channel, message->from);
    if (end != NULL && end->handle != message->handle) {
        relay_end_remove(channel, end);
        end = NULL;
    }
    if (end == NULL && (body.flags & SUBSCRIBE_FIRST) != 0) {
        end = relay_end_add(channel, message->from, message->handle);
    }
    return end;
}

void relay_far_settle(struct relay *relay, struct relay_channel *channel, struct relay_end *end)
{
    if (end != NULL && !end->is_active && end->asks == 0) {
        relay_end_remove(channel, end);
    }
    if (channel->ends_len == 0) {
        relay_far_close(relay, channel);
    }
}

static bool far_ask(struct relay *relay, struct relay_channel *channel, bool is_new,
                    const struct message *message, const struct relay_peer *peer)
{
    const struct message_subscribe body = message_as_subscribe(message);
    struct link_message request;
    struct buf *payload;
    struct relay_ask *ask = relay_ask_add(relay, LINK_MESSAGE_SUBSCRIBE);
    if (ask == NULL) {
        return false;
    }
    if (!relay_from_message(message, &request, &payload)) {
        relay_ask_remove(relay, ask);
        return false;
    }
    ask->target = peer->origin;
    ask->asker_shard = message->from;
    ask->asker_handle = message->handle;
    ask->cookie = body.subscription;
    ask->since_offset = body.since.offset;
    ask->channel = channel->handle;
    ask->flags = body.flags;
    request.cookie = ask->handle;
    request.handle = channel->handle;
    /* What is encoded for this node's shards is not the home's business. */
    request.flags &= ~(SUBSCRIBE_FIRST | FLAGS_PROTOCOLS);
    request.flags |= is_new ? SUBSCRIBE_FIRST : 0;
    const bool is_sent = relay_send(relay, peer, &request, payload);
    buf_release(payload);
    if (!is_sent) {
        relay_ask_remove(relay, ask);
    }
    return is_sent;
}

void relay_far_on_subscribe(struct relay *relay, const struct message *message)
{
    const struct message_subscribe body = message_as_subscribe(message);
    if (far_is_near(relay, message, relay_name(body.channel))) {
        return;
    }
    struct relay_peer *peer;
    struct relay_channel *channel = far_for_subscribe(relay, message, &peer);
    struct relay_end *end = NULL;
    const bool is_new = channel != NULL && channel->ends_len == 0;
    if (channel != NULL) {
        end = far_end_for(channel, message);
    }
    if (end != NULL && far_ask(relay, channel, is_new, message, peer)) {
        end->asks++;
        end->protocols |= (uint8_t)flags_protocols(body.flags);
    } else {
        refuse_subscribe(relay, message);
        if (channel != NULL) {
            relay_far_settle(relay, channel, end);
        }
    }
    message_release(message);
}

/* What the home is to be told of a client that goes, though its shard stays. */
static void far_pass_unsubscribe(struct relay *relay, const struct message *message,
                                 const struct relay_peer *peer)
{
    struct link_message request;
    struct buf *payload;
    if (!relay_from_message(message, &request, &payload)) {
        return;
    }
    request.flags &= UNSUBSCRIBE_CLIENT | FLAGS_DETOUR;
    if ((request.flags & ~(uint32_t)FLAGS_DETOUR) != 0) {
        (void)relay_send(relay, peer, &request, payload);
    }
    buf_release(payload);
}

void relay_far_on_unsubscribe(struct relay *relay, const struct message *message)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
    if (far_is_near(relay, message, relay_name(body.channel))) {
        return;
    }
    struct relay_channel *channel =
        map_find(relay->far.by_name, body.channel->bytes, body.channel->len);
    struct relay_end *end = channel == NULL ? NULL : relay_end_find(channel, message->from);
    const struct relay_peer *peer = channel == NULL
                                        ? relay_home_of(relay, relay_name(body.channel)).peer
                                        : relay_peer_of(relay, channel->upstream);
    if (end != NULL && end->handle == message->handle) {
        end->protocols &= (uint8_t)~flags_protocols(body.flags);
        if ((body.flags & UNSUBSCRIBE_LAST) != 0) {
            relay_end_remove(channel, end);
        }
    }
    if (peer != NULL && peer->origin != 0) {
        far_pass_unsubscribe(relay, message, peer);
    }
    if (channel != NULL) {
        relay_far_settle(relay, channel, NULL);
    }
    message_release(message);
}

/* The shard has missed a publication, and registers again to see it, as no other one may come. */
static void far_lose(struct relay *relay, struct relay_channel *channel, struct relay_end *end)
{
    const struct message_moved moved = {0};
    relay_count(relay, COUNTER_RELAY_LOST);
    OUTBOX_SEND(relay->options.outbox, end->id, moved, end->handle, &moved);
    relay_end_remove(channel, end);
}

void relay_far_on_publication(struct relay *relay, const struct relay_peer *peer,
                              const struct link_message *publication, struct span payload)
{
    struct relay_channel *channel = pool_get(relay->far.pool, publication->handle);
    if (channel == NULL || channel->upstream != peer->origin) {
        relay_count(relay, COUNTER_RELAY_STALE);
        return;
    }
    const uint64_t age_ns = publication->age_us * 1000;
    struct message_publication body = {
        .sequence = publication->sequence,
        .offset = publication->offset,
        .sent_ns = relay->shard->now_ns > age_ns ? relay->shard->now_ns - age_ns : 0,
        .epoch = publication->epoch,
        .kind = (uint16_t)publication->what,
        .flags = (uint16_t)publication->flags,
    };
    struct buf *frames = push_frames_of_values(relay_name(channel->name), &body, payload,
                                               relay_ends_protocols(channel), &body.protobuf_at);
    if (frames == NULL) {
        relay_count(relay, COUNTER_RELAY_LOST); /* The shards see the gap. */
        return;
    }
    body.frames = frames;
    body.epoch = 0; /* It is in the frames. */
    for (uint32_t i = 0; i < channel->ends_len;) {
        struct relay_end *end = &relay_ends(channel)[i];
        const bool is_wanted = relay_end_takes(end, body.sequence);
        if (is_wanted && !outbox_takes_delivery(relay->options.outbox, end->id)) {
            far_lose(relay, channel, end); /* Another one takes its place. */
            continue;
        }
        if (is_wanted) {
            buf_share(frames, 1);
            OUTBOX_SEND(relay->options.outbox, end->id, publication, end->handle, &body);
        }
        i++;
    }
    buf_release(frames);
    relay_far_settle(relay, channel, NULL);
}

void relay_far_on_moved(struct relay *relay, const struct relay_peer *peer, uint32_t handle)
{
    struct relay_channel *channel = pool_get(relay->far.pool, handle);
    if (channel == NULL || channel->upstream != peer->origin) {
        relay_count(relay, COUNTER_RELAY_STALE);
        return;
    }
    relay_far_end(relay, channel, SHARDS_MAX);
}
