/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of links that are over, and how far a shard is with forgetting what came from them: a
 * portion of its table a turn, one origin after the other. Owner only. */
#ifndef ROOST_SHARDS_ORIGINS_H
#define ROOST_SHARDS_ORIGINS_H

#include <stdlib.h>

#include "runtime/check.h"

struct origins {
    uint32_t *gone; /* The first one's turn it is. */
    uint32_t len;
    uint32_t room;
    uint32_t cursor; /* In the table that is walked. */
};

/* False: memory is out, and what came from there stays. */
MUST_CHECK static inline bool origins_add(struct origins *origins, uint32_t origin)
{
    if (origins->len == origins->room) {
        const uint32_t room = origins->room == 0 ? 4 : 2 * origins->room;
        uint32_t *grown = realloc(origins->gone, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        origins->gone = grown;
        origins->room = room;
    }
    origins->gone[origins->len++] = origin;
    return true;
}

/* The table was walked to its end. */
static inline void origins_next(struct origins *origins)
{
    origins->gone[0] = origins->gone[--origins->len];
    origins->cursor = 0;
}

static inline void origins_clear(struct origins *origins)
{
    free(origins->gone);
}

#endif
