/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: who is asked whether it is there, through whom else, and what silence says of whom. */
#include <string.h>

#include "shards/router/membership/membership_state.h"

struct member *member_pick(struct membership *membership, member_filter *filter)
{
    /* Few members that fit are missed at times, and then the next time finds them. */
    for (uint32_t tries = 0; tries < 16 && membership->members_len > 0; tries++) {
        const uint64_t index = random_below(membership->random, membership->members_len);
        struct member *member = membership->members[index];
        if (filter(membership, member)) {
            return member;
        }
    }
    return NULL;
}

/* Lifeguard's local health multiplier: 0 is well. */
void probe_health(struct membership *membership, int32_t change)
{
    if (membership->config.is_plain_swim) {
        return;
    }
    const int64_t health = (int64_t)membership->health + change;
    const int64_t health_max = membership->config.health_max;
    membership->health = (uint32_t)(health < 0 ? 0 : health > health_max ? health_max : health);
}

static struct probe *probe_find(struct membership *membership, uint32_t sequence)
{
    /* Even numbers are probes', odd ones relays'. */
    struct probe *probe = &membership->probes[sequence / 2 % PROBES_MAX];
    return (sequence & 1) == 0 && probe->is_used && probe->sequence == sequence ? probe : NULL;
}

static struct relay *relay_find(struct membership *membership, uint32_t sequence)
{
    struct relay *relay = &membership->relays[sequence / 2 % RELAYS_MAX];
    return (sequence & 1) == 1 && relay->is_used && relay->sequence == sequence ? relay : NULL;
}

static void send_ping(struct membership *membership, struct member *member, uint32_t sequence)
{
    struct gossip_datagram ping = {.kind = GOSSIP_PING,
                                   .sequence = sequence,
                                   .target = member->seen.uid};
    /* Lifeguard's buddy system: who is doubted is the first to hear it. Plain SWIM leaves that to
     * chance, but even there the dead must be told, or a cluster that was cut stays cut. */
    const bool is_told = membership->config.is_plain_swim ? member->seen.status == GOSSIP_DEAD
                                                          : member->seen.status != GOSSIP_ALIVE;
    rumour_send(membership, &member->seen.cluster_address, &ping, is_told ? member : NULL);
}

void probe_start(struct membership *membership, struct member *member)
{
    /* All places taken: there are enough of them under way. */
    membership->probe_sequence += 2;
    struct probe *probe = &membership->probes[membership->probe_sequence / 2 % PROBES_MAX];
    if (probe->is_used) {
        return;
    }
    const struct membership_config *config = &membership->config;
    const uint64_t patience = membership->health + 1;
    *probe = (struct probe){.is_used = true,
                            .sequence = membership->probe_sequence,
                            .target = member->seen.uid,
                            .ack_ends_ms = membership->now_ms + config->ack_ms * patience,
                            .ends_ms = membership->now_ms + config->probe_ms * patience};
    membership->counters.probes++;
    send_ping(membership, member, probe->sequence);
}

static void probe_next(struct membership *membership)
{
    const uint64_t pace_ms = (uint64_t)membership->config.probe_ms * (membership->health + 1);
    membership->probe_at_ms = membership->now_ms + pace_ms;
    for (uint32_t tries = 0; tries < membership->members_len; tries++) {
        if (membership->probe_index >= membership->members_len) {
            membership->probe_index = 0;
            member_shuffle(membership);
        }
        struct member *member = membership->members[membership->probe_index++];
        if (member_is_live(member)) {
            probe_start(membership, member);
            return;
        }
    }
}

static bool may_relay(const struct membership *membership, const struct member *member)
{
    (void)membership;
    return member->seen.status == GOSSIP_ALIVE;
}

static void probe_indirectly(struct membership *membership, struct probe *probe,
                             struct member *target)
{
    probe->is_indirect = true;
    const struct member *asked[8] = {0};
    for (uint32_t i = 0; i < membership->config.indirect_probes && i < 8; i++) {
        const struct member *relay = member_pick(membership, may_relay);
        bool is_taken = relay == NULL || relay == target;
        for (uint32_t j = 0; j < i; j++) {
            is_taken |= asked[j] == relay;
        }
        if (is_taken) {
            continue;
        }
        asked[i] = relay;
        struct gossip_datagram request = {.kind = GOSSIP_PING_REQUEST,
                                          .sequence = probe->sequence,
                                          .target = target->seen.uid,
                                          .wants_nack = !membership->config.is_plain_swim};
        probe->nacks_wanted += request.wants_nack;
        rumour_send(membership, &relay->seen.cluster_address, &request, NULL);
    }
    /* The first ping may just have been lost. */
    if (!membership->config.is_plain_swim) {
        send_ping(membership, target, probe->sequence);
    }
}

static void probe_fail(struct membership *membership, struct probe *probe, struct member *target)
{
    probe->is_used = false;
    membership->counters.probes_failed++;
    /* Those that were asked say at least that they did not reach it either. Silence of theirs, too,
     * says that the slow one is this node. */
    const uint32_t silent = probe->nacks_wanted > probe->nacks ? probe->nacks_wanted - probe->nacks
                                                               : probe->nacks_wanted == 0;
    probe_health(membership, (int32_t)silent);
    if (target->seen.status == GOSSIP_ALIVE) {
        membership->counters.suspicions_raised++;
    }
    if (target->seen.status <= GOSSIP_SUSPECT) {
        status_suspect(membership, target, &membership->self->seen.uid);
    }
}

static void probe_step(struct membership *membership, struct probe *probe)
{
    struct member *target = member_find(membership, &probe->target);
    if (target == NULL || !member_is_live(target)) {
        probe->is_used = false;
    } else if (membership->now_ms >= probe->ends_ms) {
        probe_fail(membership, probe, target);
    } else if (!probe->is_indirect && membership->now_ms >= probe->ack_ends_ms) {
        probe_indirectly(membership, probe, target);
    }
}

static void answer(struct membership *membership, const struct gossip_address *to,
                   enum gossip_kind kind, uint32_t sequence)
{
    struct gossip_datagram datagram = {.kind = kind, .sequence = sequence};
    rumour_send(membership, to, &datagram, NULL);
}

static void relay_step(struct membership *membership, struct relay *relay)
{
    if (relay->wants_nack && membership->now_ms >= relay->nack_ms) {
        relay->wants_nack = false;
        answer(membership, &relay->requester, GOSSIP_NACK, relay->sequence_requester);
    }
    relay->is_used = membership->now_ms < relay->ends_ms;
}

void probe_tick(struct membership *membership)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        if (membership->probes[i].is_used) {
            probe_step(membership, &membership->probes[i]);
        }
    }
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        if (membership->relays[i].is_used) {
            relay_step(membership, &membership->relays[i]);
        }
    }
    if (membership->now_ms >= membership->probe_at_ms && !membership->is_leaving) {
        probe_next(membership);
    }
}

void probe_forget_all(struct membership *membership)
{
    memset(membership->probes, 0, sizeof(membership->probes));
    memset(membership->relays, 0, sizeof(membership->relays));
}

uint64_t probe_next_deadline_ms(const struct membership *membership)
{
    uint64_t deadline_ms = MEMBERSHIP_NEVER;
    if (membership->live > 0 && !membership->is_leaving) {
        deadline_ms = membership->probe_at_ms;
    }
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        const struct probe *probe = &membership->probes[i];
        if (probe->is_used) {
            deadline_ms =
                earlier(deadline_ms, probe->is_indirect ? probe->ends_ms : probe->ack_ends_ms);
        }
    }
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        const struct relay *relay = &membership->relays[i];
        if (relay->is_used) {
            deadline_ms = earlier(deadline_ms, relay->wants_nack ? relay->nack_ms : relay->ends_ms);
        }
    }
    return deadline_ms;
}

static void on_ping(struct membership *membership, const struct gossip_address *from,
                    const struct gossip_datagram *datagram)
{
    const bool is_for_anybody = gossip_uid_is_nobody(&datagram->target);
    /* An address may have a new owner; who was there before does not answer any more. */
    if (!is_for_anybody && !gossip_uid_equal(&datagram->target, &membership->self->seen.uid)) {
        return;
    }
    struct gossip_datagram ack = {.kind = GOSSIP_ACK, .sequence = datagram->sequence};
    struct member *sender = member_find(membership, &datagram->sender);
    const bool is_doubted = sender != NULL && sender->seen.status > GOSSIP_ALIVE;
    struct member *first = is_for_anybody ? membership->self : NULL;
    if (is_doubted && !membership->config.is_plain_swim) {
        /* Whoever was cut off learns from the first answer that it must refute its death. */
        first = sender;
    }
    rumour_send(membership, from, &ack, first);
}

static void on_ping_request(struct membership *membership, const struct gossip_address *from,
                            const struct gossip_datagram *datagram)
{
    struct member *target = member_find(membership, &datagram->target);
    if (target == NULL || target == membership->self) {
        if (datagram->wants_nack) {
            answer(membership, from, GOSSIP_NACK, datagram->sequence);
        }
        return;
    }
    membership->relay_sequence += 2;
    const uint32_t sequence = membership->relay_sequence;
    struct relay *relay = &membership->relays[sequence / 2 % RELAYS_MAX];
    const struct membership_config *config = &membership->config;
    membership->counters.relays_dropped += relay->is_used;
    /* The nack must be back before the requester's verdict: four fifths of what is left of it. */
    *relay = (struct relay){
        .is_used = true,
        .wants_nack = datagram->wants_nack,
        .sequence = sequence,
        .sequence_requester = datagram->sequence,
        .requester = *from,
        .nack_ms = membership->now_ms + (uint64_t)(config->probe_ms - config->ack_ms) * 4 / 5,
        .ends_ms = membership->now_ms + config->probe_ms,
    };
    send_ping(membership, target, sequence);
}

static void on_ack(struct membership *membership, const struct gossip_datagram *datagram)
{
    struct probe *probe = probe_find(membership, datagram->sequence);
    if (probe != NULL) {
        probe->is_used = false;
        probe_health(membership, -1);
        return;
    }
    struct relay *relay = relay_find(membership, datagram->sequence);
    if (relay != NULL) {
        relay->is_used = false;
        answer(membership, &relay->requester, GOSSIP_ACK, relay->sequence_requester);
    }
}

void probe_on_datagram(struct membership *membership, const struct gossip_address *from,
                       const struct gossip_datagram *datagram)
{
    struct probe *probe;
    switch (datagram->kind) {
    case GOSSIP_PING:
        on_ping(membership, from, datagram);
        break;
    case GOSSIP_PING_REQUEST:
        on_ping_request(membership, from, datagram);
        break;
    case GOSSIP_ACK:
        on_ack(membership, datagram);
        break;
    case GOSSIP_NACK:
        probe = probe_find(membership, datagram->sequence);
        if (probe != NULL) {
            probe->nacks++;
        }
        break;
    default:
        break;
    }
}
