/* SPDX-License-Identifier: Apache-2.0 */
/* A home among others: maps, the router that stands for the other homes, and those who follow. */
#include "tests/unit/shards/homes_moves_rig.h"

#include "shards/channel/homes.h"
#include "shards/router/placement.h"

enum { SIZE = 100 };

const struct stream_position nowhere;

static struct buf *placement_buf;

/* ---- the router ---- */

struct mailbox *router(void)
{
    return mailbox_of(rig.matrix, EDGES);
}

void turn(void)
{
    rig_settle(&rig);
    homes_on_turn_end(rig.home.homes);
    rig_settle(&rig);
}

/* A cluster of two, in which one of them has all the homes but that of the name (NULL: all). */
static void map_with(uint16_t node, const char *name, uint16_t node_of_name)
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
    if (name != NULL) {
        placement->node_of_slot[placement_slot_of(span_of_text(name))] = node_of_name;
    }
    const struct placement *before = rig.home.placement;
    rig.home.placement = placement;
    homes_on_placement(rig.home.homes, before);
    buf_release(placement_buf);
    placement_buf = buf;
    turn();
}

void map_says(uint16_t node)
{
    map_with(node, NULL, node);
}

void map_says_of(const char *name, uint16_t node)
{
    map_with(HERE, name, node);
}

static void take_one(void *context, const struct message *message)
{
    *(struct message *)context = *message;
}

/* The next that the router gets. */
struct message routes(enum message_type type)
{
    struct message message = {0};
    rig_settle(&rig);
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    assert_int_equal(mailbox_drain(router(), 1, take_one, &message), 1);
    assert_string_equal(message_type_name(message.type), message_type_name(type));
    return message;
}

void routes_nothing(void)
{
    struct message message = {0};
    mailbox_flush(rig.shard[RIG_HOME].mailbox);
    assert_int_equal(mailbox_drain(router(), 1, take_one, &message), 0);
}

/* A piece on its way to the other home; the bufs are the test's. */
struct channel_move *routes_piece(struct message *message)
{
    *message = routes(MESSAGE_CHANNEL_MOVE);
    return channel_move_of(message_as_channel_move(message).move);
}

void router_says(const struct message *message)
{
    assert_true(mailbox_send(router(), RIG_HOME, message, MESSAGE_REPLY));
    mailbox_flush(router());
    turn();
}

void is_taken(const struct message *piece, uint32_t error)
{
    const struct message_channel_taken body = {.error = error};
    const struct message message = message_make_channel_taken(piece->handle, &body);
    router_says(&message);
}

void routes_settled(void)
{
    const struct message message = routes(MESSAGE_SLOTS_SETTLED);
    assert_int_equal(message_as_slots_settled(&message).version, rig.home.placement->version);
}

/* That something was accepted in the name's slot; was it to be kept? */
bool routes_missed(const char *name)
{
    const uint16_t slot = placement_slot_of(span_of_text(name));
    const struct message message = routes(MESSAGE_SLOTS_MISSED);
    const struct buf *slots = message_as_slots_missed(&message).slots;
    assert_int_equal(slots->len, MISSED_SLOTS_LEN);
    assert_true(slot_set_has(slots->bytes, slot));
    const bool is_kept = slot_set_has(slots->bytes + SLOT_SET_LEN, slot);
    message_release(&message);
    return is_kept;
}

static struct buf *slots_with(const char *name, uint32_t len, bool is_kept)
{
    const uint16_t slot = placement_slot_of(span_of_text(name));
    struct buf *slots = buf_create(len);
    assert_non_null(slots);
    memset(slots->bytes, 0, len);
    slot_set_add(slots->bytes, slot);
    if (is_kept) {
        slot_set_add(slots->bytes + SLOT_SET_LEN, slot);
    }
    return slots;
}

void is_noted(const char *name)
{
    const struct message_slots_noted body = {.slots = slots_with(name, SLOT_SET_LEN, false)};
    const struct message message = message_make_slots_noted(0, &body);
    router_says(&message);
}

void was_missed(uint32_t origin, const char *name, bool is_kept)
{
    const struct message_slots_missed body = {.slots = slots_with(name, MISSED_SLOTS_LEN, is_kept),
                                              .origin = origin};
    const struct message message = message_make_slots_missed(0, &body);
    router_says(&message);
}

bool routes_noted(uint32_t origin, const char *name)
{
    const struct message message = routes(MESSAGE_SLOTS_NOTED);
    const struct message_slots_noted body = message_as_slots_noted(&message);
    assert_int_equal(body.slots->len, SLOT_SET_LEN);
    assert_int_equal(body.origin, origin);
    const bool is_in_it = slot_set_has(body.slots->bytes, placement_slot_of(span_of_text(name)));
    message_release(&message);
    return is_in_it;
}

void slots_are_ready(void)
{
    const struct message_slots_ready body = {.slots = buf_create(SLOT_SET_LEN)};
    assert_non_null(body.slots);
    memset(body.slots->bytes, 0xff, SLOT_SET_LEN);
    const struct message message = message_make_slots_ready(0, &body);
    router_says(&message);
}

void nodes_answer(uint32_t op, uint32_t error)
{
    const struct message asked = routes(MESSAGE_SURVEY);
    const struct message_survey_result body = {.op = op, .error = error};
    const struct message message = message_make_survey_result(asked.handle, &body);
    assert_int_equal(message_as_survey(&asked).op, op);
    message_release(&asked);
    router_says(&message);
}

void nodes_are_not_quiet(void)
{
    nodes_answer(SURVEY_WILDCARDS_HEARD, 0);
}

/* ---- edges ---- */

void keeps(const char *channel, const char *data)
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

struct message_published kept(uint32_t error)
{
    const struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    const struct message_published body = message_as_published(&message);
    assert_int_equal(body.error, error);
    return body;
}

void subscribes_with(uint32_t edge, const char *channel, uint32_t flags,
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

struct message_subscribed subscribed(uint32_t edge, uint32_t error)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_SUBSCRIBED);
    const struct message_subscribed body = message_as_subscribed(&message);
    assert_int_equal(body.error, error);
    return body;
}

void hears_offset(uint32_t edge, uint64_t sequence, uint64_t offset)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_PUBLICATION);
    const struct message_publication body = message_as_publication(&message);
    assert_int_equal(body.sequence, sequence);
    assert_int_equal(body.offset, offset);
    buf_release(body.frames);
}

void hears_moved(uint32_t edge)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_MOVED);
    assert_int_equal(message.handle, hub_of(edge));
}

/* ---- a channel that others sent ---- */

struct buf *page_of(uint64_t first, uint32_t len)
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

uint32_t comes(uint32_t flags, uint64_t sequence, struct buf *page, uint64_t offset)
{
    return comes_from(0, flags, sequence, page, offset);
}

/* Takes over the page; returns what is answered. */
uint32_t comes_from(uint32_t origin, uint32_t flags, uint64_t sequence, struct buf *page,
                    uint64_t offset)
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
                                              }),
                                              .origin = origin};
    assert_non_null(body.move);
    const struct message message = message_make_channel_move(12, &body);
    router_says(&message);
    const struct message answer = routes(MESSAGE_CHANNEL_TAKEN);
    assert_int_equal(answer.handle, 12);
    return message_as_channel_taken(&answer).error;
}

int open_rig(void **state)
{
    placement_buf = NULL;
    const int result = set_up(state);
    rig.options.cluster.enabled = true;
    return result;
}

int close_rig(void **state)
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
