/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets: how many are let through, by which of several, and who is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shards/rate_limits.h"

#include <cmocka.h>

#define MS 1000000ull
#define SECOND (1000 * MS)
#define BUCKET(interval, rate) \
    { \
        (interval), (interval) / (rate) \
    }

static struct random chance;

static struct span name_of(uint32_t number)
{
    static char text[16];
    snprintf(text, sizeof(text), "user %u", number);
    return span_of_text(text);
}

static struct rate_table *table_of(const struct rate_limits *limits, uint32_t entries_max)
{
    random_init_seeded(&chance, 7);
    struct rate_table *table = rate_table_create(limits, entries_max, &chance);
    assert_non_null(table);
    return table;
}

/* So many at once, then exactly as many as come in, whoever asks however often. */
static void a_bucket_fills_at_its_rate(void **state)
{
    (void)state;
    static const struct {
        uint64_t interval_ns;
        uint32_t rate;
        uint64_t step_ns; /* Of the asking. */
    } rows[] = {
        {SECOND, 3, 10 * MS},      {SECOND, 1, MS},   {SECOND, 1000, 100 * 1000},
        {20 * SECOND, 7, 37 * MS}, {100 * MS, 9, MS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct rate_bucket bucket = BUCKET(rows[i].interval_ns, rows[i].rate);
        const struct rate_limits limits = {.buckets = &bucket, .buckets_len = 1};
        const struct rate_rule rule = {0, 1};
        struct rate_table *table = table_of(&limits, 100);
        uint64_t now_ns = 12345 * MS;
        for (uint32_t n = 0; n < rows[i].rate; n++) {
            assert_true(rate_table_take(table, name_of(1), rule, now_ns));
        }
        assert_false(rate_table_take(table, name_of(1), rule, now_ns));
        assert_true(rate_table_take(table, name_of(2), rule, now_ns));
        uint32_t taken = 0;
        for (uint64_t passed_ns = 0; passed_ns < 10 * rows[i].interval_ns;
             passed_ns += rows[i].step_ns) {
            now_ns += rows[i].step_ns;
            taken += rate_table_take(table, name_of(1), rule, now_ns);
        }
        assert_in_range(taken, 10 * rows[i].rate - 1, 10 * rows[i].rate + 1);
        rate_table_destroy(table);
    }
}

/* What one bucket refuses costs no token of another. */
static void all_buckets_of_a_rule_must_have_a_token(void **state)
{
    (void)state;
    static const struct rate_bucket buckets[] = {
        BUCKET(SECOND, 2),      /* Of publish, */
        BUCKET(60 * SECOND, 5), /* too; */
        BUCKET(SECOND, 4),      /* of all. */
    };
    const struct rate_limits limits = {.buckets = buckets, .buckets_len = 3, .total = {2, 1}};
    const struct rate_rule publish = {0, 2};
    const struct rate_rule other = {0, 0};
    struct rate_table *table = table_of(&limits, 100);
    uint64_t now_ns = SECOND;
    uint32_t taken = 0;
    for (int i = 0; i < 100; i++) {
        taken += rate_table_take(table, name_of(1), publish, now_ns);
    }
    assert_int_equal(taken, 2);
    /* The 98 took nothing from the total. */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rate_table_take(table, name_of(1), other, now_ns), i < 2);
    }
    for (int i = 0; i < 20; i++) {
        now_ns += SECOND;
        taken += rate_table_take(table, name_of(1), publish, now_ns);
    }
    assert_in_range(taken, 6, 6 + 1); /* Five, and what comes in in 20 s. */
    assert_false(rate_table_take(table, name_of(1), (struct rate_rule){2, 2}, now_ns));
    rate_table_destroy(table);
}

static void a_namespace_or_method_has_its_own_rule(void **state)
{
    (void)state;
    static const struct rate_override overrides[] = {{"chat", {3, 1}}, {"", {4, 1}}};
    struct rate_limits limits = {.total = {0, 0}};
    limits.commands[CLIENT_METHOD_PUBLISH] = (struct rate_command){{1, 2}, overrides, 2};
    const struct {
        enum client_method method;
        const char *name;
        uint16_t first;
        uint16_t len;
    } rows[] = {
        {CLIENT_METHOD_PUBLISH, "chat", 3, 1},
        {CLIENT_METHOD_PUBLISH, "cha", 1, 2},
        {CLIENT_METHOD_PUBLISH, "", 4, 1},
        {CLIENT_METHOD_HISTORY, "chat", 0, 0},
    };
    for (size_t i = 0; i < 4; i++) {
        const struct rate_rule rule =
            rate_limits_rule(&limits, rows[i].method, span_of_text(rows[i].name));
        assert_int_equal(rule.first, rows[i].first);
        assert_int_equal(rule.len, rows[i].len);
        assert_int_equal(rate_limits_apply(&limits, rule), rows[i].len > 0);
    }
}

/* The table is as large as those who are active are many. */
static void who_is_idle_is_forgotten(void **state)
{
    (void)state;
    static const struct rate_bucket bucket = BUCKET(SECOND, 2);
    const struct rate_limits limits = {.buckets = &bucket, .buckets_len = 1};
    const struct rate_rule rule = {0, 1};
    struct rate_table *table = table_of(&limits, 1000);
    uint64_t now_ns = SECOND;
    for (uint32_t i = 0; i < 900; i++) {
        assert_true(rate_table_take(table, name_of(i), rule, now_ns));
    }
    assert_int_equal(rate_table_count(table), 900);
    now_ns += SECOND;
    for (uint32_t i = 0; i < 900; i++) {
        (void)!rate_table_take(table, name_of(899), rule, now_ns + i * MS);
    }
    assert_int_equal(rate_table_count(table), 1);
    rate_table_trim(table, now_ns + 900 * MS);
    assert_int_equal(rate_table_count(table), 1); /* Its bucket is not full. */
    rate_table_trim(table, now_ns + 3 * SECOND);
    assert_int_equal(rate_table_count(table), 0);
    rate_table_destroy(table);
}

/* Beyond its room, who did something longest ago. */
static void a_full_table_forgets_the_longest_unused(void **state)
{
    (void)state;
    static const struct rate_bucket bucket = BUCKET(60 * SECOND, 1);
    const struct rate_limits limits = {.buckets = &bucket, .buckets_len = 1};
    const struct rate_rule rule = {0, 1};
    struct rate_table *table = table_of(&limits, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(rate_table_take(table, name_of(i), rule, SECOND));
    }
    assert_false(rate_table_take(table, name_of(0), rule, SECOND)); /* It has asked again. */
    assert_true(rate_table_take(table, name_of(10), rule, SECOND));
    assert_int_equal(rate_table_count(table), 10);
    assert_false(rate_table_take(table, name_of(0), rule, SECOND));
    assert_false(rate_table_take(table, name_of(2), rule, SECOND));
    assert_true(rate_table_take(table, name_of(1), rule, SECOND));
    rate_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_fills_at_its_rate),
        cmocka_unit_test(all_buckets_of_a_rule_must_have_a_token),
        cmocka_unit_test(a_namespace_or_method_has_its_own_rule),
        cmocka_unit_test(who_is_idle_is_forgotten),
        cmocka_unit_test(a_full_table_forgets_the_longest_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
