/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcards that nobody hears: nothing is passed on to them, and whoever subscribes misses nothing
 * by that. */
#include "codec/client.h"
#include "shards/channel/homes.h"
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_moves_rig.h"

enum { SOURCE = ASKER, DEPTH = 1 };

/* ---- a source: this shard, of wildcards that are at home elsewhere ---- */

static void makes(void)
{
    const struct publish_request request = {.channel = SPAN_LITERAL("n:a"),
                                            .data = SPAN_LITERAL("1")};
    const struct message_publish body = {.request = publish_request_make(&request),
                                         .origin = ORIGIN_API,
                                         .wildcards = DEPTH};
    assert_non_null(body.request);
    assert_true(message_send_publish(rig.shard[ASKER].mailbox, RIG_HOME, 99, &body));
    turn();
    (void)kept(0);
}

static uint32_t routes_pass(void)
{
    const struct message pass = routes(MESSAGE_PASS_ON);
    message_release(&pass);
    return pass.handle;
}

static void is_passed_on(uint32_t handle, uint32_t is_unheard)
{
    const struct message_passed_on body = {.is_unheard = is_unheard};
    const struct message message = message_make_passed_on(handle, &body);
    router_says(&message);
}

/* What all are told, as one of them hears it. */
static uint32_t asked(uint32_t op, uint8_t fill)
{
    const struct message_survey body = {.request = buf_create(SLOT_SET_LEN), .op = op};
    const struct message message = message_make_survey(5, &body);
    assert_non_null(body.request);
    memset(body.request->bytes, fill, SLOT_SET_LEN);
    router_says(&message);
    const struct message answer = routes(MESSAGE_SURVEY_RESULT);
    assert_int_equal(answer.handle, 5);
    assert_int_equal(message_as_survey_result(&answer).op, op);
    return message_as_survey_result(&answer).error;
}

static void link_ends(void)
{
    const struct message_origin_gone gone = {.origin = 7};
    const struct message message = message_make_origin_gone(0, &gone);
    homes_on_origin_gone(rig.home.homes, &message);
    turn();
}

static void is_source(void)
{
    map_says_of("n:*", THERE);
    routes_settled();
    slots_are_ready();
}

/* Nothing more is passed on. */
static void is_quiet(void)
{
    makes();
    is_passed_on(routes_pass(), 1);
    makes();
    routes_nothing();
}

static void what_nobody_hears_is_not_passed_on(void **state)
{
    (void)state;
    is_source();
    is_quiet();
    makes();
    routes_nothing();
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_PASSED_ON), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_UNHEARD), 2);
    assert_int_equal(asked(SURVEY_WILDCARDS_HEARD, 0), 0); /* Other slots. */
    makes();
    routes_nothing();
    assert_int_equal(asked(SURVEY_WILDCARDS_HEARD, 0xff), 0);
    makes();
    is_passed_on(routes_pass(), 0);
    makes();
    is_passed_on(routes_pass(), 0);
    rig_advance(&rig, WILDCARD_ANSWERED_MS);
    turn();
    assert_int_equal(asked(SURVEY_WILDCARDS_HEARD, 0xff), 0); /* Another home's slots. */
    rig_advance(&rig, WILDCARD_ANSWERED_MS);
    link_ends(); /* Nothing was kept back since. */
    routes_nothing();
}

/* The question may have waited so long that whoever asked it waited no more for the answer. */
static void what_was_kept_before_the_question_is_told_with_the_end_of_the_link(void **state)
{
    (void)state;
    is_source();
    is_quiet();
    assert_int_equal(asked(SURVEY_WILDCARDS_HEARD, 0xff), 0);
    link_ends();
    nodes_answer(SURVEY_WILDCARDS_MISSED, 0);
    link_ends(); /* Once. */
    routes_nothing();
}

static void an_answer_that_crosses_the_question_makes_nobody_quiet(void **state)
{
    (void)state;
    is_source();
    makes();
    const uint32_t handle = routes_pass();
    assert_int_equal(asked(SURVEY_WILDCARDS_HEARD, 0xff), 0);
    is_passed_on(handle, 1);
    makes();
    is_passed_on(routes_pass(), 0);
}

static void what_follows_something_under_way_goes_there_too(void **state)
{
    (void)state;
    is_source();
    makes();
    makes();
    const uint32_t first = routes_pass();
    const uint32_t second = routes_pass();
    is_passed_on(first, 1);
    makes();
    is_passed_on(routes_pass(), 1);
    is_passed_on(second, 1);
    makes();
    routes_nothing();
}

static void who_cannot_be_asked_tells_what_was_missed(void **state)
{
    (void)state;
    is_source();
    is_quiet();
    link_ends();
    nodes_answer(SURVEY_WILDCARDS_MISSED, CLIENT_ERROR_INTERNAL);
    routes_nothing();
    rig_advance(&rig, WILDCARD_MISSED_RETRY_MS); /* Until all have heard it. */
    nodes_answer(SURVEY_WILDCARDS_MISSED, 0);
    rig_advance(&rig, 10 * WILDCARD_MISSED_RETRY_MS);
    routes_nothing();
    makes();
    is_passed_on(routes_pass(), 0);
}

static void another_home_is_told_what_was_missed(void **state)
{
    (void)state;
    is_source();
    is_quiet();
    map_says(HERE);
    nodes_answer(SURVEY_WILDCARDS_MISSED, 0);
    routes_settled();
    slots_are_ready();
}

static void who_kept_nothing_back_has_nothing_to_tell(void **state)
{
    (void)state;
    is_source();
    makes();
    is_passed_on(routes_pass(), 1);
    link_ends();
    routes_nothing();
    is_quiet();
}

/* ---- a home ---- */

static struct message_passed_on passes_with(uint64_t number, uint32_t flags)
{
    const struct pass pass = {SPAN_LITERAL("n:*"), 1, number, 0};
    const struct publish_request request = {.channel = SPAN_LITERAL("n:a"),
                                            .data = SPAN_LITERAL("1"),
                                            .is_passed_on = true};
    const struct message_pass_on body = {.pass = pass_make(&pass),
                                         .request = publish_request_make(&request),
                                         .flags = flags};
    const struct message message = message_make_pass_on(42, &body);
    assert_true(mailbox_send(rig.shard[SOURCE].mailbox, RIG_HOME, &message, MESSAGE_REPLY));
    turn();
    const struct message answer = rig_take(&rig, SOURCE, MESSAGE_PASSED_ON);
    return message_as_passed_on(&answer);
}

static bool passes(uint64_t number)
{
    const struct message_passed_on answer = passes_with(number, 0);
    assert_int_equal(answer.error, 0);
    return answer.is_unheard != 0;
}

static void listens(void)
{
    subscribes(FOLLOWER, "n:*", SUBSCRIBE_FIRST | SUBSCRIBE_WILDCARD, NULL);
    turn();
}

static void hears_publication(void)
{
    const struct message message = rig_take(&rig, FOLLOWER, MESSAGE_PUBLICATION);
    message_release(&message);
}

static void ends(void)
{
    unsubscribes(FOLLOWER, "n:*", UNSUBSCRIBE_LAST, NULL);
    turn();
}

static void is_home(void)
{
    map_says(HERE);
    routes_settled();
    slots_are_ready();
}

/* It was elsewhere, so somebody may be quiet. */
static void is_open_home(void)
{
    is_home();
    listens();
    nodes_are_not_quiet();
    (void)hears_subscribed(FOLLOWER, 0);
}

static void who_subscribes_waits_until_nobody_is_quiet(void **state)
{
    (void)state;
    is_home();
    rig_advance(&rig, 2 * WILDCARD_LIVELY_MS);
    assert_true(passes(1));
    rig.keeps_surveys = true;
    listens();
    nodes_are_not_quiet();
    for (uint32_t shard = 1; shard < EDGES; shard++) {
        const struct message_survey_result result = {.op = SURVEY_WILDCARDS_HEARD};
        assert_int_equal(rig_left(&rig, FOLLOWER), FOLLOWER < shard ? 0 : 1);
        const struct message survey = rig_take(&rig, shard, MESSAGE_SURVEY);
        assert_int_equal(message_as_survey(&survey).op, SURVEY_WILDCARDS_HEARD);
        assert_true(slot_set_has(message_as_survey(&survey).request->bytes,
                                 placement_slot_of(SPAN_LITERAL("n:*"))));
        message_release(&survey);
        assert_true(message_send_survey_result(rig.shard[shard].mailbox, RIG_HOME, 0, &result));
        turn();
        if (shard == SOURCE) {
            assert_false(passes(2)); /* Somebody is about to hear it. */
        }
    }
    (void)hears_subscribed(FOLLOWER, 0);
    assert_false(passes(3));
    hears_publication();
}

static void who_subscribes_later_need_not_wait(void **state)
{
    (void)state;
    is_open_home();
    subscribes(FOLLOWER + 1, "n:*", SUBSCRIBE_FIRST | SUBSCRIBE_WILDCARD, NULL);
    turn();
    (void)hears_subscribed(FOLLOWER + 1, 0);
    routes_nothing();
}

static void it_is_asked_until_all_have_answered(void **state)
{
    (void)state;
    is_home();
    listens();
    nodes_answer(SURVEY_WILDCARDS_HEARD, CLIENT_ERROR_INTERNAL);
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    rig_advance(&rig, WILDCARD_HEARD_RETRY_MS);
    nodes_answer(SURVEY_WILDCARDS_HEARD, CLIENT_ERROR_INTERNAL);
    rig_advance(&rig, HELD_MS_MAX);
    turn();
    (void)hears_subscribed(FOLLOWER, CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig_advance(&rig, HELD_MS_MAX); /* Nobody waits for it any more. */
    turn();
    routes_nothing();
    listens();
    nodes_are_not_quiet();
    (void)hears_subscribed(FOLLOWER, 0);
}

static void who_leaves_leaves_after_having_come(void **state)
{
    (void)state;
    is_home();
    listens();
    ends();
    nodes_are_not_quiet();
    (void)hears_subscribed(FOLLOWER, 0);
    assert_false(passes(1)); /* It has ended lately. */
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    rig_advance(&rig, WILDCARD_LIVELY_MS);
    assert_false(passes(2));
    rig_advance(&rig, WILDCARD_LIVELY_MS);
    assert_true(passes(3));
}

static void who_came_by_a_detour_is_not_made_quiet(void **state)
{
    (void)state;
    is_home();
    rig_advance(&rig, 2 * WILDCARD_LIVELY_MS);
    assert_int_equal(passes_with(1, PASS_DETOUR).is_unheard, 0);
    assert_true(passes(2));
}

static void a_history_is_kept_from_when_it_is_asked_for(void **state)
{
    (void)state;
    is_home();
    const struct message_history_ask ask = {.channel = rig_text("n:*"),
                                            .bytes_max = 1 << 20,
                                            .meta_ttl_s = META_TTL_S};
    assert_true(message_send_history_ask(rig.shard[FOLLOWER].mailbox, RIG_HOME, 1, &ask));
    turn();
    nodes_are_not_quiet();
    const struct message answer = rig_take(&rig, FOLLOWER, MESSAGE_HISTORY);
    assert_int_equal(message_as_history(&answer).error, 0);
    rig_advance(&rig, 2 * WILDCARD_LIVELY_MS);
    assert_false(passes(1));
}

static void what_was_missed_begins_anew(void **state)
{
    (void)state;
    is_open_home();
    assert_int_equal(asked(SURVEY_WILDCARDS_MISSED, 0), 0);
    turn();
    assert_int_equal(rig_left(&rig, FOLLOWER), 0);
    assert_int_equal(asked(SURVEY_WILDCARDS_MISSED, 0xff), 0);
    turn();
    hears_moved(FOLLOWER);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TOLD), 1);
}

static void what_is_on_its_way_is_asked_for_again(void **state)
{
    (void)state;
    is_open_home();
    map_says(THERE);
    struct message piece;
    (void)routes_piece(&piece);
    message_release(&piece);
    assert_int_equal(asked(SURVEY_WILDCARDS_MISSED, 0xff), CLIENT_ERROR_TOO_MANY_REQUESTS);
    is_taken(&piece, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(asked(SURVEY_WILDCARDS_MISSED, 0xff), 0);
    turn();
    hears_moved(FOLLOWER);
    routes_settled();
}

static void a_question_of_another_size_is_refused(void **state)
{
    (void)state;
    is_home();
    const struct message_survey body = {.request = buf_create(SLOT_SET_LEN - 1),
                                        .op = SURVEY_WILDCARDS_HEARD};
    const struct message message = message_make_survey(5, &body);
    router_says(&message);
    const struct message answer = routes(MESSAGE_SURVEY_RESULT);
    assert_int_equal(message_as_survey_result(&answer).error, CLIENT_ERROR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(what_nobody_hears_is_not_passed_on),
        MOVES_TEST(what_was_kept_before_the_question_is_told_with_the_end_of_the_link),
        MOVES_TEST(an_answer_that_crosses_the_question_makes_nobody_quiet),
        MOVES_TEST(what_follows_something_under_way_goes_there_too),
        MOVES_TEST(who_cannot_be_asked_tells_what_was_missed),
        MOVES_TEST(another_home_is_told_what_was_missed),
        MOVES_TEST(who_kept_nothing_back_has_nothing_to_tell),
        MOVES_TEST(who_subscribes_waits_until_nobody_is_quiet),
        MOVES_TEST(who_subscribes_later_need_not_wait),
        MOVES_TEST(it_is_asked_until_all_have_answered),
        MOVES_TEST(who_leaves_leaves_after_having_come),
        MOVES_TEST(who_came_by_a_detour_is_not_made_quiet),
        MOVES_TEST(a_history_is_kept_from_when_it_is_asked_for),
        MOVES_TEST(what_was_missed_begins_anew),
        MOVES_TEST(what_is_on_its_way_is_asked_for_again),
        MOVES_TEST(a_question_of_another_size_is_refused),
    };
    return cmocka_run_group_tests_name("homes_heard", tests, NULL, NULL);
}
