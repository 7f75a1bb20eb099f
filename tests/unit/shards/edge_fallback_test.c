/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP streams: what opens one, what comes of it, how it ends, and the memory that they have. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_http_streams.h"

#define HOST "Host: rig\r\n"
#define CONNECT "{\"id\":1,\"connect\":{}}"
#define CONNECTED \
    "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\",\"ping\":25,\"pong\":true," \
    "\"session\":\"<id>\",\"node\":\"<id>\"}}"
#define UNI_CONNECTED \
    "{\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\",\"ping\":25,\"session\":\"<id>\"}}"

static void publish(struct edge_rig *rig, const char *channel, const char *data)
{
    struct peer *backend = peer_open(rig);
    char body[4096];
    (void)snprintf(body, sizeof(body), "{\"channel\":\"%s\",\"data\":%s}", channel, data);
    peer_put_post(backend, "/api/publish?api_key=key", NULL, body, strlen(body));
    edge_rig_settle(rig);
    peer_hear_response(backend, 200, "{\"result\":{}}");
    peer_close(backend);
}

/* ---- opening ---- */

struct opening {
    const char *request;
    const char *stream; /* NULL: it is refused. */
    unsigned status;
};

static const struct opening openings[] = {
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Content-Length: 21\r\n\r\n" CONNECT,
     CONNECTED "\n", 200},
    {"POST /connection/http_stream HTTP/1.0\r\nContent-Length: 21\r\n\r\n" CONNECT, CONNECTED "\n",
     200},
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
     "6\r\n{\"id\":\r\nf\r\n1,\"connect\":{}}\r\n0\r\n\r\n",
     CONNECTED "\n", 200},
    /* More than one command, and what is no command at all. */
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Content-Length: 58\r\n\r\n" CONNECT
     "\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}",
     CONNECTED "\n{\"id\":2,\"subscribe\":{}}\n", 200},
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nno!",
     "{\"push\":{\"disconnect\":{\"code\":3501,\"reason\":\"bad request\"}}}\n", 200},
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
     "{\"push\":{\"disconnect\":{\"code\":3501,\"reason\":\"bad request\"}}}\n", 200},
    {"GET /connection/http_stream HTTP/1.1\r\n" HOST "\r\n", NULL, 405},
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n", NULL, 413},
    {"POST /connection/http_stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10001\r\n",
     NULL, 413},

    {"GET /connection/sse?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D HTTP/1.1\r\n" HOST
     "\r\n",
     "data: " CONNECTED "\n\n", 200},
    {"POST /connection/sse HTTP/1.1\r\n" HOST "Content-Length: 21\r\n\r\n" CONNECT,
     "data: " CONNECTED "\n\n", 200},
    {"GET /connection/sse?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D%0A"
     "%7B%22id%22:2,%22subscribe%22:%7B%22channel%22:%22c%22%7D%7D HTTP/1.1\r\n" HOST "\r\n",
     "data: " CONNECTED "\n\ndata: {\"id\":2,\"subscribe\":{}}\n\n", 200},
    {"GET /connection/sse HTTP/1.1\r\n" HOST "\r\n", NULL, 400},
    {"GET /connection/sse?cf_connect= HTTP/1.1\r\n" HOST "\r\n", NULL, 400},
    {"GET /connection/sse?cf_connect=%zz HTTP/1.1\r\n" HOST "\r\n", NULL, 400},
    {"OPTIONS /connection/sse HTTP/1.1\r\n" HOST "\r\n", NULL, 405},
    {"HEAD /connection/sse HTTP/1.1\r\n" HOST "\r\n", NULL, 405},

    {"GET /connection/uni_sse HTTP/1.1\r\n" HOST "\r\n", "data: " UNI_CONNECTED "\n\n", 200},
    {"GET /connection/uni_sse?cf_connect=%7B%7D HTTP/1.1\r\n" HOST "\r\n",
     "data: " UNI_CONNECTED "\n\n", 200},
    {"GET /connection/uni_sse?cf_connect=null HTTP/1.1\r\n" HOST "\r\n",
     "data: " UNI_CONNECTED "\n\n", 200},
    {"GET /connection/uni_sse?cf_connect=%7B HTTP/1.1\r\n" HOST "\r\n", NULL, 400},
    {"POST /connection/uni_sse HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}",
     "data: " UNI_CONNECTED "\n\n", 200},
    {"POST /connection/uni_http_stream HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}",
     UNI_CONNECTED "\n", 200},
    {"POST /connection/uni_http_stream HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n[]", NULL, 400},
    {"POST /connection/uni_http_stream HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", NULL, 400},
    {"POST /connection/uni_http_stream HTTP/1.1\r\n" HOST
     "Content-Length: 15\r\n\r\n{\"token\":\"nope\"",
     NULL, 400},
    {"POST /connection/uni_http_stream HTTP/1.1\r\n" HOST
     "Content-Length: 16\r\n\r\n{\"token\":\"nope\"}",
     "{\"disconnect\":{\"code\":3500,\"reason\":\"invalid token\"}}\n", 200},
    {"GET /connection/uni_websocket?cf_connect=%5B HTTP/1.1\r\n" HOST "\r\n", NULL, 400},
    {"GET /connection/uni_websocket HTTP/1.1\r\n" HOST "\r\n", NULL, 400},
};

static void assert_opening(struct edge_rig *rig, const struct opening *opening, size_t piece)
{
    struct peer *peer = peer_open(rig);
    const size_t len = strlen(opening->request);
    for (size_t at = 0; at < len && !peer->has_ended; at += piece) {
        peer_put(peer, opening->request + at, piece < len - at ? piece : len - at);
        edge_rig_settle(rig);
    }
    if (opening->stream == NULL) {
        if (strncmp(opening->request, "HEAD", 4) == 0) {
            peer_hear_head(peer, opening->status);
        } else {
            peer_hear_response(peer, opening->status, NULL);
        }
        peer_hear_end(peer);
    } else {
        peer_hear_head(peer, opening->status);
        assert_null(peer_header(peer, "Content-Length"));
        assert_string_equal(peer_header(peer, "Connection"), "close");
        assert_string_equal(peer_header(peer, "X-Accel-Buffering"), "no");
        assert_non_null(strstr(peer_header(peer, "Cache-Control"), "no-store"));
        assert_null(peer_header(peer, "Access-Control-Allow-Origin"));
        peer_hear_bytes(peer, opening->stream);
        assert_int_equal(peer->has_ended, strstr(opening->stream, "disconnect") != NULL);
    }
    peer_close(peer);
    edge_rig_assert_empty(rig);
}

static void each_request_opens_its_stream_however_it_is_cut(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    edge_rig_start(&rig);
    const size_t pieces[] = {1 << 20, 1, 7};
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        for (size_t j = 0; j < 3; j++) {
            assert_opening(&rig, &openings[i], pieces[j]);
        }
    }
    edge_rig_stop(&rig);
}

/* The query of an EventSource has its token, and the tokens of what it subscribes to. */
static void a_long_query_connects(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    edge_rig_start(&rig);
    char filler[10001];
    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    struct peer *peer = peer_open(&rig);
    peer_put_text(peer,
                  "GET /connection/sse?cf_connect=%7B%22id%22:1,%22connect%22:%7B%22name%22:%22");
    peer_put_text(peer, filler);
    peer_send(peer, "%22%7D%7D HTTP/1.1\r\n" HOST "\r\n");
    peer_hear_head(peer, 200);
    peer_hear_bytes(peer, "data: " CONNECTED "\n\n");
    edge_rig_stop(&rig);
}

static void what_is_switched_off_is_not_found(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    edge_rig_start(&rig);
    static const char *const targets[] = {"/connection/http_stream",
                                          "/connection/sse",
                                          "/connection/uni_sse",
                                          "/connection/uni_http_stream",
                                          "/connection/uni_websocket",
                                          "/emulation",
                                          "/connection/init"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct peer *peer = peer_open(&rig);
        peer_post(peer, targets[i], CONNECT);
        peer_hear_response(peer, 404, "not found");
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* ---- origins ---- */

static const char *const allowed[] = {"https://*.example.org"};

static void pages_of_allowed_origins_may_read(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    rig.options.client.allowed_origins = allowed;
    rig.options.client.allowed_origins_len = 1;
    edge_rig_start(&rig);
    static const char *const targets[] = {"/connection/http_stream", "/connection/uni_http_stream",
                                          "/emulation"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
            struct peer *peer = peer_open(&rig);
            char request[512];
            (void)snprintf(request, sizeof(request),
                           "OPTIONS %s HTTP/1.1\r\n" HOST "Origin: https://%s\r\n"
                           "Access-Control-Request-Headers: content-type, x-mine\r\n\r\n",
                           targets[i], is_allowed ? "a.example.org" : "evil.org");
            peer_send(peer, request);
            peer_hear_response(peer, 204, NULL);
            assert_string_equal(peer_header(peer, "Access-Control-Max-Age"), "300");
            if (is_allowed) {
                assert_string_equal(peer_header(peer, "Access-Control-Allow-Origin"),
                                    "https://a.example.org");
                assert_string_equal(peer_header(peer, "Access-Control-Allow-Headers"),
                                    "content-type, x-mine");
                assert_string_equal(peer_header(peer, "Access-Control-Allow-Credentials"), "true");
            } else {
                assert_null(peer_header(peer, "Access-Control-Allow-Origin"));
                assert_null(peer_header(peer, "Access-Control-Allow-Headers"));
            }
            peer_hear_nothing(peer); /* And goes on. */
            peer_close(peer);
        }
    }
    struct peer *peer = peer_open(&rig);
    peer_send(peer,
              "GET /connection/uni_sse HTTP/1.1\r\n" HOST "Origin: https://A.example.org\r\n\r\n");
    peer_hear_head(peer, 200);
    assert_string_equal(peer_header(peer, "Access-Control-Allow-Origin"), "https://A.example.org");
    struct peer *other = peer_open(&rig);
    peer_send(other, "GET /connection/init HTTP/1.1\r\n" HOST "Origin: https://evil.org\r\n\r\n");
    peer_hear_response(other, 200, "{}");
    assert_null(peer_header(other, "Access-Control-Allow-Origin"));
    peer_send(other, "GET /connection/uni_websocket HTTP/1.1\r\n" HOST
                     "Origin: https://evil.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    peer_hear_response(other, 403, NULL);
    edge_rig_stop(&rig);
}

/* ---- what streams ---- */

/* One publication, framed for each; two in one turn as well. */
static void everybody_hears_publications_in_the_form_of_its_transport(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    edge_rig_start(&rig);
    struct peer *lines = http_stream_open(&rig, "/connection/http_stream",
                                          CONNECT "\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}",
                                          CONNECTED "\n{\"id\":2,\"subscribe\":{}}\n");
    struct peer *events =
        http_stream_open(&rig, "/connection/sse",
                         CONNECT "\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}",
                         "data: " CONNECTED "\n\ndata: {\"id\":2,\"subscribe\":{}}\n\n");
    struct peer *websocket = peer_open(&rig);
    peer_connect(websocket);
    peer_subscribe(websocket, "c");
    publish(&rig, "c", "[1]");
    peer_hear_bytes(lines, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":[1]}}}\n");
    peer_hear_bytes(events, "data: {\"push\":{\"channel\":\"c\",\"pub\":{\"data\":[1]}}}\n\n");
    peer_hear(websocket, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":[1]}}}");
    peer_say(websocket, "{\"id\":3,\"publish\":{\"channel\":\"c\",\"data\":2}}\n"
                        "{\"id\":4,\"publish\":{\"channel\":\"c\",\"data\":3}}");
    peer_hear_bytes(lines,
                    "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":2,\"info\":{\"user\":\"\","
                    "\"client\":\"<id>\"}}}}\n"
                    "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":3,\"info\":{\"user\":\"\","
                    "\"client\":\"<id>\"}}}}\n");
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(ACCEPTED, TRANSPORT_HTTP_STREAM, 0)), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(INFLIGHT, TRANSPORT_SSE, 0)), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(INFLIGHT, TRANSPORT_WEBSOCKET, 0)), 1);
    edge_rig_stop(&rig);
}

static void protobuf_streams_by_its_lengths(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    edge_rig_start(&rig);
    static const char said[] = CONNECT "\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}";
    struct edge_text body = {0};
    assert_true(edge_text_to_protobuf(&body, span_of_text(said)));
    struct peer *peer = peer_open(&rig);
    peer_put_post(peer, "/connection/http_stream", "application/octet-stream", body.at, body.len);
    edge_rig_settle(&rig);
    free(body.at);
    peer_hear_head(peer, 200);
    assert_string_equal(peer_header(peer, "Content-Type"), "application/octet-stream");
    publish(&rig, "c", "[1]");
    struct edge_text heard = {0};
    edge_text_from_protobuf(&heard, span_of(peer->in.at + peer->heard, peer->in.len - peer->heard));
    peer->heard = peer->in.len;
    assert_true(edge_text_matches(heard.at, CONNECTED
                                  "\n{\"id\":2,\"subscribe\":{}}\n"
                                  "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":[1]}}}"));
    /* A ping that is not answered, and what comes of it. */
    edge_rig_advance(&rig, 33 * 1000);
    heard.len = 0;
    assert_int_equal(peer->in.at[peer->heard++], 0);
    edge_text_from_protobuf(&heard, span_of(peer->in.at + peer->heard, peer->in.len - peer->heard));
    assert_string_equal(heard.at,
                        "{\"push\":{\"disconnect\":{\"code\":3012,\"reason\":\"no pong\"}}}");
    free(heard.at);
    assert_true(peer->has_ended);
    edge_rig_stop(&rig);
}

/* ---- the end ---- */

static void the_end_is_a_push(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    edge_rig_start(&rig);
    struct peer *lines = http_stream_open(&rig, "/connection/http_stream", CONNECT, CONNECTED "\n");
    struct peer *events =
        http_stream_open(&rig, "/connection/uni_sse", "{}", "data: " UNI_CONNECTED "\n\n");
    /* Who has to answer pings and does not is gone; who need not stays. */
    edge_rig_advance(&rig, 33 * 1000);
    peer_hear_bytes(lines,
                    "{}\n{\"push\":{\"disconnect\":{\"code\":3012,\"reason\":\"no pong\"}}}\n");
    peer_hear_end(lines);
    peer_hear_bytes(events, "data: {}\n\n");
    node_stop_begin(rig.node);
    rig.keeps_listening = false;
    for (uint32_t i = 0; i <= rig.options.shards; i++) {
        poller_wake(sim_shard(rig.sim, rig.number, i)->poller);
    }
    edge_rig_settle(&rig);
    peer_hear_bytes(events, "data: {\"disconnect\":{\"code\":3001,\"reason\":\"shutdown\"}}\n\n");
    peer_hear_end(events);
    edge_rig_stop(&rig);
}

/* The peer's end is the session's, and what it says besides is not listened to. */
static void who_goes_is_gone(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    edge_rig_start(&rig);
    struct peer *peer = http_stream_open(&rig, "/connection/http_stream", CONNECT, CONNECTED "\n");
    peer_send(peer, "\r\nGET /health HTTP/1.1\r\n" HOST "\r\n\x81\x85....");
    peer_hear_nothing(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CLIENTS), 1);
    peer_close(peer);
    edge_rig_assert_empty(&rig);
    /* A half-open request pins no more than it has sent, and not for long. */
    struct peer *half = peer_open(&rig);
    peer_send(half,
              "POST /connection/http_stream HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
    peer_send(half, "{\"id\":1,");
    const uint64_t pinned = edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_FALLBACK_BYTES);
    assert_true(pinned > 0 && pinned < 2048);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES), 0);
    edge_rig_advance(&rig, BODY_MS_MAX);
    peer_hear_response(half, 408, NULL);
    edge_rig_stop(&rig);
}

/* ---- memory ---- */

static void streams_beyond_the_memory_limit_get_503(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    rig.options.fallback_memory_limit = 3 * FALLBACK_STREAM_BYTES + 100;
    edge_rig_start(&rig);
    struct peer *first =
        http_stream_open(&rig, "/connection/uni_sse", "{}", "data: " UNI_CONNECTED "\n\n");
    (void)http_stream_open(&rig, "/connection/http_stream", CONNECT, CONNECTED "\n");
    (void)http_stream_open(&rig, "/connection/sse", CONNECT, "data: " CONNECTED "\n\n");
    assert_int_equal(edge_rig_count(&rig, COUNTER_FALLBACK_BYTES), 3 * FALLBACK_STREAM_BYTES);
    struct peer *late = peer_open(&rig);
    peer_post(late, "/connection/http_stream", CONNECT);
    peer_hear_response(late, 503, NULL);
    assert_string_equal(peer_header(late, "Retry-After"), "1");
    peer_hear_end(late);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_FALLBACK_MEMORY), 1);
    /* WebSockets are not meant. */
    peer_connect(peer_open(&rig));
    peer_close(first);
    edge_rig_advance(&rig, 1);
    (void)http_stream_open(&rig, "/connection/http_stream", CONNECT, CONNECTED "\n");
    edge_rig_stop(&rig);
}

/* What waits for slow readers counts, and they have to go when there is no more of it. */
static void slow_readers_share_the_memory_limit(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    rig.socket_buffer_bytes = 2048;
    rig.options.fallback_memory_limit = 2 * FALLBACK_STREAM_BYTES + 20000;
    edge_rig_start(&rig);
    static const char subscribe[] = CONNECT "\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}";
    static const char subscribed[] = CONNECTED "\n{\"id\":2,\"subscribe\":{}}\n";
    struct peer *slow = http_stream_open(&rig, "/connection/http_stream", subscribe, subscribed);
    struct peer *quick = http_stream_open(&rig, "/connection/http_stream", subscribe, subscribed);
    peer_pause(slow, true);
    char data[1003];
    memset(data, 'x', sizeof(data));
    data[0] = data[1001] = '"';
    data[1002] = '\0';
    uint64_t most = 0;
    for (int i = 0; i < 60; i++) {
        publish(&rig, "c", data);
        const uint64_t taken = edge_rig_count(&rig, COUNTER_FALLBACK_BYTES);
        most = taken > most ? taken : most;
    }
    assert_true(most > 2 * FALLBACK_STREAM_BYTES + 10000);
    assert_true(most <= rig.options.fallback_memory_limit + 2000);
    assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3008), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CLIENTS), 1);
    edge_rig_settle(&rig);
    assert_false(quick->has_ended);
    peer_pause(slow, false);
    edge_rig_advance(&rig, 1);
    assert_non_null(strstr(slow->in.at, "{\"push\":{\"disconnect\":{\"code\":3008"));
    assert_true(slow->has_ended);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_opens_its_stream_however_it_is_cut),
        cmocka_unit_test(a_long_query_connects),
        cmocka_unit_test(what_is_switched_off_is_not_found),
        cmocka_unit_test(pages_of_allowed_origins_may_read),
        cmocka_unit_test(everybody_hears_publications_in_the_form_of_its_transport),
        cmocka_unit_test(protobuf_streams_by_its_lengths),
        cmocka_unit_test(the_end_is_a_push),
        cmocka_unit_test(who_goes_is_gone),
        cmocka_unit_test(streams_beyond_the_memory_limit_get_503),
        cmocka_unit_test(slow_readers_share_the_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
