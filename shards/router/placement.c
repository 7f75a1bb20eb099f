/* SPDX-License-Identifier: Apache-2.0 */
/* Weighted rendezvous in integers: every machine comes to the same map. */
#include "shards/router/placement.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/map.h"

/* log2(1 + i / LOG_STEPS) with 32 binary places; between two steps a line is near enough (the error
 * is below 2^-22). */
enum { LOG_STEPS_BITS = 10, LOG_STEPS = 1 << LOG_STEPS_BITS };

__extension__ typedef unsigned __int128 wide;

/* log2 of x / 2^63, 1 <= x / 2^63 < 2, bit by bit: squaring doubles a logarithm. */
static uint64_t log2_by_squaring(uint64_t x)
{
    uint64_t log = 0;
    for (uint32_t bit = 0; bit < 32; bit++) {
        const wide square = (wide)x * x;
        const bool carries = (square >> 127) != 0;
        x = (uint64_t)(square >> (carries ? 64 : 63));
        log = log << 1 | carries;
    }
    return log;
}

static void log_table_fill(uint64_t table[LOG_STEPS + 1])
{
    for (uint64_t i = 0; i < LOG_STEPS; i++) {
        table[i] = log2_by_squaring((1ull << 63) + (i << (63 - LOG_STEPS_BITS)));
    }
    table[LOG_STEPS] = 1ull << 32;
}

/* -log2(hash / 2^64) with 32 binary places: 0 .. 64 * 2^32. */
static uint64_t negative_log2(const uint64_t table[LOG_STEPS + 1], uint64_t hash)
{
    hash |= hash == 0;
    const uint32_t zeros = (uint32_t)__builtin_clzll(hash);
    /* What is behind the leading one, as a fraction of 2^64. */
    const uint64_t fraction = zeros == 63 ? 0 : hash << (zeros + 1);
    const uint64_t step = fraction >> (64 - LOG_STEPS_BITS);
    const uint64_t rest = (fraction >> (32 - LOG_STEPS_BITS)) & UINT32_MAX;
    const uint64_t log = table[step] + ((table[step + 1] - table[step]) * rest >> 32);
    return ((uint64_t)(zeros + 1) << 32) - log;
}

/* The finaliser of SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static uint64_t hash_unkeyed(const void *at, size_t len)
{
    static const uint8_t key[16];
    return map_hash_bytes(key, at, len);
}

uint16_t placement_slot_of(struct span name)
{
    return (uint16_t)(hash_unkeyed(name.at, name.len) % SLOTS);
}

struct maker {
    struct placement *placement;
    const struct placement *previous; /* Or NULL. */
    bool everybody_takes;
    uint64_t *hashes;      /* [nodes] */
    uint16_t *of_previous; /* [previous->nodes]: the index now, of those that hold as before. */
    uint16_t *newcomers;   /* Who may take from a home that holds. */
    uint16_t newcomers_len;
    uint64_t table[LOG_STEPS + 1];
};

struct candidate {
    const struct placement_member *member;
    uint64_t cost;
    uint16_t node;
};

/* Is a's cost by its weight the lesser one? Among equals the name decides. */
static bool candidate_wins(const struct candidate *a, const struct candidate *b)
{
    if (b->member == NULL) {
        return true;
    }
    const wide left = (wide)a->cost * b->member->weight;
    const wide right = (wide)b->cost * a->member->weight;
    return left != right ? left < right : a->node < b->node;
}

static void candidate_try(const struct maker *maker, uint64_t slot_hash, uint16_t node,
                          struct candidate *best)
{
    const struct candidate candidate = {
        .member = &maker->placement->members[node],
        .cost = negative_log2(maker->table, mix(maker->hashes[node] ^ slot_hash)),
        .node = node,
    };
    if (candidate_wins(&candidate, best)) {
        *best = candidate;
    }
}

static uint16_t maker_home_of(const struct maker *maker, uint16_t slot)
{
    const uint64_t slot_hash = mix((slot + 1ull) * 0x9e3779b97f4a7c15ull);
    struct candidate best = {0};
    uint16_t holder = PLACEMENT_NOBODY;
    if (maker->previous != NULL) {
        holder = maker->of_previous[maker->previous->node_of_slot[slot]];
    }
    if (holder != PLACEMENT_NOBODY) {
        candidate_try(maker, slot_hash, holder, &best);
        for (uint16_t i = 0; i < maker->newcomers_len; i++) {
            candidate_try(maker, slot_hash, maker->newcomers[i], &best);
        }
        return best.node;
    }
    for (uint16_t node = 0; node < maker->placement->nodes; node++) {
        const enum placement_share share = maker->placement->members[node].share;
        if (share == PLACEMENT_TAKES || (share == PLACEMENT_KEEPS && maker->previous == NULL)) {
            candidate_try(maker, slot_hash, node, &best);
        }
    }
    return best.node;
}

/* Who is there already and would win what it has against all that were there. */
static bool holds_as_before(const struct placement_member *before,
                            const struct placement_member *now)
{
    return before->weight == now->weight && now->share != PLACEMENT_NOTHING;
}

static void maker_compare(struct maker *maker)
{
    const struct placement *previous = maker->previous;
    for (uint32_t old = 0; previous != NULL && old < previous->nodes; old++) {
        maker->of_previous[old] = PLACEMENT_NOBODY;
    }
    for (uint16_t node = 0; node < maker->placement->nodes; node++) {
        const struct placement_member *now = &maker->placement->members[node];
        const uint16_t old =
            previous == NULL ? PLACEMENT_NOBODY : placement_find(previous, &now->uid);
        bool is_newcomer = true;
        if (old != PLACEMENT_NOBODY && holds_as_before(&previous->members[old], now)) {
            maker->of_previous[old] = node;
            is_newcomer = previous->members[old].share != PLACEMENT_TAKES;
        }
        if (is_newcomer && now->share == PLACEMENT_TAKES) {
            maker->newcomers[maker->newcomers_len++] = node;
        }
    }
}

static void maker_take_members(struct maker *maker, const struct placement_members *members)
{
    struct placement *placement = maker->placement;
    bool somebody_takes = false;
    for (uint32_t i = 0; i < members->len; i++) {
        somebody_takes = somebody_takes || members->at[i].share == PLACEMENT_TAKES;
    }
    for (uint32_t i = 0; i < members->len; i++) {
        struct placement_member *member = &placement->members[i];
        *member = members->at[i];
        BUG_IF(member->shards == 0 || member->weight == 0);
        BUG_IF(i > 0 && memcmp(member[-1].uid.bytes, member->uid.bytes, GOSSIP_UID_LEN) >= 0);
        if (!somebody_takes) {
            member->share = PLACEMENT_TAKES;
        }
        maker->hashes[i] = hash_unkeyed(member->uid.bytes, GOSSIP_UID_LEN);
    }
}

static bool maker_allocate(struct maker *maker, uint32_t nodes)
{
    const uint32_t before = maker->previous == NULL ? 0 : maker->previous->nodes;
    maker->hashes = calloc(nodes, sizeof(*maker->hashes));
    maker->newcomers = calloc(nodes, sizeof(*maker->newcomers));
    maker->of_previous = calloc(before + 1, sizeof(*maker->of_previous));
    return maker->hashes != NULL && maker->newcomers != NULL && maker->of_previous != NULL;
}

struct buf *placement_make(uint64_t version, const struct placement_members *members,
                           const struct placement *previous)
{
    BUG_IF(members->len == 0 || members->self >= members->len);
    if (members->len > PLACEMENT_NODES_MAX) {
        return NULL;
    }
    struct maker maker = {.previous = previous};
    const bool has_memory = maker_allocate(&maker, members->len);
    struct buf *buf = buf_create(
        (uint32_t)(sizeof(struct placement) + members->len * sizeof(struct placement_member)));
    if (has_memory && buf != NULL) {
        maker.placement = (struct placement *)(void *)buf->bytes;
        maker.placement->version = version;
        maker.placement->self = members->self;
        maker.placement->nodes = (uint16_t)members->len;
        maker.placement->is_early = members->is_early;
        log_table_fill(maker.table);
        maker_take_members(&maker, members);
        maker_compare(&maker);
        for (uint16_t slot = 0; slot < SLOTS; slot++) {
            maker.placement->node_of_slot[slot] = maker_home_of(&maker, slot);
        }
    } else {
        buf_release(buf);
        buf = NULL;
    }
    free(maker.hashes);
    free(maker.newcomers);
    free(maker.of_previous);
    return buf;
}

const struct placement *placement_of(const struct buf *buf)
{
    return (const struct placement *)(const void *)buf->bytes;
}

struct placement_home placement_home_of(const struct placement *placement, uint16_t slot)
{
    const uint16_t node = placement->node_of_slot[slot];
    return (struct placement_home){
        .node = node,
        .shard = slot % placement->members[node].shards,
    };
}

uint16_t placement_find(const struct placement *placement, const struct gossip_uid *uid)
{
    uint32_t from = 0;
    uint32_t to = placement->nodes;
    while (from < to) {
        const uint32_t middle = (from + to) / 2;
        const int order = memcmp(uid->bytes, placement->members[middle].uid.bytes, GOSSIP_UID_LEN);
        if (order == 0) {
            return (uint16_t)middle;
        }
        from = order > 0 ? middle + 1 : from;
        to = order < 0 ? middle : to;
    }
    return PLACEMENT_NOBODY;
}

uint32_t placement_slots_moved(const struct placement *before, const struct placement *after)
{
    uint32_t moved = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        const struct placement_member *was = &before->members[before->node_of_slot[slot]];
        const struct placement_member *is = &after->members[after->node_of_slot[slot]];
        moved += !gossip_uid_equal(&was->uid, &is->uid);
    }
    return moved;
}

void placement_gained(const struct placement *before, const struct placement *now,
                      uint8_t gained[SLOT_SET_LEN])
{
    memset(gained, 0, SLOT_SET_LEN);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (now->node_of_slot[slot] == now->self &&
            (before == NULL || before->node_of_slot[slot] != before->self)) {
            slot_set_add(gained, slot);
        }
    }
}

const struct placement *placement_known_before(const struct placement *before,
                                               const struct placement *now)
{
    for (uint16_t node = 0; before != NULL && now->is_early && node < now->nodes; node++) {
        if (placement_find(before, &now->members[node].uid) == PLACEMENT_NOBODY) {
            return NULL;
        }
    }
    return before;
}

uint64_t placement_tenure_of(const struct placement *placement, uint16_t node)
{
    const struct placement_member *member = &placement->members[node];
    uint64_t tenure;
    memcpy(&tenure, member->uid.bytes, sizeof(tenure));
    return tenure ^ member->session * 0x9e3779b97f4a7c15ull;
}
