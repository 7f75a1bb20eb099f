/* SPDX-License-Identifier: Apache-2.0 */
/* Edges that are a mailbox each: what they send is made here, and what they get is compared. */
#include "tests/unit/shards/homes_rig.h"

#include <stdio.h>

#include "codec/websocket.h"
#include "shards/limits.h"

struct rig rig;

int set_up(void **state)
{
    (void)state;
    rig_open(&rig, EDGES, CHANNELS_MAX, 1);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* ---- what edges say ---- */

/* The handle of a channel in an edge's hub, for the tests' channels one an edge. */
uint32_t hub_of(uint32_t edge)
{
    return 1000 + edge;
}

void subscribes(uint32_t edge, const char *channel, uint32_t flags, struct buf *identity)
{
    const struct message_subscribe body = {
        .channel = rig_text(channel),
        .identity = identity,
        .subscription = 77,
        .flags = flags_protocols(flags) == 0 ? flags | FLAGS_PROTOCOL(CLIENT_JSON) : flags,
    };
    assert_true(message_send_subscribe(rig.shard[edge].mailbox, RIG_HOME, hub_of(edge), &body));
}

void unsubscribes(uint32_t edge, const char *channel, uint32_t flags, struct buf *identity)
{
    const struct message_unsubscribe body = {
        .channel = rig_text(channel),
        .identity = identity,
        .flags = flags,
    };
    assert_true(message_send_unsubscribe(rig.shard[edge].mailbox, RIG_HOME, hub_of(edge), &body));
}

void publishes_tagged(uint32_t edge, const char *channel, struct span data, const char *tags,
                      struct buf *identity)
{
    const struct publish_request request = {
        .channel = span_of_text(channel),
        .data = data,
        .tags = span_of_text(tags),
    };
    const struct message_publish body = {
        .request = publish_request_make(&request),
        .identity = identity,
        .cookie = 5,
        .origin = ORIGIN_API,
    };
    assert_non_null(body.request);
    assert_true(message_send_publish(rig.shard[edge].mailbox, RIG_HOME, 99, &body));
}

void publishes(uint32_t edge, const char *channel, const char *data)
{
    publishes_tagged(edge, channel, span_of_text(data), "", NULL);
}

void asks_presence(uint32_t edge, const char *channel, uint32_t stats_only)
{
    const struct message_presence_ask body = {
        .channel = rig_text(channel),
        .cookie = 6,
        .origin = ORIGIN_SESSION,
        .stats_only = stats_only,
    };
    assert_true(message_send_presence_ask(rig.shard[edge].mailbox, RIG_HOME, 98, &body));
}

/* ---- what edges hear ---- */

struct message_subscribed hears_subscribed(uint32_t edge, uint32_t error)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_SUBSCRIBED);
    const struct message_subscribed body = message_as_subscribed(&message);
    assert_int_equal(message.handle, hub_of(edge));
    assert_int_equal(message.from, RIG_HOME);
    assert_int_equal(body.subscription, 77);
    assert_int_equal(body.error, error);
    assert_int_equal(body.newest.offset, 0);
    return body;
}

struct message_published hears_published(uint32_t edge, uint32_t error)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_PUBLISHED);
    const struct message_published body = message_as_published(&message);
    assert_int_equal(message.handle, 99);
    assert_int_equal(body.cookie, 5);
    assert_int_equal(body.origin, ORIGIN_API);
    assert_int_equal(body.offset, 0);
    assert_int_equal(body.error, error);
    return body;
}

/* The frame's header must be that of an unmasked text frame of just this payload. */
void assert_frame(const struct message_publication *body, const char *json, size_t len)
{
    uint8_t header[WEBSOCKET_HEADER_LEN_MAX];
    const size_t header_len =
        websocket_encode_header(header, WEBSOCKET_FIN | WEBSOCKET_TEXT, len, NULL);
    assert_int_equal(body->protobuf_at, header_len + len);
    assert_int_equal(body->frames->len, header_len + len);
    assert_memory_equal(body->frames->bytes, header, header_len);
    assert_memory_equal(body->frames->bytes + header_len, json, len);
}

void hears(uint32_t edge, enum publication_kind kind, uint64_t sequence, const char *json)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_PUBLICATION);
    const struct message_publication body = message_as_publication(&message);
    assert_int_equal(message.handle, hub_of(edge));
    assert_int_equal(body.kind, kind);
    assert_int_equal(body.sequence, sequence);
    assert_frame(&body, json, strlen(json));
    buf_release(body.frames);
}

void edge_joins(uint32_t edge, const char *channel)
{
    subscribes(edge, channel, SUBSCRIBE_FIRST, NULL);
    rig_settle(&rig);
    hears_subscribed(edge, 0);
}

/* The snapshot must be released by the caller. */
struct message_presence hears_presence(uint32_t edge, uint32_t clients, uint32_t users)
{
    const struct message message = rig_take(&rig, edge, MESSAGE_PRESENCE);
    const struct message_presence body = message_as_presence(&message);
    assert_int_equal(message.handle, 98);
    assert_int_equal(body.cookie, 6);
    assert_int_equal(body.origin, ORIGIN_SESSION);
    assert_int_equal(body.error, 0);
    assert_int_equal(body.clients, clients);
    assert_int_equal(body.users, users);
    return body;
}

void presence_is(const char *channel, uint32_t clients, uint32_t users)
{
    asks_presence(3, channel, 1);
    rig_settle(&rig);
    assert_null(hears_presence(3, clients, users).snapshot);
}
