/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of objects of one size, named by 32-bit handles that know when their object is gone.
 *
 * A handle is an index and a generation. A stale handle gets NULL, never another object: events and
 * messages carry handles, not pointers. Objects do not move. Slabs in which nothing lives give their pages back to
 * the system; the generations are kept outside of the slabs, so that they survive it.
 *
 * One shard owns a pool; nothing here is shared.
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

/* object_size in bytes (rounded up to 8); objects_max bounds it. Ends the process's start-up with NULL only when
 * memory is out. */
MUST_CHECK struct pool *pool_create(size_t object_size, uint32_t objects_max);
void pool_destroy(struct pool *pool);

/* A zeroed object, and its handle. NULL when the pool is full or memory is out: the caller sheds. */
MUST_CHECK void *pool_take(struct pool *pool, uint32_t *handle);

/* The object, or NULL when the handle is stale or none. */
void *pool_get(struct pool *pool, uint32_t handle);

/* Ends the object's life; the handle must be live (BUG otherwise). */
void pool_put(struct pool *pool, uint32_t handle);

/* Live objects, and the bytes that the pool holds from the system. */
uint32_t pool_count(const struct pool *pool);
size_t pool_bytes(const struct pool *pool);

/* Walks the live objects in index order: pass 0 first, then what it set. NULL at the end. Objects may be
 * put while walking; ones taken meanwhile may or may not be seen. */
void *pool_next(struct pool *pool, uint32_t *cursor, uint32_t *handle);

#endif
