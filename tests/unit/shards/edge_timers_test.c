/* SPDX-License-Identifier: Apache-2.0 */
/* Every deadline of a connection and its session, to the millisecond, under the fake clock. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

static const char *const secret = "secret";

static void open_rig(struct edge_rig *rig)
{
    edge_rig_init(rig, 2);
    rig->options.client.insecure = false;
    rig->options.client.allow_anonymous_connect_without_token = true;
    rig->options.client.token.hmac_secret_key = secret;
    rig->options.without_namespace.allow_subscribe_for_client = true;
    rig->options.without_namespace.allow_subscribe_for_anonymous = true;
    rig->options.echo.enabled = true;
    edge_rig_start(rig);
}

/* Nothing until a millisecond before, then it happens. */
static void wait_for(struct peer *peer, uint64_t ms)
{
    edge_rig_advance(peer->rig, ms - 1);
    peer_hear_nothing(peer);
    edge_rig_advance(peer->rig, 1);
}

/* ---- before the session ---- */

static void a_peer_that_says_nothing_is_closed(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    wait_for(peer, HEAD_MS_MAX);
    peer_hear_end(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_HEAD_TIMEOUT), 1);
    edge_rig_stop(&rig);
}

/* The head's time runs from its first byte, and bytes do not renew it. */
static void a_head_that_dribbles_is_closed(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    edge_rig_advance(&rig, 5000);
    static const char head[] = "GET /connection/websocket HTTP/1.1\r\n";
    uint64_t waited = 0;
    for (size_t i = 0; waited < HEAD_MS_MAX; i++) {
        assert_false(peer->has_ended);
        peer_put(peer, head + i, 1);
        edge_rig_advance(&rig, 1000);
        waited += 1000;
    }
    peer_hear_end(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_HEAD_TIMEOUT), 1);
    edge_rig_stop(&rig);
}

static void a_kept_connection_may_be_silent_for_a_minute(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    for (int i = 0; i < 2; i++) {
        edge_rig_advance(&rig, HEAD_MS_MAX - 1);
        peer_send(peer, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
        peer_hear_response(peer, 200, "{}");
        edge_rig_advance(&rig, HTTP_IDLE_MS_MAX - HEAD_MS_MAX);
    }
    wait_for(peer, HEAD_MS_MAX);
    peer_hear_end(peer);
    /* That is no fault of the peer's. */
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_HEAD_TIMEOUT), 0);
    edge_rig_stop(&rig);
}

static void half_a_next_head_has_a_heads_time(void **state)
{
    (void)state;
    static const char both[] = "GET /health HTTP/1.1\r\nHost: rig\r\n\r\nGET /hea";
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, both);
    peer_hear_response(peer, 200, "{}");
    wait_for(peer, HEAD_MS_MAX);
    peer_hear_end(peer);
    peer = peer_open(&rig);
    peer_put(peer, both, sizeof(both) - 1 - 8);
    edge_rig_settle(&rig);
    peer_hear_response(peer, 200, "{}");
    edge_rig_advance(&rig, 20000);
    peer_send(peer, "GET /he");
    wait_for(peer, HEAD_MS_MAX);
    peer_hear_end(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_HEAD_TIMEOUT), 2);
    edge_rig_stop(&rig);
}

static void a_body_that_does_not_come_is_408(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "POST /api/publish HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                    "Content-Length: 10\r\n\r\n{");
    edge_rig_advance(&rig, BODY_MS_MAX / 2);
    peer_send(peer, "\"");
    wait_for(peer, BODY_MS_MAX / 2);
    peer_hear_response(peer, 408, NULL);
    peer_hear_end(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_BODY_TIMEOUT), 1);
    /* Whoever does not go is cut after a while. */
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 1);
    edge_rig_advance(&rig, CLOSE_MS_MAX);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 0);
    edge_rig_stop(&rig);
}

/* ---- the session ---- */

static void a_client_that_does_not_connect_is_stale(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *silent = peer_open(&rig);
    peer_upgrade(silent);
    edge_rig_advance(&rig, 5000);
    struct peer *refused = peer_open(&rig);
    peer_upgrade(refused);
    peer_say(refused, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}", token_of(secret, "{\"exp\":1}"));
    peer_hear(refused, "{\"id\":1,\"error\":{\"code\":109,\"message\":\"token expired\"}}");
    wait_for(silent, 5000);
    peer_hear_close(silent, 3502, "stale");
    wait_for(refused, 5000);
    peer_hear_close(refused, 3502, "stale");
    edge_rig_stop(&rig);
}

/* Connects and returns the milliseconds until the first ping, which is not answered yet. */
static uint64_t first_ping(struct edge_rig *rig, struct peer **peer)
{
    *peer = peer_open(rig);
    peer_connect(*peer);
    uint64_t waited = 0;
    while (!peer_has_news(*peer)) {
        edge_rig_advance(rig, 1);
        waited++;
        assert_true(waited <= rig->options.client.ping_interval_ms);
    }
    peer_hear(*peer, "{}");
    return waited;
}

static void the_first_ping_comes_in_the_second_half_of_the_interval(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    uint64_t earliest = UINT64_MAX;
    uint64_t latest = 0;
    for (int i = 0; i < 40; i++) {
        struct peer *peer;
        const uint64_t waited = first_ping(&rig, &peer);
        earliest = waited < earliest ? waited : earliest;
        latest = waited > latest ? waited : latest;
        peer_close(peer);
    }
    assert_true(earliest > 12500 - PING_STEP_MS_MAX && latest <= 25000);
    assert_true(latest - earliest > 6000); /* They are spread. */
    edge_rig_stop(&rig);
}

/* A ping is due in so many ms, or up to a step earlier. */
static void wait_for_ping(struct peer *peer, uint64_t due_ms)
{
    edge_rig_advance(peer->rig, due_ms - PING_STEP_MS_MAX);
    peer_hear_nothing(peer);
    for (uint64_t i = 0; i < PING_STEP_MS_MAX && !peer_has_news(peer); i++) {
        edge_rig_advance(peer->rig, 1);
    }
    peer_hear(peer, "{}");
}

/* A shard that is woken for a ping and again for its pong does little else. */
static void pings_leave_together(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    edge_rig_start(&rig);
    struct peer *peers[60];
    for (int i = 0; i < 60; i++) {
        peers[i] = peer_open(&rig);
        peer_connect(peers[i]);
    }
    uint64_t last_ms = 0;
    uint32_t left = 60;
    for (uint64_t ms = 1; ms <= 25000; ms++) {
        edge_rig_advance(&rig, 1);
        bool is_any = false;
        for (int i = 0; i < 60; i++) {
            if (peer_has_news(peers[i])) {
                peer_hear(peers[i], "{}");
                peer_say(peers[i], "{}");
                is_any = true;
                left--;
            }
        }
        if (is_any) {
            assert_true(last_ms == 0 || (ms - last_ms) % PING_STEP_MS_MAX == 0);
            last_ms = ms;
        }
    }
    assert_int_equal(left, 0);
    edge_rig_stop(&rig);
}

static void a_ping_wants_one_pong_in_time(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer;
    (void)first_ping(&rig, &peer);
    edge_rig_advance(&rig, 7999);
    peer_say(peer, "{}");
    wait_for_ping(peer, 25000 - 7999);
    peer_say(peer, "{}");
    wait_for_ping(peer, 25000);
    /* Other commands are no pong. */
    peer_say(peer, "{\"id\":5,\"rpc\":{}}");
    peer_hear(peer, "{\"id\":5,\"error\":{\"code\":108,\"message\":\"not available\"}}");
    wait_for(peer, 8000);
    peer_hear_close(peer, 3012, "no pong");
    /* A second pong for the same ping is unsolicited. */
    (void)first_ping(&rig, &peer);
    peer_say(peer, "{}\n{}");
    peer_hear_close(peer, 3501, "bad request");
    edge_rig_stop(&rig);
}

static void pings_can_go_without_pongs_or_not_at_all(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.client.pong_timeout_ms = 0;
    edge_rig_start(&rig);
    struct peer *peer;
    (void)first_ping(&rig, &peer);
    for (int i = 0; i < 3; i++) {
        wait_for_ping(peer, 25000);
    }
    peer_say(peer, "{}");
    peer_hear_close(peer, 3501, "bad request");
    edge_rig_stop(&rig);
    edge_rig_init(&rig, 1);
    rig.options.client.ping_interval_ms = 0;
    edge_rig_start(&rig);
    peer = peer_open(&rig);
    peer_connect(peer);
    edge_rig_advance(&rig, 3600 * 1000);
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

static void connect_with_claims(struct peer *peer, const char *claims)
{
    char connect[TOKEN_SIZE + 64];
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}", token_of(secret, "%s", claims));
    peer_connect_with(peer, connect);
}

/* Answers the pings that come while time passes. */
static void live(struct peer *peer, uint64_t seconds)
{
    const char *ping = peer->protocol == CLIENT_PROTOBUF ? "\x82\x01" : "\x81\x02{}";
    for (uint64_t i = 0; i < seconds * 10; i++) {
        edge_rig_advance(peer->rig, 100);
        while (peer_has_news(peer) && !peer->has_ended) {
            if (strncmp(peer->in.at + peer->heard, ping, strlen(ping)) != 0) {
                return;
            }
            peer_hear(peer, "{}");
            peer_say(peer, "{}");
        }
    }
}

static void an_expired_connection_has_a_grace(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    char claims[128];
    struct peer *peer = peer_open(&rig);
    (void)snprintf(claims, sizeof(claims), "{\"sub\":\"42\",\"exp\":%lld}",
                   (long long)edge_rig_now_s(&rig) + 10);
    connect_with_claims(peer, claims);
    live(peer, 34);
    peer_hear_nothing(peer);
    edge_rig_advance(&rig, 999);
    peer_hear_nothing(peer);
    edge_rig_advance(&rig, 1);
    peer_hear_close(peer, 3005, "connection expired");
    edge_rig_stop(&rig);
}

static void a_refresh_moves_the_end(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    char claims[128];
    struct peer *peer = peer_open(&rig);
    const long long start_s = (long long)edge_rig_now_s(&rig);
    (void)snprintf(claims, sizeof(claims), "{\"sub\":\"42\",\"exp\":%lld}", start_s + 10);
    connect_with_claims(peer, claims);
    live(peer, 30);
    peer_say(peer, "{\"id\":5,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"42\",\"exp\":%lld}", start_s + 40));
    peer_hear(peer,
              "{\"id\":5,\"refresh\":{\"client\":\"%s\",\"version\":\"0.1\",\"expires\":true,"
              "\"ttl\":10}}",
              peer->client);
    live(peer, 34);
    peer_hear_nothing(peer);
    /* Without an end there is none. */
    peer_say(peer, "{\"id\":5,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"42\"}"));
    peer_hear(peer, "{\"id\":5,\"refresh\":{\"client\":\"%s\",\"version\":\"0.1\"}}", peer->client);
    live(peer, 100);
    peer_hear_nothing(peer);
    peer_say(peer, "{\"id\":5,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"42\",\"exp\":%lld}", start_s));
    peer_hear_close(peer, 3005, "connection expired");
    edge_rig_stop(&rig);
}

/* Ends that lie beyond any clock do not make the arithmetic overflow. */
static void an_end_in_a_million_years_is_none(void **state)
{
    (void)state;
    static const char *const ends[] = {"9223372036854775807", "9223372036854775", "100000000000"};
    static struct edge_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char claims[128];
        struct peer *peer = peer_open(&rig);
        (void)snprintf(claims, sizeof(claims), "{\"sub\":\"42\",\"exp\":%s}", ends[i]);
        connect_with_claims(peer, claims);
        assert_non_null(strstr(peer->message.at, "\"expires\":true,\"ttl\":31536000"));
        peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"$c\",\"token\":\"%s\"}}",
                 token_of(secret, "{\"sub\":\"42\",\"channel\":\"$c\",\"exp\":%s}", ends[i]));
        peer_hear(peer, "{\"id\":3,\"subscribe\":{\"expires\":true,\"ttl\":31536000}}");
        live(peer, 60);
        peer_hear_nothing(peer);
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

static void an_expired_subscription_is_2501(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    const long long start_s = (long long)edge_rig_now_s(&rig);
    peer_connect(peer);
    for (int i = 1; i <= 2; i++) {
        peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"$c%d\",\"token\":\"%s\"}}", i,
                 token_of(secret, "{\"channel\":\"$c%d\",\"exp\":%lld}", i, start_s + 10 * i));
        peer_hear(peer, "{\"id\":3,\"subscribe\":{\"expires\":true,\"ttl\":%d}}", 10 * i);
    }
    live(peer, 34);
    peer_hear_nothing(peer);
    live(peer, 1);
    peer_hear(peer, "{\"push\":{\"channel\":\"$c1\",\"unsubscribe\":{\"code\":2501,"
                    "\"reason\":\"subscription expired\"}}}");
    peer_say(peer, "{\"id\":4,\"sub_refresh\":{\"channel\":\"$c2\",\"token\":\"%s\"}}",
             token_of(secret, "{\"channel\":\"$c2\",\"exp\":%lld}", start_s + 40));
    peer_hear(peer, "{\"id\":4,\"sub_refresh\":{\"expires\":true,\"ttl\":5}}");
    live(peer, 29);
    peer_hear_nothing(peer);
    live(peer, 1);
    peer_hear(peer, "{\"push\":{\"channel\":\"$c2\",\"unsubscribe\":{\"code\":2501,"
                    "\"reason\":\"subscription expired\"}}}");
    assert_int_equal(edge_rig_count(&rig, COUNTER_UNSUBSCRIBE_2501), 2);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SUBSCRIPTIONS), 0);
    edge_rig_stop(&rig);
}

/* A subscription that had no end gets one with a refresh. */
static void a_sub_refresh_can_bring_an_end(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"$c\",\"token\":\"%s\"}}",
             token_of(secret, "{\"channel\":\"$c\",\"info\":1}"));
    peer_hear(peer, "{\"id\":3,\"subscribe\":{}}");
    peer_say(peer, "{\"id\":4,\"sub_refresh\":{\"channel\":\"$c\",\"token\":\"%s\"}}",
             token_of(secret, "{\"channel\":\"$c\",\"exp\":%lld}",
                      (long long)edge_rig_now_s(&rig) + 10));
    peer_hear(peer, "{\"id\":4,\"sub_refresh\":{\"expires\":true,\"ttl\":10}}");
    live(peer, 35);
    peer_hear(peer, "{\"push\":{\"channel\":\"$c\",\"unsubscribe\":{\"code\":2501,"
                    "\"reason\":\"subscription expired\"}}}");
    edge_rig_stop(&rig);
}

static void a_bad_sub_refresh_ends_the_connection(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    for (int i = 0; i < 4; i++) {
        struct peer *peer = peer_open(&rig);
        peer_connect(peer);
        peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"$c\",\"token\":\"%s\"}}",
                 token_of(secret, "{\"channel\":\"$c\",\"info\":1}"));
        peer_hear(peer, "{\"id\":3,\"subscribe\":{}}");
        peer_say(peer, "{\"id\":4,\"sub_refresh\":{\"channel\":\"$c\"}}");
        peer_hear(peer, "{\"id\":4,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
        const char *const tokens[] = {
            token_of(secret, "{\"channel\":\"$c\",\"exp\":1}"),
            token_of(secret, "{\"channel\":\"$c\",\"expire_at\":1}"),
            token_of("other", "{\"channel\":\"$c\"}"),
            token_of(secret, "{\"channel\":\"$d\"}"),
        };
        peer_say(peer, "{\"id\":4,\"sub_refresh\":{\"channel\":\"$c\",\"token\":\"%s\"}}",
                 tokens[i]);
        if (i < 2) {
            peer_hear_close(peer, 3006, "subscription expired");
        } else {
            peer_hear_close(peer, 3500, "invalid token");
        }
    }
    edge_rig_stop(&rig);
}

/* ---- frames ---- */

static void a_message_must_be_whole_in_time(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    rig.options.client.ping_interval_ms = 0;
    struct peer *peer = peer_open(&rig);
    peer->protocol = CLIENT_JSON; /* Pieces are not translated. */
    peer_connect(peer);
    peer_put_frame(peer, 0x01, "{\"id\":5,", 8);
    edge_rig_advance(&rig, ASSEMBLY_MS_MAX / 2);
    peer_put_frame(peer, 0x00, "\"rpc\":", 6);
    wait_for(peer, ASSEMBLY_MS_MAX / 2);
    peer_hear_close(peer, 1002, "message took too long");
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_ASSEMBLY_TIMEOUT), 1);
    /* Whole in time: the clock of the next message starts anew. */
    peer = peer_open(&rig);
    peer->protocol = CLIENT_JSON;
    peer_connect(peer);
    for (int i = 0; i < 2; i++) {
        peer_put_frame(peer, 0x01, "{\"id\":5,", 8);
        edge_rig_advance(&rig, ASSEMBLY_MS_MAX - 1);
        peer_hear_nothing(peer);
        peer_put_frame(peer, 0x80, "\"rpc\":{}}", 9);
        edge_rig_settle(&rig);
        peer_hear(peer, "{\"id\":5,\"error\":{\"code\":108,\"message\":\"not available\"}}");
    }
    edge_rig_advance(&rig, 2 * ASSEMBLY_MS_MAX);
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

static void our_close_frame_is_answered_in_time_or_not_at_all(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_say(peer, "x");
    peer_hear_close_frame(peer, 3501, "bad request");
    wait_for(peer, CLOSE_MS_MAX);
    peer_hear_end(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 0);
    edge_rig_stop(&rig);
}

static void an_echo_peer_that_stalls_is_cut(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "GET /echo HTTP/1.1\r\nHost: rig\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    peer_hear_head(peer, 101);
    edge_rig_advance(&rig, 3600 * 1000); /* Silence is no fault. */
    static uint8_t payload[60000];
    peer_put_frame(peer, 0x82, payload, sizeof(payload));
    edge_rig_settle(&rig);
    peer_hear_frame(peer, 0x82);
    peer_pause(peer, true);
    for (int i = 0; i < 60; i++) {
        peer_put_frame(peer, 0x82, payload, sizeof(payload));
    }
    edge_rig_advance(&rig, ECHO_STALL_MS_MAX - 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 1);
    assert_true(
        edge_rig_count(&rig, COUNTER_OF(TRANSPORT_RECEIVED, TRANSPORT_WEBSOCKET, FRAME_ECHO)) < 30);
    edge_rig_advance(&rig, 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 0);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_says_nothing_is_closed),
        cmocka_unit_test(a_head_that_dribbles_is_closed),
        cmocka_unit_test(a_kept_connection_may_be_silent_for_a_minute),
        cmocka_unit_test(half_a_next_head_has_a_heads_time),
        cmocka_unit_test(a_body_that_does_not_come_is_408),
        cmocka_unit_test(a_client_that_does_not_connect_is_stale),
        cmocka_unit_test(the_first_ping_comes_in_the_second_half_of_the_interval),
        cmocka_unit_test(pings_leave_together),
        cmocka_unit_test(a_ping_wants_one_pong_in_time),
        cmocka_unit_test(pings_can_go_without_pongs_or_not_at_all),
        cmocka_unit_test(an_expired_connection_has_a_grace),
        cmocka_unit_test(a_refresh_moves_the_end),
        cmocka_unit_test(an_end_in_a_million_years_is_none),
        cmocka_unit_test(an_expired_subscription_is_2501),
        cmocka_unit_test(a_sub_refresh_can_bring_an_end),
        cmocka_unit_test(a_bad_sub_refresh_ends_the_connection),
        cmocka_unit_test(a_message_must_be_whole_in_time),
        cmocka_unit_test(our_close_frame_is_answered_in_time_or_not_at_all),
        cmocka_unit_test(an_echo_peer_that_stalls_is_cut),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
