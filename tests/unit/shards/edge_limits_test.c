/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit: of connections, of users, of messages, of output, of what peers pin. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

static const char *const secret = "secret";

/* ---- connections ---- */

static void knock(struct peer *peer)
{
    peer_send(peer, "GET /connection/websocket HTTP/1.1\r\nHost: rig\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
}

/* Clients are counted from their handshake on, whatever shard they are on; requests are not. */
static void clients_beyond_connection_limit_get_503(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 4);
    rig.options.client.connection_limit = 5;
    edge_rig_start(&rig);
    struct peer *peers[5];
    for (int i = 0; i < 5; i++) {
        struct peer *idle = peer_open(&rig);
        peer_send(idle, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
        peer_hear_response(idle, 200, "{}");
        peers[i] = peer_open(&rig);
        if (i % 2 == 0) {
            peer_connect(peers[i]);
        } else {
            peer_upgrade(peers[i]); /* Not connected yet, and counted. */
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct peer *late = peer_open_at(&rig, i);
        knock(late);
        peer_hear_response(late, 503, NULL);
        assert_string_equal(peer_header(late, "Connection"), "close");
        assert_string_equal(peer_header(late, "Retry-After"), "1");
        peer_hear_end(late);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_CONNECTION_LIMIT), 4);
    struct peer *operator= peer_open(&rig);
    peer_send(operator, "GET /metrics HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_response(operator, 200, NULL);
    peer_close(peers[2]);
    peer_connect(peer_open(&rig));
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SESSIONS), 5);
    edge_rig_stop(&rig);
}

/* Over a second's worth at once is refused; later the rate holds, however often peers come. */
static void connection_rate_limit_refills_at_its_rate(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.client.connection_rate_limit = 10;
    edge_rig_start(&rig);
    for (int i = 0; i < 15; i++) {
        struct peer *peer = peer_open(&rig);
        knock(peer);
        peer_hear_head(peer, i < 10 ? 101 : 503);
        peer_reset(peer);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_REFUSED_CONNECTION_RATE), 5);
    /* 150 ms are worth one and a half: none of the halves is lost. */
    for (int i = 0; i < 400; i++) {
        edge_rig_advance(&rig, i % 2 == 0 ? 150 : 0);
        struct peer *peer = peer_open(&rig);
        knock(peer);
        peer_reset(peer);
    }
    const uint64_t taken = 400 - (edge_rig_count(&rig, COUNTER_REFUSED_CONNECTION_RATE) - 5);
    assert_in_range(taken, 299, 301); /* In 30 s. */
    edge_rig_stop(&rig);
}

static void connect_as(struct peer *peer, const char *user)
{
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"%s\"}", user));
}

/* However many shards the connections of a user are on. */
static void user_connection_limit_is_the_nodes(void **state)
{
    (void)state;
    static const uint32_t shard_counts[] = {1, 2, 5};
    for (size_t n = 0; n < 3; n++) {
        static struct edge_rig rig;
        edge_rig_init(&rig, shard_counts[n]);
        rig.options.client.token.hmac_secret_key = secret;
        rig.options.client.user_connection_limit = 3;
        edge_rig_start(&rig);
        struct peer *peers[3];
        for (uint32_t i = 0; i < 3; i++) {
            peers[i] = peer_open_at(&rig, i % shard_counts[n]);
            connect_as(peers[i], "42");
            peer_hear_frame(peers[i], 0x81);
        }
        for (uint32_t i = 0; i < shard_counts[n]; i++) {
            struct peer *late = peer_open_at(&rig, i);
            connect_as(late, "42");
            peer_hear_close(late, 3504, "connection limit");
        }
        struct peer *other = peer_open(&rig);
        connect_as(other, "43");
        peer_hear_frame(other, 0x81);
        for (int i = 0; i < 5; i++) { /* Nobody counts the anonymous. */
            peer_connect(peer_open(&rig));
        }
        peer_close(peers[1]);
        struct peer *next = peer_open(&rig);
        connect_as(next, "42");
        peer_hear_frame(next, 0x81);
        assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 2);
        assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3504), shard_counts[n]);
        edge_rig_stop(&rig);
    }
}

/* The directory's answer finds nobody any more: it must not count who has gone. */
static void a_client_that_goes_while_it_connects_is_not_counted(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 3);
    rig.options.client.token.hmac_secret_key = secret;
    rig.options.client.user_connection_limit = 1;
    edge_rig_start(&rig);
    for (int i = 0; i < 60; i++) {
        struct peer *peer = peer_open(&rig);
        char text[TOKEN_SIZE + 64];
        peer_upgrade(peer);
        const int len = snprintf(text, sizeof(text), "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
                                 token_of(secret, "{\"sub\":\"42\"}"));
        peer_put_frame(peer, 0x81, text, (size_t)len);
        if (i % 3 == 1) {
            peer_put_frame(peer, 0x88, "\x03\xe8", 2);
        } else if (i % 3 == 2) {
            peer_put_frame(peer, 0x83, "", 0); /* A reserved opcode. */
        }
        (void)sim_client_send(rig.sim, peer->socket, peer->out.at, peer->out.len);
        peer->out.len = 0;
        peer_reset(peer);
        edge_rig_assert_empty(&rig);
    }
    struct peer *peer = peer_open(&rig);
    connect_as(peer, "42");
    peer_hear_frame(peer, 0x81);
    edge_rig_stop(&rig);
}

/* What came behind the connect waits for the directory, in order, whole or in pieces. */
static void commands_wait_while_the_directory_is_asked(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 3);
    rig.options.client.token.hmac_secret_key = secret;
    rig.options.client.user_connection_limit = 100;
    rig.options.without_namespace.presence = true;
    edge_rig_start(&rig);
    for (int i = 0; i < 20; i++) {
        char user[16];
        (void)snprintf(user, sizeof(user), "u%d", i); /* At home on some shard. */
        struct peer *peer = peer_open_at(&rig, 1);
        char text[TOKEN_SIZE + 256];
        const int len = snprintf(text, sizeof(text),
                                 "{\"id\":1,\"connect\":{\"token\":\"%s\"}}\n"
                                 "{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}\n"
                                 "{\"id\":3,\"presence_stats\":{\"channel\":\"c\"}}\n",
                                 token_of(secret, "{\"sub\":\"%s\"}", user));
        peer_upgrade(peer);
        peer_put_frame(peer, 0x81, text, (size_t)len);
        peer_put_frame(peer, 0x89, "hi", 2);
        peer_put_frame(peer, 0x81, "{\"id\":4,\"rpc\":{}}", 17);
        edge_rig_settle(&rig);
        peer_hear_frame(peer, 0x81);
        assert_non_null(strstr(peer->message.at, "{\"id\":1,\"connect\":{"));
        /* The rest may come in any order that keeps each channel's. */
        unsigned seen = 0;
        while (peer_has_news(peer)) {
            if ((uint8_t)peer->in.at[peer->heard] == 0x8a) {
                peer_hear_frame(peer, 0x8a);
                seen |= 1;
                continue;
            }
            peer_hear_frame(peer, 0x81);
            seen |= strstr(peer->message.at, "{\"id\":2,\"subscribe\":{}}") != NULL ? 2 : 0;
            seen |= strstr(peer->message.at, "\"num_clients\":1,\"num_users\":1") != NULL ? 4 : 0;
            seen |= strstr(peer->message.at, "{\"id\":4,\"error\"") != NULL ? 8 : 0;
        }
        assert_int_equal(seen, 15);
        assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* ---- messages ---- */

static void a_message_beyond_its_limit_is_1009(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.websocket.message_size_limit = 1000;
    edge_rig_start(&rig);
    char text[1002];
    for (int is_fragmented = 0; is_fragmented < 2; is_fragmented++) {
        for (size_t len = 1000; len <= 1001; len++) {
            struct peer *peer = peer_open(&rig);
            peer_connect(peer);
            memset(text, ' ', sizeof(text));
            memcpy(text, "{\"id\":5,\"rpc\":{}}", 17);
            if (is_fragmented) {
                peer_put_frame(peer, 0x01, text, 500);
                peer_put_frame(peer, 0x00, text + 500, 400);
                peer_put_frame(peer, 0x80, text + 900, len - 900);
            } else {
                peer_put_frame(peer, 0x81, text, len);
            }
            edge_rig_settle(&rig);
            if (len == 1000) {
                peer_hear(peer,
                          "{\"id\":5,\"error\":{\"code\":108,\"message\":\"not available\"}}");
                peer_hear_nothing(peer);
            } else {
                peer_hear_frame(peer, 0x88);
                assert_memory_equal(peer->message.at, "\x03\xf1", 2);
                peer_hear_end(peer); /* What it says is no longer read. */
            }
        }
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(TRANSPORT_CLOSE, TRANSPORT_WEBSOCKET,
                                                     label_of_close(1009))),
                     2);
    /* A declared length is enough: nothing of it has to come. */
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_put(peer, "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
    edge_rig_settle(&rig);
    peer_hear_frame(peer, 0x88);
    assert_memory_equal(peer->message.at, "\x03\xf1", 2);
    edge_rig_stop(&rig);
}

/* ---- output ---- */

/* A client that reads nothing is 3008; what the socket had begun to take is ended before the close
 * frame, and what it had not begun is dropped. */
static void a_slow_client_is_3008_behind_a_whole_frame(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 2);
    rig.options.client.queue_max_size = 10000;
    rig.socket_buffer_bytes = 1000;
    edge_rig_start(&rig);
    for (size_t size = 1; size < 2000; size += 333) {
        struct peer *slow = peer_open(&rig);
        peer_connect(slow);
        peer_subscribe(slow, "c");
        peer_pause(slow, true);
        struct peer *other = peer_open(&rig);
        peer_connect(other);
        char *data = malloc(size + 1);
        assert_non_null(data);
        memset(data, 'x', size);
        data[size] = '\0';
        const uint64_t before = edge_rig_count(&rig, COUNTER_DISCONNECT_3008);
        uint32_t published = 0;
        while (edge_rig_count(&rig, COUNTER_DISCONNECT_3008) == before) {
            peer_say(other, "{\"id\":%u,\"publish\":{\"channel\":\"c\",\"data\":\"%s\"}}",
                     ++published, data);
            peer_hear(other, "{\"id\":%u,\"publish\":{}}", published);
        }
        assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SUBSCRIPTIONS), 0);
        peer_pause(slow, false);
        edge_rig_advance(&rig, 10);
        uint32_t heard = 0;
        while (peer_has_news(slow) && (uint8_t)slow->in.at[slow->heard] == 0x81) {
            peer_hear_frame(slow, 0x81);
            heard++;
        }
        assert_true(heard < published);
        peer_hear_close(slow, 3008, "slow");
        free(data);
        peer_close(other);
        peer_close(slow);
    }
    edge_rig_stop(&rig);
}

/* A client that asks more than homes can answer at once waits, and gets every answer in order. */
static void commands_beyond_those_in_flight_wait(void **state)
{
    (void)state;
    enum { COMMANDS = 3000, A_FRAME = 500 };
    static struct edge_rig rig;
    edge_rig_init(&rig, 2);
    rig.options.without_namespace.presence = true;
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    char *frame = malloc(A_FRAME * 64);
    assert_non_null(frame);
    for (int i = 0; i < COMMANDS; i += A_FRAME) {
        int len = 0;
        for (int n = i; n < i + A_FRAME; n++) {
            len += snprintf(frame + len, 64, "%s{\"id\":%d,\"presence_stats\":{\"channel\":\"c\"}}",
                            n == i ? "" : "\n", n + 1);
        }
        peer_put_frame(peer, 0x81, frame, (size_t)len);
    }
    free(frame);
    edge_rig_settle(&rig);
    for (int i = 0; i < COMMANDS; i++) {
        peer_hear(peer, "{\"id\":%d,\"presence_stats\":{\"num_clients\":0,\"num_users\":0}}",
                  i + 1);
    }
    peer_hear_nothing(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
    edge_rig_stop(&rig);
}

/* One turn brings more than the queue may hold, to clients that take it all: none of them is slow.
 * By publications, by replies, and by pongs. */
static void who_takes_it_all_is_not_slow(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 2);
    rig.options.client.queue_max_size = 4000;
    edge_rig_start(&rig);
    struct peer *peers[4];
    for (uint32_t i = 0; i < 4; i++) {
        peers[i] = peer_open_at(&rig, i % 2);
        peer_connect(peers[i]);
        peer_subscribe(peers[i], "c");
    }
    struct peer *publisher = peer_open(&rig);
    peer_connect(publisher);
    char text[256];
    for (int i = 0; i < 100; i++) {
        const int len =
            snprintf(text, sizeof(text),
                     "{\"id\":%d,\"publish\":{\"channel\":\"c\",\"data\":\"%0100d\"}}", i + 1, i);
        peer_put_frame(publisher, 0x81, text, (size_t)len);
        peer_put_frame(publisher, 0x89, text, 100);
        peer_put_frame(publisher, 0x81, "{\"id\":500,\"rpc\":{}}", 19);
    }
    edge_rig_settle(&rig);
    for (uint32_t i = 0; i < 4; i++) {
        for (int n = 0; n < 100; n++) {
            peer_hear(peers[i],
                      "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"%0100d\",\"info\":{"
                      "\"user\":\"\",\"client\":\"<id>\"}}}}",
                      n);
        }
        peer_hear_nothing(peers[i]);
    }
    for (int n = 0; n < 300; n++) {
        peer_hear_frame(publisher, (uint8_t)publisher->in.at[publisher->heard]);
    }
    peer_hear_nothing(publisher);
    assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3008), 0);
    edge_rig_stop(&rig);
}

/* Replies and pongs count like publications. */
static void replies_and_pongs_fill_the_queue_too(void **state)
{
    (void)state;
    for (int uses_pings = 0; uses_pings < 2; uses_pings++) {
        static struct edge_rig rig;
        edge_rig_init(&rig, 1);
        rig.options.client.queue_max_size = 5000;
        rig.socket_buffer_bytes = 1000;
        edge_rig_start(&rig);
        struct peer *peer = peer_open(&rig);
        peer_connect(peer);
        peer_pause(peer, true);
        for (int i = 0; i < 2000 && edge_rig_count(&rig, COUNTER_DISCONNECT_3008) == 0; i++) {
            if (uses_pings) {
                peer_put_frame(peer, 0x89, "0123456789", 10);
                edge_rig_settle(&rig);
            } else {
                peer_say(peer, "{\"id\":5,\"rpc\":{}}");
            }
        }
        assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3008), 1);
        edge_rig_advance(&rig, CLOSE_MS_MAX);
        assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), 0);
        edge_rig_stop(&rig);
    }
}

/* ---- what peers pin ---- */

/* Peers that have not connected may together pin so much; the next is shed, and counted. Clients
 * that have connected are not touched. */
static void unauthenticated_peers_pin_a_bounded_amount(void **state)
{
    (void)state;
    enum { MESSAGE = 4 << 20 };
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.websocket.message_size_limit = MESSAGE;
    rig.options.client.stale_close_delay_ms = 100000;
    edge_rig_start(&rig);
    struct peer *client = peer_open(&rig);
    peer_connect(client);
    peer_put_frame(client, 0x01, "{\"id\":5,", 8);
    char *filler = malloc(MESSAGE);
    assert_non_null(filler);
    memset(filler, ' ', MESSAGE);
    const size_t piece = PINNED_UNAUTHENTICATED_MAX / 16;
    struct peer *peers[32];
    for (size_t i = 0; i < 32; i++) {
        peers[i] = peer_open(&rig);
        peer_upgrade(peers[i]);
        peer_put_frame(peers[i], 0x01, filler, piece);
        edge_rig_settle(&rig);
        assert_true(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES) <=
                    PINNED_UNAUTHENTICATED_MAX);
    }
    const uint64_t shed = edge_rig_count(&rig, COUNTER_REFUSED_PINNED);
    assert_in_range(shed, 16, 24);
    uint64_t ended = 0;
    for (size_t i = 0; i < 32; i++) {
        ended += peers[i]->has_ended;
    }
    assert_int_equal(ended, shed);
    peer_put_frame(client, 0x80, "\"rpc\":{}}", 9);
    edge_rig_settle(&rig);
    peer_hear(client, "{\"id\":5,\"error\":{\"code\":108,\"message\":\"not available\"}}");
    for (size_t i = 0; i < 32; i++) {
        peer_close(peers[i]);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
    free(filler);
    edge_rig_stop(&rig);
}

/* What a peer pinned before it connected counts as everybody's afterwards; what is idle pins
 * nothing. */
static void pinned_bytes_are_accounted_to_the_right_side(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "GET /connection/web");
    assert_true(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES) > 0);
    peer_reset(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_put_frame(peer, 0x01, "{\"id\":1,\"conn", 13);
    edge_rig_settle(&rig);
    assert_true(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES) > 0);
    peer_put_frame(peer, 0x80, "ect\":{}}", 8);
    peer_put_frame(peer, 0x01, "{\"id\":5,", 8);
    edge_rig_settle(&rig);
    peer_hear_frame(peer, 0x81);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES), 0);
    assert_true(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES) > 0);
    peer_put_frame(peer, 0x80, "\"rpc\":{}}", 9);
    edge_rig_settle(&rig);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
    peer_hear_frame(peer, 0x81);
    /* Input that waited for an answer. */
    peer_say(peer, "{\"id\":6,\"subscribe\":{\"channel\":\"c\"}}\n"
                   "{\"id\":7,\"unsubscribe\":{\"channel\":\"c\"}}\n{\"id\":8,\"rpc\":{}}");
    peer_hear(peer, "{\"id\":6,\"subscribe\":{}}");
    peer_hear(peer, "{\"id\":7,\"unsubscribe\":{}}");
    peer_hear_frame(peer, 0x81);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_beyond_connection_limit_get_503),
        cmocka_unit_test(connection_rate_limit_refills_at_its_rate),
        cmocka_unit_test(user_connection_limit_is_the_nodes),
        cmocka_unit_test(a_client_that_goes_while_it_connects_is_not_counted),
        cmocka_unit_test(commands_wait_while_the_directory_is_asked),
        cmocka_unit_test(a_message_beyond_its_limit_is_1009),
        cmocka_unit_test(a_slow_client_is_3008_behind_a_whole_frame),
        cmocka_unit_test(commands_beyond_those_in_flight_wait),
        cmocka_unit_test(who_takes_it_all_is_not_slow),
        cmocka_unit_test(replies_and_pongs_fill_the_queue_too),
        cmocka_unit_test(unauthenticated_peers_pin_a_bounded_amount),
        cmocka_unit_test(pinned_bytes_are_accounted_to_the_right_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
