/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes by tables of fields, encodes field by field in the order of their numbers. */
#include "codec/link_message.h"

#include <assert.h>

enum { FIELD_COMMAND = 22 };
enum { ITEM_IDENTITY = 1, ITEM_ENTRY = 2, ITEM_CHANNEL = 3, ITEM_TOLD = 4, ITEM_REVOCATION = 5 };
enum { ENTRY_IDENTITY = 8 };

const char *link_message_result_text(enum link_message_result result)
{
    static const char *const texts[LINK_MESSAGE_RESULT_COUNT] = {
#define LINK_MESSAGE_TEXT(name, text) [name] = text,
        LINK_MESSAGE_RESULTS(LINK_MESSAGE_TEXT)
#undef LINK_MESSAGE_TEXT
    };
    return (unsigned)result < LINK_MESSAGE_RESULT_COUNT ? texts[result] : "unknown";
}

/* ---- heads ---- */

static const struct protobuf_slot command_slots[] = {
    PROTOBUF_FIELD(link_message, 1, U32, command.kind),
    PROTOBUF_FIELD(link_message, 2, U32, command.code),
    PROTOBUF_FIELD(link_message, 3, BYTES, command.user),
    PROTOBUF_FIELD(link_message, 4, BYTES, command.client),
    PROTOBUF_FIELD(link_message, 5, BYTES, command.session),
    PROTOBUF_FIELD(link_message, 6, BYTES, command.channel),
    PROTOBUF_FIELD(link_message, 7, BYTES, command.reason),
    PROTOBUF_FIELD(link_message, 8, BYTES, command.whitelist),
    PROTOBUF_FIELD(link_message, 9, BYTES, command.detail),
};
static const struct protobuf_fields command_fields = PROTOBUF_FIELDS(command_slots);

static_assert(sizeof(enum link_message_kind) == sizeof(uint32_t), "a kind is read as a number");

static const struct protobuf_slot message_slots[] = {
    PROTOBUF_FIELD(link_message, 1, U32, kind),
    PROTOBUF_FIELD(link_message, 2, U32, cookie),
    PROTOBUF_FIELD(link_message, 3, U32, handle),
    PROTOBUF_FIELD(link_message, 4, U32, flags),
    PROTOBUF_FIELD(link_message, 5, U32, error),
    PROTOBUF_FIELD(link_message, 6, BYTES, name),
    PROTOBUF_FIELD(link_message, 7, U64, epoch),
    PROTOBUF_FIELD(link_message, 8, U64, offset),
    PROTOBUF_FIELD(link_message, 9, U64, sequence),
    PROTOBUF_FIELD(link_message, 10, U32, limit),
    PROTOBUF_FIELD(link_message, 11, U32, bytes_max),
    PROTOBUF_FIELD(link_message, 12, U32, meta_ttl_s),
    PROTOBUF_FIELD(link_message, 13, U32, history_size),
    PROTOBUF_FIELD(link_message, 14, U32, history_ttl_s),
    PROTOBUF_FIELD(link_message, 15, U32, clients),
    PROTOBUF_FIELD(link_message, 16, U32, users),
    PROTOBUF_FIELD(link_message, 17, U32, shard),
    PROTOBUF_FIELD(link_message, 18, U32, hops),
    PROTOBUF_FIELD(link_message, 19, U32, what),
    PROTOBUF_FIELD(link_message, 21, U64, age_us),
    PROTOBUF_FIELD_OF_NESTED(link_message, FIELD_COMMAND, has_command, &command_fields),
    PROTOBUF_FIELD(link_message, 24, U64, version),
    PROTOBUF_FIELD(link_message, 25, U64, version_epoch),
    PROTOBUF_FIELD(link_message, 26, U32, key_ttl_ms),
    PROTOBUF_FIELD(link_message, 27, U32, stream_ttl_s),
    PROTOBUF_FIELD(link_message, 28, BYTES, cursor),
};
static const struct protobuf_fields message_fields = PROTOBUF_FIELDS(message_slots);

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

static void encode_command(struct writer *out, const void *value)
{
    const struct link_command *command = value;
    protobuf_put_u64(out, 1, command->kind);
    protobuf_put_u64(out, 2, command->code);
    protobuf_put_bytes(out, 3, command->user);
    protobuf_put_bytes(out, 4, command->client);
    protobuf_put_bytes(out, 5, command->session);
    protobuf_put_bytes(out, 6, command->channel);
    protobuf_put_bytes(out, 7, command->reason);
    protobuf_put_bytes(out, 8, command->whitelist);
    protobuf_put_bytes(out, 9, command->detail);
}

static void encode_head(struct writer *out, const void *value)
{
    const struct link_message *message = value;
    protobuf_put_u64(out, 1, message->kind);
    protobuf_put_u64(out, 2, message->cookie);
    protobuf_put_u64(out, 3, message->handle);
    protobuf_put_u64(out, 4, message->flags);
    protobuf_put_u64(out, 5, message->error);
    protobuf_put_bytes(out, 6, message->name);
    protobuf_put_u64(out, 7, message->epoch);
    protobuf_put_u64(out, 8, message->offset);
    protobuf_put_u64(out, 9, message->sequence);
    protobuf_put_u64(out, 10, message->limit);
    protobuf_put_u64(out, 11, message->bytes_max);
    protobuf_put_u64(out, 12, message->meta_ttl_s);
    protobuf_put_u64(out, 13, message->history_size);
    protobuf_put_u64(out, 14, message->history_ttl_s);
    protobuf_put_u64(out, 15, message->clients);
    protobuf_put_u64(out, 16, message->users);
    protobuf_put_u64(out, 17, message->shard);
    protobuf_put_u64(out, 18, message->hops);
    protobuf_put_u64(out, 19, message->what);
    protobuf_put_u64(out, 21, message->age_us);
    if (message->has_command) {
        protobuf_put_message(out, FIELD_COMMAND, encode_command, &message->command);
    }
    protobuf_put_u64(out, 24, message->version);
    protobuf_put_u64(out, 25, message->version_epoch);
    protobuf_put_u64(out, 26, message->key_ttl_ms);
    protobuf_put_u64(out, 27, message->stream_ttl_s);
    protobuf_put_bytes(out, 28, message->cursor);
}

void link_message_encode(struct writer *out, const struct link_message *message)
{
    protobuf_put_delimited(out, encode_head, message);
}

/* ---- items of payloads ---- */

static const struct protobuf_slot identity_slots[] = {
    PROTOBUF_FIELD(link_identity, 1, BYTES, client),
    PROTOBUF_FIELD(link_identity, 2, BYTES, user),
    PROTOBUF_FIELD(link_identity, 3, BYTES, conn_info),
    PROTOBUF_FIELD(link_identity, 4, BYTES, chan_info),
};
static const struct protobuf_fields identity_fields = PROTOBUF_FIELDS(identity_slots);

static const struct protobuf_slot entry_identity_slots[] = {
    PROTOBUF_FIELD(link_entry, 1, BYTES, identity.client),
    PROTOBUF_FIELD(link_entry, 2, BYTES, identity.user),
    PROTOBUF_FIELD(link_entry, 3, BYTES, identity.conn_info),
    PROTOBUF_FIELD(link_entry, 4, BYTES, identity.chan_info),
};
static const struct protobuf_fields entry_identity_fields = PROTOBUF_FIELDS(entry_identity_slots);

static const struct protobuf_slot entry_slots[] = {
    PROTOBUF_FIELD(link_entry, 1, BYTES, channel),
    PROTOBUF_FIELD(link_entry, 2, BYTES, data),
    PROTOBUF_FIELD(link_entry, 3, BYTES, tags),
    PROTOBUF_FIELD(link_entry, 4, BYTES, idempotency_key),
    PROTOBUF_FIELD(link_entry, 5, BYTES, version_epoch),
    PROTOBUF_FIELD(link_entry, 6, U64, version),
    PROTOBUF_FIELD(link_entry, 7, U64, offset),
    PROTOBUF_FIELD(link_entry, 9, BOOL, is_binary),
    PROTOBUF_FIELD(link_entry, 10, BOOL, wants_delta),
    PROTOBUF_FIELD(link_entry, 11, BYTES, key),
    PROTOBUF_FIELD(link_entry, 12, BOOL, is_removed),
    PROTOBUF_FIELD(link_entry, 13, S64, score),
    PROTOBUF_FIELD(link_entry, 14, U32, key_mode),
    PROTOBUF_FIELD(link_entry, 15, U64, time_ms),
    PROTOBUF_FIELD(link_entry, 16, U64, ttl_ms),
    PROTOBUF_FIELD(link_entry, 17, BOOL, is_passed_on),
    PROTOBUF_FIELD_OF_NESTED(link_entry, ENTRY_IDENTITY, has_identity, &entry_identity_fields),
};
static const struct protobuf_fields entry_fields = PROTOBUF_FIELDS(entry_slots);

static const struct protobuf_slot channel_slots[] = {
    PROTOBUF_FIELD(link_channel, 1, BYTES, name),
    PROTOBUF_FIELD(link_channel, 2, U32, clients),
};
static const struct protobuf_fields channel_fields = PROTOBUF_FIELDS(channel_slots);

static const struct protobuf_slot told_slots[] = {
    PROTOBUF_FIELD(link_told, 1, BYTES, publication), PROTOBUF_FIELD(link_told, 2, U64, offset),
    PROTOBUF_FIELD(link_told, 3, U64, epoch),         PROTOBUF_FIELD(link_told, 4, U32, what),
    PROTOBUF_FIELD(link_told, 5, U32, flags),
};
static const struct protobuf_fields told_fields = PROTOBUF_FIELDS(told_slots);

static const struct protobuf_slot revocation_slots[] = {
    PROTOBUF_FIELD(link_revocation, 1, U32, kind),
    PROTOBUF_FIELD(link_revocation, 2, BYTES, name),
    PROTOBUF_FIELD(link_revocation, 3, BYTES, channel),
    PROTOBUF_FIELD(link_revocation, 4, U64, issued_before_s),
    PROTOBUF_FIELD(link_revocation, 5, U64, expire_at_s),
    PROTOBUF_FIELD(link_revocation, 6, U64, changed_ms),
    PROTOBUF_FIELD(link_revocation, 7, BOOL, is_lifted),
};
static const struct protobuf_fields revocation_fields = PROTOBUF_FIELDS(revocation_slots);

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

enum link_message_result link_next_revocation(struct span *rest, struct link_revocation *out)
{
    *out = (struct link_revocation){0};
    const enum link_message_result result =
        next_item(rest, ITEM_REVOCATION, &revocation_fields, out);
    return result == LINK_MESSAGE_OK ? check_name(out->name) : result;
}

static void encode_identity(struct writer *out, const void *value)
{
    const struct link_identity *identity = value;
    protobuf_put_bytes(out, 1, identity->client);
    protobuf_put_bytes(out, 2, identity->user);
    protobuf_put_bytes(out, 3, identity->conn_info);
    protobuf_put_bytes(out, 4, identity->chan_info);
}

static void encode_entry(struct writer *out, const void *value)
{
    const struct link_entry *entry = value;
    protobuf_put_bytes(out, 1, entry->channel);
    protobuf_put_bytes(out, 2, entry->data);
    protobuf_put_bytes(out, 3, entry->tags);
    protobuf_put_bytes(out, 4, entry->idempotency_key);
    protobuf_put_bytes(out, 5, entry->version_epoch);
    protobuf_put_u64(out, 6, entry->version);
    protobuf_put_u64(out, 7, entry->offset);
    if (entry->has_identity) {
        protobuf_put_message(out, ENTRY_IDENTITY, encode_identity, &entry->identity);
    }
    protobuf_put_bool(out, 9, entry->is_binary);
    protobuf_put_bool(out, 10, entry->wants_delta);
    protobuf_put_bytes(out, 11, entry->key);
    protobuf_put_bool(out, 12, entry->is_removed);
    protobuf_put_s64(out, 13, entry->score);
    protobuf_put_u64(out, 14, entry->key_mode);
    protobuf_put_u64(out, 15, entry->time_ms);
    protobuf_put_u64(out, 16, entry->ttl_ms);
    protobuf_put_bool(out, 17, entry->is_passed_on);
}

static void encode_channel(struct writer *out, const void *value)
{
    const struct link_channel *channel = value;
    protobuf_put_bytes(out, 1, channel->name);
    protobuf_put_u64(out, 2, channel->clients);
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

static void encode_told(struct writer *out, const void *value)
{
    const struct link_told *told = value;
    protobuf_put_bytes(out, 1, told->publication);
    protobuf_put_u64(out, 2, told->offset);
    protobuf_put_u64(out, 3, told->epoch);
    protobuf_put_u64(out, 4, told->what);
    protobuf_put_u64(out, 5, told->flags);
}

void link_put_told(struct writer *out, const struct link_told *told)
{
    protobuf_put_message(out, ITEM_TOLD, encode_told, told);
}

static void encode_revocation(struct writer *out, const void *value)
{
    const struct link_revocation *revocation = value;
    protobuf_put_u64(out, 1, revocation->kind);
    protobuf_put_bytes(out, 2, revocation->name);
    protobuf_put_bytes(out, 3, revocation->channel);
    protobuf_put_u64(out, 4, revocation->issued_before_s);
    protobuf_put_u64(out, 5, revocation->expire_at_s);
    protobuf_put_u64(out, 6, revocation->changed_ms);
    protobuf_put_bool(out, 7, revocation->is_lifted);
}

void link_put_revocation(struct writer *out, const struct link_revocation *revocation)
{
    protobuf_put_message(out, ITEM_REVOCATION, encode_revocation, revocation);
}
