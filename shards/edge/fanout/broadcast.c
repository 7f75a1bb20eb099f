/* SPDX-License-Identifier: Apache-2.0 */
/* Fan-out on one shard. The arrivals of a turn lie in one array; those of a channel are chained. */
#include "shards/edge/fanout/broadcast.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/array.h"
#include "shards/edge/fanout/batch.h"
#include "shards/edge/fanout/broadcast_frames.h"
#include "shards/edge/fanout/tailored.h"

enum {
    /* More than this in a turn is sent before the turn ends. */
    ARRIVALS_MAX = 4096,
    /* Larger frames are shared as they are: copying them would cost more than a slice of their own
     * in the writev. */
    MERGE_FRAME_LEN_MAX = 2048,
    MERGED_LEN_MAX = 64 * 1024,
};

static const enum counter received_counters[] = {
    [PUBLICATION_DATA] = COUNTER_RECEIVED_PUBLICATION,
    [PUBLICATION_JOIN] = COUNTER_RECEIVED_JOIN,
    [PUBLICATION_LEAVE] = COUNTER_RECEIVED_LEAVE,
};

/* NULL: memory is out. */
static struct frame *frame_for(struct edge *edge, struct broadcast *broadcast,
                               const struct connection *conn)
{
    if ((conn->flags & (CONNECTION_DEFLATE | CONNECTION_PROTOBUF | CONNECTION_REFRAMED)) == 0) {
        broadcast->encodings[CLIENT_JSON].sent++;
        return broadcast->encodings[CLIENT_JSON].plain;
    }
    return encoding_frame_for(edge, &broadcast->encodings[connection_protocol(conn)], conn);
}

/* ---- to the subscribers ---- */

static void send_to_subscribers(struct edge *edge, struct hub_channel *channel,
                                struct broadcast *broadcast)
{
    /* Backwards: a slow consumer is disconnected here and leaves the table, and the last one takes
     * its place. */
    for (uint32_t i = channel->subscribers.count; i-- > 0;) {
        const struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (!subscription_is_receiver(at, broadcast->kind)) {
            continue;
        }
        struct connection *conn = at->conn;
        struct frame *frame = frame_for(edge, broadcast, conn);
        if (frame == NULL || !connection_send_shared(edge, conn, frame)) {
            const bool is_last = channel->subscribers.count == 1;
            session_disconnect(edge, conn->session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
            if (is_last) {
                break;
            }
        }
    }
}

/* Backwards, since any of them may end its session. Those whose answer is still to come learn the
 * position from that. */
void broadcast_tell_gap(struct edge *edge, struct hub_channel *channel)
{
    const uint32_t handle = channel->handle;
    tailored_forget(edge, channel);
    for (uint32_t i = channel->subscribers.count; i-- > 0;) {
        struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (at->state < SUBSCRIPTION_ACTIVE) {
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
        if (connection_protocol(at->conn) == protocol && subscription_is_receiver(at, kind)) {
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
        if (span_is_empty(arrival_frame(broadcast->parts, protocol))) {
            tell_inappropriate(edge, channel, broadcast->kind, protocol);
            if (pool_get(edge->hub_channels, handle) == NULL) {
                return false;
            }
            continue;
        }
        broadcast->encodings[protocol].plain =
            broadcast_make_plain(broadcast->parts, broadcast->parts_len, protocol);
        if (broadcast->encodings[protocol].plain == NULL) {
            actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
            broadcast_tell_gap(edge, channel);
            return false;
        }
    }
    return true;
}

/* Reading the clock costs as much as some deliveries. So of broadcasts to few subscribers one is
 * timed for many. */
enum { TIMED_SUBSCRIBERS_MIN = 64, UNTIMED_PUBLICATIONS_MAX = 64 };

/* For how many publications the time of this broadcast is to stand; 0: it need not be taken. */
static uint32_t publications_to_time(struct edge *edge, const struct hub_channel *channel,
                                     const struct broadcast *broadcast)
{
    if (broadcast->kind != PUBLICATION_DATA) {
        return 0;
    }
    if (channel->subscribers.count >= TIMED_SUBSCRIBERS_MIN) {
        return broadcast->parts_len;
    }
    edge->untimed_publications += broadcast->parts_len;
    if (edge->untimed_publications < UNTIMED_PUBLICATIONS_MAX) {
        return 0;
    }
    const uint32_t publications = edge->untimed_publications;
    edge->untimed_publications = 0;
    return publications;
}

static void send_parts(struct edge *edge, struct hub_channel *channel, const struct arrival *parts,
                       uint32_t parts_len, uint32_t kind)
{
    const uint32_t handle = channel->handle;
    const bool is_tailored = tailored_takes(channel, kind);
    struct broadcast broadcast;
    broadcast.parts = parts;
    broadcast.parts_len = parts_len;
    broadcast.kind = kind;
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        encoding_init(&broadcast.encodings[i]);
    }
    const uint32_t timed = publications_to_time(edge, channel, &broadcast);
    const uint64_t began_ns = timed == 0 ? 0 : shard_clock_ns(edge->shard);
    if (make_encodings(edge, channel, &broadcast)) {
        if (is_tailored) {
            tailored_send(edge, channel, &broadcast);
        } else {
            send_to_subscribers(edge, channel, &broadcast);
        }
    }
    if (is_tailored && kind == PUBLICATION_DATA && pool_get(edge->hub_channels, handle) != NULL) {
        tailored_keep(edge, channel, &parts[parts_len - 1]);
    }
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        encoding_end(edge, &broadcast.encodings[i], &broadcast);
    }
    if (timed > 0) {
        hist_record_many(edge->shard->stats->hists[HIST_BROADCAST],
                         (shard_clock_ns(edge->shard) - began_ns) / parts_len, timed);
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
static uint32_t take_parts(struct edge *edge, uint32_t *at, struct arrival parts[PARTS_MAX],
                           uint32_t parts_max)
{
    uint32_t parts_len = 0;
    uint32_t len = 0;
    while (*at != 0 && parts_len < parts_max) {
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

static void flush_arrivals(struct edge *edge, struct hub_channel *channel)
{
    const uint32_t handle = channel->handle;
    const uint32_t parts_max = tailored_parts_max(channel, PARTS_MAX);
    uint32_t at = channel->first_arrival;
    channel->first_arrival = 0;
    channel->last_arrival = 0;
    while (at != 0) {
        struct arrival parts[PARTS_MAX];
        const uint32_t parts_len = take_parts(edge, &at, parts, parts_max);
        /* Slow consumers may have taken the channel with them. */
        if (pool_get(edge->hub_channels, handle) != NULL) {
            send_parts(edge, channel, parts, parts_len, PUBLICATION_DATA);
        }
        for (uint32_t i = 0; i < parts_len; i++) {
            buf_release(parts[i].frames);
        }
    }
}

/* How many of these leave together, from the first on. */
static uint32_t parts_of_batch(const struct edge *edge, const struct arrival *items, uint32_t len,
                               uint32_t parts_max)
{
    uint32_t bytes = items[0].frames->len;
    uint32_t parts_len = 1;
    while (parts_len < len && parts_len < parts_max &&
           items[0].frames->len <= MERGE_FRAME_LEN_MAX &&
           items[parts_len].frames->len <= MERGE_FRAME_LEN_MAX &&
           bytes + items[parts_len].frames->len <= merged_len_max(edge) &&
           is_encoded_alike(&items[0], &items[parts_len])) {
        bytes += items[parts_len++].frames->len;
    }
    return parts_len;
}

static void flush_batch(struct edge *edge, struct hub_channel *channel)
{
    const uint32_t handle = channel->handle;
    const uint32_t parts_max = tailored_parts_max(channel, PARTS_MAX);
    struct batch *batch = batch_take(edge, channel);
    if (batch == NULL) {
        return;
    }
    uint32_t len;
    const struct arrival *items = batch_items(batch, &len);
    for (uint32_t at = 0; at < len;) {
        const uint32_t parts_len = parts_of_batch(edge, &items[at], len - at, parts_max);
        /* Slow consumers may have taken the channel with them. */
        if (pool_get(edge->hub_channels, handle) != NULL) {
            send_parts(edge, channel, &items[at], parts_len, PUBLICATION_DATA);
        }
        for (uint32_t i = 0; i < parts_len; i++) {
            buf_release(items[at++].frames);
        }
    }
    batch_free(batch);
}

void broadcast_flush_channel(struct edge *edge, struct hub_channel *channel)
{
    const uint32_t handle = channel->handle;
    flush_batch(edge, channel);
    if (pool_get(edge->hub_channels, handle) != NULL) {
        flush_arrivals(edge, channel);
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
            flush_arrivals(edge, channel);
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
    struct arrival *arrivals = array_reserve(edge->arrivals, edge->arrivals_len,
                                             &edge->arrivals_room, 64, sizeof(*arrivals));
    if (arrivals == NULL) {
        return false;
    }
    edge->arrivals = arrivals;
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

/* At the end of the turn, or with others that are still to come. Takes it over. */
static void send_later(struct edge *edge, struct hub_channel *channel,
                       const struct arrival *arrival)
{
    if (channel->options->batch_max_delay_ms > 0) {
        if (batch_add(edge, channel, arrival)) {
            return;
        }
        channel = pool_get(edge->hub_channels, arrival->channel);
        if (channel == NULL) {
            buf_release(arrival->frames);
            return;
        }
    }
    chain(edge, channel, arrival);
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
    hist_record(edge->shard->stats->hists[HIST_PUB_SUB_LAG],
                edge->shard->now_ns > body.sent_ns ? edge->shard->now_ns - body.sent_ns : 0);
    struct arrival arrival = {.frames = body.frames,
                              .offset = body.offset,
                              .protobuf_at = body.protobuf_at,
                              .flags = body.flags,
                              .channel = message->handle};
    const bool is_gap = body.sequence != channel->sequence + 1 ||
                        (body.offset != 0 && body.offset != channel->newest.offset + 1);
    channel->sequence = body.sequence;
    if (body.offset != 0) {
        channel->newest.offset = body.offset;
        channel->has_stream = true;
    }
    if (!is_gap && has_room && body.kind == PUBLICATION_DATA) {
        send_later(edge, channel, &arrival);
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
