/* SPDX-License-Identifier: Apache-2.0 */
/* Channels and keys of a poller: who wants them, and when they are asked for. */
#include <stdlib.h>
#include <string.h>

#include "codec/http1.h"
#include "codec/proxy_poll.h"
#include "shards/edge/polls/key_poller_state.h"
#include "shards/edge/session/permissions.h"
#include "shards/payloads.h"

static struct map_key key_of_channel(const void *object)
{
    const struct polled_channel *channel = object;
    return (struct map_key){channel->name->bytes, channel->name->len};
}

static struct map_key key_of_key(const void *object)
{
    const struct polled_key *key = object;
    return (struct map_key){key->name->bytes, key->name->len};
}

struct key_poller *key_poller_create(struct edge *edge)
{
    struct key_poller *poller = calloc(1, sizeof(*poller));
    if (poller == NULL) {
        return NULL;
    }
    const uint32_t limit = edge->options->shared_poll_concurrency_limit;
    const uint32_t share = (limit == 0 ? POLLS_A_NODE : limit) / edge->options->shards;
    poller->edge = edge;
    poller->under_way_max = share == 0 ? 1 : share < POLLS_A_SHARD_MAX ? share : POLLS_A_SHARD_MAX;
    poller->channels = map_create(key_of_channel, &edge->shard->random);
    poller->polls = pool_create(sizeof(struct key_poll), POLLS_A_SHARD_MAX);
    list_init(&poller->waiting);
    if (poller->channels == NULL || poller->polls == NULL) {
        key_poller_destroy(poller);
        return NULL;
    }
    return poller;
}

void key_poller_make_epoch(const struct edge *edge, uint8_t out[KEY_POLLER_EPOCH_LEN])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    static const uint8_t key[16];
    const char *uid = edge->actors->node->uid;
    uint64_t bits = map_hash_bytes(key, uid, strlen(uid));
    for (size_t i = 0; i < KEY_POLLER_EPOCH_LEN; i++, bits >>= 5) {
        out[i] = (uint8_t)letters[bits & 31];
    }
}

/* ---- channels ---- */

/* Its keys have their turn again. */
void key_poller_end_poll(struct key_poll *poll)
{
    struct polled_channel *channel = poll->channel;
    struct key_poller *poller = channel->poller;
    for (struct list *at; (at = list_take_first(&poll->keys)) != NULL;) {
        struct polled_key *key = CONTAINER_OF(at, struct polled_key, link);
        key->is_idle = true;
        list_append(&channel->idle, &key->link);
    }
    list_remove(&poll->link);
    poller->under_way--;
    pool_put(poller->polls, poll->handle);
    actors_gauge_add(poller->edge->actors, COUNTER_OF(PROXY_INFLIGHT, key_poller_use(channel), 0),
                     -1);
}

static void channel_free(struct polled_channel *channel)
{
    struct key_poller *poller = channel->poller;
    size_t cursor = 0;
    struct polled_key *key;
    while ((key = map_next(channel->keys, &cursor)) != NULL) {
        key_poller_forget_key(key);
    }
    while (!list_is_empty(&channel->polls)) {
        struct key_poll *poll = CONTAINER_OF(channel->polls.next, struct key_poll, link);
        backends_cancel(poller->edge->backends, poll->request);
        key_poller_end_poll(poll);
    }
    timer_stop(poller->edge->shard->timers, &channel->timer);
    list_remove(&channel->waiting);
    map_remove(poller->channels, channel);
    map_destroy(channel->keys);
    buf_release(channel->name);
    buf_release(channel->epoch);
    free(channel);
    actors_gauge_add(poller->edge->actors, COUNTER_SHARED_POLL_CHANNELS, -1);
}

void key_poller_destroy(struct key_poller *poller)
{
    if (poller == NULL) {
        return;
    }
    size_t cursor = 0;
    struct polled_channel *channel;
    while (poller->channels != NULL && (channel = map_next(poller->channels, &cursor)) != NULL) {
        channel_free(channel);
    }
    map_destroy(poller->channels);
    pool_destroy(poller->polls);
    free(poller);
}

struct polled_channel *key_poller_find(const struct edge *edge, struct span channel)
{
    return map_find(edge->key_poller->channels, channel.at, channel.len);
}

/* ---- time ---- */

static void channel_on_timer(struct timer *timer, void *context);

/* In how many each key has its turn. */
static uint64_t batches_of(const struct polled_channel *channel)
{
    const uint64_t batch = channel->options->refresh_batch_size;
    return (map_count(channel->keys) + batch - 1) / batch;
}

/* The time between two batches, so that each key has its turn once in an interval. */
static void channel_schedule(struct polled_channel *channel)
{
    const struct shared_poll_options *options = channel->options;
    struct shard *shard = channel->poller->edge->shard;
    const uint64_t batches = batches_of(channel);
    const uint64_t in_ms =
        batches == 0 ? options->channel_shutdown_delay_ms : options->refresh_interval_ms / batches;
    timer_set(shard->timers, &channel->timer, shard->now_ms + (in_ms == 0 ? 1 : in_ms),
              channel_on_timer);
}

/* The next batch of idle keys. Those that were published meanwhile wait for their next turn. */
static void channel_take_turn(struct polled_channel *channel)
{
    uint32_t left = channel->options->refresh_batch_size;
    uint64_t looked_at = map_count(channel->keys);
    while (left > 0 && looked_at-- > 0 && !list_is_empty(&channel->idle)) {
        struct polled_key *key = CONTAINER_OF(channel->idle.next, struct polled_key, link);
        if (key->is_published) {
            key->is_published = false;
            list_remove(&key->link);
            list_append(&channel->idle, &key->link);
        } else {
            key_poller_make_due(key);
        }
        left--;
    }
}

/* A cycle is as many turns as there are batches; metrics want its time. */
static void channel_count_turn(struct polled_channel *channel)
{
    const uint64_t now_ns = channel->poller->edge->shard->now_ns;
    if (channel->cycle_turns_left == 0) {
        channel->cycle_turns_left = batches_of(channel);
        channel->cycle_since_ns = now_ns;
    }
    channel->cycle_turns_left--;
    channel->cycle_ends = channel->cycle_turns_left == 0;
    channel->cycle_spread_ns = now_ns - channel->cycle_since_ns;
}

static void channel_on_timer(struct timer *timer, void *context)
{
    struct polled_channel *channel = CONTAINER_OF(timer, struct polled_channel, timer);
    (void)context;
    if (map_count(channel->keys) == 0) {
        channel_free(channel);
        return;
    }
    channel_count_turn(channel);
    channel_take_turn(channel);
    key_poller_begin(channel);
    channel_schedule(channel);
}

/* ---- keys ---- */

static struct polled_channel *channel_create(struct key_poller *poller, struct buf *name)
{
    const struct channel_options *options =
        permissions_find_channel(poller->edge->options, span_of_buf(name));
    struct polled_channel *channel =
        options == NULL || options->shared_poll.proxy == NULL ? NULL : calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return NULL;
    }
    channel->poller = poller;
    channel->name = name;
    channel->options = &options->shared_poll;
    channel->keys = map_create(key_of_key, &poller->edge->shard->random);
    list_init(&channel->idle);
    list_init(&channel->due);
    list_init(&channel->polls);
    if (channel->keys == NULL || !map_insert(poller->channels, channel)) {
        map_destroy(channel->keys);
        free(channel);
        return NULL;
    }
    buf_share(name, 1);
    actors_gauge_add(poller->edge->actors, COUNTER_SHARED_POLL_CHANNELS, 1);
    return channel;
}

static struct polled_key *key_create(struct polled_channel *channel, struct span name)
{
    struct polled_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return NULL;
    }
    key->channel = channel;
    key->name = buf_copy(name.at, name.len);
    if (key->name == NULL || !map_insert(channel->keys, key)) {
        buf_release(key->name);
        free(key);
        return NULL;
    }
    key->is_idle = true;
    list_append(&channel->idle, &key->link);
    actors_gauge_add(channel->poller->edge->actors, COUNTER_SHARED_POLL_KEYS, 1);
    return key;
}

void key_poller_forget_item(struct polled_key *key)
{
    if (key->item != NULL) {
        struct key_poller *poller = key->channel->poller;
        poller->kept_bytes -= key->item->len;
        actors_gauge_add(poller->edge->actors, COUNTER_SHARED_POLL_KEPT_BYTES,
                         -(int64_t)key->item->len);
        buf_release(key->item);
        key->item = NULL;
    }
}

void key_poller_forget_key(struct polled_key *key)
{
    struct polled_channel *channel = key->channel;
    key_poller_forget_item(key);
    for (uint32_t shard = 0; shard < channel->poller->edge->options->shards; shard++) {
        channel->shards[shard] -= (key->shards[shard / 64] >> shard % 64 & 1) != 0;
    }
    list_remove(&key->link);
    map_remove(channel->keys, key);
    buf_release(key->name);
    free(key);
    actors_gauge_add(channel->poller->edge->actors, COUNTER_SHARED_POLL_KEYS, -1);
}

void key_poller_make_due(struct polled_key *key)
{
    struct polled_channel *channel = key->channel;
    if (!key->is_idle) {
        return;
    }
    if (list_is_empty(&channel->due)) {
        channel->due_since_ns = channel->poller->edge->shard->now_ns;
    }
    key->is_idle = false;
    key->is_published = false;
    list_remove(&key->link);
    list_append(&channel->due, &key->link);
}

/* ---- who wants them ---- */

static void key_add_shard(struct polled_key *key, uint32_t shard)
{
    const uint64_t bit = 1ull << shard % 64;
    if ((key->shards[shard / 64] & bit) == 0) {
        key->shards[shard / 64] |= bit;
        key->channel->shards[shard]++;
    }
}

/* Makes the key due at once: its shard has nothing of it. */
static void key_hurry(struct polled_key *key)
{
    actors_count(key->channel->poller->edge->actors, COUNTER_SHARED_POLL_NOTIFIED);
    key->channel->trigger = POLL_BY_NOTIFICATION;
    key_poller_make_due(key);
}

void key_poller_tell_shard(struct polled_key *key, uint32_t shard)
{
    struct edge *edge = key->channel->poller->edge;
    if (key->item == NULL || !outbox_takes_delivery(edge->actors->outbox, shard)) {
        key->is_owed = key->version > 0;
        key_hurry(key);
        return;
    }
    const struct message_poll_update body = {.channel = key->channel->name,
                                             .item = key->item,
                                             .is_kept = true};
    buf_share(body.channel, 1);
    buf_share(body.item, 1);
    OUTBOX_SEND(edge->actors->outbox, shard, poll_update, 0, &body);
}

static void track_key(struct polled_channel *channel, struct span name, uint32_t shard)
{
    struct edge *edge = channel->poller->edge;
    struct polled_key *key = map_find(channel->keys, name.at, name.len);
    const bool is_new = key == NULL;
    if (is_new) {
        key = key_create(channel, name);
    }
    if (key == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        return;
    }
    key_add_shard(key, shard);
    if (is_new) {
        key_hurry(key);
    } else {
        key_poller_tell_shard(key, shard);
    }
}

static void on_track(struct edge *edge, const struct message *message)
{
    const struct message_poll_track body = message_as_poll_track(message);
    struct polled_channel *channel = key_poller_find(edge, span_of_buf(body.channel));
    if (channel == NULL) {
        channel = channel_create(edge->key_poller, body.channel);
    }
    if (channel == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        return;
    }
    const bool was_empty = map_count(channel->keys) == 0;
    uint32_t cursor = 0;
    uint32_t unused;
    struct span name;
    if (channel->shards[message->from] == 0 && channel->has_epoch) {
        key_poller_tell_epoch(channel, message->from);
    }
    while (survey_channels_next(body.keys, &cursor, &name, &unused)) {
        track_key(channel, name, message->from);
    }
    key_poller_begin(channel);
    if (was_empty) {
        channel_schedule(channel);
    }
}

static void on_untrack(struct edge *edge, const struct message *message)
{
    const struct message_poll_untrack body = message_as_poll_untrack(message);
    struct polled_channel *channel = key_poller_find(edge, span_of_buf(body.channel));
    uint32_t cursor = 0;
    uint32_t unused;
    struct span name;
    while (channel != NULL && survey_channels_next(body.keys, &cursor, &name, &unused)) {
        struct polled_key *key = map_find(channel->keys, name.at, name.len);
        const uint64_t bit = 1ull << message->from % 64;
        uint64_t others = 0;
        if (key == NULL || (key->shards[message->from / 64] & bit) == 0) {
            continue;
        }
        key->shards[message->from / 64] &= ~bit;
        channel->shards[message->from]--;
        for (uint32_t i = 0; i < SHARDS_MAX / 64; i++) {
            others |= key->shards[i];
        }
        if (others == 0) {
            key_poller_forget_key(key);
        }
    }
    if (channel != NULL && map_count(channel->keys) == 0) {
        channel_schedule(channel);
    }
}

void key_poller_on_message(struct edge *edge, const struct message *message)
{
    if (message->type == MESSAGE_POLL_TRACK) {
        on_track(edge, message);
    } else {
        on_untrack(edge, message);
    }
    message_release(message);
}

/* ---- asking ---- */

/* The next batch of what is due, as the backend is asked for it. NULL: memory is out. */
static struct proxy_poll_key *take_batch(struct polled_channel *channel, struct key_poll *poll,
                                         size_t *len)
{
    const bool is_versioned = channel->options->mode == SHARED_POLL_VERSIONED;
    const size_t keys = map_count(channel->keys);
    const size_t room =
        keys < channel->options->refresh_batch_size ? keys : channel->options->refresh_batch_size;
    struct proxy_poll_key *batch = malloc(room * sizeof(*batch));
    *len = 0;
    while (batch != NULL && *len < room && !list_is_empty(&channel->due)) {
        struct polled_key *key =
            CONTAINER_OF(list_take_first(&channel->due), struct polled_key, link);
        list_append(&poll->keys, &key->link);
        batch[(*len)++] = (struct proxy_poll_key){
            .key = span_of_buf(key->name),
            .version = is_versioned && !key->is_owed ? key->version : 0,
        };
    }
    return batch;
}

static void encode_request(struct writer *out, const void *what)
{
    proxy_encode_poll(out, what);
}

static void write_headers(struct writer *out, const struct proxy_options *proxy)
{
    for (size_t i = 0; i < proxy->static_headers_len; i++) {
        (void)!http1_write_header(out, span_of_text(proxy->static_headers[i].name),
                                  span_of_text(proxy->static_headers[i].value));
    }
}

static uint32_t send_poll(struct edge *edge, const struct key_poll *poll,
                          const struct proxy_poll_request *request)
{
    const struct proxy_options *proxy = poll->channel->options->proxy;
    uint8_t room[HTTP1_HEAD_LEN_MAX];
    struct writer headers = writer_of(room, sizeof(room));
    uint8_t *larger;
    uint32_t sent = POOL_HANDLE_NONE;
    write_headers(&headers, proxy);
    const struct span body = edge_encode(edge, encode_request, request, &larger);
    if (body.at != NULL) {
        sent = backends_ask(edge->backends, &(struct backend_request){
                                                .endpoint = proxy->endpoint,
                                                .asker = BACKEND_ASKER_POLLER,
                                                .handle = poll->handle,
                                                .timeout_ms = proxy->timeout_ms,
                                                .headers = writer_written(&headers),
                                                .body = body,
                                            });
    }
    free(larger);
    return sent;
}

/* False: it could not be asked. */
static bool begin_poll(struct polled_channel *channel, struct key_poll *poll)
{
    struct edge *edge = channel->poller->edge;
    size_t len;
    struct proxy_poll_key *batch = take_batch(channel, poll, &len);
    const struct proxy_poll_request request = {span_of_buf(channel->name), batch, len};
    if (batch != NULL) {
        poll->request = send_poll(edge, poll, &request);
    }
    free(batch);
    if (batch == NULL || poll->request == POOL_HANDLE_NONE) {
        return false;
    }
    hist_record(edge->shard->stats->hists[HIST_POLL_WAIT + poll->trigger],
                edge->shard->now_ns - channel->due_since_ns);
    actors_count_many(edge->actors, COUNTER_OF(POLL_ITEMS, poll->trigger, POLL_POLLED), len);
    hist_record(edge->shard->stats->hists[HIST_POLL_ASKED + key_poller_use(channel)], len);
    if (channel->cycle_ends && list_is_empty(&channel->due)) {
        channel->cycle_ends = false;
        poll->cycle_since_ns = channel->cycle_since_ns;
        poll->cycle_spread_ns = channel->cycle_spread_ns;
    }
    return true;
}

void key_poller_begin(struct polled_channel *channel)
{
    struct key_poller *poller = channel->poller;
    struct edge *edge = poller->edge;
    list_remove(&channel->waiting);
    while (!list_is_empty(&channel->due)) {
        uint32_t handle;
        struct key_poll *poll =
            poller->under_way < poller->under_way_max ? pool_take(poller->polls, &handle) : NULL;
        if (poll == NULL) {
            list_append(&poller->waiting, &channel->waiting);
            return;
        }
        poll->handle = handle;
        poll->channel = channel;
        poll->request = POOL_HANDLE_NONE;
        poll->started_ns = edge->shard->now_ns;
        poll->cycle_since_ns = 0;
        poll->trigger = channel->trigger;
        list_init(&poll->keys);
        list_append(&channel->polls, &poll->link);
        poller->under_way++;
        actors_gauge_add(edge->actors, COUNTER_OF(PROXY_INFLIGHT, key_poller_use(channel), 0), 1);
        if (!begin_poll(channel, poll)) {
            key_poller_end_poll(poll);
            actors_count(edge->actors, COUNTER_OF(PROXY_ERROR, key_poller_use(channel), 0));
        }
    }
    channel->trigger = POLL_BY_TIMER;
}

void key_poller_begin_waiting(struct key_poller *poller)
{
    while (poller->under_way < poller->under_way_max && !list_is_empty(&poller->waiting)) {
        key_poller_begin(CONTAINER_OF(poller->waiting.next, struct polled_channel, waiting));
    }
}
