/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that somebody is to be told of: when they are occupied, and when they are vacated.
 *
 *              the first wants it (told)         the last has left
 *     vacant -----------------------> occupied ---------------------> occupied, vacating
 *        ^                               ^   somebody wants it again (not told)   |
 *        |                               +----------------------------------------+
 *        +------------------------------------------------------------------------+
 *                     vacated_delay is over (told, with the time at which it was left)
 *
 * A channel lives until it was told that it is vacated. One that moves takes along that it is
 * occupied; who follows it has time, so nobody is told. Where it is not known what has become of it
 * at its new home, that is told as a loss.
 */
#include <stdlib.h>

#include "shards/channel/homes_state.h"
#include "shards/edge/backends/webhooks.h"
#include "shards/router/placement.h"

/* Of a channel that nobody wants; all wait as long. */
struct vacating {
    struct list link; /* In homes->vacating, the first that is due first. */
    struct channel *channel;
    uint64_t due_ms;
    int64_t left_ms; /* Unix time. */
};

static struct vacating *first_of(const struct homes *homes)
{
    return CONTAINER_OF(homes->vacating.next, struct vacating, link);
}

static uint32_t target_of(const struct homes *homes, const struct channel *channel)
{
    return webhooks_target_of_channel(homes->actors->webhooks, name_of(channel->name));
}

static void tell(const struct homes *homes, const struct channel *channel,
                 enum webhook_event_type type, int64_t time_ms)
{
    webhooks_tell(homes->actors->webhooks, target_of(homes, channel),
                  &(struct webhook_event){.type = type,
                                          .time_ms = time_ms,
                                          .channel = name_of(channel->name)});
}

/* ---- vacating ---- */

static void vacating_end(struct channel *channel)
{
    list_remove(&channel->vacating->link);
    free(channel->vacating);
    channel->vacating = NULL;
}

static void homes_on_vacating(struct timer *timer, void *actor);

static void vacating_schedule(struct homes *homes)
{
    struct timer_wheel *timers = homes->actors->shard->timers;
    if (list_is_empty(&homes->vacating)) {
        timer_stop(timers, &homes->vacating_timer);
    } else if (!timer_is_set(&homes->vacating_timer)) {
        timer_set(timers, &homes->vacating_timer, first_of(homes)->due_ms, homes_on_vacating);
    }
}

/* The first of those that wait. */
static void vacate_first(struct homes *homes)
{
    struct channel *channel = first_of(homes)->channel;
    tell(homes, channel, WEBHOOK_VACATED, channel->vacating->left_ms);
    vacating_end(channel);
    channel->is_occupied = false;
    homes_settle_channel(homes, channel);
}

static void homes_on_vacating(struct timer *timer, void *actor)
{
    struct homes *homes = CONTAINER_OF(timer, struct homes, vacating_timer);
    (void)actor;
    while (!list_is_empty(&homes->vacating) &&
           first_of(homes)->due_ms <= homes->actors->shard->now_ms) {
        vacate_first(homes);
    }
    vacating_schedule(homes);
}

void homes_vacate_now(struct homes *homes)
{
    const struct placement *placement = homes->actors->placement;
    if (placement != NULL && placement->nodes > 1) {
        return; /* They move to homes that go on. */
    }
    while (!list_is_empty(&homes->vacating)) {
        vacate_first(homes);
    }
    vacating_schedule(homes);
}

static void vacating_begin(struct homes *homes, struct channel *channel)
{
    const struct shard *shard = homes->actors->shard;
    const uint64_t delay_ms = homes->actors->options->webhooks.vacated_delay_ms;
    struct vacating *vacating = delay_ms == 0 ? NULL : calloc(1, sizeof(*vacating));
    if (vacating == NULL) {
        tell(homes, channel, WEBHOOK_VACATED, shard->wall_ms);
        channel->is_occupied = false;
        return;
    }
    vacating->channel = channel;
    vacating->due_ms = shard->now_ms + delay_ms;
    vacating->left_ms = shard->wall_ms;
    channel->vacating = vacating;
    list_append(&homes->vacating, &vacating->link);
    vacating_schedule(homes);
}

/* ---- for homes ---- */

void homes_settle_occupancy(struct homes *homes, struct channel *channel, bool was_wanted)
{
    /* Those who follow it here have time until the handover ends. */
    const bool is_followed = channel->handover != NULL && channel->handover->state == HANDOVER_CAME;
    if (channel->is_wanted && channel->vacating != NULL) {
        vacating_end(channel);
    } else if (channel->is_wanted && !was_wanted && !channel->is_occupied &&
               target_of(homes, channel) != WEBHOOK_TARGET_NONE) {
        channel->is_occupied = true;
        tell(homes, channel, WEBHOOK_OCCUPIED, homes->actors->shard->wall_ms);
    } else if (!channel->is_wanted && channel->is_occupied && channel->vacating == NULL &&
               !is_followed) {
        vacating_begin(homes, channel);
    }
}

void homes_forget_occupancy(struct channel *channel)
{
    channel->is_occupied = false;
    if (channel->vacating != NULL) {
        vacating_end(channel);
    }
}

void homes_lose_occupancy(const struct homes *homes, struct channel *channel)
{
    if (channel->is_occupied) {
        webhooks_lose(homes->actors->webhooks, target_of(homes, channel));
    }
    homes_forget_occupancy(channel);
}

void homes_take_occupancy(const struct homes *homes, struct channel *channel, bool is_occupied)
{
    channel->is_occupied = is_occupied && homes->actors->webhooks != NULL &&
                           target_of(homes, channel) != WEBHOOK_TARGET_NONE;
}

void homes_occupancy_init(struct homes *homes)
{
    list_init(&homes->vacating);
}

void homes_occupancy_destroy(struct homes *homes)
{
    timer_stop(homes->actors->shard->timers, &homes->vacating_timer);
}
