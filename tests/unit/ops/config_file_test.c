/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: what they set, and each error with the place and the words that an operator
 * sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/loading.h"

static void test_yaml_sets_every_kind_of_key(void **state)
{
    struct loaded *loaded =
        load_text("http_server: {address: 127.0.0.1, port: 9000}\n"
                  "runtime: {shards: 3}\n"
                  "client:\n"
                  "  allowed_origins: [\"https://a.example\", \"https://*.b.example\"]\n"
                  "  ping_interval: 1m\n"
                  "  pong_timeout: 3s\n"
                  "  queue_max_size: 2MiB\n"
                  "  token:\n"
                  "    hmac_secret_key: 12345\n"
                  "    hmac_previous_secret_key_valid_until: 1790000000\n"
                  "  subscription_token: {enabled: true}\n"
                  "channel:\n"
                  "  without_namespace: {presence: true}\n"
                  "  publication_data_format: json\n"
                  "  namespaces:\n"
                  "    - name: news\n"
                  "      join_leave: \"true\"\n"
                  "    - name: raw.x-1_y\n"
                  "      publication_data_format: binary\n"
                  "http_api: {key: k, error_mode: transport}\n"
                  "log: {level: warn}\n"
                  "prometheus: {additional_client_names: [shop, my app]}\n");
    const struct node_options *options = &loaded->config.options;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(options->listen.family, 4);
    assert_int_equal(options->listen.port, 9000);
    assert_int_equal(options->shards, 3);
    assert_int_equal(options->client.allowed_origins_len, 2);
    assert_string_equal(options->client.allowed_origins[1], "https://*.b.example");
    assert_int_equal(options->additional_client_names_len, 2);
    assert_string_equal(options->additional_client_names[1], "my app");
    assert_int_equal(options->client.ping_interval_ms, 60000);
    assert_int_equal(options->client.queue_max_size, 2 << 20);
    assert_string_equal(options->client.token.hmac_secret_key, "12345");
    assert_int_equal(options->client.token.hmac_previous_secret_key_valid_until_s, 1790000000);
    assert_true(options->client.subscription_token_enabled);
    assert_true(options->without_namespace.presence);
    assert_int_equal(options->without_namespace.publication_data_format, PUBLICATION_DATA_JSON);
    assert_int_equal(options->namespaces_len, 2);
    assert_string_equal(options->namespaces[0].name, "news");
    assert_true(options->namespaces[0].join_leave);
    assert_false(options->namespaces[0].presence);
    assert_int_equal(options->namespaces[0].publication_data_format, PUBLICATION_DATA_JSON);
    assert_int_equal(options->namespaces[1].publication_data_format, PUBLICATION_DATA_BINARY);
    assert_true(options->http_api.error_mode_transport);
    assert_int_equal(loaded->config.log_level, 2);
    unload(loaded);
}

static void test_json_is_read_too(void **state)
{
    struct loaded *loaded =
        load_text("{\n\t\"client\": {\"allowed_origins\": [\"http:\\/\\/localhost:3000\"],\n"
                  "\t\t\"token\": {\"hmac_secret_key\": \"a\\u00e9\"}},\n"
                  "\t\"channel\": {\"namespaces\": [{\"name\": \"chat\", \"presence\": true}]}\n}");

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_string_equal(loaded->config.options.client.allowed_origins[0], "http://localhost:3000");
    assert_string_equal(loaded->config.options.client.token.hmac_secret_key, "a\xc3\xa9");
    assert_true(loaded->config.options.namespaces[0].presence);
    unload(loaded);
}

static void test_a_congestion_control_is_one_of_the_kernels(void **state)
{
    struct loaded *loaded = load_text("runtime: {tcp_congestion_control: reno}\n");

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_string_equal(loaded->config.tcp_congestion_control, "reno");
    unload(loaded);
    loaded = load_text("runtime: {tcp_congestion_control: fastest}\n");
    assert_non_null(
        strstr(loaded->report.text, "runtime.tcp_congestion_control: found \"fastest\""));
    unload(loaded);
}

static void test_nothing_is_what_was_before(void **state)
{
    static const char *const texts[] = {"",
                                        "# only a comment\n",
                                        "---\n",
                                        "client:\n",
                                        "client: {}\n",
                                        "client: {token: null}\n",
                                        "http_server: {port: ~}\n",
                                        "channel: {namespaces: }\n",
                                        "channel: {namespaces: []}\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded *loaded = load_text(texts[i]);

        assert_string_equal(loaded->report.text, "");
        assert_int_equal(loaded->config.options.listen.port, 8000);
        unload(loaded);
    }
}

static void test_wrong_values_are_named(void **state)
{
    (void)state;
    expect_report("http_server:\n  port: eighty\n",
                  "roost.yaml:2:9: http_server.port: found \"eighty\", expected a whole number "
                  "from 1 to 65535\n");
    expect_report("prometheus: {additional_client_names: [shop, 'a\"b']}\n",
                  "roost.yaml:1:39: prometheus.additional_client_names: found \"a\"b\", expected "
                  "printable ASCII without quotes and backslashes\n");
    expect_report("client: {insecure: yes}\n",
                  "roost.yaml:1:20: client.insecure: found \"yes\", expected true or false\n");
    expect_report("client:\n  pong_timeout: 8\n", "roost.yaml:2:17: client.pong_timeout: found "
                                                  "\"8\", expected a duration with its unit, "
                                                  "like 300ms, 25s or 1h30m, from 0s to 24h\n");
    expect_report("client: {queue_max_size: lots}\n",
                  "roost.yaml:1:26: client.queue_max_size: found \"lots\", expected a number of "
                  "bytes from 1024 "
                  "to 1073741824, like 65536 or 64KiB\n");
    expect_report("log: {level: loud}\n", "roost.yaml:1:14: log.level: found \"loud\", expected "
                                          "one of \"debug\", \"info\", \"warn\", "
                                          "\"error\", \"trace\", \"fatal\", \"none\"\n");
    expect_report("client: {channel_limit: [1]}\n",
                  "roost.yaml:1:25: client.channel_limit: found a list, expected a whole number "
                  "from 1 to 1048576\n");
    expect_report("client: {allowed_origins: [a, [b]]}\n",
                  "roost.yaml:1:31: client.allowed_origins: found a list, expected a text\n");
    expect_report("http_server: {address: example.org}\n",
                  "roost.yaml:1:24: http_server.address: found \"example.org\", expected an IPv4 "
                  "or IPv6 address\n");
    expect_report("shutdown: 3s\n",
                  "roost.yaml:1:11: shutdown: found \"3s\", expected a section\n");
    expect_report("just text\n",
                  "roost.yaml:1:1: configuration: found \"just text\", expected a section\n");
    expect_report("[1, 2]\n", "roost.yaml:1:1: configuration: found a list, expected a section\n");
}

static void test_unknown_keys_are_named_with_the_nearest(void **state)
{
    (void)state;
    expect_report("http_server:\n  prot: 1\n", "roost.yaml:2:3: \"http_server.prot\": found an "
                                               "unknown key, expected http_server.port?\n");
    expect_report("compression_level: 1\n",
                  "roost.yaml:1:1: \"compression_level\": found an unknown key, expected "
                  "websocket.compression_level?\n");
    expect_report("quite_something_else: 1\n",
                  "roost.yaml:1:1: \"quite_something_else\": found an unknown key, expected one of "
                  "`roostd --help-config`\n");
    expect_report("channel: {namespaces: [{name: ab, presense: true}]}\n",
                  "roost.yaml:1:35: channel.namespaces.ab.\"presense\": found an unknown key, "
                  "expected "
                  "channel.namespaces.ab.presence?\n");
    expect_report("channel: {without_namespace: {name: x}}\n",
                  "roost.yaml:1:31: channel.without_namespace.\"name\": found an unknown key, "
                  "expected one of "
                  "`roostd --help-config`\n");
}

static void test_secrets_stay_secret_in_errors(void **state)
{
    char text[6000];
    struct loaded *loaded;

    (void)state;
    snprintf(text, sizeof(text), "http_api: {key: %05000d}\n", 7);
    loaded = load_text(text);
    assert_string_equal(loaded->report.text, "roost.yaml:1:17: http_api.key: found a secret that "
                                             "is not shown, expected a text of at most "
                                             "4096 bytes\n");
    unload(loaded);
}

static void test_several_errors_in_one_run(void **state)
{
    struct loaded *loaded =
        load_text("http_server: {port: 0}\nclient: {insecure: 7, nonsense: 1}\nlog: {level: 1}\n");

    (void)state;
    assert_int_equal(loaded->report.errors, 4);
    assert_non_null(strstr(loaded->report.text, "roost.yaml:1:21: "));
    assert_non_null(strstr(loaded->report.text, "roost.yaml:2:20: "));
    assert_non_null(strstr(loaded->report.text, "roost.yaml:2:23: "));
    assert_non_null(strstr(loaded->report.text, "roost.yaml:3:14: "));
    unload(loaded);
}

static void test_errors_are_bounded(void **state)
{
    char text[64 * 200] = "";
    size_t len = 0;

    (void)state;
    for (int i = 0; i < 500; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "wrong_key_%d: 1\n", i);
    }
    struct loaded *loaded = load_text(text);

    assert_int_equal(loaded->report.errors, 500);
    assert_true(loaded->report.len < CONFIG_REPORT_SIZE);
    assert_non_null(strstr(loaded->report.text, "wrong_key_39"));
    assert_null(strstr(loaded->report.text, "wrong_key_40"));
    unload(loaded);
}

static void test_namespaces_are_checked(void **state)
{
    (void)state;
    expect_report("channel:\n  namespaces:\n    - name: a\n",
                  "roost.yaml:3:13: channel.namespaces: found the name \"a\", expected 2 to 64 "
                  "letters, digits, "
                  "'-', '_' or '.'\n");
    expect_report("channel:\n  namespaces:\n    - name: \"a b\"\n",
                  "roost.yaml:3:13: channel.namespaces: found the name \"a b\", expected 2 to 64 "
                  "letters, digits, "
                  "'-', '_' or '.'\n");
    expect_report("channel:\n  namespaces:\n    - name: ab\n    - name: ab\n",
                  "roost.yaml:4:13: channel.namespaces: found \"ab\" again, expected each name "
                  "once\n");
    expect_report("channel:\n  namespaces:\n    - presence: true\n",
                  "roost.yaml:3:7: channel.namespaces: found one without a name, expected name: "
                  "<text>\n");
    expect_report("channel:\n  namespaces:\n    - chat\n",
                  "roost.yaml:3:7: channel.namespaces: found \"chat\", expected a section with "
                  "name and options\n");
    expect_report("channel:\n  namespaces: {chat: {presence: true}}\n",
                  "roost.yaml:2:15: channel.namespaces: found a section, expected a list of "
                  "sections\n");
    expect_report("channel:\n  namespace_boundary: .\n  namespaces:\n    - name: a.b\n",
                  "roost.yaml:4:13: channel.namespaces: found the name \"a.b\", expected one "
                  "without "
                  "channel.namespace_boundary\n");
}

static void test_rules_between_keys(void **state)
{
    (void)state;
    expect_report("client: {ping_interval: 5s}\n",
                  "roost.yaml:1:25: client.pong_timeout: found 8000ms, expected less than "
                  "client.ping_interval, "
                  "which is 5000ms\n");
    expect_report("client: {ping_interval: 0s}\n", "");
    expect_report("client: {ping_interval: 500ms, pong_timeout: 100ms}\n",
                  "roost.yaml:1:25: client.ping_interval: found less than a second, expected 0s or "
                  "1s and more\n");
    expect_report("websocket: {message_size_limit: 1000, decompressed_message_size_limit: 999}\n",
                  "roost.yaml:1:72: websocket.decompressed_message_size_limit: found 999, expected "
                  "at least "
                  "websocket.message_size_limit, which is 1000\n");
    expect_report("http_api: {handler_prefix: api}\n",
                  "roost.yaml:1:28: http_api.handler_prefix: found \"api\", expected a path like "
                  "/name, without a "
                  "slash at its end\n");
    expect_report("echo: {enabled: true, path: /api/echo}\n",
                  "roost.yaml:1:29: echo.path: found \"/api/echo\", expected another path than "
                  "that of "
                  "http_api.handler_prefix\n");
    expect_report("health: {enabled: true}\nprometheus: {enabled: true, handler_prefix: /health}\n",
                  "roost.yaml:2:45: prometheus.handler_prefix: found \"/health\", expected another "
                  "path than that of "
                  "health.handler_prefix\n");
    expect_report("channel: {user_boundary: \":\"}\n",
                  "roost.yaml:1:26: channel.user_boundary: found \":\", expected another text than "
                  "that of "
                  "channel.namespace_boundary\n");
    expect_report("client: {insecure: true}\n", "roost.yaml:1:20: note: client.insecure: everybody "
                                                "who reaches this node may do everything\n");
    expect_report("client: {insecure: true}\nhttp_server: {address: 127.0.0.1}\n", "");
}

static void test_inflated_limit_follows_the_message_limit(void **state)
{
    struct loaded *loaded = load_text("websocket: {message_size_limit: 2000}\n");

    (void)state;
    assert_int_equal(loaded->config.options.websocket.inflated_size_limit, 20000);
    unload(loaded);
}

/* The table and the node's own defaults are written in two places: they must say the same. */
static void test_defaults_are_those_of_the_node(void **state)
{
    struct loaded *loaded = load_text("");
    struct node_options ours = loaded->config.options;
    struct node_options nodes;

    (void)state;
    node_options_init(&nodes);
    assert_int_equal(ours.client.ping_interval_ms, nodes.client.ping_interval_ms);
    assert_int_equal(ours.client.pong_timeout_ms, nodes.client.pong_timeout_ms);
    assert_int_equal(ours.client.stale_close_delay_ms, nodes.client.stale_close_delay_ms);
    assert_int_equal(ours.client.expired_close_delay_ms, nodes.client.expired_close_delay_ms);
    assert_int_equal(ours.client.expired_sub_close_delay_ms,
                     nodes.client.expired_sub_close_delay_ms);
    assert_int_equal(ours.client.channel_limit, nodes.client.channel_limit);
    assert_int_equal(ours.client.queue_max_size, nodes.client.queue_max_size);
    assert_int_equal(ours.websocket.message_size_limit, nodes.websocket.message_size_limit);
    assert_int_equal(ours.websocket.compression_level, nodes.websocket.compression_level);
    assert_string_equal(ours.websocket.handler_prefix, nodes.websocket.handler_prefix);
    assert_int_equal(ours.http_api.max_request_body_size, nodes.http_api.max_request_body_size);
    assert_string_equal(ours.http_api.handler_prefix, nodes.http_api.handler_prefix);
    assert_string_equal(ours.health_handler_prefix, nodes.health_handler_prefix);
    assert_string_equal(ours.prometheus_handler_prefix, nodes.prometheus_handler_prefix);
    assert_string_equal(ours.echo.path, nodes.echo.path);
    assert_int_equal(ours.channel_max_length, nodes.channel_max_length);
    assert_string_equal(ours.channel_private_prefix, nodes.channel_private_prefix);
    assert_string_equal(ours.channel_namespace_boundary, nodes.channel_namespace_boundary);
    assert_string_equal(ours.channel_user_boundary, nodes.channel_user_boundary);
    assert_string_equal(ours.channel_user_separator, nodes.channel_user_separator);
    assert_int_equal(ours.shutdown_timeout_ms, nodes.shutdown_timeout_ms);
    assert_int_equal(ours.listen.port, nodes.listen.port);
    unload(loaded);
}

static void test_files_that_cannot_be_read(void **state)
{
    struct loaded *loaded = load_text("");

    (void)state;
    config_read_file(&loaded->config, "/nonexistent/roost.yaml", &loaded->report);
    config_read_file(&loaded->config, "/", &loaded->report);
    config_read_file(&loaded->config, "config.toml", &loaded->report);
    config_read_file(&loaded->config, "/dev/zero", &loaded->report);
    assert_string_equal(loaded->report.text,
                        "/nonexistent/roost.yaml: cannot be read: No such file or directory\n"
                        "/: cannot be read: Is a directory\n"
                        "config.toml: found TOML, expected YAML or JSON\n"
                        "/dev/zero: found 1048577 bytes, expected at most 1048576\n");
    unload(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_sets_every_kind_of_key),
        cmocka_unit_test(test_json_is_read_too),
        cmocka_unit_test(test_a_congestion_control_is_one_of_the_kernels),
        cmocka_unit_test(test_nothing_is_what_was_before),
        cmocka_unit_test(test_wrong_values_are_named),
        cmocka_unit_test(test_unknown_keys_are_named_with_the_nearest),
        cmocka_unit_test(test_secrets_stay_secret_in_errors),
        cmocka_unit_test(test_several_errors_in_one_run),
        cmocka_unit_test(test_errors_are_bounded),
        cmocka_unit_test(test_namespaces_are_checked),
        cmocka_unit_test(test_rules_between_keys),
        cmocka_unit_test(test_inflated_limit_follows_the_message_limit),
        cmocka_unit_test(test_defaults_are_those_of_the_node),
        cmocka_unit_test(test_files_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
