/* SPDX-License-Identifier: Apache-2.0 */
/* A node with an internal listener: what is served where, and what both have in common. */
#include "tests/unit/shards/edge_rig.h"

#define HOST "Host: rig\r\n"
#define KEY "X-API-Key: key\r\n"
#define UPGRADE \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define PUBLISH \
    "POST /api/publish HTTP/1.1\r\n" HOST KEY \
    "Content-Length: 25\r\n\r\n{\"channel\":\"c\",\"data\":{}}"

static const struct web_file page = {"/", "text/html", (const uint8_t *)"<p>hi", 5};
static const struct socket_address internal = {.family = 4, .bytes = {10, 0, 0, 1}, .port = 9000};

static void open_rig(struct edge_rig *rig)
{
    edge_rig_init(rig, 2);
    rig->options.listen_internal = internal;
    rig->options.web_files = &page;
    rig->options.web_files_len = 1;
    rig->options.init_enabled = true;
    rig->options.echo.enabled = true;
    rig->options.transports[TRANSPORT_HTTP_STREAM].enabled = true;
    rig->options.transports[TRANSPORT_UNI_SSE].enabled = true;
}

static struct peer *open_peer(struct edge_rig *rig, bool is_internal)
{
    return is_internal ? peer_open_to(rig, &internal) : peer_open(rig);
}

static void expect(struct edge_rig *rig, bool is_internal, const char *request, unsigned status)
{
    struct peer *peer = open_peer(rig, is_internal);
    peer_send(peer, request);
    if (status == 404) {
        peer_hear_response(peer, 404, "not found");
    } else {
        peer_hear_head(peer, status);
    }
    peer_close(peer);
}

static void what_is_for_clients_and_what_is_for_operators_are_apart(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        unsigned status;
        bool is_internal;
    } cases[] = {
        {"GET /health HTTP/1.1\r\n" HOST "\r\n", 200, true},
        {"GET /metrics HTTP/1.1\r\n" HOST "\r\n", 200, true},
        {PUBLISH, 200, true},
        {"POST /api HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", 401, true},
        {"GET /api/info HTTP/1.1\r\n" HOST "\r\n", 405, true},
        {"GET /connection/websocket HTTP/1.1\r\n" HOST UPGRADE, 101, false},
        {"GET /connection/uni_sse HTTP/1.1\r\n" HOST "\r\n", 200, false},
        {"GET /connection/http_stream HTTP/1.1\r\n" HOST "\r\n", 405, false},
        {"POST /emulation HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 400, false},
        {"GET /connection/init HTTP/1.1\r\n" HOST "\r\n", 200, false},
        {"GET /echo HTTP/1.1\r\n" HOST UPGRADE, 101, false},
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 200, false},
        {"GET /demo/shards HTTP/1.1\r\n" HOST "\r\n", 200, false},
    };
    static struct edge_rig rig;
    open_rig(&rig);
    edge_rig_start(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(&rig, cases[i].is_internal, cases[i].request, cases[i].status);
        expect(&rig, !cases[i].is_internal, cases[i].request, 404);
    }
    edge_rig_stop(&rig);
}

static void an_external_api_is_served_to_the_public_alone(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    rig.options.http_api.external = true;
    edge_rig_start(&rig);
    expect(&rig, false, PUBLISH, 200);
    expect(&rig, true, PUBLISH, 404);
    expect(&rig, true, "GET /health HTTP/1.1\r\n" HOST "\r\n", 200);
    edge_rig_stop(&rig);
}

static void a_kept_connection_stays_what_it_is(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    edge_rig_start(&rig);
    struct peer *peer = open_peer(&rig, true);
    for (int i = 0; i < 3; i++) {
        peer_send(peer, "GET /health HTTP/1.1\r\n" HOST "\r\n");
        peer_hear_response(peer, 200, "{}");
        peer_send(peer, "GET / HTTP/1.1\r\n" HOST "\r\n");
        peer_hear_response(peer, 404, "not found");
    }
    edge_rig_stop(&rig);
}

/* Every shard accepts from both, more of them than one turn does. */
static void many_come_to_both_at_once(void **state)
{
    (void)state;
    static struct edge_rig rig;
    struct peer *peers[EDGE_PEERS_MAX];
    open_rig(&rig);
    edge_rig_start(&rig);
    for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
        peers[i] = open_peer(&rig, i % 2 == 0);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CONNECTIONS), EDGE_PEERS_MAX);
    for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
        peer_send(peers[i], "GET /health HTTP/1.1\r\n" HOST "\r\n");
        peer_hear_response(peers[i], i % 2 == 0 ? 200 : 404, NULL);
        peer_close(peers[i]);
    }
    edge_rig_stop(&rig);
}

static void a_stopping_node_listens_nowhere(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    edge_rig_start(&rig);
    node_stop_begin(rig.node);
    rig.keeps_listening = false;
    for (uint32_t i = 0; i <= rig.options.shards; i++) {
        poller_wake(sim_shard(rig.sim, rig.number, i)->poller);
    }
    edge_rig_settle(&rig);
    assert_true(sim_client_connect(rig.sim, rig.number, &internal) < 0);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_for_clients_and_what_is_for_operators_are_apart),
        cmocka_unit_test(an_external_api_is_served_to_the_public_alone),
        cmocka_unit_test(a_kept_connection_stays_what_it_is),
        cmocka_unit_test(many_come_to_both_at_once),
        cmocka_unit_test(a_stopping_node_listens_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
