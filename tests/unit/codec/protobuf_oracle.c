/* SPDX-License-Identifier: Apache-2.0 */
/* Walks protobuf-c's messages by their descriptors, and compares commands field by field. */
#include "tests/unit/codec/protobuf_oracle.h"

#include "codec/json.h"
#include "codec/json_writer.h"

#include <string.h>

/* What the protocol writes in JSON even when it is zero. */
static bool is_always_written(const char *message, const char *field)
{
    static const char *const rows[][2] = {
        {"ClientInfo", "user"},
        {"ClientInfo", "client"},
        {"PresenceResult", "presence"},
        {"PresenceStatsResult", "num_clients"},
        {"PresenceStatsResult", "num_users"},
        {"HistoryResult", "publications"},
        {"HistoryResult", "epoch"},
        {"HistoryResult", "offset"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(message, rows[i][0]) == 0 && strcmp(field, rows[i][1]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_map_entry(const ProtobufCFieldDescriptor *field)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return false;
    }
    const ProtobufCMessageDescriptor *descriptor = field->descriptor;
    const size_t len = strlen(descriptor->short_name);
    return len > 5 && strcmp(descriptor->short_name + len - 5, "Entry") == 0;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT32:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return sizeof(uint64_t);
    }
}

static struct span text_at(const void *at)
{
    const char *const *text = at;
    return *text == NULL ? SPAN_EMPTY : span_of_text(*text);
}

static bool is_zero(ProtobufCType type, const void *at)
{
    static const uint8_t zeros[sizeof(uint64_t)];
    if (type == PROTOBUF_C_TYPE_STRING) {
        return text_at(at).len == 0;
    }
    if (type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *bytes = at;
        return bytes->len == 0;
    }
    return memcmp(at, zeros, size_of(type)) == 0;
}

static bool write_payload(struct json_writer *json, const ProtobufCBinaryData *bytes)
{
    const struct span raw = span_of(bytes->data, bytes->len);
    struct json_value value;
    json_write_raw(json, raw);
    return json_parse(raw, &value) == JSON_OK && value.type != JSON_NULL &&
           value.raw.len == raw.len && span_index_of(raw, '\n') == raw.len &&
           span_index_of(raw, '\r') == raw.len;
}

static bool write_message(struct json_writer *json, const ProtobufCMessage *message);

static bool write_value(struct json_writer *json, const ProtobufCFieldDescriptor *field,
                        const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        json_write_string(json, text_at(at));
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        return write_payload(json, at);
    case PROTOBUF_C_TYPE_BOOL:
        json_write_bool(json, *(const protobuf_c_boolean *)at != 0);
        return true;
    case PROTOBUF_C_TYPE_UINT32:
        json_write_u64(json, *(const uint32_t *)at);
        return true;
    case PROTOBUF_C_TYPE_INT32:
        json_write_i64(json, *(const int32_t *)at);
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
        json_write_i64(json, *(const int64_t *)at);
        return true;
    case PROTOBUF_C_TYPE_UINT64:
        json_write_u64(json, *(const uint64_t *)at);
        return true;
    case PROTOBUF_C_TYPE_MESSAGE:
        return write_message(json, *(const ProtobufCMessage *const *)at);
    default:
        return false;
    }
}

/* An entry has two fields, `key` and `value`; a missing value is that of its type. */
static bool write_entry(struct json_writer *json, const ProtobufCMessage *entry)
{
    const uint8_t *base = (const uint8_t *)entry;
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
    const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
    json_write_key_text(json, text_at(base + key->offset));
    const void *at = base + value->offset;
    if (value->type == PROTOBUF_C_TYPE_MESSAGE && is_zero(value->type, at)) {
        json_write_object_begin(json);
        json_write_object_end(json);
        return true;
    }
    return write_value(json, value, at);
}

static bool write_repeated(struct json_writer *json, const ProtobufCFieldDescriptor *field,
                           const uint8_t *base)
{
    const size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
    const uint8_t *const *list = (const uint8_t *const *)(const void *)(base + field->offset);
    const bool is_map = is_map_entry(field);
    bool is_good = true;
    if (is_map) {
        json_write_object_begin(json);
    } else {
        json_write_array_begin(json);
    }
    for (size_t i = 0; i < count; i++) {
        const void *at = *list + i * size_of(field->type);
        is_good = (is_map ? write_entry(json, *(const ProtobufCMessage *const *)at)
                          : write_value(json, field, at)) &&
                  is_good;
    }
    if (is_map) {
        json_write_object_end(json);
    } else {
        json_write_array_end(json);
    }
    return is_good;
}

/*
 * In the order of numbers; but the JSON codec writes a Connect push as it writes a ConnectResult,
 * whose fields have the same names under other numbers.
 */
static const ProtobufCFieldDescriptor *field_at(const ProtobufCMessageDescriptor *descriptor,
                                                unsigned index)
{
    if (descriptor != &roost__client__connect__descriptor) {
        return &descriptor->fields[index];
    }
    const char *name = roost__client__connect_result__descriptor.fields[index].name;
    return protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
}

static bool write_message(struct json_writer *json, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    const uint8_t *base = (const uint8_t *)message;
    bool is_good = true;
    json_write_object_begin(json);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = field_at(descriptor, i);
        const bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        const bool is_empty =
            is_repeated ? *(const size_t *)(const void *)(base + field->quantifier_offset) == 0
                        : is_zero(field->type, base + field->offset);
        if (is_empty && !is_always_written(descriptor->short_name, field->name)) {
            continue;
        }
        json_write_key(json, span_of_text(field->name));
        is_good = (is_repeated ? write_repeated(json, field, base)
                               : write_value(json, field, base + field->offset)) &&
                  is_good;
    }
    json_write_object_end(json);
    return is_good;
}

bool protobuf_oracle_to_json(struct writer *out, const ProtobufCMessage *message)
{
    struct json_writer json = json_writer_of(out);
    return write_message(&json, message);
}

static bool same_connect(const struct client_connect_request *a,
                         const struct client_connect_request *b)
{
    return span_equal(a->token, b->token) && span_equal(a->data, b->data) &&
           span_equal(a->name, b->name) && span_equal(a->version, b->version) &&
           span_equal(a->subs, b->subs) && span_equal(a->headers, b->headers) && a->flag == b->flag;
}

static bool same_subscribe(const struct client_subscribe_request *a,
                           const struct client_subscribe_request *b)
{
    return span_equal(a->channel, b->channel) && span_equal(a->token, b->token) &&
           span_equal(a->epoch, b->epoch) && span_equal(a->data, b->data) &&
           span_equal(a->delta, b->delta) && span_equal(a->tf, b->tf) &&
           span_equal(a->cursor, b->cursor) && a->offset == b->offset && a->flag == b->flag &&
           a->type == b->type && a->phase == b->phase && a->limit == b->limit &&
           a->recover == b->recover && a->positioned == b->positioned &&
           a->recoverable == b->recoverable && a->join_leave == b->join_leave && a->asc == b->asc;
}

static bool same_publish(const struct client_publish_request *a,
                         const struct client_publish_request *b)
{
    return span_equal(a->channel, b->channel) && span_equal(a->data, b->data) &&
           span_equal(a->key, b->key) && a->type == b->type && a->removed == b->removed;
}

static bool same_history(const struct client_history_request *a,
                         const struct client_history_request *b)
{
    return span_equal(a->channel, b->channel) && a->limit == b->limit && a->reverse == b->reverse &&
           a->since_present == b->since_present && a->since_offset == b->since_offset &&
           span_equal(a->since_epoch, b->since_epoch);
}

static bool same_sub_refresh(const struct client_sub_refresh_request *a,
                             const struct client_sub_refresh_request *b)
{
    return span_equal(a->channel, b->channel) && span_equal(a->token, b->token) &&
           a->type == b->type && span_equal(a->track, b->track) &&
           span_equal(a->untrack, b->untrack);
}

bool protobuf_oracle_same_command(const struct client_command *a, const struct client_command *b)
{
    if (a->id != b->id || a->method != b->method) {
        return false;
    }
    switch (a->method) {
    case CLIENT_METHOD_CONNECT:
        return same_connect(&a->connect, &b->connect);
    case CLIENT_METHOD_SUBSCRIBE:
        return same_subscribe(&a->subscribe, &b->subscribe);
    case CLIENT_METHOD_PUBLISH:
        return same_publish(&a->publish, &b->publish);
    case CLIENT_METHOD_UNSUBSCRIBE:
        return span_equal(a->unsubscribe.channel, b->unsubscribe.channel);
    case CLIENT_METHOD_PRESENCE:
        return span_equal(a->presence.channel, b->presence.channel);
    case CLIENT_METHOD_PRESENCE_STATS:
        return span_equal(a->presence_stats.channel, b->presence_stats.channel);
    case CLIENT_METHOD_HISTORY:
        return same_history(&a->history, &b->history);
    case CLIENT_METHOD_RPC:
        return span_equal(a->rpc.method, b->rpc.method) && span_equal(a->rpc.data, b->rpc.data);
    case CLIENT_METHOD_SEND:
        return span_equal(a->send.data, b->send.data);
    case CLIENT_METHOD_REFRESH:
        return span_equal(a->refresh.token, b->refresh.token);
    case CLIENT_METHOD_SUB_REFRESH:
        return same_sub_refresh(&a->sub_refresh, &b->sub_refresh);
    case CLIENT_METHOD_PONG:
    case CLIENT_METHOD_PING:
    case CLIENT_METHOD_COUNT:
        break;
    }
    return true;
}
