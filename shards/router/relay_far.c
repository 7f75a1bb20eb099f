/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose home is another node: registered there once for all shards of this one. */
#include "shards/channel/push_frame.h"
#include "shards/router/relay_state.h"

static void refuse_subscribe(struct relay *relay, const struct message *message)
{
    const struct message_subscribe body = message_as_subscribe(message);
    const struct message_subscribed answer = {.connection = body.connection,
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

/* The channel as it is registered with the home of now, opened if need be; NULL: refused. */
static struct relay_channel *far_for_subscribe(struct relay *relay, const struct message *message,
                                               const struct relay_peer *peer)
{
    const struct message_subscribe body = message_as_subscribe(message);
    const bool is_first = (body.flags & SUBSCRIBE_FIRST) != 0;
    struct relay_channel *channel =
        map_find(relay->far.by_name, body.channel->bytes, body.channel->len);
    if (channel != NULL && channel->upstream != peer->origin) {
        relay_far_end(relay, channel, is_first ? message->from : SHARDS_MAX);
        channel = NULL;
    }
    if (channel == NULL && is_first) {
        channel = relay_channel_open(relay, &relay->far, body.channel, peer->origin);
        if (channel != NULL) {
            relay->peers[peer->slot]->references++;
            relay_sum_change(&relay->peers[peer->slot]->asked, relay_name(body.channel),
                             channel->handle, 1);
            relay_gauge_add(relay, COUNTER_RELAY_FAR_CHANNELS, 1);
        }
    }
    return channel;
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
    ask->cookie = body.connection;
    ask->since_offset = body.since.offset;
    ask->channel = channel->handle;
    ask->flags = body.flags;
    request.cookie = ask->handle;
    request.handle = channel->handle;
    /* What is encoded for this node's shards is not the home's business. */
    request.flags &= (1u << FLAGS_PROTOCOLS_SHIFT) - 1 - SUBSCRIBE_FIRST;
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
    const struct relay_home home = relay_home_of(relay, relay_name(body.channel));
    struct relay_channel *channel = NULL;
    struct relay_end *end = NULL;
    if (home.peer != NULL && home.peer->origin != 0) {
        channel = far_for_subscribe(relay, message, home.peer);
    }
    const bool is_new = channel != NULL && channel->ends_len == 0;
    if (channel != NULL) {
        end = far_end_for(channel, message);
    }
    if (end != NULL && far_ask(relay, channel, is_new, message, home.peer)) {
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
    request.flags &= UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE;
    if (request.flags != 0) {
        (void)relay_send(relay, peer, &request, payload);
    }
    buf_release(payload);
}

void relay_far_on_unsubscribe(struct relay *relay, const struct message *message)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
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

/* In what this node's shards want; NULL: the values are none, or memory is out. */
static struct buf *far_make_frames(struct relay_channel *channel,
                                   const struct link_message *publication, struct span values,
                                   uint32_t *protobuf_at)
{
    static const enum client_push_kind kinds[] = {
        [PUBLICATION_DATA] = CLIENT_PUSH_PUBLICATION,
        [PUBLICATION_JOIN] = CLIENT_PUSH_JOIN,
        [PUBLICATION_LEAVE] = CLIENT_PUSH_LEAVE,
    };
    uint8_t epoch_room[EPOCH_TEXT_LEN_MAX];
    struct push_values read;
    if (publication->what > PUBLICATION_LEAVE) {
        return NULL;
    }
    read.push.kind = kinds[publication->what];
    if (!push_values_read(values, &read)) {
        return NULL;
    }
    read.push.channel = relay_name(channel->name);
    if (publication->what == PUBLICATION_DATA) {
        read.push.publication.offset = publication->offset;
        if (publication->epoch != 0) {
            read.push.publication.epoch = epoch_format(publication->epoch, epoch_room);
        }
    }
    uint32_t protocols = relay_ends_protocols(channel);
    if (!read.is_json) {
        protocols &= ~CLIENT_PROTOCOL_BIT(CLIENT_JSON);
    }
    return push_frames_make(&read.push, protocols, protobuf_at);
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
    uint32_t protobuf_at = 0;
    struct buf *frames = far_make_frames(channel, publication, payload, &protobuf_at);
    if (frames == NULL) {
        relay_count(relay, COUNTER_RELAY_LOST); /* The shards see the gap. */
        return;
    }
    const struct message_publication body = {
        .frames = frames,
        .sequence = publication->sequence,
        .offset = publication->offset,
        .sent_ns = relay->shard->now_ns > age_ns ? relay->shard->now_ns - age_ns : 0,
        .protobuf_at = protobuf_at,
        .kind = (uint16_t)publication->what,
        .flags = (uint16_t)publication->flags,
    };
    for (uint32_t i = 0; i < channel->ends_len;) {
        struct relay_end *end = &relay_ends(channel)[i];
        if (end->is_active && !outbox_takes_delivery(relay->options.outbox, end->id)) {
            far_lose(relay, channel, end); /* Another one takes its place. */
            continue;
        }
        if (end->is_active) {
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
