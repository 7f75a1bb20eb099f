/* SPDX-License-Identifier: Apache-2.0 */
/* The node and its clock; the peers' bytes. What peers hear is in edge_hear.c. */
#include "tests/unit/shards/edge_rig.h"

#include <stdio.h>

#include "runtime/random.h"

static const struct socket_address address = {.family = 4, .bytes = {10, 0, 0, 1}, .port = 8000};

void edge_rig_init(struct edge_rig *rig, uint32_t shards)
{
    memset(rig, 0, sizeof(*rig));
    struct node_options *options = &rig->options;
    node_options_init(options);
    options->name = "rig";
    options->version = "0.1";
    options->listen = address;
    options->shards = shards;
    options->client.insecure = true;
    options->health_enabled = true;
    options->prometheus_enabled = true;
    options->http_api.key = "key";
    options->namespaces = rig->namespaces;
    rig->seed = 11;
    for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
        rig->peers[i].socket = -1;
    }
}

struct channel_options *edge_rig_namespace(struct edge_rig *rig, const char *name)
{
    assert_true(rig->options.namespaces_len < 8);
    struct channel_options *options = &rig->namespaces[rig->options.namespaces_len++];
    *options = rig->options.without_namespace;
    options->name = name;
    return options;
}

void edge_rig_start(struct edge_rig *rig)
{
    const struct sim_options options = {
        .seed = rig->seed,
        .socket_buffer_bytes = rig->socket_buffer_bytes,
    };
    struct random random;
    random_init_seeded(&random, rig->seed);
    rig->sim = sim_create(&options);
    assert_non_null(rig->sim);
    rig->node = node_create(&rig->options, &random, 0);
    assert_non_null(rig->node);
    const struct shard_set_options set = node_shard_set_options(rig->node);
    rig->number = sim_add_node(rig->sim, &set);
    assert_int_not_equal(rig->number, SIM_NODE_NONE);
    sim_advance_ms(rig->sim, 1000);
    rig->keeps_listening = true;
}

/* ---- what it counts ---- */

uint64_t edge_rig_count(const struct edge_rig *rig, enum counter counter)
{
    return node_sum(rig->node, counter);
}

uint64_t edge_rig_count_at(const struct edge_rig *rig, uint32_t shard, enum counter counter)
{
    return stats_get(node_stats(rig->node, shard), counter);
}

void edge_rig_assert_empty(const struct edge_rig *rig)
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
        COUNTER_BACKEND_CONNECTIONS,
        COUNTER_BACKEND_REQUESTS_INFLIGHT,
    };
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        if (edge_rig_count(rig, gauges[i]) != 0) {
            fail_msg("%s is %lld when everybody has left", counter_descriptions[gauges[i]].name,
                     (long long)edge_rig_count(rig, gauges[i]));
        }
    }
    assert_int_equal(node_sum_range(rig->node, COUNTER_INFLIGHT, COUNTER_INFLIGHT_LAST), 0);
    assert_int_equal(node_sum_range(rig->node, COUNTER_SUBSCRIPTIONS, COUNTER_SUBSCRIPTIONS_LAST),
                     0);
    assert_int_equal(node_sum_range(rig->node, COUNTER_PROXY_INFLIGHT, COUNTER_PROXY_INFLIGHT_LAST),
                     0);
    assert_int_equal(sim_node_connections(rig->sim, rig->number), 0);
}

/* ---- time ---- */

void edge_text_add(struct edge_text *text, const void *at, size_t len)
{
    if (text->len + len + 1 > text->room) {
        text->room = 2 * (text->len + len + 1);
        text->at = realloc(text->at, text->room);
        assert_non_null(text->at);
    }
    if (len > 0) {
        memcpy(text->at + text->len, at, len);
    }
    text->len += len;
    text->at[text->len] = '\0';
}

/* True while bytes move. */
static bool peer_poll(struct peer *peer)
{
    if (peer->socket < 0) {
        return false;
    }
    struct sim *sim = peer->rig->sim;
    bool has_moved = false;
    if (peer->out.len > 0) {
        const size_t sent = sim_client_send(sim, peer->socket, peer->out.at, peer->out.len);
        memmove(peer->out.at, peer->out.at + sent, peer->out.len - sent);
        peer->out.len -= sent;
        has_moved = sent > 0;
    }
    while (!peer->has_ended && !peer->is_paused) {
        char bytes[4096];
        const ssize_t got = sim_client_receive(sim, peer->socket, bytes, sizeof(bytes));
        if (got == 0) {
            break;
        }
        has_moved = true;
        if (got < 0) {
            peer->has_ended = true;
        } else {
            edge_text_add(&peer->in, bytes, (size_t)got);
        }
    }
    return has_moved;
}

void edge_rig_settle(struct edge_rig *rig)
{
    bool goes_on = true;
    while (goes_on) {
        goes_on = sim_settle(rig->sim);
        for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
            goes_on = peer_poll(&rig->peers[i]) || goes_on;
        }
    }
}

void edge_rig_advance(struct edge_rig *rig, uint64_t ms)
{
    edge_rig_settle(rig);
    sim_advance_ms(rig->sim, ms);
    edge_rig_settle(rig);
}

int64_t edge_rig_now_ms(struct edge_rig *rig)
{
    /* The shard's clock stands at its last turn. */
    const struct shard *shard = sim_shard(rig->sim, rig->number, 0);
    return shard->wall_ms + (int64_t)(sim_now_ms(rig->sim) - shard->now_ms);
}

int64_t edge_rig_now_s(struct edge_rig *rig)
{
    return edge_rig_now_ms(rig) / 1000;
}

/* ---- peers ---- */

enum client_protocol edge_rig_protocol = CLIENT_JSON;

int edge_rig_run_in_both(const struct CMUnitTest *tests, size_t len)
{
    edge_rig_protocol = CLIENT_JSON;
    const int failed = _cmocka_run_group_tests("in JSON", tests, len, NULL, NULL);
    edge_rig_protocol = CLIENT_PROTOBUF;
    return failed + _cmocka_run_group_tests("in Protobuf", tests, len, NULL, NULL);
}

struct peer *peer_open_to(struct edge_rig *rig, const struct socket_address *to)
{
    struct peer *peer = rig->peers;
    while (peer->socket >= 0 || peer->rig != NULL) {
        peer++;
        assert_true(peer < rig->peers + EDGE_PEERS_MAX);
    }
    *peer = (struct peer){.rig = rig, .protocol = edge_rig_protocol};
    peer->socket = sim_client_connect(rig->sim, rig->number, to);
    assert_true(peer->socket >= 0);
    edge_rig_settle(rig);
    return peer;
}

struct peer *peer_open(struct edge_rig *rig)
{
    return peer_open_to(rig, &address);
}

/* The seed chooses the shard: tries until it is the right one. */
struct peer *peer_open_at(struct edge_rig *rig, uint32_t shard)
{
    while (true) {
        const uint64_t before = edge_rig_count_at(rig, shard, COUNTER_NUM_CONNECTIONS);
        struct peer *peer = peer_open(rig);
        if (edge_rig_count_at(rig, shard, COUNTER_NUM_CONNECTIONS) > before) {
            return peer;
        }
        peer_reset(peer);
    }
}

/* The place is free again. */
static void peer_leave(struct peer *peer, bool is_reset)
{
    if (peer->socket >= 0) {
        sim_client_close(peer->rig->sim, peer->socket, is_reset);
        peer->socket = -1;
        edge_rig_settle(peer->rig);
    }
    free(peer->out.at);
    free(peer->in.at);
    free(peer->message.at);
    free(peer->head.at);
    *peer = (struct peer){.socket = -1};
}

void peer_close(struct peer *peer)
{
    peer_leave(peer, false);
}

void peer_reset(struct peer *peer)
{
    peer_leave(peer, true);
}

void peer_pause(struct peer *peer, bool is_paused)
{
    peer->is_paused = is_paused;
    sim_client_pause(peer->rig->sim, peer->socket, is_paused);
    edge_rig_settle(peer->rig);
}

void edge_rig_leave(struct edge_rig *rig)
{
    for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
        if (rig->peers[i].rig != NULL) {
            peer_leave(&rig->peers[i], i % 2 == 0);
        }
    }
}

void edge_rig_stop(struct edge_rig *rig)
{
    edge_rig_leave(rig);
    edge_rig_advance(rig, 1);
    edge_rig_assert_empty(rig);
    sim_destroy(rig->sim);
    node_destroy(rig->node);
}

/* ---- what they say ---- */

void peer_put(struct peer *peer, const void *at, size_t len)
{
    edge_text_add(&peer->out, at, len);
}

void peer_put_text(struct peer *peer, const char *text)
{
    peer_put(peer, text, strlen(text));
}

void peer_send(struct peer *peer, const char *text)
{
    peer_put_text(peer, text);
    edge_rig_settle(peer->rig);
}

static void put_frame(struct peer *peer, unsigned first, const void *at, size_t len)
{
    static const uint8_t mask[4] = {0x12, 0xf4, 0x56, 0x9a};
    uint8_t header[14] = {(uint8_t)first};
    size_t header_len = 2;
    if (len <= 125) {
        header[1] = (uint8_t)(0x80 | len);
    } else if (len <= 0xffff) {
        header[1] = 0x80 | 126;
        header[header_len++] = (uint8_t)(len >> 8);
        header[header_len++] = (uint8_t)len;
    } else {
        header[1] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            header[header_len++] = (uint8_t)((uint64_t)len >> shift);
        }
    }
    memcpy(header + header_len, mask, sizeof(mask));
    peer_put(peer, header, header_len + sizeof(mask));
    const size_t start = peer->out.len;
    peer_put(peer, at, len);
    for (size_t i = 0; i < len; i++) {
        peer->out.at[start + i] = (char)((uint8_t)peer->out.at[start + i] ^ mask[i % 4]);
    }
}

void peer_put_frame(struct peer *peer, unsigned first, const void *at, size_t len)
{
    struct edge_text messages = {0};
    if (peer->protocol == CLIENT_PROTOBUF && first == 0x81 &&
        edge_text_to_protobuf(&messages, span_of(at, len))) {
        put_frame(peer, 0x82, messages.at, messages.len);
    } else {
        put_frame(peer, first, at, len);
    }
    free(messages.at);
}

void peer_say(struct peer *peer, const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    const int len = vasprintf(&text, format, args);
    va_end(args);
    assert_true(len >= 0);
    peer_put_frame(peer, 0x81, text, (size_t)len);
    free(text);
    edge_rig_settle(peer->rig);
}

void peer_upgrade_with(struct peer *peer, const char *extra)
{
    char request[2048];
    (void)snprintf(request, sizeof(request),
                   "GET /connection/websocket%s HTTP/1.1\r\nHost: rig\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                   peer->protocol == CLIENT_PROTOBUF ? "?cf_protocol=protobuf" : "", extra);
    peer_send(peer, request);
    peer_hear_head(peer, 101);
    /* The example of RFC 6455 section 1.3. */
    assert_string_equal(peer_header(peer, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

void peer_upgrade(struct peer *peer)
{
    peer_upgrade_with(peer, "");
}

void peer_connect_with(struct peer *peer, const char *connect)
{
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":%s}", connect);
    peer_hear_frame(peer, 0x81);
    const char *id = strstr(peer->message.at, "\"client\":\"");
    assert_non_null(id);
    memcpy(peer->client, id + strlen("\"client\":\""), EDGE_CLIENT_ID_SIZE - 1);
}

void peer_connect(struct peer *peer)
{
    peer_connect_with(peer, "{}");
}

void peer_subscribe(struct peer *peer, const char *channel)
{
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", channel);
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
}
