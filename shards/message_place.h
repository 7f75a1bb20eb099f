/* SPDX-License-Identifier: Apache-2.0 */
/* Where clients are whom a message speaks for. */
#ifndef ROOST_SHARDS_MESSAGE_PLACE_H
#define ROOST_SHARDS_MESSAGE_PLACE_H

#include <assert.h>
#include <stdint.h>

#include "runtime/limits.h"

/* Whose clients a message speaks for: 0 is this node, others are sessions of links (the router's
 * numbers), so that what a node registered can be forgotten when it is gone. A place is an origin
 * and a shard there. */
enum { MESSAGE_ORIGIN_BITS = 24 };
static_assert((SHARDS_MAX - 1) >> (32 - MESSAGE_ORIGIN_BITS) == 0, "a place is 32 bits");

static inline uint32_t message_place(uint32_t origin, uint32_t shard)
{
    return origin << (32 - MESSAGE_ORIGIN_BITS) | shard;
}

static inline uint32_t message_place_origin(uint32_t place)
{
    return place >> (32 - MESSAGE_ORIGIN_BITS);
}

static inline uint32_t message_place_shard(uint32_t place)
{
    return place & ((1u << (32 - MESSAGE_ORIGIN_BITS)) - 1);
}

#endif
