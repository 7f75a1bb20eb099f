/* SPDX-License-Identifier: Apache-2.0 */
/* What edges say to the home of the map "c" and hear from it, in the words of the tests of maps. */
#include "tests/unit/shards/homes_maps.h"

#include <stdio.h>

const struct kind ephemeral = {0, KEY_TTL_MS};
const struct kind recoverable = {SIZE, KEY_TTL_MS};
const struct kind persistent = {SIZE, 0};

static struct span text(const char *string)
{
    return string == NULL ? SPAN_EMPTY : span_of_text(string);
}

struct message_published says(struct kind kind, struct word word)
{
    const struct publish_request request = {
        .channel = SPAN_LITERAL("c"),
        .data = text(word.data),
        .tags = text(word.tags),
        .idempotency_key = text(word.once),
        .version_epoch = text(word.version_epoch),
        .key = text(word.key),
        .version = word.version,
        .score = word.score,
        .key_mode = word.mode,
        .is_removed = word.data == NULL,
    };
    const struct message_publish body = {
        .request = publish_request_make(&request),
        .cookie = 5,
        .origin = ORIGIN_API,
        .history_size = kind.stream_size,
        .history_ttl_s = TTL_S,
        .meta_ttl_s = META_TTL_S,
        .key_ttl_ms = kind.key_ttl_ms,
    };
    assert_non_null(body.request);
    assert_true(message_send_publish(rig.shard[ASKER].mailbox, RIG_HOME, 99, &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, ASKER, MESSAGE_PUBLISHED);
    return message_as_published(&message);
}

struct message_published sets(struct kind kind, const char *key, const char *data)
{
    const struct message_published answer = says(kind, (struct word){.key = key, .data = data});
    assert_true(answer.error == 0 && answer.suppressed == SUPPRESS_NONE);
    return answer;
}

struct message_published removes(struct kind kind, const char *key)
{
    const struct message_published answer = says(kind, (struct word){.key = key});
    assert_true(answer.error == 0 && answer.suppressed == SUPPRESS_NONE);
    return answer;
}

struct message_map_page asks(const char *cursor, uint32_t flags, uint32_t limit, uint64_t epoch)
{
    const struct message_map_ask body = {
        .channel = rig_text("c"),
        .cursor = cursor == NULL ? NULL : rig_text(cursor),
        .epoch = epoch,
        .cookie = 6,
        .origin = ORIGIN_SESSION,
        .flags = flags,
        .limit = limit,
        .bytes_max = 100000,
        .meta_ttl_s = META_TTL_S,
    };
    assert_true(message_send_map_ask(rig.shard[ASKER].mailbox, RIG_HOME, 98, &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, ASKER, MESSAGE_MAP_PAGE);
    const struct message_map_page answer = message_as_map_page(&message);
    assert_int_equal(message.handle, 98);
    assert_true(answer.cookie == 6 && answer.origin == ORIGIN_SESSION);
    return answer;
}

/* The page's entries: "offset:key=data", or "offset:key-" of one that was removed. Takes it over.
 */
const char *page_text(struct buf *buf)
{
    static char joined[512];
    joined[0] = '\0';
    const struct stream_page *page = buf == NULL ? NULL : stream_page_of(buf);
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        const struct publish_request request = publish_request_of(page->entries[i].request);
        const size_t used = strlen(joined);
        (void)snprintf(joined + used, sizeof(joined) - used, "%s%llu:%.*s%s%.*s",
                       used == 0 ? "" : " ", (unsigned long long)page->entries[i].offset,
                       (int)request.key.len, (const char *)request.key.at,
                       request.is_removed ? "-" : "=", (int)request.data.len,
                       (const char *)request.data.at);
    }
    stream_page_release(buf);
    return joined;
}

void map_is(const char *expected)
{
    const struct message_map_page answer = asks(NULL, 0, 1000, 0);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.is_more, 0);
    assert_string_equal(page_text(answer.page), expected);
}

struct message_subscribed goes_live(uint32_t edge, struct stream_position since, uint32_t limit)
{
    const struct message_subscribe body = {
        .channel = rig_text("c"),
        .since = since,
        .subscription = 77,
        .flags = SUBSCRIBE_FIRST | SUBSCRIBE_POSITIONED | SUBSCRIBE_RECOVERABLE |
                 SUBSCRIBE_RECOVER | SUBSCRIBE_REJECT_UNRECOVERED | FLAGS_PROTOCOL(CLIENT_JSON),
        .limit = limit,
        .bytes_max = 100000,
        .meta_ttl_s = META_TTL_S,
    };
    assert_true(message_send_subscribe(rig.shard[edge].mailbox, RIG_HOME, hub_of(edge), &body));
    rig_settle(&rig);
    const struct message message = rig_take(&rig, edge, MESSAGE_SUBSCRIBED);
    const struct message_subscribed answer = message_as_subscribed(&message);
    assert_int_equal(answer.error, 0);
    return answer;
}

void is_rejected(struct stream_position since, uint32_t limit)
{
    const struct message_subscribed answer = goes_live(LISTENER, since, limit);
    assert_true((answer.flags & SUBSCRIBED_REJECTED) != 0);
    assert_true((answer.flags & SUBSCRIBED_RECOVERED) == 0);
    assert_null(answer.page);
}

void is_brought(struct stream_position since, uint32_t limit, const char *expected)
{
    const struct message_subscribed answer = goes_live(LISTENER, since, limit);
    assert_true((answer.flags & SUBSCRIBED_RECOVERED) != 0);
    assert_string_equal(page_text(answer.page), expected);
}

void passes(uint64_t ms)
{
    rig_advance(&rig, ms);
    rig_settle(&rig);
}

/* A publication that LISTENER gets next. */
void listener_hears(uint64_t offset, const char *json)
{
    const struct message message = rig_take(&rig, LISTENER, MESSAGE_PUBLICATION);
    const struct message_publication body = message_as_publication(&message);
    assert_int_equal(body.offset, offset);
    assert_frame(&body, json, strlen(json));
    buf_release(body.frames);
}
