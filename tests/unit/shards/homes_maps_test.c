/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that are maps: what is published with a key, read by pages, ends, is suppressed, does
 * not fit, and how whoever reads it while it changes misses nothing. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/homes_maps.h"

/* ---- keys and pages ---- */

static void a_map_has_the_newest_of_each_key(void **state)
{
    (void)state;
    const struct message_published first = sets(recoverable, "b", "1");
    assert_true(first.offset == 1 && first.epoch != 0);
    assert_int_equal(sets(recoverable, "a", "2").offset, 2);
    assert_int_equal(sets(recoverable, "b", "3").offset, 3);
    assert_int_equal(sets(recoverable, "c", "4").offset, 4);
    assert_int_equal(removes(recoverable, "c").offset, 5);
    map_is("2:a=2 3:b=3");
    const struct message_map_page answer = asks(NULL, 0, 0, first.epoch);
    assert_true(answer.keys == 2 && answer.is_more == 1 && answer.page == NULL);
    assert_true(answer.newest.offset == 5 && answer.newest.epoch == first.epoch);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_KEYS), 2);
}

static void pages_follow_each_other_while_the_map_changes(void **state)
{
    (void)state;
    const char *const keys[] = {"a", "b", "ba", "c", "d"};
    for (size_t i = 0; i < 5; i++) {
        sets(persistent, keys[i], "0");
    }
    struct message_map_page page = asks(NULL, 0, 2, 0);
    assert_true(page.is_more == 1 && page.keys == 5);
    assert_string_equal(page_text(page.page), "1:a=0 2:b=0");
    removes(persistent, "b");    /* The cursor itself, */
    sets(persistent, "aa", "1"); /* what would have been read, */
    sets(persistent, "bb", "1"); /* and what is to be. */
    page = asks("b", 0, 2, page.newest.epoch);
    assert_int_equal(page.is_more, 1);
    assert_string_equal(page_text(page.page), "3:ba=0 8:bb=1");
    page = asks("bb", 0, 2, page.newest.epoch);
    assert_int_equal(page.is_more, 0);
    assert_string_equal(page_text(page.page), "4:c=0 5:d=0");
    page = asks("d", 0, 2, 0);
    assert_true(page.is_more == 0 && page.page == NULL);
    page = asks("bb", MAP_ASK_KEY, 0, 0);
    assert_string_equal(page_text(page.page), "8:bb=1");
    page = asks("b", MAP_ASK_KEY, 0, 0);
    assert_true(page.error == 0 && page.page == NULL);
    page = asks(NULL, 0, 2, page.newest.epoch + 2);
    assert_true(page.error == CLIENT_ERROR_UNRECOVERABLE_POSITION && page.page == NULL);
}

static void a_page_is_never_empty_for_want_of_bytes(void **state)
{
    (void)state;
    sets(persistent, "a", "0");
    sets(persistent, "b", "0");
    const struct message_map_ask body = {.channel = rig_text("c"),
                                         .cookie = 6,
                                         .limit = 10,
                                         .bytes_max = 1,
                                         .meta_ttl_s = 60};
    assert_true(message_send_map_ask(rig.shard[ASKER].mailbox, RIG_HOME, 98, &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, ASKER, MESSAGE_MAP_PAGE);
    const struct message_map_page answer = message_as_map_page(&message);
    assert_int_equal(answer.is_more, 1);
    assert_string_equal(page_text(answer.page), "1:a=0");
}

static void what_nobody_published_is_an_empty_map(void **state)
{
    (void)state;
    const struct message_map_page page = asks(NULL, 0, 10, 0);
    assert_true(page.error == 0 && page.page == NULL && page.keys == 0);
    assert_true(page.newest.offset == 0 && page.newest.epoch != 0);
    is_brought(page.newest, 10, "");
    sets(ephemeral, "a", "1");
    rig_drop(&rig, LISTENER);
    is_brought(page.newest, 10, "1:a=1");
}

/* ---- suppression ---- */

static void publications_that_change_nothing_say_why(void **state)
{
    (void)state;
    const struct {
        struct word word;
        enum suppress_reason reason;
    } rows[] = {
        {{.key = "a", .data = "1", .mode = KEY_IF_EXISTS}, SUPPRESS_KEY_NOT_FOUND},
        {{.key = "a", .data = NULL}, SUPPRESS_KEY_NOT_FOUND},
        {{.key = "a", .data = "1", .mode = KEY_IF_NEW, .once = "o"}, SUPPRESS_NONE},
        {{.key = "a", .data = "1", .mode = KEY_IF_NEW, .once = "o"}, SUPPRESS_IDEMPOTENCY},
        {{.key = "a", .data = NULL, .once = "o"}, SUPPRESS_IDEMPOTENCY},
        {{.key = "a", .data = "2", .mode = KEY_IF_NEW}, SUPPRESS_KEY_EXISTS},
        {{.key = "a", .data = "2", .mode = KEY_IF_EXISTS, .version = 7}, SUPPRESS_NONE},
        {{.key = "a", .data = "3", .version = 7}, SUPPRESS_VERSION},
        {{.key = "a", .data = "3", .version = 6, .version_epoch = ""}, SUPPRESS_VERSION},
        {{.key = "b", .data = "3", .version = 6}, SUPPRESS_NONE},
        /* What says no version does not make the key forget the one that it had. */
        {{.key = "a", .data = "4"}, SUPPRESS_NONE},
        {{.key = "a", .data = "5", .version = 7}, SUPPRESS_VERSION},
        {{.key = "a", .data = "5", .version = 7, .version_epoch = "e"}, SUPPRESS_NONE},
        {{.key = "a", .data = "6", .version = 7, .version_epoch = "e"}, SUPPRESS_VERSION},
        {{.key = "a", .data = "6", .version = 8}, SUPPRESS_NONE},
    };
    uint64_t offset = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct message_published answer = says(persistent, rows[i].word);
        assert_int_equal(answer.error, 0);
        assert_int_equal(answer.suppressed, rows[i].reason);
        offset += rows[i].reason == SUPPRESS_NONE;
        if (rows[i].reason != SUPPRESS_IDEMPOTENCY && i > 1) {
            assert_int_equal(answer.offset, offset);
        }
    }
    map_is("6:a=6 3:b=3");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_SUPPRESSED_VERSION), 4);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_SUPPRESSED_KEY_EXISTS), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_SUPPRESSED_KEY_NOT_FOUND), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_SUPPRESSED_IDEMPOTENCY), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_REMOVE_SUPPRESSED_KEY_NOT_FOUND), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_REMOVE_SUPPRESSED_IDEMPOTENCY), 1);
}

/* ---- live ---- */

static void changes_are_told_as_they_come(void **state)
{
    (void)state;
    const struct message_subscribed live = goes_live(LISTENER, nowhere, 10);
    assert_int_equal(live.newest.offset, 0);
    char first[128];
    (void)snprintf(first, sizeof(first),
                   PUSH("\"data\":{\"x\":1},\"offset\":1,\"tags\":{\"t\":\"1\"},\"key\":\"k\","
                        "\"score\":-5,\"epoch\":\"%llu\""),
                   (unsigned long long)live.newest.epoch);
    says(persistent, (struct word){.key = "k",
                                   .data = "{\"x\":1}",
                                   .tags = "{\"t\":\"1\"}",
                                   .score = -5,
                                   .version = 3});
    listener_hears(1, first);
    removes(persistent, "k");
    listener_hears(2, PUSH("\"offset\":2,\"tags\":{\"t\":\"1\"},\"key\":\"k\",\"removed\":true"));
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_MAP_PUBLICATION), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_MAP_REMOVAL), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_SENT_PUBLICATION), 0);
}

static void clients_are_told_no_offset_of_a_map_without_a_stream(void **state)
{
    (void)state;
    goes_live(LISTENER, nowhere, 10);
    const struct message_published answer = sets(ephemeral, "k", "1");
    assert_true(answer.offset == 0 && answer.epoch != 0);
    listener_hears(1, PUSH("\"data\":1,\"key\":\"k\""));
    removes(ephemeral, "k");
    listener_hears(2, PUSH("\"key\":\"k\",\"removed\":true"));
}

static void a_stream_tells_each_change_since(void **state)
{
    (void)state;
    const struct message_published first = sets(recoverable, "a", "1");
    sets(recoverable, "a", "2");
    sets(recoverable, "b", "3");
    removes(recoverable, "a");
    const struct stream_position since = {.offset = 1, .epoch = first.epoch};
    is_brought(since, 10, "2:a=2 3:b=3 4:a-");
    is_rejected(since, 2);
    is_rejected((struct stream_position){.offset = 1, .epoch = first.epoch + 2}, 10);
    for (int i = 0; i < SIZE; i++) {
        sets(recoverable, "b", "4");
        rig_drop(&rig, LISTENER);
    }
    is_rejected(since, 1000);
}

static void without_a_stream_the_newest_changes_are_told(void **state)
{
    (void)state;
    sets(ephemeral, "a", "1");
    sets(ephemeral, "b", "1");
    sets(ephemeral, "c", "1");
    const struct message_map_page page = asks(NULL, 0, 2, 0);
    assert_string_equal(page_text(page.page), "1:a=1 2:b=1");
    sets(ephemeral, "a", "2");
    removes(ephemeral, "b");
    sets(ephemeral, "d", "3");
    sets(ephemeral, "a", "4");
    sets(ephemeral, "b", "5");
    is_brought(page.newest, 10, "5:b- 6:d=3 7:a=4 8:b=5");
    is_rejected(page.newest, 3);
    is_rejected((struct stream_position){.offset = 9, .epoch = page.newest.epoch}, 10);
    is_rejected((struct stream_position){.offset = 8, .epoch = page.newest.epoch + 2}, 10);
}

static void a_removal_is_known_for_a_while(void **state)
{
    (void)state;
    sets(ephemeral, "a", "1");
    sets(ephemeral, "b", "1");
    const struct message_map_page page = asks(NULL, 0, 0, 0);
    removes(ephemeral, "a");
    passes(MAP_REMOVED_MS - 1000);
    is_brought(page.newest, 10, "3:a-");
    passes(2 * MAP_SWEEP_MS);
    is_rejected(page.newest, 10);
    const struct stream_position later = {.offset = 3, .epoch = page.newest.epoch};
    is_brought(later, 10, "");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_KEYS), 1);
}

/* What a reader has of the keys "a" to "d": the first byte of each, 0 for none. */
enum { LETTERS = 4 };
static const char *const letters[LETTERS] = {"a", "b", "c", "d"};

/* Takes the page over; the last key of it, or NULL. */
static const char *notes(struct buf *buf, char have[LETTERS])
{
    const struct stream_page *page = buf == NULL ? NULL : stream_page_of(buf);
    const char *last = NULL;
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        const struct publish_request entry = publish_request_of(page->entries[i].request);
        last = letters[entry.key.at[0] - 'a'];
        have[entry.key.at[0] - 'a'] = entry.is_removed ? 0 : (char)entry.data.at[0];
    }
    stream_page_release(buf);
    return last;
}

/* Two pages, then live; before the step of that number the key changes. */
static void reads_while(const char *key, const char *data, uint32_t number)
{
    const struct word change = {.key = key, .data = data};
    struct stream_position frozen = nowhere;
    char have[LETTERS] = {0};
    char wanted[LETTERS] = {0};
    const char *cursor = NULL;
    for (uint32_t i = 0; i < LETTERS; i++) {
        (void)says(ephemeral, (struct word){.key = letters[i], .data = i == 2 ? NULL : "1"});
    }
    for (uint32_t step = 0; step < 2; step++) {
        if (step == number) {
            (void)says(ephemeral, change);
        }
        const struct message_map_page page = asks(cursor, 0, 2, frozen.epoch);
        frozen = step == 0 ? page.newest : frozen;
        cursor = notes(page.page, have);
    }
    if (number == 2) {
        (void)says(ephemeral, change);
    }
    const struct message_subscribed live = goes_live(LISTENER, frozen, 10);
    assert_true((live.flags & SUBSCRIBED_RECOVERED) != 0);
    (void)notes(live.page, have);
    unsubscribes(LISTENER, "c", UNSUBSCRIBE_LAST, NULL);
    (void)notes(asks(NULL, 0, 100, 0).page, wanted);
    assert_memory_equal(have, wanted, sizeof(wanted));
}

static void a_reader_of_a_changing_map_misses_nothing(void **state)
{
    (void)state;
    for (uint32_t step = 0; step < 3; step++) {
        for (uint32_t i = 0; i < LETTERS; i++) {
            reads_while(letters[i], NULL, step);
            reads_while(letters[i], "2", step);
        }
    }
}

/* ---- time ---- */

static void keys_end_after_their_time(void **state)
{
    (void)state;
    goes_live(LISTENER, nowhere, 10);
    sets(recoverable, "a", "1");
    passes(KEY_TTL_MS / 2);
    sets(recoverable, "b", "2");
    sets(recoverable, "p", "2");
    const struct message_published kept =
        says(recoverable, (struct word){.key = "p", .data = "3", .mode = KEY_KEEP});
    assert_true(kept.suppressed == SUPPRESS_KEY_EXISTS && kept.offset == 3);
    rig_drop(&rig, LISTENER);
    passes(KEY_TTL_MS / 2 - MAP_SWEEP_MS);
    assert_int_equal(rig_left(&rig, LISTENER), 0);
    passes(2 * MAP_SWEEP_MS);
    listener_hears(4, PUSH("\"offset\":4,\"key\":\"a\",\"removed\":true"));
    map_is("2:b=2 3:p=2");
    says(recoverable, (struct word){.key = "p", .data = "3", .mode = KEY_KEEP});
    passes(KEY_TTL_MS / 2);
    listener_hears(5, PUSH("\"offset\":5,\"key\":\"b\",\"removed\":true"));
    map_is("3:p=2");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_EXPIRED), 2);
    passes(KEY_TTL_MS);
    map_is("");
    rig_drop(&rig, LISTENER);
}

static void keys_of_a_persistent_map_stay(void **state)
{
    (void)state;
    const struct message_published first = sets(persistent, "a", "1");
    passes(2ull * META_TTL_S * 1000);
    map_is("1:a=1");
    assert_true(asks(NULL, 0, 0, first.epoch).error == 0);
    removes(persistent, "a");
    passes(2ull * META_TTL_S * 1000);
    assert_int_equal(asks(NULL, 0, 0, first.epoch).error, CLIENT_ERROR_UNRECOVERABLE_POSITION);
}

/* Channels that nobody needs make room for others: not one that has keys. */
static void a_map_with_keys_is_not_given_up(void **state)
{
    (void)state;
    const struct message_published first = sets(persistent, "a", "1");
    for (uint32_t i = 0; i < 2 * CHANNELS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "other%u", i);
        const struct message_map_ask body = {.channel = rig_text(name), .meta_ttl_s = 600};
        assert_true(message_send_map_ask(rig.shard[ASKER].mailbox, RIG_HOME, 98, &body));
        rig_settle(&rig);
        const struct message message = rig_take(&rig, ASKER, MESSAGE_MAP_PAGE);
        assert_int_equal(message_as_map_page(&message).error, 0);
    }
    assert_true(asks(NULL, 0, 0, first.epoch).error == 0);
    map_is("1:a=1");
}

/* A listener takes nothing: what ends waits until it does. */
static void a_key_ends_when_all_can_be_told(void **state)
{
    (void)state;
    goes_live(LISTENER, nowhere, 10);
    sets(recoverable, "a", "1");
    rig_drop(&rig, LISTENER);
    rig_fill(&rig, LISTENER, HOME_ROOM_RESERVED);
    passes(KEY_TTL_MS + 2 * MAP_SWEEP_MS);
    map_is("1:a=1");
    rig.is_stuck[LISTENER] = false;
    rig_settle(&rig);
    rig_drop(&rig, LISTENER);
    passes(2 * MAP_SWEEP_MS);
    listener_hears(2, PUSH("\"offset\":2,\"key\":\"a\",\"removed\":true"));
    map_is("");
}

/* ---- limits ---- */

static void keys_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    rig.options.map_max_keys = 2;
    sets(persistent, "a", "1");
    sets(persistent, "b", "1");
    const struct message_published refused =
        says(persistent, (struct word){.key = "c", .data = "1"});
    assert_int_equal(refused.error, CLIENT_ERROR_LIMIT_EXCEEDED);
    sets(persistent, "b", "2");
    removes(persistent, "a");
    sets(persistent, "c", "1");
    map_is("3:b=2 5:c=1");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_REFUSED_KEYS), 1);
}

static void bytes_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    static char large[4096];
    memset(large, '1', sizeof(large) - 1);
    rig.options.map_max_size = 8192;
    sets(persistent, "a", large);
    assert_int_equal(says(persistent, (struct word){.key = "b", .data = large}).error,
                     CLIENT_ERROR_LIMIT_EXCEEDED);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_REFUSED_SIZE), 1);
    sets(persistent, "a", large); /* In place of itself it fits. */
    sets(persistent, "b", "1");
    rig.options.map_max_size = 1 << 20;
    sets(persistent, "b", large);
    assert_true(rig_counter(&rig, COUNTER_MAP_BYTES) > 8192);
    removes(persistent, "a");
    removes(persistent, "b");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_BYTES), 0);
}

/* ---- the end ---- */

static void a_cleared_map_begins_anew(void **state)
{
    (void)state;
    const struct message_published first = sets(persistent, "a", "1");
    goes_live(LISTENER, (struct stream_position){1, first.epoch}, 10);
    const struct message_map_page cleared = asks(NULL, MAP_ASK_CLEAR, 0, 0);
    assert_true(cleared.error == 0 && cleared.page == NULL);
    const struct message message = rig_take(&rig, LISTENER, MESSAGE_MOVED);
    assert_int_equal(message.handle, hub_of(LISTENER));
    map_is("");
    assert_int_equal(asks(NULL, 0, 10, first.epoch).error, CLIENT_ERROR_UNRECOVERABLE_POSITION);
    assert_int_equal(sets(persistent, "a", "1").offset, 1);
    const struct word once = {.key = "b", .data = "1", .once = "o"};
    assert_int_equal(says(persistent, once).suppressed, SUPPRESS_NONE);
    assert_int_equal(says(persistent, once).suppressed, SUPPRESS_IDEMPOTENCY);
    assert_int_equal(asks(NULL, MAP_ASK_CLEAR, 0, 0).error, 0);
    assert_int_equal(says(persistent, once).suppressed, SUPPRESS_NONE);
    assert_int_equal(says(persistent, once).suppressed, SUPPRESS_IDEMPOTENCY);
    assert_int_equal(asks(NULL, MAP_ASK_CLEAR, 0, 0).error, 0);
    assert_int_equal(asks(NULL, MAP_ASK_CLEAR, 0, 0).error, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_map_has_the_newest_of_each_key),
        TEST(pages_follow_each_other_while_the_map_changes),
        TEST(a_page_is_never_empty_for_want_of_bytes),
        TEST(what_nobody_published_is_an_empty_map),
        TEST(publications_that_change_nothing_say_why),
        TEST(changes_are_told_as_they_come),
        TEST(clients_are_told_no_offset_of_a_map_without_a_stream),
        TEST(a_stream_tells_each_change_since),
        TEST(without_a_stream_the_newest_changes_are_told),
        TEST(a_removal_is_known_for_a_while),
        TEST(a_reader_of_a_changing_map_misses_nothing),
        TEST(keys_end_after_their_time),
        TEST(keys_of_a_persistent_map_stay),
        TEST(a_map_with_keys_is_not_given_up),
        TEST(a_key_ends_when_all_can_be_told),
        TEST(keys_beyond_the_limit_are_refused),
        TEST(bytes_beyond_the_limits_are_refused),
        TEST(a_cleared_map_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
