/* SPDX-License-Identifier: Apache-2.0 */
/* Slots that move: a new home asks the one before to give them up, and its shards wait for that.
 *
 *   new home                                  home of before
 *   PLACEMENT: slots gained --SLOTS_ASK--> wanted
 *   its shards hold requests               its shards hand over their channels, SLOTS_SETTLED
 *   SLOTS_READY: they go on  <-SLOTS_MOVED-  for those that are at home elsewhere
 *
 * A node that had a map asks the home that it knew; one that has just come cannot know who was the
 * last of those that came before, and asks everybody, also whom it meets a little later. Whoever is
 * asked answers when its own map says that it is no home of the slot, its shards have handed over
 * by that map, and it does not wait for the slot itself. A peer that is gone, not reachable, or
 * from which nothing has come for HANDOVER_MS_MAX, is waited for no longer. The question also goes
 * to nodes that are not waited for, since it says who is the directory of users with these slots.
 *
 * A node that is about to leave, and has handed over all that it was the home of, tells everybody.
 * Until then what it accepted may be known to it alone, though it has no slot by anybody's map.
 */
#include "shards/router/relay/relay_state.h"

#include <stdlib.h>
#include <string.h>

void relay_slots_free(struct relay_peer *peer)
{
    free(peer->awaited);
    free(peer->wanted);
}

static bool slots_is_empty(const uint8_t *slots)
{
    static const uint8_t none[SLOT_SET_LEN];
    return slots == NULL || memcmp(slots, none, SLOT_SET_LEN) == 0;
}

enum { SLOTS_MOVED_LEAVES = 1 };

static void slots_send_with(struct relay *relay, const struct relay_peer *peer,
                            const struct link_message *message, const uint8_t *slots)
{
    struct buf *payload = buf_copy(slots, SLOT_SET_LEN);
    /* What is lost here is waited for in vain, as long as one waits. */
    if (payload == NULL || !relay_send(relay, peer, message, payload)) {
        relay_count(relay, COUNTER_RELAY_LOST);
    }
    buf_release(payload);
}

static void slots_send(struct relay *relay, const struct relay_peer *peer,
                       enum link_message_kind kind, const uint8_t *slots)
{
    slots_send_with(relay, peer, &(struct link_message){.kind = kind}, slots);
}

/* ---- what this node waits for ---- */

/* Those that nobody is waited for any more. */
static void tell_ready(struct relay *relay)
{
    const uint32_t shards = relay->options.node->shards;
    const struct message_slots_ready body = {
        .slots = relay->has_ready ? buf_copy(relay->ready, SLOT_SET_LEN) : NULL,
    };
    if (body.slots == NULL) {
        return; /* There are none; or memory is out, and this is tried again. */
    }
    relay->has_ready = false;
    memset(relay->ready, 0, SLOT_SET_LEN);
    buf_share(body.slots, shards - 1);
    for (uint32_t shard = 0; shard < shards; shard++) {
        OUTBOX_SEND(relay->options.outbox, shard, slots_ready, 0, &body);
    }
}

static void slot_is_ready(struct relay *relay, uint16_t slot)
{
    slot_set_add(relay->ready, slot);
    relay->has_ready = true;
}

void relay_slots_on_channel_move(struct relay *relay, struct relay_peer *peer)
{
    if (peer->awaited != NULL) {
        peer->awaited_ends_ms = shard_awake_ms(relay->shard) + HANDOVER_MS_MAX;
    }
}

static void await_slot(struct relay *relay, struct relay_peer *peer, uint16_t slot)
{
    if (peer == NULL || !peer->is_reachable) {
        return;
    }
    if (peer->awaited == NULL) {
        peer->awaited = calloc(1, SLOT_SET_LEN);
    }
    if (peer->awaited == NULL || slot_set_has(peer->awaited, slot)) {
        return;
    }
    slot_set_add(peer->awaited, slot);
    peer->awaited_ends_ms = shard_awake_ms(relay->shard) + HANDOVER_MS_MAX;
    relay_gauge_add(relay, COUNTER_SLOTS_AWAITED, relay->awaited[slot] == 0 ? 1 : 0);
    relay->awaited[slot]++;
}

/* Of this set (NULL: all of them) the peer is waited for no longer; returns how many it were. */
static uint32_t await_no_more(struct relay *relay, struct relay_peer *peer, const uint8_t *slots)
{
    uint32_t len = 0;
    for (uint16_t slot = 0; peer->awaited != NULL && slot < SLOTS; slot++) {
        if (!slot_set_has(peer->awaited, slot) || (slots != NULL && !slot_set_has(slots, slot))) {
            continue;
        }
        len++;
        slot_set_remove(peer->awaited, slot);
        if (--relay->awaited[slot] == 0) {
            relay_gauge_add(relay, COUNTER_SLOTS_AWAITED, -1);
            slot_is_ready(relay, slot);
        }
    }
    if (slots_is_empty(peer->awaited)) {
        free(peer->awaited);
        peer->awaited = NULL;
    }
    return len;
}

static void await_gained(struct relay *relay, const struct placement *before, const uint8_t *gained)
{
    const struct placement *now = relay->placement;
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (!slot_set_has(gained, slot)) {
            continue;
        }
        if (before != NULL) {
            const uint16_t was = before->node_of_slot[slot];
            const uint16_t is = placement_find(now, &before->members[was].uid);
            await_slot(relay, is == PLACEMENT_NOBODY ? NULL : relay->peer_of_node[is], slot);
        }
        for (uint16_t node = 0; before == NULL && node < now->nodes; node++) {
            await_slot(relay, relay->peer_of_node[node], slot);
        }
        if (relay->awaited[slot] == 0) {
            slot_is_ready(relay, slot);
        }
    }
}

static void answer_wanted(struct relay *relay);

void relay_slots_on_placement(struct relay *relay, const struct placement *before)
{
    uint8_t gained[SLOT_SET_LEN];
    before = placement_known_before(before, relay->placement);
    placement_gained(before, relay->placement, gained);
    await_gained(relay, before, gained);
    for (uint32_t at = 0; at < relay->peers_end; at++) {
        struct relay_peer *peer = relay->peers[at];
        if (peer != NULL && (!peer->is_member || !peer->is_reachable)) {
            (void)await_no_more(relay, peer, NULL);
        } else if (peer != NULL && peer->origin != 0 && !slots_is_empty(gained)) {
            slots_send(relay, peer, LINK_MESSAGE_SLOTS_ASK, gained);
        }
    }
    tell_ready(relay);
    answer_wanted(relay);
    relay_schedule(relay, HANDOVER_MS_MAX);
}

void relay_slots_on_peer_gone(struct relay *relay, struct relay_peer *peer)
{
    (void)await_no_more(relay, peer, NULL);
    relay_schedule(relay, RELAY_TICK_MS);
}

void relay_slots_on_session_begin(struct relay *relay, struct relay_peer *peer)
{
    if (peer->awaited != NULL) {
        slots_send(relay, peer, LINK_MESSAGE_SLOTS_ASK, peer->awaited);
    }
    peer->knows_left = false;
    answer_wanted(relay);
}

static void on_slots_moved(struct relay *relay, struct relay_peer *peer, uint32_t flags,
                           struct span slots)
{
    if ((flags & SLOTS_MOVED_LEAVES) != 0) {
        peer->has_left = true;
        peer->is_home = false;
    }
    (void)await_no_more(relay, peer, slots.at);
    tell_ready(relay);
    answer_wanted(relay);
}

void relay_slots_tick(struct relay *relay)
{
    const uint64_t now_ms = shard_awake_ms(relay->shard);
    bool is_late = false;
    for (uint32_t at = 0; at < relay->peers_end; at++) {
        struct relay_peer *peer = relay->peers[at];
        if (peer == NULL || peer->awaited == NULL) {
            continue;
        }
        if (now_ms < peer->awaited_ends_ms) {
            relay_schedule(relay, peer->awaited_ends_ms - now_ms);
            continue;
        }
        const uint32_t late = await_no_more(relay, peer, NULL);
        stats_add(relay->shard->stats, COUNTER_SLOTS_LATE, late);
        LOG(relay->shard->log, LOG_WARN, "handover",
            "result=late peer=%02x%02x%02x%02x slots=%u reason=\"it did not give them up\"",
            peer->uid.bytes[0], peer->uid.bytes[1], peer->uid.bytes[2], peer->uid.bytes[3], late);
        is_late = true;
    }
    tell_ready(relay);
    if (relay->has_ready) {
        relay_schedule(relay, RELAY_TICK_MS);
    }
    if (is_late) {
        answer_wanted(relay);
    }
}

/* ---- what others wait for ---- */

static bool has_settled(const struct relay *relay)
{
    const struct placement *placement = relay->placement;
    for (uint32_t shard = 0; placement != NULL && shard < relay->options.node->shards; shard++) {
        if (relay->settled[shard] != placement->version) {
            return false;
        }
    }
    return placement != NULL;
}

static void answer_peer(struct relay *relay, struct relay_peer *peer)
{
    const struct placement *placement = relay->placement;
    uint8_t moved[SLOT_SET_LEN] = {0};
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (slot_set_has(peer->wanted, slot) && relay->awaited[slot] == 0 &&
            placement->node_of_slot[slot] != placement->self) {
            slot_set_add(moved, slot);
            slot_set_remove(peer->wanted, slot);
        }
    }
    if (!slots_is_empty(moved)) {
        slots_send(relay, peer, LINK_MESSAGE_SLOTS_MOVED, moved);
    }
    if (slots_is_empty(peer->wanted)) {
        free(peer->wanted);
        peer->wanted = NULL;
    }
}

/* Is this node about to leave, and has it nothing and waits for nothing? */
static bool has_left(const struct relay *relay)
{
    static const uint16_t none[SLOTS];
    const struct placement *placement = relay->placement;
    return placement->members[placement->self].share == PLACEMENT_NOTHING &&
           memcmp(relay->awaited, none, sizeof(none)) == 0;
}

/* Who is not told takes what was accepted here, and is not known there, for lost when this node is
 * gone. */
static void tell_left(struct relay *relay)
{
    const struct link_message message = {.kind = LINK_MESSAGE_SLOTS_MOVED,
                                         .flags = SLOTS_MOVED_LEAVES};
    uint8_t all[SLOT_SET_LEN];
    memset(all, 0xff, sizeof(all));
    for (uint32_t at = 0; at < relay->peers_end; at++) {
        struct relay_peer *peer = relay->peers[at];
        if (peer != NULL && peer->origin != 0 && !peer->knows_left) {
            peer->knows_left = true;
            slots_send_with(relay, peer, &message, all);
        }
    }
}

static void answer_wanted(struct relay *relay)
{
    if (!has_settled(relay)) {
        return;
    }
    if (has_left(relay)) {
        tell_left(relay);
    }
    for (uint32_t at = 0; at < relay->peers_end; at++) {
        struct relay_peer *peer = relay->peers[at];
        if (peer != NULL && peer->wanted != NULL) {
            answer_peer(relay, peer);
        }
    }
}

void relay_slots_on_session_end(struct relay_peer *peer)
{
    free(peer->wanted); /* It asks again. */
    peer->wanted = NULL;
}

static void tell_users_wanted(struct relay *relay, struct span slots)
{
    const uint32_t shards = relay->options.node->shards;
    const struct message_users_wanted body = {.slots = buf_copy(slots.at, slots.len)};
    if (body.slots == NULL) {
        relay_count(relay, COUNTER_RELAY_LOST);
        return;
    }
    buf_share(body.slots, shards - 1);
    for (uint32_t shard = 0; shard < shards; shard++) {
        OUTBOX_SEND(relay->options.outbox, shard, users_wanted, 0, &body);
    }
}

static void on_slots_ask(struct relay *relay, struct relay_peer *peer, struct span slots)
{
    tell_users_wanted(relay, slots);
    if (peer->wanted == NULL) {
        peer->wanted = calloc(1, SLOT_SET_LEN);
    }
    for (uint32_t i = 0; peer->wanted != NULL && i < SLOT_SET_LEN; i++) {
        peer->wanted[i] |= slots.at[i];
    }
    answer_wanted(relay);
}

void relay_on_link_slots(struct relay *relay, struct relay_peer *peer,
                         const struct link_message *message, struct span payload)
{
    const enum link_message_kind kind = message->kind;
    const bool is_missed = kind == LINK_MESSAGE_SLOTS_MISSED;
    if (payload.len != (is_missed ? (size_t)MISSED_SLOTS_LEN : (size_t)SLOT_SET_LEN)) {
        relay_count(relay, COUNTER_RELAY_STALE);
    } else if (is_missed) {
        relay_on_link_slots_missed(relay, peer, payload);
    } else if (kind == LINK_MESSAGE_SLOTS_NOTED) {
        relay_on_link_slots_noted(relay, payload);
    } else if (kind == LINK_MESSAGE_SLOTS_ASK) {
        on_slots_ask(relay, peer, payload);
    } else {
        on_slots_moved(relay, peer, message->flags, payload);
    }
}

void relay_on_slots_settled(struct relay *relay, const struct message *message)
{
    relay->settled[message->from] = message_as_slots_settled(message).version;
    relay->is_noted[message->from] = message_as_slots_settled(message).is_noted;
    answer_wanted(relay);
}

bool relay_has_handed_over(const struct relay *relay)
{
    for (uint32_t at = 0; at < relay->peers_end; at++) {
        if (relay->peers[at] != NULL && relay->peers[at]->wanted != NULL) {
            return false;
        }
    }
    for (uint32_t shard = 0; shard < relay->options.node->shards; shard++) {
        if (!relay->is_noted[shard]) {
            return false;
        }
    }
    return has_settled(relay) && list_is_empty(&relay->asks);
}
