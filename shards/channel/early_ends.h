/* SPDX-License-Identifier: Apache-2.0 */
/* Ends that came before their beginnings.
 *
 * While the home of a channel moves, a beginning (a client's presence, a shard's registration) may
 * make a detour by the home before, and its end come straight, and so first. The newest few such
 * ends are remembered for EARLY_ENDS_MS, so that what they ended begins nothing when it comes.
 * Owner only.
 */
#ifndef ROOST_SHARDS_CHANNEL_EARLY_ENDS_H
#define ROOST_SHARDS_CHANNEL_EARLY_ENDS_H

#include "codec/span.h"
#include "runtime/buf.h"
#include "runtime/check.h"
#include "shards/limits.h"

enum { EARLY_END_WHO_LEN = 16 };

/* Zeroed, it remembers nothing. */
struct early_ends {
    uint32_t noted; /* Ever; each takes the place of the oldest. */
    struct early_end {
        struct buf *channel; /* NULL: none was noted here yet. */
        uint64_t expires_ms;
        uint8_t who[EARLY_END_WHO_LEN];
    } ends[EARLY_ENDS_A_SHARD_MAX];
};

/* Gives back what it holds, before it goes. */
void early_ends_release(struct early_ends *ends);

/* Shares the channel's name. */
void early_ends_note(struct early_ends *ends, struct buf *channel,
                     const uint8_t who[EARLY_END_WHO_LEN], uint64_t now_ms);

/* For a beginning that made a detour: did its end come before it? */
MUST_CHECK bool early_ends_have(const struct early_ends *ends, struct span channel,
                                const uint8_t who[EARLY_END_WHO_LEN], uint64_t now_ms);

#endif
