/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of channels at home: publications with a key, what is read of them, keys that end. */
#include "shards/channel/homes_state.h"
#include "shards/limits.h"

struct map_state *homes_map_of(struct homes *homes, struct channel *channel)
{
    if (channel->map == NULL) {
        channel->map = map_state_open(homes->maps, channel->presence.handle);
    }
    return channel->map;
}

/* ---- what is not published ---- */

void homes_count_suppressed(struct homes *homes, const struct publish_request *request,
                            enum suppress_reason reason)
{
    static const enum counter of_streams[] = {
        [SUPPRESS_IDEMPOTENCY] = COUNTER_SUPPRESSED_IDEMPOTENCY,
        [SUPPRESS_VERSION] = COUNTER_SUPPRESSED_VERSION,
    };
    static const enum counter of_maps[] = {
        [SUPPRESS_IDEMPOTENCY] = COUNTER_MAP_SUPPRESSED_IDEMPOTENCY,
        [SUPPRESS_VERSION] = COUNTER_MAP_SUPPRESSED_VERSION,
        [SUPPRESS_KEY_EXISTS] = COUNTER_MAP_SUPPRESSED_KEY_EXISTS,
        [SUPPRESS_KEY_NOT_FOUND] = COUNTER_MAP_SUPPRESSED_KEY_NOT_FOUND,
    };
    static const enum counter of_removals[] = {
        [SUPPRESS_IDEMPOTENCY] = COUNTER_MAP_REMOVE_SUPPRESSED_IDEMPOTENCY,
        [SUPPRESS_KEY_NOT_FOUND] = COUNTER_MAP_REMOVE_SUPPRESSED_KEY_NOT_FOUND,
    };
    const enum counter *counters = span_is_empty(request->key) ? of_streams
                                   : request->is_removed       ? of_removals
                                                               : of_maps;
    actors_count(homes->actors, counters[reason]);
}

/* Is the key's publication as new, or newer? An empty epoch compares the version alone. */
static bool is_outdated(const struct map_entry *entry, const struct publish_request *request)
{
    const struct publish_request known = publish_request_of(entry->request);
    return request->version != 0 && request->version <= known.version &&
           (span_is_empty(request->version_epoch) ||
            span_equal(request->version_epoch, known.version_epoch));
}

static enum suppress_reason judge(const struct map_entry *entry,
                                  const struct publish_request *request)
{
    if (request->is_removed) {
        return entry == NULL ? SUPPRESS_KEY_NOT_FOUND : SUPPRESS_NONE;
    }
    if (entry != NULL && is_outdated(entry, request)) {
        return SUPPRESS_VERSION;
    }
    switch (request->key_mode) {
    case KEY_IF_NEW:
    case KEY_KEEP:
        return entry != NULL ? SUPPRESS_KEY_EXISTS : SUPPRESS_NONE;
    case KEY_IF_EXISTS:
        return entry == NULL ? SUPPRESS_KEY_NOT_FOUND : SUPPRESS_NONE;
    default:
        return SUPPRESS_NONE;
    }
}

/* ---- publications ---- */

uint32_t homes_prepare_key(struct homes *homes, struct channel *channel,
                           const struct message_publish *publish,
                           const struct publish_request *request)
{
    if (request->is_removed) {
        return 0;
    }
    switch (map_state_prepare(homes->maps, channel->map, publish->request, publish->identity)) {
    case MAP_OK:
        return 0;
    case MAP_ERROR_KEYS:
        actors_count(homes->actors, COUNTER_MAP_REFUSED_KEYS);
        return CLIENT_ERROR_LIMIT_EXCEEDED;
    case MAP_ERROR_SIZE:
        actors_count(homes->actors, COUNTER_MAP_REFUSED_SIZE);
        return CLIENT_ERROR_LIMIT_EXCEEDED;
    case MAP_ERROR_SHARD:
        actors_count(homes->actors, COUNTER_MAP_REFUSED_MEMORY);
        return CLIENT_ERROR_LIMIT_EXCEEDED;
    default:
        return CLIENT_ERROR_INTERNAL;
    }
}

/* The publication as the key's, with a count: where it has no version, the one that the key had
 * stays, so that what is older is still known to be. */
static struct buf *state_of(const struct map_entry *entry, const struct message_publish *publish,
                            const struct publish_request *request)
{
    struct publish_request kept = *request;
    struct buf *made = NULL;
    if (entry != NULL && request->version == 0) {
        const struct publish_request known = publish_request_of(entry->request);
        kept.version = known.version;
        kept.version_epoch = known.version_epoch;
    }
    if (kept.version != request->version) {
        made = publish_request_make(&kept);
    }
    if (made == NULL) {
        made = publish->request;
        buf_share(made, 1);
    }
    return made;
}

void homes_apply_key(struct homes *homes, struct channel *channel,
                     const struct message_publish *publish, const struct publish_request *request)
{
    struct map_state *map = channel->map;
    struct map_entry *entry = map_state_find(map, request->key);
    if (request->is_removed) {
        map_state_remove(homes->maps, map, entry, publish->request, channel_offset(channel));
        return;
    }
    const struct map_put put = {
        .request = state_of(entry, publish, request),
        .identity = publish->identity,
        .offset = channel_offset(channel),
        .ttl_ms = publish->key_ttl_ms,
    };
    map_state_put(homes->maps, map, &put);
    buf_release(put.request);
}

/* Who removes a key says no tags: those of the key stand for it, so that whoever was told of the
 * key is told of its end. 0, or an enum client_error. */
static uint32_t homes_remove_key(struct homes *homes, struct channel *channel,
                                 const struct message_publish *publish,
                                 const struct map_entry *entry)
{
    const struct publish_request known = publish_request_of(entry->request);
    const struct publish_request removal = {
        .channel = name_of(channel->name),
        .key = known.key,
        .tags = known.tags,
        .time_ms = homes->actors->shard->wall_ms,
        .is_removed = true,
    };
    struct message_publish body = *publish;
    body.request = publish_request_make(&removal);
    if (body.request == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    const struct publish_request made = publish_request_of(body.request);
    const uint32_t error = homes_publish(homes, channel, &body, &made);
    buf_release(body.request);
    return error;
}

static void homes_change_key(struct homes *homes, struct channel *channel,
                             const struct message_publish *publish,
                             const struct publish_request *request,
                             struct message_published *answer)
{
    struct map_state *map = channel->map;
    struct map_entry *entry = map_state_find(map, request->key);
    map->stream_size = publish->history_size;
    map->stream_ttl_s = publish->history_ttl_s;
    answer->suppressed = judge(entry, request);
    if (answer->suppressed != SUPPRESS_NONE) {
        homes_count_suppressed(homes, request, (enum suppress_reason)answer->suppressed);
        if (request->key_mode == KEY_KEEP && entry != NULL) {
            map_state_keep(homes->maps, map, entry, publish->key_ttl_ms);
        }
    } else if (request->is_removed) {
        answer->error = homes_remove_key(homes, channel, publish, entry);
    } else {
        answer->error = homes_publish(homes, channel, publish, request);
    }
    answer->epoch = channel->epoch;
    answer->offset = publish->history_size > 0 ? channel_offset(channel) : 0;
}

void homes_publish_key(struct homes *homes, const struct message_publish *publish,
                       const struct publish_request *request, struct message_published *answer)
{
    struct channel *channel = homes_find(homes, request->channel);
    if (channel == NULL && request->is_removed) {
        answer->suppressed = SUPPRESS_KEY_NOT_FOUND;
        homes_count_suppressed(homes, request, SUPPRESS_KEY_NOT_FOUND);
        return;
    }
    channel = channel != NULL ? channel : homes_find_or_open(homes, request->channel);
    if (channel == NULL) {
        answer->error = CLIENT_ERROR_INTERNAL;
        return;
    }
    if (homes_stream_of(homes, channel, publish->meta_ttl_s) == NULL ||
        homes_map_of(homes, channel) == NULL) {
        answer->error = CLIENT_ERROR_INTERNAL;
    } else {
        homes_change_key(homes, channel, publish, request, answer);
    }
    homes_settle_channel(homes, channel);
}

/* ---- what is read ---- */

/* 0, or an enum client_error. */
static uint32_t homes_read_map(struct homes *homes, struct channel *channel,
                               const struct message_map_ask *ask, struct message_map_page *answer)
{
    const struct channel_stream *stream = homes_stream_of(homes, channel, ask->meta_ttl_s);
    if (stream == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    answer->newest = (struct stream_position){stream->history.offset, channel->epoch};
    if (ask->epoch != 0 && ask->epoch != channel->epoch) {
        return CLIENT_ERROR_UNRECOVERABLE_POSITION;
    }
    if (channel->map == NULL) {
        return 0;
    }
    const struct map_query query = {
        .key = span_of_buf(ask->cursor),
        .is_one = (ask->flags & MAP_ASK_KEY) != 0,
        .limit = ask->limit,
        .bytes_max = ask->bytes_max,
    };
    bool is_more;
    answer->keys = channel->map->len;
    if (!map_state_read(channel->map, &query, &answer->page, &is_more)) {
        return CLIENT_ERROR_INTERNAL;
    }
    answer->is_more = is_more;
    return 0;
}

/* 0, or an enum client_error. */
static uint32_t homes_answer_map(struct homes *homes, const struct message_map_ask *ask,
                                 struct message_map_page *answer)
{
    struct channel *channel = homes_find(homes, name_of(ask->channel));
    if ((ask->flags & MAP_ASK_CLEAR) != 0) {
        if (channel != NULL) {
            homes_end_tenure(homes, channel);
        }
        return 0;
    }
    channel = channel != NULL ? channel : homes_open_channel(homes, ask->channel);
    if (channel == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    const uint32_t error = homes_read_map(homes, channel, ask, answer);
    homes_settle_channel(homes, channel);
    return error;
}

void homes_on_map_ask(struct homes *homes, const struct message *message)
{
    const struct message_map_ask body = message_as_map_ask(message);
    struct message_map_page answer = {.cookie = body.cookie, .origin = body.origin};
    if (!homes_admit(homes, message, name_of(body.channel))) {
        return;
    }
    answer.error = homes_answer_map(homes, &body, &answer);
    OUTBOX_SEND(homes->actors->outbox, message->from, map_page, message->handle, &answer);
    message_release(message);
}

void homes_answer_changes(const struct channel *channel, const struct message_subscribe *ask,
                          struct message_subscribed *answer)
{
    const uint64_t offset = channel_offset(channel);
    const bool is_epoch = ask->since.epoch == 0 || ask->since.epoch == channel->epoch;
    answer->newest = (struct stream_position){.offset = offset, .epoch = channel->epoch};
    if ((ask->flags & SUBSCRIBE_RECOVERABLE) == 0 || (ask->flags & SUBSCRIBE_RECOVER) == 0) {
        return;
    }
    if (is_epoch && ask->since.offset <= offset &&
        map_state_changes(channel->map, ask->since.offset, ask->limit, ask->bytes_max,
                          &answer->page)) {
        answer->flags |= SUBSCRIBED_RECOVERED;
    } else if ((ask->flags & SUBSCRIBE_REJECT_UNRECOVERED) != 0) {
        answer->flags |= SUBSCRIBED_REJECTED;
    }
}

/* ---- keys that end ---- */

void homes_on_map_timer(struct homes *homes, struct map_state *map)
{
    struct channel *channel = pool_get(homes->pool, map->channel);
    const struct map_entry *entry;
    uint32_t ended = 0;
    bool is_refused = channel_is_on_its_way(channel);
    const struct message_publish removal = {
        .history_size = map->stream_size,
        .history_ttl_s = map->stream_ttl_s,
        .meta_ttl_s = channel->stream->meta_ttl_s,
    };
    while (!is_refused && ended < MAP_SWEEP_KEYS &&
           (entry = map_state_expired(homes->maps, map)) != NULL) {
        /* Mostly since a shard takes no more for now. */
        is_refused = homes_remove_key(homes, channel, &removal, entry) != 0;
        ended += !is_refused;
    }
    actors_count_many(homes->actors, COUNTER_MAP_EXPIRED, ended);
    if (is_refused) {
        map_state_retry(homes->maps, map, MAP_SWEEP_MS);
    } else if (ended == MAP_SWEEP_KEYS) {
        map_state_retry(homes->maps, map, 0);
    } else {
        map_state_schedule(homes->maps, map);
    }
    homes_settle_channel(homes, channel);
}
