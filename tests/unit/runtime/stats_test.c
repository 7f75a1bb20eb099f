/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of one writer, read by another thread while they move. */
#include "runtime/stats.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void counters_begin_at_zero_and_add_up(void **state)
{
    (void)state;
    struct stats *stats = stats_create(3, 2);
    assert_non_null(stats);
    assert_int_equal(stats->counters_len, 3);
    assert_int_equal(stats->hists_len, 2);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(stats_get(stats, i), 0);
    }
    stats_add(stats, 1, 5);
    stats_add(stats, 1, 7);
    stats_set(stats, 2, 100);
    stats_set(stats, 2, 3);
    assert_int_equal(stats_get(stats, 0), 0);
    assert_int_equal(stats_get(stats, 1), 12);
    assert_int_equal(stats_get(stats, 2), 3);
    hist_record(stats->hists[1], 1000);
    assert_int_equal(hist_count(stats->hists[0]), 0);
    assert_int_equal(hist_count(stats->hists[1]), 1);
    stats_destroy(stats);
}

static void there_may_be_none_of_either(void **state)
{
    (void)state;
    struct stats *stats = stats_create(0, 0);
    assert_non_null(stats);
    stats_destroy(stats);
    stats_destroy(NULL);
}

enum { ADDITIONS = 200000 };

static void *count_up(void *argument)
{
    struct stats *stats = argument;
    for (uint32_t i = 0; i < ADDITIONS; i++) {
        stats_add(stats, 0, 1);
        hist_record(stats->hists[0], i);
    }
    return NULL;
}

static void a_reader_sees_them_grow(void **state)
{
    (void)state;
    struct stats *stats = stats_create(1, 1);
    struct hist *copy = hist_create(STATS_HIST_PRECISION_BITS);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, count_up, stats), 0);
    uint64_t before = 0;
    while (before < ADDITIONS) {
        const uint64_t now = stats_get(stats, 0);
        assert_true(now >= before);
        before = now;
        hist_reset(copy);
        hist_merge(copy, stats->hists[0]);
        assert_true(hist_count(copy) <= ADDITIONS);
    }
    pthread_join(writer, NULL);
    assert_int_equal(hist_count(stats->hists[0]), ADDITIONS);
    hist_destroy(copy);
    stats_destroy(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_begin_at_zero_and_add_up),
        cmocka_unit_test(there_may_be_none_of_either),
        cmocka_unit_test(a_reader_sees_them_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
