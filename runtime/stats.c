/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a shard's counters and histograms. */
#include "runtime/stats.h"

#include <stdlib.h>

struct stats *stats_create(uint32_t counters_len, uint32_t hists_len)
{
    struct stats *stats = calloc(1, sizeof *stats);
    if (stats == NULL) {
        return NULL;
    }
    stats->counters_len = counters_len;
    /* One more of each, so that an empty table is no special case. */
    stats->counters = calloc((size_t)counters_len + 1, sizeof *stats->counters);
    stats->hists = calloc((size_t)hists_len + 1, sizeof *stats->hists);
    bool is_whole = stats->counters != NULL && stats->hists != NULL;
    while (is_whole && stats->hists_len < hists_len) {
        struct hist *hist = hist_create(STATS_HIST_PRECISION_BITS);
        is_whole = hist != NULL;
        if (is_whole) {
            stats->hists[stats->hists_len++] = hist;
        }
    }
    if (!is_whole) {
        stats_destroy(stats);
        return NULL;
    }
    return stats;
}

void stats_destroy(struct stats *stats)
{
    if (stats == NULL) {
        return;
    }
    for (uint32_t i = 0; i < stats->hists_len; i++) {
        hist_destroy(stats->hists[i]);
    }
    free(stats->hists);
    free(stats->counters);
    free(stats);
}
