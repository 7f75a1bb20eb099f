/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of fields: each is the table that a message is decoded by, and the code that encodes it. */
#include "codec/link_message.h"

#include <assert.h>

enum {
    ITEM_IDENTITY = 1,
    ITEM_ENTRY = 2,
    ITEM_CHANNEL = 3,
    ITEM_TOLD = 4,
    ITEM_REVOCATION = 5,
    ITEM_KNOWN = 6,
};

const char *link_message_result_text(enum link_message_result result)
{
    static const char *const texts[LINK_MESSAGE_RESULT_COUNT] = {
#define LINK_MESSAGE_TEXT(name, text) [name] = text,
        LINK_MESSAGE_RESULTS(LINK_MESSAGE_TEXT)
#undef LINK_MESSAGE_TEXT
    };
    return (unsigned)result < LINK_MESSAGE_RESULT_COUNT ? texts[result] : "unknown";
}

/* ---- one list for both ways ---- */

/* Lists are of FIELD(type, number, kind, member) and of PART(type, number, has_it, name): a message
 * in the message, whose own list is of the same struct. They are in the order of their numbers, in
 * which they are encoded. A field that one of the two ways does not know cannot be. */
#define SLOT(type, number, kind, member) PROTOBUF_FIELD(type, number, kind, member),
#define SLOT_OF_PART(type, number, has_it, name) \
    PROTOBUF_FIELD_OF_NESTED(type, number, has_it, &name##_fields),

#define PUT_BYTES protobuf_put_bytes
#define PUT_BOOL protobuf_put_bool
#define PUT_U32 protobuf_put_u64
#define PUT_U64 protobuf_put_u64
#define PUT_S64 protobuf_put_s64
#define PUT(type, number, kind, member) PUT_##kind(out, number, it->member);
#define PUT_PART(type, number, has_it, name) \
    if (it->has_it) { \
        protobuf_put_message(out, number, encode_##name, it); \
    }

/* <name>_fields and encode_<name>(). */
#define BOTH_WAYS(name, type, list) \
    static const struct protobuf_slot name##_slots[] = {list(SLOT, SLOT_OF_PART)}; \
    static void encode_##name(struct writer *out, const void *value) \
    { \
        const struct type *it = value; \
        list(PUT, PUT_PART) \
    } \
    static const struct protobuf_fields name##_fields = PROTOBUF_FIELDS(name##_slots)

/* ---- heads ---- */

#define COMMAND_FIELDS(FIELD, PART) \
    FIELD(link_message, 1, U32, command.kind) \
    FIELD(link_message, 2, U32, command.code) \
    FIELD(link_message, 3, BYTES, command.user) \
    FIELD(link_message, 4, BYTES, command.client) \
    FIELD(link_message, 5, BYTES, command.session) \
    FIELD(link_message, 6, BYTES, command.channel) \
    FIELD(link_message, 7, BYTES, command.reason) \
    FIELD(link_message, 8, BYTES, command.whitelist) \
    FIELD(link_message, 9, BYTES, command.detail)
BOTH_WAYS(command, link_message, COMMAND_FIELDS);

static_assert(sizeof(enum link_message_kind) == sizeof(uint32_t), "a kind is read as a number");

#define MESSAGE_FIELDS(FIELD, PART) \
    FIELD(link_message, 1, U32, kind) \
    FIELD(link_message, 2, U32, cookie) \
    FIELD(link_message, 3, U32, handle) \
    FIELD(link_message, 4, U32, flags) \
    FIELD(link_message, 5, U32, error) \
    FIELD(link_message, 6, BYTES, name) \
    FIELD(link_message, 7, U64, epoch) \
    FIELD(link_message, 8, U64, offset) \
    FIELD(link_message, 9, U64, sequence) \
    FIELD(link_message, 10, U32, limit) \
    FIELD(link_message, 11, U32, bytes_max) \
    FIELD(link_message, 12, U32, meta_ttl_s) \
    FIELD(link_message, 13, U32, history_size) \
    FIELD(link_message, 14, U32, history_ttl_s) \
    FIELD(link_message, 15, U32, clients) \
    FIELD(link_message, 16, U32, users) \
    FIELD(link_message, 17, U32, shard) \
    FIELD(link_message, 18, U32, hops) \
    FIELD(link_message, 19, U32, what) \
    FIELD(link_message, 21, U64, age_us) \
    PART(link_message, 22, has_command, command) \
    FIELD(link_message, 24, U64, version) \
    FIELD(link_message, 25, U64, version_epoch) \
    FIELD(link_message, 26, U32, key_ttl_ms) \
    FIELD(link_message, 27, U32, stream_ttl_s) \
    FIELD(link_message, 28, BYTES, cursor)
BOTH_WAYS(message, link_message, MESSAGE_FIELDS);

/* What a kind cannot do without. */
enum need { NEED_NAME = 1, NEED_COMMAND = 2, NEED_PAYLOAD = 4 };

static const uint8_t needs[LINK_MESSAGE_KINDS_LEN] = {
    [LINK_MESSAGE_SUBSCRIBE] = NEED_NAME,
    [LINK_MESSAGE_UNSUBSCRIBE] = NEED_NAME,
    [LINK_MESSAGE_PUBLISH] = NEED_PAYLOAD,
    [LINK_MESSAGE_PRESENCE_ASK] = NEED_NAME,
    [LINK_MESSAGE_HISTORY_ASK] = NEED_NAME,
    [LINK_MESSAGE_USER_ADD] = NEED_NAME,
    [LINK_MESSAGE_USER_REMOVE] = NEED_NAME,
    [LINK_MESSAGE_USER_SET] = NEED_NAME,
    [LINK_MESSAGE_USER_TAKE] = NEED_NAME,
    [LINK_MESSAGE_USER_COMMAND] = NEED_COMMAND,
    [LINK_MESSAGE_SESSION_COMMAND] = NEED_COMMAND,
    [LINK_MESSAGE_CHANNEL_MOVE] = NEED_NAME,
    [LINK_MESSAGE_EMULATE] = NEED_NAME,
    [LINK_MESSAGE_SLOTS_ASK] = NEED_PAYLOAD,
    [LINK_MESSAGE_SLOTS_MOVED] = NEED_PAYLOAD,
    [LINK_MESSAGE_SLOTS_MISSED] = NEED_PAYLOAD,
    [LINK_MESSAGE_SLOTS_NOTED] = NEED_PAYLOAD,
    [LINK_MESSAGE_MAP_ASK] = NEED_NAME,
    [LINK_MESSAGE_PASS_ON] = NEED_NAME,
};

static enum link_message_result check_message(const struct link_message *message,
                                              size_t payload_len)
{
    if (message->kind <= LINK_MESSAGE_NONE || message->kind >= LINK_MESSAGE_KINDS_LEN) {
        return LINK_MESSAGE_ERROR_KIND;
    }
    const unsigned need = needs[message->kind];
    if (message->name.len > LINK_MESSAGE_NAME_LEN_MAX ||
        ((need & NEED_NAME) != 0 && message->name.len == 0)) {
        return LINK_MESSAGE_ERROR_NAME;
    }
    if ((need & NEED_COMMAND) != 0 && !message->has_command) {
        return LINK_MESSAGE_ERROR_PART;
    }
    if ((need & NEED_PAYLOAD) != 0 && payload_len == 0) {
        return LINK_MESSAGE_ERROR_PAYLOAD;
    }
    return LINK_MESSAGE_OK;
}

enum link_message_result link_message_decode(struct span message, struct link_message *out,
                                             struct span *payload)
{
    struct span head;
    *out = (struct link_message){0};
    *payload = message;
    const enum protobuf_result result =
        protobuf_read_delimited(payload, LINK_MESSAGE_HEAD_LEN_MAX, &head);
    if (result == PROTOBUF_ERROR_TOO_LARGE) {
        return LINK_MESSAGE_ERROR_SIZE;
    }
    if (result != PROTOBUF_OK ||
        protobuf_decode_fields(head, &message_fields, out) != PROTOBUF_OK) {
        return LINK_MESSAGE_ERROR_FORMAT;
    }
    return check_message(out, payload->len);
}

void link_message_encode(struct writer *out, const struct link_message *message)
{
    protobuf_put_delimited(out, encode_message, message);
}

/* ---- items of payloads ---- */

#define IDENTITY_FIELDS_AT(FIELD, type, at) \
    FIELD(type, 1, BYTES, at client) \
    FIELD(type, 2, BYTES, at user) \
    FIELD(type, 3, BYTES, at conn_info) \
    FIELD(type, 4, BYTES, at chan_info)
#define IDENTITY_FIELDS(FIELD, PART) IDENTITY_FIELDS_AT(FIELD, link_identity, )
BOTH_WAYS(identity, link_identity, IDENTITY_FIELDS);

#define ENTRY_IDENTITY_FIELDS(FIELD, PART) IDENTITY_FIELDS_AT(FIELD, link_entry, identity.)
BOTH_WAYS(entry_identity, link_entry, ENTRY_IDENTITY_FIELDS);

#define ENTRY_FIELDS(FIELD, PART) \
    FIELD(link_entry, 1, BYTES, channel) \
    FIELD(link_entry, 2, BYTES, data) \
    FIELD(link_entry, 3, BYTES, tags) \
    FIELD(link_entry, 4, BYTES, idempotency_key) \
    FIELD(link_entry, 5, BYTES, version_epoch) \
    FIELD(link_entry, 6, U64, version) \
    FIELD(link_entry, 7, U64, offset) \
    PART(link_entry, 8, has_identity, entry_identity) \
    FIELD(link_entry, 9, BOOL, is_binary) \
    FIELD(link_entry, 10, BOOL, wants_delta) \
    FIELD(link_entry, 11, BYTES, key) \
    FIELD(link_entry, 12, BOOL, is_removed) \
    FIELD(link_entry, 13, S64, score) \
    FIELD(link_entry, 14, U32, key_mode) \
    FIELD(link_entry, 15, U64, time_ms) \
    FIELD(link_entry, 16, U64, ttl_ms) \
    FIELD(link_entry, 17, BOOL, is_passed_on)
BOTH_WAYS(entry, link_entry, ENTRY_FIELDS);

#define CHANNEL_FIELDS(FIELD, PART) \
    FIELD(link_channel, 1, BYTES, name) \
    FIELD(link_channel, 2, U32, clients)
BOTH_WAYS(channel, link_channel, CHANNEL_FIELDS);

#define TOLD_FIELDS(FIELD, PART) \
    FIELD(link_told, 1, BYTES, publication) \
    FIELD(link_told, 2, U64, offset) \
    FIELD(link_told, 3, U64, epoch) \
    FIELD(link_told, 4, U32, what) \
    FIELD(link_told, 5, U32, flags)
BOTH_WAYS(told, link_told, TOLD_FIELDS);

#define KNOWN_FIELDS(FIELD, PART) \
    FIELD(link_known, 1, BYTES, idempotency_key) \
    FIELD(link_known, 2, U64, offset) \
    FIELD(link_known, 3, U64, epoch) \
    FIELD(link_known, 4, U64, ttl_ms)
BOTH_WAYS(known, link_known, KNOWN_FIELDS);

#define REVOCATION_FIELDS(FIELD, PART) \
    FIELD(link_revocation, 1, U32, kind) \
    FIELD(link_revocation, 2, BYTES, name) \
    FIELD(link_revocation, 3, BYTES, channel) \
    FIELD(link_revocation, 4, U64, issued_before_s) \
    FIELD(link_revocation, 5, U64, expire_at_s) \
    FIELD(link_revocation, 6, U64, changed_ms) \
    FIELD(link_revocation, 7, BOOL, is_lifted)
BOTH_WAYS(revocation, link_revocation, REVOCATION_FIELDS);

static enum link_message_result next_item(struct span *rest, uint32_t number,
                                          const struct protobuf_fields *fields, void *out)
{
    struct span item;
    const enum protobuf_result result = protobuf_read_repeated(rest, number, &item);
    if (result == PROTOBUF_DONE) {
        return LINK_MESSAGE_DONE;
    }
    if (result != PROTOBUF_OK || protobuf_decode_fields(item, fields, out) != PROTOBUF_OK) {
        return LINK_MESSAGE_ERROR_FORMAT;
    }
    return LINK_MESSAGE_OK;
}

static enum link_message_result check_name(struct span name)
{
    return name.len == 0 || name.len > LINK_MESSAGE_NAME_LEN_MAX ? LINK_MESSAGE_ERROR_NAME
                                                                 : LINK_MESSAGE_OK;
}

static enum link_message_result check_client(const struct link_identity *identity)
{
    return identity->client.len == LINK_MESSAGE_CLIENT_LEN ? LINK_MESSAGE_OK
                                                           : LINK_MESSAGE_ERROR_CLIENT;
}

enum link_message_result link_next_identity(struct span *rest, struct link_identity *out)
{
    *out = (struct link_identity){0};
    const enum link_message_result result = next_item(rest, ITEM_IDENTITY, &identity_fields, out);
    return result == LINK_MESSAGE_OK ? check_client(out) : result;
}

enum link_message_result link_next_entry(struct span *rest, struct link_entry *out)
{
    *out = (struct link_entry){0};
    enum link_message_result result = next_item(rest, ITEM_ENTRY, &entry_fields, out);
    if (result == LINK_MESSAGE_OK) {
        result = check_name(out->channel);
    }
    return result == LINK_MESSAGE_OK && out->has_identity ? check_client(&out->identity) : result;
}

enum link_message_result link_read_publication(struct span payload, struct link_entry *out)
{
    *out = (struct link_entry){0};
    if (protobuf_decode_fields(payload, &entry_fields, out) != PROTOBUF_OK) {
        return LINK_MESSAGE_ERROR_FORMAT;
    }
    return out->has_identity ? check_client(&out->identity) : LINK_MESSAGE_OK;
}

enum link_message_result link_next_channel(struct span *rest, struct link_channel *out)
{
    *out = (struct link_channel){0};
    const enum link_message_result result = next_item(rest, ITEM_CHANNEL, &channel_fields, out);
    return result == LINK_MESSAGE_OK && out->name.len == 0 ? LINK_MESSAGE_ERROR_NAME : result;
}

enum link_message_result link_next_told(struct span *rest, struct link_told *out)
{
    *out = (struct link_told){0};
    return next_item(rest, ITEM_TOLD, &told_fields, out);
}

enum link_message_result link_next_known(struct span *rest, struct link_known *out)
{
    *out = (struct link_known){0};
    const enum link_message_result result = next_item(rest, ITEM_KNOWN, &known_fields, out);
    const size_t len = out->idempotency_key.len;
    return result == LINK_MESSAGE_OK && (len == 0 || len > LINK_MESSAGE_KEY_LEN_MAX)
               ? LINK_MESSAGE_ERROR_KEY
               : result;
}

enum link_message_result link_next_revocation(struct span *rest, struct link_revocation *out)
{
    *out = (struct link_revocation){0};
    const enum link_message_result result =
        next_item(rest, ITEM_REVOCATION, &revocation_fields, out);
    return result == LINK_MESSAGE_OK ? check_name(out->name) : result;
}

void link_put_identity(struct writer *out, const struct link_identity *identity)
{
    protobuf_put_message(out, ITEM_IDENTITY, encode_identity, identity);
}

void link_put_entry(struct writer *out, const struct link_entry *entry)
{
    protobuf_put_message(out, ITEM_ENTRY, encode_entry, entry);
}

void link_put_channel(struct writer *out, const struct link_channel *channel)
{
    protobuf_put_message(out, ITEM_CHANNEL, encode_channel, channel);
}

void link_put_publication(struct writer *out, const struct link_entry *publication)
{
    encode_entry(out, publication);
}

void link_put_told(struct writer *out, const struct link_told *told)
{
    protobuf_put_message(out, ITEM_TOLD, encode_told, told);
}

void link_put_known(struct writer *out, const struct link_known *known)
{
    protobuf_put_message(out, ITEM_KNOWN, encode_known, known);
}

void link_put_revocation(struct writer *out, const struct link_revocation *revocation)
{
    protobuf_put_message(out, ITEM_REVOCATION, encode_revocation, revocation);
}
