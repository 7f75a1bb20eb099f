/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's subscribers on a shard: a table that grows and shrinks without copying itself.
 *
 *   room <= 64:  few ----> [s][s][s][ ]
 *   more:        blocks -> [ ][ ][ ]
 *                           |  |  +-> [s][ ] ... 64
 *                           |  +----> [s][s] ... 64
 *                           +-------> [s][s] ... 64
 *
 * A table that doubled by copying would leave its former selves behind in the allocator's caches,
 * as many bytes again. Owned by one shard; zero-initialised it is empty.
 */
#ifndef ROOST_SHARDS_EDGE_FANOUT_SUBSCRIBERS_H
#define ROOST_SHARDS_EDGE_FANOUT_SUBSCRIBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/check.h"

enum { SUBSCRIBERS_BLOCK = 64 };

struct subscription;

struct subscribers {
    union {
        struct subscription **few;
        struct subscription ***blocks;
    };
    uint32_t count;
    uint32_t room; /* A multiple of a block once it is more than one. */
};

static inline struct subscription **subscribers_at(const struct subscribers *subscribers,
                                                   uint32_t index)
{
    return subscribers->room <= SUBSCRIBERS_BLOCK
               ? &subscribers->few[index]
               : &subscribers->blocks[index / SUBSCRIBERS_BLOCK][index % SUBSCRIBERS_BLOCK];
}

/* At the end, so its index is the count before. False: memory is out. */
MUST_CHECK bool subscribers_add(struct subscribers *subscribers, struct subscription *subscription);

/* The last one takes the place and is returned (its index has changed); it may be the removed one
 * itself. */
struct subscription *subscribers_remove(struct subscribers *subscribers, uint32_t index);

void subscribers_clear(struct subscribers *subscribers);

#endif
