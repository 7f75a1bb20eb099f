/* SPDX-License-Identifier: Apache-2.0 */
/* client.rate_limit as Centrifugo PRO writes it, and what is wrong in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shards/rate_limits.h"
#include "tests/unit/ops/loading.h"

static void assert_rule(const struct rate_limits *limits, enum client_method method,
                        const char *name, uint64_t interval_ms, uint32_t rate)
{
    const struct rate_rule rule = rate_limits_rule(limits, method, span_of_text(name));
    assert_int_equal(rule.len, 1);
    assert_int_equal(limits->buckets[rule.first].interval_ns, interval_ms * 1000000);
    assert_int_equal(limits->buckets[rule.first].step_ns, interval_ms * 1000000 / rate);
}

static void limits_are_read(void **state)
{
    (void)state;
    struct loaded *loaded = load_text(
        "channel: {namespaces: [{name: chat}]}\n"
        "client:\n"
        "  rate_limit:\n"
        "    client_command:\n"
        "      enabled: true\n"
        "      total: {enabled: true, buckets: [{interval: 1s, rate: 20}]}\n"
        "      default: {enabled: true, buckets: [{interval: 1s, rate: 60}]}\n"
        "      publish:\n"
        "        enabled: true\n"
        "        buckets: [{interval: 1s, rate: 1}]\n"
        "        namespace_overrides:\n"
        "        - {namespace_name: chat, enabled: true, buckets: [{interval: 10s, rate: 5}]}\n"
        "      history: {enabled: false, buckets: [{interval: 1s, rate: 9}]}\n"
        "      rpc:\n"
        "        enabled: true\n"
        "        buckets: [{interval: 1s, rate: 10}]\n"
        "        method_overrides:\n"
        "        - {method: status, enabled: true, buckets: [{interval: 20s, rate: 1}]}\n"
        "        - {method: other, enabled: true}\n"
        "    user_command:\n"
        "      enabled: true\n"
        "      connect: {enabled: true, buckets: [{interval: 1m, rate: 7}]}\n"
        "    redis_user_command: {enabled: false}\n"
        "    client_error:\n"
        "      enabled: true\n"
        "      total: {enabled: true, buckets: [{interval: 5s, rate: 20}]}\n");
    const struct client_options *client = &loaded->config.options.client;
    if (loaded->report.errors != 0) {
        fail_msg("%s", loaded->report.text);
    }
    const struct rate_limits *limits = client->command_rates;
    assert_int_equal(limits->total.len, 1);
    assert_int_equal(limits->buckets[limits->total.first].step_ns, 50 * 1000000);
    assert_rule(limits, CLIENT_METHOD_PUBLISH, "", 1000, 1);
    assert_rule(limits, CLIENT_METHOD_PUBLISH, "chat", 10000, 5);
    assert_rule(limits, CLIENT_METHOD_HISTORY, "", 1000, 60);
    assert_rule(limits, CLIENT_METHOD_UNSUBSCRIBE, "chat", 1000, 60);
    assert_rule(limits, CLIENT_METHOD_RPC, "other", 1000, 10);
    assert_rule(limits, CLIENT_METHOD_RPC, "status", 20000, 1);
    assert_int_equal(limits->commands[CLIENT_METHOD_CONNECT].rule.len, 0);
    limits = client->user_rates;
    assert_rule(limits, CLIENT_METHOD_CONNECT, "", 60000, 7);
    assert_int_equal(limits->commands[CLIENT_METHOD_PUBLISH].rule.len, 0);
    assert_int_equal(limits->total.len, 0);
    assert_int_equal(client->error_rates->total.len, 1);
    unload(loaded);
}

static void what_is_off_costs_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{client_command: {total: {enabled: true, buckets: [{interval: 1s, rate: 1}]}}}",
        "{user_command: {enabled: true}}",
        "{redis_user_command: {enabled: false, redis: {address: a}}}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "client: {rate_limit: %s}\n", rows[i]);
        struct loaded *loaded = load_text(text);
        assert_int_equal(loaded->report.errors, 0);
        assert_null(loaded->config.options.client.command_rates);
        assert_null(loaded->config.options.client.user_rates);
        assert_null(loaded->config.options.client.error_rates);
        unload(loaded);
    }
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "[]",
        "{clients: {}}",
        "{client_command: 5}",
        "{client_command: {enabled: often}}",
        "{client_command: {publishes: {enabled: true}}}",
        "{client_command: {connect: {enabled: true}}}",
        "{client_command: {send: {enabled: true}}}",
        "{client_command: {publish: [1]}}",
        "{client_command: {publish: {bucket: []}}}",
        "{client_command: {publish: {buckets: {interval: 1s, rate: 1}}}}",
        "{client_command: {publish: {buckets: [{interval: 1s}]}}}",
        "{client_command: {publish: {buckets: [{rate: 1}]}}}",
        "{client_command: {publish: {buckets: [{interval: 0s, rate: 1}]}}}",
        "{client_command: {publish: {buckets: [{interval: 25h, rate: 1}]}}}",
        "{client_command: {publish: {buckets: [{interval: 1s, rate: 0}]}}}",
        "{client_command: {publish: {buckets: [{interval: 1s, rate: -1}]}}}",
        "{client_command: {publish: {buckets: [{interval: 1ms, rate: 1000001}]}}}",
        "{client_command: {publish: {buckets: [{interval: 1s, rate: 1, burst: 5}]}}}",
        "{client_command: {publish: {buckets: [5]}}}",
        "{client_command: {publish: {buckets: [[interval, rate]]}}}",
        "{client_command: {publish: {enabled: true, namespace_overrides: [{namespace_name: no}]}}}",
        "{client_command: {publish: {enabled: true, method_overrides: []}}}",
        "{client_command: {rpc: {enabled: true, method_overrides: [{enabled: true}]}}}",
        "{client_command: {rpc: {enabled: true, method_override: {a: {enabled: true}}}}}",
        "{client_error: {default: {enabled: true}}}",
        "{redis_user_command: {enabled: true}}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "client: {rate_limit: %s}\n", rows[i]);
        struct loaded *loaded = load_text(text);
        if (loaded->report.errors == 0 ||
            strstr(loaded->report.text, "client.rate_limit") == NULL) {
            fail_msg("%s: %s", rows[i], loaded->report.text);
        }
        unload(loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_read),
        cmocka_unit_test(what_is_off_costs_nothing),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
