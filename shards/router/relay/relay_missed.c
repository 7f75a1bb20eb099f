/* SPDX-License-Identifier: Apache-2.0 */
/* What homes accepted that no channel tells of, on its way to the homes of now and back. Nothing is
 * kept of it here: what is lost is told again (channel/homes_missed.c). */
#include <string.h>

#include "shards/router/relay/relay_state.h"

static void send_slots(struct relay *relay, const struct relay_peer *peer,
                       enum link_message_kind kind, struct span slots)
{
    const struct link_message message = {.kind = kind};
    struct buf *payload = peer == NULL ? NULL : buf_copy(slots.at, slots.len);
    if (payload == NULL || !relay_send(relay, peer, &message, payload)) {
        relay_count(relay, COUNTER_RELAY_LOST);
    }
    buf_release(payload);
}

/* Moves the node's part of both sets to `out`. */
static void take_part(const struct placement *placement, uint16_t node, uint8_t *slots,
                      uint8_t out[MISSED_SLOTS_LEN])
{
    memset(out, 0, MISSED_SLOTS_LEN);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (placement->node_of_slot[slot] != node || !slot_set_has(slots, slot)) {
            continue;
        }
        slot_set_add(out, slot);
        if (slot_set_has(slots + SLOT_SET_LEN, slot)) {
            slot_set_add(out + SLOT_SET_LEN, slot);
        }
        slot_set_remove(slots, slot);
    }
}

void relay_on_slots_missed(struct relay *relay, const struct message *message)
{
    const struct message_slots_missed body = message_as_slots_missed(message);
    const struct placement *placement = relay->placement;
    uint8_t slots[MISSED_SLOTS_LEN];
    uint8_t part[MISSED_SLOTS_LEN];
    memcpy(slots, body.slots->bytes, MISSED_SLOTS_LEN);
    for (uint16_t slot = 0; placement != NULL && slot < SLOTS; slot++) {
        const uint16_t node = placement->node_of_slot[slot];
        if (slot_set_has(slots, slot) && node != placement->self) {
            take_part(placement, node, slots, part);
            send_slots(relay, relay->peer_of_node[node], LINK_MESSAGE_SLOTS_MISSED,
                       span_of(part, sizeof(part)));
        }
    }
    message_release(message);
}

void relay_on_slots_noted(struct relay *relay, const struct message *message)
{
    const struct message_slots_noted body = message_as_slots_noted(message);
    send_slots(relay, relay_peer_of(relay, body.origin), LINK_MESSAGE_SLOTS_NOTED,
               span_of(body.slots->bytes, body.slots->len));
    message_release(message);
}

void relay_on_link_slots_missed(struct relay *relay, const struct relay_peer *peer,
                                struct span sets)
{
    const uint32_t shards = relay->options.node->shards;
    const struct message_slots_missed body = {.slots = buf_copy(sets.at, sets.len),
                                              .origin = peer->origin};
    if (body.slots == NULL) {
        relay_count(relay, COUNTER_RELAY_LOST);
        return;
    }
    buf_share(body.slots, shards - 1);
    for (uint32_t shard = 0; shard < shards; shard++) {
        OUTBOX_SEND(relay->options.outbox, shard, slots_missed, 0, &body);
    }
}

void relay_on_link_slots_noted(struct relay *relay, struct span slots)
{
    const uint32_t shards = relay->options.node->shards;
    const struct message_slots_noted body = {.slots = buf_copy(slots.at, slots.len)};
    if (body.slots == NULL) {
        relay_count(relay, COUNTER_RELAY_LOST);
        return;
    }
    buf_share(body.slots, shards - 1);
    for (uint32_t shard = 0; shard < shards; shard++) {
        OUTBOX_SEND(relay->options.outbox, shard, slots_noted, 0, &body);
    }
}
