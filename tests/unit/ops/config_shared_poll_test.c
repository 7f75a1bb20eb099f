/* SPDX-License-Identifier: Apache-2.0 */
/* Options of shared polls: what they become, and what of them is at odds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/loading.h"

static void test_polls_are_as_in_centrifugo(void **state)
{
    struct loaded *loaded = load_text(
        "shared_poll: {hmac_secret_key: s, hmac_previous_secret_key: p,\n"
        "  hmac_previous_secret_key_valid_until: 1700000000, concurrency_limit: 7}\n"
        "proxies: [{name: polls, endpoint: \"http://127.0.0.1:3010/refresh\", timeout: 5s}]\n"
        "channel:\n"
        "  proxy: {shared_poll_refresh: {endpoint: \"http://127.0.0.1:3011/refresh\"}}\n"
        "  namespaces:\n"
        "    - name: poll\n"
        "      subscription_type: shared_poll\n"
        "      shared_poll: {proxy_name: polls, mode: versioned, refresh_interval: 200ms,\n"
        "        refresh_batch_size: 100, max_keys_per_connection: 50, publish_enabled: true,\n"
        "        channel_shutdown_delay: 2s, track_expired_extra_delay: 3s}\n"
        "    - {name: plain, subscription_type: shared_poll, shared_poll: {mode: \"\"}}\n"
        "    - {name: stream}\n");
    const struct node_options *options = &loaded->config.options;
    const struct shared_poll_options *poll = &options->namespaces[0].shared_poll;
    const struct shared_poll_options *plain = &options->namespaces[1].shared_poll;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_string_equal(options->shared_poll_hmac_secret_key, "s");
    assert_string_equal(options->shared_poll_hmac_previous_secret_key, "p");
    assert_int_equal(options->shared_poll_hmac_previous_secret_key_valid_until_s, 1700000000);
    assert_int_equal(options->shared_poll_concurrency_limit, 7);
    assert_int_equal(options->namespaces[0].subscription_type, CLIENT_SUBSCRIPTION_SHARED_POLL);
    assert_int_equal(poll->mode, SHARED_POLL_VERSIONED);
    assert_string_equal(poll->proxy->name, "polls");
    assert_int_equal(poll->proxy->timeout_ms, 5000);
    assert_int_equal(poll->refresh_interval_ms, 200);
    assert_int_equal(poll->refresh_batch_size, 100);
    assert_int_equal(poll->max_keys_per_connection, 50);
    assert_true(poll->publish_enabled);
    assert_int_equal(poll->channel_shutdown_delay_ms, 2000);
    assert_int_equal(poll->track_expired_extra_delay_ms, 3000);
    assert_true(plain->mode != SHARED_POLL_VERSIONED);
    assert_string_equal(plain->proxy->name, "default");
    assert_int_equal(plain->refresh_interval_ms, 10 * 1000);
    assert_int_equal(plain->refresh_batch_size, 1000);
    assert_int_equal(plain->max_keys_per_connection, 5000);
    assert_int_equal(plain->channel_shutdown_delay_ms, 1000);
    assert_int_equal(plain->track_expired_extra_delay_ms, 25 * 1000);
    assert_null(options->namespaces[2].shared_poll.proxy);
    unload(loaded);
}

static void test_what_is_at_odds_is_told(void **state)
{
    (void)state;
    expect_report("channel:\n"
                  "  namespaces:\n"
                  "    - {name: ns, subscription_type: shared_poll}\n",
                  "roost.yaml:3:37: channel.namespaces.ns.subscription_type: found "
                  "\"shared_poll\", "
                  "expected shared_poll.hmac_secret_key to be set\n");
    expect_report("shared_poll: {hmac_secret_key: s}\n"
                  "channel:\n"
                  "  namespaces:\n"
                  "    - {name: ns, subscription_type: shared_poll, shared_poll: {proxy_name: "
                  "x}}\n",
                  "roost.yaml:4:76: channel.namespaces.ns.shared_poll.proxy_name: found \"x\", "
                  "expected a name of `proxies`\n");
    expect_report("shared_poll: {hmac_secret_key: s}\n"
                  "channel:\n"
                  "  namespaces:\n"
                  "    - {name: ns, subscription_type: shared_poll,\n"
                  "       shared_poll: {proxy_name: default}}\n",
                  "roost.yaml:5:34: channel.namespaces.ns.shared_poll.proxy_name: found the "
                  "default, expected channel.proxy.shared_poll_refresh.endpoint to be set, or "
                  "another name\n");
    expect_report("shared_poll: {hmac_secret_key: s}\n"
                  "proxies: [{name: polls, endpoint: \"http://127.0.0.1:3010/refresh\"}]\n"
                  "channel:\n"
                  "  namespaces:\n"
                  "    - name: ns\n"
                  "      subscription_type: shared_poll\n"
                  "      shared_poll: {proxy_name: polls, publish_enabled: true}\n",
                  "roost.yaml:7:57: channel.namespaces.ns.shared_poll.publish_enabled: found true, "
                  "expected shared_poll.mode \"versioned\" beside it\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polls_are_as_in_centrifugo),
        cmocka_unit_test(test_what_is_at_odds_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
