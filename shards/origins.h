/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of links that are over, and how far a shard is with forgetting what came from them: a
 * portion of its table a turn, one origin after the other. Owner only. */
#ifndef ROOST_SHARDS_ORIGINS_H
#define ROOST_SHARDS_ORIGINS_H

#include <stdlib.h>

#include "runtime/array.h"

struct origins {
    uint32_t *gone; /* The first one's turn it is. */
    uint32_t len;
    uint32_t room;
    uint32_t cursor; /* In the table that is walked. */
};

/* False: memory is out, and what came from there stays. */
MUST_CHECK static inline bool origins_add(struct origins *origins, uint32_t origin)
{
    uint32_t *gone = array_reserve(origins->gone, origins->len, &origins->room, 4, sizeof(*gone));
    if (gone == NULL) {
        return false;
    }
    origins->gone = gone;
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
