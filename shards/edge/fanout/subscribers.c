/* SPDX-License-Identifier: Apache-2.0 */
/* A few subscribers in one array, many in blocks. */
#include "shards/edge/fanout/subscribers.h"

#include <stdlib.h>

static uint32_t blocks_of(const struct subscribers *subscribers)
{
    return subscribers->room / SUBSCRIBERS_BLOCK;
}

/* The list of blocks has room for a power of two of them, so its size need not be kept. */
static bool is_full_list(uint32_t blocks)
{
    return (blocks & (blocks - 1)) == 0;
}

static bool grow_few(struct subscribers *subscribers)
{
    const uint32_t room = subscribers->room == 0 ? 1 : subscribers->room * 2;
    struct subscription **grown = realloc(subscribers->few, room * sizeof(struct subscription *));
    if (grown == NULL) {
        return false;
    }
    subscribers->few = grown;
    subscribers->room = room;
    return true;
}

static bool grow_blocks(struct subscribers *subscribers)
{
    const uint32_t blocks = blocks_of(subscribers);
    struct subscription **block = malloc(SUBSCRIBERS_BLOCK * sizeof(struct subscription *));
    if (block == NULL) {
        return false;
    }
    if (is_full_list(blocks)) {
        struct subscription ***list = blocks == 1 ? NULL : subscribers->blocks;
        struct subscription ***grown =
            realloc(list, 2 * (size_t)blocks * sizeof(struct subscription **));
        if (grown == NULL) {
            free(block);
            return false;
        }
        if (blocks == 1) {
            grown[0] = subscribers->few;
        }
        subscribers->blocks = grown;
    }
    subscribers->blocks[blocks] = block;
    subscribers->room += SUBSCRIBERS_BLOCK;
    return true;
}

bool subscribers_add(struct subscribers *subscribers, struct subscription *subscription)
{
    if (subscribers->count == subscribers->room &&
        !(subscribers->room < SUBSCRIBERS_BLOCK ? grow_few(subscribers)
                                                : grow_blocks(subscribers))) {
        return false;
    }
    *subscribers_at(subscribers, subscribers->count) = subscription;
    subscribers->count++;
    return true;
}

/* One empty block is kept, so that one who comes and goes at a border costs nothing. */
static void shrink(struct subscribers *subscribers)
{
    if (subscribers->room <= SUBSCRIBERS_BLOCK ||
        subscribers->count + 2 * SUBSCRIBERS_BLOCK > subscribers->room) {
        return;
    }
    const uint32_t last = blocks_of(subscribers) - 1;
    free(subscribers->blocks[last]);
    subscribers->room -= SUBSCRIBERS_BLOCK;
    if (last == 1) {
        struct subscription **few = subscribers->blocks[0];
        free(subscribers->blocks);
        subscribers->few = few;
    } else if (is_full_list(last)) {
        struct subscription ***shrunk =
            realloc(subscribers->blocks, last * sizeof(struct subscription **));
        subscribers->blocks = shrunk == NULL ? subscribers->blocks : shrunk;
    }
}

struct subscription *subscribers_remove(struct subscribers *subscribers, uint32_t index)
{
    struct subscription *last = *subscribers_at(subscribers, subscribers->count - 1);
    *subscribers_at(subscribers, index) = last;
    subscribers->count--;
    shrink(subscribers);
    return last;
}

void subscribers_clear(struct subscribers *subscribers)
{
    if (subscribers->room > SUBSCRIBERS_BLOCK) {
        for (uint32_t i = 0; i < blocks_of(subscribers); i++) {
            free(subscribers->blocks[i]);
        }
    }
    free(subscribers->few);
    *subscribers = (struct subscribers){0};
}
