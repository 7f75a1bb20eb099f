/* SPDX-License-Identifier: Apache-2.0 */
/* The membership engine's doors: what comes in, what is due, and what can be asked. */
#include "shards/router/membership/membership.h"

#include <stdlib.h>
#include <string.h>

#include "shards/router/membership/membership_state.h"

struct membership_config membership_config_default(void)
{
    return (struct membership_config){
        .members_max = 1024,
        .probe_ms = 500,
        .ack_ms = 200,
        .indirect_probes = 3,
        .gossip_ms = 200,
        .gossip_targets = 3,
        .retransmissions = 4,
        .suspicion_ms = 1500,
        .suspicion_stretch = 6,
        .confirmations = 3,
        .unreachable_ms = 2000,
        .exchange_ms = 30 * 1000,
        .reconnect_ms = 10 * 1000,
        .dead_kept_ms = 3600 * 1000,
        .left_kept_ms = 600 * 1000,
        .load_ms = 5000,
        .health_max = 8,
    };
}

static struct map_key uid_key(const void *object)
{
    const struct member *member = object;
    return (struct map_key){member->seen.uid.bytes, sizeof(member->seen.uid.bytes)};
}

static void lists_init(struct membership *membership)
{
    list_init(&membership->condemned);
    for (uint32_t i = 0; i < RUMOUR_SENDS_MAX; i++) {
        list_init(&membership->status_rumours[i]);
        list_init(&membership->load_rumours[i]);
    }
}

/* Each node begins at a moment of its own, so that nodes that start together do not act so. */
static void clocks_init(struct membership *membership)
{
    struct random *random = membership->random;
    const struct membership_config *config = &membership->config;
    const uint64_t now_ms = membership->now_ms;
    membership->due_ms = MEMBERSHIP_NEVER;
    membership->probe_at_ms = now_ms + random_below(random, config->probe_ms);
    membership->gossip_at_ms = now_ms + random_below(random, config->gossip_ms);
    membership->young_pace_ms = YOUNG_PACE_MS;
    membership->exchange_at_ms = now_ms + YOUNG_PACE_MS / 2 + random_below(random, YOUNG_PACE_MS);
    membership->reconnect_at_ms = now_ms + random_below(random, config->reconnect_ms);
    membership->reap_at_ms = now_ms + REAP_MS;
    membership->load_at_ms = now_ms + random_below(random, config->load_ms);
    membership->seed_at_ms = now_ms;
    membership->seed_retry_ms = SEED_RETRY_MS;
    /* Nobody can guess which acknowledgement is awaited. */
    random_fill_secret(random, &membership->probe_sequence, sizeof(membership->probe_sequence));
    membership->probe_sequence &= ~1u;
    membership->relay_sequence = membership->probe_sequence | 1;
}

struct membership *membership_create(const struct membership_config *config,
                                     const struct membership_sink *sink, struct random *random,
                                     uint64_t now_ms)
{
    BUG_IF(config->members_max == 0 || config->members_max > MEMBERSHIP_MEMBERS_MAX);
    BUG_IF(config->ack_ms >= config->probe_ms || config->suspicion_stretch == 0);
    BUG_IF(config->confirmations == 0 || config->confirmations > CONFIRMATIONS_MAX);
    struct membership *membership = calloc(1, sizeof(*membership));
    if (membership == NULL) {
        return NULL;
    }
    membership->config = *config;
    membership->sink = *sink;
    membership->random = random;
    membership->now_ms = now_ms;
    membership->joining_ends_ms = MEMBERSHIP_NEVER;
    membership->burst_at_ms = MEMBERSHIP_NEVER;
    membership->load_revision = config->first_incarnation;
    membership->by_uid = map_create(uid_key, random);
    membership->members = calloc(config->members_max, sizeof(struct member *));
    if (membership->by_uid == NULL || membership->members == NULL) {
        map_destroy(membership->by_uid);
        free(membership->members);
        free(membership);
        return NULL;
    }
    membership->bytes = sizeof(*membership) + config->members_max * sizeof(struct member *);
    lists_init(membership);
    clocks_init(membership);
    return membership;
}

void membership_destroy(struct membership *membership)
{
    if (membership == NULL) {
        return;
    }
    for (uint32_t i = 0; i < membership->members_len; i++) {
        member_free(membership, membership->members[i]);
    }
    if (membership->self != NULL) {
        member_free(membership, membership->self);
    }
    map_destroy(membership->by_uid);
    free(membership->members);
    free(membership);
}

/* False: too long for one member's details. */
static bool encode_details(const struct gossip_details *details, struct writer *writer,
                           struct gossip_member *out)
{
    gossip_details_encode(details, writer);
    out->details = writer_written(writer);
    return !writer_is_overflown(writer);
}

bool membership_start(struct membership *membership, const struct gossip_uid *uid,
                      const struct gossip_details *details)
{
    BUG_IF(membership->self != NULL || gossip_uid_is_nobody(uid));
    uint8_t buf[GOSSIP_DETAILS_LEN_MAX];
    struct writer writer = writer_of(buf, sizeof(buf));
    struct gossip_member self = {.uid = *uid,
                                 .incarnation = membership->config.first_incarnation,
                                 .status = GOSSIP_ALIVE};
    if (!encode_details(details, &writer, &self)) {
        return false;
    }
    membership->self = member_create(membership, &self);
    return membership->self != NULL;
}

bool membership_set_details(struct membership *membership, const struct gossip_details *details,
                            uint64_t now_ms)
{
    membership->now_ms = now_ms;
    struct member *self = membership->self;
    uint8_t buf[GOSSIP_DETAILS_LEN_MAX];
    struct writer writer = writer_of(buf, sizeof(buf));
    struct gossip_member said = {.incarnation = self->seen.incarnation + 1};
    if (!encode_details(details, &writer, &said) || !member_take_details(membership, self, &said)) {
        return false;
    }
    self->seen.incarnation++;
    rumour_add(membership, self);
    return true;
}

void membership_set_load(struct membership *membership, const struct gossip_load *load)
{
    const uint64_t revision = membership->self->seen.load.revision;
    membership->self->seen.load = *load;
    membership->self->seen.load.revision = revision;
    membership->is_load_new = true;
}

void membership_leave(struct membership *membership, uint64_t now_ms)
{
    membership->now_ms = now_ms;
    if (!membership->is_leaving) {
        membership->is_leaving = true;
        probe_forget_all(membership);
        /* It does not count among the others, so nothing else changes with its status. */
        membership->self->seen.status = GOSSIP_LEFT;
        membership->self->accuser = membership->self->seen.uid;
        rumour_add(membership, membership->self);
    }
}

bool membership_has_left(const struct membership *membership)
{
    return membership->is_leaving && !list_is_linked(&membership->self->status_rumour.node);
}

/* Whoever was not run for a while knows nothing of that while, and judges nobody by it: verdicts
 * wait for as long again. */
static void notice_pause(struct membership *membership, uint64_t now_ms)
{
    const bool is_late =
        now_ms > membership->due_ms && now_ms - membership->due_ms >= membership->config.probe_ms;
    if (is_late && !membership->config.is_plain_swim) {
        const uint64_t late_ms = now_ms - membership->due_ms;
        const uint64_t missed = late_ms / membership->config.probe_ms;
        const uint32_t health_max = membership->config.health_max;
        membership->counters.pauses++;
        status_shift(membership, late_ms);
        probe_forget_all(membership);
        membership->probe_at_ms = now_ms + membership->config.probe_ms;
        probe_health(membership, (int32_t)(missed < health_max ? missed : health_max));
    }
    membership->due_ms = MEMBERSHIP_NEVER;
    membership->now_ms = now_ms;
}

static void apply_encoded(struct membership *membership, struct span encoded, bool is_state,
                          const struct gossip_uid *sender)
{
    struct gossip_member member;
    uint8_t room[GOSSIP_PART_SCRATCH_LEN];
    struct scratch scratch = scratch_of(room, sizeof(room));
    const enum gossip_result result = gossip_member_decode(encoded, &scratch, &member);
    if (result == GOSSIP_OK) {
        member_apply(membership, &member, is_state, sender);
    } else {
        membership->counters.bad_members[result]++;
    }
}

enum gossip_result membership_on_datagram(struct membership *membership,
                                          const struct gossip_address *from, struct span payload,
                                          uint64_t now_ms)
{
    notice_pause(membership, now_ms);
    membership->counters.datagrams_in++;
    membership->counters.bytes_in += payload.len;
    struct scratch scratch = scratch_of(membership->scratch, sizeof(membership->scratch));
    struct gossip_datagram datagram;
    const enum gossip_result result =
        gossip_datagram_decode(payload, membership->config.cluster, &scratch, &datagram);
    if (result != GOSSIP_OK) {
        membership->counters.bad_datagrams[result]++;
        return result;
    }
    if (gossip_uid_equal(&datagram.sender, &membership->self->seen.uid)) {
        /* One's own, come back by a wrong seed. */
        return GOSSIP_OK;
    }
    /* What is said first: the answer to a ping may then already be a refutation. */
    for (uint32_t i = 0; i < datagram.members_len; i++) {
        apply_encoded(membership, datagram.members[i], false, &datagram.sender);
    }
    probe_on_datagram(membership, from, &datagram);
    return GOSSIP_OK;
}

enum gossip_result membership_on_state(struct membership *membership, struct span part,
                                       uint64_t now_ms)
{
    notice_pause(membership, now_ms);
    struct scratch scratch = scratch_of(membership->scratch, sizeof(membership->scratch));
    struct gossip_state state;
    const enum gossip_result result =
        gossip_state_decode(part, membership->config.cluster, &scratch, &state);
    if (result != GOSSIP_OK) {
        membership->counters.bad_datagrams[result]++;
        return result;
    }
    for (uint32_t i = 0; i < state.members_len; i++) {
        apply_encoded(membership, state.members[i], true, &state.sender);
    }
    membership->joining_ends_ms = earlier(membership->joining_ends_ms, now_ms + WELCOME_MS);
    return GOSSIP_OK;
}

void membership_tick(struct membership *membership, uint64_t now_ms)
{
    notice_pause(membership, now_ms);
    probe_tick(membership);
    status_tick(membership);
    exchange_tick(membership);
    if (membership->rumours > 0 && now_ms >= membership->gossip_at_ms) {
        rumour_gossip(membership);
    }
}

uint64_t membership_next_deadline_ms(struct membership *membership)
{
    uint64_t deadline_ms = probe_next_deadline_ms(membership);
    deadline_ms = earlier(deadline_ms, status_next_deadline_ms(membership));
    deadline_ms = earlier(deadline_ms, exchange_next_deadline_ms(membership));
    if (membership->rumours > 0) {
        deadline_ms = earlier(deadline_ms, membership->gossip_at_ms);
    }
    membership->due_ms = deadline_ms;
    return deadline_ms;
}

const struct membership_member *membership_find(const struct membership *membership,
                                                const struct gossip_uid *uid)
{
    const struct member *member = member_find(membership, uid);
    return member == NULL ? NULL : &member->seen;
}

const struct membership_member *membership_self(const struct membership *membership)
{
    return &membership->self->seen;
}

uint32_t membership_count(const struct membership *membership)
{
    return membership->members_len;
}

const struct membership_member *membership_at(const struct membership *membership, uint32_t index)
{
    return index < membership->members_len ? &membership->members[index]->seen : NULL;
}

const struct membership_counters *membership_counters(const struct membership *membership)
{
    return &membership->counters;
}

uint32_t membership_health(const struct membership *membership)
{
    return membership->health;
}

size_t membership_bytes(const struct membership *membership)
{
    return membership->bytes + map_bytes(membership->by_uid);
}
