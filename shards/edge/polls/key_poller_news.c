/* SPDX-License-Identifier: Apache-2.0 */
/* What backends and the server API say of keys: compared with what is known, and told. */
#include <stdlib.h>

#include "codec/api_json.h"
#include "codec/proxy_poll.h"
#include "shards/edge/polls/key_poller_state.h"
#include "shards/payloads.h"

/* Whoever compares chooses no secrets: two payloads that are taken for one are an accident. */
static const uint8_t hash_key[16];

/* ---- telling ---- */

static bool wants(const struct polled_key *key, uint32_t shard)
{
    return (key->shards[shard / 64] >> shard % 64 & 1) != 0;
}

/* One that has no room now is owed it. Gives back a count of the item. */
static void tell_all(struct polled_key *key, struct buf *item, bool is_kept)
{
    struct edge *edge = key->channel->poller->edge;
    const struct message_poll_update body = {.channel = key->channel->name,
                                             .item = item,
                                             .is_kept = is_kept};
    for (uint32_t shard = 0; shard < edge->options->shards; shard++) {
        if (!wants(key, shard)) {
            continue;
        }
        if (!outbox_takes_delivery(edge->actors->outbox, shard)) {
            key->is_owed = true;
            continue;
        }
        buf_share(body.channel, 1);
        buf_share(body.item, 1);
        OUTBOX_SEND(edge->actors->outbox, shard, poll_update, 0, &body);
    }
    buf_release(item);
}

void key_poller_tell_epoch(const struct polled_channel *channel, uint32_t shard)
{
    const struct message_poll_epoch body = {.channel = channel->name, .epoch = channel->epoch};
    buf_share(body.channel, 1);
    if (body.epoch != NULL) {
        buf_share(body.epoch, 1);
    }
    OUTBOX_SEND(channel->poller->edge->actors->outbox, shard, poll_epoch, 0, &body);
}

/* ---- taking ---- */

/* Keeps a count of it. False: there is no room. */
static bool keep_item(struct polled_key *key, struct buf *item)
{
    struct key_poller *poller = key->channel->poller;
    key_poller_forget_item(key);
    if (poller->kept_bytes + item->len > POLL_KEPT_BYTES_A_SHARD_MAX) {
        actors_count(poller->edge->actors, COUNTER_SHARED_POLL_NOT_KEPT);
        return false;
    }
    poller->kept_bytes += item->len;
    actors_gauge_add(poller->edge->actors, COUNTER_SHARED_POLL_KEPT_BYTES, (int64_t)item->len);
    buf_share(item, 1);
    key->item = item;
    return true;
}

/* False: memory is out, and it is taken again the next time. */
static bool take_data(struct polled_key *key, const struct polled_news *news, uint64_t version)
{
    struct buf *item = poll_item_make(&(struct poll_item){
        .key = span_of_buf(key->name),
        .data = news->data,
        .version = version,
        .is_binary = news->is_binary,
    });
    if (item == NULL) {
        actors_count(key->channel->poller->edge->actors, COUNTER_REFUSED_MEMORY);
        return false;
    }
    key->version = version;
    key->is_owed = false;
    tell_all(key, item, keep_item(key, item));
    return true;
}

/* What the node gives a version, when it differs from what it had one for. */
static enum polled_outcome take_versionless(struct polled_key *key, const struct polled_news *news)
{
    struct key_poller *poller = key->channel->poller;
    const uint64_t hash = map_hash_bytes(hash_key, news->data.at, news->data.len);
    const bool is_same = key->item != NULL ? span_equal(poll_item_of(key->item).data, news->data)
                                           : key->version > 0 && key->hash == hash;
    if (is_same && !key->is_owed) {
        return POLLED_UNCHANGED;
    }
    const uint64_t version = is_same ? key->version : ++poller->versions;
    if (take_data(key, news, version)) {
        key->hash = hash;
    }
    return is_same ? POLLED_UNCHANGED : POLLED_CHANGED;
}

enum polled_outcome key_poller_take(struct polled_key *key, const struct polled_news *news)
{
    if (news->version == 0 && key->channel->options->mode == SHARED_POLL_VERSIONLESS) {
        return take_versionless(key, news);
    }
    const bool is_newer = news->version > key->version;
    /* Whoever has nothing is told what a backend says that is as new as what is known. */
    if (is_newer || (key->is_owed && news->version == key->version && news->version > 0)) {
        (void)!take_data(key, news, news->version);
    }
    return is_newer ? POLLED_CHANGED : POLLED_UNCHANGED;
}

void key_poller_take_removal(struct polled_key *key)
{
    struct buf *item =
        poll_item_make(&(struct poll_item){.key = span_of_buf(key->name), .removed = true});
    if (item == NULL) {
        actors_count(key->channel->poller->edge->actors, COUNTER_REFUSED_MEMORY);
        return;
    }
    key->is_owed = false;
    tell_all(key, item, false);
    if (!key->is_owed) {
        key_poller_forget_key(key); /* Otherwise it is removed again with the next answer. */
    }
}

void key_poller_take_epoch(struct polled_channel *channel, struct span epoch)
{
    const bool is_same = span_equal(span_of_buf(channel->epoch), epoch);
    if (is_same && channel->has_epoch) {
        return;
    }
    struct buf *newer = span_is_empty(epoch) ? NULL : buf_copy(epoch.at, epoch.len);
    if (newer == NULL && !span_is_empty(epoch)) {
        actors_count(channel->poller->edge->actors, COUNTER_REFUSED_MEMORY);
        return;
    }
    buf_release(channel->epoch);
    channel->epoch = newer;
    channel->has_epoch = true;
    size_t cursor = 0;
    struct polled_key *key;
    while (!is_same && (key = map_next(channel->keys, &cursor)) != NULL) {
        key_poller_forget_item(key);
        key->version = 0;
        key->is_published = false;
        key->is_owed = false;
    }
    for (uint32_t shard = 0; shard < channel->poller->edge->options->shards; shard++) {
        if (channel->shards[shard] > 0) {
            key_poller_tell_epoch(channel, shard);
        }
    }
}

/* ---- answers of backends ---- */

struct counts {
    uint64_t items;
    uint64_t changed;
    uint64_t unchanged;
    uint64_t removed;
};

static void count_items(struct edge *edge, enum poll_trigger trigger, const struct counts *counts)
{
    actors_count_many(edge->actors, COUNTER_OF(POLL_ITEMS, trigger, POLL_CHANGED), counts->changed);
    actors_count_many(edge->actors, COUNTER_OF(POLL_ITEMS, trigger, POLL_UNCHANGED),
                      counts->unchanged);
    actors_count_many(edge->actors, COUNTER_OF(POLL_ITEMS, trigger, POLL_REMOVED), counts->removed);
}

static void take_item(struct polled_channel *channel, const struct proxy_poll_item *item,
                      struct counts *counts)
{
    struct polled_key *key = map_find(channel->keys, item->key.at, item->key.len);
    const struct polled_news news = {.data = item->data, .version = item->version};
    counts->items++;
    if (key == NULL) {
        return;
    }
    if (item->removed) {
        counts->removed++;
        key_poller_take_removal(key);
    } else if (key_poller_take(key, &news) == POLLED_CHANGED) {
        counts->changed++;
    } else {
        counts->unchanged++;
    }
}

/* NULL: it was made use of; otherwise what is wrong with it. */
static const char *take_answer(struct polled_channel *channel, struct span text,
                               struct scratch *scratch, struct counts *counts)
{
    struct proxy_poll_answer answer;
    struct proxy_poll_item item;
    struct json_walk walk;
    enum json_result result = proxy_decode_poll(text, scratch, &answer);
    if (result != JSON_OK) {
        return json_result_text(result);
    }
    if (answer.has_error) {
        return "the backend answered with an error";
    }
    if (answer.epoch.len > POLL_EPOCH_LEN_MAX) {
        return "the epoch is too long";
    }
    if (channel->options->mode == SHARED_POLL_VERSIONED) {
        key_poller_take_epoch(channel, answer.epoch);
    }
    proxy_poll_items_begin(&walk, answer.items);
    while (true) {
        struct scratch room = *scratch;
        result = proxy_poll_items_next(&walk, &room, &item);
        if (result != JSON_OK) {
            return result == JSON_DONE ? NULL : json_result_text(result);
        }
        take_item(channel, &item, counts);
    }
}

static const char *outcome_text(const struct backend_answer *answer)
{
    switch (answer->outcome) {
    case BACKEND_TIMED_OUT:
        return "no answer in time";
    case BACKEND_UNREACHABLE:
        return "cannot be reached";
    case BACKEND_BROKEN:
        return "the answer ended in the middle, is no HTTP, or is too long";
    case BACKEND_ANSWERED:
        break;
    }
    return answer->status == 200 ? NULL : "an HTTP status other than 200";
}

static void count_failure(struct edge *edge, const struct key_poll *poll, const char *reason)
{
    actors_count(edge->actors, COUNTER_OF(PROXY_ERROR, key_poller_use(poll->channel), 0));
    actors_count(edge->actors, COUNTER_OF(POLL_ERROR, poll->trigger, 0));
    LOG(edge->shard->log, LOG_WARN, "proxy",
        "type=shared_poll_refresh name=%s result=failed reason=\"%s\"",
        poll->channel->options->proxy->name, reason);
}

static void count_times(struct edge *edge, const struct key_poll *poll)
{
    struct hist *const *hists = edge->shard->stats->hists;
    const uint64_t now_ns = edge->shard->now_ns;
    const uint64_t taken_ns = now_ns - poll->started_ns;
    hist_record(hists[HIST_POLL + poll->trigger], taken_ns);
    hist_record(hists[HIST_PROXY + key_poller_use(poll->channel)], taken_ns);
    if (poll->cycle_since_ns != 0) {
        const uint64_t cycle_ns = now_ns - poll->cycle_since_ns;
        hist_record(hists[HIST_POLL_CYCLE], cycle_ns);
        hist_record(hists[HIST_POLL_CYCLE_WORK], cycle_ns - poll->cycle_spread_ns);
    }
}

void key_poller_on_answer(struct edge *edge, uint32_t handle, const struct backend_answer *answer)
{
    struct key_poller *poller = edge->key_poller;
    struct key_poll *poll = pool_get(poller->polls, handle);
    if (poll == NULL) {
        return;
    }
    const char *fault = outcome_text(answer);
    struct counts counts = {0};
    count_times(edge, poll);
    if (fault == NULL) {
        uint8_t *room = malloc(answer->body.len + 1);
        struct scratch scratch = scratch_of(room, room == NULL ? 0 : answer->body.len);
        fault = room == NULL ? "memory is out"
                             : take_answer(poll->channel, answer->body, &scratch, &counts);
        free(room);
    }
    if (fault != NULL) {
        count_failure(edge, poll, fault);
    } else {
        hist_record(edge->shard->stats->hists[HIST_POLL_ANSWERED + key_poller_use(poll->channel)],
                    counts.items);
    }
    count_items(edge, poll->trigger, &counts);
    key_poller_end_poll(poll);
    key_poller_begin_waiting(poller);
}

/* ---- the server API ---- */

uint32_t key_poller_publish(struct edge *edge, struct span name, struct span text)
{
    struct polled_channel *channel = key_poller_find(edge, name);
    if (channel == NULL) {
        return 0; /* Nobody on this node wants it. */
    }
    struct api_shared_poll_publish_request request;
    uint8_t *room = malloc(text.len + 1);
    struct scratch scratch = scratch_of(room, room == NULL ? 0 : text.len);
    if (room == NULL || api_json_decode_shared_poll_publish(text, &scratch, &request) != JSON_OK) {
        free(room);
        return CLIENT_ERROR_INTERNAL;
    }
    key_poller_take_epoch(channel, request.epoch);
    struct polled_key *key = map_find(channel->keys, request.key.at, request.key.len);
    const struct polled_news news = {.data = request.data,
                                     .version = request.version,
                                     .is_binary = request.data_is_binary &&
                                                  json_check(request.data) != JSON_OK};
    if (key != NULL && key_poller_take(key, &news) == POLLED_CHANGED) {
        key->is_published = true;
        actors_count(edge->actors, COUNTER_SHARED_POLL_PUBLISH_APPLIED);
    } else {
        actors_count(edge->actors, COUNTER_SHARED_POLL_PUBLISH_SKIPPED);
    }
    free(room);
    return 0;
}
