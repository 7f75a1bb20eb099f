/* SPDX-License-Identifier: Apache-2.0 */
/* What heals what rumours missed: exchanges of whole states, seeds, and calls to the dead. */
#include "shards/router/membership/membership_state.h"

void exchange_with(struct membership *membership, const struct member *member)
{
    if (membership->sink.exchange != NULL) {
        membership->sink.exchange(membership->sink.owner, &member->seen.cluster_address,
                                  &member->seen.uid);
    }
}

static void call_seed(struct membership *membership, const struct gossip_address *seed)
{
    static const struct gossip_uid nobody;
    struct gossip_datagram ping = {.kind = GOSSIP_PING};
    rumour_send(membership, seed, &ping, membership->self);
    if (membership->sink.exchange != NULL) {
        membership->sink.exchange(membership->sink.owner, seed, &nobody);
    }
}

bool membership_join(struct membership *membership, const struct gossip_address *seed,
                     uint64_t now_ms)
{
    for (uint32_t i = 0; i < membership->seeds_len; i++) {
        if (gossip_address_equal(&membership->seeds[i], seed)) {
            return true;
        }
    }
    if (membership->seeds_len == MEMBERSHIP_SEEDS_MAX) {
        return false;
    }
    membership->now_ms = now_ms;
    membership->seeds[membership->seeds_len++] = *seed;
    membership->seed_retry_ms = SEED_RETRY_MS;
    membership->seed_at_ms = now_ms + SEED_RETRY_MS;
    if (!gossip_address_equal(seed, &membership->self->seen.cluster_address)) {
        call_seed(membership, seed);
    }
    return true;
}

void membership_forget_seeds(struct membership *membership)
{
    membership->seeds_len = 0;
}

static bool is_address_live(const struct membership *membership,
                            const struct gossip_address *address)
{
    if (gossip_address_equal(address, &membership->self->seen.cluster_address)) {
        return true;
    }
    for (uint32_t i = 0; i < membership->members_len; i++) {
        const struct member *member = membership->members[i];
        if (member_is_live(member) &&
            gossip_address_equal(address, &member->seen.cluster_address)) {
            return true;
        }
    }
    return false;
}

/* Alone: every seed, with patience. Else: one seed that no live member answers for. */
static void seed_tick(struct membership *membership)
{
    if (membership->live == 0) {
        for (uint32_t i = 0; i < membership->seeds_len; i++) {
            if (!is_address_live(membership, &membership->seeds[i])) {
                call_seed(membership, &membership->seeds[i]);
            }
        }
        const uint32_t next_ms = 2 * membership->seed_retry_ms;
        membership->seed_retry_ms = next_ms < SEED_RETRY_MS_MAX ? next_ms : SEED_RETRY_MS_MAX;
        membership->seed_at_ms = membership->now_ms + membership->seed_retry_ms;
        return;
    }
    const struct gossip_address *seed =
        &membership->seeds[random_below(membership->random, membership->seeds_len)];
    if (!is_address_live(membership, seed)) {
        call_seed(membership, seed);
    }
    membership->seed_at_ms = membership->now_ms + membership->config.reconnect_ms;
}

static bool is_dead(const struct membership *membership, const struct member *member)
{
    (void)membership;
    return member->seen.status == GOSSIP_DEAD;
}

static void call_dead(struct membership *membership, struct member *member)
{
    struct gossip_datagram ping = {.kind = GOSSIP_PING, .target = member->seen.uid};
    rumour_send(membership, &member->seen.cluster_address, &ping, member);
}

/* All members together call as often as there are dead ones, so each calls the rarer the fewer. */
static void reconnect_tick(struct membership *membership)
{
    const uint64_t pace_ms = membership->config.reconnect_ms;
    membership->reconnect_at_ms =
        membership->now_ms + pace_ms / 2 + random_below(membership->random, pace_ms);
    if (random_below(membership->random, membership->live + 1) >= membership->dead) {
        return;
    }
    /* Few dead among many are found by going through them. */
    struct member *member = member_pick(membership, is_dead);
    const uint64_t start = random_below(membership->random, membership->members_len);
    for (uint32_t i = 0; member == NULL && i < membership->members_len; i++) {
        struct member *at = membership->members[(start + i) % membership->members_len];
        member = is_dead(membership, at) ? at : NULL;
    }
    if (member != NULL) {
        call_dead(membership, member);
    }
}

/* A cluster that was cut in two is one again. The other half refutes its death when it is told. */
void exchange_on_comeback(struct membership *membership, const struct member *member)
{
    exchange_with(membership, member);
    membership->burst_index = 0;
    membership->burst_at_ms = membership->now_ms + BURST_MS;
}

static void burst_tick(struct membership *membership)
{
    membership->burst_at_ms = membership->now_ms + BURST_MS;
    for (uint32_t calls = 0; calls < CALLS_A_BURST; membership->burst_index++) {
        if (membership->burst_index >= membership->members_len) {
            membership->burst_at_ms = MEMBERSHIP_NEVER;
            return;
        }
        struct member *member = membership->members[membership->burst_index];
        if (member->seen.status == GOSSIP_DEAD) {
            call_dead(membership, member);
            calls++;
        }
    }
}

static bool is_alive(const struct membership *membership, const struct member *member)
{
    (void)membership;
    return member->seen.status == GOSSIP_ALIVE;
}

/* A state grows with the cluster, so in large ones exchanges are rarer: once more for each doubling
 * beyond 32 members, as memberlist does. */
static void exchange_start(struct membership *membership)
{
    uint64_t pace_ms = membership->config.exchange_ms;
    for (uint32_t members = membership->live; members >= 32; members /= 2) {
        pace_ms += membership->config.exchange_ms;
    }
    /* Who joins together with others heard of few of them from its seed. */
    if (membership->young_pace_ms < pace_ms) {
        pace_ms = membership->young_pace_ms;
        membership->young_pace_ms *= 2;
    }
    membership->exchange_at_ms =
        membership->now_ms + pace_ms / 2 + random_below(membership->random, pace_ms);
    const struct member *member = member_pick(membership, is_alive);
    if (member != NULL) {
        exchange_with(membership, member);
    }
}

/* Each load goes to everybody: all of them together take the same bandwidth however many. */
static void load_tick(struct membership *membership)
{
    const uint64_t shared_ms = 200ull * (membership->live + 1);
    const uint64_t pace_ms =
        shared_ms > membership->config.load_ms ? shared_ms : membership->config.load_ms;
    membership->load_at_ms = membership->now_ms + pace_ms;
    membership->is_load_new = false;
    struct member *self = membership->self;
    self->seen.load.revision = ++membership->load_revision;
    struct writer writer = writer_of(self->load_raw, sizeof(self->load_raw));
    gossip_load_encode(&self->seen.load, &writer);
    self->load_len = (uint8_t)writer_written_len(&writer);
    rumour_add_load(membership, self);
}

void exchange_tick(struct membership *membership)
{
    const uint64_t now_ms = membership->now_ms;
    if (now_ms >= membership->reap_at_ms) {
        membership->reap_at_ms = now_ms + REAP_MS;
        member_reap(membership);
    }
    if (membership->is_leaving) {
        return;
    }
    if (now_ms >= membership->exchange_at_ms) {
        exchange_start(membership);
    }
    if (now_ms >= membership->reconnect_at_ms) {
        reconnect_tick(membership);
    }
    if (now_ms >= membership->burst_at_ms) {
        burst_tick(membership);
    }
    if (membership->seeds_len > 0 && now_ms >= membership->seed_at_ms) {
        seed_tick(membership);
    }
    if (membership->is_load_new && now_ms >= membership->load_at_ms) {
        load_tick(membership);
    }
}

uint64_t exchange_next_deadline_ms(const struct membership *membership)
{
    if (membership->is_leaving) {
        return membership->reap_at_ms;
    }
    uint64_t deadline_ms = earlier(membership->exchange_at_ms, membership->reconnect_at_ms);
    deadline_ms = earlier(deadline_ms, membership->reap_at_ms);
    deadline_ms = earlier(deadline_ms, membership->burst_at_ms);
    if (membership->seeds_len > 0) {
        deadline_ms = earlier(deadline_ms, membership->seed_at_ms);
    }
    return membership->is_load_new ? earlier(deadline_ms, membership->load_at_ms) : deadline_ms;
}

/* Index 0 is oneself. */
static struct member *state_member(const struct membership *membership, uint32_t index)
{
    return index == 0 ? membership->self : membership->members[index - 1];
}

static struct gossip_member state_of(const struct member *member)
{
    struct gossip_member out = rumour_of(member);
    /* Who does not know a suspect yet shall know it, and that it is one. */
    if (member_is_live(member) && member->details_incarnation == out.incarnation) {
        out.details = member->seen.details;
        out.extra = span_of(member->raw + member->details_len, member->extra_len);
    }
    out.load = span_of(member->load_raw, member->load_len);
    return out;
}

bool membership_state_write(struct membership *membership, uint32_t *cursor, struct writer *writer)
{
    if (*cursor > membership->members_len) {
        return false;
    }
    struct writer body = writer_of(membership->scratch, GOSSIP_STATE_LEN_MAX);
    struct gossip_state state = {.cluster = membership->config.cluster,
                                 .sender = membership->self->seen.uid};
    size_t len = GOSSIP_HEAD_LEN_MAX;
    while (*cursor <= membership->members_len && state.members_len < GOSSIP_MEMBERS_A_STATE_MAX) {
        const struct gossip_member said = state_of(state_member(membership, *cursor));
        struct writer measure = writer_for_measuring();
        gossip_member_encode(&said, &measure);
        if (len + measure.overflow + GOSSIP_MEMBER_FRAME_LEN > GOSSIP_STATE_LEN_MAX) {
            break;
        }
        len += measure.overflow + GOSSIP_MEMBER_FRAME_LEN;
        const uint8_t *start = body.at;
        gossip_member_encode(&said, &body);
        state.members[state.members_len++] = span_between(start, body.at);
        (*cursor)++;
    }
    gossip_state_encode(&state, writer);
    return true;
}
