/* SPDX-License-Identifier: Apache-2.0 */
/* Histories with a clock: when they expire, which of them are idle, and what they answer. */
#include "shards/channel/channel_stream.h"

#include <stdlib.h>

#include "shards/channel/homes.h"
#include "shards/limits.h"
#include "shards/payloads.h"

struct channel_streams {
    struct actors *actors;
    struct histories *histories;
    struct list idle; /* The longest idle first. */
};

struct channel_streams *channel_streams_create(struct actors *actors, uint64_t bytes_max)
{
    struct channel_streams *streams = calloc(1, sizeof(*streams));
    if (streams == NULL) {
        return NULL;
    }
    streams->actors = actors;
    list_init(&streams->idle);
    streams->histories = histories_create(bytes_max, HISTORY_ENTRIES_A_SHARD_MAX);
    if (streams->histories == NULL) {
        free(streams);
        return NULL;
    }
    return streams;
}

void channel_streams_destroy(struct channel_streams *streams)
{
    if (streams != NULL) {
        histories_destroy(streams->histories);
        free(streams);
    }
}

void channel_streams_trim(struct channel_streams *streams)
{
    histories_trim(streams->histories);
}

static void update_metrics(struct channel_streams *streams)
{
    const struct histories_totals totals = histories_totals(streams->histories);
    struct stats *stats = streams->actors->shard->stats;
    stats_set(stats, COUNTER_HISTORY_BYTES, totals.bytes);
    stats_set(stats, COUNTER_HISTORY_PUBLICATIONS, totals.entries);
    stats_set(stats, COUNTER_HISTORY_EVICTED, totals.evicted);
}

/* ---- life ---- */

struct channel_stream *channel_stream_open(struct channel_streams *streams, uint32_t channel)
{
    struct channel_stream *stream = calloc(1, sizeof(*stream));
    if (stream != NULL) {
        stream->channel = channel;
        actors_gauge_add(streams->actors, COUNTER_HISTORY_STREAMS, 1);
    }
    return stream;
}

void channel_stream_close(struct channel_streams *streams, struct channel_stream *stream)
{
    timer_stop(streams->actors->shard->timers, &stream->timer);
    list_remove(&stream->idle_link);
    history_clear(streams->histories, &stream->history);
    update_metrics(streams);
    actors_gauge_add(streams->actors, COUNTER_HISTORY_STREAMS, -1);
    free(stream);
}

static void on_timer(struct timer *timer, void *context);

/* The timer may fire too early but never too late, so that publishing seldom has to move it. */
static void schedule(const struct channel_streams *streams, struct channel_stream *stream)
{
    uint64_t due_ms = stream->history.len > 0 ? stream->expires_ms : UINT64_MAX;
    if (list_is_linked(&stream->idle_link) && stream->forget_ms < due_ms) {
        due_ms = stream->forget_ms;
    }
    if (due_ms != UINT64_MAX && (!timer_is_set(&stream->timer) || stream->timer.due_ms > due_ms)) {
        timer_set(streams->actors->shard->timers, &stream->timer, due_ms, on_timer);
    }
}

static void on_timer(struct timer *timer, void *context)
{
    const struct actors *actors = context;
    homes_on_stream_timer(actors->homes, CONTAINER_OF(timer, struct channel_stream, timer));
}

bool channel_stream_expire(struct channel_streams *streams, struct channel_stream *stream)
{
    const uint64_t now_ms = streams->actors->shard->now_ms;
    if (list_is_linked(&stream->idle_link) && now_ms >= stream->forget_ms) {
        return true;
    }
    if (stream->history.len > 0 && now_ms >= stream->expires_ms) {
        channel_stream_remove(streams, stream);
    }
    schedule(streams, stream);
    return false;
}

void channel_stream_touch(struct channel_streams *streams, struct channel_stream *stream,
                          uint32_t meta_ttl_s)
{
    stream->meta_ttl_s = meta_ttl_s;
    if (list_is_linked(&stream->idle_link)) {
        channel_stream_set_idle(streams, stream, false);
        channel_stream_set_idle(streams, stream, true);
    }
}

void channel_stream_set_idle(struct channel_streams *streams, struct channel_stream *stream,
                             bool is_idle)
{
    if (is_idle == list_is_linked(&stream->idle_link)) {
        return;
    }
    if (!is_idle) {
        list_remove(&stream->idle_link);
        return;
    }
    list_append(&streams->idle, &stream->idle_link);
    stream->forget_ms = streams->actors->shard->now_ms + stream->meta_ttl_s * 1000ull;
    schedule(streams, stream);
}

uint32_t channel_streams_oldest_idle(const struct channel_streams *streams)
{
    return list_is_empty(&streams->idle)
               ? POOL_HANDLE_NONE
               : CONTAINER_OF(streams->idle.next, struct channel_stream, idle_link)->channel;
}

/* ---- publications ---- */

bool channel_stream_append(struct channel_streams *streams, struct channel_stream *stream,
                           const struct message_publish *publish)
{
    buf_share(publish->request, 1);
    if (publish->identity != NULL) {
        buf_share(publish->identity, 1);
    }
    if (!history_append(streams->histories, &stream->history, publish->history_size,
                        publish->request, publish->identity)) {
        buf_release(publish->request);
        buf_release(publish->identity);
        return false;
    }
    stream->expires_ms = streams->actors->shard->now_ms + publish->history_ttl_s * 1000ull;
    channel_stream_touch(streams, stream, publish->meta_ttl_s);
    schedule(streams, stream);
    update_metrics(streams);
    return true;
}

void channel_stream_pass(struct channel_streams *streams, struct channel_stream *stream,
                         uint32_t meta_ttl_s)
{
    history_clear(streams->histories, &stream->history);
    stream->history.offset++;
    channel_stream_touch(streams, stream, meta_ttl_s);
}

void channel_stream_remove(struct channel_streams *streams, struct channel_stream *stream)
{
    history_clear(streams->histories, &stream->history);
    update_metrics(streams);
}

/* ---- moving ---- */

bool channel_stream_give(const struct channel_streams *streams, const struct channel_stream *stream,
                         uint64_t since_offset, struct channel_move *move)
{
    const uint64_t now_ms = streams->actors->shard->now_ms;
    const uint64_t ms = stream->expires_ms > now_ms ? stream->expires_ms - now_ms : 0;
    const struct history *history = &stream->history;
    const struct history_query query = {
        .since_offset = since_offset,
        .has_since = true,
        .limit = UINT32_MAX,
        .bytes_max = HANDOVER_PIECE_BYTES,
    };
    if (!history_read(history, &query, &move->page)) {
        return false;
    }
    move->offset = history->offset;
    move->version = history->version;
    move->version_epoch_hash = history->version_epoch_hash;
    move->expires_in_s = (uint32_t)((ms + 999) / 1000);
    move->meta_ttl_s = stream->meta_ttl_s;
    move->flags |= CHANNEL_MOVE_STREAM;
    return true;
}

bool channel_stream_take(struct channel_streams *streams, struct channel_stream *stream,
                         const struct channel_move *move)
{
    const bool is_last = (move->flags & CHANNEL_MOVE_LAST) != 0;
    struct buf *page = (move->flags & CHANNEL_MOVE_KEYS) != 0 ? NULL : move->page;
    if (!history_go_on(streams->histories, &stream->history, page, is_last ? move->offset : 0)) {
        return false;
    }
    stream->history.version = move->version;
    stream->history.version_epoch_hash = move->version_epoch_hash;
    stream->expires_ms = streams->actors->shard->now_ms + move->expires_in_s * 1000ull;
    channel_stream_touch(streams, stream, move->meta_ttl_s);
    schedule(streams, stream);
    update_metrics(streams);
    return true;
}

/* ---- answers ---- */

static bool recover_newest(const struct history *history, uint64_t epoch,
                           const struct message_subscribe *ask, struct buf **page)
{
    const struct history_query newest = {.is_reverse = true,
                                         .limit = ask->limit,
                                         .bytes_max = ask->bytes_max};
    if (ask->since.offset > 0 && ask->since.offset == history->offset &&
        ask->since.epoch == epoch) {
        return true;
    }
    return history_read(history, &newest, page) && *page != NULL;
}

void channel_stream_answer(const struct channel_stream *stream, uint64_t epoch,
                           const struct message_subscribe *ask, struct message_subscribed *answer)
{
    const struct history *history = &stream->history;
    answer->newest = (struct stream_position){.offset = history->offset, .epoch = epoch};
    if ((ask->flags & SUBSCRIBE_RECOVERABLE) == 0 || (ask->flags & SUBSCRIBE_RECOVER) == 0) {
        return;
    }
    const bool is_cache = (ask->flags & SUBSCRIBE_CACHE) != 0;
    const bool is_epoch = ask->since.epoch == 0 || ask->since.epoch == epoch;
    if (is_cache ? recover_newest(history, epoch, ask, &answer->page)
                 : is_epoch && history_recover(history, ask->since.offset, ask->limit,
                                               ask->bytes_max, &answer->page)) {
        answer->flags |= SUBSCRIBED_RECOVERED;
    } else if (!is_cache && (ask->flags & SUBSCRIBE_REJECT_UNRECOVERED) != 0) {
        answer->flags |= SUBSCRIBED_REJECTED;
    }
}

void channel_stream_read(const struct channel_stream *stream, uint64_t epoch,
                         const struct message_history_ask *ask, struct message_history *answer)
{
    const struct history_query query = {
        .since_offset = ask->since.offset,
        .has_since = (ask->flags & HISTORY_SINCE) != 0,
        .is_reverse = (ask->flags & HISTORY_REVERSE) != 0,
        .limit = ask->limit,
        .bytes_max = ask->bytes_max,
    };
    answer->newest = (struct stream_position){.offset = stream->history.offset, .epoch = epoch};
    if (ask->since.epoch != 0 && ask->since.epoch != epoch) {
        answer->error = CLIENT_ERROR_UNRECOVERABLE_POSITION;
    } else if (!history_read(&stream->history, &query, &answer->page)) {
        answer->error = CLIENT_ERROR_INTERNAL;
    }
}
