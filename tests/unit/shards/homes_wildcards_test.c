/* SPDX-License-Identifier: Apache-2.0 */
/* Publications that are passed on to wildcards: by the home of the channel in which they were made,
 * to the home of the wildcard, and what becomes of those that are lost on the way. */
#include "codec/client.h"
#include "shards/channel/homes.h"
#include "shards/limits.h"
#include "shards/router/placement.h"
#include "tests/unit/shards/homes_rig.h"

enum { SIZE = 100, TTL_S = 60, META_TTL_S = 600, ASKER = 3, LISTENER = 4, DEPTH = 3 };
enum { HERE = 0, THERE = 1, NODES = 2 };

static struct buf *placement_buf;
static struct pass last_pass; /* Of routes_pass; without its name. */
static uint32_t last_flags;

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

/* A cluster in which these names are at home at that node, and all others are here. */
static void map_says(const char *const names[], uint16_t node)
{
    const uint64_t version = rig.home.placement == NULL ? 1 : rig.home.placement->version + 1;
    struct buf *buf =
        buf_create(sizeof(struct placement) + NODES * (uint32_t)sizeof(struct placement_member));
    assert_non_null(buf);
    struct placement *placement = (struct placement *)(void *)buf->bytes;
    memset(placement, 0, buf->len);
    placement->version = version;
    placement->nodes = NODES;
    for (uint8_t i = 0; i < NODES; i++) {
        placement->members[i] = (struct placement_member){.shards = 1, .weight = 1};
        placement->members[i].uid.bytes[0] = i;
    }
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        placement->node_of_slot[placement_slot_of(span_of_text(names[i]))] = node;
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

static struct message routes(enum message_type type)
{
    struct message message = {0};
    turn();
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    assert_int_equal(mailbox_drain(router(), 1, take_one, &message), 1);
    assert_string_equal(message_type_name(message.type), message_type_name(type));
    return message;
}

static void routes_nothing(void)
{
    struct message message = {0};
    turn();
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    assert_int_equal(mailbox_drain(router(), 1, take_one, &message), 0);
}

static void router_says(const struct message *message)
{
    assert_true(mailbox_send(router(), RIG_HOME, message, MESSAGE_REPLY));
    mailbox_flush(router());
    turn();
}

/* One that is passed on to a home elsewhere: what it is made of must be this, and it is given back.
 */
static struct message routes_pass(const char *wildcard, const char *data)
{
    const struct message message = routes(MESSAGE_PASS_ON);
    const struct message_pass_on body = message_as_pass_on(&message);
    last_pass = pass_of(body.pass);
    last_flags = body.flags;
    assert_true(span_equal(last_pass.wildcard, span_of_text(wildcard)));
    last_pass.wildcard = SPAN_EMPTY;
    if (data == NULL) {
        assert_null(body.request);
    } else {
        assert_non_null(body.request);
        assert_true(span_equal(publish_request_of(body.request).data, span_of_text(data)));
        assert_true(publish_request_of(body.request).is_passed_on);
    }
    message_release(&message);
    return message;
}

static void is_answered(const struct message *pass, uint32_t error)
{
    const struct message_passed_on body = {.error = error};
    const struct message message = message_make_passed_on(pass->handle, &body);
    router_says(&message);
}

/* ---- edges ---- */

struct what {
    const char *tags;
    const char *key;
    uint64_t version;
    uint32_t history_size;
};

static void publishes_what(const char *channel, const char *data, const struct what *what)
{
    const struct publish_request request = {
        .channel = span_of_text(channel),
        .data = span_of_text(data),
        .tags = span_of_text(what->tags == NULL ? "" : what->tags),
        .idempotency_key = span_of_text(what->key == NULL ? "" : what->key),
        .version = what->version,
        .wants_delta = true,
    };
    const struct message_publish body = {
        .request = publish_request_make(&request),
        .cookie = 5,
        .origin = ORIGIN_API,
        .history_size = what->history_size,
        .history_ttl_s = TTL_S,
        .meta_ttl_s = META_TTL_S,
        .wildcards = DEPTH,
    };
    assert_non_null(body.request);
    assert_true(message_send_publish(rig.shard[ASKER].mailbox, RIG_HOME, 99, &body));
    turn();
}

static uint32_t published(void)
{
    const struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    return message_as_published(&message).error;
}

static void makes(const char *channel, const char *data)
{
    publishes_what(channel, data, &(struct what){0});
    assert_int_equal(published(), 0);
}

static void listens(uint32_t edge, const char *wildcard)
{
    subscribes(edge, wildcard, SUBSCRIBE_FIRST | SUBSCRIBE_WILDCARD, NULL);
    turn();
    hears_subscribed(edge, 0);
}

static void is_told(uint32_t edge)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_MOVED);
    assert_int_equal(message.handle, hub_of(edge));
}

#define PUSH(wildcard, made_in, data, tags) \
    "{\"push\":{\"channel\":\"" wildcard "\",\"pub\":{\"data\":" data ",\"tags\":{" tags \
    "\"channel\":\"" made_in "\"},\"channel\":\"" made_in "\"}}}"

/* ---- a source elsewhere ---- */

/* What a shard of another node passes on, its `number` behind that which is `before`. */
struct passed {
    uint64_t lane;
    uint64_t number;
    uint64_t before;
    const char *data; /* "": a mark. */
    uint32_t flags;
};

static void passes_what(const struct passed *what, uint32_t error)
{
    const struct pass pass = {.wildcard = SPAN_LITERAL("n:*"),
                              .lane = what->lane,
                              .number = what->number,
                              .before = what->before};
    const struct publish_request request = {.channel = SPAN_LITERAL("n:a"),
                                            .data = span_of_text(what->data),
                                            .tags = SPAN_LITERAL("{\"channel\":\"n:a\"}"),
                                            .is_passed_on = true};
    const struct message_pass_on body = {
        .pass = pass_make(&pass),
        .request = what->data[0] == '\0' ? NULL : publish_request_make(&request),
        .flags = what->flags,
    };
    const struct message message = message_make_pass_on(42, &body);
    assert_true(mailbox_send(rig.shard[ASKER].mailbox, RIG_HOME, &message, MESSAGE_REPLY));
    turn();
    const struct message answer = rig_take(&rig, ASKER, MESSAGE_PASSED_ON);
    assert_int_equal(answer.handle, 42);
    assert_int_equal(message_as_passed_on(&answer).error, error);
}

static void passes(uint64_t lane, uint64_t number, uint64_t before, const char *data)
{
    passes_what(&(struct passed){lane, number, before, data, 0}, 0);
}

static void is_early(uint64_t lane, uint64_t number, uint64_t before)
{
    passes_what(&(struct passed){lane, number, before, "0", 0}, CLIENT_ERROR_TOO_MANY_REQUESTS);
}

#define HEARD(data) PUSH("n:*", "n:a", data, "")

static int set_up_here(void **state)
{
    (void)set_up(state);
    map_says(NULL, HERE);
    const struct message settled = routes(MESSAGE_SLOTS_SETTLED);
    message_release(&settled);
    const struct message_slots_ready body = {.slots = buf_create(SLOT_SET_LEN)};
    assert_non_null(body.slots);
    memset(body.slots->bytes, 0xff, SLOT_SET_LEN);
    const struct message ready = message_make_slots_ready(0, &body);
    router_says(&ready);
    return 0;
}

static int tear_down_here(void **state)
{
    (void)tear_down(state);
    buf_release(placement_buf);
    placement_buf = NULL;
    return 0;
}

static void maps_and_settles(const char *const names[], uint16_t node)
{
    map_says(names, node);
    const struct message settled = routes(MESSAGE_SLOTS_SETTLED);
    message_release(&settled);
}

/* ---- where all homes are here ---- */

static void each_wildcard_hears_what_it_stands_for(void **state)
{
    (void)state;
    listens(LISTENER, "n:*");
    listens(LISTENER + 1, "n:a.*");
    listens(LISTENER + 2, "n:a.b.c.*"); /* Deeper than what is passed on. */
    makes("n:a.b.c.d", "1");
    hears(LISTENER, PUBLICATION_DATA, 1, PUSH("n:*", "n:a.b.c.d", "1", ""));
    hears(LISTENER + 1, PUBLICATION_DATA, 1, PUSH("n:a.*", "n:a.b.c.d", "1", ""));
    makes("n:a", "2");
    hears(LISTENER, PUBLICATION_DATA, 2, PUSH("n:*", "n:a", "2", ""));
    makes("n:a.b#7", "3");
    makes("$n:a.b", "4");
    assert_int_equal(rig_left(&rig, LISTENER), 0);
    assert_int_equal(rig_left(&rig, LISTENER + 1), 0);
    assert_int_equal(rig_left(&rig, LISTENER + 2), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_PASSED_ON), 3 + 1 + 2);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_LOST), 0);
}

static void the_tag_says_where_it_was_made_whoever_published(void **state)
{
    (void)state;
    listens(LISTENER, "n:*");
    publishes_what("n:a", "1",
                   &(struct what){.tags = "{\"a\":\"b\\n\",\"channel\":\"n:x\",\"\\u0063hannel\":"
                                          "\"y\",\"z\":\"\"}"});
    hears(LISTENER, PUBLICATION_DATA, 1, PUSH("n:*", "n:a", "1", "\"a\":\"b\\n\",\"z\":\"\","));
    assert_int_equal(published(), 0);
}

static void what_came_before_is_not_passed_on_again(void **state)
{
    (void)state;
    const struct what once = {.key = "k", .history_size = SIZE};
    const struct what version = {.version = 3, .history_size = SIZE};
    listens(LISTENER, "n:*");
    publishes_what("n:a", "1", &once);
    publishes_what("n:a", "1", &once);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_PASSED_ON), 1);
    publishes_what("n:a", "1", &version);
    publishes_what("n:a", "1", &version);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_PASSED_ON), 2);
    /* Another channel's same version is another publication, for its wildcard too. */
    publishes_what("n:b", "1", &version);
    assert_int_equal(rig_left(&rig, LISTENER), 3);
    assert_int_equal(rig_drop(&rig, LISTENER), 3);
    assert_int_equal(rig_drop(&rig, ASKER), 5);
}

static void a_wildcard_keeps_a_history_of_its_own(void **state)
{
    (void)state;
    const struct what kept = {.history_size = SIZE};
    publishes_what("n:a", "0", &kept); /* Nobody has asked for the wildcard yet. */
    listens(LISTENER, "n:*");
    publishes_what("n:a", "1", &kept);
    publishes_what("n:b", "2", &kept);
    const struct message_history_ask ask = {.channel = rig_text("n:*"),
                                            .limit = 10,
                                            .bytes_max = 1 << 20,
                                            .meta_ttl_s = META_TTL_S};
    assert_true(message_send_history_ask(rig.shard[LISTENER + 1].mailbox, RIG_HOME, 1, &ask));
    turn();
    const struct message message = rig_take(&rig, LISTENER + 1, MESSAGE_HISTORY);
    const struct message_history answer = message_as_history(&message);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.newest.offset, 2);
    const struct stream_page *page = stream_page_of(answer.page);
    assert_int_equal(page->len, 2);
    assert_true(
        span_equal(publish_request_of(page->entries[1].request).channel, SPAN_LITERAL("n:b")));
    assert_true(publish_request_of(page->entries[1].request).is_passed_on);
    stream_page_release(answer.page);
    assert_int_equal(rig_drop(&rig, LISTENER), 2);
    assert_int_equal(rig_drop(&rig, ASKER), 3);
}

/* ---- what is lost on the way ---- */

static const char *const wildcards[] = {"n:*", NULL};

static void what_is_refused_comes_again_in_its_order(void **state)
{
    (void)state;
    maps_and_settles(wildcards, THERE);
    makes("n:a", "1");
    makes("n:a", "2");
    const struct message first = routes_pass("n:*", "1");
    const uint64_t number = last_pass.number;
    assert_int_equal(last_pass.before, 0);
    const struct message second = routes_pass("n:*", "2");
    assert_int_equal(last_pass.before, number);
    is_answered(&first, CLIENT_ERROR_TOO_MANY_REQUESTS);
    makes("n:a", "3");
    routes_nothing(); /* What is sent is awaited. */
    is_answered(&second, CLIENT_ERROR_TOO_MANY_REQUESTS);
    for (uint32_t i = 0; i < 3; i++) {
        routes_nothing();
        rig_advance(&rig, PASS_RETRY_MS);
        const struct message again = routes_pass("n:*", "1");
        assert_int_equal(last_pass.number, number);
        assert_int_equal(last_pass.before, 0);
        assert_int_equal(last_flags, 0);
        routes_nothing();
        is_answered(&again, i < 2 ? CLIENT_ERROR_TOO_MANY_REQUESTS : 0);
    }
    const struct message second_again = routes_pass("n:*", "2");
    assert_int_equal(last_pass.before, 0);
    const uint64_t number_of_second = last_pass.number;
    const struct message third = routes_pass("n:*", "3");
    assert_int_equal(last_pass.before, number_of_second);
    makes("n:a", "4");
    const struct message fourth = routes_pass("n:*", "4");
    is_answered(&second_again, 0);
    is_answered(&third, 0);
    is_answered(&fourth, 0);
    rig_advance(&rig, 10 * PASS_RETRY_MS);
    routes_nothing();
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_LOST), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TARGETS), 0);
}

static void what_may_have_arrived_says_so_when_it_comes_again(void **state)
{
    (void)state;
    maps_and_settles(wildcards, THERE);
    makes("n:a", "1");
    const struct message first = routes_pass("n:*", "1");
    is_answered(&first, CLIENT_ERROR_INTERNAL);
    is_answered(&first, 0); /* Nobody waits for that any more. */
    rig_advance(&rig, PASS_RETRY_MS);
    const struct message again = routes_pass("n:*", "1");
    assert_int_equal(last_flags, PASS_UNSURE);
    is_answered(&again, 0);
    routes_nothing();
}

static void what_is_lost_leaves_a_mark_in_its_place(void **state)
{
    (void)state;
    maps_and_settles(wildcards, THERE);
    makes("n:a", "1");
    const struct message first = routes_pass("n:*", "1");
    is_answered(&first, CLIENT_ERROR_TOO_MANY_REQUESTS);
    for (uint32_t i = 0; i < PASS_WAITING_MAX; i++) {
        makes("n:a", "2");
    }
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_LOST), PASS_WAITING_MAX + 1);
    makes("n:a", "3");
    rig_advance(&rig, PASS_RETRY_MS);
    const struct message mark = routes_pass("n:*", NULL);
    is_answered(&mark, CLIENT_ERROR_TOO_MANY_REQUESTS);
    rig_advance(&rig, PASS_RETRY_MS);
    const struct message mark_again = routes_pass("n:*", NULL);
    is_answered(&mark_again, 0);
    const struct message third = routes_pass("n:*", "3");
    is_answered(&third, 0);
    routes_nothing();
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TARGETS), 0);
}

static void count_one(void *context, const struct message *message)
{
    (void)message;
    (*(uint32_t *)context)++;
}

static void a_publication_for_which_there_is_no_room_is_refused(void **state)
{
    (void)state;
    uint32_t taken = 0;
    maps_and_settles(wildcards, THERE);
    const uint32_t sent = rig_fill(&rig, EDGES, HOME_ROOM_RESERVED);
    publishes_what("n:a", "1", &(struct what){0});
    assert_int_equal(published(), CLIENT_ERROR_TOO_MANY_REQUESTS);
    while (taken < sent) {
        assert_true(mailbox_drain(router(), 1 << 20, count_one, &taken) > 0);
        mailbox_flush(rig.shard[RIG_HOME].mailbox);
    }
    routes_nothing();
    makes("n:a", "2");
    const struct message second = routes_pass("n:*", "2");
    is_answered(&second, 0);
    routes_nothing();
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_LOST), 0);
}

/* ---- homes of channels that move ---- */

static const char *const both[] = {"n:*", "n:a", NULL};

static void slots_are_given_up_when_all_has_arrived(void **state)
{
    (void)state;
    maps_and_settles(wildcards, THERE);
    makes("n:a", "1");
    const struct message first = routes_pass("n:*", "1");
    map_says(both, THERE);
    routes_nothing(); /* Not settled. */
    is_answered(&first, 0);
    const struct message settled = routes(MESSAGE_SLOTS_SETTLED);
    assert_int_equal(message_as_slots_settled(&settled).version, rig.home.placement->version);
}

static void a_channel_is_whole_elsewhere_when_all_has_arrived(void **state)
{
    (void)state;
    maps_and_settles(wildcards, THERE);
    publishes_what("n:a", "1", &(struct what){.history_size = SIZE});
    assert_int_equal(published(), 0);
    const struct message first = routes_pass("n:*", "1");
    map_says(both, THERE);
    uint32_t pieces = 0;
    bool is_last = false;
    while (!is_last) {
        const struct message piece = routes(MESSAGE_CHANNEL_MOVE);
        const struct channel_move *move = channel_move_of(message_as_channel_move(&piece).move);
        is_last = (move->flags & CHANNEL_MOVE_LAST) != 0;
        assert_int_equal(move->page != NULL, pieces == 0);
        assert_int_equal(move->offset, 1);
        message_release(&piece);
        assert_int_equal(is_last, pieces == 3);
        if (++pieces == 3) {
            is_answered(&first, 0);
        }
        const struct message_channel_taken taken = {.error = 0};
        const struct message answer = message_make_channel_taken(piece.handle, &taken);
        router_says(&answer);
    }
    const struct message settled = routes(MESSAGE_SLOTS_SETTLED);
    message_release(&settled);
}

/* ---- lanes ---- */

static void a_lane_is_heard_in_its_order(void **state)
{
    (void)state;
    listens(LISTENER, "n:*");
    is_early(1, 100, 99); /* What it comes behind may still come. */
    passes(1, 100, 0, "1");
    is_early(1, 108, 103);
    passes(1, 103, 100, "2");
    passes(2, 7, 0, "3");
    passes(1, 108, 103, "4");
    passes(1, 103, 0, "2"); /* It is here. */
    passes(1, 108, 103, "4");
    passes(1, 120, 0, "5");
    passes(2, 8, 7, "6");
    passes_what(&(struct passed){2, 8, 0, "6", PASS_UNSURE}, 0);
    passes_what(&(struct passed){2, 9, 0, "7", PASS_UNSURE}, 0);
    static const char *const heard[] = {HEARD("1"), HEARD("2"), HEARD("3"), HEARD("4"),
                                        HEARD("5"), HEARD("6"), HEARD("7")};
    for (uint32_t i = 0; i < 7; i++) {
        hears(LISTENER, PUBLICATION_DATA, i + 1, heard[i]);
    }
    assert_int_equal(rig_left(&rig, LISTENER), 0);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TOLD), 0);
}

/* Where nobody knows what has come. */
static void who_may_have_heard_it_is_told(void **state)
{
    (void)state;
    listens(LISTENER, "n:*");
    passes_what(&(struct passed){1, 5, 0, "1", PASS_UNSURE}, 0);
    is_told(LISTENER);
    assert_int_equal(rig_left(&rig, LISTENER), 0);
}

static void a_mark_is_told(void **state)
{
    (void)state;
    passes(1, 1, 0, ""); /* Nobody is there. */
    listens(LISTENER, "n:*");
    passes(1, 2, 0, "1");
    hears(LISTENER, PUBLICATION_DATA, 1, HEARD("1"));
    passes(1, 3, 0, "");
    is_told(LISTENER);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TOLD), 1);
    /* It begins anew, and so do its lanes. */
    listens(LISTENER, "n:*");
    is_early(1, 5, 4);
    passes(1, 4, 0, "2");
    hears(LISTENER, PUBLICATION_DATA, 1, HEARD("2"));
}

static void more_lanes_than_are_kept_are_new_again(void **state)
{
    (void)state;
    listens(LISTENER, "n:*");
    for (uint64_t lane = 1; lane <= 2 * WILDCARD_LANES_MAX; lane++) {
        passes(lane, 10 * lane, 0, "1");
    }
    assert_int_equal(rig_drop(&rig, LISTENER), 2 * WILDCARD_LANES_MAX);
    assert_int_equal(rig_counter(&rig, COUNTER_WILDCARD_TOLD), 0);
}

static void wildcards_begin_anew_when_a_source_is_gone(void **state)
{
    (void)state;
    struct message_origin_gone gone = {.origin = 7};
    listens(LISTENER, "n:*");
    edge_joins(LISTENER + 1, "n:a");
    struct message message = message_make_origin_gone(0, &gone);
    homes_on_origin_gone(rig.home.homes, &message);
    turn();
    assert_int_equal(rig_left(&rig, LISTENER), 0);
    gone.was_home = 1;
    message = message_make_origin_gone(0, &gone);
    homes_on_origin_gone(rig.home.homes, &message);
    assert_true(homes_has_work(rig.home.homes));
    turn();
    assert_false(homes_has_work(rig.home.homes));
    is_told(LISTENER);
    assert_int_equal(rig_left(&rig, LISTENER + 1), 0);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_here, tear_down_here)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_wildcard_hears_what_it_stands_for),
        TEST(the_tag_says_where_it_was_made_whoever_published),
        TEST(what_came_before_is_not_passed_on_again),
        TEST(a_wildcard_keeps_a_history_of_its_own),
        TEST(what_is_refused_comes_again_in_its_order),
        TEST(what_may_have_arrived_says_so_when_it_comes_again),
        TEST(what_is_lost_leaves_a_mark_in_its_place),
        TEST(a_publication_for_which_there_is_no_room_is_refused),
        TEST(slots_are_given_up_when_all_has_arrived),
        TEST(a_channel_is_whole_elsewhere_when_all_has_arrived),
        TEST(a_lane_is_heard_in_its_order),
        TEST(who_may_have_heard_it_is_told),
        TEST(a_mark_is_told),
        TEST(more_lanes_than_are_kept_are_new_again),
        TEST(wildcards_begin_anew_when_a_source_is_gone),
    };
    return cmocka_run_group_tests_name("homes_wildcards", tests, NULL, NULL);
}
