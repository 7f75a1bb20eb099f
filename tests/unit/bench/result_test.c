/* SPDX-License-Identifier: Apache-2.0 */
/* Results survive their JSON, merge as they should, and wrong files are refused. */
#include "ops/bench/gauge.h"
#include "ops/bench/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_SIZE = 1 << 20 };

static struct span json_of(const struct result *result, uint8_t *text)
{
    struct writer out = writer_of(text, TEXT_SIZE);
    result_write_json(result, &out);
    assert_false(writer_is_overflown(&out));
    return writer_written(&out);
}

/* A result in which every number of a stage differs from every other. */
static void make(struct result *result, uint64_t base)
{
    assert_true(result_init(result));
    memcpy(result->label, "a \"label\"", 10);
    memcpy(result->mode, "fanout", 7);
    memcpy(result->target, "127.0.0.1:1", 12);
    result->connections = base;
    result->missing = base + 1;
    struct result_stage *stage = result_stage_add(result, "fanout");
    uint64_t numbers[(offsetof(struct result_stage, latency) - STAGE_NAME_SIZE) / 8];
    for (size_t i = 0; i < sizeof numbers / 8; i++) {
        numbers[i] = base + 100 * i;
    }
    memcpy(&stage->duration_ns, numbers, sizeof numbers);
    for (uint64_t i = 0; i < 1000; i++) {
        hist_record(stage->latency, base * i);
    }
    hist_record(result->connect_latency, 77);
    result->series[0] = (struct result_point){1, 2, 3, 4, 5, 6, 7, base};
    result->series_len = 1;
    result_warn(result, "warning %d", (int)base);
}

static void a_result_survives_its_json(void **state)
{
    (void)state;
    struct result one;
    struct result two;
    char error[256];
    uint8_t *first = malloc(TEXT_SIZE);
    uint8_t *second = malloc(TEXT_SIZE);
    make(&one, 12345);
    const struct span text = json_of(&one, first);
    assert_true(result_init(&two));
    assert_true(result_read_json(text, &two, error));
    assert_true(span_equal(text, json_of(&two, second)));
    assert_int_equal(two.stages[0].floor_joined, one.stages[0].floor_joined);
    assert_int_equal(hist_count(two.stages[0].latency), 1000);
    assert_int_equal(hist_quantile(two.stages[0].latency, 0.99),
                     hist_quantile(one.stages[0].latency, 0.99));
    assert_string_equal(two.warnings[0], "warning 12345");
    result_free(&one);
    result_free(&two);
    free(first);
    free(second);
}

static void merging_sums_what_each_did_and_not_what_both_saw(void **state)
{
    (void)state;
    struct result one;
    struct result two;
    char error[256];
    make(&one, 1000);
    make(&two, 5000);
    const struct result_stage before = one.stages[0];
    assert_true(result_merge(&one, &two, error));
    const struct result_stage *sum = &one.stages[0];
    const struct result_stage *other = &two.stages[0];
    assert_int_equal(sum->received, before.received + other->received);
    assert_int_equal(sum->bench_cpu_ns, before.bench_cpu_ns + other->bench_cpu_ns);
    assert_int_equal(sum->server_cpu_ns, other->server_cpu_ns);
    assert_int_equal(sum->server_rss_begin, before.server_rss_begin);
    assert_int_equal(sum->server_rss_end, other->server_rss_end);
    assert_int_equal(hist_count(sum->latency), 2000);
    assert_int_equal(one.connections, 6000);
    assert_int_equal(one.missing, 6002);
    assert_int_equal(one.processes, 2);
    assert_int_equal(one.warnings_len, 2);
    assert_false(result_is_good(&one));
    result_free(&one);
    result_free(&two);
}

static void what_is_not_of_one_run_does_not_merge(void **state)
{
    (void)state;
    struct result one;
    struct result two;
    char error[256];
    make(&one, 1);
    make(&two, 1);
    memcpy(two.stages[0].name, "other", 6);
    assert_false(result_merge(&one, &two, error));
    memcpy(two.stages[0].name, "fanout", 7);
    memcpy(two.mode, "echo", 5);
    assert_false(result_merge(&one, &two, error));
    assert_int_equal(one.processes, 1);
    result_free(&one);
    result_free(&two);
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"format\":2}",
        "{\"format\":1,\"missing\":-1}",
        "{\"format\":1,\"series\":[[1,2,3,4,5,6,7,8,9]]}",
        "{\"format\":1,\"stages\":[{\"latency_ns\":[5]}]}",
        "{\"format\":1} trailing",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct result result;
        char error[256] = "";
        assert_true(result_init(&result));
        assert_false(result_read_json(span_of_text(texts[i]), &result, error));
        assert_true(error[0] != 0);
        result_free(&result);
    }
}

static void anything_lost_spoils_a_result(void **state)
{
    (void)state;
    static const size_t spoilers[] = {
        offsetof(struct result, refused),    offsetof(struct result, lost),
        offsetof(struct result, missing),    offsetof(struct result, repeated),
        offsetof(struct result, misordered), offsetof(struct result, damaged),
    };
    struct result result;
    assert_true(result_init(&result));
    assert_true(result_is_good(&result));
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        uint64_t *at = (uint64_t *)(void *)((char *)&result + spoilers[i]);
        *at = 1;
        assert_false(result_is_good(&result));
        *at = 0;
    }
    memcpy(result.failure, "x", 2);
    assert_false(result_is_good(&result));
    result_free(&result);
}

static void proc_is_read(void **state)
{
    (void)state;
    uint64_t user = 0;
    uint64_t system = 0;
    assert_true(
        gauge_parse_stat("7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 111 222 0 0", &user, &system));
    assert_int_equal(user, 111);
    assert_int_equal(system, 222);
    assert_false(gauge_parse_stat("", &user, &system));
    assert_false(gauge_parse_stat("7 (a) S 1 2", &user, &system));
    static const char text[] = "SlabX: 3 kB\nVmRSS:\t  99 kB\nRss:    5 kB\nmem 8\n";
    assert_int_equal(gauge_find(text, "Rss:"), 5);
    assert_int_equal(gauge_find(text, "VmRSS:"), 99);
    assert_int_equal(gauge_find(text, "mem "), 8);
    assert_int_equal(gauge_find(text, "Slab:"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_survives_its_json),
        cmocka_unit_test(merging_sums_what_each_did_and_not_what_both_saw),
        cmocka_unit_test(what_is_not_of_one_run_does_not_merge),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(anything_lost_spoils_a_result),
        cmocka_unit_test(proc_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
