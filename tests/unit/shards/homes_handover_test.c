/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that move to another home and come from one: what is sent, what those who follow are
 * told, and when a channel begins anew. */
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_moves_rig.h"

/* A channel "c" with a follower and a history of two. */
static uint64_t has_channel(void)
{
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const uint64_t epoch = subscribed(FOLLOWER, 0).newest.epoch;
    for (uint64_t i = 1; i <= 2; i++) {
        keeps("c", "1");
        assert_int_equal(kept(0).offset, i);
        hears_offset(FOLLOWER, i, i);
    }
    return epoch;
}

static void a_channel_is_sent_with_all_that_it_is(void **state)
{
    (void)state;
    const uint64_t epoch = has_channel();
    map_says(THERE);
    struct message sent;
    const struct channel_move *move = routes_piece(&sent);
    assert_true(span_equal(span_of(move->name->bytes, move->name->len), SPAN_LITERAL("c")));
    assert_true(move->epoch == epoch && move->sequence == 2 && move->offset == 2);
    assert_int_equal(move->flags, WHOLE | CHANNEL_MOVE_STREAM);
    assert_int_equal(stream_page_of(move->page)->len, 2);
    assert_int_equal(stream_page_of(move->page)->entries[1].offset, 2);
    assert_true(move->expires_in_s == TTL_S && move->meta_ttl_s == META_TTL_S);
    message_release(&sent);

    /* Nothing happens to it until that is answered; then what waits is asked there. */
    keeps("c", "3");
    subscribes_with(ASKER, "c", SUBSCRIBE_FIRST, nowhere);
    assert_int_equal(rig_left(&rig, ASKER), 0);
    routes_nothing();
    is_taken(&sent, 0);
    hears_moved(FOLLOWER);
    const struct message publish = routes(MESSAGE_PUBLISH);
    assert_int_equal(publish.from, ASKER);
    assert_int_equal(publish.handle, 99);
    message_release(&publish);
    const struct message subscribe = routes(MESSAGE_SUBSCRIBE);
    assert_int_equal(subscribe.from, ASKER);
    message_release(&subscribe);
    routes_settled();
    keeps("c", "4");
    const struct message later = routes(MESSAGE_PUBLISH);
    message_release(&later);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_GIVEN), 1);
}

static void what_was_not_taken_goes_on_and_is_sent_again(void **state)
{
    (void)state;
    has_channel();
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    keeps("c", "3");
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(kept(0).offset, 3);
    hears_offset(FOLLOWER, 3, 3);
    routes_nothing();
    rig_advance(&rig, HANDOVER_TICK_MS);
    turn();
    assert_int_equal(routes_piece(&sent)->sequence, 3);
    message_release(&sent);
    map_says(HERE);
    slots_are_ready();
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    routes_settled();
    keeps("c", "4");
    assert_int_equal(kept(0).offset, 4);
    hears_offset(FOLLOWER, 4, 4);
}

static void what_may_have_been_taken_ends(void **state)
{
    (void)state;
    const uint64_t epoch = has_channel();
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    map_says(HERE);
    is_taken(&sent, CLIENT_ERROR_INTERNAL);
    hears_moved(FOLLOWER);
    routes_settled();
    slots_are_ready();
    keeps("c", "5");
    const struct message_published again = kept(0);
    assert_true(again.offset == 1 && again.epoch != epoch);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_FAILED), 1);
}

static void what_cannot_be_sent_in_time_ends(void **state)
{
    (void)state;
    has_channel();
    map_says(THERE);
    for (uint32_t ms = 0; ms <= HANDOVER_MS_MAX; ms += HANDOVER_TICK_MS) {
        struct message sent;
        (void)routes_piece(&sent);
        message_release(&sent);
        is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
        assert_int_equal(rig_left(&rig, FOLLOWER), 0);
        rig_advance(&rig, HANDOVER_TICK_MS);
        turn();
        if (rig_left(&rig, FOLLOWER) > 0) {
            break;
        }
    }
    hears_moved(FOLLOWER);
    assert_true(routes_missed("c"));
    routes_settled();
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_LATE), 1);
}

/* Whoever took the one may be slow, and will take the other; nor is a stall held against anybody.
 */
static void what_waits_for_an_answer_is_not_late(void **state)
{
    (void)state;
    has_channel();
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig.shard[RIG_HOME].stalled_ms += 2 * HANDOVER_MS_MAX;
    rig_advance(&rig, 2 * HANDOVER_MS_MAX);
    turn();
    (void)routes_piece(&sent);
    message_release(&sent);
    rig_advance(&rig, 2 * HANDOVER_MS_MAX);
    turn();
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig_advance(&rig, HANDOVER_TICK_MS);
    turn();
    (void)routes_piece(&sent);
    message_release(&sent);
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    is_taken(&sent, 0);
    hears_moved(FOLLOWER);
    routes_settled();
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_LATE), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_GIVEN), 1);
}

/* However long all of them take together. */
static void pieces_that_come_are_waited_for(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 1), 4), 0);
    for (uint64_t offset = 2; offset <= 3; offset++) {
        rig_advance(&rig, HANDOVER_MS_MAX - HANDOVER_TICK_MS);
        assert_int_equal(comes(0, 9, page_of(offset, 1), 4), 0);
    }
    rig_advance(&rig, HANDOVER_MS_MAX - HANDOVER_TICK_MS);
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(4, 1), 4), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_LATE), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_TAKEN), 1);
}

static void a_long_history_goes_in_pieces(void **state)
{
    (void)state;
    enum { LEN = 100 * 1024, PIECES = 3 };
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    char *data = calloc(1, LEN + 1);
    assert_non_null(data);
    memset(data, '7', LEN);
    for (uint64_t i = 1; i <= 2 * PIECES; i++) {
        keeps("c", data);
        assert_int_equal(kept(0).offset, i);
    }
    free(data);
    map_says(THERE);
    for (uint64_t i = 0; i < PIECES; i++) {
        struct message sent;
        const struct channel_move *move = routes_piece(&sent);
        assert_int_equal(stream_page_of(move->page)->len, 2);
        assert_int_equal(stream_page_of(move->page)->entries[0].offset, 2 * i + 1);
        assert_int_equal(move->flags & CHANNEL_MOVE_FIRST, i == 0 ? CHANNEL_MOVE_FIRST : 0);
        assert_int_equal(move->flags & CHANNEL_MOVE_LAST, i == 2 ? CHANNEL_MOVE_LAST : 0);
        message_release(&sent);
        routes_nothing();
        is_taken(&sent, 0);
    }
    routes_settled();
}

/* ---- coming ---- */

static void a_channel_that_comes_goes_on(void **state)
{
    (void)state;
    map_says(THERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), CLIENT_ERROR_TOO_MANY_REQUESTS);
    map_says(HERE);
    routes_settled();
    keeps("c", "4");
    assert_int_equal(rig_left(&rig, ASKER), 0);
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 2), 3), 0);
    assert_int_equal(rig_left(&rig, ASKER), 0);
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(3, 1), 3), 0);
    const struct message_published answer = kept(0);
    assert_true(answer.offset == 4 && answer.epoch == 4711);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const struct message_subscribed position = subscribed(FOLLOWER, 0);
    assert_true(position.sequence == 10 && position.newest.offset == 4);
    assert_true(position.newest.epoch == 4711);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_TAKEN), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 0);
}

static void pieces_have_to_follow_each_other(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(3, 1), 3), CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 2), 3), 0);
    /* Begun again from the first, and given up in the end. */
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 2), 3), 0);
    slots_are_ready();
    keeps("c", "1");
    assert_int_equal(rig_left(&rig, ASKER), 0);
    rig_advance(&rig, HELD_MS_MAX);
    rig_settle(&rig);
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig_advance(&rig, HANDOVER_MS_MAX);
    keeps("c", "1");
    assert_int_equal(kept(0).offset, 1);
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(3, 1), 3), CLIENT_ERROR_TOO_MANY_REQUESTS);
}

static void those_who_follow_are_told_what_came_meanwhile(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), 0);
    for (uint64_t offset = 4; offset <= 5; offset++) {
        keeps("c", "1");
        assert_int_equal(kept(0).offset, offset);
    }
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){10, 4711});
    const struct message_subscribed answer = subscribed(FOLLOWER, 0);
    assert_true(answer.sequence == 10 && answer.newest.offset == 4);
    hears_offset(FOLLOWER, 11, 5);
    keeps("c", "1");
    assert_int_equal(kept(0).offset, 6);
    hears_offset(FOLLOWER, 12, 6);

    /* One that had missed something there sees that its position is another. */
    subscribes_with(FOLLOWER + 1, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){8, 4711});
    assert_int_equal(subscribed(FOLLOWER + 1, 0).sequence, 12);
    subscribes_with(FOLLOWER + 2, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){9, 4712});
    assert_int_equal(subscribed(FOLLOWER + 2, 0).sequence, 12);

    /* And so does one that comes too late. */
    rig_advance(&rig, CATCH_UP_MS + HANDOVER_TICK_MS);
    subscribes_with(FOLLOWER + 3, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){10, 4711});
    assert_int_equal(subscribed(FOLLOWER + 3, 0).sequence, 12);
}

static void a_channel_that_moves_on_takes_that_with_it(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, NULL, 3), 0);
    keeps("c", "1");
    assert_int_equal(kept(0).offset, 4);
    map_says(THERE);
    struct message sent;
    const struct channel_move *move = routes_piece(&sent);
    assert_null(move->told);
    message_release(&sent);
    is_taken(&sent, 0);
    move = routes_piece(&sent);
    assert_int_equal(move->flags & CHANNEL_MOVE_LAST, CHANNEL_MOVE_LAST);
    assert_int_equal(told_page_of(move->told)->len, 1);
    assert_int_equal(told_page_of(move->told)->entries[0].offset, 4);
    message_release(&sent);
    is_taken(&sent, 0);
    routes_settled();
}

static void what_is_at_home_twice_begins_anew(void **state)
{
    (void)state;
    const uint64_t epoch = has_channel();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), CLIENT_ERROR_INTERNAL);
    hears_moved(FOLLOWER);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const struct message_subscribed answer = subscribed(FOLLOWER, 0);
    assert_true(answer.newest.epoch != epoch && answer.newest.epoch != 4711);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_REFUSED), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(a_channel_is_sent_with_all_that_it_is),
        MOVES_TEST(what_was_not_taken_goes_on_and_is_sent_again),
        MOVES_TEST(what_may_have_been_taken_ends),
        MOVES_TEST(what_cannot_be_sent_in_time_ends),
        MOVES_TEST(what_waits_for_an_answer_is_not_late),
        MOVES_TEST(pieces_that_come_are_waited_for),
        MOVES_TEST(a_long_history_goes_in_pieces),
        MOVES_TEST(a_channel_that_comes_goes_on),
        MOVES_TEST(pieces_have_to_follow_each_other),
        MOVES_TEST(those_who_follow_are_told_what_came_meanwhile),
        MOVES_TEST(a_channel_that_moves_on_takes_that_with_it),
        MOVES_TEST(what_is_at_home_twice_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
