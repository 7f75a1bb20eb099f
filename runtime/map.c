/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: an extendible hash table whose buckets are searched whole, by two-byte tags.
 *
 * Overview. The first bits of a key's hash are an index into the directory; the directory points to
 * buckets. A bucket of depth d holds the objects whose hashes agree in the first d bits, and stands
 * in all the entries of the directory that begin with them:
 *
 *   directory, depth 2      00 --> [bucket of depth 2]
 *                           01 --> [bucket of depth 2]
 *                           10 --\
 *                           11 --+> [bucket of depth 1]
 *
 * A full bucket splits into two of depth d + 1 (the directory doubles first if it is not deeper
 * than d). Two buckets that differ in their last bit alone merge when both are rather empty.
 *
 * How a walk survives removal. Its cursor is a place in the space of hashes and a slot. Removing
 * the object just returned may merge its bucket with the sibling. The removed object's bucket stays
 * and takes the sibling's objects: behind the removed object's slot if the walk has the sibling
 * still before it, up to that slot if the walk has been there. So each is still seen once. If there
 * is no room at that end of the bucket, the merge waits for another removal.
 */
#include "runtime/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "SipHash reads little-endian words, and a word's lanes are counted from its low end"
#endif

enum {
    BUCKET_SLOTS = 31,
    BUCKET_MERGE_MAX = 16, /* Half full after a merge, so that it does not split at once again. */
    TAG_WORDS = 8,
    DEPTH_MAX = 26, /* 2^26 buckets. Beyond, the map is full. */
    CURSOR_SLOT_BITS = 5,
    PLACE_BITS = 32, /* A place: the first 32 bits of a hash. */
};

/* The tags and the header share one cache line. A tag is 0 where nothing is. */
struct bucket {
    union {
        struct {
            uint16_t tags[BUCKET_SLOTS];
            uint8_t depth;
            uint8_t count;
        };
        uint64_t words[TAG_WORDS];
    };
    void *objects[BUCKET_SLOTS];
} __attribute__((aligned(64)));

static_assert(offsetof(struct bucket, objects) == 64, "one line of tags");
static_assert(BUCKET_SLOTS < (1 << CURSOR_SLOT_BITS), "a slot fits into a cursor");
static_assert((int)MAP_FEW_MAX == (int)BUCKET_SLOTS, "what is in one bucket");

struct map {
    map_key_function *key_of;
    uint8_t hash_key[16];
    struct bucket **directory;
    struct bucket *only;    /* The directory while its depth is 0; NULL while the map is empty. */
    uint32_t depth;         /* The directory has 2^depth entries. */
    uint32_t deepest_count; /* Buckets as deep as the directory. */
    uint32_t buckets;
    size_t count;
};

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* The last bytes of the input, fewer than eight. */
static uint64_t load_tail(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static uint64_t load_word(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

static void sip_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t map_hash_bytes(const uint8_t key[16], const void *at, size_t len)
{
    const uint64_t k0 = load_word(key);
    const uint64_t k1 = load_word(key + 8);
    uint64_t v[4] = {
        k0 ^ 0x736f6d6570736575ull, /* "somepseudorandomlygeneratedbytes" */
        k1 ^ 0x646f72616e646f6dull,
        k0 ^ 0x6c7967656e657261ull,
        k1 ^ 0x7465646279746573ull,
    };
    const uint8_t *bytes = at;
    size_t left = len;
    for (; left >= 8; left -= 8) {
        sip_absorb(v, load_word(bytes));
        bytes += 8;
    }
    sip_absorb(v, (uint64_t)len << 56 | load_tail(bytes, left));
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint32_t place_of(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - PLACE_BITS));
}

static uint16_t tag_of(uint64_t hash)
{
    const uint16_t tag = (uint16_t)hash;
    return tag != 0 ? tag : 1;
}

static uint64_t hash_of(const struct map *map, const void *object)
{
    const struct map_key key = map->key_of(object);
    return map_hash_bytes(map->hash_key, key.at, key.len);
}

static size_t directory_index(const struct map *map, uint32_t place)
{
    return (size_t)((uint64_t)place >> (PLACE_BITS - map->depth));
}

/* Where in the space of hashes the range of a bucket of this depth around a place begins. */
static uint64_t range_start(uint32_t place, uint32_t depth)
{
    return (uint64_t)place >> (PLACE_BITS - depth) << (PLACE_BITS - depth);
}

static uint64_t range_size(uint32_t depth)
{
    return 1ull << (PLACE_BITS - depth);
}

/* Lets every entry of the directory that falls into the bucket's range point to it. */
static void directory_point(struct map *map, struct bucket *bucket, uint32_t place)
{
    const size_t first = directory_index(map, (uint32_t)range_start(place, bucket->depth));
    const size_t entries = (size_t)1 << (map->depth - bucket->depth);
    for (size_t i = first; i < first + entries; i++) {
        map->directory[i] = bucket;
    }
}

struct map *map_create(map_key_function *key_of, struct random *random)
{
    struct map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return NULL;
    }
    map->key_of = key_of;
    map->directory = &map->only;
    random_fill_secret(random, map->hash_key, sizeof(map->hash_key));
    return map;
}

void map_destroy(struct map *map)
{
    if (map == NULL) {
        return;
    }
    for (uint64_t place = 0; map->only != NULL && place < 1ull << PLACE_BITS;) {
        struct bucket *bucket = map->directory[directory_index(map, (uint32_t)place)];
        place += range_size(bucket->depth);
        free(bucket);
    }
    if (map->directory != &map->only) {
        free(map->directory);
    }
    free(map);
}

static struct bucket *bucket_create(struct map *map, uint32_t depth)
{
    struct bucket *bucket = aligned_alloc(64, sizeof(*bucket));
    if (bucket == NULL) {
        return NULL;
    }
    memset(bucket, 0, sizeof(*bucket));
    bucket->depth = (uint8_t)depth;
    map->buckets++;
    return bucket;
}

/* One bit at the top of each 16-bit lane that is zero; exact in every lane. */
static uint64_t zero_lanes(uint64_t word)
{
    const uint64_t low = 0x7fff7fff7fff7fffull;
    return ~(((word & low) + low) | word | low);
}

/* The first slot from `slot` on with this tag (0: a free one), or BUCKET_SLOTS. */
static uint32_t bucket_scan(const struct bucket *bucket, uint16_t tag, uint32_t slot)
{
    const uint64_t pattern = tag * 0x0001000100010001ull;
    uint64_t mask = UINT64_MAX << (slot % 4 * 16);
    for (uint32_t word = slot / 4; word < TAG_WORDS; word++) {
        uint64_t lanes = bucket->words[word];
        lanes = zero_lanes(lanes ^ pattern) & mask;
        mask = UINT64_MAX;
        if (lanes != 0) {
            const uint32_t found = word * 4 + (uint32_t)__builtin_ctzll(lanes) / 16;
            /* The last lane is the header. */
            return found < BUCKET_SLOTS ? found : BUCKET_SLOTS;
        }
    }
    return BUCKET_SLOTS;
}

static void bucket_put(struct bucket *bucket, uint32_t slot, uint16_t tag, void *object)
{
    bucket->tags[slot] = tag;
    bucket->objects[slot] = object;
    bucket->count++;
}

static void bucket_clear(struct bucket *bucket, uint32_t slot)
{
    bucket->tags[slot] = 0;
    bucket->objects[slot] = NULL;
    bucket->count--;
}

static uint32_t bucket_find(const struct map *map, const struct bucket *bucket, uint16_t tag,
                            struct map_key key)
{
    uint32_t slot = bucket_scan(bucket, tag, 0);
    while (slot < BUCKET_SLOTS) {
        const struct map_key other = map->key_of(bucket->objects[slot]);
        if (other.len == key.len && (key.len == 0 || memcmp(other.at, key.at, key.len) == 0)) {
            break;
        }
        slot = bucket_scan(bucket, tag, slot + 1);
    }
    return slot;
}

void *map_find(const struct map *map, const void *key, size_t len)
{
    if (map->count == 0) {
        return NULL;
    }
    const uint64_t hash = map_hash_bytes(map->hash_key, key, len);
    const struct bucket *bucket = map->directory[directory_index(map, place_of(hash))];
    const struct map_key wanted = {key, len};
    const uint32_t slot = bucket_find(map, bucket, tag_of(hash), wanted);
    return slot < BUCKET_SLOTS ? bucket->objects[slot] : NULL;
}

static bool directory_double(struct map *map)
{
    const size_t entries = (size_t)1 << map->depth;
    struct bucket **directory = NULL;
    if (map->depth < DEPTH_MAX) {
        directory = malloc(2 * entries * sizeof(*directory));
    }
    if (directory == NULL) {
        return false;
    }
    for (size_t i = 0; i < entries; i++) {
        directory[2 * i] = map->directory[i];
        directory[2 * i + 1] = map->directory[i];
    }
    if (map->directory != &map->only) {
        free(map->directory);
    }
    map->directory = directory;
    map->depth++;
    map->deepest_count = 0;
    return true;
}

/* While no bucket is as deep as the directory, every second entry says nothing new. */
static void directory_halve(struct map *map)
{
    while (map->depth > 0 && map->deepest_count == 0) {
        const size_t entries = (size_t)1 << (map->depth - 1);
        map->depth--;
        for (size_t i = 0; i < entries; i++) {
            map->directory[i] = map->directory[2 * i];
            map->deepest_count += map->directory[i]->depth == map->depth;
        }
        if (map->depth == 0) {
            map->only = map->directory[0];
            free(map->directory);
            map->directory = &map->only;
            return;
        }
        struct bucket **smaller = realloc(map->directory, entries * sizeof(*smaller));
        if (smaller != NULL) {
            map->directory = smaller;
        }
    }
}

/* Splits the bucket at the next bit of its objects' hashes. False when memory is out. */
static bool bucket_split(struct map *map, struct bucket *bucket, uint32_t place)
{
    if (bucket->depth == map->depth && !directory_double(map)) {
        return false;
    }
    struct bucket *upper = bucket_create(map, bucket->depth + 1u);
    if (upper == NULL) {
        return false;
    }
    bucket->depth++;
    map->deepest_count += bucket->depth == map->depth ? 2 : 0;
    const uint64_t middle = range_start(place, bucket->depth - 1u) + range_size(bucket->depth);
    for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++) {
        void *object = bucket->objects[slot];
        if (place_of(hash_of(map, object)) >= middle) {
            bucket_put(upper, slot, bucket->tags[slot], object);
            bucket_clear(bucket, slot);
        }
    }
    directory_point(map, upper, (uint32_t)middle);
    return true;
}

bool map_insert(struct map *map, void *object)
{
    const struct map_key key = map->key_of(object);
    const uint64_t hash = map_hash_bytes(map->hash_key, key.at, key.len);
    const uint32_t place = place_of(hash);
    if (map->only == NULL && map->depth == 0) {
        map->only = bucket_create(map, 0);
        map->deepest_count = 1;
        if (map->only == NULL) {
            return false;
        }
    }
    struct bucket *bucket = map->directory[directory_index(map, place)];
    BUG_IF(bucket_find(map, bucket, tag_of(hash), key) < BUCKET_SLOTS);
    while (bucket->count == BUCKET_SLOTS) {
        if (!bucket_split(map, bucket, place)) {
            return false;
        }
        bucket = map->directory[directory_index(map, place)];
    }
    bucket_put(bucket, bucket_scan(bucket, 0, 0), tag_of(hash), object);
    map->count++;
    return true;
}

static uint32_t free_slots(const struct bucket *bucket, uint32_t from, uint32_t end)
{
    uint32_t free_count = 0;
    for (uint32_t slot = from; slot < end; slot++) {
        free_count += bucket->tags[slot] == 0;
    }
    return free_count;
}

/* After the removal of what was in `slot`: takes the sibling's objects if they are few and fit. */
static bool bucket_merge(struct map *map, struct bucket *bucket, uint32_t place, uint32_t slot)
{
    if (bucket->depth == 0) {
        return false;
    }
    const uint64_t sibling_start = range_start(place, bucket->depth) ^ range_size(bucket->depth);
    struct bucket *sibling = map->directory[directory_index(map, (uint32_t)sibling_start)];
    if (sibling->depth != bucket->depth || sibling->count + bucket->count > BUCKET_MERGE_MAX) {
        return false;
    }
    const bool is_ahead = sibling_start > place;
    uint32_t into = is_ahead ? slot + 1 : 0;
    if (free_slots(bucket, into, is_ahead ? BUCKET_SLOTS : slot + 1) < sibling->count) {
        return false;
    }
    for (uint32_t from = 0; from < BUCKET_SLOTS; from++) {
        if (sibling->tags[from] != 0) {
            into = bucket_scan(bucket, 0, into);
            bucket_put(bucket, into, sibling->tags[from], sibling->objects[from]);
        }
    }
    map->deepest_count -= bucket->depth == map->depth ? 2 : 0;
    bucket->depth--;
    directory_point(map, bucket, place);
    free(sibling);
    map->buckets--;
    directory_halve(map);
    return true;
}

void map_remove(struct map *map, void *object)
{
    BUG_IF(map->count == 0);
    const uint64_t hash = hash_of(map, object);
    const uint32_t place = place_of(hash);
    struct bucket *bucket = map->directory[directory_index(map, place)];
    uint32_t slot = bucket_scan(bucket, tag_of(hash), 0);
    while (slot < BUCKET_SLOTS && bucket->objects[slot] != object) {
        slot = bucket_scan(bucket, tag_of(hash), slot + 1);
    }
    BUG_IF(slot == BUCKET_SLOTS);
    bucket_clear(bucket, slot);
    map->count--;
    while (bucket_merge(map, bucket, place, slot)) {
    }
    if (map->count == 0) {
        BUG_IF(bucket != map->only); /* Whichever of two empty siblings was last merged them. */
        free(bucket);
        map->only = NULL;
        map->buckets = 0;
    }
}

size_t map_count(const struct map *map)
{
    return map->count;
}

size_t map_bytes(const struct map *map)
{
    const size_t directory = map->depth == 0 ? 0 : sizeof(map->only) << map->depth;
    return sizeof(*map) + directory + map->buckets * sizeof(struct bucket);
}

void *map_next(const struct map *map, size_t *cursor)
{
    uint64_t place = *cursor >> CURSOR_SLOT_BITS;
    uint32_t slot = *cursor & ((1u << CURSOR_SLOT_BITS) - 1);
    while (map->count > 0 && place < 1ull << PLACE_BITS) {
        const struct bucket *bucket = map->directory[directory_index(map, (uint32_t)place)];
        for (; slot < BUCKET_SLOTS; slot++) {
            if (bucket->tags[slot] != 0) {
                *cursor = (size_t)(place << CURSOR_SLOT_BITS | (slot + 1));
                return bucket->objects[slot];
            }
        }
        place = range_start((uint32_t)place, bucket->depth) + range_size(bucket->depth);
        slot = 0;
    }
    *cursor = (size_t)(1ull << PLACE_BITS << CURSOR_SLOT_BITS);
    return NULL;
}

/* Whatever splits and merges, all whose place is before *place were returned: an object's place
 * never changes. */
uint32_t map_next_few(const struct map *map, uint64_t *place, void *few[MAP_FEW_MAX])
{
    uint32_t len = 0;
    while (map->count > 0 && len == 0 && *place < 1ull << PLACE_BITS) {
        const struct bucket *bucket = map->directory[directory_index(map, (uint32_t)*place)];
        for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++) {
            if (bucket->tags[slot] != 0) {
                few[len++] = bucket->objects[slot];
            }
        }
        *place = range_start((uint32_t)*place, bucket->depth) + range_size(bucket->depth);
    }
    return len;
}
