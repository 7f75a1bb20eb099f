/* SPDX-License-Identifier: Apache-2.0 */
/* What shards tell directories of their users when homes have moved. */
#include "shards/edge/session/users.h"

#include "shards/limits.h"
#include "shards/outbox.h"
#include "tests/unit/shards/edge_rig.h"
#include "tests/unit/shards/tokens.h"

static const char secret[] = "secret";

static struct actors *only_shard(struct edge_rig *rig)
{
    return sim_shard(rig->sim, rig->number, 0)->actor;
}

static void start(struct edge_rig *rig)
{
    edge_rig_init(rig, 1);
    rig->options.client.token.hmac_secret_key = secret;
    edge_rig_start(rig);
}

static struct peer *connect_as(struct edge_rig *rig, const char *user)
{
    struct peer *peer = peer_open(rig);
    peer_upgrade(peer);
    peer_say(peer, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
             token_of(secret, "{\"sub\":\"%s\"}", user));
    peer_hear_frame(peer, 0x81);
    return peer;
}

/* As if it had been told this on a way that took longer than others. */
static void directory_hears(struct edge_rig *rig, const char *user, uint32_t sessions)
{
    const struct actors *actors = only_shard(rig);
    const struct message_user_set body = {.user = buf_copy(user, strlen(user)),
                                          .sessions = sessions};
    OUTBOX_SEND(actors->outbox, 0, user_set, 0, &body);
    poller_wake(actors->shard->poller);
    edge_rig_settle(rig);
}

static void homes_move(struct edge_rig *rig)
{
    users_on_placement(only_shard(rig)->edge);
    poller_wake(only_shard(rig)->shard->poller);
    edge_rig_settle(rig);
}

static void who_left_while_homes_moved_is_told_of_until_that_is_over(void **state)
{
    (void)state;
    static struct edge_rig rig;
    start(&rig);
    struct peer *peer = connect_as(&rig, "42");
    homes_move(&rig);
    peer_close(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 0);
    directory_hears(&rig, "42", 1);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 1);
    edge_rig_advance(&rig, USERS_AGAIN_MS_MIN + 1000);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 0);
    directory_hears(&rig, "42", 1);
    edge_rig_advance(&rig, USERS_AGAIN_MS_MAX + 1000);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 0);
    assert_int_equal(map_count(only_shard(&rig)->edge->users), 0);
    edge_rig_stop(&rig);
}

static void who_comes_back_is_the_same_user(void **state)
{
    (void)state;
    static struct edge_rig rig;
    start(&rig);
    struct peer *peer = connect_as(&rig, "42");
    homes_move(&rig);
    peer_close(peer);
    peer = connect_as(&rig, "42");
    directory_hears(&rig, "42", 7);
    edge_rig_advance(&rig, USERS_AGAIN_MS_MIN + 1000);
    assert_int_equal(map_count(only_shard(&rig)->edge->users), 1);
    peer_close(peer);
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_USERS), 0);
    edge_rig_advance(&rig, USERS_AGAIN_MS_MAX + 1000);
    assert_int_equal(map_count(only_shard(&rig)->edge->users), 0);
    edge_rig_stop(&rig);
}

/* A node that ends in the middle of it keeps nothing. */
static void an_end_forgets_them(void **state)
{
    (void)state;
    static struct edge_rig rig;
    start(&rig);
    struct peer *peer = connect_as(&rig, "42");
    homes_move(&rig);
    peer_close(peer);
    assert_int_equal(map_count(only_shard(&rig)->edge->users), 1);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_left_while_homes_moved_is_told_of_until_that_is_over),
        cmocka_unit_test(who_comes_back_is_the_same_user),
        cmocka_unit_test(an_end_forgets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
