/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of Protobuf without allocation: fields out of bytes, and fields into a writer. */
#ifndef ROOST_CODEC_PROTOBUF_H
#define ROOST_CODEC_PROTOBUF_H

#include "codec/must_check.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Source: the "Encoding" chapter of the Protocol Buffers documentation, proto3. All functions are
 * pure and may be called from any shard. Readers advance on success only.
 */

/* The longest forms of a varint, and of one that holds a tag or a length. */
#define PROTOBUF_VARINT_LEN_MAX 10
#define PROTOBUF_TAG_LEN_MAX 5

/* One enum for all that reads Protobuf, so that a caller has one table from result to answer. */
enum protobuf_result {
    PROTOBUF_OK = 0,
    PROTOBUF_DONE,            /* no error: the message or the frame has nothing more */
    PROTOBUF_ERROR_EMPTY,     /* a frame without a message */
    PROTOBUF_ERROR_TRUNCATED, /* the bytes end inside of a tag, a value or a message */
    PROTOBUF_ERROR_TOO_LARGE, /* a message that declares more than the limit */
    PROTOBUF_ERROR_VARINT,    /* longer than the longest form, or beyond its type */
    PROTOBUF_ERROR_TAG,       /* the field number 0 */
    PROTOBUF_ERROR_WIRE_TYPE, /* a known field in the form of another type, a group, or 6 or 7 */
    PROTOBUF_ERROR_DOUBLED,   /* a second message where one may stand */
    PROTOBUF_ERROR_RANGE,     /* a number that the field cannot hold */
    PROTOBUF_ERROR_UTF8,      /* bytes in a string that are not UTF-8 */
    PROTOBUF_ERROR_DEPTH,     /* messages nested deeper than the limit */
    PROTOBUF_ERROR_SPACE,     /* the scratch is too small */
    PROTOBUF_RESULT_COUNT,
};

/* A sentence fragment for logs; never NULL. */
const char *protobuf_result_text(enum protobuf_result result);

enum protobuf_wire {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2, /* a length and as many bytes: strings, bytes and messages */
    PROTOBUF_FIXED32 = 5,
};

/* One field as it stands; which type it has is for the reader's schema to say. */
struct protobuf_field {
    uint32_t number;
    enum protobuf_wire wire;
    uint64_t value;    /* of PROTOBUF_VARINT and of the two fixed ones */
    struct span bytes; /* of PROTOBUF_BYTES, a slice of the message */
};

/* ---- reading ---- */

/* Reads one varint of at most 64 bits: PROTOBUF_OK, ..._TRUNCATED or ..._VARINT. */
CODEC_MUST_CHECK enum protobuf_result protobuf_read_varint(struct span *rest, uint64_t *out);

/* Reads the next field of a message, or says PROTOBUF_DONE at its end. */
CODEC_MUST_CHECK enum protobuf_result protobuf_read_field(struct span *rest,
                                                          struct protobuf_field *out);

/*
 * Reads the next field of this number, which must be PROTOBUF_BYTES, and passes over all others:
 * how one walks over what a message repeats. PROTOBUF_DONE when there is none left.
 */
CODEC_MUST_CHECK enum protobuf_result protobuf_read_repeated(struct span *rest, uint32_t number,
                                                             struct span *out);

/*
 * Reads a length and the message of that length. The length is compared with `len_max` before
 * anything else, so that a message beyond the limit is PROTOBUF_ERROR_TOO_LARGE however few of its
 * bytes are here.
 */
CODEC_MUST_CHECK enum protobuf_result protobuf_read_delimited(struct span *rest, size_t len_max,
                                                              struct span *out);

/* ---- a message into a struct, by a table of its fields ---- */

/* What each kind stores at its offset is behind it. */
enum protobuf_kind {
    PROTOBUF_UNKNOWN = 0,     /* nothing: the field is passed over */
    PROTOBUF_KIND_STRING,     /* struct span, checked UTF-8 */
    PROTOBUF_KIND_BYTES,      /* struct span */
    PROTOBUF_KIND_BOOL,       /* bool */
    PROTOBUF_KIND_U32,        /* uint32_t */
    PROTOBUF_KIND_U64,        /* uint64_t */
    PROTOBUF_KIND_I32,        /* int32_t */
    PROTOBUF_KIND_I64,        /* int64_t */
    PROTOBUF_KIND_S64,        /* int64_t, zig-zag */
    PROTOBUF_KIND_MESSAGE,    /* struct span, unchecked; `at` is set even for one of no bytes */
    PROTOBUF_KIND_REPEATED,   /* struct span, the whole message that has such a field: walk it */
    PROTOBUF_KIND_SUBMESSAGE, /* bool, set when there; `nested` has its fields, of the same struct
                               */
};

struct protobuf_fields;

/* A slot stands at the index that is its field's number. */
struct protobuf_slot {
    enum protobuf_kind kind;
    size_t offset;
    const struct protobuf_fields *nested;
};

struct protobuf_fields {
    const struct protobuf_slot *slots;
    size_t count;
};

/* PROTOBUF_FIELD(publish_request, 1, STRING, channel): no `struct`, no prefix. */
#define PROTOBUF_FIELD(type, number, field_kind, member) \
    [number] = {.kind = PROTOBUF_KIND_##field_kind, .offset = offsetof(struct type, member)}
#define PROTOBUF_FIELD_OF_NESTED(type, number, member, nested_fields) \
    [number] = {.kind = PROTOBUF_KIND_SUBMESSAGE, \
                .offset = offsetof(struct type, member), \
                .nested = (nested_fields)}
#define PROTOBUF_FIELDS(list) \
    { \
        (list), sizeof(list) / sizeof((list)[0]) \
    }

/*
 * Reads `message` into *out, whose other fields stay as they are; those of messages must be empty
 * before. Unknown fields are passed over, and of a doubled field the last counts; a doubled message
 * is refused, because to merge two hides what nobody sends. A 32-bit signed field takes what a
 * sender of 32 bits may have left of its sign; otherwise a value that the field cannot hold is
 * PROTOBUF_ERROR_RANGE, where other readers cut it off in silence.
 */
CODEC_MUST_CHECK enum protobuf_result
protobuf_decode_fields(struct span message, const struct protobuf_fields *fields, void *out);

/* ---- writing ---- */

size_t protobuf_varint_len(uint64_t value);
void protobuf_put_varint(struct writer *out, uint64_t value);

/* Fields are left out when they are zero or empty, as proto3 wants it. */
void protobuf_put_u64(struct writer *out, uint32_t number, uint64_t value);
void protobuf_put_i64(struct writer *out, uint32_t number, int64_t value);
void protobuf_put_s64(struct writer *out, uint32_t number, int64_t value);
void protobuf_put_bool(struct writer *out, uint32_t number, bool value);
void protobuf_put_bytes(struct writer *out, uint32_t number, struct span bytes);

/* Writes the fields of one message, which is the whole of what it writes. */
typedef void protobuf_encode_function(struct writer *out, const void *value);

/*
 * A message with its length before it, even when it is empty. Its size is measured first: a message
 * `depth` levels deep is visited depth + 1 times, and nothing is moved.
 */
void protobuf_put_message(struct writer *out, uint32_t number, protobuf_encode_function *encode,
                          const void *value);

/* The same without a tag: one message of a frame. */
void protobuf_put_delimited(struct writer *out, protobuf_encode_function *encode,
                            const void *value);

#endif
