/* SPDX-License-Identifier: Apache-2.0 */
/* Users and the shards that hold their sessions: counts, limits, and where commands go. */
#include "tests/unit/shards/rig.h"

#include <stdio.h>

#include "shards/router/directory.h"
#include "shards/router/placement.h"

enum { EDGES = 40, USERS_MAX = 30 };

static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    rig_open(&rig, EDGES, 1, USERS_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* The answer's error. */
static uint32_t adds(uint32_t edge, const char *user)
{
    const struct message_user_add body = {.user = rig_text(user)};
    assert_true(message_send_user_add(rig.shard[edge].mailbox, RIG_HOME, 55, &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, edge, MESSAGE_USER_ADDED);
    assert_int_equal(message.handle, 55);
    return message_as_user_added(&message).error;
}

static void removes(uint32_t edge, const char *user)
{
    const struct message_user_remove body = {.user = rig_text(user)};
    assert_true(message_send_user_remove(rig.shard[edge].mailbox, RIG_HOME, 0, &body));
    rig_settle(&rig);
}

static void commands(uint32_t edge, const char *user)
{
    const struct session_command command = {
        .kind = SESSION_DISCONNECT,
        .code = 3503,
        .user = span_of_text(user),
    };
    const struct message_user_command body = {.command = session_command_make(&command)};
    assert_non_null(body.command);
    assert_true(message_send_user_command(rig.shard[edge].mailbox, RIG_HOME, 0, &body));
    rig_settle(&rig);
}

static void is_commanded(uint32_t edge, const char *user)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_SESSION_COMMAND);
    const struct session_command command =
        session_command_of(message_as_session_command(&message).command);
    assert_int_equal(command.kind, SESSION_DISCONNECT);
    assert_int_equal(command.code, 3503);
    assert_true(span_equal(command.user, span_of_text(user)));
    message_release(&message);
}

static void nobody_is_commanded(void)
{
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        assert_int_equal(rig_left(&rig, edge), 0);
    }
}

static uint64_t users(void)
{
    return rig_counter(&rig, COUNTER_NUM_USERS);
}

static void a_user_is_there_while_it_has_a_session(void **state)
{
    (void)state;
    assert_int_equal(adds(1, "u"), 0);
    assert_int_equal(adds(1, "u"), 0);
    assert_int_equal(adds(2, "u"), 0);
    assert_int_equal(adds(2, "v"), 0);
    assert_int_equal(users(), 2);
    removes(1, "u");
    removes(2, "u");
    assert_int_equal(users(), 2);
    removes(1, "u");
    assert_int_equal(users(), 1);
    removes(2, "v");
    assert_int_equal(users(), 0);
}

static void a_command_goes_once_to_each_shard_that_has_sessions(void **state)
{
    (void)state;
    adds(1, "u");
    adds(1, "u");
    adds(5, "u");
    adds(7, "other");
    commands(3, "u");
    is_commanded(1, "u");
    is_commanded(5, "u");
    nobody_is_commanded();
    removes(1, "u");
    removes(5, "u");
    commands(3, "u");
    is_commanded(1, "u");
    nobody_is_commanded();
    removes(1, "u");
    commands(3, "u");
    nobody_is_commanded();
    commands(3, "nobody");
    nobody_is_commanded();
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_CONTROL), 3);
}

/* Through the few shards that have room in the entry and far beyond, and back. */
static void a_user_may_be_everywhere(void **state)
{
    (void)state;
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        assert_int_equal(adds(edge, "u"), 0);
        commands(0, "u");
        for (uint32_t on = 0; on <= edge; on++) {
            is_commanded(on, "u");
        }
        nobody_is_commanded();
    }
    assert_int_equal(users(), 1);
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        removes(edge, "u");
        commands(0, "u");
        for (uint32_t on = edge + 1; on < EDGES; on++) {
            is_commanded(on, "u");
        }
        nobody_is_commanded();
    }
    assert_int_equal(users(), 0);
}

static void a_user_has_so_many_sessions_and_no_more(void **state)
{
    (void)state;
    rig.options.client.user_connection_limit = 3;
    assert_int_equal(adds(1, "u"), 0);
    assert_int_equal(adds(2, "u"), 0);
    assert_int_equal(adds(2, "u"), 0);
    assert_int_equal(adds(1, "u"), CLIENT_DISCONNECT_CONNECTION_LIMIT);
    assert_int_equal(adds(9, "u"), CLIENT_DISCONNECT_CONNECTION_LIMIT);
    assert_int_equal(adds(9, "v"), 0);
    /* The refused ones were not registered. */
    commands(3, "u");
    is_commanded(1, "u");
    is_commanded(2, "u");
    nobody_is_commanded();
    removes(2, "u");
    assert_int_equal(adds(9, "u"), 0);
    assert_int_equal(adds(9, "u"), CLIENT_DISCONNECT_CONNECTION_LIMIT);
}

static void users_beyond_the_directory_come_back_later(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < USERS_MAX; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        assert_int_equal(adds(1, name), 0);
    }
    assert_int_equal(adds(1, "one more"), CLIENT_DISCONNECT_INTERNAL);
    assert_int_equal(users(), USERS_MAX);
    assert_int_equal(adds(2, "u0"), 0);
    removes(1, "u1");
    assert_int_equal(adds(1, "one more"), 0);
    assert_int_equal(users(), USERS_MAX);
}

/* ---- users of other nodes, of whom the router speaks ---- */

static void sets(uint32_t origin, uint32_t shard, const char *user, uint32_t sessions)
{
    const struct message_user_set body = {.user = rig_text(user),
                                          .place = message_place(origin, shard),
                                          .sessions = sessions};
    struct message message = message_make_user_set(0, &body);
    message.from = (uint16_t)rig.shards;
    directory_on_user_set(rig.home.directory, &message);
}

static void loses(uint32_t origin)
{
    const struct message_origin_gone body = {.origin = origin};
    const struct message message = message_make_origin_gone(0, &body);
    directory_on_origin_gone(rig.home.directory, &message);
}

/* Returns the turns that it took. */
static uint32_t walks(void)
{
    uint32_t turns = 0;
    for (; directory_has_work(rig.home.directory); turns++) {
        directory_on_turn_end(rig.home.directory);
    }
    return turns;
}

static void what_came_by_a_link_goes_with_it(void **state)
{
    (void)state;
    adds(1, "both");
    sets(7, 3, "both", 2);
    sets(7, 4, "both", 1);
    sets(8, 3, "both", 1);
    sets(7, 0, "far", 1);
    sets(8, 0, "other", 5);
    loses(7);
    assert_int_equal(walks(), 1);
    assert_int_equal(users(), 2);
    loses(8);
    loses(9);
    walks();
    assert_int_equal(users(), 1);
    commands(0, "both");
    is_commanded(1, "both");
    nobody_is_commanded();
    removes(1, "both");
    assert_int_equal(users(), 0);
}

/* Another link breaks while the walk for the first is under way. */
static void no_link_is_forgotten_while_another_is(void **state)
{
    (void)state;
    rig_close(&rig);
    rig_open(&rig, EDGES, 1, 1 << 20);
    char name[16];
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        sets(1 + i % 3, i % 5, name, 1);
    }
    assert_int_equal(users(), 10000);
    loses(1);
    directory_on_turn_end(rig.home.directory);
    loses(2);
    assert_true(walks() > 1);
    assert_int_equal(users(), 3333);
    loses(3);
    walks();
    assert_int_equal(users(), 0);
}

static void a_count_of_sessions_is_taken_as_told(void **state)
{
    (void)state;
    rig.options.client.user_connection_limit = 5;
    sets(7, 3, "u", 4);
    sets(7, 3, "u", 2);
    sets(8, 3, "u", 2);
    assert_int_equal(adds(1, "u"), 0);
    assert_int_equal(adds(1, "u"), CLIENT_DISCONNECT_CONNECTION_LIMIT);
    sets(7, 3, "u", 0);
    sets(9, 3, "u", 0);
    sets(9, 3, "nobody", 0);
    assert_int_equal(users(), 1);
    assert_int_equal(adds(1, "u"), 0);
    sets(8, 3, "u", 0);
    removes(1, "u");
    assert_int_equal(users(), 1);
    removes(1, "u");
    assert_int_equal(users(), 0);
}

static void users_whose_slot_is_elsewhere_are_forgotten(void **state)
{
    (void)state;
    const struct placement_member two[] = {
        {.uid = {{1}}, .shards = EDGES, .weight = 1},
        {.uid = {{2}}, .shards = EDGES, .weight = 1},
    };
    const struct placement_members members = {.at = two, .len = 2};
    struct buf *placement = placement_make(1, &members, NULL);
    char name[16];
    uint32_t stay = 0;
    assert_non_null(placement);
    for (uint32_t i = 0; i < USERS_MAX; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        adds(1, name);
        const uint16_t slot = placement_slot_of(span_of_text(name));
        const struct placement_home home = placement_home_of(placement_of(placement), slot);
        stay += home.node == 0 && home.shard == RIG_HOME;
    }
    rig.home.placement = placement_of(placement);
    directory_on_placement(rig.home.directory);
    walks();
    assert_true(stay < USERS_MAX);
    assert_int_equal(users(), stay);
    rig.home.placement = NULL;
    buf_release(placement);
}

static void commands_wait_for_a_stuck_shard(void **state)
{
    (void)state;
    adds(1, "u");
    const uint32_t fillers = rig_fill(&rig, 1, 0);
    commands(2, "u");
    nobody_is_commanded();
    rig.is_stuck[1] = false;
    rig_settle(&rig);
    for (uint32_t i = 0; i < fillers; i++) {
        rig_take(&rig, 1, MESSAGE_NODES_ASK);
    }
    is_commanded(1, "u");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_is_there_while_it_has_a_session),
        TEST(a_command_goes_once_to_each_shard_that_has_sessions),
        TEST(a_user_may_be_everywhere),
        TEST(a_user_has_so_many_sessions_and_no_more),
        TEST(users_beyond_the_directory_come_back_later),
        TEST(what_came_by_a_link_goes_with_it),
        TEST(no_link_is_forgotten_while_another_is),
        TEST(a_count_of_sessions_is_taken_as_told),
        TEST(users_whose_slot_is_elsewhere_are_forgotten),
        TEST(commands_wait_for_a_stuck_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
