/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's `connections`: what it tells of each, whom it lists, and its pages. */
#include <stdio.h>

#include "shards/edge/session/apps.h"
#include "shards/limits.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

enum { SHARDS = 3 };

static const char *const secret = "the secret of the tests";
static struct edge_rig rig;

static void prepare(void)
{
    edge_rig_init(&rig, SHARDS);
    rig.options.client.token.hmac_secret_key = secret;
}

/* The response's body, until the next call. */
static const char *list(const char *body)
{
    static char answer[512 * 1024];
    static char request[8192];
    struct peer *peer = peer_open(&rig);
    snprintf(request, sizeof(request),
             "POST /api/connections HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    peer_send(peer, request);
    peer_hear_response(peer, 200, NULL);
    assert_true(peer->message.len < sizeof(answer));
    memcpy(answer, peer->message.at, peer->message.len + 1);
    peer_close(peer);
    return answer;
}

static struct peer *connect_with(uint32_t shard, const char *claims, const char *more)
{
    char connect[TOKEN_SIZE + 256];
    struct peer *peer = peer_open_at(&rig, shard);
    snprintf(connect, sizeof(connect), "{\"token\":\"%s\"%s}", token_of(secret, "%s", claims),
             more);
    peer_connect_with(peer, connect);
    return peer;
}

static uint32_t count(const char *text, const char *what)
{
    uint32_t found = 0;
    while ((text = strstr(text, what)) != NULL) {
        found++;
        text++;
    }
    return found;
}

#define assert_list(body, pattern) \
    do { \
        const char *heard_ = list(body); \
        if (!edge_text_matches(heard_, (pattern))) { \
            fail_msg("heard %s", heard_); \
        } \
    } while (0)

static void all_is_told_of_a_connection(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    struct peer *peer =
        connect_with(1,
                     "{\"sub\":\"ann\",\"jti\":\"t-1\",\"iat\":99,\"meta\":{\"a\":1}"
                     ",\"info\":\"secret\"}",
                     ",\"name\":\"app\",\"version\":\"1.2\"");
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    peer_hear_frame(peer, 0x81);
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"b\",\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"channel\":\"b\",\"jti\":\"s-1\",\"iat\":98,"
                              "\"info\":{\"b\":2}}"));
    peer_hear_frame(peer, 0x81);
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "{\"result\":{\"connections\":{\"%s\":{\"app_name\":\"app\",\"app_version\":\"1.2\","
             "\"transport\":\"websocket\",\"protocol\":\"%s\",\"user\":\"ann\",\"state\":"
             "{\"channels\":{\"b\":{\"source\":3,\"info\":{\"b\":2}},\"a\":{\"source\":7}},"
             "\"connection_token\":"
             "{\"uid\":\"t-1\",\"issued_at\":99},\"subscription_tokens\":{\"b\":{\"uid\":\"s-1\","
             "\"issued_at\":98}},\"meta\":{\"a\":1}},\"connected_at_ms\":%lld,\"ping_pong_latency_"
             "ms\":-1}}}}",
             peer->client, edge_rig_protocol == CLIENT_PROTOBUF ? "protobuf" : "json",
             (long long)edge_rig_now_ms(&rig));
    assert_list("{\"user\":\"ann\"}", expected);
    edge_rig_stop(&rig);
}

/* Why it is in each of its channels, with the numbers that Centrifugo has for that. */
static void channels_tell_why_the_client_has_them(void **state)
{
    (void)state;
    prepare();
    rig.options.client.insecure = false;
    rig.options.client.personal_channel.enabled = true;
    rig.options.without_namespace.allow_subscribe_for_client = true;
    rig.options.without_namespace.allow_user_limited_channels = true;
    edge_rig_start(&rig);
    struct peer *peer =
        connect_with(1, "{\"sub\":\"ann\",\"channels\":[\"t\"]}", ",\"subs\":{\"c\":{},\"$c\":{}}");
    peer_subscribe(peer, "p");
    peer_subscribe(peer, "l#ann");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"$s\",\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"channel\":\"$s\"}"));
    peer_hear_frame(peer, 0x81);
    struct peer *backend = peer_open(&rig);
    peer_send(backend, "POST /api/subscribe HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                       "Content-Length: 28\r\n\r\n{\"channel\":\"a\",\"user\":\"ann\"}");
    peer_hear_response(backend, 200, "{\"result\":{}}");
    static const char *const wanted[] = {"\"t\":{\"source\":1}",     "\"c\":{\"source\":8}",
                                         "\"#ann\":{\"source\":9}",  "\"p\":{\"source\":6}",
                                         "\"l#ann\":{\"source\":5}", "\"$s\":{\"source\":3}",
                                         "\"a\":{\"source\":10}"};
    const char *heard = list("{\"user\":\"ann\"}");
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(heard, wanted[i]) == NULL) {
            fail_msg("%s is not in %s", wanted[i], heard);
        }
    }
    assert_int_equal(count(heard, "\"source\""), 7);
    edge_rig_stop(&rig);
}

/* The latency is that of the newest ping that was answered; it is not known before, nor of clients
 * that are not asked. */
static void the_latency_is_that_of_the_last_pong(void **state)
{
    (void)state;
    prepare();
    rig.options.transports[TRANSPORT_UNI_SSE].enabled = true;
    edge_rig_start(&rig);
    struct peer *peer = connect_with(0, "{\"sub\":\"ann\"}", "");
    const uint64_t interval_ms = rig.options.client.ping_interval_ms;
    for (uint32_t waits_ms = 0; waits_ms <= 240; waits_ms += 120) {
        while (!peer_has_news(peer)) {
            edge_rig_advance(&rig, 10);
        }
        peer_hear_frame(peer, 0x81);
        assert_non_null(strstr(list("{\"user\":\"ann\"}"), "\"ping_pong_latency_ms\":-1}"));
        edge_rig_advance(&rig, waits_ms);
        peer_say(peer, "{}");
        const char *at = strstr(list("{\"user\":\"ann\"}"), "\"ping_pong_latency_ms\":");
        assert_non_null(at);
        const long told_ms = strtol(strchr(at, ':') + 1, NULL, 10);
        assert_in_range(told_ms, waits_ms, waits_ms + 10);
    }
    struct peer *listener = peer_open(&rig);
    peer_send(listener, "GET /connection/uni_sse HTTP/1.1\r\nHost: rig\r\n\r\n");
    edge_rig_advance(&rig, 2 * interval_ms);
    assert_non_null(strstr(list("{\"user\":\"\"}"), "\"ping_pong_latency_ms\":-1}"));
    edge_rig_stop(&rig);
}

static void users_and_channels_are_filters(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    for (uint32_t i = 0; i < 12; i++) {
        struct peer *peer =
            connect_with(i % SHARDS, i % 2 == 0 ? "{\"sub\":\"ann\"}" : "{\"sub\":\"ben\"}", "");
        if (i < 4) {
            peer_subscribe(peer, "a");
        }
    }
    peer_connect(peer_open(&rig));
    struct peer *unknown = peer_open(&rig); /* Not connected yet. */
    peer_upgrade(unknown);
    static const struct {
        const char *body;
        uint32_t count;
    } rows[] = {
        {"", 13},
        {"{}", 13},
        {"{\"user\":\"ann\"}", 6},
        {"{\"user\":\"cid\"}", 0},
        {"{\"channel\":\"a\"}", 4},
        {"{\"channel\":\"b\"}", 0},
        {"{\"user\":\"ben\",\"channel\":\"a\"}", 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *heard = list(rows[i].body);
        if (count(heard, "\"transport\":") != rows[i].count ||
            strstr(heard, "\"cursor\"") != NULL) {
            fail_msg("%s: %s", rows[i].body, heard);
        }
    }
    edge_rig_stop(&rig);
}

/* Pages of every length list each once, also those of a filter, and end. */
static void pages_list_each_once(void **state)
{
    (void)state;
    enum { CLIENTS = 40 };
    prepare();
    edge_rig_start(&rig);
    struct peer *peers[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        peers[i] = connect_with(i % 5 % SHARDS, "{\"sub\":\"ann\"}", "");
        peer_subscribe(peers[i], "a");
    }
    static const char *const filters[] = {"", "\"user\":\"ann\",", "\"channel\":\"a\","};
    for (size_t filter = 0; filter < 3; filter++) {
        for (uint32_t limit = 1; limit <= CLIENTS + 1; limit += filter == 0 ? 1 : 13) {
            uint32_t times[CLIENTS] = {0};
            uint32_t pages = 0;
            char body[256];
            char cursor[64] = "";
            do {
                snprintf(body, sizeof(body), "{%s\"limit\":%u,\"cursor\":\"%s\"}", filters[filter],
                         limit, cursor);
                const char *heard = list(body);
                const char *next = strstr(heard, "\"cursor\":\"");
                assert_true(count(heard, "\"transport\":") <= limit);
                for (uint32_t i = 0; i < CLIENTS; i++) {
                    times[i] += count(heard, peers[i]->client);
                }
                snprintf(cursor, sizeof(cursor), "%.40s", next == NULL ? "" : next + 10);
                pages++;
            } while (cursor[0] != '\0');
            for (uint32_t i = 0; i < CLIENTS; i++) {
                assert_int_equal(times[i], 1);
            }
            assert_int_equal(pages, (CLIENTS + limit - 1) / limit);
        }
    }
    edge_rig_stop(&rig);
}

/* Who is there all the time is listed once, whoever comes and goes meanwhile. */
static void pages_are_stable(void **state)
{
    (void)state;
    enum { CLIENTS = 30 };
    prepare();
    edge_rig_start(&rig);
    struct peer *peers[CLIENTS];
    char ids[CLIENTS][EDGE_CLIENT_ID_SIZE]; /* Others may have their peers later. */
    for (uint32_t i = 0; i < CLIENTS; i++) {
        peers[i] = connect_with(i % SHARDS, "{\"sub\":\"ann\"}", "");
        memcpy(ids[i], peers[i]->client, sizeof(ids[i]));
    }
    uint32_t times[CLIENTS] = {0};
    char cursor[64] = "";
    for (uint32_t page = 0; page == 0 || cursor[0] != '\0'; page++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"limit\":4,\"cursor\":\"%s\"}", cursor);
        const char *heard = list(body);
        const char *next = strstr(heard, "\"cursor\":\"");
        for (uint32_t i = 0; i < CLIENTS; i++) {
            times[i] += count(heard, ids[i]);
        }
        snprintf(cursor, sizeof(cursor), "%.40s", next == NULL ? "" : next + 10);
        if (page < 5) {
            peer_close(peers[page * 6]); /* Also the one that the cursor names, at times. */
            connect_with(page % SHARDS, "{\"sub\":\"new\"}", "");
        }
        assert_true(page < 100);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_true(i % 6 == 0 ? times[i] <= 1 : times[i] == 1);
    }
    edge_rig_stop(&rig);
}

/* A shard tells less at once where it would be too much; nobody is left out. */
static void long_answers_are_cut_into_pages(void **state)
{
    (void)state;
    enum { CLIENTS = 24, CHANNELS = 60 };
    prepare();
    rig.options.client.channel_limit = 1000;
    edge_rig_start(&rig);
    struct peer *peers[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        peers[i] = connect_with(i % 2, "{\"sub\":\"ann\"}", "");
        for (uint32_t n = 0; n < CHANNELS; n++) {
            char name[240];
            snprintf(name, sizeof(name), "%0200u", n);
            peer_subscribe(peers[i], name);
        }
    }
    uint32_t times[CLIENTS] = {0};
    uint32_t pages = 0;
    char cursor[64] = "";
    do {
        char body[128];
        snprintf(body, sizeof(body), "{\"cursor\":\"%s\"}", cursor);
        const char *heard = list(body);
        const char *next = strstr(heard, "\"cursor\":\"");
        assert_true(strlen(heard) < SHARDS * (CONNECTIONS_PAGE_BYTES + 16 * 1024));
        for (uint32_t i = 0; i < CLIENTS; i++) {
            times[i] += count(heard, peers[i]->client);
        }
        snprintf(cursor, sizeof(cursor), "%.40s", next == NULL ? "" : next + 10);
        pages++;
    } while (cursor[0] != '\0');
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(times[i], 1);
    }
    assert_true(pages > 1);
    edge_rig_stop(&rig);
}

static void requests_are_checked(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    static const char *const wrong[] = {
        "{\"limit\":1001}",
        "{\"cursor\":\"zz\"}",
        "{\"cursor\":\"000000000000000000000000000000000000000g\"}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_list(wrong[i], "{\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    }
    char body[4096 + 64];
    snprintf(body, sizeof(body), "{\"channel\":\"%04090u\"}", 1u); /* Longer than links carry. */
    assert_list(body, "{\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    assert_list("{\"expression\":\"user == '1'\"}",
                "{\"error\":{\"code\":108,\"message\":\"not available\"}}");
    assert_list("{\"label_filter\":{\"key\":\"a\"}}",
                "{\"error\":{\"code\":108,\"message\":\"not available\"}}");
    edge_rig_stop(&rig);
}

/* However many different ones come, only so many are kept; what is not used is given back. */
static void applications_are_kept_once(void **state)
{
    (void)state;
    struct random chance;
    random_init_seeded(&chance, 3);
    static const char *const names[] = {"shop"};
    const struct node_options options = {.additional_client_names = names,
                                         .additional_client_names_len = 1};
    struct apps *apps = apps_create(&chance, &options);
    struct span name;
    struct span version;
    assert_non_null(apps);
    assert_int_equal(apps_take(apps, SPAN_EMPTY, SPAN_EMPTY), 0);
    const uint32_t js = apps_take(apps, SPAN_LITERAL("js"), SPAN_LITERAL("1"));
    assert_int_equal(apps_take(apps, SPAN_LITERAL("js"), SPAN_LITERAL("1")), js);
    assert_int_not_equal(apps_take(apps, SPAN_LITERAL("js1"), SPAN_EMPTY), js);
    apps_get(apps, js, &name, &version);
    assert_true(span_equal(name, SPAN_LITERAL("js")) && span_equal(version, SPAN_LITERAL("1")));
    const uint32_t shop = apps_take(apps, SPAN_LITERAL("shop"), SPAN_LITERAL("1"));
    assert_true(span_equal(client_name_text(&options, client_label_name(apps_label(apps, shop))),
                           SPAN_LITERAL("shop")));
    assert_int_equal(client_label_name(apps_label(apps, js)), CLIENT_NAME_KNOWN);
    assert_true(client_label_has_version(apps_label(apps, js)));
    enum { ROOM = APPS_MAX + 1 - CLIENT_LABELS };
    uint32_t numbers[ROOM];
    for (uint32_t i = 0; i < ROOM; i++) {
        char text[16];
        snprintf(text, sizeof(text), "app %u", i);
        numbers[i] = apps_take(apps, span_of_text(text), SPAN_EMPTY);
        assert_int_equal(numbers[i] < CLIENT_LABELS, i >= ROOM - 3);
        assert_int_equal(client_label_name(apps_label(apps, numbers[i])), CLIENT_NAME_OTHER);
        assert_false(client_label_has_version(apps_label(apps, numbers[i])));
    }
    /* Of one that finds no room its label is known all the same. */
    const uint32_t go = apps_take(apps, SPAN_LITERAL("go"), SPAN_LITERAL("9"));
    assert_true(span_equal(client_name_text(&options, client_label_name(apps_label(apps, go))),
                           SPAN_LITERAL("go")));
    apps_get(apps, go, &name, &version);
    assert_true(span_is_empty(name) && span_is_empty(version));
    apps_put(apps, go);
    apps_put(apps, numbers[7]);
    assert_int_equal(apps_take(apps, SPAN_LITERAL("new"), SPAN_LITERAL("2")), numbers[7]);
    apps_put(apps, js);
    apps_get(apps, js, &name, &version); /* It has another. */
    assert_true(span_equal(name, SPAN_LITERAL("js")));
    static uint8_t long_name[APP_TEXT_LEN_MAX + 1];
    assert_int_equal(apps_take(apps, span_of(long_name, sizeof(long_name)), SPAN_EMPTY),
                     2 * CLIENT_NAME_OTHER);
    apps_get(apps, 0, &name, &version);
    assert_true(span_is_empty(name) && span_is_empty(version));
    apps_destroy(apps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_told_of_a_connection),
        cmocka_unit_test(channels_tell_why_the_client_has_them),
        cmocka_unit_test(the_latency_is_that_of_the_last_pong),
        cmocka_unit_test(users_and_channels_are_filters),
        cmocka_unit_test(pages_list_each_once),
        cmocka_unit_test(pages_are_stable),
        cmocka_unit_test(long_answers_are_cut_into_pages),
        cmocka_unit_test(requests_are_checked),
        cmocka_unit_test(applications_are_kept_once),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
