/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a home that waits for its slots: for how long, how much, and who has left. */
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_moves_rig.h"

static void a_new_channel_waits_for_its_slot(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    keeps("new", "1");
    subscribes_with(ASKER, "new", SUBSCRIBE_FIRST, nowhere);
    asks_presence(ASKER, "new", 1);
    rig_settle(&rig);
    assert_int_equal(rig_left(&rig, ASKER), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 3);
    slots_are_ready();
    assert_int_equal(kept(0).offset, 1);
    assert_int_equal(subscribed(ASKER, 0).newest.offset, 1);
    (void)rig_take(&rig, ASKER, MESSAGE_PRESENCE);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 0);
}

/* The router may hear of a map before a shard does. */
static void who_leaves_while_it_waits_is_gone(void **state)
{
    (void)state;
    map_says(THERE);
    routes_settled();
    const struct message_subscribe first = {.channel = rig_text("new"), .flags = SUBSCRIBE_FIRST};
    const struct message_unsubscribe last = {.channel = rig_text("new"), .flags = UNSUBSCRIBE_LAST};
    assert_true(message_send_subscribe(router(), RIG_HOME, 5, &first));
    const struct message end = message_make_unsubscribe(5, &last);
    router_says(&end);
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 2);
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    const struct message message = routes(MESSAGE_SUBSCRIBED);
    assert_int_equal(message_as_subscribed(&message).error, 0);
    keeps("new", "1");
    kept(0);
    routes_nothing();
}

static void it_does_not_wait_for_ever(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    keeps("new", "1");
    subscribes_with(ASKER, "new", SUBSCRIBE_FIRST, nowhere);
    asks_presence(ASKER, "new", 0);
    rig_settle(&rig);
    rig_advance(&rig, HELD_MS_MAX);
    rig_settle(&rig);
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    (void)subscribed(ASKER, CLIENT_ERROR_TOO_MANY_REQUESTS);
    const struct message presence = rig_take(&rig, ASKER, MESSAGE_PRESENCE);
    assert_int_equal(message_as_presence(&presence).error, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REFUSED), 3);
}

static void no_more_wait_than_may(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    for (uint32_t i = 0; i < HELD_REQUESTS_MAX; i++) {
        keeps("new", "1");
    }
    assert_int_equal(rig_left(&rig, ASKER), 0);
    keeps("new", "1");
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    slots_are_ready();
    assert_int_equal(rig_drop(&rig, ASKER), HELD_REQUESTS_MAX);
}

/* ---- ends ---- */

static void an_end_finds_room_where_requests_do_not(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    subscribes(ASKER, "new", SUBSCRIBE_FIRST, NULL);
    for (uint32_t i = 0; i < HELD_REQUESTS_MAX; i++) {
        keeps("new", "1");
    }
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    unsubscribes(ASKER, "new", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    slots_are_ready();
    rig_drop(&rig, ASKER);
    keeps("new", "1");
    (void)kept(0);
}

/* Its channel is on its way, and stays after all. */
static void an_end_that_waits_too_long_is_done(void **state)
{
    (void)state;
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    subscribes(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE, rig_identity(1, "u", "", ""));
    rig_settle(&rig);
    (void)hears_subscribed(FOLLOWER, 0);
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    unsubscribes(FOLLOWER, "c", UNSUBSCRIBE_LAST | UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE,
                 rig_identity(1, "u", "", ""));
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 1);
    rig_advance(&rig, HELD_MS_MAX);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 0);
    map_says(HERE);
    slots_are_ready();
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    keeps("c", "1");
    (void)kept(0);
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    routes_settled();
}

static void an_end_is_passed_on_when_there_is_room(void **state)
{
    (void)state;
    map_says(THERE);
    routes_settled();
    const uint32_t fillers = rig_fill(&rig, EDGES, 0);
    unsubscribes(ASKER, "c", UNSUBSCRIBE_LAST, NULL);
    subscribes(ASKER, "c", SUBSCRIBE_FIRST, NULL);
    rig_settle(&rig);
    (void)hears_subscribed(ASKER, CLIENT_ERROR_TOO_MANY_REQUESTS);
    for (uint32_t i = 0; i < fillers; i++) {
        (void)routes(MESSAGE_NODES_ASK);
    }
    subscribes(ASKER, "c", SUBSCRIBE_FIRST, NULL);
    rig_settle(&rig);
    struct message message = routes(MESSAGE_UNSUBSCRIBE);
    assert_int_equal(message.from, ASKER);
    assert_int_equal(message.handle, hub_of(ASKER));
    assert_int_equal(message_as_unsubscribe(&message).flags, UNSUBSCRIBE_LAST | FLAGS_DETOUR);
    message_release(&message);
    message = routes(MESSAGE_SUBSCRIBE);
    assert_int_equal(message.from, ASKER);
    assert_int_not_equal(message_as_subscribe(&message).flags & FLAGS_DETOUR, 0);
    message_release(&message);
}

static void enters(uint32_t flags)
{
    subscribes(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE | flags,
               rig_identity(1, "u", "", ""));
    rig_settle(&rig);
    (void)hears_subscribed(FOLLOWER, 0);
}

static void leaves(uint32_t flags, uint32_t still_present)
{
    unsubscribes(FOLLOWER, "c", UNSUBSCRIBE_PRESENCE | flags, rig_identity(1, "u", "", ""));
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), still_present);
}

/* A client ends a subscription at a home of before, and begins another one at the new home. */
static void an_end_that_made_a_detour_ends_nothing_newer(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    enters(0);
    leaves(FLAGS_DETOUR, 1);
    leaves(0, 0);
    enters(FLAGS_DETOUR);
    leaves(FLAGS_DETOUR, 0); /* Both came that way, in their order. */
    enters(FLAGS_DETOUR);
    leaves(0, 0);
    enters(FLAGS_DETOUR);
    enters(0);
    enters(FLAGS_DETOUR); /* Older than the one before it. */
    leaves(FLAGS_DETOUR, 1);
    leaves(0, 0);
}

/* The end came straight, while the beginning had to wait elsewhere. */
static void a_beginning_behind_its_end_begins_nothing(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    leaves(0, 0); /* Nothing is here yet. */
    enters(FLAGS_DETOUR);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 0);
    enters(0); /* Its next one. */
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 1);
    leaves(0, 0);
    enters(FLAGS_DETOUR);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 0);
    subscribes(ASKER, "other", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE | FLAGS_DETOUR,
               rig_identity(1, "u", "", ""));
    rig_settle(&rig);
    (void)hears_subscribed(ASKER, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 1);
    rig_advance(&rig, EARLY_ENDS_MS);
    enters(FLAGS_DETOUR);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 2);
}

/* Its client was told that it is not subscribed; the home may have entered it all the same. */
static void who_was_refused_is_ended_and_not_remembered(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    enters(0);
    leaves(UNSUBSCRIBE_REFUSED, 0);
    leaves(UNSUBSCRIBE_REFUSED, 0);
    enters(FLAGS_DETOUR); /* Its next one, not the one that was refused. */
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 1);
}

/* The shard has no such channel any more, so nobody would end the registration. */
static void a_registration_behind_its_end_is_refused(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    unsubscribes(FOLLOWER, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    subscribes(FOLLOWER, "c", SUBSCRIBE_FIRST | FLAGS_DETOUR, NULL);
    rig_settle(&rig);
    (void)hears_subscribed(FOLLOWER, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 0);
    subscribes(ASKER, "c", SUBSCRIBE_FIRST | FLAGS_DETOUR, NULL); /* Another shard's. */
    rig_settle(&rig);
    (void)hears_subscribed(ASKER, 0);
    rig_advance(&rig, EARLY_ENDS_MS);
    subscribes(FOLLOWER, "c", SUBSCRIBE_FIRST | FLAGS_DETOUR, NULL);
    rig_settle(&rig);
    (void)hears_subscribed(FOLLOWER, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(a_new_channel_waits_for_its_slot),
        MOVES_TEST(who_leaves_while_it_waits_is_gone),
        MOVES_TEST(it_does_not_wait_for_ever),
        MOVES_TEST(no_more_wait_than_may),
        MOVES_TEST(an_end_finds_room_where_requests_do_not),
        MOVES_TEST(an_end_that_waits_too_long_is_done),
        MOVES_TEST(an_end_is_passed_on_when_there_is_room),
        MOVES_TEST(an_end_that_made_a_detour_ends_nothing_newer),
        MOVES_TEST(a_beginning_behind_its_end_begins_nothing),
        MOVES_TEST(who_was_refused_is_ended_and_not_remembered),
        MOVES_TEST(a_registration_behind_its_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
