/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of channels that are occupied and vacated, when they move from one home to another:
 * nobody, as long as it is known what becomes of them. */
#include "shards/edge/backends/webhooks.h"
#include "shards/limits.h"
#include "tests/unit/shards/homes_moves_rig.h"

static struct proxy_options proxy;

static int open_told(void **state)
{
    const int result = open_rig(state);
    rig.options.without_namespace.state_proxy = &proxy;
    rig.options.webhooks.vacated_delay_ms = 1000;
    rig.options.webhooks.batch_max_delay_ms = UINT32_MAX; /* What is told stays here. */
    rig.home.webhooks = webhooks_create(&rig.home);
    assert_non_null(rig.home.webhooks);
    return result;
}

static int close_told(void **state)
{
    webhooks_destroy(rig.home.webhooks);
    rig.home.webhooks = NULL;
    return close_rig(state);
}

/* All that was ever told. */
static void is_told(uint64_t occupied, uint64_t vacated, uint64_t lost)
{
    assert_int_equal(rig_counter(&rig, COUNTER_WEBHOOK_OCCUPIED), occupied);
    assert_int_equal(rig_counter(&rig, COUNTER_WEBHOOK_VACATED), vacated);
    assert_int_equal(rig_counter(&rig, COUNTER_WEBHOOK_LOST), lost);
}

static void is_home(void)
{
    map_says(HERE);
    slots_are_ready();
    routes_settled();
}

static void follows(uint32_t edge)
{
    subscribes_with(edge, "c", SUBSCRIBE_FIRST, nowhere);
    (void)subscribed(edge, 0);
}

static void leaves(uint32_t edge)
{
    unsubscribes(edge, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
}

static void the_first_and_the_last_shard_count(void **state)
{
    (void)state;
    is_home();
    follows(FOLLOWER);
    follows(FOLLOWER + 1);
    is_told(1, 0, 0);
    leaves(FOLLOWER);
    rig_advance(&rig, 5000);
    is_told(1, 0, 0);
    leaves(FOLLOWER + 1);
    rig_advance(&rig, 999);
    is_told(1, 0, 0);
    follows(FOLLOWER);
    rig_advance(&rig, 5000);
    is_told(1, 0, 0);
    leaves(FOLLOWER);
    rig_advance(&rig, 1001);
    is_told(1, 1, 0);
    follows(FOLLOWER);
    is_told(2, 1, 0);
}

static void a_channel_takes_along_that_it_is_occupied(void **state)
{
    (void)state;
    is_home();
    follows(FOLLOWER);
    map_says(THERE);
    struct message sent;
    assert_int_equal(routes_piece(&sent)->flags & CHANNEL_MOVE_OCCUPIED, CHANNEL_MOVE_OCCUPIED);
    message_release(&sent);
    is_taken(&sent, 0);
    hears_moved(FOLLOWER);
    routes_settled();
    rig_advance(&rig, 60000);
    is_told(1, 0, 0);
}

/* Also one that everybody has left lately: the other home goes on to wait. */
static void a_channel_that_is_being_vacated_moves_too(void **state)
{
    (void)state;
    is_home();
    follows(FOLLOWER);
    leaves(FOLLOWER);
    map_says(THERE);
    struct message sent;
    assert_int_equal(routes_piece(&sent)->flags & CHANNEL_MOVE_OCCUPIED, CHANNEL_MOVE_OCCUPIED);
    message_release(&sent);
    is_taken(&sent, 0);
    routes_settled();
    rig_advance(&rig, 60000);
    is_told(1, 0, 0);
}

static void what_may_have_been_taken_is_a_loss(void **state)
{
    (void)state;
    is_home();
    follows(FOLLOWER);
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    is_taken(&sent, CLIENT_ERROR_INTERNAL);
    hears_moved(FOLLOWER);
    routes_settled();
    is_told(1, 0, 1);
}

static void what_was_not_taken_goes_on(void **state)
{
    (void)state;
    is_home();
    follows(FOLLOWER);
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    map_says(HERE);
    slots_are_ready();
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    routes_settled();
    leaves(FOLLOWER);
    rig_advance(&rig, 60000);
    is_told(1, 1, 0);
}

/* Those who follow it have time, and then it is as if it had been here all the time. */
static void a_channel_that_comes_is_occupied(void **state)
{
    (void)state;
    is_home();
    assert_int_equal(comes(WHOLE | CHANNEL_MOVE_OCCUPIED, 9, page_of(1, 3), 3), 0);
    rig_advance(&rig, CATCH_UP_MS - 1000);
    follows(FOLLOWER);
    rig_advance(&rig, 60000);
    is_told(0, 0, 0);
    leaves(FOLLOWER);
    rig_advance(&rig, 1001);
    is_told(0, 1, 0);
}

static void a_channel_that_nobody_follows_is_vacated(void **state)
{
    (void)state;
    is_home();
    assert_int_equal(comes(WHOLE | CHANNEL_MOVE_OCCUPIED, 9, page_of(1, 3), 3), 0);
    rig_advance(&rig, CATCH_UP_MS - HANDOVER_TICK_MS);
    is_told(0, 0, 0);
    rig_advance(&rig, 2 * HANDOVER_TICK_MS);
    is_told(0, 0, 0);
    rig_advance(&rig, 1001);
    is_told(0, 1, 0);
}

/* It was vacant, or nobody was told of it there. */
static void a_channel_that_comes_vacant_is_occupied_here(void **state)
{
    (void)state;
    is_home();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), 0);
    follows(FOLLOWER);
    is_told(1, 0, 0);
}

#define TOLD_TEST(name) cmocka_unit_test_setup_teardown(name, open_told, close_told)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOLD_TEST(the_first_and_the_last_shard_count),
        TOLD_TEST(a_channel_takes_along_that_it_is_occupied),
        TOLD_TEST(a_channel_that_is_being_vacated_moves_too),
        TOLD_TEST(what_may_have_been_taken_is_a_loss),
        TOLD_TEST(what_was_not_taken_goes_on),
        TOLD_TEST(a_channel_that_comes_is_occupied),
        TOLD_TEST(a_channel_that_nobody_follows_is_vacated),
        TOLD_TEST(a_channel_that_comes_vacant_is_occupied_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
