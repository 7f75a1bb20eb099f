/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps registrations true: when homes move, when sessions of links begin and end, and by comparing
 * sums now and then. */
#include "shards/router/relay/relay_state.h"

#include <stdlib.h>

void relay_sum_change(struct relay_sum *sum, struct span name, uint32_t handle, int change)
{
    static const uint8_t key[16];
    const uint64_t hash = map_hash_bytes(key, name.at, name.len) * (2ull * handle + 1);
    sum->sum += change > 0 ? hash : 0 - hash;
    sum->count += change > 0 ? 1u : UINT32_MAX;
}

/* ---- walks: far channels whose home is another now, or in another session ---- */

void relay_walk_begin(struct relay *relay)
{
    relay->walk_is_strict = false;
    if (relay->is_walking) {
        relay->walks_again = true;
        return;
    }
    relay->is_walking = true;
    relay->walk_cursor = 0;
    relay_schedule(relay, RELAY_TICK_MS);
}

/* True: it is registered with the home of now; or its home cannot be reached, and that may change;
 * or the home that it had can be, and says itself when the channel has been handed over. */
static bool far_may_stay(struct relay *relay, const struct relay_channel *channel)
{
    const struct relay_home home = relay_home_of(relay, relay_name(channel->name));
    if (!home.is_known) {
        return true;
    }
    if (!relay->walk_is_strict && relay_peer_of(relay, channel->upstream) != NULL) {
        return true;
    }
    if (home.peer == NULL) {
        return false;
    }
    const bool is_same_node = home.peer->slot == (channel->upstream & (RELAY_PEERS_MAX - 1));
    return is_same_node && (home.peer->origin == 0 || home.peer->origin == channel->upstream);
}

static void walk_some(struct relay *relay)
{
    uint32_t handle;
    struct relay_channel *channel;
    for (uint32_t i = 0; i < RELAY_WALK_CHANNELS; i++) {
        channel = pool_next(relay->far.pool, &relay->walk_cursor, &handle);
        if (channel == NULL) {
            relay->is_walking = relay->walks_again;
            relay->walks_again = false;
            relay->walk_cursor = 0;
            return;
        }
        if (!far_may_stay(relay, channel)) {
            relay_far_end(relay, channel, SHARDS_MAX);
        }
    }
}

/* ---- sessions that are over ---- */

void relay_interest_on_session_end(struct relay *relay, uint32_t origin)
{
    struct relay_gone *gone = calloc(1, sizeof(*gone));
    if (gone == NULL) {
        relay_forget_presence(relay, origin); /* Its ends go as the node comes back. */
        return;
    }
    gone->origin = origin;
    gone->due_ms = relay->shard->now_ms + RELAY_GRACE_MS;
    list_append(&relay->gone, &gone->link);
    relay_schedule(relay, RELAY_GRACE_MS);
}

void relay_interest_destroy(struct relay *relay)
{
    struct list *link;
    while ((link = list_take_first(&relay->gone)) != NULL) {
        free(CONTAINER_OF(link, struct relay_gone, link));
    }
}

static void near_drop_origin(struct relay *relay, struct relay_channel *channel, uint32_t origin)
{
    for (uint32_t i = channel->ends_len; i-- > 0;) {
        struct relay_end *end = &relay_ends(channel)[i];
        if (end->id == origin) {
            relay_near_remove_end(relay, channel, end);
        }
    }
    if (channel->ends_len == 0) {
        relay_near_close(relay, channel);
    }
}

/* A portion of the near channels loses the ends of the session that is over for longest. */
static void sweep_some(struct relay *relay, struct relay_gone *gone)
{
    uint32_t handle;
    struct relay_channel *channel;
    for (uint32_t i = 0; i < RELAY_WALK_CHANNELS; i++) {
        channel = pool_next(relay->near.pool, &relay->sweep_cursor, &handle);
        if (channel == NULL) {
            relay_forget_presence(relay, gone->origin);
            relay->sweep_cursor = 0;
            list_remove(&gone->link);
            free(gone);
            return;
        }
        near_drop_origin(relay, channel, gone->origin);
    }
}

/* ---- sums ---- */

static void send_sums(struct relay *relay)
{
    for (uint32_t slot = 0; slot < relay->peers_end; slot++) {
        const struct relay_peer *peer = relay->peers[slot];
        if (peer != NULL && peer->origin != 0) {
            const struct link_message sum = {.kind = LINK_MESSAGE_INTEREST_SUM,
                                             .sequence = peer->asked.sum,
                                             .offset = peer->asked.count};
            (void)relay_send(relay, peer, &sum, NULL);
        }
    }
}

/* What this node took away by itself is not yet known there, so that only sums between which it
 * took away nothing tell an error. */
void relay_on_interest_sum(struct relay *relay, struct relay_peer *peer,
                           const struct link_message *sum)
{
    if (peer->kept.sum == sum->sequence && peer->kept.count == sum->offset) {
        peer->wrong_sums = 0;
        return;
    }
    peer->wrong_sums = peer->given_up == peer->given_up_seen ? peer->wrong_sums + 1 : 1;
    peer->given_up_seen = peer->given_up;
    if (peer->wrong_sums < RELAY_WRONG_SUMS_MAX) {
        return;
    }
    const struct link_message wrong = {.kind = LINK_MESSAGE_INTEREST_WRONG};
    relay_count(relay, COUNTER_RELAY_REPAIRS);
    LOG(relay->shard->log, LOG_WARN, "interest_repair", "kept=%u asked=%llu", peer->kept.count,
        (unsigned long long)sum->offset);
    (void)relay_send(relay, peer, &wrong, NULL);
    relay_begin_session(relay, peer);
}

/* ---- time ---- */

void relay_interest_tick(struct relay *relay)
{
    const uint64_t now_ms = relay->shard->now_ms;
    const uint64_t awake_ms = shard_awake_ms(relay->shard);
    if (!relay->is_walking && relay->strict_due_ms != 0 && awake_ms >= relay->strict_due_ms) {
        relay->strict_due_ms = 0;
        relay->walk_is_strict = true;
        relay->is_walking = true;
        relay->walk_cursor = 0;
    }
    if (relay->is_walking) {
        walk_some(relay);
    }
    if (!list_is_empty(&relay->gone)) {
        struct relay_gone *gone = CONTAINER_OF(relay->gone.next, struct relay_gone, link);
        if (now_ms >= gone->due_ms) {
            sweep_some(relay, gone);
        }
    }
    if (now_ms >= relay->sums_due_ms) {
        relay->sums_due_ms = now_ms + RELAY_SUM_MS;
        send_sums(relay);
    }
    if (relay->is_walking) {
        relay_schedule(relay, RELAY_TICK_MS);
    } else if (relay->strict_due_ms != 0) {
        relay_schedule(relay, relay->strict_due_ms - awake_ms);
    }
    if (!list_is_empty(&relay->gone)) {
        const struct relay_gone *gone = CONTAINER_OF(relay->gone.next, struct relay_gone, link);
        relay_schedule(relay, now_ms >= gone->due_ms ? RELAY_TICK_MS : gone->due_ms - now_ms);
    }
    if (relay->peers_end > 0) {
        relay_schedule(relay, relay->sums_due_ms - now_ms);
    }
}
