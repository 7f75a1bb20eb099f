/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of objects of one size, named by 32-bit handles that know when their object is gone.
 *
 *    31      22 21                      0
 *   +----------+-------------------------+
 *   |generation|          index          |      a live generation is never 0, so no handle is 0
 *   +----------+-------------------------+
 *
 * A handle is an index and a generation. A stale handle gets NULL, never another object (until the
 * same place was reused 1,023 times): events and messages carry handles, not pointers. Objects do
 * not move. The lowest free place is taken first, so that after a peak the high slabs run empty;
 * a slab in which nothing lives gives its pages back to the system, but for one that is kept
 * against churn. Generations live outside of the slabs and survive that. What a place costs beside
 * the object is two bytes and a bit.
 *
 * One shard owns a pool; nothing here is shared. Under AddressSanitizer a dead object's bytes are
 * poisoned.
 */
#ifndef ROOST_RUNTIME_POOL_H
#define ROOST_RUNTIME_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"

#define POOL_HANDLE_NONE 0u
#define POOL_INDEX_BITS 22u
#define POOL_OBJECTS_MAX ((1u << POOL_INDEX_BITS) - 1u)

struct pool;

/* Objects of object_size bytes (1 or more, rounded up to 8), at most objects_max at a time
 * (1..POOL_OBJECTS_MAX). Address space is reserved for all of them, memory is taken as they come.
 * NULL only when either is out. */
MUST_CHECK struct pool *pool_create(size_t object_size, uint32_t objects_max);

/* Frees all memory, whatever still lives in it. NULL is allowed. */
void pool_destroy(struct pool *pool);

/* A zeroed object, aligned to 8, and its handle. NULL when the pool is full or memory is out: the
 * caller sheds. */
MUST_CHECK void *pool_take(struct pool *pool, uint32_t *handle);

/* The object, or NULL when the handle is stale or none. */
void *pool_get(struct pool *pool, uint32_t handle);

/* The handle of a live object of this pool. */
uint32_t pool_handle_of(const struct pool *pool, const void *object);

/* Ends the object's life; the handle must be live (BUG otherwise). */
void pool_put(struct pool *pool, uint32_t handle);

/* Gives back to the system what is kept for the next object: the spare slab, and of an empty pool
 * the books too. Stale handles stay stale. For a shard that has fallen silent. */
void pool_trim(struct pool *pool);

/* Live objects, and the bytes that the pool holds from the system. */
uint32_t pool_count(const struct pool *pool);
size_t pool_bytes(const struct pool *pool);

/* Walks the live objects in index order: pass 0 first, then what it set. NULL at the end. Objects
 * may be put while walking; ones taken meanwhile may or may not be seen. */
void *pool_next(struct pool *pool, uint32_t *cursor, uint32_t *handle);

#endif
