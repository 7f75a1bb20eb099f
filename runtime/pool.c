/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: one reserved range of addresses, a tree of bits that finds the lowest free place.
 *
 *   level 3   1 word        a bit is set when all 64 places (or words) below it are taken
 *   level 2   64 words
 *   level 1   4,096 words
 *   level 0   65,536 words  one bit a place
 *
 * So the lowest free place is four looks away whatever the pool's size, nothing is written into
 * dead objects, and memory that was never touched (all of it zero: all free) was never paid for.
 */
#include "runtime/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/sanitizer.h"

#if UNDER_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

enum {
    LEVELS = 4,
    LEVEL_BITS = 6,
    SLAB_BYTES_MIN = 64 * 1024,
    SLAB_NONE = -1,
};

#define GENERATION_MAX ((1u << (32u - POOL_INDEX_BITS)) - 1u)
#define GENERATION_LIVE (1u << 15)
#define SLAB_RESIDENT (1u << 31)
#define WORD_FULL UINT64_MAX

static_assert(LEVELS * LEVEL_BITS >= POOL_INDEX_BITS, "the tree reaches every index");
static_assert(GENERATION_MAX < GENERATION_LIVE, "a generation and its mark fit into 16 bits");

struct pool {
    uint8_t *objects; /* Reserved for every place; slabs become usable as they are reached. */
    size_t object_size;
    uint32_t objects_max;
    uint32_t slab_shift; /* log2 of the places in a slab. */
    uint32_t count;
    uint32_t index_end;    /* One beyond the highest index ever taken. */
    uint32_t slabs_usable; /* Slabs below this one may be written to. */
    uint32_t slabs_resident;
    uint32_t generation_first; /* Of a place that the books know nothing of. */
    int64_t slab_spare;        /* The lowest empty slab that keeps its pages. */

    /* One mapping, filled by the kernel page by page. */
    void *books;
    size_t books_bytes;
    uint64_t *taken[LEVELS];
    uint16_t *generations; /* GENERATION_LIVE while the place is taken. */
    uint32_t *slabs;       /* Live objects in each; SLAB_RESIDENT while it has pages. */
};

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static size_t slab_bytes(const struct pool *pool)
{
    return pool->object_size << pool->slab_shift;
}

static uint8_t *object_at(const struct pool *pool, uint32_t index)
{
    return pool->objects + (size_t)index * pool->object_size;
}

static uint32_t handle_of(const struct pool *pool, uint32_t index)
{
    const uint32_t generation = pool->generations[index] & GENERATION_MAX;
    return generation << POOL_INDEX_BITS | index;
}

static void poison(const void *at, size_t len)
{
#if UNDER_ADDRESS_SANITIZER
    __asan_poison_memory_region(at, len);
#else
    (void)at;
    (void)len;
#endif
}

static void unpoison(const void *at, size_t len)
{
#if UNDER_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(at, len);
#else
    (void)at;
    (void)len;
#endif
}

/* The fewest places (a power of two) that fill whole pages and are worth a system call. */
static uint32_t slab_shift_for(size_t object_size, size_t page)
{
    uint32_t shift = 0;
    while ((object_size << shift) < SLAB_BYTES_MIN || (object_size << shift) % page != 0) {
        shift++;
    }
    return shift;
}

static void *map_pages(size_t bytes, int protection)
{
    void *at = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static bool books_open(struct pool *pool, size_t places, size_t slabs)
{
    size_t words[LEVELS];
    size_t words_total = 0;
    size_t below = places;
    for (int level = 0; level < LEVELS; level++) {
        words[level] = round_up(below, 64) / 64;
        below = words[level];
        words_total += words[level];
    }
    pool->books_bytes =
        words_total * sizeof(uint64_t) + places * sizeof(uint16_t) + slabs * sizeof(uint32_t);
    pool->books = map_pages(pool->books_bytes, PROT_READ | PROT_WRITE);
    if (pool->books == NULL) {
        return false;
    }
    uint64_t *at = pool->books;
    for (int level = 0; level < LEVELS; level++) {
        pool->taken[level] = at;
        at += words[level];
    }
    pool->slabs = (uint32_t *)at;
    pool->generations = (uint16_t *)(pool->slabs + slabs);
    return true;
}

struct pool *pool_create(size_t object_size, uint32_t objects_max)
{
    BUG_IF(object_size == 0 || object_size > (1u << 24));
    BUG_IF(objects_max == 0 || objects_max > POOL_OBJECTS_MAX);

    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return NULL;
    }
    pool->object_size = round_up(object_size, 8);
    pool->objects_max = objects_max;
    pool->slab_shift = slab_shift_for(pool->object_size, (size_t)sysconf(_SC_PAGESIZE));
    pool->slab_spare = SLAB_NONE;
    pool->generation_first = 1;

    const size_t places = round_up(objects_max, (size_t)1 << pool->slab_shift);
    pool->objects = map_pages(places * pool->object_size, PROT_NONE);
    if (pool->objects == NULL || !books_open(pool, places, places >> pool->slab_shift)) {
        pool_destroy(pool);
        return NULL;
    }
#if UNDER_ADDRESS_SANITIZER
    __lsan_register_root_region(pool->objects, places * pool->object_size);
#endif
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    if (pool->objects != NULL) {
        const size_t places = round_up(pool->objects_max, (size_t)1 << pool->slab_shift);
        const size_t bytes = places * pool->object_size;
#if UNDER_ADDRESS_SANITIZER
        if (pool->books != NULL) {
            __lsan_unregister_root_region(pool->objects, bytes);
        }
#endif
        unpoison(pool->objects, pool->slabs_usable * slab_bytes(pool));
        munmap(pool->objects, bytes);
    }
    if (pool->books != NULL) {
        munmap(pool->books, pool->books_bytes);
    }
    free(pool);
}

static uint32_t lowest_free(const struct pool *pool)
{
    size_t at = 0;
    for (int level = LEVELS - 1; level >= 0; level--) {
        const uint64_t word = pool->taken[level][at];
        at = at * 64 + (size_t)__builtin_ctzll(~word);
    }
    return (uint32_t)at;
}

static void mark_taken(struct pool *pool, uint32_t index)
{
    size_t at = index;
    for (int level = 0; level < LEVELS; level++) {
        uint64_t *word = &pool->taken[level][at / 64];
        *word |= 1ull << (at % 64);
        if (*word != WORD_FULL) {
            return;
        }
        at /= 64;
    }
}

static void mark_free(struct pool *pool, uint32_t index)
{
    size_t at = index;
    for (int level = 0; level < LEVELS; level++) {
        uint64_t *word = &pool->taken[level][at / 64];
        const bool was_full = *word == WORD_FULL;
        *word &= ~(1ull << (at % 64));
        if (!was_full) {
            return;
        }
        at /= 64;
    }
}

/* Before an object of the slab is written to. False: memory is out. */
static bool slab_enter(struct pool *pool, uint32_t slab)
{
    if (slab >= pool->slabs_usable) {
        uint8_t *at = pool->objects + slab * slab_bytes(pool);
        if (mprotect(at, slab_bytes(pool), PROT_READ | PROT_WRITE) != 0) {
            return false;
        }
        poison(at, slab_bytes(pool));
        pool->slabs_usable = slab + 1;
    }
    if ((pool->slabs[slab] & SLAB_RESIDENT) == 0) {
        pool->slabs[slab] |= SLAB_RESIDENT;
        pool->slabs_resident++;
    }
    if (pool->slab_spare == (int64_t)slab) {
        pool->slab_spare = SLAB_NONE;
    }
    return true;
}

static void slab_give_back(struct pool *pool, uint32_t slab)
{
    /* Failing, the pages stay ours and are found again when the slab is used. */
    if (madvise(pool->objects + slab * slab_bytes(pool), slab_bytes(pool), MADV_DONTNEED) == 0) {
        pool->slabs[slab] &= ~SLAB_RESIDENT;
        pool->slabs_resident--;
    }
}

/* The spare is always the lowest empty slab with pages: the next one to be used. Were it another,
 * an object taken and put again and again at a slab's border would cost a system call each time. */
static void slab_leave(struct pool *pool, uint32_t slab)
{
    if (pool->slab_spare == SLAB_NONE) {
        pool->slab_spare = slab;
    } else if ((int64_t)slab < pool->slab_spare) {
        slab_give_back(pool, (uint32_t)pool->slab_spare);
        pool->slab_spare = slab;
    } else {
        slab_give_back(pool, slab);
    }
}

void *pool_take(struct pool *pool, uint32_t *handle)
{
    *handle = POOL_HANDLE_NONE;
    if (pool->count >= pool->objects_max) {
        return NULL;
    }
    const uint32_t index = lowest_free(pool);
    const uint32_t slab = index >> pool->slab_shift;
    if (!slab_enter(pool, slab)) {
        return NULL;
    }
    mark_taken(pool, index);
    pool->slabs[slab]++;
    pool->count++;
    if (index >= pool->index_end) {
        pool->index_end = index + 1;
    }

    uint32_t generation = pool->generations[index];
    if (generation == 0) {
        generation = pool->generation_first;
    }
    pool->generations[index] = (uint16_t)(generation | GENERATION_LIVE);
    *handle = handle_of(pool, index);

    uint8_t *object = object_at(pool, index);
    unpoison(object, pool->object_size);
    memset(object, 0, pool->object_size);
    return object;
}

static bool is_live(const struct pool *pool, uint32_t handle)
{
    const uint32_t index = handle & POOL_OBJECTS_MAX;
    const uint32_t generation = handle >> POOL_INDEX_BITS;
    return index < pool->index_end && pool->generations[index] == (generation | GENERATION_LIVE);
}

void *pool_get(struct pool *pool, uint32_t handle)
{
    return is_live(pool, handle) ? object_at(pool, handle & POOL_OBJECTS_MAX) : NULL;
}

uint32_t pool_handle_of(const struct pool *pool, const void *object)
{
    const size_t offset = (size_t)((const uint8_t *)object - pool->objects);
    const uint32_t index = (uint32_t)(offset / pool->object_size);
    BUG_IF(index >= pool->index_end || (pool->generations[index] & GENERATION_LIVE) == 0);
    return (uint32_t)(pool->generations[index] & GENERATION_MAX) << POOL_INDEX_BITS | index;
}

void pool_put(struct pool *pool, uint32_t handle)
{
    BUG_IF(!is_live(pool, handle));

    const uint32_t index = handle & POOL_OBJECTS_MAX;
    const uint32_t slab = index >> pool->slab_shift;
    const uint32_t generation = handle >> POOL_INDEX_BITS;
    pool->generations[index] = (uint16_t)(generation == GENERATION_MAX ? 1 : generation + 1);
    mark_free(pool, index);
    poison(object_at(pool, index), pool->object_size);
    pool->count--;
    pool->slabs[slab]--;
    if ((pool->slabs[slab] & ~SLAB_RESIDENT) == 0) {
        slab_leave(pool, slab);
    }
}

/* All places begin again, in a generation that none of them has had. */
static void books_forget(struct pool *pool)
{
    uint32_t newest = 0;
    for (uint32_t i = 0; i < pool->index_end; i++) {
        newest = pool->generations[i] > newest ? pool->generations[i] : newest;
    }
    if (newest >= GENERATION_MAX || newest == 0 ||
        madvise(pool->books, pool->books_bytes, MADV_DONTNEED) != 0) {
        return;
    }
    pool->generation_first = newest;
    pool->index_end = 0;
}

void pool_trim(struct pool *pool)
{
    if (pool->slab_spare != SLAB_NONE) {
        slab_give_back(pool, (uint32_t)pool->slab_spare);
        pool->slab_spare = SLAB_NONE;
    }
    if (pool->slabs_resident == 0) {
        books_forget(pool);
    }
}

uint32_t pool_count(const struct pool *pool)
{
    return pool->count;
}

size_t pool_bytes(const struct pool *pool)
{
    /* Of the books, what lies below the highest index was written to: two bytes and a bit each. */
    const size_t books = (size_t)pool->index_end * sizeof(uint16_t) + pool->index_end / 8u;
    return sizeof(*pool) + books + pool->slabs_resident * slab_bytes(pool);
}

void *pool_next(struct pool *pool, uint32_t *cursor, uint32_t *handle)
{
    size_t at = *cursor;
    while (at < pool->index_end) {
        const uint64_t word = pool->taken[0][at / 64] >> (at % 64);
        if (word == 0) {
            at = (at / 64 + 1) * 64;
            continue;
        }
        const uint32_t index = (uint32_t)(at + (size_t)__builtin_ctzll(word));
        *cursor = index + 1;
        *handle = handle_of(pool, index);
        return object_at(pool, index);
    }
    *cursor = pool->index_end;
    *handle = POOL_HANDLE_NONE;
    return NULL;
}
