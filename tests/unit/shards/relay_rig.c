/* SPDX-License-Identifier: Apache-2.0 */
/* Steps a relay's router shard and hands over what it says. */
#include "tests/unit/shards/relay_rig.h"

#include <stdio.h>

#include "shards/channel/push_frame.h"
#include "shards/limits.h"

static struct node_options options;
static struct node *node;
static struct mailbox_matrix *matrix;
struct shard shards[SHARDS + 1];
static struct outbox *outbox;
static struct relay *relay;
static struct buf *placement;
static uint8_t gained[SLOT_SET_LEN]; /* With the newest placement. */
struct sent tape[TAPE];
uint32_t tape_len; /* Also of what did not fit on it. */
uint32_t tape_heard;
bool wire_is_full;
static struct message inbox[SHARDS][INBOX];
uint32_t inbox_len[SHARDS];
static uint32_t inbox_heard[SHARDS];
uint8_t leaving = NODES;
bool gone_was_home;

static struct gossip_uid uid_of(uint8_t index)
{
    return (struct gossip_uid){{(uint8_t)(index + 1)}};
}

static bool wire_send(void *owner, const struct gossip_uid *to, enum message_class class,
                      struct span head, struct buf *payload)
{
    (void)owner;
    if (wire_is_full && class == MESSAGE_REQUEST) {
        return false;
    }
    if (tape_len++ >= TAPE) {
        return true;
    }
    struct sent *sent = &tape[tape_len - 1];
    struct span rest;
    *sent = (struct sent){0};
    sent->to = to->bytes[0];
    sent->class = class;
    assert_true(head.len <= sizeof(sent->bytes));
    memcpy(sent->bytes, head.at, head.len);
    sent->payload_len = payload == NULL ? 0 : payload->len;
    if (payload != NULL) {
        assert_true(payload->len <= sizeof(sent->payload));
        memcpy(sent->payload, payload->bytes, payload->len);
    }
    const enum link_message_result result =
        link_message_decode(span_of(sent->bytes, head.len), &sent->message, &rest);
    assert_true(result == LINK_MESSAGE_OK || result == LINK_MESSAGE_ERROR_PAYLOAD);
    tape_len -= sent->message.kind == LINK_MESSAGE_INTEREST_SUM; /* As time passes. */
    return true;
}

static void keep(void *context, const struct message *message)
{
    const uint32_t shard = (uint32_t)((struct shard *)context - shards);
    if (message->type == MESSAGE_ORIGIN_GONE) {
        gone_was_home = message_as_origin_gone(message).was_home != 0;
        return; /* Homes and directories hear it, of which there are none. */
    }
    assert_true(inbox_len[shard] < INBOX);
    inbox[shard][inbox_len[shard]++] = *message;
}

static void to_relay(void *context, const struct message *message)
{
    (void)context;
    relay_on_message(relay, message);
}

void settle(void)
{
    uint32_t moved;
    do {
        moved = 0;
        for (uint32_t i = 0; i <= SHARDS; i++) {
            mailbox_flush(shards[i].mailbox);
        }
        for (uint32_t i = 0; i < SHARDS; i++) {
            moved += mailbox_drain(shards[i].mailbox, UINT32_MAX, keep, &shards[i]);
        }
        moved += mailbox_drain(shards[ROUTER].mailbox, UINT32_MAX, to_relay, NULL);
        outbox_on_turn_end(outbox);
    } while (moved > 0);
}

void time_passes(uint64_t ms)
{
    struct shard *router = &shards[ROUTER];
    for (uint64_t at = 0; at < ms; at += TICK_MS) {
        router->now_ms += TICK_MS;
        timer_wheel_advance(router->timers, router->now_ms, UINT32_MAX);
    }
    settle();
}

static void place(uint64_t version, uint32_t nodes, bool is_early)
{
    struct placement_member members[NODES];
    for (uint8_t i = 0; i < nodes; i++) {
        const struct gossip_uid uid = uid_of(i);
        members[i] = (struct placement_member){.uid = uid, .shards = SHARDS, .weight = 1};
        members[i].share = i == leaving ? PLACEMENT_NOTHING : PLACEMENT_TAKES;
        members[i].session = i == 0 ? 0 : relay_session_of(relay, &uid);
    }
    const struct placement_members all = {.at = members, .len = nodes, .is_early = is_early};
    struct buf *before = placement;
    placement = placement_make(version, &all, NULL);
    assert_non_null(placement);
    const struct placement *now = placement_of(placement);
    placement_gained(placement_known_before(before == NULL ? NULL : placement_of(before), now), now,
                     gained);
    relay_on_placement(relay, placement_of(placement));
    settle();
    buf_release(before);
}

void make_placement(uint64_t version, uint32_t nodes)
{
    place(version, nodes, false);
}

void make_early_placement(uint64_t version, uint32_t nodes)
{
    place(version, nodes, true);
}

void slots_of(uint16_t home, uint8_t set[SLOT_SET_LEN])
{
    memset(set, 0, SLOT_SET_LEN);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (placement_of(placement)->node_of_slot[slot] == home) {
            slot_set_add(set, slot);
        }
    }
}

bool all_is_handed_over(void)
{
    return relay_has_handed_over(relay);
}

void node_hears_slots_asked(uint8_t index)
{
    const struct sent *sent = node_hears(index, LINK_MESSAGE_SLOTS_ASK);
    assert_int_equal(sent->payload_len, SLOT_SET_LEN);
    assert_memory_equal(sent->payload, gained, SLOT_SET_LEN);
}

void node_says_slots_moved(uint8_t index)
{
    node_says(index, &(struct link_message){.kind = LINK_MESSAGE_SLOTS_MOVED},
              span_of(gained, SLOT_SET_LEN));
}

void shards_hear_slots_ready(void)
{
    shards_hear_ready(gained);
}

void shards_hear_ready(const uint8_t set[SLOT_SET_LEN])
{
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        const struct message message = shard_hears(shard, MESSAGE_SLOTS_READY);
        const struct message_slots_ready body = message_as_slots_ready(&message);
        assert_int_equal(body.slots->len, SLOT_SET_LEN);
        assert_memory_equal(body.slots->bytes, set, SLOT_SET_LEN);
        message_release(&message);
    }
}

void link_up(uint8_t index)
{
    const struct gossip_uid uid = uid_of(index);
    relay_on_link_up(relay, &uid);
}

void link_down(uint8_t index)
{
    const struct gossip_uid uid = uid_of(index);
    relay_on_link_down(relay, &uid);
    settle();
}

static void forget_all(void)
{
    tape_len = tape_heard = 0;
    memset(inbox_len, 0, sizeof(inbox_len));
    memset(inbox_heard, 0, sizeof(inbox_heard));
    leaving = NODES;
}

int relay_set_up(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 5);
    node_options_init(&options);
    options.shards = SHARDS;
    node = node_create(&options, &random, 0);
    matrix = mailbox_matrix_create(SHARDS + 1);
    for (uint32_t i = 0; i <= SHARDS; i++) {
        shards[i] = (struct shard){.id = i, .count = SHARDS + 1, .mailbox = mailbox_of(matrix, i)};
        shards[i].stats = stats_create(COUNTERS_LEN, HISTS_LEN);
        shards[i].log = log_create("test");
    }
    struct shard *router = &shards[ROUTER];
    random_init_seeded(&router->random, 6);
    router->timers = timer_wheel_create(0, NULL);
    outbox = outbox_create(router);
    const struct relay_options relay_options = {.node = node,
                                                .shard = router,
                                                .outbox = outbox,
                                                .wire = {NULL, wire_send}};
    relay = relay_create(&relay_options);
    assert_non_null(relay);
    link_up(1);
    link_up(2);
    make_placement(1, NODES);
    /* One that has just come cannot know who had its slots, so that it waits for all. */
    node_hears_slots_asked(1);
    node_hears_slots_asked(2);
    node_says_slots_moved(1);
    nobody_hears_more();
    node_says_slots_moved(2);
    shards_hear_slots_ready();
    nobody_hears_more();
    forget_all();
    return 0;
}

int relay_tear_down(void **state)
{
    (void)state;
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        assert_int_equal(inbox_len[shard], inbox_heard[shard]);
    }
    forget_all();
    relay_destroy(relay);
    outbox_destroy(outbox);
    timer_wheel_destroy(shards[ROUTER].timers);
    for (uint32_t i = 0; i <= SHARDS; i++) {
        stats_destroy(shards[i].stats);
        log_destroy(shards[i].log);
    }
    mailbox_matrix_destroy(matrix);
    node_destroy(node);
    buf_release(placement);
    placement = NULL;
    wire_is_full = false;
    return 0;
}

uint64_t counted(enum counter counter)
{
    return stats_get(shards[ROUTER].stats, counter);
}

/* ---- names, and where they are at home ---- */

struct placement_home home_of(const char *name)
{
    return placement_home_of(placement_of(placement), placement_slot_of(span_of_text(name)));
}

const char *name_at(uint16_t home, uint32_t number)
{
    static char names[8][32];
    static uint32_t turn;
    char *name = names[turn++ % 8];
    for (uint32_t i = 0;; i++) {
        snprintf(name, sizeof(names[0]), "name-%u", i);
        if (home_of(name).node == home && number-- == 0) {
            return name;
        }
    }
}

struct buf *text(const char *from)
{
    struct buf *buf = buf_copy(from, strlen(from));
    assert_non_null(buf);
    return buf;
}

/* ---- what shards and nodes say and hear ---- */

struct message shard_hears(uint32_t shard, enum message_type type)
{
    assert_true(inbox_heard[shard] < inbox_len[shard]);
    const struct message message = inbox[shard][inbox_heard[shard]++];
    assert_string_equal(message_type_name(message.type), message_type_name(type));
    return message;
}

const struct sent *node_hears(uint8_t index, enum link_message_kind kind)
{
    assert_true(tape_heard < tape_len);
    const struct sent *sent = &tape[tape_heard++];
    assert_int_equal(sent->to, index + 1);
    assert_int_equal(sent->message.kind, kind);
    return sent;
}

void nobody_hears_more(void)
{
    assert_int_equal(tape_heard, tape_len);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        assert_int_equal(inbox_heard[shard], inbox_len[shard]);
    }
}

void node_says(uint8_t index, const struct link_message *message, struct span payload)
{
    const struct gossip_uid uid = uid_of(index);
    relay_on_link_message(relay, &uid, message, payload);
    settle();
}

void shard_publishes(uint32_t shard, const char *channel, uint32_t cookie)
{
    const struct publish_request request = {.channel = span_of_text(channel),
                                            .data = SPAN_LITERAL("1")};
    const struct message_publish body = {.request = publish_request_make(&request),
                                         .cookie = cookie,
                                         .origin = ORIGIN_API};
    assert_non_null(body.request);
    while (!message_send_publish(shards[shard].mailbox, ROUTER, 9, &body)) {
        settle();
    }
}

void shard_hears_published(uint32_t shard, uint32_t cookie, uint32_t error)
{
    const struct message message = shard_hears(shard, MESSAGE_PUBLISHED);
    const struct message_published body = message_as_published(&message);
    assert_int_equal(message.handle, 9);
    assert_int_equal(body.cookie, cookie);
    assert_int_equal(body.origin, ORIGIN_API);
    assert_int_equal(body.error, error);
}

void shard_subscribes(uint32_t shard, const char *channel, uint32_t handle, uint32_t flags)
{
    const struct message_subscribe body = {.channel = text(channel), .flags = flags};
    assert_true(message_send_subscribe(shards[shard].mailbox, ROUTER, handle, &body));
    settle();
}

uint32_t shard_hears_subscribed(uint32_t shard, uint32_t handle, uint32_t error)
{
    const struct message message = shard_hears(shard, MESSAGE_SUBSCRIBED);
    const struct message_subscribed body = message_as_subscribed(&message);
    assert_int_equal(message.handle, handle);
    assert_int_equal(body.error, error);
    buf_release(body.page);
    return body.flags;
}

uint32_t shard_joins(uint32_t shard, const char *channel, uint32_t handle, uint32_t protocol)
{
    const uint8_t home = (uint8_t)home_of(channel).node;
    shard_subscribes(shard, channel, handle, SUBSCRIBE_FIRST | FLAGS_PROTOCOL(protocol));
    const struct sent *sent = node_hears(home, LINK_MESSAGE_SUBSCRIBE);
    assert_int_equal(flags_protocols(sent->message.flags), 0);
    const uint32_t registration = sent->message.handle;
    node_says(home,
              &(struct link_message){.kind = LINK_MESSAGE_SUBSCRIBED,
                                     .cookie = sent->message.cookie,
                                     .epoch = 3,
                                     .sequence = 10},
              SPAN_EMPTY);
    assert_int_equal(flags_protocols(shard_hears_subscribed(shard, handle, 0)),
                     CLIENT_PROTOCOL_BIT(protocol));
    return registration;
}

void node_publishes(uint8_t index, uint32_t registration, uint64_t sequence)
{
    node_says(index,
              &(struct link_message){.kind = LINK_MESSAGE_PUBLICATION,
                                     .handle = registration,
                                     .sequence = sequence},
              SPAN_LITERAL("\x12\x03[1]"));
}

void shard_hears_publication(uint32_t shard, uint32_t handle, uint64_t sequence, uint32_t protocols)
{
    const struct message message = shard_hears(shard, MESSAGE_PUBLICATION);
    const struct message_publication body = message_as_publication(&message);
    assert_int_equal(message.handle, handle);
    assert_int_equal(body.sequence, sequence);
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        const struct span frame =
            push_frame_of(body.frames, body.protobuf_at, (enum client_protocol)i);
        assert_int_equal(!span_is_empty(frame), (protocols & CLIENT_PROTOCOL_BIT(i)) != 0);
    }
    buf_release(body.frames);
}
