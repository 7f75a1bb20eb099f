/* SPDX-License-Identifier: Apache-2.0 */
/* Files as they are written for Centrifugo 6: served where roost has the feature, refused by name
 * where it has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/config/config_scope.h"
#include "tests/unit/ops/centrifugo_keys.h"
#include "tests/unit/ops/loading.h"

/* What `centrifugo genconfig` leaves behind, and what people add to it first. */
static void test_a_first_configuration_works(void **state)
{
    struct loaded *loaded = load_text(
        "{\n"
        "  \"client\": {\n"
        "    \"token\": {\"hmac_secret_key\": \"bbe7d157-a253-4094-9759-06a8236543f9\"},\n"
        "    \"allowed_origins\": [\"http://localhost:3000\"]\n"
        "  },\n"
        "  \"admin\": {\"enabled\": false, \"password\": \"p\", \"secret\": \"s\"},\n"
        "  \"http_api\": {\"key\": \"d7627bb6-2292-4911-82e1-615c0ed3eebb\"},\n"
        "  \"channel\": {\"namespaces\": [{\"name\": \"chat\", \"presence\": true,\n"
        "    \"allow_subscribe_for_client\": true, \"history_size\": 0}]},\n"
        "  \"health\": {\"enabled\": true}, \"log\": {\"level\": \"debug\"}\n"
        "}\n");

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_string_equal(loaded->config.options.client.token.hmac_secret_key,
                        "bbe7d157-a253-4094-9759-06a8236543f9");
    assert_true(loaded->config.options.namespaces[0].allow_subscribe_for_client);
    assert_true(loaded->config.options.health_enabled);
    unload(loaded);
}

static void test_a_cluster_of_many_features_is_refused_by_name(void **state)
{
    (void)state;
    expect_report(
        "http_server:\n"
        "  tls: {enabled: true, cert_pem: x}\n"
        "engine:\n"
        "  type: redis\n"
        "  redis: {address: \"redis:6379\", presence_ttl: 30s}\n"
        "client:\n"
        "  token: {jwks_public_endpoint: \"https://example.com/jwks\"}\n"
        "  proxy:\n"
        "    connect: {enabled: true, endpoint: \"grpc://backend\"}\n"
        "    refresh: {enabled: false, endpoint: \"grpc://backend\", grpc_metadata: [a]}\n"
        "channel:\n"
        "  proxy: {subscribe_stream: {endpoint: \"grpc://backend\"}}\n"
        "  namespaces:\n"
        "    - name: ns1\n"
        "      subscribe_stream_proxy_enabled: true\n"
        "proxies: [{name: ppp, grpc: {compression: true}}]\n"
        "consumers: [{name: kafka}]\n"
        "webtransport: {enabled: true}\n"
        "websocket: {write_timeout: 2s}\n",
        "roost.yaml:2:3: http_server.tls: known to Centrifugo, not supported by roost yet\n"
        "roost.yaml:3:1: engine: known to Centrifugo, not supported by roost yet\n"
        "roost.yaml:10:59: client.proxy.refresh.grpc_metadata: known to Centrifugo, not supported "
        "by roost yet\n"
        "roost.yaml:12:11: channel.proxy.subscribe_stream: known to Centrifugo, not supported by "
        "roost yet\n"
        "roost.yaml:15:7: channel.namespaces.ns1.subscribe_stream_proxy_enabled: known to "
        "Centrifugo, not supported by roost yet\n"
        "roost.yaml:17:1: consumers: known to Centrifugo, not supported by roost yet\n"
        "roost.yaml:18:1: webtransport: known to Centrifugo, not supported by roost yet\n"
        "roost.yaml:19:13: note: websocket.write_timeout: steers how Centrifugo works, has no "
        "effect on roost\n"
        "roost.yaml:16:23: proxies.ppp.grpc: known to Centrifugo, not supported by roost yet\n"
        "roost.yaml:9:40: client.proxy.connect.endpoint: found an endpoint of gRPC, expected one "
        "of HTTP\n");
}

static void test_switched_off_is_harmless(void **state)
{
    (void)state;
    expect_report("sse: {enabled: false, handler_prefix: /x}\n"
                  "http_stream: {}\n"
                  "uni_websocket:\n"
                  "engine: {type: memory, redis: {address: x}}\n"
                  "broker: {enabled: false, type: nats}\n"
                  "admin: {password: x}\n"
                  "proxies: []\n"
                  "consumers: []\n"
                  "rpc: {proxy: {}, namespaces: []}\n"
                  "http_server: {internal_port: \"\", tls: {enabled: false}}\n"
                  "channel:\n"
                  "  history_meta_ttl: 720h0m0s\n"
                  "  without_namespace: {history_size: 0, history_ttl: 0s, force_recovery: false,\n"
                  "    subscribe_proxy_enabled: false, subscribe_proxy_name: default, "
                  "subscription_type: \"\"}\n"
                  "client: {recovery_max_publication_limit: 300}\n",
                  "");
}

/* Positions are compared as publications arrive, so there is nothing to check from time to time. */
static void test_histories_are_as_in_centrifugo(void **state)
{
    struct loaded *loaded = load_text("client:\n"
                                      "  history_max_publication_limit: 100\n"
                                      "  recovery_max_publication_limit: 200\n"
                                      "  channel_position_check_delay: 30s\n"
                                      "channel:\n"
                                      "  history_meta_ttl: 24h\n"
                                      "  history_memory_limit: 5GiB\n"
                                      "  namespaces:\n"
                                      "    - name: ns1\n"
                                      "      history_size: 10\n"
                                      "      history_ttl: 60s\n"
                                      "      history_meta_ttl: 1h\n"
                                      "      force_recovery: true\n"
                                      "      force_recovery_mode: cache\n"
                                      "      auto_cache_recover: true\n"
                                      "      allow_positioning: true\n"
                                      "      allow_history_for_subscriber: true\n");
    const struct node_options *options = &loaded->config.options;
    const struct channel_options *ns1 = &options->namespaces[0];

    (void)state;
    assert_string_equal(loaded->report.text,
                        "roost.yaml:4:3: note: client.channel_position_check_delay: steers how "
                        "Centrifugo works, has no effect on roost\n");
    assert_int_equal(options->client.history_max_publication_limit, 100);
    assert_int_equal(options->client.recovery_max_publication_limit, 200);
    assert_int_equal(options->channel_history_meta_ttl_ms, 24 * 3600 * 1000);
    assert_true(options->history_memory_limit == 5ull << 30);
    assert_int_equal(ns1->history_size, 10);
    assert_int_equal(ns1->history_ttl_ms, 60 * 1000);
    assert_int_equal(ns1->history_meta_ttl_ms, 3600 * 1000);
    assert_true(ns1->force_recovery && ns1->auto_cache_recover && ns1->allow_positioning);
    assert_true(ns1->allow_history_for_subscriber && !ns1->allow_history_for_client);
    assert_int_equal(ns1->force_recovery_mode, RECOVERY_CACHE);
    assert_int_equal(options->without_namespace.history_size, 0);
    unload(loaded);
}

static void test_histories_at_odds_are_refused(void **state)
{
    (void)state;
    expect_report("channel: {without_namespace: {history_size: 1}}\n",
                  "channel.without_namespace.history_ttl: found 0s, expected a duration, "
                  "since history_size is set\n");
    expect_report("channel: {without_namespace: {history_ttl: 1s}}\n",
                  "channel.without_namespace.history_size: found 0, expected a number of "
                  "publications, since history_ttl is set\n");
    expect_report("channel: {without_namespace: {history_size: 1, history_ttl: 1500ms}}\n",
                  "roost.yaml:1:61: channel.without_namespace.history_ttl: found a part of a "
                  "second, expected whole seconds\n");
    expect_report("channel: {without_namespace: {history_size: 1, history_ttl: 721h}}\n",
                  "roost.yaml:1:61: channel.without_namespace.history_ttl: found a longer time "
                  "than "
                  "that of history_meta_ttl, expected a shorter one\n");
    expect_report("channel: {without_namespace: {force_recovery: true}}\n",
                  "roost.yaml:1:47: channel.without_namespace.force_recovery: found true, expected "
                  "a "
                  "history_size and a history_ttl beside it\n");
    expect_report("channel: {namespaces: [{name: ns, history_size: 1, history_ttl: 1s,\n"
                  "  force_recovery: true, auto_cache_recover: true}]}\n",
                  "roost.yaml:2:45: channel.namespaces.ns.auto_cache_recover: found true, expected "
                  "force_recovery and force_recovery_mode \"cache\" beside it\n");
}

/* A row without a section, twice, or in both tables would never be found or never be reached. */
static void test_the_tables_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_keys_len; i++) {
        assert_non_null(config_keys[i].help);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(config_keys[i].path, config_keys[j].path);
        }
        for (size_t j = 0; j < config_foreign_keys_len; j++) {
            size_t len = strlen(config_foreign_keys[j].path);

            assert_string_not_equal(config_keys[i].path, config_foreign_keys[j].path);
            assert_false(strncmp(config_keys[i].path, config_foreign_keys[j].path, len) == 0 &&
                         config_keys[i].path[len] == '.');
        }
    }
    for (size_t i = 0; i < config_foreign_keys_len; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(config_foreign_keys[i].path, config_foreign_keys[j].path);
        }
    }
    for (size_t i = 0; i < config_channel_keys_len; i++) {
        for (size_t j = 0; j < config_foreign_channel_keys_len; j++) {
            assert_string_not_equal(config_channel_keys[i].path,
                                    config_foreign_channel_keys[j].path);
        }
    }
}

/* Writes keys one after the other as sections of JSON. */
static char *nested(const struct centrifugo_key *keys, size_t len)
{
    char *text = NULL;
    size_t text_len = 0;
    FILE *out = open_memstream(&text, &text_len);
    const char *before = "";
    size_t open = 0;

    assert_non_null(out);
    fputs("{", out);
    for (size_t i = 0; i < len; i++) {
        const char *path = keys[i].path;
        size_t common = 0;
        size_t depth = 0;

        for (size_t k = 0; path[k] != '\0' && path[k] == before[k]; k++) {
            common = path[k] == '.' ? k + 1 : common;
            depth += path[k] == '.';
        }
        for (; open > depth; open--) {
            fputs("}", out);
        }
        fputs(i == 0 ? "" : ",", out);
        for (path += common; strchr(path, '.') != NULL; path = strchr(path, '.') + 1) {
            fprintf(out, "\"%.*s\":{", (int)strcspn(path, "."), path);
            open++;
        }
        fprintf(out, "\"%s\":%s", path, keys[i].value);
        before = keys[i].path;
    }
    for (; open > 0; open--) {
        fputs("}", out);
    }
    fputs("}\n", out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* What `centrifugo defaultconfig` writes is served: all that it has and roost has not is off. */
static void test_the_whole_default_configuration_works(void **state)
{
    char *text = nested(centrifugo_keys, centrifugo_keys_len);
    struct loaded *loaded = load_text(text);

    (void)state;
    assert_int_equal(loaded->report.errors, 0);
    assert_true(centrifugo_keys_len > 700);
    for (const char *line = loaded->report.text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *note = strstr(line, "steers how Centrifugo works, has no effect on roost\n");

        assert_true(note != NULL && note < strchr(line, '\n'));
    }
    unload(loaded);
    free(text);
}

/* One key after the other is asked for; the report names it, or the section that it switches on. */
static void test_what_roost_has_not_is_refused_by_name(void **state)
{
    static const struct {
        struct centrifugo_key key;
        const char *named;
    } cases[] = {
        {{"http_server.tls.enabled", "true"}, "http_server.tls: "},
        {{"http_server.tls_autocert.enabled", "true"}, "http_server.tls_autocert: "},
        {{"http_server.tls_external", "true"}, "http_server.tls_external: "},
        {{"http_server.internal_tls.enabled", "true"}, "http_server.internal_tls: "},
        {{"http_server.http3.enabled", "true"}, "http_server.http3: "},
        {{"http_server.h2c_external", "true"}, "http_server.h2c_external: "},
        {{"log.file", "\"/var/log/x\""}, "log.file: "},
        {{"engine.type", "\"redis\""}, "engine: "},
        {{"broker.enabled", "true"}, "broker: "},
        {{"presence_manager.enabled", "true"}, "presence_manager: "},
        {{"map_broker.type", "\"redis\""}, "map_broker: "},
        {{"controller.enabled", "true"}, "controller: "},
        {{"client.proxy.connect.grpc.compression", "true"}, "client.proxy.connect.grpc: "},
        {{"client.channel_position_max_time_lag", "\"1s\""},
         "client.channel_position_max_time_lag: "},
        {{"client.token.insecure_skip_jwks_endpoint_safety_check", "true"},
         "client.token.insecure_skip_jwks_endpoint_safety_check: "},
        {{"channel.proxy.subscribe_stream.endpoint", "\"grpc://x\""},
         "channel.proxy.subscribe_stream: "},
        {{"channel.without_namespace.subscribe_stream_proxy_enabled", "true"},
         "channel.without_namespace.subscribe_stream_proxy_enabled: "},
        {{"grpc_api.enabled", "true"}, "grpc_api: "},
        {{"consumers", "[{\"name\":\"k\",\"enabled\":true}]"}, "consumers: "},
        {{"webtransport.enabled", "true"}, "webtransport: "},
        {{"uni_grpc.enabled", "true"}, "uni_grpc: "},
        {{"admin.enabled", "true"}, "admin: "},
        {{"swagger.enabled", "true"}, "swagger: "},
        {{"debug.enabled", "true"}, "debug: "},
        {{"opentelemetry.enabled", "true"}, "opentelemetry: "},
        {{"graphite.enabled", "true"}, "graphite: "},
        {{"prometheus.native_histograms", "true"}, "prometheus.native_histograms: "},
        {{"pid_file", "\"x\""}, "pid_file: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = nested(&cases[i].key, 1);
        struct loaded *loaded = load_text(text);
        const char *at = strstr(loaded->report.text, cases[i].named);

        if (loaded->report.errors != 1 || at == NULL ||
            strstr(at, "known to Centrifugo, not supported by roost yet\n") == NULL) {
            fail_msg("%s: %s", cases[i].key.path, loaded->report.text);
        }
        unload(loaded);
        free(text);
    }
}

static void test_errors_of_connect_may_end_those_who_only_listen(void **state)
{
    struct loaded *loaded =
        load_text("client:\n"
                  "  connect_code_to_unidirectional_disconnect:\n"
                  "    enabled: true\n"
                  "    transforms: [{code: 109, to: {code: 4109, reason: \"token expired\"}}]\n");
    const struct client_options *client = &loaded->config.options.client;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(client->uni_disconnects_len, 1);
    assert_int_equal(client->uni_disconnects[0].error, 109);
    assert_int_equal(client->uni_disconnects[0].code, 4109);
    assert_string_equal(client->uni_disconnects[0].reason, "token expired");
    unload(loaded);
    expect_report("client: {connect_code_to_unidirectional_disconnect: {enabled: true,\n"
                  "  transforms: [{code: 109, to: {code: 109}}, {to: {code: 4000}}]}}\n",
                  "roost.yaml:2:16: client.connect_code_to_unidirectional_disconnect.transforms: "
                  "found no to.code, expected one of 3000 to 4999\n"
                  "roost.yaml:2:46: client.connect_code_to_unidirectional_disconnect.transforms: "
                  "found no code, expected that of an error\n");
}

static void test_errors_of_connect_may_be_answered_by_http(void **state)
{
    struct loaded *loaded =
        load_text("uni_sse:\n"
                  "  connect_code_to_http_response:\n"
                  "    enabled: true\n"
                  "    transforms: [{code: 109, to: {status_code: 401}},\n"
                  "      {code: 3501, to: {status_code: 418, body: \"{}\"}}]\n");
    const struct transport_options *sse = &loaded->config.options.transports[TRANSPORT_UNI_SSE];

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_true(sse->has_connect_responses);
    assert_int_equal(sse->connect_responses_len, 2);
    assert_int_equal(sse->connect_responses[0].code, 109);
    assert_int_equal(sse->connect_responses[0].status, 401);
    assert_string_equal(sse->connect_responses[0].body, "");
    assert_int_equal(sse->connect_responses[1].status, 418);
    assert_string_equal(sse->connect_responses[1].body, "{}");
    assert_false(
        loaded->config.options.transports[TRANSPORT_UNI_HTTP_STREAM].has_connect_responses);
    unload(loaded);
    expect_report("uni_http_stream: {connect_code_to_http_response: {enabled: true,\n"
                  "  transforms: [{code: 109, to: {status_code: 99}}, {to: {status_code: "
                  "400}}]}}\n",
                  "roost.yaml:2:16: uni_http_stream.connect_code_to_http_response.transforms: "
                  "found no to.status_code, expected one of 200 to 599\n"
                  "roost.yaml:2:52: uni_http_stream.connect_code_to_http_response.transforms: "
                  "found no code, expected that of an error or of a disconnect\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_default_configuration_works),
        cmocka_unit_test(test_errors_of_connect_may_be_answered_by_http),
        cmocka_unit_test(test_what_roost_has_not_is_refused_by_name),
        cmocka_unit_test(test_errors_of_connect_may_end_those_who_only_listen),
        cmocka_unit_test(test_a_first_configuration_works),
        cmocka_unit_test(test_a_cluster_of_many_features_is_refused_by_name),
        cmocka_unit_test(test_switched_off_is_harmless),
        cmocka_unit_test(test_histories_are_as_in_centrifugo),
        cmocka_unit_test(test_histories_at_odds_are_refused),
        cmocka_unit_test(test_the_tables_are_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
