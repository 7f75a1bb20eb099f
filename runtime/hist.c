/* SPDX-License-Identifier: Apache-2.0 */
/* The buckets of a histogram, and what is computed from them.
 *
 * With p = precision_bits, values below 2^(p+1) have a bucket each. Above, a value whose highest
 * bit is e keeps its p bits below that one:
 *
 *   bucket = (e - p) * 2^p + (value >> (e - p))
 *
 * which continues the numbering without a gap, since value >> (e - p) lies in [2^p, 2^(p+1)).
 */
#include "runtime/hist.h"

#include <assert.h>
#include <stdlib.h>

#include "runtime/check.h"

enum { HIST_VALUE_BITS = 40 };

static_assert(HIST_VALUE_MAX == (1ull << HIST_VALUE_BITS) - 1, "one figure in two forms");

struct hist {
    uint32_t precision_bits;
    uint32_t buckets_len;
    uint64_t count;
    uint64_t sum;
    uint64_t min;
    uint64_t max;
    uint64_t buckets[];
};

/* One writer: an add is a load and a store, both relaxed so that others may read meanwhile. */
static uint64_t hist_load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void hist_store(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static uint32_t hist_bucket_of(const struct hist *hist, uint64_t value)
{
    const uint32_t p = hist->precision_bits;
    if (value < (2ull << p)) {
        return (uint32_t)value;
    }
    const uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - p;
    return (shift << p) + (uint32_t)(value >> shift);
}

/* The largest value that falls into the bucket. */
static uint64_t hist_upper_end(const struct hist *hist, uint32_t bucket)
{
    const uint32_t p = hist->precision_bits;
    if (bucket < (2u << p)) {
        return bucket;
    }
    const uint32_t shift = (bucket >> p) - 1;
    const uint64_t kept = bucket - ((uint64_t)shift << p);
    return ((kept + 1) << shift) - 1;
}

struct hist *hist_create(uint32_t precision_bits)
{
    BUG_IF(precision_bits < 1 || precision_bits > 16);
    const uint32_t len = (HIST_VALUE_BITS + 1 - precision_bits) << precision_bits;
    struct hist *hist = calloc(1, sizeof *hist + len * sizeof hist->buckets[0]);
    if (hist == NULL) {
        return NULL;
    }
    hist->precision_bits = precision_bits;
    hist->buckets_len = len;
    hist->min = UINT64_MAX;
    return hist;
}

void hist_destroy(struct hist *hist)
{
    free(hist);
}

void hist_record_many(struct hist *hist, uint64_t value, uint64_t count)
{
    if (count == 0) {
        return;
    }
    if (value > HIST_VALUE_MAX) {
        value = HIST_VALUE_MAX;
    }
    uint64_t *bucket = &hist->buckets[hist_bucket_of(hist, value)];
    hist_store(bucket, *bucket + count);
    hist_store(&hist->sum, hist->sum + value * count);
    if (value < hist->min) {
        hist_store(&hist->min, value);
    }
    if (value > hist->max) {
        hist_store(&hist->max, value);
    }
    hist_store(&hist->count, hist->count + count);
}

void hist_record(struct hist *hist, uint64_t value)
{
    hist_record_many(hist, value, 1);
}

void hist_reset(struct hist *hist)
{
    hist_store(&hist->count, 0);
    hist_store(&hist->sum, 0);
    hist_store(&hist->min, UINT64_MAX);
    hist_store(&hist->max, 0);
    for (uint32_t i = 0; i < hist->buckets_len; i++) {
        hist_store(&hist->buckets[i], 0);
    }
}

void hist_merge(struct hist *into, const struct hist *from)
{
    BUG_IF(into->precision_bits != from->precision_bits);
    uint64_t count = 0;
    for (uint32_t i = 0; i < into->buckets_len; i++) {
        const uint64_t n = hist_load(&from->buckets[i]);
        if (n != 0) {
            hist_store(&into->buckets[i], into->buckets[i] + n);
            count += n;
        }
    }
    /* Of what was merged, so that the result agrees with itself whatever the writer does. */
    hist_store(&into->count, into->count + count);
    hist_store(&into->sum, into->sum + hist_load(&from->sum));
    const uint64_t min = hist_load(&from->min);
    const uint64_t max = hist_load(&from->max);
    if (min < into->min) {
        hist_store(&into->min, min);
    }
    if (max > into->max) {
        hist_store(&into->max, max);
    }
}

uint64_t hist_count(const struct hist *hist)
{
    return hist_load(&hist->count);
}

uint64_t hist_sum(const struct hist *hist)
{
    return hist_load(&hist->sum);
}

uint64_t hist_min(const struct hist *hist)
{
    const uint64_t min = hist_load(&hist->min);
    return min == UINT64_MAX ? 0 : min;
}

uint64_t hist_max(const struct hist *hist)
{
    return hist_load(&hist->max);
}

/* The rank of the quantile among `count` values, 1 .. count. */
static uint64_t hist_rank(uint64_t count, double quantile)
{
    if (!(quantile > 0)) {
        return 1;
    }
    if (quantile >= 1) {
        return count;
    }
    const double exact = quantile * (double)count;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact) {
        rank++;
    }
    return rank < 1 ? 1 : rank > count ? count : rank;
}

uint64_t hist_quantile(const struct hist *hist, double quantile)
{
    const uint64_t count = hist_count(hist);
    if (count == 0) {
        return 0;
    }
    const uint64_t max = hist_max(hist);
    const uint64_t rank = hist_rank(count, quantile);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < hist->buckets_len; i++) {
        seen += hist_load(&hist->buckets[i]);
        if (seen >= rank) {
            const uint64_t end = hist_upper_end(hist, i);
            return end < max ? end : max;
        }
    }
    return max;
}

uint64_t hist_count_at_most(const struct hist *hist, uint64_t value)
{
    if (value > HIST_VALUE_MAX) {
        value = HIST_VALUE_MAX;
    }
    const uint32_t last = hist_bucket_of(hist, value);
    uint64_t seen = 0;
    for (uint32_t i = 0; i <= last; i++) {
        seen += hist_load(&hist->buckets[i]);
    }
    return seen;
}

uint32_t hist_bucket_count(const struct hist *hist)
{
    return hist->buckets_len;
}

uint64_t hist_bucket(const struct hist *hist, uint32_t bucket, uint64_t *value_max)
{
    BUG_IF(bucket >= hist->buckets_len);
    *value_max = hist_upper_end(hist, bucket);
    return hist_load(&hist->buckets[bucket]);
}
