/* SPDX-License-Identifier: Apache-2.0 */
/* What the peers of node_fuzz.c say: requests and commands, which an input names by their numbers.
 */
#ifndef ROOST_TESTS_FUZZ_NODE_FUZZ_WORDS_H
#define ROOST_TESTS_FUZZ_NODE_FUZZ_WORDS_H

#include "codec/span.h"

#define HOST "Host: x\r\n"
#define UPGRADE \
    HOST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define CALL(method, len, body) \
    "POST /api/" method " HTTP/1.1\r\n" HOST "X-API-Key: k\r\nContent-Length: " len "\r\n\r" \
    "\n" body

static const char chunked_call[] =
    "POST /api/info HTTP/1.1\r\n" HOST "X-API-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    "2\r\n{}\r\n0\r\n\r\n";
static const char talk[] =
    "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n"
    "{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":4,\"subscribe\":{\"channel\":\"a\"}}";
static const char talk_good[] = "{\"id\":9,\"subscribe\":{\"channel\":\"good\"}}\n"
                                "{\"id\":10,\"publish\":{\"channel\":\"good\",\"data\":1}}";

static const char *const requests[] = {
    "GET /connection/websocket HTTP/1.1\r\n" UPGRADE "\r\n",
    "GET /connection/websocket HTTP/1.1\r\n" UPGRADE
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n\r\n",
    "GET /connection/websocket HTTP/1.1\r\n" UPGRADE "X-User: 42\r\n\r\n",
    "GET /echo HTTP/1.1\r\n" UPGRADE "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    "GET /metrics HTTP/1.1\r\n" HOST "\r\n",
    "HEAD /health HTTP/1.1\r\n" HOST "\r\n",
    CALL("publish", "25", "{\"channel\":\"a\",\"data\":{}}"),
    CALL("broadcast", "37", "{\"channels\":[\"a\",\"b\",\"x:y\"],\"data\":1}"),
    CALL("presence", "15", "{\"channel\":\"a\"}"),
    CALL("channels", "19", "{\"pattern\":\"{a,*}\"}"),
    CALL("disconnect", "13", "{\"user\":\"42\"}"),
    CALL("unsubscribe", "13", "{\"user\":\"42\"}"),
    chunked_call,
    CALL("publish", "49", "{\"channel\":\"r:a\",\"data\":{},\"idempotency_key\":\"k\"}"),
    CALL("history", "27", "{\"channel\":\"r:a\",\"limit\":3}"),
    CALL("history_remove", "17", "{\"channel\":\"r:a\"}"),
};

static const char *const commands[] = {
    "{\"id\":1,\"connect\":{}}",
    "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"join_leave\":true}}",
    "{\"id\":3,\"subscribe\":{\"channel\":\"b\"}}",
    "{\"id\":4,\"unsubscribe\":{\"channel\":\"a\"}}",
    "{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":[\"x\"]}}",
    "{\"id\":6,\"presence\":{\"channel\":\"a\"}}",
    "{\"id\":7,\"presence_stats\":{\"channel\":\"b\"}}",
    talk,
    "{}",
    "{\"id\":8,\"rpc\":{\"method\":\"m\"}}",
    talk_good,
    "{\"id\":11,\"history\":{\"channel\":\"a\"}}",
    "{\"id\":12,\"subscribe\":{\"channel\":\"r:a\",\"recover\":true,\"offset\":1,\"flag\":1}}",
    "{\"id\":13,\"subscribe\":{\"channel\":\"r:a\",\"recover\":true,\"epoch\":\"1\",\"flag\":2}}",
    "{\"id\":14,\"unsubscribe\":{\"channel\":\"r:a\"}}",
    "{\"id\":15,\"publish\":{\"channel\":\"r:a\",\"data\":[\"xxxxxxxxxxxxxxxx\"]}}",
    "{\"id\":16,\"history\":{\"channel\":\"r:a\",\"limit\":2,\"since\":{\"offset\":1}}}",
};

/* The same in Protobuf, with their lengths: connect, subscribe, join_leave, unsubscribe, publish
 * (of what is JSON and what is not), presence, stats, a pong, rpc, history; and several in one
 * frame. */
#define PROTOBUF(bytes) SPAN_LITERAL(bytes)
static const struct span binary_commands[] = {
    PROTOBUF("\x04\x08\x01\x22\x00"),
    PROTOBUF("\x07\x08\x02\x2a\x03\x0a\x01\x61"),
    PROTOBUF("\x09\x08\x02\x2a\x05\x0a\x01\x62\x58\x01"),
    PROTOBUF("\x07\x08\x03\x32\x03\x0a\x01\x61"),
    PROTOBUF("\x0b\x08\x04\x3a\x07\x0a\x01\x61\x12\x02\x7b\x7d"),
    PROTOBUF("\x0b\x08\x04\x3a\x07\x0a\x01\x61\x12\x02\xff\x00"),
    PROTOBUF("\x07\x08\x05\x42\x03\x0a\x01\x61"),
    PROTOBUF("\x07\x08\x06\x4a\x03\x0a\x01\x62"),
    PROTOBUF("\x00"),
    PROTOBUF("\x04\x08\x07\x6a\x00"),
    PROTOBUF("\x07\x08\x08\x52\x03\x0a\x01\x61"),
    PROTOBUF("\x04\x08\x01\x22\x00\x07\x08\x02\x2a\x03\x0a\x01\x61\x07\x08\x03\x32\x03\x0a\x01\x61"
             "\x07\x08\x02\x2a\x03\x0a\x01\x61"),
};
static const char binary_request[] =
    "GET /connection/websocket?cf_protocol=protobuf HTTP/1.1\r\n" UPGRADE "\r\n";
static const char binary_request_pinged[] =
    "GET /connection/websocket?format=protobuf&cf_ws_frame_ping_pong=true HTTP/1.1\r\n" UPGRADE
    "\r\n";

/* What asks for an HTTP stream, or for a unidirectional WebSocket. */
#define POST(target, type, len, body) \
    "POST " target " HTTP/1.1\r\n" HOST type "Content-Length: " len "\r\n\r\n" body
#define BOTH "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}"
#define OCTETS "Content-Type: application/octet-stream\r\n"
static const char *const stream_requests[] = {
    POST("/connection/http_stream", "", "58", BOTH),
    POST("/connection/sse", "", "58", BOTH),
    "GET /connection/sse?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D HTTP/1.1\r\n" HOST "\r\n",
    POST("/connection/http_stream", OCTETS, "5", "\x04\x08\x01\x22" /* and a 0 */),
    POST("/connection/uni_http_stream", "", "26", "{\"subs\":{\"a\":{},\"r:a\":{}}}"),
    "GET /connection/uni_sse HTTP/1.1\r\n" HOST "Origin: http://x\r\n\r\n",
    "GET /connection/uni_websocket?cf_connect=%7B%7D HTTP/1.1\r\n" UPGRADE "\r\n",
    "OPTIONS /emulation HTTP/1.1\r\n" HOST "\r\n",
};

/* Of maps, wildcards, shared polls and channels with proxies. */
#define KEYED(id, channel, rest) \
    "{\"id\":" id ",\"publish\":{\"channel\":\"" channel "\",\"type\":1,\"key\":" rest "}}"
#define JOIN(id, channel, rest) \
    "{\"id\":" id ",\"subscribe\":{\"channel\":\"" channel "\"" rest "}}"
#define LEAVE(id, channel) "{\"id\":" id ",\"unsubscribe\":{\"channel\":\"" channel "\"}}"
static const char *const featured_commands[] = {
    JOIN("20", "m:a", ",\"type\":1,\"phase\":2,\"limit\":1"),
    JOIN("21", "m:a", ",\"type\":1,\"phase\":2,\"limit\":1,\"cursor\":\"a\",\"offset\":2"),
    JOIN("22", "m:a", ",\"type\":1,\"phase\":1,\"offset\":1"),
    JOIN("23", "m:a", ",\"type\":1,\"recover\":true,\"offset\":1,\"delta\":\"fossil\""),
    JOIN("24", "m:a",
         ",\"type\":1,\"phase\":2,\"delta\":\"fossil\",\"asc\":true,"
         "\"tf\":{\"key\":\"t\",\"cmp\":\"eq\",\"val\":\"x\"}"),
    KEYED("25", "m:a", "\"a\",\"data\":{\"n\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1\"}"),
    KEYED("26", "m:a", "\"a\",\"data\":{\"n\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2\"}"),
    KEYED("27", "m:a", "\"b\",\"data\":2"),
    KEYED("28", "m:a", "\"c\",\"data\":3"),
    KEYED("29", "m:a", "\"a\",\"removed\":true"),
    LEAVE("30", "m:a"),
    JOIN("31", "e:a", ",\"type\":1,\"phase\":2"),
    KEYED("32", "e:a", "\"\",\"data\":1"),
    KEYED("33", "e:a", "\"\",\"removed\":true"),
    LEAVE("34", "e:a"),
    JOIN("35", "seen:a", ",\"join_leave\":true"),
    LEAVE("36", "seen:a"),
    JOIN("37", "who:seen:a", ",\"type\":2,\"phase\":2"),
    JOIN("38", "users:seen:a", ",\"type\":3,\"phase\":2,\"limit\":1"),
    LEAVE("39", "who:seen:a"),
    JOIN("40", "w:*", ",\"tf\":{\"key\":\"channel\",\"cmp\":\"sw\",\"val\":\"w:\"}"),
    JOIN("41", "w:x.*", ",\"recover\":true,\"offset\":1,\"delta\":\"fossil\""),
    JOIN("42", "w:x.y", ""),
    LEAVE("43", "w:*"),
    "{\"id\":44,\"publish\":{\"channel\":\"w:x.y\",\"data\":[1]}}",
    "{\"id\":45,\"publish\":{\"channel\":\"w:x.y.z.*\",\"data\":[2]}}",
    JOIN("46", "poll:a", ",\"type\":4,\"delta\":\"fossil\""),
    JOIN("47", "free:a", ",\"type\":4"),
    "{\"id\":48,\"sub_refresh\":{\"channel\":\"poll:a\",\"type\":2,\"untrack\":[\"a\",\"b\"]}}",
    LEAVE("49", "poll:a"),
    LEAVE("50", "free:a"),
    JOIN("51", "p:a", ",\"data\":{\"x\":1}"),
    "{\"id\":52,\"publish\":{\"channel\":\"p:a\",\"data\":[3]}}",
    "{\"id\":53,\"rpc\":{\"method\":\"ask\",\"data\":{}}}",
    "{\"id\":54,\"sub_refresh\":{\"channel\":\"p:a\"}}",
    LEAVE("55", "p:a"),
    KEYED("56", "mp:a", "\"k\",\"data\":4"),
    KEYED("57", "mp:a", "\"k\",\"removed\":true"),
    JOIN("58", "mp:a", ",\"type\":1,\"phase\":2"),
    JOIN("59", "m:a", ",\"type\":1,\"phase\":2,\"limit\":3,\"delta\":\"fossil\""),
    "{\"id\":60,\"publish\":{\"channel\":\"seen:a\",\"data\":[5]}}",
};

/* The server API's: a method and the body. */
static const char *const featured_calls[][2] = {
    {"map_publish", "{\"channel\":\"m:a\",\"key\":\"a\",\"data\":1,\"tags\":{\"t\":\"x\"}}"},
    {"map_publish", "{\"channel\":\"m:a\",\"key\":\"d\",\"data\":{\"s\":5},\"score\":5,"
                    "\"key_mode\":\"if_new\",\"idempotency_key\":\"i\"}"},
    {"map_publish", "{\"channel\":\"m:a\",\"key\":\"b\",\"data\":1,\"version\":7,"
                    "\"version_epoch\":\"e\",\"delta\":true}"},
    {"map_remove", "{\"channel\":\"m:a\",\"key\":\"a\"}"},
    {"map_read_state", "{\"channel\":\"m:a\",\"limit\":1}"},
    {"map_read_state", "{\"channel\":\"m:a\",\"limit\":2,\"cursor\":\"a\",\"asc\":true}"},
    {"map_read_stream", "{\"channel\":\"m:a\",\"limit\":-1}"},
    {"map_read_stream", "{\"channel\":\"m:a\",\"since_offset\":2,\"limit\":1,\"reverse\":true}"},
    {"map_stats", "{\"channel\":\"m:a\"}"},
    {"map_clear", "{\"channel\":\"m:a\"}"},
    {"map_publish", "{\"channel\":\"who:seen:a\",\"key\":\"a\",\"data\":1}"},
    {"shared_poll_publish", "{\"channel\":\"poll:a\",\"key\":\"a\",\"data\":1,\"version\":9}"},
    {"shared_poll_publish", "{\"channel\":\"free:a\",\"key\":\"a\",\"data\":2,\"version\":0}"},
    {"connections", "{\"limit\":1}"},
    {"connections", "{\"channel\":\"a\",\"user\":\"42\"}"},
    {"block_user", "{\"user\":\"42\"}"},
    {"unblock_user", "{\"user\":\"42\"}"},
    {"invalidate_user_tokens", "{\"user\":\"42\",\"channel\":\"a\"}"},
    {"revoke_token", "{\"uid\":\"t\"}"},
    {"subscribe", "{\"user\":\"42\",\"channel\":\"w:*\"}"},
    {"subscribe", "{\"user\":\"42\",\"channel\":\"seen:a\"}"},
    {"publish", "{\"channel\":\"w:x.y\",\"data\":\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\","
                "\"tags\":{\"t\":\"x\"}}"},
    {"history", "{\"channel\":\"w:x.*\",\"limit\":5}"},
    {"channels", "{\"pattern\":\"*\"}"},
    {"batch", "{\"parallel\":true,\"commands\":[{\"publish\":{\"channel\":\"seen:a\",\"data\":1}},"
              "{\"map_remove\":{\"channel\":\"m:a\",\"key\":\"b\"}},{\"info\":{}}]}"},
    {"batch", "{\"commands\":[{\"publish\":{\"channel\":\"seen:a\",\"data\":2}},{\"unknown\":{}},"
              "{\"history\":{\"channel\":\"r:a\",\"limit\":2}}]}"},
};

/* In Protobuf: a map subscribed to, a key set, and removed; a poll subscribed to, a key untracked.
 */
static const struct span featured_binary_commands[] = {
    PROTOBUF("\x0e\x08\x14\x2a\x0a\x0a\x03m:a\x78\x01\x80\x01\x02"),
    PROTOBUF("\x11\x08\x15\x3a\x0d\x0a\x03m:a\x12\x01\x31\x18\x01\x22\x01\x61"),
    PROTOBUF("\x10\x08\x16\x3a\x0c\x0a\x03m:a\x18\x01\x22\x01\x61\x28\x01"),
    PROTOBUF("\x0e\x08\x17\x2a\x0a\x0a\x06poll:a\x78\x04"),
    PROTOBUF("\x11\x08\x18\x7a\x0d\x0a\x06poll:a\x18\x02\x2a\x01\x61"),
};

/* Shared polls: what is tracked, with the keys that are signed, a 0 between each two. */
static const struct {
    const char *channel;
    const char *items;
    struct span keys;
} tracks[] = {
    {"poll:a", "{\"key\":\"a\",\"version\":0}", SPAN_LITERAL("a")},
    {"poll:a", "{\"key\":\"a\",\"version\":3},{\"key\":\"b\"}", SPAN_LITERAL("a\0b")},
    {"free:a", "{\"key\":\"a\"},{\"key\":\"b\"},{\"key\":\"c\"}", SPAN_LITERAL("a\0b\0c")},
    {"poll:a", "{\"key\":\"c\"},{\"key\":\"d\"},{\"key\":\"e\"}", SPAN_LITERAL("c\0d\0e")},
    {"poll:a", "{\"key\":\"a\"}", SPAN_LITERAL("another")},
};

#endif
