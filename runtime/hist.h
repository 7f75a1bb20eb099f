/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram with logarithmic buckets split linearly, as HdrHistogram has them: of a fixed size
 * and a known relative error, and two of them can be merged.
 *
 * Records 0 .. HIST_VALUE_MAX (nanoseconds, bytes, counts); a larger value is recorded as the
 * largest. One writer; any thread may read meanwhile and sees numbers that were true a moment ago,
 * though perhaps not of the same moment.
 */
#ifndef ROOST_RUNTIME_HIST_H
#define ROOST_RUNTIME_HIST_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"

struct hist;

#define HIST_VALUE_MAX ((1ull << 40) - 1)

/* Each power of two is split into 2^precision_bits buckets, 1 .. 16: the relative error is below
 * 2^-precision_bits. 10 gives three digits in 250 KiB, 4 a small one for metrics in 5 KiB. NULL:
 * memory is out. */
MUST_CHECK struct hist *hist_create(uint32_t precision_bits);
void hist_destroy(struct hist *hist);

/* Owner only. */
void hist_record(struct hist *hist, uint64_t value);
void hist_record_many(struct hist *hist, uint64_t value, uint64_t count);
void hist_reset(struct hist *hist);

/* Adds what `from` holds. Both must have the same precision (BUG otherwise). */
void hist_merge(struct hist *into, const struct hist *from);

/* All 0 when nothing is recorded. Any thread. */
uint64_t hist_count(const struct hist *hist);
uint64_t hist_sum(const struct hist *hist);
uint64_t hist_min(const struct hist *hist);
uint64_t hist_max(const struct hist *hist);

/* The upper end of the first bucket at or below whose values lie `quantile` (0..1) of all values,
 * never more than the maximum; 0 when nothing is recorded. */
uint64_t hist_quantile(const struct hist *hist, double quantile);

/* The buckets one by one, 0 .. hist_bucket_count() - 1 in the order of their values, for whoever
 * stores or draws a histogram: how many values a bucket holds, and the largest that it may hold.
 * Recording each bucket's count with that value makes the same histogram elsewhere. Any thread. */
uint32_t hist_bucket_count(const struct hist *hist);
uint64_t hist_bucket(const struct hist *hist, uint32_t bucket, uint64_t *value_max);

/* How many values lie at or below the end of the bucket of `value`: what Prometheus' `le` wants. */
uint64_t hist_count_at_most(const struct hist *hist, uint64_t value);

#endif
