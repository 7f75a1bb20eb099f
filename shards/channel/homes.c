/* SPDX-License-Identifier: Apache-2.0 */
/* Channels by name, each with the shards that are interested in it, its presence and its stream. */
#include <assert.h>
#include <stdlib.h>

#include "shards/channel/homes_state.h"
#include "shards/limits.h"

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
    homes_occupancy_init(homes);
    homes->pool = pool_create(sizeof(struct channel), channels_max);
    homes->channels = map_create(channel_key, &actors->shard->random);
    homes->presence = presence_create(&actors->shard->random, PRESENCE_ENTRIES_A_SHARD_MAX);
    homes->streams = channel_streams_create(actors, actors->options->history_memory_limit /
                                                        actors->node->shards);
    homes->maps = map_states_create(actors);
    homes->idempotency = idempotency_create(&actors->shard->random, IDEMPOTENCY_KEYS_A_SHARD_MAX);
    const bool is_moving = homes_handovers_init(homes) && homes_missed_init(homes) &&
                           homes_held_init(homes) && homes_wildcards_init(homes) &&
                           homes_passing_init(homes) && homes_heard_init(homes);
    if (!is_moving || homes->pool == NULL || homes->channels == NULL || homes->presence == NULL ||
        homes->streams == NULL || homes->maps == NULL || homes->idempotency == NULL) {
        homes_destroy(homes);
        return NULL;
    }
    return homes;
}

void homes_trim(struct homes *homes)
{
    pool_trim(homes->pool);
    presence_trim(homes->presence);
    channel_streams_trim(homes->streams);
}

/* ---- interests ---- */

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
    }
    interest->hub = message->handle;
    interest->protocols |= (uint16_t)flags_protocols(body->flags);
    return true;
}

/* Of that hub channel: an end that went another way may come behind a new beginning. False: there
 * is none. */
static bool channel_remove_interest(struct channel *channel, uint32_t shard, uint32_t hub)
{
    struct interest *interest = channel_find_interest(channel, shard);
    if (interest == NULL || interest->hub != hub) {
        return false;
    }
    *interest = channel_interests(channel)[--channel->interests_len];
    return true;
}

static void channel_drop_protocols(struct channel *channel, uint32_t shard, uint32_t protocols)
{
    struct interest *interest = channel_find_interest(channel, shard);
    if (interest != NULL) {
        interest->protocols &= (uint16_t)~protocols;
    }
}

/* ---- life of a channel ---- */

void homes_free_channel(struct homes *homes, struct channel *channel)
{
    if (channel->handover != NULL) {
        homes_handover_end(homes, channel);
    }
    homes_forget_occupancy(channel);
    presence_clear(homes->presence, &channel->presence);
    if (channel->stream != NULL) {
        channel_stream_close(homes->streams, channel->stream);
    }
    if (channel->map != NULL) {
        map_state_close(homes->maps, channel->map);
    }
    homes_forget_wildcard(homes, channel);
    homes_heard_closed(homes, name_of(channel->name));
    map_remove(homes->channels, channel);
    if (channel->interests_room != 0) {
        free(channel->interests.many);
    }
    buf_release(channel->name);
    pool_put(homes->pool, channel->presence.handle);
}

void homes_forget_channel(struct homes *homes, struct channel *channel)
{
    homes_note_ended(homes, channel);
    homes_free_channel(homes, channel);
}

/* A place for one more channel: if need be, that of the one which has been idle for longest. */
static struct channel *homes_take_channel(struct homes *homes, uint32_t *handle)
{
    struct channel *channel = pool_take(homes->pool, handle);
    struct channel *idle =
        channel != NULL ? NULL : pool_get(homes->pool, channel_streams_oldest_idle(homes->streams));
    if (idle == NULL) {
        return channel;
    }
    actors_count(homes->actors, COUNTER_HISTORY_STREAMS_EVICTED);
    homes_forget_channel(homes, idle);
    return pool_take(homes->pool, handle);
}

struct channel *homes_open_channel(struct homes *homes, struct buf *name)
{
    struct actors *actors = homes->actors;
    uint32_t handle;
    struct channel *channel = homes_take_channel(homes, &handle);
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
    homes_heard_opened(homes, name_of(name));
    channel->epoch = random_next(&actors->shard->random) | 1;
    presence_channel_init(&channel->presence, handle);
    return channel;
}

struct channel *homes_find_or_open(struct homes *homes, struct span name)
{
    struct channel *channel = homes_find(homes, name);
    struct buf *copy = channel != NULL ? NULL : buf_copy(name.at, name.len);
    if (copy != NULL) {
        channel = homes_open_channel(homes, copy);
        buf_release(copy);
    }
    return channel;
}

void homes_settle_channel(struct homes *homes, struct channel *channel)
{
    const bool is_wanted = channel->interests_len > 0 || channel->presence.clients > 0;
    const bool was_wanted = channel->is_wanted;
    if (is_wanted != was_wanted) {
        channel->is_wanted = is_wanted;
        actors_gauge_add(homes->actors, COUNTER_NUM_CHANNELS, is_wanted ? 1 : -1);
    }
    if (homes->actors->webhooks != NULL) {
        homes_settle_occupancy(homes, channel, was_wanted);
    }
    const bool is_idle = !is_wanted && !channel->is_occupied;
    if (channel->stream != NULL) {
        const bool has_keys = channel->map != NULL && channel->map->len > 0;
        channel_stream_set_idle(homes->streams, channel->stream, is_idle && !has_keys);
    } else if (is_idle && homes_may_end(homes, channel)) {
        homes_forget_channel(homes, channel);
    }
}

struct channel_stream *homes_stream_of(struct homes *homes, struct channel *channel,
                                       uint32_t meta_ttl_s)
{
    if (channel->stream == NULL) {
        channel->stream = channel_stream_open(homes->streams, channel->presence.handle);
    }
    if (channel->stream != NULL) {
        channel_stream_touch(homes->streams, channel->stream, meta_ttl_s);
    }
    return channel->stream;
}

void homes_on_stream_timer(struct homes *homes, struct channel_stream *stream)
{
    if (channel_stream_expire(homes->streams, stream)) {
        homes_forget_channel(homes, pool_get(homes->pool, stream->channel));
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
    homes_held_destroy(homes);
    homes_passing_destroy(homes);
    homes_wildcards_destroy(homes);
    homes_heard_destroy(homes);
    homes_handovers_destroy(homes);
    homes_missed_destroy(homes);
    homes_occupancy_destroy(homes);
    presence_destroy(homes->presence);
    early_ends_release(&homes->ended_presence);
    early_ends_release(&homes->ended_interest);
    channel_streams_destroy(homes->streams);
    map_states_destroy(homes->maps);
    idempotency_destroy(homes->idempotency);
    origins_clear(&homes->origins);
    pool_destroy(homes->pool);
    free(homes);
}

void homes_update_presence_gauge(struct homes *homes)
{
    stats_set(homes->actors->shard->stats, COUNTER_NUM_PRESENCE_ENTRIES,
              presence_count(homes->presence));
}

/* ---- messages ---- */

/* Where the channel is, and what the subscriber missed. 0, or an enum client_error. */
static uint32_t homes_answer_position(struct homes *homes, struct channel *channel,
                                      const struct message_subscribe *body,
                                      struct message_subscribed *answer)
{
    if ((body->flags & SUBSCRIBE_POSITIONED) == 0) {
        answer->newest = (struct stream_position){channel_offset(channel), channel->epoch};
        return 0;
    }
    const struct channel_stream *stream = homes_stream_of(homes, channel, body->meta_ttl_s);
    if (stream == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    const bool recovers =
        (body->flags & SUBSCRIBE_RECOVERABLE) != 0 && (body->flags & SUBSCRIBE_RECOVER) != 0;
    actors_count_action(homes->actors, !recovers ? ACTION_HISTORY_STREAM_TOP
                                       : (body->flags & SUBSCRIBE_CACHE) != 0
                                           ? ACTION_HISTORY_RECOVER_CACHE
                                           : ACTION_HISTORY_RECOVER);
    if (channel_is_streamless(channel)) {
        homes_answer_changes(channel, body, answer);
    } else {
        channel_stream_answer(stream, channel->epoch, body, answer);
    }
    return 0;
}

static_assert((int)EARLY_END_WHO_LEN == (int)CLIENT_ID_LEN, "clients are known by their ids");

static void name_registration(const struct message *message, uint8_t who[EARLY_END_WHO_LEN])
{
    memset(who, 0, EARLY_END_WHO_LEN);
    memcpy(who, &message->from, sizeof(message->from));
    memcpy(who + sizeof(message->from), &message->handle, sizeof(message->handle));
}

static void homes_end_registration(struct homes *homes, struct channel *channel,
                                   const struct message *message,
                                   const struct message_unsubscribe *body)
{
    const bool was_registered =
        channel != NULL && channel_remove_interest(channel, message->from, message->handle);
    const bool made_detour = (body->flags & FLAGS_DETOUR) != 0;
    if (!was_registered && !made_detour && homes->actors->options->cluster.enabled) {
        uint8_t who[EARLY_END_WHO_LEN];
        name_registration(message, who);
        early_ends_note(&homes->ended_interest, body->channel, who, homes->actors->shard->now_ms);
    }
}

/* It made a detour, and the shard has ended it meanwhile and said so straight. */
static bool homes_has_ended_registration(const struct homes *homes, const struct message *message,
                                         const struct message_subscribe *body)
{
    uint8_t who[EARLY_END_WHO_LEN];
    name_registration(message, who);
    return (body->flags & FLAGS_DETOUR) != 0 &&
           early_ends_have(&homes->ended_interest, name_of(body->channel), who,
                           homes->actors->shard->now_ms);
}

/* 0, or an enum client_error: then nothing was registered. */
static uint32_t homes_subscribe(struct homes *homes, struct channel *channel,
                                const struct message_subscribe *body, const struct message *message)
{
    const struct interest *interest = channel_find_interest(channel, message->from);
    const bool is_new = interest == NULL;
    if ((body->flags & SUBSCRIBE_FIRST) == 0 && (is_new || interest->hub != message->handle)) {
        /* Its registration ended while this was on its way; whoever asked hears that, too. */
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    if (homes_has_ended_registration(homes, message, body)) {
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    if ((body->flags & SUBSCRIBE_WILDCARD) != 0 && !homes_add_wildcard(homes, channel)) {
        return CLIENT_ERROR_INTERNAL;
    }
    if (!channel_add_interest(channel, message, body)) {
        return CLIENT_ERROR_INTERNAL;
    }
    if ((body->flags & SUBSCRIBE_PRESENCE) != 0) {
        buf_share(body->identity, 1);
        if (!presence_enter(homes->presence, &channel->presence, body->identity, body->origin,
                            (body->flags & FLAGS_DETOUR) != 0)) {
            buf_release(body->identity);
            if (is_new) {
                (void)channel_remove_interest(channel, message->from, message->handle);
            }
            return CLIENT_ERROR_INTERNAL;
        }
        actors_count_action(homes->actors, ACTION_ADD_PRESENCE);
        homes_update_presence_gauge(homes);
    }
    return 0;
}

/* It made a detour, and its client has gone meanwhile and said so straight. */
static bool homes_has_ended(const struct homes *homes, const struct message_subscribe *body)
{
    return (body->flags & FLAGS_DETOUR) != 0 && body->identity != NULL &&
           early_ends_have(&homes->ended_presence, name_of(body->channel),
                           identity_of(body->identity).client, homes->actors->shard->now_ms);
}

static void homes_on_subscribe(struct homes *homes, const struct message *message)
{
    struct message_subscribe body = message_as_subscribe(message);
    struct message_subscribed answer = {
        .since_offset = body.since.offset,
        .subscription = body.subscription,
        .error = CLIENT_ERROR_INTERNAL,
        .flags = body.flags,
    };
    BUG_IF(body.identity == NULL && (body.flags & (SUBSCRIBE_PRESENCE | SUBSCRIBE_JOIN)) != 0);
    if (!homes_admit(homes, message, name_of(body.channel)) ||
        !homes_heard_admit(homes, message, name_of(body.channel))) {
        return;
    }
    struct channel *channel = homes_find(homes, name_of(body.channel));
    if (channel == NULL) {
        channel = homes_open_channel(homes, body.channel);
    }
    if (channel != NULL) {
        answer.error = homes_answer_position(homes, channel, &body, &answer);
        if ((answer.flags & SUBSCRIBED_REJECTED) != 0 || homes_has_ended(homes, &body)) {
            body.flags &= ~(uint32_t)(SUBSCRIBE_PRESENCE | SUBSCRIBE_JOIN);
        }
        if (answer.error == 0) {
            answer.error = homes_subscribe(homes, channel, &body, message);
        }
    }
    if (answer.error != 0) {
        stream_page_release(answer.page);
        answer.page = NULL;
    }
    answer.sequence = channel == NULL ? 0 : channel->sequence;
    const bool is_behind = answer.error == 0 && (body.flags & SUBSCRIBE_AGAIN) != 0 &&
                           homes_knows_since(channel, body.since, &answer.newest.offset);
    if (is_behind) {
        answer.sequence = body.since.offset;
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, subscribed, message->handle, &answer);
    if (is_behind) {
        homes_tell_since(homes, channel, answer.sequence, message);
    }
    if (answer.error == 0 && (body.flags & SUBSCRIBE_JOIN) != 0) {
        homes_tell(homes, channel, body.identity, PUBLICATION_JOIN);
    }
    if (channel != NULL) {
        homes_settle_channel(homes, channel);
    }
    message_release(message);
}

/* The client is present no more, and will not be by a beginning that is still on its way. Returns
 * whether it was. */
static bool homes_leave_presence(struct homes *homes, struct channel *channel,
                                 const struct message_unsubscribe *body)
{
    const bool made_detour = (body->flags & FLAGS_DETOUR) != 0;
    const uint8_t *client = identity_of(body->identity).client;
    const bool was_present =
        channel != NULL && presence_leave(homes->presence, &channel->presence, client, made_detour);
    if (!was_present && !made_detour && (body->flags & UNSUBSCRIBE_REFUSED) == 0 &&
        homes->actors->options->cluster.enabled) {
        early_ends_note(&homes->ended_presence, body->channel, client,
                        homes->actors->shard->now_ms);
    }
    actors_count_action(homes->actors, ACTION_REMOVE_PRESENCE);
    homes_update_presence_gauge(homes);
    return was_present;
}

void homes_unsubscribe(struct homes *homes, const struct message *message, bool is_told)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
    struct channel *channel = homes_find(homes, name_of(body.channel));
    const bool was_present =
        (body.flags & UNSUBSCRIBE_PRESENCE) != 0 && homes_leave_presence(homes, channel, &body);
    const bool was_refused = (body.flags & UNSUBSCRIBE_REFUSED) != 0;
    if ((body.flags & UNSUBSCRIBE_LAST) != 0) {
        homes_end_registration(homes, channel, message, &body);
    }
    if (channel != NULL) {
        if ((body.flags & UNSUBSCRIBE_LAST) == 0 && flags_protocols(body.flags) != 0) {
            channel_drop_protocols(channel, message->from, flags_protocols(body.flags));
        }
        if ((body.flags & UNSUBSCRIBE_LEAVE) != 0 && is_told && (was_present || !was_refused)) {
            homes_tell(homes, channel, body.identity, PUBLICATION_LEAVE);
        }
        homes_settle_channel(homes, channel);
    }
    message_release(message);
}

static void homes_on_unsubscribe(struct homes *homes, const struct message *message)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
    BUG_IF(body.identity == NULL && (body.flags & (UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE)) != 0);
    if (homes_admit(homes, message, name_of(body.channel)) &&
        homes_heard_admit(homes, message, name_of(body.channel))) {
        homes_unsubscribe(homes, message, true);
    }
}

/* 0, or an enum client_error. */
static uint32_t homes_answer_history(struct homes *homes, const struct message_history_ask *body,
                                     struct message_history *answer)
{
    struct channel *channel = homes_find(homes, name_of(body->channel));
    if (channel == NULL) {
        channel = homes_open_channel(homes, body->channel);
    }
    if (channel == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    struct channel_stream *stream = homes_stream_of(homes, channel, body->meta_ttl_s);
    if (stream != NULL && (body->flags & HISTORY_REMOVE) != 0) {
        channel_stream_remove(homes->streams, stream);
    }
    if (stream != NULL) {
        channel_stream_read(stream, channel->epoch, body, answer);
    }
    homes_settle_channel(homes, channel);
    return stream == NULL ? CLIENT_ERROR_INTERNAL : answer->error;
}

static void homes_on_history_ask(struct homes *homes, const struct message *message)
{
    const struct message_history_ask body = message_as_history_ask(message);
    struct message_history answer = {.cookie = body.cookie, .origin = body.origin};
    if (!homes_admit(homes, message, name_of(body.channel)) ||
        !homes_heard_admit(homes, message, name_of(body.channel))) {
        return;
    }
    actors_count_action(homes->actors, (body.flags & HISTORY_REMOVE) != 0 ? ACTION_HISTORY_REMOVE
                                                                          : ACTION_HISTORY);
    answer.error = homes_answer_history(homes, &body, &answer);
    OUTBOX_SEND(homes->actors->outbox, message->from, history, message->handle, &answer);
    message_release(message);
}

static void homes_on_presence_ask(struct homes *homes, const struct message *message)
{
    const struct message_presence_ask body = message_as_presence_ask(message);
    struct message_presence answer = {
        .cookie = body.cookie,
        .origin = body.origin,
        .stats_only = body.stats_only,
    };
    if (!homes_admit(homes, message, name_of(body.channel))) {
        return;
    }
    actors_count_action(homes->actors, body.stats_only ? ACTION_PRESENCE_STATS : ACTION_PRESENCE);
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

void homes_on_message(struct homes *homes, const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBE:
        homes_on_subscribe(homes, message);
        break;
    case MESSAGE_UNSUBSCRIBE:
        homes_on_unsubscribe(homes, message);
        break;
    case MESSAGE_PUBLISH:
        homes_on_publish(homes, message);
        break;
    case MESSAGE_PRESENCE_ASK:
        homes_on_presence_ask(homes, message);
        break;
    case MESSAGE_HISTORY_ASK:
        homes_on_history_ask(homes, message);
        break;
    case MESSAGE_MAP_ASK:
        homes_on_map_ask(homes, message);
        break;
    case MESSAGE_PASS_ON:
        homes_on_pass_on(homes, message);
        break;
    case MESSAGE_PASSED_ON:
        homes_on_passed_on(homes, message);
        break;
    case MESSAGE_CHANNEL_MOVE:
        homes_on_channel_move(homes, message);
        break;
    case MESSAGE_CHANNEL_TAKEN:
        homes_on_channel_taken(homes, message);
        break;
    case MESSAGE_SLOTS_READY:
        homes_on_slots_ready(homes, message);
        break;
    case MESSAGE_SLOTS_MISSED:
        homes_on_slots_missed(homes, message);
        break;
    case MESSAGE_SLOTS_NOTED:
        homes_on_slots_noted(homes, message);
        break;
    case MESSAGE_SURVEY:
        homes_on_survey(homes, message);
        break;
    case MESSAGE_SURVEY_RESULT:
        homes_on_survey_result(homes, message);
        break;
    default:
        BUG_IF(true); /* Not in the catalogue as a message to a home. */
    }
}
