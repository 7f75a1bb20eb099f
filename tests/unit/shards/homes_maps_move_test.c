/* SPDX-License-Identifier: Apache-2.0 */
/* Maps that move to another home, and what comes back from there: the keys, the time that each has
 * left, the stream and who is catching up. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/homes_maps.h"

enum { PIECES_MAX = 16 };

static void is_here(void)
{
    map_says(HERE);
    slots_are_ready();
    routes_settled();
}

/* Sends all of "c" away and lets it come back as it was sent; returns in how many pieces. */
static uint32_t goes_and_comes_back(void)
{
    struct message pieces[PIECES_MAX];
    uint32_t len = 0;
    bool is_last = false;
    map_says(THERE);
    while (!is_last) {
        assert_true(len < PIECES_MAX);
        is_last = (routes_piece(&pieces[len])->flags & CHANNEL_MOVE_LAST) != 0;
        is_taken(&pieces[len], 0);
        len++;
    }
    routes_settled();
    map_says(HERE);
    routes_settled();
    for (uint32_t i = 0; i < len; i++) {
        const struct message_channel_move body = message_as_channel_move(&pieces[i]);
        const struct message message = message_make_channel_move(12, &body);
        router_says(&message);
        const struct message answer = routes(MESSAGE_CHANNEL_TAKEN);
        assert_int_equal(message_as_channel_taken(&answer).error, 0);
    }
    slots_are_ready();
    return len;
}

static void a_map_moves_with_its_keys(void **state)
{
    (void)state;
    is_here();
    const struct message_published first = sets(recoverable, "b", "1");
    sets(recoverable, "a", "2");
    sets(recoverable, "x", "3");
    removes(recoverable, "x");
    passes(KEY_TTL_MS / 2);
    sets(recoverable, "c", "5");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_KEYS), 3);
    goes_and_comes_back();
    map_is("2:a=2 1:b=1 5:c=5");
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_KEYS), 3);
    is_brought((struct stream_position){3, first.epoch}, 10, "4:x- 5:c=5");
    /* Each for the time that it had left. */
    passes(KEY_TTL_MS / 2 + MAP_SWEEP_MS);
    map_is("5:c=5");
    rig_drop(&rig, LISTENER);
    passes(KEY_TTL_MS / 2 + MAP_SWEEP_MS);
    map_is("");
    rig_drop(&rig, LISTENER);
    assert_int_equal(asks(NULL, 0, 0, first.epoch).newest.offset, 8);
}

static void a_map_without_a_stream_goes_on(void **state)
{
    (void)state;
    is_here();
    const struct message_published first = sets(ephemeral, "a", "1");
    sets(ephemeral, "b", "2");
    removes(ephemeral, "a");
    const struct message_map_page page = asks(NULL, 0, 0, 0);
    goes_and_comes_back();
    map_is("2:b=2");
    assert_int_equal(asks(NULL, 0, 0, first.epoch).newest.offset, 3);
    is_brought(page.newest, 10, "");
    sets(ephemeral, "c", "4");
    rig_drop(&rig, LISTENER);
    is_brought(page.newest, 10, "4:c=4");
    /* What was removed there is not known here. */
    is_rejected((struct stream_position){2, first.epoch}, 10);
}

static void a_persistent_map_keeps_its_keys(void **state)
{
    (void)state;
    is_here();
    sets(persistent, "a", "1");
    (void)says(persistent, (struct word){.key = "b", .data = "2", .version = 7});
    sets(persistent, "b", "3");
    goes_and_comes_back();
    passes(2ull * META_TTL_S * 1000);
    map_is("1:a=1 3:b=3");
    const struct message_published again =
        says(persistent, (struct word){.key = "b", .data = "4", .version = 7});
    assert_int_equal(again.suppressed, SUPPRESS_VERSION);
}

static void a_large_map_goes_in_pieces(void **state)
{
    (void)state;
    enum { KEYS = 40 };
    static char large[20 * 1024];
    memset(large, '1', sizeof(large) - 1);
    is_here();
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "%02u", (i * 7) % KEYS);
        sets(ephemeral, key, large);
    }
    const uint64_t bytes = rig_counter(&rig, COUNTER_MAP_BYTES);
    assert_true(goes_and_comes_back() >= KEYS * sizeof(large) / HANDOVER_PIECE_BYTES);
    const struct message_map_page page = asks(NULL, 0, 0, 0);
    assert_true(page.keys == KEYS && page.newest.offset == KEYS);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_BYTES), bytes);
    struct message_map_page last = asks("38", 0, 10, page.newest.epoch);
    assert_int_equal(stream_page_of(last.page)->len, 1);
    stream_page_release(last.page);
    passes(KEY_TTL_MS + MAP_SWEEP_MS);
    assert_int_equal(asks(NULL, 0, 0, 0).keys, 0);
}

/* What was not taken goes on here with all its keys, and is sent from the first again. */
static void a_map_that_was_not_taken_stays_whole(void **state)
{
    (void)state;
    static const struct kind brief = {0, 2 * MAP_SWEEP_MS};
    is_here();
    sets(brief, "a", "1");
    sets(brief, "b", "2");
    map_says(THERE);
    struct message piece;
    (void)routes_piece(&piece);
    message_release(&piece);
    /* Nothing ends while it is on its way. */
    passes(2 * MAP_SWEEP_MS + MAP_SWEEP_MS / 2);
    assert_int_equal(rig_counter(&rig, COUNTER_MAP_KEYS), 2);
    is_taken(&piece, CLIENT_ERROR_TOO_MANY_REQUESTS);
    passes(HANDOVER_TICK_MS);
    turn();
    const struct channel_move *move = routes_piece(&piece);
    assert_int_equal(stream_page_of(move->page)->len, 2);
    assert_true((move->flags & CHANNEL_MOVE_KEYS) != 0);
    message_release(&piece);
    map_says(HERE);
    slots_are_ready();
    is_taken(&piece, CLIENT_ERROR_TOO_MANY_REQUESTS);
    routes_settled();
    passes(2 * MAP_SWEEP_MS);
    map_is("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(a_map_moves_with_its_keys),
        MOVES_TEST(a_map_without_a_stream_goes_on),
        MOVES_TEST(a_persistent_map_keeps_its_keys),
        MOVES_TEST(a_large_map_goes_in_pieces),
        MOVES_TEST(a_map_that_was_not_taken_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
