/* SPDX-License-Identifier: Apache-2.0 */
/* Channels at home: what edges are told, and in which order. */
#include "shards/channel/push_frame.h"
#include "tests/unit/shards/homes_rig.h"

#include <stdio.h>

#include "codec/websocket.h"
#include "shards/limits.h"

/* ---- order ---- */

static void a_publication_reaches_each_interested_shard_once(void **state)
{
    (void)state;
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        edge_joins(edge, "c");
    }
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 1);
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        publishes(4, "c", "{\"n\":1}");
        rig_settle(&rig);
        for (uint32_t edge = 0; edge < EDGES; edge++) {
            hears(edge, PUBLICATION_DATA, sequence,
                  "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"n\":1}}}}");
        }
        hears_published(4, 0);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_PUBLICATION), 3 * EDGES);
}

static void all_shards_share_one_frame(void **state)
{
    (void)state;
    edge_joins(1, "c");
    edge_joins(2, "c");
    publishes(3, "c", "1");
    rig_settle(&rig);
    const struct message one = rig_take(&rig, 1, MESSAGE_PUBLICATION);
    const struct message two = rig_take(&rig, 2, MESSAGE_PUBLICATION);
    struct buf *frame = message_as_publication(&one).frames;
    assert_ptr_equal(frame, message_as_publication(&two).frames);
    assert_int_equal(frame->refs, 2);
    buf_release(frame);
    buf_release(frame);
    hears_published(3, 0);
}

/* Encoded in what shards have named, for all of them alike. */
static void a_publication_is_encoded_in_what_shards_speak(void **state)
{
    (void)state;
    enum { JSON = FLAGS_PROTOCOL(CLIENT_JSON), PROTOBUF = FLAGS_PROTOCOL(CLIENT_PROTOBUF) };
    /* Each step in order: who says it, a subscribe or an unsubscribe, its flags; then what comes.
     */
    static const struct {
        uint32_t edge;
        bool is_subscribe;
        uint32_t flags;
        uint32_t protocols;
    } steps[] = {
        {1, true, SUBSCRIBE_FIRST | PROTOBUF, PROTOBUF},
        {1, true, PROTOBUF, PROTOBUF},
        {2, true, SUBSCRIBE_FIRST | JSON, JSON | PROTOBUF},
        {2, true, PROTOBUF, JSON | PROTOBUF},
        {1, false, PROTOBUF, JSON | PROTOBUF},
        {2, false, PROTOBUF, JSON},
        {1, true, JSON, JSON},
        {2, false, JSON, JSON},
        {1, true, PROTOBUF, JSON | PROTOBUF},
        {1, false, UNSUBSCRIBE_LAST, 0},
        {1, true, SUBSCRIBE_FIRST | JSON, JSON},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].is_subscribe) {
            subscribes(steps[i].edge, "c", steps[i].flags, NULL);
            rig_settle(&rig);
            const struct message_subscribed answer = hears_subscribed(steps[i].edge, 0);
            assert_int_equal(flags_protocols(answer.flags), flags_protocols(steps[i].flags));
        } else {
            unsubscribes(steps[i].edge, "c", steps[i].flags, NULL);
        }
        publishes(3, "c", "1");
        rig_settle(&rig);
        hears_published(3, 0);
        for (uint32_t edge = 1; edge <= 2; edge++) {
            if ((edge == 1 && i == 9) || (edge == 2 && i < 2)) {
                continue; /* It wants nothing. */
            }
            const struct message message = rig_take(&rig, edge, MESSAGE_PUBLICATION);
            const struct message_publication body = message_as_publication(&message);
            const struct span json = push_frame_of(body.frames, body.protobuf_at, CLIENT_JSON);
            const struct span protobuf =
                push_frame_of(body.frames, body.protobuf_at, CLIENT_PROTOBUF);
            assert_int_equal(json.len > 0, (steps[i].protocols & JSON) != 0);
            assert_int_equal(protobuf.len > 0, (steps[i].protocols & PROTOBUF) != 0);
            assert_true(json.len == 0 || json.at[0] == 0x81);
            assert_true(protobuf.len == 0 || protobuf.at[0] == 0x82);
            buf_release(body.frames);
        }
    }
}

static void channels_do_not_mix(void **state)
{
    (void)state;
    edge_joins(1, "a");
    edge_joins(2, "b");
    publishes(3, "b", "2");
    publishes(3, "a", "1");
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":1}}}");
    hears(2, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"b\",\"pub\":{\"data\":2}}}");
    hears_published(3, 0);
    hears_published(3, 0);
}

static void a_publication_of_a_client_tells_who(void **state)
{
    (void)state;
    edge_joins(1, "c");
    publishes_tagged(1, "c", SPAN_LITERAL("\"hi\""), "{\"k\":\"v\"}",
                     rig_identity(0xaa, "u", "{\"name\":\"U\"}", "[1]"));
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 1,
          "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"hi\",\"info\":{\"user\":\"u\","
          "\"client\":\"" ID("a") "\",\"conn_info\":{\"name\":\"U\"},\"chan_info\":[1]},"
                                  "\"tags\":{\"k\":\"v\"}}}}");
    hears_published(1, 0);
}

/* They would end the line, and with it the push. */
static void newlines_between_tokens_are_left_out(void **state)
{
    (void)state;
    edge_joins(1, "c");
    publishes(2, "c", "{\n\"a\":\n\"\\n\"}");
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 1,
          "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"a\":\"\\n\"}}}}");
    hears_published(2, 0);
}

/* Around the scratch in which small pushes are encoded, and around the lengths of frame headers. */
static void frames_of_every_size_are_whole(void **state)
{
    (void)state;
    static const char before[] = "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":";
    static const char after[] = "}}}";
    static const size_t around[] = {125, 2048, 65535, 65536, 200000};
    edge_joins(1, "c");
    uint64_t sequence = 0;
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        for (size_t len = around[i] - 3; len <= around[i] + 3; len++) {
            char *json = malloc(len);
            assert_non_null(json);
            const size_t data_at = sizeof(before) - 1;
            const size_t data_len = len - data_at - (sizeof(after) - 1);
            memset(json, '7', len);
            memcpy(json, before, data_at);
            memcpy(json + data_at + data_len, after, sizeof(after) - 1);
            publishes_tagged(2, "c", span_of(json + data_at, data_len), "", NULL);
            rig_settle(&rig);
            const struct message message = rig_take(&rig, 1, MESSAGE_PUBLICATION);
            const struct message_publication body = message_as_publication(&message);
            assert_int_equal(body.sequence, ++sequence);
            assert_frame(&body, json, len);
            buf_release(body.frames);
            hears_published(2, 0);
            free(json);
        }
    }
}

static void publishing_to_nobody_is_answered(void **state)
{
    (void)state;
    publishes(2, "c", "1");
    rig_settle(&rig);
    assert_int_equal(hears_published(2, 0).epoch, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_PUBLICATION), 0);
}

static void what_comes_after_the_last_unsubscribe_is_not_sent(void **state)
{
    (void)state;
    edge_joins(1, "c");
    edge_joins(2, "c");
    publishes(1, "c", "1");
    unsubscribes(1, "c", UNSUBSCRIBE_LAST, NULL);
    publishes(1, "c", "2");
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    hears_published(1, 0);
    hears_published(1, 0);
    hears(2, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    hears(2, PUBLICATION_DATA, 2, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":2}}}");
}

static void a_shard_that_comes_back_counts_on(void **state)
{
    (void)state;
    edge_joins(1, "c");
    edge_joins(2, "c");
    publishes(1, "c", "1");
    unsubscribes(1, "c", UNSUBSCRIBE_LAST, NULL);
    subscribes(1, "c", SUBSCRIBE_FIRST, NULL);
    publishes(1, "c", "2");
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    hears_published(1, 0);
    assert_int_equal(hears_subscribed(1, 0).sequence, 1);
    rig_drop(&rig, 2);
    hears(1, PUBLICATION_DATA, 2, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":2}}}");
    hears_published(1, 0);
}

static void further_subscribers_of_a_shard_change_nothing(void **state)
{
    (void)state;
    edge_joins(1, "c");
    publishes(2, "c", "1");
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 1, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    subscribes(1, "c", 0, NULL);
    subscribes(1, "c", 0, NULL);
    rig_settle(&rig);
    hears_subscribed(1, 0);
    hears_subscribed(1, 0);
    unsubscribes(1, "c", 0, NULL);
    publishes(2, "c", "1");
    rig_settle(&rig);
    hears(1, PUBLICATION_DATA, 2, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":1}}}");
    rig_drop(&rig, 2);
}

/* ---- life ---- */

static void an_epoch_is_of_one_tenure(void **state)
{
    (void)state;
    subscribes(1, "c", SUBSCRIBE_FIRST, NULL);
    subscribes(2, "c", SUBSCRIBE_FIRST, NULL);
    publishes(2, "c", "1");
    rig_settle(&rig);
    const uint64_t epoch = hears_subscribed(1, 0).newest.epoch;
    assert_int_not_equal(epoch, 0);
    assert_int_equal(hears_subscribed(2, 0).newest.epoch, epoch);
    rig_drop(&rig, 1);
    rig_drop(&rig, 2);
    unsubscribes(1, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 1);
    unsubscribes(2, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 0);
    subscribes(1, "c", SUBSCRIBE_FIRST, NULL);
    rig_settle(&rig);
    assert_int_not_equal(hears_subscribed(1, 0).newest.epoch, epoch);
}

static void presence_keeps_a_channel(void **state)
{
    (void)state;
    subscribes(1, "c", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE, rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    hears_subscribed(1, 0);
    unsubscribes(1, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 1);
    unsubscribes(1, "c", UNSUBSCRIBE_PRESENCE, rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 0);
}

static void channels_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < CHANNELS_MAX; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        edge_joins(1, name);
    }
    subscribes(1, "one more", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE | SUBSCRIBE_JOIN,
               rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    assert_int_equal(hears_subscribed(1, CLIENT_ERROR_INTERNAL).newest.epoch, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_CHANNELS_REFUSED), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), CHANNELS_MAX);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 0);
    /* One that is there already is not new; one that goes makes room. */
    edge_joins(2, "c0");
    unsubscribes(1, "c1", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    edge_joins(1, "one more");
}

static void unsubscribing_from_nothing_is_nothing(void **state)
{
    (void)state;
    unsubscribes(1, "c", UNSUBSCRIBE_LAST | UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE,
                 rig_identity(0x11, "u", "", ""));
    edge_joins(2, "c");
    unsubscribes(1, "c", UNSUBSCRIBE_LAST | UNSUBSCRIBE_PRESENCE, rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    assert_int_equal(rig_left(&rig, 1), 0);
    assert_int_equal(rig_left(&rig, 2), 0);
}

/* ---- presence, join and leave ---- */

static void a_joiner_is_answered_before_its_own_join(void **state)
{
    (void)state;
    edge_joins(2, "c");
    subscribes(1, "c", SUBSCRIBE_FIRST | SUBSCRIBE_JOIN, rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    hears_subscribed(1, 0);
    hears(1, PUBLICATION_JOIN, 1, JOIN("c", "u", "1"));
    hears(2, PUBLICATION_JOIN, 1, JOIN("c", "u", "1"));
    unsubscribes(1, "c", UNSUBSCRIBE_LAST | UNSUBSCRIBE_LEAVE, rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    hears(2, PUBLICATION_LEAVE, 2, LEAVE("c", "u", "1"));
    assert_int_equal(rig_left(&rig, 1), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_JOIN), 2);
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_LEAVE), 1);
}

static void present(uint32_t edge, uint8_t client, const char *user)
{
    subscribes(edge, "c", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE, rig_identity(client, user, "", ""));
    rig_settle(&rig);
    hears_subscribed(edge, 0);
}

static void absent(uint32_t edge, uint8_t client, const char *user)
{
    unsubscribes(edge, "c", UNSUBSCRIBE_PRESENCE, rig_identity(client, user, "", ""));
    rig_settle(&rig);
}

static void presence_counts_clients_and_users(void **state)
{
    (void)state;
    presence_is("c", 0, 0);
    present(1, 0x11, "u");
    presence_is("c", 1, 1);
    present(2, 0x22, "u");
    presence_is("c", 2, 1);
    present(2, 0x33, "");
    present(1, 0x44, "");
    presence_is("c", 4, 2);
    present(1, 0x55, "uu");
    presence_is("c", 5, 3);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 5);
    /* The same client again, as somebody else: an update. */
    present(1, 0x11, "uu");
    presence_is("c", 5, 3);
    absent(2, 0x22, "u");
    presence_is("c", 4, 2);
    absent(2, 0x22, "u");
    presence_is("c", 4, 2);
    absent(2, 0x33, "");
    absent(1, 0x44, "");
    presence_is("c", 2, 1);
    absent(1, 0x11, "uu");
    absent(1, 0x55, "uu");
    presence_is("c", 0, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 0);
    presence_is("elsewhere", 0, 0);
}

static void presence_is_of_one_channel(void **state)
{
    (void)state;
    present(1, 0x11, "u");
    subscribes(1, "d", SUBSCRIBE_FIRST | SUBSCRIBE_PRESENCE, rig_identity(0x11, "u", "", ""));
    rig_settle(&rig);
    hears_subscribed(1, 0);
    absent(1, 0x11, "u");
    presence_is("c", 0, 0);
    presence_is("d", 1, 1);
}

static void a_list_stays_what_it_was(void **state)
{
    (void)state;
    present(1, 0x11, "u");
    present(1, 0x22, "v");
    asks_presence(4, "c", 0);
    asks_presence(5, "c", 0);
    rig_settle(&rig);
    absent(1, 0x11, "u");
    asks_presence(4, "c", 0);
    rig_settle(&rig);
    struct buf *before = hears_presence(4, 2, 2).snapshot;
    struct buf *same = hears_presence(5, 2, 2).snapshot;
    struct buf *after = hears_presence(4, 1, 1).snapshot;
    assert_ptr_equal(before, same);
    assert_int_equal(presence_snapshot_of(before)->len, 2);
    assert_int_equal(identity_of(presence_snapshot_of(before)->identities[0]).client[0], 0x11);
    assert_int_equal(identity_of(presence_snapshot_of(before)->identities[1]).client[0], 0x22);
    presence_snapshot_release(before);
    presence_snapshot_release(same);
    assert_int_equal(presence_snapshot_of(after)->len, 1);
    assert_int_equal(identity_of(presence_snapshot_of(after)->identities[0]).client[0], 0x22);
    presence_snapshot_release(after);
    absent(1, 0x22, "v");
    asks_presence(4, "c", 0);
    rig_settle(&rig);
    assert_null(hears_presence(4, 0, 0).snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_publication_reaches_each_interested_shard_once),
        TEST(all_shards_share_one_frame),
        TEST(a_publication_is_encoded_in_what_shards_speak),
        TEST(channels_do_not_mix),
        TEST(a_publication_of_a_client_tells_who),
        TEST(newlines_between_tokens_are_left_out),
        TEST(frames_of_every_size_are_whole),
        TEST(publishing_to_nobody_is_answered),
        TEST(what_comes_after_the_last_unsubscribe_is_not_sent),
        TEST(a_shard_that_comes_back_counts_on),
        TEST(further_subscribers_of_a_shard_change_nothing),
        TEST(an_epoch_is_of_one_tenure),
        TEST(presence_keeps_a_channel),
        TEST(channels_beyond_the_limit_are_refused),
        TEST(unsubscribing_from_nothing_is_nothing),
        TEST(a_joiner_is_answered_before_its_own_join),
        TEST(presence_counts_clients_and_users),
        TEST(presence_is_of_one_channel),
        TEST(a_list_stays_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
