/* SPDX-License-Identifier: Apache-2.0 */
/* What a poller tells of keys, on its way to those who track them: each form is made once. */
#include "shards/edge/fanout/broadcast_frames.h"
#include "shards/edge/fanout/deltas.h"
#include "shards/edge/polls/key_poller.h"
#include "shards/edge/polls/tracking_state.h"

/* As clients are told: like publications, or to those that take deltas the whole payload or the
 * difference to the one before. */
enum form { FORM_PLAIN, FORM_WHOLE, FORM_DELTA, FORMS };

/* One item on its way. */
struct delivery {
    struct edge *edge;
    struct tracked_channel *channel;
    struct poll_item item;
    struct buf *base; /* What was told before, of which `base_version` is; NULL: not known. */
    uint64_t base_version;
    struct encoding encodings[CLIENT_PROTOCOLS][FORMS];
    bool tried[CLIENT_PROTOCOLS][FORMS];
};

static void delivery_begin(struct delivery *delivery, struct edge *edge,
                           struct tracked_channel *channel, const struct buf *item)
{
    *delivery = (struct delivery){.edge = edge, .channel = channel, .item = poll_item_of(item)};
}

static void delivery_end(struct delivery *delivery)
{
    const struct broadcast as_one = {.parts_len = 1, .kind = PUBLICATION_DATA};
    for (uint32_t protocol = 0; protocol < CLIENT_PROTOCOLS; protocol++) {
        for (uint32_t form = 0; form < FORMS; form++) {
            encoding_end(delivery->edge, &delivery->encodings[protocol][form], &as_one);
        }
    }
}

/* NULL: memory is out. */
static struct frame *make_plain(const struct delivery *delivery, const struct poll_item *item,
                                enum client_protocol protocol)
{
    const struct client_push push = {
        .kind = CLIENT_PUSH_PUBLICATION,
        .channel = span_of_buf(delivery->channel->name),
        .publication = {.data = item->data,
                        .key = item->key,
                        .version = item->version,
                        .removed = item->removed},
    };
    uint32_t protobuf_at;
    struct buf *frames = push_frames_make(&push, CLIENT_PROTOCOL_BIT(protocol), &protobuf_at);
    return frames == NULL ? NULL : frame_wrap(frames, 0, frames->len);
}

static struct encoding *encoding_of(struct delivery *delivery, enum client_protocol protocol,
                                    enum form form)
{
    struct encoding *encoding = &delivery->encodings[protocol][form];
    if (delivery->tried[protocol][form]) {
        return encoding;
    }
    delivery->tried[protocol][form] = true;
    if (form == FORM_PLAIN) {
        encoding->plain = make_plain(delivery, &delivery->item, protocol);
        return encoding;
    }
    const struct frame *plain = encoding_of(delivery, protocol, FORM_PLAIN)->plain;
    struct frame *base = NULL;
    if (form == FORM_DELTA) {
        const struct poll_item before = poll_item_of(delivery->base);
        base = make_plain(delivery, &before, protocol);
    }
    if (plain != NULL) {
        encoding->plain =
            deltas_make_frame(delivery->edge, protocol, span_of(plain->bytes, plain->len),
                              base == NULL
                                  ? SPAN_EMPTY
                                  : deltas_payload_of(protocol, span_of(base->bytes, base->len)));
    }
    if (base != NULL) {
        frame_release(base);
    }
    return encoding;
}

static enum form form_for(const struct delivery *delivery, const struct tracked *tracked)
{
    if (!tracked->follower->has_delta || delivery->item.removed) {
        return FORM_PLAIN;
    }
    return tracked->has_base && delivery->base != NULL && tracked->version == delivery->base_version
               ? FORM_DELTA
               : FORM_WHOLE;
}

/* The client may be gone behind it. */
static void send_item(struct delivery *delivery, struct tracked *tracked)
{
    struct edge *edge = delivery->edge;
    struct connection *conn = tracked->follower->conn;
    const enum client_protocol protocol = connection_protocol(conn);
    if (delivery->item.is_binary && protocol == CLIENT_JSON) {
        session_disconnect(edge, conn->session, CLIENT_DISCONNECT_INAPPROPRIATE_PROTOCOL,
                           SPAN_EMPTY);
        return;
    }
    struct encoding *encoding = encoding_of(delivery, protocol, form_for(delivery, tracked));
    struct frame *frame = encoding->plain == NULL ? NULL : encoding_frame_for(edge, encoding, conn);
    tracked->version = delivery->item.version;
    tracked->has_base = true;
    if (frame == NULL || !connection_send_shared(edge, conn, frame)) {
        session_disconnect(edge, conn->session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
    }
}

void tracking_deliver(struct edge *edge, struct tracked *tracked)
{
    struct tracked_key *key = tracked->key;
    if (key->item == NULL || poll_item_of(key->item).version <= tracked->version) {
        return;
    }
    struct delivery delivery;
    struct buf *item = key->item;
    struct tracked_channel *channel = key->channel;
    buf_share(item, 1); /* The key may go with the client. */
    delivery_begin(&delivery, edge, channel, item);
    send_item(&delivery, tracked);
    delivery_end(&delivery);
    buf_release(item);
}

/* To all who have less. Whoever takes nothing goes, and the key with the last one, so it is held
 * meanwhile. */
static void deliver_to_all(struct tracked_key *key, struct delivery *delivery)
{
    struct list left;
    list_init(&left);
    for (struct list *at; (at = list_take_first(&key->tracked)) != NULL;) {
        list_append(&left, at);
    }
    while (!list_is_empty(&left)) {
        struct tracked *tracked = CONTAINER_OF(list_take_first(&left), struct tracked, of_key);
        list_append(&key->tracked, &tracked->of_key);
        if (delivery->item.removed || tracked->version < delivery->item.version) {
            send_item(delivery, tracked);
        }
    }
}

/* There is no such key any more: those who track it are told, and do so no longer. */
static void drop_all(struct edge *edge, struct tracked_key *key, struct survey_channels *gone)
{
    while (!list_is_empty(&key->tracked)) {
        tracking_drop(edge, CONTAINER_OF(key->tracked.next, struct tracked, of_key), gone);
    }
}

static void take_item(struct edge *edge, struct tracked_key *key, struct buf *item, bool is_kept)
{
    struct tracked_channel *channel = key->channel;
    struct survey_channels gone = {0};
    struct delivery delivery;
    delivery_begin(&delivery, edge, channel, item);
    if (key->item != NULL && delivery.item.version <= poll_item_of(key->item).version &&
        !delivery.item.removed) {
        return; /* It came before. */
    }
    delivery.base = key->item;
    delivery.base_version = key->item == NULL ? 0 : poll_item_of(key->item).version;
    key->item = NULL;
    if (is_kept) {
        buf_share(item, 1);
        key->item = item;
    }
    key->holders++;
    deliver_to_all(key, &delivery);
    if (delivery.item.removed) {
        drop_all(edge, key, &gone);
    }
    delivery_end(&delivery);
    buf_release(delivery.base);
    tracking_release_key(edge, key, &gone);
    tracking_tell_gone(edge, channel, &gone);
}

static struct tracked_channel *channel_of(const struct edge *edge, const struct buf *name)
{
    return map_find(edge->tracking->channels, name->bytes, name->len);
}

static void on_update(struct edge *edge, const struct message *message)
{
    const struct message_poll_update body = message_as_poll_update(message);
    const struct tracked_channel *channel = channel_of(edge, body.channel);
    const struct span name = poll_item_of(body.item).key;
    struct tracked_key *key = channel == NULL ? NULL : map_find(channel->keys, name.at, name.len);
    if (key != NULL) {
        take_item(edge, key, body.item, body.is_kept);
    }
}

/* ---- epochs ---- */

static bool is_same_text(const struct buf *a, const struct buf *b)
{
    return span_equal(span_of_buf(a), span_of_buf(b));
}

/* Those who were told of another epoch, or of none, have to begin anew: so their clients learn of
 * this one, and give up the versions that they have. The channel outlives them for a while, and
 * with them goes all that is kept. */
static void end_followers(struct edge *edge, struct tracked_channel *channel)
{
    struct list left;
    list_init(&left);
    for (struct list *at; (at = list_take_first(&channel->followers)) != NULL;) {
        list_append(&left, at);
    }
    while (!list_is_empty(&left)) {
        struct follower *follower = CONTAINER_OF(list_take_first(&left), struct follower, link);
        list_append(&channel->followers, &follower->link);
        if (follower->is_told && !is_same_text(follower->epoch, channel->epoch)) {
            hub_unsubscribe_push(edge, pool_get(edge->subscriptions, follower->subscription),
                                 CLIENT_UNSUBSCRIBE_INSUFFICIENT_STATE);
        }
    }
}

static void on_epoch(struct edge *edge, const struct message *message)
{
    const struct message_poll_epoch body = message_as_poll_epoch(message);
    struct tracked_channel *channel = channel_of(edge, body.channel);
    if (channel != NULL && !is_same_text(channel->epoch, body.epoch)) {
        buf_release(channel->epoch);
        channel->epoch = body.epoch;
        if (body.epoch != NULL) {
            buf_share(body.epoch, 1);
        }
        end_followers(edge, channel);
    }
}

void tracking_on_message(struct edge *edge, const struct message *message)
{
    if (message->type == MESSAGE_POLL_UPDATE) {
        on_update(edge, message);
    } else {
        on_epoch(edge, message);
    }
    message_release(message);
}
