/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP streams that wait for the outcome of connect, and answer by HTTP when nothing comes of it.
 */
#include <stdio.h>

#include "tests/unit/shards/proxy_rig.h"
#include "tests/unit/shards/tokens.h"

#define SECRET "the secret of the tests"
#define ORIGIN "Origin: https://a.example.org\r\n"

static const char *const paths[] = {"/connection/uni_sse", "/connection/uni_http_stream"};
static const enum transport transports[] = {TRANSPORT_UNI_SSE, TRANSPORT_UNI_HTTP_STREAM};

static const struct connect_response responses[] = {
    {CLIENT_ERROR_TOKEN_EXPIRED, 401, "{\"expired\":true}"},
    {CLIENT_DISCONNECT_INVALID_TOKEN, 403, ""},
    {CLIENT_DISCONNECT_STALE, 408, ""},
    {1000, 418, ""},
};

static void prepare(void)
{
    static const char *const origins[] = {"https://*.example.org"};
    proxy_rig_init();
    edge.options.client.insecure = false;
    edge.options.client.token.hmac_secret_key = SECRET;
    edge.options.client.allowed_origins = origins;
    edge.options.client.allowed_origins_len = 1;
    edge.options.connect_proxy = &proxy;
    for (size_t i = 0; i < 2; i++) {
        struct transport_options *options = &edge.options.transports[transports[i]];
        options->enabled = true;
        options->has_connect_responses = true;
        options->connect_responses = responses;
        options->connect_responses_len = sizeof(responses) / sizeof(responses[0]);
    }
}

/* Asks for a stream, and waits for nothing but its own turn. */
static struct peer *ask(const char *path, const char *body)
{
    static char request[4096];
    struct peer *peer = peer_open(&edge);
    (void)snprintf(request, sizeof(request),
                   "POST %s HTTP/1.1\r\nHost: rig\r\n" ORIGIN "Content-Length: %zu\r\n\r\n%s", path,
                   strlen(body), body);
    peer_send(peer, request);
    return peer;
}

static const char *with_token(const char *token)
{
    static char body[TOKEN_SIZE + 64];
    (void)snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
    return body;
}

static void hear_refusal(struct peer *peer, unsigned status, const char *body)
{
    peer_hear_response(peer, status, body);
    assert_string_equal(peer_header(peer, "Connection"), "close");
    assert_string_equal(peer_header(peer, "Access-Control-Allow-Origin"), "https://a.example.org");
    peer_hear_end(peer);
}

static uint64_t answered(enum transport transport, unsigned status)
{
    return edge_rig_count(&edge, COUNTER_OF(HTTP_REQUEST, HTTP_PATH_TRANSPORT + transport,
                                            http_answer_of(HTTP1_POST, status)));
}

static void what_comes_of_connect_is_the_status(void **state)
{
    (void)state;
    prepare();
    proxy_rig_start();
    for (size_t i = 0; i < 2; i++) {
        hear_refusal(ask(paths[i], with_token("x")), 403, "invalid token");
        hear_refusal(ask(paths[i], with_token(token_of(SECRET, "{\"sub\":\"u\",\"exp\":1}"))), 401,
                     "{\"expired\":true}");
        /* Of which nothing is said. */
        hear_refusal(ask(paths[i], with_token(token_of(SECRET, "{\"sub\":\"u\",\"channels\":"
                                                               "[\"unknown:a\"]}"))),
                     500, "Internal Server Error");
        assert_int_equal(answered(transports[i], 401), 1);
        assert_int_equal(answered(transports[i], 403), 1);
        assert_int_equal(answered(transports[i], 500), 1);
        assert_int_equal(answered(transports[i], 200), 0);
    }
    proxy_rig_stop();
}

static void an_answer_waits_for_the_backend(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        unsigned status;
        const char *body;
    } cases[] = {
        {"{\"error\":{\"code\":1000,\"message\":\"not today\"}}", 418, "not today"},
        {"{\"disconnect\":{\"code\":4000,\"reason\":\"go\"}}", 500, "Internal Server Error"},
        {"nonsense", 500, "Internal Server Error"},
    };
    prepare();
    proxy_rig_start();
    for (size_t i = 0; i < 2; i++) {
        for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
            struct peer *peer = ask(paths[i], "{}");
            edge_rig_advance(&edge, 500);
            assert_false(peer_has_news(peer));
            backend_answer(&backend, backend_hear(&backend, NULL), cases[c].answer);
            hear_refusal(peer, cases[c].status, cases[c].body);
        }
        /* One that goes meanwhile is not missed. */
        struct peer *gone = ask(paths[i], "{}");
        (void)backend_hear(&backend, NULL);
        peer_reset(gone);
        edge_rig_settle(&edge);
        struct peer *late = ask(paths[i], "{}");
        (void)backend_hear(&backend, NULL);
        edge_rig_advance(&edge, 20 * 1000);
        peer_hear_response(late, 500, NULL);
    }
    proxy_rig_stop();
}

/* A stream as any other, from its head to the push that ends it. */
static void who_is_let_in_has_a_stream(void **state)
{
    (void)state;
    prepare();
    proxy_rig_start();
    for (size_t i = 0; i < 2; i++) {
        struct peer *peer = ask(paths[i], "{}");
        assert_false(peer_has_news(peer));
        backend_answer(&backend, backend_hear(&backend, NULL), "{\"result\":{\"user\":\"u\"}}");
        edge_rig_settle(&edge);
        peer_hear_head(peer, 200);
        assert_string_equal(peer_header(peer, "Access-Control-Allow-Origin"),
                            "https://a.example.org");
        assert_non_null(strstr(peer->in.at + peer->heard, "{\"connect\":{\"client\":"));
        assert_int_equal(answered(transports[i], 200), 1);
        struct peer *api = peer_open(&edge);
        peer_send(api, "POST /api/disconnect HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                       "Content-Length: 12\r\n\r\n{\"user\":\"u\"}");
        peer_hear_response(api, 200, "{\"result\":{}}");
        edge_rig_settle(&edge);
        assert_non_null(strstr(peer->in.at + peer->heard,
                               "{\"disconnect\":{\"code\":3503,\"reason\":\"force disconnect\"}}"));
        peer_close(peer);
    }
    proxy_rig_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_of_connect_is_the_status),
        cmocka_unit_test(an_answer_waits_for_the_backend),
        cmocka_unit_test(who_is_let_in_has_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
