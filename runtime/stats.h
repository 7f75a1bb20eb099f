/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and latency histograms of one shard: one writer, readable from anywhere at any time.
 *
 * A counter is a plain 64-bit number that only its shard writes (a relaxed store), so that counting
 * costs an add; readers get a value that was true a moment ago. What the numbers mean is declared
 * above, in a table (shards/counters.h).
 */
#ifndef ROOST_RUNTIME_STATS_H
#define ROOST_RUNTIME_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"
#include "runtime/hist.h"

enum { STATS_HIST_PRECISION_BITS = 4 };

struct stats {
    uint32_t counters_len;
    uint32_t hists_len;
    uint64_t *counters;
    struct hist **hists;
};

/* All zero; the histograms have STATS_HIST_PRECISION_BITS. NULL: memory is out. */
MUST_CHECK struct stats *stats_create(uint32_t counters_len, uint32_t hists_len);
void stats_destroy(struct stats *stats);

/* Owner only. */
static inline void stats_add(struct stats *stats, uint32_t counter, uint64_t n)
{
    uint64_t *at = &stats->counters[counter];
    __atomic_store_n(at, *at + n, __ATOMIC_RELAXED);
}

static inline void stats_set(struct stats *stats, uint32_t gauge, uint64_t value)
{
    __atomic_store_n(&stats->counters[gauge], value, __ATOMIC_RELAXED);
}

/* Any thread. */
static inline uint64_t stats_get(const struct stats *stats, uint32_t counter)
{
    return __atomic_load_n(&stats->counters[counter], __ATOMIC_RELAXED);
}

#endif
