/* SPDX-License-Identifier: Apache-2.0 */
/* What is passed on to wildcards, from node to node. */
#include "tests/unit/shards/relay_rig.h"

static void shard_passes_on(uint32_t shard, const char *wildcard, const char *data)
{
    const struct pass pass = {.wildcard = span_of_text(wildcard),
                              .lane = 1ull << 60,
                              .number = 12,
                              .before = 11};
    const struct publish_request request = {.channel = SPAN_LITERAL("made"),
                                            .data = span_of_text(data),
                                            .tags = SPAN_LITERAL("{}"),
                                            .is_passed_on = true};
    const struct message_pass_on body = {
        .pass = pass_make(&pass),
        .request = data[0] == '\0' ? NULL : publish_request_make(&request),
        .flags = PASS_UNSURE,
        .history_size = 3,
        .history_ttl_s = 4,
        .meta_ttl_s = 5,
    };
    const struct message message = message_make_pass_on(9, &body);
    assert_true(mailbox_send(shards[shard].mailbox, ROUTER, &message, MESSAGE_REPLY));
    settle();
}

static void shard_hears_passed_on(uint32_t shard, uint32_t error)
{
    const struct message message = shard_hears(shard, MESSAGE_PASSED_ON);
    assert_int_equal(message.handle, 9);
    assert_int_equal(message_as_passed_on(&message).error, error);
}

static void what_is_passed_on_crosses_with_its_place_on_its_lane(void **state)
{
    (void)state;
    const char *wildcard = name_at(1, 0);
    shard_passes_on(2, wildcard, "8");
    const struct sent *sent = node_hears(1, LINK_MESSAGE_PASS_ON);
    struct link_message passed = sent->message;
    assert_true(span_equal(passed.name, span_of_text(wildcard)));
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_PASSED_ON, .cookie = passed.cookie},
              SPAN_EMPTY);
    shard_hears_passed_on(2, 0);
    /* As another node's relay would, for a wildcard that is at home here. */
    const char *here = name_at(0, 0);
    passed.name = span_of_text(here);
    passed.cookie = 33;
    passed.flags |= PASS_ANSWERED; /* Not another node's to say. */
    node_says(2, &passed, span_of(sent->payload, sent->payload_len));
    const uint32_t home = home_of(here).shard;
    const struct message message = shard_hears(home, MESSAGE_PASS_ON);
    const struct message_pass_on body = message_as_pass_on(&message);
    const struct pass pass = pass_of(body.pass);
    const struct publish_request request = publish_request_of(body.request);
    assert_true(span_equal(pass.wildcard, span_of_text(here)));
    assert_true(pass.lane == 1ull << 60 && pass.number == 12 && pass.before == 11);
    assert_true(span_equal(request.channel, SPAN_LITERAL("made")) && request.is_passed_on);
    assert_true(span_equal(request.data, SPAN_LITERAL("8")));
    assert_int_equal(body.flags, PASS_UNSURE);
    assert_true(body.history_size == 3 && body.history_ttl_s == 4 && body.meta_ttl_s == 5);
    message_release(&message);
    const struct message_passed_on refused = {.error = CLIENT_ERROR_TOO_MANY_REQUESTS};
    assert_true(message_send_passed_on(shards[home].mailbox, ROUTER, message.handle, &refused));
    settle();
    const struct sent *answer = node_hears(2, LINK_MESSAGE_PASSED_ON);
    assert_int_equal(answer->message.cookie, 33);
    assert_int_equal(answer->message.error, CLIENT_ERROR_TOO_MANY_REQUESTS);
}

/* What says that something is lost has no publication; and whatever is not delivered is answered.
 */
static void a_mark_crosses_and_a_cut_is_told(void **state)
{
    (void)state;
    const char *here = name_at(0, 0);
    shard_passes_on(1, name_at(1, 0), "");
    struct link_message mark = node_hears(1, LINK_MESSAGE_PASS_ON)->message;
    mark.name = span_of_text(here);
    node_says(2, &mark, SPAN_EMPTY);
    const struct message message = shard_hears(home_of(here).shard, MESSAGE_PASS_ON);
    assert_null(message_as_pass_on(&message).request);
    message_release(&message);
    link_down(1);
    shard_hears_passed_on(1, CLIENT_ERROR_INTERNAL);
    shard_passes_on(1, name_at(1, 0), "9");
    shard_hears_passed_on(1, CLIENT_ERROR_TOO_MANY_REQUESTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_passed_on_crosses_with_its_place_on_its_lane),
        TEST(a_mark_crosses_and_a_cut_is_told),
    };
    return cmocka_run_group_tests_name("relay_wildcards", tests, NULL, NULL);
}
