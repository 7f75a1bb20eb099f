/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions that the server makes at connect: by the token, by the user, by what the client
 * had.
 */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

enum { SHARDS = 3 };

static const char *const secret = "the secret of the tests";
static struct edge_rig rig;

/* Namespaces: plain; `r` with history and forced recovery; `p` with presence. */
static struct client_options *prepare(void)
{
    edge_rig_init(&rig, SHARDS);
    rig.options.client.insecure = false;
    rig.options.client.token.hmac_secret_key = secret;
    struct channel_options *r = edge_rig_namespace(&rig, "r");
    r->history_size = 10;
    r->history_ttl_ms = 60000;
    r->force_recovery = true;
    edge_rig_namespace(&rig, "p")->presence = true;
    struct channel_options *h = edge_rig_namespace(&rig, "h");
    h->history_size = 10;
    h->history_ttl_ms = 60000;
    h->allow_subscribe_for_client = true;
    return &rig.options.client;
}

static struct peer *connect_with(uint32_t shard, const char *claims, const char *more)
{
    struct peer *peer = peer_open_at(&rig, shard);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"%s}}",
             token_of(secret, "{\"sub\":\"ann\"%s}", claims), more);
    return peer;
}

static struct peer *api(const char *method, const char *body)
{
    char request[1024];
    struct peer *peer = peer_open(&rig);
    snprintf(request, sizeof(request),
             "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\nContent-Length: "
             "%zu\r\n\r\n%s",
             method, strlen(body), body);
    peer_send(peer, request);
    return peer;
}

static void call(const char *method, const char *body, const char *answer)
{
    struct peer *peer = api(method, body);
    peer_hear_response(peer, 200, answer);
    peer_close(peer);
}

static void publish(const char *channel, int data)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"channel\":\"%s\",\"data\":%d}", channel, data);
    call("publish", body, NULL);
}

/* The reply is kept in peer->message; what its subs say is cut out of it. */
static const char *hear_subs(struct peer *peer)
{
    static char subs[4096];
    peer_hear_frame(peer, 0x81);
    const char *at = strstr(peer->message.at, "\"subs\":");
    const char *end = strstr(peer->message.at, ",\"ping\"");
    if (at == NULL || end == NULL) {
        return peer->message.at;
    }
    snprintf(subs, sizeof(subs), "%.*s", (int)(end - at - 7), at + 7);
    return subs;
}

#define assert_subs(peer, pattern) \
    do { \
        const char *heard_ = hear_subs(peer); \
        if (!edge_text_matches(heard_, (pattern))) { \
            fail_msg("heard %s", heard_); \
        } \
    } while (0)

static void a_token_names_channels(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        struct peer *peer = connect_with(shard, ",\"channels\":[\"a\"]", "");
        assert_subs(peer, "{\"a\":{}}");
        publish("a", 5);
        peer_hear(peer, "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":5}}}");
        /* It is the client's: not to be subscribed to again, and to be left. */
        peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"token\":\"%s\"}}",
                 token_of(secret, "{\"sub\":\"ann\",\"channel\":\"a\"}"));
        peer_hear(peer, "{\"id\":2,\"error\":{\"code\":105,\"message\":\"already subscribed\"}}");
        call("unsubscribe", "{\"user\":\"ann\",\"channel\":\"a\"}", "{\"result\":{}}");
        peer_hear(peer, "{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2000,"
                        "\"reason\":\"server unsubscribe\"}}}");
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* All channels of all homes are in one reply. */
static void many_channels_are_one_reply(void **state)
{
    (void)state;
    struct client_options *client = prepare();
    client->user_connection_limit = 10; /* The directory is waited for as well. */
    edge_rig_start(&rig);
    struct peer *peers[SHARDS];
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        peers[shard] = connect_with(shard,
                                    ",\"channels\":[\"c1\",\"c2\",\"c3\",\"c4\",\"c5\",\"c1\"],"
                                    "\"subs\":{\"c6\":{},\"c7\":null,\"c5\":{\"data\":{\"x\":1}}}",
                                    "");
        const char *subs = hear_subs(peers[shard]);
        assert_non_null(strstr(subs, "\"c1\":{}"));
        assert_non_null(strstr(subs, "\"c4\":{}"));
        assert_non_null(strstr(subs, "\"c5\":{\"data\":{\"x\":1}}"));
        assert_non_null(strstr(subs, "\"c6\":{}"));
        assert_non_null(strstr(subs, "\"c7\":{}"));
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SUBSCRIPTIONS), 7 * SHARDS);
    publish("c7", 1);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        peer_hear(peers[shard], "{\"push\":{\"channel\":\"c7\",\"pub\":{\"data\":1}}}");
    }
    edge_rig_stop(&rig);
}

static void what_was_missed_is_recovered(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    struct peer *peer = connect_with(0, ",\"channels\":[\"r:a\"]", "");
    hear_subs(peer);
    const char *at = strstr(peer->message.at, "\"epoch\":\"");
    char epoch[32];
    assert_non_null(at);
    snprintf(epoch, sizeof(epoch), "%.*s", (int)strcspn(at + 9, "\""), at + 9);
    publish("r:a", 1);
    peer_hear(peer,
              "{\"push\":{\"channel\":\"r:a\",\"pub\":{\"data\":1,\"offset\":1,\"epoch\":\"%s\"}}}",
              epoch);
    peer_close(peer);
    publish("r:a", 2);
    publish("r:a", 3);
    char subs[256];
    char wanted[512];
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        snprintf(subs, sizeof(subs),
                 ",\"subs\":{\"r:a\":{\"recover\":true,\"offset\":1,\"epoch\":\"%s\"}}", epoch);
        peer = connect_with(shard, ",\"channels\":[\"r:a\"]", subs);
        snprintf(wanted, sizeof(wanted),
                 "{\"r:a\":{\"recoverable\":true,\"epoch\":\"%s\",\"publications\":[{\"data\":2,"
                 "\"offset\":2},{\"data\":3,\"offset\":3}],\"recovered\":true,\"offset\":1,"
                 "\"positioned\":true,\"was_recovering\":true}}",
                 epoch);
        assert_subs(peer, wanted);
        peer_close(peer);
    }
    /* Of another epoch: told, and where it is now. */
    peer = connect_with(1, ",\"channels\":[\"r:a\"]",
                        ",\"subs\":{\"r:a\":{\"recover\":true,\"offset\":1,\"epoch\":\"xxxx\"}}");
    snprintf(wanted, sizeof(wanted),
             "{\"r:a\":{\"recoverable\":true,\"epoch\":\"%s\",\"offset\":3,\"positioned\":true,"
             "\"was_recovering\":true}}",
             epoch);
    assert_subs(peer, wanted);
    edge_rig_stop(&rig);
}

static void a_token_overrides_options(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    struct peer *peer =
        connect_with(0,
                     ",\"info\":{\"n\":1},\"subs\":{\"p:a\":{\"override\":{\"presence\":{\"value\":"
                     "false}}},"
                     "\"p:b\":{\"info\":{\"chan\":true}},"
                     "\"h:c\":{\"override\":{\"force_positioning\":{\"value\":true}}},"
                     "\"r:d\":{\"override\":{\"force_recovery\":{\"value\":false}}}}",
                     "");
    const char *subs = hear_subs(peer);
    assert_non_null(strstr(subs, "\"p:a\":{}"));
    assert_non_null(strstr(subs, "\"p:b\":{}"));
    assert_non_null(strstr(subs, "\"h:c\":{\"epoch\":"));
    assert_non_null(strstr(subs, "\"positioned\":true"));
    assert_null(strstr(subs, "\"recoverable\""));
    assert_non_null(strstr(subs, "\"r:d\":{}"));
    call("presence", "{\"channel\":\"p:a\"}", "{\"result\":{\"presence\":{}}}");
    struct peer *caller = api("presence", "{\"channel\":\"p:b\"}");
    peer_hear_response(caller, 200, NULL);
    assert_non_null(strstr(caller->message.at, "\"chan_info\":{\"chan\":true}"));
    assert_non_null(strstr(caller->message.at, "\"conn_info\":{\"n\":1}"));
    /* And so does a subscription token. */
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"h:e\",\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"channel\":\"h:e\",\"override\":"
                              "{\"force_recovery\":{\"value\":true}}}"));
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"recoverable\":true"));
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"h:f\",\"token\":\"%s\"}}",
             token_of(secret,
                      "{\"sub\":\"ann\",\"channel\":\"h:f\",\"override\":{\"presence\":1}}"));
    peer_hear(peer, "{\"id\":3,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    peer_close(peer);
    call("presence", "{\"channel\":\"p:b\"}", "{\"result\":{\"presence\":{}}}");
    edge_rig_stop(&rig);
}

static void what_cannot_be_ends_the_connect(void **state)
{
    (void)state;
    struct client_options *client = prepare();
    client->channel_limit = 2;
    edge_rig_start(&rig);
    static const struct {
        const char *claims;
        unsigned code;
        const char *reason;
    } rows[] = {
        {",\"channels\":[\"nowhere:a\"]", 3501, "bad request"},
        {",\"channels\":[\"\"]", 3501, "bad request"},
        {",\"channels\":[\"a\",\"b\",\"c\"]", 3505, "channel limit"},
        {",\"channels\":[\"a\"],\"subs\":{\"b\":{},\"c\":{}}", 3505, "channel limit"},
        {",\"channels\":{}", 3500, "invalid token"},
        {",\"channels\":[1]", 3500, "invalid token"},
        {",\"subs\":[]", 3500, "invalid token"},
        {",\"subs\":{\"a\":1}", 3500, "invalid token"},
        {",\"subs\":{\"a\":{\"override\":{\"presence\":true}}}", 3500, "invalid token"},
        {",\"subs\":{\"a\":{\"b64data\":\"?\"}}", 3500, "invalid token"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *peer = connect_with((uint32_t)i % SHARDS, rows[i].claims, "");
        peer_hear_close(peer, rows[i].code, rows[i].reason);
    }
    edge_rig_settle(&rig);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SUBSCRIPTIONS), 0);
    edge_rig_stop(&rig);
}

/* It cannot subscribe again by itself, so it connects again. */
static void its_end_is_a_reconnect(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    struct peer *peer = connect_with(0, ",\"exp\":4000000000,\"channels\":[\"a\"]", "");
    assert_subs(peer, "{\"a\":{}}");
    peer_say(peer, "{\"id\":2,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"exp\":4000000000,\"channels\":[\"a\"]}"));
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"refresh\":{"));
    peer_say(peer, "{\"id\":3,\"refresh\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"ann\",\"channels\":[\"a\",\"b\"]}"));
    peer_hear_close(peer, 3010, "insufficient state");
    edge_rig_stop(&rig);
}

static void a_client_that_comes_back_keeps_what_it_may_have(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    struct peer *peer =
        connect_with(2, "", ",\"subs\":{\"h:a\":{},\"a\":{},\"nowhere:b\":{},\"$h:c\":{}}");
    assert_subs(peer, "{\"h:a\":{}}");
    peer_close(peer);
    peer = connect_with(1, "", ",\"subs\":{\"a\":{\"recover\":true}}");
    peer_hear_frame(peer, 0x81);
    assert_null(strstr(peer->message.at, "subs"));
    edge_rig_stop(&rig);
}

static void every_user_has_a_channel(void **state)
{
    (void)state;
    struct client_options *client = prepare();
    client->personal_channel.enabled = true;
    client->personal_channel.channel_namespace = "p";
    client->allow_anonymous_connect_without_token = true;
    edge_rig_start(&rig);
    struct peer *first = connect_with(0, "", "");
    assert_subs(first, "{\"p:#ann\":{}}");
    struct peer *second = connect_with(1, ",\"channels\":[\"a\"]", "");
    const char *subs = hear_subs(second);
    assert_non_null(strstr(subs, "\"p:#ann\":{}"));
    assert_non_null(strstr(subs, "\"a\":{}"));
    struct peer *nobody = peer_open(&rig);
    peer_upgrade(nobody);
    peer_say(nobody, "{\"id\":1,\"connect\":{}}");
    peer_hear_frame(nobody, 0x81);
    assert_null(strstr(nobody->message.at, "subs"));
    publish("p:#ann", 7);
    peer_hear(first, "{\"push\":{\"channel\":\"p:#ann\",\"pub\":{\"data\":7}}}");
    peer_hear(second, "{\"push\":{\"channel\":\"p:#ann\",\"pub\":{\"data\":7}}}");
    edge_rig_stop(&rig);
}

static void a_new_connection_ends_the_others(void **state)
{
    (void)state;
    struct client_options *client = prepare();
    client->personal_channel.enabled = true;
    client->personal_channel.single_connection = true;
    edge_rig_start(&rig);
    struct peer *last = NULL;
    for (uint32_t i = 0; i < 2 * SHARDS; i++) {
        struct peer *next = connect_with(i % SHARDS, "", "");
        assert_subs(next, "{\"#ann\":{}}");
        if (last != NULL) {
            peer_hear_close(last, 3504, "connection limit");
        }
        last = next;
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_SESSIONS), 1);
    edge_rig_stop(&rig);
}

/* The client goes while its subscriptions are under way. */
static void who_goes_leaves_nothing_behind(void **state)
{
    (void)state;
    prepare();
    edge_rig_start(&rig);
    for (uint32_t i = 0; i < 12; i++) {
        struct peer *peer = peer_open_at(&rig, i % SHARDS);
        char text[1024];
        peer_upgrade(peer);
        snprintf(text, sizeof(text), "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
                 token_of(secret, "{\"sub\":\"ann\",\"channels\":[\"r:a\",\"p:b\",\"c\"]}"));
        peer_put_frame(peer, 0x81, text, strlen(text));
        peer_reset(peer);
    }
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_channels),
        cmocka_unit_test(many_channels_are_one_reply),
        cmocka_unit_test(what_was_missed_is_recovered),
        cmocka_unit_test(a_token_overrides_options),
        cmocka_unit_test(what_cannot_be_ends_the_connect),
        cmocka_unit_test(its_end_is_a_reconnect),
        cmocka_unit_test(a_client_that_comes_back_keeps_what_it_may_have),
        cmocka_unit_test(every_user_has_a_channel),
        cmocka_unit_test(a_new_connection_ends_the_others),
        cmocka_unit_test(who_goes_leaves_nothing_behind),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
