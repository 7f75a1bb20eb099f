/* SPDX-License-Identifier: Apache-2.0 */
/* client.rate_limit: what one connection, and what one user with all connections may do. */
#include <stdio.h>

#include "shards/rate_limits.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

#define SECOND 1000000000ull
#define BUCKET(interval, rate) \
    { \
        (interval), (interval) / (rate) \
    }

enum { SHARDS = 4 };

static const char *const secret = "the secret of the tests";
static struct edge_rig rig;
static struct rate_limits limits;

static const struct rate_bucket buckets[] = {
    BUCKET(SECOND, 3),
    BUCKET(10 * SECOND, 1),
    BUCKET(SECOND, 5),
};
static const struct rate_rule three_a_second = {0, 1};
static const struct rate_rule one_in_ten_seconds = {1, 1};
static const struct rate_rule five_a_second = {2, 1};

static struct client_options *prepare(void)
{
    edge_rig_init(&rig, SHARDS);
    edge_rig_namespace(&rig, "chat");
    rig.options.client.token.hmac_secret_key = secret;
    limits = (struct rate_limits){.buckets = buckets, .buckets_len = 3};
    return &rig.options.client;
}

static struct peer *connect_as(uint32_t shard, const char *user)
{
    struct peer *peer = peer_open_at(&rig, shard);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"%s\"}", user));
    return peer;
}

static struct peer *connected_as(uint32_t shard, const char *user)
{
    struct peer *peer = connect_as(shard, user);
    peer_hear_frame(peer, 0x81);
    return peer;
}

static bool publishes(struct peer *peer, const char *channel)
{
    peer_say(peer, "{\"id\":5,\"publish\":{\"channel\":\"%s\",\"data\":1}}", channel);
    peer_hear_frame(peer, 0x81);
    if (strcmp(peer->message.at, "{\"id\":5,\"publish\":{}}") == 0) {
        return true;
    }
    assert_string_equal(peer->message.at, "{\"id\":5,\"error\":{\"code\":111,\"message\":"
                                          "\"too many requests\",\"temporary\":true}}");
    return false;
}

static uint32_t publishes_of(struct peer *peer, const char *channel, uint32_t times)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < times; i++) {
        done += publishes(peer, channel);
    }
    return done;
}

static void a_connection_has_its_buckets(void **state)
{
    (void)state;
    static const struct rate_override chat = {"chat", {1, 1}};
    prepare()->command_rates = &limits;
    limits.commands[CLIENT_METHOD_PUBLISH] = (struct rate_command){three_a_second, &chat, 1};
    edge_rig_start(&rig);
    struct peer *one = connected_as(0, "ann");
    struct peer *other = connected_as(0, "ann");
    assert_int_equal(publishes_of(one, "a", 10), 3);
    assert_int_equal(publishes_of(other, "b", 3), 3);
    assert_int_equal(publishes_of(one, "chat:a", 3), 1); /* Its own, and no other. */
    peer_subscribe(one, "a");                            /* No limit. */
    edge_rig_advance(&rig, 700);
    peer_hear_nothing(one);
    edge_rig_advance(&rig, 400);
    assert_int_equal(publishes_of(other, "b", 4), 3);
    assert_int_equal(publishes_of(other, "chat:b", 2), 1);
    edge_rig_advance(&rig, 10000);
    assert_int_equal(publishes_of(other, "chat:b", 2), 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_RATE_LIMITED_CONNECTION), 7 + 2 + 1 + 1 + 1);
    edge_rig_stop(&rig);
}

/* Only what its own bucket lets through takes from the total. */
static void the_total_is_of_all_commands(void **state)
{
    (void)state;
    prepare()->command_rates = &limits;
    limits.total = five_a_second;
    limits.commands[CLIENT_METHOD_PUBLISH].rule = three_a_second;
    edge_rig_start(&rig);
    struct peer *peer = connected_as(1, "ann");
    assert_int_equal(publishes_of(peer, "a", 20), 3);
    for (int i = 0; i < 3; i++) {
        peer_say(peer, "{\"id\":6,\"unsubscribe\":{\"channel\":\"x\"}}");
        peer_hear(peer, i < 2 ? "{\"id\":6,\"unsubscribe\":{}}"
                              : "{\"id\":6,\"error\":{\"code\":111,\"message\":"
                                "\"too many requests\",\"temporary\":true}}");
    }
    edge_rig_stop(&rig);
}

/* Its connections on all shards together; others are not touched, nor is the anonymous user. */
static void a_user_has_one_bucket_for_all_connections(void **state)
{
    (void)state;
    prepare()->user_rates = &limits;
    limits.commands[CLIENT_METHOD_PUBLISH].rule = three_a_second;
    edge_rig_start(&rig);
    static const char *const users[] = {"ann", "ben", "cid", "dan"};
    struct peer *peers[4][SHARDS];
    for (int i = 0; i < 4; i++) {
        uint32_t done = 0;
        for (uint32_t shard = 0; shard < SHARDS; shard++) {
            peers[i][shard] = connected_as(shard, users[i]);
        }
        for (uint32_t n = 0; n < 10; n++) {
            done += publishes(peers[i][n % SHARDS], "a");
        }
        assert_int_equal(done, 3);
    }
    struct peer *nobody = peer_open(&rig);
    peer_connect(nobody);
    assert_int_equal(publishes_of(nobody, "a", 10), 10);
    edge_rig_advance(&rig, 1000);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(publishes_of(peers[i][3], "a", 10), 3);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_RATE_LIMITED_USER), 4 * (7 + 7));
    assert_int_equal(edge_rig_count(&rig, COUNTER_RATE_UNASKED), 0);
    edge_rig_stop(&rig);
}

/* Who asks the directory keeps the order of its commands, also those of one frame. */
static void commands_that_wait_for_tokens_keep_their_order(void **state)
{
    (void)state;
    prepare()->user_rates = &limits;
    limits.commands[CLIENT_METHOD_SUBSCRIBE].rule = three_a_second;
    limits.commands[CLIENT_METHOD_UNSUBSCRIBE].rule = five_a_second;
    edge_rig_start(&rig);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        char user[8];
        snprintf(user, sizeof(user), "u%u", shard);
        struct peer *peer = connected_as(shard, user);
        peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n"
                       "{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\n"
                       "{\"id\":4,\"subscribe\":{\"channel\":\"a\"}}\n"
                       "{\"id\":6,\"subscribe\":{\"channel\":\"a\"}}\n"
                       "{\"id\":7,\"subscribe\":{\"channel\":\"c\"}}\n");
        peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
        peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
        peer_hear(peer, "{\"id\":4,\"subscribe\":{}}");
        peer_hear(peer, "{\"id\":6,\"error\":{\"code\":105,\"message\":\"already subscribed\"}}");
        peer_hear(peer, "{\"id\":7,\"error\":{\"code\":111,\"message\":\"too many requests\","
                        "\"temporary\":true}}");
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* However the client goes while its directory is asked. */
static void a_client_may_go_while_it_waits_for_tokens(void **state)
{
    (void)state;
    prepare()->user_rates = &limits;
    limits.total = five_a_second;
    edge_rig_start(&rig);
    for (int i = 0; i < 40; i++) {
        struct peer *peer = connected_as((uint32_t)i % SHARDS, "ann");
        peer_put_text(peer, "");
        const char command[] = "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}";
        peer_put_frame(peer, 0x81, command, sizeof(command) - 1);
        if (i % 2 == 0) {
            peer_reset(peer);
        } else {
            peer_close(peer);
        }
        edge_rig_advance(&rig, 1000);
    }
    edge_rig_stop(&rig);
}

/* A user that connects too often is told to come back. */
static void connect_is_limited_for_users(void **state)
{
    (void)state;
    prepare()->user_rates = &limits;
    limits.commands[CLIENT_METHOD_CONNECT].rule = three_a_second;
    edge_rig_start(&rig);
    for (uint32_t i = 0; i < 12; i++) {
        struct peer *peer = connect_as(i % SHARDS, "ann");
        if (i < 3) {
            peer_hear_frame(peer, 0x81);
        } else {
            peer_hear_close(peer, 3013, "too many requests");
        }
    }
    connected_as(0, "ben");
    edge_rig_advance(&rig, 1000);
    connected_as(0, "ann");
    assert_int_equal(edge_rig_count(&rig, COUNTER_RATE_LIMITED_CONNECT), 9);
    edge_rig_stop(&rig);
}

/* Whose commands are answered with errors again and again is sent away for good. */
static void too_many_errors_end_a_connection(void **state)
{
    (void)state;
    static struct rate_limits errors;
    struct client_options *client = prepare();
    errors = (struct rate_limits){.buckets = buckets, .buckets_len = 3, .total = five_a_second};
    client->error_rates = &errors;
    client->command_rates = &limits;
    limits.commands[CLIENT_METHOD_PUBLISH].rule = one_in_ten_seconds;
    edge_rig_start(&rig);
    struct peer *calm = connected_as(0, "ann");
    struct peer *wild = connected_as(0, "ann");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(publishes(calm, "a"), i == 0);
        edge_rig_advance(&rig, 200);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(publishes(wild, "a"), i == 0);
    }
    peer_say(wild, "{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":1}}");
    peer_hear_close(wild, 3509, "too many errors");
    assert_false(publishes(calm, "a"));
    assert_int_equal(edge_rig_count(&rig, COUNTER_RATE_LIMITED_ERRORS), 1);
    edge_rig_stop(&rig);
}

/* One that floods is refused cheaply; the others, also on its shard, get what they ask for. */
static void a_flood_hurts_nobody_else(void **state)
{
    (void)state;
    struct client_options *client = prepare();
    client->command_rates = &limits;
    limits.commands[CLIENT_METHOD_PUBLISH].rule = five_a_second;
    edge_rig_start(&rig);
    struct peer *listener = connected_as(1, "ben");
    struct peer *wild = connected_as(0, "ann");
    struct peer *calm = connected_as(0, "cid");
    peer_subscribe(listener, "a");
    enum { COMMANDS = 400 };
    for (uint32_t round = 0; round < 10; round++) {
        char text[COMMANDS * 64];
        size_t len = 0;
        for (uint32_t i = 0; i < COMMANDS; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                                    "{\"id\":9,\"publish\":{\"channel\":\"a\",\"data\":\"w\"}}\n");
        }
        peer_put_frame(wild, 0x81, text, len);
        assert_true(publishes(calm, "b"));
        for (uint32_t i = 0; i < COMMANDS; i++) {
            peer_hear_frame(wild, 0x81);
        }
        for (int i = 0; i < 5; i++) {
            peer_hear(listener, "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"w\",\"info\":"
                                "{\"user\":\"ann\",\"client\":\"<id>\"}}}}");
        }
        peer_hear_nothing(listener);
        edge_rig_advance(&rig, 1000);
    }
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_has_its_buckets),
        cmocka_unit_test(the_total_is_of_all_commands),
        cmocka_unit_test(a_user_has_one_bucket_for_all_connections),
        cmocka_unit_test(commands_that_wait_for_tokens_keep_their_order),
        cmocka_unit_test(a_client_may_go_while_it_waits_for_tokens),
        cmocka_unit_test(connect_is_limited_for_users),
        cmocka_unit_test(too_many_errors_end_a_connection),
        cmocka_unit_test(a_flood_hurts_nobody_else),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
