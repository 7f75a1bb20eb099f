/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the wire format of Protobuf. */
#include "codec/protobuf.h"

#include "codec/utf8.h"

/* A tag is a field number of 29 bits and a wire type of 3. */
#define WIRE_BITS 3
#define WIRE_MASK 0x07

const char *protobuf_result_text(enum protobuf_result result)
{
    static const char *const texts[PROTOBUF_RESULT_COUNT] = {
        [PROTOBUF_OK] = "no error",
        [PROTOBUF_DONE] = "nothing more",
        [PROTOBUF_ERROR_EMPTY] = "empty frame",
        [PROTOBUF_ERROR_TRUNCATED] = "message ends inside of a field",
        [PROTOBUF_ERROR_TOO_LARGE] = "message too large",
        [PROTOBUF_ERROR_VARINT] = "varint too long",
        [PROTOBUF_ERROR_TAG] = "field number zero",
        [PROTOBUF_ERROR_WIRE_TYPE] = "wrong wire type",
        [PROTOBUF_ERROR_DOUBLED] = "second message where one may stand",
        [PROTOBUF_ERROR_RANGE] = "number out of range",
        [PROTOBUF_ERROR_UTF8] = "string is not UTF-8",
        [PROTOBUF_ERROR_DEPTH] = "nested too deep",
        [PROTOBUF_ERROR_SPACE] = "no room left",
    };
    return (size_t)result < PROTOBUF_RESULT_COUNT ? texts[result] : "unknown result";
}

/* Varints are read from a pointer, which moves on success only; `end` is the message's. */
static enum protobuf_result read_long_varint(const uint8_t **src, const uint8_t *end,
                                             size_t len_max, uint64_t *out)
{
    const uint8_t *at = *src;
    uint64_t value = 0;
    for (size_t i = 0; i < len_max; i++) {
        if (at == end) {
            return PROTOBUF_ERROR_TRUNCATED;
        }
        const uint8_t byte = *at++;
        /* The tenth byte has room for the one bit that is left of 64. */
        if (i == PROTOBUF_VARINT_LEN_MAX - 1 && byte > 1) {
            return PROTOBUF_ERROR_VARINT;
        }
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if ((byte & 0x80) == 0) {
            *src = at;
            *out = value;
            return PROTOBUF_OK;
        }
    }
    return PROTOBUF_ERROR_VARINT;
}

/* Nearly all tags and lengths, and most numbers, are of one byte. */
static inline enum protobuf_result read_varint(const uint8_t **src, const uint8_t *end,
                                               uint64_t *out)
{
    if (*src != end && **src < 0x80) {
        *out = *(*src)++;
        return PROTOBUF_OK;
    }
    return read_long_varint(src, end, PROTOBUF_VARINT_LEN_MAX, out);
}

/* Tags and lengths have 32 bits and may not take more bytes than those need. */
static inline enum protobuf_result read_u32(const uint8_t **src, const uint8_t *end, uint32_t *out)
{
    if (*src != end && **src < 0x80) {
        *out = *(*src)++;
        return PROTOBUF_OK;
    }
    uint64_t value;
    const enum protobuf_result result = read_long_varint(src, end, PROTOBUF_TAG_LEN_MAX, &value);
    if (result == PROTOBUF_OK && value > UINT32_MAX) {
        return PROTOBUF_ERROR_VARINT;
    }
    *out = (uint32_t)value;
    return result;
}

static inline const uint8_t *end_of(struct span span)
{
    return span.len == 0 ? span.at : span.at + span.len;
}

enum protobuf_result protobuf_read_varint(struct span *rest, uint64_t *out)
{
    const uint8_t *at = rest->at;
    const uint8_t *end = end_of(*rest);
    const enum protobuf_result result = read_varint(&at, end, out);
    if (result == PROTOBUF_OK) {
        *rest = span_between(at, end);
    }
    return result;
}

static enum protobuf_result read_fixed(const uint8_t **src, const uint8_t *end, size_t len,
                                       uint64_t *out)
{
    if ((size_t)(end - *src) < len) {
        return PROTOBUF_ERROR_TRUNCATED;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)(*src)[i] << (8 * i);
    }
    *out = value;
    *src += len;
    return PROTOBUF_OK;
}

static inline enum protobuf_result read_bytes(const uint8_t **src, const uint8_t *end,
                                              struct span *out)
{
    uint32_t len;
    const enum protobuf_result result = read_u32(src, end, &len);
    if (result != PROTOBUF_OK) {
        return result;
    }
    if (len > (size_t)(end - *src)) {
        return PROTOBUF_ERROR_TRUNCATED;
    }
    *out = span_of(*src, len);
    *src += len;
    return PROTOBUF_OK;
}

enum protobuf_result protobuf_read_field(struct span *rest, struct protobuf_field *out)
{
    if (rest->len == 0) {
        return PROTOBUF_DONE;
    }
    const uint8_t *at = rest->at;
    const uint8_t *end = at + rest->len;
    uint32_t tag;
    enum protobuf_result result = read_u32(&at, end, &tag);
    if (result != PROTOBUF_OK) {
        return result;
    }
    out->number = tag >> WIRE_BITS;
    out->value = 0;
    out->bytes = SPAN_EMPTY;
    if (out->number == 0) {
        return PROTOBUF_ERROR_TAG;
    }
    switch (tag & WIRE_MASK) {
    case PROTOBUF_VARINT:
        out->wire = PROTOBUF_VARINT;
        result = read_varint(&at, end, &out->value);
        break;
    case PROTOBUF_FIXED64:
        out->wire = PROTOBUF_FIXED64;
        result = read_fixed(&at, end, sizeof(uint64_t), &out->value);
        break;
    case PROTOBUF_BYTES:
        out->wire = PROTOBUF_BYTES;
        result = read_bytes(&at, end, &out->bytes);
        break;
    case PROTOBUF_FIXED32:
        out->wire = PROTOBUF_FIXED32;
        result = read_fixed(&at, end, sizeof(uint32_t), &out->value);
        break;
    default:
        return PROTOBUF_ERROR_WIRE_TYPE;
    }
    if (result == PROTOBUF_OK) {
        *rest = span_between(at, end);
    }
    return result;
}

enum protobuf_result protobuf_read_repeated(struct span *rest, uint32_t number, struct span *out)
{
    struct protobuf_field field;
    enum protobuf_result result;
    while ((result = protobuf_read_field(rest, &field)) == PROTOBUF_OK) {
        if (field.number != number) {
            continue;
        }
        if (field.wire != PROTOBUF_BYTES) {
            return PROTOBUF_ERROR_WIRE_TYPE;
        }
        *out = field.bytes;
        return PROTOBUF_OK;
    }
    return result;
}

enum protobuf_result protobuf_read_delimited(struct span *rest, size_t len_max, struct span *out)
{
    const uint8_t *at = rest->at;
    const uint8_t *end = end_of(*rest);
    uint32_t len;
    const enum protobuf_result result = read_u32(&at, end, &len);
    if (result != PROTOBUF_OK) {
        return result;
    }
    if (len > len_max) {
        return PROTOBUF_ERROR_TOO_LARGE;
    }
    if (len > (size_t)(end - at)) {
        return PROTOBUF_ERROR_TRUNCATED;
    }
    *out = span_of(at, len);
    *rest = span_between(at + len, end);
    return PROTOBUF_OK;
}

static int64_t signed_of(uint64_t value)
{
    return value <= INT64_MAX ? (int64_t)value : -(int64_t)(UINT64_MAX - value) - 1;
}

static int64_t from_zig_zag(uint64_t value)
{
    const int64_t half = (int64_t)(value >> 1);
    return (value & 1) == 0 ? half : -half - 1;
}

static enum protobuf_result store_number(const struct protobuf_slot *slot, uint64_t value, void *at)
{
    switch (slot->kind) {
    case PROTOBUF_KIND_BOOL:
        *(bool *)at = value != 0;
        break;
    case PROTOBUF_KIND_U32:
        if (value > UINT32_MAX) {
            return PROTOBUF_ERROR_RANGE;
        }
        *(uint32_t *)at = (uint32_t)value;
        break;
    case PROTOBUF_KIND_I32: {
        /* A negative number has all 64 bits of its sign, or from some senders 32. */
        const int64_t number = value <= UINT32_MAX && value > INT32_MAX
                                   ? (int64_t)value - ((int64_t)1 << 32)
                                   : signed_of(value);
        if (number > INT32_MAX || number < INT32_MIN) {
            return PROTOBUF_ERROR_RANGE;
        }
        *(int32_t *)at = (int32_t)number;
        break;
    }
    case PROTOBUF_KIND_I64:
        *(int64_t *)at = signed_of(value);
        break;
    case PROTOBUF_KIND_S64:
        *(int64_t *)at = from_zig_zag(value);
        break;
    default:
        *(uint64_t *)at = value;
        break;
    }
    return PROTOBUF_OK;
}

static enum protobuf_result store(const struct protobuf_slot *slot,
                                  const struct protobuf_field *field, struct span message,
                                  void *out)
{
    uint8_t *base = out;
    void *at = base + slot->offset;
    switch (slot->kind) {
    case PROTOBUF_UNKNOWN:
        return PROTOBUF_OK;
    case PROTOBUF_KIND_BOOL:
    case PROTOBUF_KIND_U32:
    case PROTOBUF_KIND_U64:
    case PROTOBUF_KIND_I32:
    case PROTOBUF_KIND_I64:
    case PROTOBUF_KIND_S64:
        return field->wire == PROTOBUF_VARINT ? store_number(slot, field->value, at)
                                              : PROTOBUF_ERROR_WIRE_TYPE;
    case PROTOBUF_KIND_STRING:
    case PROTOBUF_KIND_BYTES:
    case PROTOBUF_KIND_MESSAGE:
    case PROTOBUF_KIND_REPEATED:
    case PROTOBUF_KIND_SUBMESSAGE:
        break;
    }
    if (field->wire != PROTOBUF_BYTES) {
        return PROTOBUF_ERROR_WIRE_TYPE;
    }
    if (slot->kind == PROTOBUF_KIND_SUBMESSAGE) {
        if (*(bool *)at) {
            return PROTOBUF_ERROR_DOUBLED;
        }
        *(bool *)at = true;
        return protobuf_decode_fields(field->bytes, slot->nested, out);
    }
    if (slot->kind == PROTOBUF_KIND_STRING && !utf8_is_valid(field->bytes)) {
        return PROTOBUF_ERROR_UTF8;
    }
    struct span *span = at;
    if (slot->kind == PROTOBUF_KIND_MESSAGE && span->at != NULL) {
        return PROTOBUF_ERROR_DOUBLED;
    }
    *span = slot->kind == PROTOBUF_KIND_REPEATED ? message : field->bytes;
    return PROTOBUF_OK;
}

enum protobuf_result protobuf_decode_fields(struct span message,
                                            const struct protobuf_fields *fields, void *out)
{
    struct span rest = message;
    struct protobuf_field field;
    enum protobuf_result result;
    while ((result = protobuf_read_field(&rest, &field)) == PROTOBUF_OK) {
        if (field.number >= fields->count) {
            continue;
        }
        result = store(&fields->slots[field.number], &field, message, out);
        if (result != PROTOBUF_OK) {
            return result;
        }
    }
    return result == PROTOBUF_DONE ? PROTOBUF_OK : result;
}

size_t protobuf_varint_len(uint64_t value)
{
    const size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

/* Tags, lengths and most numbers are of one byte. */
static inline void put_varint(struct writer *out, uint64_t value)
{
    uint8_t *at = writer_claim(out, value < 0x80 ? 1 : protobuf_varint_len(value));
    if (at == NULL) {
        return;
    }
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at = (uint8_t)value;
}

void protobuf_put_varint(struct writer *out, uint64_t value)
{
    put_varint(out, value);
}

static void put_tag(struct writer *out, uint32_t number, enum protobuf_wire wire)
{
    put_varint(out, (uint64_t)number << WIRE_BITS | (uint64_t)wire);
}

void protobuf_put_u64(struct writer *out, uint32_t number, uint64_t value)
{
    if (value != 0) {
        put_tag(out, number, PROTOBUF_VARINT);
        put_varint(out, value);
    }
}

void protobuf_put_i64(struct writer *out, uint32_t number, int64_t value)
{
    protobuf_put_u64(out, number, (uint64_t)value);
}

void protobuf_put_s64(struct writer *out, uint32_t number, int64_t value)
{
    const uint64_t doubled = (uint64_t)value << 1;
    protobuf_put_u64(out, number, value < 0 ? ~doubled : doubled);
}

void protobuf_put_bool(struct writer *out, uint32_t number, bool value)
{
    protobuf_put_u64(out, number, value ? 1 : 0);
}

void protobuf_put_bytes(struct writer *out, uint32_t number, struct span bytes)
{
    if (bytes.len > 0) {
        put_tag(out, number, PROTOBUF_BYTES);
        put_varint(out, bytes.len);
        writer_put(out, bytes);
    }
}

void protobuf_put_delimited(struct writer *out, protobuf_encode_function *encode, const void *value)
{
    struct writer measure = writer_for_measuring();
    encode(&measure, value);
    protobuf_put_varint(out, measure.overflow);
    if (writer_is_overflown(out)) {
        /* Only the size is wanted of what does not go in; so measuring stays linear. */
        out->overflow += measure.overflow;
    } else {
        encode(out, value);
    }
}

void protobuf_put_message(struct writer *out, uint32_t number, protobuf_encode_function *encode,
                          const void *value)
{
    put_tag(out, number, PROTOBUF_BYTES);
    protobuf_put_delimited(out, encode, value);
}
