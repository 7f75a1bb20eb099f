/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the decoder of what nodes say to each other; what decodes must encode to what decodes the
 * same, heads and lists. */
#include "codec/link_message.h"
#include "tests/fuzz/fuzz_pieces.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What is encoded again is no longer than it was read: zeros and doubles go. A scratch of the
 * input's size, and of the prefix that a head has, is enough. */
static uint8_t *room;
static size_t room_len;

static struct span written(struct writer *writer)
{
    FUZZ_CHECK(!writer_is_overflown(writer));
    return writer_written(writer);
}

static void check_head(const struct link_message *message, struct span payload)
{
    struct writer writer = writer_of(room, room_len);
    link_message_encode(&writer, message);
    writer_put(&writer, payload);
    const struct span encoded = written(&writer);
    struct link_message again;
    struct span again_payload;
    FUZZ_CHECK(link_message_decode(encoded, &again, &again_payload) == LINK_MESSAGE_OK);
    FUZZ_CHECK(span_equal(again_payload, payload) && span_equal(again.name, message->name));
    FUZZ_CHECK(again.kind == message->kind && again.epoch == message->epoch);
    FUZZ_CHECK(again.sequence == message->sequence && again.age_us == message->age_us);
    FUZZ_CHECK(again.has_command == message->has_command);
    FUZZ_CHECK(span_equal(again.command.whitelist, message->command.whitelist));
}

static void check_identities(struct span rest)
{
    struct link_identity identity;
    while (link_next_identity(&rest, &identity) == LINK_MESSAGE_OK) {
        struct writer writer = writer_of(room, room_len);
        link_put_identity(&writer, &identity);
        struct span encoded = written(&writer);
        struct link_identity again;
        FUZZ_CHECK(link_next_identity(&encoded, &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.client, identity.client));
        FUZZ_CHECK(span_equal(again.chan_info, identity.chan_info));
    }
}

static void check_entries(struct span rest)
{
    struct link_entry entry;
    while (link_next_entry(&rest, &entry) == LINK_MESSAGE_OK) {
        struct writer writer = writer_of(room, room_len);
        link_put_entry(&writer, &entry);
        struct span encoded = written(&writer);
        struct link_entry again;
        FUZZ_CHECK(link_next_entry(&encoded, &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.channel, entry.channel) && span_equal(again.data, entry.data));
        FUZZ_CHECK(again.version == entry.version && again.has_identity == entry.has_identity);
        FUZZ_CHECK(span_equal(again.identity.user, entry.identity.user));
    }
}

static void check_publication(struct span payload)
{
    struct link_entry entry;
    struct link_entry again;
    if (link_read_publication(payload, &entry) == LINK_MESSAGE_OK) {
        struct writer writer = writer_of(room, room_len);
        link_put_publication(&writer, &entry);
        FUZZ_CHECK(link_read_publication(written(&writer), &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.data, entry.data) && again.is_binary == entry.is_binary);
        FUZZ_CHECK(span_equal(again.identity.client, entry.identity.client));
    }
}

static void check_channels(struct span rest)
{
    struct link_channel channel;
    while (link_next_channel(&rest, &channel) == LINK_MESSAGE_OK) {
        struct writer writer = writer_of(room, room_len);
        link_put_channel(&writer, &channel);
        struct span encoded = written(&writer);
        struct link_channel again;
        FUZZ_CHECK(link_next_channel(&encoded, &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.name, channel.name) && again.clients == channel.clients);
    }
}

static void check_told(struct span rest)
{
    struct link_told told;
    while (link_next_told(&rest, &told) == LINK_MESSAGE_OK) {
        struct writer writer = writer_of(room, room_len);
        link_put_told(&writer, &told);
        struct span encoded = written(&writer);
        struct link_told again;
        FUZZ_CHECK(link_next_told(&encoded, &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.publication, told.publication) && again.what == told.what);
    }
}

static void check_known(struct span rest)
{
    struct link_known known;
    while (link_next_known(&rest, &known) == LINK_MESSAGE_OK) {
        FUZZ_CHECK(known.idempotency_key.len > 0 &&
                   known.idempotency_key.len <= LINK_MESSAGE_KEY_LEN_MAX);
        struct writer writer = writer_of(room, room_len);
        link_put_known(&writer, &known);
        struct span encoded = written(&writer);
        struct link_known again;
        FUZZ_CHECK(link_next_known(&encoded, &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.idempotency_key, known.idempotency_key) &&
                   again.offset == known.offset && again.epoch == known.epoch &&
                   again.ttl_ms == known.ttl_ms);
    }
}

static void check_revocations(struct span rest)
{
    struct link_revocation revocation;
    while (link_next_revocation(&rest, &revocation) == LINK_MESSAGE_OK) {
        struct writer writer = writer_of(room, room_len);
        link_put_revocation(&writer, &revocation);
        struct span encoded = written(&writer);
        struct link_revocation again;
        FUZZ_CHECK(link_next_revocation(&encoded, &again) == LINK_MESSAGE_OK);
        FUZZ_CHECK(span_equal(again.name, revocation.name) && again.kind == revocation.kind &&
                   again.expire_at_s == revocation.expire_at_s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    room_len = len + 64;
    room = malloc(room_len);
    FUZZ_CHECK(room != NULL);
    struct link_message message;
    struct span payload;
    const enum link_message_result result =
        link_message_decode(span_of(bytes, len), &message, &payload);
    FUZZ_CHECK(result < LINK_MESSAGE_RESULT_COUNT && result != LINK_MESSAGE_DONE);
    if (result == LINK_MESSAGE_OK) {
        check_head(&message, payload);
    }
    check_identities(span_of(bytes, len));
    check_entries(span_of(bytes, len));
    check_channels(span_of(bytes, len));
    check_publication(span_of(bytes, len));
    check_told(span_of(bytes, len));
    check_known(span_of(bytes, len));
    check_revocations(span_of(bytes, len));
    free(room);
    return 0;
}
