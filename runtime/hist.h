/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram with logarithmic buckets split linearly, as HdrHistogram has: fixed size, 3 significant digits, mergeable.
 *
 * Records values 0 .. HIST_VALUE_MAX (nanoseconds, bytes, counts); larger ones are recorded as the largest and counted. One
 * writer; readers may copy it at any time.
 */
#ifndef ROOST_RUNTIME_HIST_H
#define ROOST_RUNTIME_HIST_H

#include <stddef.h>
#include <stdint.h>

struct hist;

#define HIST_VALUE_MAX ((1ull << 40) - 1)

/* `precision_bits`: each power of two is split into 2^bits buckets (relative error below 2^-bits); 10 gives 3 digits, 4
 * gives a small one for metrics. NULL: memory is out. */
struct hist *hist_create(uint32_t precision_bits);
void hist_destroy(struct hist *hist);
void hist_record(struct hist *hist, uint64_t value);
void hist_record_many(struct hist *hist, uint64_t value, uint64_t count);
void hist_reset(struct hist *hist);
/* Both must have the same precision (BUG otherwise). */
void hist_merge(struct hist *into, const struct hist *from);

uint64_t hist_count(const struct hist *hist);
uint64_t hist_sum(const struct hist *hist);
uint64_t hist_min(const struct hist *hist);
uint64_t hist_max(const struct hist *hist);
/* The smallest recorded bucket's upper end such that `quantile` (0..1) of the values are at or below it. */
uint64_t hist_quantile(const struct hist *hist, double quantile);
/* How many values are at or below `value` (bucket resolution): what Prometheus' `le` buckets want. */
uint64_t hist_count_at_most(const struct hist *hist, uint64_t value);

#endif
