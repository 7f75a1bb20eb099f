/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that keep a history: offsets, what a subscriber is answered, what outlives whom, and
 * publications that come twice. */
#include <stdio.h>

#include "shards/channel/channel_stream.h"
#include "shards/channel/homes.h"
#include "shards/limits.h"
#include "tests/unit/shards/homes_rig.h"

enum { SIZE = 5, TTL_S = 60, META_TTL_S = 600, ASKER = 3 };
#define SUBSCRIBES_FLAGS \
    (SUBSCRIBE_POSITIONED | SUBSCRIBE_RECOVERABLE | FLAGS_PROTOCOL(CLIENT_JSON))

/* ---- what edges say and hear ---- */

struct once {
    const char *key;
    uint64_t version;
    const char *version_epoch;
};

static void says(const char *channel, const char *data, uint32_t size, struct once once)
{
    const struct publish_request request = {
        .channel = span_of_text(channel),
        .data = span_of_text(data),
        .idempotency_key = once.key == NULL ? SPAN_EMPTY : span_of_text(once.key),
        .version = once.version,
        .version_epoch = once.version_epoch == NULL ? SPAN_EMPTY : span_of_text(once.version_epoch),
    };
    const struct message_publish body = {
        .request = publish_request_make(&request),
        .cookie = 5,
        .origin = ORIGIN_API,
        .history_size = size,
        .history_ttl_s = TTL_S,
        .meta_ttl_s = META_TTL_S,
    };
    assert_non_null(body.request);
    assert_true(message_send_publish(rig.shard[ASKER].mailbox, RIG_HOME, 99, &body));
}

/* Publishes into a history of SIZE and returns the position that is answered. */
static struct stream_position keeps_once(const char *channel, const char *data, struct once once)
{
    says(channel, data, SIZE, once);
    rig_settle(&rig);
    const struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    const struct message_published body = message_as_published(&message);
    assert_int_equal(body.error, 0);
    return (struct stream_position){body.offset, body.epoch};
}

static struct stream_position keeps(const char *channel, const char *data)
{
    return keeps_once(channel, data, (struct once){0});
}

/* The data of the page's publications, joined; takes it over. "" for no page. */
static const char *page_text(struct buf *buf)
{
    static char text[256];
    text[0] = '\0';
    const struct stream_page *page = buf == NULL ? NULL : stream_page_of(buf);
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        const struct span data = publish_request_of(page->entries[i].request).data;
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%llu:%.*s", used == 0 ? "" : " ",
                       (unsigned long long)page->entries[i].offset, (int)data.len,
                       (const char *)data.at);
    }
    stream_page_release(buf);
    return text;
}

static struct message_subscribed subscribes_since(uint32_t edge, const char *channel,
                                                  uint32_t flags, struct stream_position since)
{
    const struct message_subscribe body = {
        .channel = rig_text(channel),
        .since = since,
        .subscription = 77,
        .flags = flags | SUBSCRIBES_FLAGS,
        .limit = 100,
        .bytes_max = 100000,
        .meta_ttl_s = META_TTL_S,
    };
    assert_true(message_send_subscribe(rig.shard[edge].mailbox, RIG_HOME, hub_of(edge), &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, edge, MESSAGE_SUBSCRIBED);
    const struct message_subscribed answer = message_as_subscribed(&message);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.since_offset, since.offset);
    assert_int_equal(answer.flags & 0xffff, body.flags);
    return answer;
}

static struct message_history reads(const char *channel, uint32_t flags,
                                    struct stream_position since, uint32_t limit)
{
    const struct message_history_ask body = {
        .channel = rig_text(channel),
        .since = since,
        .cookie = 8,
        .origin = ORIGIN_SESSION,
        .flags = flags,
        .limit = limit,
        .bytes_max = 100000,
        .meta_ttl_s = META_TTL_S,
    };
    assert_true(message_send_history_ask(rig.shard[ASKER].mailbox, RIG_HOME, 55, &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, ASKER, MESSAGE_HISTORY);
    const struct message_history answer = message_as_history(&message);
    assert_int_equal(message.handle, 55);
    assert_int_equal(answer.cookie, 8);
    assert_int_equal(answer.origin, ORIGIN_SESSION);
    return answer;
}

static struct stream_position anywhere(uint64_t offset)
{
    return (struct stream_position){offset, 0};
}

/* All that a channel keeps. */
static const char *kept(const char *channel)
{
    return page_text(reads(channel, 0, anywhere(0), 100).page);
}

/* ---- offsets ---- */

static void offsets_count_what_is_kept(void **state)
{
    (void)state;
    const uint64_t epoch = keeps("c", "1").epoch;
    assert_int_not_equal(epoch, 0);
    for (uint64_t offset = 2; offset <= 9; offset++) {
        char data[8];
        (void)snprintf(data, sizeof(data), "%u", (unsigned)offset);
        const struct stream_position position = keeps("c", data);
        assert_int_equal(position.offset, offset);
        assert_true(position.epoch == epoch);
    }
    assert_string_equal(kept("c"), "5:5 6:6 7:7 8:8 9:9");
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_PUBLICATIONS), SIZE);
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS), 1);
    assert_true(rig_counter(&rig, COUNTER_HISTORY_BYTES) > 0);
    /* Nobody is subscribed. */
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 0);
}

static void subscribers_see_the_offset_and_first_the_epoch(void **state)
{
    (void)state;
    const struct message_subscribed answer = subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0));
    assert_int_equal(answer.newest.offset, 0);
    char wanted[128];
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":7,\"offset\":1,"
                   "\"epoch\":\"%llu\"}}}",
                   (unsigned long long)answer.newest.epoch);
    for (uint64_t offset = 1; offset <= 2; offset++) {
        assert_int_equal(keeps("c", "7").offset, offset);
        const struct message message = rig_take(&rig, 1, MESSAGE_PUBLICATION);
        const struct message_publication body = message_as_publication(&message);
        assert_int_equal(body.offset, offset);
        assert_int_equal(body.sequence, offset);
        const char *json = offset == 1
                               ? wanted
                               : "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":7,\"offset\":2}}}";
        assert_frame(&body, json, strlen(json));
        buf_release(body.frames);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 1);
}

/* Skipped: delivered, but without a place in the stream. */
static void what_is_not_kept_has_no_offset(void **state)
{
    (void)state;
    const struct message_subscribed answer = subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0));
    keeps("c", "1");
    says("c", "2", 0, (struct once){0});
    rig_settle(&rig);
    const struct message published = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    assert_int_equal(message_as_published(&published).offset, 0);
    assert_int_equal(keeps("c", "3").offset, 2);
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        const struct message message = rig_take(&rig, 1, MESSAGE_PUBLICATION);
        const struct message_publication body = message_as_publication(&message);
        assert_int_equal(body.sequence, sequence);
        assert_int_equal(body.offset, sequence == 1 ? 1 : sequence == 2 ? 0 : 2);
        buf_release(body.frames);
    }
    assert_string_equal(kept("c"), "1:1 2:3");
    assert_true(reads("c", 0, anywhere(0), 0).newest.epoch == answer.newest.epoch);
}

/* A shard that has no room refuses it, and then it must not be in the history either. */
static void what_is_refused_is_not_kept(void **state)
{
    (void)state;
    subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0));
    keeps("c", "1");
    rig_drop(&rig, 1);
    (void)rig_fill(&rig, 1, HOME_ROOM_RESERVED);
    says("c", "2", SIZE, (struct once){.key = "k", .version = 9});
    rig_settle(&rig);
    struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    assert_int_equal(message_as_published(&message).error, CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig.is_stuck[1] = false;
    rig_settle(&rig);
    rig_drop(&rig, 1);
    assert_string_equal(kept("c"), "1:1");
    /* Neither its key nor its version was used up. */
    const struct once once = {.key = "k", .version = 9};
    assert_int_equal(keeps_once("c", "3", once).offset, 2);
    rig_drop(&rig, 1);
}

/* ---- recovery ---- */

static void recovery_brings_what_was_missed_or_nothing(void **state)
{
    (void)state;
    const uint64_t epoch = keeps("c", "1").epoch;
    for (uint32_t i = 2; i <= 7; i++) {
        char data[8];
        (void)snprintf(data, sizeof(data), "%u", i);
        keeps("c", data);
    }
    static const struct {
        uint64_t offset;
        uint64_t epoch_change;
        const char *page; /* NULL: not recovered. */
    } cases[] = {
        {7, 0, ""},   {6, 0, "7:7"}, {2, 0, "3:3 4:4 5:5 6:6 7:7"},
        {1, 0, NULL}, {0, 0, NULL},  {8, 0, NULL},
        {7, 2, NULL}, {6, 2, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_named = 0; is_named < 2; is_named++) {
            const struct stream_position since = {cases[i].offset,
                                                  is_named || cases[i].epoch_change != 0
                                                      ? epoch + cases[i].epoch_change
                                                      : 0};
            const struct message_subscribed answer =
                subscribes_since(1, "c",
                                 SUBSCRIBE_FIRST | SUBSCRIBE_RECOVER | SUBSCRIBE_REJECT_UNRECOVERED,
                                 since);
            const bool is_recovered = cases[i].page != NULL;
            assert_int_equal(answer.newest.offset, 7);
            assert_true(answer.newest.epoch == epoch);
            assert_int_equal((answer.flags & SUBSCRIBED_RECOVERED) != 0, is_recovered);
            assert_int_equal((answer.flags & SUBSCRIBED_REJECTED) != 0, !is_recovered);
            assert_string_equal(page_text(answer.page), is_recovered ? cases[i].page : "");
        }
    }
}

static void a_cache_brings_the_newest(void **state)
{
    (void)state;
    const uint32_t flags = SUBSCRIBE_RECOVER | SUBSCRIBE_CACHE | SUBSCRIBE_REJECT_UNRECOVERED;
    struct message_subscribed answer =
        subscribes_since(1, "c", SUBSCRIBE_FIRST | flags, anywhere(0));
    /* Nothing was ever published: that is nobody's state. */
    assert_int_equal(answer.flags & (SUBSCRIBED_RECOVERED | SUBSCRIBED_REJECTED), 0);
    const uint64_t epoch = answer.newest.epoch;
    keeps("c", "1");
    keeps("c", "2");
    rig_drop(&rig, 1);
    static const struct {
        uint64_t offset;
        bool is_named;
        const char *page;
    } cases[] = {{0, false, "2:2 1:1"},
                 {1, true, "2:2 1:1"},
                 {2, true, ""},
                 {2, false, "2:2 1:1"},
                 {9, true, "2:2 1:1"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct stream_position since = {cases[i].offset, cases[i].is_named ? epoch : 0};
        answer = subscribes_since(1, "c", flags, since);
        assert_true((answer.flags & SUBSCRIBED_RECOVERED) != 0);
        assert_string_equal(page_text(answer.page), cases[i].page);
    }
    assert_null(reads("c", HISTORY_REMOVE, anywhere(0), 0).page);
    answer = subscribes_since(1, "c", flags, anywhere(0));
    assert_int_equal(answer.flags & SUBSCRIBED_RECOVERED, 0);
    answer = subscribes_since(1, "c", flags, (struct stream_position){2, epoch});
    assert_true((answer.flags & SUBSCRIBED_RECOVERED) != 0);
}

/* Whatever the order of a publication and a subscribe, the answer and what follows it are each
 * publication once. */
static void publications_between_are_neither_lost_nor_doubled(void **state)
{
    (void)state;
    const uint64_t epoch = keeps("c", "1").epoch;
    for (uint32_t before = 0; before <= 3; before++) {
        for (uint32_t after = 0; after <= 3 - before; after++) {
            const struct stream_position since = reads("c", 0, anywhere(0), 0).newest;
            uint64_t expected = since.offset + 1;
            struct message_subscribe body = {
                .channel = rig_text("c"),
                .since = {since.offset, epoch},
                .subscription = 77,
                .flags = SUBSCRIBE_FIRST | SUBSCRIBE_RECOVER | SUBSCRIBES_FLAGS,
                .limit = 100,
                .bytes_max = 100000,
                .meta_ttl_s = META_TTL_S,
            };
            /* One shard says all of it, so that it arrives in this order. */
            for (uint32_t i = 0; i < before; i++) {
                says("c", "7", SIZE, (struct once){0});
            }
            assert_true(
                message_send_subscribe(rig.shard[ASKER].mailbox, RIG_HOME, hub_of(ASKER), &body));
            for (uint32_t i = 0; i < after; i++) {
                says("c", "7", SIZE, (struct once){0});
            }
            rig_settle(&rig);
            while (rig_left(&rig, ASKER) > 0) {
                const struct message *next = &rig.inbox[ASKER].messages[rig.inbox[ASKER].taken++];
                if (next->type == MESSAGE_SUBSCRIBED) {
                    const struct message_subscribed answer = message_as_subscribed(next);
                    assert_true((answer.flags & SUBSCRIBED_RECOVERED) != 0);
                    const struct stream_page *page =
                        answer.page == NULL ? NULL : stream_page_of(answer.page);
                    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
                        assert_int_equal(page->entries[i].offset, expected++);
                    }
                    assert_int_equal(answer.newest.offset, expected - 1);
                    stream_page_release(answer.page);
                } else if (next->type == MESSAGE_PUBLICATION) {
                    assert_int_equal(message_as_publication(next).offset, expected++);
                    buf_release(message_as_publication(next).frames);
                }
            }
            assert_int_equal(expected, since.offset + 1 + before + after);
            unsubscribes(ASKER, "c", UNSUBSCRIBE_LAST, NULL);
            rig_settle(&rig);
        }
    }
}

/* ---- time ---- */

static void a_quiet_channel_keeps_its_position_alone(void **state)
{
    (void)state;
    const uint64_t epoch = keeps("c", "1").epoch;
    rig_advance(&rig, TTL_S * 1000 - 1);
    keeps("c", "2");
    rig_advance(&rig, TTL_S * 1000 - 1);
    assert_string_equal(kept("c"), "1:1 2:2");
    rig_advance(&rig, 1);
    assert_string_equal(kept("c"), "");
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_BYTES), 0);
    struct message_history position = reads("c", 0, anywhere(0), 10);
    assert_int_equal(position.newest.offset, 2);
    assert_true(position.newest.epoch == epoch);
    /* Reading has put the end off. */
    rig_advance(&rig, META_TTL_S * 1000 - 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS), 1);
    rig_advance(&rig, 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS), 0);
    position = reads("c", 0, anywhere(0), 10);
    assert_int_equal(position.newest.offset, 0);
    assert_true(position.newest.epoch != epoch);
}

static void a_subscribed_channel_is_not_forgotten(void **state)
{
    (void)state;
    const uint64_t epoch = subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0)).newest.epoch;
    rig_advance(&rig, 10 * META_TTL_S * 1000);
    assert_true(keeps("c", "1").epoch == epoch);
    rig_drop(&rig, 1);
    rig_advance(&rig, META_TTL_S * 1000 - 1);
    unsubscribes(1, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_NUM_CHANNELS), 0);
    rig_advance(&rig, META_TTL_S * 1000 - 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS), 1);
    rig_advance(&rig, 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS), 0);
}

/* Somebody who comes back stops the clock. */
static void coming_back_keeps_the_channel(void **state)
{
    (void)state;
    const uint64_t epoch = subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0)).newest.epoch;
    unsubscribes(1, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    rig_advance(&rig, META_TTL_S * 1000 - 1);
    edge_joins(2, "c");
    rig_advance(&rig, META_TTL_S * 1000);
    assert_true(reads("c", 0, anywhere(0), 0).newest.epoch == epoch);
    unsubscribes(2, "c", UNSUBSCRIBE_LAST, NULL);
    rig_settle(&rig);
    rig_advance(&rig, META_TTL_S * 1000 - 1);
    assert_true(reads("c", 0, anywhere(0), 0).newest.epoch == epoch);
}

/* Positions of idle channels give way to channels that somebody wants. */
static void the_longest_idle_channel_gives_way(void **state)
{
    (void)state;
    char name[16];
    for (unsigned i = 0; i < CHANNELS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "c%u", i);
        keeps(name, "1");
    }
    reads("c0", 0, anywhere(0), 0); /* c1 is now the one that was left alone for longest. */
    edge_joins(1, "new");
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS_EVICTED), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HISTORY_STREAMS), CHANNELS_MAX - 1);
    assert_string_equal(kept("c0"), "1:1");
    assert_string_equal(kept("c2"), "1:1");
    assert_string_equal(kept("c1"), "");
    /* Where every channel is wanted there is no place. */
    for (unsigned i = 1; i < CHANNELS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "w%u", i);
        edge_joins(2, name);
    }
    says("more", "1", SIZE, (struct once){0});
    rig_settle(&rig);
    const struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    assert_int_equal(message_as_published(&message).error, CLIENT_ERROR_INTERNAL);
    assert_int_equal(reads("more", 0, anywhere(0), 0).error, CLIENT_ERROR_INTERNAL);
}

/* ---- once ---- */

static void a_key_is_published_once(void **state)
{
    (void)state;
    const struct once once = {.key = "k"};
    subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0));
    const struct stream_position first = keeps_once("c", "1", once);
    rig_advance(&rig, IDEMPOTENCY_MS - 1);
    const struct stream_position again = keeps_once("c", "2", once);
    assert_int_equal(again.offset, first.offset);
    assert_true(again.epoch == first.epoch);
    assert_int_equal(rig_drop(&rig, 1), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_SUPPRESSED_IDEMPOTENCY), 1);
    assert_int_equal(keeps_once("d", "1", once).offset, 1);
    rig_advance(&rig, 1);
    assert_int_equal(keeps_once("c", "3", once).offset, 2);
    assert_int_equal(rig_drop(&rig, 1), 1);
}

/* Also where there is no history, and nobody subscribed yet. */
static void a_key_needs_no_history(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        says("c", "1", 0, (struct once){.key = "k"});
        rig_settle(&rig);
        hears_published(ASKER, 0);
        if (i == 0) {
            edge_joins(1, "c");
        }
    }
    assert_int_equal(rig_left(&rig, 1), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_SUPPRESSED_IDEMPOTENCY), 1);
}

static void older_versions_are_suppressed(void **state)
{
    (void)state;
    subscribes_since(1, "c", SUBSCRIBE_FIRST, anywhere(0));
    assert_int_equal(keeps_once("c", "1", (struct once){.version = 5}).offset, 1);
    assert_int_equal(keeps_once("c", "2", (struct once){.version = 5}).offset, 1);
    assert_int_equal(keeps_once("c", "3", (struct once){.version = 4}).offset, 1);
    assert_int_equal(rig_counter(&rig, COUNTER_SUPPRESSED_VERSION), 2);
    const struct once other = {.version = 1, .version_epoch = "b"};
    assert_int_equal(keeps_once("c", "4", other).offset, 2);
    assert_int_equal(keeps_once("c", "5", other).offset, 2);
    assert_int_equal(keeps_once("c", "6", (struct once){.version = 2}).offset, 3);
    assert_int_equal(keeps("c", "7").offset, 4);
    assert_string_equal(kept("c"), "1:1 2:4 3:6 4:7");
    assert_int_equal(rig_drop(&rig, 1), 4);
}

/* ---- reading ---- */

static void a_history_is_read_in_both_directions(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        keeps("c", "7");
    }
    const uint64_t epoch = reads("c", 0, anywhere(0), 0).newest.epoch;
    const struct stream_position two = {2, epoch};
    assert_string_equal(page_text(reads("c", HISTORY_SINCE, two, 9).page), "3:7 4:7");
    assert_string_equal(page_text(reads("c", HISTORY_SINCE, two, 1).page), "3:7");
    assert_string_equal(page_text(reads("c", HISTORY_SINCE | HISTORY_REVERSE, two, 9).page), "1:7");
    const struct message_history foreign =
        reads("c", HISTORY_SINCE, (struct stream_position){2, epoch + 2}, 9);
    assert_int_equal(foreign.error, CLIENT_ERROR_UNRECOVERABLE_POSITION);
}

static void a_removed_history_leaves_its_position(void **state)
{
    (void)state;
    const uint64_t epoch = keeps("c", "1").epoch;
    const struct message_history removed = reads("c", HISTORY_REMOVE, anywhere(0), 0);
    assert_int_equal(removed.newest.offset, 1);
    assert_null(removed.page);
    assert_string_equal(kept("c"), "");
    const struct stream_position next = keeps("c", "2");
    assert_int_equal(next.offset, 2);
    assert_true(next.epoch == epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offsets_count_what_is_kept),
        TEST(subscribers_see_the_offset_and_first_the_epoch),
        TEST(what_is_not_kept_has_no_offset),
        TEST(what_is_refused_is_not_kept),
        TEST(recovery_brings_what_was_missed_or_nothing),
        TEST(a_cache_brings_the_newest),
        TEST(publications_between_are_neither_lost_nor_doubled),
        TEST(a_quiet_channel_keeps_its_position_alone),
        TEST(a_subscribed_channel_is_not_forgotten),
        TEST(coming_back_keeps_the_channel),
        TEST(the_longest_idle_channel_gives_way),
        TEST(a_key_is_published_once),
        TEST(a_key_needs_no_history),
        TEST(older_versions_are_suppressed),
        TEST(a_history_is_read_in_both_directions),
        TEST(a_removed_history_leaves_its_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
