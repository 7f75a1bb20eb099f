/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies as they are written for Centrifugo 6: who is asked, where, with what, and what is wrong
 * with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/config/config_endpoint.h"
#include "tests/unit/ops/loading.h"

static const char whole[] =
    "client:\n"
    "  proxy:\n"
    "    connect:\n"
    "      enabled: true\n"
    "      endpoint: https://api.example.org:8443/connect?a=b\n"
    "      timeout: 1500ms\n"
    "      http_headers: [Cookie, X-Real-Ip]\n"
    "      binary_encoding: true\n"
    "      include_connection_meta: true\n"
    "      http:\n"
    "        static_headers: {X-A: b, X-C: d}\n"
    "        status_to_code_transforms:\n"
    "          - {status_code: 404, to_error: {code: 404, message: nf, temporary: true}}\n"
    "          - {status_code: 401, to_disconnect: {code: 4401, reason: go}}\n"
    "        tls: {enabled: true, server_name: inner}\n"
    "rpc:\n"
    "  proxy: {endpoint: \"http://127.0.0.1:9000\", http_headers: [cookie, X-B]}\n"
    "  without_namespace: {proxy_enabled: true}\n"
    "  namespaces: [{name: chat, proxy_enabled: true, proxy_name: other}, {name: off}]\n"
    "  ping: {enabled: true, method: ping2}\n"
    "channel:\n"
    "  proxy: {subscribe: {endpoint: \"http://[::1]/s\"}}\n"
    "  without_namespace: {subscribe_proxy_enabled: true}\n"
    "  namespaces:\n"
    "    - {name: ns1, publish_proxy_enabled: true, publish_proxy_name: other,\n"
    "       sub_refresh_proxy_enabled: true, sub_refresh_proxy_name: other}\n"
    "proxies: [{name: other, endpoint: \"http://other\"}]\n";

static void test_a_proxy_says_where_and_how(void **state)
{
    struct loaded *loaded = load_text(whole);
    const struct node_options *options = &loaded->config.options;
    const struct proxy_options *connect = options->connect_proxy;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_non_null(connect);
    assert_null(options->refresh_proxy);
    const struct endpoint_options *at = &options->endpoints[connect->endpoint];
    assert_string_equal(at->host, "api.example.org");
    assert_string_equal(at->authority, "api.example.org:8443");
    assert_string_equal(at->target, "/connect?a=b");
    assert_string_equal(at->tls_name, "inner");
    assert_int_equal(at->address.family, 0);
    assert_int_equal(at->address.port, 8443);
    assert_non_null(loaded->config.endpoint_proxies[connect->endpoint]);
    assert_int_equal(connect->timeout_ms, 1500);
    assert_true(connect->binary_encoding && connect->include_connection_meta);
    assert_int_equal(connect->http_headers_len, 2);
    assert_int_equal(connect->static_headers_len, 2);
    assert_string_equal(connect->static_headers[1].name, "X-C");
    assert_string_equal(connect->static_headers[1].value, "d");
    assert_int_equal(connect->transforms_len, 2);
    assert_true(connect->transforms[0].status == 404 && connect->transforms[0].code == 404 &&
                connect->transforms[0].is_temporary && !connect->transforms[0].is_disconnect);
    assert_true(connect->transforms[1].status == 401 && connect->transforms[1].code == 4401 &&
                connect->transforms[1].is_disconnect);
    assert_string_equal(connect->transforms[1].text, "go");
    assert_int_equal(options->proxy_headers_len, 3);
    unload(loaded);
}

static void test_everybody_finds_his_proxy(void **state)
{
    struct loaded *loaded = load_text(whole);
    const struct node_options *options = &loaded->config.options;
    const struct channel_options *ns1 = &options->namespaces[0];

    (void)state;
    const struct proxy_options *rpc = options->rpc_without_namespace.proxy;
    assert_int_equal(rpc->timeout_ms, 1000);
    assert_int_equal(options->endpoints[rpc->endpoint].address.family, 4);
    assert_string_equal(options->endpoints[rpc->endpoint].target, "/");
    assert_null(loaded->config.endpoint_proxies[rpc->endpoint]);
    assert_int_equal(options->rpc_namespaces_len, 2);
    assert_string_equal(options->rpc_namespaces[0].name, "chat");
    assert_string_equal(options->rpc_namespaces[0].proxy->name, "other");
    assert_null(options->rpc_namespaces[1].proxy);
    assert_true(options->rpc_ping_enabled);
    assert_string_equal(options->rpc_ping_method, "ping2");

    const struct proxy_options *subscribe = options->without_namespace.subscribe_proxy;
    assert_int_equal(options->endpoints[subscribe->endpoint].address.family, 6);
    assert_int_equal(options->endpoints[subscribe->endpoint].address.port, 80);
    assert_null(ns1->subscribe_proxy);
    assert_string_equal(ns1->publish_proxy->name, "other");
    /* One proxy is one endpoint, whoever uses it. */
    assert_ptr_equal(ns1->publish_proxy, ns1->sub_refresh_proxy);
    assert_ptr_equal(ns1->publish_proxy, options->rpc_namespaces[0].proxy);
    assert_int_equal(options->endpoints_len, 4);
    unload(loaded);
}

/* Who is told of what happens is a proxy like those that are asked, without what only they have. */
static void test_webhooks_are_told_by_proxies(void **state)
{
    static const char text[] =
        "client: {proxy: {state: {enabled: true, endpoint: \"http://127.0.0.1/clients\",\n"
        "  include_connection_meta: true}}}\n"
        "webhooks: {secret: s, vacated_event_delay: 1s, batch_max_delay: 0s, batch_max_events: 5,\n"
        "  queue_max_size: 2MiB, queue_max_events: 2000, flush_timeout: 7s}\n"
        "channel:\n"
        "  proxy: {state: {endpoint: \"https://127.0.0.1/channels\", timeout: 3s,\n"
        "    http: {static_headers: {X-A: b}}}}\n"
        "  without_namespace: {state_proxy_enabled: true}\n"
        "  namespaces:\n"
        "    - {name: ns1, state_proxy_enabled: true, state_proxy_name: other}\n"
        "    - {name: ns2}\n"
        "proxies: [{name: other, endpoint: \"http://127.0.0.1/other\"}]\n";
    struct loaded *loaded = load_text(text);
    const struct node_options *options = &loaded->config.options;
    const struct webhook_options *webhooks = &options->webhooks;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_true(webhooks->clients->include_connection_meta);
    assert_string_equal(options->endpoints[webhooks->clients->endpoint].target, "/clients");
    const struct proxy_options *channels = options->without_namespace.state_proxy;
    assert_string_equal(options->endpoints[channels->endpoint].target, "/channels");
    assert_int_equal(channels->timeout_ms, 3000);
    assert_int_equal(channels->static_headers_len, 1);
    assert_string_equal(options->namespaces[0].state_proxy->name, "other");
    assert_null(options->namespaces[1].state_proxy);
    assert_string_equal(webhooks->secret, "s");
    assert_int_equal(webhooks->vacated_delay_ms, 1000);
    assert_int_equal(webhooks->batch_max_delay_ms, 0);
    assert_int_equal(webhooks->batch_max_events, 5);
    assert_int_equal(webhooks->queue_max_size, 2 << 20);
    assert_int_equal(webhooks->queue_max_events, 2000);
    assert_int_equal(webhooks->flush_timeout_ms, 7000);
    unload(loaded);

    expect_report("channel: {without_namespace: {state_proxy_enabled: true}}",
                  "roost.yaml:1:52: channel.without_namespace.state_proxy_enabled: found true, "
                  "expected channel.proxy.state.endpoint to be set, or another name\n");
    expect_report("client: {proxy: {state: {enabled: true}}}",
                  "roost.yaml:1:35: client.proxy.state.enabled: found true, expected "
                  "client.proxy.state.endpoint to be set, or another name\n");
}

static void test_what_is_wrong_is_told(void **state)
{
    (void)state;
    expect_report("client: {proxy: {connect: {enabled: true}}}\n",
                  "roost.yaml:1:37: client.proxy.connect.enabled: found true, expected "
                  "client.proxy.connect.endpoint to be set, or another name\n");
    expect_report("rpc: {without_namespace: {proxy_enabled: true, proxy_name: nobody}}\n",
                  "roost.yaml:1:42: rpc.without_namespace.proxy_name: found \"nobody\", expected a "
                  "name of `proxies`\n");
    expect_report("proxies: [{name: default, endpoint: \"http://a\"}]\n",
                  "roost.yaml:1:11: proxies: found no name, an odd one, or one that is taken (as "
                  "\"default\" is), expected each of at most 245 with its name\n");
    expect_report("proxies: [{name: ab, endpiont: \"http://a\"}]\n",
                  "roost.yaml:1:22: proxies.ab.\"endpiont\": found an unknown key, expected "
                  "proxies.ab.endpoint?\n");
    expect_report("channel: {without_namespace: {publish_proxy_enabled: true}}\n",
                  "roost.yaml:1:54: channel.without_namespace.publish_proxy_enabled: found true, "
                  "expected channel.proxy.publish.endpoint to be set, or another name\n");
    expect_report("client: {proxy: {connect: {enabled: true, endpoint: \"http://a\",\n"
                  "  http_headers: [Host], http: {static_headers: {a b: c},\n"
                  "  status_to_code_transforms: [{status_code: 404}]}}}}\n",
                  "roost.yaml:1:53: client.proxy.connect.http_headers: found \"Host\", expected a "
                  "header's name, and none that the request has of its own\n"
                  "roost.yaml:2:49: client.proxy.connect.http.static_headers: found \"a b\", "
                  "expected a header's name, and none that the request has of its own\n"
                  "roost.yaml:3:31: client.proxy.connect.http.status_to_code_transforms: found no "
                  "code, expected to_error.code or to_disconnect.code\n");
}

static void test_secrets_are_not_shown(void **state)
{
    struct loaded *loaded =
        load_text("client: {proxy: {connect: {enabled: true, endpoint: \"http://a\",\n"
                  "  http: {static_headers: {Authorization: hush},\n"
                  "  status_to_code_transforms: [{status_code: 404, to_error: {code: 404}}]}}}}\n");
    char *text = print_check(loaded);

    (void)state;
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "client.proxy.connect.http.static_headers: set"));
    assert_non_null(strstr(text,
                           "client.proxy.connect.http.status_to_code_transforms: "
                           "[{\"status_code\": \"404\", \"to_error\": {\"code\": \"404\"}}]"));
    free(text);
    unload(loaded);
}

static void test_a_url_is_taken_apart_or_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "http://",
        "http:///x",
        "ftp://a",
        "http://a b",
        "http://a#b",
        "http://u:p@a/x",
        "http://a:0",
        "http://a:70000",
        "http://a:x",
        "http://[::1",
        "http://[::1]x",
        "http://a\x7f",
        "http://a:80:80/",
        "HTTP//a",
        "grpc://a:1",
        "http://?x",
        "https://:443/path",
        "http://a_\xc3\xa9",
    };
    struct config_texts texts = {0};
    struct endpoint_options out;
    bool is_tls;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(config_endpoint_parse(bad[i], &texts, &out, &is_tls));
    }
    assert_null(config_endpoint_parse("https://[2001:db8::1]:444?q=1", &texts, &out, &is_tls));
    assert_true(is_tls);
    assert_string_equal(out.host, "2001:db8::1");
    assert_string_equal(out.authority, "[2001:db8::1]:444");
    assert_string_equal(out.target, "/?q=1");
    assert_int_equal(out.address.family, 6);
    assert_int_equal(out.address.port, 444);
    config_texts_free(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proxy_says_where_and_how),
        cmocka_unit_test(test_everybody_finds_his_proxy),
        cmocka_unit_test(test_webhooks_are_told_by_proxies),
        cmocka_unit_test(test_what_is_wrong_is_told),
        cmocka_unit_test(test_secrets_are_not_shown),
        cmocka_unit_test(test_a_url_is_taken_apart_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
