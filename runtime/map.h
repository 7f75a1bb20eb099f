/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table from byte strings to objects that hold their own key, keyed against flooding.
 *
 * The table stores pointers; the key stays in the object, found by the function given at creation.
 * The hash is SipHash under a key drawn at creation, so that a peer who chooses names cannot choose
 * collisions (Aumasson and Bernstein, 2012).
 *
 * It is an extendible hash table (Fagin, Nievergelt, Pippenger and Strong, 1979): a directory over
 * buckets of 31 objects, each of which splits and merges alone. Growing to a million objects
 * therefore never moves more than 31 of them in one call; only the directory, about one pointer for
 * every 20 objects, is at times copied whole. A large map costs about 15 bytes an object, an empty
 * one 72 bytes.
 *
 * One shard owns a map.
 */
#ifndef ROOST_RUNTIME_MAP_H
#define ROOST_RUNTIME_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"

struct map_key {
    const void *at;
    size_t len;
};

/* The key must not change while its object is in a map. */
typedef struct map_key map_key_function(const void *object);

struct map;
struct random;

/* NULL when memory is out. */
MUST_CHECK struct map *map_create(map_key_function *key_of, struct random *random);

/* The objects stay whose they were. NULL is allowed. */
void map_destroy(struct map *map);

/* The object with this key, or NULL. */
void *map_find(const struct map *map, const void *key, size_t len);

/* False when memory is out. The key must not be in the map yet (BUG otherwise). */
MUST_CHECK bool map_insert(struct map *map, void *object);

/* The object must be in the map (BUG otherwise). Gives memory back when the map becomes sparse. */
void map_remove(struct map *map, void *object);

size_t map_count(const struct map *map);
size_t map_bytes(const struct map *map);

/* Walks the objects in no particular order (the same for the same history and seed): cursor starts
 * at 0. The object just returned may be removed while walking; nothing else may be removed and
 * nothing inserted. NULL at the end. */
void *map_next(const struct map *map, size_t *cursor);

/* A walk during which anything may come and go: some of the objects, and where to go on (*place
 * starts at 0). 0: the end. What is there from the first call to the last is returned once at
 * least; what came or went meanwhile may be. */
enum { MAP_FEW_MAX = 31 };
uint32_t map_next_few(const struct map *map, uint64_t *place, void *few[MAP_FEW_MAX]);

/* SipHash-1-3 of bytes, for whoever needs a keyed hash elsewhere (key: 16 bytes). */
uint64_t map_hash_bytes(const uint8_t key[16], const void *at, size_t len);

#endif
