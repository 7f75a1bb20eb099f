/* SPDX-License-Identifier: Apache-2.0 */
/* Walks an object and stores each known field where its table says. */
#include "codec/json_fields.h"

#include "codec/base64.h"

#include <string.h>

/* Longer than any field's name; a key that is longer still is nobody's. */
#define NAME_LEN_MAX 64

static enum json_result read_base64(struct json_reader *reader, struct scratch *scratch,
                                    struct span *out)
{
    struct scratch before = *scratch;
    struct span text = SPAN_EMPTY;
    enum json_result result = json_read_string(reader, scratch, &text);
    if (result != JSON_OK || text.len == 0) {
        return result;
    }
    /* A text with escapes is in the scratch already, and what it stands for takes its place. */
    *scratch = before;
    switch (base64_decode(text, BASE64_STANDARD, scratch, out)) {
    case BASE64_OK:
        return JSON_OK;
    case BASE64_ERROR_SPACE:
        return JSON_ERROR_SPACE;
    case BASE64_ERROR_TEXT:
        break;
    }
    return JSON_ERROR_BASE64;
}

static enum json_result read_raw_of_type(struct json_reader *reader, enum json_type type,
                                         struct span *out)
{
    struct json_value value;
    enum json_result result = json_read_value(reader, &value);
    if (result != JSON_OK || value.type == JSON_NULL) {
        return result;
    }
    if (value.type != type) {
        return JSON_ERROR_TYPE;
    }
    *out = value.raw;
    return JSON_OK;
}

static enum json_result read_nested(struct json_reader *reader, struct scratch *scratch,
                                    const struct json_field *field, void *out)
{
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    bool *is_present = (bool *)((uint8_t *)out + field->offset);
    *is_present = true;
    return json_read_fields(reader, scratch, field->nested, out);
}

static enum json_result read_field(struct json_reader *reader, struct scratch *scratch,
                                   const struct json_field *field, void *out)
{
    void *at = (uint8_t *)out + field->offset;
    switch (field->kind) {
    case JSON_FIELD_STRING:
        return json_read_string(reader, scratch, at);
    case JSON_FIELD_BASE64:
        return read_base64(reader, scratch, at);
    case JSON_FIELD_BOOL:
        return json_read_bool(reader, at);
    case JSON_FIELD_U32:
        return json_read_u32(reader, at);
    case JSON_FIELD_U64:
        return json_read_u64(reader, at);
    case JSON_FIELD_I32:
        return json_read_i32(reader, at);
    case JSON_FIELD_I64:
        return json_read_i64(reader, at);
    case JSON_FIELD_RAW:
        return json_read_raw(reader, at);
    case JSON_FIELD_PAYLOAD: {
        struct json_value value;
        const enum json_result result = json_read_value(reader, &value);
        if (result == JSON_OK) {
            *(struct span *)at = value.raw;
        }
        return result;
    }
    case JSON_FIELD_RAW_OBJECT:
        return read_raw_of_type(reader, JSON_OBJECT, at);
    case JSON_FIELD_RAW_ARRAY:
        return read_raw_of_type(reader, JSON_ARRAY, at);
    case JSON_FIELD_STRINGS:
        return json_read_raw_strings(reader, at);
    case JSON_FIELD_MAP:
        return json_read_raw_map(reader, at);
    case JSON_FIELD_NESTED:
        return read_nested(reader, scratch, field, out);
    case JSON_FIELD_CUSTOM:
        return field->read(reader, scratch, at);
    }
    return json_skip_value(reader);
}

static const struct json_field *find(const struct json_fields *fields, struct span key_raw)
{
    uint8_t buf[NAME_LEN_MAX];
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    struct span key;
    if (json_key_decode(key_raw, &scratch, &key) != JSON_OK) {
        return NULL;
    }
    for (size_t i = 0; i < fields->count; i++) {
        if (span_equal(key, fields->list[i].name)) {
            return &fields->list[i];
        }
    }
    return NULL;
}

enum json_result json_read_fields(struct json_reader *reader, struct scratch *scratch,
                                  const struct json_fields *fields, void *out)
{
    enum json_result result = json_enter_object(reader);
    if (result != JSON_OK) {
        return result;
    }
    struct span key;
    while ((result = json_next_member(reader, &key)) == JSON_OK) {
        const struct json_field *field = find(fields, key);
        result = field == NULL ? json_skip_value(reader) : read_field(reader, scratch, field, out);
        if (result != JSON_OK) {
            return result;
        }
    }
    return result == JSON_DONE ? JSON_OK : result;
}

enum json_result json_decode_fields(struct span text, struct scratch *scratch,
                                    const struct json_fields *fields, void *out)
{
    struct json_reader reader;
    json_reader_begin(&reader, text);
    enum json_result result = json_read_fields(&reader, scratch, fields, out);
    return result == JSON_OK ? json_reader_end(&reader) : result;
}

enum json_result json_next_fields(struct json_walk *walk, struct scratch *scratch,
                                  const struct json_fields *fields, void *out)
{
    if (walk->empty) {
        return JSON_DONE;
    }
    const enum json_result result = json_next_element(&walk->reader);
    if (result != JSON_OK) {
        walk->empty = result == JSON_DONE;
        return result;
    }
    return json_read_null(&walk->reader) ? JSON_OK
                                         : json_read_fields(&walk->reader, scratch, fields, out);
}
