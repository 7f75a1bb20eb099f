/* SPDX-License-Identifier: Apache-2.0 */
/* Ramps and rates against their definitions, and the stages that modes and scenarios make. */
#include "ops/bench/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NS_A_S 1000000000ull

static void a_connection_is_due_when_the_ramp_reaches_it(void **state)
{
    (void)state;
    static const uint64_t durations[] = {1, 7, 999, NS_A_S, 180 * NS_A_S, 86400 * NS_A_S};
    static const uint64_t froms[] = {0, 1, 1000};
    static const uint64_t counts[] = {1, 2, 3, 1000, 399000};
    for (size_t d = 0; d < sizeof durations / sizeof durations[0]; d++) {
        for (size_t f = 0; f < 3; f++) {
            for (size_t c = 0; c < 5; c++) {
                const struct stage stage = {
                    .duration_ns = durations[d],
                    .connections_from = froms[f],
                    .connections_to = froms[f] + counts[c],
                };
                const uint64_t step = counts[c] / 50 + 1;
                for (uint64_t i = froms[f]; i < froms[f] + counts[c]; i += step) {
                    const uint64_t due = plan_connection_due_ns(&stage, i);
                    assert_true(plan_connections_at(&stage, due) > i);
                    assert_true(due == 0 || plan_connections_at(&stage, due - 1) <= i);
                }
                assert_int_equal(plan_connections_at(&stage, 0), froms[f]);
                assert_int_equal(plan_connections_at(&stage, durations[d]), froms[f] + counts[c]);
            }
        }
    }
}

static void a_ramp_may_lead_down_and_may_be_no_ramp(void **state)
{
    (void)state;
    struct stage stage = {.duration_ns = 100, .connections_from = 10, .connections_to = 0};
    assert_int_equal(plan_connections_at(&stage, 0), 10);
    assert_int_equal(plan_connections_at(&stage, 50), 5);
    assert_int_equal(plan_connections_at(&stage, 100), 0);
    stage = (struct stage){.connections_to = 8};
    assert_int_equal(plan_connections_at(&stage, 0), 8);
    assert_int_equal(plan_connection_due_ns(&stage, 7), 0);
}

static void what_is_due_agrees_with_when_it_is_due(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 3, 7, 1000, 999983, 5000000};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        for (uint64_t i = 0; i < 100000; i += i / 3 + 1) {
            const uint64_t due = plan_due_ns(rates[r], i);
            assert_true(plan_due_count(rates[r], due) > i);
            assert_true(due == 0 || plan_due_count(rates[r], due - 1) <= i);
        }
        assert_int_equal(plan_due_count(rates[r], 1000 * NS_A_S), 1000 * rates[r] + 1);
    }
    assert_int_equal(plan_due_count(0, NS_A_S), 0);
    assert_true(plan_due_ns(0, 0) == UINT64_MAX);
}

/* A command line, whose words are separated by single spaces. */
static struct options options_of(const char *line)
{
    static char text[256];
    char *words[32];
    int count = 0;
    char *rest = NULL;
    struct options options;
    char error[256] = "";
    memcpy(text, line, strlen(line) + 1);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    assert_true(options_parse(count, words, &options, error));
    return options;
}

static struct plan plan_of(const char *line, const char *scenario)
{
    const struct options options = options_of(line);
    struct plan plan;
    char error[256] = "";
    assert_true(plan_make(&options, span_of_text(scenario), &plan, error));
    return plan;
}

static void assert_stage(const struct stage *stage, const char *name, uint64_t from, uint64_t to)
{
    assert_string_equal(stage->name, name);
    assert_int_equal(stage->connections_from, from);
    assert_int_equal(stage->connections_to, to);
}

static void a_spike_climbs_between_two_calm_stages(void **state)
{
    (void)state;
    const struct plan plan =
        plan_of("spike --port 1 --connections 1k --peak 400k --over 180s --rate 7", "");
    assert_int_equal(plan.stages_len, 8);
    assert_stage(&plan.stages[0], "connect", 0, 1000);
    assert_stage(&plan.stages[1], "warm-up", 1000, 1000);
    assert_stage(&plan.stages[2], "before", 1000, 1000);
    assert_stage(&plan.stages[3], "ramp", 1000, 400000);
    assert_stage(&plan.stages[4], "after", 400000, 400000);
    assert_int_equal(plan.stages[3].duration_ns, 180 * NS_A_S);
    assert_int_equal(plan.stages[3].rate, 7);
    assert_int_equal(plan.stages[5].kind, STAGE_DRAIN);
    assert_int_equal(plan.stages[6].kind, STAGE_CLOSE);
    assert_int_equal(plan.stages[7].kind, STAGE_STOP);
    assert_int_equal(plan.connections_max, 400000);
    assert_int_equal(plan.subscribers, 1000);
    assert_false(plan.fillers_listen);
}

static void churners_are_there_from_the_start(void **state)
{
    (void)state;
    const struct plan plan =
        plan_of("churn --port 1 --connections 100 --churn 5 --churners 30", "");
    assert_stage(&plan.stages[0], "connect", 0, 130);
    assert_stage(&plan.stages[3], "churn", 130, 130);
    assert_int_equal(plan.stages[2].churn, 0);
    assert_int_equal(plan.stages[3].churn, 5);
    assert_int_equal(plan.subscribers, 100);
    assert_true(plan.fillers_listen);
}

static void a_warm_up_is_not_measured(void **state)
{
    (void)state;
    const struct plan plan = plan_of("echo --port 1 --messages 500", "");
    assert_string_equal(plan.stages[1].name, "warm-up");
    assert_false(plan.stages[1].is_measured);
    assert_int_equal(plan.stages[1].messages, 0);
    assert_string_equal(plan.stages[2].name, "echo");
    assert_true(plan.stages[2].is_measured);
    assert_int_equal(plan.stages[2].messages, 500);
    assert_true(plan.is_echo);
    assert_string_equal(plan_of("echo --port 1 --warmup 0", "").stages[1].name, "echo");
}

static void a_scenario_is_a_list_of_stages(void **state)
{
    (void)state;
    const struct plan plan = plan_of("mixed --port 1 --connections 10 --scenario x",
                                     "# comment\n"
                                     "\n"
                                     "rise  seconds=2.5 connections=3k rate=10\r\n"
                                     "churn seconds=500ms churn=7 rate=20\n"
                                     "fall  seconds=1 connections=10");
    assert_int_equal(plan.stages_len, 7);
    assert_stage(&plan.stages[1], "rise", 10, 3000);
    assert_int_equal(plan.stages[1].duration_ns, 2500000000);
    assert_true(plan.stages[1].has_traffic);
    assert_stage(&plan.stages[2], "churn", 3000, 3000);
    assert_int_equal(plan.stages[2].churn, 7);
    assert_int_equal(plan.stages[2].rate, 20);
    assert_stage(&plan.stages[3], "fall", 3000, 10);
    assert_false(plan.stages[3].has_traffic);
    assert_int_equal(plan.connections_max, 3000);
}

static void a_wrong_scenario_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "no stages"},
        {"a seconds=1 speed=9", "speed=9"},
        {"a seconds", "seconds"},
        {"a seconds=-1", "seconds=-1"},
        {"a seconds=1 rate=0", "rate=0"},
        {"a rate=5", "seconds="},
        {"a seconds=1 connections=3", "fewer connections"},
        {"a seconds=1 connections=99999m", "99999m"},
    };
    const struct options options = options_of("mixed --port 1 --connections 10 --scenario x");
    char error[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plan plan;
        assert_false(plan_make(&options, span_of_text(cases[i].text), &plan, error));
        assert_non_null(strstr(error, cases[i].part));
    }
    char many[2048] = "";
    size_t len = 0;
    for (int i = 0; i < PLAN_STAGES_MAX; i++) {
        memcpy(many + len, "a seconds=1\n", 13);
        len += 12;
    }
    struct plan plan;
    assert_false(plan_make(&options, span_of_text(many), &plan, error));
    assert_non_null(strstr(error, "more than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_due_when_the_ramp_reaches_it),
        cmocka_unit_test(a_ramp_may_lead_down_and_may_be_no_ramp),
        cmocka_unit_test(what_is_due_agrees_with_when_it_is_due),
        cmocka_unit_test(a_spike_climbs_between_two_calm_stages),
        cmocka_unit_test(churners_are_there_from_the_start),
        cmocka_unit_test(a_warm_up_is_not_measured),
        cmocka_unit_test(a_scenario_is_a_list_of_stages),
        cmocka_unit_test(a_wrong_scenario_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
