/* SPDX-License-Identifier: Apache-2.0 */
/* What a home accepted that no channel tells of: which homes are told, and who has missed it. */
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_moves_rig.h"

enum { OTHER = 7, THIRD = 8 }; /* Sessions of nodes that had the slots, too. */

static void is_home(void)
{
    map_says(HERE);
    slots_are_ready();
    routes_settled();
}

static void accepts_for_nobody(const char *channel)
{
    publishes(ASKER, channel, "1");
    rig_settle(&rig);
    (void)hears_published(ASKER, 0);
}

/* ---- a channel that comes ---- */

/* Published here while nobody was, and its followers were elsewhere. */
static void who_follows_it_has_missed_what_was_said_before(void **state)
{
    (void)state;
    is_home();
    accepts_for_nobody("c");
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), 0);
    keeps("c", "4");
    assert_int_equal(kept(0).offset, 4);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){9, 4711});
    const struct message_subscribed answer = subscribed(FOLLOWER, 0);
    assert_true(answer.sequence == 11 && answer.newest.offset == 4);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_MISSED), 1);
}

static void a_channel_that_ends_is_not_forgotten_at_once(void **state)
{
    (void)state;
    is_home();
    subscribes(ASKER, "c", SUBSCRIBE_FIRST, NULL);
    rig_settle(&rig);
    (void)hears_subscribed(ASKER, 0);
    publishes(ASKER, "c", "1");
    unsubscribes(ASKER, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    rig_drop(&rig, ASKER);
    assert_int_equal(comes(WHOLE, 9, NULL, 3), 0);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){9, 4711});
    assert_int_equal(subscribed(FOLLOWER, 0).sequence, 10);
}

static void what_was_said_in_another_tenure_is_not_missed(void **state)
{
    (void)state;
    is_home();
    accepts_for_nobody("c");
    map_says(THERE);
    assert_false(routes_missed("c"));
    routes_settled();
    is_noted("c");
    routes_settled();
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), 0);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){9, 4711});
    assert_int_equal(subscribed(FOLLOWER, 0).sequence, 9);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_MISSED), 0);
}

/* Its position would say that nothing was missed. */
static void what_was_kept_before_makes_it_begin_anew(void **state)
{
    (void)state;
    is_home();
    was_missed(OTHER, "c", true);
    assert_true(routes_noted(OTHER, "c"));
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), 0);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){9, 4711});
    assert_true(subscribed(FOLLOWER, 0).newest.epoch != 4711);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_MISSED), 1);
}

/* ---- telling the home of now ---- */

static void the_home_of_now_is_told_until_it_answers(void **state)
{
    (void)state;
    is_home();
    accepts_for_nobody("c");
    map_says(THERE);
    assert_false(routes_missed("c"));
    const struct message settled = routes(MESSAGE_SLOTS_SETTLED);
    assert_false(message_as_slots_settled(&settled).is_noted);
    for (uint32_t ms = MISSED_RETRY_MS_MIN; ms < MISSED_RETRY_MS_MAX; ms *= 2) {
        rig_advance(&rig, ms - 1);
        routes_nothing();
        rig_advance(&rig, 1);
        assert_false(routes_missed("c"));
    }
    is_noted("c");
    const struct message noted = routes(MESSAGE_SLOTS_SETTLED);
    assert_true(message_as_slots_settled(&noted).is_noted);
    rig_advance(&rig, 2 * MISSED_RETRY_MS_MAX);
    routes_nothing();
}

static void nobody_is_told_of_what_moved(void **state)
{
    (void)state;
    is_home();
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    (void)subscribed(FOLLOWER, 0);
    keeps("c", "1");
    (void)kept(0);
    hears_offset(FOLLOWER, 1, 1);
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    is_taken(&sent, 0);
    hears_moved(FOLLOWER);
    const struct message settled = routes(MESSAGE_SLOTS_SETTLED);
    assert_true(message_as_slots_settled(&settled).is_noted);
    rig_advance(&rig, MISSED_RETRY_MS_MAX);
    routes_nothing();
}

static void what_was_accepted_since_is_told_again(void **state)
{
    (void)state;
    is_home();
    accepts_for_nobody("c");
    map_says(THERE);
    assert_false(routes_missed("c"));
    routes_settled();
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    accepts_for_nobody("c");
    is_noted("c"); /* Of before. */
    map_says(THERE);
    assert_false(routes_missed("c"));
    routes_settled();
}

/* ---- being told ---- */

static uint64_t has_follower(void)
{
    is_home();
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    return subscribed(FOLLOWER, 0).newest.epoch;
}

static void those_who_follow_see_that_a_message_is_missing(void **state)
{
    (void)state;
    const uint64_t epoch = has_follower();
    keeps("c", "1");
    (void)kept(0);
    hears_offset(FOLLOWER, 1, 1);
    was_missed(OTHER, "c", false);
    hears_moved(FOLLOWER);
    assert_true(routes_noted(OTHER, "c"));
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){1, epoch});
    const struct message_subscribed answer = subscribed(FOLLOWER, 0);
    assert_true(answer.sequence == 2 && answer.newest.epoch == epoch);
    assert_int_equal(answer.newest.offset, 1); /* The history is what it was. */
}

static void a_stream_begins_anew_where_something_was_kept(void **state)
{
    (void)state;
    const uint64_t epoch = has_follower();
    was_missed(OTHER, "c", true);
    hears_moved(FOLLOWER);
    assert_true(routes_noted(OTHER, "c"));
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){0, epoch});
    assert_true(subscribed(FOLLOWER, 0).newest.epoch != epoch);
}

static void other_slots_are_left_alone(void **state)
{
    (void)state;
    (void)has_follower();
    was_missed(OTHER, "another", true);
    assert_true(routes_noted(OTHER, "another"));
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_MISSED), 0);
}

static void what_came_from_the_one_who_tells_is_whole(void **state)
{
    (void)state;
    is_home();
    assert_int_equal(comes_from(OTHER, WHOLE, 9, page_of(1, 3), 3), 0);
    was_missed(OTHER, "c", false);
    assert_true(routes_noted(OTHER, "c"));
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_MISSED), 0);
    was_missed(THIRD, "c", false);
    assert_true(routes_noted(THIRD, "c"));
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_MISSED), 1);
}

/* The one who tells finds the home that the slot has. */
static void what_is_at_home_elsewhere_is_not_answered(void **state)
{
    (void)state;
    is_home();
    map_says(THERE);
    routes_settled();
    was_missed(OTHER, "c", false);
    routes_nothing();
}

/* Nothing may happen to it, wherever it arrives. */
static void a_channel_on_its_way_is_not_answered_for(void **state)
{
    (void)state;
    (void)has_follower();
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    map_says(HERE);
    slots_are_ready();
    was_missed(OTHER, "c", false);
    assert_false(routes_noted(OTHER, "c"));
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    routes_settled();
    was_missed(OTHER, "c", false);
    hears_moved(FOLLOWER);
    assert_true(routes_noted(OTHER, "c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(who_follows_it_has_missed_what_was_said_before),
        MOVES_TEST(a_channel_that_ends_is_not_forgotten_at_once),
        MOVES_TEST(what_was_said_in_another_tenure_is_not_missed),
        MOVES_TEST(what_was_kept_before_makes_it_begin_anew),
        MOVES_TEST(the_home_of_now_is_told_until_it_answers),
        MOVES_TEST(nobody_is_told_of_what_moved),
        MOVES_TEST(what_was_accepted_since_is_told_again),
        MOVES_TEST(those_who_follow_see_that_a_message_is_missing),
        MOVES_TEST(a_stream_begins_anew_where_something_was_kept),
        MOVES_TEST(other_slots_are_left_alone),
        MOVES_TEST(what_came_from_the_one_who_tells_is_whole),
        MOVES_TEST(what_is_at_home_elsewhere_is_not_answered),
        MOVES_TEST(a_channel_on_its_way_is_not_answered_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
