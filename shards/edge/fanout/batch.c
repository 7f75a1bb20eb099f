/* SPDX-License-Identifier: Apache-2.0 */
/* A list of arrivals with a timer, for channels that ask for it. */
#include "shards/edge/fanout/batch.h"

#include <stdlib.h>

#include "runtime/array.h"
#include "shards/edge/fanout/broadcast.h"

struct batch {
    struct timer timer;
    struct edge *edge;
    uint32_t channel; /* Handle. */
    uint32_t len;
    uint32_t room;
    uint64_t bytes;
    struct arrival *items;
};

static void batch_on_timer(struct timer *timer, void *actor)
{
    struct batch *batch = CONTAINER_OF(timer, struct batch, timer);
    struct hub_channel *channel = pool_get(batch->edge->hub_channels, batch->channel);
    (void)actor;
    broadcast_flush_channel(batch->edge, channel);
}

static struct batch *batch_create(struct edge *edge, const struct hub_channel *channel)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (batch != NULL) {
        batch->edge = edge;
        batch->channel = channel->handle;
        timer_set(edge->shard->timers, &batch->timer,
                  edge->shard->now_ms + channel->options->batch_max_delay_ms, batch_on_timer);
    }
    return batch;
}

static bool batch_grow(struct batch *batch)
{
    struct arrival *items =
        array_reserve(batch->items, batch->len, &batch->room, 4, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    batch->items = items;
    return true;
}

bool batch_add(struct edge *edge, struct hub_channel *channel, const struct arrival *arrival)
{
    const struct channel_options *options = channel->options;
    if (channel->batch == NULL) {
        channel->batch = batch_create(edge, channel);
    }
    struct batch *batch = channel->batch;
    if (batch == NULL) {
        return false;
    }
    const bool takes_place = options->batch_flush_latest && batch->len > 0;
    if (takes_place) {
        batch->len--;
        batch->bytes -= batch->items[0].frames->len;
        buf_release(batch->items[0].frames);
        actors_count(edge->actors, COUNTER_BATCH_DROPPED);
        actors_gauge_add(edge->actors, COUNTER_BATCH_WAITING, -1);
    }
    if (!batch_grow(batch)) {
        broadcast_flush_channel(edge, channel);
        return false;
    }
    batch->items[batch->len++] = *arrival;
    batch->bytes += arrival->frames->len;
    actors_gauge_add(edge->actors, COUNTER_BATCH_WAITING, 1);
    if ((options->batch_max_size > 0 && batch->len >= options->batch_max_size) ||
        batch->bytes >= BATCH_BYTES_MAX) {
        broadcast_flush_channel(edge, channel);
    }
    return true;
}

struct batch *batch_take(struct edge *edge, struct hub_channel *channel)
{
    struct batch *batch = channel->batch;
    if (batch != NULL) {
        timer_stop(edge->shard->timers, &batch->timer);
        actors_gauge_add(edge->actors, COUNTER_BATCH_WAITING, -(int64_t)batch->len);
        channel->batch = NULL;
    }
    return batch;
}

const struct arrival *batch_items(const struct batch *batch, uint32_t *len)
{
    *len = batch->len;
    return batch->items;
}

void batch_free(struct batch *batch)
{
    free(batch->items);
    free(batch);
}

void batch_drop(struct edge *edge, struct hub_channel *channel)
{
    struct batch *batch = batch_take(edge, channel);
    if (batch != NULL) {
        for (uint32_t i = 0; i < batch->len; i++) {
            buf_release(batch->items[i].frames);
        }
        batch_free(batch);
    }
}
