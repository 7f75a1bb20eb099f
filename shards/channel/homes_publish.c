/* SPDX-License-Identifier: Apache-2.0 */
/* What is said in a channel: publications, and who comes and goes, to every shard that is
 * interested. */
#include "shards/channel/homes_state.h"
#include "shards/channel/push_frame.h"
#include "shards/limits.h"

/* ---- deliveries ---- */

/* What is said, for the shards of this node and for others. */
struct delivery {
    struct message_publication body; /* Its frames are NULL where no shard of this node wants it. */
    struct buf *values;              /* For the router; NULL: it wants none. */
};

static void delivery_release(const struct delivery *delivery)
{
    buf_release(delivery->body.frames);
    buf_release(delivery->values);
}

static bool is_router(const struct homes *homes, const struct interest *interest)
{
    return interest->shard == homes->actors->node->shards;
}

/* Is there anybody who hears of the channel, or who comes after it and will? */
static bool channel_is_heard(const struct channel *channel)
{
    return channel->interests_len > 0 || channel_came_lately(channel);
}

/* One message to each interested shard; takes over the caller's counts. */
static void homes_deliver(struct homes *homes, struct channel *channel,
                          const struct delivery *delivery, enum counter counter)
{
    struct outbox *outbox = homes->actors->outbox;
    const uint32_t len = channel->interests_len;
    struct interest *interests = channel_interests(channel);
    struct message_publication body = delivery->body;
    body.sequence = ++channel->sequence;
    body.sent_ns = homes->actors->shard->now_ns;
    if (channel_came_lately(channel)) {
        homes_note_told(homes, channel, &body, delivery->values);
    }
    for (uint32_t i = 0; i < len; i++) {
        body.frames = is_router(homes, &interests[i]) ? delivery->values : delivery->body.frames;
        if (!outbox_takes_delivery(outbox, interests[i].shard)) {
            /* The shard sees the gap in the sequence. */
            actors_count(homes->actors, COUNTER_OUTBOX_LOST);
            continue;
        }
        buf_share(body.frames, 1);
        OUTBOX_SEND(outbox, interests[i].shard, publication, interests[i].hub, &body);
    }
    delivery_release(delivery);
    actors_count_many(homes->actors, counter, len);
}

/* Encodes the push in what the shards want, JSON only where all of it is. False: memory is out. */
static bool homes_encode(const struct homes *homes, struct channel *channel,
                         const struct client_push *push, bool is_json, struct delivery *out)
{
    const struct interest *interests = channel_interests(channel);
    uint32_t shards = 0;
    uint32_t protocols = 0;
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        shards += !is_router(homes, &interests[i]);
        protocols |= interests[i].protocols;
    }
    if (!is_json) {
        protocols &= ~CLIENT_PROTOCOL_BIT(CLIENT_JSON);
    }
    if (shards > 0) {
        out->body.frames = push_frames_make(push, protocols, &out->body.protobuf_at);
    }
    const bool wants_values = shards < channel->interests_len || channel_came_lately(channel);
    if (wants_values) {
        out->values = push_values_make(push, is_json);
    }
    const bool is_whole =
        (shards == 0 || out->body.frames != NULL) && (!wants_values || out->values != NULL);
    if (!is_whole) {
        delivery_release(out);
    }
    return is_whole;
}

void homes_tell(struct homes *homes, struct channel *channel, const struct buf *identity,
                enum publication_kind kind)
{
    if (!channel_is_heard(channel)) {
        return;
    }
    char id_text[CLIENT_ID_TEXT_LEN];
    const struct client_info info = identity_info(identity, id_text);
    struct client_push push = {.channel = name_of(channel->name)};
    if (kind == PUBLICATION_JOIN) {
        push.kind = CLIENT_PUSH_JOIN;
        push.join = info;
    } else {
        push.kind = CLIENT_PUSH_LEAVE;
        push.leave = info;
    }
    struct delivery delivery = {.body.kind = (uint16_t)kind};
    if (!homes_encode(homes, channel, &push, identity_is_json(identity), &delivery)) {
        channel->sequence++; /* They see the gap. */
        if (channel_came_lately(channel)) {
            homes_forget_told(homes, channel);
        }
        actors_count_many(homes->actors, COUNTER_OUTBOX_LOST, channel->interests_len);
        return;
    }
    homes_deliver(homes, channel, &delivery,
                  kind == PUBLICATION_JOIN ? COUNTER_SENT_JOIN : COUNTER_SENT_LEAVE);
}

/* ---- publications ---- */

/* May each interested shard get one more delivery and still have the room that answers need? */
static bool homes_has_room(const struct homes *homes, struct channel *channel)
{
    const struct interest *interests = channel_interests(channel);
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        if (!outbox_takes_publication(homes->actors->outbox, interests[i].shard)) {
            return false;
        }
    }
    return true;
}

/* For those who want it now; its offset is 0 for a publication that is not kept. False: memory is
 * out. */
static bool homes_encode_publication(const struct homes *homes, struct channel *channel,
                                     const struct buf *identity,
                                     const struct publish_request *request,
                                     struct delivery *delivery)
{
    char id_text[CLIENT_ID_TEXT_LEN];
    uint8_t epoch_room[EPOCH_TEXT_LEN_MAX];
    struct client_info info;
    struct client_push push = {
        .kind = CLIENT_PUSH_PUBLICATION,
        .channel = name_of(channel->name),
        .publication = {.data = request->data,
                        .tags = request->tags,
                        .channel = request->is_passed_on ? request->channel : SPAN_EMPTY,
                        .key = request->key,
                        .score = request->score,
                        .removed = request->is_removed},
    };
    bool is_json = !request->is_binary;
    if (span_is_empty(request->key)) {
        push.publication.version = request->version; /* Versions of keys are not told. */
    }
    const bool is_placed = (delivery->body.flags & PUBLICATION_UNPLACED) == 0;
    if (is_placed) {
        push.publication.offset = delivery->body.offset;
    }
    if (is_placed && delivery->body.offset == 1) {
        delivery->body.epoch = channel->epoch;
        push.publication.epoch = epoch_format(channel->epoch, epoch_room);
    }
    if (identity != NULL) {
        info = identity_info(identity, id_text);
        push.publication.info = &info;
        is_json = is_json && identity_is_json(identity);
    }
    return homes_encode(homes, channel, &push, is_json, delivery);
}

/* Gives it its offset; keeps it where that is wanted. False: memory is out. */
static bool homes_keep(struct homes *homes, struct channel_stream *stream,
                       const struct message_publish *publish)
{
    if (publish->history_size > 0) {
        return channel_stream_append(homes->streams, stream, publish);
    }
    channel_stream_pass(homes->streams, stream, publish->meta_ttl_s);
    return true;
}

static enum counter counter_of(const struct publish_request *request)
{
    if (span_is_empty(request->key)) {
        return COUNTER_SENT_PUBLICATION;
    }
    return request->is_removed ? COUNTER_SENT_MAP_REMOVAL : COUNTER_SENT_MAP_PUBLICATION;
}

static uint16_t flags_of(const struct message_publish *publish,
                         const struct publish_request *request)
{
    const bool is_unplaced = !span_is_empty(request->key) && publish->history_size == 0;
    return (uint16_t)((request->wants_delta ? PUBLICATION_DELTA : 0u) |
                      (is_unplaced ? PUBLICATION_UNPLACED : 0u));
}

/* Its place in the stream (none: 0), or why there is none: 0, or an enum client_error. */
static uint32_t homes_prepare(struct homes *homes, struct channel *channel,
                              const struct message_publish *publish,
                              const struct publish_request *request, uint64_t *offset)
{
    const bool is_of_map = !span_is_empty(request->key);
    *offset = 0;
    if (!request->is_passed_on && !homes_has_room(homes, channel)) {
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    if (publish->history_size > 0 || is_of_map) {
        const struct channel_stream *stream = homes_stream_of(homes, channel, publish->meta_ttl_s);
        if (stream == NULL) {
            return CLIENT_ERROR_INTERNAL;
        }
        *offset = stream->history.offset + 1;
    }
    return is_of_map ? homes_prepare_key(homes, channel, publish, request) : 0;
}

static bool homes_is_outdated(struct homes *homes, const struct channel *channel,
                              const struct message_publish *publish,
                              const struct publish_request *request)
{
    const bool is_outdated =
        publish->history_size > 0 && channel->stream != NULL && request->version != 0 &&
        span_is_empty(request->key) && !request->is_passed_on &&
        history_has_version(&channel->stream->history, request->version, request->version_epoch);
    if (is_outdated) {
        homes_count_suppressed(homes, request, SUPPRESS_VERSION);
    }
    return is_outdated;
}

uint32_t homes_publish(struct homes *homes, struct channel *channel,
                       const struct message_publish *publish, const struct publish_request *request)
{
    struct delivery delivery = {.body.kind = PUBLICATION_DATA,
                                .body.flags = flags_of(publish, request)};
    const uint32_t error = homes_prepare(homes, channel, publish, request, &delivery.body.offset);
    if (error != 0 || homes_is_outdated(homes, channel, publish, request)) {
        return error;
    }
    if (channel_is_heard(channel) &&
        !homes_encode_publication(homes, channel, publish->identity, request, &delivery)) {
        return CLIENT_ERROR_INTERNAL;
    }
    if (delivery.body.offset != 0 && !homes_keep(homes, channel->stream, publish)) {
        delivery_release(&delivery);
        return CLIENT_ERROR_INTERNAL;
    }
    if (!span_is_empty(request->key)) {
        homes_apply_key(homes, channel, publish, request);
    } else if (publish->history_size > 0 && request->version != 0 && !request->is_passed_on) {
        history_set_version(&channel->stream->history, request->version, request->version_epoch);
    }
    if (channel_is_heard(channel)) {
        homes_deliver(homes, channel, &delivery, counter_of(request));
    } else {
        channel->sequence++;
    }
    return 0;
}

/* True: it was made, and is not one that was made before. */
static bool homes_answer_publish(struct homes *homes, const struct message_publish *body,
                                 const struct publish_request *request,
                                 struct message_published *answer)
{
    /* Where nobody wants it, and it is not to be kept, it goes nowhere. */
    struct channel *channel = body->history_size == 0 ? homes_find(homes, request->channel)
                                                      : homes_find_or_open(homes, request->channel);
    if (channel == NULL) {
        answer->error = body->history_size > 0 ? CLIENT_ERROR_INTERNAL : 0;
        homes_note_missed(homes, request->channel, false);
        return answer->error == 0;
    }
    const uint64_t offset = channel_offset(channel);
    answer->epoch = channel->epoch;
    answer->error = homes_publish(homes, channel, body, request);
    if (body->history_size > 0 && answer->error == 0) {
        answer->offset = channel_offset(channel);
    }
    homes_settle_channel(homes, channel);
    return answer->error == 0 && (body->history_size == 0 || answer->offset != offset);
}

/* And to the wildcards that stand for the channel. */
static void homes_publish_once(struct homes *homes, const struct message_publish *body,
                               const struct publish_request *request,
                               struct message_published *answer)
{
    struct pass_plan plan;
    if (body->wildcards == 0) {
        (void)homes_answer_publish(homes, body, request, answer);
    } else if (!homes_passing_plan(homes, body, request, &plan)) {
        answer->error = CLIENT_ERROR_TOO_MANY_REQUESTS;
    } else if (homes_answer_publish(homes, body, request, answer)) {
        homes_passing_send(homes, body, request, &plan);
    } else {
        homes_passing_drop(homes, &plan);
    }
}

/* Did it come before? Not into a map that was cleared since. */
static bool homes_had_before(const struct homes *homes, const struct publish_request *request,
                             struct stream_position *known)
{
    if (span_is_empty(request->idempotency_key) ||
        !idempotency_find(homes->idempotency, request->channel, request->idempotency_key,
                          homes->actors->shard->now_ms, known)) {
        return false;
    }
    const struct channel *channel = homes_find(homes, request->channel);
    return span_is_empty(request->key) || (channel != NULL && channel->epoch == known->epoch);
}

void homes_on_publish(struct homes *homes, const struct message *message)
{
    const struct message_publish body = message_as_publish(message);
    const struct publish_request request = publish_request_of(body.request);
    const uint64_t now_ms = homes->actors->shard->now_ms;
    const bool is_once = !span_is_empty(request.idempotency_key);
    struct message_published answer = {.cookie = body.cookie, .origin = body.origin};
    struct stream_position known;
    if (!homes_admit(homes, message, request.channel)) {
        return;
    }
    if (homes_had_before(homes, &request, &known)) {
        homes_count_suppressed(homes, &request, SUPPRESS_IDEMPOTENCY);
        answer.offset = known.offset;
        answer.epoch = known.epoch;
        answer.suppressed = SUPPRESS_IDEMPOTENCY;
    } else {
        if (span_is_empty(request.key)) {
            homes_publish_once(homes, &body, &request, &answer);
        } else {
            homes_publish_key(homes, &body, &request, &answer);
        }
        if (is_once && answer.error == 0 && answer.suppressed == 0) {
            known = (struct stream_position){answer.offset, answer.epoch};
            idempotency_add(homes->idempotency, request.channel, request.idempotency_key, now_ms,
                            known);
        }
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, published, message->handle, &answer);
    message_release(message);
}
