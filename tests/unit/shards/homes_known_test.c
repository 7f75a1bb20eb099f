/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of publications when the home of their channel moves: what came before is known there. */
#include <stdio.h>

#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_moves_rig.h"

static void says(const char *channel, const char *key, uint32_t size)
{
    const struct publish_request request = {.channel = span_of_text(channel),
                                            .data = SPAN_LITERAL("1"),
                                            .idempotency_key = span_of_text(key)};
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
    rig_settle(&rig);
}

/* Publishes with a key: did it come before, and if so, where is it? */
static void is_said(const char *channel, const char *key, uint64_t epoch, uint64_t offset)
{
    says(channel, key, epoch == 0 ? 0 : 9);
    const struct message_published answer = kept(0);
    assert_int_equal(answer.suppressed, SUPPRESS_IDEMPOTENCY);
    assert_true(answer.epoch == epoch && answer.offset == offset);
}

static struct message_published is_new(const char *channel, const char *key, uint32_t size)
{
    says(channel, key, size);
    const struct message_published answer = kept(0);
    assert_int_equal(answer.suppressed, SUPPRESS_NONE);
    return answer;
}

static void has_home(void)
{
    map_says(HERE);
    slots_are_ready();
    routes_settled();
}

static void is_known(const struct channel_move *move, uint32_t at, const char *key,
                     const struct known_key *as)
{
    const struct known_page *page = known_page_of(move->known);
    assert_true(at < page->len);
    assert_true(span_equal(page->entries[at].key, span_of_text(key)));
    assert_int_equal(page->entries[at].offset, as->offset);
    assert_int_equal(page->entries[at].epoch, as->epoch);
    assert_int_equal(page->entries[at].ttl_ms, as->ttl_ms);
}

/* A piece of the channel "c" with one key, from another home. */
static uint32_t comes_with(const char *key, struct known_key known, uint32_t flags, uint64_t epoch)
{
    const struct span text = span_of_text(key);
    struct buf *page = known_page_make(1, text.len);
    assert_non_null(page);
    uint8_t *at = (uint8_t *)&known_page_of(page)->entries[1];
    memcpy(at, text.at, text.len);
    known.key = span_of(at, text.len);
    known_page_of(page)->entries[0] = known;
    const struct channel_move move = {
        .name = rig_text("c"),
        .epoch = epoch,
        .known = page,
        .offset = known.offset,
        .expires_in_s = TTL_S,
        .meta_ttl_s = META_TTL_S,
        .flags = flags,
    };
    const struct message_channel_move body = {.move = channel_move_make(&move)};
    assert_non_null(body.move);
    const struct message message = message_make_channel_move(12, &body);
    router_says(&message);
    const struct message answer = routes(MESSAGE_CHANNEL_TAKEN);
    return message_as_channel_taken(&answer).error;
}

static void keys_go_with_their_channel(void **state)
{
    (void)state;
    has_home();
    const uint64_t epoch = is_new("c", "k1", 9).epoch;
    rig_advance(&rig, 1000);
    assert_int_equal(is_new("c", "k2", 9).offset, 2);
    map_says(THERE);
    struct message sent;
    const struct channel_move *move = routes_piece(&sent);
    assert_int_equal(move->flags, WHOLE | CHANNEL_MOVE_STREAM);
    assert_int_equal(known_page_of(move->known)->len, 2);
    is_known(move, 0, "k1", &(struct known_key){SPAN_EMPTY, epoch, 1, IDEMPOTENCY_MS - 1000});
    is_known(move, 1, "k2", &(struct known_key){SPAN_EMPTY, epoch, 2, IDEMPOTENCY_MS});
    message_release(&sent);
    is_taken(&sent, 0);
    routes_settled();

    /* They are known there now, and here no more. */
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    (void)is_new("c", "k1", 9);
}

static void keys_stay_with_a_channel_that_was_not_taken(void **state)
{
    (void)state;
    has_home();
    const uint64_t epoch = is_new("c", "k1", 9).epoch;
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    is_said("c", "k1", epoch, 1); /* It goes on here until it is sent again. */
    (void)is_new("c", "k2", 9);
    rig_advance(&rig, HANDOVER_TICK_MS);
    turn();
    const struct channel_move *move = routes_piece(&sent);
    assert_int_equal(known_page_of(move->known)->len, 2);
    message_release(&sent);
    is_taken(&sent, 0);
    routes_settled();
}

static void keys_that_come_are_known(void **state)
{
    (void)state;
    has_home();
    const struct known_key known = {.epoch = 4711, .offset = 3, .ttl_ms = 1000};
    const uint32_t first = CHANNEL_MOVE_FIRST | CHANNEL_MOVE_STREAM;
    assert_int_equal(comes_with("k1", known, first, 4711), 0);
    assert_int_equal(comes_with("k2", known, CHANNEL_MOVE_LAST | CHANNEL_MOVE_STREAM, 4711), 0);
    is_said("c", "k1", 4711, 3);
    is_said("c", "k2", 4711, 3);
    rig_advance(&rig, 1000);
    assert_int_equal(is_new("c", "k2", 9).offset, 4); /* As long as they would have been there. */
}

static void keys_come_also_where_the_channel_may_not(void **state)
{
    (void)state;
    has_home();
    (void)is_new("c", "k1", 9);
    const struct known_key known = {.epoch = 4711, .offset = 3, .ttl_ms = 1000};
    assert_int_equal(comes_with("k2", known, WHOLE | CHANNEL_MOVE_STREAM, 4711),
                     CLIENT_ERROR_INTERNAL);
    is_said("c", "k2", 4711, 3);
}

static void keys_outlive_a_channel_that_nobody_wants(void **state)
{
    (void)state;
    has_home();
    (void)is_new("c", "k1", 0);
    (void)is_new("d", "k1", 0);
    map_says_of("c", THERE);
    struct message sent;
    const struct channel_move *move = routes_piece(&sent);
    assert_true(span_equal(span_of(move->name->bytes, move->name->len), SPAN_LITERAL("c")));
    assert_int_equal(move->flags, WHOLE | CHANNEL_MOVE_BARE);
    assert_int_equal(known_page_of(move->known)->len, 1);
    is_known(move, 0, "k1", &(struct known_key){SPAN_EMPTY, 0, 0, IDEMPOTENCY_MS});
    message_release(&sent);
    says("c", "k1", 0); /* It waits for the answer, and then goes there. */
    routes_nothing();
    is_taken(&sent, 0);
    const struct message publish = routes(MESSAGE_PUBLISH);
    message_release(&publish);
    assert_true(routes_missed("c") == false);
    is_noted("c");
    routes_settled();
    is_said("d", "k1", 0, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_GIVEN), 0);
}

static void a_bare_channel_that_may_stay_is_forgotten(void **state)
{
    (void)state;
    has_home();
    (void)is_new("c", "k1", 0);
    map_says_of("c", THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    map_says_of("c", HERE);
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    slots_are_ready();
    routes_settled();
    is_said("c", "k1", 0, 0);
    map_says(THERE);
    const struct channel_move *move = routes_piece(&sent);
    assert_int_equal(move->flags, WHOLE | CHANNEL_MOVE_BARE);
    message_release(&sent);
    is_taken(&sent, 0);
}

/* What was published with them was not heard here, and never will be. */
static void keys_come_to_a_channel_that_is_here(void **state)
{
    (void)state;
    has_home();
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const uint64_t epoch = subscribed(FOLLOWER, 0).newest.epoch;
    const struct known_key known = {.ttl_ms = IDEMPOTENCY_MS};
    assert_int_equal(comes_with("k1", known, WHOLE | CHANNEL_MOVE_BARE, 4711), 0);
    hears_moved(FOLLOWER);
    is_said("c", "k1", 0, 0);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    assert_true(subscribed(FOLLOWER, 0).sequence == 1); /* It sees that it has missed one. */
    assert_int_equal(comes_with("k1", known, WHOLE | CHANNEL_MOVE_BARE, 4711), 0);
    assert_true(is_new("c", "k2", 9).epoch == epoch);
    hears_offset(FOLLOWER, 2, 1);
    map_says(THERE);
    struct message sent;
    assert_int_equal(routes_piece(&sent)->known->len,
                     known_page_size(2, 4)); /* Not its own way, but of the channel. */
    assert_int_equal(comes_with("k3", known, WHOLE | CHANNEL_MOVE_BARE, 4711),
                     CLIENT_ERROR_TOO_MANY_REQUESTS);
    message_release(&sent);
    is_taken(&sent, 0);
    hears_moved(FOLLOWER);
}

static void many_keys_go_in_pieces(void **state)
{
    (void)state;
    enum { KEYS = 1000, KEY_LEN = 1000 };
    static_assert(KEYS * KEY_LEN > 3 * HANDOVER_PIECE_BYTES, "there are some pieces");
    static char key[KEY_LEN + 1];
    has_home();
    for (uint32_t i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof(key), "%0*u", KEY_LEN, i);
        (void)is_new("c", key, 9);
    }
    map_says(THERE);
    uint32_t came = 0;
    for (bool is_last = false; !is_last;) {
        struct message sent;
        const struct channel_move *move = routes_piece(&sent);
        const struct known_page *page = known_page_of(move->known);
        assert_true(move->known->len <= HANDOVER_PIECE_BYTES);
        for (uint64_t i = 0; i < page->len; i++) {
            (void)snprintf(key, sizeof(key), "%0*u", KEY_LEN, came++);
            assert_true(span_equal(page->entries[i].key, span_of_text(key)));
        }
        is_last = (move->flags & CHANNEL_MOVE_LAST) != 0;
        assert_int_equal(is_last, came == KEYS);
        message_release(&sent);
        is_taken(&sent, 0);
    }
    routes_settled();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(keys_go_with_their_channel),
        MOVES_TEST(keys_stay_with_a_channel_that_was_not_taken),
        MOVES_TEST(keys_that_come_are_known),
        MOVES_TEST(keys_come_also_where_the_channel_may_not),
        MOVES_TEST(keys_outlive_a_channel_that_nobody_wants),
        MOVES_TEST(a_bare_channel_that_may_stay_is_forgotten),
        MOVES_TEST(keys_come_to_a_channel_that_is_here),
        MOVES_TEST(many_keys_go_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
