/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of publications that must not be published twice, each with what its first was answered.
 *
 * A key is remembered for IDEMPOTENCY_MS, or until `keys_max` newer ones have come. Owner only.
 */
#ifndef ROOST_SHARDS_CHANNEL_IDEMPOTENCY_H
#define ROOST_SHARDS_CHANNEL_IDEMPOTENCY_H

#include "codec/span.h"
#include "runtime/random.h"
#include "shards/messages.h"

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

uint32_t idempotency_count(const struct idempotency *idempotency);

#endif
