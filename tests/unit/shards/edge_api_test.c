/* SPDX-License-Identifier: Apache-2.0 */
/* The server API: each method's result and errors, and what clients see of it. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

enum { SHARDS = 3 };

static const char *const secret = "secret";

static void open_rig(struct edge_rig *rig)
{
    edge_rig_init(rig, SHARDS);
    rig->options.client.token.hmac_secret_key = secret;
    edge_rig_namespace(rig, "pres")->presence = true;
    edge_rig_namespace(rig, "json")->publication_data_format = PUBLICATION_DATA_JSON_OBJECT;
    edge_rig_start(rig);
}

/* One call on a connection of its own. */
static struct peer *call_with(struct edge_rig *rig, const char *method, const char *body,
                              const char *extra)
{
    char head[256];
    struct peer *peer = peer_open(rig);
    (void)snprintf(head, sizeof(head),
                   "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n%s"
                   "Content-Length: %zu\r\n\r\n",
                   method, extra, strlen(body));
    peer_put_text(peer, head);
    peer_send(peer, body);
    return peer;
}

#define call(rig, method, body, answer) call_from(__LINE__, (rig), (method), (body), (answer))

static void call_from(int line, struct edge_rig *rig, const char *method, const char *body,
                      const char *answer)
{
    struct peer *peer = call_with(rig, method, body, "");
    peer_hear_response_from(__FILE__, line, peer, 200, answer);
    peer_close(peer);
}

static struct peer *client_as(struct edge_rig *rig, uint32_t shard, const char *user)
{
    char connect[TOKEN_SIZE + 64];
    struct peer *peer = peer_open_at(rig, shard);
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}",
                   token_of(secret, "{\"sub\":\"%s\"}", user));
    peer_connect_with(peer, connect);
    return peer;
}

/* ---- errors ---- */

#define ERROR(code, text) "{\"error\":{\"code\":" #code ",\"message\":\"" text "\"}}"
#define BAD_REQUEST ERROR(107, "bad request")
#define NOT_AVAILABLE ERROR(108, "not available")
#define UNKNOWN_CHANNEL ERROR(102, "unknown channel")

struct api_case {
    const char *method;
    const char *body;
    const char *answer; /* NULL: 400 in plain text. */
};

static const struct api_case cases[] = {
    {"publish", "{\"channel\":\"a\",\"data\":{}}", "{\"result\":{}}"},
    {"publish", "{\"channel\":\"a\",\"b64data\":\"e30=\"}", "{\"result\":{}}"},
    {"publish", "{\"channel\":\"a\",\"b64data\":\"AP8=\"}", "{\"result\":{}}"},
    {"publish", "{\"channel\":\"a\",\"b64data\":\"?\"}", NULL},
    {"publish", "{\"channel\":\"a\"}", BAD_REQUEST},
    {"publish", "{\"data\":{}}", BAD_REQUEST},
    {"publish", "{}", BAD_REQUEST},
    {"publish", "{\"channel\":\"no:a\",\"data\":{}}", UNKNOWN_CHANNEL},
    {"publish", "{\"channel\":\"\xc3\xa9\",\"data\":{}}", BAD_REQUEST},
    {"publish", "{\"channel\":\"json:a\",\"data\":1}", BAD_REQUEST},
    {"publish", "{\"channel\":\"json:a\",\"data\":{}}", "{\"result\":{}}"},
    {"publish", "{\"channel\":\"a\",\"data\":{},\"version\":3}", "{\"result\":{}}"},
    {"publish", "{\"channel\":\"a\",\"data\":{},\"idempotency_key\":\"k\"}", "{\"result\":{}}"},
    {"publish", "{\"channel\":7,\"data\":{}}", NULL},
    {"publish", "{\"channel\":\"a\",\"data\":{}", NULL},
    {"publish", "", NULL},
    {"publish", "[]", NULL},
    {"broadcast", "{\"channels\":[\"a\",\"no:b\",\"c\",\"\"],\"data\":{}}",
     "{\"result\":{\"responses\":[{\"result\":{}}," UNKNOWN_CHANNEL ",{\"result\":{}}," BAD_REQUEST
     "]}}"},
    {"broadcast", "{\"channels\":[\"a\",\"a\",\"a\"],\"data\":{}}",
     "{\"result\":{\"responses\":[{\"result\":{}},{\"result\":{}},{\"result\":{}}]}}"},
    {"broadcast", "{\"channels\":[\"no:a\"],\"data\":{}}",
     "{\"result\":{\"responses\":[" UNKNOWN_CHANNEL "]}}"},
    {"broadcast", "{\"channels\":[],\"data\":{}}", BAD_REQUEST},
    {"broadcast", "{\"data\":{}}", BAD_REQUEST},
    {"broadcast", "{\"channels\":[1],\"data\":{}}", NULL},
    {"broadcast", "{\"channels\":\"a\",\"data\":{}}", NULL},
    {"presence", "{\"channel\":\"pres:a\"}", "{\"result\":{\"presence\":{}}}"},
    {"presence", "{\"channel\":\"a\"}", NOT_AVAILABLE},
    {"presence", "{\"channel\":\"no:a\"}", UNKNOWN_CHANNEL},
    {"presence", "{}", BAD_REQUEST},
    {"presence_stats", "{\"channel\":\"pres:a\"}",
     "{\"result\":{\"num_clients\":0,\"num_users\":0}}"},
    {"presence_stats", "{\"channel\":\"a\"}", NOT_AVAILABLE},
    {"channels", "{}", "{\"result\":{\"channels\":{}}}"},
    {"channels", "{\"pattern\":\"a*\"}", "{\"result\":{\"channels\":{}}}"},
    {"channels", "{\"pattern\":1}", NULL},
    {"info", "x", NULL},
    {"disconnect", "{}", BAD_REQUEST},
    {"disconnect", "{\"user\":\"u\",\"disconnect\":{\"code\":2999,\"reason\":\"x\"}}", BAD_REQUEST},
    {"disconnect", "{\"user\":\"u\",\"disconnect\":{\"code\":5000,\"reason\":\"x\"}}", BAD_REQUEST},
    {"disconnect", "{\"user\":\"nobody\"}", "{\"result\":{}}"},
    {"disconnect", "{\"client\":\"nobody\"}", "{\"result\":{}}"},
    {"unsubscribe", "{\"channel\":\"a\"}", BAD_REQUEST},
    {"unsubscribe", "{\"user\":\"nobody\"}", "{\"result\":{}}"},
    {"rpc", "{\"method\":\"any\"}", ERROR(104, "not found")},
    {"subscribe", "{\"user\":\"u\",\"channel\":\"a\"}", "{\"result\":{}}"},
    {"subscribe", "{\"user\":\"u\",\"channel\":\"no:a\"}", UNKNOWN_CHANNEL},
    {"subscribe", "{\"user\":\"u\"}", BAD_REQUEST},
    {"subscribe", "{\"channel\":\"a\"}", BAD_REQUEST},
    {"refresh", "{\"user\":\"u\"}", "{\"result\":{}}"},
    {"refresh", "{}", BAD_REQUEST},
    {"history", "{\"channel\":\"a\"}", NOT_AVAILABLE},
    {"history_remove", "{\"channel\":\"a\"}", NOT_AVAILABLE},
    {"batch", "{\"commands\":[]}", "{}"},
};

static void each_call_has_its_answer(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer *peer = call_with(&rig, cases[i].method, cases[i].body, "");
        if (cases[i].answer != NULL) {
            peer_hear_response(peer, 200, cases[i].answer);
            assert_string_equal(peer_header(peer, "Content-Type"), "application/json");
            peer_hear_nothing(peer);
        } else {
            peer_hear_response(peer, 400, NULL);
            assert_true(peer->message.len > 0);
            peer_hear_end(peer);
        }
        peer_close(peer);
        edge_rig_assert_empty(&rig);
    }
    edge_rig_stop(&rig);
}

static void errors_can_be_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *body;
        unsigned status;
        const char *answer;
    } by_status[] = {
        {"publish", "{}", 400, "{\"code\":107,\"message\":\"bad request\"}"},
        {"publish", "{\"channel\":\"no:a\",\"data\":1}", 404,
         "{\"code\":102,\"message\":\"unknown channel\"}"},
        {"presence", "{\"channel\":\"a\"}", 400, "{\"code\":108,\"message\":\"not available\"}"},
        {"rpc", "{}", 404, "{\"code\":104,\"message\":\"not found\"}"},
        {"publish", "{\"channel\":\"a\",\"data\":1}", 200, "{\"result\":{}}"},
    };
    for (int is_configured = 0; is_configured < 2; is_configured++) {
        static struct edge_rig rig;
        edge_rig_init(&rig, SHARDS);
        rig.options.http_api.error_mode_transport = is_configured != 0;
        edge_rig_start(&rig);
        for (size_t i = 0; i < sizeof(by_status) / sizeof(by_status[0]); i++) {
            struct peer *peer =
                call_with(&rig, by_status[i].method, by_status[i].body,
                          is_configured ? "" : "X-Centrifugo-Error-Mode: transport\r\n");
            peer_hear_response(peer, by_status[i].status, by_status[i].answer);
            peer_hear_nothing(peer);
        }
        edge_rig_stop(&rig);
    }
}

/* ---- what clients see ---- */

#define TAGGED \
    "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{ \"x\" : 1e400 }," \
    "\"tags\":{\"t\":\"v\"}}}}"

static void publications_of_the_api_reach_clients(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *peers[2 * SHARDS];
    for (uint32_t i = 0; i < 2 * SHARDS; i++) {
        peers[i] = peer_open_at(&rig, i % SHARDS);
        peer_connect(peers[i]);
        peer_subscribe(peers[i], "a");
        peer_subscribe(peers[i], "b");
    }
    call(&rig, "publish", "{\"channel\":\"a\",\"data\":{ \"x\" : 1e400 },\"tags\":{\"t\":\"v\"}}",
         "{\"result\":{}}");
    call(&rig, "broadcast", "{\"channels\":[\"b\",\"a\"],\"data\":\"two\\nlines\"}", NULL);
    call(&rig, "publish", "{\"channel\":\"b\",\"data\":{\n\"x\":\n1}}", "{\"result\":{}}");
    for (uint32_t i = 0; i < 2 * SHARDS; i++) {
        unsigned seen = 0;
        for (int n = 0; n < 4; n++) {
            peer_hear_frame(peers[i], 0x81);
            assert_null(strchr(peers[i]->message.at, '\n'));
            static const char *const wanted[] = {
                TAGGED,
                "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"two\\nlines\"}}}",
                "{\"push\":{\"channel\":\"b\",\"pub\":{\"data\":\"two\\nlines\"}}}",
                "{\"push\":{\"channel\":\"b\",\"pub\":{\"data\":{\"x\":1}}}}",
            };
            for (unsigned w = 0; w < 4; w++) {
                seen |= strcmp(peers[i]->message.at, wanted[w]) == 0 ? 1u << w : 0;
            }
        }
        assert_int_equal(seen, 15);
        peer_hear_nothing(peers[i]);
    }
    edge_rig_stop(&rig);
}

static void presence_channels_and_info_count_the_whole_node(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *anonymous = peer_open_at(&rig, 0);
    peer_connect(anonymous);
    peer_subscribe(anonymous, "pres:a");
    struct peer *first = client_as(&rig, 1, "42");
    peer_subscribe(first, "pres:a");
    peer_subscribe(first, "pres:b");
    struct peer *second = client_as(&rig, 2, "42");
    peer_subscribe(second, "pres:a");
    call(&rig, "presence_stats", "{\"channel\":\"pres:a\"}",
         "{\"result\":{\"num_clients\":3,\"num_users\":2}}");
    call(&rig, "channels", "{}",
         "{\"result\":{\"channels\":{\"pres:a\":{\"num_clients\":3},"
         "\"pres:b\":{\"num_clients\":1}}}}");
    call(&rig, "channels", "{\"pattern\":\"*:{b,c}\"}",
         "{\"result\":{\"channels\":{\"pres:b\":{\"num_clients\":1}}}}");
    struct peer *peer = call_with(&rig, "presence", "{\"channel\":\"pres:b\"}", "");
    peer_hear_response(peer, 200, NULL);
    assert_true(edge_text_matches(peer->message.at, "{\"result\":{\"presence\":{\"<id>\":{\"user\":"
                                                    "\"42\",\"client\":\"<id>\"}}}}"));
    peer = call_with(&rig, "info", "{}", "");
    peer_hear_response(peer, 200, NULL);
    assert_true(edge_text_matches(peer->message.at,
                                  "{\"result\":{\"nodes\":[{\"uid\":\"<id>\",\"name\":\"rig\","
                                  "\"version\":\"0.1\",\"num_clients\":3,\"num_users\":2,"
                                  "\"num_channels\":2,\"uptime\":1,\"num_subs\":4}]}}"));
    edge_rig_stop(&rig);
}

/* ---- disconnect and unsubscribe ---- */

static void disconnect_reaches_all_sessions_of_the_user(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *mine[2 * SHARDS];
    for (uint32_t i = 0; i < 2 * SHARDS; i++) {
        mine[i] = client_as(&rig, i % SHARDS, "42");
        peer_subscribe(mine[i], "a");
    }
    struct peer *other = client_as(&rig, 0, "43");
    struct peer *anonymous = peer_open(&rig);
    peer_connect(anonymous);
    char body[256];
    (void)snprintf(body, sizeof(body), "{\"user\":\"42\",\"whitelist\":[\"x\",\"%s\",\"%s\"]}",
                   mine[1]->client, mine[3]->client);
    call(&rig, "disconnect", body, "{\"result\":{}}");
    for (uint32_t i = 0; i < 2 * SHARDS; i++) {
        if (i == 1 || i == 3) {
            peer_hear_nothing(mine[i]);
        } else {
            peer_hear_close(mine[i], 3503, "force disconnect");
        }
    }
    (void)snprintf(body, sizeof(body),
                   "{\"user\":\"42\",\"client\":\"%s\",\"disconnect\":{\"code\":4321,"
                   "\"reason\":\"come again\"}}",
                   mine[3]->client);
    call(&rig, "disconnect", body, "{\"result\":{}}");
    peer_hear_close(mine[3], 4321, "come again");
    peer_hear_nothing(mine[1]);
    call(&rig, "disconnect", "{\"user\":\"42\"}", "{\"result\":{}}");
    peer_hear_close(mine[1], 3503, "force disconnect");
    peer_hear_nothing(other);
    peer_hear_nothing(anonymous);
    (void)snprintf(body, sizeof(body), "{\"client\":\"%s\"}", anonymous->client);
    call(&rig, "disconnect", body, "{\"result\":{}}");
    peer_hear_close(anonymous, 3503, "force disconnect");
    assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_CUSTOM), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 1);
    edge_rig_stop(&rig);
}

#define UNSUBSCRIBED(channel) \
    "{\"push\":{\"channel\":\"" channel \
    "\",\"unsubscribe\":{\"code\":2000,\"reason\":\"server unsubscribe\"}}}"

static void unsubscribe_ends_one_or_all_subscriptions(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig);
    struct peer *mine[2];
    for (uint32_t i = 0; i < 2; i++) {
        mine[i] = client_as(&rig, i, "42");
        peer_subscribe(mine[i], "a");
        peer_subscribe(mine[i], "pres:b");
        peer_subscribe(mine[i], "c");
    }
    call(&rig, "unsubscribe", "{\"user\":\"42\",\"channel\":\"pres:b\"}", "{\"result\":{}}");
    call(&rig, "unsubscribe", "{\"user\":\"42\",\"channel\":\"pres:b\"}", "{\"result\":{}}");
    for (uint32_t i = 0; i < 2; i++) {
        peer_hear(mine[i], UNSUBSCRIBED("pres:b"));
        peer_hear_nothing(mine[i]);
    }
    call(&rig, "publish", "{\"channel\":\"pres:b\",\"data\":1}", "{\"result\":{}}");
    call(&rig, "presence_stats", "{\"channel\":\"pres:b\"}",
         "{\"result\":{\"num_clients\":0,\"num_users\":0}}");
    char body[128];
    (void)snprintf(body, sizeof(body), "{\"user\":\"42\",\"session\":\"%s\"}", mine[0]->client);
    call(&rig, "unsubscribe", body, "{\"result\":{}}");
    peer_hear(mine[0], UNSUBSCRIBED("c"));
    peer_hear(mine[0], UNSUBSCRIBED("a"));
    peer_hear_nothing(mine[0]);
    peer_hear_nothing(mine[1]);
    peer_subscribe(mine[0], "a");
    call(&rig, "unsubscribe", "{\"user\":\"42\"}", "{\"result\":{}}");
    peer_hear(mine[0], UNSUBSCRIBED("a"));
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SUBSCRIPTIONS), 0);
    assert_int_equal(edge_rig_count(&rig, COUNTER_UNSUBSCRIBE_2000), 7);
    edge_rig_stop(&rig);
}

/* A slow reader among the user's sessions ends on the way; the others are told all the same. */
static void unsubscribe_ends_a_slow_session(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.client.token.hmac_secret_key = secret;
    rig.options.client.queue_max_size = 2000;
    rig.socket_buffer_bytes = 500;
    edge_rig_start(&rig);
    struct peer *slow = client_as(&rig, 0, "42");
    for (int i = 0; i < 100; i++) {
        peer_say(slow, "{\"id\":2,\"subscribe\":{\"channel\":\"c%d\"}}", i);
        peer_hear(slow, "{\"id\":2,\"subscribe\":{}}");
    }
    struct peer *fast = client_as(&rig, 0, "42");
    peer_subscribe(fast, "c7");
    peer_pause(slow, true);
    call(&rig, "unsubscribe", "{\"user\":\"42\"}", "{\"result\":{}}");
    peer_hear(fast, UNSUBSCRIBED("c7"));
    assert_int_equal(edge_rig_count(&rig, COUNTER_DISCONNECT_3008), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_CLIENTS), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SUBSCRIPTIONS), 0);
    edge_rig_stop(&rig);
}

/* Commands that meet a session in the middle of a subscribe, or of its connect. */
static void commands_meet_sessions_at_work(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {
        {"unsubscribe", "{\"user\":\"42\"}"},
        {"disconnect", "{\"user\":\"42\"}"},
    };
    for (int has_limit = 0; has_limit < 2; has_limit++) {
        static struct edge_rig rig;
        edge_rig_init(&rig, SHARDS);
        rig.options.client.token.hmac_secret_key = secret;
        rig.options.client.user_connection_limit = has_limit ? 100 : 0;
        rig.options.without_namespace.presence = true;
        edge_rig_start(&rig);
        for (int i = 0; i < 40; i++) {
            struct peer *peer = peer_open(&rig);
            peer_upgrade(peer);
            char text[TOKEN_SIZE + 256];
            const int len = snprintf(text, sizeof(text),
                                     "{\"id\":1,\"connect\":{\"token\":\"%s\"}}\n"
                                     "{\"id\":2,\"subscribe\":{\"channel\":\"c%d\"}}\n"
                                     "{\"id\":3,\"unsubscribe\":{\"channel\":\"c%d\"}}",
                                     token_of(secret, "{\"sub\":\"42\"}"), i, i);
            peer_put_frame(peer, 0x81, text, (size_t)len);
            struct peer *caller = peer_open(&rig);
            (void)snprintf(text, sizeof(text),
                           "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                           "Content-Length: %zu\r\n\r\n%s",
                           bodies[i % 2][0], strlen(bodies[i % 2][1]), bodies[i % 2][1]);
            peer_send(caller, text); /* Both go out at the same instant. */
            peer_hear_response(caller, 200, "{\"result\":{}}");
            while (peer_has_news(peer)) {
                const unsigned first = (uint8_t)peer->in.at[peer->heard];
                peer_hear_frame(peer, first);
                assert_true(first == (peer->protocol == CLIENT_PROTOBUF ? 0x82 : 0x81) ||
                            (i % 2 == 1 && first == 0x88));
            }
            peer_close(peer);
            peer_close(caller);
            edge_rig_assert_empty(&rig);
        }
        edge_rig_stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_has_its_answer),
        cmocka_unit_test(errors_can_be_statuses),
        cmocka_unit_test(publications_of_the_api_reach_clients),
        cmocka_unit_test(presence_channels_and_info_count_the_whole_node),
        cmocka_unit_test(disconnect_reaches_all_sessions_of_the_user),
        cmocka_unit_test(unsubscribe_ends_one_or_all_subscriptions),
        cmocka_unit_test(unsubscribe_ends_a_slow_session),
        cmocka_unit_test(commands_meet_sessions_at_work),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
