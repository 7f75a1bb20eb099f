/* SPDX-License-Identifier: Apache-2.0 */
/* Options of map channels: what they become, and what of them is at odds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/loading.h"

static void test_maps_are_as_in_centrifugo(void **state)
{
    struct loaded *loaded =
        load_text("client: {presence_update_interval: 10s}\n"
                  "channel:\n"
                  "  proxy: {map_publish: {endpoint: \"http://127.0.0.1:3000/publish\"}}\n"
                  "  namespaces:\n"
                  "    - name: board\n"
                  "      subscription_type: map\n"
                  "      map_clients_presence_channel_prefix: \"online:\"\n"
                  "      client_publish_debounce_interval: 50ms\n"
                  "      map: {mode: recoverable, key_ttl: 30m, stream_size: 5,\n"
                  "        allow_publish_for_client: true, allow_remove_for_subscriber: true,\n"
                  "        client_key: user_id, remove_client_on_unsubscribe: true,\n"
                  "        max_page_size: 10, subscribe_catch_up_timeout: 2s}\n"
                  "    - name: online\n"
                  "      subscription_type: map_clients\n"
                  "      map: {mode: ephemeral, key_ttl: 60s}\n"
                  "    - name: kept\n"
                  "      subscription_type: map\n"
                  "      map: {mode: persistent, publish_proxy_enabled: true}\n"
                  "    - {name: plain, subscription_type: \"\"}\n"
                  "    - {name: stream, subscription_type: stream}\n");
    const struct node_options *options = &loaded->config.options;
    const struct channel_options *board = &options->namespaces[0];
    const struct channel_options *kept = &options->namespaces[2];

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(options->client.presence_update_interval_ms, 10 * 1000);
    assert_int_equal(board->subscription_type, CLIENT_SUBSCRIPTION_MAP);
    assert_string_equal(board->map_clients_presence_channel_prefix, "online:");
    assert_int_equal(board->client_publish_debounce_interval_ms, 50);
    assert_int_equal(board->map.mode, MAP_RECOVERABLE);
    assert_int_equal(board->map.stream_size, 5);
    assert_int_equal(board->map.stream_ttl_ms, 60 * 1000);
    /* A position outlives the keys. */
    assert_int_equal(board->map.meta_ttl_ms, 30 * 60 * 1000);
    assert_int_equal(board->map.client_key, MAP_KEY_USER_ID);
    assert_true(board->map.allow_publish_for_client && board->map.allow_remove_for_subscriber);
    assert_false(board->map.allow_publish_for_subscriber || board->map.allow_remove_for_client);
    assert_true(board->map.remove_client_on_unsubscribe);
    assert_int_equal(board->map.max_page_size, 10);
    assert_int_equal(board->map.live_transition_max_publication_limit, 10);
    assert_int_equal(board->map.subscribe_catch_up_timeout_ms, 2000);
    assert_int_equal(options->namespaces[1].subscription_type, CLIENT_SUBSCRIPTION_MAP_CLIENTS);
    assert_int_equal(options->namespaces[1].map.stream_size, 0);
    assert_int_equal(kept->map.stream_size, 100);
    assert_int_equal(kept->map.meta_ttl_ms, 0);
    assert_int_equal(kept->map.live_transition_max_publication_limit, 1000);
    assert_non_null(kept->map.publish_proxy);
    assert_null(kept->map.remove_proxy);
    assert_int_equal(options->namespaces[3].subscription_type, CLIENT_SUBSCRIPTION_STREAM);
    assert_int_equal(options->namespaces[4].subscription_type, CLIENT_SUBSCRIPTION_STREAM);
    assert_int_equal(options->without_namespace.subscription_type, CLIENT_SUBSCRIPTION_STREAM);
    unload(loaded);
}

/* What stands in the map section of a namespace "ns", and what is said of it. */
static void expect_map(const char *map, const char *key, const char *what)
{
    char text[512];
    char expected[512];

    snprintf(text, sizeof(text),
             "channel: {namespaces: [{name: ns, subscription_type: map, map: {%s}}]}\n", map);
    struct loaded *loaded = load_text(text);
    snprintf(expected, sizeof(expected), "channel.namespaces.ns.map.%s: %s", key, what);
    if (strstr(loaded->report.text, expected) == NULL) {
        print_error("expected: %s\nfound: %s\n", expected, loaded->report.text);
        fail();
    }
    unload(loaded);
}

static void test_maps_at_odds_are_refused(void **state)
{
    (void)state;
    expect_map("", "mode", "found nothing, expected a mode");
    expect_map("mode: other", "mode", "found \"other\", expected ");
    expect_map("mode: ephemeral", "key_ttl", "found 0s, expected a duration");
    expect_map("mode: recoverable", "key_ttl", "found 0s, expected a duration");
    expect_map("mode: persistent, key_ttl: 1s", "key_ttl", "found a duration, expected 0s");
    expect_map("mode: ephemeral, key_ttl: 1s, stream_size: 1", "stream_size",
               "found a size, expected 0");
    expect_map("mode: ephemeral, key_ttl: 1s, stream_ttl: 1s", "stream_ttl",
               "found a duration, expected 0s");
    expect_map("mode: ephemeral, key_ttl: 1s, meta_ttl: 1s", "meta_ttl",
               "found a duration, expected 0s");
    expect_map("mode: persistent, meta_ttl: 1h", "meta_ttl", "found a duration, expected 0s");
    expect_map("mode: recoverable, key_ttl: 1s, meta_ttl: 59s", "meta_ttl", "found a shorter time");
    expect_map("mode: recoverable, key_ttl: 5m, meta_ttl: 4m", "meta_ttl", "found a shorter time");
    expect_map("mode: persistent, client_key: user", "client_key", "found \"user\", expected ");
    expect_map("mode: persistent, client_key: user_id, remove_proxy_enabled: true", "client_key",
               "found a key, expected none beside map.remove_proxy_enabled");
    expect_map("mode: persistent, client_key: user_id, publish_proxy_enabled: true", "client_key",
               "found a key, expected none beside map.publish_proxy_enabled");
    expect_map("mode: persistent, publish_proxy_enabled: true", "publish_proxy_enabled",
               "found true, expected channel.proxy.map_publish.endpoint to be set");
    expect_map("mode: persistent, remove_proxy_enabled: true, remove_proxy_name: none",
               "remove_proxy_name", "found \"none\", expected a name of `proxies`");
    expect_map("mode: persistent, min_page_size: 3, max_page_size: 2", "min_page_size",
               "found more than map.max_page_size");
    expect_map("mode: persistent, default_page_size: 3, max_page_size: 2", "default_page_size",
               "found more than map.max_page_size");
    expect_map("mode: persistent, min_page_size: 3, default_page_size: 2", "default_page_size",
               "found less than map.min_page_size");
}

static void test_presence_leads_to_maps_of_presence(void **state)
{
    (void)state;
    expect_report("channel:\n"
                  "  namespaces:\n"
                  "    - {name: ns, map_clients_presence_channel_prefix: \"no:\"}\n"
                  "    - {name: users, subscription_type: map_users, map: {mode: ephemeral,\n"
                  "       key_ttl: 1s}}\n"
                  "    - {name: other, map_users_presence_channel_prefix: \"users:\",\n"
                  "       map_clients_presence_channel_prefix: \"users:\"}\n"
                  "    - {name: bare, map_users_presence_channel_prefix: users}\n"
                  "    - {name: kept, subscription_type: map_users, map: {mode: persistent}}\n",
                  "roost.yaml:3:55: channel.namespaces.ns.map_clients_presence_channel_prefix: "
                  "found \"no:\", expected the beginning of channels whose namespace has the "
                  "subscription_type \"map_clients\"\n"
                  "roost.yaml:7:45: channel.namespaces.other.map_clients_presence_channel_prefix: "
                  "found \"users:\", expected the beginning of channels whose namespace has the "
                  "subscription_type \"map_clients\"\n"
                  "roost.yaml:8:55: channel.namespaces.bare.map_users_presence_channel_prefix: "
                  "found \"users\", expected the beginning of channels whose namespace has the "
                  "subscription_type \"map_users\"\n"
                  "roost.yaml:9:62: channel.namespaces.kept.map.mode: found \"persistent\", "
                  "expected a mode in which keys expire, since subscription_type is one of "
                  "presence\n");
}

static void test_keys_do_not_replace_each_other(void **state)
{
    (void)state;
    expect_report("channel: {namespaces: [{name: ns, subscription_type: map, map: {mode: "
                  "persistent},\n"
                  "  batch_max_delay: 1s, batch_flush_latest: true}]}\n",
                  "roost.yaml:2:44: channel.namespaces.ns.batch_flush_latest: found true, expected "
                  "false, since a key does not replace another\n");
}

static void test_maps_need_their_type(void **state)
{
    (void)state;
    expect_report("channel: {without_namespace: {map: {remove_client_on_unsubscribe: true}}}\n",
                  "roost.yaml:1:67: channel.without_namespace.map.remove_client_on_unsubscribe: "
                  "found true, expected a subscription_type that is a map's beside it\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps_are_as_in_centrifugo),
        cmocka_unit_test(test_maps_at_odds_are_refused),
        cmocka_unit_test(test_presence_leads_to_maps_of_presence),
        cmocka_unit_test(test_keys_do_not_replace_each_other),
        cmocka_unit_test(test_maps_need_their_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
