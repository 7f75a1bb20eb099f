/* SPDX-License-Identifier: Apache-2.0 */
/* Channels at home when the rings to edges are full, and at the end. */
#include "tests/unit/shards/homes_rig.h"

#include <stdio.h>

#include "codec/websocket.h"
#include "shards/channel/push_frame.h"
#include "shards/limits.h"

/* ---- full rings ---- */

/* Takes what rig_fill has sent. */
static void hears_fillers(uint32_t edge, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rig_take(&rig, edge, MESSAGE_NODES_ASK);
    }
}

static void a_publication_is_for_all_or_for_nobody(void **state)
{
    (void)state;
    enum { ACCEPTED = 3, REFUSED = 2 };
    edge_joins(1, "c");
    edge_joins(2, "c");
    const uint32_t fillers = rig_fill(&rig, 2, HOME_ROOM_RESERVED + ACCEPTED);
    for (uint32_t i = 0; i < ACCEPTED + REFUSED; i++) {
        publishes(3, "c", "1");
    }
    rig_settle(&rig);
    for (uint32_t i = 1; i <= ACCEPTED; i++) {
        hears_published(3, 0);
        hears(1, PUBLICATION_DATA, i, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    }
    for (uint32_t i = 0; i < REFUSED; i++) {
        hears_published(3, CLIENT_ERROR_TOO_MANY_REQUESTS);
    }
    assert_int_equal(rig_left(&rig, 1), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_PUBLICATION), 2 * ACCEPTED);
    /* Channels that the stuck shard does not want are not held up. */
    edge_joins(1, "d");
    publishes(3, "d", "2");
    rig_settle(&rig);
    hears_published(3, 0);
    hears(1, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"d\",\"pub\":{\"data\":2}}}");
    /* What was accepted comes, and then there is room again. */
    rig.is_stuck[2] = false;
    publishes(3, "c", "1");
    rig_settle(&rig);
    hears_fillers(2, fillers);
    for (uint32_t i = 1; i <= ACCEPTED; i++) {
        hears(2, PUBLICATION_DATA, i, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    }
    rig_drop(&rig, 1);
    rig_drop(&rig, 2);
    rig_drop(&rig, 3);
    publishes(3, "c", "1");
    rig_settle(&rig);
    hears_published(3, 0);
    assert_int_equal(rig_drop(&rig, 1), 1);
    assert_int_equal(rig_drop(&rig, 2), 1);
}

/* Answers and joins of a shard that takes nothing wait, come in order, and none is lost. */
static void answers_wait_for_room_in_order(void **state)
{
    (void)state;
    enum { CLIENTS = 120, ROOM = 17 };
    const uint32_t fillers = rig_fill(&rig, 1, ROOM);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        subscribes(1, "c", SUBSCRIBE_FIRST | SUBSCRIBE_JOIN | SUBSCRIBE_PRESENCE,
                   rig_identity((uint8_t)i, "", "", ""));
    }
    rig_settle(&rig);
    assert_int_equal(outbox_waiting(rig.home.outbox, 1), 2 * CLIENTS - ROOM);
    assert_int_equal(rig_counter(&rig, COUNTER_OUTBOX_WAITING), 2 * CLIENTS - ROOM);
    assert_int_equal(outbox_room(rig.home.outbox, 1), 0);
    assert_false(outbox_has_work(rig.home.outbox));
    rig.is_stuck[1] = false;
    rig_settle(&rig);
    hears_fillers(1, fillers);
    for (uint64_t i = 1; i <= CLIENTS; i++) {
        hears_subscribed(1, 0);
        const struct message join = rig_take(&rig, 1, MESSAGE_PUBLICATION);
        assert_int_equal(message_as_publication(&join).sequence, i);
        message_release(&join);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_OUTBOX_LOST), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_OUTBOX_WAITING), 0);
}

/* While messages wait, none goes past them, though the mailbox has room again. */
static void nothing_overtakes_what_waits(void **state)
{
    (void)state;
    const uint32_t fillers = rig_fill(&rig, 1, 1);
    edge_joins(2, "c");
    subscribes(1, "c", SUBSCRIBE_FIRST, NULL); /* Takes the room. */
    subscribes(1, "c", 0, NULL);               /* Waits. */
    rig_settle(&rig);
    assert_int_equal(outbox_waiting(rig.home.outbox, 1), 1);
    publishes(3, "c", "1");
    rig_settle(&rig);
    hears_published(3, CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig.is_stuck[1] = false;
    rig_settle(&rig);
    publishes(3, "c", "1");
    rig_settle(&rig);
    hears_published(3, 0);
    hears_fillers(1, fillers);
    hears_subscribed(1, 0);
    hears_subscribed(1, 0);
    hears(1, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    rig_drop(&rig, 2);
}

/* Beyond a limit joins are given up, and the gap in the sequence tells. Answers still wait. */
static void joins_given_up_leave_a_gap(void **state)
{
    (void)state;
    enum { MORE = 100 };
    edge_joins(1, "c");
    edge_joins(2, "c");
    const uint32_t fillers = rig_fill(&rig, 1, 0);
    for (uint32_t i = 0; i < OUTBOX_DELIVERIES_MAX + MORE; i++) {
        subscribes(2, "c", SUBSCRIBE_JOIN, rig_identity(0x22, "", "", ""));
        if (i % 100 == 0) {
            rig_settle(&rig);
        }
    }
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_OUTBOX_LOST), MORE);
    assert_int_equal(rig_drop(&rig, 2), 2 * (OUTBOX_DELIVERIES_MAX + MORE));
    subscribes(1, "d", SUBSCRIBE_FIRST, NULL);
    rig_settle(&rig);
    assert_int_equal(outbox_waiting(rig.home.outbox, 1), OUTBOX_DELIVERIES_MAX + 1);
    rig.is_stuck[1] = false;
    rig_settle(&rig);
    subscribes(2, "c", SUBSCRIBE_JOIN, rig_identity(0x22, "", "", ""));
    rig_settle(&rig);
    rig_drop(&rig, 2);
    hears_fillers(1, fillers);
    for (uint32_t i = 1; i <= OUTBOX_DELIVERIES_MAX; i++) {
        hears(1, PUBLICATION_JOIN, i, JOIN("c", "", "2"));
    }
    hears_subscribed(1, 0);
    hears(1, PUBLICATION_JOIN, OUTBOX_DELIVERIES_MAX + MORE + 1, JOIN("c", "", "2"));
}

/* What still waits at the end is given back (the sanitizer looks). */
static void an_outbox_ends_with_messages_in_it(void **state)
{
    (void)state;
    enum { CLIENTS = 120 };
    const uint32_t fillers = rig_fill(&rig, 1, 0);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        subscribes(1, "c", SUBSCRIBE_FIRST | SUBSCRIBE_JOIN | SUBSCRIBE_PRESENCE,
                   rig_identity((uint8_t)i, "", "", ""));
        asks_presence(1, "c", 0);
    }
    rig_settle(&rig);
    assert_int_equal(outbox_waiting(rig.home.outbox, 1), 3 * CLIENTS);
    outbox_destroy(rig.home.outbox);
    rig.home.outbox = outbox_create(&rig.shard[RIG_HOME]);
    assert_non_null(rig.home.outbox);
    rig.is_stuck[1] = false;
    rig_settle(&rig);
    hears_fillers(1, fillers);
}

static void homes_end_with_channels_in_them(void **state)
{
    (void)state;
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        subscribes(edge, "c", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE,
                   rig_identity((uint8_t)edge, "u", "", ""));
    }
    asks_presence(1, "c", 0);
    rig_settle(&rig);
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        rig_drop(&rig, edge);
    }
}

/* ---- other nodes ---- */

static struct message_publication router_hears; /* The newest, and how many. */
static uint32_t router_heard;

static void router_on_message(void *context, const struct message *message)
{
    (void)context;
    if (message->type != MESSAGE_PUBLICATION) {
        message_release(message);
        return;
    }
    if (router_heard++ > 0) {
        buf_release(router_hears.frames);
    }
    router_hears = message_as_publication(message);
}

static struct mailbox *router_mailbox(void)
{
    return mailbox_of(rig.matrix, rig.shards);
}

static void router_settles(void)
{
    mailbox_flush(router_mailbox());
    rig_settle(&rig);
    (void)mailbox_drain(router_mailbox(), 1000, router_on_message, NULL);
}

static void router_joins(const char *channel)
{
    const struct message_subscribe body = {.channel = rig_text(channel), .flags = SUBSCRIBE_FIRST};
    assert_true(message_send_subscribe(router_mailbox(), RIG_HOME, 77, &body));
    router_settles();
}

/* One encoding for the shards here, values for the router, whichever of them there is. */
static void other_nodes_get_values(void **state)
{
    (void)state;
    struct push_values read = {.push.kind = CLIENT_PUSH_PUBLICATION};
    router_heard = 0;
    router_joins("c");
    publishes(3, "c", "[1]");
    router_settles();
    hears_published(3, 0);
    assert_int_equal(router_heard, 1);
    assert_int_equal(router_hears.sequence, 1);
    assert_true(
        push_values_read(span_of(router_hears.frames->bytes, router_hears.frames->len), &read));
    assert_true(read.is_json && span_equal(read.push.publication.data, SPAN_LITERAL("[1]")));
    edge_joins(1, "c");
    edge_joins(2, "c");
    publishes(3, "c", "[2]");
    router_settles();
    hears_published(3, 0);
    for (uint32_t edge = 1; edge <= 2; edge++) {
        hears(edge, PUBLICATION_DATA, 2, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":[2]}}}");
    }
    assert_int_equal(router_heard, 2);
    assert_true(
        push_values_read(span_of(router_hears.frames->bytes, router_hears.frames->len), &read));
    assert_true(span_equal(read.push.publication.data, SPAN_LITERAL("[2]")));
    buf_release(router_hears.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_publication_is_for_all_or_for_nobody),
        TEST(answers_wait_for_room_in_order),
        TEST(nothing_overtakes_what_waits),
        TEST(joins_given_up_leave_a_gap),
        TEST(an_outbox_ends_with_messages_in_it),
        TEST(homes_end_with_channels_in_them),
        TEST(other_nodes_get_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
