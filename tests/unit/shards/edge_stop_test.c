/* SPDX-License-Identifier: Apache-2.0 */
/* A node that stops: everybody is told, nobody is taken any more, and it says when it is drained.
 */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

static const struct socket_address address = {.family = 4, .bytes = {10, 0, 0, 1}, .port = 8000};

static void stop_begin(struct edge_rig *rig)
{
    node_stop_begin(rig->node);
    for (uint32_t i = 0; i <= rig->options.shards; i++) {
        poller_wake(sim_shard(rig->sim, rig->number, i)->poller);
    }
    edge_rig_settle(rig);
}

static void clients_get_3001_and_the_node_is_drained(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 3);
    rig.options.without_namespace.presence = true;
    edge_rig_start(&rig);
    struct peer *peers[9];
    for (uint32_t i = 0; i < 9; i++) {
        peers[i] = peer_open_at(&rig, i % 3);
        peer_connect(peers[i]);
        peer_subscribe(peers[i], "a");
    }
    struct peer *new = peer_open(&rig);
    peer_upgrade(new);
    assert_false(node_is_drained(rig.node));
    stop_begin(&rig);
    assert_false(node_is_drained(rig.node));
    assert_int_equal(sim_client_connect(rig.sim, rig.number, &address), -1);
    for (uint32_t i = 0; i < 9; i++) {
        peer_hear_close(peers[i], 3001, "shutdown");
    }
    assert_false(node_is_drained(rig.node));
    peer_hear_close(new, 3001, "shutdown");
    assert_true(node_is_drained(rig.node));
    assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3001), 10);
    edge_rig_stop(&rig);
}

static void an_idle_node_is_drained_at_once(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 3);
    edge_rig_start(&rig);
    stop_begin(&rig);
    assert_true(node_is_drained(rig.node));
    edge_rig_stop(&rig);
}

/* What waits for a client goes out before the close frame. */
static void what_is_queued_goes_out_first(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.socket_buffer_bytes = 1000;
    edge_rig_start(&rig);
    struct peer *slow = peer_open(&rig);
    peer_connect(slow);
    peer_subscribe(slow, "a");
    peer_pause(slow, true);
    struct peer *other = peer_open(&rig);
    peer_connect(other);
    for (int i = 0; i < 100; i++) {
        peer_say(other, "{\"id\":%d,\"publish\":{\"channel\":\"a\",\"data\":%d}}", i + 1, i);
    }
    stop_begin(&rig);
    peer_pause(slow, false);
    for (int i = 0; i < 100; i++) {
        peer_hear(slow,
                  "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":%d,\"info\":{\"user\":\"\","
                  "\"client\":\"%s\"}}}}",
                  i, other->client);
    }
    peer_hear_close(slow, 3001, "shutdown");
    edge_rig_stop(&rig);
}

/* Those who wait between two requests are let go, a call under way gets its response. */
static void http_ends_with_what_was_asked(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 2);
    rig.options.echo.enabled = true;
    edge_rig_start(&rig);
    struct peer *kept = peer_open(&rig);
    peer_send(kept, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_response(kept, 200, "{}");
    struct peer *silent = peer_open(&rig);
    struct peer *body = peer_open(&rig);
    peer_send(body, "POST /api/info HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                    "Content-Length: 2\r\n\r\n{");
    struct peer *echo = peer_open(&rig);
    peer_send(echo, "GET /echo HTTP/1.1\r\nHost: rig\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    peer_hear_head(echo, 101);
    stop_begin(&rig);
    peer_hear_end(kept);
    peer_hear_end(silent);
    peer_hear_close(echo, 1001, "shutdown");
    peer_hear_nothing(body);
    peer_send(body, "}");
    peer_hear_response(body, 200, NULL);
    assert_string_equal(peer_header(body, "Connection"), "close");
    peer_hear_end(body);
    edge_rig_stop(&rig);
}

/* Whoever does not go is cut when shutdown.timeout is over, and not later. */
static void nobody_holds_the_node_for_longer_than_the_timeout(void **state)
{
    (void)state;
    static const uint64_t timeouts[] = {1000, 4000};
    for (int i = 0; i < 2; i++) {
        static struct edge_rig rig;
        edge_rig_init(&rig, 2);
        rig.options.shutdown_timeout_ms = timeouts[i];
        edge_rig_start(&rig);
        struct peer *rude = peer_open_at(&rig, 0);
        peer_connect(rude);
        struct peer *body = peer_open_at(&rig, 1);
        peer_send(body, "POST /api/info HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                        "Content-Length: 2\r\n\r\n{");
        stop_begin(&rig);
        peer_hear_close_frame(rude, 3001, "shutdown");
        edge_rig_advance(&rig, timeouts[i] - 1);
        assert_false(node_is_drained(rig.node));
        edge_rig_advance(&rig, 1);
        assert_true(node_is_drained(rig.node));
        assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 0);
        edge_rig_stop(&rig);
    }
}

/* In the middle of a connect that the directory is asked about, and of subscribes under way. */
static void a_stop_meets_sessions_at_work(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        static struct edge_rig rig;
        edge_rig_init(&rig, 3);
        rig.options.client.token.hmac_secret_key = "secret";
        rig.options.client.user_connection_limit = i % 2 == 0 ? 5 : 0;
        rig.options.without_namespace.presence = true;
        rig.seed = 100 + (uint64_t)i;
        edge_rig_start(&rig);
        struct peer *peer = peer_open(&rig);
        peer_upgrade(peer);
        char text[TOKEN_SIZE + 128];
        const int len = snprintf(text, sizeof(text),
                                 "{\"id\":1,\"connect\":{\"token\":\"%s\"}}\n"
                                 "{\"id\":2,\"subscribe\":{\"channel\":\"c%d\"}}\n"
                                 "{\"id\":3,\"unsubscribe\":{\"channel\":\"c%d\"}}",
                                 token_of("secret", "{\"sub\":\"42\"}"), i, i);
        peer_put_frame(peer, 0x81, text, (size_t)len);
        (void)sim_client_send(rig.sim, peer->socket, peer->out.at, peer->out.len);
        peer->out.len = 0;
        stop_begin(&rig);
        while (peer_has_news(peer) && (uint8_t)peer->in.at[peer->heard] == 0x81) {
            peer_hear_frame(peer, 0x81);
        }
        peer_hear_close(peer, 3001, "shutdown");
        assert_true(node_is_drained(rig.node));
        edge_rig_stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_get_3001_and_the_node_is_drained),
        cmocka_unit_test(an_idle_node_is_drained_at_once),
        cmocka_unit_test(what_is_queued_goes_out_first),
        cmocka_unit_test(http_ends_with_what_was_asked),
        cmocka_unit_test(nobody_holds_the_node_for_longer_than_the_timeout),
        cmocka_unit_test(a_stop_meets_sessions_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
