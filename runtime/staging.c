/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of staged messages, taken and given back. */
#include "runtime/staging.h"

#include <stdlib.h>

bool staging_grow(struct staging *staging, struct staging_store *store)
{
    struct staged_chunk *chunk = recycle_take(&store->kept);
    if (chunk == NULL) {
        chunk = aligned_alloc(64, sizeof *chunk);
        if (chunk == NULL) {
            return false;
        }
        store->chunks++;
    }
    chunk->next = NULL;
    chunk->begin = 0;
    chunk->end = 0;
    if (staging->last == NULL) {
        staging->first = chunk;
    } else {
        staging->last->next = chunk;
    }
    staging->last = chunk;
    return true;
}

void staging_shrink(struct staging *staging, struct staging_store *store)
{
    struct staged_chunk *chunk = staging->first;
    staging->first = chunk->next;
    if (staging->first == NULL) {
        staging->last = NULL;
    }
    const uint32_t kept_before = store->kept.count;
    recycle_give(&store->kept, chunk, MAILBOX_CHUNKS_KEPT_MAX);
    if (store->kept.count == kept_before) {
        store->chunks--;
    }
}

void staging_clear(struct staging *staging)
{
    struct staged_chunk *chunk = staging->first;
    while (chunk != NULL) {
        struct staged_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *staging = (struct staging){.count = 0};
}
