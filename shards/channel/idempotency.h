/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of publications that must not be published twice, each with what its first was answered.
 *
 *   entries   (channel, key) -> entry
 *   channels  channel -> its oldest entry, which is in a ring with the channel's others
 *   order     all entries, the oldest first
 *
 * A key is remembered for IDEMPOTENCY_MS, or until `keys_max` newer ones have come. When the home
 * of its channel moves it goes there, in pages, and is forgotten here. Owner only.
 */
#ifndef ROOST_SHARDS_CHANNEL_IDEMPOTENCY_H
#define ROOST_SHARDS_CHANNEL_IDEMPOTENCY_H

#include "codec/span.h"
#include "runtime/map.h"
#include "runtime/random.h"
#include "shards/messages.h"
#include "shards/payloads.h"

struct idempotency;

/* NULL: memory is out. */
MUST_CHECK struct idempotency *idempotency_create(struct random *random, uint32_t keys_max);

/* NULL is allowed. */
void idempotency_destroy(struct idempotency *idempotency);

/* False: the key (of at most IDEMPOTENCY_KEY_LEN_MAX bytes) did not come in this channel lately. */
bool idempotency_find(const struct idempotency *idempotency, struct span channel, struct span key,
                      uint64_t now_ms, struct stream_position *answer);

/* In place of what the key was answered before. Where memory is out it is not remembered. */
void idempotency_add(struct idempotency *idempotency, struct span channel, struct span key,
                     uint64_t now_ms, struct stream_position answer);

bool idempotency_has_channel(const struct idempotency *idempotency, struct span channel);

/* The next keys of a channel for another home, as a known_page (NULL: there are none, or no room
 * for one). *place, 0 before the first page, says where the next begins, and is IDEMPOTENCY_GIVEN
 * when there is none. False: memory is out. */
struct known_query {
    struct span channel;
    uint64_t now_ms;
    uint64_t bytes_max; /* Of the page. */
};
#define IDEMPOTENCY_GIVEN UINT64_MAX
MUST_CHECK bool idempotency_give(const struct idempotency *idempotency,
                                 const struct known_query *query, uint64_t *place,
                                 struct buf **page);

/* What another home knew; a key that is known here stays what it is. Returns how many were not. */
uint32_t idempotency_take(struct idempotency *idempotency, struct span channel, uint64_t now_ms,
                          const struct known_page *page);

void idempotency_forget(struct idempotency *idempotency, struct span channel);

/* A walk over the channels that have keys, during which anything may come and go: names of some of
 * them, which hold until the next change, and where to go on (*place starts at 0). 0: the end. */
uint32_t idempotency_next_channels(const struct idempotency *idempotency, uint64_t *place,
                                   struct span names[MAP_FEW_MAX]);

uint32_t idempotency_count(const struct idempotency *idempotency);

#endif
