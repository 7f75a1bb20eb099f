/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations with homes, and the ends that want them. */
#include "shards/router/relay/relay_state.h"

#include <stdlib.h>
#include <string.h>

#include "shards/payloads.h"

static struct map_key channel_key(const void *object)
{
    const struct relay_channel *channel = object;
    return (struct map_key){channel->name->bytes, channel->name->len};
}

static bool channels_init(struct relay_channels *channels, struct random *random)
{
    channels->pool = pool_create(sizeof(struct relay_channel), RELAY_CHANNELS_MAX);
    channels->by_name = map_create(channel_key, random);
    return channels->pool != NULL && channels->by_name != NULL;
}

bool relay_channels_create(struct relay *relay)
{
    return channels_init(&relay->far, &relay->shard->random) &&
           channels_init(&relay->near, &relay->shard->random);
}

static void channels_free(struct relay_channels *channels)
{
    uint32_t cursor = 0;
    uint32_t handle;
    struct relay_channel *channel;
    while (channels->pool != NULL &&
           (channel = pool_next(channels->pool, &cursor, &handle)) != NULL) {
        if (channel->ends_room != 0) {
            free(channel->ends.many);
        }
        buf_release(channel->name);
    }
    map_destroy(channels->by_name);
    pool_destroy(channels->pool);
}

void relay_channels_destroy(struct relay *relay)
{
    channels_free(&relay->far);
    channels_free(&relay->near);
}

/* ---- one channel and its ends ---- */

/* Keeps the name with a count of its own. NULL: too many, or memory is out. */
struct relay_channel *relay_channel_open(struct relay *relay, struct relay_channels *channels,
                                         struct buf *name, uint32_t upstream)
{
    uint32_t handle;
    struct relay_channel *channel = pool_take(channels->pool, &handle);
    if (channel == NULL) {
        relay_count(relay, COUNTER_RELAY_REFUSED_CHANNELS);
        return NULL;
    }
    channel->name = name;
    channel->handle = handle;
    channel->upstream = upstream;
    if (!map_insert(channels->by_name, channel)) {
        pool_put(channels->pool, handle);
        relay_count(relay, COUNTER_RELAY_REFUSED_CHANNELS);
        return NULL;
    }
    buf_share(name, 1);
    return channel;
}

void relay_channel_free(struct relay_channels *channels, struct relay_channel *channel)
{
    map_remove(channels->by_name, channel);
    if (channel->ends_room != 0) {
        free(channel->ends.many);
    }
    buf_release(channel->name);
    pool_put(channels->pool, channel->handle);
}

struct relay_end *relay_ends(struct relay_channel *channel)
{
    return channel->ends_room == 0 ? channel->ends.few : channel->ends.many;
}

struct relay_end *relay_end_find(struct relay_channel *channel, uint32_t id)
{
    struct relay_end *ends = relay_ends(channel);
    for (uint32_t i = 0; i < channel->ends_len; i++) {
        if (ends[i].id == id) {
            return &ends[i];
        }
    }
    return NULL;
}

/* NULL: memory is out. */
struct relay_end *relay_end_add(struct relay_channel *channel, uint32_t id, uint32_t handle)
{
    const uint32_t room = channel->ends_room == 0 ? RELAY_ENDS_FEW : channel->ends_room;
    if (channel->ends_len == room) {
        struct relay_end *many = calloc(2 * room, sizeof(*many));
        if (many == NULL) {
            return NULL;
        }
        memcpy(many, relay_ends(channel), room * sizeof(*many));
        if (channel->ends_room != 0) {
            free(channel->ends.many);
        }
        channel->ends.many = many;
        channel->ends_room = 2 * room;
    }
    struct relay_end *end = &relay_ends(channel)[channel->ends_len++];
    *end = (struct relay_end){.id = id, .handle = handle};
    return end;
}

void relay_end_remove(struct relay_channel *channel, struct relay_end *end)
{
    *end = relay_ends(channel)[--channel->ends_len];
}

/* In which all ends together want publications. */
uint32_t relay_ends_protocols(struct relay_channel *channel)
{
    uint32_t protocols = 0;
    for (uint32_t i = 0; i < channel->ends_len; i++) {
        protocols |= relay_ends(channel)[i].protocols;
    }
    return protocols;
}

/* ---- answers ---- */

bool relay_channels_on_answer(struct relay *relay, const struct relay_ask *ask,
                              const struct link_message *answer)
{
    const bool is_near = ask->asker != 0;
    struct relay_channel *channel =
        pool_get(is_near ? relay->near.pool : relay->far.pool, ask->channel);
    struct relay_end *end =
        channel == NULL ? NULL : relay_end_find(channel, is_near ? ask->asker : ask->asker_shard);
    if (end == NULL || end->handle != ask->asker_handle) {
        return false; /* It has left meanwhile, or come back as another. */
    }
    end->asks--;
    if (answer->error == 0) {
        end->is_active = true;
        end->sequence = answer->sequence;
    }
    if (is_near) {
        relay_near_settle(relay, channel, end);
    } else {
        relay_far_settle(relay, channel, end);
    }
    return true;
}
