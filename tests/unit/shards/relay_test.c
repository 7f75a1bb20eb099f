/* SPDX-License-Identifier: Apache-2.0 */
/* Requests between nodes: each is answered once, also when its link goes down, its time is over or
 * the table is full; and what a full link does to each class.
 */
#include "tests/unit/shards/relay_rig.h"

#include "shards/limits.h"
#include "shards/router/relay/relay_state.h"

static void a_request_without_an_answer_ends_in_time(void **state)
{
    (void)state;
    shard_publishes(1, name_at(2, 0), 70);
    settle();
    const uint32_t cookie = node_hears(2, LINK_MESSAGE_PUBLISH)->message.cookie;
    time_passes(RELAY_ASK_MS_MAX - TICK_MS);
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 1);
    time_passes(2 * TICK_MS);
    shard_hears_published(1, 70, CLIENT_ERROR_INTERNAL);
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
    assert_int_equal(counted(COUNTER_RELAY_ASKS_LATE), 1);
    /* Whoever answers now is not heard, nor who answers what another was asked. */
    const struct link_message late = {.kind = LINK_MESSAGE_PUBLISHED, .cookie = cookie};
    node_says(2, &late, SPAN_EMPTY);
    assert_int_equal(counted(COUNTER_RELAY_STALE), 1);
    shard_publishes(0, name_at(1, 0), 71);
    settle();
    struct link_message answer = {
        .kind = LINK_MESSAGE_PUBLISHED,
        .cookie = node_hears(1, LINK_MESSAGE_PUBLISH)->message.cookie,
    };
    node_says(2, &answer, SPAN_EMPTY);
    answer.kind = LINK_MESSAGE_HISTORY;
    node_says(1, &answer, SPAN_EMPTY);
    assert_int_equal(counted(COUNTER_RELAY_STALE), 3);
    answer.kind = LINK_MESSAGE_PUBLISHED;
    node_says(1, &answer, SPAN_EMPTY);
    shard_hears_published(0, 71, 0);
}

/* 100: it may have happened. 111: it has not. */
static void a_link_that_goes_down_ends_what_was_asked_of_it(void **state)
{
    (void)state;
    shard_publishes(0, name_at(1, 0), 1);
    shard_publishes(0, name_at(2, 0), 2);
    shard_subscribes(1, name_at(1, 0), 5, SUBSCRIBE_FIRST);
    link_down(1);
    shard_hears_published(0, 1, CLIENT_ERROR_INTERNAL);
    shard_hears_subscribed(1, 5, CLIENT_ERROR_INTERNAL);
    assert_int_equal(counted(COUNTER_RELAY_ASKS_CUT), 2);
    assert_int_equal(counted(COUNTER_RELAY_FAR_CHANNELS), 0);
    shard_publishes(0, name_at(1, 0), 3);
    settle();
    shard_hears_published(0, 3, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 1);
    link_down(2);
    shard_hears_published(0, 2, CLIENT_ERROR_INTERNAL);
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
}

static void a_full_table_refuses(void **state)
{
    (void)state;
    enum { BATCH = INBOX / 2 };
    const char *channel = name_at(1, 0);
    for (uint32_t i = 0; i < RELAY_ASKS_MAX; i++) {
        shard_publishes(0, channel, i);
        if (i % BATCH == 0) {
            settle();
        }
    }
    settle();
    assert_int_equal(counted(COUNTER_RELAY_ASKS), RELAY_ASKS_MAX);
    assert_int_equal(inbox_len[0], 0);
    shard_publishes(1, name_at(2, 0), 5);
    shard_subscribes(2, name_at(2, 0), 6, SUBSCRIBE_FIRST);
    shard_hears_published(1, 5, CLIENT_ERROR_TOO_MANY_REQUESTS);
    shard_hears_subscribed(2, 6, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(counted(COUNTER_RELAY_REFUSED_REQUESTS), 4); /* As an ask, and as refused. */
    assert_int_equal(counted(COUNTER_RELAY_FAR_CHANNELS), 0);
    /* One that is answered makes room for one. */
    node_says(1,
              &(struct link_message){.kind = LINK_MESSAGE_PUBLISHED,
                                     .cookie = tape[0].message.cookie},
              SPAN_EMPTY);
    shard_hears_published(0, 0, 0);
    shard_publishes(1, name_at(2, 0), 7);
    settle();
    assert_int_equal(counted(COUNTER_RELAY_ASKS), RELAY_ASKS_MAX);
    tape_heard = tape_len;
}

/* Once, however the views of the two nodes differ: then it waits for another view here. */
static void a_request_is_passed_on_once(void **state)
{
    (void)state;
    uint8_t room[128];
    struct writer payload = writer_of(room, sizeof(room));
    const char *channel = name_at(2, 0);
    link_put_entry(&payload, &(struct link_entry){.channel = span_of_text(channel),
                                                  .data = SPAN_LITERAL("1")});
    struct link_message publish = {.kind = LINK_MESSAGE_PUBLISH, .cookie = 33};
    node_says(1, &publish, writer_written(&payload));
    const struct sent *passed = node_hears(2, LINK_MESSAGE_PUBLISH);
    assert_int_equal(passed->message.hops, 1);
    const uint32_t cookie = passed->message.cookie;
    node_says(2,
              &(struct link_message){.kind = LINK_MESSAGE_PUBLISHED,
                                     .cookie = cookie,
                                     .offset = 8,
                                     .epoch = 9},
              SPAN_EMPTY);
    const struct sent *answer = node_hears(1, LINK_MESSAGE_PUBLISHED);
    assert_int_equal(answer->message.cookie, 33);
    assert_int_equal(answer->message.offset, 8);
    assert_int_equal(counted(COUNTER_RELAY_PASSED_ON), 1);
    publish.hops = 1;
    node_says(1, &publish, writer_written(&payload));
    const uint32_t shard = placement_slot_of(span_of_text(channel)) % SHARDS;
    const struct message held = shard_hears(shard, MESSAGE_PUBLISH);
    message_release(&held);
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_PASSED_ON), 1);
    const struct message_published refused = {.error = CLIENT_ERROR_TOO_MANY_REQUESTS};
    assert_true(message_send_published(shards[shard].mailbox, ROUTER, held.handle, &refused));
    settle();
    answer = node_hears(1, LINK_MESSAGE_PUBLISHED);
    assert_int_equal(answer->message.cookie, 33);
    assert_int_equal(answer->message.error, CLIENT_ERROR_TOO_MANY_REQUESTS);
    nobody_hears_more();
}

static void shard_takes(uint32_t shard, const char *user, uint32_t handle)
{
    const struct message_user_take body = {.user = text(user), .first = 4, .len = 2};
    assert_true(message_send_user_take(shards[shard].mailbox, ROUTER, handle, &body));
    settle();
}

static void shard_hears_taken(uint32_t shard, uint32_t handle, bool was_asked, bool is_denied)
{
    const struct message message = shard_hears(shard, MESSAGE_USER_TAKEN);
    assert_int_equal(message.handle, handle);
    assert_int_equal(message_as_user_taken(&message).error == 0, was_asked);
    assert_int_equal(message_as_user_taken(&message).is_denied, is_denied);
}

/* A user's directory is asked on its node for the tokens of a command, and says yes or no; where it
 * cannot be asked, who asks hears that. */
static void a_directory_gives_tokens_to_other_nodes(void **state)
{
    (void)state;
    for (uint32_t denied = 0; denied <= 1; denied++) {
        shard_takes(1, name_at(2, 0), 70);
        const struct sent *ask = node_hears(2, LINK_MESSAGE_USER_TAKE);
        assert_true(span_equal(ask->message.name, span_of_text(name_at(2, 0))));
        assert_int_equal(ask->message.offset, 4);
        assert_int_equal(ask->message.limit, 2);
        const struct link_message answer = {.kind = LINK_MESSAGE_USER_TAKEN,
                                            .cookie = ask->message.cookie,
                                            .flags = denied};
        node_says(2, &answer, SPAN_EMPTY);
        shard_hears_taken(1, 70, true, denied == 1);

        const char *here = name_at(0, 0);
        const struct link_message theirs = {.kind = LINK_MESSAGE_USER_TAKE,
                                            .cookie = 9,
                                            .name = span_of_text(here),
                                            .offset = 4,
                                            .limit = 2};
        node_says(1, &theirs, SPAN_EMPTY);
        const uint32_t home = home_of(here).shard;
        const struct message message = shard_hears(home, MESSAGE_USER_TAKE);
        assert_int_equal(message_as_user_take(&message).first, 4);
        assert_int_equal(message_as_user_take(&message).len, 2);
        message_release(&message);
        const struct message_user_taken taken = {.is_denied = denied};
        assert_true(message_send_user_taken(shards[home].mailbox, ROUTER, message.handle, &taken));
        settle();
        const struct sent *told = node_hears(1, LINK_MESSAGE_USER_TAKEN);
        assert_int_equal(told->message.cookie, 9);
        assert_int_equal(told->message.flags, denied);
    }
    shard_takes(0, name_at(2, 0), 71);
    (void)node_hears(2, LINK_MESSAGE_USER_TAKE);
    link_down(2);
    shard_hears_taken(0, 71, false, false);
    shard_takes(0, name_at(2, 0), 72);
    shard_hears_taken(0, 72, false, false);
    /* What is not at home here is not passed on. */
    const struct link_message lost = {.kind = LINK_MESSAGE_USER_TAKE,
                                      .cookie = 10,
                                      .name = span_of_text(name_at(2, 0))};
    node_says(1, &lost, SPAN_EMPTY);
    assert_int_not_equal(node_hears(1, LINK_MESSAGE_USER_TAKEN)->message.error, 0);
    nobody_hears_more();
}

/* What a full link may refuse: whoever asks is told, and of the others somebody sees the gap. */
static void classes_follow_from_who_learns_of_a_loss(void **state)
{
    (void)state;
    static const bool may_be_refused[LINK_MESSAGE_KINDS_LEN] = {
        [LINK_MESSAGE_SUBSCRIBE] = true,       [LINK_MESSAGE_PUBLISH] = true,
        [LINK_MESSAGE_PUBLICATION] = true,     [LINK_MESSAGE_PRESENCE_ASK] = true,
        [LINK_MESSAGE_HISTORY_ASK] = true,     [LINK_MESSAGE_CHANNEL_MOVE] = true,
        [LINK_MESSAGE_USER_ADD] = true,        [LINK_MESSAGE_USER_COMMAND] = true,
        [LINK_MESSAGE_SURVEY] = true,          [LINK_MESSAGE_EMULATE] = true,
        [LINK_MESSAGE_INTEREST_SUM] = true,    [LINK_MESSAGE_MAP_ASK] = true,
        [LINK_MESSAGE_USER_TAKE] = true,       [LINK_MESSAGE_PASS_ON] = true,
        [LINK_MESSAGE_REVOCATIONS_SUM] = true,
    };
    for (uint32_t kind = 1; kind < LINK_MESSAGE_KINDS_LEN; kind++) {
        assert_int_equal(relay_class_of((enum link_message_kind)kind),
                         may_be_refused[kind] ? MESSAGE_REQUEST : MESSAGE_REPLY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_without_an_answer_ends_in_time),
        TEST(a_link_that_goes_down_ends_what_was_asked_of_it),
        TEST(a_full_table_refuses),
        TEST(a_request_is_passed_on_once),
        TEST(a_directory_gives_tokens_to_other_nodes),
        TEST(classes_follow_from_who_learns_of_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
