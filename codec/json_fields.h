/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes a JSON object into a struct by a table of its fields. */
#ifndef ROOST_CODEC_JSON_FIELDS_H
#define ROOST_CODEC_JSON_FIELDS_H

#include "codec/json.h"
#include "codec/scratch.h"
#include "codec/span.h"

#include <stddef.h>
#include <stdint.h>

/* Private to the codecs that read JSON. What each kind stores at its offset is behind it. */
enum json_field_kind {
    JSON_FIELD_STRING,     /* struct span, decoded */
    JSON_FIELD_BASE64,     /* struct span, the bytes that a string in standard base64 stands for */
    JSON_FIELD_BOOL,       /* bool */
    JSON_FIELD_U32,        /* uint32_t */
    JSON_FIELD_U64,        /* uint64_t */
    JSON_FIELD_I32,        /* int32_t */
    JSON_FIELD_I64,        /* int64_t */
    JSON_FIELD_RAW,        /* struct span, any value */
    JSON_FIELD_PAYLOAD,    /* struct span, any value, and null is one of them */
    JSON_FIELD_RAW_OBJECT, /* struct span */
    JSON_FIELD_RAW_ARRAY,  /* struct span */
    JSON_FIELD_STRINGS,    /* struct span, an array of strings */
    JSON_FIELD_MAP,        /* struct span, an object of strings */
    JSON_FIELD_NESTED,     /* bool, set when there; `nested` has its fields, of the same struct */
    JSON_FIELD_CUSTOM,     /* whatever `read` stores */
};

struct json_field {
    struct span name;
    enum json_field_kind kind;
    size_t offset;
    const struct json_fields *nested;
    enum json_result (*read)(struct json_reader *reader, struct scratch *scratch, void *at);
};

struct json_fields {
    const struct json_field *list;
    size_t count;
};

#define JSON_FIELD_NAME(text) \
    { \
        (const uint8_t *)("" text), sizeof(text) - 1 \
    }

/* JSON_FIELD(publish_request, "channel", STRING, channel): no `struct`, no prefix. */
#define JSON_FIELD(type, text, field_kind, member) \
    { \
        .name = JSON_FIELD_NAME(text), .kind = JSON_FIELD_##field_kind, \
        .offset = offsetof(struct type, member) \
    }
#define JSON_FIELD_OF_NESTED(type, text, member, nested_fields) \
    { \
        .name = JSON_FIELD_NAME(text), .kind = JSON_FIELD_NESTED, \
        .offset = offsetof(struct type, member), .nested = (nested_fields) \
    }
#define JSON_FIELD_READ_BY(type, text, member, function) \
    { \
        .name = JSON_FIELD_NAME(text), .kind = JSON_FIELD_CUSTOM, \
        .offset = offsetof(struct type, member), .read = (function) \
    }

#define JSON_FIELDS(list) \
    { \
        (list), sizeof(list) / sizeof((list)[0]) \
    }

/*
 * Reads the object ahead into *out, whose other fields stay as they are. Unknown fields are
 * skipped, null leaves a field as it is, the last of a doubled field counts.
 */
enum json_result json_read_fields(struct json_reader *reader, struct scratch *scratch,
                                  const struct json_fields *fields, void *out);

/*
 * The next element of an array of objects that json_strings_begin() has begun to walk, into *out as
 * above; null is an object without fields. JSON_OK, JSON_DONE at the end, or an error.
 */
enum json_result json_next_fields(struct json_walk *walk, struct scratch *scratch,
                                  const struct json_fields *fields, void *out);

/* The same for a text that is nothing but that object. */
enum json_result json_decode_fields(struct span text, struct scratch *scratch,
                                    const struct json_fields *fields, void *out);

#endif
