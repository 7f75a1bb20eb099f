/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake: what is refused, what is negotiated, and what may follow it at once. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"

#define GET "GET /connection/websocket HTTP/1.1\r\nHost: rig\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ALL UPGRADE CONNECTION VERSION KEY

static const char *const origins[] = {"https://good.example", "http://*.local"};

struct refusal {
    const char *request;
    unsigned status;
    enum counter counts;
};

static const struct refusal refusals[] = {
    {GET CONNECTION VERSION KEY "\r\n", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {GET "Upgrade: h2c\r\n" CONNECTION VERSION KEY "\r\n", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE VERSION KEY "\r\n", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE "Connection: keep-alive\r\n" VERSION KEY "\r\n", 400,
     COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE CONNECTION KEY "\r\n", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n", 400,
     COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE CONNECTION VERSION "\r\n", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: short\r\n\r\n", 400,
     COUNTER_REFUSED_UPGRADE_INVALID},
    {GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n\r\n", 400,
     COUNTER_REFUSED_UPGRADE_INVALID},
    {GET ALL "Content-Length: 5\r\n\r\nhello", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {GET ALL "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, COUNTER_REFUSED_UPGRADE_INVALID},
    {"POST /connection/websocket HTTP/1.1\r\nHost: rig\r\n" ALL "\r\n", 405,
     COUNTER_REFUSED_UPGRADE_INVALID},
    {"GET /connection/websocket HTTP/1.0\r\nHost: rig\r\n" ALL "\r\n", 400,
     COUNTER_REFUSED_UPGRADE_INVALID},
    {GET ALL "Origin: https://evil.example\r\n\r\n", 403, COUNTER_REFUSED_ORIGIN},
    {GET ALL "Origin: https://good.example.evil\r\n\r\n", 403, COUNTER_REFUSED_ORIGIN},
    {GET ALL "Origin: null\r\n\r\n", 403, COUNTER_REFUSED_ORIGIN},
    {GET ALL "Origin: \r\n\r\n", 403, COUNTER_REFUSED_ORIGIN},
    {GET ALL "Origin: https://rig\r\n\r\n", 403, COUNTER_REFUSED_ORIGIN}, /* No page is served. */
    {GET ALL "Origin: https://good.example\r\nOrigin: https://evil.example\r\n\r\n", 400,
     COUNTER_REFUSED_HEAD_INVALID},
    {GET ALL "Sec-WebSocket-Extensions: permessage-deflate; =\r\n\r\n", 400,
     COUNTER_REFUSED_UPGRADE_INVALID},
};

static void open_rig(struct edge_rig *rig)
{
    edge_rig_init(rig, 1);
    rig->options.client.allowed_origins = origins;
    rig->options.client.allowed_origins_len = 2;
    edge_rig_start(rig);
}

static void a_handshake_is_refused_with_its_status(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const uint64_t before = edge_rig_count(&rig, refusals[i].counts);
        struct peer *peer = peer_open(&rig);
        peer_send(peer, refusals[i].request);
        peer_hear_response(peer, refusals[i].status, NULL);
        assert_true(peer->message.len > 0);
        assert_int_equal(edge_rig_count(&rig, refusals[i].counts), before + 1);
        peer_hear_end(peer); /* Nothing behind a refused handshake is looked at. */
        peer_close(peer);
        edge_rig_assert_empty(&rig);
    }
    struct peer *peer = peer_open(&rig);
    peer_send(peer, GET UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n");
    peer_hear_response(peer, 400, NULL);
    assert_string_equal(peer_header(peer, "Sec-WebSocket-Version"), "13");
    edge_rig_stop(&rig);
}

struct handshake {
    const char *extra;
    const char *protocol; /* NULL: none is answered. */
};

static void a_handshake_is_accepted(void **state)
{
    (void)state;
    static const struct handshake handshakes[] = {
        {"", NULL},
        {"Origin: https://good.example\r\n", NULL},
        {"Origin: HTTP://A.Local\r\n", NULL},
        {"Sec-WebSocket-Protocol: centrifuge-json\r\n", "centrifuge-json"},
        {"Sec-WebSocket-Protocol: a, centrifuge-json, b\r\n", "centrifuge-json"},
        {"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: centrifuge-json\r\n",
         "centrifuge-json"},
        {"Sec-WebSocket-Protocol: Centrifuge-JSON\r\n", NULL},
        {"Sec-WebSocket-Protocol: Centrifuge-Protobuf\r\n", NULL},
        {"Sec-WebSocket-Protocol: chat\r\n", NULL},
        {"Sec-WebSocket-Extensions: x-unknown; a=b\r\n", NULL},
        {"Sec-WebSocket-Extensions: permessage-deflate\r\n", NULL}, /* Is not configured. */
        {"Cookie: a=b\r\n", NULL},
    };
    static struct edge_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < sizeof(handshakes) / sizeof(handshakes[0]); i++) {
        struct peer *peer = peer_open(&rig);
        peer_upgrade_with(peer, handshakes[i].extra);
        const char *protocol = peer_header(peer, "Sec-WebSocket-Protocol");
        if (handshakes[i].protocol == NULL) {
            assert_null(protocol);
        } else {
            assert_non_null(protocol);
            assert_string_equal(protocol, handshakes[i].protocol);
        }
        assert_null(peer_header(peer, "Sec-WebSocket-Extensions"));
        assert_string_equal(peer_header(peer, "Upgrade"), "websocket");
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        peer_hear_frame(peer, 0x81);
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* How a client asks for Protobuf, and the subprotocol that answers; it is spoken from then on. */
static void protobuf_is_asked_for_in_three_ways(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        const char *extra;
        const char *answer; /* NULL: none. */
        bool is_protobuf;
    } asks[] = {
        {"", "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n", "centrifuge-protobuf", true},
        {"", "Sec-WebSocket-Protocol: centrifuge-json, centrifuge-protobuf\r\n",
         "centrifuge-protobuf", true},
        {"?format=protobuf", "", NULL, true},
        {"?a=b&cf_protocol=proto%62uf", "", NULL, true},
        {"?cf_protocol=protobuf", "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n",
         "centrifuge-protobuf", true},
        /* The query decides, and the answer names what was offered. */
        {"?format=protobuf", "Sec-WebSocket-Protocol: centrifuge-json\r\n", "centrifuge-json",
         true},
        {"?format=json", "", NULL, false},
        {"?cf_protocol=Protobuf", "", NULL, false},
        {"?format=protobufs", "", NULL, false},
        {"?Format=protobuf", "", NULL, false},
    };
    static struct edge_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        char request[1024];
        (void)snprintf(request, sizeof(request),
                       "GET /connection/websocket%s HTTP/1.1\r\nHost: rig\r\n" ALL "%s\r\n",
                       asks[i].query, asks[i].extra);
        struct peer *peer = peer_open(&rig);
        peer_send(peer, request);
        peer_hear_head(peer, 101);
        const char *protocol = peer_header(peer, "Sec-WebSocket-Protocol");
        if (asks[i].answer == NULL) {
            assert_null(protocol);
        } else {
            assert_non_null(protocol);
            assert_string_equal(protocol, asks[i].answer);
        }
        /* connect is field 4 of a command, and 5 of a reply. */
        if (asks[i].is_protobuf) {
            static const uint8_t connect[] = {4, 0x08, 1, 0x22, 0};
            peer_put_frame(peer, 0x82, connect, sizeof(connect));
            edge_rig_settle(&rig);
            peer_hear_frame(peer, 0x82);
            assert_memory_equal(peer->message.at + 1, "\x08\x01\x2a", 3);
        } else {
            peer_say(peer, "{\"id\":1,\"connect\":{}}");
            peer_hear_frame(peer, 0x81);
        }
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* The page that the node itself serves may connect, whatever client.allowed_origins says. */
static void a_page_of_the_node_may_connect(void **state)
{
    (void)state;
    static const struct web_file page = {"/", "text/html", (const uint8_t *)"x", 1};
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.web_files = &page;
    rig.options.web_files_len = 1;
    edge_rig_start(&rig);
    peer_upgrade_with(peer_open(&rig), "Origin: http://rig\r\n");
    peer_upgrade_with(peer_open(&rig), "Origin: https://RIG\r\n");
    static const char *const others[] = {"http://rig:1", "http://rigg", "ftp://rig", "rig",
                                         "http://"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char request[512];
        struct peer *peer = peer_open(&rig);
        (void)snprintf(request, sizeof(request), GET ALL "Origin: %s\r\n\r\n", others[i]);
        peer_send(peer, request);
        peer_hear_response(peer, 403, NULL);
    }
    edge_rig_stop(&rig);
}

static void a_trusted_header_names_the_user(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.client.insecure = false;
    rig.options.client.user_id_http_header = "X-User";
    rig.options.without_namespace.allow_subscribe_for_client = true;
    rig.options.without_namespace.presence = true;
    rig.options.without_namespace.allow_presence_for_client = true;
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    peer_upgrade_with(peer, "x-user: 42\r\n");
    peer_say(peer, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}");
    peer_hear_frame(peer, 0x81);
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    peer_say(peer, "{\"id\":3,\"presence\":{\"channel\":\"c\"}}");
    peer_hear(peer, "{\"id\":3,\"presence\":{\"presence\":{\"<id>\":{\"user\":\"42\","
                    "\"client\":\"<id>\"}}}}");
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    peer_hear_close(peer, 3501, "bad request");
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 1);
    edge_rig_stop(&rig);
}

/* Frames behind the handshake, in the same segment, and requests before it on the connection. */
static void the_handshake_may_stand_between_others(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    peer_put_text(peer, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n" GET ALL "\r\n");
    peer_put_frame(peer, 0x81, "{\"id\":1,\"connect\":{}}", 21);
    peer_put_frame(peer, 0x89, "p", 1);
    edge_rig_settle(&rig);
    peer_hear_response(peer, 200, "{}");
    peer_hear_head(peer, 101);
    peer_hear_frame(peer, 0x81);
    peer_hear_frame(peer, 0x8a);
    assert_string_equal(peer->message.at, "p");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_is_refused_with_its_status),
        cmocka_unit_test(a_handshake_is_accepted),
        cmocka_unit_test(protobuf_is_asked_for_in_three_ways),
        cmocka_unit_test(a_page_of_the_node_may_connect),
        cmocka_unit_test(a_trusted_header_names_the_user),
        cmocka_unit_test(the_handshake_may_stand_between_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
