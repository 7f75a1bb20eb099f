/* SPDX-License-Identifier: Apache-2.0 */
/* Several commands in one request, and those that reach into sessions: subscribe and refresh. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

static struct edge_rig rig;

static void open_rig(uint32_t shards)
{
    edge_rig_init(&rig, shards);
    rig.options.client.token.hmac_secret_key = "secret";
    rig.options.client.ping_interval_ms = 0;
    struct channel_options *kept = edge_rig_namespace(&rig, "kept");
    kept->history_size = 10;
    kept->history_ttl_ms = 60000;
    kept->force_recovery = true;
    edge_rig_namespace(&rig, "pres")->presence = true;
    edge_rig_start(&rig);
}

/* `*` stands for the rest of a string. */
static bool matches(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '*') {
            text += strcspn(text, "\"");
        } else if (*text++ != *pattern) {
            return false;
        }
    }
    return *text == '\0';
}

/* A request to a path below /api, answered by this. */
static void call(const char *path, const char *body, const char *answer)
{
    char text[4096];
    struct peer *peer = peer_open(&rig);
    (void)snprintf(text, sizeof(text),
                   "POST /api%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   path, strlen(body), body);
    peer_send(peer, text);
    if (answer == NULL) {
        peer_hear_response(peer, 400, NULL);
    } else {
        peer_hear_response(peer, 200, NULL);
        if (!matches(peer->message.at, answer)) {
            fail_msg("%s\nheard    %s\nexpected %s", body, peer->message.at, answer);
        }
    }
    peer_close(peer);
}

#define UNKNOWN_CHANNEL "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}"
#define NOT_FOUND "{\"error\":{\"code\":104,\"message\":\"not found\"}}"
#define BAD_REQUEST "{\"error\":{\"code\":107,\"message\":\"bad request\"}}"
#define NOT_AVAILABLE "{\"error\":{\"code\":108,\"message\":\"not available\"}}"

static void a_batch_is_answered_in_its_order(void **state)
{
    (void)state;
    static const char commands[] =
        "{\"publish\":{\"channel\":\"a\",\"data\":1}},"
        "{\"broadcast\":{\"channels\":[\"b\",\"no:c\"],\"data\":{\"x\":1}}},"
        "{\"presence\":{\"channel\":\"a\"}},{\"presence_stats\":{\"channel\":\"pres:a\"}},"
        "{\"channels\":{}},{\"publish\":{\"channel\":\"no:a\",\"data\":1}},{\"publish\":7},"
        "{\"nothing\":{}},{},{\"publish\":null,\"disconnect\":{\"user\":\"u\"}},"
        "{\"batch\":{\"commands\":[]}}";
    static const char replies[] =
        "{\"replies\":[{\"publish\":{}},"
        "{\"broadcast\":{\"responses\":[{\"result\":{}}," UNKNOWN_CHANNEL "]}}," NOT_AVAILABLE
        ",{\"presence_stats\":{\"num_clients\":0,\"num_users\":0}},"
        "{\"channels\":{\"channels\":{}}}," UNKNOWN_CHANNEL "," BAD_REQUEST "," NOT_FOUND
        "," NOT_FOUND ",{\"disconnect\":{}}," NOT_FOUND "]}";
    for (uint32_t shards = 1; shards <= 3; shards += 2) {
        open_rig(shards);
        for (int is_parallel = 0; is_parallel < 2; is_parallel++) {
            char body[1024];
            (void)snprintf(body, sizeof(body), "{\"parallel\":%s,\"commands\":[%s]}",
                           is_parallel ? "true" : "false", commands);
            call("/batch", body, replies);
        }
        call("/batch", "{}", "{}");
        call("/batch", "{\"commands\":7}", NULL);
        call("/batch", "{\"commands\":[7]}", NULL);
        call("/batch", "{\"commands\":[{\"publish\":{}}", NULL);
        edge_rig_stop(&rig);
    }
}

/* What a batch publishes is there for the commands behind it. */
static void a_batch_goes_on_when_the_last_is_done(void **state)
{
    (void)state;
    open_rig(3);
    call("/batch",
         "{\"commands\":[{\"publish\":{\"channel\":\"kept:a\",\"data\":1}},"
         "{\"publish\":{\"channel\":\"kept:a\",\"data\":2}},"
         "{\"history\":{\"channel\":\"kept:a\",\"limit\":1,\"reverse\":true}}]}",
         "{\"replies\":[{\"publish\":{\"offset\":1,\"epoch\":\"*\"}},"
         "{\"publish\":{\"offset\":2,\"epoch\":\"*\"}},{\"history\":{"
         "\"publications\":[{\"data\":2,\"offset\":2}],\"epoch\":\"*\",\"offset\":2}}]}");
    edge_rig_stop(&rig);
}

static void lines_are_answered_by_lines(void **state)
{
    (void)state;
    open_rig(2);
    call("",
         "{\"method\":\"publish\",\"params\":{\"channel\":\"a\",\"data\":1}}\n\n"
         "{\"method\":\"presence\",\"params\":{\"channel\":\"a\"}}\n"
         "{\"method\":\"nothing\"}\n{\"method\":\"channels\"}\n",
         "{\"result\":{}}\n" NOT_AVAILABLE "\n" NOT_FOUND "\n{\"result\":{\"channels\":{}}}");
    call("/", "{\"method\":\"disconnect\",\"params\":{\"user\":\"u\"}}", "{\"result\":{}}");
    call("", "{\"method\":\"publish\"}\nno JSON", NULL);
    call("", "", NULL);
    edge_rig_stop(&rig);
}

/* Who asks goes before the answers are there. */
static void a_caller_may_go_meanwhile(void **state)
{
    (void)state;
    open_rig(3);
    for (int i = 0; i < 20; i++) {
        struct peer *peer = peer_open(&rig);
        static const char body[] = "{\"parallel\":true,\"commands\":["
                                   "{\"publish\":{\"channel\":\"a\",\"data\":1}},"
                                   "{\"channels\":{}},{\"info\":{}}]}";
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "POST /api/batch HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       strlen(body), body);
        peer_put_text(peer, text);
        peer_reset(peer);
        edge_rig_settle(&rig);
    }
    edge_rig_stop(&rig);
}

static struct peer *connect_user(const char *user)
{
    char connect[TOKEN_SIZE + 32];
    struct peer *peer = peer_open(&rig);
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}",
                   token_of("secret", "{\"sub\":\"%s\"}", user));
    peer_connect_with(peer, connect);
    return peer;
}

static void a_backend_subscribes_a_user(void **state)
{
    (void)state;
    open_rig(3);
    struct peer *one = connect_user("u");
    struct peer *two = connect_user("u");
    struct peer *other = connect_user("v");
    call("/subscribe",
         "{\"user\":\"u\",\"channel\":\"pres:a\",\"data\":{\"d\":1},\"info\":{\"i\":2}}",
         "{\"result\":{}}");
    peer_hear(one, "{\"push\":{\"channel\":\"pres:a\",\"subscribe\":{\"data\":{\"d\":1}}}}");
    peer_hear(two, "{\"push\":{\"channel\":\"pres:a\",\"subscribe\":{\"data\":{\"d\":1}}}}");
    call("/presence_stats", "{\"channel\":\"pres:a\"}",
         "{\"result\":{\"num_clients\":2,\"num_users\":1}}");
    call("/publish", "{\"channel\":\"pres:a\",\"data\":[1]}", "{\"result\":{}}");
    peer_hear(one, "{\"push\":{\"channel\":\"pres:a\",\"pub\":{\"data\":[1]}}}");
    peer_hear(two, "{\"push\":{\"channel\":\"pres:a\",\"pub\":{\"data\":[1]}}}");
    /* Again is as good as once; one client alone. */
    call("/subscribe", "{\"user\":\"u\",\"channel\":\"pres:a\"}", "{\"result\":{}}");
    char body[256];
    (void)snprintf(body, sizeof(body), "{\"user\":\"u\",\"client\":\"%s\",\"channel\":\"pres:b\"}",
                   one->client);
    call("/subscribe", body, "{\"result\":{}}");
    peer_hear(one, "{\"push\":{\"channel\":\"pres:b\",\"subscribe\":{}}}");
    call("/unsubscribe", "{\"user\":\"u\",\"channel\":\"pres:a\"}", "{\"result\":{}}");
    peer_hear(one, "{\"push\":{\"channel\":\"pres:a\",\"unsubscribe\":{\"code\":2000,"
                   "\"reason\":\"server unsubscribe\"}}}");
    peer_hear(two, "{\"push\":{\"channel\":\"pres:a\",\"unsubscribe\":{\"code\":2000,"
                   "\"reason\":\"server unsubscribe\"}}}");
    peer_hear_nothing(two);
    peer_hear_nothing(other);
    edge_rig_stop(&rig);
}

/* With where it was it is sent what it missed. */
static void a_subscription_may_recover(void **state)
{
    (void)state;
    open_rig(2);
    struct peer *peer = connect_user("u");
    call("/publish", "{\"channel\":\"kept:a\",\"data\":1}",
         "{\"result\":{\"offset\":1,\"epoch\":\"*\"}}");
    call("/publish", "{\"channel\":\"kept:a\",\"data\":2}",
         "{\"result\":{\"offset\":2,\"epoch\":\"*\"}}");
    call("/subscribe", "{\"user\":\"u\",\"channel\":\"kept:a\",\"recover_since\":{\"offset\":1}}",
         "{\"result\":{}}");
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "{\"push\":{\"channel\":\"kept:a\",\"subscribe\":{"
                                             "\"recoverable\":true,"));
    assert_non_null(strstr(peer->message.at, "\"positioned\":true"));
    peer_hear(peer, "{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":2,\"offset\":2}}}");
    call("/publish", "{\"channel\":\"kept:a\",\"data\":3}",
         "{\"result\":{\"offset\":3,\"epoch\":\"*\"}}");
    peer_hear(peer, "{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":3,\"offset\":3}}}");
    edge_rig_stop(&rig);
}

static void a_backend_refreshes_a_user(void **state)
{
    (void)state;
    open_rig(2);
    rig.options.client.insecure = false;
    struct peer *peer = connect_user("u");
    char body[128];
    (void)snprintf(body, sizeof(body), "{\"user\":\"u\",\"expire_at\":%lld}",
                   (long long)edge_rig_now_s(&rig) + 100);
    call("/refresh", body, "{\"result\":{}}");
    peer_hear_frame(peer, 0x81);
    assert_true(edge_text_matches(peer->message.at,
                                  "{\"push\":{\"refresh\":{\"expires\":true,\"ttl\":100}}}") ||
                edge_text_matches(peer->message.at,
                                  "{\"push\":{\"refresh\":{\"expires\":true,\"ttl\":99}}}"));
    edge_rig_advance(&rig, 124000);
    peer_hear_nothing(peer);
    edge_rig_advance(&rig, 3000);
    peer_hear_close(peer, 3005, "connection expired");
    struct peer *again = connect_user("u");
    call("/refresh", "{\"user\":\"u\"}", "{\"result\":{}}");
    peer_hear(again, "{\"push\":{\"refresh\":{}}}");
    call("/refresh", "{\"user\":\"u\",\"expired\":true}", "{\"result\":{}}");
    peer_hear_close(again, 3005, "connection expired");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_answered_in_its_order),
        cmocka_unit_test(a_batch_goes_on_when_the_last_is_done),
        cmocka_unit_test(lines_are_answered_by_lines),
        cmocka_unit_test(a_caller_may_go_meanwhile),
        cmocka_unit_test(a_backend_subscribes_a_user),
        cmocka_unit_test(a_subscription_may_recover),
        cmocka_unit_test(a_backend_refreshes_a_user),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
