/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that wait for their ring: a queue for each target, in chunks that its shard keeps.
 *
 * Of one shard, and a part of its mailbox; the limits are the mailbox's business.
 */
#ifndef ROOST_RUNTIME_STAGING_H
#define ROOST_RUNTIME_STAGING_H

#include <assert.h>
#include <stdint.h>

#include "runtime/mailbox.h"
#include "runtime/recycle.h"

enum { STAGED_CHUNK_MESSAGES = 15 };

struct staged_chunk {
    struct staged_chunk *next;
    uint32_t begin;
    uint32_t end;
    struct message messages[STAGED_CHUNK_MESSAGES];
};

static_assert(sizeof(struct staged_chunk) == 1024, "a size that allocators have");

/* First in, first out. Zero-initialised it is empty; empty it holds no chunk. */
struct staging {
    struct staged_chunk *first;
    struct staged_chunk *last;
    uint32_t count;
};

/* Where the queues of one shard take their chunks. */
struct staging_store {
    struct recycle kept;
    uint32_t chunks; /* All of them, kept ones too. */
};

/* A chunk more at the end, or one less at the beginning: for the two functions below. */
MUST_CHECK bool staging_grow(struct staging *staging, struct staging_store *store);
void staging_shrink(struct staging *staging, struct staging_store *store);

/* Drops everything, to the last chunk. */
void staging_clear(struct staging *staging);

/* Room for one more message at the end, counted as staged, to be written at once. NULL when memory
 * is out. */
static inline struct message *staging_add(struct staging *staging, struct staging_store *store)
{
    if (staging->last == NULL || staging->last->end == STAGED_CHUNK_MESSAGES) {
        if (!staging_grow(staging, store)) {
            return NULL;
        }
    }
    staging->count++;
    return &staging->last->messages[staging->last->end++];
}

/* Moves the oldest message out; there must be one. */
static inline void staging_take(struct staging *staging, struct staging_store *store,
                                struct message *out)
{
    struct staged_chunk *chunk = staging->first;
    *out = chunk->messages[chunk->begin++];
    staging->count--;
    if (chunk->begin == chunk->end) {
        staging_shrink(staging, store);
    }
}

#endif
