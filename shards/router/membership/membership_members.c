/* SPDX-License-Identifier: Apache-2.0 */
/* The table of members, and what becomes of one when somebody says something of it. */
#include <stdlib.h>
#include <string.h>

#include "shards/router/membership/membership_state.h"

struct member *member_find(const struct membership *membership, const struct gossip_uid *uid)
{
    return map_find(membership->by_uid, uid->bytes, sizeof(uid->bytes));
}

void member_emit(struct membership *membership, struct member *member,
                 enum membership_event_kind kind, enum gossip_status before)
{
    if (membership->sink.event == NULL || member == membership->self) {
        return;
    }
    const struct membership_event event = {kind, before, &member->seen};
    membership->sink.event(membership->sink.owner, &event);
}

/* Integers, so that every machine comes to the same: 10 for 10 members, 20 for 100. */
uint32_t member_log10_tenths(const struct membership *membership)
{
    /* 10^(k/10), in thousandths. */
    static const uint32_t steps[] = {1000, 1259, 1585, 1995, 2512, 3162, 3981, 5012, 6310, 7943};
    uint64_t members = (uint64_t)(membership->live + 1) * 1000;
    uint32_t tenths = 0;
    for (; members >= 10000; members /= 10) {
        tenths += 10;
    }
    for (uint32_t i = 1; i < 10 && members >= steps[i]; i++) {
        tenths++;
    }
    return tenths;
}

static void table_swap(struct membership *membership, uint32_t a, uint32_t b)
{
    struct member *member = membership->members[a];
    membership->members[a] = membership->members[b];
    membership->members[b] = member;
    membership->members[a]->index = a;
    membership->members[b]->index = b;
}

void member_shuffle(struct membership *membership)
{
    for (uint32_t i = membership->members_len; i > 1; i--) {
        table_swap(membership, i - 1, (uint32_t)random_below(membership->random, i));
    }
}

/* At a random place, so that the members do not all probe a new one in the same moment. */
static void table_add(struct membership *membership, struct member *member)
{
    member->index = membership->members_len++;
    membership->members[member->index] = member;
    table_swap(membership, member->index,
               (uint32_t)random_below(membership->random, membership->members_len));
}

static void table_remove(struct membership *membership, struct member *member)
{
    table_swap(membership, member->index, membership->members_len - 1);
    membership->members_len--;
}

bool member_take_details(struct membership *membership, struct member *member,
                         const struct gossip_member *in)
{
    uint8_t room[GOSSIP_PART_SCRATCH_LEN];
    struct scratch scratch = scratch_of(room, sizeof(room));
    uint8_t *raw = malloc(in->details.len + in->extra.len + 1);
    if (raw == NULL) {
        return false;
    }
    memcpy(raw, in->details.at, in->details.len);
    if (in->extra.len > 0) {
        memcpy(raw + in->details.len, in->extra.at, in->extra.len);
    }
    struct gossip_details details;
    const enum gossip_result result =
        gossip_details_decode(span_of(raw, in->details.len), &scratch, &details);
    if (result != GOSSIP_OK) {
        membership->counters.bad_members[result]++;
        free(raw);
        return false;
    }
    free(member->raw);
    membership->bytes -= (size_t)member->details_len + member->extra_len;
    member->raw = raw;
    member->details_len = (uint16_t)in->details.len;
    member->extra_len = (uint16_t)in->extra.len;
    membership->bytes += (size_t)member->details_len + member->extra_len;
    member->details_incarnation = in->incarnation;
    struct membership_member *seen = &member->seen;
    seen->details = span_of(raw, in->details.len);
    seen->cluster_address = details.cluster_address;
    seen->weight = details.weight;
    seen->shards = details.shards;
    seen->protocol_min = details.protocol_min;
    seen->protocol_max = details.protocol_max;
    seen->is_draining = details.is_draining;
    return true;
}

struct member *member_create(struct membership *membership, const struct gossip_member *in)
{
    struct member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return NULL;
    }
    member->load_rumour.is_load = true;
    member->seen.uid = in->uid;
    member->seen.incarnation = in->incarnation;
    member->seen.status = GOSSIP_ALIVE;
    member->seen.since_ms = membership->now_ms;
    membership->bytes += sizeof(*member);
    if (!member_take_details(membership, member, in) || !map_insert(membership->by_uid, member)) {
        membership->bytes -= sizeof(*member) + member->details_len + member->extra_len;
        free(member->raw);
        free(member);
        return NULL;
    }
    return member;
}

void member_free(struct membership *membership, struct member *member)
{
    map_remove(membership->by_uid, member);
    rumour_drop(membership, &member->status_rumour);
    rumour_drop(membership, &member->load_rumour);
    list_remove(&member->condemned);
    membership->bytes -= sizeof(*member) + member->details_len + member->extra_len;
    free(member->raw);
    free(member);
}

static void member_forget(struct membership *membership, struct member *member)
{
    member_emit(membership, member, MEMBERSHIP_FORGOTTEN, member->seen.status);
    membership->dead -= member->seen.status == GOSSIP_DEAD;
    table_remove(membership, member);
    member_free(membership, member);
}

void member_reap(struct membership *membership)
{
    for (uint32_t i = membership->members_len; i > 0; i--) {
        struct member *member = membership->members[i - 1];
        const uint64_t kept_ms = member->seen.status == GOSSIP_DEAD
                                     ? membership->config.dead_kept_ms
                                     : membership->config.left_kept_ms;
        if (!member_is_live(member) && membership->now_ms >= member->seen.since_ms + kept_ms) {
            member_forget(membership, member);
        }
    }
}

/* Who has been gone for the longest makes room; false when all are live. */
static bool make_room(struct membership *membership)
{
    struct member *oldest = NULL;
    for (uint32_t i = 0; i < membership->members_len; i++) {
        struct member *member = membership->members[i];
        if (!member_is_live(member) &&
            (oldest == NULL || member->seen.since_ms < oldest->seen.since_ms)) {
            oldest = member;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    member_forget(membership, oldest);
    return true;
}

/* Only who is said to be in the cluster, with all that is to be known of it, is news. */
static struct member *apply_unknown(struct membership *membership, const struct gossip_member *in,
                                    bool is_state)
{
    if (in->details.len == 0 || in->status == GOSSIP_UNSAID || in->status >= GOSSIP_DEAD) {
        return NULL;
    }
    if (membership->members_len == membership->config.members_max && !make_room(membership)) {
        membership->counters.members_refused++;
        return NULL;
    }
    struct member *member = member_create(membership, in);
    if (member == NULL) {
        return NULL;
    }
    table_add(membership, member);
    membership->live++;
    member_emit(membership, member, MEMBERSHIP_JOINED, GOSSIP_UNSAID);
    /* Whoever is let in learns of everybody at once; the others know them, and need no rumours. */
    if (!is_state || membership->now_ms >= membership->joining_ends_ms) {
        rumour_add(membership, member);
    }
    return member;
}

static void apply_details(struct membership *membership, struct member *member,
                          const struct gossip_member *in)
{
    if (in->details.len == 0 || in->incarnation <= member->details_incarnation) {
        return;
    }
    const bool is_same =
        span_equal(in->details, member->seen.details) &&
        span_equal(in->extra, span_of(member->raw + member->details_len, member->extra_len));
    if (is_same) {
        member->details_incarnation = in->incarnation;
    } else if (member_take_details(membership, member, in)) {
        member_emit(membership, member, MEMBERSHIP_DETAILS, member->seen.status);
    }
}

static void apply_load(struct membership *membership, struct member *member,
                       const struct gossip_member *in)
{
    uint8_t room[GOSSIP_PART_SCRATCH_LEN];
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct gossip_load load;
    const enum gossip_result result = gossip_load_decode(in->load, &scratch, &load);
    if (result != GOSSIP_OK) {
        membership->counters.bad_members[result]++;
        return;
    }
    if (load.revision <= member->seen.load.revision) {
        return;
    }
    member->seen.load = load;
    member->load_len = (uint8_t)in->load.len;
    memcpy(member->load_raw, in->load.at, in->load.len);
    rumour_add_load(membership, member);
    member_emit(membership, member, MEMBERSHIP_LOAD, member->seen.status);
}

/* Whatever is said of this node, it knows better, and says so in a new incarnation. */
static void apply_self(struct membership *membership, const struct gossip_member *in)
{
    struct member *self = membership->self;
    const bool is_doubt = in->status > GOSSIP_ALIVE && in->incarnation >= self->seen.incarnation;
    const bool is_other_life =
        in->status == GOSSIP_ALIVE && in->incarnation > self->seen.incarnation;
    if (membership->is_leaving || (!is_doubt && !is_other_life)) {
        return;
    }
    if (in->incarnation == GOSSIP_INCARNATION_MAX) {
        membership->counters.bad_members[GOSSIP_ERROR_INCARNATION]++;
        return;
    }
    self->seen.incarnation = in->incarnation + 1;
    self->details_incarnation = self->seen.incarnation;
    membership->counters.refutations++;
    rumour_add(membership, self);
    if (is_doubt && in->status < GOSSIP_LEFT) {
        probe_health(membership, 1);
    }
}

/* Rises to the incarnation; one that begins takes back what was said in the one before. */
static void apply_incarnation(struct member *member, uint64_t incarnation)
{
    if (incarnation > member->seen.incarnation) {
        member->seen.incarnation = incarnation;
    }
}

static void apply_alive(struct membership *membership, struct member *member,
                        const struct gossip_member *in, const struct gossip_uid *sender)
{
    if (in->incarnation <= member->seen.incarnation) {
        return;
    }
    apply_incarnation(member, in->incarnation);
    const enum gossip_status before = member->seen.status;
    membership->counters.false_alarms += before == GOSSIP_SUSPECT || before == GOSSIP_UNREACHABLE;
    membership->counters.comebacks += before == GOSSIP_DEAD;
    status_set(membership, member, GOSSIP_ALIVE);
    rumour_add(membership, member);
    if (before == GOSSIP_DEAD && gossip_uid_equal(sender, &in->uid)) {
        exchange_on_comeback(membership, member);
    }
}

/* The status that is news of a known member, or GOSSIP_UNSAID. */
static enum gossip_status news_of(const struct member *member, const struct gossip_member *in)
{
    const enum gossip_status said = in->status;
    const bool is_older = in->incarnation < member->seen.incarnation;
    const bool is_newer = in->incarnation > member->seen.incarnation;
    const bool is_worse = said > member->seen.status;
    const bool is_confirmation = said == GOSSIP_SUSPECT && member->seen.status == GOSSIP_SUSPECT;
    if (is_older || said <= GOSSIP_ALIVE || !(is_newer || is_worse || is_confirmation)) {
        return GOSSIP_UNSAID;
    }
    return said;
}

static void apply_doubt(struct membership *membership, struct member *member,
                        const struct gossip_member *in, bool is_state)
{
    const enum gossip_status said = news_of(member, in);
    if (said == GOSSIP_UNSAID) {
        return;
    }
    if (is_state && said < GOSSIP_LEFT && member->seen.status != GOSSIP_SUSPECT) {
        /* A rumour that this node missed, or the view of a node that was cut off itself. */
        if (member->seen.status == GOSSIP_ALIVE) {
            probe_start(membership, member);
        }
        return;
    }
    if (is_state && said < GOSSIP_LEFT && said != GOSSIP_SUSPECT) {
        return;
    }
    const bool is_newer = in->incarnation > member->seen.incarnation;
    apply_incarnation(member, in->incarnation);
    switch (said) {
    case GOSSIP_SUSPECT:
        if (is_newer && member->seen.status != GOSSIP_ALIVE) {
            status_set(membership, member, GOSSIP_ALIVE);
        }
        status_suspect(membership, member, &in->accuser);
        break;
    case GOSSIP_UNREACHABLE:
        status_unreachable(membership, member, &in->accuser);
        break;
    default:
        member->accuser = in->accuser;
        status_set(membership, member, said);
        rumour_add(membership, member);
        break;
    }
}

void member_apply(struct membership *membership, const struct gossip_member *in, bool is_state,
                  const struct gossip_uid *sender)
{
    struct gossip_member said = *in;
    if (gossip_uid_equal(&in->uid, &membership->self->seen.uid)) {
        apply_self(membership, in);
        return;
    }
    if (gossip_uid_is_nobody(&said.accuser)) {
        said.accuser = *sender;
    }
    struct member *member = member_find(membership, &in->uid);
    if (member == NULL) {
        member = apply_unknown(membership, &said, is_state);
    } else {
        apply_details(membership, member, &said);
        if (said.status == GOSSIP_ALIVE) {
            apply_alive(membership, member, &said, sender);
        }
    }
    if (member == NULL) {
        return;
    }
    apply_doubt(membership, member, &said, is_state);
    if (said.load.len > 0) {
        apply_load(membership, member, &said);
    }
}
