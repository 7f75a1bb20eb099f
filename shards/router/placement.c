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

struct candidate {
    const struct placement_member *member;
    uint64_t cost;
};

/* Is a's cost by its weight the lesser one? Among equals the name decides. */
static bool candidate_wins(const struct candidate *a, const struct candidate *b)
{
    const wide left = (wide)a->cost * b->member->weight;
    const wide right = (wide)b->cost * a->member->weight;
    if (left != right) {
        return left < right;
    }
    return memcmp(a->member->uid, b->member->uid, sizeof(a->member->uid)) < 0;
}

static void placement_choose(struct placement *placement, const struct placement_member *members,
                             const uint64_t *hashes)
{
    uint64_t table[LOG_STEPS + 1];
    log_table_fill(table);
    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        const uint64_t slot_hash = mix((slot + 1) * 0x9e3779b97f4a7c15ull);
        uint16_t best_node = 0;
        struct candidate best = {NULL, 0};
        for (uint16_t node = 0; node < placement->nodes; node++) {
            const struct candidate candidate = {
                .member = &members[node],
                .cost = negative_log2(table, mix(hashes[node] ^ slot_hash)),
            };
            if (best.member == NULL || candidate_wins(&candidate, &best)) {
                best = candidate;
                best_node = node;
            }
        }
        placement->node_of_slot[slot] = best_node;
    }
}

struct buf *placement_make(uint64_t version, const struct placement_member *members,
                           uint16_t members_len, uint16_t self)
{
    BUG_IF(members_len == 0 || self >= members_len);
    if (members_len > PLACEMENT_NODES_MAX) {
        return NULL;
    }
    uint64_t *hashes = calloc(members_len, sizeof(*hashes));
    struct buf *buf =
        buf_create((uint32_t)(sizeof(struct placement) + members_len * sizeof(uint32_t)));
    if (hashes == NULL || buf == NULL) {
        free(hashes);
        buf_release(buf);
        return NULL;
    }
    struct placement *placement = (struct placement *)(void *)buf->bytes;
    placement->version = version;
    placement->self = self;
    placement->nodes = members_len;
    for (uint16_t node = 0; node < members_len; node++) {
        BUG_IF(members[node].shards == 0 || members[node].weight == 0);
        hashes[node] = hash_unkeyed(members[node].uid, strlen(members[node].uid));
        placement->shards_of_node[node] = members[node].shards;
    }
    placement_choose(placement, members, hashes);
    free(hashes);
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
        .shard = slot % placement->shards_of_node[node],
    };
}
