/* SPDX-License-Identifier: Apache-2.0 */
/* From alive over suspect and unreachable to dead: who says so, and how long it may be refuted. */
#include "shards/router/membership/membership_state.h"

void status_set(struct membership *membership, struct member *member, enum gossip_status status)
{
    const enum gossip_status before = member->seen.status;
    if (before == status) {
        return;
    }
    const bool was_live = member_is_live(member);
    member->seen.status = status;
    member->seen.since_ms = membership->now_ms;
    const bool is_live = member_is_live(member);
    membership->live += (uint32_t)is_live - (uint32_t)was_live;
    membership->dead += (uint32_t)(status == GOSSIP_DEAD) - (uint32_t)(before == GOSSIP_DEAD);
    membership->counters.suspicions += status == GOSSIP_SUSPECT;
    membership->counters.unreachable += status == GOSSIP_UNREACHABLE;
    membership->counters.dead += status == GOSSIP_DEAD;
    list_remove(&member->condemned);
    if (status == GOSSIP_SUSPECT || status == GOSSIP_UNREACHABLE) {
        list_append(&membership->condemned, &member->condemned);
    }
    member_emit(membership, member, MEMBERSHIP_STATUS, before);
}

/* The natural logarithms of 1 .. 9, in thousandths: what each further confirmation is worth. */
static uint64_t log_thousandths(uint32_t value)
{
    static const uint16_t logs[] = {0, 0, 693, 1099, 1386, 1609, 1792, 1946, 2079, 2197};
    return logs[value];
}

/* Lifeguard: from the longest time at no confirmation to the shortest at all that are wanted. */
static void suspicion_time(const struct membership *membership, struct suspicion *suspicion)
{
    const struct membership_config *config = &membership->config;
    const uint64_t tenths = member_log10_tenths(membership);
    const uint64_t shortest_ms = config->suspicion_ms * (tenths > 20 ? tenths : 20) / 10;
    uint64_t ms = shortest_ms;
    const uint32_t wanted = suspicion->confirmations_wanted;
    const uint32_t have = suspicion->accusers_len - 1;
    if (!config->is_plain_swim && wanted > have) {
        const uint64_t longer_ms = shortest_ms * (config->suspicion_stretch - 1);
        ms = shortest_ms + longer_ms -
             longer_ms * log_thousandths(have + 1) / log_thousandths(wanted + 1);
    }
    suspicion->ends_ms = suspicion->started_ms + ms;
}

static bool suspicion_accuse(struct suspicion *suspicion, const struct gossip_uid *accuser)
{
    for (uint32_t i = 0; i < suspicion->accusers_len; i++) {
        if (gossip_uid_equal(&suspicion->accusers[i], accuser)) {
            return false;
        }
    }
    if (suspicion->accusers_len > suspicion->confirmations_wanted) {
        return false;
    }
    suspicion->accusers[suspicion->accusers_len++] = *accuser;
    return true;
}

/* About twice as many as must confirm it look for themselves, wherever the suspicion came from. */
static void look_for_oneself(struct membership *membership, struct member *member)
{
    const uint64_t looking = 2 * (uint64_t)membership->config.confirmations;
    if (!membership->config.is_plain_swim &&
        random_below(membership->random, membership->live + 1) < looking) {
        probe_start(membership, member);
    }
}

void status_suspect(struct membership *membership, struct member *member,
                    const struct gossip_uid *accuser)
{
    struct suspicion *suspicion = &member->suspicion;
    if (member->seen.status == GOSSIP_SUSPECT) {
        if (suspicion_accuse(suspicion, accuser)) {
            suspicion_time(membership, suspicion);
            member->accuser = *accuser;
            rumour_add(membership, member);
        }
        return;
    }
    /* Who is left besides the accuser and the accused may confirm. */
    const uint32_t others = membership->live > 1 ? membership->live - 1 : 0;
    const uint32_t wanted = membership->config.is_plain_swim ? 0 : membership->config.confirmations;
    *suspicion = (struct suspicion){.started_ms = membership->now_ms,
                                    .confirmations_wanted = wanted < others ? wanted : others};
    (void)suspicion_accuse(suspicion, accuser);
    suspicion_time(membership, suspicion);
    member->accuser = *accuser;
    status_set(membership, member, GOSSIP_SUSPECT);
    rumour_add(membership, member);
    if (!gossip_uid_equal(accuser, &membership->self->seen.uid)) {
        look_for_oneself(membership, member);
    }
}

void status_unreachable(struct membership *membership, struct member *member,
                        const struct gossip_uid *accuser)
{
    member->accuser = *accuser;
    member->suspicion.started_ms = membership->now_ms;
    member->suspicion.ends_ms = membership->now_ms + membership->config.unreachable_ms;
    status_set(membership, member, GOSSIP_UNREACHABLE);
    rumour_add(membership, member);
}

static void suspicion_end(struct membership *membership, struct member *member)
{
    const struct gossip_uid *self = &membership->self->seen.uid;
    if (member->seen.status == GOSSIP_SUSPECT) {
        status_unreachable(membership, member, self);
        return;
    }
    member->accuser = *self;
    status_set(membership, member, GOSSIP_DEAD);
    rumour_add(membership, member);
}

void status_tick(struct membership *membership)
{
    struct list *next;
    for (struct list *at = membership->condemned.next; at != &membership->condemned; at = next) {
        struct member *member = CONTAINER_OF(at, struct member, condemned);
        next = at->next;
        if (membership->now_ms >= member->suspicion.ends_ms) {
            /* It goes to the end of the list as unreachable, with a new time, or out of it. */
            suspicion_end(membership, member);
        }
    }
}

void status_shift(struct membership *membership, uint64_t late_ms)
{
    struct list *at = membership->condemned.next;
    for (; at != &membership->condemned; at = at->next) {
        struct suspicion *suspicion = &CONTAINER_OF(at, struct member, condemned)->suspicion;
        suspicion->started_ms += late_ms;
        suspicion->ends_ms += late_ms;
    }
}

uint64_t status_next_deadline_ms(const struct membership *membership)
{
    uint64_t deadline_ms = MEMBERSHIP_NEVER;
    const struct list *at = membership->condemned.next;
    for (; at != &membership->condemned; at = at->next) {
        const struct member *member =
            (const struct member *)(const void *)((const char *)at -
                                                  offsetof(struct member, condemned));
        deadline_ms = earlier(deadline_ms, member->suspicion.ends_ms);
    }
    return deadline_ms;
}
