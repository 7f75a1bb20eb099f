/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that are told of events: what, in which order, how often, and what they are told when
 * something was lost. */
#include <stdio.h>

#include "codec/webhook.h"
#include "shards/limits.h"
#include "tests/unit/shards/backend_rig.h"

static struct edge_rig rig;
static struct backend_rig backend;
static struct proxy_options proxy;

enum { DELAY_MS = 5000, BATCH_MS = 100 };

static void init_rig(uint32_t shards)
{
    edge_rig_init(&rig, shards);
    backend_rig_init(&backend, &rig);
    proxy = (struct proxy_options){.name = "default", .timeout_ms = 30000};
    rig.options.client.ping_interval_ms = 0;
    rig.options.webhooks.vacated_delay_ms = DELAY_MS;
    rig.options.webhooks.batch_max_delay_ms = BATCH_MS;
}

static void start_rig(void)
{
    edge_rig_start(&rig);
    backend_rig_start(&backend);
}

static void stop_rig(void)
{
    edge_rig_leave(&rig);
    backend_rig_stop(&backend);
    edge_rig_stop(&rig);
}

/* The next batch: its events and nodes, in which T is any time, its place and what was lost; on
 * which connection it came. */
static uint32_t hears_batch(const char *events, const char *nodes, unsigned seq, unsigned lost)
{
    char expected[4096];
    struct edge_text got = {0};
    const uint32_t at = backend_hear(&backend, NULL);
    for (const char *from = backend.body.at; *from != '\0';) {
        const size_t digits = strspn(from, "0123456789");
        edge_text_add(&got, digits > 10 ? "T" : from, digits > 10 ? 1 : digits == 0 ? 1 : digits);
        from += digits == 0 ? 1 : digits;
    }
    (void)snprintf(expected, sizeof(expected),
                   "{\"events\":[%s],\"nodes\":[%s],\"node\":\"%s\",\"run\":\"<id>\","
                   "\"source\":0,\"seq\":%u,\"lost\":%u}",
                   events, nodes, rig.options.name, seq, lost);
    if (!edge_text_matches(got.at, expected)) {
        print_error("heard    %s\nexpected %s\n", got.at, expected);
        fail();
    }
    free(got.at);
    return at;
}

#define OCCUPIED(channel) "{\"time_ms\":T,\"type\":\"occupied\",\"channel\":\"" channel "\"}"
#define VACATED(channel) "{\"time_ms\":T,\"type\":\"vacated\",\"channel\":\"" channel "\"}"
#define STARTED "{\"time_ms\":T,\"type\":\"started\",\"run\":\"<id>\"}"

static void takes(uint32_t at)
{
    backend_answer(&backend, at, "{\"result\":{}}");
}

/* The node came before the backend: it tries again. */
static void hears_started(void)
{
    edge_rig_advance(&rig, WEBHOOK_RETRY_MS_MAX);
    takes(hears_batch("", STARTED, 1, 0));
}

static void start_with_channels(uint32_t shards)
{
    init_rig(shards);
    rig.options.without_namespace.state_proxy = &proxy;
    start_rig();
    hears_started();
}

/* ---- channels ---- */

static void the_first_and_the_last_subscriber_are_told(void **state)
{
    (void)state;
    start_with_channels(1);
    struct peer *first = peer_open(&rig);
    struct peer *second = peer_open(&rig);
    peer_connect(first);
    peer_connect(second);
    peer_subscribe(first, "a");
    peer_subscribe(first, "b");
    peer_subscribe(second, "a");
    backend_hears_nothing(&backend);
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(OCCUPIED("a") "," OCCUPIED("b"), "", 2, 0));
    peer_close(first);
    edge_rig_advance(&rig, DELAY_MS - 1);
    backend_hears_nothing(&backend);
    edge_rig_advance(&rig, 1 + BATCH_MS);
    takes(hears_batch(VACATED("b"), "", 3, 0));
    peer_close(second);
    edge_rig_advance(&rig, DELAY_MS + BATCH_MS);
    takes(hears_batch(VACATED("a"), "", 4, 0));
    edge_rig_advance(&rig, 60000);
    backend_hears_nothing(&backend);
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_OCCUPIED), 2);
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_VACATED), 2);
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_TAKEN), 4);
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_QUEUE_EVENTS), 0);
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_QUEUE_BYTES), 0);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CHANNELS), 0);
    stop_rig();
}

/* Nobody is told of a client that comes back; when it left is what is told in the end. */
static void who_comes_back_soon_was_not_away(void **state)
{
    (void)state;
    start_with_channels(1);
    for (int i = 0; i < 3; i++) {
        struct peer *peer = peer_open(&rig);
        peer_connect(peer);
        peer_subscribe(peer, "a");
        if (i == 0) {
            edge_rig_advance(&rig, BATCH_MS);
            takes(hears_batch(OCCUPIED("a"), "", 2, 0));
        }
        edge_rig_advance(&rig, DELAY_MS);
        peer_close(peer);
        edge_rig_advance(&rig, DELAY_MS / 2);
        backend_hears_nothing(&backend);
    }
    char left[64];
    (void)snprintf(left, sizeof(left), "\"time_ms\":%lld,",
                   (long long)edge_rig_now_ms(&rig) - DELAY_MS / 2);
    edge_rig_advance(&rig, DELAY_MS / 2 + BATCH_MS);
    takes(hears_batch(VACATED("a"), "", 3, 0));
    assert_non_null(strstr(backend.body.at, left));
    stop_rig();
}

static void a_channel_with_a_history_is_vacated_too(void **state)
{
    (void)state;
    init_rig(1);
    rig.options.without_namespace.state_proxy = &proxy;
    rig.options.without_namespace.force_recovery = true;
    rig.options.without_namespace.history_size = 10;
    rig.options.without_namespace.history_ttl_ms = 1000;
    rig.options.channel_history_meta_ttl_ms = 1000;
    start_rig();
    hears_started();
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(OCCUPIED("a"), "", 2, 0));
    peer_close(peer);
    edge_rig_advance(&rig, DELAY_MS + BATCH_MS);
    takes(hears_batch(VACATED("a"), "", 3, 0));
    edge_rig_advance(&rig, 5000);
    assert_int_equal(edge_rig_count(&rig, COUNTER_HISTORY_STREAMS), 0);
    stop_rig();
}

static void without_a_delay_it_is_told_at_once(void **state)
{
    (void)state;
    init_rig(1);
    rig.options.without_namespace.state_proxy = &proxy;
    rig.options.webhooks.vacated_delay_ms = 0;
    rig.options.webhooks.batch_max_delay_ms = 0;
    start_rig();
    hears_started();
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, 1);
    takes(hears_batch(OCCUPIED("a"), "", 2, 0));
    peer_say(peer, "{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}");
    edge_rig_advance(&rig, 1);
    takes(hears_batch(VACATED("a"), "", 3, 0));
    stop_rig();
}

static void only_namespaces_that_ask_for_it_are_told_of(void **state)
{
    (void)state;
    init_rig(1);
    edge_rig_namespace(&rig, "told")->state_proxy = &proxy;
    edge_rig_namespace(&rig, "untold");
    start_rig();
    hears_started();
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "untold:a");
    peer_subscribe(peer, "told:a");
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(OCCUPIED("told:a"), "", 2, 0));
    peer_close(peer);
    edge_rig_advance(&rig, DELAY_MS + BATCH_MS);
    takes(hears_batch(VACATED("told:a"), "", 3, 0));
    stop_rig();
}

/* ---- clients ---- */

static void start_with_clients(void)
{
    init_rig(1);
    rig.options.webhooks.clients = &proxy;
    start_rig();
    hears_started();
}

#define CONNECTED(user, fields) \
    "{\"time_ms\":T,\"type\":\"connected\",\"client\":\"<id>\",\"user\":\"" user "\"," \
    "\"transport\":\"websocket\",\"protocol\":\"json\"" fields "}"
#define DISCONNECTED(user, fields, code, reason) \
    "{\"time_ms\":T,\"type\":\"disconnected\",\"client\":\"<id>\",\"user\":\"" user "\"," \
    "\"transport\":\"websocket\",\"protocol\":\"json\"" fields ",\"connected_ms\":T," \
    "\"code\":" code ",\"reason\":\"" reason "\"}"

static void clients_that_come_and_go_are_told(void **state)
{
    (void)state;
    start_with_clients();
    struct peer *peer = peer_open(&rig);
    peer_connect_with(peer, "{\"name\":\"js\",\"version\":\"1.2\"}");
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(CONNECTED("", ",\"name\":\"js\",\"version\":\"1.2\""), "", 2, 0));
    assert_non_null(strstr(backend.body.at, peer->client));
    peer_close(peer);
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(DISCONNECTED("", ",\"name\":\"js\",\"version\":\"1.2\"", "3000",
                                   "connection closed"),
                      "", 3, 0));
    /* One that never connected is no client. */
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_close(peer);
    edge_rig_advance(&rig, BATCH_MS);
    backend_hears_nothing(&backend);
    stop_rig();
}

static struct peer *connect_user(void)
{
    struct peer *peer = peer_open(&rig);
    peer_upgrade_with(peer, "X-User: u\r\n");
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
    return peer;
}

static void a_disconnect_says_why(void **state)
{
    (void)state;
    init_rig(1);
    rig.options.webhooks.clients = &proxy;
    rig.options.client.insecure = false;
    rig.options.client.user_id_http_header = "X-User";
    start_rig();
    hears_started();
    struct peer *peer = connect_user();
    peer_say(peer, "no JSON");
    peer_hear_close(peer, 3501, "bad request");
    edge_rig_advance(&rig, BATCH_MS);
    takes(
        hears_batch(CONNECTED("u", "") "," DISCONNECTED("u", "", "3501", "bad request"), "", 2, 0));
    peer_close(peer);
    peer = connect_user();
    struct peer *api = peer_open(&rig);
    peer_send(api, "POST /api/disconnect HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: 52\r\n\r\n"
                   "{\"user\":\"u\",\"disconnect\":{\"code\":4000,\"reason\":\"w\"}}");
    peer_hear_close(peer, 4000, "w");
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(CONNECTED("u", "") "," DISCONNECTED("u", "", "4000", "w"), "", 3, 0));
    stop_rig();
}

/* ---- delivery ---- */

/* The same batch, until it is taken; what comes meanwhile is in the next one. */
static void a_batch_is_sent_until_it_is_taken(void **state)
{
    (void)state;
    static const char *const refusals[] = {
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"error\":{\"code\":100}}\n",
        "no HTTP at all\r\n\r\n",
        NULL, /* Nothing, in time. */
    };
    start_with_channels(1);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, BATCH_MS);
    uint64_t wait_ms = WEBHOOK_RETRY_MS_MIN;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const uint32_t at = hears_batch(OCCUPIED("a"), "", 2, 0);
        if (refusals[i] == NULL) {
            edge_rig_advance(&rig, proxy.timeout_ms);
        } else {
            backend_say(&backend, at, refusals[i]);
        }
        backend_hears_nothing(&backend);
        if (i == 0) {
            peer_subscribe(peer, "b");
        }
        edge_rig_advance(&rig, wait_ms);
        wait_ms *= 2;
    }
    const uint32_t at = hears_batch(OCCUPIED("a"), "", 2, 0);
    backend_close(&backend, at);
    edge_rig_advance(&rig, WEBHOOK_RETRY_MS_MAX);
    takes(hears_batch(OCCUPIED("a"), "", 2, 0));
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(OCCUPIED("b"), "", 3, 0));
    assert_true(edge_rig_count(&rig, COUNTER_WEBHOOK_FAILED) >= 6);
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_LOST), 0);
    stop_rig();
}

/* However long it takes, it is tried every 20 s at least. */
static void retries_do_not_end(void **state)
{
    (void)state;
    start_with_channels(1);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, BATCH_MS);
    for (int i = 0; i < 40; i++) {
        backend_close(&backend, hears_batch(OCCUPIED("a"), "", 2, 0));
        edge_rig_advance(&rig, WEBHOOK_RETRY_MS_MAX);
    }
    takes(hears_batch(OCCUPIED("a"), "", 2, 0));
    stop_rig();
}

static void a_full_batch_does_not_wait(void **state)
{
    (void)state;
    init_rig(1);
    rig.options.without_namespace.state_proxy = &proxy;
    rig.options.webhooks.batch_max_events = 2;
    rig.options.webhooks.batch_max_delay_ms = 60000;
    start_rig();
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, 1);
    const uint32_t at = hears_batch(OCCUPIED("a"), STARTED, 1, 0);
    static const char *const channels[] = {"b", "c", "d"};
    for (int i = 0; i < 3; i++) {
        peer_subscribe(peer, channels[i]);
    }
    takes(at);
    edge_rig_advance(&rig, 1);
    takes(hears_batch(OCCUPIED("b") "," OCCUPIED("c"), "", 2, 0));
    edge_rig_advance(&rig, 50000);
    backend_hears_nothing(&backend);
    edge_rig_advance(&rig, 10000);
    takes(hears_batch(OCCUPIED("d"), "", 3, 0));
    stop_rig();
}

/* The oldest that are not under way are lost, and how many is told in their place. */
static void what_a_full_queue_loses_is_told(void **state)
{
    (void)state;
    enum { MAX = 10 };
    init_rig(1);
    rig.options.client.channel_limit = 100;
    rig.options.without_namespace.state_proxy = &proxy;
    rig.options.webhooks.queue_max_events = MAX - 1;
    start_rig();
    hears_started();
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, BATCH_MS);
    const uint32_t at = hears_batch(OCCUPIED("a"), "", 2, 0);
    for (int i = 0; i < 20; i++) {
        char channel[16];
        (void)snprintf(channel, sizeof(channel), "c%d", i);
        peer_subscribe(peer, channel);
        assert_true(edge_rig_count(&rig, COUNTER_WEBHOOK_QUEUE_EVENTS) <= MAX);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_WEBHOOK_LOST), 11);
    backend_close(&backend, at);
    edge_rig_advance(&rig, WEBHOOK_RETRY_MS_MIN);
    takes(hears_batch(OCCUPIED("a"), "", 2, 0));
    edge_rig_advance(&rig, BATCH_MS);
    char events[1024] = "";
    for (int i = 11; i < 20; i++) {
        const size_t len = strlen(events);
        (void)snprintf(events + len, sizeof(events) - len, "%s" OCCUPIED("c%d"), i == 11 ? "" : ",",
                       i);
    }
    takes(hears_batch(events, "", 3, 11));
    peer_subscribe(peer, "b");
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(OCCUPIED("b"), "", 4, 0));
    stop_rig();
}

static void headers_and_signatures_go_along(void **state)
{
    (void)state;
    static const struct proxy_header fixed[] = {{"X-Static", "ours"}};
    init_rig(1);
    proxy.static_headers = fixed;
    proxy.static_headers_len = 1;
    rig.options.without_namespace.state_proxy = &proxy;
    rig.options.webhooks.secret = "key";
    start_rig();
    edge_rig_advance(&rig, WEBHOOK_RETRY_MS_MAX);
    const uint32_t at = hears_batch("", STARTED, 1, 0);
    assert_non_null(strstr(backend.head.at, "\r\nX-Static: ours\r\n"));
    const char *time = strstr(backend.head.at, "X-Roost-Signature: t=");
    assert_non_null(time);
    const int64_t signed_s = strtoll(time + strlen("X-Roost-Signature: t="), NULL, 10);
    assert_in_range(edge_rig_now_s(&rig) - signed_s, 0, 20);
    char line[WEBHOOK_SIGNATURE_LINE_MAX + 1];
    struct writer out = writer_of(line, WEBHOOK_SIGNATURE_LINE_MAX);
    webhook_write_signature(&out, SPAN_LITERAL("key"), signed_s, span_of_text(backend.body.at));
    line[writer_written_len(&out)] = '\0';
    assert_non_null(strstr(backend.head.at, line));
    takes(at);
    stop_rig();
}

/* ---- the end ---- */

static void stop_begin(void)
{
    node_stop_begin(rig.node);
    for (uint32_t i = 0; i <= rig.options.shards; i++) {
        poller_wake(sim_shard(rig.sim, rig.number, i)->poller);
    }
    edge_rig_settle(&rig);
}

static void a_node_that_stops_tells_the_rest(void **state)
{
    (void)state;
    init_rig(1);
    rig.options.webhooks.clients = &proxy;
    rig.options.without_namespace.state_proxy = &proxy;
    start_rig();
    hears_started();
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "a");
    edge_rig_advance(&rig, BATCH_MS);
    takes(hears_batch(CONNECTED("", "") "," OCCUPIED("a"), "", 2, 0));
    stop_begin();
    peer_hear_close(peer, 3001, "shutdown");
    edge_rig_advance(&rig, 1);
    const uint32_t at = hears_batch(DISCONNECTED("", "", "3001", "shutdown"), "", 3, 0);
    assert_false(node_is_drained(rig.node));
    takes(at);
    edge_rig_advance(&rig, WEBHOOK_SETTLE_MS + 10);
    const uint32_t last = hears_batch(VACATED("a"), "", 4, 0);
    edge_rig_advance(&rig, 100);
    assert_false(node_is_drained(rig.node));
    takes(last);
    edge_rig_advance(&rig, WEBHOOK_SETTLE_MS + 10);
    assert_true(node_is_drained(rig.node));
    stop_rig();
}

static void a_node_that_stops_does_not_wait_for_ever(void **state)
{
    (void)state;
    init_rig(2);
    rig.options.webhooks.clients = &proxy;
    rig.options.webhooks.flush_timeout_ms = 3000;
    start_rig();
    stop_begin();
    (void)hears_batch("", STARTED, 1, 0);
    edge_rig_advance(&rig, 2900);
    assert_false(node_is_drained(rig.node));
    edge_rig_advance(&rig, 200);
    assert_true(node_is_drained(rig.node));
    stop_rig();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_and_the_last_subscriber_are_told),
        cmocka_unit_test(who_comes_back_soon_was_not_away),
        cmocka_unit_test(a_channel_with_a_history_is_vacated_too),
        cmocka_unit_test(without_a_delay_it_is_told_at_once),
        cmocka_unit_test(only_namespaces_that_ask_for_it_are_told_of),
        cmocka_unit_test(clients_that_come_and_go_are_told),
        cmocka_unit_test(a_disconnect_says_why),
        cmocka_unit_test(a_batch_is_sent_until_it_is_taken),
        cmocka_unit_test(retries_do_not_end),
        cmocka_unit_test(a_full_batch_does_not_wait),
        cmocka_unit_test(what_a_full_queue_loses_is_told),
        cmocka_unit_test(headers_and_signatures_go_along),
        cmocka_unit_test(a_node_that_stops_tells_the_rest),
        cmocka_unit_test(a_node_that_stops_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
