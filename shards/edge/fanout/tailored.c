/* SPDX-License-Identifier: Apache-2.0 */
/* Fan-out for channels of which somebody takes deltas or filters by tags. */
#include "shards/edge/fanout/tailored.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "codec/client_push.h"
#include "shards/edge/fanout/broadcast.h"
#include "shards/edge/fanout/deltas.h"
#include "shards/edge/fanout/filters.h"
#include "shards/edge/maps/map_bases.h"
#include "shards/edge/session/server_subs.h"

/* Of a channel; it exists while it has such subscribers. */
struct tailored {
    uint32_t subscribers;
    uint32_t filtered; /* Of these, those with a filter, */
    uint32_t deltas;   /* those that take deltas, */
    uint32_t held;     /* and those that are HELD. */
    uint32_t previous_protobuf_at;
    struct buf *previous; /* The newest publication; NULL: there was none, or it is not kept. */
    uint64_t previous_offset;
    struct map_bases *bases; /* Of a map, instead; NULL: none. */
};

static struct shared_filter *filter_of(const struct edge *edge,
                                       const struct subscription *subscription)
{
    return subscription->is_filtered ? hub_grant_of(edge, subscription)->filter : NULL;
}

static bool is_map(const struct hub_channel *channel)
{
    return channel->options->map.mode != MAP_NONE;
}

static void drop_previous(struct edge *edge, struct tailored *tailored)
{
    map_bases_destroy(edge, tailored->bases);
    tailored->bases = NULL;
    if (tailored->previous != NULL) {
        actors_gauge_add(edge->actors, COUNTER_DELTA_KEPT_BYTES, -(int64_t)tailored->previous->len);
        buf_release(tailored->previous);
        tailored->previous = NULL;
    }
}

/* NULL: memory is out. */
static struct tailored *tailored_enter(struct hub_channel *channel)
{
    if (channel->tailored == NULL) {
        channel->tailored = calloc(1, sizeof(*channel->tailored));
    }
    if (channel->tailored != NULL) {
        channel->tailored->subscribers++;
    }
    return channel->tailored;
}

static void tailored_leave(struct edge *edge, struct hub_channel *channel)
{
    struct tailored *tailored = channel->tailored;
    if (tailored->deltas == 0) {
        drop_previous(edge, tailored);
    }
    if (--tailored->subscribers == 0) {
        free(tailored);
        channel->tailored = NULL;
    }
}

bool tailored_add(struct edge *edge, const struct subscription *subscription)
{
    (void)edge;
    if (!subscription->has_delta && !subscription->is_filtered) {
        return true;
    }
    struct tailored *tailored = tailored_enter(subscription->channel);
    if (tailored == NULL) {
        return false;
    }
    tailored->deltas += subscription->has_delta;
    tailored->filtered += subscription->is_filtered;
    return true;
}

bool tailored_hold(struct edge *edge, const struct subscription *subscription)
{
    (void)edge;
    struct tailored *tailored = tailored_enter(subscription->channel);
    if (tailored == NULL) {
        return false;
    }
    tailored->held++;
    return true;
}

void tailored_release(struct edge *edge, const struct subscription *subscription)
{
    subscription->channel->tailored->held--;
    tailored_leave(edge, subscription->channel);
}

void tailored_remove(struct edge *edge, const struct subscription *subscription)
{
    if (subscription->state == SUBSCRIPTION_HELD) {
        tailored_release(edge, subscription);
    }
    if (subscription->has_delta || subscription->is_filtered) {
        subscription->channel->tailored->deltas -= subscription->has_delta;
        subscription->channel->tailored->filtered -= subscription->is_filtered;
        tailored_leave(edge, subscription->channel);
    }
}

bool tailored_takes(const struct hub_channel *channel, uint32_t kind)
{
    return (channel->tailored != NULL &&
            (kind == PUBLICATION_DATA || channel->tailored->held > 0)) ||
           (kind == PUBLICATION_DATA && channel->options->publish_without_echo);
}

uint32_t tailored_parts_max(const struct hub_channel *channel, uint32_t parts_max)
{
    const struct tailored *tailored = channel->tailored;
    return channel->options->publish_without_echo ||
                   (tailored != NULL &&
                    (tailored->filtered > 0 || (is_map(channel) && tailored->deltas > 0)))
               ? 1
               : parts_max;
}

/* NULL: nobody takes deltas, or memory is out. */
static struct map_bases *bases_of(struct edge *edge, struct tailored *tailored)
{
    if (tailored->bases == NULL && tailored->deltas > 0) {
        tailored->bases = map_bases_create(&edge->shard->random);
    }
    return tailored->bases;
}

void tailored_keep(struct edge *edge, struct hub_channel *channel, const struct arrival *arrival)
{
    struct tailored *tailored = channel->tailored;
    if (tailored == NULL) {
        return;
    }
    if (is_map(channel)) {
        struct map_bases *bases = bases_of(edge, tailored);
        if (bases != NULL && !map_bases_put_arrival(edge, bases, arrival)) {
            drop_previous(edge, tailored);
        }
        return;
    }
    drop_previous(edge, tailored);
    const uint64_t kept = stats_get(edge->shard->stats, COUNTER_DELTA_KEPT_BYTES);
    if (tailored->deltas == 0 || kept + arrival->frames->len > DELTA_KEPT_BYTES_A_SHARD_MAX) {
        return;
    }
    actors_gauge_add(edge->actors, COUNTER_DELTA_KEPT_BYTES, arrival->frames->len);
    buf_share(arrival->frames, 1);
    tailored->previous = arrival->frames;
    tailored->previous_protobuf_at = arrival->protobuf_at;
    tailored->previous_offset = arrival->offset;
}

void tailored_forget(struct edge *edge, struct hub_channel *channel)
{
    if (channel->tailored != NULL) {
        drop_previous(edge, channel->tailored);
    }
}

/* ---- live ---- */

/* What subscribers that take deltas get of a broadcast: those that have what came before it, and
 * those that have nothing yet. */
enum delta_form { DELTA_FIRST, DELTA_FOLLOWING, DELTA_FORMS };

/* One broadcast to the subscribers of a channel. */
struct sending {
    struct edge *edge;
    struct hub_channel *channel;
    struct broadcast *broadcast;
    const struct filter_tags *tags; /* Of its one part, when somebody has a filter. */
    bool has_publisher;             /* Of that part, who is not to get it back. */
    uint8_t publisher[CLIENT_ID_LEN];
    struct encoding deltas[DELTA_FORMS][CLIENT_PROTOCOLS];
};

/* The payload that a part is told as the difference to; empty: it is told whole. *memory is to be
 * freed after its use. */
static struct span base_of(const struct sending *sending, uint32_t part, enum delta_form form,
                           enum client_protocol protocol, uint8_t **memory)
{
    const struct tailored *tailored = sending->channel->tailored;
    const struct arrival *parts = sending->broadcast->parts;
    *memory = NULL;
    if ((parts[part].flags & PUBLICATION_DELTA) == 0) {
        return SPAN_EMPTY;
    }
    if (part > 0) {
        return deltas_payload_of(protocol, arrival_frame(&parts[part - 1], protocol));
    }
    if (form == DELTA_FOLLOWING && tailored->bases != NULL) {
        uint8_t room[MAP_BASES_KEY_ROOM];
        const struct client_push_key key = map_bases_key_of(&parts[part], room);
        return map_bases_get(tailored->bases, protocol, key.key, memory);
    }
    return form == DELTA_FIRST || tailored->previous == NULL
               ? SPAN_EMPTY
               : deltas_payload_of(protocol,
                                   push_frame_of(tailored->previous, tailored->previous_protobuf_at,
                                                 protocol));
}

/* All parts one after the other. NULL: memory is out. */
static struct frame *make_deltas(const struct sending *sending, enum delta_form form,
                                 enum client_protocol protocol)
{
    const struct broadcast *broadcast = sending->broadcast;
    struct frame *merged = NULL;
    for (uint32_t i = 0; i < broadcast->parts_len; i++) {
        uint8_t *memory;
        const struct span base = base_of(sending, i, form, protocol, &memory);
        struct frame *part = deltas_make_frame(sending->edge, protocol,
                                               arrival_frame(&broadcast->parts[i], protocol), base);
        free(memory);
        struct frame *whole =
            part == NULL || merged == NULL ? part : frame_create(merged->len + part->len);
        if (whole != NULL && whole != part) {
            memcpy(frame_bytes(whole), merged->bytes, merged->len);
            memcpy(frame_bytes(whole) + merged->len, part->bytes, part->len);
            whole->len = merged->len + part->len;
        }
        if (part != NULL && part != whole) {
            frame_release(part);
        }
        if (merged != NULL) {
            frame_release(merged);
        }
        merged = whole;
        if (merged == NULL) {
            break;
        }
    }
    return merged;
}

/* NULL: memory is out. */
static struct frame *frame_for(struct sending *sending, const struct subscription *at)
{
    const struct connection *conn = at->conn;
    const enum client_protocol protocol = connection_protocol(conn);
    if (!at->has_delta || sending->broadcast->kind != PUBLICATION_DATA) {
        return encoding_frame_for(sending->edge, &sending->broadcast->encodings[protocol], conn);
    }
    const enum delta_form form = at->has_base ? DELTA_FOLLOWING : DELTA_FIRST;
    struct encoding *encoding = &sending->deltas[form][protocol];
    if (encoding->plain == NULL) {
        encoding->plain = make_deltas(sending, form, protocol);
    }
    return encoding->plain == NULL ? NULL : encoding_frame_for(sending->edge, encoding, conn);
}

/* False: its connection ends. */
static bool send_to(struct sending *sending, struct subscription *at)
{
    struct frame *frame = frame_for(sending, at);
    if (frame == NULL) {
        actors_count(sending->edge->actors, COUNTER_REFUSED_MEMORY);
        session_disconnect(sending->edge, at->conn->session, CLIENT_DISCONNECT_INSUFFICIENT_STATE,
                           SPAN_EMPTY);
        return false;
    }
    /* Who follows a map has all of it, or nothing for sure. */
    if (!is_map(sending->channel)) {
        at->has_base = true;
    }
    if (at->state == SUBSCRIPTION_HELD ? !server_subs_hold(sending->edge, at->conn->session, frame)
                                       : !connection_send_shared(sending->edge, at->conn, frame)) {
        session_disconnect(sending->edge, at->conn->session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
        return false;
    }
    return true;
}

/* Backwards, since a subscriber that ends leaves the table, and the last one takes its place. */
static void send_to_all(struct sending *sending)
{
    struct edge *edge = sending->edge;
    struct hub_channel *channel = sending->channel;
    const uint32_t kind = sending->broadcast->kind;
    uint64_t held_back = 0;
    for (uint32_t i = channel->subscribers.count; i-- > 0;) {
        struct subscription *at = *subscribers_at(&channel->subscribers, i);
        if (!subscription_is_receiver(at, kind)) {
            continue;
        }
        if (sending->has_publisher &&
            memcmp(at->conn->session->client_id, sending->publisher, CLIENT_ID_LEN) == 0) {
            at->has_base = false;
            continue;
        }
        if (at->is_filtered && kind == PUBLICATION_DATA &&
            !filters_let_publication_pass(edge, filter_of(edge, at), sending->tags)) {
            at->has_base = false;
            held_back++;
            continue;
        }
        const bool is_last = channel->subscribers.count == 1;
        if (!send_to(sending, at) && is_last) {
            break;
        }
    }
    actors_count_many(edge->actors, COUNTER_TAGS_FILTER_DROPPED, held_back);
}

/* The tags of a publication, from a frame in any protocol; false: memory is out. *larger is to be
 * freed. */
static bool read_tags(const struct arrival *part, struct scratch scratch, uint8_t **larger,
                      struct filter_tags *out)
{
    const enum client_protocol protocol =
        span_is_empty(arrival_frame(part, CLIENT_JSON)) ? CLIENT_PROTOBUF : CLIENT_JSON;
    struct client_push_parts parts;
    *larger = NULL;
    *out = (struct filter_tags){NULL, 0};
    if (!client_push_take_apart(protocol, websocket_frame_payload(arrival_frame(part, protocol)),
                                &parts)) {
        return true;
    }
    const size_t room = CLIENT_PUSH_TAGS_SCRATCH_LEN(parts.after.len);
    if (room > scratch_room(&scratch)) {
        *larger = malloc(room);
        if (*larger == NULL) {
            return false;
        }
        scratch = scratch_of(*larger, room);
    }
    return client_push_read_tags(protocol, &parts, &scratch, out) == FILTER_OK;
}

/* Who published it is not to get it back. */
static void find_publisher(struct sending *sending)
{
    const struct arrival *part = sending->broadcast->parts;
    const enum client_protocol protocol =
        span_is_empty(arrival_frame(part, CLIENT_JSON)) ? CLIENT_PROTOBUF : CLIENT_JSON;
    struct client_push_parts parts;
    sending->has_publisher =
        sending->broadcast->kind == PUBLICATION_DATA &&
        sending->channel->options->publish_without_echo &&
        client_push_take_apart(protocol, websocket_frame_payload(arrival_frame(part, protocol)),
                               &parts) &&
        client_id_parse(client_push_publisher(protocol, &parts), sending->publisher);
}

void tailored_send(struct edge *edge, struct hub_channel *channel, struct broadcast *broadcast)
{
    alignas(struct filter_tag) uint8_t room[2048];
    uint8_t *larger = NULL;
    struct filter_tags tags = {NULL, 0};
    struct sending sending;
    sending.edge = edge;
    sending.channel = channel;
    sending.broadcast = broadcast;
    sending.tags = &tags;
    for (uint32_t i = 0; i < DELTA_FORMS * CLIENT_PROTOCOLS; i++) {
        encoding_init(&sending.deltas[i / CLIENT_PROTOCOLS][i % CLIENT_PROTOCOLS]);
    }
    const bool has_tags =
        channel->tailored == NULL || channel->tailored->filtered == 0 ||
        broadcast->kind != PUBLICATION_DATA ||
        read_tags(broadcast->parts, scratch_of(room, sizeof(room)), &larger, &tags);
    find_publisher(&sending);
    filters_next_publication(edge);
    if (has_tags) {
        send_to_all(&sending);
    } else {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        broadcast_tell_gap(edge, channel);
    }
    for (uint32_t i = 0; i < DELTA_FORMS * CLIENT_PROTOCOLS; i++) {
        encoding_end(edge, &sending.deltas[i / CLIENT_PROTOCOLS][i % CLIENT_PROTOCOLS], broadcast);
    }
    free(larger);
}

/* ---- pages ---- */

/* Leaves what the filter lets pass. The newest of those alone, where only that is wanted: such a
 * page begins with the newest. */
static bool filter_page(struct edge *edge, const struct shared_filter *filter, bool is_cache,
                        struct stream_publications *publications)
{
    size_t kept = 0;
    for (size_t i = 0; i < publications->len && (kept == 0 || !is_cache); i++) {
        const struct span text = publications->items[i].tags;
        const size_t room = FILTER_TAGS_SCRATCH_LEN(text.len);
        struct filter_tags tags;
        uint8_t *larger = room > EDGE_SCRATCH_SIZE ? malloc(room) : NULL;
        struct scratch scratch = larger != NULL ? scratch_of(larger, room)
                                                : scratch_of(edge->scratch, EDGE_SCRATCH_SIZE);
        const bool is_read = filter_read_tags(text, &scratch, &tags) == FILTER_OK;
        if (is_read && filters_let_pass(filter, &tags)) {
            publications->items[kept++] = publications->items[i];
        }
        free(larger);
        if (!is_read) {
            return false;
        }
    }
    publications->len = kept;
    return true;
}

bool tailored_filter_page(struct edge *edge, const struct shared_filter *filter,
                          struct stream_publications *publications)
{
    return filter_page(edge, filter, false, publications);
}

bool tailored_make_page(struct edge *edge, const struct subscription *subscription,
                        uint32_t subscribed_flags, struct stream_publications *publications)
{
    const struct shared_filter *filter = filter_of(edge, subscription);
    if (filter != NULL &&
        !filter_page(edge, filter, (subscribed_flags & SUBSCRIBE_CACHE) != 0, publications)) {
        return false;
    }
    return !subscription->has_delta ||
           deltas_make_page(edge, connection_protocol(subscription->conn), publications);
}

/* Clients take differences to the last publication that they were told. Where the newest one that
 * is kept here is another, or they were told none, the next one is told whole. */
void tailored_on_told(struct subscription *subscription,
                      const struct stream_publications *publications)
{
    const struct tailored *tailored = subscription->channel->tailored;
    subscription->has_base =
        subscription->has_delta && publications->len > 0 && tailored->previous != NULL &&
        publications->items[publications->len - 1].offset == tailored->previous_offset;
}

/* Who filters, or does not get back what he publishes, has not all that others have. */
void tailored_on_following(struct edge *edge, struct subscription *subscription, struct buf *state,
                           struct buf *changes)
{
    const struct hub_channel *channel = subscription->channel;
    subscription->has_base = subscription->has_delta && !subscription->is_filtered &&
                             !channel->options->publish_without_echo;
    struct map_bases *bases = subscription->has_base ? bases_of(edge, channel->tailored) : NULL;
    if (bases != NULL) {
        map_bases_put_page(edge, bases, state);
        map_bases_put_page(edge, bases, changes);
    }
}
