/* SPDX-License-Identifier: Apache-2.0 */
/* Free blocks of one size, kept for their next use: allocating in a turn costs few instructions.
 *
 * A list of one thread (or of one shard): no lock. Its owner bounds it and empties it at the end.
 * Under AddressSanitizer nothing is kept, so that a use after free is seen.
 */
#ifndef ROOST_RUNTIME_RECYCLE_H
#define ROOST_RUNTIME_RECYCLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/sanitizer.h"

struct recycle_block {
    struct recycle_block *next;
};

/* Zero-initialised it is empty. */
struct recycle {
    struct recycle_block *first;
    uint32_t count;
};

/* A kept block, or NULL: then the caller allocates one. Its bytes mean nothing. */
static inline void *recycle_take(struct recycle *kept)
{
    struct recycle_block *block = kept->first;
    if (block != NULL) {
        kept->first = block->next;
        kept->count--;
    }
    return block;
}

/* Keeps a block that malloc or aligned_alloc made, or frees it when kept_max are kept. */
static inline void recycle_give(struct recycle *kept, void *block, uint32_t kept_max)
{
    if (UNDER_ADDRESS_SANITIZER || kept->count >= kept_max) {
        free(block);
        return;
    }
    struct recycle_block *first = block;
    first->next = kept->first;
    kept->first = first;
    kept->count++;
}

static inline void recycle_clear(struct recycle *kept)
{
    void *block;
    while ((block = recycle_take(kept)) != NULL) {
        free(block);
    }
}

#endif
