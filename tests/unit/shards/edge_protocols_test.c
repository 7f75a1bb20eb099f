/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of both protocols on one node: the same session for the same commands, publications on
 * one channel, bytes that are no JSON, and WebSocket's own pings. */
#include <stdio.h>

#include "codec/utf8.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

enum { SHARDS = 3 };

static const char *const secret = "secret";

static void open_rig(struct edge_rig *rig, bool is_known_to_home)
{
    edge_rig_init(rig, SHARDS);
    rig->options.client.token.hmac_secret_key = secret;
    rig->options.without_namespace.presence = is_known_to_home;
    rig->options.without_namespace.join_leave = is_known_to_home;
    edge_rig_start(rig);
}

static struct peer *open_peer(struct edge_rig *rig, uint32_t shard, enum client_protocol protocol)
{
    struct peer *peer = peer_open_at(rig, shard);
    peer->protocol = protocol;
    return peer;
}

static struct peer *connect_peer(struct edge_rig *rig, uint32_t shard,
                                 enum client_protocol protocol)
{
    struct peer *peer = open_peer(rig, shard, protocol);
    peer_connect(peer);
    return peer;
}

/* ---- one session in both ---- */

#define SUBSCRIBE_15 "{\"id\":15,\"subscribe\":{\"channel\":\"c#\"}}"
#define UNSUBSCRIBE_16 "{\"id\":16,\"unsubscribe\":{\"channel\":\"c1\"}}"
#define PUBLISH_17 "{\"id\":17,\"publish\":{\"channel\":\"c2\",\"data\":[]}}"

/* # is a channel's number. */
static const char *const commands[] = {
    "{\"id\":5,\"subscribe\":{\"channel\":\"c#\"}}",
    "{\"id\":6,\"subscribe\":{\"channel\":\"c#\",\"join_leave\":true,\"data\":{\"a\":[1]}}}",
    "{\"id\":7,\"unsubscribe\":{\"channel\":\"c#\"}}",
    "{\"id\":8,\"publish\":{\"channel\":\"c#\",\"data\":{\"text\":\"\xc3\xa9\\n\\u0000\"}}}",
    "{\"id\":9,\"publish\":{\"channel\":\"c#\",\"data\":null}}",
    "{\"id\":10,\"presence\":{\"channel\":\"c#\"}}",
    "{\"id\":11,\"presence_stats\":{\"channel\":\"c#\"}}",
    "{\"id\":12,\"history\":{\"channel\":\"c#\",\"limit\":-1,\"since\":{\"offset\":1}}}",
    "{\"id\":13,\"rpc\":{\"method\":\"m#\",\"data\":\"x\"}}",
    "{\"id\":14,\"publish\":{\"channel\":\"n#:x\",\"data\":1}}",
    SUBSCRIBE_15 "\n" UNSUBSCRIBE_16 "\n" PUBLISH_17,
    "{\"id\":18,\"sub_refresh\":{\"channel\":\"c#\",\"token\":\"t\"}}",
    "{\"id\":19,\"subscribe\":{\"channel\":\"c#\",\"tf\":{\"op\":\"and\",\"nodes\":[]}}}",
    "{\"id\":4294967295,\"subscribe\":{\"channel\":\"c#\",\"type\":1,\"limit\":-5}}",
    "{}",
    /* These end the connection. */
    "{\"id\":0,\"rpc\":{\"method\":\"#\"}}",
    "{\"send\":{\"data\":#}}",
    "{\"id\":20,\"connect\":{\"name\":\"#\"}}",
    "{\"id\":21,\"ping\":{},\"unknown\":#}",
    "{\"id\":22,\"refresh\":{\"token\":\"#\"}}",
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), HARMLESS = 14, STEPS = 120, CLIENTS = 3 };

static void fill_in(char text[512], const char *command, char number)
{
    do {
        *text++ = *command == '#' ? number : *command;
    } while (*command++ != '\0');
}

/* Everything that the peer has heard, a line each; true when it ends with a close frame. */
static bool write_down(struct edge_text *to, struct peer *peer, int number)
{
    bool has_closed = false;
    while (peer_has_news(peer)) {
        const unsigned first = (uint8_t)peer->in.at[peer->heard];
        char line[32];
        peer_hear_frame(peer, first == 0x82 ? 0x81 : first);
        (void)snprintf(line, sizeof(line), "%d %02x ", number, first == 0x82 ? 0x81 : first);
        edge_text_add(to, line, strlen(line));
        edge_text_add(to, peer->message.at, peer->message.len);
        edge_text_add(to, "\n", 1);
        has_closed = first == 0x88;
    }
    return has_closed;
}

static void play(uint64_t seed, enum client_protocol protocol, struct edge_text *transcript)
{
    static struct edge_rig rig;
    struct random random;
    random_init_seeded(&random, seed);
    edge_rig_init(&rig, SHARDS);
    rig.seed = seed;
    rig.options.without_namespace.presence = seed % 2 == 0;
    rig.options.without_namespace.join_leave = seed % 3 == 0;
    rig.options.client.ping_interval_ms = 2000;
    rig.options.client.pong_timeout_ms = 1000;
    edge_rig_start(&rig);
    struct peer *peers[CLIENTS] = {NULL};
    for (int i = 0; i < STEPS; i++) {
        const uint32_t at = (uint32_t)random_below(&random, CLIENTS);
        if (peers[at] == NULL) {
            peers[at] = connect_peer(&rig, at, protocol);
        }
        const uint64_t all = random_below(&random, 20) == 0 ? COMMANDS : HARMLESS;
        char text[512];
        fill_in(text, commands[random_below(&random, all)], (char)('0' + random_below(&random, 3)));
        peer_say(peers[at], "%s", text);
        if (random_below(&random, 10) == 0) {
            edge_rig_advance(&rig, random_below(&random, 700));
        }
        for (int p = 0; p < CLIENTS; p++) {
            if (peers[p] != NULL) {
                const bool has_closed = write_down(transcript, peers[p], p);
                if (has_closed || random_below(&random, 40) == 0) {
                    peer_close(peers[p]);
                    peers[p] = NULL;
                }
            }
        }
    }
    edge_rig_stop(&rig);
}

/* The same commands at the same times, under one seed: every word that comes back is the same, down
 * to the clients' ids. */
static void the_same_commands_give_the_same_session(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct edge_text json = {0};
        struct edge_text protobuf = {0};
        play(seed, CLIENT_JSON, &json);
        play(seed, CLIENT_PROTOBUF, &protobuf);
        assert_true(json.len > 1000);
        assert_string_equal(json.at, protobuf.at);
        free(json.at);
        free(protobuf.at);
    }
}

/* ---- one channel ---- */

static void both_hear_each_publication_in_order(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peers[4 * SHARDS];
    struct peer *publisher = connect_peer(&rig, 1, CLIENT_PROTOBUF);
    for (uint32_t i = 0; i < 4 * SHARDS; i++) {
        /* Shard 0 has both, 1 JSON alone, 2 Protobuf alone. */
        const bool is_protobuf = i % SHARDS == 2 || (i % SHARDS == 0 && i % 2 == 1);
        peers[i] = connect_peer(&rig, i % SHARDS, is_protobuf ? CLIENT_PROTOBUF : CLIENT_JSON);
        peer_subscribe(peers[i], "news");
    }
    for (int n = 0; n < 40; n++) {
        char text[128];
        const int len =
            snprintf(text, sizeof(text),
                     "{\"id\":%d,\"publish\":{\"channel\":\"news\",\"data\":[%d]}}", n + 5, n);
        peer_put_frame(publisher, 0x81, text, (size_t)len);
        if (n % 4 == 3) {
            edge_rig_settle(&rig); /* Four at a time are merged. */
        }
    }
    for (uint32_t i = 0; i < 4 * SHARDS; i++) {
        for (int n = 0; n < 40; n++) {
            peer_hear(peers[i],
                      "{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":[%d],\"info\":{\"user\":"
                      "\"\",\"client\":\"%s\"}}}}",
                      n, publisher->client);
        }
        peer_hear_nothing(peers[i]);
    }
    edge_rig_stop(&rig);
}

/* A subscriber from its answer to its end: the numbers that it hears follow one another, and the
 * last one before the end is not missing. */
struct listener {
    struct peer *peer;
    bool is_subscribed;
    int next; /* -1: it has heard none yet. */
};

static void hear_numbers(struct listener *listener)
{
    struct peer *peer = listener->peer;
    while (peer != NULL && peer_has_news(peer)) {
        peer_hear_frame(peer, 0x81);
        const char *data = strstr(peer->message.at, "\"data\":");
        assert_null(strstr(peer->message.at, "error"));
        if (data != NULL && listener->is_subscribed) {
            const int number = (int)strtol(data + strlen("\"data\":"), NULL, 10);
            assert_true(listener->next < 0 || number == listener->next);
            listener->next = number + 1;
        }
    }
}

/* Clients of both come and go while somebody publishes in the same instant, so that a shard's last
 * one of a protocol leaves as its next one comes. */
static void both_come_and_go_under_publications(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        static struct edge_rig rig;
        struct random random;
        struct listener listeners[6] = {{0}};
        random_init_seeded(&random, seed);
        open_rig(&rig, seed % 2 == 0);
        struct peer *publisher = connect_peer(&rig, 0, CLIENT_JSON);
        for (int n = 0; n < 300; n++) {
            char text[128];
            struct listener *one = &listeners[random_below(&random, 6)];
            if (one->peer == NULL) {
                one->peer = connect_peer(&rig, (uint32_t)random_below(&random, 2),
                                         (enum client_protocol)random_below(&random, 2));
            }
            const bool joins = !one->is_subscribed;
            one->is_subscribed = joins;
            one->next = -1;
            int len = snprintf(text, sizeof(text), "{\"id\":5,\"%ssubscribe\":{\"channel\":\"a\"}}",
                               joins ? "" : "un");
            peer_put_frame(one->peer, 0x81, text, (size_t)len);
            len = snprintf(text, sizeof(text),
                           "{\"id\":7,\"publish\":{\"channel\":\"a\",\"data\":%d}}", n);
            peer_put_frame(publisher, 0x81, text, (size_t)len);
            edge_rig_settle(&rig);
            for (int i = 0; i < 6; i++) {
                hear_numbers(&listeners[i]);
                assert_true(&listeners[i] == one || !listeners[i].is_subscribed ||
                            listeners[i].next == n + 1);
            }
            if (random_below(&random, 8) == 0) {
                peer_close(one->peer);
                *one = (struct listener){0};
            }
        }
        edge_rig_stop(&rig);
    }
}

/* ---- bytes ---- */

static void publish_bytes(struct peer *peer, const char *channel, const char *bytes, size_t len)
{
    uint8_t message[256] = {0};
    const size_t name_len = strlen(channel);
    /* id 9, publish {1: channel, 2: data} */
    const uint8_t head[] = {(uint8_t)(8 + name_len + len),
                            0x08,
                            9,
                            0x3a,
                            (uint8_t)(4 + name_len + len),
                            0x0a,
                            (uint8_t)name_len};
    size_t at = sizeof(head);
    memcpy(message, head, sizeof(head));
    memcpy(message + at, channel, name_len);
    at += name_len;
    message[at++] = 0x12;
    message[at++] = (uint8_t)len;
    memcpy(message + at, bytes, len);
    peer_put_frame(peer, 0x82, message, at + len);
    edge_rig_settle(peer->rig);
}

/* The raw bytes of a frame contain the payload as a field of bytes. */
static void hear_bytes(struct peer *peer, const char *bytes, size_t len)
{
    uint8_t field[256] = {0x22, (uint8_t)len}; /* data is field 4 of a publication */
    peer->protocol = CLIENT_JSON;              /* As it is on the wire. */
    peer_hear_frame(peer, 0x82);
    peer->protocol = CLIENT_PROTOBUF;
    memcpy(field + 2, bytes, len);
    assert_non_null(memmem(peer->message.at, peer->message.len, field, len + 2));
}

static void bytes_reach_protobuf_as_they_were(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *json; /* What JSON clients hear; NULL: 3506. */
    } cases[] = {
        {"{\"a\":1}", 7, "{\"a\":1}"}, {"1\n", 2, "1"}, /* A line break would end a line. */
        {" [\r\n] ", 6, " [] "},       {"\xff\x00\x01", 3, NULL}, {"{", 1, NULL},
        {"\"\xc3\"", 3, NULL},
    };
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *publisher = connect_peer(&rig, 0, CLIENT_PROTOBUF);
    struct peer *protobuf = connect_peer(&rig, 1, CLIENT_PROTOBUF);
    peer_subscribe(protobuf, "a");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer *json = connect_peer(&rig, (uint32_t)i % SHARDS, CLIENT_JSON);
        struct peer *elsewhere = connect_peer(&rig, 1, CLIENT_JSON);
        peer_subscribe(json, "a");
        peer_subscribe(elsewhere, "b");
        publish_bytes(publisher, "a", cases[i].bytes, cases[i].len);
        peer_hear(publisher, "{\"id\":9,\"publish\":{}}");
        hear_bytes(protobuf, cases[i].bytes, cases[i].len);
        if (cases[i].json != NULL) {
            peer_hear(json,
                      "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":%s,\"info\":{\"user\":\"\","
                      "\"client\":\"%s\"}}}}",
                      cases[i].json, publisher->client);
            peer_hear_nothing(json);
        } else {
            peer_hear_close(json, 3506, "inappropriate protocol");
        }
        peer_hear_nothing(elsewhere);
        peer_close(json);
        peer_close(elsewhere);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3506), 3);
    edge_rig_stop(&rig);
}

/* Among publications that are JSON, in the same instant: those before are heard. */
static void bytes_among_json_end_json_in_order(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *publisher = connect_peer(&rig, 0, CLIENT_PROTOBUF);
    struct peer *json[3];
    struct peer *protobuf = connect_peer(&rig, 1, CLIENT_PROTOBUF);
    peer_subscribe(protobuf, "a");
    for (int i = 0; i < 3; i++) {
        json[i] = connect_peer(&rig, 1, CLIENT_JSON);
        peer_subscribe(json[i], "a");
    }
    static const uint8_t three[] = {11, 0x08, 5, 0x3a, 7, 0x0a, 1, 'a', 0x12, 2, '1',  '1',
                                    11, 0x08, 6, 0x3a, 7, 0x0a, 1, 'a', 0x12, 2, 0xff, 0xff,
                                    11, 0x08, 7, 0x3a, 7, 0x0a, 1, 'a', 0x12, 2, '3',  '3'};
    peer_put_frame(publisher, 0x82, three, sizeof(three));
    edge_rig_settle(&rig);
    for (int i = 0; i < 3; i++) {
        peer_hear_frame(json[i], 0x81);
        assert_non_null(strstr(json[i]->message.at, "\"data\":11"));
        peer_hear_close(json[i], 3506, "inappropriate protocol");
    }
    hear_bytes(protobuf, "11", 2);
    hear_bytes(protobuf, "\xff\xff", 2);
    hear_bytes(protobuf, "33", 2);
    peer_hear_nothing(protobuf);
    edge_rig_stop(&rig);
}

/* An info that is no JSON: whoever would have to be told of the client in JSON is not. */
static void an_info_of_bytes_is_for_protobuf_alone(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, true);
    char connect[TOKEN_SIZE + 64];
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}",
                   token_of(secret, "{\"sub\":\"42\",\"b64info\":\"//8=\"}"));
    struct peer *told = connect_peer(&rig, 1, CLIENT_JSON);
    struct peer *untold = connect_peer(&rig, 1, CLIENT_JSON);
    struct peer *protobuf = connect_peer(&rig, 2, CLIENT_PROTOBUF);
    peer_say(told, "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"join_leave\":true}}");
    peer_hear(told, "{\"id\":2,\"subscribe\":{}}");
    peer_hear_frame(told, 0x81);
    peer_subscribe(untold, "a");
    peer_hear_frame(told, 0x81);
    peer_say(protobuf, "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"join_leave\":true}}");
    peer_hear(protobuf, "{\"id\":2,\"subscribe\":{}}");
    peer_hear_frame(protobuf, 0x81);
    peer_hear_frame(told, 0x81);
    struct peer *one = open_peer(&rig, 0, CLIENT_JSON);
    peer_connect_with(one, connect);
    peer_subscribe(one, "a");
    peer_hear_close(told, 3506, "inappropriate protocol");
    peer_hear_nothing(untold);
    peer_hear_frame(protobuf, 0x81);
    assert_non_null(strstr(protobuf->message.at, "\"conn_info\":\xff\xff"));
    peer_say(protobuf, "{\"id\":3,\"presence\":{\"channel\":\"a\"}}");
    while (strstr(protobuf->message.at, "presence") == NULL) {
        peer_hear_frame(protobuf, 0x81); /* The leave of the one that was ended comes first. */
    }
    assert_non_null(strstr(protobuf->message.at, "\"conn_info\":\xff\xff"));
    peer_say(untold, "{\"id\":3,\"presence\":{\"channel\":\"a\"}}");
    peer_hear_close(untold, 3506, "inappropriate protocol");
    edge_rig_stop(&rig);
}

/* ---- framing ---- */

static void frames_of_protobuf(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool is_good;
    } frames[] = {
        {"\x04\x08\x05\x6a\x00", 5, true}, /* rpc {} */
        {"\x04\x08\x05\x6a\x00\x04\x08\x05\x6a\x00", 10, true},
        {"", 0, false},
        {"\x05\x08\x05\x6a\x00", 5, false},     /* Longer than the frame. */
        {"\x04\x08\x05\x6a\x01", 5, false},     /* A field longer than its message. */
        {"\x04\x08\x05\x6a\x00\x80", 6, false}, /* Half a length behind a good one. */
        {"\xff\xff\xff\xff\x0f", 5, false},     /* 4 GiB. */
        {"\xff\xff\xff\xff\xff\xff\xff\x01", 8, false},
        {"\x00", 1, false}, /* A pong that nobody asked for. */
        {"{\"id\":5,\"rpc\":{}}", 17, false},
    };
    static struct edge_rig rig;
    open_rig(&rig, false);
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        for (unsigned first = 0x81; first <= 0x82; first++) {
            struct peer *peer = connect_peer(&rig, 0, CLIENT_PROTOBUF);
            peer->protocol = CLIENT_JSON; /* Nothing is translated. */
            peer_put_frame(peer, first, frames[i].bytes, frames[i].len);
            edge_rig_settle(&rig);
            peer->protocol = CLIENT_PROTOBUF;
            if (frames[i].is_good) {
                peer_hear(peer,
                          "{\"id\":5,\"error\":{\"code\":108,\"message\":\"not available\"}}");
            } else {
                while (peer_has_news(peer) && (uint8_t)peer->in.at[peer->heard] == 0x82) {
                    peer_hear_frame(peer, 0x82);
                }
                /* A text message has to be UTF-8 before anything else. */
                const bool is_text =
                    first == 0x81 && !utf8_is_valid(span_of(frames[i].bytes, frames[i].len));
                peer_hear_close(peer, is_text ? 1007 : 3501,
                                is_text ? "text is not UTF-8" : "bad request");
            }
            peer_close(peer);
        }
    }
    edge_rig_stop(&rig);
}

/* ---- WebSocket's own pings ---- */

static struct peer *open_with_frame_pings(struct edge_rig *rig, const char *query)
{
    char request[512];
    (void)snprintf(request, sizeof(request),
                   "GET /connection/websocket?%s HTTP/1.1\r\nHost: rig\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   query);
    struct peer *peer = peer_open_at(rig, 0);
    peer_send(peer, request);
    peer_hear_head(peer, 101);
    peer->protocol = strstr(query, "protobuf") == NULL ? CLIENT_JSON : CLIENT_PROTOBUF;
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    return peer;
}

/* At the instant when it comes, so that its answer is in time. */
static void hear_frame_ping(struct peer *peer)
{
    for (int i = 0; i < 50 && !peer_has_news(peer); i++) {
        edge_rig_advance(peer->rig, 100);
    }
    peer_hear_frame(peer, 0x89);
    assert_int_equal(peer->message.len, 0);
}

static void pings_may_be_websockets_own(void **state)
{
    (void)state;
    static const char *const queries[] = {"cf_ws_frame_ping_pong=true",
                                          "cf_protocol=protobuf&cf_ws_frame_ping_pong=true"};
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.client.ping_interval_ms = 4000;
    rig.options.client.pong_timeout_ms = 1000;
    edge_rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        struct peer *peer = open_with_frame_pings(&rig, queries[i]);
        peer_put_frame(peer, 0x8a, "x", 1); /* Nobody asked: allowed. */
        hear_frame_ping(peer);
        for (int n = 0; n < 3; n++) {
            peer_put_frame(peer, 0x8a, "", 0);
            hear_frame_ping(peer);
        }
        assert_int_equal(edge_rig_count(&rig, COUNTER_OF(TRANSPORT_RECEIVED, TRANSPORT_WEBSOCKET,
                                                         FRAME_CLIENT_PONG)),
                         3);
        edge_rig_advance(&rig, 1000);
        peer_hear_close(peer, 3012, "no pong");
        /* The protocol's own pong is none here, though a ping waits for its answer. */
        peer = open_with_frame_pings(&rig, queries[i]);
        hear_frame_ping(peer);
        peer_say(peer, "{}");
        peer_hear_close(peer, 3501, "bad request");
        edge_rig_stop(&rig);
        edge_rig_init(&rig, 1);
        rig.options.client.ping_interval_ms = 4000;
        rig.options.client.pong_timeout_ms = 1000;
        edge_rig_start(&rig);
    }
    /* And a frame's pong is none where the protocol pings. */
    struct peer *peer = connect_peer(&rig, 0, CLIENT_JSON);
    for (int i = 0; i < 50 && !peer_has_news(peer); i++) {
        edge_rig_advance(&rig, 100);
    }
    peer_hear(peer, "{}");
    peer_put_frame(peer, 0x8a, "", 0);
    edge_rig_advance(&rig, 1000);
    peer_hear_close(peer, 3012, "no pong");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_commands_give_the_same_session),
        cmocka_unit_test(both_hear_each_publication_in_order),
        cmocka_unit_test(both_come_and_go_under_publications),
        cmocka_unit_test(bytes_reach_protobuf_as_they_were),
        cmocka_unit_test(bytes_among_json_end_json_in_order),
        cmocka_unit_test(an_info_of_bytes_is_for_protobuf_alone),
        cmocka_unit_test(frames_of_protobuf),
        cmocka_unit_test(pings_may_be_websockets_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
