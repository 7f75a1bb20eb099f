/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a link: lengths that are checked before anything is kept, and small messages in them.
 */
#include "codec/link.h"

#include "codec/protobuf.h"

const char *link_result_text(enum link_result result)
{
    static const char *const texts[] = {
#define LINK_TEXT(name, text) [name] = text,
        LINK_RESULTS(LINK_TEXT)
#undef LINK_TEXT
    };
    return (unsigned)result < LINK_RESULT_COUNT ? texts[result] : "unknown";
}

const char *link_refusal_text(enum link_refusal refusal)
{
    static const char *const texts[] = {
#define LINK_TEXT(name, text) [name] = text,
        LINK_REFUSALS(LINK_TEXT)
#undef LINK_TEXT
    };
    return (unsigned)refusal < LINK_REFUSAL_COUNT ? texts[refusal] : "unknown";
}

/* ---- frames ---- */

static uint32_t read_length(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_head(uint8_t *at, uint32_t body_len, enum link_kind kind)
{
    const uint32_t len = body_len + 1;
    at[0] = (uint8_t)(len >> 24);
    at[1] = (uint8_t)(len >> 16);
    at[2] = (uint8_t)(len >> 8);
    at[3] = (uint8_t)len;
    at[4] = (uint8_t)kind;
}

/* Handshake, version 3 of the record: how whoever speaks TLS begins (RFC 8446, section 5.1). As a
 * length it is beyond any limit. */
static bool is_tls(const uint8_t *at)
{
    return at[0] == 0x16 && at[1] == 0x03;
}

static enum link_result check_head(const uint8_t *at, uint32_t message_len_max)
{
    const uint32_t body_len = read_length(at) - 1;
    const uint8_t kind = at[LINK_LENGTH_LEN];
    if (kind == LINK_MESSAGE) {
        if (message_len_max == 0) {
            return LINK_ERROR_ORDER;
        }
        return body_len > message_len_max ? LINK_ERROR_SIZE : LINK_OK;
    }
    if (kind < LINK_HELLO || kind > LINK_MESSAGE) {
        return LINK_ERROR_KIND;
    }
    return body_len > LINK_HELLO_LEN_MAX ? LINK_ERROR_SIZE : LINK_OK;
}

enum link_result link_frame_read(struct span *rest, uint32_t message_len_max,
                                 struct link_frame *out, size_t *need)
{
    if (rest->len < LINK_LENGTH_LEN) {
        *need = LINK_HEAD_LEN;
        return LINK_MORE;
    }
    const uint32_t len = read_length(rest->at);
    if (len == 0) {
        return LINK_ERROR_EMPTY;
    }
    const uint32_t longest =
        message_len_max > LINK_HELLO_LEN_MAX ? message_len_max : LINK_HELLO_LEN_MAX;
    if (len - 1 > longest) {
        return is_tls(rest->at) ? LINK_ERROR_TLS : LINK_ERROR_SIZE;
    }
    if (rest->len < LINK_HEAD_LEN) {
        *need = LINK_HEAD_LEN;
        return LINK_MORE;
    }
    const enum link_result result = check_head(rest->at, message_len_max);
    if (result != LINK_OK) {
        return result;
    }
    *need = LINK_LENGTH_LEN + (size_t)len;
    if (rest->len < *need) {
        return LINK_MORE;
    }
    out->kind = (enum link_kind)rest->at[LINK_LENGTH_LEN];
    out->body = span_of(rest->at + LINK_HEAD_LEN, len - 1);
    *rest = span_skip(*rest, *need);
    return LINK_OK;
}

void link_message_head(uint32_t len, uint8_t out[LINK_HEAD_LEN])
{
    put_head(out, len, LINK_MESSAGE);
}

/* ---- the handshake ---- */

struct hello_fields {
    uint32_t protocol_min;
    uint32_t protocol_max;
    uint32_t protocol;
    uint64_t incarnation;
    struct span uid;
    struct span wanted;
};

enum { HELLO_CLUSTER_FIELD = 3 };

static enum link_result uid_decode(struct span bytes, struct gossip_uid *out)
{
    if (bytes.len != GOSSIP_UID_LEN) {
        return LINK_ERROR_UID;
    }
    memcpy(out->bytes, bytes.at, GOSSIP_UID_LEN);
    return LINK_OK;
}

/* The one fixed field, which a table of fields does not know. */
static enum link_result cluster_decode(struct span body, uint32_t *out)
{
    struct protobuf_field field;
    enum protobuf_result result;
    *out = 0;
    while ((result = protobuf_read_field(&body, &field)) == PROTOBUF_OK) {
        if (field.number == HELLO_CLUSTER_FIELD) {
            if (field.wire != PROTOBUF_FIXED32) {
                return LINK_ERROR_FORMAT;
            }
            *out = (uint32_t)field.value;
        }
    }
    return result == PROTOBUF_DONE ? LINK_OK : LINK_ERROR_FORMAT;
}

static enum link_result protocols_check(const struct hello_fields *fields, bool is_welcome)
{
    const bool is_range = fields->protocol_min > 0 && fields->protocol_min <= fields->protocol_max;
    const bool is_chosen =
        fields->protocol >= fields->protocol_min && fields->protocol <= fields->protocol_max;
    if (!is_range || (is_welcome ? !is_chosen : fields->protocol != 0)) {
        return LINK_ERROR_PROTOCOL;
    }
    return LINK_OK;
}

enum link_result link_hello_decode(struct span body, bool is_welcome, struct link_hello *out)
{
    static const struct protobuf_slot slots[] = {
        PROTOBUF_FIELD(hello_fields, 1, U32, protocol_min),
        PROTOBUF_FIELD(hello_fields, 2, U32, protocol_max),
        PROTOBUF_FIELD(hello_fields, 4, BYTES, uid),
        PROTOBUF_FIELD(hello_fields, 5, U64, incarnation),
        PROTOBUF_FIELD(hello_fields, 6, BYTES, wanted),
        PROTOBUF_FIELD(hello_fields, 7, U32, protocol),
    };
    static const struct protobuf_fields table = PROTOBUF_FIELDS(slots);
    struct hello_fields fields = {.protocol_min = 0};
    struct link_hello hello = {.protocol = 0};
    if (protobuf_decode_fields(body, &table, &fields) != PROTOBUF_OK) {
        return LINK_ERROR_FORMAT;
    }
    enum link_result result = cluster_decode(body, &hello.cluster);
    if (result == LINK_OK) {
        result = protocols_check(&fields, is_welcome);
    }
    if (result == LINK_OK) {
        result = uid_decode(fields.uid, &hello.uid);
    }
    if (result == LINK_OK && fields.wanted.len > 0) {
        result = uid_decode(fields.wanted, &hello.wanted);
    }
    if (result != LINK_OK) {
        return result;
    }
    if (gossip_uid_is_nobody(&hello.uid)) {
        return LINK_ERROR_UID;
    }
    if (fields.incarnation > GOSSIP_INCARNATION_MAX) {
        return LINK_ERROR_INCARNATION;
    }
    hello.protocol_min = fields.protocol_min;
    hello.protocol_max = fields.protocol_max;
    hello.protocol = fields.protocol;
    hello.incarnation = fields.incarnation;
    *out = hello;
    return LINK_OK;
}

enum link_result link_refusal_decode(struct span body, enum link_refusal *out)
{
    static const struct protobuf_slot slots[] = {[1] = {.kind = PROTOBUF_KIND_U32}};
    static const struct protobuf_fields table = PROTOBUF_FIELDS(slots);
    uint32_t reason = 0;
    if (protobuf_decode_fields(body, &table, &reason) != PROTOBUF_OK) {
        return LINK_ERROR_FORMAT;
    }
    *out = reason < LINK_REFUSAL_COUNT ? (enum link_refusal)reason : LINK_REFUSED_UNSAID;
    return LINK_OK;
}

enum link_result link_beat_decode(struct span body, uint64_t *sent_us)
{
    static const struct protobuf_slot slots[] = {[1] = {.kind = PROTOBUF_KIND_U64}};
    static const struct protobuf_fields table = PROTOBUF_FIELDS(slots);
    uint64_t sent = 0;
    if (protobuf_decode_fields(body, &table, &sent) != PROTOBUF_OK) {
        return LINK_ERROR_FORMAT;
    }
    *sent_us = sent;
    return LINK_OK;
}

uint32_t link_protocol_choose(const struct link_hello *one, const struct link_hello *other)
{
    const uint32_t highest =
        one->protocol_max < other->protocol_max ? one->protocol_max : other->protocol_max;
    return highest >= one->protocol_min && highest >= other->protocol_min ? highest : 0;
}

/* ---- writing ---- */

void link_frame_write(enum link_kind kind, struct span body, struct writer *writer)
{
    uint8_t head[LINK_HEAD_LEN];
    put_head(head, (uint32_t)body.len, kind);
    writer_put(writer, span_of(head, sizeof(head)));
    writer_put(writer, body);
}

void link_hello_encode(const struct link_hello *hello, bool is_welcome, struct writer *body)
{
    protobuf_put_u64(body, 1, hello->protocol_min);
    protobuf_put_u64(body, 2, hello->protocol_max);
    if (hello->cluster != 0) {
        const uint32_t cluster = hello->cluster;
        const uint8_t fixed[] = {
            HELLO_CLUSTER_FIELD << 3 | PROTOBUF_FIXED32,
            (uint8_t)cluster,
            (uint8_t)(cluster >> 8),
            (uint8_t)(cluster >> 16),
            (uint8_t)(cluster >> 24),
        };
        writer_put(body, span_of(fixed, sizeof(fixed)));
    }
    protobuf_put_bytes(body, 4, span_of(hello->uid.bytes, GOSSIP_UID_LEN));
    protobuf_put_u64(body, 5, hello->incarnation);
    if (!gossip_uid_is_nobody(&hello->wanted)) {
        protobuf_put_bytes(body, 6, span_of(hello->wanted.bytes, GOSSIP_UID_LEN));
    }
    protobuf_put_u64(body, 7, is_welcome ? hello->protocol : 0);
}

void link_hello_write(const struct link_hello *hello, bool is_welcome, struct writer *writer)
{
    uint8_t bytes[LINK_HELLO_LEN_MAX];
    struct writer body = writer_of(bytes, sizeof(bytes));
    link_hello_encode(hello, is_welcome, &body);
    link_frame_write(is_welcome ? LINK_WELCOME : LINK_HELLO, writer_written(&body), writer);
}

void link_refusal_write(enum link_refusal refusal, struct writer *writer)
{
    uint8_t bytes[1 + PROTOBUF_VARINT_LEN_MAX];
    struct writer body = writer_of(bytes, sizeof(bytes));
    protobuf_put_u64(&body, 1, refusal);
    link_frame_write(LINK_REFUSAL, writer_written(&body), writer);
}

void link_beat_write(uint64_t sent_us, bool is_pong, struct writer *writer)
{
    uint8_t bytes[1 + PROTOBUF_VARINT_LEN_MAX];
    struct writer body = writer_of(bytes, sizeof(bytes));
    protobuf_put_u64(&body, 1, sent_us);
    link_frame_write(is_pong ? LINK_PONG : LINK_PING, writer_written(&body), writer);
}
