/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of publications go with their channel to the home that it has now. They outlive a channel
 * that nobody wants: then it begins again where it was, bare, to take them along, and is forgotten
 * when they have been taken. */
#include "shards/channel/homes_state.h"
#include "shards/limits.h"

bool homes_may_end(const struct homes *homes, const struct channel *channel)
{
    return channel->handover == NULL ||
           (channel->handover->state == HANDOVER_LEAVING &&
            !idempotency_has_channel(homes->idempotency, name_of(channel->name)));
}

bool homes_is_bare(const struct homes *homes, const struct channel *channel)
{
    return channel->interests_len == 0 && channel->presence.clients == 0 &&
           channel->stream == NULL && channel->map == NULL && !channel->is_occupied &&
           !channel_came_lately(channel) && !homes_is_wildcard(homes, channel);
}

bool homes_walk_known(struct homes *homes)
{
    struct span names[MAP_FEW_MAX];
    const uint32_t len = idempotency_next_channels(homes->idempotency, &homes->walk_place, names);
    for (uint32_t i = 0; i < len; i++) {
        if (homes_is_home(homes, names[i]) || homes_find(homes, names[i]) != NULL ||
            pool_count(homes->pool) == CHANNELS_A_SHARD_MAX) {
            continue;
        }
        struct channel *channel = homes_find_or_open(homes, names[i]);
        if (channel != NULL) {
            homes_leave(homes, channel);
        }
    }
    return len > 0;
}

bool homes_give_known(const struct homes *homes, struct handover *handover, uint64_t bytes,
                      struct channel_move *move)
{
    const struct known_query query = {
        .channel = name_of(handover->channel->name),
        .now_ms = homes->actors->shard->now_ms,
        .bytes_max = bytes < HANDOVER_PIECE_BYTES ? HANDOVER_PIECE_BYTES - bytes : 0,
    };
    handover->next_known = handover->sent_known;
    return handover->sent_known == IDEMPOTENCY_GIVEN ||
           idempotency_give(homes->idempotency, &query, &handover->next_known, &move->known);
}

bool homes_take_known(struct homes *homes, const struct channel_move *move)
{
    return move->known != NULL && homes_is_home(homes, name_of(move->name)) &&
           idempotency_take(homes->idempotency, name_of(move->name), homes->actors->shard->now_ms,
                            known_page_of(move->known)) > 0;
}

/* Its keys will not be published again: so whoever follows the channel here, without what was
 * published there, is told that there was something. */
static void channel_has_keys_of_others(struct homes *homes, struct channel *channel,
                                       const struct known_page *page)
{
    bool is_kept = false;
    for (uint64_t i = 0; i < page->len; i++) {
        is_kept = is_kept || page->entries[i].offset > 0;
    }
    homes_has_missed(homes, channel, is_kept);
}

uint32_t homes_take_bare(struct homes *homes, const struct channel_move *move)
{
    const struct span name = name_of(move->name);
    struct channel *channel = homes_find(homes, name);
    if (!homes_is_home(homes, name) || homes->actors->placement == NULL ||
        (channel != NULL && channel_is_on_its_way(channel))) {
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    if (homes_take_known(homes, move) && channel != NULL) {
        channel_has_keys_of_others(homes, channel, known_page_of(move->known));
    }
    return 0;
}
