/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol's JSON into protobuf-c's messages, by their descriptors. */
#include "codec/json.h"
#include "tests/unit/codec/protobuf_oracle.h"

#include <stdlib.h>
#include <string.h>

/* One text on its way into messages. */
struct source {
    struct json_reader reader;
    struct scratch scratch;
};

static ProtobufCMessage *read_message(struct source *source,
                                      const ProtobufCMessageDescriptor *descriptor);

static ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = malloc(descriptor->sizeof_message);
    if (message != NULL) {
        descriptor->message_init(message);
    }
    return message;
}

static bool set_text(char **at, struct span text)
{
    char *copy = calloc(1, text.len + 1);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    *at = copy;
    return copy != NULL;
}

static bool set_bytes(ProtobufCBinaryData *at, struct span bytes)
{
    at->data = malloc(bytes.len);
    at->len = at->data == NULL ? 0 : bytes.len;
    if (at->len > 0) {
        memcpy(at->data, bytes.at, bytes.len);
    }
    return at->data != NULL;
}

static bool read_number(const struct json_value *value, ProtobufCType type, void *at)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
        return json_number_u32(value->raw, at) == JSON_OK;
    case PROTOBUF_C_TYPE_INT32:
        return json_number_i32(value->raw, at) == JSON_OK;
    case PROTOBUF_C_TYPE_UINT64:
        return json_number_u64(value->raw, at) == JSON_OK;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
        return json_number_i64(value->raw, at) == JSON_OK;
    default:
        return false;
    }
}

static bool read_value(struct source *source, const ProtobufCFieldDescriptor *field, void *at)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage **message = at;
        *message = read_message(source, field->descriptor);
        return *message != NULL;
    }
    struct json_value value;
    if (json_read_value(&source->reader, &value) != JSON_OK) {
        return false;
    }
    struct span text;
    switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return set_bytes(at, value.raw);
    case PROTOBUF_C_TYPE_STRING:
        return value.type == JSON_STRING &&
               json_string_decode(value.raw, &source->scratch, &text) == JSON_OK &&
               set_text(at, text);
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = value.raw.at[0] == 't';
        return value.type == JSON_BOOL;
    default:
        return value.type == JSON_NUMBER && read_number(&value, field->type, at);
    }
}

/* Room for one more of a repeated field; they are all pointers here. */
static void **append(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
    uint8_t *base = (uint8_t *)message;
    size_t *count = (size_t *)(void *)(base + field->quantifier_offset);
    void ***list = (void ***)(void *)(base + field->offset);
    void **grown = realloc(*list, (*count + 1) * sizeof(**list));
    if (grown == NULL) {
        return NULL;
    }
    *list = grown;
    grown[*count] = NULL;
    return &grown[(*count)++];
}

/* An object whose members are entries of `key` and `value`. */
static bool read_map(struct source *source, const ProtobufCFieldDescriptor *field,
                     ProtobufCMessage *message)
{
    struct span key_raw;
    enum json_result result;
    while ((result = json_next_member(&source->reader, &key_raw)) == JSON_OK) {
        ProtobufCMessage *entry = message_new(field->descriptor);
        void **place = entry == NULL ? NULL : append(field, message);
        if (place == NULL) {
            free(entry);
            return false;
        }
        *place = entry;
        const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;
        uint8_t *base = (uint8_t *)entry;
        struct span key;
        if (json_key_decode(key_raw, &source->scratch, &key) != JSON_OK ||
            !set_text((char **)(void *)(base + fields[0].offset), key) ||
            !read_value(source, &fields[1], base + fields[1].offset)) {
            return false;
        }
    }
    return result == JSON_DONE;
}

static bool read_repeated(struct source *source, const ProtobufCFieldDescriptor *field,
                          ProtobufCMessage *message)
{
    if (json_enter_object(&source->reader) == JSON_OK) {
        return read_map(source, field, message);
    }
    enum json_result result = json_enter_array(&source->reader);
    while (result == JSON_OK && (result = json_next_element(&source->reader)) == JSON_OK) {
        void **place = append(field, message);
        if (place == NULL || !read_value(source, field, place)) {
            return false;
        }
    }
    return result == JSON_DONE;
}

static bool read_field(struct source *source, struct span name, ProtobufCMessage *message)
{
    char text[64];
    const size_t len = name.len < sizeof(text) ? name.len : sizeof(text) - 1;
    memcpy(text, name.at, len);
    text[len] = '\0';
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, text);
    if (field == NULL) {
        return json_skip_value(&source->reader) == JSON_OK;
    }
    /* An absent field; but a payload may be null like any JSON. */
    if (field->type != PROTOBUF_C_TYPE_BYTES && json_read_null(&source->reader)) {
        return true;
    }
    return field->label == PROTOBUF_C_LABEL_REPEATED
               ? read_repeated(source, field, message)
               : read_value(source, field, (uint8_t *)message + field->offset);
}

static ProtobufCMessage *read_message(struct source *source,
                                      const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = message_new(descriptor);
    if (message == NULL) {
        return NULL;
    }
    struct span name;
    enum json_result result = json_enter_object(&source->reader);
    while (result == JSON_OK && (result = json_next_member(&source->reader, &name)) == JSON_OK) {
        if (!read_field(source, name, message)) {
            result = JSON_ERROR_TYPE;
        }
    }
    if (result != JSON_DONE) {
        protobuf_c_message_free_unpacked(message, NULL);
        return NULL;
    }
    return message;
}

ProtobufCMessage *protobuf_oracle_from_json(const ProtobufCMessageDescriptor *descriptor,
                                            struct span text)
{
    void *room = malloc(text.len + 1);
    struct source source = {.scratch = scratch_of(room, text.len)};
    json_reader_begin(&source.reader, text);
    ProtobufCMessage *message = room == NULL ? NULL : read_message(&source, descriptor);
    if (message != NULL && json_reader_end(&source.reader) != JSON_OK) {
        protobuf_c_message_free_unpacked(message, NULL);
        message = NULL;
    }
    free(room);
    return message;
}
