/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP as peers meet it: routes, methods, keep-alive, pipelines, bodies, refusals. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"

#define HOST "Host: rig\r\n"
#define KEY "X-API-Key: key\r\n"

static const struct web_file web_files[] = {
    {"/", "text/html", (const uint8_t *)"<p>hi", 5},
    {"/empty.js", "text/javascript", (const uint8_t *)"", 0},
};

static void open_rig(struct edge_rig *rig)
{
    edge_rig_init(rig, 2);
    rig->options.web_files = web_files;
    rig->options.web_files_len = sizeof(web_files) / sizeof(web_files[0]);
    rig->options.http_api.max_request_body_size = 1000;
    edge_rig_start(rig);
}

static void open_rig_with_streams(struct edge_rig *rig)
{
    edge_rig_init(rig, 2);
    rig->options.web_files = web_files;
    rig->options.web_files_len = sizeof(web_files) / sizeof(web_files[0]);
    rig->options.transports[TRANSPORT_HTTP_STREAM].enabled = true;
    rig->options.transports[TRANSPORT_UNI_SSE].enabled = true;
    edge_rig_start(rig);
}

/* ---- one request ---- */

struct exchange {
    const char *request;
    unsigned status;
    const char *body; /* NULL: any. */
    bool keeps;       /* The connection waits for another request. */
    enum counter counts;
};

#define PUBLISH_BODY "{\"channel\":\"c\",\"data\":{}}"
#define NONE COUNTERS_LEN

static const struct exchange exchanges[] = {
    {"GET /health HTTP/1.1\r\n" HOST "\r\n", 200, "{}", true, NONE},
    {"GET /health?x=1 HTTP/1.1\r\n" HOST "\r\n", 200, "{}", true, NONE},
    {"GET /health HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, "{}", false, NONE},
    {"GET /health HTTP/1.0\r\n\r\n", 200, "{}", false, NONE},
    {"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "{}", true, NONE},
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 200, "<p>hi", true, NONE},
    {"GET /empty.js HTTP/1.1\r\n" HOST "\r\n", 200, "", true, NONE},
    {"GET /metrics HTTP/1.1\r\n" HOST "\r\n", 200, NULL, true, NONE},
    {"GET /demo/shards HTTP/1.1\r\n" HOST "\r\n", 200, NULL, true, NONE},
    {"GET /nowhere HTTP/1.1\r\n" HOST "\r\n", 404, "not found", true, COUNTER_REFUSED_NOT_FOUND},
    {"POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 404, "not found", false,
     NONE},
    {"GET /health HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 200, "{}", false, NONE},
    {"GET /health/ HTTP/1.1\r\n" HOST "\r\n", 404, NULL, true, NONE},
    {"GET /apix HTTP/1.1\r\n" HOST "\r\n", 404, NULL, true, NONE},
    /* Methods. */
    {"POST /health HTTP/1.1\r\n" HOST "\r\n", 405, NULL, false, NONE},
    {"DELETE / HTTP/1.1\r\n" HOST "\r\n", 405, NULL, false, NONE},
    {"GET /api/publish HTTP/1.1\r\n" HOST KEY "\r\n", 405, NULL, false, NONE},
    /* The API's head is judged before its body. */
    {"POST /api/info HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", 401, "unauthorized", false,
     COUNTER_REFUSED_API_KEY},
    {"POST /api/info HTTP/1.1\r\n" HOST "X-API-Key: kex\r\nContent-Length: 2\r\n\r\n", 401, NULL,
     false, COUNTER_REFUSED_API_KEY},
    {"POST /api/info?api_key=kez HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", 401, NULL, false,
     NONE},
    {"POST /api/info HTTP/1.1\r\n" HOST "Authorization: Bearer key\r\nContent-Length: 2\r\n\r\n",
     401, NULL, false, NONE},
    {"POST /api/nothing HTTP/1.1\r\n" HOST KEY "Content-Length: 2\r\n\r\n", 404, NULL, false,
     COUNTER_API_UNKNOWN},
    {"POST /api HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", 401, NULL, false, NONE},
    {"POST /api HTTP/1.1\r\n" HOST KEY "Content-Length: 2\r\n\r\n{}", 200,
     "{\"error\":{\"code\":104,\"message\":\"not found\"}}", true, COUNTER_API_UNKNOWN},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Content-Length: 1001\r\n\r\n", 413, NULL, false,
     COUNTER_REFUSED_BODY_INVALID},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", 413,
     NULL, false, COUNTER_REFUSED_BODY_INVALID},
    /* Bodies. */
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Content-Length: 25\r\n\r\n" PUBLISH_BODY, 200,
     "{\"result\":{}}", true, COUNTER_API_PUBLISH},
    {"POST /api/publish HTTP/1.1\r\n" HOST
     "authorization: ApiKey key\r\nContent-Length: 25\r\n\r\n" PUBLISH_BODY,
     200, "{\"result\":{}}", true, NONE},
    {"POST /api/publish?api_key=k%65y HTTP/1.1\r\n" HOST "Content-Length: 25\r\n\r\n" PUBLISH_BODY,
     200, "{\"result\":{}}", true, NONE},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Transfer-Encoding: chunked\r\n\r\n"
     "10\r\n{\"channel\":\"c\",\"\r\n9;x=\"y\"\r\ndata\":{}}\r\n0\r\nTrailer: t\r\n\r\n",
     200, "{\"result\":{}}", true, NONE},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
     NULL, false, COUNTER_REFUSED_BODY_INVALID},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Content-Length: 3\r\n\r\n{\"a", 400, NULL, false,
     COUNTER_REFUSED_BODY_INVALID},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Content-Length: 0\r\n\r\n", 400, NULL, false, NONE},
    {"POST /api/publish HTTP/1.1\r\n" HOST KEY "\r\n", 400, NULL, false, NONE},
    /* Heads that nobody may send. */
    {"GET /health HTTP/1.1\r\n\r\n", 400, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"GET /health HTTP/1.1\n" HOST "\r\n", 400, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"GET http://rig/ HTTP/1.1\r\n" HOST "\r\n", 400, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"\x16\x03\x01\x02", 400, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"GET / HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n", 417, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"POST /api/info HTTP/1.1\r\n" HOST KEY "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", 400,
     NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"POST /api/info HTTP/1.1\r\n" HOST KEY
     "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
     400, NULL, false, COUNTER_REFUSED_HEAD_INVALID},
    {"POST /api/info HTTP/1.1\r\n" HOST KEY "Transfer-Encoding: gzip\r\n\r\n", 501, NULL, false,
     COUNTER_REFUSED_HEAD_INVALID},
};

static void assert_exchange(struct edge_rig *rig, const struct exchange *exchange, size_t piece)
{
    struct peer *peer = peer_open(rig);
    const uint64_t before = exchange->counts == NONE ? 0 : edge_rig_count(rig, exchange->counts);
    const size_t len = strlen(exchange->request);
    for (size_t at = 0; at < len && !peer->has_ended; at += piece) {
        peer_put(peer, exchange->request + at, piece < len - at ? piece : len - at);
        edge_rig_settle(rig);
    }
    peer_hear_response(peer, exchange->status, exchange->body);
    const char *connection = peer_header(peer, "Connection");
    if (exchange->keeps) {
        assert_null(connection);
        peer_hear_nothing(peer);
        peer_send(peer, "GET /health HTTP/1.1\r\n" HOST "\r\n");
        peer_hear_response(peer, 200, "{}");
        peer_hear_nothing(peer);
    } else {
        assert_non_null(connection);
        assert_string_equal(connection, "close");
        peer_hear_end(peer);
    }
    if (exchange->counts != NONE) {
        assert_int_equal(edge_rig_count(rig, exchange->counts), before + 1);
    }
    peer_close(peer);
    edge_rig_assert_empty(rig);
}

static void each_request_has_its_response_however_it_is_cut(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    const size_t pieces[] = {1 << 20, 1, 7};
    for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
        for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
            assert_exchange(&rig, &exchanges[i], pieces[p]);
        }
    }
    edge_rig_stop(&rig);
}

static uint64_t answered(const struct edge_rig *rig, uint32_t path, enum http1_method method,
                         unsigned status)
{
    return edge_rig_count(rig, COUNTER_OF(HTTP_REQUEST, path, http_answer_of(method, status)));
}

#define LEN_0 "Content-Length: 0\r\n\r\n"
#define UPGRADE \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* A peer's path is never a label, nor is its method. */
static void answers_are_counted_by_path_method_and_status(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint32_t path;
        enum http1_method method;
        unsigned status;
    } cases[] = {
        {"GET /health?x=1 HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_HEALTH, HTTP1_GET, 200},
        {"HEAD /health HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_HEALTH, HTTP1_HEAD, 200},
        {"BREW /health HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_HEALTH, HTTP1_OTHER, 405},
        {"GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_WEB, HTTP1_GET, 200},
        {"GET /demo/shards HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_WEB, HTTP1_GET, 200},
        {"GET /nowhere HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_OTHER, HTTP1_GET, 404},
        {"GET /apix HTTP/1.1\r\n" HOST "\r\n", HTTP_PATH_OTHER, HTTP1_GET, 404},
        {"POST /api/nothing HTTP/1.1\r\n" HOST KEY LEN_0, HTTP_PATH_OTHER, HTTP1_POST, 404},
        {"POST /api HTTP/1.1\r\n" HOST LEN_0, HTTP_PATH_API + API_METHOD_COUNT, HTTP1_POST, 401},
        {"PUT /api/publish HTTP/1.1\r\n" HOST KEY "\r\n", HTTP_PATH_API + API_METHOD_PUBLISH,
         HTTP1_OTHER, 405},
        {"POST /api/publish HTTP/1.1\r\n" HOST KEY "Content-Length: 25\r\n\r\n" PUBLISH_BODY,
         HTTP_PATH_API + API_METHOD_PUBLISH, HTTP1_POST, 200},
        {"GET /connection/websocket HTTP/1.1\r\n" HOST "\r\n",
         HTTP_PATH_TRANSPORT + TRANSPORT_WEBSOCKET, HTTP1_GET, 400},
        {"GET /connection/websocket HTTP/1.1\r\n" HOST UPGRADE,
         HTTP_PATH_TRANSPORT + TRANSPORT_WEBSOCKET, HTTP1_GET, 101},
        {"GET /connection/uni_sse HTTP/1.1\r\n" HOST "\r\n",
         HTTP_PATH_TRANSPORT + TRANSPORT_UNI_SSE, HTTP1_GET, 200},
        {"POST /emulation HTTP/1.1\r\n" HOST LEN_0, HTTP_PATH_EMULATION, HTTP1_POST, 400},
    };
    static struct edge_rig rig;
    open_rig_with_streams(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t all =
            node_sum_range(rig.node, COUNTER_HTTP_REQUEST, COUNTER_HTTP_REQUEST_LAST);
        const uint64_t before = answered(&rig, cases[i].path, cases[i].method, cases[i].status);
        struct peer *peer = peer_open(&rig);
        peer_send(peer, cases[i].request);
        peer_close(peer);
        edge_rig_settle(&rig);
        assert_int_equal(answered(&rig, cases[i].path, cases[i].method, cases[i].status),
                         before + 1);
        assert_int_equal(node_sum_range(rig.node, COUNTER_HTTP_REQUEST, COUNTER_HTTP_REQUEST_LAST),
                         all + 1);
    }
    /* What is no request is none, also after one. */
    const uint64_t all = node_sum_range(rig.node, COUNTER_HTTP_REQUEST, COUNTER_HTTP_REQUEST_LAST);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "GET /health HTTP/1.1\r\n" HOST "\r\n");
    peer_send(peer, "nonsense\r\n\r\n");
    assert_int_equal(node_sum_range(rig.node, COUNTER_HTTP_REQUEST, COUNTER_HTTP_REQUEST_LAST),
                     all + 1);
    edge_rig_stop(&rig);
}

static void a_405_tells_what_is_allowed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"POST /health HTTP/1.1\r\n" HOST "\r\n", "GET, HEAD"},
        {"PUT /api/publish HTTP/1.1\r\n" HOST "\r\n", "POST"},
        {"POST /connection/websocket HTTP/1.1\r\n" HOST "\r\n", "GET"},
    };
    static struct edge_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer *peer = peer_open(&rig);
        peer_send(peer, cases[i][0]);
        peer_hear_response(peer, 405, NULL);
        assert_non_null(peer_header(peer, "Allow"));
        assert_string_equal(peer_header(peer, "Allow"), cases[i][1]);
        peer_hear_end(peer);
    }
    edge_rig_stop(&rig);
}

static void head_has_the_headers_of_get_and_no_body(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "HEAD /health HTTP/1.1\r\n" HOST "\r\n");
    peer_hear_head(peer, 200);
    assert_string_equal(peer_header(peer, "Content-Length"), "2");
    assert_string_equal(peer_header(peer, "Content-Type"), "application/json");
    peer_send(peer, "HEAD / HTTP/1.1\r\n" HOST "\r\n");
    peer_hear_head(peer, 200);
    assert_string_equal(peer_header(peer, "Content-Length"), "5");
    peer_send(peer, "HEAD /nowhere HTTP/1.1\r\n" HOST "\r\n");
    peer_hear_head(peer, 404);
    peer_hear_nothing(peer);
    /* The next request is no HEAD any more, not even when it cannot be read. */
    peer_send(peer, "nonsense\r\n\r\n");
    peer_hear_response(peer, 400, NULL);
    assert_true(peer->message.len > 0);
    peer_hear_end(peer);
    edge_rig_stop(&rig);
}

static void the_pages_come_with_their_policy(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "GET / HTTP/1.1\r\n" HOST "\r\n");
    peer_hear_response(peer, 200, "<p>hi");
    assert_string_equal(peer_header(peer, "Content-Type"), "text/html");
    assert_non_null(strstr(peer_header(peer, "Content-Security-Policy"), "default-src 'self'"));
    assert_string_equal(peer_header(peer, "X-Content-Type-Options"), "nosniff");
    edge_rig_stop(&rig);
}

/* ---- a connection's life ---- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    static const char all[] =
        "GET / HTTP/1.1\r\n" HOST "\r\n"
        "POST /api/publish HTTP/1.1\r\n" HOST KEY "Content-Length: 25\r\n\r\n" PUBLISH_BODY
        "HEAD / HTTP/1.1\r\n" HOST "\r\n"
        "POST /api/info HTTP/1.1\r\n" HOST KEY "Transfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\n"
        "GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
        "GET /health HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
        "GET / HTTP/1.1\r\n" HOST "\r\n";
    const size_t len = sizeof(all) - 1;
    for (size_t cut = 0; cut < len; cut++) {
        struct peer *peer = peer_open(&rig);
        peer_put(peer, all, cut);
        edge_rig_settle(&rig);
        peer_put(peer, all + cut, len - cut);
        edge_rig_settle(&rig);
        peer_hear_response(peer, 200, "<p>hi");
        peer_hear_response(peer, 200, "{\"result\":{}}");
        peer_hear_head(peer, 200);
        peer_hear_response(peer, 200, NULL);
        assert_non_null(strstr(peer->message.at, "\"num_clients\":0"));
        peer_hear_response(peer, 404, NULL);
        peer_hear_response(peer, 200, "{}");
        peer_hear_end(peer); /* What came behind `close` is not answered. */
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* Whoever does not read its responses gets no further ones made. */
static void a_pipeline_waits_for_its_reader(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.socket_buffer_bytes = 2048;
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    peer_pause(peer, true);
    for (int i = 0; i < 40; i++) {
        peer_send(peer, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
    }
    edge_rig_advance(&rig, 1000);
    assert_true(answered(&rig, HTTP_PATH_METRICS, HTTP1_GET, 200) <= 2);
    peer_pause(peer, false);
    edge_rig_advance(&rig, 1000);
    assert_int_equal(answered(&rig, HTTP_PATH_METRICS, HTTP1_GET, 200), 40);
    for (int i = 0; i < 40; i++) {
        peer_hear_response(peer, 200, NULL);
    }
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

static void a_client_that_expects_100_gets_it_before_its_body(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "POST /api/publish HTTP/1.1\r\n" HOST KEY
                    "Content-Length: 25\r\nExpect: 100-continue\r\n\r\n");
    peer_hear_response(peer, 100, NULL);
    peer_hear_nothing(peer);
    peer_send(peer, PUBLISH_BODY);
    peer_hear_response(peer, 200, "{\"result\":{}}");
    /* A refusal is the final answer: no body is asked for. */
    peer_send(peer, "POST /api/publish HTTP/1.1\r\n" HOST
                    "Content-Length: 25\r\nExpect: 100-continue\r\n\r\n");
    peer_hear_response(peer, 401, NULL);
    peer_hear_end(peer);
    edge_rig_stop(&rig);
}

/* `start`, and then `piece` again and again. */
static void assert_endless_head(struct edge_rig *rig, const char *start, const char *piece,
                                unsigned status)
{
    struct peer *peer = peer_open(rig);
    peer_put_text(peer, start);
    for (size_t len = 0; len < 100000; len += strlen(piece)) {
        peer_put_text(peer, piece);
    }
    edge_rig_settle(rig);
    peer_hear_response(peer, status, NULL);
    peer_hear_end(peer);
}

static void a_head_beyond_the_limits_is_refused(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    assert_endless_head(&rig, "GET / HTTP/1.1\r\n" HOST "X: ", "x", 431);
    assert_endless_head(&rig, "GET / HTTP/1.1\r\n" HOST, "A: b\r\n", 431);
    assert_endless_head(&rig, "GET /", "x", 414);
    assert_endless_head(&rig, "", "X", 501);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_HEAD_INVALID), 4);
    edge_rig_stop(&rig);
}

static void a_peer_that_goes_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    static const char all[] =
        "POST /api/channels HTTP/1.1\r\n" HOST KEY "Transfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\nGET / HT";
    for (size_t len = 0; len < sizeof(all); len++) {
        for (int is_reset = 0; is_reset < 2; is_reset++) {
            struct peer *peer = peer_open(&rig);
            peer_put(peer, all, len);
            if (len % 2 == 0) {
                edge_rig_settle(&rig);
            }
            if (is_reset) {
                peer_reset(peer);
            } else {
                peer_close(peer);
            }
            edge_rig_assert_empty(&rig);
        }
    }
    edge_rig_stop(&rig);
}

static void what_is_not_enabled_is_not_there(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /health HTTP/1.1\r\n" HOST "\r\n",
        "GET /metrics HTTP/1.1\r\n" HOST "\r\n",
        "GET / HTTP/1.1\r\n" HOST "\r\n",
        "GET /demo/shards HTTP/1.1\r\n" HOST "\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "\r\n",
        "GET /connection/websocket HTTP/1.1\r\n" HOST "\r\n",
        "POST /api/info HTTP/1.1\r\n" HOST KEY "\r\n",
    };
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.health_enabled = false;
    rig.options.prometheus_enabled = false;
    rig.options.websocket.disabled = true;
    rig.options.http_api.disabled = true;
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        peer_send(peer, requests[i]);
        peer_hear_response(peer, 404, "not found");
    }
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_response_however_it_is_cut),
        cmocka_unit_test(answers_are_counted_by_path_method_and_status),
        cmocka_unit_test(a_405_tells_what_is_allowed),
        cmocka_unit_test(head_has_the_headers_of_get_and_no_body),
        cmocka_unit_test(the_pages_come_with_their_policy),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_pipeline_waits_for_its_reader),
        cmocka_unit_test(a_client_that_expects_100_gets_it_before_its_body),
        cmocka_unit_test(a_head_beyond_the_limits_is_refused),
        cmocka_unit_test(a_peer_that_goes_in_the_middle_leaves_nothing),
        cmocka_unit_test(what_is_not_enabled_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
