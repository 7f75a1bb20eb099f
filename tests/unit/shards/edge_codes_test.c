/* SPDX-License-Identifier: Apache-2.0 */
/* Every error and disconnect that one command can meet, with its exact JSON or close reason. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

static const char *const secret = "secret";

/* Clients are anonymous or have a token; nothing is allowed but by a namespace:
 *   open: everything; sub: for subscribers; users: user-limited; json: payloads are objects. */
static void open_rig(struct edge_rig *rig, bool is_insecure)
{
    edge_rig_init(rig, 2);
    struct client_options *client = &rig->options.client;
    client->insecure = is_insecure;
    client->allow_anonymous_connect_without_token = true;
    client->token.hmac_secret_key = secret;
    client->channel_limit = 3;
    struct channel_options *open = edge_rig_namespace(rig, "open");
    open->allow_subscribe_for_client = open->allow_subscribe_for_anonymous = true;
    open->allow_publish_for_client = open->allow_publish_for_anonymous = true;
    open->allow_presence_for_client = open->allow_presence_for_anonymous = true;
    open->presence = true;
    struct channel_options *sub = edge_rig_namespace(rig, "sub");
    *sub = *open;
    sub->name = "sub";
    sub->allow_publish_for_client = sub->allow_presence_for_client = false;
    sub->allow_publish_for_subscriber = sub->allow_presence_for_subscriber = true;
    struct channel_options *users = edge_rig_namespace(rig, "users");
    users->allow_user_limited_channels = true;
    struct channel_options *json = edge_rig_namespace(rig, "json");
    *json = *open;
    json->name = "json";
    json->publication_data_format = PUBLICATION_DATA_JSON_OBJECT;
    edge_rig_start(rig);
}

/* ---- errors ---- */

struct command {
    const char *says;
    const char *hears;
};

#define ERROR(code, text) "{\"id\":5,\"error\":{\"code\":" code ",\"message\":\"" text "\"}}"
#define ERROR_102 ERROR("102", "unknown channel")
#define ERROR_103 ERROR("103", "permission denied")
#define ERROR_107 ERROR("107", "bad request")
#define ERROR_108 ERROR("108", "not available")

static const struct command commands[] = {
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:x\"}}",
     "{\"id\":5,\"error\":{\"code\":105,\"message\":\"already subscribed\"}}"},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"nowhere:x\"}}", ERROR_102},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"plain\"}}", ERROR_103},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"$open:x\"}}", ERROR_103},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"users:a#42\"}}", ERROR_103},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"users:a\"}}", ERROR_103},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:\xc3\xa9\"}}", ERROR_107},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:y\",\"token\":\"x\"}}", ERROR_103},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:y\",\"type\":4}}", ERROR_108},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:y\",\"type\":4,\"delta\":\"x\"}}", ERROR_108},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:y\",\"type\":1}}", ERROR_103},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:y\",\"tf\":{\"key\":\"a\"}}}", ERROR_107},
    {"{\"id\":5,\"publish\":{\"channel\":\"nowhere:x\",\"data\":1}}", ERROR_102},
    {"{\"id\":5,\"publish\":{\"channel\":\"plain\",\"data\":1}}", ERROR_103},
    {"{\"id\":5,\"publish\":{\"channel\":\"sub:y\",\"data\":1}}", ERROR_103},
    {"{\"id\":5,\"publish\":{\"channel\":\"open:x\"}}", ERROR_107},
    {"{\"id\":5,\"publish\":{\"channel\":\"open:\xc3\xa9\",\"data\":1}}", ERROR_107},
    {"{\"id\":5,\"publish\":{\"channel\":\"open:x\",\"data\":1,\"type\":1}}", ERROR_107},
    {"{\"id\":5,\"publish\":{\"channel\":\"json:x\",\"data\":1}}", ERROR_107},
    {"{\"id\":5,\"presence\":{\"channel\":\"nowhere:x\"}}", ERROR_102},
    {"{\"id\":5,\"presence\":{\"channel\":\"plain\"}}", ERROR_108},
    {"{\"id\":5,\"presence\":{\"channel\":\"sub:y\"}}", ERROR_103},
    {"{\"id\":5,\"presence\":{\"channel\":\"open:\xc3\xa9\"}}", ERROR_107},
    {"{\"id\":5,\"presence_stats\":{\"channel\":\"plain\"}}", ERROR_108},
    {"{\"id\":5,\"presence_stats\":{\"channel\":\"sub:y\"}}", ERROR_103},
    {"{\"id\":5,\"history\":{\"channel\":\"nowhere:x\"}}", ERROR_102},
    {"{\"id\":5,\"history\":{\"channel\":\"open:x\"}}", ERROR_108},
    {"{\"id\":5,\"rpc\":{\"method\":\"any\",\"data\":{}}}", ERROR_108},
    {"{\"id\":5,\"sub_refresh\":{\"channel\":\"open:z\",\"token\":\"t\"}}", ERROR_103},
    /* And what succeeds, however odd. */
    {"{\"id\":5,\"unsubscribe\":{\"channel\":\"never:been\"}}", "{\"id\":5,\"unsubscribe\":{}}"},
    {"{\"id\":5,\"publish\":{\"channel\":\"open:y\",\"data\":null}}", "{\"id\":5,\"publish\":{}}"},
    {"{\"id\":5,\"presence_stats\":{\"channel\":\"open:y\"}}",
     "{\"id\":5,\"presence_stats\":{\"num_clients\":0,\"num_users\":0}}"},
    {"{\"id\":5,\"presence_stats\":{\"channel\":\"open:x\"}}",
     "{\"id\":5,\"presence_stats\":{\"num_clients\":1,\"num_users\":1}}"},
    {"{\"id\":5,\"presence\":{\"channel\":\"open:y\"}}",
     "{\"id\":5,\"presence\":{\"presence\":{}}}"},
    {"{\"id\":5,\"presence\":{\"channel\":\"open:x\"}}",
     "{\"id\":5,\"presence\":{\"presence\":{\"<id>\":{\"user\":\"\",\"client\":\"<id>\"}}}}"},
    /* The first of several requests wins, in the protocol's order. */
    {"{\"id\":5,\"rpc\":{},\"publish\":{\"channel\":\"nowhere:x\",\"data\":1}}", ERROR_102},
    {"{\"id\":4294967295,\"rpc\":{}}",
     "{\"id\":4294967295,\"error\":{\"code\":108,\"message\":\"not available\"}}"},
    {"{\"unknown\":[{}],\"id\":5,\"rpc\":{\"x\":null}}\n", ERROR_108},
};

static void each_command_has_its_answer(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "open:x");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        peer_say(peer, "%s", commands[i].says);
        peer_hear(peer, "%s", commands[i].hears);
        peer_hear_nothing(peer);
    }
    edge_rig_stop(&rig);
}

static void a_long_name_is_107_and_a_full_client_106(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "open:1");
    peer_subscribe(peer, "open:2");
    char name[257];
    memset(name, 'x', sizeof(name));
    memcpy(name, "open:", 5);
    name[256] = '\0';
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"%s\"}}", name);
    peer_hear(peer, ERROR_107);
    name[255] = '\0';
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"%s\"}}", name);
    peer_hear(peer, "{\"id\":5,\"subscribe\":{}}");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"open:3\"}}");
    peer_hear(peer, "{\"id\":5,\"error\":{\"code\":106,\"message\":\"limit exceeded\"}}");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"open:2\"}}");
    peer_hear(peer, "{\"id\":5,\"error\":{\"code\":105,\"message\":\"already subscribed\"}}");
    peer_say(peer, "{\"id\":5,\"unsubscribe\":{\"channel\":\"open:2\"}}");
    peer_hear(peer, "{\"id\":5,\"unsubscribe\":{}}");
    peer_subscribe(peer, "open:3");
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(REPLY_ERROR, CLIENT_METHOD_SUBSCRIBE,
                                                     label_of_error(106))),
                     1);
    edge_rig_stop(&rig);
}

static void tokens_open_private_channels(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peer = peer_open(&rig);
    char connect[TOKEN_SIZE + 64];
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}",
                   token_of(secret, "{\"sub\":\"42\",\"info\":{\"n\":1}}"));
    peer_connect_with(peer, connect);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"users:a#7,42\"}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"$open:x\",\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"42\",\"channel\":\"$open:x\",\"exp\":1}"));
    peer_hear(peer, "{\"id\":5,\"error\":{\"code\":109,\"message\":\"token expired\"}}");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"$open:x\",\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"42\",\"channel\":\"$open:x\",\"expire_at\":1}"));
    peer_hear(peer, "{\"id\":5,\"error\":{\"code\":110,\"message\":\"expired\"}}");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"$open:x\",\"token\":\"%s\"}}",
             token_of(secret,
                      "{\"sub\":\"42\",\"channel\":\"$open:x\",\"exp\":%lld,\"info\":[2],"
                      "\"data\":{\"d\":3}}",
                      (long long)edge_rig_now_s(&rig) + 60));
    peer_hear(peer, "{\"id\":5,\"subscribe\":{\"expires\":true,\"ttl\":60,\"data\":{\"d\":3}}}");
    /* Its chan_info goes with its presence, and with what it publishes there. */
    peer_say(peer, "{\"id\":6,\"presence\":{\"channel\":\"$open:x\"}}");
    peer_hear(peer,
              "{\"id\":6,\"presence\":{\"presence\":{\"%s\":{\"user\":\"42\",\"client\":\"%s\","
              "\"conn_info\":{\"n\":1},\"chan_info\":[2]}}}}",
              peer->client, peer->client);
    peer_say(peer, "{\"id\":7,\"publish\":{\"channel\":\"$open:x\",\"data\":8}}");
    unsigned heard = 0;
    while (peer_has_news(peer)) { /* The reply and the push, one of them first. */
        peer_hear_frame(peer, 0x81);
        heard |= edge_text_matches(peer->message.at, "{\"id\":7,\"publish\":{}}") ? 1 : 0;
        heard |= edge_text_matches(peer->message.at,
                                   "{\"push\":{\"channel\":\"$open:x\",\"pub\":{\"data\":8,"
                                   "\"info\":{\"user\":\"42\",\"client\":\"<id>\","
                                   "\"conn_info\":{\"n\":1},\"chan_info\":[2]}}}}")
                     ? 2
                     : 0;
    }
    assert_int_equal(heard, 3);
    edge_rig_stop(&rig);
}

/* ---- disconnects ---- */

struct mistake {
    const char *says;
    unsigned code;
    const char *reason;
};

#define BAD_REQUEST 3501, "bad request"

/* Of a connected client. */
static const struct mistake mistakes[] = {
    {"", BAD_REQUEST},
    {"\n", BAD_REQUEST},
    {"x", BAD_REQUEST},
    {"{", BAD_REQUEST},
    {"[]", BAD_REQUEST},
    {"null", BAD_REQUEST},
    {"{}", BAD_REQUEST}, /* A pong that nobody asked for. */
    {"{\"id\":5}", BAD_REQUEST},
    {"{\"id\":5,\"nothing\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"ping\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"connect\":{}}", BAD_REQUEST},
    {"{\"connect\":{}}", BAD_REQUEST},
    {"{\"rpc\":{}}", BAD_REQUEST},
    {"{\"id\":0,\"rpc\":{}}", BAD_REQUEST},
    {"{\"id\":-1,\"rpc\":{}}", BAD_REQUEST},
    {"{\"id\":4294967296,\"rpc\":{}}", BAD_REQUEST},
    {"{\"id\":\"5\",\"rpc\":{}}", BAD_REQUEST},
    {"{\"subscribe\":{\"channel\":\"open:x\"}}", BAD_REQUEST},
    {"{\"id\":5,\"subscribe\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"subscribe\":{\"channel\":7}}", BAD_REQUEST},
    {"{\"id\":5,\"subscribe\":{\"channel\":\"open:y\",\"delta\":\"x\"}}", BAD_REQUEST},
    {"{\"id\":5,\"unsubscribe\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"publish\":{\"data\":1}}", BAD_REQUEST},
    {"{\"id\":5,\"presence\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"presence_stats\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"history\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"refresh\":{}}", BAD_REQUEST},
    {"{\"id\":5,\"sub_refresh\":{\"token\":\"t\"}}", BAD_REQUEST},
    {"{\"send\":{\"data\":{}}}", 3508, "not available"},
    {"{\"id\":5,\"refresh\":{\"token\":\"t\"}}", 3500, "invalid token"},
};

static void each_mistake_has_its_close_reason(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct peer *peer = peer_open(&rig);
        const enum counter counter = counter_of_disconnect(mistakes[i].code);
        const uint64_t before = edge_rig_count(&rig, counter);
        peer_connect(peer);
        peer_subscribe(peer, "open:x");
        peer_say(peer, "%s", mistakes[i].says);
        peer_hear_close(peer, mistakes[i].code, mistakes[i].reason);
        assert_int_equal(edge_rig_count(&rig, counter), before + 1);
        peer_close(peer);
        edge_rig_assert_empty(&rig);
    }
    edge_rig_stop(&rig);
}

/* Nothing comes before connect, and nothing after a connect that was refused. */
static void connect_comes_first_and_once(void **state)
{
    (void)state;
    static const char *const before[] = {
        "{}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"open:x\"}}",
        "{\"id\":1,\"rpc\":{}}",
        "{\"send\":{}}",
        "{\"connect\":{}}",
        "{\"id\":1,\"refresh\":{\"token\":\"t\"}}",
    };
    static struct edge_rig rig;
    open_rig(&rig, false);
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        struct peer *peer = peer_open(&rig);
        peer_upgrade(peer);
        peer_say(peer, "%s", before[i]);
        peer_hear_close(peer, BAD_REQUEST);
    }
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        struct peer *peer = peer_open(&rig);
        peer_upgrade(peer);
        peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}\n%s",
                 token_of(secret, "{\"exp\":1}"), before[i]);
        peer_hear(peer, "{\"id\":1,\"error\":{\"code\":109,\"message\":\"token expired\"}}");
        peer_hear_close(peer, BAD_REQUEST);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(ACCEPTED, TRANSPORT_WEBSOCKET, 0)), 0);
    edge_rig_stop(&rig);
}

static void connect_fails_with_its_code(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    rig.options.client.disallow_anonymous_connection_tokens = true;
    struct peer *peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"t\"}}");
    peer_hear_close(peer, 3500, "invalid token");
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}", token_of(secret, "{}"));
    peer_hear_close(peer, 3507, "permission denied");
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"1\",\"expire_at\":1}"));
    peer_hear(peer, "{\"id\":1,\"error\":{\"code\":110,\"message\":\"expired\"}}");
    edge_rig_stop(&rig);
    open_rig(&rig, false);
    rig.options.client.allow_anonymous_connect_without_token = false;
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    peer_hear_close(peer, BAD_REQUEST);
    edge_rig_stop(&rig);
}

static void connect_tells_what_the_client_needs(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":7,\"connect\":{\"name\":\"js\",\"data\":[1],\"subs\":{\"a\":{}}}}");
    peer_hear(peer, "{\"id\":7,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\",\"ping\":25,"
                    "\"pong\":true}}");
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"1\",\"exp\":%lld}",
                      (long long)edge_rig_now_s(&rig) + 600));
    peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\","
                    "\"expires\":true,\"ttl\":600,\"ping\":25,\"pong\":true}}");
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CLIENTS), 2);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_ANONYMOUS), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_UNAUTHENTICATED), 0);
    edge_rig_stop(&rig);
    edge_rig_init(&rig, 1);
    rig.options.client.ping_interval_ms = 0;
    rig.options.client.connect_include_server_time = true;
    edge_rig_start(&rig);
    peer = peer_open(&rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{}}");
    peer_hear(peer,
              "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\",\"time\":%lld}}",
              (long long)edge_rig_now_ms(&rig));
    edge_rig_stop(&rig);
}

static void an_insecure_node_allows_all_but_private_channels(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, true);
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    peer_subscribe(peer, "plain");
    peer_subscribe(peer, "users:a#42");
    peer_say(peer, "{\"id\":5,\"subscribe\":{\"channel\":\"$open:x\"}}");
    peer_hear(peer, ERROR_103);
    peer_say(peer, "{\"id\":5,\"publish\":{\"channel\":\"sub:y\",\"data\":1}}");
    peer_hear(peer, "{\"id\":5,\"publish\":{}}");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_has_its_answer),
        cmocka_unit_test(a_long_name_is_107_and_a_full_client_106),
        cmocka_unit_test(tokens_open_private_channels),
        cmocka_unit_test(each_mistake_has_its_close_reason),
        cmocka_unit_test(connect_comes_first_and_once),
        cmocka_unit_test(connect_fails_with_its_code),
        cmocka_unit_test(connect_tells_what_the_client_needs),
        cmocka_unit_test(an_insecure_node_allows_all_but_private_channels),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
