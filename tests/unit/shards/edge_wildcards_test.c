/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcard channels as clients and the server API see them: who may subscribe, what is heard and
 * recovered, and that nobody publishes into one. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

enum { SHARDS = 4 };

static struct edge_rig rig;
static struct channel_options wildcards[8];

/* As the configuration does when all options are set. */
static void derive(struct channel_options *options)
{
    struct channel_options *wildcard = &wildcards[options - rig.namespaces];
    channel_options_of_wildcard(options, wildcard);
    options->wildcard = wildcard;
}

static void open_rig(void)
{
    edge_rig_init(&rig, SHARDS);
    rig.options.client.insecure = false;
    rig.options.client.allow_anonymous_connect_without_token = true;
    rig.options.client.token.hmac_secret_key = "secret";
    struct channel_options *open = edge_rig_namespace(&rig, "open");
    open->wildcard_max_depth = 2;
    open->allow_wildcard_subscribe_for_client = true;
    open->allow_wildcard_subscribe_for_anonymous = true;
    open->allow_publish_for_client = true;
    open->allow_publish_for_anonymous = true;
    open->allow_tags_filter = true;
    derive(open);
    struct channel_options *kept = edge_rig_namespace(&rig, "kept");
    kept->history_size = 10;
    kept->history_ttl_ms = 60 * 1000;
    kept->force_recovery = true;
    kept->allowed_delta_types = 1u << DELTA_TYPE_FOSSIL;
    kept->wildcard_max_depth = 2;
    kept->allow_wildcard_subscribe_for_client = true;
    kept->allow_wildcard_subscribe_for_anonymous = true;
    derive(kept);
    struct channel_options *users = edge_rig_namespace(&rig, "users");
    users->wildcard_max_depth = 1;
    users->allow_wildcard_subscribe_for_client = true;
    derive(users);
    /* Everybody may have all of its channels, but not at once. */
    struct channel_options *shut = edge_rig_namespace(&rig, "shut");
    shut->wildcard_max_depth = 1;
    shut->allow_subscribe_for_client = true;
    shut->allow_subscribe_for_anonymous = true;
    derive(shut);
    struct channel_options *without = edge_rig_namespace(&rig, "without");
    without->allow_subscribe_for_client = true;
    without->allow_subscribe_for_anonymous = true;
    edge_rig_start(&rig);
}

static void api(const char *method, const char *body, const char *answer)
{
    char head[256];
    struct peer *peer = peer_open(&rig);
    (void)snprintf(head, sizeof(head),
                   "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   method, strlen(body));
    peer_put_text(peer, head);
    peer_send(peer, body);
    peer_hear_response(peer, 200, answer);
    peer_close(peer);
}

static void api_publishes(const char *channel, const char *data)
{
    char body[256];
    (void)snprintf(body, sizeof(body), "{\"channel\":\"%s\",\"data\":%s}", channel, data);
    api("publish", body, NULL);
}

#define HEARS(peer, wildcard, made_in, data) \
    peer_hear((peer), "{\"push\":{\"channel\":\"" wildcard "\",\"pub\":{\"data\":" data \
                      ",\"tags\":{\"channel\":\"" made_in "\"},\"channel\":\"" made_in "\"}}}")

static struct peer *opened(void)
{
    struct peer *peer = peer_open(&rig);
    peer_connect(peer);
    return peer;
}

static void a_subscriber_hears_all_that_it_stands_for(void **state)
{
    (void)state;
    open_rig();
    struct peer *all = opened();
    struct peer *some = opened();
    struct peer *other = opened();
    peer_subscribe(all, "open:*");
    peer_subscribe(some, "open:a.*");
    peer_subscribe(other, "open:b.*");
    api_publishes("open:a.b.c", "1");
    HEARS(all, "open:*", "open:a.b.c", "1");
    HEARS(some, "open:a.*", "open:a.b.c", "1");
    api_publishes("open:a", "2");
    HEARS(all, "open:*", "open:a", "2");
    api("broadcast", "{\"channels\":[\"open:b.x\",\"open:c\"],\"data\":3}", NULL);
    /* Of two channels, in any order. */
    peer_hear_frame(all, 0x81);
    peer_hear_frame(all, 0x81);
    HEARS(other, "open:b.*", "open:b.x", "3");
    peer_say(all, "{\"id\":9,\"publish\":{\"channel\":\"open:b.q\",\"data\":4}}");
    peer_hear(other,
              "{\"push\":{\"channel\":\"open:b.*\",\"pub\":{\"data\":4,\"info\":{\"user\":\"\","
              "\"client\":\"<id>\"},\"tags\":{\"channel\":\"open:b.q\"},"
              "\"channel\":\"open:b.q\"}}}");
    peer_hear_nothing(some);
    peer_hear_nothing(other);
    edge_rig_stop(&rig);
}

static void who_may_subscribe(void **state)
{
    (void)state;
    open_rig();
    struct peer *peer = opened();
    static const struct {
        const char *channel;
        const char *answer;
    } cases[] = {
        {"open:x.*", "\"subscribe\":{}"},
        /* Permission for wildcards is none for channels, and the other way round. */
        {"open:x", "\"error\":{\"code\":103,\"message\":\"permission denied\"}"},
        {"shut:*", "\"error\":{\"code\":103,\"message\":\"permission denied\"}"},
        {"shut:x", "\"subscribe\":{}"},
        {"users:*", "\"error\":{\"code\":103,\"message\":\"permission denied\"}"},
        /* Deeper than what is passed on. */
        {"open:x.y.*", "\"error\":{\"code\":102,\"message\":\"unknown channel\"}"},
        /* A private one wants a token. */
        {"$open:*", "\"error\":{\"code\":103,\"message\":\"permission denied\"}"},
        /* Where there are no wildcards the name is like any other. */
        {"without:*", "\"subscribe\":{}"},
        /* And one that names users is no wildcard. */
        {"open:x#1.*", "\"error\":{\"code\":103,\"message\":\"permission denied\"}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", cases[i].channel);
        peer_hear(peer, "{\"id\":2,%s}", cases[i].answer);
    }
    api_publishes("without:x", "1");
    api_publishes("$open:x", "1");
    api_publishes("open:x.y#7", "1");
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

static void a_user_and_a_token_open_what_is_shut_to_others(void **state)
{
    (void)state;
    char connect[512];
    open_rig();
    struct peer *peer = peer_open(&rig);
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}",
                   token_of("secret", "{\"sub\":\"ann\"}"));
    peer_connect_with(peer, connect);
    peer_subscribe(peer, "users:*");
    static const char *const channels[] = {"shut:*", "$open:a.*"};
    for (size_t i = 0; i < 2; i++) {
        peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"token\":\"%s\"}}",
                 channels[i],
                 token_of("secret", "{\"sub\":\"ann\",\"channel\":\"%s\"}", channels[i]));
        peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    }
    api_publishes("shut:x", "1");
    HEARS(peer, "shut:*", "shut:x", "1");
    api_publishes("$open:a.x", "2");
    HEARS(peer, "$open:a.*", "$open:a.x", "2");
    api_publishes("open:a.x", "3");
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

static void nobody_publishes_into_a_wildcard(void **state)
{
    (void)state;
    open_rig();
    struct peer *peer = opened();
    peer_subscribe(peer, "open:*");
    peer_say(peer, "{\"id\":3,\"publish\":{\"channel\":\"open:*\",\"data\":1}}");
    peer_hear(peer, "{\"id\":3,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    api("publish", "{\"channel\":\"open:x.*\",\"data\":1}",
        "{\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    api("publish", "{\"channel\":\"open:x.y.*\",\"data\":1}",
        "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}");
    api("broadcast", "{\"channels\":[\"open:*\",\"open:x\"],\"data\":2}",
        "{\"result\":{\"responses\":[{\"error\":{\"code\":107,\"message\":\"bad request\"}},"
        "{\"result\":{}}]}}");
    HEARS(peer, "open:*", "open:x", "2");
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

/* Its own stream: offsets, recovery, and no differences between what has nothing in common. */
static void what_was_missed_is_recovered_in_its_own_order(void **state)
{
    (void)state;
    char epoch[64];
    open_rig();
    struct peer *peer = opened();
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"kept:a.*\",\"recoverable\":true,"
                   "\"positioned\":"
                   "true,\"delta\":\"fossil\"}}");
    peer_hear_frame(peer, 0x81);
    const char *at = strstr(peer->message.at, "\"epoch\":\"");
    assert_non_null(at);
    assert_null(strstr(peer->message.at, "delta"));
    (void)snprintf(epoch, sizeof(epoch), "%.*s", (int)strcspn(at + 9, "\""), at + 9);
    api_publishes("kept:a.x", "1");
    peer_hear(peer,
              "{\"push\":{\"channel\":\"kept:a.*\",\"pub\":{\"data\":1,\"offset\":1,\"tags\":"
              "{\"channel\":\"kept:a.x\"},\"channel\":\"kept:a.x\",\"epoch\":\"%s\"}}}",
              epoch);
    peer_close(peer);
    api_publishes("kept:a.y", "2");
    api_publishes("kept:b", "3");
    api_publishes("kept:a.x", "4");
    peer = opened();
    peer_say(peer,
             "{\"id\":2,\"subscribe\":{\"channel\":\"kept:a.*\",\"recover\":true,\"offset\":1,"
             "\"epoch\":\"%s\"}}",
             epoch);
    peer_hear(peer,
              "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\",\"publications\":["
              "{\"data\":2,\"offset\":2,\"tags\":{\"channel\":\"kept:a.y\"},"
              "\"channel\":\"kept:a.y\"},"
              "{\"data\":4,\"offset\":3,\"tags\":{\"channel\":\"kept:a.x\"},"
              "\"channel\":\"kept:a.x\"}],"
              "\"recovered\":true,\"offset\":1,\"positioned\":true,\"was_recovering\":true}}",
              epoch);
    edge_rig_stop(&rig);
}

static void a_filter_may_ask_where_it_was_made(void **state)
{
    (void)state;
    open_rig();
    struct peer *peer = opened();
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"open:*\",\"tf\":{\"cmp\":\"sw\",\"key\":"
                   "\"channel\",\"val\":\"open:b\"}}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    api_publishes("open:a", "1");
    api("publish", "{\"channel\":\"open:c\",\"data\":1,\"tags\":{\"channel\":\"open:b\"}}", NULL);
    api_publishes("open:b.x", "2");
    HEARS(peer, "open:*", "open:b.x", "2");
    peer_hear_nothing(peer);
    edge_rig_stop(&rig);
}

static void the_server_may_subscribe_anybody(void **state)
{
    (void)state;
    char connect[512];
    open_rig();
    struct peer *peer = peer_open(&rig);
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\"}",
                   token_of("secret", "{\"sub\":\"ann\",\"channels\":[\"shut:*\"]}"));
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":%s}", connect);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"subs\":{\"shut:*\":{}}"));
    api_publishes("shut:x", "1");
    HEARS(peer, "shut:*", "shut:x", "1");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscriber_hears_all_that_it_stands_for),
        cmocka_unit_test(who_may_subscribe),
        cmocka_unit_test(a_user_and_a_token_open_what_is_shut_to_others),
        cmocka_unit_test(nobody_publishes_into_a_wildcard),
        cmocka_unit_test(what_was_missed_is_recovered_in_its_own_order),
        cmocka_unit_test(a_filter_may_ask_where_it_was_made),
        cmocka_unit_test(the_server_may_subscribe_anybody),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
