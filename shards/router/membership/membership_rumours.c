/* SPDX-License-Identifier: Apache-2.0 */
/* Rumours: each is sent a number of times that grows with the logarithm of the cluster, the least
 * sent one first. */
#include <string.h>

#include "shards/router/membership/membership_state.h"

/* Of each two kinds of news the status goes first: a load may wait, or be lost. */
struct filling {
    struct gossip_datagram *datagram;
    struct writer body;
    size_t len; /* Of the encoded datagram, at most. */
    uint32_t taken_len;
    struct rumour *taken[GOSSIP_MEMBERS_A_DATAGRAM_MAX];
    uint8_t buf[GOSSIP_PAYLOAD_LEN_MAX];
};

static struct member *member_of(struct rumour *rumour)
{
    return rumour->is_load ? CONTAINER_OF(rumour, struct member, load_rumour)
                           : CONTAINER_OF(rumour, struct member, status_rumour);
}

/* A load that is missed is followed by the next one, so it is sent half as often. */
static uint32_t sends_max(const struct membership *membership, bool is_load)
{
    const uint32_t digits = (member_log10_tenths(membership) + 10) / 10;
    const uint32_t sends = membership->config.retransmissions * digits / (is_load ? 2 : 1);
    return sends < RUMOUR_SENDS_MAX ? sends : RUMOUR_SENDS_MAX;
}

void rumour_drop(struct membership *membership, struct rumour *rumour)
{
    membership->rumours -= list_is_linked(&rumour->node);
    list_remove(&rumour->node);
}

static void rumour_put(struct membership *membership, struct rumour *rumour, uint8_t sends)
{
    struct list *buckets = rumour->is_load ? membership->load_rumours : membership->status_rumours;
    rumour->sends = sends;
    list_append(&buckets[sends], &rumour->node);
    membership->rumours++;
}

static void rumour_start(struct membership *membership, struct rumour *rumour)
{
    if (membership->rumours == 0) {
        membership->gossip_at_ms =
            membership->now_ms + 1 + random_below(membership->random, membership->config.gossip_ms);
    }
    rumour_drop(membership, rumour);
    rumour_put(membership, rumour, 0);
}

void rumour_add(struct membership *membership, struct member *member)
{
    rumour_start(membership, &member->status_rumour);
}

void rumour_add_load(struct membership *membership, struct member *member)
{
    rumour_start(membership, &member->load_rumour);
}

struct gossip_member rumour_of(const struct member *member)
{
    struct gossip_member out = {.uid = member->seen.uid,
                                .incarnation = member->seen.incarnation,
                                .status = member->seen.status};
    if (out.status != GOSSIP_ALIVE) {
        out.accuser = member->accuser;
    }
    /* Details of an older incarnation than the status would pass for those of the newer one. */
    if (out.status == GOSSIP_ALIVE && member->details_incarnation == out.incarnation) {
        out.details = member->seen.details;
        out.extra = span_of(member->raw + member->details_len, member->extra_len);
    }
    return out;
}

/* False: it does not fit. */
static bool fill(struct filling *filling, const struct gossip_member *said)
{
    struct gossip_datagram *datagram = filling->datagram;
    struct writer measure = writer_for_measuring();
    gossip_member_encode(said, &measure);
    const size_t len = measure.overflow;
    if (datagram->members_len == GOSSIP_MEMBERS_A_DATAGRAM_MAX ||
        filling->len + len + GOSSIP_MEMBER_FRAME_LEN > GOSSIP_PAYLOAD_LEN_MAX) {
        return false;
    }
    const uint8_t *start = filling->body.at;
    gossip_member_encode(said, &filling->body);
    datagram->members[datagram->members_len++] = span_of(start, len);
    filling->len += len + GOSSIP_MEMBER_FRAME_LEN;
    return true;
}

static bool fill_rumour(struct filling *filling, struct rumour *rumour)
{
    const struct member *member = member_of(rumour);
    struct gossip_member said = {.uid = member->seen.uid,
                                 .load = span_of(member->load_raw, member->load_len)};
    if (!rumour->is_load) {
        said = rumour_of(member);
    }
    if (!fill(filling, &said)) {
        return false;
    }
    filling->taken[filling->taken_len++] = rumour;
    return true;
}

/* What was taken stays out of the buckets until the datagram is made, so that it is not met twice.
 */
static void fill_from(struct membership *membership, struct filling *filling, struct list *buckets,
                      const struct member *except)
{
    const uint32_t sends = sends_max(membership, buckets == membership->load_rumours);
    for (uint32_t i = 0; i < sends; i++) {
        struct list *next;
        for (struct list *at = buckets[i].next; at != &buckets[i]; at = next) {
            struct rumour *rumour = CONTAINER_OF(at, struct rumour, node);
            next = at->next;
            if (!rumour->is_load && member_of(rumour) == except) {
                continue;
            }
            if (!fill_rumour(filling, rumour)) {
                return;
            }
            rumour_drop(membership, rumour);
        }
    }
}

static void put_back(struct membership *membership, const struct filling *filling)
{
    for (uint32_t i = 0; i < filling->taken_len; i++) {
        struct rumour *rumour = filling->taken[i];
        if (rumour->sends + 1u < sends_max(membership, rumour->is_load)) {
            rumour_put(membership, rumour, (uint8_t)(rumour->sends + 1));
        }
    }
}

void rumour_send(struct membership *membership, const struct gossip_address *to,
                 struct gossip_datagram *datagram, struct member *first)
{
    struct filling filling = {.datagram = datagram, .len = GOSSIP_HEAD_LEN_MAX};
    filling.body = writer_of(filling.buf, sizeof(filling.buf));
    datagram->cluster = membership->config.cluster;
    datagram->sender = membership->self->seen.uid;
    datagram->members_len = 0;
    if (first != NULL) {
        const struct gossip_member said = rumour_of(first);
        (void)fill(&filling, &said);
    }
    fill_from(membership, &filling, membership->status_rumours, first);
    fill_from(membership, &filling, membership->load_rumours, first);
    put_back(membership, &filling);

    uint8_t payload[GOSSIP_PAYLOAD_LEN_MAX];
    struct writer writer = writer_of(payload, sizeof(payload));
    gossip_datagram_encode(datagram, &writer);
    if (WARN_IF(writer_is_overflown(&writer))) {
        return;
    }
    membership->counters.datagrams_out++;
    membership->counters.bytes_out += writer_written_len(&writer);
    membership->sink.datagram(membership->sink.owner, to, writer_written(&writer));
}

static bool hears_rumours(const struct membership *membership, const struct member *member)
{
    const enum gossip_status status = member->seen.status;
    return status < GOSSIP_DEAD || (status == GOSSIP_DEAD &&
                                    membership->now_ms < member->seen.since_ms + GOSSIP_TO_DEAD_MS);
}

static void drop_from(struct membership *membership, struct list *buckets, uint32_t sends)
{
    for (; sends < RUMOUR_SENDS_MAX; sends++) {
        while (list_take_first(&buckets[sends]) != NULL) {
            membership->rumours--;
        }
    }
}

/* In a cluster that shrank, some were sent more often than they now may be. Where nobody is to be
 * told, whoever comes will ask for everything. */
static void drop_worn_out(struct membership *membership)
{
    const bool is_alone = membership->live == 0;
    drop_from(membership, membership->status_rumours, is_alone ? 0 : sends_max(membership, false));
    drop_from(membership, membership->load_rumours, is_alone ? 0 : sends_max(membership, true));
}

void rumour_gossip(struct membership *membership)
{
    membership->gossip_at_ms = membership->now_ms + membership->config.gossip_ms;
    drop_worn_out(membership);
    const struct member *sent[16] = {0};
    for (uint32_t i = 0; i < membership->config.gossip_targets && i < 16; i++) {
        struct member *member = member_pick(membership, hears_rumours);
        bool is_repeated = member == NULL;
        for (uint32_t j = 0; j < i; j++) {
            is_repeated |= sent[j] == member;
        }
        if (is_repeated || membership->rumours == 0) {
            continue;
        }
        sent[i] = member;
        struct gossip_datagram datagram = {.kind = GOSSIP_RUMOURS};
        rumour_send(membership, &member->seen.cluster_address, &datagram, NULL);
    }
}
