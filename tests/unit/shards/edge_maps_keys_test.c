/* SPDX-License-Identifier: Apache-2.0 */
/* What clients say to maps, who may, what a backend makes of it, and presence as keys. */
#include <stdio.h>

#include "tests/unit/shards/backend_rig.h"
#include "tests/unit/shards/edge_maps.h"

static struct backend_rig backend;
static struct proxy_options proxy = {.name = "default", .timeout_ms = 1000};

static void refused(struct peer *peer, const char *body, unsigned error)
{
    char wanted[64];
    peer_say(peer, "{\"id\":7,\"publish\":{\"type\":1,%s}}", body);
    peer_hear_frame(peer, 0x81);
    (void)snprintf(wanted, sizeof(wanted), "{\"id\":7,\"error\":{\"code\":%u,", error);
    if (strncmp(peer->message.at, wanted, strlen(wanted)) != 0) {
        fail_msg("%s: heard %s, wanted error %u", body, peer->message.at, error);
    }
}

static bool says(const struct peer *peer, const char *text)
{
    return strstr(peer->message.at, text) != NULL;
}

static void keys_are_set_by_who_may(void **state)
{
    (void)state;
    struct channel_options *options = maps_init().kept;
    maps.options.client.insecure = false;
    maps.options.client.allow_anonymous_connect_without_token = true;
    options->allow_subscribe_for_client = true;
    options->allow_subscribe_for_anonymous = true;
    options->map.allow_publish_for_client = true;
    options->map.allow_publish_for_anonymous = true;
    options->map.allow_remove_for_subscriber = true;
    edge_rig_start(&maps);
    struct peer *peer = maps_client_at(0);
    maps_set(peer, "m:c", "k", "1");
    refused(peer, "\"channel\":\"m:c\",\"key\":\"k\",\"removed\":true", 103);
    maps_follow(peer, "m:c");
    options->map.allow_remove_for_anonymous = true;
    maps_set(peer, "m:c", "k", NULL);
    peer_hear_frame(peer, 0x81);
    options->map.allow_publish_for_anonymous = false;
    refused(peer, "\"channel\":\"m:c\",\"key\":\"k\",\"data\":1", 103);
    edge_rig_stop(&maps);
}

static void keys_have_a_form(void **state)
{
    (void)state;
    maps_init().ephemeral->publication_data_format = PUBLICATION_DATA_JSON_OBJECT;
    edge_rig_start(&maps);
    struct peer *peer = maps_client_at(0);
    char body[1400];
    refused(peer, "\"channel\":\"m:c\",\"data\":1", 107);
    refused(peer, "\"channel\":\"m:c\",\"removed\":true", 107);
    refused(peer, "\"channel\":\"plain\",\"key\":\"k\",\"data\":1", 107);
    refused(peer, "\"channel\":\"no:c\",\"key\":\"k\",\"data\":1", 102);
    refused(peer, "\"channel\":\"e:c\",\"key\":\"k\",\"data\":1", 107);
    (void)snprintf(body, sizeof(body), "\"channel\":\"m:c\",\"data\":1,\"key\":\"%0*d\"", 1025, 0);
    refused(peer, body, 107);
    /* A publication without a key is none for a map. */
    peer_say(peer, "{\"id\":8,\"publish\":{\"channel\":\"m:c\",\"data\":1}}");
    peer_hear(peer, "{\"id\":8,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    maps_set(peer, "m:c", "gone", NULL); /* Of a key that is not there. */
    edge_rig_stop(&maps);
}

static void a_client_may_have_one_key(void **state)
{
    (void)state;
    struct channel_options *options = maps_init().kept;
    options->map.client_key = MAP_KEY_CLIENT_ID;
    options->map.remove_client_on_unsubscribe = true;
    edge_rig_start(&maps);
    struct peer *peer = maps_client_at(0);
    struct peer *other = maps_client_at(1);
    maps_follow(peer, "m:c");
    maps_follow(other, "m:c");
    maps_set(peer, "m:c", "any", "1");
    peer_hear_frame(other, 0x81);
    assert_true(says(other, peer->client) && says(other, "\"key\":\""));
    peer_hear_frame(peer, 0x81);
    /* It goes with its subscription. */
    peer_say(peer, "{\"id\":3,\"unsubscribe\":{\"channel\":\"m:c\"}}");
    peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
    peer_hear_frame(other, 0x81);
    assert_true(says(other, peer->client) && says(other, "\"removed\":true"));
    options->map.client_key = MAP_KEY_USER_ID; /* The anonymous user has no id. */
    refused(peer, "\"channel\":\"m:c\",\"key\":\"k\",\"data\":1", 103);
    edge_rig_stop(&maps);
}

/* ---- a backend decides ---- */

static void a_backend_decides_on_keys(void **state)
{
    (void)state;
    struct channel_options *options = maps_init().kept;
    options->map.publish_proxy = &proxy;
    options->map.remove_proxy = &proxy;
    maps.options.client.insecure = false;
    maps.options.client.allow_anonymous_connect_without_token = true;
    options->allow_subscribe_for_client = true;
    options->allow_subscribe_for_anonymous = true;
    backend_rig_init(&backend, &maps);
    maps.options.endpoints = &backend.endpoint;
    maps.options.endpoints_len = 1;
    edge_rig_start(&maps);
    backend_rig_start(&backend);
    struct peer *peer = maps_client_at(0);
    const char *protocol = edge_rig_protocol == CLIENT_PROTOBUF ? "protobuf" : "json";
    char asked[512];
    maps_follow(peer, "m:c");
    peer_say(peer, "{\"id\":3,\"publish\":{\"channel\":\"m:c\",\"type\":1,\"key\":\"k\","
                   "\"data\":{\"a\":1}}}");
    (void)snprintf(asked, sizeof(asked),
                   "{\"client\":\"<id>\",\"transport\":\"websocket\",\"protocol\":\"%s\","
                   "\"encoding\":\"json\",\"user\":\"\",\"channel\":\"m:c\",\"key\":\"k\","
                   "\"data\":{\"a\":1}}",
                   protocol);
    uint32_t at = backend_hear(&backend, asked);
    backend_answer(&backend, at,
                   "{\"result\":{\"key\":\"other\",\"data\":{\"b\":2},\"score\":5,"
                   "\"tags\":{\"t\":\"x\"}}}");
    edge_rig_settle(&maps);
    peer_hear_frame(peer, 0x81);
    const bool is_first = says(peer, "\"push\"");
    if (is_first) {
        assert_true(says(peer, "\"data\":{\"b\":2}") && says(peer, "\"key\":\"other\""));
        assert_true(says(peer, "\"score\":5") && says(peer, "\"tags\":{\"t\":\"x\"}"));
        peer_hear(peer, "{\"id\":3,\"publish\":{}}");
    } else {
        assert_true(says(peer, "{\"id\":3,\"publish\":{}}"));
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"data\":{\"b\":2}") && says(peer, "\"key\":\"other\""));
    }
    peer_say(peer, "{\"id\":4,\"publish\":{\"channel\":\"m:c\",\"type\":1,\"key\":\"other\","
                   "\"removed\":true}}");
    (void)snprintf(asked, sizeof(asked),
                   "{\"client\":\"<id>\",\"transport\":\"websocket\",\"protocol\":\"%s\","
                   "\"encoding\":\"json\",\"user\":\"\",\"channel\":\"m:c\",\"key\":\"other\"}",
                   protocol);
    at = backend_hear(&backend, asked);
    backend_answer(&backend, at, "{\"error\":{\"code\":1000,\"message\":\"mine\"}}");
    edge_rig_settle(&maps);
    peer_hear(peer, "{\"id\":4,\"error\":{\"code\":1000,\"message\":\"mine\"}}");
    peer_say(peer, "{\"id\":5,\"publish\":{\"channel\":\"m:c\",\"type\":1,\"key\":\"other\","
                   "\"data\":3}}");
    at = backend_hear(&backend, NULL);
    backend_answer(&backend, at, "{\"result\":{\"key_mode\":\"if_new\"}}");
    edge_rig_settle(&maps);
    peer_hear(peer, "{\"id\":5,\"publish\":{}}"); /* It was there. */
    peer_hear_nothing(peer);
    peer_say(peer, "{\"id\":6,\"publish\":{\"channel\":\"m:c\",\"type\":1,\"key\":\"k\","
                   "\"data\":3}}");
    at = backend_hear(&backend, NULL);
    backend_answer(&backend, at, "{\"result\":{\"key_mode\":\"odd\"}}");
    edge_rig_settle(&maps);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "{\"id\":6,\"error\":{\"code\":100,"));
    peer_close(peer);
    backend_rig_stop(&backend);
    edge_rig_stop(&maps);
}

/* ---- presence ---- */

static void who_is_subscribed_is_a_key(void **state)
{
    (void)state;
    maps_init();
    maps.options.client.ping_interval_ms = 0;
    maps.options.client.presence_update_interval_ms = 20 * 1000;
    edge_rig_start(&maps);
    struct peer *watcher = maps_client_at(0);
    peer_say(watcher, "{\"id\":2,\"subscribe\":{\"channel\":\"who:seen:c\",\"type\":2,"
                      "\"phase\":2}}");
    maps_hear(watcher, "{\"id\":2,\"subscribe\":{\"epoch\":\"<e>\",\"type\":1}}");
    for (uint32_t shard = 0; shard < MAPS_SHARDS; shard++) {
        struct peer *peer = maps_client_at(shard);
        peer_subscribe(peer, "seen:c");
        peer_hear(watcher,
                  "{\"push\":{\"channel\":\"who:seen:c\",\"pub\":{\"info\":{\"user\":\"\","
                  "\"client\":\"%s\"},\"key\":\"%s\"}}}",
                  peer->client, peer->client);
        /* It outlives its keys' time, and nobody hears of that. */
        edge_rig_advance(&maps, 130 * 1000);
        peer_hear_nothing(watcher);
        if (shard == 1) {
            peer_say(peer, "{\"id\":3,\"unsubscribe\":{\"channel\":\"seen:c\"}}");
            peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
        } else {
            peer_close(peer);
            edge_rig_settle(&maps);
        }
        peer_hear_frame(watcher, 0x81);
        assert_true(says(watcher, peer->client) && says(watcher, "\"removed\":true"));
    }
    edge_rig_advance(&maps, 130 * 1000);
    peer_hear_nothing(watcher);
    edge_rig_stop(&maps);
}

/* ---- deltas ---- */

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static void deltas_are_by_key(void **state)
{
    (void)state;
    struct maps_namespaces spaces = maps_init();
    spaces.kept->delta_publish = true;
    spaces.ephemeral->delta_publish = true;
    edge_rig_start(&maps);
    struct peer *writer = maps_client_at(1);
    for (unsigned i = 0; i < 2; i++) {
        const char *channel = i == 0 ? "m:c" : "e:c";
        maps_set(writer, channel, "a", "{\"v\":1,\"l\":\"" LONG "\"}");
        maps_set(writer, channel, "a", "{\"v\":2,\"l\":\"" LONG "\"}");
        maps_set(writer, channel, "b", "{\"w\":\r 1,\"l\":\"" LONG "\"}");
        struct peer *peer = maps_client_at(0);
        peer_say(peer,
                 "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"type\":1,\"phase\":2,"
                 "\"delta\":\"fossil\"}}",
                 channel);
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"delta\":true") && !says(peer, "\"pub\""));
        /* Strings for who speaks JSON. */
        assert_int_equal(says(peer, "\"data\":\"{\\\"v\\\":2,"), edge_rig_protocol == CLIENT_JSON);
        const uint64_t made = edge_rig_count(&maps, COUNTER_DELTAS_MADE);
        /* Against the state, a publication before, and nothing. */
        maps_set(writer, channel, "a", "{\"v\":3,\"l\":\"" LONG "\"}");
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"key\":\"a\"") && says(peer, "\"delta\":true"));
        maps_set(writer, channel, "b", "{\"w\":2,\"l\":\"" LONG "\"}");
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"key\":\"b\"") && says(peer, "\"delta\":true"));
        maps_set(writer, channel, "a", "{\"v\":4,\"l\":\"" LONG "\"}");
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"key\":\"a\"") && says(peer, "\"delta\":true"));
        assert_int_equal(edge_rig_count(&maps, COUNTER_DELTAS_MADE), made + 3);
        maps_set(writer, channel, "new", "{\"v\":5,\"l\":\"" LONG "\"}");
        peer_hear_frame(peer, 0x81);
        assert_false(says(peer, "\"delta\":true"));
        maps_set(writer, channel, "a", NULL);
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"removed\":true") && !says(peer, "\"data\""));
        maps_set(writer, channel, "a", "{\"v\":4,\"l\":\"" LONG "\"}");
        peer_hear_frame(peer, 0x81);
        assert_false(says(peer, "\"delta\":true"));
        /* Who filters may not have what came before. */
        struct peer *filters = maps_client_at(0);
        peer_say(filters,
                 "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"type\":1,\"phase\":2,\"limit\":4,"
                 "\"delta\":\"fossil\",\"tf\":{\"key\":\"t\",\"cmp\":\"nex\"}}}",
                 channel);
        peer_hear_frame(filters, 0x81);
        maps_set(writer, channel, "a", "{\"v\":6,\"l\":\"" LONG "\"}");
        peer_hear_frame(peer, 0x81);
        assert_true(says(peer, "\"delta\":true"));
        peer_hear_frame(filters, 0x81);
        assert_true(says(filters, "\"key\":\"a\"") && !says(filters, "\"delta\":true"));
        peer_close(peer);
        peer_close(filters);
        edge_rig_settle(&maps);
        assert_int_equal(edge_rig_count(&maps, COUNTER_DELTA_KEPT_BYTES), 0);
    }
    edge_rig_stop(&maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_set_by_who_may),    cmocka_unit_test(keys_have_a_form),
        cmocka_unit_test(a_client_may_have_one_key),  cmocka_unit_test(a_backend_decides_on_keys),
        cmocka_unit_test(who_is_subscribed_is_a_key), cmocka_unit_test(deltas_are_by_key),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
