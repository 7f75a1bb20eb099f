/* SPDX-License-Identifier: Apache-2.0 */
/* Surveys of all nodes, commands to users and their sessions, and commands of HTTP streams, as they
 * cross links: what comes back, and what becomes of what cannot be asked, answered or understood.
 */
#include "tests/unit/shards/relay_rig.h"

#include "shards/limits.h"

enum { ASKER = 1, CALL = 77 };

/* ---- surveys that this node asks ---- */

static void shard_surveys(uint32_t op, const char *pattern)
{
    const struct message_survey body = {.op = op, .pattern = text(pattern)};
    assert_true(message_send_survey(shards[ASKER].mailbox, ROUTER, CALL, &body));
    settle();
}

/* How many rows it has; the error. */
static uint32_t shard_hears_rows(uint32_t error)
{
    const struct message message = shard_hears(ASKER, MESSAGE_SURVEY_RESULT);
    const struct message_survey_result body = message_as_survey_result(&message);
    uint32_t cursor = 0;
    uint32_t rows = 0;
    uint32_t clients;
    struct span name;
    while (survey_channels_next(body.result, &cursor, &name, &clients)) {
        rows++;
    }
    assert_int_equal(message.handle, CALL);
    assert_int_equal(body.error, error);
    message_release(&message);
    return rows;
}

static void node_answers(uint8_t index, uint32_t cookie, struct span payload)
{
    const struct link_message answer = {.kind = LINK_MESSAGE_SURVEY_RESULT, .cookie = cookie};
    node_says(index, &answer, payload);
}

static struct span two_rows(void)
{
    static uint8_t room[64];
    struct writer out = writer_of(room, sizeof(room));
    link_put_channel(&out, &(struct link_channel){SPAN_LITERAL("a"), 1});
    link_put_channel(&out, &(struct link_channel){SPAN_LITERAL("b"), 2});
    return writer_written(&out);
}

static uint32_t node_is_surveyed(uint8_t index)
{
    const struct sent *sent = node_hears(index, LINK_MESSAGE_SURVEY);
    assert_int_equal(sent->message.what, SURVEY_CHANNELS);
    assert_true(span_equal(sent->message.name, SPAN_LITERAL("a*")));
    return sent->message.cookie;
}

static void a_survey_is_the_answers_of_all_nodes(void **state)
{
    (void)state;
    shard_surveys(SURVEY_CHANNELS, "a*");
    const uint32_t first = node_is_surveyed(1);
    const uint32_t second = node_is_surveyed(2);
    node_answers(1, first, two_rows());
    node_answers(1, second, two_rows()); /* Not its to answer. */
    node_answers(1, first, two_rows());  /* Nor twice. */
    nobody_hears_more();
    node_answers(2, second, SPAN_EMPTY);
    assert_int_equal(shard_hears_rows(0), 2);
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
}

/* What was found is told, and that it is not the whole. */
static void a_survey_without_an_answer_is_an_error(void **state)
{
    (void)state;
    for (int row = 0; row < 4; row++) {
        shard_surveys(SURVEY_CHANNELS, "a*");
        const uint32_t first = node_is_surveyed(1);
        const uint32_t second = node_is_surveyed(2);
        node_answers(1, first, two_rows());
        if (row == 0) {
            node_says(2,
                      &(struct link_message){.kind = LINK_MESSAGE_SURVEY_RESULT,
                                             .cookie = second,
                                             .error = CLIENT_ERROR_NOT_AVAILABLE},
                      SPAN_EMPTY);
        } else if (row == 1) {
            node_answers(2, second, SPAN_LITERAL("\x0a\x7f")); /* A row that is cut off. */
        } else if (row == 2) {
            time_passes(RELAY_ASK_MS_MAX + 100);
        } else {
            link_down(2);
            time_passes(RELAY_ASK_MS_MAX + 100);
        }
        assert_int_equal(shard_hears_rows(CLIENT_ERROR_INTERNAL), 2);
        node_answers(2, second, two_rows()); /* Too late. */
        nobody_hears_more();
        assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
    }
}

static void who_cannot_be_asked_is_missing(void **state)
{
    (void)state;
    wire_is_full = true;
    shard_surveys(SURVEY_CHANNELS, "a*");
    assert_int_equal(shard_hears_rows(CLIENT_ERROR_INTERNAL), 0);
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
}

/* ---- surveys of other nodes ---- */

static void node_surveys(uint8_t index, uint32_t what, const char *name)
{
    node_says(index,
              &(struct link_message){.kind = LINK_MESSAGE_SURVEY,
                                     .cookie = 5,
                                     .what = what,
                                     .name = span_of_text(name)},
              SPAN_EMPTY);
}

/* The gather's handle. */
static uint32_t shard_is_surveyed(uint32_t shard, uint32_t op)
{
    const struct message message = shard_hears(shard, MESSAGE_SURVEY);
    assert_int_equal(message_as_survey(&message).op, op);
    message_release(&message);
    return message.handle;
}

static void shard_answers(uint32_t shard, uint32_t handle, const char *row, uint32_t error)
{
    struct survey_channels list = {0};
    if (row != NULL) {
        assert_true(survey_channels_add(&list, span_of_text(row), 1));
    }
    const struct message_survey_result body = {.result = list.buf, .error = error};
    assert_true(message_send_survey_result(shards[shard].mailbox, ROUTER, handle, &body));
    settle();
}

static uint32_t node_hears_rows(uint8_t index, uint32_t error)
{
    const struct sent *sent = node_hears(index, LINK_MESSAGE_SURVEY_RESULT);
    struct span rest = span_of(sent->payload, sent->payload_len);
    struct link_channel channel;
    uint32_t rows = 0;
    while (link_next_channel(&rest, &channel) == LINK_MESSAGE_OK) {
        rows++;
    }
    assert_int_equal(sent->message.cookie, 5);
    assert_int_equal(sent->message.error, error);
    return rows;
}

static void a_node_hears_what_all_shards_found(void **state)
{
    (void)state;
    for (uint32_t failing = 0; failing <= 1; failing++) {
        node_surveys(2, SURVEY_CHANNELS, "a*");
        uint32_t handle = 0;
        for (uint32_t shard = 0; shard < SHARDS; shard++) {
            handle = shard_is_surveyed(shard, SURVEY_CHANNELS);
        }
        shard_answers(0, handle, "a", 0);
        shard_answers(1, handle, NULL, failing == 1 ? CLIENT_ERROR_INTERNAL : 0);
        nobody_hears_more();
        shard_answers(2, handle, "b", 0);
        assert_int_equal(node_hears_rows(2, failing == 1 ? CLIENT_ERROR_INTERNAL : 0), 2);
        shard_answers(2, handle, "c", 0);
        assert_int_equal(counted(COUNTER_RELAY_STALE), failing + 1);
    }
}

/* A channel has one poller, at the shard that its name says. */
static void what_is_for_one_shard_asks_no_other(void **state)
{
    (void)state;
    static const char *const names[] = {"poll:a", "poll:b", "poll:c", "poll:d"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const uint32_t shard = placement_slot_of(span_of_text(names[i])) % SHARDS;
        node_surveys(1, SURVEY_POLL_PUBLISH, names[i]);
        shard_answers(shard, shard_is_surveyed(shard, SURVEY_POLL_PUBLISH), NULL, 0);
        assert_int_equal(node_hears_rows(1, 0), 0);
    }
}

/* A node of a newer version must not take it that nothing was found. */
static void questions_that_are_none_are_refused(void **state)
{
    (void)state;
    static const uint32_t none[] = {SURVEY_ALIVE, SURVEY_OPS, 4711, UINT32_MAX};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        node_surveys(1, none[i], "a");
        assert_int_equal(node_hears_rows(1, CLIENT_ERROR_NOT_AVAILABLE), 0);
    }
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_STALE), 4);
}

static void more_surveys_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    enum { MORE = 10 };
    const char *name = "poll:a";
    const uint32_t shard = placement_slot_of(span_of_text(name)) % SHARDS;
    for (uint32_t i = 0; i < RELAY_GATHERS_MAX; i++) {
        node_surveys(1, SURVEY_POLL_PUBLISH, name);
        (void)shard_is_surveyed(shard, SURVEY_POLL_PUBLISH); /* Which does not answer. */
    }
    for (uint32_t i = 0; i < MORE; i++) {
        node_surveys(1, SURVEY_POLL_PUBLISH, name);
        assert_int_equal(node_hears_rows(1, CLIENT_ERROR_TOO_MANY_REQUESTS), 0);
    }
    shard_surveys(SURVEY_CHANNELS, "a*");
    assert_int_equal(shard_hears_rows(CLIENT_ERROR_TOO_MANY_REQUESTS), 0);
    assert_int_equal(counted(COUNTER_RELAY_REFUSED_REQUESTS), MORE + 1);
}

/* ---- commands to users ---- */

static struct link_message command_to(const char *user, uint32_t hops)
{
    return (struct link_message){
        .kind = LINK_MESSAGE_USER_COMMAND,
        .hops = hops,
        .has_command = true,
        .command = {.kind = SESSION_UNSUBSCRIBE,
                    .user = span_of_text(user),
                    .channel = SPAN_LITERAL("c")},
    };
}

static void a_command_goes_to_the_directory_of_its_user(void **state)
{
    (void)state;
    const struct session_command command = {.kind = SESSION_DISCONNECT,
                                            .code = 3503,
                                            .user = span_of_text(name_at(2, 0))};
    const struct message_user_command body = {.command = session_command_make(&command)};
    assert_true(message_send_user_command(shards[0].mailbox, ROUTER, 0, &body));
    settle();
    const struct sent *sent = node_hears(2, LINK_MESSAGE_USER_COMMAND);
    assert_true(span_equal(sent->message.command.user, command.user));
    assert_int_equal(sent->message.command.code, 3503);

    const char *here = name_at(0, 0);
    const struct link_message foreign = command_to(here, 1);
    node_says(1, &foreign, SPAN_EMPTY);
    const struct message message = shard_hears(home_of(here).shard, MESSAGE_USER_COMMAND);
    const struct session_command heard =
        session_command_of(message_as_user_command(&message).command);
    assert_int_equal(heard.kind, SESSION_UNSUBSCRIBE);
    assert_true(span_equal(heard.user, span_of_text(here)));
    assert_true(span_equal(heard.channel, SPAN_LITERAL("c")));
    message_release(&message);
}

/* Where views differ it is passed on, once. */
static void a_command_is_passed_on_once(void **state)
{
    (void)state;
    const char *there = name_at(2, 0);
    const struct link_message first = command_to(there, 0);
    node_says(1, &first, SPAN_EMPTY);
    assert_int_equal(node_hears(2, LINK_MESSAGE_USER_COMMAND)->message.hops, 1);
    const struct link_message second = command_to(there, 1);
    node_says(1, &second, SPAN_EMPTY);
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_LOST), 1);
}

static void a_command_to_nobody_in_particular_is_for_every_shard(void **state)
{
    (void)state;
    const struct link_message foreign = command_to("", 0);
    node_says(1, &foreign, SPAN_EMPTY);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        const struct message message = shard_hears(shard, MESSAGE_SESSION_COMMAND);
        message_release(&message);
    }
    nobody_hears_more();
}

static void a_command_to_a_shard_that_is_none_is_lost(void **state)
{
    (void)state;
    struct link_message foreign = command_to("ann", 0);
    foreign.kind = LINK_MESSAGE_SESSION_COMMAND;
    foreign.shard = SHARDS - 1;
    node_says(1, &foreign, SPAN_EMPTY);
    const struct message message = shard_hears(SHARDS - 1, MESSAGE_SESSION_COMMAND);
    message_release(&message);
    foreign.shard = SHARDS; /* The router's. */
    node_says(1, &foreign, SPAN_EMPTY);
    foreign.shard = SHARDS_MAX - 1;
    node_says(1, &foreign, SPAN_EMPTY);
    assert_int_equal(counted(COUNTER_RELAY_LOST), 2);
    foreign.shard = SHARDS_MAX;
    node_says(1, &foreign, SPAN_EMPTY);
    foreign.shard = UINT32_MAX;
    node_says(1, &foreign, SPAN_EMPTY);
    assert_int_equal(counted(COUNTER_RELAY_STALE), 2);
    nobody_hears_more();
}

/* ---- commands of HTTP streams ---- */

static void shard_emulates(uint8_t node)
{
    struct message_emulate body = {.frame = text("{}")};
    body.node[0] = (uint8_t)(node + 1);
    body.session[0] = 2;
    assert_true(message_send_emulate(shards[ASKER].mailbox, ROUTER, CALL, &body));
    settle();
}

static void shard_hears_emulated(uint32_t error)
{
    const struct message message = shard_hears(ASKER, MESSAGE_EMULATED);
    assert_int_equal(message.handle, CALL);
    assert_int_equal(message_as_emulated(&message).error, error);
}

static void a_stream_on_another_node_is_reached(void **state)
{
    (void)state;
    shard_emulates(1);
    const struct sent *sent = node_hears(1, LINK_MESSAGE_EMULATE);
    assert_int_equal(sent->message.name.len, EMULATION_NAME_LEN);
    assert_int_equal(sent->message.name.at[0], 2);
    assert_int_equal(sent->payload_len, 2);
    nobody_hears_more();
    node_says(1,
              &(struct link_message){.kind = LINK_MESSAGE_EMULATED, .cookie = sent->message.cookie},
              SPAN_EMPTY);
    shard_hears_emulated(0);
    shard_emulates(2);
    (void)node_hears(2, LINK_MESSAGE_EMULATE);
    time_passes(RELAY_ASK_MS_MAX + 100);
    const struct message message = shard_hears(ASKER, MESSAGE_EMULATED);
    assert_int_not_equal(message_as_emulated(&message).error, 0);
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
}

static void a_node_that_is_none_has_no_stream(void **state)
{
    (void)state;
    shard_emulates(200);
    shard_hears_emulated(CLIENT_ERROR_NOT_AVAILABLE);
    wire_is_full = true;
    shard_emulates(1);
    shard_hears_emulated(CLIENT_ERROR_TOO_MANY_REQUESTS);
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_ASKS), 0);
}

static void names_of_no_session_are_answered_at_once(void **state)
{
    (void)state;
    uint8_t name[EMULATION_NAME_LEN] = {SHARDS - 1};
    struct link_message request = {.kind = LINK_MESSAGE_EMULATE,
                                   .cookie = 5,
                                   .name = span_of(name, sizeof(name))};
    node_says(1, &request, SPAN_LITERAL("{}"));
    const struct message message = shard_hears(SHARDS - 1, MESSAGE_EMULATE);
    const struct message_emulated answer = {.error = 0};
    message_release(&message);
    assert_true(message_send_emulated(shards[SHARDS - 1].mailbox, ROUTER, message.handle, &answer));
    settle();
    assert_int_equal(node_hears(1, LINK_MESSAGE_EMULATED)->message.cookie, 5);
    for (int row = 0; row < 3; row++) {
        name[0] = row == 0 ? SHARDS : UINT8_MAX;
        request.name.len = row == 2 ? EMULATION_NAME_LEN - 1 : EMULATION_NAME_LEN;
        node_says(1, &request, SPAN_LITERAL("{}"));
        assert_int_equal(node_hears(1, LINK_MESSAGE_EMULATED)->message.error, 0);
    }
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_STALE), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_survey_is_the_answers_of_all_nodes),
        TEST(a_survey_without_an_answer_is_an_error),
        TEST(who_cannot_be_asked_is_missing),
        TEST(a_node_hears_what_all_shards_found),
        TEST(what_is_for_one_shard_asks_no_other),
        TEST(questions_that_are_none_are_refused),
        TEST(more_surveys_than_there_is_room_for_are_refused),
        TEST(a_command_goes_to_the_directory_of_its_user),
        TEST(a_command_is_passed_on_once),
        TEST(a_command_to_nobody_in_particular_is_for_every_shard),
        TEST(a_command_to_a_shard_that_is_none_is_lost),
        TEST(a_stream_on_another_node_is_reached),
        TEST(a_node_that_is_none_has_no_stream),
        TEST(names_of_no_session_are_answered_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
