/* SPDX-License-Identifier: Apache-2.0 */
/* What channels keep of their publications: the newest few of each, and of all channels together no
 * more than the shard may hold.
 *
 *   struct histories (one a shard)         struct history (one for each channel with a position)
 *     order: every entry, oldest first       ring: the entries of len offsets, the last of which
 *     bytes <= bytes_max                           is `offset`: no gap, since only the oldest go
 *
 * An entry holds the bufs in which its publication came: keeping one copies nothing, and it can be
 * encoded for whoever asks. Reading and writing know no time: whoever owns a history clears it when
 * its publications are too old. Owner only.
 */
#ifndef ROOST_SHARDS_CHANNEL_HISTORY_H
#define ROOST_SHARDS_CHANNEL_HISTORY_H

#include <stdint.h>

#include "codec/span.h"
#include "runtime/buf.h"

struct histories;
struct history_entry;

/* Zero-initialised it is that of a channel into which nothing was published yet. */
struct history {
    uint64_t offset; /* Of the newest publication that was appended; the first is 1. */
    struct history_entry **ring;
    uint32_t room; /* A power of two, or 0. */
    uint32_t first;
    uint32_t len;
    uint64_t version; /* Of the newest publication that had one; 0: none had. */
    uint64_t version_epoch_hash;
};

/* At most `entries_max` entries (up to POOL_OBJECTS_MAX) that weigh `bytes_max`. NULL: memory is
 * out. */
MUST_CHECK struct histories *histories_create(uint64_t bytes_max, uint32_t entries_max);

/* All histories have been cleared before. NULL is allowed. */
void histories_destroy(struct histories *histories);

/* Gives back memory that is kept for what may come. */
void histories_trim(struct histories *histories);

struct histories_totals {
    uint64_t bytes;   /* Of the bufs and of what holds them. */
    uint64_t evicted; /* Entries that made room for newer ones of other channels, ever. */
    uint32_t entries;
};
struct histories_totals histories_totals(const struct histories *histories);

/* Appends with the next offset, takes over the counts of both bufs (`identity` may be NULL), and
 * forgets the oldest entries beyond `size_max` (1 or more). False: memory is out; nothing has
 * changed. */
MUST_CHECK bool history_append(struct histories *histories, struct history *history,
                               uint32_t size_max, struct buf *request, struct buf *identity);

/* Is a publication of this version (not 0) no newer than the newest that the history has seen? An
 * empty epoch compares the version alone. */
bool history_has_version(const struct history *history, uint64_t version, struct span epoch);
void history_set_version(struct history *history, uint64_t version, struct span epoch);

/* What of a history is read. */
struct history_query {
    uint64_t since_offset; /* With has_since: only what lies beyond it. */
    bool has_since;
    bool is_reverse; /* From the newest. */
    uint32_t limit;
    uint32_t bytes_max; /* What the page may weigh; one entry always fits. */
};

/* The page (NULL when it is empty). False: memory is out. */
MUST_CHECK bool history_read(const struct history *history, const struct history_query *query,
                             struct buf **page);

/* All that came after an offset. False: something of it is gone, it exceeds a limit, or memory is
 * out. */
MUST_CHECK bool history_recover(const struct history *history, uint64_t since_offset,
                                uint32_t limit, uint32_t bytes_max, struct buf **page);

/* Makes a history that nothing was appended to what another one was, page by page (NULL: an empty
 * one), each publication at its own offset; shares the bufs in the page. With the last page comes
 * the offset of the newest that the other one ever had, before it 0. False: memory is out. */
MUST_CHECK bool history_go_on(struct histories *histories, struct history *history,
                              struct buf *page, uint64_t offset);

/* Forgets the publications and frees what held them; the offset goes on. */
void history_clear(struct histories *histories, struct history *history);

#endif
