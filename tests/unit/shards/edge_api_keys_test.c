/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the server API that may do some things and not others. */
#include <stdio.h>

#include "codec/api.h"
#include "tests/unit/shards/edge_rig.h"

#define DENIED "{\"error\":{\"code\":103,\"message\":\"permission denied\"}}"

static struct edge_rig rig;

static const char *const chat_alone[] = {"chat"};
static const char *const chat_and_plain[] = {"chat", ""};
static const struct api_key_options keys[] = {
    {.key = "publisher", .methods = 1u << API_METHOD_PUBLISH | 1u << API_METHOD_BROADCAST},
    {.key = "chat-only", .namespaces = chat_alone, .namespaces_len = 1},
    {.key = "both-of-them",
     .methods = 1u << API_METHOD_PUBLISH,
     .namespaces = chat_and_plain,
     .namespaces_len = 2},
    {.key = "everything"},
};

static void start(void)
{
    edge_rig_init(&rig, 1);
    edge_rig_namespace(&rig, "chat")->presence = true;
    edge_rig_namespace(&rig, "news");
    rig.options.http_api.keys = keys;
    rig.options.http_api.keys_len = sizeof(keys) / sizeof(keys[0]);
    edge_rig_start(&rig);
}

static void call(const char *key, const char *method, const char *body, const char *answer)
{
    char request[1024];
    struct peer *peer = peer_open(&rig);
    snprintf(request, sizeof(request),
             "POST /api%s%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: %s\r\nContent-Length: "
             "%zu\r\n\r\n%s",
             method[0] == '\0' ? "" : "/", method, key, strlen(body), body);
    peer_send(peer, request);
    peer_hear_response(peer, 200, answer);
    peer_close(peer);
}

static void a_key_may_call_its_methods(void **state)
{
    (void)state;
    start();
    call("publisher", "publish", "{\"channel\":\"a\",\"data\":1}", "{\"result\":{}}");
    call("publisher", "publish", "{\"channel\":\"news:a\",\"data\":1}", "{\"result\":{}}");
    call("publisher", "info", "{}", DENIED);
    call("publisher", "disconnect", "{\"user\":\"u\"}", DENIED);
    call("publisher", "presence", "{\"channel\":\"chat:a\"}", DENIED);
    call("everything", "disconnect", "{\"user\":\"u\"}", "{\"result\":{}}");
    call("key", "disconnect", "{\"user\":\"u\"}", "{\"result\":{}}");
    static const enum api_method denied[] = {API_METHOD_INFO, API_METHOD_DISCONNECT,
                                             API_METHOD_PRESENCE};
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
        assert_int_equal(edge_rig_count(&rig,
                                        COUNTER_OF(API_ERROR, denied[i], label_of_error(103))),
                         1);
    }
    edge_rig_stop(&rig);
}

static void a_key_may_name_channels_of_its_namespaces(void **state)
{
    (void)state;
    start();
    call("chat-only", "publish", "{\"channel\":\"chat:a\",\"data\":1}", "{\"result\":{}}");
    call("chat-only", "publish", "{\"channel\":\"$chat:a\",\"data\":1}", "{\"result\":{}}");
    call("chat-only", "publish", "{\"channel\":\"news:a\",\"data\":1}", DENIED);
    call("chat-only", "publish", "{\"channel\":\"a\",\"data\":1}", DENIED);
    call("chat-only", "publish", "{\"channel\":\"nowhere:a\",\"data\":1}",
         "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}");
    call("chat-only", "broadcast", "{\"channels\":[\"chat:a\",\"news:a\"],\"data\":1}",
         "{\"result\":{\"responses\":[{\"result\":{}}," DENIED "]}}");
    call("chat-only", "presence", "{\"channel\":\"chat:a\"}", "{\"result\":{\"presence\":{}}}");
    call("chat-only", "presence", "{\"channel\":\"news:a\"}", DENIED);
    call("chat-only", "history", "{\"channel\":\"news:a\"}", DENIED);
    call("chat-only", "history_remove", "{\"channel\":\"news:a\"}", DENIED);
    /* What is not about channels that it names. */
    call("chat-only", "channels", "{}", DENIED);
    call("chat-only", "info", "{}", DENIED);
    call("chat-only", "disconnect", "{\"user\":\"u\"}", DENIED);
    call("chat-only", "unsubscribe", "{\"user\":\"u\",\"channel\":\"chat:a\"}", DENIED);
    call("both-of-them", "publish", "{\"channel\":\"a\",\"data\":1}", "{\"result\":{}}");
    call("both-of-them", "publish", "{\"channel\":\"news:a\",\"data\":1}", DENIED);
    call("both-of-them", "presence", "{\"channel\":\"chat:a\"}", DENIED);
    edge_rig_stop(&rig);
}

/* A command is not more allowed for standing beside others. */
static void a_batch_gives_nothing_more(void **state)
{
    (void)state;
    start();
    call("chat-only", "batch",
         "{\"commands\":[{\"publish\":{\"channel\":\"chat:a\",\"data\":1}},"
         "{\"publish\":{\"channel\":\"news:a\",\"data\":1}},{\"info\":{}}]}",
         "{\"replies\":[{\"publish\":{}}," DENIED "," DENIED "]}");
    call("chat-only", "",
         "{\"method\":\"publish\",\"params\":{\"channel\":\"news:a\",\"data\":1}}\n"
         "{\"method\":\"publish\",\"params\":{\"channel\":\"chat:a\",\"data\":1}}",
         DENIED "\n{\"result\":{}}");
    edge_rig_stop(&rig);
}

static void nobody_else_has_a_key(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "publishe", "publisherr", "PUBLISHER", "chat"};
    char request[256];
    start();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct peer *peer = peer_open(&rig);
        snprintf(request, sizeof(request),
                 "POST /api/info HTTP/1.1\r\nHost: rig\r\nX-API-Key: %s\r\nContent-Length: "
                 "2\r\n\r\n{}",
                 wrong[i]);
        peer_send(peer, request);
        peer_hear_response(peer, 401, NULL);
        peer_close(peer);
    }
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "POST /api/info?api_key=publisher HTTP/1.1\r\nHost: rig\r\n"
                    "X-Centrifugo-Error-Mode: transport\r\nContent-Length: 2\r\n\r\n{}");
    peer_hear_response(peer, 403, "{\"code\":103,\"message\":\"permission denied\"}");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_may_call_its_methods),
        cmocka_unit_test(a_key_may_name_channels_of_its_namespaces),
        cmocka_unit_test(a_batch_gives_nothing_more),
        cmocka_unit_test(nobody_else_has_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
