/* SPDX-License-Identifier: Apache-2.0 */
/* A whole node in the simulator: three peers say what the input tells them in JSON, Protobuf or
 * neither, cut and interleaved as it tells, and a backend answers what it tells, while time passes.
 * Nothing may abort; a good client next to them gets its publication; and when all have left, every
 * gauge is zero. */
#include <stdio.h>
#include <string.h>

#include "runtime/sim.h"
#include "shards/counters.h"
#include "shards/node.h"
#include "tests/fuzz/fuzz_pieces.h"
#include "tests/fuzz/node_fuzz_backend.h"
#include "tests/fuzz/node_fuzz_options.h"
#include "tests/fuzz/node_fuzz_words.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
    PEERS_MAX = 3,
    INPUT_MAX = 4096,
    TIME_MS_MAX = 300 * 1000, /* Of one input. */
    HEARD_MAX = 1 << 20,
};

static const struct socket_address address = {.family = 4, .bytes = {10, 0, 0, 1}, .port = 8000};

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
static struct fuzz_backend backend;
static uint32_t backend_number;
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
    fuzz_options_open(options, flags, seed);
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
    FUZZ_CHECK(number == 0);
    backend_number = fuzz_backend_open(&backend, sim);
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
        COUNTER_MAP_CATCH_UPS,
        COUNTER_TAGS_FILTER_BYTES,
        COUNTER_SHARED_POLL_CHANNELS,
        COUNTER_SHARED_POLL_KEYS,
        COUNTER_SHARED_POLL_TRACKED,
        COUNTER_SHARED_POLL_KEPT_BYTES,
    };
    for (size_t i = 0; i < PEERS_MAX; i++) {
        close_peer(&peers[i], i % 2 == 0);
    }
    close_peer(&good, false);
    sim_advance_ms(sim, 1500); /* Longer than a channel is kept that may be needed again. */
    sim_remove_node(sim, backend_number);
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

static void call(struct fuzz_peer *peer, uint8_t detail)
{
    const char *const *words = featured_calls[detail % LEN_OF(featured_calls)];
    char request[512];
    const int len = snprintf(request, sizeof(request),
                             "POST /api/%s HTTP/1.1\r\n" HOST "X-API-Key: k\r\n"
                             "Content-Length: %zu\r\n\r\n%s",
                             words[0], strlen(words[1]), words[1]);
    FUZZ_CHECK((size_t)len < sizeof(request));
    say(peer, request, (size_t)len);
}

static void put_hex(char *to, const uint8_t bytes[SHA256_DIGEST_LENGTH])
{
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        (void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* A track command as its backend signs it; `detail` says how long it holds, and whether it is the
 * client's own. */
static void track(struct fuzz_peer *peer, uint8_t detail)
{
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    char text[512];
    unsigned mac_len = 0;
    const struct shard *shard = sim_shard(sim, number, 0);
    const long long now_s = (long long)(shard->wall_ms / 1000);
    const long long ttl_s = (detail & 64) != 0 ? 1 : 3600;
    const size_t which = detail % 8 % LEN_OF(tracks);
    SHA256(tracks[which].keys.at, tracks[which].keys.len, bytes);
    put_hex(hex, bytes);
    const int signed_len =
        snprintf(text, sizeof(text), "%lld%c%lld%c%s%c%s%c%s", now_s, 0, now_s + ttl_s, 0,
                 (detail & 128) != 0 ? "42" : "", 0, tracks[which].channel, 0, hex);
    FUZZ_CHECK(HMAC(EVP_sha256(), POLL_SECRET, sizeof(POLL_SECRET) - 1, (const uint8_t *)text,
                    (size_t)signed_len, bytes, &mac_len) != NULL);
    put_hex(hex, bytes);
    const int len = snprintf(text, sizeof(text),
                             "{\"id\":60,\"sub_refresh\":{\"channel\":\"%s\",\"type\":1,\"track\":["
                             "{\"signature\":"
                             "\"%lld:%lld:%s\",\"items\":[%s]}]%s}}",
                             tracks[which].channel, now_s, now_s + ttl_s, hex, tracks[which].items,
                             (detail & 32) != 0 ? ",\"untrack\":[\"a\"]" : "");
    FUZZ_CHECK((size_t)len < sizeof(text));
    say_frame(peer, 0x81, text, (size_t)len);
}

/* Two of them, with a ping between. */
static void say_in_fragments(struct fuzz_peer *peer, const char *command)
{
    const size_t cut = strlen(command) / 2;
    say_frame(peer, 0x01, command, cut);
    say_frame(peer, 0x89, command, cut % 126);
    say_frame(peer, 0x80, command + cut, strlen(command) - cut);
}

/* Maps, wildcards, polls and backends. */
static void take_featured_step(struct fuzz_input *input, struct fuzz_peer *peer, uint8_t step,
                               uint8_t detail)
{
    switch (step) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
        const char *command = featured_commands[detail % LEN_OF(featured_commands)];
        say_frame(peer, 0x81, command, strlen(command));
        break;
    }
    case 5: {
        const struct span command =
            featured_binary_commands[detail % LEN_OF(featured_binary_commands)];
        say_frame(peer, 0x82, command.at, command.len);
        break;
    }
    case 6:
    case 7:
        call(peer, detail);
        break;
    case 8:
    case 9:
        track(peer, detail);
        break;
    case 10:
        fuzz_backend_behave(&backend, detail);
        break;
    case 11: { /* Its own words. */
        const size_t len = detail < input->len ? detail : input->len;
        fuzz_backend_learn(&backend, input->at, len);
        input->at += len;
        input->len -= len;
        break;
    }
    case 12:
        fuzz_backend_hang_up(&backend);
        break;
    default:
        pass_some(detail % 12);
        break;
    }
}

static void say_any_frame(struct fuzz_input *input, struct fuzz_peer *peer, size_t len)
{
    const uint8_t first = next_byte(input);
    const size_t rest = len < input->len ? len : input->len;
    say_frame(peer, first, input->at, rest);
    input->at += rest;
    input->len -= rest;
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
    if ((step & 16) != 0) {
        take_featured_step(input, peer, step & 15, detail);
        return;
    }
    switch (step & 15) {
    case 0: /* Any bytes. */
        say(peer, input->at, len);
        input->at += len;
        input->len -= len;
        break;
    case 1:
        say_any_frame(input, peer, len);
        break;
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
