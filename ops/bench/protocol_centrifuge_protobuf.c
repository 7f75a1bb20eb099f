/* SPDX-License-Identifier: Apache-2.0 */
/* Centrifuge's protocol in Protobuf: commands and replies, each with its length in front. */
#include "ops/bench/protocol.h"

/* Field numbers of the messages; a command's and a reply's differ. */
enum {
    COMMAND_ID = 1,
    COMMAND_CONNECT = 4,
    COMMAND_SUBSCRIBE = 5,
    COMMAND_PUBLISH = 7,
    REQUEST_CHANNEL = 1,
    REQUEST_DATA = 2,
    REPLY_ID = 1,
    REPLY_ERROR = 2,
    REPLY_PUSH = 4,
    PUSH_PUB = 4,
    PUBLICATION_DATA = 4,
};

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put_varint(struct writer *out, uint64_t value)
{
    while (value >= 0x80) {
        writer_put_byte(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    writer_put_byte(out, (uint8_t)value);
}

static size_t varint_len(uint64_t value)
{
    size_t len = 1;
    for (; value >= 0x80; value >>= 7) {
        len++;
    }
    return len;
}

static void put_bytes(struct writer *out, unsigned field, struct span bytes)
{
    writer_put_byte(out, (uint8_t)(field << 3 | WIRE_BYTES));
    put_varint(out, bytes.len);
    writer_put(out, bytes);
}

static size_t bytes_field_len(struct span bytes)
{
    return 1 + varint_len(bytes.len) + bytes.len;
}

/* A command with its length: id, and one request of up to two fields. */
static void put_command(struct writer *out, uint8_t id, unsigned request, struct span channel,
                        struct span data)
{
    const size_t request_len = (channel.len == 0 ? 0 : bytes_field_len(channel)) +
                               (data.len == 0 ? 0 : bytes_field_len(data));
    put_varint(out, 2 + 1 + varint_len(request_len) + request_len);
    writer_put_byte(out, COMMAND_ID << 3 | WIRE_VARINT);
    writer_put_byte(out, id);
    writer_put_byte(out, (uint8_t)(request << 3 | WIRE_BYTES));
    put_varint(out, request_len);
    if (channel.len != 0) {
        put_bytes(out, REQUEST_CHANNEL, channel);
    }
    if (data.len != 0) {
        put_bytes(out, REQUEST_DATA, data);
    }
}

static void centrifuge_protobuf_join(struct writer *out, const char *channel)
{
    put_command(out, channel == NULL ? 1 : 2, COMMAND_CONNECT, SPAN_EMPTY, SPAN_EMPTY);
    if (channel != NULL) {
        put_command(out, 1, COMMAND_SUBSCRIBE, span_of_text(channel), SPAN_EMPTY);
    }
}

static void centrifuge_protobuf_publish(struct writer *out, const char *channel,
                                        struct span payload)
{
    put_command(out, 3, COMMAND_PUBLISH, span_of_text(channel), payload);
}

static bool take_varint(struct span *rest, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < rest->len && i < 10; i++) {
        *out |= (uint64_t)(rest->at[i] & 0x7f) << (7 * i);
        if ((rest->at[i] & 0x80) == 0) {
            *rest = span_skip(*rest, i + 1);
            return true;
        }
    }
    return false;
}

/* One field off the front; *bytes is empty unless it is of bytes. */
static bool take_field(struct span *rest, uint64_t *field, uint64_t *value, struct span *bytes)
{
    uint64_t tag;
    *bytes = SPAN_EMPTY;
    *value = 0;
    if (!take_varint(rest, &tag)) {
        return false;
    }
    *field = tag >> 3;
    const uint64_t wire = tag & 7;
    if (wire == WIRE_VARINT) {
        return take_varint(rest, value);
    }
    uint64_t len = wire == WIRE_64 ? 8 : 4;
    if (wire == WIRE_BYTES && !take_varint(rest, &len)) {
        return false;
    }
    if ((wire != WIRE_BYTES && wire != WIRE_64 && wire != WIRE_32) || len > rest->len) {
        return false;
    }
    *bytes = span_of(rest->at, (size_t)len);
    *rest = span_skip(*rest, (size_t)len);
    return true;
}

static bool find_bytes(struct span in, uint64_t wanted, struct span *out)
{
    uint64_t field;
    uint64_t value;
    while (in.len > 0 && take_field(&in, &field, &value, out)) {
        if (field == wanted) {
            return true;
        }
    }
    return false;
}

static enum protocol_event reply_event(struct span reply, struct span *out)
{
    const struct span whole = reply;
    uint64_t id = 0;
    uint64_t field;
    uint64_t value;
    struct span bytes;
    while (reply.len > 0) {
        if (!take_field(&reply, &field, &value, &bytes)) {
            *out = whole;
            return PROTOCOL_ERROR;
        }
        if (field == REPLY_ID) {
            id = value;
        } else if (field == REPLY_ERROR) {
            *out = bytes;
            return PROTOCOL_ERROR;
        } else if (field == REPLY_PUSH && find_bytes(bytes, PUSH_PUB, &bytes) &&
                   find_bytes(bytes, PUBLICATION_DATA, out)) {
            return PROTOCOL_PUBLICATION;
        }
    }
    return id == 1 ? PROTOCOL_JOINED : PROTOCOL_OTHER;
}

static enum protocol_event centrifuge_protobuf_next(struct span *rest, struct span *out)
{
    if (rest->len == 0) {
        return PROTOCOL_END;
    }
    uint64_t len;
    *out = *rest;
    if (!take_varint(rest, &len) || len > rest->len) {
        *rest = SPAN_EMPTY;
        return PROTOCOL_ERROR;
    }
    const struct span reply = span_of(rest->at, (size_t)len);
    *rest = span_skip(*rest, (size_t)len);
    return len == 0 ? PROTOCOL_PING : reply_event(reply, out);
}

const struct protocol protocol_centrifuge_protobuf = {
    .name = "centrifuge-protobuf",
    .about = "Centrifuge's protocol in Protobuf (Centrifugo)",
    .path = "/connection/websocket",
    .subprotocol = "centrifuge-protobuf",
    .pong = {(const uint8_t *)"\0", 1},
    .mask = {0x1b, 0xad, 0xb0, 0x0d},
    .is_binary = true,
    .has_channels = true,
    .join = centrifuge_protobuf_join,
    .publish = centrifuge_protobuf_publish,
    .next = centrifuge_protobuf_next,
};
