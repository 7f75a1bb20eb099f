/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that a backend decides: what it is asked, what its answers do, and what its failures do
 * not. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/proxy_rig.h"

/* Connected as user "u" through the proxy. */
static struct peer *connect_user(void)
{
    struct peer *peer = peer_open(&edge);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    backend_answer(&backend, backend_hear(&backend, proxy_rig_asked("")),
                   "{\"result\":{\"user\":\"u\"}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    return peer;
}

/* ---- connect ---- */

static void a_backend_says_who_connects(void **state)
{
    (void)state;
    proxy_rig_start_with_connect();
    struct peer *peer = peer_open(&edge);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"name\":\"js\",\"version\":\"1.2\","
                   "\"data\":{\"a\":[1,2]},\"subs\":{\"x\":{},\"y\\n\":{\"recover\":true}}}}");
    const uint32_t at =
        backend_hear(&backend,
                     proxy_rig_asked(",\"data\":{\"a\":[1,2]},\"name\":\"js\","
                                     "\"version\":\"1.2\",\"channels\":[\"x\",\"y\\n\"]"));
    assert_non_null(strstr(backend.head.at, "POST /ask?a=b HTTP/1.1\r\nHost: backend\r\n"
                                            "Content-Type: application/json\r\n"));
    peer_hear_nothing(peer);
    assert_int_equal(edge_rig_count(&edge, COUNTER_OF(PROXY_INFLIGHT, 0, 0)), 1);
    backend_answer(&backend, at,
                   "{\"result\":{\"user\":\"42\",\"expire_at\":0,\"data\":{\"hello\":1}}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\","
                    "\"data\":{\"hello\":1}}}");
    assert_int_equal(edge_rig_count(&edge, COUNTER_NUM_USERS), 1);
    assert_int_equal(edge_rig_count(&edge, COUNTER_OF(PROXY_INFLIGHT, 0, 0)), 0);
    proxy_rig_stop();
}

static void commands_behind_a_connect_wait_for_it(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.shards = 1; /* Homes on several may answer in any order. */
    edge.options.connect_proxy = &proxy;
    edge.options.without_namespace.allow_subscribe_for_client = true;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"b\"}}");
    const uint32_t at = backend_hear(&backend, proxy_rig_asked(""));
    edge_rig_advance(&edge, 500);
    peer_hear_nothing(peer);
    backend_answer(&backend, at, "{\"result\":{\"user\":\"u\"}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    peer_hear(peer, "{\"id\":3,\"subscribe\":{}}");
    proxy_rig_stop();
}

/* Nobody listens there; and a host whose address nobody knows yet. */
static void an_endpoint_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    backend.endpoint.address.port = 81;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    peer_hear(peer, "{\"id\":1,\"error\":" INTERNAL "}");
    assert_int_equal(edge_rig_count(&edge, COUNTER_BACKEND_UNREACHABLE), 1);
    proxy_rig_stop();
}

static void a_host_is_asked_when_its_address_is_known(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    struct node_places *places = calloc(1, sizeof(*places) + sizeof(places->of[0]));
    assert_non_null(places);
    places->len = 1;
    places->of[0].len = 2;
    places->of[0].at[0] = backend.endpoint.address;
    places->of[0].at[0].port = 81; /* Nobody there: the next is tried. */
    places->of[0].at[1] = backend.endpoint.address;
    backend.endpoint.address.family = 0;
    proxy_rig_start();
    for (int i = 0; i < 3; i++) {
        struct peer *peer = peer_open_at(&edge, 0);
        peer_upgrade(peer);
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        if (i == 0) { /* Not known in time. */
            edge_rig_advance(&edge, 1000);
            peer_hear(peer, "{\"id\":1,\"error\":" INTERNAL "}");
            continue;
        }
        if (i == 1) {
            edge_rig_advance(&edge, 500);
            assert_true(node_offer_places(edge.node, places));
            edge_rig_advance(&edge, 50);
        }
        backend_answer(&backend, backend_hear(&backend, proxy_rig_asked("")), "{\"result\":{}}");
        peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    }
    free(places);
    proxy_rig_stop();
}

/* More clients than connections: all are answered in the end; others are served all the time. */
static void many_clients_share_few_connections(void **state)
{
    (void)state;
    enum { MANY = BACKEND_CONNS_MAX + 40 };
    proxy_rig_init();
    edge.options.shards = 1;
    edge.options.connect_proxy = &proxy;
    proxy_rig_start();
    struct peer *peers[MANY];
    for (int i = 0; i < MANY; i++) {
        peers[i] = peer_open(&edge);
        peer_upgrade(peers[i]);
        peer_say(peers[i], "{\"id\":1,\"connect\":{}}");
    }
    assert_int_equal(edge_rig_count(&edge, COUNTER_BACKEND_REQUESTS_INFLIGHT), MANY);
    assert_int_equal(backend.peers_len, BACKEND_CONNS_MAX);
    struct peer *other = peer_open(&edge);
    peer_send(other, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_response(other, 200, "{}");
    for (int i = 0; i < MANY; i++) {
        backend_answer(&backend, backend_hear(&backend, proxy_rig_asked("")), "{\"result\":{}}");
    }
    for (int i = 0; i < MANY; i++) {
        peer_hear(peers[i], "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    }
    assert_int_equal(backend.peers_len, BACKEND_CONNS_MAX);
    proxy_rig_stop();
}

/* ---- headers ---- */

static void headers_go_along(void **state)
{
    (void)state;
    static const char *names[] = {"Cookie", "X-Real-Ip", "x-static", "X-Trusted"};
    static const char *const emulated[] = {"cookie", "X-Emulated", "X-Static", "X-Real-Ip"};
    static const struct proxy_header fixed[] = {{"X-Static", "ours"}};
    proxy_rig_init();
    proxy.http_headers = names;
    proxy.http_headers_len = 4;
    proxy.static_headers = fixed;
    proxy.static_headers_len = 1;
    edge.options.proxy_headers = names;
    edge.options.proxy_headers_len = 4;
    proxy.emulated_headers = emulated;
    proxy.emulated_headers_len = 4;
    edge.options.proxy_emulated_headers = emulated;
    edge.options.proxy_emulated_headers_len = 4;
    edge.options.connect_proxy = &proxy;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_upgrade_with(peer, "cookie: a=b\r\nX-Other: c\r\nX-Static: theirs\r\n");
    /* Of the names that only `http_headers` has, none is taken from the command. */
    peer_say(peer, "{\"id\":1,\"connect\":{\"headers\":{\"Cookie\":\"fake\",\"x-emulated\":\"e\","
                   "\"X-Trusted\":\"fake\",\"X-Static\":\"theirs\","
                   "\"X-Unasked\":\"u\",\"X-Real-Ip\":\"a\\r\\nb: c\"}}}");
    const uint32_t at = backend_hear(&backend, proxy_rig_asked(""));
    assert_non_null(strstr(backend.head.at, "\r\ncookie: a=b\r\nx-emulated: e\r\n"
                                            "X-Static: ours\r\n\r\n"));
    assert_null(strstr(backend.head.at, "fake"));
    assert_null(strstr(backend.head.at, "theirs"));
    assert_null(strstr(backend.head.at, "X-Other"));
    assert_null(strstr(backend.head.at, "X-Unasked"));
    assert_null(strstr(backend.head.at, "b: c"));
    backend_answer(&backend, at, "{\"result\":{}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    proxy_rig_stop();
}

/* ---- rpc ---- */

static void rpc_goes_to_the_proxy_of_its_namespace(void **state)
{
    (void)state;
    static struct rpc_options namespaces[] = {{.name = "ns", .proxy = &proxy}, {.name = "off"}};
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    edge.options.rpc_namespaces = namespaces;
    edge.options.rpc_namespaces_len = 2;
    edge.options.rpc_ping_enabled = true;
    proxy.include_connection_meta = true;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    backend_answer(&backend, backend_hear(&backend, proxy_rig_asked("")),
                   "{\"result\":{\"user\":\"u\",\"meta\":{\"m\":1}}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");

    peer_say(peer, "{\"id\":2,\"rpc\":{\"method\":\"ns:do\",\"data\":{\"a\":1}}}\n"
                   "{\"id\":3,\"rpc\":{\"method\":\"ping\"}}\n"
                   "{\"id\":4,\"rpc\":{\"method\":\"plain\"}}\n"
                   "{\"id\":5,\"rpc\":{\"method\":\"off:x\"}}\n"
                   "{\"id\":6,\"rpc\":{\"method\":\"unknown:x\"}}");
    const uint32_t at =
        backend_hear(&backend,
                     proxy_rig_asked(",\"user\":\"u\",\"method\":\"ns:do\",\"data\":{\"a\":1},"
                                     "\"meta\":{\"m\":1}"));
    peer_hear_nothing(peer);
    backend_answer(&backend, at, "{\"result\":{\"data\":{\"b\":[]}}}");
    peer_hear(peer, "{\"id\":2,\"rpc\":{\"data\":{\"b\":[]}}}");
    peer_hear(peer, "{\"id\":3,\"rpc\":{}}");
    for (int id = 4; id <= 6; id++) {
        peer_hear(peer, "{\"id\":%d,\"error\":{\"code\":104,\"message\":\"method not found\"}}",
                  id);
    }
    proxy_rig_stop();
}

static void rpc_without_any_proxy_is_not_available(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.client.insecure = true;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"rpc\":{\"method\":\"x\"}}");
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":108,\"message\":\"not available\"}}");
    proxy_rig_stop();
}

/* While a backend is slow its client is not blamed for a pong that nobody has read. */
static void a_slow_backend_does_not_cost_the_connection(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.client.insecure = true;
    edge.options.client.ping_interval_ms = 5000;
    edge.options.client.pong_timeout_ms = 1000;
    proxy.timeout_ms = 30000;
    edge.options.rpc_without_namespace.proxy = &proxy;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"rpc\":{\"method\":\"x\"}}");
    const uint32_t at = backend_hear(&backend, NULL);
    edge_rig_advance(&edge, 5000);
    peer_hear(peer, "{}");
    peer_say(peer, "{}");
    edge_rig_advance(&edge, 4000);
    peer_hear_nothing(peer);
    backend_answer(&backend, at, "{\"result\":{}}");
    peer_hear(peer, "{\"id\":2,\"rpc\":{}}");
    edge_rig_advance(&edge, 2000);
    assert_false(peer->has_ended);
    proxy_rig_stop();
}

/* ---- subscribe, publish ---- */

static void a_backend_says_who_subscribes(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    edge.options.without_namespace.subscribe_proxy = &proxy;
    edge.options.without_namespace.presence = true;
    edge.options.without_namespace.allow_presence_for_client = true;
    proxy_rig_start();
    struct peer *peer = connect_user();
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"c\",\"data\":{\"d\":1}}}\n"
                   "{\"id\":3,\"presence\":{\"channel\":\"c\"}}");
    uint32_t at =
        backend_hear(&backend,
                     proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\",\"data\":{\"d\":1}"));
    backend_answer(&backend, at, "{\"result\":{\"info\":{\"i\":1},\"data\":{\"r\":2}}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{\"data\":{\"r\":2}}}");
    peer_hear(peer, "{\"id\":3,\"presence\":{\"presence\":{\"<id>\":{\"user\":\"u\","
                    "\"client\":\"<id>\",\"chan_info\":{\"i\":1}}}}}");
    peer_say(peer, "{\"id\":4,\"subscribe\":{\"channel\":\"no\"}}");
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"no\""));
    backend_answer(&backend, at, "{\"error\":{\"code\":403,\"message\":\"no\"}}");
    peer_hear(peer, "{\"id\":4,\"error\":{\"code\":403,\"message\":\"no\"}}");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"$p\"}}");
    peer_hear(peer, "{\"id\":5,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    proxy_rig_stop();
}

static void a_backend_says_what_is_published(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    edge.options.without_namespace.publish_proxy = &proxy;
    edge.options.without_namespace.allow_subscribe_for_client = true;
    proxy_rig_start();
    struct peer *peer = connect_user();
    peer_subscribe(peer, "c");
    static const char *const answers[][2] = {{"{}", "1"}, {"{\"result\":{\"data\":[7]}}", "[7]"}};
    for (size_t i = 0; i < 2; i++) {
        peer_say(peer, "{\"id\":3,\"publish\":{\"channel\":\"c\",\"data\":1}}");
        const uint32_t at =
            backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\",\"data\":1"));
        backend_answer(&backend, at, answers[i][0]);
        char push[256];
        (void)snprintf(push, sizeof(push),
                       "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":%s,\"info\":{"
                       "\"user\":\"u\",\"client\":\"<id>\"}}}}",
                       answers[i][1]);
        for (int j = 0; j < 2; j++) {
            peer_hear_frame(peer, 0x81);
            assert_true(edge_text_matches(peer->message.at, push) ||
                        strcmp(peer->message.at, "{\"id\":3,\"publish\":{}}") == 0);
        }
    }
    proxy_rig_stop();
}

/* Any bytes go as base64, and come back so. */
static void bytes_go_as_base64(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.client.insecure = true;
    edge.options.rpc_without_namespace.proxy = &proxy;
    proxy.binary_encoding = true;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"rpc\":{\"method\":\"x\",\"data\":{\"a\":1}}}");
    const uint32_t at =
        backend_hear(&backend, proxy_rig_asked(
                                   ",\"user\":\"\",\"method\":\"x\",\"b64data\":\"eyJhIjoxfQ==\""));
    backend_answer(&backend, at, "{\"result\":{\"b64data\":\"eyJiIjoyfQ==\"}}");
    peer_hear(peer, "{\"id\":2,\"rpc\":{\"data\":{\"b\":2}}}");
    proxy_rig_stop();
}

/* ---- refresh ---- */

/* Time passes until the backend is asked, at most so much. */
static void await_request(uint64_t ms_max)
{
    for (uint64_t ms = 0; ms < ms_max && !backend_has_news(&backend); ms += 100) {
        edge_rig_advance(&edge, 100);
    }
}

static void a_backend_prolongs_a_connection(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    edge.options.refresh_proxy = &proxy;
    proxy_rig_start();
    struct peer *peer = peer_open(&edge);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    char answer[128];
    (void)snprintf(answer, sizeof(answer), "{\"result\":{\"user\":\"u\",\"expire_at\":%lld}}",
                   (long long)edge_rig_now_s(&edge) + 10);
    backend_answer(&backend, backend_hear(&backend, proxy_rig_asked("")), answer);
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    await_request(11000);
    uint32_t at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\""));
    backend_say(&backend, at, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    peer_hear_nothing(peer);
    edge_rig_advance(&edge, 58000);
    backend_hears_nothing(&backend);
    await_request(3000);
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\""));
    (void)snprintf(answer, sizeof(answer), "{\"result\":{\"expire_at\":%lld}}",
                   (long long)edge_rig_now_s(&edge) + 20);
    backend_answer(&backend, at, answer);
    edge_rig_advance(&edge, 18000);
    backend_hears_nothing(&backend);
    await_request(3000);
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\""));
    backend_answer(&backend, at, "{\"result\":{\"expired\":true}}");
    peer_hear_close(peer, 3005, "connection expired");
    proxy_rig_stop();
}

static void a_backend_prolongs_a_subscription(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    edge.options.without_namespace.subscribe_proxy = &proxy;
    edge.options.without_namespace.sub_refresh_proxy = &proxy;
    edge.options.without_namespace.presence = true;
    edge.options.without_namespace.allow_presence_for_subscriber = true;
    proxy_rig_start();
    struct peer *peer = connect_user();
    char answer[128];
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}");
    uint32_t at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\""));
    (void)snprintf(answer, sizeof(answer), "{\"result\":{\"expire_at\":%lld}}",
                   (long long)edge_rig_now_s(&edge) + 10);
    backend_answer(&backend, at, answer);
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    await_request(11000);
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\""));
    backend_answer(&backend, at, "{\"error\":{\"code\":500,\"message\":\"later\"}}");
    edge_rig_advance(&edge, 58000);
    backend_hears_nothing(&backend);
    await_request(3000);
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\""));
    (void)snprintf(answer, sizeof(answer), "{\"result\":{\"expire_at\":%lld,\"info\":{\"n\":2}}}",
                   (long long)edge_rig_now_s(&edge) + 20);
    backend_answer(&backend, at, answer);
    peer_say(peer, "{\"id\":3,\"presence\":{\"channel\":\"c\"}}");
    peer_hear(peer, "{\"id\":3,\"presence\":{\"presence\":{\"<id>\":{\"user\":\"u\","
                    "\"client\":\"<id>\",\"chan_info\":{\"n\":2}}}}}");
    edge_rig_advance(&edge, 18000);
    backend_hears_nothing(&backend);
    await_request(3000);
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\""));
    peer_hear_nothing(peer);
    backend_answer(&backend, at, "{\"result\":{\"expired\":true}}");
    peer_hear(peer, "{\"push\":{\"channel\":\"c\",\"unsubscribe\":{\"code\":2501,"
                    "\"reason\":\"subscription expired\"}}}");
    proxy_rig_stop();
}

static void a_backend_prolongs_a_server_side_subscription(void **state)
{
    (void)state;
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    edge.options.without_namespace.sub_refresh_proxy = &proxy;
    proxy_rig_start();
    struct peer *peer = connect_user();
    char body[128];
    char request[512];
    struct peer *caller = peer_open(&edge);
    (void)snprintf(body, sizeof(body), "{\"user\":\"u\",\"channel\":\"c\",\"expire_at\":%lld}",
                   (long long)edge_rig_now_s(&edge) + 10);
    (void)snprintf(request, sizeof(request),
                   "POST /api/subscribe HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    peer_send(caller, request);
    peer_hear_response(caller, 200, "{\"result\":{}}");
    peer_close(caller);
    peer_hear(peer, "{\"push\":{\"channel\":\"c\",\"subscribe\":{}}}");
    char answer[128];
    await_request(11000);
    uint32_t at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\""));
    (void)snprintf(answer, sizeof(answer), "{\"result\":{\"expire_at\":%lld}}",
                   (long long)edge_rig_now_s(&edge) + 20);
    backend_answer(&backend, at, answer);
    edge_rig_advance(&edge, 18000);
    backend_hears_nothing(&backend);
    await_request(3000);
    at = backend_hear(&backend, proxy_rig_asked(",\"user\":\"u\",\"channel\":\"c\""));
    peer_hear_nothing(peer);
    backend_answer(&backend, at, "{\"result\":{\"expired\":true}}");
    peer_hear_close(peer, 3006, "subscription expired");
    proxy_rig_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_says_who_connects),
        cmocka_unit_test(commands_behind_a_connect_wait_for_it),
        cmocka_unit_test(an_endpoint_that_is_not_there_is_an_error),
        cmocka_unit_test(a_host_is_asked_when_its_address_is_known),
        cmocka_unit_test(many_clients_share_few_connections),
        cmocka_unit_test(headers_go_along),
        cmocka_unit_test(rpc_goes_to_the_proxy_of_its_namespace),
        cmocka_unit_test(rpc_without_any_proxy_is_not_available),
        cmocka_unit_test(a_slow_backend_does_not_cost_the_connection),
        cmocka_unit_test(a_backend_says_who_subscribes),
        cmocka_unit_test(a_backend_says_what_is_published),
        cmocka_unit_test(bytes_go_as_base64),
        cmocka_unit_test(a_backend_prolongs_a_connection),
        cmocka_unit_test(a_backend_prolongs_a_subscription),
        cmocka_unit_test(a_backend_prolongs_a_server_side_subscription),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
