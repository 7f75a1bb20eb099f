/* SPDX-License-Identifier: Apache-2.0 */
/* Slots that move between nodes: who is asked, who waits for how long, who answers when; and the
 * channels in them. */
#include <string.h>

#include "shards/limits.h"
#include "tests/unit/shards/relay_rig.h"

/* ---- what others wait for ---- */

static void node_asks_for_all_slots(uint8_t index)
{
    uint8_t all[SLOT_SET_LEN];
    memset(all, 0xff, sizeof(all));
    node_says(index, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_ASK},
              span_of(all, sizeof(all)));
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        const struct message message = shard_hears(shard, MESSAGE_USERS_WANTED);
        assert_memory_equal(message_as_users_wanted(&message).slots->bytes, all, SLOT_SET_LEN);
        message_release(&message);
    }
}

static void shard_settles(uint32_t shard, uint64_t version)
{
    const struct message_slots_settled body = {.version = version, .is_noted = true};
    assert_true(message_send_slots_settled(shards[shard].mailbox, ROUTER, 0, &body));
    settle();
}

static void node_hears_that_others_moved(uint8_t index)
{
    uint8_t own[SLOT_SET_LEN];
    slots_of(0, own);
    const struct sent *sent = node_hears(index, LINK_MESSAGE_SLOTS_MOVED);
    assert_int_equal(sent->payload_len, SLOT_SET_LEN);
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        assert_int_equal(sent->payload[i], (uint8_t)~own[i]);
    }
}

static void slots_are_given_up_when_all_shards_have(void **state)
{
    (void)state;
    node_asks_for_all_slots(1);
    shard_settles(0, 1);
    shard_settles(1, 1);
    nobody_hears_more();
    shard_settles(2, 1);
    node_hears_that_others_moved(1);
    node_asks_for_all_slots(2);
    node_hears_that_others_moved(2);
    nobody_hears_more();
}

static void an_older_map_settles_nothing(void **state)
{
    (void)state;
    make_placement(2, NODES);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        shard_settles(shard, 1);
    }
    node_asks_for_all_slots(1);
    nobody_hears_more();
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        shard_settles(shard, 2);
    }
    node_hears_that_others_moved(1);
    nobody_hears_more();
}

/* What it wants is asked for again in the next session. */
static void all_is_handed_over_when_nobody_wants_more(void **state)
{
    (void)state;
    assert_false(all_is_handed_over());
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        shard_settles(shard, 1);
    }
    assert_true(all_is_handed_over());
    node_asks_for_all_slots(1);
    node_hears_that_others_moved(1);
    assert_false(all_is_handed_over());
    link_down(1);
    assert_true(all_is_handed_over());
}

/* What it accepted beside is to be noted first. */
static void all_is_handed_over_when_that_is_noted(void **state)
{
    (void)state;
    const struct message_slots_settled body = {.version = 1};
    shard_settles(0, 1);
    shard_settles(1, 1);
    assert_true(message_send_slots_settled(shards[2].mailbox, ROUTER, 0, &body));
    settle();
    assert_false(all_is_handed_over());
    shard_settles(2, 1);
    assert_true(all_is_handed_over());
}

static void a_set_of_another_length_is_no_set(void **state)
{
    (void)state;
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_ASK}, SPAN_LITERAL("1"));
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_MOVED}, SPAN_LITERAL("1"));
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_MISSED}, SPAN_LITERAL("1"));
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_NOTED}, SPAN_LITERAL("1"));
    assert_int_equal(counted(COUNTER_RELAY_STALE), 4);
    nobody_hears_more();
}

/* ---- what no channel tells of ---- */

static void each_home_is_told_of_what_its_followers_missed(void **state)
{
    (void)state;
    uint8_t of[NODES][SLOT_SET_LEN];
    struct message_slots_missed body = {.slots = buf_create(MISSED_SLOTS_LEN)};
    assert_non_null(body.slots);
    memset(body.slots->bytes, 0xff, SLOT_SET_LEN);
    slots_of(2, body.slots->bytes + SLOT_SET_LEN);
    assert_true(message_send_slots_missed(shards[1].mailbox, ROUTER, 0, &body));
    settle();
    for (uint16_t node = 1; node < NODES; node++) {
        slots_of(node, of[node]);
    }
    for (uint32_t i = 1; i < NODES; i++) {
        const uint8_t node = (uint8_t)(tape[tape_heard].to - 1);
        const struct sent *sent = node_hears(node, LINK_MESSAGE_SLOTS_MISSED);
        assert_int_equal(sent->payload_len, MISSED_SLOTS_LEN);
        assert_memory_equal(sent->payload, of[node], SLOT_SET_LEN);
        for (uint32_t at = 0; at < SLOT_SET_LEN; at++) {
            assert_int_equal(sent->payload[SLOT_SET_LEN + at], node == 2 ? of[2][at] : 0);
        }
    }
    nobody_hears_more();
    node_says(2, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_NOTED},
              span_of(of[2], SLOT_SET_LEN));
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        const struct message message = shard_hears(shard, MESSAGE_SLOTS_NOTED);
        assert_memory_equal(message_as_slots_noted(&message).slots->bytes, of[2], SLOT_SET_LEN);
        message_release(&message);
    }
    nobody_hears_more();
}

static void who_tells_is_answered_when_a_shard_has_noted(void **state)
{
    (void)state;
    uint8_t sets[MISSED_SLOTS_LEN] = {5};
    uint32_t origin = 0;
    node_says(2, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_MISSED},
              span_of(sets, sizeof(sets)));
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        const struct message message = shard_hears(shard, MESSAGE_SLOTS_MISSED);
        origin = message_as_slots_missed(&message).origin;
        assert_memory_equal(message_as_slots_missed(&message).slots->bytes, sets, sizeof(sets));
        message_release(&message);
    }
    nobody_hears_more();
    const struct message_slots_noted body = {.slots = buf_copy(sets, SLOT_SET_LEN),
                                             .origin = origin};
    buf_share(body.slots, 1);
    assert_true(message_send_slots_noted(shards[1].mailbox, ROUTER, 0, &body));
    settle();
    const struct sent *sent = node_hears(2, LINK_MESSAGE_SLOTS_NOTED);
    assert_int_equal(sent->payload_len, SLOT_SET_LEN);
    assert_memory_equal(sent->payload, sets, SLOT_SET_LEN);
    /* In a session that is over, nobody waits for it. */
    link_down(2);
    assert_true(message_send_slots_noted(shards[1].mailbox, ROUTER, 0, &body));
    settle();
    nobody_hears_more();
}

/* ---- what this node waits for ---- */

/* A node that has come lately, and had met only one of the others. */
static void meets_the_third(void)
{
    make_placement(2, 2);
    node_hears_slots_asked(1);
    shards_hear_slots_ready();
    make_early_placement(3, NODES);
    node_hears_slots_asked(1);
    node_hears_slots_asked(2);
    nobody_hears_more();
}

static uint32_t own_slots(void)
{
    uint8_t own[SLOT_SET_LEN];
    uint32_t len = 0;
    slots_of(0, own);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        len += slot_set_has(own, slot);
    }
    return len;
}

static void whoever_is_met_early_is_waited_for(void **state)
{
    (void)state;
    meets_the_third();
    assert_int_equal(counted(COUNTER_SLOTS_AWAITED), own_slots());
    node_says_slots_moved(2);
    nobody_hears_more();
    node_says_slots_moved(1);
    shards_hear_slots_ready();
    assert_int_equal(counted(COUNTER_SLOTS_AWAITED), 0);
    nobody_hears_more();
    make_early_placement(4, NODES); /* Nobody is new. */
    nobody_hears_more();
}

static void nobody_is_waited_for_for_ever(void **state)
{
    (void)state;
    meets_the_third();
    node_says_slots_moved(1);
    time_passes(HANDOVER_MS_MAX - TICK_MS);
    nobody_hears_more();
    time_passes(100);
    shards_hear_slots_ready();
    assert_int_equal(counted(COUNTER_SLOTS_LATE), own_slots());
    node_says_slots_moved(2);
    nobody_hears_more();
}

static void a_new_session_is_asked_again(void **state)
{
    (void)state;
    meets_the_third();
    link_down(2);
    link_up(2);
    settle();
    node_hears_slots_asked(2);
    node_says_slots_moved(1);
    node_says_slots_moved(2);
    shards_hear_slots_ready();
    nobody_hears_more();
}

static void who_leaves_the_map_is_not_waited_for(void **state)
{
    (void)state;
    meets_the_third();
    node_says_slots_moved(1);
    nobody_hears_more();
    make_placement(4, 2);
    node_hears_slots_asked(1);
    uint8_t own[SLOT_SET_LEN];
    slots_of(0, own);
    shards_hear_ready(own);
    nobody_hears_more();
}

/* ---- who is about to leave ---- */

static void node_1_leaves(void)
{
    leaving = 1;
    make_placement(2, NODES);
    node_hears_slots_asked(1);
    node_hears_slots_asked(2);
}

static void node_1_has_left(void)
{
    uint8_t all[SLOT_SET_LEN];
    memset(all, 0xff, sizeof(all));
    node_says(1, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_MOVED, .flags = 1},
              span_of(all, sizeof(all)));
}

static void who_dies_before_it_has_left_was_a_home(void **state)
{
    (void)state;
    node_1_leaves();
    node_says_slots_moved(1); /* Of these; what it accepted in others may not be passed on. */
    shards_hear_slots_ready();
    gone_was_home = false;
    link_down(1);
    settle();
    assert_true(gone_was_home);
}

static void who_has_left_was_none(void **state)
{
    (void)state;
    node_1_leaves();
    node_1_has_left();
    shards_hear_slots_ready();
    gone_was_home = true;
    link_down(1);
    settle();
    assert_false(gone_was_home);
    link_up(1);
    make_placement(3, NODES); /* It stays so. */
    link_down(1);
    settle();
    assert_false(gone_was_home);
}

static void nodes_hear_that_all_has_left(void)
{
    for (uint8_t node = 1; node < NODES; node++) {
        const struct sent *sent = node_hears(node, LINK_MESSAGE_SLOTS_MOVED);
        assert_int_equal(sent->message.flags, 1);
        assert_int_equal(sent->payload_len, SLOT_SET_LEN);
    }
}

static void all_are_told_once_that_all_has_left(void **state)
{
    (void)state;
    leaving = 0;
    make_placement(2, NODES);
    shard_settles(0, 2);
    shard_settles(1, 2);
    nobody_hears_more();
    shard_settles(2, 2);
    nodes_hear_that_all_has_left();
    make_placement(3, NODES);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        shard_settles(shard, 3);
    }
    nobody_hears_more();
    link_down(2);
    link_up(2);
    assert_int_equal(node_hears(2, LINK_MESSAGE_SLOTS_MOVED)->message.flags, 1);
    nobody_hears_more();
}

/* ---- channels ---- */

static void shard_moves(uint32_t shard, const char *channel, uint32_t handle)
{
    const struct channel_move move = {.name = text(channel),
                                      .epoch = 4711,
                                      .sequence = 9,
                                      .flags = CHANNEL_MOVE_FIRST | CHANNEL_MOVE_LAST};
    const struct message_channel_move body = {.move = channel_move_make(&move)};
    assert_non_null(body.move);
    assert_true(message_send_channel_move(shards[shard].mailbox, ROUTER, handle, &body));
    settle();
}

static void shard_hears_taken(uint32_t shard, uint32_t handle, uint32_t error)
{
    const struct message message = shard_hears(shard, MESSAGE_CHANNEL_TAKEN);
    assert_int_equal(message.handle, handle);
    assert_int_equal(message_as_channel_taken(&message).error, error);
}

static void a_channel_is_sent_to_its_home(void **state)
{
    (void)state;
    const char *channel = name_at(1, 0);
    shard_moves(2, channel, 7);
    const struct sent *sent = node_hears(1, LINK_MESSAGE_CHANNEL_MOVE);
    assert_true(span_equal(sent->message.name, span_of_text(channel)));
    assert_true(sent->message.epoch == 4711 && sent->message.sequence == 9);
    assert_int_equal(sent->message.flags, CHANNEL_MOVE_FIRST | CHANNEL_MOVE_LAST);
    const struct link_message answer = {.kind = LINK_MESSAGE_CHANNEL_TAKEN,
                                        .cookie = sent->message.cookie};
    node_says(2, &answer, SPAN_EMPTY); /* Not its to say. */
    nobody_hears_more();
    node_says(1, &answer, SPAN_EMPTY);
    shard_hears_taken(2, 7, 0);
    nobody_hears_more();
}

/* Keys of publications as they are on their way to node 0, and back: true if a shard gets them. */
static bool known_come(const char *channel, uint32_t keys, uint32_t key_len)
{
    static uint8_t payload[3 * HANDOVER_PIECE_BYTES];
    static uint8_t key[2048];
    struct writer out = writer_of(payload, sizeof(payload));
    memset(key, 'k', sizeof(key));
    for (uint32_t i = 0; i < keys; i++) {
        const struct link_known known = {span_of(key, key_len), i, 4711, 9};
        link_put_known(&out, &known);
    }
    assert_int_equal(out.overflow, 0);
    node_says(1,
              &(struct link_message){.kind = LINK_MESSAGE_CHANNEL_MOVE,
                                     .cookie = 50,
                                     .epoch = 4711,
                                     .flags = CHANNEL_MOVE_FIRST,
                                     .name = span_of_text(channel)},
              writer_written(&out));
    const uint32_t shard = home_of(channel).shard;
    if (tape_heard < tape_len) {
        const uint32_t error = node_hears(1, LINK_MESSAGE_CHANNEL_TAKEN)->message.error;
        assert_int_equal(error, CLIENT_ERROR_TOO_MANY_REQUESTS);
        return false;
    }
    const struct message message = shard_hears(shard, MESSAGE_CHANNEL_MOVE);
    const struct channel_move *move = channel_move_of(message_as_channel_move(&message).move);
    const struct known_page *page = known_page_of(move->known);
    assert_int_equal(page->len, keys);
    for (uint32_t i = 0; i < keys; i++) {
        assert_true(span_equal(page->entries[i].key, span_of(key, key_len)));
        assert_true(page->entries[i].offset == i && page->entries[i].epoch == 4711);
        assert_int_equal(page->entries[i].ttl_ms, 9);
    }
    message_release(&message);
    return true;
}

static void keys_of_publications_come_with_a_channel(void **state)
{
    (void)state;
    const uint32_t most = (uint32_t)((HANDOVER_PIECE_BYTES - known_page_size(0, 0)) /
                                     (known_page_size(1, 1) - known_page_size(0, 0)));
    assert_true(known_come(name_at(0, 0), 2, 36));
    assert_true(known_come(name_at(0, 0), 1, LINK_MESSAGE_KEY_LEN_MAX));
    assert_true(known_come(name_at(0, 0), most, 1));
    assert_false(known_come(name_at(0, 0), most + 1, 1));
    assert_false(known_come(name_at(0, 0), 1, LINK_MESSAGE_KEY_LEN_MAX + 1));
    assert_false(known_come(name_at(0, 0), 1, 0));
}

static void keys_of_publications_go_with_a_channel(void **state)
{
    (void)state;
    struct buf *page = known_page_make(1, 4);
    assert_non_null(page);
    uint8_t *at = (uint8_t *)&known_page_of(page)->entries[1];
    memcpy(at, "once", 4);
    known_page_of(page)->entries[0] = (struct known_key){span_of(at, 4), 4711, 5, 1000};
    const struct channel_move move = {.name = text(name_at(1, 0)),
                                      .known = page,
                                      .flags = CHANNEL_MOVE_FIRST | CHANNEL_MOVE_BARE};
    const struct message_channel_move body = {.move = channel_move_make(&move)};
    assert_non_null(body.move);
    assert_true(message_send_channel_move(shards[0].mailbox, ROUTER, 7, &body));
    settle();
    const struct sent *sent = node_hears(1, LINK_MESSAGE_CHANNEL_MOVE);
    struct span rest = span_of(sent->payload, sent->payload_len);
    struct link_known known;
    assert_int_equal(sent->message.flags, CHANNEL_MOVE_FIRST | CHANNEL_MOVE_BARE);
    assert_int_equal(link_next_known(&rest, &known), LINK_MESSAGE_OK);
    assert_true(span_equal(known.idempotency_key, SPAN_LITERAL("once")));
    assert_true(known.offset == 5 && known.epoch == 4711 && known.ttl_ms == 1000);
    assert_int_equal(link_next_known(&rest, &known), LINK_MESSAGE_DONE);
}

/* 111 is certain, so that the channel goes on where it is; 100 is not. */
static void a_channel_that_is_not_taken_says_so(void **state)
{
    (void)state;
    const char *channel = name_at(1, 0);
    shard_moves(0, name_at(0, 0), 6); /* It is at home on this node. */
    shard_hears_taken(0, 6, CLIENT_ERROR_TOO_MANY_REQUESTS);
    wire_is_full = true;
    shard_moves(0, channel, 7);
    shard_hears_taken(0, 7, CLIENT_ERROR_TOO_MANY_REQUESTS);
    wire_is_full = false;
    shard_moves(0, channel, 8);
    (void)node_hears(1, LINK_MESSAGE_CHANNEL_MOVE);
    /* Whoever is slow answers in the end, or its link goes down. */
    time_passes(4 * RELAY_ASK_MS_MAX);
    nobody_hears_more();
    link_down(1);
    shard_hears_taken(0, 8, CLIENT_ERROR_INTERNAL);
    shard_moves(0, channel, 9);
    shard_hears_taken(0, 9, CLIENT_ERROR_TOO_MANY_REQUESTS);
    nobody_hears_more();
}

static void node_moves(uint8_t index, const char *channel, uint32_t hops)
{
    node_says(index,
              &(struct link_message){.kind = LINK_MESSAGE_CHANNEL_MOVE,
                                     .cookie = 50,
                                     .hops = hops,
                                     .epoch = 4711,
                                     .sequence = 9,
                                     .flags = CHANNEL_MOVE_FIRST | CHANNEL_MOVE_LAST,
                                     .name = span_of_text(channel)},
              SPAN_EMPTY);
}

static void a_channel_comes_to_its_home(void **state)
{
    (void)state;
    const char *channel = name_at(0, 0);
    const uint32_t shard = home_of(channel).shard;
    node_moves(1, channel, 0);
    const struct message message = shard_hears(shard, MESSAGE_CHANNEL_MOVE);
    const struct channel_move *move = channel_move_of(message_as_channel_move(&message).move);
    assert_true(move->epoch == 4711 && move->sequence == 9 && move->page == NULL);
    const struct message_channel_taken body = {.error = 0};
    assert_true(message_send_channel_taken(shards[shard].mailbox, ROUTER, message.handle, &body));
    message_release(&message);
    settle();
    const struct sent *sent = node_hears(1, LINK_MESSAGE_CHANNEL_TAKEN);
    assert_int_equal(sent->message.cookie, 50);
    assert_int_equal(sent->message.error, 0);

    /* It is never passed on: an order must not be at two homes on the way. */
    node_moves(1, name_at(2, 0), 0);
    assert_int_equal(node_hears(1, LINK_MESSAGE_CHANNEL_TAKEN)->message.error,
                     CLIENT_ERROR_TOO_MANY_REQUESTS);
    nobody_hears_more();
}

static void whoever_hands_over_is_waited_for(void **state)
{
    (void)state;
    meets_the_third();
    node_says_slots_moved(1);
    for (uint32_t i = 0; i < 3; i++) {
        time_passes(HANDOVER_MS_MAX - TICK_MS);
        nobody_hears_more();
        node_moves(2, name_at(1, 0), 0); /* Not for here: it is at work all the same. */
        (void)node_hears(2, LINK_MESSAGE_CHANNEL_TAKEN);
    }
    time_passes(HANDOVER_MS_MAX);
    shards_hear_slots_ready();
    assert_int_equal(counted(COUNTER_SLOTS_LATE), own_slots());
    nobody_hears_more();
}

/* Nobody was heard while this node did not run. */
static void a_stall_is_held_against_nobody(void **state)
{
    (void)state;
    meets_the_third();
    node_says_slots_moved(1);
    time_passes(HANDOVER_MS_MAX / 2);
    shards[ROUTER].now_ms += 2 * HANDOVER_MS_MAX;
    shards[ROUTER].stalled_ms += 2 * HANDOVER_MS_MAX;
    time_passes(HANDOVER_MS_MAX / 2 - TICK_MS);
    nobody_hears_more();
    time_passes(100);
    shards_hear_slots_ready();
    nobody_hears_more();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_are_given_up_when_all_shards_have),
        TEST(an_older_map_settles_nothing),
        TEST(all_is_handed_over_when_nobody_wants_more),
        TEST(all_is_handed_over_when_that_is_noted),
        TEST(a_set_of_another_length_is_no_set),
        TEST(each_home_is_told_of_what_its_followers_missed),
        TEST(who_tells_is_answered_when_a_shard_has_noted),
        TEST(whoever_is_met_early_is_waited_for),
        TEST(nobody_is_waited_for_for_ever),
        TEST(a_new_session_is_asked_again),
        TEST(who_leaves_the_map_is_not_waited_for),
        TEST(a_channel_is_sent_to_its_home),
        TEST(a_channel_that_is_not_taken_says_so),
        TEST(who_dies_before_it_has_left_was_a_home),
        TEST(who_has_left_was_none),
        TEST(all_are_told_once_that_all_has_left),
        TEST(keys_of_publications_come_with_a_channel),
        TEST(keys_of_publications_go_with_a_channel),
        TEST(a_channel_comes_to_its_home),
        TEST(whoever_hands_over_is_waited_for),
        TEST(a_stall_is_held_against_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
