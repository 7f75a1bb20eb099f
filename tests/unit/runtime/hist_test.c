/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms against sorted samples: quantiles, counts, merging. */
#include "runtime/hist.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/random.h"

enum { SAMPLES = 20000 };

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A value of up to `bits` bits, small and large ones alike. */
static uint64_t draw(struct random *random, uint32_t bits)
{
    return random_next(random) >> (64 - 1 - random_below(random, bits));
}

/* `got` may exceed `exact` by less than one part in 2^precision_bits, and is never below it. */
static void assert_close(uint64_t got, uint64_t exact, uint32_t precision_bits)
{
    assert_true(got >= exact);
    assert_true(got - exact <= exact >> precision_bits);
}

static void quantiles_agree_with_sorted_samples(void **state)
{
    (void)state;
    static const double quantiles[] = {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.99999, 1.0};
    static uint64_t samples[SAMPLES];
    struct random random;
    random_init_seeded(&random, 11);
    for (uint32_t precision_bits = 1; precision_bits <= 12; precision_bits++) {
        struct hist *hist = hist_create(precision_bits);
        assert_non_null(hist);
        uint64_t sum = 0;
        for (int i = 0; i < SAMPLES; i++) {
            samples[i] = draw(&random, 40);
            sum += samples[i];
            hist_record(hist, samples[i]);
        }
        qsort(samples, SAMPLES, sizeof samples[0], compare);
        for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
            const double exact_rank = ceil(quantiles[i] * SAMPLES);
            const size_t rank = exact_rank < 1 ? 1 : (size_t)exact_rank;
            assert_close(hist_quantile(hist, quantiles[i]), samples[rank - 1], precision_bits);
        }
        assert_int_equal(hist_count(hist), SAMPLES);
        assert_int_equal(hist_sum(hist), sum);
        assert_int_equal(hist_min(hist), samples[0]);
        assert_int_equal(hist_max(hist), samples[SAMPLES - 1]);
        assert_int_equal(hist_quantile(hist, 1.0), samples[SAMPLES - 1]);
        hist_destroy(hist);
    }
}

/* Neighbouring values never fall back, and each is found in its own bucket. */
static void every_border_of_two_buckets_is_in_order(void **state)
{
    (void)state;
    for (uint32_t precision_bits = 1; precision_bits <= 10; precision_bits += 3) {
        struct hist *hist = hist_create(precision_bits);
        uint64_t count = 0;
        uint64_t last = 0;
        for (uint32_t bit = 0; bit < 40; bit++) {
            for (uint64_t value = (1ull << bit) - (bit > 0); value <= (1ull << bit) + 1; value++) {
                if (value < last || value > HIST_VALUE_MAX) {
                    continue;
                }
                last = value;
                hist_record(hist, value);
                count++;
                /* All so far lie at or below the newest, and it is the maximum. */
                assert_int_equal(hist_count_at_most(hist, value), count);
                assert_int_equal(hist_quantile(hist, 1.0), value);
            }
        }
        hist_destroy(hist);
    }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct hist *hist = hist_create(4);
    for (uint64_t value = 0; value < 32; value++) {
        hist_record_many(hist, value, value + 1);
    }
    uint64_t at_most = 0;
    for (uint64_t value = 0; value < 32; value++) {
        at_most += value + 1;
        assert_int_equal(hist_count_at_most(hist, value), at_most);
    }
    assert_int_equal(hist_count(hist), 32 * 33 / 2);
    assert_int_equal(hist_count_at_most(hist, UINT64_MAX), 32 * 33 / 2);
    hist_destroy(hist);
}

static void an_empty_histogram_answers_zero(void **state)
{
    (void)state;
    struct hist *hist = hist_create(10);
    assert_int_equal(hist_count(hist), 0);
    assert_int_equal(hist_min(hist), 0);
    assert_int_equal(hist_max(hist), 0);
    assert_int_equal(hist_quantile(hist, 0.5), 0);
    assert_int_equal(hist_count_at_most(hist, 5), 0);
    hist_record_many(hist, 5, 0);
    assert_int_equal(hist_count(hist), 0);
    hist_destroy(hist);
}

static void too_large_is_recorded_as_the_largest(void **state)
{
    (void)state;
    struct hist *hist = hist_create(10);
    hist_record(hist, UINT64_MAX);
    hist_record(hist, HIST_VALUE_MAX + 1);
    assert_int_equal(hist_max(hist), HIST_VALUE_MAX);
    assert_int_equal(hist_quantile(hist, 0.5), HIST_VALUE_MAX);
    assert_int_equal(hist_sum(hist), 2 * HIST_VALUE_MAX);
    hist_destroy(hist);
}

static void merging_equals_recording_all_in_one(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 12);
    struct hist *parts[3];
    struct hist *whole = hist_create(6);
    struct hist *merged = hist_create(6);
    for (int i = 0; i < 3; i++) {
        parts[i] = hist_create(6);
    }
    for (int i = 0; i < SAMPLES; i++) {
        const uint64_t value = draw(&random, 36);
        hist_record(whole, value);
        hist_record(parts[i % 3], value);
    }
    for (int i = 0; i < 3; i++) {
        hist_merge(merged, parts[i]);
        hist_destroy(parts[i]);
    }
    assert_int_equal(hist_count(merged), hist_count(whole));
    assert_int_equal(hist_sum(merged), hist_sum(whole));
    assert_int_equal(hist_min(merged), hist_min(whole));
    assert_int_equal(hist_max(merged), hist_max(whole));
    for (double quantile = 0; quantile <= 1; quantile += 0.01) {
        assert_int_equal(hist_quantile(merged, quantile), hist_quantile(whole, quantile));
    }
    hist_reset(merged);
    assert_int_equal(hist_count(merged), 0);
    assert_int_equal(hist_quantile(merged, 1.0), 0);
    struct hist *empty = hist_create(6);
    hist_merge(whole, empty);
    assert_int_equal(hist_count(whole), SAMPLES);
    hist_destroy(empty);
    hist_destroy(whole);
    hist_destroy(merged);
}

static void buckets_make_the_same_histogram_elsewhere(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 12);
    struct hist *one = hist_create(6);
    struct hist *two = hist_create(6);
    assert_non_null(one);
    assert_non_null(two);
    for (int i = 0; i < SAMPLES; i++) {
        hist_record(one, draw(&random, 40));
    }
    uint64_t before = 0;
    for (uint32_t i = 0; i < hist_bucket_count(one); i++) {
        uint64_t value_max = 0;
        const uint64_t count = hist_bucket(one, i, &value_max);
        assert_true(i == 0 || value_max > before);
        before = value_max;
        hist_record_many(two, value_max, count);
    }
    assert_int_equal(before, HIST_VALUE_MAX);
    assert_int_equal(hist_count(two), hist_count(one));
    for (uint32_t i = 0; i < hist_bucket_count(one); i++) {
        uint64_t value_max = 0;
        assert_int_equal(hist_bucket(two, i, &value_max), hist_bucket(one, i, &value_max));
    }
    hist_destroy(one);
    hist_destroy(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_agree_with_sorted_samples),
        cmocka_unit_test(every_border_of_two_buckets_is_in_order),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(an_empty_histogram_answers_zero),
        cmocka_unit_test(too_large_is_recorded_as_the_largest),
        cmocka_unit_test(merging_equals_recording_all_in_one),
        cmocka_unit_test(buckets_make_the_same_histogram_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
