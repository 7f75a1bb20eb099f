/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that cross links: who gets which publications, in what, and how registrations end. */
#include "tests/unit/shards/relay_rig.h"

#include "shards/limits.h"

/* ---- far channels ---- */

static void each_shard_gets_frames_in_what_the_node_speaks(void **state)
{
    (void)state;
    const char *channel = name_at(1, 0);
    const uint32_t registration = shard_joins(0, channel, 40, CLIENT_JSON);
    node_publishes(1, registration, 11);
    shard_hears_publication(0, 40, 11, CLIENT_PROTOCOL_BIT(CLIENT_JSON));
    assert_int_equal(shard_joins(2, channel, 42, CLIENT_PROTOBUF), registration);
    node_publishes(1, registration, 12);
    const uint32_t both = CLIENT_PROTOCOL_BIT(CLIENT_JSON) | CLIENT_PROTOCOL_BIT(CLIENT_PROTOBUF);
    shard_hears_publication(0, 40, 12, both);
    shard_hears_publication(2, 42, 12, both);
    /* Values that are none are a gap, and bytes that are no JSON are no JSON frame. */
    const struct link_message head = {.kind = LINK_MESSAGE_PUBLICATION,
                                      .handle = registration,
                                      .sequence = 13};
    node_says(1, &head, SPAN_LITERAL("\x12"));
    assert_int_equal(counted(COUNTER_RELAY_LOST), 1);
    node_says(1, &head, SPAN_LITERAL("\x12\x01x\x48\x01"));
    shard_hears_publication(0, 40, 13, CLIENT_PROTOCOL_BIT(CLIENT_PROTOBUF));
    shard_hears_publication(2, 42, 13, CLIENT_PROTOCOL_BIT(CLIENT_PROTOBUF));
    /* The last one takes the registration with it. */
    for (uint32_t shard = 0; shard <= 2; shard += 2) {
        nobody_hears_more();
        const struct message_unsubscribe body = {.channel = text(channel),
                                                 .flags = UNSUBSCRIBE_LAST};
        assert_true(message_send_unsubscribe(shards[shard].mailbox, ROUTER, 40 + shard, &body));
        settle();
    }
    const struct sent *last = node_hears(1, LINK_MESSAGE_UNSUBSCRIBE);
    assert_int_equal(last->message.flags, UNSUBSCRIBE_LAST);
    assert_int_equal(last->class, MESSAGE_REPLY);
    node_publishes(1, registration, 14);
    assert_int_equal(counted(COUNTER_RELAY_STALE), 1);
}

/* Behind all that came by the registration, and before all that comes by the next one. */
static void moved_ends_a_registration_in_order(void **state)
{
    (void)state;
    const char *channel = name_at(1, 0);
    const uint32_t registration = shard_joins(0, channel, 40, CLIENT_JSON);
    node_publishes(1, registration, 11);
    node_publishes(1, registration, 12);
    node_says(2, &(struct link_message){.kind = LINK_MESSAGE_MOVED, .handle = registration},
              SPAN_EMPTY); /* Not its to say. */
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_MOVED, .handle = registration},
              SPAN_EMPTY);
    node_publishes(1, registration, 13);
    shard_hears_publication(0, 40, 11, CLIENT_PROTOCOL_BIT(CLIENT_JSON));
    shard_hears_publication(0, 40, 12, CLIENT_PROTOCOL_BIT(CLIENT_JSON));
    assert_int_equal(shard_hears(0, MESSAGE_MOVED).handle, 40);
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_STALE), 2);
    const uint32_t again = shard_joins(0, channel, 40, CLIENT_JSON);
    assert_int_not_equal(again, registration);
    node_publishes(1, again, 11);
    shard_hears_publication(0, 40, 11, CLIENT_PROTOCOL_BIT(CLIENT_JSON));
}

/* A session that is another now; and a home that is another node now, if the one before does not
 * say itself what became of the channel. */
static void what_a_registration_stood_on_ends_it(void **state)
{
    (void)state;
    const char *channel = name_at(2, 0);
    shard_joins(0, channel, 40, CLIENT_JSON);
    shard_joins(1, channel, 41, CLIENT_JSON);
    link_down(2);
    time_passes(100);
    nobody_hears_more(); /* It may come back. */
    link_up(2);
    time_passes(100);
    assert_int_equal(shard_hears(0, MESSAGE_MOVED).handle, 40);
    assert_int_equal(shard_hears(1, MESSAGE_MOVED).handle, 41);
    const uint32_t registration = shard_joins(1, channel, 41, CLIENT_JSON);
    make_placement(2, 2); /* Without the node, so that it is not waited for: it has no slots. */
    node_hears_slots_asked(1);
    shards_hear_slots_ready();
    time_passes(RELAY_MOVED_MS_MAX - TICK_MS);
    node_publishes(2, registration, 11);
    shard_hears_publication(1, 41, 11, CLIENT_PROTOCOL_BIT(CLIENT_JSON));
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_RELAY_FAR_CHANNELS), 1);
    time_passes(100);
    assert_int_equal(shard_hears(1, MESSAGE_MOVED).handle, 41);
    assert_int_equal(counted(COUNTER_RELAY_FAR_CHANNELS), 0);
    assert_int_equal(counted(COUNTER_RELAY_CHANNELS_MOVED), 2);
}

static void a_home_that_left_the_map_ends_it_with_its_link(void **state)
{
    (void)state;
    shard_joins(0, name_at(2, 0), 40, CLIENT_JSON);
    make_placement(2, 2);
    node_hears_slots_asked(1);
    shards_hear_slots_ready();
    time_passes(100);
    nobody_hears_more();
    link_down(2);
    time_passes(100);
    assert_int_equal(shard_hears(0, MESSAGE_MOVED).handle, 40);
    assert_int_equal(counted(COUNTER_RELAY_FAR_CHANNELS), 0);
}

/* ---- near channels ---- */

/* The home's shard registers a node and answers; returns the relay's handle there. */
static uint32_t node_joins(uint8_t index, const char *channel, uint32_t handle, bool is_first)
{
    const uint32_t shard = home_of(channel).shard;
    node_says(index,
              &(struct link_message){.kind = LINK_MESSAGE_SUBSCRIBE,
                                     .cookie = 50,
                                     .handle = handle,
                                     .flags = SUBSCRIBE_FIRST,
                                     .name = span_of_text(channel)},
              SPAN_EMPTY);
    const struct message asked = shard_hears(shard, MESSAGE_SUBSCRIBE);
    const struct message_subscribe body = message_as_subscribe(&asked);
    assert_int_equal((body.flags & SUBSCRIBE_FIRST) != 0, is_first);
    assert_int_equal(flags_protocols(body.flags), 0);
    const struct message_subscribed answer = {.subscription = body.subscription,
                                              .flags = body.flags};
    assert_true(message_send_subscribed(shards[shard].mailbox, ROUTER, asked.handle, &answer));
    message_release(&asked);
    settle();
    assert_int_equal(node_hears(index, LINK_MESSAGE_SUBSCRIBED)->message.cookie, 50);
    return asked.handle;
}

static void home_publishes(const char *channel, uint32_t registration, uint64_t sequence)
{
    const struct message_publication body = {.frames = text("values"), .sequence = sequence};
    assert_true(message_send_publication(shards[home_of(channel).shard].mailbox, ROUTER,
                                         registration, &body));
    settle();
}

static void node_hears_publication(uint8_t index, uint32_t handle, uint64_t sequence)
{
    const struct sent *sent = node_hears(index, LINK_MESSAGE_PUBLICATION);
    assert_int_equal(sent->message.handle, handle);
    assert_int_equal(sent->message.sequence, sequence);
    assert_int_equal(sent->class, MESSAGE_REQUEST); /* A full link refuses it. */
    assert_int_equal(sent->payload_len, strlen("values"));
    assert_memory_equal(sent->payload, "values", strlen("values"));
}

static void each_node_gets_a_payload_once(void **state)
{
    (void)state;
    const char *channel = name_at(0, 0);
    uint32_t registration = node_joins(1, channel, 60, true);
    home_publishes(channel, registration, 1);
    node_hears_publication(1, 60, 1);
    assert_int_equal(node_joins(2, channel, 61, false), registration);
    home_publishes(channel, registration, 2);
    node_hears_publication(1, 60, 2);
    node_hears_publication(2, 61, 2);
    /* What a full link refuses is a gap there, of which no later one may tell: they begin anew. */
    wire_is_full = true;
    home_publishes(channel, registration, 3);
    wire_is_full = false;
    assert_int_equal(counted(COUNTER_RELAY_LOST), 2);
    assert_int_equal(node_hears(1, LINK_MESSAGE_MOVED)->message.handle, 60);
    assert_int_equal(node_hears(2, LINK_MESSAGE_MOVED)->message.handle, 61);
    const struct message left = shard_hears(home_of(channel).shard, MESSAGE_UNSUBSCRIBE);
    message_release(&left);
    assert_int_equal(counted(COUNTER_RELAY_INTERESTS), 0);
    registration = node_joins(1, channel, 60, true);
    assert_int_equal(node_joins(2, channel, 61, false), registration);
    home_publishes(channel, registration, 4);
    node_hears_publication(1, 60, 4);
    node_hears_publication(2, 61, 4);
    /* Nodes leave: the home hears of the last one alone. */
    struct link_message leave = {.kind = LINK_MESSAGE_UNSUBSCRIBE,
                                 .handle = 60,
                                 .flags = UNSUBSCRIBE_LAST,
                                 .name = span_of_text(channel)};
    node_says(1, &leave, SPAN_EMPTY);
    home_publishes(channel, registration, 5);
    node_hears_publication(2, 61, 5);
    nobody_hears_more();
    leave.handle = 61;
    node_says(2, &leave, SPAN_EMPTY);
    const struct message last = shard_hears(home_of(channel).shard, MESSAGE_UNSUBSCRIBE);
    assert_int_equal(last.handle, registration);
    assert_int_equal(message_as_unsubscribe(&last).flags, UNSUBSCRIBE_LAST);
    message_release(&last);
    assert_int_equal(counted(COUNTER_RELAY_NEAR_CHANNELS), 0);
    assert_int_equal(counted(COUNTER_RELAY_INTERESTS), 0);
}

static void a_home_that_moves_tells_each_node(void **state)
{
    (void)state;
    const char *channel = name_at(0, 0);
    const uint32_t registration = node_joins(1, channel, 60, true);
    node_joins(2, channel, 61, false);
    home_publishes(channel, registration, 1);
    const struct message_moved moved = {0};
    assert_true(
        message_send_moved(shards[home_of(channel).shard].mailbox, ROUTER, registration, &moved));
    home_publishes(channel, registration, 2); /* By a registration that is no more. */
    node_hears_publication(1, 60, 1);
    node_hears_publication(2, 61, 1);
    for (uint8_t index = 1; index <= 2; index++) {
        const struct sent *sent = node_hears(index, LINK_MESSAGE_MOVED);
        assert_int_equal(sent->message.handle, 59 + index);
        assert_int_equal(sent->class, MESSAGE_REPLY); /* A link without room for it ends. */
    }
    nobody_hears_more();
    assert_int_equal(counted(COUNTER_STALE_MESSAGES), 1);
}

/* ---- both ---- */

static void what_made_a_detour_says_so_over_links_too(void **state)
{
    (void)state;
    static const uint8_t client[CLIENT_ID_LEN] = {1};
    const uint32_t flags = UNSUBSCRIBE_PRESENCE | FLAGS_DETOUR;
    const char *here = name_at(0, 0);
    const struct message_unsubscribe body = {
        .channel = text(name_at(1, 0)),
        .identity = identity_make(client, SPAN_LITERAL("u"), SPAN_EMPTY, SPAN_EMPTY),
        .flags = flags,
    };
    assert_true(message_send_unsubscribe(shards[2].mailbox, ROUTER, 40, &body));
    settle();
    const struct sent *sent = node_hears(1, LINK_MESSAGE_UNSUBSCRIBE);
    assert_int_equal(sent->message.flags, flags);
    struct link_message leave = sent->message;
    leave.name = span_of_text(here);
    node_says(2, &leave, span_of(sent->payload, sent->payload_len));
    const struct message message = shard_hears(home_of(here).shard, MESSAGE_UNSUBSCRIBE);
    assert_int_equal(message_as_unsubscribe(&message).flags, flags);
    message_release(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_shard_gets_frames_in_what_the_node_speaks),
        TEST(moved_ends_a_registration_in_order),
        TEST(what_a_registration_stood_on_ends_it),
        TEST(a_home_that_left_the_map_ends_it_with_its_link),
        TEST(each_node_gets_a_payload_once),
        TEST(a_home_that_moves_tells_each_node),
        TEST(what_made_a_detour_says_so_over_links_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
