/* SPDX-License-Identifier: Apache-2.0 */
/* What is passed on to wildcards while their homes move: nobody waits for whoever waits for it. */
#include <stdio.h>

#include "shards/channel/homes.h"
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_moves_rig.h"

enum { SOURCE = ASKER, DEPTH = 2 };

static struct message pass_of_number(uint64_t lane, uint64_t number, uint64_t before)
{
    const struct pass pass = {SPAN_LITERAL("c"), lane, number, before};
    const struct publish_request request = {.channel = SPAN_LITERAL("n:a"),
                                            .data = SPAN_LITERAL("1"),
                                            .is_passed_on = true};
    const struct message_pass_on body = {
        .pass = pass_make(&pass),
        .request = publish_request_make(&request),
    };
    return message_make_pass_on(42, &body);
}

static void passes(uint64_t lane, uint64_t number, uint64_t before, uint32_t error)
{
    const struct message message = pass_of_number(lane, number, before);
    assert_true(mailbox_send(rig.shard[SOURCE].mailbox, RIG_HOME, &message, MESSAGE_REPLY));
    turn();
    const struct message answer = rig_take(&rig, SOURCE, MESSAGE_PASSED_ON);
    assert_int_equal(answer.handle, 42);
    assert_int_equal(message_as_passed_on(&answer).error, error);
}

static void listens(const char *wildcard)
{
    subscribes(FOLLOWER, wildcard, SUBSCRIBE_FIRST | SUBSCRIBE_WILDCARD, NULL);
    turn();
}

static void hears_sequence(uint64_t sequence)
{
    const struct message message = rig_take(&rig, FOLLOWER, MESSAGE_PUBLICATION);
    assert_int_equal(message_as_publication(&message).sequence, sequence);
    message_release(&message);
}

static void is_marked(void)
{
    routes_nothing();
    rig_advance(&rig, PASS_RETRY_MS);
    const struct message mark = routes(MESSAGE_PASS_ON);
    assert_null(message_as_pass_on(&mark).request);
    message_release(&mark);
}

static void a_pass_is_answered_before_its_slot_is_ready(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    listens("c");
    passes(1, 5, 0, 0);
    passes(1, 6, 5, 0);
    passes(1, 6, 5, 0); /* It came before. */
    passes(1, 8, 7, CLIENT_ERROR_TOO_MANY_REQUESTS);
    passes(2, 3, 2, CLIENT_ERROR_TOO_MANY_REQUESTS);
    passes(2, 4, 0, 0);
    slots_are_ready();
    (void)hears_subscribed(FOLLOWER, 0);
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        hears_sequence(sequence);
    }
    passes(1, 8, 6, 0); /* In turn. */
    hears_sequence(4);
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    assert_int_equal(rig_left(&rig, SOURCE), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TOLD), 0);
}

static void a_pass_is_answered_while_its_wildcard_comes(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 7, NULL, 0), 0);
    passes(1, 5, 0, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 1);
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 7, NULL, 0), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 0);
    listens("c");
    const struct message_subscribed answer = hears_subscribed(FOLLOWER, 0);
    assert_int_equal(answer.sequence, 8);
}

/* It was answered, so nobody sends it again. */
static void what_waited_too_long_is_told_as_lost(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    passes(1, 5, 0, 0);
    rig_advance(&rig, HELD_MS_MAX);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_LOST), 1);
    listens("c");
    rig_advance(&rig, PASS_RETRY_MS);
    turn();
    slots_are_ready();
    (void)hears_subscribed(FOLLOWER, 0);
    hears_moved(FOLLOWER);
    assert_int_equal(rig_left(&rig, SOURCE), 0);
}

static void what_waits_at_a_home_no_more_is_told_as_lost(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    passes(1, 5, 0, 0);
    map_says(THERE);
    routes_settled();
    is_marked();
}

static void who_passes_on_to_a_home_of_before_is_told_at_once(void **state)
{
    (void)state;
    map_says(THERE);
    routes_settled();
    const struct message message = pass_of_number(1, 5, 0);
    router_says(&message);
    const struct message answer = routes(MESSAGE_PASSED_ON);
    assert_int_equal(message_as_passed_on(&answer).error, CLIENT_ERROR_TOO_MANY_REQUESTS);
}

/* A name in the slot of the wildcard, for which another one stands too. */
static void name_in_slot_of(const char *wildcard, char *name, size_t room)
{
    const uint16_t slot = placement_slot_of(span_of_text(wildcard));
    uint32_t i = 0;
    do {
        (void)snprintf(name, room, "n:a.%u", i++);
    } while (placement_slot_of(span_of_text(name)) != slot);
}

static void a_wildcard_does_not_wait_for_others(void **state)
{
    (void)state;
    char name[32];
    name_in_slot_of("n:*", name, sizeof(name));
    map_says_of("n:a.*", THERE);
    routes_settled();
    slots_are_ready();
    listens("n:*");
    nodes_are_not_quiet();
    (void)hears_subscribed(FOLLOWER, 0);
    const struct publish_request request = {.channel = span_of_text(name),
                                            .data = SPAN_LITERAL("1")};
    const struct message_publish body = {.request = publish_request_make(&request),
                                         .origin = ORIGIN_API,
                                         .wildcards = DEPTH};
    assert_true(message_send_publish(rig.shard[ASKER].mailbox, RIG_HOME, 99, &body));
    turn();
    (void)kept(0);
    hears_sequence(1);
    const struct message pass = routes(MESSAGE_PASS_ON);
    message_release(&pass);
    map_says(THERE);
    struct message piece;
    const struct channel_move *move = routes_piece(&piece);
    assert_true(span_equal(span_of(move->name->bytes, move->name->len), SPAN_LITERAL("n:*")));
    assert_int_equal(move->flags & WHOLE, WHOLE);
    message_release(&piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(a_pass_is_answered_before_its_slot_is_ready),
        MOVES_TEST(a_pass_is_answered_while_its_wildcard_comes),
        MOVES_TEST(what_waited_too_long_is_told_as_lost),
        MOVES_TEST(what_waits_at_a_home_no_more_is_told_as_lost),
        MOVES_TEST(who_passes_on_to_a_home_of_before_is_told_at_once),
        MOVES_TEST(a_wildcard_does_not_wait_for_others),
    };
    return cmocka_run_group_tests_name("homes_passing_moves", tests, NULL, NULL);
}
