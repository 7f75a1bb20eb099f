/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts members by where they are, drops earlier lives, and sorts the rest by uid. */
#include "shards/router/members.h"

#include <stdlib.h>
#include <string.h>

static_assert((int)PLACEMENT_NODES_MAX == (int)MEMBERSHIP_MEMBERS_MAX, "every member has a place");

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_address_then_latest(const void *a, const void *b)
{
    const struct membership_member *left = *(const struct membership_member *const *)a;
    const struct membership_member *right = *(const struct membership_member *const *)b;
    const struct gossip_address *at = &left->cluster_address;
    const struct gossip_address *other = &right->cluster_address;
    int order = compare(at->ip_len, other->ip_len);
    if (order == 0) {
        order = memcmp(at->ip, other->ip, at->ip_len);
    }
    if (order == 0) {
        order = compare(at->port, other->port);
    }
    if (order == 0) {
        order = compare(right->incarnation, left->incarnation);
    }
    return order != 0 ? order : memcmp(left->uid.bytes, right->uid.bytes, GOSSIP_UID_LEN);
}

static int by_uid(const void *a, const void *b)
{
    const struct placement_member *left = a;
    const struct placement_member *right = b;
    return memcmp(left->uid.bytes, right->uid.bytes, GOSSIP_UID_LEN);
}

static bool is_node(const struct membership_member *member)
{
    return member->status == GOSSIP_ALIVE || member->status == GOSSIP_SUSPECT ||
           member->status == GOSSIP_UNREACHABLE;
}

static struct placement_member place_of(const struct membership_member *member)
{
    enum placement_share share = PLACEMENT_TAKES;
    if (member->is_draining) {
        share = PLACEMENT_NOTHING;
    } else if (member->status == GOSSIP_UNREACHABLE) {
        share = PLACEMENT_KEEPS;
    }
    return (struct placement_member){
        .uid = member->uid,
        .shards = member->shards,
        .weight = member->weight,
        .share = share,
    };
}

/* Those that are there; oneself even after leaving, for a map has a self. */
static uint32_t nodes_of(const struct membership *membership,
                         const struct membership_member **nodes)
{
    uint32_t len = 0;
    nodes[len++] = membership_self(membership);
    for (uint32_t i = 0; i < membership_count(membership); i++) {
        const struct membership_member *member = membership_at(membership, i);
        if (is_node(member) && len < PLACEMENT_NODES_MAX) {
            nodes[len++] = member;
        }
    }
    return len;
}

bool members_list(const struct membership *membership, struct placement_members *out)
{
    const uint32_t room = membership_count(membership) + 1;
    const struct membership_member **nodes = calloc(room, sizeof(const void *));
    struct placement_member *places = calloc(room, sizeof(*places));
    if (nodes == NULL || places == NULL) {
        free(nodes);
        free(places);
        return false;
    }
    const struct membership_member *self = membership_self(membership);
    const uint32_t len = nodes_of(membership, nodes);
    uint32_t kept = 0;
    qsort(nodes, len, sizeof(nodes[0]), by_address_then_latest);
    for (uint32_t i = 0; i < len; i++) {
        const bool is_latest = i == 0 || !gossip_address_equal(&nodes[i]->cluster_address,
                                                               &nodes[i - 1]->cluster_address);
        if (is_latest || nodes[i] == self) {
            places[kept++] = place_of(nodes[i]);
        }
    }
    qsort(places, kept, sizeof(places[0]), by_uid);
    *out = (struct placement_members){.at = places, .len = kept};
    while (!gossip_uid_equal(&places[out->self].uid, &self->uid)) {
        out->self++;
    }
    free(nodes);
    return true;
}

void members_count(const struct membership *membership, uint32_t counts[GOSSIP_STATUS_COUNT])
{
    memset(counts, 0, GOSSIP_STATUS_COUNT * sizeof(counts[0]));
    counts[membership_self(membership)->status]++;
    for (uint32_t i = 0; i < membership_count(membership); i++) {
        counts[membership_at(membership, i)->status]++;
    }
}
