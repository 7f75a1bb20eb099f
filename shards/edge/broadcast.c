/* SPDX-License-Identifier: Apache-2.0 */
/* Fan-out on one shard. The arrivals of a turn lie in one array; those of a channel are chained. */
#include "shards/edge/broadcast.h"

#include <stdlib.h>
#include <string.h>

#include "shards/channel/push_frame.h"

enum {
    /* More than this in a turn is sent before the turn ends. */
    ARRIVALS_MAX = 4096,
    /* Larger frames are shared as they are: copying them would cost more than a slice of their own
     * in the writev. */
    MERGE_FRAME_LEN_MAX = 2048,
    MERGED_LEN_MAX = 64 * 1024,
};

/* Numbered from 1, so that 0 ends a chain. */
struct arrival {
    struct buf *frames; /* NULL once they were sent. */
    uint32_t protobuf_at;
    uint32_t channel; /* Handle. */
    uint32_t next;
};

static const enum counter received_counters[] = {
    [PUBLICATION_DATA] = COUNTER_RECEIVED_PUBLICATION,
    [PUBLICATION_JOIN] = COUNTER_RECEIVED_JOIN,
    [PUBLICATION_LEAVE] = COUNTER_RECEIVED_LEAVE,
};

static const enum counter sent_counters[] = {
    [PUBLICATION_DATA] = COUNTER_TRANSPORT_SENT_PUSH_PUBLICATION,
    [PUBLICATION_JOIN] = COUNTER_TRANSPORT_SENT_PUSH_JOIN,
    [PUBLICATION_LEAVE] = COUNTER_TRANSPORT_SENT_PUSH_LEAVE,
};

/* What the subscribers of one protocol get: plain, and compressed for each window that one of them
 * has. */
struct encoding {
    struct frame *plain; /* NULL: nobody here speaks the protocol. */
    uint32_t tried;      /* A bit for each window that `deflated` has been set for. */
    struct frame *deflated[DEFLATE_WINDOW_BITS_MAX + 1];
};

/* One or more publications that leave together. */
struct broadcast {
    struct arrival *parts;
    uint32_t parts_len;
    uint32_t kind;
    struct encoding encodings[CLIENT_PROTOCOLS];
};

/* ---- frames ---- */

static struct span part_frame(const struct arrival *part, enum client_protocol protocol)
{
    return push_frame_of(part->frames, part->protobuf_at, protocol);
}

static struct frame *make_plain(const struct arrival *parts, uint32_t parts_len,
                                enum client_protocol protocol)
{
    if (parts_len == 1) {
        const struct span frame = part_frame(parts, protocol);
        buf_share(parts->frames, 1);
        return frame_wrap(parts->frames, (uint32_t)(frame.at - parts->frames->bytes),
                          (uint32_t)frame.len);
    }
    size_t len = 0;
    for (uint32_t i = 0; i < parts_len; i++) {
        len += part_frame(&parts[i], protocol).len;
    }
    struct frame *merged = frame_create((uint32_t)len);
    if (merged == NULL) {
        return NULL;
    }
    uint8_t *to = frame_bytes(merged);
    for (uint32_t i = 0; i < parts_len; i++) {
        const struct span frame = part_frame(&parts[i], protocol);
        memcpy(to, frame.at, frame.len);
        to += frame.len;
    }
    merged->len = (uint32_t)len;
    return merged;
}

/* Each message is compressed by itself (there is no context to take over) or stays plain where that
 * is shorter, so the room of the plain frames is always enough. */
static struct frame *make_deflated(struct edge *edge, const struct broadcast *broadcast,
                                   enum client_protocol protocol, unsigned window_bits)
{
    struct frame *merged = frame_create(broadcast->encodings[protocol].plain->len);
    if (merged == NULL) {
        return NULL;
    }
    uint8_t *to = frame_bytes(merged);
    for (uint32_t i = 0; i < broadcast->parts_len; i++) {
        const struct span plain = part_frame(&broadcast->parts[i], protocol);
        struct frame *deflated = frames_make_deflated(edge, connection_opcode(protocol),
                                                      websocket_frame_payload(plain), window_bits);
        if (deflated != NULL && deflated->len < plain.len) {
            memcpy(to, deflated->bytes, deflated->len);
            to += deflated->len;
        } else {
            memcpy(to, plain.at, plain.len);
            to += plain.len;
        }
        if (deflated != NULL) {
            frame_release(deflated);
        }
    }
    merged->len = (uint32_t)(to - frame_bytes(merged));
    return merged;
}

static struct frame *frame_for(struct edge *edge, struct broadcast *broadcast,
                               const struct connection *conn)
{
    if ((conn->flags & (CONNECTION_DEFLATE | CONNECTION_PROTOBUF)) == 0) {
        return broadcast->encodings[CLIENT_JSON].plain;
    }
    const enum client_protocol protocol = connection_protocol(conn);
    struct encoding *encoding = &broadcast->encodings[protocol];
    if ((conn->flags & CONNECTION_DEFLATE) == 0) {
        return encoding->plain;
    }
    const uint8_t bits = conn->window_bits;
    if ((encoding->tried & 1u << bits) == 0) {
        encoding->tried |= 1u << bits;
        encoding->deflated[bits] = make_deflated(edge, broadcast, protocol, bits);
    }
    return encoding->deflated[bits] == NULL ? encoding->plain : encoding->deflated[bits];
}

static void encoding_release(struct encoding *encoding)
{
    if (encoding->plain != NULL) {
        frame_release(encoding->plain);
    }
    for (uint32_t bits = 0; encoding->tried >> bits != 0; bits++) {
        if ((encoding->tried & 1u << bits) != 0 && encoding->deflated[bits] != NULL) {
            frame_release(encoding->deflated[bits]);
        }
    }
}

/* ---- to the subscribers ---- */

static bool is_receiver(const struct subscription *at, uint32_t kind)
{
    return at->state == SUBSCRIPTION_ACTIVE && (kind == PUBLICATION_DATA || at->push_join_leave);
}

static void send_to_subscribers(struct edge *edge, struct hub_channel *channel,
                                struct broadcast *broadcast)
{
    uint64_t sent = 0;
    /* Backwards: a slow consumer is disconnected here and leaves the table, and the last one takes
     * its place. */
    for (uint32_t i = channel->subscribers.count; i-- > 0;) {
        const struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (!is_receiver(at, broadcast->kind)) {
            continue;
        }
        struct connection *conn = at->conn;
        sent += broadcast->parts_len;
        if (!connection_send_shared(edge, conn, frame_for(edge, broadcast, conn))) {
            const bool is_last = channel->subscribers.count == 1;
            session_disconnect(edge, conn->session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
            if (is_last) {
                break;
            }
        }
    }
    actors_count_many(edge->actors, sent_counters[broadcast->kind], sent);
}

/* Backwards, since any of them may end its session. Those whose answer is still to come learn the
 * position from that. */
void broadcast_tell_gap(struct edge *edge, struct hub_channel *channel)
{
    const uint32_t handle = channel->handle;
    for (uint32_t i = channel->subscribers.count; i-- > 0;) {
        struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (at->state != SUBSCRIPTION_ACTIVE) {
            continue;
        }
        hub_unsubscribe_push(edge, at, CLIENT_UNSUBSCRIBE_INSUFFICIENT_STATE);
        if (pool_get(edge->hub_channels, handle) == NULL) {
            return;
        }
        i = i < channel->subscribers.count ? i : channel->subscribers.count;
    }
}

/* What came cannot be said in a protocol that subscribers here speak: bytes that are no JSON. The
 * home has known of these subscribers since before they were told that they are. */
static void tell_inappropriate(struct edge *edge, struct hub_channel *channel, uint32_t kind,
                               enum client_protocol protocol)
{
    bool is_last = false;
    for (uint32_t i = channel->subscribers.count; i-- > 0 && !is_last;) {
        const struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (connection_protocol(at->conn) == protocol && is_receiver(at, kind)) {
            is_last = channel->subscribers.count == 1;
            session_disconnect(edge, at->conn->session, CLIENT_DISCONNECT_INAPPROPRIATE_PROTOCOL,
                               SPAN_EMPTY);
        }
    }
}

/* False: nobody is left. All parts have the same encodings. */
static bool make_encodings(struct edge *edge, struct hub_channel *channel,
                           struct broadcast *broadcast)
{
    const uint32_t handle = channel->handle;
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        const enum client_protocol protocol = (enum client_protocol)i;
        if (channel->counts[protocol] == 0) {
            continue;
        }
        if (span_is_empty(part_frame(broadcast->parts, protocol))) {
            tell_inappropriate(edge, channel, broadcast->kind, protocol);
            if (pool_get(edge->hub_channels, handle) == NULL) {
                return false;
            }
            continue;
        }
        broadcast->encodings[protocol].plain =
            make_plain(broadcast->parts, broadcast->parts_len, protocol);
        if (broadcast->encodings[protocol].plain == NULL) {
            actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
            broadcast_tell_gap(edge, channel);
            return false;
        }
    }
    return true;
}

static void send_parts(struct edge *edge, struct hub_channel *channel, struct arrival *parts,
                       uint32_t parts_len, uint32_t kind)
{
    struct broadcast broadcast;
    broadcast.parts = parts;
    broadcast.parts_len = parts_len;
    broadcast.kind = kind;
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        broadcast.encodings[i].plain = NULL;
        broadcast.encodings[i].tried = 0;
    }
    if (make_encodings(edge, channel, &broadcast)) {
        send_to_subscribers(edge, channel, &broadcast);
    }
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        encoding_release(&broadcast.encodings[i]);
    }
}

/* ---- arrivals ---- */

enum { PARTS_MAX = 64 };

/* What is merged must fit into the queue of a subscriber that has nothing else in it. */
static uint32_t merged_len_max(const struct edge *edge)
{
    const uint32_t queue = edge->options->client.queue_max_size;
    return queue == 0 || queue > MERGED_LEN_MAX ? MERGED_LEN_MAX : queue;
}

static bool is_encoded_alike(const struct arrival *one, const struct arrival *other)
{
    return (one->protobuf_at == 0) == (other->protobuf_at == 0) &&
           (one->protobuf_at == one->frames->len) == (other->protobuf_at == other->frames->len);
}

/* The next arrivals of the chain that leave together; *at goes on behind them. Takes them over. */
static uint32_t take_parts(struct edge *edge, uint32_t *at, struct arrival parts[PARTS_MAX])
{
    uint32_t parts_len = 0;
    uint32_t len = 0;
    while (*at != 0 && parts_len < PARTS_MAX) {
        struct arrival *arrival = &edge->arrivals[*at - 1];
        len += arrival->frames->len;
        const bool is_large = arrival->frames->len > MERGE_FRAME_LEN_MAX;
        if (parts_len > 0 &&
            (is_large || len > merged_len_max(edge) || !is_encoded_alike(&parts[0], arrival))) {
            break;
        }
        parts[parts_len++] = *arrival;
        arrival->frames = NULL;
        *at = arrival->next;
        if (is_large) {
            break;
        }
    }
    return parts_len;
}

void broadcast_flush_channel(struct edge *edge, struct hub_channel *channel)
{
    const uint32_t handle = channel->handle;
    uint32_t at = channel->first_arrival;
    channel->first_arrival = 0;
    channel->last_arrival = 0;
    while (at != 0) {
        struct arrival parts[PARTS_MAX];
        const uint32_t parts_len = take_parts(edge, &at, parts);
        /* Slow consumers may have taken the channel with them. */
        if (pool_get(edge->hub_channels, handle) != NULL) {
            send_parts(edge, channel, parts, parts_len, PUBLICATION_DATA);
        }
        for (uint32_t i = 0; i < parts_len; i++) {
            buf_release(parts[i].frames);
        }
    }
}

void broadcast_flush(struct edge *edge)
{
    for (uint32_t i = 0; i < edge->arrivals_len; i++) {
        struct arrival *arrival = &edge->arrivals[i];
        if (arrival->frames == NULL) {
            continue;
        }
        struct hub_channel *channel = pool_get(edge->hub_channels, arrival->channel);
        if (channel != NULL) {
            broadcast_flush_channel(edge, channel);
        } else {
            buf_release(arrival->frames);
            arrival->frames = NULL;
        }
    }
    edge->arrivals_len = 0;
}

void broadcast_destroy(struct edge *edge)
{
    for (uint32_t i = 0; i < edge->arrivals_len; i++) {
        buf_release(edge->arrivals[i].frames);
    }
    free(edge->arrivals);
}

/* Room for one more; false: memory is out and nothing is chained. */
static bool arrivals_reserve(struct edge *edge)
{
    if (edge->arrivals_len == ARRIVALS_MAX) {
        broadcast_flush(edge);
    }
    if (edge->arrivals_len < edge->arrivals_room) {
        return true;
    }
    const uint32_t room = edge->arrivals_room == 0 ? 64 : edge->arrivals_room * 2;
    struct arrival *grown = realloc(edge->arrivals, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    edge->arrivals = grown;
    edge->arrivals_room = room;
    return true;
}

static void chain(struct edge *edge, struct hub_channel *channel, const struct arrival *arrival)
{
    edge->arrivals[edge->arrivals_len++] = *arrival;
    if (channel->first_arrival == 0) {
        channel->first_arrival = edge->arrivals_len;
    } else {
        edge->arrivals[channel->last_arrival - 1].next = edge->arrivals_len;
    }
    channel->last_arrival = edge->arrivals_len;
}

void broadcast_on_publication(struct edge *edge, const struct message *message)
{
    const struct message_publication body = message_as_publication(message);
    struct hub_channel *channel = pool_get(edge->hub_channels, message->handle);
    const bool has_room = channel != NULL && arrivals_reserve(edge);
    channel = pool_get(edge->hub_channels, message->handle);
    if (channel == NULL) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
        buf_release(body.frames);
        return;
    }
    actors_count(edge->actors, received_counters[body.kind]);
    hist_record(edge->shard->stats->hists[HIST_PUB_SUB_LAG_NS],
                edge->shard->now_ns > body.sent_ns ? edge->shard->now_ns - body.sent_ns : 0);
    struct arrival arrival = {.frames = body.frames,
                              .protobuf_at = body.protobuf_at,
                              .channel = message->handle};
    const bool is_gap = body.sequence != channel->sequence + 1 ||
                        (body.offset != 0 && body.offset != channel->newest.offset + 1);
    channel->sequence = body.sequence;
    if (body.offset != 0) {
        channel->newest.offset = body.offset;
        channel->has_stream = true;
    }
    if (!is_gap && has_room && body.kind == PUBLICATION_DATA) {
        chain(edge, channel, &arrival);
        return;
    }
    broadcast_flush_channel(edge, channel);
    channel = pool_get(edge->hub_channels, message->handle);
    if (channel != NULL && is_gap) {
        broadcast_tell_gap(edge, channel);
    } else if (channel != NULL) {
        send_parts(edge, channel, &arrival, 1, body.kind);
    }
    buf_release(body.frames);
}
