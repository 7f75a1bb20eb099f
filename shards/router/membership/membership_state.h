/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the membership engine share; for membership*.c alone. */
#ifndef ROOST_SHARDS_ROUTER_MEMBERSHIP_MEMBERSHIP_STATE_H
#define ROOST_SHARDS_ROUTER_MEMBERSHIP_MEMBERSHIP_STATE_H

#include "runtime/list.h"
#include "runtime/map.h"
#include "runtime/random.h"
#include "shards/router/membership/membership.h"

enum {
    /* Probes under way: the one whose turn it is, and those that a suspicion asked for. */
    PROBES_MAX = 16,
    /* Probes under way for others; a newer one takes the place of the oldest. */
    RELAYS_MAX = 128,
    /* A rumour is sent so often at most, whatever the configuration says. */
    RUMOUR_SENDS_MAX = 32,
    CONFIRMATIONS_MAX = 8,
    REAP_MS = 5000,
    /* Rumours go to the dead too for this long: they may be alive and refute it. */
    GOSSIP_TO_DEAD_MS = 30000,
    /* Who met a dead member alive calls all others that it holds for dead, so many at a time. */
    CALLS_A_BURST = 8,
    BURST_MS = 50,
    /* States that come this soon after the first one are of the same welcome. */
    WELCOME_MS = 3000,
    YOUNG_PACE_MS = 2000,
    SEED_RETRY_MS = 1000,
    SEED_RETRY_MS_MAX = 10000,
};

#define MEMBERSHIP_NEVER UINT64_MAX

struct rumour {
    struct list node; /* In the bucket of its sends, or in none. */
    uint8_t sends;
    bool is_load;
};

/* Who suspects a member, since when, and until when it may refute that. */
struct suspicion {
    uint64_t started_ms;
    uint64_t ends_ms; /* Of being suspect, or of being unreachable. */
    uint32_t confirmations_wanted;
    uint32_t accusers_len; /* The first one, and those that confirm. */
    struct gossip_uid accusers[CONFIRMATIONS_MAX + 1];
};

struct member {
    struct membership_member seen;
    uint64_t details_incarnation; /* That the details are of; at most that of the status. */
    struct gossip_uid accuser;    /* The last one, which rumours name. */
    struct list condemned;        /* Linked while it is suspect or unreachable. */
    struct rumour status_rumour;
    struct rumour load_rumour;
    struct suspicion suspicion;
    uint32_t index; /* In membership->members; none for oneself. */
    uint16_t details_len;
    uint16_t extra_len;
    uint8_t load_len;
    uint8_t *raw; /* The details, then the extra fields, as they came. */
    uint8_t load_raw[GOSSIP_LOAD_LEN_MAX];
};

struct probe {
    bool is_used;
    bool is_indirect; /* Others were asked. */
    uint32_t sequence;
    struct gossip_uid target;
    uint64_t ack_ends_ms;
    uint64_t ends_ms;
    uint32_t nacks_wanted;
    uint32_t nacks;
};

struct relay {
    bool is_used;
    bool wants_nack;
    uint32_t sequence;           /* Of this node's ping. */
    uint32_t sequence_requester; /* Of the request. */
    struct gossip_address requester;
    uint64_t nack_ms;
    uint64_t ends_ms;
};

struct membership {
    struct membership_config config;
    struct membership_sink sink;
    struct random *random;
    struct map *by_uid; /* struct member, oneself too. */
    struct member *self;
    struct member **members; /* The others, in the order of their probes. */
    uint32_t members_len;
    uint32_t live; /* Others that are neither dead nor have left. */
    uint32_t dead;
    uint32_t probe_index;
    uint32_t burst_index;
    uint32_t health;
    uint32_t probe_sequence; /* Even. */
    uint32_t relay_sequence; /* Odd. */
    bool is_leaving;
    uint64_t joining_ends_ms; /* Some time after the first state came. */
    bool is_load_new;
    uint64_t load_revision;

    uint64_t now_ms;
    uint64_t due_ms; /* What was promised to be the next tick. */
    uint64_t probe_at_ms;
    uint64_t gossip_at_ms;
    uint64_t exchange_at_ms;
    uint64_t reconnect_at_ms;
    uint64_t young_pace_ms; /* Between exchanges, while this node is new: doubles each time. */
    uint64_t burst_at_ms;
    uint64_t reap_at_ms;
    uint64_t load_at_ms;
    uint64_t seed_at_ms;
    uint32_t seed_retry_ms;

    struct list condemned;
    struct list status_rumours[RUMOUR_SENDS_MAX];
    struct list load_rumours[RUMOUR_SENDS_MAX];
    uint32_t rumours;

    uint32_t seeds_len;
    struct gossip_address seeds[MEMBERSHIP_SEEDS_MAX];
    struct probe probes[PROBES_MAX];
    struct relay relays[RELAYS_MAX];
    struct membership_counters counters;
    size_t bytes;
    uint8_t scratch[GOSSIP_SCRATCH_LEN];
};

/* membership_members.c: the table and what may happen to a member. */
struct member *member_find(const struct membership *membership, const struct gossip_uid *uid);
MUST_CHECK struct member *member_create(struct membership *membership,
                                        const struct gossip_member *in);
void member_free(struct membership *membership, struct member *member);
MUST_CHECK bool member_take_details(struct membership *membership, struct member *member,
                                    const struct gossip_member *in);
void member_emit(struct membership *membership, struct member *member,
                 enum membership_event_kind kind, enum gossip_status before);
/* What somebody says of a member; `is_state`: in a state, where a doubt is only a hint. */
void member_apply(struct membership *membership, const struct gossip_member *in, bool is_state,
                  const struct gossip_uid *sender);
void member_reap(struct membership *membership);
void member_shuffle(struct membership *membership);
/* 10 is 1.0: the decimal logarithm of the live members, with one digit behind the point. */
uint32_t member_log10_tenths(const struct membership *membership);

/* membership_status.c: suspicion, its confirmation and its end. */
void status_set(struct membership *membership, struct member *member, enum gossip_status status);
void status_suspect(struct membership *membership, struct member *member,
                    const struct gossip_uid *accuser);
void status_unreachable(struct membership *membership, struct member *member,
                        const struct gossip_uid *accuser);
void status_tick(struct membership *membership);
void status_shift(struct membership *membership, uint64_t late_ms);
uint64_t status_next_deadline_ms(const struct membership *membership);

/* membership_rumours.c: what is passed on, and all that is sent. */
void rumour_add(struct membership *membership, struct member *member);
void rumour_add_load(struct membership *membership, struct member *member);
void rumour_drop(struct membership *membership, struct rumour *rumour);
void rumour_gossip(struct membership *membership);
/* Sends with as many rumours as fit; `first`, when it is not NULL, is said in any case. */
void rumour_send(struct membership *membership, const struct gossip_address *to,
                 struct gossip_datagram *datagram, struct member *first);
struct gossip_member rumour_of(const struct member *member);

/* membership_probe.c: probes, those made for others, and what they say of one's own health. */
void probe_start(struct membership *membership, struct member *member);
void probe_tick(struct membership *membership);
void probe_forget_all(struct membership *membership);
void probe_on_datagram(struct membership *membership, const struct gossip_address *from,
                       const struct gossip_datagram *datagram);
void probe_health(struct membership *membership, int32_t change);
uint64_t probe_next_deadline_ms(const struct membership *membership);
/* A member that the filter takes, at random; NULL when none was found soon. */
typedef bool member_filter(const struct membership *membership, const struct member *member);
struct member *member_pick(struct membership *membership, member_filter *filter);

/* membership_exchange.c: states, seeds, and tries to reach the dead. */
void exchange_tick(struct membership *membership);
uint64_t exchange_next_deadline_ms(const struct membership *membership);
void exchange_with(struct membership *membership, const struct member *member);
/* A member that this node held for dead spoke to it. */
void exchange_on_comeback(struct membership *membership, const struct member *member);

static inline bool member_is_live(const struct member *member)
{
    return member->seen.status < GOSSIP_DEAD;
}

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
