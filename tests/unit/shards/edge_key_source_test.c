/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets of an identity provider: fetched when a token needs one, while its command waits. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/codec/jwt_signer.h"
#include "tests/unit/shards/backend_rig.h"

static struct edge_rig rig;
static struct backend_rig provider;

static void start(void)
{
    edge_rig_init(&rig, 1);
    rig.options.client.insecure = false;
    rig.options.without_namespace.allow_subscribe_for_client = false;
    backend_rig_init(&provider, &rig);
    rig.options.endpoints = &provider.endpoint;
    rig.options.endpoints_len = 1;
    rig.options.client.token.has_jwks_endpoint = true;
    edge_rig_start(&rig);
    backend_rig_start(&provider);
}

static void stop(void)
{
    backend_rig_stop(&provider);
    edge_rig_stop(&rig);
}

static const char *set_of(const char *kid, enum signer_kind kind)
{
    static char set[SIGNER_TEXT_SIZE];
    snprintf(set, sizeof(set), "{\"keys\":[{\"kid\":\"%s\",%s}]}", kid, signer_jwk(kind));
    return set;
}

static const char *token(const char *kid, enum signer_kind kind, const char *claims)
{
    char header[128];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}",
             kind == SIGNER_ED25519 ? "EdDSA" : "ES256", kid);
    return signer_token(kind, kind == SIGNER_ED25519 ? JWT_EDDSA : JWT_ES256, header, claims);
}

static struct peer *connect_with(const char *with)
{
    struct peer *peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}", with);
    return peer;
}

static void hear_connected(struct peer *peer)
{
    peer_hear_frame(peer, 0x81);
    if (strstr(peer->message.at, "\"connect\":{\"client\"") == NULL) {
        fail_msg("heard %s", peer->message.at);
    }
}

static void many_wait_for_one_request(void **state)
{
    (void)state;
    struct peer *peers[20];
    start();
    for (size_t i = 0; i < 20; i++) {
        peers[i] = connect_with(token("a", SIGNER_ED25519, "{\"sub\":\"u\"}"));
        peer_hear_nothing(peers[i]);
    }
    const uint32_t at = backend_hear(&provider, "");
    assert_non_null(strstr(provider.head.at, "GET /"));
    assert_null(strstr(provider.head.at, "Content-Length"));
    backend_hears_nothing(&provider);
    backend_answer(&provider, at, set_of("a", SIGNER_ED25519));
    for (size_t i = 0; i < 20; i++) {
        hear_connected(peers[i]);
    }
    /* It is kept. */
    hear_connected(connect_with(token("a", SIGNER_ED25519, "{\"sub\":\"v\"}")));
    backend_hears_nothing(&provider);
    assert_int_equal(edge_rig_count(&rig, COUNTER_TOKEN_KEY_SETS), 1);
    stop();
}

static void a_key_that_is_in_no_set_costs_one_request(void **state)
{
    (void)state;
    start();
    struct peer *peer = connect_with(token("a", SIGNER_ED25519, "{}"));
    backend_answer(&provider, backend_hear(&provider, ""), set_of("b", SIGNER_ED25519));
    peer_hear_close(peer, 3500, "invalid token");
    for (int i = 0; i < 10; i++) {
        char kid[32];
        snprintf(kid, sizeof(kid), "made-up-%d", i);
        peer_hear_close(connect_with(token(kid, SIGNER_ED25519, "{}")), 3500, "invalid token");
    }
    backend_hears_nothing(&provider);
    /* The provider has changed its key since. */
    edge_rig_advance(&rig, KEY_SET_REFETCH_MS);
    peer = connect_with(token("c", SIGNER_P256, "{}"));
    backend_answer(&provider, backend_hear(&provider, ""), set_of("c", SIGNER_P256));
    hear_connected(peer);
    /* And the old one is gone. */
    peer_hear_close(connect_with(token("b", SIGNER_ED25519, "{}")), 3500, "invalid token");
    stop();
}

static void a_provider_that_fails_is_an_error_to_try_again(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n",
        "HTTP/1.1 404 No\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}",
        "nonsense\r\n\r\n",
    };
    start();
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct peer *peer = connect_with(token("a", SIGNER_ED25519, "{}"));
        backend_say(&provider, backend_hear(&provider, ""), answers[i]);
        edge_rig_advance(&rig, i == 2 ? KEY_SET_TIMEOUT_MS : 0);
        peer_hear(peer, "{\"id\":1,\"error\":{\"code\":100,\"message\":\"internal server error\","
                        "\"temporary\":true}}");
        /* Not again at once. */
        peer_hear(connect_with(token("a", SIGNER_ED25519, "{}")),
                  "{\"id\":1,\"error\":{\"code\":100,\"message\":\"internal server error\","
                  "\"temporary\":true}}");
        backend_hears_nothing(&provider);
        edge_rig_advance(&rig, KEY_SET_RETRY_MS);
    }
    struct peer *peer = connect_with(token("a", SIGNER_ED25519, "{}"));
    backend_answer(&provider, backend_hear(&provider, ""), set_of("a", SIGNER_ED25519));
    hear_connected(peer);
    /* What was had once stays in force. */
    edge_rig_advance(&rig, KEY_SET_REFRESH_MS);
    backend_say(&provider, backend_hear(&provider, ""), answers[0]);
    edge_rig_settle(&rig);
    hear_connected(connect_with(token("a", SIGNER_ED25519, "{}")));
    /* And is asked for again, used or not. */
    edge_rig_advance(&rig, KEY_SET_REFETCH_MS);
    backend_answer(&provider, backend_hear(&provider, ""), set_of("d", SIGNER_ED25519));
    edge_rig_settle(&rig);
    peer_hear_close(connect_with(token("a", SIGNER_ED25519, "{}")), 3500, "invalid token");
    assert_int_equal(edge_rig_count(&rig, COUNTER_TOKEN_KEY_SETS_FAILED), 6);
    stop();
}

/* The commands behind it wait too, and keep their order. */
static void subscriptions_wait_as_connections_do(void **state)
{
    (void)state;
    start();
    struct peer *peer = connect_with(token("a", SIGNER_ED25519, "{\"sub\":\"u\"}"));
    backend_answer(&provider, backend_hear(&provider, ""), set_of("a", SIGNER_ED25519));
    hear_connected(peer);
    edge_rig_advance(&rig, KEY_SET_REFETCH_MS);
    peer_say(peer,
             "{\"id\":2,\"subscribe\":{\"channel\":\"c\",\"token\":\"%s\"}}\n"
             "{\"id\":3,\"unsubscribe\":{\"channel\":\"c\"}}",
             token("b", SIGNER_ED25519, "{\"sub\":\"u\",\"channel\":\"c\"}"));
    const uint32_t at = backend_hear(&provider, "");
    peer_hear_nothing(peer);
    backend_answer(&provider, at, set_of("b", SIGNER_ED25519));
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
    peer_say(peer, "{\"id\":4,\"subscribe\":{\"channel\":\"c\",\"token\":\"%s\"}}",
             token("x", SIGNER_ED25519, "{\"sub\":\"u\",\"channel\":\"c\"}"));
    peer_hear(peer, "{\"id\":4,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    peer_say(peer, "{\"id\":5,\"refresh\":{\"token\":\"%s\"}}",
             token("b", SIGNER_ED25519, "{\"sub\":\"u\"}"));
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"refresh\":{"));
    stop();
}

static void who_goes_waits_no_more(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        peer_reset(connect_with(token("a", SIGNER_ED25519, "{}")));
    }
    struct peer *peer = connect_with(token("a", SIGNER_ED25519, "{}"));
    const uint32_t at = backend_hear(&provider, "");
    backend_answer(&provider, at, set_of("a", SIGNER_ED25519));
    hear_connected(peer);
    edge_rig_advance(&rig, KEY_SET_REFETCH_MS);
    (void)connect_with(token("b", SIGNER_ED25519, "{}")); /* The node ends while it waits. */
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_wait_for_one_request),
        cmocka_unit_test(a_key_that_is_in_no_set_costs_one_request),
        cmocka_unit_test(a_provider_that_fails_is_an_error_to_try_again),
        cmocka_unit_test(subscriptions_wait_as_connections_do),
        cmocka_unit_test(who_goes_waits_no_more),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
