/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that move to another home and come from one: what is sent, what waits, what those who
 * follow are told, and when a channel begins anew. */
#include "shards/channel/homes.h"
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_rig.h"

enum { SIZE = 100, TTL_S = 60, META_TTL_S = 600, ASKER = 3, FOLLOWER = 4, HERE = 0, THERE = 1 };

static struct buf *placement_buf;

/* ---- the router ---- */

static struct mailbox *router(void)
{
    return mailbox_of(rig.matrix, EDGES);
}

static void turn(void)
{
    rig_settle(&rig);
    homes_on_turn_end(rig.home.homes);
    rig_settle(&rig);
}

/* A cluster of two, in which one of them has all the homes. */
static void map_says(uint16_t node)
{
    const uint64_t version = rig.home.placement == NULL ? 1 : rig.home.placement->version + 1;
    struct buf *buf =
        buf_create(sizeof(struct placement) + 2 * (uint32_t)sizeof(struct placement_member));
    assert_non_null(buf);
    struct placement *placement = (struct placement *)(void *)buf->bytes;
    memset(placement, 0, buf->len);
    placement->version = version;
    placement->nodes = 2;
    placement->members[0] = (struct placement_member){.shards = 1, .weight = 1};
    placement->members[1] = (struct placement_member){.shards = 1, .weight = 1};
    placement->members[1].uid.bytes[0] = 1;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        placement->node_of_slot[slot] = node;
    }
    const struct placement *before = rig.home.placement;
    rig.home.placement = placement;
    homes_on_placement(rig.home.homes, before);
    buf_release(placement_buf);
    placement_buf = buf;
    turn();
}

static void take_one(void *context, const struct message *message)
{
    *(struct message *)context = *message;
}

/* The next that the router gets. */
static struct message routes(enum message_type type)
{
    struct message message = {0};
    rig_settle(&rig);
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    assert_int_equal(mailbox_drain(router(), 1, take_one, &message), 1);
    assert_string_equal(message_type_name(message.type), message_type_name(type));
    return message;
}

static void routes_nothing(void)
{
    struct message message = {0};
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    assert_int_equal(mailbox_drain(router(), 1, take_one, &message), 0);
}

/* A piece on its way to the other home; the bufs are the test's. */
static struct channel_move *routes_piece(struct message *message)
{
    *message = routes(MESSAGE_CHANNEL_MOVE);
    return channel_move_of(message_as_channel_move(message).move);
}

static void router_says(const struct message *message)
{
    assert_true(mailbox_send(router(), RIG_HOME, message, MESSAGE_REPLY));
    mailbox_flush(router());
    turn();
}

static void is_taken(const struct message *piece, uint32_t error)
{
    const struct message_channel_taken body = {.error = error};
    const struct message message = message_make_channel_taken(piece->handle, &body);
    router_says(&message);
}

static void routes_settled(void)
{
    const struct message message = routes(MESSAGE_SLOTS_SETTLED);
    assert_int_equal(message_as_slots_settled(&message).version, rig.home.placement->version);
}

static void slots_are_ready(void)
{
    const struct message_slots_ready body = {.slots = buf_create(SLOT_SET_LEN)};
    assert_non_null(body.slots);
    memset(body.slots->bytes, 0xff, SLOT_SET_LEN);
    const struct message message = message_make_slots_ready(0, &body);
    router_says(&message);
}

/* ---- edges ---- */

static void keeps(const char *channel, const char *data)
{
    const struct publish_request request = {.channel = span_of_text(channel),
                                            .data = span_of_text(data)};
    const struct message_publish body = {
        .request = publish_request_make(&request),
        .cookie = 5,
        .origin = ORIGIN_API,
        .history_size = SIZE,
        .history_ttl_s = TTL_S,
        .meta_ttl_s = META_TTL_S,
    };
    assert_non_null(body.request);
    assert_true(message_send_publish(rig.shard[ASKER].mailbox, RIG_HOME, 99, &body));
    rig_settle(&rig);
}

static struct message_published kept(uint32_t error)
{
    const struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    const struct message_published body = message_as_published(&message);
    assert_int_equal(body.error, error);
    return body;
}

static void subscribes_with(uint32_t edge, const char *channel, uint32_t flags,
                            struct stream_position since)
{
    const struct message_subscribe body = {
        .channel = rig_text(channel),
        .since = since,
        .subscription = 77,
        .flags = flags | SUBSCRIBE_POSITIONED | FLAGS_PROTOCOL(CLIENT_JSON),
        .meta_ttl_s = META_TTL_S,
    };
    assert_true(message_send_subscribe(rig.shard[edge].mailbox, RIG_HOME, hub_of(edge), &body));
    rig_settle(&rig);
}

static struct message_subscribed subscribed(uint32_t edge, uint32_t error)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_SUBSCRIBED);
    const struct message_subscribed body = message_as_subscribed(&message);
    assert_int_equal(body.error, error);
    return body;
}

static void hears_offset(uint32_t edge, uint64_t sequence, uint64_t offset)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_PUBLICATION);
    const struct message_publication body = message_as_publication(&message);
    assert_int_equal(body.sequence, sequence);
    assert_int_equal(body.offset, offset);
    buf_release(body.frames);
}

static void hears_moved(uint32_t edge)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_MOVED);
    assert_int_equal(message.handle, hub_of(edge));
}

/* ---- a channel that others sent ---- */

static const struct stream_position nowhere;

static struct buf *page_of(uint64_t first, uint32_t len)
{
    struct buf *buf = len == 0 ? NULL : stream_page_make(len);
    for (uint32_t i = 0; i < len; i++) {
        const struct publish_request request = {.channel = SPAN_LITERAL("c"),
                                                .data = SPAN_LITERAL("1")};
        stream_page_of(buf)->entries[i] = (struct stream_page_entry){
            .request = publish_request_make(&request),
            .offset = first + i,
        };
    }
    return buf;
}

/* Takes over the page; returns what is answered. */
static uint32_t comes(uint32_t flags, uint64_t sequence, struct buf *page, uint64_t offset)
{
    const struct message_channel_move body = {.move = channel_move_make(&(struct channel_move){
                                                  .name = rig_text("c"),
                                                  .epoch = 4711,
                                                  .sequence = sequence,
                                                  .page = page,
                                                  .offset = offset,
                                                  .expires_in_s = TTL_S,
                                                  .meta_ttl_s = META_TTL_S,
                                                  .flags = flags | CHANNEL_MOVE_STREAM,
                                              })};
    assert_non_null(body.move);
    const struct message message = message_make_channel_move(12, &body);
    router_says(&message);
    const struct message answer = routes(MESSAGE_CHANNEL_TAKEN);
    assert_int_equal(answer.handle, 12);
    return message_as_channel_taken(&answer).error;
}

enum { WHOLE = CHANNEL_MOVE_FIRST | CHANNEL_MOVE_LAST };

/* ---- leaving ---- */

static int open_rig(void **state)
{
    placement_buf = NULL;
    return set_up(state);
}

static int close_rig(void **state)
{
    struct message message;
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    while (mailbox_drain(router(), 1, take_one, &message) > 0) {
        message_release(&message);
    }
    const int result = tear_down(state);
    buf_release(placement_buf);
    return result;
}

/* A channel "c" with a follower and a history of two. */
static uint64_t has_channel(void)
{
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const uint64_t epoch = subscribed(FOLLOWER, 0).newest.epoch;
    for (uint64_t i = 1; i <= 2; i++) {
        keeps("c", "1");
        assert_int_equal(kept(0).offset, i);
        hears_offset(FOLLOWER, i, i);
    }
    return epoch;
}

static void a_channel_is_sent_with_all_that_it_is(void **state)
{
    (void)state;
    const uint64_t epoch = has_channel();
    map_says(THERE);
    struct message sent;
    const struct channel_move *move = routes_piece(&sent);
    assert_true(span_equal(span_of(move->name->bytes, move->name->len), SPAN_LITERAL("c")));
    assert_true(move->epoch == epoch && move->sequence == 2 && move->offset == 2);
    assert_int_equal(move->flags, WHOLE | CHANNEL_MOVE_STREAM);
    assert_int_equal(stream_page_of(move->page)->len, 2);
    assert_int_equal(stream_page_of(move->page)->entries[1].offset, 2);
    assert_true(move->expires_in_s == TTL_S && move->meta_ttl_s == META_TTL_S);
    message_release(&sent);

    /* Nothing happens to it until that is answered; then what waits is asked there. */
    keeps("c", "3");
    subscribes_with(ASKER, "c", SUBSCRIBE_FIRST, nowhere);
    assert_int_equal(rig_left(&rig, ASKER), 0);
    routes_nothing();
    is_taken(&sent, 0);
    hears_moved(FOLLOWER);
    const struct message publish = routes(MESSAGE_PUBLISH);
    assert_int_equal(publish.from, ASKER);
    assert_int_equal(publish.handle, 99);
    message_release(&publish);
    const struct message subscribe = routes(MESSAGE_SUBSCRIBE);
    assert_int_equal(subscribe.from, ASKER);
    message_release(&subscribe);
    routes_settled();
    keeps("c", "4");
    const struct message later = routes(MESSAGE_PUBLISH);
    message_release(&later);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_GIVEN), 1);
}

static void what_was_not_taken_goes_on_and_is_sent_again(void **state)
{
    (void)state;
    has_channel();
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    keeps("c", "3");
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(kept(0).offset, 3);
    hears_offset(FOLLOWER, 3, 3);
    routes_nothing();
    rig_advance(&rig, HANDOVER_TICK_MS);
    turn();
    assert_int_equal(routes_piece(&sent)->sequence, 3);
    message_release(&sent);
    map_says(HERE);
    slots_are_ready();
    is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
    routes_settled();
    keeps("c", "4");
    assert_int_equal(kept(0).offset, 4);
    hears_offset(FOLLOWER, 4, 4);
}

static void what_may_have_been_taken_ends(void **state)
{
    (void)state;
    const uint64_t epoch = has_channel();
    map_says(THERE);
    struct message sent;
    (void)routes_piece(&sent);
    message_release(&sent);
    map_says(HERE);
    is_taken(&sent, CLIENT_ERROR_INTERNAL);
    hears_moved(FOLLOWER);
    routes_settled();
    slots_are_ready();
    keeps("c", "5");
    const struct message_published again = kept(0);
    assert_true(again.offset == 1 && again.epoch != epoch);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_FAILED), 1);
}

static void what_cannot_be_sent_in_time_ends(void **state)
{
    (void)state;
    has_channel();
    map_says(THERE);
    for (uint32_t ms = 0; ms <= HANDOVER_MS_MAX; ms += HANDOVER_TICK_MS) {
        struct message sent;
        (void)routes_piece(&sent);
        message_release(&sent);
        is_taken(&sent, CLIENT_ERROR_TOO_MANY_REQUESTS);
        assert_int_equal(rig_left(&rig, FOLLOWER), 0);
        rig_advance(&rig, HANDOVER_TICK_MS);
        turn();
        if (rig_left(&rig, FOLLOWER) > 0) {
            break;
        }
    }
    hears_moved(FOLLOWER);
    routes_settled();
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_LATE), 1);
}

static void a_long_history_goes_in_pieces(void **state)
{
    (void)state;
    enum { LEN = 100 * 1024, PIECES = 3 };
    map_says(HERE);
    slots_are_ready();
    routes_settled();
    char *data = calloc(1, LEN + 1);
    assert_non_null(data);
    memset(data, '7', LEN);
    for (uint64_t i = 1; i <= 2 * PIECES; i++) {
        keeps("c", data);
        assert_int_equal(kept(0).offset, i);
    }
    free(data);
    map_says(THERE);
    for (uint64_t i = 0; i < PIECES; i++) {
        struct message sent;
        const struct channel_move *move = routes_piece(&sent);
        assert_int_equal(stream_page_of(move->page)->len, 2);
        assert_int_equal(stream_page_of(move->page)->entries[0].offset, 2 * i + 1);
        assert_int_equal(move->flags & CHANNEL_MOVE_FIRST, i == 0 ? CHANNEL_MOVE_FIRST : 0);
        assert_int_equal(move->flags & CHANNEL_MOVE_LAST, i == 2 ? CHANNEL_MOVE_LAST : 0);
        message_release(&sent);
        routes_nothing();
        is_taken(&sent, 0);
    }
    routes_settled();
}

/* ---- coming ---- */

static void a_channel_that_comes_goes_on(void **state)
{
    (void)state;
    map_says(THERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), CLIENT_ERROR_TOO_MANY_REQUESTS);
    map_says(HERE);
    routes_settled();
    keeps("c", "4");
    assert_int_equal(rig_left(&rig, ASKER), 0);
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 2), 3), 0);
    assert_int_equal(rig_left(&rig, ASKER), 0);
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(3, 1), 3), 0);
    const struct message_published answer = kept(0);
    assert_true(answer.offset == 4 && answer.epoch == 4711);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const struct message_subscribed position = subscribed(FOLLOWER, 0);
    assert_true(position.sequence == 10 && position.newest.offset == 4);
    assert_true(position.newest.epoch == 4711);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_TAKEN), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 0);
}

static void pieces_have_to_follow_each_other(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(3, 1), 3), CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 2), 3), 0);
    /* Begun again from the first, and given up in the end. */
    assert_int_equal(comes(CHANNEL_MOVE_FIRST, 9, page_of(1, 2), 3), 0);
    slots_are_ready();
    keeps("c", "1");
    assert_int_equal(rig_left(&rig, ASKER), 0);
    rig_advance(&rig, HELD_MS_MAX);
    rig_settle(&rig);
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig_advance(&rig, HANDOVER_MS_MAX);
    keeps("c", "1");
    assert_int_equal(kept(0).offset, 1);
    assert_int_equal(comes(CHANNEL_MOVE_LAST, 9, page_of(3, 1), 3), CLIENT_ERROR_TOO_MANY_REQUESTS);
}

static void those_who_follow_are_told_what_came_meanwhile(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), 0);
    for (uint64_t offset = 4; offset <= 5; offset++) {
        keeps("c", "1");
        assert_int_equal(kept(0).offset, offset);
    }
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){10, 4711});
    const struct message_subscribed answer = subscribed(FOLLOWER, 0);
    assert_true(answer.sequence == 10 && answer.newest.offset == 4);
    hears_offset(FOLLOWER, 11, 5);
    keeps("c", "1");
    assert_int_equal(kept(0).offset, 6);
    hears_offset(FOLLOWER, 12, 6);

    /* One that had missed something there sees that its position is another. */
    subscribes_with(FOLLOWER + 1, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){8, 4711});
    assert_int_equal(subscribed(FOLLOWER + 1, 0).sequence, 12);
    subscribes_with(FOLLOWER + 2, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){9, 4712});
    assert_int_equal(subscribed(FOLLOWER + 2, 0).sequence, 12);

    /* And so does one that comes too late. */
    rig_advance(&rig, CATCH_UP_MS + HANDOVER_TICK_MS);
    subscribes_with(FOLLOWER + 3, "c", SUBSCRIBE_FIRST | SUBSCRIBE_AGAIN,
                    (struct stream_position){10, 4711});
    assert_int_equal(subscribed(FOLLOWER + 3, 0).sequence, 12);
}

static void a_channel_that_moves_on_takes_that_with_it(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    assert_int_equal(comes(WHOLE, 9, NULL, 3), 0);
    keeps("c", "1");
    assert_int_equal(kept(0).offset, 4);
    map_says(THERE);
    struct message sent;
    const struct channel_move *move = routes_piece(&sent);
    assert_null(move->told);
    message_release(&sent);
    is_taken(&sent, 0);
    move = routes_piece(&sent);
    assert_int_equal(move->flags & CHANNEL_MOVE_LAST, CHANNEL_MOVE_LAST);
    assert_int_equal(told_page_of(move->told)->len, 1);
    assert_int_equal(told_page_of(move->told)->entries[0].offset, 4);
    message_release(&sent);
    is_taken(&sent, 0);
    routes_settled();
}

static void what_is_at_home_twice_begins_anew(void **state)
{
    (void)state;
    const uint64_t epoch = has_channel();
    assert_int_equal(comes(WHOLE, 9, page_of(1, 3), 3), CLIENT_ERROR_INTERNAL);
    hears_moved(FOLLOWER);
    subscribes_with(FOLLOWER, "c", SUBSCRIBE_FIRST, nowhere);
    const struct message_subscribed answer = subscribed(FOLLOWER, 0);
    assert_true(answer.newest.epoch != epoch && answer.newest.epoch != 4711);
    assert_int_equal(rig_counter(&rig, COUNTER_HANDOVERS_REFUSED), 1);
}

/* ---- waiting ---- */

static void a_new_channel_waits_for_its_slot(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    keeps("new", "1");
    subscribes_with(ASKER, "new", SUBSCRIBE_FIRST, nowhere);
    asks_presence(ASKER, "new", 1);
    rig_settle(&rig);
    assert_int_equal(rig_left(&rig, ASKER), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 3);
    slots_are_ready();
    assert_int_equal(kept(0).offset, 1);
    assert_int_equal(subscribed(ASKER, 0).newest.offset, 1);
    (void)rig_take(&rig, ASKER, MESSAGE_PRESENCE);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 0);
}

/* The router may hear of a map before a shard does. */
static void who_leaves_while_it_waits_is_gone(void **state)
{
    (void)state;
    map_says(THERE);
    routes_settled();
    const struct message_subscribe first = {.channel = rig_text("new"), .flags = SUBSCRIBE_FIRST};
    const struct message_unsubscribe last = {.channel = rig_text("new"), .flags = UNSUBSCRIBE_LAST};
    assert_true(message_send_subscribe(router(), RIG_HOME, 5, &first));
    const struct message end = message_make_unsubscribe(5, &last);
    router_says(&end);
    rig_settle(&rig);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REQUESTS), 2);
    map_says(HERE);
    routes_settled();
    slots_are_ready();
    const struct message message = routes(MESSAGE_SUBSCRIBED);
    assert_int_equal(message_as_subscribed(&message).error, 0);
    keeps("new", "1");
    kept(0);
    routes_nothing();
}

static void it_does_not_wait_for_ever(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    keeps("new", "1");
    subscribes_with(ASKER, "new", SUBSCRIBE_FIRST, nowhere);
    asks_presence(ASKER, "new", 0);
    rig_settle(&rig);
    rig_advance(&rig, HELD_MS_MAX);
    rig_settle(&rig);
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    (void)subscribed(ASKER, CLIENT_ERROR_TOO_MANY_REQUESTS);
    const struct message presence = rig_take(&rig, ASKER, MESSAGE_PRESENCE);
    assert_int_equal(message_as_presence(&presence).error, CLIENT_ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(rig_counter(&rig, COUNTER_HELD_REFUSED), 3);
}

static void no_more_wait_than_may(void **state)
{
    (void)state;
    map_says(HERE);
    routes_settled();
    for (uint32_t i = 0; i < HELD_REQUESTS_MAX; i++) {
        keeps("new", "1");
    }
    assert_int_equal(rig_left(&rig, ASKER), 0);
    keeps("new", "1");
    kept(CLIENT_ERROR_TOO_MANY_REQUESTS);
    slots_are_ready();
    assert_int_equal(rig_drop(&rig, ASKER), HELD_REQUESTS_MAX);
}

#define HANDOVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDOVER_TEST(a_channel_is_sent_with_all_that_it_is),
        HANDOVER_TEST(what_was_not_taken_goes_on_and_is_sent_again),
        HANDOVER_TEST(what_may_have_been_taken_ends),
        HANDOVER_TEST(what_cannot_be_sent_in_time_ends),
        HANDOVER_TEST(a_long_history_goes_in_pieces),
        HANDOVER_TEST(a_channel_that_comes_goes_on),
        HANDOVER_TEST(pieces_have_to_follow_each_other),
        HANDOVER_TEST(those_who_follow_are_told_what_came_meanwhile),
        HANDOVER_TEST(a_channel_that_moves_on_takes_that_with_it),
        HANDOVER_TEST(what_is_at_home_twice_begins_anew),
        HANDOVER_TEST(a_new_channel_waits_for_its_slot),
        HANDOVER_TEST(who_leaves_while_it_waits_is_gone),
        HANDOVER_TEST(it_does_not_wait_for_ever),
        HANDOVER_TEST(no_more_wait_than_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
