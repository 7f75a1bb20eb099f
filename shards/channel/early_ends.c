/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of the newest ends, which is looked through: they are few, and rarely asked for. */
#include "shards/channel/early_ends.h"

#include <string.h>

void early_ends_release(struct early_ends *ends)
{
    for (uint32_t i = 0; i < EARLY_ENDS_A_SHARD_MAX; i++) {
        buf_release(ends->ends[i].channel);
        ends->ends[i].channel = NULL;
    }
}

void early_ends_note(struct early_ends *ends, struct buf *channel,
                     const uint8_t who[EARLY_END_WHO_LEN], uint64_t now_ms)
{
    struct early_end *end = &ends->ends[ends->noted++ % EARLY_ENDS_A_SHARD_MAX];
    buf_share(channel, 1);
    buf_release(end->channel);
    end->channel = channel;
    end->expires_ms = now_ms + EARLY_ENDS_MS;
    memcpy(end->who, who, sizeof(end->who));
}

bool early_ends_have(const struct early_ends *ends, struct span channel,
                     const uint8_t who[EARLY_END_WHO_LEN], uint64_t now_ms)
{
    for (uint32_t i = 0; i < EARLY_ENDS_A_SHARD_MAX; i++) {
        const struct early_end *end = &ends->ends[i];
        if (end->channel != NULL && now_ms < end->expires_ms &&
            memcmp(end->who, who, sizeof(end->who)) == 0 &&
            span_equal(span_of(end->channel->bytes, end->channel->len), channel)) {
            return true;
        }
    }
    return false;
}
