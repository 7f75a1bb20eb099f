/* SPDX-License-Identifier: Apache-2.0 */
/* A whole node in the simulator: three peers say what the input tells them in JSON, Protobuf or
 * neither, cut and interleaved as it tells, while time passes. Nothing may abort; a good client
 * next to them gets its publication; and when all have left, every gauge is zero. */
#include <stdio.h>
#include <string.h>

#include "runtime/sim.h"
#include "shards/counters.h"
#include "shards/node.h"
#include "tests/fuzz/fuzz_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
    PEERS_MAX = 3,
    INPUT_MAX = 4096,
    TIME_MS_MAX = 300 * 1000, /* Of one input. */
    HEARD_MAX = 1 << 20,
};

static const struct socket_address address = {.family = 4, .bytes = {10, 0, 0, 1}, .port = 8000};

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

#define LEN_OF(array) (sizeof(array) / sizeof((array)[0]))

struct fuzz_peer {
    int socket; /* -1: none. */
    uint8_t out[2 * INPUT_MAX + 2048];
    size_t out_len;
};

struct fuzz_input {
    const uint8_t *at;
    size_t len;
};

static struct sim *sim;
static struct node *node;
static uint32_t number;
static struct fuzz_peer peers[PEERS_MAX];
static struct fuzz_peer good;
static char heard[HEARD_MAX];
static size_t heard_len;
static size_t heard_at; /* Up to here it was looked at. */
static uint64_t time_ms;
/* As the last client of a stream was told: session and node. */
static char names[2][37];

static uint8_t next_byte(struct fuzz_input *input)
{
    if (input->len == 0) {
        return 0;
    }
    input->len--;
    return *input->at++;
}

/* ---- bytes ---- */

static void say(struct fuzz_peer *peer, const void *at, size_t len)
{
    if (peer->socket >= 0 && len > 0 && peer->out_len + len <= sizeof(peer->out)) {
        memcpy(peer->out + peer->out_len, at, len);
        peer->out_len += len;
    }
}

static void say_frame(struct fuzz_peer *peer, uint8_t first, const void *at, size_t len)
{
    uint8_t header[8] = {first, (uint8_t)(0x80 | len)};
    size_t header_len = 2;
    if (len > 125) {
        header[1] = 0x80 | 126;
        header[2] = (uint8_t)(len >> 8);
        header[3] = (uint8_t)len;
        header_len = 4;
    }
    memset(header + header_len, 0, 4); /* A mask that changes nothing shows the fuzzer its bytes. */
    say(peer, header, header_len + 4);
    say(peer, at, len);
}

static bool send_some(struct fuzz_peer *peer)
{
    if (peer->socket < 0 || peer->out_len == 0) {
        return false;
    }
    const size_t sent = sim_client_send(sim, peer->socket, peer->out, peer->out_len);
    memmove(peer->out, peer->out + sent, peer->out_len - sent);
    peer->out_len -= sent;
    return sent > 0;
}

static void find_name(const void *at, size_t len, const char *key, char name[37])
{
    const char *found = memmem(at, len, key, strlen(key));
    if (found != NULL && found + strlen(key) + 36 <= (const char *)at + len) {
        memcpy(name, found + strlen(key), 36);
    }
}

static bool receive_some(const struct fuzz_peer *peer)
{
    static uint8_t bytes[16384];
    const ssize_t got =
        peer->socket < 0 ? 0 : sim_client_receive(sim, peer->socket, bytes, sizeof(bytes));
    if (got > 0) {
        find_name(bytes, (size_t)got, "\"session\":\"", names[0]);
        find_name(bytes, (size_t)got, "\"node\":\"", names[1]);
    }
    return got > 0;
}

/* The good client keeps what it hears and answers each ping. */
static bool good_polls(void)
{
    const bool has_sent = send_some(&good);
    FUZZ_CHECK(heard_len < HEARD_MAX);
    const ssize_t got =
        sim_client_receive(sim, good.socket, heard + heard_len, HEARD_MAX - heard_len);
    heard_len += got > 0 ? (size_t)got : 0;
    while (heard_len - heard_at >= 4) {
        const uint8_t *at = (const uint8_t *)heard + heard_at;
        const size_t header_len = at[1] == 126 ? 4 : at[1] == 127 ? 10 : 2;
        size_t len = at[1];
        if (heard_len - heard_at < header_len) {
            break;
        }
        if (header_len > 2) {
            len = 0;
            for (size_t i = 2; i < header_len; i++) {
                len = len << 8 | at[i];
            }
        }
        if (heard_len - heard_at - header_len < len) {
            break;
        }
        if (at[0] == 0x81 && len == 2) {
            say_frame(&good, 0x81, "{}", 2);
        }
        heard_at += header_len + len;
    }
    return has_sent || got > 0;
}

static void settle(void)
{
    bool goes_on = true;
    while (goes_on) {
        goes_on = sim_settle(sim);
        for (size_t i = 0; i < PEERS_MAX; i++) {
            goes_on = send_some(&peers[i]) || goes_on;
            goes_on = receive_some(&peers[i]) || goes_on;
        }
        goes_on = good_polls() || goes_on;
    }
}

/* In small steps at first: what a socket took in part is sent on when there is room again. */
static void pass(uint64_t ms)
{
    uint64_t step = 5;
    settle();
    while (ms > 0) {
        step = step < 1000 ? step + step / 4 + 1 : 1000;
        step = step < ms ? step : ms;
        sim_advance_ms(sim, step);
        settle();
        ms -= step;
    }
}

static bool good_heard(const char *text)
{
    return memmem(heard, heard_len, text, strlen(text)) != NULL;
}

/* ---- the world ---- */

static void open_peer(struct fuzz_peer *peer)
{
    peer->out_len = 0;
    peer->socket = sim_client_connect(sim, number, &address);
}

static void close_peer(struct fuzz_peer *peer, bool is_reset)
{
    if (peer->socket >= 0) {
        sim_client_close(sim, peer->socket, is_reset);
        peer->socket = -1;
    }
}

static void open_histories(struct node_options *options, struct channel_options *kept,
                           uint8_t flags)
{
    *kept = options->without_namespace;
    kept->name = "r";
    kept->history_size = 1 + (flags & 3);
    kept->history_ttl_ms = 2000;
    kept->force_recovery = true;
    kept->force_recovery_mode = (flags & 8) != 0 ? RECOVERY_CACHE : RECOVERY_STREAM;
    kept->auto_cache_recover = (flags & 16) != 0;
    options->channel_history_meta_ttl_ms = 3000;
    options->history_memory_limit = 8192;
    options->namespaces = kept;
    options->namespaces_len = 1;
}

static void open_world(struct node_options *options, uint8_t flags, uint8_t seed)
{
    const struct sim_options sim_options = {
        .seed = seed,
        .latency_us_max = (flags & 1) != 0 ? 3000 : 0,
        .split_percent = (flags & 1) != 0 ? 30 : 0,
        .socket_buffer_bytes = (flags & 2) != 0 ? 700 : 0,
    };
    struct random random;
    node_options_init(options);
    options->name = options->version = "fuzz";
    options->listen = address;
    options->shards = 1 + (flags >> 6);
    options->client.insecure = true;
    options->client.user_id_http_header = "X-User";
    options->client.user_connection_limit = (flags & 4) != 0 ? 2 : 0;
    options->websocket.compression = (flags & 8) != 0;
    options->websocket.inflated_size_limit = 8192;
    options->without_namespace.presence = (flags & 16) != 0;
    options->without_namespace.join_leave = (flags & 32) != 0;
    static struct channel_options kept;
    open_histories(options, &kept, flags);
    options->echo.enabled = true;
    for (uint32_t i = TRANSPORT_WEBSOCKET + 1; i < TRANSPORTS; i++) {
        options->transports[i].enabled = true;
    }
    options->fallback_memory_limit = 32 * 1024;
    options->emulation.max_request_body_size = 1024;
    options->http_api.key = "k";
    options->health_enabled = options->prometheus_enabled = true;
    random_init_seeded(&random, seed);
    sim = sim_create(&sim_options);
    node = node_create(options, &random, 0);
    FUZZ_CHECK(sim != NULL && node != NULL);
    const struct shard_set_options set = node_shard_set_options(node);
    number = sim_add_node(sim, &set);
    FUZZ_CHECK(number != SIM_NODE_NONE);
    sim_advance_ms(sim, 10);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        peers[i].socket = -1;
    }
    heard_len = heard_at = 0;
    time_ms = 0;
    memset(names, 0, sizeof(names));
    open_peer(&good);
    say(&good, requests[0], strlen(requests[0]));
    pass(100);
    const char *end = memmem(heard, heard_len, "\r\n\r\n", 4);
    FUZZ_CHECK(end != NULL);
    heard_at = (size_t)(end + 4 - heard);
    static const char connect[] =
        "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"good\"}}";
    say_frame(&good, 0x81, connect, sizeof(connect) - 1);
    pass(100);
    FUZZ_CHECK(good_heard("{\"id\":2,\"subscribe\":{}}"));
}

static void close_world(void)
{
    static const enum counter gauges[] = {
        COUNTER_NUM_CLIENTS,
        COUNTER_NUM_CONNECTIONS,
        COUNTER_NUM_SESSIONS,
        COUNTER_NUM_UNAUTHENTICATED,
        COUNTER_NUM_USERS,
        COUNTER_NUM_ANONYMOUS,
        COUNTER_NUM_SUBSCRIPTIONS,
        COUNTER_NUM_CHANNELS,
        COUNTER_NUM_PRESENCE_ENTRIES,
        COUNTER_RECEIVE_PINNED_BYTES,
        COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES,
        COUNTER_RECEIVE_PINNED_FALLBACK_BYTES,
        COUNTER_FALLBACK_BYTES,
        COUNTER_OUTBOX_WAITING,
    };
    for (size_t i = 0; i < PEERS_MAX; i++) {
        close_peer(&peers[i], i % 2 == 0);
    }
    close_peer(&good, false);
    sim_advance_ms(sim, 100);
    for (size_t i = 0; i < LEN_OF(gauges); i++) {
        if (node_sum(node, gauges[i]) != 0) {
            fprintf(stderr, "%s is not zero\n", counter_descriptions[gauges[i]].name);
        }
        FUZZ_CHECK(node_sum(node, gauges[i]) == 0);
    }
    FUZZ_CHECK(sim_node_connections(sim, number) == 0);
    sim_destroy(sim);
    node_destroy(node);
}

/* ---- what happens ---- */

static void pass_some(uint8_t detail)
{
    const uint64_t ms = (uint64_t)1 << detail % 16;
    if (time_ms + ms <= TIME_MS_MAX) {
        time_ms += ms;
        pass(ms);
    }
}

static void say_in_protobuf(struct fuzz_peer *peer, uint8_t detail)
{
    if (detail % 16 < LEN_OF(binary_commands)) {
        const struct span *command = &binary_commands[detail % 16];
        say_frame(peer, 0x82, command->at, command->len);
    } else if (detail % 2 == 0) {
        say(peer, binary_request, sizeof(binary_request) - 1);
    } else {
        say(peer, binary_request_pinged, sizeof(binary_request_pinged) - 1);
    }
}

/* A command for the client of a stream, by a request of its own. */
static void emulate(struct fuzz_peer *peer, uint8_t detail)
{
    char body[1024];
    char head[256];
    const char *command = commands[detail % LEN_OF(commands)];
    int len = snprintf(body, sizeof(body), "{\"session\":\"%s\",\"node\":\"%s\",\"data\":\"",
                       names[0], names[1]);
    for (; *command != '\0'; command++) {
        if (*command == '"' || *command == '\n') {
            body[len++] = '\\';
        }
        body[len++] = *command == '\n' ? 'n' : *command;
    }
    body[len++] = '"';
    body[len++] = '}';
    FUZZ_CHECK((size_t)len < sizeof(body));
    const int head_len =
        snprintf(head, sizeof(head),
                 "POST /emulation HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", len);
    say(peer, head, (size_t)head_len);
    say(peer, body, (size_t)len);
}

static void say_of_streams(struct fuzz_peer *peer, uint8_t detail)
{
    if (detail % 2 == 0) {
        emulate(peer, detail / 2);
        return;
    }
    const char *request = stream_requests[detail / 2 % LEN_OF(stream_requests)];
    const bool is_binary = strstr(request, OCTETS) != NULL;
    say(peer, request, strlen(request) + (is_binary ? 1 : 0));
}

/* Two of them, with a ping between. */
static void say_in_fragments(struct fuzz_peer *peer, const char *command)
{
    const size_t cut = strlen(command) / 2;
    say_frame(peer, 0x01, command, cut);
    say_frame(peer, 0x89, command, cut % 126);
    say_frame(peer, 0x80, command + cut, strlen(command) - cut);
}

static void take_step(struct fuzz_input *input)
{
    const uint8_t step = next_byte(input);
    struct fuzz_peer *peer = &peers[(step >> 6) % PEERS_MAX];
    const uint8_t detail = next_byte(input);
    const size_t len = detail < input->len ? detail : input->len;
    if (peer->socket < 0) {
        open_peer(peer);
        FUZZ_CHECK(peer->socket >= 0);
    }
    switch (step & 15) {
    case 0: /* Any bytes. */
        say(peer, input->at, len);
        input->at += len;
        input->len -= len;
        break;
    case 1: { /* Any frame. */
        const uint8_t first = next_byte(input);
        const size_t rest = len < input->len ? len : input->len;
        say_frame(peer, first, input->at, rest);
        input->at += rest;
        input->len -= rest;
        break;
    }
    case 2: /* A text message. */
        say_frame(peer, 0x81, input->at, len);
        input->at += len;
        input->len -= len;
        break;
    case 3:
    case 4:
        say(peer, requests[detail % LEN_OF(requests)], strlen(requests[detail % LEN_OF(requests)]));
        break;
    case 5:
    case 6:
    case 7: {
        const char *command = commands[detail % LEN_OF(commands)];
        say_frame(peer, 0x81, command, strlen(command));
        break;
    }
    case 8:
        say_in_fragments(peer, commands[detail % LEN_OF(commands)]);
        break;
    case 9:
        (void)send_some(peer);
        close_peer(peer, detail % 2 == 0);
        break;
    case 10:
        sim_client_pause(sim, peer->socket, detail % 2 == 0);
        break;
    case 11: /* Sent, and nobody waits for what comes of it. */
        (void)send_some(peer);
        break;
    case 12:
        pass_some(detail);
        break;
    case 13:
        say_in_protobuf(peer, detail);
        break;
    case 14:
        say_of_streams(peer, detail);
        break;
    default:
        settle();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct node_options options;
    struct fuzz_input input = {bytes, len < INPUT_MAX ? len : INPUT_MAX};
    const uint8_t flags = next_byte(&input);
    open_world(&options, flags, next_byte(&input));
    while (input.len > 0) {
        take_step(&input);
    }
    pass(100);
    static const char last[] =
        "{\"id\":77,\"publish\":{\"channel\":\"good\",\"data\":\"the last one\"}}";
    say_frame(&good, 0x81, last, sizeof(last) - 1);
    pass(100);
    FUZZ_CHECK(good_heard("\"pub\":{\"data\":\"the last one\""));
    FUZZ_CHECK(good_heard("{\"id\":77,\"publish\":{}}"));
    close_world();
    return 0;
}
