/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of clients: connect, refresh and subscription tokens, and the check of origins. */
#include "shards/edge/session/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shards/edge/edge.h"
#include "shards/revocations.h"
#include "tests/unit/shards/tokens.h"

enum { NOW_S = 1700000000 };

static const char *const secret = "the secret of the tests";

/* What auth.c looks at of an edge: its options and its clock. */
struct bench {
    struct node_options options;
    struct shard shard;
    struct edge edge;
    uint8_t room[16384];
    struct scratch scratch;
};

static struct bench bench;

static struct client_options *setup(void)
{
    verifier_destroy(&bench.edge.verifiers[KEYS_OF_CONNECTIONS]);
    verifier_destroy(&bench.edge.verifiers[KEYS_OF_SUBSCRIPTIONS]);
    revocations_destroy(bench.edge.revocations);
    memset(&bench, 0, sizeof(bench));
    node_options_init(&bench.options);
    random_init_seeded(&bench.shard.random, 1);
    bench.edge.revocations = revocations_create(1, &bench.shard.random);
    assert_non_null(bench.edge.revocations);
    bench.options.client.token.hmac_secret_key = secret;
    bench.shard.wall_ms = NOW_S * INT64_C(1000) + 999;
    bench.edge.options = &bench.options;
    bench.edge.shard = &bench.shard;
    bench.scratch = scratch_of(bench.room, sizeof(bench.room));
    return &bench.options.client;
}

/* As an edge does it when it is made: tests change options behind setup(). */
static void prepare(void)
{
    const struct client_options *client = &bench.options.client;
    verifier_destroy(&bench.edge.verifiers[KEYS_OF_CONNECTIONS]);
    verifier_destroy(&bench.edge.verifiers[KEYS_OF_SUBSCRIPTIONS]);
    assert_true(verifier_init(&bench.edge.verifiers[KEYS_OF_CONNECTIONS], &client->token,
                              client->insecure_skip_token_signature_verify));
    assert_true(verifier_init(&bench.edge.verifiers[KEYS_OF_SUBSCRIPTIONS],
                              &client->subscription_token,
                              client->insecure_skip_token_signature_verify));
    bench.scratch = scratch_of(bench.room, sizeof(bench.room));
}

static struct auth_result connect(const char *token, const char *header)
{
    const struct client_connect_request request = {.token = span_of_text(token)};
    prepare();
    return auth_connect(&bench.edge, NULL, &request, span_of_text(header), &bench.scratch);
}

static void assert_user(struct auth_result result, const char *user)
{
    assert_int_equal(result.disconnect, 0);
    assert_int_equal(result.error, 0);
    assert_true(span_equal(result.user, span_of_text(user)));
}

static void assert_disconnect(struct auth_result result, uint32_t code)
{
    assert_int_equal(result.disconnect, code);
    assert_int_equal(result.error, 0);
}

static void assert_error(struct auth_result result, uint32_t code)
{
    assert_int_equal(result.disconnect, 0);
    assert_int_equal(result.error, code);
}

/* ---- connect ---- */

static void a_token_names_its_user(void **state)
{
    (void)state;
    (void)setup();
    struct auth_result who = connect(token_of(secret, "{\"sub\":\"42\"}"), "");
    assert_user(who, "42");
    assert_int_equal(who.expire_at_s, 0);
    assert_true(span_is_empty(who.info));
    who = connect(token_of(secret, "{\"sub\":\"42\",\"exp\":%d,\"info\":{\"a\":1}}", NOW_S + 10),
                  "someone else");
    assert_user(who, "42");
    assert_int_equal(who.expire_at_s, NOW_S + 10);
    assert_true(span_equal(who.info, SPAN_LITERAL("{\"a\":1}")));
    assert_user(connect(token_of(secret, "{}"), ""), "");
}

static void a_bad_token_is_3500_and_an_old_one_109(void **state)
{
    (void)state;
    (void)setup();
    assert_error(connect(token_of(secret, "{\"exp\":%d}", NOW_S), ""), 109);
    assert_error(connect(token_of(secret, "{\"exp\":%d}", NOW_S - 1), ""), 109);
    assert_error(connect(token_of(secret, "{\"exp\":1}"), ""), 109);
    assert_error(connect(token_of(secret, "{\"nbf\":%d}", NOW_S + 1), ""), 109);
    assert_user(connect(token_of(secret, "{\"nbf\":%d}", NOW_S), ""), "");
    assert_disconnect(connect(token_of("another", "{\"sub\":\"42\"}"), ""), 3500);
    /* Forged and old: it learns that it is forged. */
    assert_disconnect(connect(token_of("another", "{\"exp\":1}"), ""), 3500);
    assert_disconnect(connect("nonsense", ""), 3500);
    assert_disconnect(connect("a.b.c", ""), 3500);
    assert_disconnect(connect(token_of(secret, "[]"), ""), 3500);
    assert_disconnect(connect(token_of(secret, "{\"sub\":42}"), ""), 3500);
    /* A subscription token is none for a connection, whatever its channel is. */
    assert_disconnect(connect(token_of(secret, "{\"channel\":\"c\"}"), ""), 3500);
    assert_disconnect(connect(token_of(secret, "{\"channel\":\"\"}"), ""), 3500);
    /* {"alg":"none"} without a signature. */
    assert_disconnect(connect("eyJhbGciOiJub25lIn0.e30.", ""), 3500);
}

static void without_a_key_every_token_is_invalid(void **state)
{
    (void)state;
    struct client_options *client = setup();
    client->token.hmac_secret_key = "";
    client->insecure = true; /* Does not make a bad token a good one. */
    assert_disconnect(connect(token_of("", "{\"sub\":\"42\"}"), ""), 3500);
    client->insecure_skip_token_signature_verify = true;
    assert_user(connect(token_of("any", "{\"sub\":\"42\"}"), ""), "42");
}

static void the_previous_key_holds_until_its_time(void **state)
{
    (void)state;
    struct client_options *client = setup();
    client->token.hmac_previous_secret_key = "before";
    client->token.hmac_previous_secret_key_valid_until_s = NOW_S;
    assert_user(connect(token_of("before", "{\"sub\":\"42\"}"), ""), "42");
    client->token.hmac_previous_secret_key_valid_until_s = NOW_S - 1;
    assert_disconnect(connect(token_of("before", "{\"sub\":\"42\"}"), ""), 3500);
}

static void audience_issuer_and_user_claim_are_configured(void **state)
{
    (void)state;
    struct client_options *client = setup();
    client->token.audience = "roost";
    client->token.issuer = "me";
    client->token.user_id_claim = "uid";
    assert_user(connect(token_of(secret,
                                 "{\"aud\":[\"x\",\"roost\"],\"iss\":\"me\",\"uid\":\"7\"}"),
                        ""),
                "7");
    assert_disconnect(connect(token_of(secret, "{\"aud\":\"x\",\"iss\":\"me\"}"), ""), 3500);
    assert_disconnect(connect(token_of(secret, "{\"aud\":\"roost\",\"iss\":\"you\"}"), ""), 3500);
    assert_disconnect(connect(token_of(secret, "{\"iss\":\"me\"}"), ""), 3500);
}

static void anonymous_tokens_can_be_disallowed(void **state)
{
    (void)state;
    struct client_options *client = setup();
    client->disallow_anonymous_connection_tokens = true;
    assert_disconnect(connect(token_of(secret, "{}"), ""), 3507);
    assert_disconnect(connect(token_of(secret, "{\"sub\":\"\"}"), ""), 3507);
    assert_user(connect(token_of(secret, "{\"sub\":\"1\"}"), ""), "1");
}

static void expire_at_has_its_own_say(void **state)
{
    (void)state;
    struct client_options *client = setup();
    /* 0: the connection never ends, while exp still guards the token. */
    struct auth_result who =
        connect(token_of(secret, "{\"exp\":%d,\"expire_at\":0}", NOW_S + 5), "");
    assert_user(who, "");
    assert_int_equal(who.expire_at_s, 0);
    assert_error(connect(token_of(secret, "{\"exp\":%d,\"expire_at\":0}", NOW_S - 5), ""), 109);
    who = connect(token_of(secret, "{\"exp\":%d,\"expire_at\":%d}", NOW_S + 5, NOW_S + 50), "");
    assert_int_equal(who.expire_at_s, NOW_S + 50);
    assert_error(connect(token_of(secret, "{\"expire_at\":%d}", NOW_S), ""), 110);
    assert_error(connect(token_of(secret, "{\"expire_at\":-1}"), ""), 110);
    client->insecure = true;
    who = connect(token_of(secret, "{\"expire_at\":%d}", NOW_S), "");
    assert_user(who, "");
    assert_int_equal(who.expire_at_s, 0);
}

static void without_a_token_options_decide(void **state)
{
    (void)state;
    struct client_options *client = setup();
    assert_disconnect(connect("", ""), 3501);
    assert_user(connect("", "header"), "header");
    client->allow_anonymous_connect_without_token = true;
    assert_user(connect("", ""), "");
    assert_user(connect("", "header"), "");
    client->allow_anonymous_connect_without_token = false;
    client->insecure = true;
    assert_user(connect("", ""), "");
}

static void a_user_id_has_a_limit(void **state)
{
    (void)state;
    (void)setup();
    char id[USER_ID_LEN_MAX + 2];
    memset(id, 'u', sizeof(id));
    id[USER_ID_LEN_MAX + 1] = '\0';
    assert_disconnect(connect(token_of(secret, "{\"sub\":\"%s\"}", id), ""), 3500);
    assert_user(connect(token_of(secret, "{\"sub\":\"%s\"}", id + 1), ""), id + 1);
}

/* ---- refresh ---- */

static struct auth_result refresh(const char *token, const char *user)
{
    prepare();
    return auth_refresh(&bench.edge, NULL, span_of_text(token), span_of_text(user), &bench.scratch);
}

static void a_refresh_is_for_the_same_user(void **state)
{
    (void)state;
    (void)setup();
    const struct auth_result who =
        refresh(token_of(secret, "{\"sub\":\"42\",\"exp\":%d,\"info\":1}", NOW_S + 9), "42");
    assert_user(who, "42");
    assert_int_equal(who.expire_at_s, NOW_S + 9);
    assert_true(span_equal(who.info, SPAN_LITERAL("1")));
    assert_user(refresh(token_of(secret, "{}"), ""), "");
    assert_disconnect(refresh("", "42"), 3501);
    assert_disconnect(refresh(token_of(secret, "{\"sub\":\"43\"}"), "42"), 3500);
    assert_disconnect(refresh(token_of(secret, "{}"), "42"), 3500);
    assert_disconnect(refresh(token_of("another", "{\"sub\":\"42\"}"), "42"), 3500);
    assert_disconnect(refresh("nonsense", "42"), 3500);
    assert_disconnect(refresh(token_of(secret, "{\"sub\":\"42\",\"exp\":%d}", NOW_S), "42"), 3005);
    assert_disconnect(refresh(token_of(secret, "{\"sub\":\"42\",\"expire_at\":%d}", NOW_S), "42"),
                      3005);
}

/* ---- subscription tokens ---- */

static const uint8_t client_id[CLIENT_ID_LEN] = {0xab, 1, 2, 3};
static const char client_text[] = "ab010203-0000-0000-0000-000000000000";

static struct auth_subscription subscribe(const char *token, const char *channel, const char *user)
{
    struct buf *id = buf_copy(user, strlen(user));
    assert_non_null(id);
    struct local_user local = {.id = id};
    struct session_account account = {.user = user[0] == '\0' ? NULL : &local};
    struct session session = {.account = &account};
    memcpy(session.client_id, client_id, sizeof(client_id));
    prepare();
    const struct auth_subscription result =
        auth_subscribe(&bench.edge, span_of_text(token), span_of_text(channel), &session,
                       &bench.scratch);
    buf_release(id);
    return result;
}

static void assert_grant(struct auth_subscription grant, uint32_t error, uint32_t disconnect)
{
    assert_int_equal(grant.error, error);
    assert_int_equal(grant.disconnect, disconnect);
}

static void a_subscription_token_fits_channel_user_and_client(void **state)
{
    (void)state;
    (void)setup();
    struct auth_subscription grant =
        subscribe(token_of(secret,
                           "{\"sub\":\"42\",\"channel\":\"$c\",\"exp\":%d,\"info\":{},\"data\":[1],"
                           "\"client\":\"%s\"}",
                           NOW_S + 3, client_text),
                  "$c", "42");
    assert_grant(grant, 0, 0);
    assert_int_equal(grant.expire_at_s, NOW_S + 3);
    assert_true(span_equal(grant.info, SPAN_LITERAL("{}")));
    assert_true(span_equal(grant.data, SPAN_LITERAL("[1]")));
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\"}"), "c", ""), 0, 0);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"d\"}"), "c", ""), 0, 3500);
    assert_grant(subscribe(token_of(secret, "{}"), "c", ""), 0, 3500);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\"}"), "c", "42"), 0, 3500);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\",\"sub\":\"42\"}"), "c", ""), 0,
                 3500);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\",\"client\":\"%s\"}", "x"), "c", ""),
                 0, 3500);
}

static void a_bad_subscription_token_is_103_and_an_old_one_109(void **state)
{
    (void)state;
    (void)setup();
    assert_grant(subscribe("nonsense", "c", ""), 103, 0);
    assert_grant(subscribe(token_of("another", "{\"channel\":\"c\"}"), "c", ""), 103, 0);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\",\"exp\":%d}", NOW_S), "c", ""), 109,
                 0);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\",\"expire_at\":%d}", NOW_S), "c",
                           ""),
                 110, 0);
    assert_int_equal(subscribe(token_of(secret, "{\"channel\":\"c\",\"exp\":%d,\"expire_at\":0}",
                                        NOW_S + 1),
                               "c", "")
                         .expire_at_s,
                     0);
}

static void subscription_tokens_can_have_keys_of_their_own(void **state)
{
    (void)state;
    struct client_options *client = setup();
    client->subscription_token.hmac_secret_key = "sub";
    assert_grant(subscribe(token_of("sub", "{\"channel\":\"c\"}"), "c", ""), 103, 0);
    client->subscription_token_enabled = true;
    assert_grant(subscribe(token_of("sub", "{\"channel\":\"c\"}"), "c", ""), 0, 0);
    assert_grant(subscribe(token_of(secret, "{\"channel\":\"c\"}"), "c", ""), 103, 0);
}

/* ---- the rest ---- */

static void a_ttl_is_what_is_left_and_at_most_a_year(void **state)
{
    (void)state;
    (void)setup();
    assert_int_equal(auth_ttl_s(&bench.edge, NOW_S + 1), 1);
    assert_int_equal(auth_ttl_s(&bench.edge, NOW_S), 0);
    assert_int_equal(auth_ttl_s(&bench.edge, 1), 0);
    assert_int_equal(auth_ttl_s(&bench.edge, INT64_MIN / 2), 0);
    assert_int_equal(auth_ttl_s(&bench.edge, INT64_MAX), 365 * 24 * 3600);
}

static void origins_are_patterns_in_lower_case(void **state)
{
    (void)state;
    static const char *const patterns[] = {"https://example.com", "http://*.local:3000"};
    struct client_options *client = setup();
    assert_false(auth_origin_is_allowed(client, SPAN_LITERAL("https://example.com")));
    client->allowed_origins = patterns;
    client->allowed_origins_len = 2;
    assert_true(auth_origin_is_allowed(client, SPAN_LITERAL("https://example.com")));
    assert_true(auth_origin_is_allowed(client, SPAN_LITERAL("HTTPS://Example.COM")));
    assert_true(auth_origin_is_allowed(client, SPAN_LITERAL("http://a.b.local:3000")));
    assert_false(auth_origin_is_allowed(client, SPAN_LITERAL("http://example.com")));
    assert_false(auth_origin_is_allowed(client, SPAN_LITERAL("https://example.com.evil.org")));
    assert_false(
        auth_origin_is_allowed(client, SPAN_LITERAL("https://evil.org/https://example.com")));
    assert_false(auth_origin_is_allowed(client, SPAN_LITERAL("null")));
    assert_false(auth_origin_is_allowed(client, SPAN_EMPTY));
    char text[600];
    memset(text, 'a', sizeof(text));
    static const char *const any[] = {"*"};
    client->allowed_origins = any;
    client->allowed_origins_len = 1;
    assert_true(auth_origin_is_allowed(client, span_of(text, 512)));
    assert_false(auth_origin_is_allowed(client, span_of(text, 513)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_its_user),
        cmocka_unit_test(a_bad_token_is_3500_and_an_old_one_109),
        cmocka_unit_test(without_a_key_every_token_is_invalid),
        cmocka_unit_test(the_previous_key_holds_until_its_time),
        cmocka_unit_test(audience_issuer_and_user_claim_are_configured),
        cmocka_unit_test(anonymous_tokens_can_be_disallowed),
        cmocka_unit_test(expire_at_has_its_own_say),
        cmocka_unit_test(without_a_token_options_decide),
        cmocka_unit_test(a_user_id_has_a_limit),
        cmocka_unit_test(a_refresh_is_for_the_same_user),
        cmocka_unit_test(a_subscription_token_fits_channel_user_and_client),
        cmocka_unit_test(a_bad_subscription_token_is_103_and_an_old_one_109),
        cmocka_unit_test(subscription_tokens_can_have_keys_of_their_own),
        cmocka_unit_test(a_ttl_is_what_is_left_and_at_most_a_year),
        cmocka_unit_test(origins_are_patterns_in_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
