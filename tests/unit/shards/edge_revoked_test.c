/* SPDX-License-Identifier: Apache-2.0 */
/* Revoked tokens and blocked users: who has to go, and who may not come. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

enum { SHARDS = 3 };

static const char *const secret = "the secret of the tests";
static struct edge_rig rig;

static void prepare(void)
{
    edge_rig_init(&rig, SHARDS);
    rig.options.client.insecure = false;
    rig.options.client.token.hmac_secret_key = secret;
    edge_rig_start(&rig);
}

static void call(const char *method, const char *body, const char *answer)
{
    char request[1024];
    struct peer *peer = peer_open(&rig);
    snprintf(request, sizeof(request),
             "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\nContent-Length: "
             "%zu\r\n\r\n%s",
             method, strlen(body), body);
    peer_send(peer, request);
    peer_hear_response(peer, 200, answer);
    peer_close(peer);
}

static void revoke(const char *method, const char *body)
{
    call(method, body, "{\"result\":{}}");
}

static struct peer *connect_with(uint32_t shard, const char *claims)
{
    struct peer *peer = peer_open_at(&rig, shard);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}", token_of(secret, "%s", claims));
    return peer;
}

static struct peer *connected_with(uint32_t shard, const char *claims)
{
    struct peer *peer = connect_with(shard, claims);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"client\""));
    return peer;
}

static void subscribe_with(struct peer *peer, const char *command, const char *claims)
{
    peer_say(peer, "{\"id\":2,\"%s\":{\"channel\":\"a\",\"token\":\"%s\"}}", command,
             token_of(secret, "%s", claims));
}

/* On whichever shard they are, and however many. */
static void a_revoked_token_ends_its_connections(void **state)
{
    (void)state;
    prepare();
    enum { EACH = 20 };
    struct peer *peers[SHARDS][EACH];
    struct peer *others[SHARDS];
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        for (int i = 0; i < EACH; i++) {
            peers[shard][i] =
                connected_with(shard, i % 2 == 0 ? "{\"sub\":\"ann\",\"jti\":\"t-1\"}"
                                                 : "{\"sub\":\"\",\"jti\":\"t-1\",\"iat\":5}");
        }
        others[shard] = connected_with(shard, "{\"sub\":\"ann\",\"jti\":\"t-2\"}");
    }
    revoke("revoke_token", "{\"uid\":\"t-1\"}");
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        for (int i = 0; i < EACH; i++) {
            peer_hear_close(peers[shard][i], 3500, "invalid token");
        }
        peer_hear_nothing(others[shard]);
        peer_hear_close(connect_with(shard, "{\"sub\":\"ben\",\"jti\":\"t-1\"}"), 3500,
                        "invalid token");
        connected_with(shard, "{\"sub\":\"ann\"}");
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOKED_CONNECTIONS_ENDED), SHARDS * EACH);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOKED_TOKENS_REFUSED), SHARDS);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOCATIONS), 1);
    edge_rig_stop(&rig);
}

/* A connection is its newest token's. */
static void a_refresh_brings_another_token(void **state)
{
    (void)state;
    prepare();
    struct peer *peer = connected_with(0, "{\"sub\":\"ann\",\"jti\":\"old\"}");
    peer_say(peer, "{\"id\":2,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"jti\":\"new\"}"));
    peer_hear_frame(peer, 0x81);
    revoke("revoke_token", "{\"uid\":\"old\"}");
    peer_hear_nothing(peer);
    struct peer *other = connected_with(1, "{\"sub\":\"ann\",\"jti\":\"other\"}");
    peer_say(other, "{\"id\":2,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"jti\":\"old\"}"));
    peer_hear_close(other, 3500, "invalid token");
    revoke("revoke_token", "{\"uid\":\"new\"}");
    peer_hear_close(peer, 3500, "invalid token");
    edge_rig_stop(&rig);
}

static void a_users_older_tokens_are_invalidated(void **state)
{
    (void)state;
    prepare();
    struct peer *older = connected_with(0, "{\"sub\":\"ann\",\"iat\":999}");
    struct peer *undated = connected_with(1, "{\"sub\":\"ann\"}");
    struct peer *newer = connected_with(2, "{\"sub\":\"ann\",\"iat\":1000}");
    struct peer *ben = connected_with(0, "{\"sub\":\"ben\",\"iat\":999}");
    revoke("invalidate_user_tokens", "{\"user\":\"ann\",\"issued_before\":1000}");
    peer_hear_close(older, 3500, "invalid token");
    peer_hear_close(undated, 3500, "invalid token");
    peer_hear_nothing(newer);
    peer_hear_nothing(ben);
    peer_hear_close(connect_with(2, "{\"sub\":\"ann\",\"iat\":999}"), 3500, "invalid token");
    connected_with(2, "{\"sub\":\"ann\",\"iat\":1001}");
    /* Without a time it is that of the call; it never goes back. */
    revoke("invalidate_user_tokens", "{\"user\":\"ann\"}");
    peer_hear_close(newer, 3500, "invalid token");
    revoke("invalidate_user_tokens", "{\"user\":\"ann\",\"issued_before\":7}");
    peer_hear_close(connect_with(2, "{\"sub\":\"ann\",\"iat\":5000}"), 3500, "invalid token");
    edge_rig_stop(&rig);
}

/* The client is told to subscribe again, for which it gets itself another token. */
static void a_revoked_subscription_token_ends_its_subscriptions(void **state)
{
    (void)state;
    prepare();
    static const struct {
        const char *method;
        const char *body;
    } rows[] = {
        {"revoke_token", "{\"uid\":\"s-1\"}"},
        {"invalidate_user_tokens", "{\"user\":\"ann\",\"issued_before\":10,\"channel\":\"a\"}"},
    };
    static const char claims[] =
        "{\"sub\":\"ann\",\"channel\":\"a\",\"jti\":\"s-1\",\"iat\":9,\"expire_at\":9999999999}";
    static const char better[] =
        "{\"sub\":\"ann\",\"channel\":\"a\",\"jti\":\"s-2\",\"iat\":10,\"expire_at\":9999999999}";
    for (int row = 0; row < 2; row++) {
        struct peer *peer = connected_with(0, "{\"sub\":\"ann\",\"iat\":9}");
        struct peer *kept = connected_with(1, "{\"sub\":\"ann\",\"iat\":9}");
        subscribe_with(peer, "subscribe", claims);
        peer_hear_frame(peer, 0x81);
        subscribe_with(kept, "subscribe", claims);
        peer_hear_frame(kept, 0x81);
        subscribe_with(kept, "sub_refresh", better);
        peer_hear_frame(kept, 0x81);
        revoke(rows[row].method, rows[row].body);
        peer_hear(peer, "{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2502,\"reason\":"
                        "\"state invalidated\"}}}");
        subscribe_with(peer, "subscribe", claims);
        peer_hear(peer, "{\"id\":2,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
        subscribe_with(peer, "subscribe", better);
        peer_hear_frame(peer, 0x81);
        peer_hear_nothing(kept);
        subscribe_with(kept, "sub_refresh", claims);
        peer_hear_close(kept, 3500, "invalid token");
        peer_close(peer);
        /* Another table. */
        edge_rig_stop(&rig);
        prepare();
    }
    edge_rig_stop(&rig);
}

static void a_blocked_user_is_kept_out(void **state)
{
    (void)state;
    prepare();
    struct peer *ann = connected_with(0, "{\"sub\":\"ann\"}");
    struct peer *also = connected_with(2, "{\"sub\":\"ann\"}");
    struct peer *ben = connected_with(0, "{\"sub\":\"ben\"}");
    revoke("block_user", "{\"user\":\"ann\"}");
    peer_hear_close(ann, 3507, "permission denied");
    peer_hear_close(also, 3507, "permission denied");
    peer_hear_nothing(ben);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        peer_hear_close(connect_with(shard, "{\"sub\":\"ann\"}"), 3507, "permission denied");
    }
    edge_rig_advance(&rig, 1);
    revoke("unblock_user", "{\"user\":\"ann\"}");
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        connected_with(shard, "{\"sub\":\"ann\"}");
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOKED_USERS_ENDED), 2);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOKED_USERS_REFUSED), 3);
    edge_rig_stop(&rig);
}

static void what_is_revoked_may_expire(void **state)
{
    (void)state;
    prepare();
    char body[128];
    const long long end_s = edge_rig_now_s(&rig) + 30;
    snprintf(body, sizeof(body), "{\"uid\":\"t\",\"expire_at\":%lld}", end_s);
    revoke("revoke_token", body);
    snprintf(body, sizeof(body), "{\"user\":\"ben\",\"expire_at\":%lld}", end_s);
    revoke("block_user", body);
    peer_hear_close(connect_with(1, "{\"sub\":\"ann\",\"jti\":\"t\"}"), 3500, "invalid token");
    peer_hear_close(connect_with(1, "{\"sub\":\"ben\"}"), 3507, "permission denied");
    edge_rig_advance(&rig, 30 * 1000);
    connected_with(1, "{\"sub\":\"ann\",\"jti\":\"t\"}");
    connected_with(1, "{\"sub\":\"ben\"}");
    edge_rig_advance(&rig, 90 * 1000);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOCATIONS), 0);
    edge_rig_stop(&rig);
}

static void requests_are_checked(void **state)
{
    (void)state;
    static const char *const namespaces[] = {""};
    static const struct api_key_options limited = {.key = "limited-key",
                                                   .namespaces = namespaces,
                                                   .namespaces_len = 1};
    edge_rig_init(&rig, SHARDS);
    rig.options.http_api.keys = &limited;
    rig.options.http_api.keys_len = 1;
    edge_rig_start(&rig);
    static const struct {
        const char *method;
        const char *body;
    } rows[] = {
        {"revoke_token", "{}"},
        {"revoke_token", "{\"user\":\"ann\"}"},
        {"revoke_token", "{\"uid\":\"t\",\"expire_at\":5}"},
        {"revoke_token", "{\"uid\":\"t\",\"expire_at\":-5}"},
        {"invalidate_user_tokens", "{\"uid\":\"t\"}"},
        {"invalidate_user_tokens", "{\"user\":\"ann\",\"issued_before\":-1}"},
        {"block_user", "{\"user\":\"\"}"},
        {"unblock_user", "{}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        call(rows[i].method, rows[i].body,
             "{\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    }
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "POST /api/block_user HTTP/1.1\r\nHost: rig\r\nX-API-Key: limited-key\r\n"
                    "Content-Length: 14\r\n\r\n{\"user\":\"ann\"}");
    peer_hear_response(peer, 200, "{\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    call("batch", "{\"commands\":[{\"block_user\":{\"user\":\"ann\"}},{\"unblock_user\":{}}]}",
         "{\"replies\":[{\"block_user\":{}},{\"error\":{\"code\":107,\"message\":\"bad "
         "request\"}}]}");
    assert_int_equal(edge_rig_count(&rig, COUNTER_REVOCATIONS), 1);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revoked_token_ends_its_connections),
        cmocka_unit_test(a_refresh_brings_another_token),
        cmocka_unit_test(a_users_older_tokens_are_invalidated),
        cmocka_unit_test(a_revoked_subscription_token_ends_its_subscriptions),
        cmocka_unit_test(a_blocked_user_is_kept_out),
        cmocka_unit_test(what_is_revoked_may_expire),
        cmocka_unit_test(requests_are_checked),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
