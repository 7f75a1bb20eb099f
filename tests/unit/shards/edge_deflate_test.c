/* SPDX-License-Identifier: Apache-2.0 */
/* permessage-deflate on sessions: what is negotiated, what comes in, and fan-out to both kinds. The
 * peer's side is zlib's own. */
#include <stdio.h>
#include <zlib.h>

#include "tests/unit/shards/edge_rig.h"

enum { INFLATED_MAX = 1 << 20 };

static char inflated[INFLATED_MAX + 1];

/* A message as RFC 7692 section 7.2.1 makes it. Returns its length. */
static size_t compress_message(const void *at, size_t len, uint8_t *out, size_t room)
{
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)at;
    stream.avail_in = (uInt)len;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
    const size_t written = room - stream.avail_out;
    (void)deflateEnd(&stream);
    assert_memory_equal(out + written - 4, "\x00\x00\xff\xff", 4);
    return written - 4;
}

/* The next frame is compressed and says this; with a window of `bits` alone. */
static void hear_deflated(struct peer *peer, int bits, const char *pattern)
{
    static const uint8_t tail[4] = {0, 0, 0xff, 0xff};
    z_stream stream;
    peer_hear_frame(peer, 0xc1);
    memset(&stream, 0, sizeof(stream));
    assert_int_equal(inflateInit2(&stream, -bits), Z_OK);
    stream.next_out = (Bytef *)inflated;
    stream.avail_out = INFLATED_MAX;
    stream.next_in = (Bytef *)peer->message.at;
    stream.avail_in = (uInt)peer->message.len;
    assert_int_equal(inflate(&stream, Z_NO_FLUSH), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)tail;
    stream.avail_in = sizeof(tail);
    (void)inflate(&stream, Z_SYNC_FLUSH);
    assert_int_equal(stream.avail_in, 0);
    inflated[INFLATED_MAX - stream.avail_out] = '\0';
    (void)inflateEnd(&stream);
    if (pattern != NULL && !edge_text_matches(inflated, pattern)) {
        fail_msg("%s instead of %s", inflated, pattern);
    }
}

static void open_rig(struct edge_rig *rig, uint32_t min_size)
{
    edge_rig_init(rig, 2);
    rig->options.websocket.compression = true;
    rig->options.websocket.compression_min_size = min_size;
    edge_rig_start(rig);
}

static struct peer *upgrade(struct edge_rig *rig, const char *offer)
{
    char extra[256];
    struct peer *peer = peer_open(rig);
    (void)snprintf(extra, sizeof(extra), "Sec-WebSocket-Extensions: %s\r\n", offer);
    peer_upgrade_with(peer, extra);
    return peer;
}

static void put_deflated(struct peer *peer, unsigned first, const char *text)
{
    uint8_t compressed[4096];
    peer_put_frame(peer, first, compressed,
                   compress_message(text, strlen(text), compressed, sizeof(compressed)));
    edge_rig_settle(peer->rig);
}

static void offers_are_answered(void **state)
{
    (void)state;
    static const struct {
        const char *offer;
        const char *answer; /* NULL: none. */
    } cases[] = {
        {"permessage-deflate",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
        {"x, permessage-deflate; client_max_window_bits",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
        {"permessage-deflate; server_max_window_bits=9",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=9"},
        {"permessage-deflate; server_max_window_bits=99, permessage-deflate",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
        {"permessage-deflate; unknown", NULL},
        {"permessage-bzip2", NULL},
    };
    static struct edge_rig rig;
    open_rig(&rig, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer *peer = upgrade(&rig, cases[i].offer);
        const char *answer = peer_header(peer, "Sec-WebSocket-Extensions");
        if (cases[i].answer == NULL) {
            assert_null(answer);
        } else {
            assert_non_null(answer);
            assert_string_equal(answer, cases[i].answer);
        }
    }
    edge_rig_stop(&rig);
}

static void a_session_may_be_compressed_both_ways(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, 0);
    struct peer *peer = upgrade(&rig, "permessage-deflate");
    put_deflated(peer, 0xc1, "{\"id\":1,\"connect\":{}}");
    hear_deflated(peer, 15,
                  "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\",\"ping\":25,"
                  "\"pong\":true}}");
    /* Plain messages are allowed as well, and fragments of compressed ones with a ping between. */
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    edge_rig_settle(&rig);
    /* What does not shrink is sent plain. */
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    uint8_t compressed[256];
    static const char text[] =
        "{\"id\":3,\"unsubscribe\":{\"channel\":\"aaaaaaaaaaaaaaaaaaaaaa\"}}";
    const size_t len = compress_message(text, sizeof(text) - 1, compressed, sizeof(compressed));
    for (size_t cut = 0; cut <= len; cut++) {
        peer_put_frame(peer, 0x41, compressed, cut);
        peer_put_frame(peer, 0x89, "p", 1);
        peer_put_frame(peer, 0x80, compressed + cut, len - cut);
        edge_rig_settle(&rig);
        peer_hear_frame(peer, 0x8a);
        peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
        assert_int_equal(edge_rig_count(&rig, COUNTER_RECEIVE_PINNED_BYTES), 0);
    }
    edge_rig_stop(&rig);
}

/* One publication to plain clients, compressed ones, and ones with a small window. */
static void fan_out_speaks_to_each_as_it_negotiated(void **state)
{
    (void)state;
    static const uint32_t min_sizes[] = {0, 500};
    for (int m = 0; m < 2; m++) {
        static struct edge_rig rig;
        open_rig(&rig, min_sizes[m]);
        struct peer *peers[12];
        for (int i = 0; i < 12; i++) {
            peers[i] = i % 3 == 0   ? upgrade(&rig, "x-none")
                       : i % 3 == 1 ? upgrade(&rig, "permessage-deflate")
                                    : upgrade(&rig, "permessage-deflate; server_max_window_bits=9");
            peer_say(peers[i], "{\"id\":1,\"connect\":{}}\n"
                               "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
            peers[i]->heard = peers[i]->in.len;
        }
        struct peer *publisher = peer_open(&rig);
        peer_connect(publisher);
        char data[4000];
        for (size_t i = 0; i < sizeof(data) - 1; i++) {
            data[i] = (char)('a' + (i * i / 7) % 26);
        }
        for (size_t size = 10; size < sizeof(data); size *= 4) {
            char wanted[5000];
            data[size] = '\0';
            peer_say(publisher, "{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":\"%s\"}}", data);
            (void)snprintf(wanted, sizeof(wanted),
                           "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"%s\",\"info\":{"
                           "\"user\":\"\",\"client\":\"<id>\"}}}}",
                           data);
            for (int i = 0; i < 12; i++) {
                const bool is_long = strlen(wanted) + 32 >= 500 + 4;
                assert_true(peer_has_news(peers[i]));
                if (i % 3 == 0 || (m == 1 && !is_long) ||
                    (uint8_t)peers[i]->in.at[peers[i]->heard] == 0x81) {
                    assert_true(i % 3 == 0 || size < 100 || (m == 1 && !is_long));
                    peer_hear(peers[i], "%s", wanted);
                } else {
                    hear_deflated(peers[i], i % 3 == 1 ? 15 : 9, wanted);
                }
                peer_hear_nothing(peers[i]);
            }
            data[size] = 'x';
        }
        edge_rig_stop(&rig);
    }
}

/* ---- what may not come ---- */

static void compressed_frames_need_the_extension(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, 0);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    put_deflated(peer, 0xc1, "{\"id\":5,\"rpc\":{}}");
    peer_hear_frame(peer, 0x88);
    assert_memory_equal(peer->message.at, "\x03\xea", 2);
    peer_hear_end(peer);
    edge_rig_stop(&rig);
}

static void what_does_not_inflate_is_1007(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, 0);
    struct peer *peer = upgrade(&rig, "permessage-deflate");
    peer_put_frame(peer, 0xc1, "\xff\xff\xff\xff\xff", 5);
    edge_rig_settle(&rig);
    peer_hear_close_frame(peer, 1007, "compressed data is invalid");
    peer_hear_end(peer);
    peer = upgrade(&rig, "permessage-deflate");
    put_deflated(peer, 0xc1, "\xff\xfe");
    peer_hear_close_frame(peer, 1007, "text is not UTF-8");
    peer_hear_end(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(TRANSPORT_CLOSE, TRANSPORT_WEBSOCKET,
                                                     label_of_close(1007))),
                     2);
    edge_rig_stop(&rig);
}

/* A few bytes that would become many are refused while they become them; the limit itself is
 * allowed to the byte. */
static void what_inflates_too_far_is_1009(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.websocket.compression = true;
    rig.options.websocket.inflated_size_limit = 100000;
    edge_rig_start(&rig);
    static char text[INFLATED_MAX];
    static uint8_t compressed[4096];
    static const size_t lens[] = {99999, 100000, 100001, 200000, INFLATED_MAX};
    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"id\":5,\"rpc\":{}}", 17);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct peer *peer = upgrade(&rig, "permessage-deflate");
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        peer->heard = peer->in.len;
        const size_t len = compress_message(text, lens[i], compressed, sizeof(compressed));
        peer_put_frame(peer, 0xc1, compressed, len);
        edge_rig_settle(&rig);
        if (lens[i] <= 100000) {
            peer_hear_frame(peer, (uint8_t)peer->in.at[peer->heard]);
            peer_hear_nothing(peer);
        } else {
            peer_hear_close_frame(peer, 1009, "inflated message too large");
            peer_hear_end(peer);
        }
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(REPLY_ERROR, CLIENT_METHOD_RPC,
                                                     label_of_error(108))),
                     2);
    edge_rig_stop(&rig);
}

/* RFC 7692 section 7.2.3.6: one byte on the wire; none at all is no deflate stream. */
static void an_empty_message_has_one_byte(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, 0);
    for (size_t len = 0; len < 2; len++) {
        struct peer *peer = upgrade(&rig, "permessage-deflate");
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        peer->heard = peer->in.len;
        peer_put_frame(peer, 0xc1, "\x00", len);
        edge_rig_settle(&rig);
        if (len == 0) {
            peer_hear_close_frame(peer, 1007, "compressed data is invalid");
        } else {
            peer_hear_close(peer, 3501, "bad request");
        }
    }
    edge_rig_stop(&rig);
}

/* A client that only listens, and its neighbours: plain, and of the bidirectional transport. */
static void who_only_listens_may_have_it_too(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.websocket.compression = true;
    rig.options.transports[TRANSPORT_UNI_WEBSOCKET].enabled = true;
    rig.options.transports[TRANSPORT_UNI_WEBSOCKET].compression = true;
    rig.options.transports[TRANSPORT_UNI_WEBSOCKET].inflated_size_limit = 1000;
    edge_rig_start(&rig);
    struct peer *peers[5];
    for (int i = 0; i < 4; i++) {
        /* The third has a small window, the last none. */
        static const char *const offers[] = {"permessage-deflate", "permessage-deflate",
                                             "permessage-deflate; server_max_window_bits=9", "x"};
        char request[512];
        peers[i] = peer_open(&rig);
        (void)snprintf(request, sizeof(request),
                       "GET /connection/uni_websocket HTTP/1.1\r\nHost: rig\r\n"
                       "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Extensions: %s\r\n\r\n",
                       offers[i]);
        peer_send(peers[i], request);
        peer_hear_head(peers[i], 101);
        assert_int_equal(peer_header(peers[i], "Sec-WebSocket-Extensions") != NULL, i < 3);
        const char *connect = "{\"subs\":{\"a\":{}}}";
        if (i < 3) {
            put_deflated(peers[i], 0xc1, connect);
            hear_deflated(peers[i], i == 2 ? 9 : 15, NULL);
            assert_non_null(strstr(inflated, "{\"connect\":{\"client\":"));
        } else {
            peer_put_frame(peers[i], 0x81, connect, strlen(connect));
            edge_rig_settle(&rig);
            peer_hear_frame(peers[i], 0x81);
        }
    }
    peers[4] = upgrade(&rig, "permessage-deflate");
    put_deflated(peers[4], 0xc1, "{\"id\":1,\"connect\":{}}");
    hear_deflated(peers[4], 15, NULL);
    peer_say(peers[4], "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    peer_hear(peers[4], "{\"id\":2,\"subscribe\":{}}");
    struct peer *other = peer_open(&rig);
    peer_connect(other);
    peer_say(other, "{\"id\":2,\"publish\":{\"channel\":\"a\",\"data\":"
                    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}");
#define PUBLISHED \
    "{\"channel\":\"a\",\"pub\":{\"data\":" \
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"," \
    "\"info\":{\"user\":\"\",\"client\":\"<id>\"}}}"
    hear_deflated(peers[0], 15, PUBLISHED);
    hear_deflated(peers[1], 15, PUBLISHED);
    hear_deflated(peers[2], 9, PUBLISHED);
    peer_hear(peers[3], PUBLISHED);
    hear_deflated(peers[4], 15, "{\"push\":" PUBLISHED "}");
    /* A message that connects may not grow beyond its limit. */
    struct peer *bomb = peer_open(&rig);
    peer_send(bomb, "GET /connection/uni_websocket HTTP/1.1\r\nHost: rig\r\n"
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    peer_hear_head(bomb, 101);
    static char spaces[2000];
    memset(spaces, ' ', sizeof(spaces) - 1);
    put_deflated(bomb, 0xc1, spaces);
    peer_hear_close(bomb, 1009, "inflated message too large");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_answered),
        cmocka_unit_test(a_session_may_be_compressed_both_ways),
        cmocka_unit_test(fan_out_speaks_to_each_as_it_negotiated),
        cmocka_unit_test(compressed_frames_need_the_extension),
        cmocka_unit_test(what_does_not_inflate_is_1007),
        cmocka_unit_test(what_inflates_too_far_is_1009),
        cmocka_unit_test(an_empty_message_has_one_byte),
        cmocka_unit_test(who_only_listens_may_have_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
