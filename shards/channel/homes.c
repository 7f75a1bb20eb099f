/* SPDX-License-Identifier: Apache-2.0 */
/* Channels by name, each with the shards that are interested in it and with its presence. */
#include "shards/channel/homes.h"

#include <stdlib.h>

#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/channel/presence.h"
#include "shards/channel/push_frame.h"
#include "shards/limits.h"
#include "shards/payloads.h"

/* A shard that wants the channel's publications. */
struct interest {
    uint64_t sequence; /* Of the newest message to it. */
    uint32_t hub;      /* The handle of the channel in that shard's hub. */
    uint16_t shard;
    uint16_t protocols; /* A set: in which it wants them. */
};

enum { INTERESTS_FEW = 2 };

struct channel {
    struct buf *name;
    uint64_t epoch; /* Of this tenure: from the channel's creation until nobody wants it. */
    struct presence_channel presence; /* Its handle is the channel's in the pool. */
    uint16_t interests_len;
    uint16_t interests_room; /* Of `many`; 0: they are in `few`. */
    union {
        struct interest few[INTERESTS_FEW];
        struct interest *many;
    } interests;
};

struct homes {
    struct actors *actors;
    struct pool *pool;
    struct map *channels;
    struct presence *presence;
};

static struct map_key channel_key(const void *object)
{
    const struct channel *channel = object;
    return (struct map_key){channel->name->bytes, channel->name->len};
}

struct homes *homes_create(struct actors *actors, uint32_t channels_max)
{
    struct homes *homes = calloc(1, sizeof(*homes));
    if (homes == NULL) {
        return NULL;
    }
    homes->actors = actors;
    homes->pool = pool_create(sizeof(struct channel), channels_max);
    homes->channels = map_create(channel_key, &actors->shard->random);
    homes->presence = presence_create(&actors->shard->random, PRESENCE_ENTRIES_A_SHARD_MAX);
    if (homes->pool == NULL || homes->channels == NULL || homes->presence == NULL) {
        homes_destroy(homes);
        return NULL;
    }
    return homes;
}

/* ---- interests ---- */

static struct interest *channel_interests(struct channel *channel)
{
    return channel->interests_room == 0 ? channel->interests.few : channel->interests.many;
}

static struct interest *channel_find_interest(struct channel *channel, uint32_t shard)
{
    struct interest *interests = channel_interests(channel);
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        if (interests[i].shard == shard) {
            return &interests[i];
        }
    }
    return NULL;
}

static bool channel_grow_interests(struct channel *channel)
{
    const uint32_t room =
        channel->interests_room == 0 ? 2 * INTERESTS_FEW : 2u * channel->interests_room;
    struct interest *many = calloc(room, sizeof(*many));
    if (many == NULL) {
        return false;
    }
    memcpy(many, channel_interests(channel), channel->interests_len * sizeof(*many));
    if (channel->interests_room != 0) {
        free(channel->interests.many);
    }
    channel->interests.many = many;
    channel->interests_room = (uint16_t)room;
    return true;
}

/* Registers the shard, or renews what it registered. False: memory is out. */
static bool channel_add_interest(struct channel *channel, const struct message *message,
                                 const struct message_subscribe *body)
{
    const uint16_t shard = message->from;
    struct interest *interest = channel_find_interest(channel, shard);
    if (interest == NULL) {
        const uint32_t room =
            channel->interests_room == 0 ? INTERESTS_FEW : channel->interests_room;
        if (channel->interests_len == room && !channel_grow_interests(channel)) {
            return false;
        }
        interest = &channel_interests(channel)[channel->interests_len++];
        *interest = (struct interest){.shard = shard};
    } else if ((body->flags & SUBSCRIBE_FIRST) != 0) {
        interest->sequence = 0;
    }
    interest->hub = message->handle;
    interest->protocols |= (uint16_t)flags_protocols(body->flags);
    return true;
}

static void channel_remove_interest(struct channel *channel, uint32_t shard)
{
    struct interest *interest = channel_find_interest(channel, shard);
    if (interest != NULL) {
        *interest = channel_interests(channel)[--channel->interests_len];
    }
}

static void channel_drop_protocols(struct channel *channel, uint32_t shard, uint32_t protocols)
{
    struct interest *interest = channel_find_interest(channel, shard);
    if (interest != NULL) {
        interest->protocols &= (uint16_t)~protocols;
    }
}

/* In which a publication has to be encoded, for all shards together. */
static uint32_t channel_protocols(struct channel *channel)
{
    const struct interest *interests = channel_interests(channel);
    uint32_t protocols = 0;
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        protocols |= interests[i].protocols;
    }
    return protocols;
}

/* ---- life of a channel ---- */

/* NULL: there are too many, or memory is out. */
static struct channel *homes_open_channel(struct homes *homes, struct buf *name)
{
    struct actors *actors = homes->actors;
    uint32_t handle;
    struct channel *channel = pool_take(homes->pool, &handle);
    if (channel == NULL) {
        actors_count(actors, COUNTER_CHANNELS_REFUSED);
        return NULL;
    }
    channel->name = name;
    if (!map_insert(homes->channels, channel)) {
        pool_put(homes->pool, handle);
        actors_count(actors, COUNTER_CHANNELS_REFUSED);
        return NULL;
    }
    buf_share(name, 1);
    channel->epoch = random_next(&actors->shard->random) | 1;
    presence_channel_init(&channel->presence, handle);
    actors_gauge_add(actors, COUNTER_NUM_CHANNELS, 1);
    return channel;
}

static void homes_free_channel(struct homes *homes, struct channel *channel)
{
    presence_clear(homes->presence, &channel->presence);
    map_remove(homes->channels, channel);
    if (channel->interests_room != 0) {
        free(channel->interests.many);
    }
    buf_release(channel->name);
    pool_put(homes->pool, channel->presence.handle);
}

static void homes_close_channel_if_idle(struct homes *homes, struct channel *channel)
{
    if (channel->interests_len == 0 && channel->presence.clients == 0) {
        homes_free_channel(homes, channel);
        actors_gauge_add(homes->actors, COUNTER_NUM_CHANNELS, -1);
    }
}

void homes_destroy(struct homes *homes)
{
    if (homes == NULL) {
        return;
    }
    if (homes->channels != NULL) {
        size_t cursor = 0;
        struct channel *channel;
        while ((channel = map_next(homes->channels, &cursor)) != NULL) {
            homes_free_channel(homes, channel);
        }
        map_destroy(homes->channels);
    }
    presence_destroy(homes->presence);
    pool_destroy(homes->pool);
    free(homes);
}

static struct channel *homes_find(const struct homes *homes, struct span name)
{
    return map_find(homes->channels, name.at, name.len);
}

static struct span name_of(const struct buf *buf)
{
    return span_of(buf->bytes, buf->len);
}

static void homes_update_presence_gauge(struct homes *homes)
{
    stats_set(homes->actors->shard->stats, COUNTER_NUM_PRESENCE_ENTRIES,
              presence_count(homes->presence));
}

/* ---- deliveries ---- */

/* One message to each interested shard, of which there is one at least; takes over the caller's
 * count of the frames. */
static void homes_deliver(struct homes *homes, struct channel *channel,
                          const struct message_publication *publication, enum counter counter)
{
    struct outbox *outbox = homes->actors->outbox;
    const uint32_t len = channel->interests_len;
    struct interest *interests = channel_interests(channel);
    buf_share(publication->frames, len - 1);
    for (uint32_t i = 0; i < len; i++) {
        struct message_publication body = *publication;
        body.sequence = ++interests[i].sequence;
        body.sent_ns = homes->actors->shard->now_ns;
        if (outbox_waiting(outbox, interests[i].shard) >= OUTBOX_DELIVERIES_MAX) {
            /* The shard sees the gap in the sequence. */
            buf_release(body.frames);
            actors_count(homes->actors, COUNTER_OUTBOX_LOST);
            continue;
        }
        OUTBOX_SEND(outbox, interests[i].shard, publication, interests[i].hub, &body);
    }
    actors_count_many(homes->actors, counter, len);
}

/* Encodes the push in what the shards want, JSON only where all of it is. False: memory is out. */
static bool homes_encode(struct channel *channel, const struct client_push *push, bool is_json,
                         struct message_publication *body)
{
    uint32_t protocols = channel_protocols(channel);
    if (!is_json) {
        protocols &= ~CLIENT_PROTOCOL_BIT(CLIENT_JSON);
    }
    body->frames = push_frames_make(push, protocols, &body->protobuf_at);
    return body->frames != NULL;
}

/* Tells the interested shards that a client came or went. */
static void homes_tell(struct homes *homes, struct channel *channel, const struct buf *identity,
                       enum publication_kind kind)
{
    if (channel->interests_len == 0) {
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
    struct message_publication body = {.kind = (uint32_t)kind};
    if (!homes_encode(channel, &push, identity_is_json(identity), &body)) {
        for (uint32_t i = 0; i < channel->interests_len; i++) {
            channel_interests(channel)[i].sequence++;
        }
        actors_count_many(homes->actors, COUNTER_OUTBOX_LOST, channel->interests_len);
        return;
    }
    homes_deliver(homes, channel, &body,
                  kind == PUBLICATION_JOIN ? COUNTER_SENT_JOIN : COUNTER_SENT_LEAVE);
}

/* ---- messages ---- */

/* 0, or an enum client_error: then nothing was registered. */
static uint32_t homes_subscribe(struct homes *homes, struct channel *channel,
                                const struct message_subscribe *body, const struct message *message)
{
    const bool is_new = channel_find_interest(channel, message->from) == NULL;
    if (!channel_add_interest(channel, message, body)) {
        return CLIENT_ERROR_INTERNAL;
    }
    if ((body->flags & SUBSCRIBE_PRESENCE) != 0) {
        buf_share(body->identity, 1);
        if (!presence_enter(homes->presence, &channel->presence, body->identity)) {
            buf_release(body->identity);
            if (is_new) {
                channel_remove_interest(channel, message->from);
            }
            return CLIENT_ERROR_INTERNAL;
        }
        homes_update_presence_gauge(homes);
    }
    return 0;
}

void homes_on_subscribe(struct homes *homes, const struct message *message)
{
    const struct message_subscribe body = message_as_subscribe(message);
    struct message_subscribed answer = {
        .connection = body.connection,
        .error = CLIENT_ERROR_INTERNAL,
        .flags = body.flags,
    };
    BUG_IF(body.identity == NULL && (body.flags & (SUBSCRIBE_PRESENCE | SUBSCRIBE_JOIN)) != 0);
    struct channel *channel = homes_find(homes, name_of(body.channel));
    if (channel == NULL) {
        channel = homes_open_channel(homes, body.channel);
    }
    if (channel != NULL) {
        answer.error = homes_subscribe(homes, channel, &body, message);
        answer.newest.epoch = channel->epoch;
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, subscribed, message->handle, &answer);
    if (answer.error == 0 && (body.flags & SUBSCRIBE_JOIN) != 0) {
        homes_tell(homes, channel, body.identity, PUBLICATION_JOIN);
    }
    if (channel != NULL) {
        homes_close_channel_if_idle(homes, channel);
    }
    message_release(message);
}

void homes_on_unsubscribe(struct homes *homes, const struct message *message)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
    struct channel *channel = homes_find(homes, name_of(body.channel));
    BUG_IF(body.identity == NULL && (body.flags & (UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE)) != 0);
    if (channel != NULL) {
        if ((body.flags & UNSUBSCRIBE_LAST) != 0) {
            channel_remove_interest(channel, message->from);
        } else if (flags_protocols(body.flags) != 0) {
            channel_drop_protocols(channel, message->from, flags_protocols(body.flags));
        }
        if ((body.flags & UNSUBSCRIBE_PRESENCE) != 0) {
            presence_leave(homes->presence, &channel->presence, identity_of(body.identity).client);
            homes_update_presence_gauge(homes);
        }
        if ((body.flags & UNSUBSCRIBE_LEAVE) != 0) {
            homes_tell(homes, channel, body.identity, PUBLICATION_LEAVE);
        }
        homes_close_channel_if_idle(homes, channel);
    }
    message_release(message);
}

/* May each interested shard get one more delivery and still have the room that answers need? */
static bool homes_has_room(const struct homes *homes, struct channel *channel)
{
    const struct interest *interests = channel_interests(channel);
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        if (outbox_room(homes->actors->outbox, interests[i].shard) <= HOME_ROOM_RESERVED) {
            return false;
        }
    }
    return true;
}

/* 0, or an enum client_error: then nobody gets it. */
static uint32_t homes_publish(struct homes *homes, struct channel *channel,
                              const struct publish_request *request, const struct buf *identity)
{
    if (!homes_has_room(homes, channel)) {
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    char id_text[CLIENT_ID_TEXT_LEN];
    struct client_info info;
    struct client_push push = {
        .kind = CLIENT_PUSH_PUBLICATION,
        .channel = request->channel,
        .publication = {.data = request->data, .tags = request->tags},
    };
    bool is_json = !request->is_binary;
    if (identity != NULL) {
        info = identity_info(identity, id_text);
        push.publication.info = &info;
        is_json = is_json && identity_is_json(identity);
    }
    struct message_publication body = {.kind = PUBLICATION_DATA};
    if (!homes_encode(channel, &push, is_json, &body)) {
        return CLIENT_ERROR_INTERNAL;
    }
    homes_deliver(homes, channel, &body, COUNTER_SENT_PUBLICATION);
    return 0;
}

void homes_on_publish(struct homes *homes, const struct message *message)
{
    const struct message_publish body = message_as_publish(message);
    const struct publish_request request = publish_request_of(body.request);
    struct message_published answer = {.cookie = body.cookie, .origin = body.origin};
    struct channel *channel = homes_find(homes, request.channel);
    if (channel != NULL) {
        answer.epoch = channel->epoch;
        if (channel->interests_len > 0) {
            answer.error = homes_publish(homes, channel, &request, body.identity);
        }
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, published, message->handle, &answer);
    message_release(message);
}

void homes_on_presence_ask(struct homes *homes, const struct message *message)
{
    const struct message_presence_ask body = message_as_presence_ask(message);
    struct message_presence answer = {
        .cookie = body.cookie,
        .origin = body.origin,
        .stats_only = body.stats_only,
    };
    struct channel *channel = homes_find(homes, name_of(body.channel));
    if (channel != NULL) {
        answer.clients = channel->presence.clients;
        answer.users = channel->presence.users;
        if (!body.stats_only) {
            answer.snapshot = presence_list(&channel->presence);
            if (answer.snapshot == NULL && answer.clients > 0) {
                answer.error = CLIENT_ERROR_INTERNAL;
            }
        }
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, presence, message->handle, &answer);
    message_release(message);
}
