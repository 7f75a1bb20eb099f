/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that have another home now, slots whose home before is waited for, and what is forgotten
 * of nodes that are gone. */
#include "shards/channel/homes_state.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

bool homes_is_home(const struct homes *homes, struct span name)
{
    const struct placement *placement = homes->actors->placement;
    if (placement == NULL) {
        return !homes->actors->options->cluster.enabled; /* Or it is not known yet. */
    }
    const struct placement_home home = placement_home_of(placement, placement_slot_of(name));
    return home.node == placement->self && home.shard == homes->actors->shard->id;
}

static void slots_set_waiting(struct homes *homes, const uint8_t *slots, bool is_waiting)
{
    uint8_t *waiting = homes->handovers.waiting;
    uint32_t len = 0;
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        waiting[i] = (uint8_t)(is_waiting ? waiting[i] | slots[i] : waiting[i] & ~slots[i]);
        len += (uint32_t)__builtin_popcount(waiting[i]);
    }
    homes->handovers.waiting_len = len;
}

void homes_handovers_on_placement(struct homes *homes, const struct placement *before)
{
    const struct placement *now = homes->actors->placement;
    uint8_t slots[SLOT_SET_LEN];
    /* In a cluster of one there is nobody to wait for; else the router says when. */
    if (now->nodes > 1) {
        placement_gained(placement_known_before(before, now), now, slots);
        slots_set_waiting(homes, slots, true);
    }
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        const bool is_gone = now->node_of_slot[slot] != now->self || now->nodes == 1;
        (is_gone ? slot_set_add : slot_set_remove)(slots, slot);
    }
    slots_set_waiting(homes, slots, false);
    homes_release_all_held(homes);
}

void homes_on_slots_ready(struct homes *homes, const struct message *message)
{
    const struct message_slots_ready body = message_as_slots_ready(message);
    slots_set_waiting(homes, body.slots->bytes, false);
    homes_release_all_held(homes);
    message_release(message);
}

void homes_on_placement(struct homes *homes, const struct placement *before)
{
    homes_heard_on_placement(homes, before);
    homes_handovers_on_placement(homes, before);
    homes_missed_on_placement(homes);
    homes->is_walking = true;
    homes->walk_cursor = 0;
    homes->walk_place = 0;
}

void homes_on_origin_gone(struct homes *homes, const struct message *message)
{
    const struct message_origin_gone body = message_as_origin_gone(message);
    if (body.was_home != 0) {
        homes_doubt_wildcards(homes);
    }
    if (body.with_presence == 0) {
        homes_heard_on_origin_gone(homes);
    }
    if (body.with_presence != 0 && !origins_add(&homes->origins, body.origin)) {
        actors_count(homes->actors, COUNTER_REFUSED_MEMORY);
    }
}

void homes_end_tenure(struct homes *homes, struct channel *channel)
{
    homes_note_ended(homes, channel);
    homes_hand_on(homes, channel);
}

void homes_hand_on(struct homes *homes, struct channel *channel)
{
    const struct message_moved moved = {0};
    const struct interest *interests = channel_interests(channel);
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        OUTBOX_SEND(homes->actors->outbox, interests[i].shard, moved, interests[i].hub, &moved);
    }
    if (channel->is_wanted) {
        actors_gauge_add(homes->actors, COUNTER_NUM_CHANNELS, -1);
    }
    homes_lose_occupancy(homes, channel);
    homes_free_channel(homes, channel);
    homes_update_presence_gauge(homes);
    actors_count(homes->actors, COUNTER_CHANNELS_MOVED);
}

static void homes_walk(struct homes *homes)
{
    uint32_t handle;
    for (uint32_t i = 0; i < HOME_WALK_CHANNELS; i++) {
        struct channel *channel = pool_next(homes->pool, &homes->walk_cursor, &handle);
        if (channel == NULL) {
            homes->is_walking = homes_walk_known(homes);
            return;
        }
        if (!homes_is_home(homes, name_of(channel->name))) {
            homes_leave(homes, channel);
        }
    }
}

static void homes_sweep(struct homes *homes)
{
    struct origins *origins = &homes->origins;
    uint32_t channel_handle;
    for (uint32_t i = 0; i < HOME_WALK_CHANNELS; i++) {
        uint8_t client[CLIENT_ID_LEN];
        if (!presence_next_of_origin(homes->presence, &origins->cursor, origins->gone[0],
                                     &channel_handle, client)) {
            if (origins->cursor == UINT32_MAX) {
                origins_next(origins);
                return;
            }
            continue;
        }
        struct channel *channel = pool_get(homes->pool, channel_handle);
        (void)presence_leave(homes->presence, &channel->presence, client, false);
        homes_settle_channel(homes, channel);
    }
    homes_update_presence_gauge(homes);
}

void homes_on_turn_end(struct homes *homes)
{
    if (homes->is_walking) {
        homes_walk(homes);
    }
    if (homes->origins.len > 0) {
        homes_sweep(homes);
    }
    if (homes_wildcards_have_work(homes)) {
        homes_wildcards_on_turn_end(homes);
    }
    if (homes_missed_have_work(homes)) {
        homes_missed_on_turn_end(homes);
    }
    homes_handovers_on_turn_end(homes);
}

bool homes_has_work(const struct homes *homes)
{
    return homes->is_walking || homes->origins.len > 0 || homes_wildcards_have_work(homes) ||
           homes_missed_have_work(homes) || homes_handovers_have_work(homes);
}
